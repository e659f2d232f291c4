/* load.h - reading pickles: the machine's state, for load.c and its helpers. See load.c.
 *
 * Idea. All that is made while a pickle is read lies in bundles (node.h) and stays until the end,
 * whatever becomes of it: the memo may fetch it again. So there is nothing to count but what is
 * fetched, nothing to take apart on failure, and few allocations.
 *
 *      bundle:   | head | box box box -->      free      <-- texts, slots of those boxes |
 *
 * Rules.
 *   R1  A reference lies in one place: on the stack, in a slot, or in the bin, where those go that
 *       are not needed any more. BINGET makes one more; the memo has none of its own. The bin is
 *       emptied when all is read.
 *   R2  Every byte that is allocated is charged before. What a bundle has left is charged, too.
 *   R3  Slots lie in the bundle of their box, or are an allocation of their own.
 *   R4  A class (a global of the closed list) is an invalid object whose code is its place there.
 *       It is found on the stack and in the memo; else only in tuples, until STOP at the latest.
 *   R5  A ring cannot come about but by putting a box into one that was fetched before: only then
 *       is one looked for, and all that was made becomes an island.
 *
 * Death. Private memory.
 *
 * Not here. Writing (dump.c).
 */
#ifndef KIN_OBJ_LOAD_H
#define KIN_OBJ_LOAD_H

#include "node.h"
#include "opcodes.h"
#include <kin/pickle.h>

typedef struct pile { /* of references, or numbers; at first in the machine itself */
    kin_obj *items;
    size_t n, room;
    kin_obj *first;
} pile;

typedef struct load {
    const uint8_t *at, *end;
    const uint8_t *begin, *opcode; /* of the pickle, of the opcode that is at work */
    pile stack;
    size_t fence;  /* what lies below is before the last mark */
    size_t simple; /* from here up no box and no class is on the stack */
    pile marks;    /* where they are in the stack */
    pile memo;     /* all zeros: no entry */
    size_t memo_n; /* entries there are */
    pile bin;      /* R1 */
    bundle *all;   /* in the order in which they have come about */
    bundle *bundle;
    char *front, *back; /* what it has left */
    size_t bundle_size; /* of the next one */
    size_t memory;      /* bytes that may still be charged */
    uint64_t work;      /* steps that keys may still cost */
    size_t max_depth, max_memo, max_int;
    size_t classes; /* in tuples (R4) */
    size_t unbuilt; /* tokens without their state */
    bool ring;      /* R5 */
    kin_obj result;
} load;

/* ---- load.c ------------------------------------------------------------------------ */

/* "kin_loads: REDUCE (0x52) at byte 41: ..." */
int kin__load_fail(const load *l, int code, const char *format, ...) KIN_PRINTF(3, 4);
int kin__load_too_deep(const load *l);

/* ---- load_value.c: what follows an opcode, and what is made of it -------------------- */

typedef struct line {
    const char *s;
    size_t size;
} line;

/* So many bytes; a number of up to eight of them; a line of text. KIN_ECORRUPT: it is cut off. */
int kin__load_take(load *l, uint64_t size, const uint8_t **ret);
int kin__load_number(load *l, size_t width, uint64_t *ret);
int kin__load_line(load *l, line *ret);

/* These push it. A text's and an int's length has `width` bytes. */
int kin__load_ints(load *l);
int kin__load_float(load *l);
int kin__load_read_long(load *l, size_t width);
int kin__load_text(load *l, size_t width, kin_type type, uint8_t flags);

/* array.array(typecode, bytes), as a list. */
int kin__load_array(load *l, box *args, kin_obj *ret);

/* ---- load_memory.c ----------------------------------------------------------------- */

int kin__load_grow(load *l, pile *p, size_t room);

/* A box with room for `n` slots, all of which the caller fills; NULL with a sentence. */
box *kin__load_box(load *l, kin_type type, size_t n);
void *kin__load_leaf_slow(load *l, kin_type type, size_t size);
/* Room for `more` slots besides those in use. */
int kin__load_reserve(load *l, box *b, size_t more);

/* One more reference to what there is already. */
int kin__load_fetch(load *l, kin_obj o);

/* What looking at all of a tuple or frozenset costs is noted in its `room`. */
void kin__load_weigh(box *b);

/* To be asked before all of a tuple is looked at, which may be a large one that was fetched. */
int kin__load_look(load *l, kin_obj o);

/* Puts a key into a dict or set, and its value, where room has been reserved. */
int kin__load_put(load *l, box *b, kin_obj key, kin_obj value);

/* The end: counts become true, or everything is freed. */
int kin__load_settle(load *l);
void kin__load_discard(load *l);

enum { LARGE = 16 * 1024 }; /* bytes of a leaf that gets one of its own */

static inline size_t load_left(const load *l)
{
    return (size_t)(l->back - l->front);
}

/* Nobody else knows the bundle yet. */
static inline void *load_node(bundle *b, void *at, kin_type type)
{
    uint32_t live = atomic_load_explicit(&b->live, memory_order_relaxed);
    atomic_store_explicit(&b->live, live + 1, memory_order_relaxed);
    node *n = at;
    *n = (node){ .count = 1, .type = (uint8_t)type };
    n->back = (uint32_t)(((char *)at - (char *)b) / 8);
    return at;
}

/* A str, bytes, or bigint; NULL with a sentence. */
static inline void *kin__load_leaf(load *l, kin_type type, size_t size)
{
    size = (size + 7) / 8 * 8;
    if (size > LARGE || size > load_left(l)) {
        return kin__load_leaf_slow(l, type, size);
    }
    l->back -= size;
    return load_node(l->bundle, l->back, type);
}

static inline int pile_push(load *l, pile *p, kin_obj o)
{
    if (p->n == p->room) {
        int rv = kin__load_grow(l, p, p->n + 1);
        if (rv < 0) {
            return rv;
        }
    }
    p->items[p->n++] = o;
    return 0;
}

/* Pushes what is no box and no class. */
static inline int push(load *l, kin_obj o)
{
    return pile_push(l, &l->stack, o);
}

static inline int push_any(load *l, kin_obj o)
{
    int rv = pile_push(l, &l->stack, o);
    l->simple = l->stack.n;
    return rv;
}

static inline bool is_class(kin_obj o)
{
    return o.type == KIN_TYPE_INVALID;
}

/* How deep a box is, itself included. An error, which has a code, has it in `room`. */
static inline size_t kin__load_depth(const node *n)
{
    return n->type == KIN_TYPE_ERROR ? ((const box *)(const void *)n)->room : (size_t)n->code;
}

/* Drops what is on the stack from `n` on. */
static inline void truncate_to(load *l, size_t n)
{
    l->stack.n = n;
    l->simple = l->simple < n ? l->simple : n;
}

/* Rule R2 of load.c: so many lie above the last mark. */
static inline int need(const load *l, size_t n)
{
    if (l->stack.n - l->fence < n) {
        return kin__load_fail(l, KIN_ECORRUPT, "there is too little on the stack");
    }
    return 0;
}

static inline kin_obj pop(load *l)
{
    kin_obj o = l->stack.items[l->stack.n - 1];
    truncate_to(l, l->stack.n - 1);
    return o;
}

/* ---- load_stack.c: what moves on the stack, and to the memo and back ------------------- */

/* These are opcodes. The numbers of places in the memo have one byte, or four. */
int kin__load_mark(load *l);
int kin__load_pop(load *l);
int kin__load_pop_to_mark(load *l);
int kin__load_memoize(load *l);
int kin__load_put1(load *l);
int kin__load_put4(load *l);
int kin__load_get1(load *l);
int kin__load_get4(load *l);

/* The top goes to the bin. */
int kin__load_drop(load *l);

/* Where the last mark was, which is one no more. */
int kin__load_unmark(load *l, size_t *ret_from);

/* ---- load_box.c: what is put together of what lies on the stack --------------------- */

/* A list, tuple, set or (VARIANT) frozenset of what lies on the stack from `from` on. */
int kin__load_make(load *l, kin_type type, uint8_t flags, size_t from, kin_obj *ret);
/* Puts it into the list, dict or set that lies below it. */
int kin__load_fill(load *l, kin_type type, size_t from);
/* Pushes all that a box holds once more. */
int kin__load_spread(load *l, const box *b);

/* ---- load_global.c ----------------------------------------------------------------- */

/* A class of the closed list: KIN_EUNSUPPORTED. */
int kin__load_class(load *l, line module, line name, kin_obj *ret);
/* class(*args), or with `fresh` a new object without its state; args stay the caller's. */
int kin__load_call(load *l, kin_obj class_of, kin_obj args, bool fresh, kin_obj *ret);
/* The state of the object on top of the stack. */
int kin__load_build(load *l, kin_obj state);

#endif
