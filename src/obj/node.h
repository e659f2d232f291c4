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
 * Nodes that came out of a flat copy share one allocation, a bundle, those out of a pickle a few.
 * Each has its own count all the same, so that lifetimes are those of single objects; the bundle
 * counts its living nodes.
 *
 * But counts cannot tell when a ring of boxes is alone. A pickle that turned out to hold one is an
 * island: its boxes have one count together, for the references from outside; those among them are
 * not counted; and all of them die when that count has gone. (What users tie to a ring with
 * kin_append is not found.)
 *
 *      outside --> [ island: box <--> box --> box ]       bundle -> bundle -> bundle
 *                                                          refs
 *
 * Rules.
 *   R1  A slot's object is owned, and never invalid; it is borrowed only from one box of an island
 *       to another.
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

/* Whether a sanitizer sees what is done to memory that was freed. */
#ifndef __has_feature
#define __has_feature(what) 0
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define WATCHED true
#else
#define WATCHED false
#endif

enum {
    BORROWED = 1, /* flags of a kin_obj: somebody else's reference */
    HEAP = 2,     /* it points to a node */

    /* flags of a node: what the first means depends on the type */
    NEGATIVE = 1,   /* a bigint */
    KWARGS = 1,     /* a tuple with a dict of named arguments in a slot past its end */
    VARIANT = 1,    /* bytes: a bytearray; a set: a frozenset */
    SLOTS_LENT = 2, /* a box whose slots lie elsewhere in its bundle */
    ISLANDER = 4,   /* a box of an island */
    FETCHED = 8,    /* while a pickle is read: something else may hold it already */
    UNBUILT = 16,   /* the same: its state is to come */
    SEEN = 32,      /* the same: a look has been taken at it */
    NAMED = 64,     /* a box while a flat copy is read: it gets a number once it is whole */
};

/* What a tuple is besides. (Of an error: which exception, see exception.c; 0: none.) */
enum { MARK_TOKEN = 1, MARK_SLICE };

enum { TOKEN_TYPE, TOKEN_ADDRESS, TOKEN_ID, TOKEN_SLOTS };
enum { PROXY_CLASS = TOKEN_SLOTS, PROXY_EXPOSED, PROXY_SLOTS };

enum { ERROR_TEXT, ERROR_ARGS, ERROR_SLOTS }; /* slots of an error; its args may be none */

typedef struct node {
    _Atomic uint32_t count;
    uint32_t back; /* to its bundle, in steps of 8 bytes; 0: a node on its own */
    uint8_t type;
    uint8_t flags;
    uint16_t mark;
    int32_t code; /* an error's; while a pickle is read: how deep a box is */
    size_t len;   /* as kin_len says it; of a bigint its digits */
} node;

typedef struct chars { /* str, bytes */
    node node;
    char data[]; /* len bytes and a zero */
} chars;

typedef struct bigint { /* beyond int64_t only; the last digit is not 0 */
    node node;
    uint32_t digits[];
} bigint;

typedef struct loan { /* a buffer */
    node node;
    _Atomic kin__ref block; /* 0 once taken or sent */
} loan;

typedef struct box_index box_index;

typedef struct box { /* error, list, tuple, dict (key, value, key, ...), set */
    node node;
    kin_obj *items;
    size_t room; /* slots there are; while a flat copy is read: slots begun (and of what cannot
                    grow, while a pickle is read: what a look at all of it costs) */
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
    _Atomic uint32_t refs; /* of an island's first: references from outside */
    struct bundle *island; /* its first bundle */
    struct bundle *next;   /* of the same pickle */
    uint32_t boxes;        /* of a pickle: how many lie at its begin, in a row */
    uint32_t kept;         /* of a pickle: it has BUNDLE_KEPT bytes */
} bundle;

/* What a pickle's bundles have, unless it is a small one: what a survivor keeps alive, and what
 * malloc takes from its heap. */
enum { BUNDLE_KEPT = 64 * 1024 };

static inline bool is_box(kin_obj o)
{
    return o.type >= KIN_TYPE_ERROR;
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

static inline bundle *bundle_of(node *n)
{
    return (bundle *)(void *)((uint64_t *)(void *)n - n->back);
}

static inline _Atomic uint32_t *refs_of(node *n)
{
    bool islander = n->type >= KIN_TYPE_ERROR && (n->flags & ISLANDER);
    return islander ? &bundle_of(n)->island->refs : &n->count;
}

static inline bool is_frozenset(kin_obj o)
{
    return o.type == KIN_TYPE_SET && (((const node *)o.as.p)->flags & VARIANT);
}

static inline bool is_bytearray(kin_obj o)
{
    return o.type == KIN_TYPE_BYTES && (((const node *)o.as.p)->flags & VARIANT);
}

/* Whether its slots are an allocation of their own. */
static inline bool owns_slots(const box *b)
{
    return b->items != b->inside && !(b->node.flags & SLOTS_LENT);
}

/* Slots to an entry. */
static inline size_t stride(const box *b)
{
    return b->node.type == KIN_TYPE_DICT ? 2 : 1;
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

/* ---- value.c ----------------------------------------------------------------------- */

/* An error of a text and a tuple of arguments (or none), which are given. */
kin_obj kin__error_new(int code, unsigned mark, kin_obj text, kin_obj args);

/* ---- container.c ------------------------------------------------------------------- */

box *kin__box_new(kin_type type, size_t n);

/* Room for `more` slots besides those in use: KIN_ENOMEM. */
int kin__box_reserve(box *b, size_t more);
/* How many slots there will be then. */
size_t kin__box_room(const box *b, size_t more);

/* ---- index.c ----------------------------------------------------------------------- */

#define NOT_FOUND SIZE_MAX
enum { ROW = 8 }; /* entries that are searched one by one, without a hash */

static inline bool is_row(const box *b)
{
    return b->node.len <= ROW && atomic_load_explicit(&b->u.index, memory_order_relaxed) == NULL;
}

/* What certainly can be a key, and needs no hash to say so. */
static inline bool is_plain_key(kin_obj o)
{
    return o.type == KIN_TYPE_STR || (o.type <= KIN_TYPE_FLOAT && o.type != KIN_TYPE_INVALID);
}

/* The entries (not slots) of a dict or set whose key may be the one with that hash, one after the
 * other; begin with *pos = 0, which grows with what is looked at. */
size_t kin__box_candidate(box *b, int64_t hash, size_t *pos);

/* The entry of a key whose hash the caller knows (of a row it does not matter). `pos` is 0, and
 * tells how far it had to look. */
size_t kin__box_find(box *b, kin_obj key, int64_t hash, size_t *pos);

/* Appends a key that is not there, whose references are the box's from now on, where there is
 * room. */
void kin__box_add(box *b, kin_obj key, kin_obj value, int64_t hash);

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
/* The beginning of a repr, in 60 bytes and "..."; or in as many as there is room for: its
 * length. */
void kin__repr_brief(kin_obj o, char ret_text[BRIEF]);
size_t kin__repr_cut(kin_obj o, char *ret_text, size_t room);

/* One character of UTF-8: how many bytes it has, 0 when they are none. Halves of surrogate pairs
 * pass, since Python's pickles may hold them. */
size_t kin__utf8_decode(const char *s, size_t size, uint32_t *ret_char);
/* How many bytes of a text are UTF-8 in that sense, from its begin on. */
size_t kin__utf8_valid(const char *s, size_t size);

/* ---- equal.c ----------------------------------------------------------------------- */

int kin__hash(kin_obj o, int64_t *ret_hash);

/* ---- bundle.c ---------------------------------------------------------------------- */

/* One of BUNDLE_KEPT bytes; NULL: there is no memory. */
bundle *kin__bundle_take(void);
/* Keeps it for the next one: false when it has to be freed. */
bool kin__bundle_keep(bundle *b);

/* ---- token.c ----------------------------------------------------------------------- */

/* Whether the slots of a tuple marked so are as they should be. */
bool kin__token_is_sane(const box *b);
bool kin__is_address(kin_obj o);
bool kin__is_exposed(kin_obj o);

/* ---- exception.c: Python's exceptions ---------------------------------------------- */

typedef struct exception_type {
    const char *module, *name;
    const char *full; /* module.name; a builtin one has its name alone */
    int code;
    int number; /* an errno; -1: of those that have one, but no special one; 0: not of those */
} exception_type;

/* By its mark. NULL for 0 and for what is none. */
const exception_type *kin__exception_type(unsigned mark);
/* 0: not one that is known. */
unsigned kin__exception_find(const char *module, size_t module_size, const char *name,
                             size_t name_size);
/* The one that comes closest to a code. */
unsigned kin__exception_of(int code);

/* What it is when it has these arguments. */
unsigned kin__exception_narrow(unsigned mark, const box *args);

/* What str() says of an exception: an object that is borrowed from the arguments, or (then that is
 * invalid) *ret_size bytes of at most EXCEPTION_TEXT. */
enum { EXCEPTION_TEXT = 1000 };
kin_obj kin__exception_text(unsigned mark, box *args, char ret_text[EXCEPTION_TEXT],
                            size_t *ret_size);
/* How many of its arguments Python's repr() shows. */
size_t kin__exception_shown(unsigned mark, const box *args);

/* ---- memo.c: which nodes have been met --------------------------------------------- */

typedef struct memo_cell {
    const node *node; /* NULL: free */
    size_t number;
} memo_cell;

enum { MEMO_FIRST = 8 };
typedef struct memo_table {
    memo_cell *cells; /* `room` of them: a power of two, or 0 */
    size_t room, used;
    memo_cell first[MEMO_FIRST];
} memo_table;

static inline void memo_begin(memo_table *m)
{
    m->cells = NULL;
    m->room = 0;
    m->used = 0;
}

static inline void memo_end(memo_table *m)
{
    if (m->cells != m->first && m->cells != NULL) {
        kin__os_free(m->cells);
    }
}

/* NULL: it has not been met. The cell stays where it is until the next one is added. */
memo_cell *kin__memo_find(const memo_table *m, const node *n);
/* One that has not been met: 0 or KIN_ENOMEM. */
int kin__memo_add(memo_table *m, const node *n, size_t number);

/* Whether it can be met again: somebody has another reference. (Islanders have a count of 2.) */
static inline bool has_others(const node *n)
{
    return atomic_load_explicit(&n->count, memory_order_relaxed) != 1; /* orders nothing */
}

/* ---- walk.c: where one is in nested boxes ------------------------------------------ */

typedef struct frame {
    box *box;
    size_t at; /* the next slot */
    union {
        struct { /* equal.c: what it is compared with; in dicts and sets where that is looked for */
            box *other;
            size_t pos, entry;
            enum { AT_NO_KEY, AT_KEY, BEHIND_KEY } state;
        } pair;
        uint64_t sum; /* equal.c: the hash so far */
        size_t end;   /* repr.c: the slots to be shown */
        bool named;   /* flat.c: it gets a number once it is whole */
    } u;
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
/* Goes into a box wherever we are: 0 or KIN_ENOMEM. */
int kin__walk_enter(walk *w, box *b);
void kin__walk_end(walk *w);
/* Visits what is on the heap, each node once, boxes before what they hold: 0, KIN_ENOMEM, or
 * what a visitor said, which ends the walk. */
int kin__walk_nodes(kin_obj o, int (*visit)(kin_obj o, void *ctx), void *ctx);
/* Empties all buffers in an object, as if their bytes had been taken. */
void kin__walk_buffers(kin_obj o);

static inline frame *walk_top(walk *w)
{
    return w->depth > 0 ? &w->frames[w->depth - 1] : NULL;
}

#endif
