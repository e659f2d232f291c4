/* load_value.c - reading pickles: numbers, texts, and what follows an opcode. See load.h. */
#include "load.h"
#include <string.h>

/* ---- what follows an opcode -------------------------------------------------------- */

int kin__load_take(load *l, uint64_t size, const uint8_t **ret)
{
    if (size > (uint64_t)(l->end - l->at)) {
        return kin__load_fail(l, KIN_ECORRUPT, "the pickle is cut off: %llu bytes should follow",
                              (unsigned long long)size);
    }
    *ret = l->at;
    l->at += size;
    return 0;
}

/* A number of up to eight bytes. */
int kin__load_number(load *l, size_t size, uint64_t *ret)
{
    const uint8_t *bytes = NULL;
    int rv = kin__load_take(l, size, &bytes);
    if (rv < 0) {
        return rv;
    }
    *ret = 0;
    for (size_t i = size; i-- > 0;) {
        *ret = *ret << 8 | bytes[i];
    }
    return 0;
}

/* Bytes whose number stands before them. */
static inline int take_counted(load *l, size_t width, const uint8_t **ret, uint64_t *ret_size)
{
    if (width == 1 && l->at < l->end) { /* most are short */
        *ret_size = *l->at++;
        return kin__load_take(l, *ret_size, ret);
    }
    int rv = kin__load_number(l, width, ret_size);
    return rv < 0 ? rv : kin__load_take(l, *ret_size, ret);
}

int kin__load_line(load *l, line *ret)
{
    const uint8_t *end = memchr(l->at, '\n', (size_t)(l->end - l->at));
    if (end == NULL) {
        return kin__load_fail(l, KIN_ECORRUPT, "a line without an end");
    }
    *ret = (line){ (const char *)l->at, (size_t)(end - l->at) };
    l->at = end + 1;
    return 0;
}

/* ---- numbers ----------------------------------------------------------------------- */

static int64_t int_at(const uint8_t *at, size_t size)
{
    int32_t value;
    switch (size) {
    case 1:
        return at[0];
    case 2:
        return at[0] | at[1] << 8;
    default:
        memcpy(&value, at, sizeof value);
        return value;
    }
}

/* All that follow one another: a list of them is what there is most. */
int kin__load_ints(load *l)
{
    static const uint8_t sizes[256] = { [OP_BININT1] = 1, [OP_BININT2] = 2, [OP_BININT] = 4 };
    const uint8_t *at = l->opcode;
    for (;;) {
        size_t size = at < l->end ? sizes[*at] : 0;
        if (size == 0) {
            l->at = at;
            return 0;
        }
        l->opcode = at;
        if ((size_t)(l->end - at) <= size) {
            l->at = l->end;
            return kin__load_take(l, size, &at);
        }
        int rv = push(l, kin_int(int_at(at + 1, size)));
        if (rv < 0) {
            return rv;
        }
        at += 1 + size;
    }
}

/* Adds one to the complement of a negative number's bytes: its magnitude. */
static void negate(uint32_t *digits, size_t n)
{
    uint64_t carry = 1;
    for (size_t i = 0; i < n; i++) {
        carry += (uint32_t)~digits[i];
        digits[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static int to_long(load *l, const uint8_t *bytes, size_t size, kin_obj *ret)
{
    bool negative = size > 0 && bytes[size - 1] & 0x80;
    uint8_t fill = negative ? 0xff : 0;
    while (size > 1 && bytes[size - 1] == fill && (bytes[size - 2] & 0x80) == (fill & 0x80)) {
        size--;
    }
    if (size <= 8) {
        uint64_t value = negative ? UINT64_MAX : 0;
        memcpy(&value, bytes, size);
        *ret = kin_int((int64_t)value);
        return 0;
    }
    size_t n = (size + 3) / 4;
    bigint *b = kin__load_leaf(l, KIN_TYPE_INT, sizeof *b + n * sizeof b->digits[0]);
    if (b == NULL) {
        return kin__failure();
    }
    b->digits[n - 1] = negative ? UINT32_MAX : 0;
    memcpy(b->digits, bytes, size);
    if (negative) {
        negate(b->digits, n);
    }
    while (b->digits[n - 1] == 0) {
        n--;
    }
    b->node.len = n;
    b->node.flags = negative ? NEGATIVE : 0;
    *ret = of_node(b);
    return 0;
}

int kin__load_read_long(load *l, size_t width)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;
    int rv = take_counted(l, width, &bytes, &size);
    if (rv == 0 && size > l->max_int) {
        rv = kin__load_fail(l, KIN_ERANGE, "an int of more than %zu bytes", l->max_int);
    }
    kin_obj o = kin_none();
    rv = rv < 0 ? rv : to_long(l, bytes, (size_t)size, &o);
    return rv < 0 ? rv : push(l, o);
}

/* The one number whose most significant byte comes first. */
int kin__load_float(load *l)
{
    const uint8_t *bytes = NULL;
    uint64_t bits;
    double value;
    int rv = kin__load_take(l, sizeof bits, &bytes);
    if (rv < 0) {
        return rv;
    }
    memcpy(&bits, bytes, sizeof bits);
    bits = __builtin_bswap64(bits);
    memcpy(&value, &bits, sizeof value);
    return push(l, kin_float(value));
}

/* ---- texts ------------------------------------------------------------------------- */

int kin__load_text(load *l, size_t width, kin_type type, uint8_t flags)
{
    const uint8_t *bytes = NULL;
    uint64_t size = 0;
    int rv = take_counted(l, width, &bytes, &size);
    if (rv < 0) {
        return rv;
    }
    if (type == KIN_TYPE_STR && kin__utf8_valid((const char *)bytes, (size_t)size) < size) {
        return kin__load_fail(l, KIN_ECORRUPT, "a str that is no UTF-8");
    }
    chars *t = kin__load_leaf(l, type, sizeof *t + (size_t)size + 1);
    if (t == NULL) {
        return kin__failure();
    }
    t->node.flags = flags;
    t->node.len = (size_t)size;
    memcpy(t->data, bytes, (size_t)size);
    t->data[size] = 0;
    return push(l, of_node(t));
}

/* ---- array.array, as a list -------------------------------------------------------- */

typedef struct item_type {
    char code;
    uint8_t size;
    enum { SIGNED, UNSIGNED, FLOAT } kind;
} item_type;

static const item_type *item_type_of(const char *code)
{
    static const item_type all[] = {
        { 'b', 1, SIGNED }, { 'B', 1, UNSIGNED }, { 'h', 2, SIGNED }, { 'H', 2, UNSIGNED },
        { 'i', 4, SIGNED }, { 'I', 4, UNSIGNED }, { 'l', 8, SIGNED }, { 'L', 8, UNSIGNED },
        { 'q', 8, SIGNED }, { 'Q', 8, UNSIGNED }, { 'f', 4, FLOAT },  { 'd', 8, FLOAT },
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (code[0] == all[i].code && code[1] == '\0') {
            return &all[i];
        }
    }
    return NULL;
}

static int push_item(load *l, const item_type *type, const uint8_t *at)
{
    uint8_t wide[9] = { 0 }; /* never negative */
    kin_obj o;
    float single;
    double value;
    memcpy(wide, at, type->size);
    if (type->kind == FLOAT) {
        memcpy(&single, at, sizeof single);
        memcpy(&value, wide, sizeof value);
        return push(l, kin_float(type->size == sizeof single ? (double)single : value));
    }
    int rv = to_long(l, wide, type->kind == SIGNED ? type->size : sizeof wide, &o);
    return rv < 0 ? rv : push(l, o);
}

int kin__load_array(load *l, box *args, kin_obj *ret)
{
    bool fine = args->node.len == 2 && args->items[0].type == KIN_TYPE_STR &&
                args->items[1].type == KIN_TYPE_BYTES;
    const item_type *type = fine ? item_type_of(kin_as_str(args->items[0])) : NULL;
    if (type == NULL) {
        return kin__load_fail(l, KIN_EUNSUPPORTED, "an array of a kind that kin does not know");
    }
    size_t from = l->stack.n;
    const uint8_t *bytes = kin_as_bytes(args->items[1]);
    int rv = 0;
    for (size_t i = 0; i < kin_len(args->items[1]) / type->size && rv == 0; i++) {
        rv = push_item(l, type, bytes + i * type->size);
    }
    return rv < 0 ? rv : kin__load_make(l, KIN_TYPE_LIST, 0, from, ret);
}
