#include "unit/obj/pickles.h"

TEST(the_last_of_equal_keys_counts_and_the_first_is_kept)
{
    CHECK_LOADS("}(K\1\x8c\1aK\2\x8c\1bG\x3f\xf0\0\0\0\0\0\0\x8c\1cu.", "{1: 'c', 2: 'b'}");
    CHECK_LOADS("\x8f(K\1\x88K\2\x90.", "{1, 2}");
    /* what was replaced may be in the memo still */
    CHECK_LOADS("](}(K\1]q\0K\1Nuh\0e.", "[{1: None}, []]");
}

TEST(what_does_not_fit_into_a_box_is_told)
{
    CHECK_REFUSED("}K\1a.", KIN_ECORRUPT, "APPEND (0x61) at byte 3: a dict is not a list");
    CHECK_REFUSED("](K\1u.", KIN_ECORRUPT, "a list is not a dict");
    CHECK_REFUSED("}(K\1u.", KIN_ECORRUPT, "a key without a value");
    CHECK_REFUSED("(\x91(K\1\x90.", KIN_ECORRUPT, "a frozenset is not a set");
}

TEST(what_cannot_be_a_key_is_told)
{
    CHECK_REFUSED("}]Ns.", KIN_ETYPE, "SETITEM (0x73) at byte 3: a list cannot be a key");
    CHECK_REFUSED("}}Ns.", KIN_ETYPE, "a dict cannot be a key");
    CHECK_REFUSED("}\x8fNs.", KIN_ETYPE, "a set cannot be a key");
    CHECK_REFUSED("}]\x85Ns.", KIN_ETYPE, "a tuple cannot be a key");
    CHECK_REFUSED("\x8f(\x96\1\0\0\0\0\0\0\0a\x90.", KIN_ETYPE, "a bytearray cannot be a key");
    CHECK_LOADS("}(K\1\x91Ns.", "{frozenset({1}): None}");
}

TEST(ten_thousand_levels_are_fine_and_more_are_told)
{
    CHECK_OK(load_many("N", "\x85", 10000, "."));
    CHECK_ERROR(load_many("N", "\x85", 10001, "."), KIN_ERANGE);
    CHECK_OK(load_many("", "]", 5000, "."));
    /* exceptions of tuples of exceptions */
    CHECK_OK(load_many("cbuiltins\nValueError\nqa)", "qb0hahbR\x85", 4999, "."));
    CHECK_ERROR(load_many("cbuiltins\nValueError\nqa)", "qb0hahbR\x85", 5001, "."), KIN_ERANGE);
}
