/* Random objects to a live Python and back, in all protocols; and its exceptions.
 * KIN_TEST_PICKLES=100000 in the environment sends as many objects. */
#include "interop/looks.h"

#include <kin/subprocess.h>
#include <unistd.h>

enum { BATCHED = 100, MOST_NODES = 400, RINGS = 8 };

/* ---- random objects ---------------------------------------------------------------- */

typedef struct maker {
    int left;        /* nodes that it may still make */
    kin_obj old[20]; /* what may be used again */
    int n_old;
    kin_obj rings[RINGS]; /* lists that hold something which may hold them */
    size_t at[RINGS];
    int n_rings;
} maker;

static size_t below(size_t n)
{
    return (size_t)(test_random() % n);
}

static kin_obj random_str(void)
{
    static const char *const parts[] = { "a",    "key", "é",   "€",  "😀",    "\xed\xa0\x80",
                                         "'",    "\"",  "\\n", "\n", "\x7f", "long long text",
                                         "\xff", "" };
    char text[600];
    size_t size = 0;
    for (size_t n = below(below(10) > 0 ? 5 : 40); n > 0; n--) {
        const char *part = parts[below(sizeof parts / sizeof parts[0])];
        memcpy(text + size, part, strlen(part));
        size += strlen(part);
    }
    return kin_strn(text, size);
}

static kin_obj random_bytes(kin_obj (*make)(const void *data, size_t size))
{
    uint8_t bytes[300];
    size_t size = below(below(10) > 0 ? 8 : sizeof bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)test_random();
    }
    return make(bytes, size);
}

static kin_obj random_float(void)
{
    static const double some[] = { 0.0, -0.0, 1.5, 1e308, -1e-308, 0.1 };
    return kin_float(below(2) ? random_double() : some[below(6)]);
}

/* What can be a key, but for floats, of which a NaN is like no other, and numbers that are equal to
 * numbers of other types: Python keeps one of them, we another one. */
static kin_obj random_key(int depth)
{
    switch (below(depth > 0 ? 6 : 4)) {
    case 0:
        return kin_none();
    case 1:
        return random_int();
    case 2:
        return random_str();
    case 3:
        return random_bytes(kin_bytes);
    case 4:
        return kin_tuple(random_key(depth - 1), random_key(depth - 1));
    default:
        return kin_frozenset(random_key(depth - 1), random_key(depth - 1));
    }
}

static kin_obj random_leaf(void)
{
    switch (below(9)) {
    case 0:
        return kin_none();
    case 1:
        return kin_bool(below(2));
    case 2:
        return kin_int((int64_t)test_random() >> below(64));
    case 3:
        return random_int();
    case 4:
        return random_float();
    case 5:
        return random_bytes(kin_bytes);
    case 6:
        return random_bytes(kin_bytearray);
    case 7:
        return kin_slice(kin_int(1), kin_none(), random_str());
    default:
        return random_str();
    }
}

static kin_obj random_object(maker *m, int depth);

static size_t random_length(const maker *m)
{
    return m->left <= 0 ? 0 : below(200) == 0 ? 900 + below(300) : below(5);
}

static kin_obj random_error(maker *m, int depth)
{
    static const char *const types[] = {
        "ValueError",        "KeyError",
        "queue.Empty",       "threading.BrokenBarrierError",
        "ZeroDivisionError", "RuntimeError",
        "StopIteration",     "multiprocessing.context.ProcessError",
        "queue.Full",        "EOFError",
        "IndexError",        "multiprocessing.context.TimeoutError",
    };
    if (below(3) == 0) {
        return kin_error(KIN_EUSER - (int)below(9) + (int)below(2) * 4998, "%s", "it's wrong");
    }
    const char *type = types[below(sizeof types / sizeof types[0])];
    kin_obj args = kin_args();
    switch (below(3)) {
    case 0:
        kin_release(args);
        args = kin_args(random_object(m, depth - 1));
        break;
    case 1:
        kin_release(args);
        args = kin_args(random_object(m, depth - 1), random_leaf());
        break;
    default:
        break;
    }
    return kin_exception(type, args);
}

static kin_obj random_list(maker *m, int depth)
{
    kin_obj list = kin_list();
    bool leaves = below(3) == 0;
    for (size_t n = random_length(m); n > 0; n--) {
        kin_append(&list, leaves ? random_leaf() : random_object(m, n > 100 ? 0 : depth - 1));
    }
    return list;
}

static kin_obj random_tuple(maker *m, int depth)
{
    kin_obj items[5];
    size_t n = below(6);
    for (size_t i = 0; i < n; i++) {
        items[i] = random_object(m, depth - 1);
    }
    return kin_tuple_n(items, n);
}

static kin_obj random_table(maker *m, int depth)
{
    size_t kind = below(3);
    kin_obj o = kind == 0 ? kin_dict() : kin_set();
    kin_obj members[1200];
    size_t made = 0;
    for (size_t n = random_length(m); n > 0; n--) {
        kin_obj key = n > 100 ? kin_int((int64_t)n) : random_key(2);
        if (kind == 0) {
            kin_setitem(&o, key, random_object(m, n > 100 ? 0 : depth - 1));
        } else if (kind == 1) {
            kin_append(&o, key);
        } else {
            members[made++] = key;
        }
    }
    if (kind < 2) {
        return o;
    }
    kin_release(o);
    return kin_frozenset_n(members, made);
}

static kin_obj random_token(void)
{
    kin_obj address = below(2) ? kin_str("/tmp/socket") : kin_tuple(kin_str("host"), kin_int(99));
    return kin_token("dict", below(3) ? address : (kin_release(address), kin_bytes("\0abc", 4)),
                     "7f00");
}

static kin_obj random_box(maker *m, int depth)
{
    switch (below(10)) {
    case 0:
        return random_error(m, depth);
    case 1:
        return random_token();
    case 2:
    case 3:
        return random_table(m, depth);
    case 4:
    case 5:
        return random_tuple(m, depth);
    case 6:
        return random_table(m, depth);
    default:
        return random_list(m, depth);
    }
}

/* What has been made is used again; and a list may be put into what it holds. */
static kin_obj random_object(maker *m, int depth)
{
    m->left--;
    if (depth <= 0 || m->left <= 0) {
        return random_leaf();
    }
    if (m->n_old > 0 && below(5) == 0) {
        return kin_retain(m->old[below((size_t)m->n_old)]);
    }
    kin_obj o = random_box(m, depth);
    if (m->n_old < (int)(sizeof m->old / sizeof m->old[0])) {
        m->old[m->n_old++] = kin_retain(o);
    }
    return o;
}

static void tie_rings(maker *m)
{
    for (int i = 0; i < m->n_old && m->n_rings < RINGS; i++) {
        kin_obj *list = &m->old[i];
        if (kin_type_of(*list) == KIN_TYPE_LIST && below(4) == 0) {
            m->rings[m->n_rings] = *list;
            m->at[m->n_rings++] = kin_len(*list);
            CHECK_OK(kin_append(list, kin_retain(m->old[below((size_t)m->n_old)])));
        }
    }
}

static void forget_all(maker *m)
{
    for (int i = 0; i < m->n_rings; i++) {
        CHECK_OK(kin_setitem(&m->rings[i], kin_int((int64_t)m->at[i]), kin_none()));
    }
    for (int i = 0; i < m->n_old; i++) {
        kin_release(m->old[i]);
    }
}

/* ---- the conversation -------------------------------------------------------------- */

static kin_popen *begin(const char *what)
{
    kin_popen *popen = NULL;
    const char *const argv[] = { PYTHON, "-B", KIN_TESTS_AT "/interop/pickle_python.py", what,
                                 NULL };
    CHECK_OK(
        kin_popen_new(&popen, argv, KIN_OPT(kin_run_options, .in = KIN_PIPE, .out = KIN_PIPE)));
    return popen;
}

static void end(kin_popen *popen)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_EQ(done.returncode, 0);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

static void put(int fd, const void *data, size_t size)
{
    uint32_t head = (uint32_t)size;
    CHECK_EQ(write(fd, &head, sizeof head), sizeof head);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, (const char *)data + done, size - done);
        CHECK_GT(n, 0);
        done += (size_t)n;
    }
}

static void read_all(int fd, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, (char *)to + done, size - done);
        CHECK_(n > 0, "Python has no more to say");
        done += (size_t)n;
    }
}

/* With a zero at its end. */
static char *get(int fd, size_t *ret_size)
{
    uint32_t size;
    read_all(fd, &size, sizeof size);
    char *data = malloc(size + 1);
    read_all(fd, data, size);
    data[size] = '\0';
    *ret_size = size;
    return data;
}

/* Shows where they part. */
static void check_same(const char *who, const char *seen, const char *text)
{
    size_t at = 0;
    while (seen[at] != '\0' && seen[at] == text[at]) {
        at++;
    }
    at = at < 40 ? 0 : at - 40;
    CHECK_(strcmp(seen, text) == 0, "%s as ...%.80s\nand not    ...%.80s", who, seen + at,
           text + at);
}

static void check_looks(kin_obj o, const char *text, const char *who)
{
    char *own = text_of(o);
    check_same(who, own, text);
    free(own);
}

/* Sends an object; the text that tells what it is. */
static char *send_one(int fd)
{
    maker m = { .left = MOST_NODES };
    kin_obj o = random_object(&m, 5);
    if (below(5) == 0) {
        tie_rings(&m);
    }
    char *text = text_of(o);
    void *data;
    size_t size;
    CHECK_OK(kin_dumps_with(kin_retain(o),
                            KIN_OPT(kin_dumps_options, .protocol = 2 + (unsigned)below(4)), &data,
                            &size));
    put(fd, data, size);
    kin_obj again;
    CHECK_OK(kin_loads(data, size, &again));
    check_looks(again, text, "kin read what kin wrote");
    kin_release(again);
    free(data);
    forget_all(&m);
    kin_release(o);
    return text;
}

static void receive_one(int fd, char *text)
{
    size_t size;
    char *seen = get(fd, &size);
    check_same("Python sees it", seen, text);
    char *data = get(fd, &size);
    kin_obj o;
    CHECK_OK(kin_loads(data, size, &o));
    check_looks(o, text, "kin read what Python wrote");
    kin_release(o);
    free(data);
    free(seen);
    free(text);
}

TEST_WITHIN(3000, random_objects_go_to_python_and_come_back)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    const char *wanted = getenv("KIN_TEST_PICKLES");
    long left = wanted != NULL ? atol(wanted) : 2000;
    kin_popen *popen = begin("converse");
    for (; left > 0; left -= BATCHED) {
        char *texts[BATCHED];
        int in = kin_popen_stdin(popen);
        put(in, "100", 3);
        for (int i = 0; i < BATCHED; i++) {
            texts[i] = send_one(in);
        }
        for (int i = 0; i < BATCHED; i++) {
            receive_one(kin_popen_stdout(popen), texts[i]);
        }
    }
    end(popen);
}

/* ---- exceptions -------------------------------------------------------------------- */

static void check_exception(int fd, size_t *ret_size)
{
    size_t size;
    char *data = get(fd, ret_size);
    char *text = get(fd, &size);
    char *repr = get(fd, &size);
    kin_obj o;
    CHECK_OK(kin_loads(data, *ret_size, &o));
    CHECK(kin_is_error(o));
    CHECK_STR(kin_error_text(o), text);
    char *own = kin_repr(o);
    CHECK_STR(own, repr);
    free(own);
    free(data);
    free(text);
    free(repr);
    kin_release(o);
}

TEST(exceptions_have_the_text_that_python_gives_them)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    kin_popen *popen = begin("exceptions");
    size_t size;
    char *count = get(kin_popen_stdout(popen), &size);
    for (int i = 0; i < atoi(count) * 4; i++) {
        check_exception(kin_popen_stdout(popen), &size);
    }
    free(count);
    end(popen);
}
