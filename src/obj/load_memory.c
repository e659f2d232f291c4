/* load_memory.c - reading pickles: where what is made lies, and the end. See load.h. */
#include "load.h"
#include <string.h>

enum {
    LENT_MOST = 4 * 1024, /* bytes of slots that may lie in a bundle */
    CHEAP = 256,          /* bytes of a key that is compared with a few without counting */
    INDEX_COST = 48,      /* bytes of it for each entry, at worst */
};

/* ---- memory ------------------------------------------------------------------------ */

static int charge(load *l, size_t size)
{
    if (size > l->memory) {
        return kin__load_fail(l, KIN_ERANGE, "it needs more memory than may be taken for it");
    }
    l->memory -= size;
    return 0;
}

/* While a pile is moved there are two of them. */
int kin__load_grow(load *l, pile *p, size_t room)
{
    size_t old = p->items == p->first ? 0 : p->room * sizeof(kin_obj);
    room = room < p->room + p->room / 2 ? p->room + p->room / 2 : room;
    int rv = charge(l, room * sizeof(kin_obj));
    if (rv < 0) {
        return rv;
    }
    kin_obj *items = kin__os_realloc(old == 0 ? NULL : p->items, room * sizeof(kin_obj));
    if (items == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_loads: no memory for %zu objects", room);
    }
    if (old == 0) {
        memcpy(items, p->first, p->n * sizeof(kin_obj));
    }
    l->memory += old;
    p->items = items;
    p->room = room;
    return 0;
}

/* In front of all others, so that these are in no order. */
static bundle *bundle_new(load *l, size_t size)
{
    if (charge(l, size) < 0) {
        return NULL;
    }
    bundle *b = size == BUNDLE_KEPT ? kin__bundle_take() : kin__os_malloc(size);
    if (b == NULL) {
        (void)kin__fail(KIN_ENOMEM, "kin_loads: no memory for %zu bytes", size);
        return NULL;
    }
    atomic_init(&b->live, 0);
    atomic_init(&b->refs, 0);
    b->island = NULL;
    b->next = l->all;
    b->boxes = 0;
    b->kept = size == BUNDLE_KEPT;
    l->all = b;
    return b;
}

static int open_bundle(load *l, size_t least)
{
    size_t size = l->bundle_size;
    if (size > l->memory || size < sizeof(bundle) + least) {
        size = sizeof(bundle) + least;
    }
    bundle *b = bundle_new(l, size);
    if (b == NULL) {
        return kin__failure();
    }
    l->bundle = b;
    l->front = (char *)(b + 1);
    l->back = (char *)b + size;
    l->bundle_size = l->bundle_size * 2 < BUNDLE_KEPT ? l->bundle_size * 2 : BUNDLE_KEPT;
    return 0;
}

/* ---- boxes and leaves -------------------------------------------------------------- */

box *kin__load_box(load *l, kin_type type, size_t n)
{
    size_t size = n * sizeof(kin_obj);
    size_t lent = size <= LENT_MOST ? size : 0;
    if (load_left(l) < sizeof(box) + lent && open_bundle(l, sizeof(box) + lent) < 0) {
        return NULL;
    }
    box *b = load_node(l->bundle, l->front, type);
    l->front += sizeof(box);
    l->bundle->boxes++;
    b->node.code = 1;
    b->items = b->inside;
    b->room = 0;
    atomic_init(&b->u.index, NULL);
    return n == 0 || kin__load_reserve(l, b, n) == 0 ? b : NULL;
}

void *kin__load_leaf_slow(load *l, kin_type type, size_t size)
{
    if (size > LARGE) {
        bundle *own = bundle_new(l, sizeof *own + size);
        return own == NULL ? NULL : load_node(own, own + 1, type);
    }
    return open_bundle(l, size) < 0 ? NULL : kin__load_leaf(l, type, size);
}

static bool lend(load *l, box *b, size_t slots_wanted)
{
    size_t size = slots_wanted * sizeof(kin_obj);
    if (b->room > 0 || slots_wanted > LENT_MOST / sizeof(kin_obj) || size > load_left(l) ||
        bundle_of(&b->node) != l->bundle) {
        return false;
    }
    l->back -= size;
    b->items = (kin_obj *)(void *)l->back;
    b->room = slots_wanted;
    b->node.flags |= SLOTS_LENT;
    return true;
}

static size_t index_size(const box *b, size_t more)
{
    if (b->node.type < KIN_TYPE_DICT) {
        return 0;
    }
    size_t before = b->node.len > ROW ? b->node.len : 0;
    size_t then = b->node.len + (b->node.type == KIN_TYPE_DICT ? more / 2 : more);
    return then > ROW ? (then - before) * INDEX_COST : 0;
}

/* While slots are moved there are two rows of them (R2). */
int kin__load_reserve(load *l, box *b, size_t more)
{
    size_t used = slots(b);
    int rv = charge(l, index_size(b, more));
    if (rv < 0 || used + more <= b->room || lend(l, b, more)) {
        return rv;
    }
    size_t old = owns_slots(b) ? b->room * sizeof(kin_obj) : 0;
    size_t room = kin__box_room(b, more);
    rv = charge(l, room * sizeof(kin_obj));
    rv = rv < 0 ? rv : kin__box_reserve(b, more);
    if (rv == 0) {
        l->memory += old;
    }
    return rv;
}

/* ---- references -------------------------------------------------------------------- */

int kin__load_fetch(load *l, kin_obj o)
{
    if (!is_heap(o)) {
        return 0;
    }
    node *n = o.as.p;
    uint32_t count = atomic_load_explicit(&n->count, memory_order_relaxed); /* ours alone */
    if (count == UINT32_MAX) {
        return kin__load_fail(l, KIN_ERANGE, "it is referred to too often");
    }
    atomic_store_explicit(&n->count, count + 1, memory_order_relaxed);
    n->flags |= is_box(o) ? FETCHED : 0;
    return 0;
}

/* ---- keys -------------------------------------------------------------------------- */

#define HEAVY (UINT64_C(1) << 60)

/* An error's arguments are compared, too, and nobody has looked what is in there. */
static uint64_t weight(kin_obj o)
{
    if (!is_heap(o)) {
        return 1;
    }
    const node *n = o.as.p;
    switch (n->type) {
    case KIN_TYPE_ERROR:
        return HEAVY;
    case KIN_TYPE_TUPLE: /* a token without its state may get a large one */
        return n->flags & UNBUILT ? HEAVY : ((const box *)o.as.p)->room;
    case KIN_TYPE_SET:
        return n->flags & VARIANT ? ((const box *)o.as.p)->room : 1;
    case KIN_TYPE_INT:
        return 2 + n->len;
    default:
        return is_box(o) ? 1 : 2 + n->len / 16;
    }
}

void kin__load_weigh(box *b)
{
    uint64_t sum = 1;
    for (size_t i = 0; i < b->node.len && sum < HEAVY; i++) {
        sum += weight(b->items[i]);
    }
    b->room = sum < HEAVY ? sum : HEAVY;
}

/* A key is looked at so often: for its hash, by keys that are equal, by those that are in the
 * way. */
static int work(load *l, uint64_t times, uint64_t steps)
{
    if (times > l->work / steps) {
        return kin__load_fail(l, KIN_ERANGE, "it takes too long to compare what is in it");
    }
    l->work -= times * steps;
    return 0;
}

int kin__load_look(load *l, kin_obj o)
{
    return work(l, 1, weight(o));
}

/* Whether it can be a key, and what that costs. */
static int check_key(load *l, kin_obj key, int64_t *ret_hash)
{
    size_t path = is_box(key) ? kin__load_depth(key.as.p) * sizeof(frame) * 3 : 0;
    int rv = charge(l, path); /* a walk through it, while it lasts */
    l->memory += rv < 0 ? 0 : path;
    rv = rv < 0 ? rv : work(l, 2, weight(key));
    rv = rv < 0 ? rv : kin__hash(key, ret_hash);
    if (rv == KIN_ETYPE) {
        rv = kin__load_fail(l, rv, "%s cannot be a key",
                            is_bytearray(key) ? "a bytearray" : kin__type_name((kin_type)key.type));
    }
    return rv;
}

/* The first key stays, as in Python, and the last value. */
static int put_again(load *l, box *b, size_t entry, kin_obj key, kin_obj value)
{
    int rv = pile_push(l, &l->bin, key);
    if (rv < 0 || b->node.type != KIN_TYPE_DICT) {
        return rv;
    }
    kin_obj old = b->items[entry * 2 + 1];
    b->items[entry * 2 + 1] = value;
    return pile_push(l, &l->bin, old);
}

int kin__load_put(load *l, box *b, kin_obj key, kin_obj value)
{
    int64_t hash = 0;
    size_t looks = 0;
    bool cheap = is_row(b) && is_plain_key(key) && (!is_heap(key) || kin_len(key) < CHEAP);
    int rv = cheap ? 0 : check_key(l, key, &hash);
    if (rv < 0) {
        return rv;
    }
    size_t entry = kin__box_find(b, key, hash, &looks);
    if (entry == NOT_FOUND) {
        kin__box_add(b, key, value, hash);
    } else {
        rv = put_again(l, b, entry, key, value);
    }
    return rv < 0 || looks == 0 ? rv : work(l, looks & (SIZE_MAX >> 1), weight(key));
}

/* ---- the end ----------------------------------------------------------------------- */

static void free_piles(load *l)
{
    pile *const all[] = { &l->stack, &l->marks, &l->memo, &l->bin };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->items != all[i]->first) {
            kin__os_free(all[i]->items);
        }
    }
}

static box *box_in(bundle *b, uint32_t i)
{
    return (box *)(void *)(b + 1) + i;
}

void kin__load_discard(load *l)
{
    for (bundle *b = l->all; b != NULL;) {
        for (uint32_t i = 0; i < b->boxes; i++) {
            box *of = box_in(b, i);
            kin__os_free(atomic_load_explicit(&of->u.index, memory_order_relaxed));
            if (owns_slots(of)) {
                kin__os_free(of->items);
            }
        }
        bundle *next = b->next;
        kin__os_free(b);
        b = next;
    }
    free_piles(l);
}

/* Depth cannot be told from the boxes where one has grown after it was put into another. */
static int measure(load *l)
{
    walk w;
    size_t deepest = 0;
    kin__walk_begin(&w);
    kin_obj o = l->result;
    int rv = is_box(o) ? kin__walk_enter(&w, o.as.p) : 0;
    for (frame *f = walk_top(&w); f != NULL && rv == 0; f = walk_top(&w)) {
        f->box->node.flags |= SEEN;
        if (f->at == slots(f->box)) {
            w.depth--;
            continue;
        }
        o = f->box->items[f->at++];
        if (is_box(o) && !(((node *)o.as.p)->flags & SEEN)) {
            rv = w.depth < l->max_depth ? kin__walk_enter(&w, o.as.p) : kin__load_too_deep(l);
        }
        if (w.depth > deepest && rv == 0) {
            deepest = w.depth;
            rv = charge(l, sizeof(frame) * 3);
        }
    }
    kin__walk_end(&w);
    return rv;
}

static void make_islander(box *b)
{
    b->node.flags |= ISLANDER;
    atomic_store_explicit(&b->node.count, 2, memory_order_relaxed); /* walks look twice */
    for (size_t i = 0; i < slots(b); i++) {
        b->items[i].flags |= is_box(b->items[i]) ? BORROWED : 0;
    }
}

/* Bundles without boxes go when their last leaf does: they are no part of an island. */
static bundle *join_bundles(load *l)
{
    bundle *island = NULL;
    for (bundle *b = l->all; b != NULL;) {
        bundle *next = b->next;
        if (b->boxes > 0) {
            b->next = island;
            island = b;
        }
        b = next;
    }
    return island;
}

/* All boxes, those in the bin included, since they may be in rings of their own. If nothing refers
 * to them from outside they die now. */
static void make_island(load *l)
{
    bundle *island = join_bundles(l);
    for (bundle *b = island; b != NULL; b = b->next) {
        b->island = island;
        for (uint32_t i = 0; i < b->boxes; i++) {
            make_islander(box_in(b, i));
        }
    }
    for (size_t i = 0; i < l->bin.n; i++) {
        kin_release(is_box(l->bin.items[i]) ? kin_none() : l->bin.items[i]);
    }
    atomic_store_explicit(&island->refs, 1, memory_order_relaxed);
    if (!is_box(l->result)) {
        kin_release(of_node(box_in(island, 0)));
    }
}

/* R1: what is left on the stack is not needed either. */
int kin__load_settle(load *l)
{
    int rv = l->ring ? measure(l) : 0;
    for (size_t i = 0; i < l->stack.n && rv == 0; i++) {
        rv = pile_push(l, &l->bin, l->stack.items[i]);
    }
    if (rv < 0) {
        return rv;
    }
    if (l->ring) {
        make_island(l);
    } else {
        for (size_t i = 0; i < l->bin.n; i++) {
            kin_release(l->bin.items[i]);
        }
    }
    free_piles(l);
    return 0;
}
