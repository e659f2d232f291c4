#include "harness.h"

#include "obj/flat.h"
#include <kin/domain.h>
#include <pthread.h>
#include <stdlib.h>

/* The bytes of a flat copy, in memory of exactly their size: the sanitizer sees a step beyond. */
static uint64_t *flatten(kin_obj o, size_t *ret_size)
{
    CHECK_OK(kin__flat_size(o, ret_size));
    uint64_t *at = malloc(*ret_size);
    CHECK_OK(kin__flat_write(o, at, *ret_size));
    kin_release(o);
    return at;
}

static void refused(const uint64_t *words, size_t n)
{
    kin_obj o = kin_int(7);
    CHECK_ERROR(kin__flat_read(words, n * 8, &o), KIN_ECORRUPT);
    CHECK_EQ(o.as.i, 7);
}

#define HEAD(tag, number) ((uint64_t)(tag) | (uint64_t)(number) << 8)
#define BUNDLE(bytes) HEAD(TAG_BUNDLE, (uint64_t)(bytes)*2)
#define REFUSED(...)                                                                               \
    refused((const uint64_t[]){ __VA_ARGS__ },                                                     \
            sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

TEST(what_is_no_copy_is_refused)
{
    REFUSED(0);
    REFUSED(UINT64_MAX);
    REFUSED(HEAD(200, 0));
    REFUSED(HEAD(TAG_INT, 1), HEAD(TAG_INT, 2)); /* more follows */
    REFUSED(HEAD(TAG_INT64, 0));                 /* cut off */
    REFUSED(HEAD(TAG_FUNC, 0), 1);
    REFUSED(HEAD(TAG_BUFFER, 0), 1);
    REFUSED(HEAD(TAG_STR, 9), 0);
    REFUSED(HEAD(TAG_STR, UINT64_MAX >> 8), 0);
    REFUSED(HEAD(TAG_ERROR, 0));
    REFUSED(HEAD(TAG_ERROR, 0), 5); /* a code that is none */
    REFUSED(HEAD(TAG_ERROR, 1), (uint32_t)-10000);
    REFUSED(HEAD(TAG_BIGINT, 3), UINT64_MAX);
    REFUSED(HEAD(TAG_BIGINT, 2), 5); /* a small one */
    REFUSED(HEAD(TAG_BIGINT, UINT64_MAX >> 8), 5);
    REFUSED(HEAD(TAG_LIST, 0)); /* a box outside a bundle */
    kin_obj o;
    CHECK_ERROR(kin__flat_read(NULL, 0, &o), KIN_ECORRUPT);
    uint64_t words[2] = { HEAD(TAG_NONE, 0) };
    CHECK_ERROR(kin__flat_read(words, 7, &o), KIN_ECORRUPT);
    CHECK_ERROR(kin__flat_read((char *)words + 1, 8, &o), KIN_ECORRUPT);
}

TEST(a_bundle_that_lies_is_refused)
{
    enum { LIST = sizeof(bundle) + sizeof(box) };
    const uint64_t good[] = { BUNDLE(LIST), HEAD(TAG_LIST, 0) };
    kin_obj o;
    CHECK_OK(kin__flat_read(good, sizeof good, &o));
    kin_release(o);
    REFUSED(BUNDLE(LIST));
    REFUSED(BUNDLE(LIST - 8), HEAD(TAG_LIST, 0));
    REFUSED(BUNDLE(0), HEAD(TAG_LIST, 0));
    REFUSED(BUNDLE(9 * 16 + 8), HEAD(TAG_LIST, 0));
    REFUSED(HEAD(TAG_BUNDLE, UINT64_MAX >> 8), HEAD(TAG_LIST, 0));
    REFUSED(BUNDLE(LIST), HEAD(TAG_INT, 1)); /* no box in it */
    REFUSED(BUNDLE(LIST), BUNDLE(LIST), HEAD(TAG_LIST, 0));
    REFUSED(BUNDLE(LIST + 16), HEAD(TAG_LIST, 1)); /* its item is missing */
    REFUSED(BUNDLE(LIST), HEAD(TAG_LIST, UINT64_MAX >> 8));
    REFUSED(BUNDLE(LIST + 32), HEAD(TAG_DICT, 1), HEAD(TAG_INT, 1));
    REFUSED(BUNDLE(LIST), HEAD(TAG_DICT, UINT64_C(1) << 55), HEAD(TAG_INT, 1));
    REFUSED(BUNDLE(LIST + 16), HEAD(TAG_ARGS, 0), HEAD(TAG_INT, 1)); /* names are no dict */
    REFUSED(BUNDLE(LIST), HEAD(TAG_ARGS, 0));
    REFUSED(BUNDLE(LIST), HEAD(TAG_LIST, 0), HEAD(TAG_INT, 1));
}

TEST(a_copy_that_speaks_of_what_is_not_whole_is_refused)
{
    enum {
        OUTER = sizeof(bundle) + sizeof(box),
        TWO = OUTER + 2 * sizeof(kin_obj),
        INNER = sizeof(box) + 8, /* and its name */
    };
    const unsigned named_list = TAG_LIST | NAMED_BIT;
    const uint64_t good[] = { BUNDLE(TWO + INNER), HEAD(TAG_LIST, 2), HEAD(named_list, 0),
                              HEAD(TAG_AGAIN, 0) };
    kin_obj o;
    CHECK_OK(kin__flat_read(good, sizeof good, &o));
    CHECK_PTR(kin_at(o, 0).as.p, kin_at(o, 1).as.p);
    kin_release(o);
    REFUSED(BUNDLE(TWO + INNER - 8), HEAD(TAG_LIST, 2), HEAD(named_list, 0), HEAD(TAG_AGAIN, 0));
    REFUSED(BUNDLE(TWO + INNER), HEAD(TAG_LIST, 2), HEAD(named_list, 0), HEAD(TAG_AGAIN, 1));
    REFUSED(BUNDLE(TWO + INNER), HEAD(TAG_LIST, 2), HEAD(named_list, 0),
            HEAD(TAG_AGAIN, UINT64_MAX >> 8));
    REFUSED(BUNDLE(TWO + INNER), HEAD(TAG_LIST, 2), HEAD(TAG_LIST, 0), HEAD(TAG_AGAIN, 0));
    REFUSED(BUNDLE(TWO + INNER), HEAD(TAG_LIST, 2), HEAD(TAG_AGAIN, 0), HEAD(named_list, 0));
    /* itself, around it, and the outermost; and the last slot of a box that is not whole */
    REFUSED(BUNDLE(TWO + INNER), HEAD(named_list, 2), HEAD(TAG_AGAIN, 0), HEAD(TAG_LIST, 0));
    REFUSED(BUNDLE(TWO + INNER), HEAD(TAG_LIST, 1), HEAD(named_list, 1), HEAD(TAG_AGAIN, 0));
    REFUSED(BUNDLE(TWO + INNER), HEAD(named_list, 1), HEAD(TAG_LIST, 1), HEAD(TAG_AGAIN, 0));
    REFUSED(BUNDLE(OUTER), HEAD(TAG_AGAIN, 0));
    REFUSED(HEAD(TAG_AGAIN, 0));
    /* names of what can have none */
    REFUSED(BUNDLE(TWO), HEAD(TAG_LIST, 2), HEAD(TAG_INT | NAMED_BIT, 5), HEAD(TAG_AGAIN, 0));
    REFUSED(BUNDLE(TWO), HEAD(TAG_LIST, 2), HEAD(TAG_INT | NAMED_BIT, 5), HEAD(TAG_INT, 5));
    REFUSED(BUNDLE(TWO + INNER), HEAD(TAG_LIST, 2), HEAD(named_list, 0),
            HEAD(TAG_AGAIN | NAMED_BIT, 0));
    REFUSED(HEAD(TAG_STR | NAMED_BIT, 1), 'x');
    REFUSED(HEAD(TAG_BUFFER | NAMED_BIT, 0), 1, 1);
}

/* What a wrong memory's size leaves over does not disturb where names lie. */
TEST(a_bundle_of_an_odd_size_is_read)
{
    uint64_t words[] = { 0, HEAD(TAG_LIST, 2), HEAD(TAG_LIST | NAMED_BIT, 0), HEAD(TAG_AGAIN, 0) };
    for (size_t more = 0; more < 16; more++) {
        words[0] = BUNDLE(sizeof(bundle) + 2 * sizeof(box) + 2 * sizeof(kin_obj) + 8 + more);
        kin_obj o;
        CHECK_OK(kin__flat_read(words, sizeof words, &o));
        CHECK_PTR(kin_at(o, 0).as.p, kin_at(o, 1).as.p);
        kin_release(o);
    }
}

TEST(a_function_or_buffer_that_is_not_here_is_told)
{
    kin_obj o = kin_int(7);
    const uint64_t function[] = { HEAD(TAG_FUNC, 0), 0x1234, 0x5678 };
    CHECK_ERROR(kin__flat_read(function, sizeof function, &o), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "module 0000000000001234");
    char *memory = kin_alloc(100);
    uint64_t ref = kin__block_ref(memory);
    const uint64_t too_long[] = { HEAD(TAG_BUFFER, 0), ref, 101 };
    CHECK_ERROR(kin__flat_read(too_long, sizeof too_long, &o), KIN_ECORRUPT);
    kin_free(memory);
    const uint64_t freed[] = { HEAD(TAG_BUFFER, 0), ref, 100 };
    CHECK_ERROR(kin__flat_read(freed, sizeof freed, &o), KIN_EFREED);
    CHECK_EQ(o.as.i, 7);
}

TEST(unhashable_keys_of_a_scribbled_dict_do_no_harm)
{
    enum { SIZE = sizeof(bundle) + 2 * sizeof(box) + 20 * sizeof(kin_obj) + 9 * sizeof(box) };
    uint64_t words[2 + 20 + 1] = { BUNDLE(SIZE), HEAD(TAG_DICT, 10) };
    for (size_t i = 0; i < 10; i++) {
        words[2 + 2 * i] = HEAD(i % 2 ? TAG_LIST : TAG_DICT, 0);
        words[3 + 2 * i] = HEAD(TAG_INT, i);
    }
    kin_obj o;
    CHECK_OK(kin__flat_read(words, 22 * 8, &o));
    kin_obj same = kin_retain(o), other;
    CHECK_OK(kin__flat_read(words, 22 * 8, &other));
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_int(1))), KIN_ENOTFOUND);
    CHECK(!kin_equal(o, other));
    CHECK(kin_equal(o, same));
    free(kin_repr(o));
    kin_release(same);
    kin_release(other);
    kin_release(o);
}

/* ---- random damage ----------------------------------------------------------------- */

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

static kin_obj sample(void)
{
    kin_obj text = kin_str("a text that is there twice, and long enough to be shared");
    kin_obj shared = kin_list(kin_int(1), kin_tuple(kin_int(2)));
    return kin_list(kin_retain(shared), kin_tuple(kin_retain(shared), shared), kin_int(1),
                    kin_int(INT64_MIN), kin_float(0.5), kin_func(nothing), kin_none(),
                    kin_dict(kin_str("k"), kin_list(kin_list(), kin_tuple(kin_int(5))),
                             kin_tuple(kin_int(1)), kin_retain(text)),
                    kin_set(kin_int(1), kin_bytes("\0\1", 2)),
                    kin_bigint("\1\2\3\4\5\6\7\x88\x99", 9, true),
                    kin_error(-10001, "broken %d", 5), kin_bool(true), text,
                    kin_args_kw(kin_args(kin_int(3)), kin_dict(kin_str("n"), kin_range(0, 20))));
}

static uint64_t some_tag(void)
{
    uint64_t tag = test_random() % 25;
    return (tag == 0 ? TAG_AGAIN : tag) | (test_random() % 4 == 0 ? NAMED_BIT : 0);
}

static void damage(uint64_t *words, size_t n)
{
    for (uint64_t i = test_random() % 4 + 1; i > 0; i--) {
        uint64_t *word = &words[test_random() % n];
        switch (test_random() % 5) {
        case 0:
            *word ^= UINT64_C(1) << test_random() % 64;
            break;
        case 1:
            *word = (*word & ~UINT64_C(0xff)) | some_tag();
            break;
        case 2:
            *word = (*word & 0xff) | (test_random() % 64) << 8; /* another number */
            break;
        case 3:
            *word = test_random();
            break;
        default:
            *word = words[test_random() % n];
        }
    }
}

/* Everything that walks through an object. */
static void use(kin_obj o)
{
    char *text = kin_repr(o);
    CHECK_NOT_NULL(text);
    free(text);
    kin_obj copy = { 0 };
    size_t size;
    if (kin__flat_size(o, &size) == 0) {
        void *at = malloc(size);
        if (kin__flat_write(o, at, size) == 0 && kin__flat_read(at, size, &copy) == 0) {
            (void)kin_equal(o, copy);
        }
        free(at);
    }
    (void)kin_hash(o);
    if (kin_type_of(o) == KIN_TYPE_DICT) {
        (void)kin_lookup(o, kin_str("k"));
        (void)kin_setitem(&o, kin_str("new"), kin_at(copy, 0));
    }
    kin_release(copy);
}

TEST(damaged_copies_are_read_or_refused_and_nothing_else)
{
    size_t size, read = 0;
    uint64_t *good = flatten(sample(), &size);
    for (int i = 0; i < 30000; i++) {
        size_t n = test_random() % 4 ? size / 8 : (size_t)(test_random() % (size / 8)) + 1;
        uint64_t *bad = malloc(n * 8);
        memcpy(bad, good, n * 8);
        damage(bad, n);
        kin_obj o = kin_int(7);
        int rv = kin__flat_read(bad, n * 8, &o);
        kin__flat_discard(bad, n * 8);
        if (rv == 0) {
            read++;
            use(o);
            kin_release(o);
        } else {
            CHECK(rv == KIN_ECORRUPT || rv == KIN_ENOTFOUND || rv == KIN_EFREED);
            CHECK_EQ(o.as.i, 7);
        }
        free(bad);
    }
    CHECK_GT(read, 100); /* else the damage is too crude to test what lies deeper */
    free(good);
}

TEST(a_list_that_is_extended_by_a_copy_has_its_items)
{
    size_t size;
    uint64_t *at = flatten(kin_list(kin_int(1), kin_str("a text"), kin_list(kin_int(2))), &size);
    kin_obj list = kin__obj_list_for(4);
    CHECK_OK(kin_append(&list, kin_int(0)));
    CHECK_ERROR(kin__flat_extend(at, size, list, 2), KIN_ECORRUPT); /* it has three */
    CHECK_ERROR(kin__flat_extend(at, 0, list, 3), KIN_ECORRUPT);
    CHECK_ERROR(kin__flat_extend(at, size - 8, list, 3), KIN_ECORRUPT);
    CHECK_EQ(kin_len(list), 1);
    CHECK_OK(kin__flat_extend(at, size, list, 3));
    CHECK_EQ(kin_len(list), 4);
    CHECK_STR(kin_as_str(kin_at(list, 2)), "a text");
    kin_obj inner = kin_retain(kin_at(list, 3));
    kin_release(list);
    CHECK_EQ(kin_as_int(kin_at(inner, 0)), 2);
    kin_release(inner);
    free(at);
    at = flatten(kin_tuple(kin_int(1)), &size);
    list = kin__obj_list_for(1);
    CHECK_ERROR(kin__flat_extend(at, size, list, 1), KIN_ECORRUPT); /* it is no list */
    kin_release(list);
    free(at);
}

TEST(damaged_copies_extend_a_list_or_leave_it_alone)
{
    size_t size, read = 0;
    uint64_t *good =
        flatten(kin_list(kin_int(1), sample(), kin_list(kin_int(2)), kin_str("x")), &size);
    for (int i = 0; i < 10000; i++) {
        uint64_t *bad = malloc(size);
        memcpy(bad, good, size);
        damage(bad, size / 8);
        kin_obj list = kin__obj_list_for(4);
        int rv = kin__flat_extend(bad, size, list, 4);
        CHECK_EQ(kin_len(list), rv == 0 ? 4 : 0);
        read += rv == 0;
        kin_release(list);
        free(bad);
    }
    CHECK_GT(read, 100);
    free(good);
}

TEST(random_words_are_read_or_refused)
{
    for (int i = 0; i < 100000; i++) {
        uint64_t words[40];
        size_t n = (size_t)(test_random() % 40) + 1;
        for (size_t j = 0; j < n; j++) {
            words[j] = HEAD(some_tag(), test_random() % 6);
        }
        words[0] = BUNDLE(test_random() % (n * 64 + 100));
        kin_obj o;
        if (kin__flat_read(words, n * 8, &o) == 0) {
            use(o);
            kin_release(o);
        }
    }
}

/* ---- scribbled while it is read ---------------------------------------------------- */

struct scribble {
    uint64_t *words;
    size_t n;
    _Atomic bool stop;
};

__attribute__((no_sanitize("thread"))) static void *scribble(void *ctx)
{
    struct scribble *s = ctx;
    uint64_t random = 88172645463325252;
    while (!atomic_load(&s->stop)) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        volatile uint64_t *word = &s->words[random % s->n];
        uint64_t saved = *word;
        *word = HEAD(random >> 20 & 31, random >> 30 & 63);
        *word = saved;
    }
    return NULL;
}

TEST(bytes_that_change_meanwhile_do_no_harm)
{
    struct scribble s = { 0 };
    size_t size;
    s.words = flatten(sample(), &size);
    s.n = size / 8;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, scribble, &s), 0);
    for (int i = 0; i < 30000; i++) {
        kin_obj o;
        if (kin__flat_read(s.words, size, &o) == 0) {
            use(o);
            kin_release(o);
        }
    }
    atomic_store(&s.stop, true);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    free(s.words);
}
