/* number.c - ints beyond 64 bits, and what Python says of numbers: text, hash, equality.
 *
 * Idea. Nothing is calculated with bigints here: they are carried, compared, printed and hashed.
 * So a bigint is a row of digits of 32 bits, the least first, and a sign. What fits int64_t never
 * becomes one.
 *
 * Python's hash of a number is its value modulo the prime 2^61 - 1, fractions included: equal
 * numbers have equal hashes whatever their type.
 */
#include "node.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIME ((UINT64_C(1) << 61) - 1)
#define HASH_INF 314159

/* ---- making and reading bigints ---------------------------------------------------- */

static uint64_t low_bytes(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = n; i-- > 0;) {
        value = value << 8 | bytes[i];
    }
    return value;
}

kin_obj kin_bigint(const void *magnitude, size_t size, bool negative)
{
    const uint8_t *bytes = magnitude;
    if (bytes == NULL && size > 0) {
        return kin__obj_invalid(kin__fail(KIN_EINVAL, "kin_bigint: %zu bytes at NULL", size));
    }
    while (size > 0 && bytes[size - 1] == 0) {
        size--;
    }
    if (size <= 8) {
        uint64_t value = size > 0 ? low_bytes(bytes, size) : 0;
        if (value <= (uint64_t)INT64_MAX + negative) {
            return kin_int((int64_t)(negative ? 0 - value : value));
        }
    }
    size_t digits = (size + 3) / 4;
    bigint *b = kin__node_new(KIN_TYPE_INT, sizeof *b + digits * sizeof b->digits[0]);
    if (b == NULL) {
        return kin__obj_invalid(KIN_ENOMEM);
    }
    b->node.flags = negative ? NEGATIVE : 0;
    b->node.len = digits;
    for (size_t i = 0; i < digits; i++) {
        size_t left = size - i * 4;
        b->digits[i] = (uint32_t)low_bytes(bytes + i * 4, left < 4 ? left : 4);
    }
    return of_node(b);
}

static uint8_t byte_of(kin_obj o, size_t i)
{
    if (is_big(o)) {
        const bigint *b = o.as.p;
        return (uint8_t)(b->digits[i / 4] >> i % 4 * 8);
    }
    uint64_t value = o.as.i < 0 ? 0 - (uint64_t)o.as.i : (uint64_t)o.as.i;
    return (uint8_t)(value >> i * 8);
}

int kin_to_bigint(kin_obj o, void *magnitude, size_t room, bool *ret_negative)
{
    if (o.type != KIN_TYPE_INT && o.type != KIN_TYPE_BOOL) {
        return kin__obj_mismatch(o, "kin_to_bigint", "an int");
    }
    const bigint *b = is_big(o) ? o.as.p : NULL;
    size_t size = b != NULL ? b->node.len * 4 : 8;
    while (size > 0 && byte_of(o, size - 1) == 0) {
        size--;
    }
    if (size > INT32_MAX) {
        return kin__fail(KIN_ERANGE, "kin_to_bigint: an int of %zu bytes", size);
    }
    if (magnitude != NULL && room < size) {
        return kin__fail(KIN_EBUFTOOSHORT, "kin_to_bigint: %zu bytes for an int of %zu", room,
                         size);
    }
    for (size_t i = 0; magnitude != NULL && i < size; i++) {
        ((uint8_t *)magnitude)[i] = byte_of(o, i);
    }
    if (ret_negative != NULL) {
        *ret_negative = b != NULL ? b->node.flags : o.as.i < 0;
    }
    return (int)size;
}

/* Rounds to the nearest, as Python's float(int): 64 bits from the top, and whether any bit below
 * them is set, are enough to know. */
int kin__bigint_to_float(const bigint *b, double *ret_value)
{
    size_t n = b->node.len;
    int shift = __builtin_clz(b->digits[n - 1]);
    uint64_t top = (uint64_t)b->digits[n - 1] << 32 | b->digits[n - 2];
    uint32_t third = n > 2 ? b->digits[n - 3] : 0;
    if (shift > 0) {
        top = top << shift | third >> (32 - shift);
    }
    bool rest = (third << shift) != 0;
    for (size_t i = 0; i + 3 < n; i++) {
        rest |= b->digits[i] != 0;
    }
    double value = n > 64 ? INFINITY : ldexp((double)(top | rest), (int)n * 32 - 64 - shift);
    if (isinf(value)) {
        return kin__fail(KIN_ERANGE, "kin_to_float: an int of %zu bits is too large", n * 32);
    }
    *ret_value = b->node.flags ? -value : value;
    return 0;
}

/* ---- equality and hash ------------------------------------------------------------- */

bool kin__bigint_equal(const bigint *a, const bigint *b)
{
    return a->node.flags == b->node.flags && a->node.len == b->node.len &&
           memcmp(a->digits, b->digits, a->node.len * sizeof a->digits[0]) == 0;
}

/* The ith digit of mantissa << shift. */
static uint32_t shifted_digit(uint64_t mantissa, int64_t shift, size_t i)
{
    int64_t at = (int64_t)i * 32 - shift;
    if (at <= -32 || at >= 64) {
        return 0;
    }
    return (uint32_t)(at >= 0 ? mantissa >> at : mantissa << -at);
}

bool kin__bigint_equal_float(const bigint *b, double value)
{
    if (!isfinite(value) || (value < 0) != b->node.flags) {
        return false;
    }
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(fabs(value), &exponent), 53);
    if (exponent < 64 || (size_t)exponent > b->node.len * 32) {
        return false;
    }
    for (size_t i = 0; i < b->node.len; i++) {
        if (b->digits[i] != shifted_digit(mantissa, exponent - 53, i)) {
            return false;
        }
    }
    return true;
}

/* -1 says "failed" in kin_hash, so no hash is -1. */
static int64_t signed_hash(uint64_t hash, bool negative)
{
    int64_t h = negative ? -(int64_t)hash : (int64_t)hash;
    return h == -1 ? -2 : h;
}

/* x * 2^by modulo PRIME: a rotation in 61 bits. */
static uint64_t rotate(uint64_t x, unsigned by)
{
    return ((x << by) & PRIME) | x >> (61 - by);
}

int64_t kin__int_hash(int64_t value)
{
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return signed_hash(magnitude % PRIME, value < 0);
}

int64_t kin__bigint_hash(const bigint *b)
{
    uint64_t h = 0;
    for (size_t i = b->node.len; i-- > 0;) {
        h = (rotate(h, 32) + b->digits[i]) % PRIME;
    }
    return signed_hash(h, b->node.flags);
}

int64_t kin__float_hash(double value)
{
    if (!isfinite(value)) {
        return isnan(value) ? 0 : value > 0 ? HASH_INF : -HASH_INF;
    }
    int exponent;
    double rest = frexp(fabs(value), &exponent);
    uint64_t h = 0;
    while (rest != 0) {
        rest *= 1 << 28;
        uint64_t part = (uint64_t)rest;
        rest -= (double)part;
        h = (rotate(h, 28) + part) % PRIME;
        exponent -= 28;
    }
    exponent = exponent >= 0 ? exponent % 61 : 60 - (-1 - exponent) % 61;
    return signed_hash(rotate(h, (unsigned)exponent), value < 0);
}

/* ---- text -------------------------------------------------------------------------- */

/* Divides digits by 10^9 in place; the remainder. */
static uint32_t cut_nine(uint32_t *digits, size_t n)
{
    uint64_t rest = 0;
    for (size_t i = n; i-- > 0;) {
        rest = rest << 32 | digits[i];
        digits[i] = (uint32_t)(rest / 1000000000);
        rest %= 1000000000;
    }
    return (uint32_t)rest;
}

char *kin__bigint_text(const bigint *b)
{
    size_t n = b->node.len;
    size_t room = n * 10 + 12; /* a digit of 32 bits is less than 9.7 decimal ones */
    uint32_t *left = kin__os_malloc(n * sizeof *left + room);
    if (left == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for the text of an int of %zu bits", n * 32);
        return NULL;
    }
    memcpy(left, b->digits, n * sizeof *left);
    char *at = (char *)(left + n) + room;
    *--at = 0;
    while (n > 0) {
        uint32_t nine = cut_nine(left, n);
        while (n > 0 && left[n - 1] == 0) {
            n--;
        }
        for (int i = 0; n > 0 ? i < 9 : nine > 0; i++) {
            *--at = (char)('0' + nine % 10);
            nine /= 10;
        }
    }
    if (b->node.flags) {
        *--at = '-';
    }
    return memmove(left, at, strlen(at) + 1);
}

/* Adds one to the last digit of "d.ddde+xx". */
static void round_up(char *s)
{
    char *at = strchr(s, 'e') - 1;
    for (; at > s && (*at < '0' || *at >= '9'); at--) {
        *at = *at == '9' ? '0' : *at;
    }
    ++*at;
}

/* The fewest digits that read back as the same number, as "d.ddde+xx" of the C library. 15 always
 * survive the way there and back in a normal number, so fewer need not be tried. Below a power of
 * two numbers lie twice as close as above it: there 16 digits may do that are not the nearest. */
static void shortest(double value, char *s, size_t room)
{
    int exponent;
    bool power = frexp(value, &exponent) == 0.5;
    for (int digits = value < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        (void)snprintf(s, room, "%.*e", digits - 1, value);
        if (digits == 16 && power && strtod(s, NULL) < value) {
            round_up(s);
        }
        if (strtod(s, NULL) == value) {
            return;
        }
    }
}

/* Takes the digits out of "d.ddde+xx" (the point may be a locale's) and returns the exponent. */
static int split(const char *s, char *digits)
{
    size_t n = 0;
    for (; *s != 'e'; s++) {
        if (*s >= '0' && *s <= '9') {
            digits[n++] = *s;
        }
    }
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    digits[n] = 0;
    return (int)strtol(s + 1, NULL, 10);
}

/* Python's layout: plain from 1e-04 up to 1e+16, and always with a point or an exponent. */
static void lay_out(const char *digits, int exponent, char *out)
{
    enum { room = FLOAT_TEXT - 1 };
    int n = (int)strlen(digits);
    if (exponent < -4 || exponent >= 16) {
        (void)snprintf(out, room, "%c%s%se%c%02d", digits[0], n > 1 ? "." : "", digits + 1,
                       exponent < 0 ? '-' : '+', abs(exponent));
    } else if (exponent < 0) {
        (void)snprintf(out, room, "0.%.*s%s", -exponent - 1, "0000", digits);
    } else if (n <= exponent + 1) {
        (void)snprintf(out, room, "%s%.*s.0", digits, exponent + 1 - n, "0000000000000000");
    } else {
        (void)snprintf(out, room, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
    }
}

void kin__float_text(double value, char ret_text[FLOAT_TEXT])
{
    if (isnan(value)) {
        memcpy(ret_text, "nan", 4);
        return;
    }
    char *out = ret_text;
    if (signbit(value)) {
        *out++ = '-';
        value = -value;
    }
    if (isinf(value)) {
        memcpy(out, "inf", 4);
        return;
    }
    char s[40];
    char digits[20];
    shortest(value, s, sizeof s);
    lay_out(digits, split(s, digits), out);
}
