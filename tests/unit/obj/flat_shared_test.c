#include "harness.h"

#include "flats.h"
#include <kin/domain.h>
#include <kin/pickle.h>

static size_t flat_size(kin_obj o)
{
    size_t size = 0;
    CHECK_OK(kin__flat_size(o, &size));
    return size;
}

static bool is_same(kin_obj a, kin_obj b)
{
    return a.as.p == b.as.p;
}

TEST(what_is_shared_arrives_shared)
{
    kin_obj inner = kin_list(kin_int(1));
    kin_obj o = copy(kin_list(kin_retain(inner), kin_dict(kin_str("k"), kin_retain(inner)),
                              kin_tuple(kin_retain(inner)), kin_list(kin_int(1))));
    kin_release(inner);
    kin_obj first = kin_at(o, 0);
    CHECK(is_same(first, kin_lookup(kin_at(o, 1), kin_str("k"))));
    CHECK(is_same(first, kin_at(kin_at(o, 2), 0)));
    CHECK(!is_same(first, kin_at(o, 3)));
    CHECK_OK(kin_append(&first, kin_str("new")));
    CHECK_EQ(kin_len(kin_lookup(kin_at(o, 1), kin_str("k"))), 2);
    CHECK_STR(kin_as_str(kin_at(kin_at(kin_at(o, 2), 0), 1)), "new");
    CHECK_EQ(kin_len(kin_at(o, 3)), 1);
    first = kin_retain(first);
    kin_release(o);
    CHECK_EQ(kin_len(first), 2);
    kin_release(first);
}

TEST(equal_but_distinct_boxes_stay_distinct)
{
    kin_obj held = kin_list();
    kin_obj other = kin_list();
    kin_obj o = copy(kin_list(kin_retain(held), kin_retain(other), kin_retain(held)));
    CHECK(kin_equal(kin_at(o, 0), kin_at(o, 1)));
    CHECK(!is_same(kin_at(o, 0), kin_at(o, 1)));
    CHECK(is_same(kin_at(o, 0), kin_at(o, 2)));
    kin_release(o);
    kin_release(held);
    kin_release(other);
}

TEST(every_type_is_shared_by_its_node)
{
    enum { N = 12 };
    char digits[40] = "\1\2\3", text[100] = { 0 };
    memset(digits + 3, 7, 30);
    memset(text, 'x', 99);
    const kin_obj all[N] = { kin_list(kin_int(1)),
                             kin_tuple(kin_int(1), kin_list()),
                             kin_dict(kin_int(1), kin_list()),
                             kin_set(kin_int(1)),
                             kin_frozenset(kin_int(1)),
                             kin_error(KIN_EUSER - 1, "why"),
                             kin_args_kw(kin_args(kin_int(1)), kin_dict(kin_str("k"), kin_int(2))),
                             kin_str(text),
                             kin_bytes(text, 99),
                             kin_bytearray("", 0),
                             kin_bigint(digits, 33, true),
                             kin_tuple() };
    kin_obj o = kin_list();
    for (int i = 0; i < 2 * N; i++) {
        CHECK_OK(kin_append(&o, kin_retain(all[i % N])));
    }
    kin_obj back = copy(kin_retain(o));
    for (size_t i = 0; i < N; i++) {
        CHECK_EQ(kin_at(back, i).type, all[i].type);
        CHECK(is_same(kin_at(back, i), kin_at(back, i + N)));
        CHECK(kin_equal(kin_at(back, i), all[i]));
    }
    CHECK(kin_equal(o, back));
    kin_release(back);
    kin_release(o);
    for (size_t i = 0; i < N; i++) {
        kin_release(all[i]);
    }
}

/* 2 to the power of 40 lists, if each were written where it is met. */
static kin_obj doubled(int times)
{
    kin_obj x = kin_list(kin_str("the end"));
    for (int i = 0; i < times; i++) {
        x = kin_list(kin_retain(x), x);
    }
    return x;
}

TEST(what_is_doubled_forty_times_takes_three_words_each_time)
{
    kin_obj x = doubled(40);
    CHECK_EQ(flat_size(x) - flat_size(kin_at(x, 0)), 16);
    CHECK_LE(flat_size(x), 50 * 16);
    x = copy(x);
    int depth = 0;
    kin_obj at = x;
    for (; kin_len(at) == 2; at = kin_at(at, 1)) {
        CHECK(is_same(kin_at(at, 0), kin_at(at, 1)));
        depth++;
    }
    CHECK_EQ(depth, 40);
    CHECK_STR(kin_as_str(kin_at(at, 0)), "the end");
    kin_release(x);
}

/* Names are counted where things are whole: what lies in a shared box has a lower one. */
TEST(shared_boxes_in_shared_boxes_are_told_from_each_other)
{
    enum { N = 1000 };
    kin_obj o = kin_list();
    for (int i = 0; i < N; i++) {
        kin_obj inner = kin_list(kin_int(i));
        kin_obj outer = kin_tuple(kin_retain(inner), inner, kin_int(i));
        CHECK_OK(kin_append(&o, kin_retain(outer)));
        CHECK_OK(kin_append(&o, i % 2 ? kin_list(outer) : outer));
    }
    for (int i = 0; i < N; i++) {
        CHECK_OK(kin_append(&o, kin_at(kin_at(o, (size_t)(N - 1 - i) * 2), 1)));
    }
    kin_obj back = copy(kin_retain(o));
    CHECK(kin_equal(o, back));
    for (size_t i = 0; i < N; i++) {
        kin_obj outer = kin_at(back, i * 2), again = kin_at(back, i * 2 + 1);
        CHECK(is_same(outer, i % 2 ? kin_at(again, 0) : again));
        CHECK(is_same(kin_at(outer, 0), kin_at(outer, 1)));
        CHECK(is_same(kin_at(outer, 0), kin_at(back, N * 2 + (N - 1 - i))));
    }
    kin_release(back);
    kin_release(o);
}

/* What the sender holds besides costs nothing on the way, nor does a short text. */
TEST(what_is_met_once_is_as_large_as_ever)
{
    kin_obj inner = kin_list(kin_int(1)), text = kin_str("short");
    kin_obj o = kin_list(kin_retain(inner), kin_retain(text));
    CHECK_EQ(flat_size(o), (1 + 1 + 2 + 2) * 8);
    kin_release(inner);
    CHECK_EQ(flat_size(o), (1 + 1 + 2 + 2) * 8);
    kin_release(text);
    kin_release(o);
}

/* The only reference to it is the one in itself. */
TEST(what_contains_itself_is_refused_also_from_within)
{
    kin_obj list = kin_list(kin_none());
    kin_obj tuple = kin_tuple(kin_retain(list));
    CHECK_OK(kin_setitem(&list, kin_int(0), tuple));
    kin_obj from_within = kin_at(list, 0);
    size_t size = 7;
    CHECK_ERROR(kin__flat_size(from_within, &size), KIN_EINVAL);
    kin_obj both = kin_list(kin_none(), kin_retain(list));
    CHECK_ERROR(kin__flat_size(both, &size), KIN_EINVAL);
    CHECK_EQ(size, 7);
    kin_release(both);
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_none()));
    kin_release(list);
}

TEST(a_ring_from_a_pickle_is_refused_and_what_holds_no_ring_in_it_is_not)
{
    static const char ring[] = "\x80\2]q\0(h\0]K\1ae."; /* l = [l, [1]] */
    kin_obj list;
    CHECK_OK(kin_loads(ring, sizeof ring - 1, &list));
    size_t size;
    CHECK_ERROR(kin__flat_size(list, &size), KIN_EINVAL);
    kin_obj o = copy(kin_list(kin_at(list, 1), kin_at(list, 1)));
    CHECK(is_same(kin_at(o, 0), kin_at(o, 1)));
    CHECK_EQ(kin_as_int(kin_at(kin_at(o, 0), 0)), 1);
    kin_release(o);
    kin_release(list);
}

/* ---- buffers ----------------------------------------------------------------------- */

static uint64_t blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

TEST(a_buffer_that_is_there_twice_arrives_twice_and_is_taken_once)
{
    uint64_t before = blocks();
    char *memory = kin_alloc(10);
    kin_obj buffer = kin_buffer(memory, 10);
    kin_obj o = copy(kin_list(kin_retain(buffer), kin_tuple(buffer)));
    CHECK(is_same(kin_at(o, 0), kin_at(kin_at(o, 1), 0)));
    CHECK_PTR(kin_take_buffer(kin_at(kin_at(o, 1), 0), NULL), memory);
    CHECK_NULL(kin_take_buffer(kin_at(o, 0), NULL));
    kin_free(memory);
    kin_release(o);
    CHECK_EQ(blocks(), before);
}

TEST(a_discarded_message_frees_its_shared_buffers)
{
    uint64_t before = blocks();
    kin_obj buffer = kin_buffer(kin_alloc(10), 10), text = kin_strf("%100d", 5);
    kin_obj o = kin_list(kin_retain(text), text, kin_retain(buffer), buffer);
    size_t size = flat_size(o);
    void *at = malloc(size);
    CHECK_OK(kin__flat_write(o, at, size));
    kin_release(o);
    CHECK_EQ(blocks(), before + 1);
    kin__flat_discard(at, size);
    CHECK_EQ(blocks(), before);
    free(at);
}
