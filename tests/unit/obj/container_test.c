#include "harness.h"

#include "obj/room.h"

/* ---- the macros -------------------------------------------------------------------- */

TEST(macros_take_none_to_many_and_nest)
{
    kin_obj o = kin_list(kin_list(), kin_tuple(), kin_dict(), kin_set(), kin_args(),
                         kin_list(kin_list(kin_list(kin_list(kin_int(7))))));
    CHECK_EQ(kin_len(o), 6);
    kin_obj inner = kin_at(o, 5);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_len(inner), 1);
        inner = kin_at(inner, 0);
    }
    CHECK_EQ(kin_as_int(kin_at(inner, 0)), 7);
    kin_release(o);
}

static int counter;

static kin_obj next(void)
{
    return kin_int(counter++);
}

TEST(arguments_are_evaluated_once_from_left_to_right)
{
    kin_obj o = kin_list(next(), next(), kin_tuple(next(), next()), next());
    CHECK_EQ(counter, 5);
    CHECK_EQ(kin_as_int(kin_at(o, 0)), 0);
    CHECK_EQ(kin_as_int(kin_at(o, 1)), 1);
    CHECK_EQ(kin_as_int(kin_at(kin_at(o, 2), 1)), 3);
    CHECK_EQ(kin_as_int(kin_at(o, 3)), 4);
    kin_release(o);
}

/* ---- lists and tuples -------------------------------------------------------------- */

TEST(append_grows_a_list_for_all_who_hold_it)
{
    kin_obj list = kin_list();
    kin_obj same = kin_retain(list);
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_append(&list, kin_strf("%d", i)));
    }
    CHECK_EQ(kin_len(same), 1000);
    CHECK_STR(kin_as_str(kin_at(same, 999)), "999");
    kin_release(same);
    kin_release(list);
}

TEST(at_beyond_the_end_is_out_of_range)
{
    kin_obj o = kin_tuple(kin_int(1));
    CHECK_EQ(kin_error_code(kin_at(o, 1)), KIN_ERANGE);
    CHECK_STR(kin_errmsg(), "kin_at: index 1 in a tuple of 1");
    CHECK_EQ(kin_error_code(kin_at(o, (size_t)-1)), KIN_ERANGE);
    CHECK_EQ(kin_error_code(kin_at(kin_int(1), 0)), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_at((kin_obj){ 0 }, 0)), KIN_EINVAL);
    kin_release(o);
}

TEST(a_tuple_does_not_grow)
{
    kin_obj o = kin_tuple();
    CHECK_ERROR(kin_append(&o, kin_str("lost, not leaked")), KIN_ETYPE);
    CHECK_ERROR(kin_setitem(&o, kin_int(0), kin_str("this too")), KIN_ETYPE);
    CHECK_ERROR(kin_append(NULL, kin_str("and this")), KIN_EINVAL);
    CHECK_ERROR(kin_setitem(NULL, kin_str("and"), kin_str("these")), KIN_EINVAL);
    kin_release(o);
}

TEST(setitem_replaces_in_a_list_as_in_python)
{
    kin_obj list = kin_list(kin_str("a"), kin_str("b"));
    CHECK_OK(kin_setitem(&list, kin_int(0), kin_str("c")));
    CHECK_OK(kin_setitem(&list, kin_int(-1), kin_str("d")));
    CHECK_STR(kin_as_str(kin_at(list, 0)), "c");
    CHECK_STR(kin_as_str(kin_at(list, 1)), "d");
    CHECK_ERROR(kin_setitem(&list, kin_int(2), kin_str("e")), KIN_ERANGE);
    CHECK_ERROR(kin_setitem(&list, kin_int(-3), kin_str("e")), KIN_ERANGE);
    CHECK_ERROR(kin_setitem(&list, kin_int(INT64_MIN), kin_str("e")), KIN_ERANGE);
    CHECK_ERROR(kin_setitem(&list, kin_str("0"), kin_str("e")), KIN_ETYPE);
    kin_release(list);
}

TEST(range_lists_ints)
{
    kin_obj o = kin_range(-2, 3);
    CHECK_EQ(kin_len(o), 5);
    CHECK_EQ(kin_as_int(kin_at(o, 0)), -2);
    CHECK_EQ(kin_as_int(kin_at(o, 4)), 2);
    kin_release(o);
    o = kin_range(3, 3);
    CHECK_EQ(kin_len(o), 0);
    kin_release(o);
    o = kin_range(3, INT64_MIN);
    CHECK_EQ(kin_len(o), 0);
    kin_release(o);
    CHECK_EQ(kin_error_code(kin_range(INT64_MIN, INT64_MAX)), KIN_ENOMEM);
}

/* ---- invalid items ----------------------------------------------------------------- */

TEST(an_invalid_item_makes_an_invalid_container_and_the_others_are_released)
{
    kin_obj o = kin_list(kin_str("a"), kin_tuple(kin_str("b"), kin_error(5, "bad")), kin_str("c"));
    CHECK_EQ(kin_error_code(o), KIN_EINVAL);
    o = kin_dict(kin_str("a"), kin_str(NULL));
    CHECK_EQ(kin_error_code(o), KIN_EINVAL);
    o = kin_set(kin_str("a"), kin_range(INT64_MIN, INT64_MAX));
    CHECK_EQ(kin_error_code(o), KIN_ENOMEM);
    kin_obj list = kin_list();
    CHECK_ERROR(kin_append(&list, kin_str(NULL)), KIN_EINVAL);
    CHECK_ERROR(kin_append(&o, kin_str("x")), KIN_ENOMEM);
    kin_release(list);
}

TEST(rows_from_null_are_refused)
{
    CHECK_EQ(kin_error_code(kin_list_n(NULL, 3)), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_dict_n(NULL, 2)), KIN_EINVAL);
    kin_obj o = kin_tuple_n(NULL, 0);
    CHECK_EQ(kin_type_of(o), KIN_TYPE_TUPLE);
    kin_release(o);
}

/* ---- dicts and sets ---------------------------------------------------------------- */

TEST(a_dict_keeps_the_first_key_and_the_last_value_in_the_first_place)
{
    kin_obj o =
        kin_dict(kin_int(1), kin_str("a"), kin_str("k"), kin_str("b"), kin_float(1), kin_str("c"));
    CHECK_EQ(kin_len(o), 2);
    size_t pos = 0;
    kin_obj key, value;
    CHECK(kin_next_item(o, &pos, &key, &value));
    CHECK_EQ(kin_type_of(key), KIN_TYPE_INT);
    CHECK_STR(kin_as_str(value), "c");
    CHECK(kin_next_item(o, &pos, NULL, &value));
    CHECK_STR(kin_as_str(value), "b");
    CHECK(!kin_next_item(o, &pos, &key, &value));
    kin_release(o);
}

TEST(what_can_change_is_no_key)
{
    CHECK_EQ(kin_error_code(kin_dict(kin_list(), kin_str("x"), kin_str("y"), kin_str("z"))),
             KIN_ETYPE);
    CHECK_CONTAINS(kin_errmsg(), "a list is not hashable");
    CHECK_EQ(kin_error_code(kin_set(kin_int(1), kin_tuple(kin_dict()), kin_str("z"))), KIN_ETYPE);
    kin_obj o = kin_dict();
    CHECK_ERROR(kin_setitem(&o, kin_list(), kin_str("x")), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_list())), KIN_ETYPE);
    kin_release(o);
}

TEST(a_key_without_a_value_is_refused)
{
    CHECK_EQ(kin_error_code(kin_dict(kin_str("a"), kin_str("b"), kin_str("c"))), KIN_EINVAL);
}

TEST(a_set_holds_each_member_once)
{
    kin_obj o = kin_set(kin_int(1), kin_str("a"), kin_bool(true), kin_str("a"));
    CHECK_EQ(kin_len(o), 2);
    CHECK_OK(kin_append(&o, kin_str("b")));
    CHECK_OK(kin_append(&o, kin_str("b")));
    CHECK_EQ(kin_len(o), 3);
    CHECK_EQ(kin_type_of(kin_lookup(o, kin_float(1))), KIN_TYPE_INT);
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_str("c"))), KIN_ENOTFOUND);
    size_t pos = 0, n = 0;
    kin_obj key, value;
    while (kin_next_item(o, &pos, &key, &value)) {
        CHECK(kin_is_none(value));
        n++;
    }
    CHECK_EQ(n, 3);
    kin_release(o);
}

TEST(only_dicts_and_sets_are_looked_up_and_walked)
{
    kin_obj o = kin_list();
    size_t pos = 0;
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_str("x"))), KIN_ETYPE);
    CHECK(!kin_next_item(o, &pos, NULL, NULL));
    CHECK(!kin_next_item(o, NULL, NULL, NULL));
    kin_release(o);
    o = kin_dict();
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_str(NULL))), KIN_EINVAL);
    CHECK_ERROR(kin_setitem(&o, kin_str(NULL), kin_str("x")), KIN_EINVAL);
    CHECK_ERROR(kin_setitem(&o, kin_str("x"), kin_str(NULL)), KIN_EINVAL);
    CHECK_EQ(kin_len(o), 0);
    kin_release(o);
}

TEST(a_missing_key_is_named)
{
    kin_obj o = kin_dict();
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_str("colour"))), KIN_ENOTFOUND);
    CHECK_STR(kin_errmsg(), "kin_lookup: the key 'colour' is not in a dict of 0");
    kin_release(o);
    o = kin_set(kin_int(1), kin_int(2));
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_tuple(kin_int(1), kin_str("a\n")))), KIN_ENOTFOUND);
    CHECK_STR(kin_errmsg(), "kin_lookup: the key (1, 'a\\n') is not in a set of 2");
    kin_release(o);
}

TEST(a_missing_key_that_is_long_is_cut)
{
    kin_obj o = kin_dict();
    char *key = malloc(100000);
    memset(key, 'x', 99999);
    key[99999] = '\0';
    CHECK_EQ(kin_error_code(kin_lookup(o, kin_str(key))), KIN_ENOTFOUND);
    char expected[200];
    snprintf(expected, sizeof expected, "kin_lookup: the key '%.59s... is not in a dict of 0", key);
    CHECK_STR(kin_errmsg(), expected);
    free(key);
    kin_release(o);
}

TEST(an_object_of_what_could_not_be_made_says_why)
{
    kin_obj list = kin_list(kin_int(1), kin_tuple(kin_str(NULL)));
    CHECK_EQ(kin_error_code(list), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_str: the text is NULL");
    CHECK_ERROR(kin_append(&list, kin_none()), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_append: the object is invalid");
    CHECK_CONTAINS(kin_errmsg(), "kin_str: the text is NULL");
}

/* ---- excerpts ------------------------------------------------------------------------ */

TEST(an_excerpt_is_a_list_of_some_items_and_holds_none)
{
    kin_obj text = kin_str("a text of some length");
    kin_obj row = kin_tuple(kin_int(0), text, kin_int(2), kin_int(3));
    kin__excerpt room;
    kin_obj some = kin__obj_excerpt(row, 1, 2, &room);
    CHECK_EQ(kin_type_of(some), KIN_TYPE_LIST);
    CHECK_EQ(kin_len(some), 2);
    CHECK_STR(kin_as_str(kin_at(some, 0)), "a text of some length");
    CHECK_EQ(kin_as_int(kin_at(some, 1)), 2);
    CHECK_ERROR(kin_error_code(kin_at(some, 2)), KIN_ERANGE);
    kin_release(some); /* it is borrowed */
    CHECK_EQ(kin_len(kin__obj_excerpt(row, 4, 0, &room)), 0);
    kin_release(row);
}

TEST(an_excerpt_is_sent_like_a_list)
{
    kin_obj row = kin_list(kin_int(0), kin_tuple(kin_str("x"), kin_float(2)), kin_int(2));
    kin_obj wanted = kin_list(kin_retain(kin_at(row, 1)), kin_int(2));
    kin__excerpt room;
    kin_obj some = kin__obj_excerpt(row, 1, 2, &room);
    uint64_t at[64];
    size_t size = 0;
    kin_obj back;
    CHECK_OK(kin__flat_size(some, &size));
    CHECK(size <= sizeof at);
    CHECK_OK(kin__flat_write(some, at, size));
    CHECK_OK(kin__flat_read(at, size, &back));
    CHECK(kin_equal(back, wanted));
    CHECK_OK(kin_append(&row, kin_retain(row)));
    CHECK_ERROR(kin__flat_size(kin__obj_excerpt(row, 3, 1, &room), &size), KIN_EINVAL);
    CHECK_OK(kin_setitem(&row, kin_int(3), kin_none()));
    kin_release(back);
    kin_release(wanted);
    kin_release(row);
}
