/* equal.c - == and hash by Python's rules.
 *
 * Idea. Numbers compare by value whatever their type. Boxes of one type compare slot by slot along
 * a walk that holds both of them; dicts and sets ask the other one for each key. What is the same
 * node is equal without a look, as in Python, where a NaN in a list equals itself so.
 *
 * A key may be a tuple or frozenset, and comparing it with one in the other dict a long story. So
 * that is on the walk, too: if it turns out to be another one, the next that has the same hash is
 * tried (at most one of them can be the same).
 */
#include "local.h"
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
    if (a.type == KIN_TYPE_SHARED) {
        return is_local(a) == is_local(b) && shared_key(a) == shared_key(b);
    }
    if (!is_heap(a)) {
        return a.type != KIN_TYPE_INVALID && a.as.i == b.as.i; /* none, functions */
    }
    const chars *s = a.as.p;
    const chars *t = b.as.p;
    if (a.type == KIN_TYPE_BUFFER) {
        return s == t;
    }
    return s->node.code == t->node.code && s->node.len == t->node.len &&
           memcmp(s->data, t->data, s->node.len) == 0;
}

enum { SAME, DIFFERENT, OPEN, ALL_SAME };

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
    if (a.type != b.type || x->node.len != y->node.len || slots(x) != slots(y) ||
        x->node.mark != y->node.mark) {
        return DIFFERENT;
    }
    return a.type == KIN_TYPE_ERROR && x->node.code != y->node.code ? DIFFERENT : OPEN;
}

/* Looks for the top box's next key in the other one: SAME when it is there, OPEN with a pair that
 * has to be compared to know. */
static int next_key(frame *f, kin_obj *a, kin_obj *b)
{
    int64_t hash;
    *a = f->box->items[f->at];
    if (kin__hash(*a, &hash) < 0) {
        return DIFFERENT;
    }
    size_t step = f->box->node.type == KIN_TYPE_DICT ? 2 : 1;
    int seen = DIFFERENT;
    while (seen == DIFFERENT) {
        f->u.pair.entry = kin__box_candidate(f->u.pair.other, hash, &f->u.pair.pos);
        if (f->u.pair.entry == NOT_FOUND) {
            return DIFFERENT;
        }
        *b = f->u.pair.other->items[f->u.pair.entry * step];
        seen = at_first_sight(*a, *b);
    }
    f->u.pair.state = seen == OPEN ? AT_KEY : BEHIND_KEY;
    return seen;
}

/* What is to be compared next, at first sight: in lists and tuples what is at the same place, in
 * dicts and sets a key and, if it is there, its value. */
static int next_pair(frame *f, kin_obj *a, kin_obj *b)
{
    if (f->at == slots(f->box)) {
        return ALL_SAME;
    }
    bool dict = f->box->node.type == KIN_TYPE_DICT;
    if (!dict && f->box->node.type != KIN_TYPE_SET) {
        *a = f->box->items[f->at];
        *b = f->u.pair.other->items[f->at++];
        return at_first_sight(*a, *b);
    }
    if (f->u.pair.state != BEHIND_KEY) {
        int seen = next_key(f, a, b);
        if (seen != SAME) {
            return seen;
        }
    }
    f->u.pair.state = AT_NO_KEY;
    f->u.pair.pos = 0;
    size_t slot = f->at + 1;
    f->at += dict ? 2 : 1;
    if (!dict) {
        return SAME;
    }
    *a = f->box->items[slot];
    *b = f->u.pair.other->items[f->u.pair.entry * 2 + 1];
    return at_first_sight(*a, *b);
}

/* Whether its args say what it is: the text is of when it was made, and args may grow. */
static bool text_follows(const box *b)
{
    return b->node.type == KIN_TYPE_ERROR && b->items[ERROR_ARGS].type != KIN_TYPE_NONE;
}

static int enter(walk *path, kin_obj a, kin_obj b)
{
    int rv = kin__walk_push(path, a.as.p);
    if (rv == 0) {
        frame *f = walk_top(path);
        f->u.pair.other = b.as.p;
        f->at = text_follows(f->box) ? ERROR_ARGS : f->at;
    }
    return rv == ON_PATH ? kin__fail(KIN_EINVAL, "kin_equal: the object contains itself") : rv;
}

/* Leaves boxes that are known to be the same, or not: the box around is not either, unless another
 * key may be the one. SAME when there is more to compare. */
static int leave(walk *path, int result)
{
    for (;;) {
        path->depth--;
        frame *f = walk_top(path);
        if (f == NULL) {
            return result;
        }
        if (result == ALL_SAME) {
            f->u.pair.state = f->u.pair.state == AT_KEY ? BEHIND_KEY : AT_NO_KEY;
            return SAME;
        }
        if (f->u.pair.state == AT_KEY) {
            return SAME;
        }
    }
}

/* Whether two boxes hold the same: OPEN when that cannot be told. */
static int boxes_equal(kin_obj a, kin_obj b)
{
    walk path;
    kin__walk_begin(&path);
    int result = enter(&path, a, b) < 0 ? OPEN : SAME;
    while (result == SAME) {
        result = next_pair(walk_top(&path), &a, &b);
        if (result == OPEN && enter(&path, a, b) == 0) {
            result = SAME;
        } else if (result == ALL_SAME || result == DIFFERENT) {
            result = leave(&path, result);
        }
    }
    kin__walk_end(&path);
    return result == ALL_SAME ? SAME : result;
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
    case KIN_TYPE_SHARED:
        *ret_hash = kin__int_hash((int64_t)mix((uint64_t)shared_key(o) ^ o.type, PRIME_1));
        return 0;
    case KIN_TYPE_NONE:
    case KIN_TYPE_FUNC:
        *ret_hash = kin__int_hash((int64_t)mix((uint64_t)o.as.i ^ o.type, PRIME_1));
        return 0;
    case KIN_TYPE_BYTES:
        if (is_bytearray(o)) {
            return kin__fail(KIN_ETYPE,
                             "kin_hash: a bytearray is not hashable, so it can be no key");
        }
        *ret_hash = text_hash(o.as.p);
        return 0;
    case KIN_TYPE_STR:
        *ret_hash = text_hash(o.as.p);
        return 0;
    case KIN_TYPE_ERROR:
        if (text_follows(o.as.p)) {
            *ret_hash = kin__int_hash(((const box *)o.as.p)->node.code);
            return 0;
        }
        return leaf_hash(((const box *)o.as.p)->items[ERROR_TEXT], ret_hash);
    default:
        return kin__obj_mismatch(o, "kin_hash", "hashable, so it can be no key");
    }
}

/* As in Python: a set's members come in any order. */
static uint64_t shuffle(uint64_t hash)
{
    return (hash ^ 89869747 ^ hash << 16) * 3644798167;
}

static void add_hash(frame *f, int64_t hash)
{
    if (f->box->node.type == KIN_TYPE_SET) {
        f->u.sum ^= shuffle((uint64_t)hash);
        return;
    }
    f->u.sum += (uint64_t)hash * PRIME_2;
    f->u.sum = f->u.sum << 31 | f->u.sum >> 33;
    f->u.sum *= PRIME_1;
}

static int enter_key(walk *path, box *b)
{
    int rv = kin__walk_push(path, b);
    if (rv == 0) {
        walk_top(path)->u.sum = b->node.type == KIN_TYPE_SET ? 0 : PRIME_5;
    }
    return rv == ON_PATH ? kin__fail(KIN_EINVAL, "kin_hash: the object contains itself") : rv;
}

static int64_t leave_key(walk *path)
{
    frame *f = walk_top(path);
    uint64_t sum = f->u.sum;
    path->depth--;
    if (f->box->node.type == KIN_TYPE_SET) {
        sum ^= (f->box->node.len + 1) * UINT64_C(1927868237);
        sum ^= sum >> 11 ^ sum >> 25;
        sum = sum * 69069 + 907133923;
        return sum == UINT64_MAX ? 590923713 : (int64_t)sum;
    }
    sum += slots(f->box) ^ (PRIME_5 ^ 3527539);
    return sum == UINT64_MAX ? 1546275796 : (int64_t)sum;
}

static bool is_hashable_box(kin_obj o)
{
    return o.type == KIN_TYPE_TUPLE || is_frozenset(o);
}

static int box_hash(box *outermost, int64_t *ret_hash)
{
    walk path;
    kin__walk_begin(&path);
    int rv = enter_key(&path, outermost);
    for (frame *f = walk_top(&path); f != NULL && rv == 0; f = walk_top(&path)) {
        if (f->at == slots(f->box)) {
            *ret_hash = leave_key(&path);
            f = walk_top(&path);
            if (f != NULL) {
                add_hash(f, *ret_hash);
            }
            continue;
        }
        kin_obj o = f->box->items[f->at++];
        int64_t hash = 0;
        if (is_hashable_box(o)) {
            rv = enter_key(&path, o.as.p);
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
    return is_hashable_box(o) ? box_hash(o.as.p, ret_hash) : leaf_hash(o, ret_hash);
}

int64_t kin_hash(kin_obj o)
{
    int64_t hash = -1;
    return kin__hash(o, &hash) < 0 ? -1 : hash;
}
