/* sum.c - a + b, as Python has it, for kin_shared_..._add. */
#include "room.h"

#include <string.h>

static bool is_number(kin_obj o)
{
    kin_type type = kin_type_of(o);
    return type == KIN_TYPE_INT || type == KIN_TYPE_BOOL || type == KIN_TYPE_FLOAT;
}

/* ---- ints of any size: magnitudes, the least byte first -------------------------------------- */

/* a += b, or a -= b where a is not less; `room` bytes each, enough for the result. */
static void combine(uint8_t *a, const uint8_t *b, size_t room, bool subtract)
{
    int carry = 0;
    for (size_t i = 0; i < room; i++) {
        int sum = subtract ? a[i] - b[i] + carry : a[i] + b[i] + carry;
        a[i] = (uint8_t)sum;
        carry = sum >> 8;
    }
}

static bool is_less(const uint8_t *a, const uint8_t *b, size_t room)
{
    while (room > 0 && a[room - 1] == b[room - 1]) {
        room--;
    }
    return room > 0 && a[room - 1] < b[room - 1];
}

static kin_obj sum_of_magnitudes(uint8_t *a, uint8_t *b, size_t room, const bool negative[2])
{
    bool subtract = negative[0] != negative[1];
    bool swap = subtract && is_less(a, b, room);
    combine(swap ? b : a, swap ? a : b, room, subtract);
    return kin_bigint(swap ? b : a, room, swap ? negative[1] : negative[0]);
}

static kin_obj sum_of_large(kin_obj a, kin_obj b)
{
    bool negative[2];
    int n = kin_to_bigint(a, NULL, 0, NULL);
    int m = kin_to_bigint(b, NULL, 0, NULL);
    if (n < 0 || m < 0) {
        return kin__obj_invalid(n < 0 ? n : m);
    }
    size_t room = (size_t)(n > m ? n : m) + 1;
    uint8_t *both = kin__os_malloc(2 * room);
    if (both == NULL) {
        return kin__obj_invalid(kin__fail(KIN_ENOMEM, "no memory for an int of %zu bytes", room));
    }
    memset(both, 0, 2 * room);
    n = kin_to_bigint(a, both, room, &negative[0]);
    m = kin_to_bigint(b, both + room, room, &negative[1]);
    kin_obj sum = n < 0 || m < 0 ? kin__obj_invalid(n < 0 ? n : m)
                                 : sum_of_magnitudes(both, both + room, room, negative);
    kin__os_free(both);
    return sum;
}

static kin_obj sum_of_numbers(kin_obj a, kin_obj b)
{
    int64_t x, y, sum;
    if (kin_type_of(a) == KIN_TYPE_FLOAT || kin_type_of(b) == KIN_TYPE_FLOAT) {
        double f, g;
        int rv = kin_to_float(a, &f);
        rv = rv < 0 ? rv : kin_to_float(b, &g);
        return rv < 0 ? kin__obj_invalid(rv) : kin_float(f + g);
    }
    bool small = kin_to_int(a, &x) == 0 && kin_to_int(b, &y) == 0;
    return small && !__builtin_add_overflow(x, y, &sum) ? kin_int(sum) : sum_of_large(a, b);
}

/* ---- rows of something ----------------------------------------------------------------------- */

static kin_obj sum_of_texts(kin_obj a, kin_obj b)
{
    bool text = kin_type_of(a) == KIN_TYPE_STR;
    size_t n = kin_len(a);
    size_t m = kin_len(b);
    char *both = kin__os_malloc(n + m + 1);
    if (both == NULL) {
        return kin__obj_invalid(kin__fail(KIN_ENOMEM, "no memory for %zu bytes", n + m));
    }
    memcpy(both, text ? (const void *)kin_as_str(a) : kin_as_bytes(a), n);
    memcpy(both + n, text ? (const void *)kin_as_str(b) : kin_as_bytes(b), m);
    kin_obj sum = text ? kin_strn(both, n + m) : kin_bytes(both, n + m);
    kin__os_free(both);
    return sum;
}

static kin_obj sum_of_rows(kin_obj a, kin_obj b)
{
    size_t n = kin_len(a);
    size_t all = n + kin_len(b);
    kin_obj *items = kin__os_malloc((all + 1) * sizeof *items);
    if (items == NULL) {
        return kin__obj_invalid(kin__fail(KIN_ENOMEM, "no memory for %zu items", all));
    }
    for (size_t i = 0; i < all; i++) {
        items[i] = i < n ? kin_at(a, i) : kin_at(b, i - n);
    }
    kin_obj sum =
        kin_type_of(a) == KIN_TYPE_LIST ? kin_list_n(items, all) : kin_tuple_n(items, all);
    kin__os_free(items);
    return sum;
}

static bool is_row(kin_obj o)
{
    return kin_type_of(o) == KIN_TYPE_LIST || kin_type_of(o) == KIN_TYPE_TUPLE;
}

static bool is_text(kin_obj o)
{
    return kin_type_of(o) == KIN_TYPE_STR || kin_type_of(o) == KIN_TYPE_BYTES;
}

int kin__sum(kin_obj a, kin_obj b, const char *verb, kin_obj *ret)
{
    kin_obj sum;
    bool alike = kin_type_of(a) == kin_type_of(b);
    if (is_number(a) && is_number(b)) {
        sum = sum_of_numbers(a, b);
    } else if (alike && is_text(a)) {
        sum = sum_of_texts(a, b);
    } else if (alike && is_row(a)) {
        sum = sum_of_rows(a, b);
    } else {
        return kin__fail(KIN_ETYPE, "%s: these two cannot be added", verb);
    }
    int rv = kin__obj_check(sum, verb);
    if (rv == 0) {
        *ret = sum;
    }
    return rv;
}

int kin__sum_of_one(kin_obj delta, const char *verb, kin_obj *ret)
{
    if (is_number(delta)) {
        return kin__sum(kin_int(0), delta, verb, ret);
    }
    if (!is_text(delta) && !is_row(delta)) {
        return kin__fail(KIN_ETYPE, "%s: this cannot be added to anything", verb);
    }
    *ret = kin_retain(delta);
    return 0;
}
