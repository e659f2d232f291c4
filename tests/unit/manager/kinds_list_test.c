/* Lists as they are served: what Python's list says. */
#include "unit/manager/kinds.h"

static served with(int n)
{
    return make("list", kin_args(kin_range(0, n)));
}

static kin_obj slice(int64_t from, int64_t to, int64_t step)
{
    return kin_slice(kin_int(from), kin_int(to), step == 0 ? kin_none() : kin_int(step));
}

TEST(a_list_is_made_of_a_list_or_a_tuple)
{
    served empty = make("list", kin_args());
    served tuple = make("list", kin_args(kin_tuple(kin_int(1), kin_str("x"))));
    CHECK_STR(said(empty, "copy", kin_args()), "[]");
    CHECK_STR(said(tuple, "#GETVALUE", kin_args()), "[1, 'x']");
    CHECK_EQ(cannot_make("list", kin_args(kin_int(1))), KIN_ETYPE);
    end(empty);
    end(tuple);
}

TEST(items_are_read_written_and_taken_out)
{
    served l = with(5);
    CHECK_STR(said(l, "__getitem__", kin_args(kin_int(-1))), "4");
    CHECK_STR(said(l, "__setitem__", kin_args(kin_int(0), kin_str("a"))), "None");
    CHECK_STR(said(l, "__delitem__", kin_args(kin_int(1))), "None");
    CHECK_STR(said(l, "pop", kin_args()), "4");
    CHECK_STR(said(l, "pop", kin_args(kin_int(0))), "'a'");
    CHECK_STR(said(l, "insert", kin_args(kin_int(1), kin_str("b"))), "None");
    CHECK_STR(said(l, "append", kin_args(kin_list(kin_int(1)))), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[2, 'b', 3, [1]]");
    CHECK_STR(said(l, "__len__", kin_args()), "4");
    CHECK_STR(said(l, "clear", kin_args()), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[]");
    end(l);
}

TEST(beyond_the_ends_is_an_index_error)
{
    served l = with(2);
    CHECK_STR(said(l, "__getitem__", kin_args(kin_int(2))), "IndexError: list index out of range");
    CHECK_STR(said(l, "__getitem__", kin_args(kin_int(-3))), "IndexError: list index out of range");
    CHECK_STR(said(l, "__setitem__", kin_args(kin_int(2), kin_none())),
              "IndexError: list assignment index out of range");
    CHECK_STR(said(l, "__delitem__", kin_args(kin_int(2))),
              "IndexError: list assignment index out of range");
    CHECK_CONTAINS(said(l, "pop", kin_args(kin_int(9))), "IndexError: ");
    CHECK_STR(said(l, "insert", kin_args(kin_int(99), kin_int(2))), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[0, 1, 2]");
    end(l);
}

TEST(an_argument_that_is_missing_or_no_index_is_a_type_error)
{
    served l = with(2);
    const char *const methods[] = { "__getitem__", "__setitem__", "__delitem__", "__contains__",
                                    "append",      "extend",      "insert",      "remove",
                                    "count",       "index",       "__add__",     "__mul__",
                                    "__imul__" };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        CHECK_STR(said(l, methods[i], kin_args()), "KIN_ETYPE");
    }
    CHECK_STR(said(l, "__getitem__", kin_args(kin_str("x"))), "KIN_ETYPE");
    CHECK_STR(said(l, "insert", kin_args(kin_str("x"), kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(l, "__setitem__", kin_args(kin_int(0))), "KIN_ETYPE");
    CHECK_STR(said(l, "extend", kin_args(kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(l, "copy", kin_args()), "[0, 1]");
    end(l);
}

TEST(slices_are_read_replaced_and_taken_out)
{
    served l = with(6);
    CHECK_STR(said(l, "__getitem__", kin_args(slice(1, 3, 0))), "[1, 2]");
    CHECK_STR(said(l, "__getitem__", kin_args(slice(5, 0, -2))), "[5, 3, 1]");
    CHECK_STR(said(l, "__setitem__", kin_args(slice(0, 2, 0), kin_list(kin_str("a")))), "None");
    CHECK_STR(said(l, "__delitem__", kin_args(slice(1, 3, 0))), "None");
    CHECK_STR(said(l, "copy", kin_args()), "['a', 4, 5]");
    CHECK_STR(said(l, "__setitem__", kin_args(slice(0, 3, 2), kin_list(kin_int(1)))),
              "ValueError: attempt to assign sequence of another size to extended slice");
    CHECK_STR(said(l, "__setitem__", kin_args(slice(0, 1, 0), kin_int(1))), "KIN_ETYPE");
    CHECK_STR(said(l, "__getitem__", kin_args(kin_slice(kin_str("x"), kin_none(), kin_none()))),
              "KIN_ETYPE");
    CHECK_STR(said(l, "copy", kin_args()), "['a', 4, 5]");
    end(l);
}

TEST(values_are_found_counted_and_removed)
{
    served l = make("list", kin_args(kin_list(kin_int(1), kin_int(2), kin_int(1), kin_str("x"))));
    CHECK_STR(said(l, "__contains__", kin_args(kin_int(2))), "True");
    CHECK_STR(said(l, "__contains__", kin_args(kin_int(3))), "False");
    CHECK_STR(said(l, "count", kin_args(kin_int(1))), "2");
    CHECK_STR(said(l, "index", kin_args(kin_int(1))), "0");
    CHECK_STR(said(l, "index", kin_args(kin_int(1), kin_int(1))), "2");
    CHECK_STR(said(l, "index", kin_args(kin_int(1), kin_int(-2))), "2");
    CHECK_STR(said(l, "index", kin_args(kin_int(1), kin_int(1), kin_int(2))),
              "ValueError: 1 is not in list");
    CHECK_STR(said(l, "index", kin_args(kin_str("y"))), "ValueError: 'y' is not in list");
    CHECK_STR(said(l, "remove", kin_args(kin_int(1))), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[2, 1, 'x']");
    CHECK_STR(said(l, "remove", kin_args(kin_int(9))), "ValueError: list.remove(x): x not in list");
    end(l);
}

TEST(a_list_is_extended_repeated_and_turned_around)
{
    served l = with(2);
    CHECK_STR(said(l, "extend", kin_args(kin_tuple(kin_int(7)))), "None");
    CHECK_STR(said(l, "__iadd__", kin_args(kin_list(kin_int(8)))), "None");
    CHECK_STR(said(l, "reverse", kin_args()), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[8, 7, 1, 0]");
    CHECK_STR(said(l, "__imul__", kin_args(kin_int(2))), "None");
    CHECK_STR(said(l, "__len__", kin_args()), "8");
    CHECK_STR(said(l, "__imul__", kin_args(kin_int(0))), "None");
    CHECK_STR(said(l, "__len__", kin_args()), "0");
    end(l);
}

TEST(a_sort_knows_backwards_and_no_function)
{
    served l = make("list", kin_args(kin_list(kin_int(2), kin_float(1), kin_int(3), kin_int(1))));
    CHECK_STR(said(l, "sort", kin_args()), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[1.0, 1, 2, 3]"); /* what is equal stays in its order */
    CHECK_STR(said_with(l, "sort", kin_args(), kin_dict(kin_str("reverse"), kin_bool(true))),
              "None");
    CHECK_STR(said(l, "copy", kin_args()), "[3, 2, 1.0, 1]");
    CHECK_STR(said_with(l, "sort", kin_args(), kin_dict(kin_str("key"), kin_int(1))),
              "KIN_EUNSUPPORTED");
    CHECK_STR(said(l, "append", kin_args(kin_str("x"))), "None");
    CHECK_STR(said(l, "sort", kin_args()), "KIN_ETYPE");
    CHECK_STR(said_with(l, "sort", kin_args(), kin_dict(kin_str("reverse"), kin_bool(true))),
              "KIN_ETYPE");
    CHECK_STR(said(l, "copy", kin_args()), "[3, 2, 1.0, 1, 'x']");
    end(l);
}

TEST(plain_lists_come_of_sums_and_products)
{
    served l = with(2);
    CHECK_STR(said(l, "__add__", kin_args(kin_list(kin_str("x")))), "[0, 1, 'x']");
    CHECK_STR(said(l, "__add__", kin_args(kin_tuple())), "KIN_ETYPE");
    CHECK_STR(said(l, "__mul__", kin_args(kin_int(2))), "[0, 1, 0, 1]");
    CHECK_STR(said(l, "__rmul__", kin_args(kin_int(-1))), "[]");
    CHECK_STR(said(l, "__reversed__", kin_args()), "[1, 0]");
    CHECK_STR(said(l, "__mul__", kin_args(kin_int(INT64_MAX))), "KIN_ERANGE");
    CHECK_STR(said(l, "__mul__", kin_args(kin_int(1 << 24))), "KIN_ERANGE");
    CHECK_STR(said(l, "copy", kin_args()), "[0, 1]");
    end(l);
}

TEST(what_only_managers_of_ours_ask_for)
{
    served l = with(3);
    CHECK_STR(said(l, "#ADD", kin_args(kin_int(-1), kin_int(4))), "6");
    CHECK_CONTAINS(said(l, "#ADD", kin_args(kin_int(3), kin_int(4))), "IndexError: ");
    CHECK_STR(said(l, "#ADD", kin_args(kin_int(0))), "KIN_ETYPE");
    CHECK_STR(said(l, "#CAS", kin_args(kin_int(2), kin_int(6), kin_str("x"))), "True");
    CHECK_STR(said(l, "#CAS", kin_args(kin_int(2), kin_int(6), kin_int(7))), "False");
    CHECK_CONTAINS(said(l, "#CAS", kin_args(kin_int(9), kin_int(6), kin_int(7))), "IndexError: ");
    CHECK_STR(said(l, "copy", kin_args()), "[0, 1, 'x']");
    end(l);
}

TEST(items_come_of_all_that_has_some)
{
    served l = make("list", kin_args(kin_set(kin_int(1))));
    served d = make("dict", kin_args(kin_dict(kin_str("k"), kin_int(2))));
    served queue = make("Queue", kin_args());
    CHECK_STR(said(l, "extend", kin_args(kin_dict(kin_int(2), kin_none()))), "None");
    CHECK_STR(said(l, "extend", kin_args(kin_shared(d.thing))), "None");
    CHECK_STR(said(l, "extend", kin_args(kin_shared(l.thing))), "None");
    CHECK_STR(said(l, "copy", kin_args()), "[1, 2, 'k', 1, 2, 'k']");
    CHECK_STR(said(l, "__setitem__",
                   kin_args(kin_slice(kin_int(1), kin_none(), kin_none()), kin_shared(d.thing))),
              "None");
    CHECK_STR(said(l, "copy", kin_args()), "[1, 'k']");
    served copy = make("list", kin_args(kin_shared(l.thing)));
    CHECK_STR(said(copy, "copy", kin_args()), "[1, 'k']");
    CHECK_STR(said(l, "extend", kin_args(kin_shared(queue.thing))), "KIN_ETYPE");
    CHECK_STR(said(l, "extend", kin_args(kin_int(5))), "KIN_ETYPE");
    end(copy);
    end(queue);
    end(d);
    end(l);
}
