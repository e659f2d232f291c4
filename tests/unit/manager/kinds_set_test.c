/* Sets as they are served: what Python's set says. */
#include "unit/manager/kinds.h"

static served with(int from, int to)
{
    return make("set", kin_args(kin_range(from, to)));
}

static kin_obj set(int64_t a, int64_t b)
{
    return kin_set(kin_int(a), kin_int(b));
}

TEST(a_set_is_made_of_a_set_a_list_or_a_tuple)
{
    served empty = make("set", kin_args());
    served list = make("set", kin_args(kin_list(kin_int(1), kin_int(2), kin_int(1))));
    CHECK_STR(said(empty, "__len__", kin_args()), "0");
    CHECK_STR(said(list, "copy", kin_args()), "{1, 2}");
    CHECK_STR(said(list, "#GETVALUE", kin_args()), "{1, 2}");
    CHECK_EQ(cannot_make("set", kin_args(kin_int(1))), KIN_ETYPE);
    end(empty);
    end(list);
}

TEST(members_come_and_go)
{
    served s = with(0, 2);
    CHECK_STR(said(s, "add", kin_args(kin_str("x"))), "None");
    CHECK_STR(said(s, "add", kin_args(kin_str("x"))), "None");
    CHECK_STR(said(s, "__contains__", kin_args(kin_str("x"))), "True");
    CHECK_STR(said(s, "discard", kin_args(kin_int(0))), "None");
    CHECK_STR(said(s, "discard", kin_args(kin_int(0))), "None");
    CHECK_STR(said(s, "remove", kin_args(kin_int(1))), "None");
    CHECK_STR(said(s, "remove", kin_args(kin_int(1))), "KeyError: 1");
    CHECK_STR(said(s, "__iter__", kin_args()), "'x', ;");
    CHECK_STR(said(s, "pop", kin_args()), "'x'");
    CHECK_STR(said(s, "pop", kin_args()), "KeyError: 'pop from an empty set'");
    CHECK_STR(said(s, "add", kin_args(kin_list())), "KIN_ETYPE");
    CHECK_STR(said(s, "clear", kin_args()), "None");
    end(s);
}

TEST(sets_are_computed_with)
{
    served s = with(0, 3);
    CHECK_STR(said(s, "__and__", kin_args(set(1, 9))), "{1}");
    CHECK_STR(said(s, "__rand__", kin_args(set(1, 9))), "{1}");
    CHECK_STR(said(s, "__or__", kin_args(set(1, 9))), "{0, 1, 2, 9}");
    CHECK_STR(said(s, "__sub__", kin_args(set(1, 9))), "{0, 2}");
    CHECK_STR(said(s, "__rsub__", kin_args(set(1, 9))), "{9}");
    CHECK_STR(said(s, "__xor__", kin_args(set(1, 9))), "{0, 2, 9}");
    CHECK_STR(said(s, "union", kin_args(kin_list(kin_int(7)), kin_tuple(kin_int(8)))),
              "{0, 1, 2, 7, 8}");
    CHECK_STR(said(s, "intersection", kin_args(set(0, 1), set(1, 2))), "{1}");
    CHECK_STR(said(s, "difference", kin_args()), "{0, 1, 2}");
    CHECK_STR(said(s, "copy", kin_args()), "{0, 1, 2}");
    end(s);
}

TEST(sets_are_changed_by_others)
{
    served s = with(0, 4);
    CHECK_STR(said(s, "__iand__", kin_args(kin_set(kin_int(1), kin_int(2), kin_int(3)))), "None");
    CHECK_STR(said(s, "copy", kin_args()), "{1, 2, 3}");
    CHECK_STR(said(s, "difference_update", kin_args(set(1, 9))), "None");
    CHECK_STR(said(s, "copy", kin_args()), "{2, 3}");
    CHECK_STR(said(s, "__ixor__", kin_args(set(3, 4))), "None");
    CHECK_STR(said(s, "copy", kin_args()), "{2, 4}");
    CHECK_STR(said(s, "update", kin_args(kin_list(kin_int(5)), set(6, 2))), "None");
    CHECK_STR(said(s, "copy", kin_args()), "{2, 4, 5, 6}");
    CHECK_STR(said(s, "__isub__", kin_args(set(5, 6))), "None");
    CHECK_STR(said(s, "intersection_update", kin_args()), "None");
    CHECK_STR(said(s, "copy", kin_args()), "{2, 4}");
    end(s);
}

TEST(sets_are_compared)
{
    served s = with(0, 2);
    CHECK_STR(said(s, "__le__", kin_args(set(0, 1))), "True");
    CHECK_STR(said(s, "__lt__", kin_args(set(0, 1))), "False");
    CHECK_STR(said(s, "__lt__", kin_args(kin_set(kin_int(0), kin_int(1), kin_int(2)))), "True");
    CHECK_STR(said(s, "__ge__", kin_args(kin_set(kin_int(1)))), "True");
    CHECK_STR(said(s, "__gt__", kin_args(kin_set(kin_int(5)))), "False");
    CHECK_STR(said(s, "issubset", kin_args(kin_range(0, 5))), "True");
    CHECK_STR(said(s, "issuperset", kin_args(kin_tuple(kin_int(2)))), "False");
    CHECK_STR(said(s, "isdisjoint", kin_args(set(7, 8))), "True");
    CHECK_STR(said(s, "isdisjoint", kin_args(set(7, 1))), "False");
    end(s);
}

/* And nothing is left behind: the leak sanitizer would say so. */
TEST(with_what_is_no_set_nothing_is_computed)
{
    served s = with(0, 3);
    const char *const methods[] = { "__and__",  "__or__", "__sub__",           "__rxor__", "union",
                                    "__iand__", "__le__", "difference_update", "update" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        CHECK_STR(said(s, methods[i], kin_args(kin_int(5))), "KIN_ETYPE");
        CHECK_STR(said(s, methods[i], kin_args(kin_list(kin_list()))), "KIN_ETYPE");
    }
    const char *const wanting[] = { "add", "discard", "remove", "__contains__", "__le__" };
    for (size_t i = 0; i < sizeof wanting / sizeof wanting[0]; i++) {
        CHECK_STR(said(s, wanting[i], kin_args()), "KIN_ETYPE");
    }
    CHECK_STR(said(s, "copy", kin_args()), "{0, 1, 2}");
    end(s);
}

TEST(what_only_managers_of_ours_ask_for)
{
    served s = with(3, 5);
    CHECK_STR(said(s, "#ADD", kin_args(kin_str("x"))), "True");
    CHECK_STR(said(s, "#ADD", kin_args(kin_str("x"))), "False");
    CHECK_STR(said(s, "#DISCARD", kin_args(kin_int(3))), "True");
    CHECK_STR(said(s, "#DISCARD", kin_args(kin_int(3))), "False");
    CHECK_STR(said(s, "#ADD", kin_args()), "KIN_ETYPE");
    CHECK_STR(said(s, "#NEXT", kin_args(kin_int(0))), "(2, 4, None)");
    CHECK_STR(said(s, "#NEXT", kin_args(kin_int(2))), "(3, 'x', None)");
    CHECK_STR(said(s, "#NEXT", kin_args(kin_int(3))), "None");
    CHECK_STR(said(s, "#NEXT", kin_args(kin_str("x"))), "KIN_ETYPE");
    end(s);
}
