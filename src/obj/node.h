/* node.h - how objects lie in memory; for the files of this room alone.
 *
 * Idea. A kin_obj is a scalar, or it points to a node: a count, then what there is to say of its
 * type. A text or a bigint is a leaf; list, tuple, dict and set are boxes: rows of slots, each
 * slot a kin_obj that owns its reference.
 *
 *    kin_obj          box                          slots (in the box, or apart once it has grown)
 *   +--------+       +-------+-----+-------+      +------+------+------+
 *   | p -----+-----> | count | len | items +----> | obj  | obj  | ...  |
 *   +--------+       +-------+-----+-------+      +------+------+------+
 *
 * Nodes that came out of a flat copy share one allocation, a bundle. Each has its own count all
 * the same, so that lifetimes are those of single objects; the bundle counts its living nodes.
 *
 * Rules.
 *   R1  A slot's object is owned: never borrowed, never invalid.
 *   R2  A node is dead when its count has gone; it dies once, and then drops its own slots.
 *   R3  No function here calls itself along the depth of the data: what is to be visited lies on a
 *       walk (walk.c), or is chained through the dead boxes themselves (object.c).
 *
 * Death. All of it is private memory: it goes with its process.
 *
 * Not here. Flat copies in the domain (flat.c).
 */
#ifndef KIN_OBJ_NODE_H
#define KIN_OBJ_NODE_H

#include "room.h"

enum {
    BORROWED = 1, /* flags of a kin_obj: somebody else's reference */
    HEAP = 2,     /* it points to a node */
    KWARGS = 1, /* flags of a node: a tuple with a dict of named arguments in a slot past its end */
};

typedef struct node {
    _Atomic uint32_t count;
    uint32_t back; /* to its bundle, in steps of 8 bytes; 0: a node on its own */
    uint8_t type;
    uint8_t flags;
    uint16_t spare;
    int32_t code; /* an error's */
    size_t len;   /* as kin_len says it; of a bigint its digits */
} node;

typedef struct chars { /* str, bytes, error */
    node node;
    char data[]; /* len bytes and a zero */
} chars;

typedef struct bigint { /* beyond int64_t only; the last digit is not 0 */
    node node;          /* flags: 1 when negative */
    uint32_t digits[];
} bigint;

typedef struct loan { /* a buffer */
    node node;
    _Atomic kin__ref block; /* 0 once taken or sent */
} loan;

typedef struct box_index box_index;

typedef struct box { /* list, tuple, dict (key, value, key, ...), set */
    node node;
    kin_obj *items;
    size_t room; /* slots there are; while a flat copy is read: slots begun */
    union {
        _Atomic(box_index *) index; /* of a large dict or set */
        struct box *link;           /* while dead, or while a flat copy is read */
    } u;
    kin_obj inside[];
} box;

_Static_assert(sizeof(kin_obj) == 16, "an object fits two registers");
_Static_assert(sizeof(box) == 48 && sizeof(node) == 24, "no holes, since flat copies count them");

typedef struct bundle {
    _Atomic uint32_t live; /* nodes in it that are not dead */
    uint32_t spare;
    uint64_t align;
} bundle;

static inline bool is_box(kin_obj o)
{
    return o.type >= KIN_TYPE_LIST;
}

static inline bool is_heap(kin_obj o)
{
    return o.flags & HEAP;
}

static inline bool is_big(kin_obj o)
{
    return o.type == KIN_TYPE_INT && is_heap(o);
}

static inline kin_obj borrowed(kin_obj o)
{
    o.flags |= BORROWED;
    return o;
}

static inline kin_obj of_node(void *n)
{
    return (kin_obj){ .type = ((node *)n)->type, .flags = HEAP, .as.p = n };
}

/* How many slots of a box hold something. */
static inline size_t slots(const box *b)
{
    switch (b->node.type) {
    case KIN_TYPE_DICT:
        return b->node.len * 2;
    case KIN_TYPE_TUPLE:
        return b->node.len + (b->node.flags & KWARGS);
    default:
        return b->node.len;
    }
}

/* The bytes of a box with room for `n` slots. n is below SIZE_MAX / 32. */
static inline size_t box_size(size_t n)
{
    return sizeof(box) + n * sizeof(kin_obj);
}

#define SLOTS_MAX (SIZE_MAX / 32)

/* ---- object.c: life ---------------------------------------------------------------- */

/* A node with a count of 1, or NULL with a sentence. */
void *kin__node_new(kin_type type, size_t size);
const char *kin__type_name(kin_type type);

/* kin__obj_check for constructors: the sentence of what failed first stays as it is. */
int kin__obj_pass(kin_obj o, const char *verb);

/* "verb: a list is not a dict"; for the invalid object its own code. Returns the code. */
int kin__obj_mismatch(kin_obj o, const char *verb, const char *wanted);

/* ---- container.c ------------------------------------------------------------------- */

box *kin__box_new(kin_type type, size_t n);

#define NOT_FOUND SIZE_MAX
/* The entry (not slot) of a key in a dict or set, whose hash the caller knows. */
size_t kin__box_find(box *b, kin_obj key, int64_t hash);

/* ---- number.c ---------------------------------------------------------------------- */

enum { FLOAT_TEXT = 48 };
void kin__float_text(double value, char ret_text[FLOAT_TEXT]);
char *kin__bigint_text(const bigint *b); /* kin__os_free it */
bool kin__bigint_equal(const bigint *a, const bigint *b);
bool kin__bigint_equal_float(const bigint *b, double value);
int64_t kin__bigint_hash(const bigint *b);
int64_t kin__int_hash(int64_t value);
int64_t kin__float_hash(double value);
int kin__bigint_to_float(const bigint *b, double *ret_value);

/* ---- repr.c ------------------------------------------------------------------------ */

enum { BRIEF = 64 };
/* The beginning of a repr, in 60 bytes and "..." */
void kin__repr_brief(kin_obj o, char ret_text[BRIEF]);

/* ---- equal.c ----------------------------------------------------------------------- */

int kin__hash(kin_obj o, int64_t *ret_hash);

/* ---- walk.c: where one is in nested boxes ------------------------------------------ */

typedef struct frame {
    box *box;
    box *other;   /* equal.c: what it is compared with */
    size_t at;    /* the next slot */
    uint64_t sum; /* equal.c: the hash so far */
} frame;

typedef struct walk {
    frame *frames;
    size_t depth, room;
    frame first[12];
} walk;

enum { ON_PATH = 1 };

void kin__walk_begin(walk *w);
/* Goes into a box: 0; ON_PATH when we are in it already, so it contains itself; KIN_ENOMEM. */
int kin__walk_push(walk *w, box *b);
void kin__walk_end(walk *w);
/* Empties all buffers in an object, as if their bytes had been taken. */
void kin__walk_buffers(kin_obj o);

static inline frame *walk_top(walk *w)
{
    return w->depth > 0 ? &w->frames[w->depth - 1] : NULL;
}

#endif
