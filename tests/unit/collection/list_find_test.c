#include "list.h"

TEST(items_are_found_counted_and_removed)
{
    kin_shared_list *list =
        new_list(kin_list(kin_int(1), kin_str("a"), kin_float(1.0), kin_str("a"), kin_none()));
    CHECK_EQ(kin_shared_list_index(list, kin_str("a")), 1);
    CHECK_EQ(kin_shared_list_index(list, kin_bool(true)), 0);
    CHECK_ERROR((int)kin_shared_list_index(list, kin_str("b")), KIN_ENOTFOUND);
    CHECK_EQ(kin_shared_list_count(list, kin_int(1)), 2);
    CHECK_EQ(kin_shared_list_count(list, kin_str("b")), 0);
    CHECK_OK(kin_shared_list_remove(list, kin_str("a")));
    CHECK_LIST(list, "[1, 1.0, 'a', None]");
    CHECK_ERROR(kin_shared_list_remove(list, kin_str("b")), KIN_ENOTFOUND);
    CHECK_OK(kin_shared_list_remove(list, kin_none()));
    CHECK_LIST(list, "[1, 1.0, 'a']");
    kin_shared_list_free(list);
}

TEST(something_is_added_to_an_item)
{
    kin_obj o = kin_none();
    kin_shared_list *list = new_list(kin_list(kin_int(1), kin_str("a"), kin_int(INT64_MAX)));
    CHECK_OK(kin_shared_list_add(list, 0, kin_int(41), &o));
    CHECK_EQ(kin_as_int(o), 42);
    CHECK_OK(kin_shared_list_add(list, 1, kin_str("b"), NULL));
    CHECK_OK(kin_shared_list_add(list, -1, kin_int(1), NULL));
    CHECK_LIST(list, "[42, 'ab', 9223372036854775808]");
    CHECK_ERROR(kin_shared_list_add(list, 0, kin_str("b"), NULL), KIN_ETYPE);
    CHECK_ERROR(kin_shared_list_add(list, 3, kin_int(1), NULL), KIN_ERANGE);
    CHECK_LIST(list, "[42, 'ab', 9223372036854775808]");
    kin_shared_list_free(list);
}

TEST(an_item_is_replaced_if_it_is_what_it_was_thought_to_be)
{
    kin_shared_list *list = new_list(kin_list(kin_int(1), kin_str("a")));
    CHECK_EQ(kin_shared_list_compare_and_set(list, 1, kin_str("a"), kin_str("b")), 1);
    CHECK_EQ(kin_shared_list_compare_and_set(list, 1, kin_str("a"), kin_str("c")), 0);
    CHECK_ERROR(kin_shared_list_compare_and_set(list, 2, kin_str("a"), kin_str("c")), KIN_ERANGE);
    CHECK_LIST(list, "[1, 'b']");
    kin_shared_list_free(list);
}

static kin_obj twice(kin_obj value, void *list)
{
    CHECK_ERROR(kin_shared_list_append(list, kin_int(0)), KIN_EDEADLK);
    return kin_int(2 * kin_as_int(value));
}

static kin_obj as_it_is(kin_obj value, void *ctx)
{
    (void)ctx;
    return value;
}

static kin_obj refuse(kin_obj value, void *ctx)
{
    (void)value;
    (void)ctx;
    return kin_error(KIN_EUSER, "not that one");
}

TEST(an_item_is_changed_by_a_function)
{
    kin_shared_list *list = new_list(kin_list(kin_int(21), kin_str("a")));
    CHECK_OK(kin_shared_list_apply(list, 0, twice, list));
    CHECK_OK(kin_shared_list_apply(list, 1, as_it_is, NULL));
    CHECK_ERROR(kin_shared_list_apply(list, 0, refuse, NULL), KIN_EUSER);
    CHECK_STR(kin_errmsg(), "not that one");
    CHECK_ERROR(kin_shared_list_apply(list, 0, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_apply(list, 2, twice, list), KIN_ERANGE);
    CHECK_LIST(list, "[42, 'a']");
    kin_shared_list_free(list);
}

static int add_1000(void *list)
{
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_shared_list_add(list, 0, kin_int(1), NULL));
    }
    return 0;
}

TEST(no_addition_is_lost)
{
    enum { CHILDREN = 4 };
    pid_t pids[CHILDREN];
    kin_shared_list *list = new_list(kin_list(kin_int(0)));
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = test_child(add_1000, list);
    }
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(int_at(list, 0), 1000 * CHILDREN);
    kin_shared_list_free(list);
}
