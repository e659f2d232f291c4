#include "harness.h"

#include "flats.h"
#include <kin/domain.h>

static void survives(kin_obj o)
{
    kin_obj back = copy(kin_retain(o));
    CHECK_EQ(back.type, o.type);
    CHECK(kin_equal(o, back));
    char *expected = kin_repr(o), *got = kin_repr(back);
    CHECK_STR(got, expected);
    free(expected);
    free(got);
    kin_release(back);
    kin_release(o);
}

TEST(scalars_survive)
{
    survives(kin_none());
    survives(kin_bool(true));
    survives(kin_bool(false));
    survives(kin_float(-0.0));
    survives(kin_float(1e300));
    for (int shift = 0; shift < 63; shift++) {
        for (int d = -1; d <= 1; d++) {
            survives(kin_int((INT64_C(1) << shift) + d));
            survives(kin_int(-(INT64_C(1) << shift) + d));
        }
    }
    survives(kin_int(INT64_MAX));
    survives(kin_int(INT64_MIN));
}

TEST(texts_and_bigints_survive)
{
    for (size_t n = 0; n < 40; n++) {
        uint64_t bytes[5] = { test_random(), test_random(), test_random(), test_random(), 1 };
        survives(kin_strn((const char *)bytes, n));
        survives(kin_bytes(bytes, n));
        survives(kin_bigint(bytes, n, n % 2));
        survives(kin_list(kin_strn((const char *)bytes, n), kin_bigint(bytes, n, n % 2)));
    }
    survives(kin_error(KIN_EUSER - 3, "why"));
}

TEST(containers_survive)
{
    survives(kin_list());
    survives(kin_tuple());
    survives(kin_dict());
    survives(kin_set());
    survives(kin_tuple(kin_int(1), kin_list(kin_str("a"), kin_list(), kin_int(2)), kin_int(3)));
    survives(kin_dict(kin_str("a"), kin_set(kin_int(1), kin_none()), kin_tuple(kin_int(1)),
                      kin_dict(kin_int(1), kin_bytes("b", 1))));
    survives(kin_args_kw(kin_args(kin_int(1)), kin_dict(kin_str("k"), kin_list(kin_int(2)))));
    survives(kin_args_kw(kin_args(), kin_dict()));
    survives(kin_range(-500, 500));
}

static kin_obj some_function(kin_obj args)
{
    return kin_arg(args, 0);
}

TEST(functions_and_shared_things_survive)
{
    survives(kin_func(some_function));
    survives(kin_list(kin_func(some_function), kin_int(1)));
    long *thing = kin_alloc(sizeof *thing);
    survives(kin_tuple(kin_shared(thing), kin_shared(thing)));
    kin_free(thing);
}

TEST(small_things_are_small)
{
    size_t size = 0;
    CHECK_OK(kin__flat_size(kin_int(-5), &size));
    CHECK_EQ(size, 8);
    kin_obj args = kin_args(kin_int(1));
    CHECK_OK(kin__flat_size(args, &size));
    CHECK_EQ(size, 24);
    kin_release(args);
}

/* Text has no padding that would tell a reader what was in memory before. */
TEST(no_byte_is_left_unwritten)
{
    kin_obj o = kin_list(kin_str("abc"), kin_bytes("x", 1), kin_error(-10000, "e"), kin_float(1));
    size_t size = 0;
    CHECK_OK(kin__flat_size(o, &size));
    unsigned char *a = malloc(size), *b = malloc(size);
    memset(a, 0xaa, size);
    memset(b, 0x55, size);
    CHECK_OK(kin__flat_write(o, a, size));
    CHECK_OK(kin__flat_write(o, b, size));
    CHECK_MEM(a, b, size);
    free(a);
    free(b);
    kin_release(o);
}

/* ---- lifetimes --------------------------------------------------------------------- */

TEST(an_item_outlives_the_copy_that_it_came_in)
{
    kin_obj list = copy(kin_list(kin_str("one"), kin_list(kin_str("two"))));
    kin_obj one = kin_retain(kin_at(list, 0));
    kin_obj inner = kin_retain(kin_at(list, 1));
    kin_release(list);
    CHECK_STR(kin_as_str(one), "one");
    kin_release(one);
    CHECK_STR(kin_as_str(kin_at(inner, 0)), "two");
    kin_release(inner);
}

TEST(what_came_in_a_copy_can_be_changed)
{
    kin_obj list = copy(kin_list(kin_str("a"), kin_list(), kin_dict(kin_str("k"), kin_str("v"))));
    kin_obj inner = kin_at(list, 1), dict = kin_at(list, 2);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_append(&list, kin_strf("item %d", i)));
        CHECK_OK(kin_append(&inner, kin_at(list, 0)));
        CHECK_OK(kin_setitem(&dict, kin_strf("key %d", i), kin_retain(kin_at(list, 0))));
    }
    CHECK_OK(kin_setitem(&dict, kin_str("k"), kin_str("other")));
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_tuple(kin_at(list, 0), kin_retain(inner))));
    CHECK_EQ(kin_len(list), 103);
    CHECK_EQ(kin_len(kin_at(list, 1)), 100);
    CHECK_STR(kin_as_str(kin_at(kin_at(list, 1), 99)), "a");
    CHECK_STR(kin_as_str(kin_lookup(kin_at(list, 2), kin_str("key 42"))), "a");
    CHECK_STR(kin_as_str(kin_lookup(kin_at(list, 2), kin_str("k"))), "other");
    kin_release(list);
}

TEST(a_large_dict_is_looked_up_after_the_journey)
{
    kin_obj dict = kin_dict();
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_setitem(&dict, kin_strf("key %d", i), kin_int(i)));
    }
    dict = copy(dict);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(kin_as_int(kin_lookup(dict, kin_strf("key %d", i))), i);
    }
    CHECK_OK(kin_setitem(&dict, kin_str("key 5"), kin_int(-5)));
    CHECK_EQ(kin_len(dict), 1000);
    kin_release(dict);
}

/* ---- what cannot be sent ----------------------------------------------------------- */

TEST(what_contains_itself_is_refused)
{
    kin_obj list = kin_list(kin_none());
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_tuple(kin_retain(list))));
    size_t size = 7;
    CHECK_ERROR(kin__flat_size(list, &size), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "contains itself");
    CHECK_EQ(size, 7);
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_none()));
    kin_release(list);
}

TEST(invalid_objects_and_wild_functions_are_refused)
{
    size_t size;
    CHECK_ERROR(kin__flat_size(kin__obj_invalid(KIN_ENOMEM), &size), KIN_ENOMEM);
    CHECK_ERROR(kin__flat_size((kin_obj){ 0 }, &size), KIN_EINVAL);
    CHECK_ERROR(kin__flat_size(kin_func((kin_fn)(uintptr_t)&size), &size), KIN_ENOTFOUND);
}

TEST(a_place_of_the_wrong_size_is_refused)
{
    kin_obj o = kin_list(kin_str("some text"), kin_int(1));
    size_t size = 0;
    CHECK_OK(kin__flat_size(o, &size));
    uint64_t *at = malloc(size + 16);
    for (size_t n = 0; n <= size + 8; n += 8) {
        at[n / 8] = UINT64_C(0x1234567812345678);
        if (n != size) {
            CHECK(kin__flat_write(o, at, n) < 0);
        }
        CHECK_EQ(at[n / 8], UINT64_C(0x1234567812345678));
    }
    free(at);
    kin_release(o);
}

TEST(a_hundred_thousand_levels_travel)
{
    kin_obj o = kin_list();
    for (int i = 0; i < 100000; i++) {
        o = i % 3 == 0   ? kin_tuple(kin_int(i), o)
            : i % 3 == 1 ? kin_dict(kin_str("k"), o)
                         : kin_list(o, kin_str("x"));
    }
    o = copy(o);
    for (int i = 99999; i >= 0; i--) {
        kin_obj inner = i % 3 == 0   ? kin_at(o, 1)
                        : i % 3 == 1 ? kin_lookup(o, kin_str("k"))
                                     : kin_at(o, 0);
        inner = kin_retain(inner);
        kin_release(o);
        o = inner;
    }
    CHECK_EQ(kin_len(o), 0);
    kin_release(o);
}

/* ---- buffers ----------------------------------------------------------------------- */

static uint64_t blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

TEST(a_buffer_moves_with_its_message)
{
    uint64_t before = blocks();
    char *memory = kin_alloc(100);
    memory[0] = 'x';
    kin_obj o = kin_list(kin_int(1), kin_buffer(memory, 50));
    kin_obj back = copy(kin_retain(o));
    CHECK_NULL(kin_take_buffer(kin_at(o, 1), NULL)); /* it left */
    kin_release(o);
    size_t size = 0;
    char *taken = kin_take_buffer(kin_at(back, 1), &size);
    CHECK_PTR(taken, memory);
    CHECK_EQ(size, 50);
    kin_release(back);
    CHECK_EQ(taken[0], 'x');
    kin_free(taken);
    o = copy(kin_buffer(kin_alloc(10), 10));
    CHECK_EQ(kin_type_of(o), KIN_TYPE_BUFFER);
    kin_release(o);
    CHECK_EQ(blocks(), before);
}

TEST(a_buffer_is_sent_once)
{
    kin_obj o = kin_buffer(kin_alloc(10), 10);
    kin_obj back = copy(kin_retain(o));
    size_t size;
    CHECK_ERROR(kin__flat_size(o, &size), KIN_EFREED);
    kin_release(back);
    kin_release(o);
}

TEST(a_discarded_message_frees_its_buffers)
{
    uint64_t before = blocks();
    kin_obj o = kin_list(kin_str("text in between"), kin_buffer(kin_alloc(10), 10), kin_float(1),
                         kin_error(-10000, "e"), kin_bigint("\1\2\3\4\5\6\7\x88\x99", 9, true),
                         kin_dict(kin_int(1), kin_buffer(kin_alloc(10), 10)));
    size_t size = 0;
    CHECK_OK(kin__flat_size(o, &size));
    void *at = malloc(size);
    CHECK_OK(kin__flat_write(o, at, size));
    kin_release(o);
    CHECK_EQ(blocks(), before + 2);
    kin__flat_discard(at, size);
    CHECK_EQ(blocks(), before);
    kin__flat_discard(at, size); /* generations tell */
    kin__flat_discard(at, 0);
    free(at);
}

TEST(a_discarded_message_frees_nothing_but_buffers)
{
    kin__ref other = kin__block_ref(kin__block_new_given(100, KIN__MESSAGE));
    uint64_t words[] = { TAG_BUFFER, other, 100 };
    kin__flat_discard(words, sizeof words);
    CHECK(kin__block_discard(other));
}

TEST(a_message_that_fails_half_way_frees_its_buffers)
{
    uint64_t before = blocks();
    kin_obj sent = kin_buffer(kin_alloc(10), 10);
    kin_obj o = kin_list(kin_buffer(kin_alloc(10), 10), kin_retain(sent));
    size_t size = 0;
    CHECK_OK(kin__flat_size(o, &size));
    kin_free(kin_take_buffer(sent, NULL)); /* as another thread might, just now */
    void *at = malloc(size);
    CHECK_ERROR(kin__flat_write(o, at, size), KIN_EFREED);
    CHECK_EQ(blocks(), before);
    free(at);
    kin_release(o);
    kin_release(sent);
}
