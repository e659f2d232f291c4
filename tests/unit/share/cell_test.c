#include "harness.h"
#include "share/room.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <wchar.h>

static const char codes[] = "bBhHiIlLqQfd?cuw";

/* Packs, and gives the object away. */
static int pack(char code, kin_obj o, uint64_t *ret_bits)
{
    int rv = kin__share_pack(code, o, "test", ret_bits);
    kin_release(o);
    return rv;
}

static int refused(char code, kin_obj o)
{
    uint64_t bits = 4711;
    int rv = pack(code, o, &bits);
    CHECK_EQ(bits, 4711);
    return rv;
}

/* There, into memory, and back again. */
static kin_obj through(char code, kin_obj o)
{
    uint64_t bits = 0, memory[2] = { UINT64_MAX, UINT64_MAX };
    CHECK_OK(pack(code, o, &bits));
    size_t size = kin__share_size(code);
    kin__share_store(memory, size, bits);
    CHECK_EQ(((unsigned char *)memory)[size], 0xff); /* and not a byte more */
    return kin__share_unpack(code, kin__share_load(memory, size));
}

#define STAYS(code, o)                                                                             \
    do {                                                                                           \
        kin_obj there = (o), back = through(code, kin_retain(there));                              \
        char *was = kin_repr(there), *is = kin_repr(back);                                         \
        CHECK_STR(is, was);                                                                        \
        free(was);                                                                                 \
        free(is);                                                                                  \
        kin_release(there);                                                                        \
        kin_release(back);                                                                         \
    } while (0)

TEST(codes_have_the_sizes_of_their_c_types)
{
    static const size_t sizes[] = {
        1, 1, 2, 2, 4, 4, sizeof(long), sizeof(long), 8, 8, 4, 8, sizeof(bool), 1, sizeof(wchar_t),
        4
    };
    for (size_t i = 0; codes[i] != '\0'; i++) {
        CHECK_EQ(kin__share_size(codes[i]), sizes[i]);
    }
    for (int c = 0; c < 256; c++) {
        if (strchr(codes, c) == NULL || c == 0) {
            CHECK_EQ(kin__share_size((char)c), 0);
        }
    }
}

TEST(ints_keep_their_ends)
{
    static const struct {
        char code;
        int64_t least, most;
    } ends[] = { { 'b', SCHAR_MIN, SCHAR_MAX }, { 'B', 0, UCHAR_MAX },
                 { 'h', SHRT_MIN, SHRT_MAX },   { 'H', 0, USHRT_MAX },
                 { 'i', INT_MIN, INT_MAX },     { 'I', 0, UINT_MAX } };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        STAYS(ends[i].code, kin_int(ends[i].least));
        STAYS(ends[i].code, kin_int(ends[i].most));
        STAYS(ends[i].code, kin_int(0));
        CHECK_ERROR(refused(ends[i].code, kin_int(ends[i].least - 1)), KIN_ERANGE);
        CHECK_ERROR(refused(ends[i].code, kin_int(ends[i].most + 1)), KIN_ERANGE);
    }
    for (const char *c = "lq"; *c != '\0'; c++) {
        STAYS(*c, kin_int(INT64_MIN));
        STAYS(*c, kin_int(INT64_MAX));
        CHECK_ERROR(refused(*c, kin_bigint("\0\0\0\0\0\0\0\x80", 8, false)), KIN_ERANGE);
        CHECK_ERROR(refused(*c, kin_bigint("\1\0\0\0\0\0\0\x80", 8, true)), KIN_ERANGE);
    }
    for (const char *c = "LQ"; *c != '\0'; c++) {
        STAYS(*c, kin_bigint("\xff\xff\xff\xff\xff\xff\xff\xff", 8, false));
        STAYS(*c, kin_int(0));
        CHECK_ERROR(refused(*c, kin_int(-1)), KIN_ERANGE);
        CHECK_ERROR(refused(*c, kin_bigint("\0\0\0\0\0\0\0\0\1", 9, false)), KIN_ERANGE);
    }
    STAYS('i', kin_int(-2));
    kin_obj one = through('i', kin_bool(true));
    CHECK_EQ(kin_as_int(one), 1);
}

TEST(floats_keep_their_value_or_are_refused)
{
    STAYS('d', kin_float(-DBL_MAX));
    STAYS('d', kin_float(INFINITY));
    STAYS('d', kin_float(NAN));
    STAYS('d', kin_float(-0.0));
    STAYS('f', kin_float(1.5));
    STAYS('f', kin_float((double)FLT_MAX));
    STAYS('f', kin_float(-INFINITY));
    STAYS('f', kin_float(NAN));
    CHECK_ERROR(refused('f', kin_float(1e39)), KIN_ERANGE);
    CHECK_FLOAT(kin_as_float(through('d', kin_int(3))), 3.0);
    CHECK_FLOAT(kin_as_float(through('f', kin_float(0.1))), (double)0.1f);
}

TEST(a_bool_a_char_and_a_character)
{
    STAYS('?', kin_bool(true));
    STAYS('?', kin_bool(false));
    CHECK_ERROR(refused('?', kin_int(2)), KIN_ERANGE);
    STAYS('c', kin_bytes("\0", 1));
    STAYS('c', kin_bytes("\xff", 1));
    CHECK_ERROR(refused('c', kin_bytes("ab", 2)), KIN_ERANGE);
    CHECK_ERROR(refused('c', kin_bytes("", 0)), KIN_ERANGE);
    STAYS('u', kin_str("a"));
    STAYS('u', kin_str("\xc3\xa9"));
    STAYS('u', kin_str("\xe4\xba\xba"));
    STAYS('u', kin_str("\xf0\x9f\x98\x80"));
    STAYS('u', kin_strn("\0", 1));
    STAYS('w', kin_str("\xf0\x9f\x98\x80"));
    CHECK_ERROR(refused('u', kin_str("ab")), KIN_ERANGE);
    CHECK_ERROR(refused('u', kin_str("")), KIN_ERANGE);
    CHECK_ERROR(kin_error_code(kin__share_unpack('u', 0x110000)), KIN_ERANGE);
}

TEST(what_is_of_another_type_is_refused)
{
    for (size_t i = 0; codes[i] != '\0'; i++) {
        CHECK_ERROR(refused(codes[i], kin_list()), KIN_ETYPE);
        CHECK_ERROR(refused(codes[i], kin_none()), KIN_ETYPE);
        CHECK_ERROR(refused(codes[i], (kin_obj){ 0 }), KIN_EINVAL);
        CHECK_ERROR(refused(codes[i], strchr("uw", codes[i]) ? kin_bytes("a", 1) : kin_str("a")),
                    KIN_ETYPE);
    }
    CHECK_ERROR(refused('i', kin_float(1)), KIN_ETYPE);
    CHECK_CONTAINS(kin_errmsg(), "test: an item of type 'i' is an int");
}

TEST(text_that_is_not_utf_8_has_no_characters)
{
    static const char *const bad[] = {
        "\x80",     "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xc3",
        "\xe4\xba", "\xc3(",    "\xff",         "\xf8\x88\x80\x80"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t pos = 0;
        CHECK_EQ(kin__share_next_char(bad[i], strlen(bad[i]), &pos), -1);
    }
    for (uint32_t c = 0; c <= 0x10FFFF; c += c < 0x1000 ? 1 : 97) {
        char utf8[4];
        size_t pos = 0, size = kin__share_put_char(c, utf8);
        CHECK_EQ(kin__share_next_char(utf8, size, &pos), (int32_t)c);
        CHECK_EQ(pos, size);
    }
}
