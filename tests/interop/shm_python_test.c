/* Segments and shareable lists between this library and a live Python, in both directions; and
 * the trap: a Python that opens a segment unlinks it when it ends, unless it says otherwise. */
#include "unit/obj/python.h"

#include <kin/share.h>
#include <kin/subprocess.h>
#include <unistd.h>

/* Opens the segment that the first argument names, and leaves it alone when it ends: in
 * the way that all Pythons know. */
#define OPEN                                                                                       \
    "import sys\n"                                                                                 \
    "from multiprocessing import resource_tracker, shared_memory\n"                                \
    "from multiprocessing.shared_memory import SharedMemory, ShareableList\n"                      \
    "def leave_alone(shm):\n"                                                                      \
    "    resource_tracker.unregister(shm._name, 'shared_memory')\n"                                \
    "    return shm\n"

static const char *ours(void)
{
    static char name[64];
    snprintf(name, sizeof name, "kin-interop-%d", (int)getpid());
    return name;
}

static bool is_there(void)
{
    kin_shm *shm = NULL;
    int rv = kin_shm_open(&shm, ours());
    kin_shm_free(shm);
    return rv == 0;
}

/* Runs a script with our name as its argument. What it complains of is the caller's to free. */
static char *run(const char *script)
{
    kin_completed_process done = { 0 };
    const char *const argv[] = { PYTHON, "-c", script, ours(), NULL };
    CHECK_OK(kin_run(argv, &(kin_run_options){ .capture = true }, &done));
    CHECK_(done.returncode == 0, "Python ended with %d: %s", done.returncode, done.err);
    char *complaints = strdup(done.err);
    kin_completed_process_done(&done);
    return complaints;
}

static void run_quietly(const char *script)
{
    char *complaints = run(script);
    CHECK_STR(complaints, "");
    free(complaints);
}

/* A Python that has printed a line and waits for the end of its input. */
static kin_popen *begin(const char *script)
{
    kin_popen *popen = NULL;
    const char *const argv[] = { PYTHON, "-c", script, ours(), NULL };
    CHECK_OK(kin_popen_new(
        &popen, argv, KIN_OPT(kin_run_options, .in = KIN_PIPE, .out = KIN_PIPE, .err = KIN_PIPE)));
    char letter = '\0';
    while (letter != '\n') {
        CHECK_EQ(read(kin_popen_stdout(popen), &letter, 1), 1);
    }
    return popen;
}

static void end(kin_popen *popen)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_(done.returncode == 0, "Python ended with %d: %s", done.returncode, done.err);
    CHECK_STR(done.err, "");
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

TEST(python_reads_and_writes_a_segment_of_ours)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    kin_shm *shm = NULL;
    CHECK_OK(kin_shm_create(&shm, ours(), 5000));
    memcpy(kin_shm_ptr(shm), "from kin", 8);
    run_quietly(OPEN "shm = leave_alone(SharedMemory(sys.argv[1]))\n"
                     "assert shm.size == 5000 and shm.name == sys.argv[1]\n"
                     "assert bytes(shm.buf[:9]) == b'from kin\\0'\n"
                     "shm.buf[4990:5000] = b'frompython'\n"
                     "shm.close()\n");
    CHECK_MEM((char *)kin_shm_ptr(shm) + 4990, "frompython", 10);
    CHECK(is_there());
    CHECK_OK(kin_shm_unlink(ours()));
    kin_shm_free(shm);
}

TEST(python_finds_a_segment_that_has_no_name_of_ours)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    kin_shm *shm = NULL;
    CHECK_OK(kin_shm_create(&shm, NULL, 1));
    kin_completed_process done = { 0 };
    const char *const argv[] = { PYTHON, "-c",
                                 OPEN "shm = leave_alone(SharedMemory(sys.argv[1]))\n"
                                      "shm.buf[0] = 42\n"
                                      "shm.close()\n",
                                 kin_shm_name(shm), NULL };
    CHECK_OK(kin_run(argv, NULL, &done));
    CHECK_EQ(done.returncode, 0);
    CHECK_EQ(*(char *)kin_shm_ptr(shm), 42);
    CHECK_OK(kin_shm_unlink(kin_shm_name(shm)));
    kin_shm_free(shm);
}

/* The trap: its resource tracker takes whatever it opened for its own. */
TEST(a_python_that_says_nothing_unlinks_a_segment_of_ours)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    kin_shm *shm = NULL;
    CHECK_OK(kin_shm_create(&shm, ours(), 10));
    char *complaints = run(OPEN "shm = SharedMemory(sys.argv[1])\n"
                                "shm.buf[0] = 7\n"
                                "shm.close()\n");
    CHECK_CONTAINS(complaints, "leaked shared_memory objects");
    free(complaints);
    CHECK(!is_there());
    CHECK_EQ(*(char *)kin_shm_ptr(shm), 7); /* who has it mapped goes on */
    CHECK_ERROR(kin_shm_unlink(ours()), KIN_ENOENT);
    kin_shm_free(shm);
}

TEST(we_read_and_write_a_segment_of_pythons)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    kin_popen *python = begin(OPEN "shm = SharedMemory(sys.argv[1], create=True, size=4097)\n"
                                   "shm.buf[:11] = b'from python'\n"
                                   "print('ready', flush=True)\n"
                                   "sys.stdin.read()\n"
                                   "assert bytes(shm.buf[4090:]) == b'fromkin'\n"
                                   "shm.close()\n"
                                   "shm.unlink()\n");
    kin_shm *shm = NULL;
    CHECK_OK(kin_shm_open(&shm, ours()));
    CHECK_EQ(kin_shm_size(shm), 4097);
    CHECK_MEM(kin_shm_ptr(shm), "from python\0", 12);
    memcpy((char *)kin_shm_ptr(shm) + 4090, "fromkin", 7);
    kin_shm_free(shm); /* and no unlink: that is its maker's */
    end(python);
    CHECK(!is_there());
}

/* ---- lists -------------------------------------------------------------------------- */

TEST(we_read_and_write_a_list_of_pythons)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    kin_popen *python = begin(
        OPEN
        "sl = ShareableList([7, -2.5, True, 'h\\u00e9y', b'\\1\\2', None, 'exactly8', ''],\n"
        "                   name=sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "assert list(sl) == [None, 2**40, 'abc', 'h\\u00e9y', 3, 0.5, b'sixteen bytes...', '']\n"
        "assert sl.format == 'xxxxxx?xq8s8sqd16s8s', sl.format\n"
        "sl.shm.close()\n"
        "sl.shm.unlink()\n");
    kin_shareable_list *l = NULL;
    CHECK_OK(kin_shareable_list_open(&l, ours()));
    kin_obj expected = kin_list(kin_int(7), kin_float(-2.5), kin_bool(true), kin_str("h\xc3\xa9y"),
                                kin_bytes("\1\2", 2), kin_none(), kin_str("exactly8"), kin_str(""));
    CHECK_EQ(kin_shareable_list_len(l), 8);
    for (size_t i = 0; i < 8; i++) {
        kin_obj o = { 0 };
        CHECK_OK(kin_shareable_list_get(l, (int64_t)i, &o));
        CHECK(kin_equal(o, kin_at(expected, i)));
        CHECK_EQ(kin_type_of(o), kin_type_of(kin_at(expected, i)));
        kin_release(o);
    }
    kin_release(expected);
    CHECK_OK(kin_shareable_list_set(l, 0, kin_none()));
    CHECK_OK(kin_shareable_list_set(l, 1, kin_int(INT64_C(1) << 40)));
    CHECK_OK(kin_shareable_list_set(l, 2, kin_str("abc")));
    CHECK_OK(kin_shareable_list_set(l, 4, kin_int(3)));
    CHECK_OK(kin_shareable_list_set(l, 5, kin_float(0.5)));
    CHECK_OK(kin_shareable_list_set(l, 6, kin_bytes("sixteen bytes...", 16)));
    kin_shareable_list_free(l);
    end(python);
    CHECK(!is_there());
}

static kin_obj random_text(bool is_str)
{
    static const char letters[] = "abc XYZ'\"\\0123456789";
    char text[40];
    size_t size = test_random() % sizeof text;
    for (size_t i = 0; i < size; i++) {
        text[i] = letters[test_random() % (sizeof letters - 1)];
    }
    return is_str ? kin_strn(text, size) : kin_bytes(text, size);
}

static kin_obj random_item(void)
{
    switch (test_random() % 6) {
    case 0:
        return kin_none();
    case 1:
        return kin_bool(test_random() % 2);
    case 2:
        return kin_int((int64_t)test_random() >> test_random() % 60);
    case 3:
        return kin_float((double)(int64_t)test_random() / 1024);
    default:
        return random_text(test_random() % 2);
    }
}

enum { LISTS = 150 };

static void write_list(FILE *pipe, const char *name, kin_shareable_list **ret)
{
    kin_obj items = kin_list();
    for (size_t n = test_random() % 8; n > 0; n--) {
        CHECK_OK(kin_append(&items, random_item()));
    }
    fprintf(pipe, "('%s', ", name);
    write_repr(pipe, items, ", [");
    size_t count = kin_len(items);
    CHECK_OK(kin_shareable_list_new(ret, items, name));
    for (size_t n = count > 0 ? test_random() % 10 : 0; n > 0; n--) {
        int64_t i = (int64_t)(test_random() % count);
        kin_obj o = random_item();
        fprintf(pipe, "(%lld, ", (long long)i);
        write_repr(pipe, o, ", ");
        int rv = kin_shareable_list_set(*ret, i, o);
        CHECK(rv == 0 || rv == KIN_ERANGE);
        fprintf(pipe, "%d), ", rv == 0);
    }
    fprintf(pipe, "])\n");
}

/* The same lists, made and changed by Python and by us, have the same bytes. */
TEST(lists_have_the_bytes_that_python_gives_them)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    FILE *pipe = python("from multiprocessing import resource_tracker\n"
                        "from multiprocessing.shared_memory import SharedMemory, ShareableList\n"
                        "def wrong(line):\n"
                        "    name, items, sets = eval(line)\n"
                        "    theirs = SharedMemory(name)\n"
                        "    resource_tracker.unregister(theirs._name, 'shared_memory')\n"
                        "    mine = ShareableList(items)\n"
                        "    for i, value, done in sets:\n"
                        "        try:\n"
                        "            mine[i] = value\n"
                        "            if not done: return 'not refused: ' + line\n"
                        "        except ValueError:\n"
                        "            if done: return 'refused: ' + line\n"
                        "    same = bytes(mine.shm.buf) == bytes(theirs.buf)\n"
                        "    same = same and list(mine) == list(ShareableList(name=name))\n"
                        "    resource_tracker.unregister(theirs._name, 'shared_memory')\n"
                        "    mine.shm.close(); mine.shm.unlink(); theirs.close()\n"
                        "    return None if same else line\n");
    kin_shareable_list *lists[LISTS];
    for (int i = 0; i < LISTS; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s-%d", ours(), i);
        write_list(pipe, name, &lists[i]);
    }
    python_agrees(pipe);
    for (int i = 0; i < LISTS; i++) {
        CHECK_OK(kin_shm_unlink(kin_shm_name(kin_shareable_list_shm(lists[i]))));
        kin_shareable_list_free(lists[i]);
    }
}
