/* load.c - kin_loads: reading pickles, whoever wrote them.
 *
 * Idea. A pickle is a program for a machine with a stack and a memo. The table below has what each
 * opcode does; what is not in it is refused. Data is all that comes of it: a global is a place in a
 * table (load_global.c), never a name that is looked up.
 *
 *      ( K 1 K 2 \x86 t .      stack:  |MARK|  |MARK 1|  |MARK 1 2|  |MARK (1, 2)|  |((1, 2),)|
 *
 * Rules.
 *   R1  Each length is held against the bytes that are left before anything is allocated for it,
 *       and each allocation against what may be taken (load.h).
 *   R2  No opcode sees what lies below the last mark, or an empty place.
 *   R3  What the memo holds may be fetched again and again: what is made of it is counted, nothing
 *       of it is looked through without a limit (load_memory.c: keys).
 *
 * Death. Private memory.
 *
 * Not here. How things are made (load_box.c, load_global.c), where they lie (load_memory.c), what
 * becomes of the stack (load_stack.c).
 */
#include "load.h"
#include <stdarg.h>
#include <stdio.h>

enum { STOPPED = 1, INT_MAX_DEFAULT = 1 << 20, MEMORY_FACTOR = 100, MEMORY_LEAST = 64 * 1024 };

typedef struct opcode {
    const char *name;
    int (*run)(load *l); /* NULL: not for us */
} opcode;

static const opcode opcodes[256];

int kin__load_fail(const load *l, int code, const char *format, ...)
{
    char why[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    size_t at = (size_t)(l->opcode - l->begin);
    if (l->opcode == l->end) {
        return kin__fail(code, "kin_loads: at byte %zu, the end: %s", at, why);
    }
    const char *name = opcodes[*l->opcode].name;
    return kin__fail(code, "kin_loads: %s (0x%02x) at byte %zu: %s", name == NULL ? "?" : name,
                     *l->opcode, at, why);
}

/* ---- values -------------------------------------------------------------------------- */

static int op_none(load *l)
{
    return push(l, kin_none());
}

static int op_true(load *l)
{
    return push(l, kin_bool(true));
}

static int op_false(load *l)
{
    return push(l, kin_bool(false));
}

static int op_long1(load *l)
{
    return kin__load_read_long(l, 1);
}

static int op_long4(load *l)
{
    return kin__load_read_long(l, 4);
}

static int op_unicode1(load *l)
{
    return kin__load_text(l, 1, KIN_TYPE_STR, 0);
}

static int op_unicode4(load *l)
{
    return kin__load_text(l, 4, KIN_TYPE_STR, 0);
}

static int op_unicode8(load *l)
{
    return kin__load_text(l, 8, KIN_TYPE_STR, 0);
}

static int op_bytes1(load *l)
{
    return kin__load_text(l, 1, KIN_TYPE_BYTES, 0);
}

static int op_bytes4(load *l)
{
    return kin__load_text(l, 4, KIN_TYPE_BYTES, 0);
}

static int op_bytes8(load *l)
{
    return kin__load_text(l, 8, KIN_TYPE_BYTES, 0);
}

static int op_bytearray(load *l)
{
    return kin__load_text(l, 8, KIN_TYPE_BYTES, VARIANT);
}

/* ---- boxes ------------------------------------------------------------------------- */

/* A box of what lies on the stack from there on. */
static int make(load *l, kin_type type, uint8_t flags, size_t from)
{
    kin_obj o = kin_none();
    int rv = kin__load_make(l, type, flags, from, &o);
    return rv < 0 ? rv : push_any(l, o);
}

static int op_empty_list(load *l)
{
    return make(l, KIN_TYPE_LIST, 0, l->stack.n);
}

static int op_empty_tuple(load *l)
{
    return make(l, KIN_TYPE_TUPLE, 0, l->stack.n);
}

static int op_empty_dict(load *l)
{
    return make(l, KIN_TYPE_DICT, 0, l->stack.n);
}

static int op_empty_set(load *l)
{
    return make(l, KIN_TYPE_SET, 0, l->stack.n);
}

static int op_tuple(load *l)
{
    size_t from = 0;
    int rv = kin__load_unmark(l, &from);
    return rv < 0 ? rv : make(l, KIN_TYPE_TUPLE, 0, from);
}

static int op_frozenset(load *l)
{
    size_t from = 0;
    int rv = kin__load_unmark(l, &from);
    return rv < 0 ? rv : make(l, KIN_TYPE_SET, VARIANT, from);
}

static int short_tuple(load *l, size_t n)
{
    int rv = need(l, n);
    return rv < 0 ? rv : make(l, KIN_TYPE_TUPLE, 0, l->stack.n - n);
}

static int op_tuple1(load *l)
{
    return short_tuple(l, 1);
}

static int op_tuple2(load *l)
{
    return short_tuple(l, 2);
}

static int op_tuple3(load *l)
{
    return short_tuple(l, 3);
}

/* The last `n` go into the box below. */
static int fill_last(load *l, kin_type type, size_t n)
{
    int rv = need(l, n + 1);
    return rv < 0 ? rv : kin__load_fill(l, type, l->stack.n - n);
}

/* What lies behind the last mark goes into the box before it. */
static int fill_marked(load *l, kin_type type)
{
    size_t from = 0;
    int rv = kin__load_unmark(l, &from);
    if (rv == 0 && from <= l->fence) {
        rv = kin__load_fail(l, KIN_ECORRUPT, "there is too little on the stack");
    }
    return rv < 0 ? rv : kin__load_fill(l, type, from);
}

static int op_append(load *l)
{
    return fill_last(l, KIN_TYPE_LIST, 1);
}

static int op_appends(load *l)
{
    return fill_marked(l, KIN_TYPE_LIST);
}

static int op_setitem(load *l)
{
    return fill_last(l, KIN_TYPE_DICT, 2);
}

static int op_setitems(load *l)
{
    return fill_marked(l, KIN_TYPE_DICT);
}

static int op_additems(load *l)
{
    return fill_marked(l, KIN_TYPE_SET);
}

/* ---- globals ----------------------------------------------------------------------- */

static int op_global(load *l)
{
    line module = { 0 };
    line name = { 0 };
    kin_obj o = kin_none();
    int rv = kin__load_line(l, &module);
    rv = rv < 0 ? rv : kin__load_line(l, &name);
    rv = rv < 0 ? rv : kin__load_class(l, module, name, &o);
    return rv < 0 ? rv : push_any(l, o);
}

static int op_stack_global(load *l)
{
    int rv = need(l, 2);
    if (rv < 0) {
        return rv;
    }
    kin_obj name = l->stack.items[l->stack.n - 1];
    kin_obj module = l->stack.items[l->stack.n - 2];
    if (name.type != KIN_TYPE_STR || module.type != KIN_TYPE_STR) {
        return kin__load_fail(l, KIN_ECORRUPT, "module and name of a global are no strs");
    }
    kin_obj o = kin_none();
    rv = kin__load_class(l, (line){ kin_as_str(module), kin_len(module) },
                         (line){ kin_as_str(name), kin_len(name) }, &o);
    rv = rv < 0 ? rv : kin__load_drop(l);
    rv = rv < 0 ? rv : kin__load_drop(l);
    return rv < 0 ? rv : push_any(l, o);
}

static int call(load *l, bool fresh)
{
    int rv = need(l, 2);
    if (rv < 0) {
        return rv;
    }
    kin_obj args = l->stack.items[l->stack.n - 1];
    kin_obj class_of = l->stack.items[l->stack.n - 2];
    kin_obj o = kin_none();
    rv = kin__load_call(l, class_of, args, fresh, &o);
    rv = rv < 0 ? rv : kin__load_drop(l);
    rv = rv < 0 ? rv : kin__load_drop(l);
    return rv < 0 ? rv : is_box(o) ? push_any(l, o) : push(l, o);
}

static int op_reduce(load *l)
{
    return call(l, false);
}

static int op_newobj(load *l)
{
    return call(l, true);
}

static int op_build(load *l)
{
    int rv = need(l, 2);
    if (rv < 0) {
        return rv;
    }
    kin_obj state = l->stack.items[l->stack.n - 1];
    rv = is_class(state) ? kin__load_fail(l, KIN_EUNSUPPORTED, "a class among the data")
                         : kin__load_drop(l);
    return rv < 0 ? rv : kin__load_build(l, state);
}

/* ---- the pickle itself ------------------------------------------------------------- */

static int op_stop(load *l)
{
    int rv = need(l, 1);
    if (rv < 0) {
        return rv;
    }
    l->result = pop(l);
    if (is_class(l->result) || l->classes > 0) {
        return kin__load_fail(l, KIN_EUNSUPPORTED, "a class among the data");
    }
    if (l->unbuilt > 0) {
        return kin__load_fail(l, KIN_ECORRUPT, "a Token without its state");
    }
    return STOPPED;
}

static int op_proto(load *l)
{
    uint64_t version = 0;
    int rv = kin__load_number(l, 1, &version);
    if (rv == 0 && version > PROTOCOL_MAX) {
        rv = kin__load_fail(l, KIN_EUNSUPPORTED, "protocol %u; %d is the last that is known",
                            (unsigned)version, PROTOCOL_MAX);
    }
    return rv;
}

/* Frames are for who reads a file; here all of it is there. */
static int op_frame(load *l)
{
    uint64_t size = 0;
    const uint8_t *bytes = NULL;
    int rv = kin__load_number(l, 8, &size);
    rv = rv < 0 ? rv : kin__load_take(l, size, &bytes);
    l->at -= rv < 0 ? 0 : size;
    return rv;
}

static const opcode opcodes[256] = {
    [OP_MARK] = { "MARK", kin__load_mark },
    [OP_EMPTY_TUPLE] = { "EMPTY_TUPLE", op_empty_tuple },
    [OP_STOP] = { "STOP", op_stop },
    [OP_POP] = { "POP", kin__load_pop },
    [OP_POP_MARK] = { "POP_MARK", kin__load_pop_to_mark },
    [OP_BINBYTES] = { "BINBYTES", op_bytes4 },
    [OP_SHORT_BINBYTES] = { "SHORT_BINBYTES", op_bytes1 },
    [OP_BINFLOAT] = { "BINFLOAT", kin__load_float },
    [OP_BININT] = { "BININT", kin__load_ints },
    [OP_BININT1] = { "BININT1", kin__load_ints },
    [OP_BININT2] = { "BININT2", kin__load_ints },
    [OP_NONE] = { "NONE", op_none },
    [OP_REDUCE] = { "REDUCE", op_reduce },
    [OP_BINUNICODE] = { "BINUNICODE", op_unicode4 },
    [OP_EMPTY_LIST] = { "EMPTY_LIST", op_empty_list },
    [OP_APPEND] = { "APPEND", op_append },
    [OP_BUILD] = { "BUILD", op_build },
    [OP_GLOBAL] = { "GLOBAL", op_global },
    [OP_APPENDS] = { "APPENDS", op_appends },
    [OP_BINGET] = { "BINGET", kin__load_get1 },
    [OP_LONG_BINGET] = { "LONG_BINGET", kin__load_get4 },
    [OP_BINPUT] = { "BINPUT", kin__load_put1 },
    [OP_LONG_BINPUT] = { "LONG_BINPUT", kin__load_put4 },
    [OP_SETITEM] = { "SETITEM", op_setitem },
    [OP_TUPLE] = { "TUPLE", op_tuple },
    [OP_SETITEMS] = { "SETITEMS", op_setitems },
    [OP_EMPTY_DICT] = { "EMPTY_DICT", op_empty_dict },
    [OP_PROTO] = { "PROTO", op_proto },
    [OP_NEWOBJ] = { "NEWOBJ", op_newobj },
    [OP_TUPLE1] = { "TUPLE1", op_tuple1 },
    [OP_TUPLE2] = { "TUPLE2", op_tuple2 },
    [OP_TUPLE3] = { "TUPLE3", op_tuple3 },
    [OP_NEWTRUE] = { "NEWTRUE", op_true },
    [OP_NEWFALSE] = { "NEWFALSE", op_false },
    [OP_LONG1] = { "LONG1", op_long1 },
    [OP_LONG4] = { "LONG4", op_long4 },
    [OP_SHORT_BINUNICODE] = { "SHORT_BINUNICODE", op_unicode1 },
    [OP_BINUNICODE8] = { "BINUNICODE8", op_unicode8 },
    [OP_BINBYTES8] = { "BINBYTES8", op_bytes8 },
    [OP_EMPTY_SET] = { "EMPTY_SET", op_empty_set },
    [OP_ADDITEMS] = { "ADDITEMS", op_additems },
    [OP_FROZENSET] = { "FROZENSET", op_frozenset },
    [OP_STACK_GLOBAL] = { "STACK_GLOBAL", op_stack_global },
    [OP_MEMOIZE] = { "MEMOIZE", kin__load_memoize },
    [OP_FRAME] = { "FRAME", op_frame },
    [OP_BYTEARRAY8] = { "BYTEARRAY8", op_bytearray },

    /* known, and refused */
    ['I'] = { "INT", NULL },
    ['L'] = { "LONG", NULL },
    ['S'] = { "STRING", NULL },
    ['T'] = { "BINSTRING", NULL },
    ['U'] = { "SHORT_BINSTRING", NULL },
    ['V'] = { "UNICODE", NULL },
    ['F'] = { "FLOAT", NULL },
    ['l'] = { "LIST", NULL },
    ['d'] = { "DICT", NULL },
    ['2'] = { "DUP", NULL },
    ['g'] = { "GET", NULL },
    ['p'] = { "PUT", NULL },
    ['i'] = { "INST", NULL },
    ['o'] = { "OBJ", NULL },
    ['P'] = { "PERSID", NULL },
    ['Q'] = { "BINPERSID", NULL },
    [0x82] = { "EXT1", NULL },
    [0x83] = { "EXT2", NULL },
    [0x84] = { "EXT4", NULL },
    [0x92] = { "NEWOBJ_EX", NULL },
    [0x97] = { "NEXT_BUFFER", NULL },
    [0x98] = { "READONLY_BUFFER", NULL },
};

static int run(load *l)
{
    for (;;) {
        l->opcode = l->at;
        if (l->at == l->end) {
            return kin__load_fail(l, KIN_ECORRUPT,
                                  l->at == l->begin ? "an empty pickle" : "no STOP came");
        }
        const opcode *op = &opcodes[*l->at++];
        if (op->run == NULL) {
            return op->name == NULL
                       ? kin__load_fail(l, KIN_ECORRUPT, "this is no opcode")
                       : kin__load_fail(l, KIN_EUNSUPPORTED, "this opcode is not read");
        }
        int rv = op->run(l);
        if (rv != 0) {
            return rv;
        }
    }
}

/* ---- the call ---------------------------------------------------------------------- */

static size_t or_default(size_t option, size_t otherwise)
{
    return option != 0 ? option : otherwise;
}

static int check(const void *data, size_t size, const kin_loads_options *o, const kin_obj *ret)
{
    if ((data == NULL && size > 0) || ret == NULL) {
        return kin__fail(KIN_EINVAL, "kin_loads: %s is NULL", ret == NULL ? "ret" : "data");
    }
    for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++) {
        if (o->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_loads: a reserved option is not zero");
        }
    }
    if (size > or_default(o->max_size, SIZE_MAX)) {
        return kin__fail(KIN_ERANGE, "kin_loads: a pickle of %zu bytes, and %zu are allowed", size,
                         o->max_size);
    }
    return 0;
}

/* What a pickle may take unless the options say otherwise. */
static size_t fair_memory(size_t size)
{
    return size < SIZE_MAX / 2 / MEMORY_FACTOR ? size * MEMORY_FACTOR + MEMORY_LEAST : SIZE_MAX;
}

/* A multiple of 8. */
static size_t first_bundle(size_t size)
{
    return size < 64 ? 256 : size < BUNDLE_KEPT / 4 ? size / 2 * 8 : BUNDLE_KEPT;
}

int kin_loads_with(const void *data, size_t size, const kin_loads_options *options, kin_obj *ret)
{
    static const kin_loads_options defaults;
    const kin_loads_options *o = options == NULL ? &defaults : options;
    int rv = check(data, size, o, ret);
    if (rv < 0) {
        return rv;
    }
    kin_obj first[64]; /* many a pickle needs no more */
    const uint8_t *begin = size > 0 ? data : (const uint8_t *)"";
    load l = {
        .begin = begin,
        .at = begin,
        .end = begin + size,
        .stack = { .items = first, .first = first, .room = 24 },
        .memo = { .items = first + 24, .first = first + 24, .room = 24 },
        .marks = { .items = first + 48, .first = first + 48, .room = 8 },
        .bin = { .items = first + 56, .first = first + 56, .room = 8 },
        .bundle_size = first_bundle(size),
        .memory = or_default(o->max_memory, fair_memory(size)),
        .work = o->max_memory > fair_memory(size) ? o->max_memory : fair_memory(size),
        .max_depth = or_default(o->max_depth, DEPTH_MAX),
        .max_memo = or_default(o->max_memo, size),
        .max_int = or_default(o->max_int, INT_MAX_DEFAULT),
    };
    l.max_depth = l.max_depth < INT32_MAX ? l.max_depth : INT32_MAX - 1;
    rv = run(&l);
    rv = rv < 0 ? rv : kin__load_settle(&l);
    if (rv < 0) {
        kin__load_discard(&l);
        return rv;
    }
    *ret = l.result;
    return 0;
}

int kin_loads(const void *data, size_t size, kin_obj *ret)
{
    return kin_loads_with(data, size, NULL, ret);
}
