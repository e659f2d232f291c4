/* sum.c - a + b, as Python has it, for kin_shared_..._add; and what list_sort.c, too, needs of
 * ints. */
#include "room.h"

#include <string.h>

bool kin__is_number(kin_obj o)
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

int kin__magnitudes_load(kin_obj a, kin_obj b, kin__magnitudes *ret)
{
    int n = kin_to_bigint(a, NULL, 0, NULL);
    int m = kin_to_bigint(b, NULL, 0, NULL);
    if (n < 0 || m < 0) {
        return n < 0 ? n : m;
    }
    size_t room = (size_t)(n > m ? n : m) + 1;
    uint8_t *both = kin__os_malloc(2 * room);
    if (both == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for ints of %zu bytes", room);
    }
    memset(both, 0, 2 * room);
    *ret = (kin__magnitudes){ .a = both, .b = both + room, .room = room };
    (void)kin_to_bigint(a, ret->a, room, &ret->negative[0]); /* for which there is room */
    (void)kin_to_bigint(b, ret->b, room, &ret->negative[1]);
    return 0;
}

void kin__magnitudes_done(kin__magnitudes *m)
{
    kin__os_free(m->a);
}

int kin__magnitudes_compare(const kin__magnitudes *m)
{
    size_t i = m->room;
    while (i > 0 && m->a[i - 1] == m->b[i - 1]) {
        i--;
    }
    return i == 0 ? 0 : m->a[i - 1] < m->b[i - 1] ? -1 : 1;
}

static kin_obj sum_of_large(kin_obj a, kin_obj b)
{
    kin__magnitudes m;
    int rv = kin__magnitudes_load(a, b, &m);
    if (rv < 0) {
        return kin__obj_invalid(rv);
    }
    bool subtract = m.negative[0] != m.negative[1];
    bool swap = subtract && kin__magnitudes_compare(&m) < 0;
    uint8_t *larger = swap ? m.b : m.a;
    combine(larger, swap ? m.a : m.b, m.room, subtract);
    kin_obj sum = kin_bigint(larger, m.room, m.negative[swap]);
    kin__magnitudes_done(&m);
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
    if (kin__is_number(a) && kin__is_number(b)) {
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
    if (kin__is_number(delta)) {
        return kin__sum(kin_int(0), delta, verb, ret);
    }
    if (!is_text(delta) && !is_row(delta)) {
        return kin__fail(KIN_ETYPE, "%s: this cannot be added to anything", verb);
    }
    *ret = kin_retain(delta);
    return 0;
}
