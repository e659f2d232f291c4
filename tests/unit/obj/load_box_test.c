#include "unit/obj/pickles.h"

TEST(the_last_of_equal_keys_counts_and_the_first_is_kept)
{
    CHECK_LOADS("}(K\1\x8c\1aK\2\x8c\1bG\x3f\xf0\0\0\0\0\0\0\x8c\1cu.", "{1: 'c', 2: 'b'}");
    CHECK_LOADS("\x8f(K\1\x88K\2\x90.", "{1, 2}");
    /* what was replaced may be in the memo still */
    CHECK_LOADS("](}(K\1]q\0K\1Nuh\0e.", "[{1: None}, []]");
}

TEST(what_is_missing_on_the_stack_is_told)
{
    static const char *const all[] = { ".",    "a",     "Na",   "]a",    "e",    "Ne",
                                       "(e",   "](a.",  "s",    "N}s",   "u",    "(u",
                                       "\x85", "N\x86", "t",    "0",     "1",    "R",
                                       "NR",   "\x81",  "b",    "Nb",    "q",    "\x94",
                                       "\x93", "N(.",   "\x90", "(\x90", "\x91", "]N(0a(a" };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        kin_obj o = kin_int(7);
        CHECK_ERROR(kin_loads(all[i], strlen(all[i]) + (all[i][0] == 'q'), &o), KIN_ECORRUPT);
        CHECK_EQ(kin_as_int(o), 7);
    }
    CHECK_REFUSED("Na.", KIN_ECORRUPT, "too little on the stack");
    CHECK_REFUSED("}K\1a.", KIN_ECORRUPT, "APPEND (0x61) at byte 3: a dict is not a list");
    CHECK_REFUSED("](K\1u.", KIN_ECORRUPT, "a list is not a dict");
    CHECK_REFUSED("}(K\1u.", KIN_ECORRUPT, "a key without a value");
    CHECK_REFUSED("(\x91(K\1\x90.", KIN_ECORRUPT, "a frozenset is not a set");
    CHECK_REFUSED("h\0.", KIN_ECORRUPT, "BINGET (0x68) at byte 0: nothing was put at 0");
    CHECK_REFUSED("Nj\1\0\0\0.", KIN_ECORRUPT, "nothing was put at 1");
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
