#include "unit/obj/pickles.h"

TEST(ints_are_as_short_as_can_be)
{
    check_dump(kin_int(0), 4, "80044b002e");
    check_dump(kin_int(255), 4, "80044bff2e");
    check_dump(kin_int(256), 4, "80044d00012e");
    check_dump(kin_int(65535), 4, "80044dffff2e");
    check_dump(kin_int(65536), 4, "80044a000001002e");
    check_dump(kin_int(-1), 4, "80044affffffff2e");
    check_dump(kin_int(INT32_MAX), 4, "80044affffff7f2e");
    check_dump(kin_int(INT32_MIN), 4, "80044a000000802e");
    check_dump(kin_int((int64_t)INT32_MAX + 1), 4, "80048a0500000080002e");
    check_dump(kin_int((int64_t)INT32_MIN - 1), 4, "80048a05ffffff7fff2e");
    check_dump(kin_int(INT64_MAX), 4, "80048a08ffffffffffffff7f2e");
    check_dump(kin_int(INT64_MIN), 4, "80048a0800000000000000802e");
    uint8_t power[13] = { [12] = 0x10 };
    check_dump(kin_bigint(power, 13, false), 4, "80048a0d000000000000000000000000102e");
    check_dump(kin_bigint(power, 13, true), 4, "80048a0d000000000000000000000000f02e");
    check_dump(kin_bigint("\0\0\0\0\0\0\0\x80", 8, false), 4, "80048a090000000000000080002e");
}

TEST(texts_and_bytes_by_protocol)
{
    check_dump(kin_str("a"), 4, "80048c01612e");
    check_dump(kin_str("a"), 3, "80035801000000612e");
    check_dump(kin_bytes("abc", 3), 4, "800443036162632e");
    check_dump(kin_bytes("", 0), 2, "8002636275696c74696e730a62797465730a29522e");
    check_dump(kin_bytes("\xff", 1), 2,
               "8002635f636f646563730a656e636f64650a5802000000c3bf58060000006c6174696e3186522e");
    check_dump(kin_bytearray("abc", 3), 5, "80059603000000000000006162632e");
    check_dump(kin_bytearray("", 0), 3, "8003636275696c74696e730a6279746561727261790a29522e");
    check_dump(kin_strn("a\xff", 2), 4, "80048c0461edb3bf2e"); /* as os.fsdecode has it */
}

TEST(the_memo_has_what_is_there_twice)
{
    kin_obj s = kin_str("abc");
    check_dump(kin_list(kin_retain(s), s), 4,
               "80045d288c036162639468"
               "00652e");
    kin_obj list = kin_list(kin_int(1));
    check_dump(kin_list(kin_retain(list), list), 2, "80025d285d71004b01616800652e");
    kin_obj t = kin_tuple(kin_none());
    check_dump(kin_tuple(kin_retain(t), t), 4,
               "80044e859468"
               "00862e");
}

TEST(long_texts_have_long_lengths)
{
    for (size_t n = 255; n <= 65537; n += n == 255 ? 1 : 65281) {
        char *text = calloc(1, n + 1);
        memset(text, 'x', n);
        void *data;
        size_t size;
        CHECK_OK(kin_dumps(kin_strn(text, n), &data, &size));
        CHECK_EQ(size, n + (n < 256 ? 2 : 5) + 3);
        kin_obj o;
        CHECK_OK(kin_loads(data, size, &o));
        CHECK_STR(kin_as_str(o), text);
        kin_release(o);
        free(data);
        free(text);
    }
}
