#include "harness.h"

#include "obj/room.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static kin_obj first(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj twice(kin_obj args)
{
    return kin_int(2 * kin_arg_int(args, 0));
}

static kin_obj complain(kin_obj args)
{
    return kin_error(KIN_EUSER, "%s is no good", kin_arg_str(args, 0));
}

static kin_obj invalid(kin_obj args)
{
    (void)args;
    return kin_list(kin__obj_invalid(KIN_ENOMEM));
}

static kin_obj try_int(kin_obj args)
{
    int64_t value = 0;
    KIN_TRY(kin_to_int(kin_arg(args, 0), &value));
    return kin_int(value + 1);
}

TEST(a_call_gives_its_result)
{
    kin_obj result;
    CHECK_OK(kin_call(twice, kin_args(kin_int(21)), &result));
    CHECK_EQ(kin_as_int(result), 42);
    CHECK_OK(kin_call(twice, kin_args(kin_int(21)), NULL));
}

TEST(an_argument_may_be_returned)
{
    kin_obj result;
    CHECK_OK(kin_call(first, kin_args(kin_str("back again")), &result));
    CHECK_STR(kin_as_str(result), "back again");
    kin_release(result);
    CHECK_OK(kin_call(first, kin_args(kin_str("not wanted")), NULL));
}

TEST(arguments_may_be_borrowed)
{
    kin_obj all = kin_list(kin_tuple(kin_str("a")));
    kin_obj result;
    CHECK_OK(kin_call(first, kin_at(all, 0), &result));
    kin_release(result);
    CHECK_STR(kin_as_str(kin_at(kin_at(all, 0), 0)), "a");
    kin_release(all);
}

TEST(an_error_becomes_the_calls_code_and_sentence)
{
    kin_obj result = kin_int(7);
    CHECK_ERROR(kin_call(complain, kin_args(kin_str("this")), &result), KIN_EUSER);
    CHECK_STR(kin_errmsg(), "this is no good");
    CHECK_EQ(kin_as_int(result), 7);
    CHECK_ERROR(kin_call(invalid, kin_args(), &result), KIN_ENOMEM);
}

TEST(try_returns_the_failure)
{
    kin_obj result;
    CHECK_OK(kin_call(try_int, kin_args(kin_int(1)), &result));
    CHECK_EQ(kin_as_int(result), 2);
    CHECK_ERROR(kin_call(try_int, kin_args(kin_str("1")), &result), KIN_ETYPE);
    CHECK_STR(kin_errmsg(), "kin_to_int: a str is not an int");
}

TEST(a_call_of_nothing_or_with_no_tuple_is_refused)
{
    CHECK_ERROR(kin_call(NULL, kin_args(kin_str("x")), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_call(first, kin_list(kin_str("x")), NULL), KIN_ETYPE);
    CHECK_ERROR(kin_call(first, kin_args(kin_str(NULL)), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_call(first, (kin_obj){ 0 }, NULL), KIN_EINVAL);
}

TEST(arguments_are_read_by_place)
{
    kin_obj args = kin_args(kin_int(1), kin_float(2.5), kin_str("three"));
    CHECK_EQ(kin_arg_int(args, 0), 1);
    CHECK_FLOAT(kin_arg_float(args, 1), 2.5);
    CHECK_FLOAT(kin_arg_float(args, 0), 1);
    CHECK_STR(kin_arg_str(args, 2), "three");
    CHECK_EQ(kin_arg_int(args, 3), 0);
    CHECK_CONTAINS(kin_errmsg(), "argument 3 of 3 is missing");
    CHECK_STR(kin_arg_str(args, 0), "");
    CHECK_CONTAINS(kin_errmsg(), "an int is not a str");
    CHECK_FLOAT(kin_arg_float(args, 9), 0);
    CHECK_STR(kin_arg_str(args, 9), "");
    CHECK_NULL(kin_arg_shared(args, 9));
    CHECK_NULL(kin_arg_shared(args, 0));
    CHECK_EQ(kin_error_code(kin_arg(kin_int(1), 0)), KIN_ETYPE);
    kin_release(args);
}

TEST(named_arguments_are_apart_from_the_others)
{
    kin_obj args = kin_args_kw(kin_args(kin_str("a"), kin_int(2)),
                               kin_dict(kin_str("depth"), kin_int(3), kin_str("b"), kin_str("c")));
    CHECK_EQ(kin_len(args), 2);
    CHECK_EQ(kin_type_of(args), KIN_TYPE_TUPLE);
    CHECK_EQ(kin_as_int(kin_kwarg(args, "depth")), 3);
    CHECK_STR(kin_as_str(kin_kwarg(args, "b")), "c");
    CHECK_EQ(kin_error_code(kin_kwarg(args, "width")), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "width");
    CHECK_EQ(kin_error_code(kin_arg(args, 2)), KIN_ERANGE);
    CHECK_EQ(kin_error_code(kin_at(args, 2)), KIN_ERANGE);
    kin_release(args);
}

TEST(named_arguments_that_make_no_sense_are_refused)
{
    CHECK_EQ(kin_error_code(kin_args_kw(kin_list(), kin_dict())), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_args_kw(kin_args(), kin_list(kin_str("x")))), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_args_kw(kin_args(), kin_dict(kin_int(1), kin_str("x")))),
             KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_args_kw(kin_args_kw(kin_args(), kin_dict()), kin_dict())),
             KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_args_kw(kin_str(NULL), kin_dict())), KIN_EINVAL);
    kin_obj args = kin_args();
    CHECK_EQ(kin_error_code(kin_kwarg(args, "x")), KIN_ENOTFOUND);
    CHECK_EQ(kin_error_code(kin_kwarg(args, NULL)), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_kwarg(kin_none(), "x")), KIN_ETYPE);
    kin_release(args);
}

TEST(what_a_function_returns_is_sorted)
{
    kin_obj result = kin_none();
    CHECK_OK(kin__obj_result(kin_str("x"), &result));
    CHECK_STR(kin_as_str(result), "x");
    kin_release(result);
    CHECK_ERROR(kin__obj_result(kin_error(-10005, "text"), &result), -10005);
    CHECK_STR(kin_errmsg(), "text");
    CHECK_ERROR(kin__obj_result((kin_obj){ 0 }, &result), KIN_EINVAL);
}

/* ---- KIN_CHECK --------------------------------------------------------------------- */

static int check_failing(void *ctx)
{
    CHECK_EQ(KIN_CHECK(5), 5);
    dup2(*(int *)ctx, STDERR_FILENO);
    KIN_CHECK(kin_to_int(kin_none(), NULL));
    return 0;
}

TEST(check_prints_the_sentence_and_exits_with_1)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(test_join(test_child(check_failing, &ends[1])), 1);
    close(ends[1]);
    char got[300] = { 0 };
    CHECK_GT(read(ends[0], got, sizeof got - 1), 0);
    close(ends[0]);
    CHECK_CONTAINS(got, "call_test.c:");
    CHECK_CONTAINS(got, "kin_to_int(kin_none(), ");
    CHECK_CONTAINS(got, "KIN_ETYPE: kin_to_int: none is not an int\n");
}
