#include "harness.h"

#include <kin/obj.h>

TEST(scalars_give_back_what_they_were_made_of)
{
    CHECK(kin_is_none(kin_none()));
    CHECK(kin_as_bool(kin_bool(true)));
    CHECK(!kin_as_bool(kin_bool(false)));
    CHECK_EQ(kin_as_int(kin_int(INT64_MIN)), INT64_MIN);
    CHECK_FLOAT(kin_as_float(kin_float(-0.5)), -0.5);
    CHECK(isnan(kin_as_float(kin_float(NAN))));
}

TEST(text_is_copied_and_may_hold_zeros)
{
    char s[] = "abc";
    kin_obj o = kin_str(s);
    s[0] = 'x';
    CHECK_STR(kin_as_str(o), "abc");
    CHECK_EQ(kin_len(o), 3);
    kin_release(o);
    o = kin_strn("a\0b", 3);
    CHECK_EQ(kin_len(o), 3);
    CHECK_EQ(kin_as_str(o)[2], 'b');
    CHECK_EQ(kin_as_str(o)[3], 0);
    kin_release(o);
}

TEST(strf_formats)
{
    kin_obj o = kin_strf("%d of %s", 3, "many");
    CHECK_STR(kin_as_str(o), "3 of many");
    kin_release(o);
    o = kin_strf("%1000d", 7);
    CHECK_EQ(kin_len(o), 1000);
    kin_release(o);
}

TEST(bytes_have_a_length_and_are_no_text)
{
    kin_obj o = kin_bytes("\0\1\2", 3);
    const void *data;
    size_t size;
    CHECK_OK(kin_to_bytes(o, &data, &size));
    CHECK_EQ(size, 3);
    CHECK_EQ(memcmp(data, "\0\1\2", 4), 0);
    CHECK_EQ(memcmp(kin_as_bytes(o), "\0\1\2", 4), 0);
    CHECK_STR(kin_as_str(o), "");
    CHECK_CONTAINS(kin_errmsg(), "bytes is not a str");
    kin_release(o);
    o = kin_bytes(NULL, 0);
    CHECK_EQ(kin_type_of(o), KIN_TYPE_BYTES);
    CHECK_EQ(kin_len(o), 0);
    kin_release(o);
}

TEST(nothing_is_made_from_null)
{
    CHECK_EQ(kin_error_code(kin_str(NULL)), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "NULL");
    CHECK_EQ(kin_error_code(kin_strn(NULL, 1)), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_bytes(NULL, 1)), KIN_EINVAL);
    const char *volatile no_format = NULL;
    CHECK_EQ(kin_error_code(kin_strf(no_format, 1)), KIN_EINVAL);
}

TEST(a_size_that_cannot_be_is_out_of_memory)
{
    CHECK_EQ(kin_error_code(kin_strn("", SIZE_MAX)), KIN_ENOMEM);
    CHECK_EQ(kin_error_code(kin_bytes("", (size_t)-1)), KIN_ENOMEM);
}

TEST(an_error_has_a_code_and_a_text)
{
    kin_obj o = kin_error(KIN_EUSER - 2, "no %s in %d", "word", 5);
    CHECK(kin_is_error(o));
    CHECK_EQ(kin_error_code(o), KIN_EUSER - 2);
    CHECK_STR(kin_error_text(o), "no word in 5");
    kin_release(o);
    CHECK(!kin_is_error(kin_int(-1)));
    CHECK_EQ(kin_error_code(kin_int(-1)), 0);
    CHECK_STR(kin_error_text(kin_int(-1)), "");
}

TEST(an_error_without_a_negative_code_is_refused)
{
    CHECK_EQ(kin_error_code(kin_error(0, "fine")), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_error(5, "fine")), KIN_EINVAL);
}

TEST(bools_are_ints_and_ints_are_floats_and_not_the_other_way)
{
    int64_t i = 7;
    double f = 7;
    bool b = true;
    CHECK_OK(kin_to_int(kin_bool(true), &i));
    CHECK_EQ(i, 1);
    CHECK_OK(kin_to_float(kin_int(3), &f));
    CHECK_FLOAT(f, 3);
    CHECK_OK(kin_to_float(kin_bool(true), &f));
    CHECK_FLOAT(f, 1);
    CHECK_ERROR(kin_to_int(kin_float(2), &i), KIN_ETYPE);
    CHECK_ERROR(kin_to_bool(kin_int(1), &b), KIN_ETYPE);
    CHECK_EQ(i, 1);
}

TEST(a_wrong_type_is_an_error_with_a_sentence_and_changes_nothing)
{
    kin_obj o = kin_list();
    int64_t i = 7;
    double f = 7;
    bool b = true;
    const char *s = "untouched";
    const void *data = s;
    size_t size = 7;
    kin_fn function = NULL;
    void *thing = &i;
    CHECK_ERROR(kin_to_int(o, &i), KIN_ETYPE);
    CHECK_STR(kin_errmsg(), "kin_to_int: a list is not an int");
    CHECK_ERROR(kin_to_float(o, &f), KIN_ETYPE);
    CHECK_ERROR(kin_to_bool(o, &b), KIN_ETYPE);
    CHECK_ERROR(kin_to_str(o, &s), KIN_ETYPE);
    CHECK_ERROR(kin_to_bytes(o, &data, &size), KIN_ETYPE);
    CHECK_ERROR(kin_to_func(o, &function), KIN_ETYPE);
    CHECK_ERROR(kin_to_shared(o, &thing), KIN_ETYPE);
    CHECK(i == 7 && size == 7 && thing == &i && data == s);
    CHECK_STR(s, "untouched");
    kin_release(o);
}

TEST(a_wrong_type_reads_as_nothing)
{
    kin_obj o = kin_tuple();
    CHECK_EQ(kin_as_int(o), 0);
    CHECK_FLOAT(kin_as_float(o), 0);
    CHECK(!kin_as_bool(o));
    CHECK_STR(kin_as_str(o), "");
    CHECK_NULL(kin_as_bytes(o));
    CHECK_NULL(kin_as_shared(o));
    CHECK(kin_as_func(o) == NULL);
    CHECK_EQ(kin_len(kin_int(5)), 0);
    kin_release(o);
}

TEST(a_place_for_the_value_may_be_missing)
{
    kin_obj o = kin_str("x");
    CHECK_OK(kin_to_str(o, NULL));
    CHECK_OK(kin_to_int(kin_int(1), NULL));
    CHECK_OK(kin_to_float(kin_int(1), NULL));
    CHECK_OK(kin_to_bool(kin_bool(true), NULL));
    kin_release(o);
    o = kin_bytes("x", 1);
    CHECK_OK(kin_to_bytes(o, NULL, NULL));
    kin_release(o);
}
