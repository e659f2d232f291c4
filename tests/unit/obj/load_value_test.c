#include "unit/obj/pickles.h"

TEST(ints_of_any_width_are_what_they_are)
{
    CHECK_LOADS("\x8a\0.", "0");
    CHECK_LOADS("\x8a\1\xff.", "-1");
    CHECK_LOADS("\x8a\3\1\0\0.", "1");
    CHECK_LOADS("\x8a\x9\xff\xff\xff\xff\xff\xff\xff\xff\xff.", "-1");
    CHECK_LOADS("\x8a\x9\0\0\0\0\0\0\0\x80\0.", "9223372036854775808");
    CHECK_LOADS("\x8a\x8\0\0\0\0\0\0\0\x80.", "-9223372036854775808");
    CHECK_LOADS("\x8a\x9\xff\xff\xff\xff\xff\xff\xff\x7f\xff.", "-9223372036854775809");
    CHECK_LOADS("\x8a\x9\0\0\0\0\0\0\0\0\xff.", "-18446744073709551616");
    CHECK_LOADS("\x8b\2\0\0\0\0\1.", "256");
}

TEST(a_str_has_to_be_utf8)
{
    CHECK_REFUSED("\x8c\1\xff.", KIN_ECORRUPT, "no UTF-8");
    CHECK_REFUSED("\x8c\x9"
                  "abcdefgh\xc3.",
                  KIN_ECORRUPT, "no UTF-8");
    CHECK_REFUSED("\x8c\x10"
                  "\xff"
                  "bcdefghijklmnop.",
                  KIN_ECORRUPT, "no UTF-8");
    CHECK_REFUSED("X\2\0\0\0\xc0\x80.", KIN_ECORRUPT, "no UTF-8");
    CHECK_LOADS("X\3\0\0\0\xed\xa0\x80.", "'\\ud800'");
}

TEST(arrays_become_lists)
{
    CHECK_LOADS("carray\narray\nX\1\0\0\0bC\2\xff\2\x86R.", "[-1, 2]");
    CHECK_LOADS("carray\narray\nX\1\0\0\0BC\2\xff\2\x86R.", "[255, 2]");
    CHECK_LOADS("carray\narray\nX\1\0\0\0HC\4\xff\xff\1\0\x86R.", "[65535, 1]");
    CHECK_LOADS("carray\narray\nX\1\0\0\0QC\10\xff\xff\xff\xff\xff\xff\xff\xff\x86R.",
                "[18446744073709551615]");
    CHECK_LOADS("carray\narray\nX\1\0\0\0qC\10\xff\xff\xff\xff\xff\xff\xff\xff\x86R.", "[-1]");
    CHECK_LOADS("carray\narray\nX\1\0\0\0fC\4\0\0\xc0\x3f\x86R.", "[1.5]");
    CHECK_LOADS("carray\narray\nX\1\0\0\0dC\10\0\0\0\0\0\0\xf8\x3f\x86R.", "[1.5]");
    CHECK_REFUSED("carray\narray\nX\1\0\0\0uC\4\0\0\0\0\x86R.", KIN_EUNSUPPORTED, "array");
}
