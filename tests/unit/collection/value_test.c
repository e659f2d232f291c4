#include "collection/room.h"
#include "harness.h"

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static uint64_t word_of(kin_obj o)
{
    uint64_t word = 0;
    CHECK_OK(kin__value_make(o, &word));
    kin_release(o);
    CHECK_NE(word, 0);
    return word;
}

static void check_round(kin_obj o, bool is_small)
{
    kin_obj back;
    uint64_t before = blocks_in_use();
    uint64_t word = word_of(kin_retain(o));
    CHECK_EQ(word >> 63, is_small);
    CHECK_EQ(blocks_in_use() - before, !is_small);
    kin__value_give(word);
    CHECK_EQ(kin__value_read(word, &back), 1);
    CHECK(kin_equal(o, back));
    CHECK_EQ(kin_type_of(o), kin_type_of(back));
    kin_release(back);
    kin_release(o);
    kin__value_drop(word);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(small_things_lie_in_the_word)
{
    static const int64_t ints[] = {
        0, 1, -1, 42, INT32_MIN, (INT64_C(1) << 60) - 1, -(INT64_C(1) << 60)
    };
    kin__self();
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        check_round(kin_int(ints[i]), true);
    }
    check_round(kin_none(), true);
    check_round(kin_bool(true), true);
    check_round(kin_bool(false), true);
}

TEST(the_rest_lies_in_a_block)
{
    static const char big[16] = "a large number!";
    static char large[100000];
    kin__self();
    check_round(kin_int(INT64_C(1) << 60), false);
    check_round(kin_int(-(INT64_C(1) << 60) - 1), false);
    check_round(kin_int(INT64_MIN), false);
    check_round(kin_bigint(big, sizeof big, true), false);
    check_round(kin_float(0.5), false);
    check_round(kin_str(""), false);
    check_round(kin_str("hello"), false);
    check_round(kin_bytes(large, sizeof large), false);
    check_round(kin_list(kin_int(1), kin_str("two"), kin_tuple()), false);
}

TEST(what_was_freed_is_no_value)
{
    kin_obj o;
    uint64_t word = word_of(kin_str("hello"));
    CHECK_EQ(kin__value_read(word, &o), 0); /* it is ours still */
    kin__value_give(word);
    kin__value_drop(word);
    CHECK_EQ(kin__value_read(word, &o), 0);
    uint64_t other = word_of(kin_str("other")); /* in the same place */
    kin__value_give(other);
    CHECK_EQ(kin__value_read(word, &o), 0);
    CHECK_EQ(kin__value_read(0, &o), 0);
    kin__value_drop(other);
    kin__value_drop(word);
    kin__value_drop(0);
}

TEST(what_cannot_be_kept_is_refused_and_stays_whole)
{
    uint64_t word = 7;
    size_t size;
    kin_obj buffer = kin_buffer(kin_alloc(100), 100);
    kin_obj list = kin_list(kin_int(1), kin_retain(buffer));
    uint64_t before = blocks_in_use();
    CHECK_ERROR(kin__value_make(buffer, &word), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin__value_make(list, &word), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin__value_make((kin_obj){ 0 }, &word), KIN_EINVAL);
    CHECK_EQ(word, 7);
    CHECK_EQ(blocks_in_use(), before);
    void *bytes = kin_take_buffer(buffer, &size);
    CHECK_NOT_NULL(bytes);
    kin_free(bytes);
    kin_release(list);
    kin_release(buffer);
}
