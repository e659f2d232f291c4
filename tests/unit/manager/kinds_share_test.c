/* Values, arrays and namespaces as they are served. */
#include "unit/manager/kinds.h"

TEST(a_value_is_read_and_written)
{
    served v = make("Value", kin_args(kin_str("i"), kin_int(5)));
    CHECK_STR(said(v, "get", kin_args()), "5");
    CHECK_STR(said(v, "set", kin_args(kin_int(-7))), "None");
    CHECK_STR(said(v, "get", kin_args()), "-7");
    CHECK_STR(said(v, "set", kin_args()), "KIN_ETYPE");
    CHECK_STR(said(v, "set", kin_args(kin_str("x"))), "KIN_ETYPE");
    CHECK_CONTAINS(said(v, "set", kin_args(kin_int(INT64_MAX))), "OverflowError: ");
    CHECK_STR(said(v, "get", kin_args()), "-7");
    end(v);
}

TEST(a_type_code_is_one_character_that_is_known)
{
    CHECK_EQ(cannot_make("Value", kin_args(kin_str(""), kin_int(1))), KIN_EINVAL);
    CHECK_EQ(cannot_make("Value", kin_args(kin_str("ii"), kin_int(1))), KIN_EINVAL);
    CHECK_EQ(cannot_make("Value", kin_args(kin_str("i"), kin_list())), KIN_ETYPE);
    CHECK_EQ(cannot_make("Array", kin_args(kin_str("%"), kin_list(kin_int(1)))), KIN_EINVAL);
    CHECK_EQ(cannot_make("Array", kin_args(kin_int(1), kin_list(kin_int(1)))), KIN_ETYPE);
    CHECK_EQ(cannot_make("Array", kin_args()), KIN_ETYPE);
}

TEST(an_array_is_read_and_written_by_item_and_slice)
{
    served a = make("Array", kin_args(kin_str("i"), kin_list(kin_int(1), kin_int(2), kin_int(3))));
    CHECK_STR(said(a, "__len__", kin_args()), "3");
    CHECK_STR(said(a, "__getitem__", kin_args(kin_int(-1))), "3");
    CHECK_STR(said(a, "__setitem__", kin_args(kin_int(0), kin_int(9))), "None");
    CHECK_STR(said(a, "__getitem__", kin_args(kin_slice(kin_none(), kin_none(), kin_none()))),
              "[9, 2, 3]");
    kin_obj part = kin_slice(kin_int(1), kin_int(3), kin_int(1));
    CHECK_STR(said(a, "__getitem__", kin_args(kin_retain(part))), "[2, 3]");
    CHECK_STR(said(a, "__setitem__", kin_args(part, kin_list(kin_int(7), kin_int(8)))), "None");
    CHECK_STR(said(a, "__getitem__", kin_args(kin_slice(kin_int(-2), kin_none(), kin_none()))),
              "[7, 8]");
    end(a);
}

TEST(an_array_has_an_end)
{
    served a = make("Array", kin_args(kin_str("d"), kin_list(kin_float(1))));
    CHECK_STR(said(a, "__getitem__", kin_args(kin_int(1))), "IndexError: array index out of range");
    CHECK_STR(said(a, "__setitem__", kin_args(kin_int(-2), kin_float(1))),
              "IndexError: array index out of range");
    CHECK_STR(said(a, "__getitem__", kin_args(kin_str("x"))), "KIN_ETYPE");
    CHECK_STR(said(a, "__getitem__", kin_args()), "KIN_ETYPE");
    CHECK_STR(said(a, "__setitem__", kin_args(kin_int(0))), "KIN_ETYPE");
    CHECK_STR(said(a, "__getitem__", kin_args(kin_slice(kin_none(), kin_none(), kin_int(2)))),
              "KIN_EUNSUPPORTED");
    end(a);
}

TEST(attributes_are_set_got_and_deleted)
{
    served n = make_with("Namespace", kin_args(), kin_dict(kin_str("x"), kin_int(1)));
    CHECK_STR(said(n, "__getattribute__", kin_args(kin_str("x"))), "1");
    CHECK_STR(said(n, "__setattr__", kin_args(kin_str("y"), kin_list())), "None");
    CHECK_STR(said(n, "__getattribute__", kin_args(kin_str("y"))), "[]");
    CHECK_STR(said(n, "__delattr__", kin_args(kin_str("y"))), "None");
    CHECK_STR(said(n, "__getattribute__", kin_args(kin_str("y"))),
              "AttributeError: 'Namespace' object has no attribute 'y'");
    CHECK_CONTAINS(said(n, "__delattr__", kin_args(kin_str("y"))), "AttributeError: ");
    CHECK_STR(said(n, "__getattribute__", kin_args()), "KIN_ETYPE");
    CHECK_STR(said(n, "__setattr__", kin_args(kin_str("y"))), "KIN_ETYPE");
    CHECK_STR(said(n, "__setattr__", kin_args(kin_int(1), kin_int(1))), "KIN_ETYPE");
    end(n);
}

TEST(a_number_that_does_not_fit_is_an_overflow_and_no_index_error)
{
    served v = make("Value", kin_args(kin_str("b"), kin_int(1)));
    served a = make("Array", kin_args(kin_str("b"), kin_list(kin_int(1))));
    CHECK_CONTAINS(said(v, "set", kin_args(kin_int(300))), "OverflowError: ");
    CHECK_CONTAINS(said(a, "__setitem__", kin_args(kin_int(0), kin_int(300))), "OverflowError: ");
    CHECK_CONTAINS(said(a, "__setitem__", kin_args(kin_int(-2), kin_int(1))), "IndexError: ");
    CHECK_CONTAINS(said(a, "__setitem__", kin_args(kin_int(1), kin_int(300))), "IndexError: ");
    CHECK_STR(said(a, "__getitem__", kin_args(kin_int(-1))), "1");
    end(v);
    end(a);
}
