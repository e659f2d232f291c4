#include "unit/obj/pickles.h"

TEST(what_is_popped_is_gone)
{
    CHECK_LOADS("K\1N0.", "1");
    CHECK_LOADS("K\1(0.", "1"); /* a mark is popped, too */
    CHECK_LOADS("K\1(K\2]1.", "1");
    CHECK_LOADS("(K\1(K\2tK\3t.", "(1, (2,), 3)");
}

TEST(the_memo_has_what_was_popped)
{
    CHECK_LOADS("]q\0020h\2.", "[]");
    CHECK_LOADS("K\5r\7\0\0\0000j\7\0\0\0.", "5");
    CHECK_LOADS("K\5\224K\6\22400h\0h\1\206.", "(5, 6)");
    CHECK_LOADS("K\5q\0K\6q\00000h\0.", "6"); /* the last who was put there */
    CHECK_REFUSED("K\5q", KIN_ECORRUPT, "BINPUT (0x71) at byte 2");
    CHECK_REFUSED("K\5r\0\0\0", KIN_ECORRUPT, "LONG_BINPUT (0x72) at byte 2");
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
    CHECK_REFUSED("h\0.", KIN_ECORRUPT, "BINGET (0x68) at byte 0: nothing was put at 0");
    CHECK_REFUSED("Nj\1\0\0\0.", KIN_ECORRUPT, "nothing was put at 1");
}
