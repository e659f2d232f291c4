#include "harness.h"
#include <kin/share.h>
#include <unistd.h>

static const char *ours(void)
{
    static char name[64];
    snprintf(name, sizeof name, "kin-list-test-%d", (int)getpid());
    return name;
}

static kin_shareable_list *make(kin_obj items)
{
    kin_shareable_list *l = NULL;
    CHECK_OK(kin_shareable_list_new(&l, items, ours()));
    return l;
}

static void end(kin_shareable_list *l)
{
    CHECK_OK(kin_shm_unlink(kin_shm_name(kin_shareable_list_shm(l))));
    kin_shareable_list_free(l);
}

/* What an item is, as Python writes it. */
#define CHECK_ITEM(l, i, text)                                                                     \
    do {                                                                                           \
        kin_obj item = { 0 };                                                                      \
        CHECK_OK(kin_shareable_list_get(l, i, &item));                                             \
        char *is = kin_repr(item);                                                                 \
        CHECK_STR(is, text);                                                                       \
        free(is);                                                                                  \
        kin_release(item);                                                                         \
    } while (0)

static kin_obj one_of_each(void)
{
    return kin_list(kin_int(7), kin_float(-2.5), kin_bool(true), kin_str("h\xc3\xa9y"),
                    kin_bytes("\1\2", 2), kin_none(), kin_str("exactly8"), kin_str(""));
}

/* As CPython 3.11 laid it out. */
static const unsigned char captured[224] = {
    8,    0,    0,    0,    0,   0,   0,   0,
    0,    0,    0,    0,    0,   0,   0,   0, /* N, offsets */
    8,    0,    0,    0,    0,   0,   0,   0,
    0x10, 0,    0,    0,    0,   0,   0,   0, /* */
    0x18, 0,    0,    0,    0,   0,   0,   0,
    0x20, 0,    0,    0,    0,   0,   0,   0, /* */
    0x28, 0,    0,    0,    0,   0,   0,   0,
    0x30, 0,    0,    0,    0,   0,   0,   0, /* */
    0x40, 0,    0,    0,    0,   0,   0,   0,
    0x48, 0,    0,    0,    0,   0,   0,   0, /* */
    7,    0,    0,    0,    0,   0,   0,   0,
    0,    0,    0,    0,    0,   0,   4,   0xc0, /* 7, -2.5 */
    0,    0,    0,    0,    0,   0,   0,   1,
    0x68, 0xc3, 0xa9, 0x79, 0,   0,   0,   0, /* True, hey */
    1,    2,    0,    0,    0,   0,   0,   0,
    0,    0,    0,    0,    0,   0,   0,   0, /* bytes, None */
    'e',  'x',  'a',  'c',  't', 'l', 'y', '8',
    0,    0,    0,    0,    0,   0,   0,   0, /* 16 */
    0,    0,    0,    0,    0,   0,   0,   0,
    'q',  0,    0,    0,    0,   0,   0,   0, /* '', formats */
    'd',  0,    0,    0,    0,   0,   0,   0,
    'x',  'x',  'x',  'x',  'x', 'x', 'x', '?', /* */
    '8',  's',  0,    0,    0,   0,   0,   0,
    '8',  's',  0,    0,    0,   0,   0,   0, /* */
    'x',  'x',  'x',  'x',  'x', 'x', '?', 'x',
    '1',  '6',  's',  0,    0,   0,   0,   0, /* */
    '8',  's',  0,    0,    0,   0,   0,   0,
    0,    0,    0,    1,    2,   3,   1,   1, /* codes */
};

TEST(a_list_has_the_bytes_of_pythons)
{
    kin_shareable_list *l = make(one_of_each());
    kin_shm *shm = kin_shareable_list_shm(l);
    CHECK_EQ(kin_shm_size(shm), sizeof captured);
    CHECK_MEM(kin_shm_ptr(shm), captured, sizeof captured);
    CHECK_OK(kin_shareable_list_set(l, 3, kin_str("abc")));
    CHECK_OK(kin_shareable_list_set(l, 0, kin_none()));
    CHECK_OK(kin_shareable_list_set(l, 5, kin_int(9)));
    const unsigned char *at = kin_shm_ptr(shm);
    CHECK_MEM(at + 0x50, "\0\0\0\0\0\0\0\0", 8);
    CHECK_MEM(at + 0x68, "abc\0\0\0\0\0", 8);
    CHECK_MEM(at + 0x78, "\x09\0\0\0\0\0\0\0", 8);
    CHECK_MEM(at + 0x98, "xxxxxx?x", 8);
    CHECK_MEM(at + 0xc0, "q\0\0\0\0\0\0\0", 8);
    CHECK_MEM(at + 0xd8, "\3\0\0\1\2\0\1\1", 8);
    end(l);
}

TEST(an_empty_list_is_sixteen_zeros)
{
    kin_shareable_list *l = make(kin_tuple()), *found = NULL;
    CHECK_EQ(kin_shm_size(kin_shareable_list_shm(l)), 16);
    CHECK_EQ(kin_shareable_list_len(l), 0);
    CHECK_OK(kin_shareable_list_open(&found, ours()));
    CHECK_EQ(kin_shareable_list_len(found), 0);
    kin_obj o;
    CHECK_ERROR(kin_shareable_list_get(found, 0, &o), KIN_ERANGE);
    CHECK_ERROR(kin_shareable_list_get(found, -1, &o), KIN_ERANGE);
    kin_shareable_list_free(found);
    end(l);
}

TEST(items_are_read_through_another_handle)
{
    kin_shareable_list *l = make(one_of_each()), *found = NULL;
    CHECK_OK(kin_shareable_list_open(&found, ours()));
    CHECK_EQ(kin_shareable_list_len(found), 8);
    static const char *const texts[] = {
        "7", "-2.5", "True", "'h\xc3\xa9y'", "b'\\x01\\x02'", "None", "'exactly8'", "''"
    };
    for (int i = 0; i < 8; i++) {
        CHECK_ITEM(found, i, texts[i]);
        CHECK_ITEM(found, i - 8, texts[i]);
    }
    CHECK_OK(kin_shareable_list_set(l, -1, kin_bytes("\0x\0", 3)));
    CHECK_ITEM(found, 7, "b'\\x00x'");
    kin_obj text;
    CHECK_OK(kin_shareable_list_format(found, &text));
    CHECK_STR(kin_as_str(text), "qdxxxxxxx?8s8sxxxxxx?x16s8s");
    kin_release(text);
    CHECK_EQ(kin_shareable_list_count(found, kin_int(7)), 1);
    CHECK_EQ(kin_shareable_list_count(found, kin_int(1)), 1); /* True equals 1 */
    CHECK_EQ(kin_shareable_list_count(found, kin_str("none")), 0);
    CHECK_EQ(kin_shareable_list_index(found, kin_str("exactly8")), 6);
    CHECK_ERROR(kin_shareable_list_index(found, kin_str("none")), KIN_ENOTFOUND);
    kin_shareable_list_free(found);
    end(l);
}

TEST(an_items_room_is_fixed)
{
    kin_shareable_list *l = make(kin_list(kin_str("exactly8"), kin_int(1)));
    CHECK_OK(kin_shareable_list_set(l, 0, kin_int(5)));
    CHECK_ITEM(l, 0, "5");
    CHECK_OK(kin_shareable_list_set(l, 0, kin_str("sixteen letters!")));
    CHECK_ITEM(l, 0, "'sixteen letters!'");
    CHECK_ERROR(kin_shareable_list_set(l, 0, kin_str("seventeen letters")), KIN_ERANGE);
    CHECK_ITEM(l, 0, "'sixteen letters!'");
    CHECK_OK(kin_shareable_list_set(l, 1, kin_str("12345678")));
    CHECK_ITEM(l, 1, "'12345678'");
    CHECK_ERROR(kin_shareable_list_set(l, 1, kin_bytes("123456789", 9)), KIN_ERANGE);
    CHECK_ERROR(kin_shareable_list_set(l, 1, kin_list()), KIN_ETYPE);
    CHECK_ERROR(kin_shareable_list_set(l, 1, kin_bigint("\0\0\0\0\0\0\0\x80", 8, false)),
                KIN_ERANGE);
    CHECK_ERROR(kin_shareable_list_set(l, 2, kin_int(1)), KIN_ERANGE);
    CHECK_ERROR(kin_shareable_list_set(l, -3, kin_str("x")), KIN_ERANGE);
    CHECK_ERROR(kin_shareable_list_set(l, 0, (kin_obj){ 0 }), KIN_EINVAL);
    CHECK_ITEM(l, 1, "'12345678'");
    end(l);
}

/* Python would cut this one to four of them: it counts characters. */
TEST(text_that_is_not_ascii_is_kept_whole)
{
    kin_shareable_list *l = make(kin_list(kin_str("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9")));
    CHECK_ITEM(l, 0, "'\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9'");
    end(l);
}

TEST(what_cannot_be_a_list_is_refused)
{
    kin_shareable_list *l = NULL;
    CHECK_ERROR(kin_shareable_list_new(&l, kin_list(kin_list()), ours()), KIN_ETYPE);
    CHECK_ERROR(kin_shareable_list_new(&l, kin_str("text"), ours()), KIN_ETYPE);
    CHECK_ERROR(kin_shareable_list_new(&l, (kin_obj){ 0 }, ours()), KIN_EINVAL);
    CHECK_ERROR(kin_shareable_list_new(NULL, kin_list(), ours()), KIN_EINVAL);
    kin_obj big = kin_bigint("\0\0\0\0\0\0\0\x80", 8, false);
    CHECK_ERROR(kin_shareable_list_new(&l, kin_list(big), ours()), KIN_ERANGE);
    size_t size = 9999992;
    char *text = malloc(size);
    memset(text, 'x', size);
    CHECK_ERROR(kin_shareable_list_new(&l, kin_list(kin_strn(text, size)), ours()), KIN_ERANGE);
    CHECK_ERROR(kin_shareable_list_open(&l, ours()), KIN_ENOENT);
    CHECK_NULL(l);
    l = make(kin_list(kin_strn(text, size - 1)));
    kin_obj o;
    CHECK_OK(kin_shareable_list_get(l, 0, &o));
    CHECK_EQ(kin_len(o), size - 1);
    kin_release(o);
    end(l);
    free(text);
    CHECK_ERROR(kin_shareable_list_len(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shareable_list_get(NULL, 0, &o), KIN_EINVAL);
    CHECK_ERROR(kin_shareable_list_count(NULL, kin_int(0)), KIN_EINVAL);
    CHECK_NULL(kin_shareable_list_shm(NULL));
    kin_shareable_list_free(NULL);
}

static int read_all(kin_shareable_list *l)
{
    int bad = 0;
    for (int64_t i = 0; i < kin_shareable_list_len(l); i++) {
        kin_obj o = { 0 };
        int rv = kin_shareable_list_get(l, i, &o);
        CHECK(rv == 0 || rv == KIN_ECORRUPT);
        bad += rv < 0;
        if (rv == 0) {
            kin_release(o);
        }
        (void)kin_shareable_list_set(l, i, kin_str("some text"));
    }
    kin_obj text = { 0 };
    CHECK_OK(kin_shareable_list_format(l, &text));
    kin_release(text);
    return bad;
}

TEST(hostile_bytes_are_refused_or_read_within_bounds)
{
    int refused = 0, bad = 0;
    for (int round = 0; round < 3000; round++) {
        kin_shareable_list *l = make(one_of_each()), *found = NULL;
        unsigned char *at = kin_shm_ptr(kin_shareable_list_shm(l));
        size_t size = kin_shm_size(kin_shareable_list_shm(l));
        for (int n = 1 + (int)(test_random() % 3); n > 0; n--) {
            static const unsigned char nasty[] = { 0, 1, 7, 8, 9, 0x7f, 0x80, 0xff, '9', 's', 'q' };
            at[test_random() % size] = nasty[test_random() % sizeof nasty];
        }
        int rv = kin_shareable_list_open(&found, ours());
        CHECK(rv == 0 || rv == KIN_ECORRUPT);
        refused += rv < 0;
        bad += read_all(l);
        if (rv == 0) {
            bad += read_all(found);
            kin_shareable_list_free(found);
        }
        end(l);
    }
    CHECK_GT(refused, 0);
    CHECK_GT(bad, 0);
}

/* As by a maker who died in the midst, or by somebody who means ill. */
TEST(a_list_whose_end_is_missing_is_refused)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/%s", ours());
    for (size_t size = sizeof captured; size-- > 0;) {
        kin_shareable_list *l = make(one_of_each()), *found = NULL;
        CHECK_EQ(truncate(path, (off_t)size), 0);
        CHECK_ERROR(kin_shareable_list_open(&found, ours()), size > 0 ? KIN_ECORRUPT : KIN_ESTATE);
        CHECK_NULL(found);
        end(l);
    }
}

TEST(a_segment_that_holds_no_list_is_refused)
{
    for (size_t size = 1; size < 40; size++) {
        kin_shm *shm = NULL;
        CHECK_OK(kin_shm_create(&shm, ours(), size));
        memset(kin_shm_ptr(shm), 0xff, size);
        kin_shareable_list *l = NULL;
        CHECK_ERROR(kin_shareable_list_open(&l, ours()), KIN_ECORRUPT);
        CHECK_NULL(l);
        CHECK_OK(kin_shm_unlink(ours()));
        kin_shm_free(shm);
    }
}
