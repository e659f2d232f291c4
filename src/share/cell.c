/* cell.c - one item of a C type: from an object, to an object, and in and out of memory.
 *
 * Everything but a struct fits 8 bytes. So an item is one number, which is checked before it is
 * written, and read and written by one instruction: nobody sees half of it. */
#include "room.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include <wchar.h>

enum form { NONE, SIGNED, UNSIGNED, TRUTH, REAL, LETTER, CHARACTER };

/* The one table of type codes: code, C type, form. */
#define CODES(X)                                                                                   \
    X('b', signed char, SIGNED)                                                                    \
    X('B', unsigned char, UNSIGNED)                                                                \
    X('h', short, SIGNED)                                                                          \
    X('H', unsigned short, UNSIGNED)                                                               \
    X('i', int, SIGNED)                                                                            \
    X('I', unsigned int, UNSIGNED)                                                                 \
    X('l', long, SIGNED)                                                                           \
    X('L', unsigned long, UNSIGNED)                                                                \
    X('q', long long, SIGNED)                                                                      \
    X('Q', unsigned long long, UNSIGNED)                                                           \
    X('f', float, REAL)                                                                            \
    X('d', double, REAL)                                                                           \
    X('?', bool, TRUTH)                                                                            \
    X('c', char, LETTER)                                                                           \
    X('u', wchar_t, CHARACTER)                                                                     \
    X('w', uint32_t, CHARACTER)

size_t kin__share_size(char code)
{
    switch (code) {
#define CASE(letter, type, form)                                                                   \
    case letter:                                                                                   \
        return sizeof(type);
        CODES(CASE)
#undef CASE
    default:
        return 0;
    }
}

static enum form form_of(char code)
{
    switch (code) {
#define CASE(letter, type, form)                                                                   \
    case letter:                                                                                   \
        return form;
        CODES(CASE)
#undef CASE
    default:
        return NONE;
    }
}

bool kin__share_is_character(char code)
{
    return form_of(code) == CHARACTER;
}

/* ---- from an object ----------------------------------------------------------------- */

static int wrong_type(const char *verb, char code, const char *wanted)
{
    return kin__fail(KIN_ETYPE, "%s: an item of type '%c' is %s", verb, code, wanted);
}

static int out_of_range(const char *verb, char code, const char *what)
{
    return kin__fail(KIN_ERANGE, "%s: %s does not fit an item of type '%c'", verb, what, code);
}

/* `most` is the greatest one; the least is 0, or as far below it as two's complement goes. */
static int pack_int(kin_obj o, uint64_t most, bool is_signed, uint64_t *ret_bits)
{
    uint8_t bytes[8];
    bool negative;
    int n = kin_to_bigint(o, bytes, sizeof bytes, &negative);
    if (n < 0) {
        return n == KIN_EBUFTOOSHORT ? KIN_ERANGE : n;
    }
    uint64_t magnitude = 0;
    while (n > 0) {
        magnitude = magnitude << 8 | bytes[--n];
    }
    if (magnitude > most + (is_signed && negative) || (negative && !is_signed)) {
        return KIN_ERANGE;
    }
    *ret_bits = negative ? 0 - magnitude : magnitude;
    return 0;
}

static int pack_real(kin_obj o, size_t size, uint64_t *ret_bits)
{
    double value;
    int rv = kin_to_float(o, &value);
    if (rv < 0) {
        return rv;
    }
    if (size == sizeof value) {
        memcpy(ret_bits, &value, sizeof value);
        return 0;
    }
    if (!isinf(value) && fabs(value) > (double)FLT_MAX) {
        return KIN_ERANGE;
    }
    float less = (float)value;
    uint32_t bits;
    memcpy(&bits, &less, sizeof bits);
    *ret_bits = bits;
    return 0;
}

static int pack_letter(kin_obj o, const char *verb, uint64_t *ret_bits)
{
    const void *data;
    size_t size;
    if (kin_type_of(o) != KIN_TYPE_BYTES || kin_to_bytes(o, &data, &size) < 0) {
        return wrong_type(verb, 'c', "one byte of bytes");
    }
    if (size != 1) {
        return kin__fail(KIN_ERANGE, "%s: %zu bytes for an item of type 'c', which has one", verb,
                         size);
    }
    *ret_bits = *(const uint8_t *)data;
    return 0;
}

static int pack_character(char code, kin_obj o, const char *verb, uint64_t *ret_bits)
{
    const char *text;
    size_t pos = 0;
    if (kin_type_of(o) != KIN_TYPE_STR || kin_to_str(o, &text) < 0) {
        return wrong_type(verb, code, "a str of one character");
    }
    int32_t character = kin__share_next_char(text, kin_len(o), &pos);
    if (character < 0 || pos != kin_len(o)) {
        return out_of_range(verb, code, "what is not one character of UTF-8");
    }
    *ret_bits = (uint32_t)character;
    return 0;
}

int kin__share_pack(char code, kin_obj o, const char *verb, uint64_t *ret_bits)
{
    size_t size = kin__share_size(code);
    uint64_t most = size >= 8 ? UINT64_MAX : ((uint64_t)1 << size * 8) - 1;
    const char *wanted = "an int";
    int rv = kin__obj_check(o, verb);
    if (rv < 0) {
        return rv;
    }
    switch (form_of(code)) {
    case LETTER:
        return pack_letter(o, verb, ret_bits);
    case CHARACTER:
        return pack_character(code, o, verb, ret_bits);
    case REAL:
        rv = pack_real(o, size, ret_bits);
        wanted = "a float or int";
        break;
    case TRUTH:
        rv = pack_int(o, 1, false, ret_bits);
        wanted = "a bool, 0 or 1";
        break;
    case SIGNED:
        rv = pack_int(o, most / 2, true, ret_bits);
        break;
    default:
        rv = pack_int(o, most, false, ret_bits);
    }
    if (rv == KIN_ETYPE) {
        return wrong_type(verb, code, wanted);
    }
    return rv == KIN_ERANGE ? out_of_range(verb, code, "the number") : rv;
}

/* ---- to an object ------------------------------------------------------------------- */

static kin_obj unpack_int(uint64_t bits, size_t size)
{
    unsigned spare = 64 - 8 * (unsigned)size;
    uint64_t sign = (uint64_t)1 << (63 - spare);
    return kin_int((int64_t)((bits ^ sign) - sign)); /* the sign goes up to the top */
}

static kin_obj unpack_real(uint64_t bits, size_t size)
{
    if (size == sizeof(double)) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return kin_float(value);
    }
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return kin_float((double)value);
}

static kin_obj unpack_character(uint64_t bits)
{
    char utf8[4];
    size_t size = kin__share_put_char((uint32_t)bits, utf8);
    if (size == 0) {
        return kin__obj_invalid(
            kin__fail(KIN_ERANGE, "%#x is no character of Unicode", (unsigned)bits));
    }
    return kin_strn(utf8, size);
}

kin_obj kin__share_unpack(char code, uint64_t bits)
{
    size_t size = kin__share_size(code);
    char letter = (char)bits;
    uint8_t bytes[8];
    switch (form_of(code)) {
    case LETTER:
        return kin_bytes(&letter, 1);
    case CHARACTER:
        return unpack_character(bits);
    case REAL:
        return unpack_real(bits, size);
    case TRUTH:
        return kin_bool(bits != 0);
    case SIGNED:
        return unpack_int(bits, size);
    default:
        break;
    }
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(bits >> 8 * i);
    }
    return kin_bigint(bytes, 8, false);
}

/* ---- in memory ---------------------------------------------------------------------- */

uint64_t kin__share_load(const void *at, size_t size)
{
    switch (size) {
    case 1:
        return atomic_load_explicit((const _Atomic uint8_t *)at, memory_order_relaxed);
    case 2:
        return atomic_load_explicit((const _Atomic uint16_t *)at, memory_order_relaxed);
    case 4:
        return atomic_load_explicit((const _Atomic uint32_t *)at, memory_order_relaxed);
    default:
        return atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed);
    }
}

void kin__share_store(void *at, size_t size, uint64_t bits)
{
    switch (size) {
    case 1:
        atomic_store_explicit((_Atomic uint8_t *)at, (uint8_t)bits, memory_order_relaxed);
        break;
    case 2:
        atomic_store_explicit((_Atomic uint16_t *)at, (uint16_t)bits, memory_order_relaxed);
        break;
    case 4:
        atomic_store_explicit((_Atomic uint32_t *)at, (uint32_t)bits, memory_order_relaxed);
        break;
    default:
        atomic_store_explicit((_Atomic uint64_t *)at, bits, memory_order_relaxed);
    }
}

/* ---- characters --------------------------------------------------------------------- */

int32_t kin__share_next_char(const char *text, size_t size, size_t *pos)
{
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *at = (const unsigned char *)text + *pos;
    size_t left = size - *pos;
    if (left == 0) {
        return -1;
    }
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xC0 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (length == 0 || length > left || at[0] > 0xF4) {
        return -1;
    }
    int32_t character = length == 1 ? at[0] : at[0] & (0x7F >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return -1;
        }
        character = character << 6 | (at[i] & 0x3F);
    }
    *pos += length;
    return character >= least[length] && character <= 0x10FFFF ? character : -1;
}

size_t kin__share_put_char(uint32_t character, char ret_utf8[4])
{
    if (character > 0x10FFFF) {
        return 0;
    }
    if (character < 0x80) {
        ret_utf8[0] = (char)character;
        return 1;
    }
    size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        ret_utf8[i] = (char)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    ret_utf8[0] = (char)((0xF00u >> length & 0xFFu) | character);
    return length;
}
