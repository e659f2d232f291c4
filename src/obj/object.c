/* object.c - the life of an object: references, the last one, and what dies with it.
 *
 * Idea. Whoever drops the last reference to a node buries it. A box that dies drops its slots, and
 * more boxes may die of that: they wait in a chain through the dead boxes themselves, so a list
 * that is a million deep needs neither C's stack nor any memory to go.
 *
 *    release(o) --> todo: [box] -> [box] -> ...      each: drop the slots, then give up the memory
 *
 * Rules.
 *   R1  A count of 1 that we own needs no atomic subtraction: nobody else has a reference, so
 *       nobody can be adding one.
 *   R2  The memory of a bundled node is the bundle's; the bundle goes when its last node has died.
 *   R3  An island (node.h) is counted as one, and dies at once.
 *   R4  With KIN_DEBUG=objects a dead node's memory is kept for a while (until CELLAR more have
 *       died), filled with garbage and marked DEAD, so that a second release is seen.
 *
 * Death. Private memory: nothing to mend.
 *
 * Not here. What the types hold (value.c, container.c, shared.c).
 */
#include "local.h"
#include <stdlib.h>
#include <string.h>

enum { DEAD = 0xdd, GARBAGE = 0xdb, CELLAR = 1024 };

static _Atomic int poisoning; /* 0: not known yet, 1: no, 2: yes */
static _Atomic(void *) cellar[CELLAR];
static _Atomic unsigned cellar_next;

static bool is_poisoning(void)
{
    int now = atomic_load_explicit(&poisoning, memory_order_relaxed); /* alone, orders nothing */
    if (now == 0) {
        const char *what = getenv("KIN_DEBUG");
        now = what != NULL && strstr(what, "objects") != NULL ? 2 : 1;
        atomic_store_explicit(&poisoning, now, memory_order_relaxed);
    }
    return now == 2;
}

const char *kin__type_name(kin_type type)
{
    static const char *const names[] = {
        "an invalid object", "none",     "a bool",  "an int", "a float",
        "a function",        "a shared", "a str",   "bytes",  "a buffer",
        "an error",          "a list",   "a tuple", "a dict", "a set",
    };
    return (size_t)type < sizeof names / sizeof names[0] ? names[type] : "no object";
}

/* ---- references -------------------------------------------------------------------- */

/* A node that died is touched again: only where it is kept after (R4) can that be seen. */
static void tell_dead(const node *n, const char *verb)
{
    kin_log(KIN_LOG_ERROR, "%s: %s at %p was released before", verb,
            kin__type_name((kin_type)n->flags), (const void *)n);
    (void)kin__fail(KIN_EFREED, "%s: %s was released before", verb,
                    kin__type_name((kin_type)n->flags));
}

static inline bool seen_dead(const node *n, const char *verb)
{
    if (n->type == DEAD) {
        tell_dead(n, verb);
    }
    return n->type == DEAD;
}

kin_obj kin_retain(kin_obj o)
{
    if (is_heap(o)) {
        node *n = o.as.p;
        if (seen_dead(n, "kin_retain")) {
            return kin__obj_invalid(KIN_EFREED);
        }
        /* Relaxed: who adds one has one, so nothing is published here. */
        atomic_fetch_add_explicit(refs_of(n), 1, memory_order_relaxed);
    }
    o.flags &= (uint8_t)~BORROWED;
    return o;
}

kin_obj kin__obj_own(kin_obj given)
{
    return given.flags & BORROWED ? kin_retain(given) : given;
}

/* ---- the end ----------------------------------------------------------------------- */

typedef struct burial {
    box *todo;      /* boxes that died and still hold their slots */
    bundle *bundle; /* where the last dead nodes lay, and how many did */
    uint32_t dead;
    bool sent; /* the bytes of buffers are another process's now */
} burial;

/* True for the last reference. */
static inline bool drop(node *n)
{
    if (seen_dead(n, "kin_release")) {
        return false;
    }
    _Atomic uint32_t *count = refs_of(n);
    /* Pairs with the subtractions below: what others did with the node is done (R1). */
    if (atomic_load_explicit(count, memory_order_acquire) == 1) {
        return true;
    }
    return atomic_fetch_sub_explicit(count, 1, memory_order_acq_rel) == 1;
}

static void give_up(void *memory)
{
    if (is_poisoning()) {
        memory = atomic_exchange(&cellar[atomic_fetch_add(&cellar_next, 1) % CELLAR], memory);
    }
    kin__os_free(memory);
}

static void give_up_memory(bundle *b)
{
    if (!b->kept || is_poisoning() || !kin__bundle_keep(b)) {
        give_up(b);
    }
}

static void give_up_bundle(burial *b)
{
    /* acq_rel: the last one to come sees what all before did with their nodes. */
    if (b->dead > 0 &&
        atomic_fetch_sub_explicit(&b->bundle->live, b->dead, memory_order_acq_rel) == b->dead) {
        give_up_memory(b->bundle);
    }
    b->dead = 0;
}

static void poison(node *n)
{
    if (n->type >= KIN_TYPE_ERROR) {
        ((box *)(void *)n)->items = NULL;
        n->len = 0;
    } else if (n->type == KIN_TYPE_INT) {
        memset(((bigint *)(void *)n)->digits, GARBAGE, n->len * sizeof(uint32_t));
    } else if (n->type != KIN_TYPE_BUFFER) {
        memset(((chars *)(void *)n)->data, GARBAGE, n->len);
    }
    n->flags = n->type;
    n->type = DEAD;
}

/* A node that holds nothing any more. */
static void forget(burial *b, node *n)
{
    if (is_poisoning()) {
        poison(n);
    }
    if (n->back == 0) {
        give_up(n);
        return;
    }
    bundle *of = bundle_of(n);
    if (of != b->bundle) {
        give_up_bundle(b);
        b->bundle = of;
    }
    b->dead++;
}

static void bury_box(burial *b, box *dead)
{
    kin__os_free(atomic_load_explicit(&dead->u.index, memory_order_relaxed)); /* ours alone */
    dead->u.link = b->todo;
    b->todo = dead;
}

/* All boxes of an island at once (R3). Its bundles stay until these have been emptied. */
static void bury_island(burial *b, const bundle *island)
{
    for (const bundle *of = island; of != NULL; of = of->next) {
        for (uint32_t i = 0; i < of->boxes; i++) {
            bury_box(b, (box *)(void *)(of + 1) + i);
        }
    }
}

static void bury(burial *b, node *n)
{
    if (n->type >= KIN_TYPE_ERROR) {
        if (n->flags & ISLANDER) {
            bury_island(b, bundle_of(n)->island);
        } else {
            bury_box(b, (box *)(void *)n);
        }
        return;
    }
    if (n->type == KIN_TYPE_BUFFER) {
        kin__ref block = atomic_load(&((loan *)(void *)n)->block);
        if (block != 0 && !b->sent) {
            (void)kin__block_discard(block);
        }
    }
    if (n->type == KIN_TYPE_SHARED) {
        kin__local_bury(n);
    }
    forget(b, n);
}

static void empty(burial *b, box *dead)
{
    size_t n = slots(dead);
    for (size_t i = 0; i < n; i++) {
        kin_obj o = dead->items[i];
        if ((o.flags & (HEAP | BORROWED)) == HEAP && drop(o.as.p)) {
            bury(b, o.as.p);
        }
    }
    if (owns_slots(dead)) {
        kin__os_free(dead->items);
    }
    forget(b, &dead->node);
}

static void release(kin_obj o, bool sent)
{
    if ((o.flags & (HEAP | BORROWED)) != HEAP || !drop(o.as.p)) {
        return;
    }
    burial b = { .sent = sent };
    bury(&b, o.as.p);
    while (b.todo != NULL) {
        box *next = b.todo;
        b.todo = next->u.link;
        empty(&b, next);
    }
    give_up_bundle(&b);
}

void kin_release(kin_obj o)
{
    release(o, false);
}

bool kin__obj_refill(kin_obj tuple, kin_obj item)
{
    box *b = tuple.type == KIN_TYPE_TUPLE ? tuple.as.p : NULL;
    /* acquire: as in drop; R1, and R4: an argument that is used too late shall be seen. */
    if (b == NULL || atomic_load_explicit(&b->node.count, memory_order_acquire) != 1 ||
        b->node.len != 1 || WATCHED || is_poisoning()) {
        return false;
    }
    kin_obj old = b->items[0];
    b->items[0] = item;
    kin_release(old);
    return true;
}

/* Buffers that others hold, too, are emptied on a walk, which may lack the memory to go very deep;
 * those that go now are not freed in any case. */
void kin__obj_sent(kin_obj o)
{
    kin__walk_buffers(o);
    release(o, true);
}

void kin__obj_drop(kin_obj given)
{
    kin_release(given);
}

/* ---- the invalid object ------------------------------------------------------------ */

void *kin__node_new(kin_type type, size_t size)
{
    node *n = kin__os_malloc(size);
    if (n == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for %s of %zu bytes", kin__type_name(type), size);
        return NULL;
    }
    memset(n, 0, sizeof *n);
    atomic_init(&n->count, 1);
    n->type = (uint8_t)type;
    return n;
}

/* A sentence in a word (FNV-1a): an invalid object keeps it, and so it can be told later whether
 * kin_errmsg() is still about that object. */
static int64_t digest(const char *sentence)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (const char *s = sentence; *s != '\0'; s++) {
        sum = (sum ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
    }
    return (int64_t)sum;
}

kin_obj kin__obj_invalid(int code)
{
    return (kin_obj){ .type = KIN_TYPE_INVALID, .code = code, .as.i = digest(kin_errmsg()) };
}

int kin__obj_check(kin_obj o, const char *verb)
{
    if (o.type != KIN_TYPE_INVALID) {
        return 0;
    }
    if (o.code >= 0) {
        return kin__fail(KIN_EINVAL, "%s: the object was never made (it is all zeros)", verb);
    }
    const char *why = o.as.i == digest(kin_errmsg()) ? kin_errmsg() : kin_strerror(o.code);
    return kin__fail(o.code, "%s: the object is invalid, since making or reading it failed: %s",
                     verb, why);
}

int kin__obj_pass(kin_obj o, const char *verb)
{
    bool told = o.type == KIN_TYPE_INVALID && o.code < 0 && o.as.i == digest(kin_errmsg());
    return told ? o.code : kin__obj_check(o, verb);
}

int kin__obj_mismatch(kin_obj o, const char *verb, const char *wanted)
{
    int rv = kin__obj_check(o, verb);
    if (rv < 0) {
        return rv;
    }
    return kin__fail(KIN_ETYPE, "%s: %s is not %s", verb, kin__type_name((kin_type)o.type), wanted);
}
