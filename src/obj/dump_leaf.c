/* dump_leaf.c - writing pickles: bytes, what is fetched again, and what is no box. See dump.c. */
#include "dump.h"

/* ---- bytes ------------------------------------------------------------------------- */

int kin__dump_grow(dump *d, size_t more)
{
    size_t room = d->room * 2 + more + 64;
    uint8_t *data = room < d->room ? NULL : kin__os_realloc(d->data, room);
    if (data == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_dumps: no memory for more than %zu bytes", d->size);
    }
    d->data = data;
    d->room = room;
    return 0;
}

/* Ops for lengths of one byte, of four and of eight; 0: there is none. */
typedef struct lengths {
    uint8_t one, four, eight;
} lengths;

static int add_counted(dump *d, lengths ops, const void *bytes, size_t size)
{
    int rv = make_room(d, size + 9);
    if (rv < 0) {
        return rv;
    }
    if (ops.one != 0 && size <= UINT8_MAX) {
        add_byte(d, ops.one);
        add_number(d, size, 1);
    } else if (ops.four != 0 && size <= UINT32_MAX) {
        add_byte(d, ops.four);
        add_number(d, size, 4);
    } else if (ops.eight != 0) {
        add_byte(d, ops.eight);
        add_number(d, size, 8);
    } else {
        return kin__fail(KIN_ERANGE, "kin_dumps: protocol %u has no way to write %zu bytes",
                         d->protocol, size);
    }
    if (size > 0) {
        memcpy(d->data + d->size, bytes, size);
    }
    d->size += size;
    return 0;
}

/* ---- the memo ---------------------------------------------------------------------- */

/* R1 */
static bool is_alone(const dump *d, const node *n)
{
    return !has_others(n) && n != d->borrowed;
}

/* Puts what was written last into the memo. */
int kin__dump_remember(dump *d, const node *n)
{
    if (is_alone(d, n)) {
        return 0;
    }
    if (d->memo.used > UINT32_MAX) {
        return kin__fail(KIN_ERANGE, "kin_dumps: more than 2^32 shared objects");
    }
    size_t number = d->memo.used;
    int rv = kin__memo_add(&d->memo, n, number);
    rv = rv < 0 ? rv : make_room(d, 5);
    if (rv < 0) {
        return rv;
    }
    if (d->protocol >= 4) {
        add_byte(d, OP_MEMOIZE);
    } else if (number <= UINT8_MAX) {
        add_byte(d, OP_BINPUT);
        add_number(d, number, 1);
    } else {
        add_byte(d, OP_LONG_BINPUT);
        add_number(d, number, 4);
    }
    return 0;
}

bool kin__dump_find(const dump *d, const node *n, size_t *ret_number)
{
    const memo_cell *c = is_alone(d, n) ? NULL : kin__memo_find(&d->memo, n);
    if (c != NULL) {
        *ret_number = c->number;
    }
    return c != NULL;
}

int kin__dump_get(dump *d, size_t number)
{
    int rv = make_room(d, 5);
    if (rv < 0) {
        return rv;
    }
    if (number <= UINT8_MAX) {
        add_byte(d, OP_BINGET);
        add_number(d, number, 1);
    } else {
        add_byte(d, OP_LONG_BINGET);
        add_number(d, number, 4);
    }
    return 0;
}

/* ---- numbers ----------------------------------------------------------------------- */

/* The bytes of two's complement, as few as will do; the sign is in the top one. */
static int add_long(dump *d, kin_obj o)
{
    bool negative;
    int size = kin_to_bigint(o, NULL, 0, &negative);
    int rv = size < 0 ? size : make_room(d, (size_t)size + 6);
    if (rv < 0) {
        return rv;
    }
    uint8_t *bytes = d->data + d->size + 5;
    size_t n = (size_t)size;
    (void)kin_to_bigint(o, bytes, n, NULL);
    bytes[n++] = 0;
    unsigned carry = 1;
    for (size_t i = 0; i < n && negative; i++) {
        carry += (uint8_t)~bytes[i];
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    uint8_t fill = negative ? 0xff : 0;
    while (n > 1 && bytes[n - 1] == fill && (bytes[n - 2] & 0x80) == (fill & 0x80)) {
        n--;
    }
    add_byte(d, n <= UINT8_MAX ? OP_LONG1 : OP_LONG4);
    add_number(d, n, n <= UINT8_MAX ? 1 : 4);
    memmove(d->data + d->size, bytes, n);
    d->size += n;
    return 0;
}

static void add_small(dump *d, int64_t value)
{
    d->size = (size_t)(put_small(d->data + d->size, value) - d->data);
}

static void add_float(dump *d, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    add_byte(d, OP_BINFLOAT);
    add_number(d, __builtin_bswap64(bits), 8);
}

/* ---- texts ------------------------------------------------------------------------- */

static lengths str_ops(const dump *d)
{
    return d->protocol >= 4 ? (lengths){ OP_SHORT_BINUNICODE, OP_BINUNICODE, OP_BINUNICODE8 }
                            : (lengths){ 0, OP_BINUNICODE, 0 };
}

int kin__dump_text(dump *d, const char *text)
{
    return add_counted(d, str_ops(d), text, strlen(text));
}

/* Characters as UTF-8 of two bytes, or, halves of surrogate pairs, of three. */
static size_t encode(uint32_t c, uint8_t *at)
{
    if (c < 0x80) {
        at[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        at[0] = (uint8_t)(0xc0 | c >> 6);
        at[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    at[0] = (uint8_t)(0xe0 | c >> 12);
    at[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    at[2] = (uint8_t)(0x80 | (c & 0x3f));
    return 3;
}

/* A str of what another text is turned into, which has at most three times as many bytes. */
static int add_turned(dump *d, const chars *t, size_t (*turn)(const chars *t, uint8_t *to))
{
    if (t->node.len > SIZE_MAX / 4) {
        return kin__fail(KIN_ENOMEM, "kin_dumps: no memory for %zu bytes", t->node.len);
    }
    uint8_t *to = kin__os_malloc(t->node.len * 3 + 1);
    if (to == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_dumps: no memory for %zu bytes", t->node.len * 3);
    }
    int rv = add_counted(d, str_ops(d), to, turn(t, to));
    kin__os_free(to);
    return rv;
}

/* What is no UTF-8 as os.fsdecode has it: half a surrogate pair for each byte. */
static size_t escape(const chars *t, uint8_t *to)
{
    size_t size = 0;
    for (size_t i = 0; i < t->node.len;) {
        size_t n = kin__utf8_valid(t->data + i, t->node.len - i);
        memcpy(to + size, t->data + i, n);
        size += n;
        i += n;
        if (i < t->node.len) {
            size += encode(0xdc00u + (uint8_t)t->data[i++], to + size);
        }
    }
    return size;
}

static size_t latin(const chars *t, uint8_t *to)
{
    size_t size = 0;
    for (size_t i = 0; i < t->node.len; i++) {
        size += encode((uint8_t)t->data[i], to + size);
    }
    return size;
}

static int add_str(dump *d, const chars *t)
{
    return kin__utf8_valid(t->data, t->node.len) == t->node.len
               ? add_counted(d, str_ops(d), t->data, t->node.len)
               : add_turned(d, t, escape);
}

/* ---- globals ----------------------------------------------------------------------- */

int kin__dump_global(dump *d, const char *module, const char *name)
{
    if (d->protocol >= 4) {
        int rv = kin__dump_text(d, module);
        rv = rv < 0 ? rv : kin__dump_text(d, name);
        return rv < 0 ? rv : add_op(d, OP_STACK_GLOBAL);
    }
    size_t sizes[] = { strlen(module), strlen(name) };
    int rv = make_room(d, sizes[0] + sizes[1] + 3);
    if (rv == 0) {
        add_byte(d, OP_GLOBAL);
        memcpy(d->data + d->size, module, sizes[0]);
        d->size += sizes[0];
        add_byte(d, '\n');
        memcpy(d->data + d->size, name, sizes[1]);
        d->size += sizes[1];
        add_byte(d, '\n');
    }
    return rv;
}

/* Protocol 2 has none: they are made of a str. */
static int add_old_bytes(dump *d, const chars *t)
{
    if (t->node.len == 0) {
        int rv = kin__dump_global(d, "builtins", "bytes");
        return rv < 0 ? rv : add_ops(d, OP_EMPTY_TUPLE, OP_REDUCE);
    }
    int rv = kin__dump_global(d, "_codecs", "encode");
    rv = rv < 0 ? rv : add_turned(d, t, latin);
    rv = rv < 0 ? rv : kin__dump_text(d, "latin1");
    return rv < 0 ? rv : add_ops(d, OP_TUPLE2, OP_REDUCE);
}

static int add_bytes(dump *d, const chars *t)
{
    static const lengths ops[] = { { OP_SHORT_BINBYTES, OP_BINBYTES, 0 },
                                   { OP_SHORT_BINBYTES, OP_BINBYTES, OP_BINBYTES8 } };
    return d->protocol < 3 ? add_old_bytes(d, t)
                           : add_counted(d, ops[d->protocol > 3], t->data, t->node.len);
}

static int add_bytearray(dump *d, const chars *t)
{
    if (d->protocol >= 5) {
        return add_counted(d, (lengths){ 0, 0, OP_BYTEARRAY8 }, t->data, t->node.len);
    }
    int rv = kin__dump_global(d, "builtins", "bytearray");
    if (t->node.len == 0) {
        return rv < 0 ? rv : add_ops(d, OP_EMPTY_TUPLE, OP_REDUCE);
    }
    rv = rv < 0 ? rv : add_bytes(d, t);
    return rv < 0 ? rv : add_ops(d, OP_TUPLE1, OP_REDUCE);
}

/* ---- what has no slots ------------------------------------------------------------- */

static int add_heap(dump *d, kin_obj o)
{
    size_t number;
    if (o.type == KIN_TYPE_INT) {
        return add_long(d, o);
    }
    if (kin__dump_find(d, o.as.p, &number)) {
        return kin__dump_get(d, number);
    }
    int rv = o.type == KIN_TYPE_STR ? add_str(d, o.as.p)
             : is_bytearray(o)      ? add_bytearray(d, o.as.p)
                                    : add_bytes(d, o.as.p);
    return rv < 0 ? rv : kin__dump_remember(d, o.as.p);
}

static int refuse(kin_obj o)
{
    int rv = kin__obj_check(o, "kin_dumps");
    return rv < 0 ? rv
                  : kin__fail(KIN_EUNSUPPORTED, "kin_dumps: %s means nothing outside of the family",
                              kin__type_name((kin_type)o.type));
}

int kin__dump_leaf(dump *d, kin_obj o)
{
    int rv = make_room(d, SMALL);
    if (rv < 0) {
        return rv;
    }
    switch ((kin_type)o.type) {
    case KIN_TYPE_NONE:
        add_byte(d, OP_NONE);
        return 0;
    case KIN_TYPE_BOOL:
        add_byte(d, o.as.i ? OP_NEWTRUE : OP_NEWFALSE);
        return 0;
    case KIN_TYPE_INT:
        if (is_heap(o)) {
            return add_heap(d, o);
        }
        add_small(d, o.as.i);
        return 0;
    case KIN_TYPE_FLOAT:
        add_float(d, o.as.f);
        return 0;
    case KIN_TYPE_STR:
    case KIN_TYPE_BYTES:
        return add_heap(d, o);
    default:
        return refuse(o);
    }
}
