/* Dicts as they are served: what Python's dict says. */
#include "unit/manager/kinds.h"

static served with_two(void)
{
    return make("dict", kin_args(kin_dict(kin_str("a"), kin_int(1), kin_str("b"), kin_int(2))));
}

TEST(a_dict_is_made_of_a_dict_of_pairs_and_of_names)
{
    served empty = make("dict", kin_args());
    served pairs = make_with("dict", kin_args(kin_list(kin_tuple(kin_int(1), kin_int(2)))),
                             kin_dict(kin_str("x"), kin_none()));
    CHECK_STR(said(empty, "copy", kin_args()), "{}");
    CHECK_STR(said(pairs, "copy", kin_args()), "{1: 2, 'x': None}");
    CHECK_EQ(cannot_make("dict", kin_args(kin_int(1))), KIN_ETYPE);
    end(empty);
    end(pairs);
}

TEST(items_are_read_written_and_taken_out)
{
    served d = with_two();
    CHECK_STR(said(d, "__getitem__", kin_args(kin_str("a"))), "1");
    CHECK_STR(said(d, "__setitem__", kin_args(kin_str("a"), kin_list(kin_int(5)))), "None");
    CHECK_STR(said(d, "__getitem__", kin_args(kin_str("a"))), "[5]");
    CHECK_STR(said(d, "__delitem__", kin_args(kin_str("a"))), "None");
    CHECK_STR(said(d, "__contains__", kin_args(kin_str("a"))), "False");
    CHECK_STR(said(d, "__contains__", kin_args(kin_str("b"))), "True");
    CHECK_STR(said(d, "__len__", kin_args()), "1");
    CHECK_STR(said(d, "#GETVALUE", kin_args()), "{'b': 2}");
    CHECK_STR(said(d, "clear", kin_args()), "None");
    CHECK_STR(said(d, "__len__", kin_args()), "0");
    end(d);
}

TEST(a_key_that_is_not_there_is_a_key_error)
{
    served d = with_two();
    CHECK_STR(said(d, "__getitem__", kin_args(kin_str("c"))), "KeyError: 'c'");
    CHECK_STR(said(d, "__delitem__", kin_args(kin_int(7))), "KeyError: 7");
    CHECK_STR(said(d, "pop", kin_args(kin_str("c"))), "KeyError: 'c'");
    CHECK_STR(said(d, "pop", kin_args(kin_str("c"), kin_int(9))), "9");
    CHECK_STR(said(d, "get", kin_args(kin_str("c"))), "None");
    CHECK_STR(said(d, "get", kin_args(kin_str("c"), kin_int(3))), "3");
    CHECK_STR(said_with(d, "get", kin_args(kin_str("c")), kin_dict(kin_str("default"), kin_int(4))),
              "KIN_ETYPE");
    end(d);
}

TEST(what_is_no_key_is_a_type_error)
{
    served d = with_two();
    CHECK_STR(said(d, "__getitem__", kin_args(kin_list())), "KIN_ETYPE");
    CHECK_STR(said(d, "__setitem__", kin_args(kin_dict(), kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(d, "__contains__", kin_args(kin_list())), "KIN_ETYPE");
    CHECK_STR(said(d, "pop", kin_args(kin_list(), kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(d, "copy", kin_args()), "{'a': 1, 'b': 2}");
    end(d);
}

TEST(an_argument_that_is_missing_is_a_type_error)
{
    served d = with_two();
    const char *const methods[] = { "__getitem__", "__setitem__", "__delitem__", "__contains__",
                                    "get",         "pop",         "setdefault",  "__or__" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        CHECK_STR(said(d, methods[i], kin_args()), "KIN_ETYPE");
    }
    CHECK_STR(said(d, "__setitem__", kin_args(kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(d, "copy", kin_args()), "{'a': 1, 'b': 2}");
    end(d);
}

TEST(the_last_item_is_popped_first)
{
    served d = with_two();
    CHECK_STR(said(d, "pop", kin_args(kin_str("a"))), "1");
    CHECK_STR(said(d, "popitem", kin_args()), "('b', 2)");
    CHECK_STR(said(d, "popitem", kin_args()), "KeyError: 'popitem(): dictionary is empty'");
    CHECK_STR(said(d, "setdefault", kin_args(kin_str("x"))), "None");
    CHECK_STR(said(d, "setdefault", kin_args(kin_str("x"), kin_int(1))), "None");
    CHECK_STR(said(d, "setdefault", kin_args(kin_str("y"), kin_int(1))), "1");
    end(d);
}

TEST(views_are_lists_and_iterators_go_over_what_was_there)
{
    served d = with_two();
    CHECK_STR(said(d, "keys", kin_args()), "['a', 'b']");
    CHECK_STR(said(d, "values", kin_args()), "[1, 2]");
    CHECK_STR(said(d, "items", kin_args()), "[('a', 1), ('b', 2)]");
    CHECK_STR(said(d, "__iter__", kin_args()), "'a', 'b', ;");
    CHECK_STR(said(d, "__reversed__", kin_args()), "'b', 'a', ;");
    end(d);
}

TEST(dicts_are_joined_and_updated)
{
    served d = with_two();
    CHECK_STR(said(d, "__or__", kin_args(kin_dict(kin_str("a"), kin_int(9)))), "{'a': 9, 'b': 2}");
    CHECK_STR(
        said(d, "__ror__", kin_args(kin_dict(kin_str("a"), kin_int(9), kin_int(1), kin_none()))),
        "{'a': 1, 1: None, 'b': 2}");
    CHECK_STR(said(d, "__or__", kin_args(kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(d, "__ior__", kin_args(kin_dict(kin_str("c"), kin_int(3)))), "None");
    CHECK_STR(said_with(d, "update", kin_args(kin_list(kin_tuple(kin_str("a"), kin_int(0)))),
                        kin_dict(kin_str("d"), kin_int(4))),
              "None");
    CHECK_STR(said_with(d, "update", kin_args(), kin_dict(kin_str("e"), kin_int(5))), "None");
    CHECK_STR(said(d, "update", kin_args()), "None");
    CHECK_STR(said(d, "copy", kin_args()), "{'a': 0, 'b': 2, 'c': 3, 'd': 4, 'e': 5}");
    CHECK_STR(said(d, "update", kin_args(kin_int(1))), "KIN_ETYPE");
    end(d);
}

TEST(what_only_managers_of_ours_ask_for)
{
    served d = with_two();
    CHECK_STR(said(d, "#ADD", kin_args(kin_str("a"), kin_int(4))), "5");
    CHECK_STR(said(d, "#ADD", kin_args(kin_str("a"), kin_str("x"))), "KIN_ETYPE");
    CHECK_STR(said(d, "#ADD", kin_args(kin_str("a"))), "KIN_ETYPE");
    CHECK_STR(said(d, "#CAS", kin_args(kin_str("a"), kin_int(5), kin_int(6))), "True");
    CHECK_STR(said(d, "#CAS", kin_args(kin_str("a"), kin_int(5), kin_int(7))), "False");
    CHECK_STR(said(d, "#CAS", kin_args(kin_str("c"), kin_int(5), kin_int(7))), "False");
    CHECK_STR(said(d, "#CAS", kin_args(kin_str("c"), kin_int(5))), "KIN_ETYPE");
    CHECK_STR(said(d, "#NEXT", kin_args(kin_int(0))), "(1, 'a', 6)");
    CHECK_STR(said(d, "#NEXT", kin_args(kin_int(1))), "(2, 'b', 2)");
    CHECK_STR(said(d, "#NEXT", kin_args(kin_int(2))), "None");
    CHECK_STR(said(d, "#SETDEFAULT", kin_args(kin_str("n"), kin_int(1))), "(True, 1)");
    CHECK_STR(said(d, "#SETDEFAULT", kin_args(kin_str("n"), kin_int(2))), "(False, 1)");
    CHECK_STR(said(d, "#SETDEFAULT", kin_args(kin_str("n"))), "KIN_ETYPE");
    end(d);
}

TEST(items_come_of_another_shared_dict)
{
    served d = make("dict", kin_args(kin_dict(kin_str("k"), kin_int(2))));
    served copy = make("dict", kin_args(kin_shared(d.thing)));
    CHECK_STR(said(d, "__setitem__", kin_args(kin_int(1), kin_int(3))), "None");
    CHECK_STR(said(copy, "copy", kin_args()), "{'k': 2}");
    CHECK_STR(said(copy, "update", kin_args(kin_shared(d.thing))), "None");
    CHECK_STR(said(copy, "copy", kin_args()), "{'k': 2, 1: 3}");
    end(copy);
    end(d);
}
