/* Kinds, and what their methods have in common: arguments, timeouts, iterators. */
#include "unit/manager/kinds.h"

TEST(a_kind_is_found_by_its_number_and_by_its_name_in_python)
{
    const char *const names[] = {
        "dict",          "list",  "set",     "Namespace", "Queue",
        "JoinableQueue", "Lock",  "RLock",   "Semaphore", "BoundedSemaphore",
        "Condition",     "Event", "Barrier", "Value",     "Array"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const kin__kind *kind = kin__kind_named(names[i]);
        CHECK_NOT_NULL(kind);
        CHECK_STR(kind->type_id, names[i]);
        CHECK_EQ(kin__kind_of(kind->kind)->kind, kind->kind);
    }
    CHECK_NULL(kin__kind_named("Pool"));
    CHECK_NULL(kin__kind_named("Iterator")); /* made by methods only */
    CHECK_NULL(kin__kind_of(0));
}

TEST(hidden_methods_are_answered_and_not_told_of)
{
    kin_obj names = kin__kind_names(&kin__kind_dict);
    CHECK_NOT_NULL(kin__kind_method(&kin__kind_dict, "#GETVALUE"));
    CHECK_NULL(kin__kind_method(&kin__kind_dict, "append"));
    bool has_keys = false;
    for (size_t i = 0; i < kin_len(names); i++) {
        CHECK_NE(kin_as_str(kin_at(names, i))[0], '#');
        has_keys = has_keys || strcmp(kin_as_str(kin_at(names, i)), "keys") == 0;
    }
    CHECK(has_keys);
    kin_release(names);
}

TEST(an_argument_comes_by_position_or_by_name)
{
    kin__asked asked = { .args = kin_args(kin_int(1), kin_int(2)),
                         .names = kin_dict(kin_str("c"), kin_int(3), kin_int(4), kin_int(5)) };
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 1, "c", kin_none())), 2);
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 2, "c", kin_none())), 3);
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 2, "d", kin_int(6))), 6);
    CHECK_EQ(kin_as_int(kin__asked_arg(&asked, 2, NULL, kin_int(7))), 7);
    CHECK_EQ(kin_type_of(kin__asked_must(&asked, 2, "d")), KIN_TYPE_INVALID);
    CHECK_STR(kin_errmsg(), "missing argument 3: 'd'");
    int64_t i = 0;
    CHECK_OK(kin__asked_int(&asked, 2, "c", 9, &i));
    CHECK_EQ(i, 3);
    CHECK_OK(kin__asked_int(&asked, 2, "d", 9, &i));
    CHECK_EQ(i, 9);
    kin_release(asked.args);
    kin_release(asked.names);
}

static double timeout_of(kin_obj args, const char *pair)
{
    kin__asked asked = { .args = args };
    double timeout = -99;
    CHECK_OK(kin__asked_timeout(&asked, 0, pair, &timeout));
    kin_release(args);
    return timeout;
}

TEST(a_timeout_is_what_python_means_by_it)
{
    CHECK_FLOAT(timeout_of(kin_args(), "block"), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(true)), "block"), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(true), kin_int(2)), "block"), 2);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(true), kin_float(-1)), "blocking"), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_bool(false)), "block"), 0);
    CHECK_FLOAT(timeout_of(kin_args(kin_int(0), kin_int(9)), "block"), 0);
    CHECK_FLOAT(timeout_of(kin_args(kin_none()), "block"), 0);
    CHECK_FLOAT(timeout_of(kin_args(), NULL), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_none()), NULL), KIN_FOREVER);
    CHECK_FLOAT(timeout_of(kin_args(kin_float(0.5)), NULL), 0.5);
    CHECK_FLOAT(timeout_of(kin_args(kin_int(-7)), NULL), 0);
}

TEST(who_may_not_wait_tries_and_who_may_waits_for_what_is_left)
{
    kin__asked asked = { .began = kin__os_now() };
    CHECK_FLOAT(kin__asked_left(&asked, KIN_FOREVER), 0);
    CHECK(kin__asked_waits(&asked, 5, KIN_EEMPTY));
    CHECK(!kin__asked_waits(&asked, 0, KIN_EEMPTY));
    CHECK(!kin__asked_waits(&asked, 5, KIN_EFREED));
    CHECK(!kin__asked_waits(&asked, 5, 0));
    asked.may_wait = true;
    CHECK_FLOAT(kin__asked_left(&asked, KIN_FOREVER), KIN_FOREVER);
    asked.began -= 1000000000; /* a second ago */
    double left = kin__asked_left(&asked, 50);
    CHECK(left > 0 && left <= 49);
    CHECK_FLOAT(kin__asked_left(&asked, 0.5), 0);
    CHECK(!kin__asked_waits(&asked, 0.5, KIN_ETIMEDOUT));
}

TEST(an_iterator_goes_on_to_its_end_and_stays_there)
{
    kin__asked asked = { 0 };
    kin_obj o;
    CHECK_OK(kin__asked_iterator(&asked, kin_list(kin_str("a"), kin_int(1)), &o));
    served it = { .kind = asked.new_kind, .thing = asked.new_thing };
    CHECK_STR(said(it, "__next__", kin_args()), "'a'");
    CHECK_STR(said(it, "__next__", kin_args()), "1");
    CHECK_STR(said(it, "__next__", kin_args()), "StopIteration: ");
    CHECK_STR(said(it, "__next__", kin_args()), "StopIteration: ");
    end(it);
}
