/* a + b */
#include "collection/room.h"
#include "harness.h"

static void check_sum(kin_obj a, kin_obj b, const char *expected)
{
    kin_obj sum = kin_none();
    CHECK_OK(kin__sum(a, b, "test", &sum));
    char *text = kin_repr(sum);
    CHECK_STR(text, expected);
    free(text);
    kin_release(sum);
    kin_release(a);
    kin_release(b);
}

static kin_obj two_to_the_64(bool negative)
{
    return kin_bigint("\0\0\0\0\0\0\0\0\1", 9, negative);
}

TEST(ints_are_added_whatever_their_size)
{
    check_sum(kin_int(-2), kin_int(44), "42");
    check_sum(kin_bool(true), kin_int(1), "2");
    check_sum(kin_int(INT64_MAX), kin_int(1), "9223372036854775808");
    check_sum(kin_int(INT64_MIN), kin_int(-1), "-9223372036854775809");
    check_sum(two_to_the_64(false), kin_int(-1), "18446744073709551615");
    check_sum(kin_int(-1), two_to_the_64(false), "18446744073709551615");
    check_sum(two_to_the_64(true), kin_int(1), "-18446744073709551615");
    check_sum(two_to_the_64(true), two_to_the_64(true), "-36893488147419103232");
    check_sum(two_to_the_64(true), two_to_the_64(false), "0");
}

TEST(floats_make_a_float)
{
    check_sum(kin_int(1), kin_float(0.5), "1.5");
    check_sum(kin_float(0.25), kin_float(0.5), "0.75");
    check_sum(kin_float(0.5), kin_bool(true), "1.5");
}

TEST(rows_follow_one_another)
{
    check_sum(kin_str("ab"), kin_str(""), "'ab'");
    check_sum(kin_bytes("a", 1), kin_bytes("b", 1), "b'ab'");
    check_sum(kin_list(kin_int(1)), kin_list(kin_str("x")), "[1, 'x']");
    check_sum(kin_tuple(), kin_tuple(kin_int(1)), "(1,)");
}

TEST(what_cannot_be_added_is_refused)
{
    kin_obj sum = kin_int(3);
    CHECK_ERROR(kin__sum(kin_none(), kin_none(), "test", &sum), KIN_ETYPE);
    kin_obj a = kin_str("a");
    CHECK_ERROR(kin__sum(a, kin_int(1), "test", &sum), KIN_ETYPE);
    CHECK_ERROR(kin__sum_of_one(kin_none(), "test", &sum), KIN_ETYPE);
    CHECK_EQ(kin_as_int(sum), 3);
    CHECK_OK(kin__sum_of_one(kin_bool(true), "test", &sum));
    CHECK_EQ(kin_type_of(sum), KIN_TYPE_INT);
    CHECK_OK(kin__sum_of_one(a, "test", &sum));
    CHECK_STR(kin_as_str(sum), "a");
    kin_release(sum);
    kin_release(a);
}
