#include "harness.h"

#include "obj/node.h"

static unsigned count_of(kin_obj o)
{
    return atomic_load(&((node *)o.as.p)->count);
}

TEST(an_object_is_16_bytes_and_all_zeros_are_invalid)
{
    CHECK_EQ(sizeof(kin_obj), 16);
    kin_obj zero = { 0 };
    CHECK_EQ(kin_type_of(zero), KIN_TYPE_INVALID);
    CHECK(kin_is_error(zero));
    CHECK_ERROR(kin__obj_check(zero, "put"), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "never made");
    kin_release(zero);
    CHECK_EQ(kin_retain(zero).type, KIN_TYPE_INVALID);
}

TEST(an_invalid_object_says_why_to_whoever_gets_it)
{
    kin_obj invalid = kin__obj_invalid(KIN_ENOMEM);
    CHECK_EQ(kin_error_code(invalid), KIN_ENOMEM);
    CHECK_STR(kin_error_text(invalid), "out of memory");
    CHECK_ERROR(kin__obj_check(invalid, "put"), KIN_ENOMEM);
    CHECK_CONTAINS(kin_errmsg(), "put");
    CHECK_ERROR(kin_to_int(invalid, NULL), KIN_ENOMEM);
    CHECK_EQ(kin__obj_check(kin_none(), "put"), 0);
}

TEST(an_invalid_object_quotes_the_sentence_of_its_failure_and_no_other)
{
    (void)kin__fail(KIN_ERANGE, "reading: too far");
    kin_obj invalid = kin__obj_invalid(KIN_ERANGE);
    CHECK_ERROR(kin__obj_check(invalid, "put"), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "put: ");
    CHECK_CONTAINS(kin_errmsg(), "reading: too far");
    (void)kin__fail(KIN_ERANGE, "another: too far");
    CHECK_ERROR(kin__obj_check(invalid, "put"), KIN_ERANGE);
    CHECK_NULL(strstr(kin_errmsg(), "another"));
    CHECK_CONTAINS(kin_errmsg(), kin_strerror(KIN_ERANGE));
}

TEST(constructors_pass_a_failure_on)
{
    (void)kin__fail(KIN_ERANGE, "reading: too far");
    kin_obj invalid = kin__obj_invalid(KIN_ERANGE);
    CHECK_ERROR(kin__obj_pass(invalid, "make"), KIN_ERANGE);
    CHECK_STR(kin_errmsg(), "reading: too far");
    (void)kin__fail(KIN_ERANGE, "another: too far");
    CHECK_ERROR(kin__obj_pass(invalid, "make"), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "make: ");
    CHECK_ERROR(kin__obj_pass((kin_obj){ 0 }, "make"), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "make: ");
    CHECK_EQ(kin__obj_pass(kin_none(), "make"), 0);
}

TEST(retain_counts_and_release_counts_back)
{
    kin_obj o = kin_str("x");
    CHECK_EQ(count_of(o), 1);
    kin_obj second = kin_retain(o);
    CHECK_EQ(count_of(o), 2);
    kin_release(second);
    CHECK_EQ(count_of(o), 1);
    CHECK_STR(kin_as_str(o), "x");
    kin_release(o);
}

TEST(a_borrowed_one_may_be_released_and_given_away_without_harm)
{
    kin_obj list = kin_list(kin_str("x"));
    kin_obj item = kin_at(list, 0);
    CHECK_EQ(count_of(item), 1);
    kin_release(item);
    kin_release(item);
    CHECK_EQ(count_of(item), 1);
    kin_obj other = kin_list(item, item, kin_retain(item));
    CHECK_EQ(count_of(item), 4);
    kin_release(list);
    CHECK_STR(kin_as_str(kin_at(other, 2)), "x");
    CHECK_EQ(count_of(kin_at(other, 0)), 3);
    kin_release(other);
}

TEST(own_takes_a_reference_only_of_what_is_borrowed)
{
    kin_obj list = kin_list(kin_str("x"));
    kin_obj given = kin__obj_own(kin_at(list, 0));
    CHECK_EQ(count_of(given), 2);
    CHECK_EQ(count_of(kin__obj_own(given)), 2);
    kin__obj_drop(kin_at(list, 0));
    CHECK_EQ(count_of(given), 2);
    kin__obj_drop(given);
    CHECK_EQ(count_of(kin_at(list, 0)), 1);
    kin_release(list);
}

TEST(a_list_a_million_deep_is_released)
{
    kin_obj list = kin_list();
    for (int i = 0; i < 1000000; i++) {
        list = i % 2 ? kin_list(kin_int(i), list) : kin_dict(kin_str("next"), list);
    }
    kin_release(list);
}

TEST(a_thousand_levels_held_twice_are_released_once)
{
    kin_obj list = kin_list(kin_str("end"));
    kin_obj end = kin_retain(kin_at(list, 0));
    for (int i = 0; i < 1000; i++) {
        list = kin_list(kin_retain(list), list);
    }
    CHECK_EQ(count_of(end), 2);
    kin_release(list);
    CHECK_EQ(count_of(end), 1);
    kin_release(end);
}

/* ---- a tuple that is used again ------------------------------------------------------ */

TEST(only_a_tuple_of_one_that_nobody_else_has_is_refilled)
{
    kin_obj pair = kin_tuple(kin_int(1), kin_int(2));
    kin_obj list = kin_list(kin_int(1));
    kin_obj args = kin_args(kin_str("a text of some length"));
    kin_obj kept = kin_retain(args);
    CHECK(!kin__obj_refill(pair, kin_int(3)));
    CHECK(!kin__obj_refill(list, kin_int(3)));
    CHECK(!kin__obj_refill((kin_obj){ 0 }, kin_int(3)));
    CHECK(!kin__obj_refill(args, kin_int(3)));
    CHECK_STR(kin_as_str(kin_at(kept, 0)), "a text of some length");
    kin_release(kept);
    if (kin__obj_refill(args, kin_int(3))) { /* else memory is being watched */
        CHECK_EQ(kin_as_int(kin_at(args, 0)), 3);
    } else {
        CHECK(WATCHED);
    }
    kin_release(args);
    kin_release(list);
    kin_release(pair);
}
