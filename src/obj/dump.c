/* dump.c - kin_dumps: writing pickles that every Python reads.
 *
 * Idea. Objects are written as one meets them, into a growing buffer. What has more than one
 * reference is put into the memo, and fetched from there when it is met again. Lists, dicts and
 * sets are put there before what they hold; tuples, frozensets and exceptions cannot exist before
 * that. If one of these is met again on the way, it is written again; all that can lead back to it
 * are lists and the like, which are in the memo, so that comes to an end; and then it turns out to
 * be in the memo already, and what was written last is dropped.
 *
 *      l = []; t = (l,); l.append(t)      ] MEMOIZE  (t: l: BINGET 0)  TUPLE1 MEMOIZE  APPEND
 *                                         t itself: POP  BINGET 1
 *
 * Rules.
 *   R1  A node with a count of 1 cannot be met twice, so it needs no memo; but for the outermost
 *       one, if it was borrowed from a place further down.
 *   R2  Numbers of the memo (memo.c) are given in order.
 *
 * Death. Private memory.
 *
 * Not here. What is no box (dump_leaf.c), reading (load.c).
 */
#include "dump.h"

/* ---- what is written whole --------------------------------------------------------- */

/* An error of ours: an exception of its text, whose state is its code. */
static int add_error(dump *d, const box *b)
{
    const exception_type *type = kin__exception_type(kin__exception_of(b->node.code));
    int rv = kin__dump_global(d, type->module, type->name);
    rv = rv < 0 ? rv : kin__dump_leaf(d, b->items[ERROR_TEXT]);
    rv = rv < 0 ? rv : add_ops(d, OP_TUPLE1, OP_REDUCE);
    rv = rv < 0 ? rv : kin__dump_remember(d, &b->node);
    rv = rv < 0 ? rv : add_op(d, OP_EMPTY_DICT);
    rv = rv < 0 ? rv : kin__dump_text(d, CODE_NAME);
    rv = rv < 0 ? rv : kin__dump_leaf(d, kin_int(b->node.code));
    return rv < 0 ? rv : add_ops(d, OP_SETITEM, OP_BUILD);
}

/* A tuple of leaves. */
static int add_small_tuple(dump *d, const box *b)
{
    int rv = add_op(d, OP_MARK);
    for (size_t i = 0; i < b->node.len && rv == 0; i++) {
        rv = kin__dump_leaf(d, b->items[i]);
    }
    return rv < 0 ? rv : add_op(d, OP_TUPLE);
}

static int add_token(dump *d, const kin_obj *items)
{
    int rv = kin__dump_global(d, MANAGERS, "Token");
    rv = rv < 0 ? rv : add_ops(d, OP_EMPTY_TUPLE, OP_NEWOBJ);
    rv = rv < 0 ? rv : kin__dump_leaf(d, items[TOKEN_TYPE]);
    rv = rv < 0                         ? rv
         : is_box(items[TOKEN_ADDRESS]) ? add_small_tuple(d, items[TOKEN_ADDRESS].as.p)
                                        : kin__dump_leaf(d, items[TOKEN_ADDRESS]);
    rv = rv < 0 ? rv : kin__dump_leaf(d, items[TOKEN_ID]);
    return rv < 0 ? rv : add_ops(d, OP_TUPLE3, OP_BUILD);
}

/* RebuildProxy(class, token, 'pickle', {'exposed': ...}) */
static int add_proxy(dump *d, const kin_obj *items)
{
    int rv = kin__dump_global(d, MANAGERS, "RebuildProxy");
    rv = rv < 0 ? rv : add_op(d, OP_MARK);
    rv = rv < 0 ? rv : kin__dump_global(d, MANAGERS, kin_as_str(items[PROXY_CLASS]));
    rv = rv < 0 ? rv : add_token(d, items);
    rv = rv < 0 ? rv : kin__dump_text(d, "pickle");
    rv = rv < 0 ? rv : add_op(d, OP_EMPTY_DICT);
    if (rv == 0 && is_box(items[PROXY_EXPOSED])) {
        rv = kin__dump_text(d, "exposed");
        rv = rv < 0 ? rv : add_small_tuple(d, items[PROXY_EXPOSED].as.p);
        rv = rv < 0 ? rv : add_op(d, OP_SETITEM);
    }
    return rv < 0 ? rv : add_ops(d, OP_TUPLE, OP_REDUCE);
}

static bool is_token(const box *b)
{
    return b->node.type == KIN_TYPE_TUPLE && b->node.mark == MARK_TOKEN;
}

/* 1 when there is nothing to go into. */
static int add_whole(dump *d, const box *b)
{
    int rv;
    if (b->node.type == KIN_TYPE_ERROR && b->node.mark == 0) {
        rv = add_error(d, b);
    } else if (is_token(b)) {
        rv = b->node.len == TOKEN_SLOTS ? add_token(d, b->items) : add_proxy(d, b->items);
        rv = rv < 0 ? rv : kin__dump_remember(d, &b->node);
    } else if (b->node.type == KIN_TYPE_TUPLE && slots(b) == 0) {
        rv = add_op(d, OP_EMPTY_TUPLE);
    } else {
        return 0;
    }
    return rv < 0 ? rv : 1;
}

/* ---- boxes ------------------------------------------------------------------------- */

static bool is_frozen_set(const box *b)
{
    return b->node.type == KIN_TYPE_SET && b->node.flags & VARIANT;
}

/* Sets of protocols 2 and 3 are made of a list. */
static bool is_list(const dump *d, const box *b)
{
    return b->node.type == KIN_TYPE_LIST || (b->node.type == KIN_TYPE_SET && d->protocol < 4);
}

static int open_set(dump *d, const box *b)
{
    if (d->protocol < 4) {
        int rv = kin__dump_global(d, "builtins", is_frozen_set(b) ? "frozenset" : "set");
        return rv < 0 ? rv : add_op(d, OP_EMPTY_LIST);
    }
    if (is_frozen_set(b)) {
        return add_op(d, OP_MARK);
    }
    int rv = add_op(d, OP_EMPTY_SET);
    return rv < 0 ? rv : kin__dump_remember(d, &b->node);
}

static int open_tuple(dump *d, const box *b)
{
    if (b->node.flags & KWARGS) {
        return kin__fail(KIN_EUNSUPPORTED, "kin_dumps: named arguments mean nothing elsewhere");
    }
    if (b->node.mark == MARK_SLICE) {
        return kin__dump_global(d, "builtins", "slice");
    }
    return b->node.len > 3 ? add_op(d, OP_MARK) : 0;
}

static int open_box(dump *d, const box *b)
{
    const exception_type *type = kin__exception_type(b->node.mark);
    switch (b->node.type) {
    case KIN_TYPE_ERROR:
        return kin__dump_global(d, type->module, type->name);
    case KIN_TYPE_TUPLE:
        return open_tuple(d, b);
    case KIN_TYPE_SET:
        return open_set(d, b);
    default:;
        int rv = add_op(d, b->node.type == KIN_TYPE_LIST ? OP_EMPTY_LIST : OP_EMPTY_DICT);
        return rv < 0 ? rv : kin__dump_remember(d, &b->node);
    }
}

/* Writes what a box begins with, and goes into it. */
static int enter(dump *d, box *b)
{
    size_t number;
    if (kin__dump_find(d, &b->node, &number)) {
        return kin__dump_get(d, number);
    }
    int rv = add_whole(d, b);
    if (rv != 0) {
        return rv < 0 ? rv : 0;
    }
    if (d->path.depth >= d->max_depth) {
        return kin__fail(KIN_ERANGE, "kin_dumps: the object is more than %zu levels deep",
                         d->max_depth);
    }
    rv = open_box(d, b);
    rv = rv < 0 ? rv : kin__walk_enter(&d->path, b);
    if (rv == 0 && b->node.type == KIN_TYPE_ERROR) {
        walk_top(&d->path)->at = ERROR_ARGS; /* its text follows from them */
    }
    return rv;
}

/* What was written of it is on the stack: `n` objects, or a mark and all behind it. It is made of
 * these, unless the memo has it by now. */
static int finish(dump *d, const box *b, unsigned op, size_t n)
{
    size_t number;
    if (!kin__dump_find(d, &b->node, &number)) {
        int rv = add_op(d, op);
        return rv < 0 ? rv : kin__dump_remember(d, &b->node);
    }
    int rv = n == 0 ? add_op(d, OP_POP_MARK) : 0;
    for (; n > 0 && rv == 0; n--) {
        rv = add_op(d, OP_POP);
    }
    return rv < 0 ? rv : kin__dump_get(d, number);
}

/* Slots of a batch. */
static size_t batch_of(const dump *d, const box *b)
{
    switch (b->node.type) {
    case KIN_TYPE_DICT:
        return 2 * BATCH;
    case KIN_TYPE_LIST:
        return BATCH;
    case KIN_TYPE_SET:
        return is_frozen_set(b) && d->protocol >= 4 ? SIZE_MAX : BATCH;
    default:
        return SIZE_MAX;
    }
}

/* One item of a list, or entry of a dict, needs no mark. */
static bool is_lonely(const dump *d, const box *b)
{
    return b->node.len == 1 && (b->node.type == KIN_TYPE_DICT || is_list(d, b));
}

static int close_batch(dump *d, const box *b)
{
    if (b->node.len == 0) {
        return 0;
    }
    if (b->node.type == KIN_TYPE_DICT) {
        return add_op(d, is_lonely(d, b) ? OP_SETITEM : OP_SETITEMS);
    }
    return add_op(d, !is_list(d, b) ? OP_ADDITEMS : is_lonely(d, b) ? OP_APPEND : OP_APPENDS);
}

static int close_tuple(dump *d, const box *b)
{
    static const unsigned short_ops[] = { 0, OP_TUPLE1, OP_TUPLE2, OP_TUPLE3 };
    if (b->node.mark == MARK_SLICE) {
        int rv = add_op(d, OP_TUPLE3);
        return rv < 0 ? rv : finish(d, b, OP_REDUCE, 2);
    }
    size_t n = b->node.len;
    return n > 3 ? finish(d, b, OP_TUPLE, 0) : finish(d, b, short_ops[n], n);
}

static int close_box(dump *d, const box *b)
{
    if (b->node.type == KIN_TYPE_ERROR) {
        return finish(d, b, OP_REDUCE, 2);
    }
    if (b->node.type == KIN_TYPE_TUPLE) {
        return close_tuple(d, b);
    }
    if (is_frozen_set(b) && d->protocol >= 4) {
        return finish(d, b, OP_FROZENSET, 0);
    }
    int rv = close_batch(d, b);
    if (b->node.type == KIN_TYPE_SET && d->protocol < 4) {
        rv = rv < 0 ? rv : add_op(d, OP_TUPLE1);
        return rv < 0 ? rv : finish(d, b, OP_REDUCE, 2);
    }
    return rv;
}

static bool is_small(kin_obj o)
{
    return o.type == KIN_TYPE_INT && !is_heap(o);
}

static void add_ints(dump *d, frame *f, size_t end)
{
    const kin_obj *o = f->box->items + f->at;
    const kin_obj *stop = f->box->items + end;
    uint8_t *at = d->data + d->size;
    for (; o < stop && is_small(*o); o++) {
        at = put_small(at, o->as.i);
    }
    d->size = (size_t)(at - d->data);
    f->at = (size_t)(o - f->box->items);
}

/* Slots up to `end`, or to the next box; rows of ints are what there is most. */
static int add_leaves(dump *d, frame *f, size_t end)
{
    const kin_obj *items = f->box->items;
    int rv = 0;
    while (f->at < end && rv == 0 && !is_box(items[f->at])) {
        size_t stop = end - f->at < BATCH ? end : f->at + BATCH;
        rv = make_room(d, (stop - f->at) * SMALL);
        if (rv == 0) {
            add_ints(d, f, stop);
        }
        if (f->at < stop && rv == 0 && !is_box(items[f->at])) {
            rv = kin__dump_leaf(d, items[f->at++]);
        }
    }
    return rv;
}

/* What follows in a box: the end of a batch and the begin of the next, leaves, then one box. */
static int add_slots(dump *d, frame *f)
{
    const box *b = f->box;
    size_t n = slots(b);
    size_t batch = batch_of(d, b);
    int rv = 0;
    if (batch != SIZE_MAX && f->at % batch == 0) {
        rv = f->at > 0 ? close_batch(d, b) : 0;
        rv = rv < 0 || is_lonely(d, b) ? rv : add_op(d, OP_MARK);
    }
    size_t left = batch == SIZE_MAX ? n - f->at : batch - f->at % batch;
    size_t end = left < n - f->at ? f->at + left : n;
    rv = rv < 0 ? rv : add_leaves(d, f, end);
    if (rv < 0 || f->at == end) {
        return rv;
    }
    return enter(d, b->items[f->at++].as.p); /* f may lie elsewhere afterwards */
}

static int add_boxes(dump *d, box *outermost)
{
    int rv = enter(d, outermost);
    for (frame *f = walk_top(&d->path); f != NULL && rv == 0; f = walk_top(&d->path)) {
        if (f->at < slots(f->box)) {
            rv = add_slots(d, f);
        } else {
            rv = close_box(d, f->box);
            d->path.depth--;
        }
    }
    return rv;
}

/* ---- the call ---------------------------------------------------------------------- */

static int check(const kin_dumps_options *o)
{
    for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++) {
        if (o->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_dumps: a reserved option is not zero");
        }
    }
    if (o->protocol != 0 && (o->protocol < 2 || o->protocol > PROTOCOL_MAX)) {
        return kin__fail(KIN_EINVAL, "kin_dumps: protocol %u; it can be 2 to %d", o->protocol,
                         PROTOCOL_MAX);
    }
    return 0;
}

static int write_all(dump *d, kin_obj o)
{
    kin__walk_begin(&d->path);
    memo_begin(&d->memo);
    int rv = make_room(d, 64);
    if (rv == 0) {
        add_byte(d, OP_PROTO);
        add_byte(d, d->protocol);
        rv = is_box(o) ? add_boxes(d, o.as.p) : kin__dump_leaf(d, o);
    }
    kin__walk_end(&d->path);
    memo_end(&d->memo);
    return rv < 0 ? rv : add_op(d, OP_STOP);
}

int kin__dumps(kin_obj o, const kin_dumps_options *options, size_t before, void **ret_data,
               size_t *ret_size)
{
    static const kin_dumps_options defaults;
    options = options == NULL ? &defaults : options;
    dump d = {
        .protocol = options->protocol == 0 ? 4 : options->protocol,
        .max_depth = options->max_depth == 0 ? DEPTH_MAX : options->max_depth,
        .borrowed = is_box(o) && o.flags & BORROWED ? o.as.p : NULL,
    };
    int rv = check(options);
    rv = rv < 0 ? rv : make_room(&d, before);
    d.size = before;
    rv = rv < 0 ? rv : write_all(&d, o);
    kin_release(o);
    if (rv < 0) {
        kin__os_free(d.data);
        return rv;
    }
    *ret_data = d.data;
    *ret_size = d.size;
    return 0;
}

int kin_dumps_with(kin_obj o, const kin_dumps_options *options, void **ret_data, size_t *ret_size)
{
    if (ret_data == NULL || ret_size == NULL) {
        kin_release(o);
        return kin__fail(KIN_EINVAL, "kin_dumps: there is no place for the result");
    }
    return kin__dumps(o, options, 0, ret_data, ret_size);
}

int kin_dumps(kin_obj o, void **ret_data, size_t *ret_size)
{
    return kin_dumps_with(o, NULL, ret_data, ret_size);
}
