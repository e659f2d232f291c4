#include "list.h"

#define NONE kin_none()

static kin_obj ints(int64_t a, int64_t b, int64_t c)
{
    return kin_slice(a == 99 ? NONE : kin_int(a), b == 99 ? NONE : kin_int(b),
                     c == 99 ? NONE : kin_int(c));
}

static void check_slice(kin_shared_list *list, kin_obj slice, const char *text, int line)
{
    kin_obj o;
    CHECK_OK(kin_shared_list_get_slice(list, slice, &o));
    char *seen = kin_repr(o);
    CHECK_(strcmp(seen, text) == 0, "line %d: %s, not %s", line, seen, text);
    free(seen);
    kin_release(o);
}
#define CHECK_SLICE(list, slice, text) check_slice(list, slice, text, __LINE__)

TEST(slices_name_what_they_name_in_python)
{
    kin_shared_list *list = new_list(kin_range(0, 6));
    CHECK_SLICE(list, ints(99, 99, 99), "[0, 1, 2, 3, 4, 5]");
    CHECK_SLICE(list, ints(1, 3, 99), "[1, 2]");
    CHECK_SLICE(list, ints(-3, -1, 99), "[3, 4]");
    CHECK_SLICE(list, ints(4, 98, 99), "[4, 5]");
    CHECK_SLICE(list, ints(-98, 2, 99), "[0, 1]");
    CHECK_SLICE(list, ints(3, 1, 99), "[]");
    CHECK_SLICE(list, ints(7, 98, 99), "[]");
    CHECK_SLICE(list, ints(99, 99, 2), "[0, 2, 4]");
    CHECK_SLICE(list, ints(1, 99, 3), "[1, 4]");
    CHECK_SLICE(list, ints(99, 99, -1), "[5, 4, 3, 2, 1, 0]");
    CHECK_SLICE(list, ints(99, 99, -4), "[5, 1]");
    CHECK_SLICE(list, ints(4, 1, -1), "[4, 3, 2]");
    CHECK_SLICE(list, ints(98, -98, -2), "[5, 3, 1]");
    CHECK_SLICE(list, ints(99, 99, INT64_MIN), "[5]");
    CHECK_SLICE(list, ints(99, 99, INT64_MAX), "[0]");
    kin_shared_list_free(list);
}

TEST(bounds_of_a_slice_may_be_ints_of_any_size)
{
    static const char huge[16] = { [15] = 1 };
    kin_shared_list *list = new_list(kin_range(0, 3));
    kin_obj more = kin_bigint(huge, 16, false);
    kin_obj less = kin_bigint(huge, 16, true);
    CHECK_SLICE(list, kin_slice(kin_retain(less), kin_retain(more), kin_none()), "[0, 1, 2]");
    CHECK_SLICE(list, kin_slice(kin_retain(more), kin_retain(less), kin_int(-1)), "[2, 1, 0]");
    CHECK_SLICE(list, kin_slice(kin_retain(more), kin_none(), kin_none()), "[]");
    CHECK_SLICE(list, kin_slice(kin_none(), kin_none(), more), "[0]");
    CHECK_SLICE(list, kin_slice(kin_none(), kin_none(), less), "[2]");
    kin_shared_list_free(list);
}

TEST(what_is_no_slice_is_refused)
{
    kin_obj o = kin_int(7);
    kin_shared_list *list = new_list(kin_range(0, 6));
    CHECK_ERROR(kin_shared_list_get_slice(list, kin_int(1), &o), KIN_ETYPE);
    CHECK_ERROR(kin_shared_list_get_slice(list, ints(0, 1, 0), &o), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_get_slice(list, kin_slice(kin_str("a"), NONE, NONE), &o),
                KIN_ETYPE);
    CHECK_ERROR(kin_shared_list_get_slice(list, ints(0, 1, 1), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_set_slice(list, ints(0, 1, 1), kin_int(1)), KIN_ETYPE);
    CHECK_ERROR(kin_shared_list_set_slice(list, ints(99, 99, 2), kin_range(0, 2)), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_del_slice(list, kin_none()), KIN_ETYPE);
    CHECK_EQ(kin_as_int(o), 7);
    CHECK_LIST(list, "[0, 1, 2, 3, 4, 5]");
    kin_shared_list_free(list);
}

TEST(slices_are_replaced)
{
    uint64_t before = blocks_in_use();
    kin_shared_list *list = new_list(kin_list(kin_str("a"), kin_str("b"), kin_str("c")));
    CHECK_OK(kin_shared_list_set_slice(list, ints(1, 2, 99), kin_range(0, 4)));
    CHECK_LIST(list, "['a', 0, 1, 2, 3, 'c']");
    CHECK_OK(kin_shared_list_set_slice(list, ints(1, 5, 99), kin_list(kin_str("x"))));
    CHECK_LIST(list, "['a', 'x', 'c']");
    CHECK_OK(kin_shared_list_set_slice(list, ints(2, 1, 99), kin_list(kin_str("y"))));
    CHECK_LIST(list, "['a', 'x', 'y', 'c']");
    CHECK_OK(kin_shared_list_set_slice(list, ints(99, 99, -2), kin_tuple(kin_int(1), kin_int(2))));
    CHECK_LIST(list, "['a', 2, 'y', 1]");
    CHECK_OK(kin_shared_list_set_slice(list, ints(98, 99, 99), kin_list(kin_str("z"))));
    CHECK_LIST(list, "['a', 2, 'y', 1, 'z']");
    CHECK_OK(kin_shared_list_set_slice(list, ints(99, 99, 99), kin_list()));
    CHECK_LIST(list, "[]");
    CHECK_OK(kin_shared_list_set_slice(list, ints(99, 99, 99), kin_range(0, 3)));
    CHECK_LIST(list, "[0, 1, 2]");
    kin_shared_list_free(list);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(slices_are_taken_out)
{
    kin_shared_list *list = new_list(kin_range(0, 10));
    CHECK_OK(kin_shared_list_del_slice(list, ints(99, 99, 3)));
    CHECK_LIST(list, "[1, 2, 4, 5, 7, 8]");
    CHECK_OK(kin_shared_list_del_slice(list, ints(99, 99, -5)));
    CHECK_LIST(list, "[2, 4, 5, 7]");
    CHECK_OK(kin_shared_list_del_slice(list, ints(1, 3, 99)));
    CHECK_LIST(list, "[2, 7]");
    CHECK_OK(kin_shared_list_del_slice(list, ints(1, 0, 99)));
    CHECK_LIST(list, "[2, 7]");
    CHECK_OK(kin_shared_list_del_slice(list, ints(99, 99, 99)));
    CHECK_LIST(list, "[]");
    kin_shared_list_free(list);
}

TEST(lists_are_reversed_and_repeated)
{
    uint64_t before = blocks_in_use();
    kin_shared_list *list = new_list(kin_list(kin_str("a"), kin_int(1), kin_int(2)));
    CHECK_OK(kin_shared_list_reverse(list));
    CHECK_LIST(list, "[2, 1, 'a']");
    CHECK_OK(kin_shared_list_repeat(list, 1));
    CHECK_LIST(list, "[2, 1, 'a']");
    CHECK_OK(kin_shared_list_repeat(list, 3));
    CHECK_LIST(list, "[2, 1, 'a', 2, 1, 'a', 2, 1, 'a']");
    CHECK_ERROR(kin_shared_list_repeat(list, INT64_MAX), KIN_ENOMEM); /* at once */
    CHECK_ERROR(kin_shared_list_repeat(list, INT64_C(1) << 50), KIN_ENOMEM);
    CHECK_EQ(kin_shared_list_len(list), 9);
    CHECK_OK(kin_shared_list_repeat(list, -1));
    CHECK_LIST(list, "[]");
    CHECK_OK(kin_shared_list_repeat(list, INT64_MAX));
    CHECK_OK(kin_shared_list_reverse(list));
    CHECK_LIST(list, "[]");
    kin_shared_list_free(list);
    CHECK_EQ(blocks_in_use(), before);
}
