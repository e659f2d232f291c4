/* equal.c - == and hash by Python's rules.
 *
 * Idea. Numbers compare by value whatever their type. Boxes of one type compare slot by slot along
 * a walk that holds both of them; dicts and sets ask the other one for each key. What is the same
 * node is equal without a look, as in Python, where a NaN in a list equals itself so.
 *
 * Keys hold no dict and no set, so asking for one never leads back here more than once: that is
 * all the recursion there is.
 */
#include "node.h"
#include <string.h>

/* ---- equality ---------------------------------------------------------------------- */

static bool is_number(kin_obj o)
{
    return o.type == KIN_TYPE_INT || o.type == KIN_TYPE_BOOL || o.type == KIN_TYPE_FLOAT;
}

/* Exactly, for a double holds no int beyond 53 bits precisely. 2^63 is the first that is too large
 * for the cast. */
static bool int_equals_float(int64_t i, double f)
{
    return f >= -0x1p63 && f < 0x1p63 && (double)(int64_t)f == f && (int64_t)f == i;
}

static bool numbers_equal(kin_obj a, kin_obj b)
{
    if (b.type == KIN_TYPE_FLOAT) {
        kin_obj swap = a;
        a = b;
        b = swap;
    }
    if (a.type == KIN_TYPE_FLOAT) {
        if (b.type == KIN_TYPE_FLOAT) {
            return a.as.f == b.as.f;
        }
        return is_heap(b) ? kin__bigint_equal_float(b.as.p, a.as.f)
                          : int_equals_float(b.as.i, a.as.f);
    }
    if (is_heap(a) || is_heap(b)) {
        return is_heap(a) && is_heap(b) && kin__bigint_equal(a.as.p, b.as.p);
    }
    return a.as.i == b.as.i;
}

static bool leaves_equal(kin_obj a, kin_obj b)
{
    if (is_number(a) && is_number(b)) {
        return numbers_equal(a, b);
    }
    if (a.type != b.type) {
        return false;
    }
    if (!is_heap(a)) {
        return a.type != KIN_TYPE_INVALID && a.as.i == b.as.i; /* none, functions, shared things */
    }
    const chars *s = a.as.p;
    const chars *t = b.as.p;
    if (a.type == KIN_TYPE_BUFFER) {
        return s == t;
    }
    return s->node.code == t->node.code && s->node.len == t->node.len &&
           memcmp(s->data, t->data, s->node.len) == 0;
}

enum { SAME, DIFFERENT, OPEN };

/* What can be said of two objects without looking into boxes. */
static int at_first_sight(kin_obj a, kin_obj b)
{
    if (is_heap(a) && is_heap(b) && a.as.p == b.as.p) {
        return SAME;
    }
    if (!is_box(a) || !is_box(b)) {
        return leaves_equal(a, b) ? SAME : DIFFERENT;
    }
    const box *x = a.as.p;
    const box *y = b.as.p;
    return a.type == b.type && x->node.len == y->node.len && slots(x) == slots(y) ? OPEN
                                                                                  : DIFFERENT;
}

/* The next pair of two boxes to be compared: in lists and tuples what is at the same place, in
 * dicts the two values of a key. False when a key is in one alone. */
static bool next_pair(frame *f, kin_obj *a, kin_obj *b)
{
    *a = f->box->items[f->at++];
    if (f->box->node.type == KIN_TYPE_LIST || f->box->node.type == KIN_TYPE_TUPLE) {
        *b = f->other->items[f->at - 1];
        return true;
    }
    int64_t hash;
    kin_obj key = *a;
    size_t entry = kin__hash(key, &hash) < 0 ? NOT_FOUND : kin__box_find(f->other, key, hash);
    if (f->box->node.type == KIN_TYPE_DICT) {
        *a = f->box->items[f->at++];
        *b = entry == NOT_FOUND ? key : f->other->items[entry * 2 + 1];
    } else {
        *b = key;
    }
    return entry != NOT_FOUND;
}

static int enter(walk *path, kin_obj a, kin_obj b)
{
    int rv = kin__walk_push(path, a.as.p);
    if (rv == 0) {
        walk_top(path)->other = b.as.p;
    }
    return rv == ON_PATH ? kin__fail(KIN_EINVAL, "kin_equal: the object contains itself") : rv;
}

/* Whether two boxes hold the same: OPEN when that cannot be told. */
static int boxes_equal(kin_obj a, kin_obj b)
{
    walk path;
    kin__walk_begin(&path);
    int result = enter(&path, a, b) < 0 ? OPEN : SAME;
    for (frame *f = walk_top(&path); f != NULL && result == SAME; f = walk_top(&path)) {
        if (f->at == slots(f->box)) {
            path.depth--;
            continue;
        }
        result = next_pair(f, &a, &b) ? at_first_sight(a, b) : DIFFERENT;
        if (result == OPEN && enter(&path, a, b) == 0) {
            result = SAME;
        }
    }
    kin__walk_end(&path);
    return result;
}

bool kin_equal(kin_obj a, kin_obj b)
{
    int result = at_first_sight(a, b);
    return (result == OPEN ? boxes_equal(a, b) : result) == SAME;
}

/* ---- hashes ------------------------------------------------------------------------ */

#define PRIME_1 UINT64_C(11400714785074694791) /* those of xxHash, as in Python's tuples */
#define PRIME_2 UINT64_C(14029467366897019727)
#define PRIME_5 UINT64_C(2870177450012600261)

__extension__ typedef unsigned __int128 uint128;

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Eight bytes at a time; the same in all processes. */
static int64_t text_hash(const chars *t)
{
    const char *s = t->data;
    size_t left = t->node.len;
    uint64_t h = PRIME_5 ^ left;
    for (; left > 0; s += 8) {
        uint64_t word = 0;
        size_t n = left < 8 ? left : 8;
        memcpy(&word, s, n);
        h = mix(h ^ word, PRIME_1);
        left -= n;
    }
    h = mix(h ^ t->node.type, PRIME_2);
    return h == UINT64_MAX ? -2 : (int64_t)h;
}

static int leaf_hash(kin_obj o, int64_t *ret_hash)
{
    switch ((kin_type)o.type) {
    case KIN_TYPE_BOOL:
        *ret_hash = o.as.i;
        return 0;
    case KIN_TYPE_INT:
        *ret_hash = is_heap(o) ? kin__bigint_hash(o.as.p) : kin__int_hash(o.as.i);
        return 0;
    case KIN_TYPE_FLOAT:
        *ret_hash = kin__float_hash(o.as.f);
        return 0;
    case KIN_TYPE_NONE:
    case KIN_TYPE_FUNC:
    case KIN_TYPE_SHARED:
        *ret_hash = kin__int_hash((int64_t)mix((uint64_t)o.as.i ^ o.type, PRIME_1));
        return 0;
    case KIN_TYPE_STR:
    case KIN_TYPE_BYTES:
    case KIN_TYPE_ERROR:
        *ret_hash = text_hash(o.as.p);
        return 0;
    default:
        return kin__obj_mismatch(o, "kin_hash", "hashable, so it can be no key");
    }
}

static void add_hash(frame *f, int64_t hash)
{
    f->sum += (uint64_t)hash * PRIME_2;
    f->sum = f->sum << 31 | f->sum >> 33;
    f->sum *= PRIME_1;
}

static int enter_tuple(walk *path, box *b)
{
    int rv = kin__walk_push(path, b);
    if (rv == 0) {
        walk_top(path)->sum = PRIME_5;
    }
    return rv == ON_PATH ? kin__fail(KIN_EINVAL, "kin_hash: the tuple contains itself") : rv;
}

static int64_t leave_tuple(walk *path)
{
    frame *f = walk_top(path);
    uint64_t sum = f->sum + (slots(f->box) ^ (PRIME_5 ^ 3527539));
    path->depth--;
    return sum == UINT64_MAX ? 1546275796 : (int64_t)sum;
}

static int tuple_hash(box *outermost, int64_t *ret_hash)
{
    walk path;
    kin__walk_begin(&path);
    int rv = enter_tuple(&path, outermost);
    for (frame *f = walk_top(&path); f != NULL && rv == 0; f = walk_top(&path)) {
        if (f->at == slots(f->box)) {
            *ret_hash = leave_tuple(&path);
            f = walk_top(&path);
            if (f != NULL) {
                add_hash(f, *ret_hash);
            }
            continue;
        }
        kin_obj o = f->box->items[f->at++];
        int64_t hash = 0;
        if (o.type == KIN_TYPE_TUPLE) {
            rv = enter_tuple(&path, o.as.p);
        } else {
            rv = leaf_hash(o, &hash);
            add_hash(f, hash);
        }
    }
    kin__walk_end(&path);
    return rv;
}

int kin__hash(kin_obj o, int64_t *ret_hash)
{
    return o.type == KIN_TYPE_TUPLE ? tuple_hash(o.as.p, ret_hash) : leaf_hash(o, ret_hash);
}

int64_t kin_hash(kin_obj o)
{
    int64_t hash = -1;
    return kin__hash(o, &hash) < 0 ? -1 : hash;
}
