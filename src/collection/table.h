/* table.h - keys, each once, in the order in which they came: what a dict, a set and a namespace
 * are.
 *
 * Idea. What belongs to a key is an entry: a block that stays where it is as long as the key is
 * there. Two ways lead to it: the index by hash, the order by position. Neither has to be right for
 * a reader who is on it, for the entry itself says what it is.
 *
 *      directory ---> segment ---> bucket: 7 tags, 7 refs --+
 *                                                           v
 *                                     entry: life, hash, position, VALUE, key
 *                                                           ^
 *      order ---> node ---> node: 64 refs ------------------+
 *
 * Rules.
 *   R1  A key is there when there is an entry of it that is good (its ref), of this life of the
 *       table, and whose value is not 0. All three are asked of the entry, whatever way one came:
 *       so nobody sees a key by one way and not by the other.
 *   R2  Life, hash, position and key of an entry never change while it is good. A reader loads the
 *       value, and asks then whether the entry is still good.
 *   R3  An entry is put into order and index before it gets its value, and loses that first.
 *   R4  Clearing a table gives it another life: so all entries are gone by one store.
 *   R5  Life 0 is a table that is being freed.
 *
 * Who writes has the lock of the change, or a lane for a word alone; readers have nothing.
 */
#ifndef KIN_COLLECTION_TABLE_H
#define KIN_COLLECTION_TABLE_H

#include "room.h"
#include <stddef.h>

/* What a kin_shared_dict, _set and _namespace point to. */
typedef struct kin__table {
    kin__change change;
    _Alignas(64) kin__word life; /* here is what readers look at... */
    kin__word seed;
    kin__word directory; /* see index.c */
    kin__radix order;
    kin__word version;            /* grows when nodes of the order hang there no more, and before
                                     they are freed */
    _Alignas(64) kin__word count; /* ...and here what each new key changes */
    kin__word next;               /* the position of the next one */
} kin__table;

/* Into a block that nobody was told of, but whose former readers may be late (pairs with
 * kin__peek). */
static inline void kin__fill(kin__word *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/* What readers come to: */
enum {
    KIN__MISSING = 0, /* it was not there at some moment of the call */
    KIN__FOUND = 1,
    KIN__AGAIN = 2, /* somebody was at it: nothing can be said */
};

/* ---- keys and entries (entry.c) -------------------------------------------------------------- */

typedef struct kin__key {
    uint64_t hash;
    kin_obj object;
    size_t size;    /* of the flat key */
    uint64_t *flat; /* in the room, or kin__os_malloc'ed */
    uint64_t room[32];
} kin__key;

/* KIN_ETYPE for what cannot be a key, KIN_EUNSUPPORTED, KIN_ENOMEM. The object stays the
 * caller's, and must outlive the key. */
int kin__key_make(const kin__table *t, kin_obj object, const char *verb, kin__key *ret);
void kin__key_done(kin__key *key);

typedef struct kin__entry {
    kin__word life;
    kin__word hash;
    kin__word position;
    kin__word value;
    kin__word size;
    kin__word key[];
} kin__entry;

/* Still ours, and without a value. NULL with a sentence. */
kin__entry *kin__entry_new(const kin__table *t, const kin__key *key, uint64_t position);

_Static_assert(offsetof(kin__entry, value) == KIN__ENTRY_VALUE * sizeof(kin__word),
               "a tree of entries is freed by radix.c");

/* Whether that is the key's entry, or was when it was good: 1, 0 or a code. */
int kin__entry_is(const kin__key *key, uint64_t life, kin__ref ref, kin__entry **ret);

/* 1 and its key, 0 when it is no good any more, or a code. */
int kin__entry_key(const kin__entry *e, kin__ref ref, kin_obj *ret);

/* ---- by hash (index.c, and split.c where it grows and shrinks) ------------------------------- */

#define KIN__BUCKET_SLOTS 7
#define KIN__BUCKET_FULL (UINT64_C(1) << 56) /* there was no room: look at the next one, too */
#define KIN__SEGMENT_LEAST 2u                /* powers of two */
#define KIN__SEGMENT_MOST 6u
#define KIN__PROBES 8u
#define KIN__DIRECTORY_BIT (UINT64_C(1) << 63) /* no ref has it */
#define KIN__DIRECTORY_MOST 32u

typedef struct kin__bucket {
    kin__word tags; /* a byte for each slot, and KIN__BUCKET_FULL */
    kin__word refs[KIN__BUCKET_SLOTS];
} kin__bucket;

typedef struct kin__segment {
    kin__word depth; /* so many of the highest bits of a hash lead here */
    kin__word log;   /* of the number of buckets */
    kin__word next;  /* a ref, or 0: for what has no room here and would have none elsewhere */
    kin__word used;
    uint64_t spare[4];
    kin__bucket buckets[];
} kin__segment;

_Static_assert(sizeof(kin__bucket) == 64, "a bucket is a cache line");
_Static_assert(sizeof(kin__segment) == 64, "buckets begin with a cache line");

typedef struct kin__directory {
    kin__word depth;
    kin__word slots[];
} kin__directory;

/* How one comes to a segment. */
typedef struct kin__way {
    uint64_t root;   /* of the table: 0, a segment's ref, or a directory's with its bit */
    kin__word *slot; /* where the segment's ref stands */
    kin__ref ref;
} kin__way;

typedef struct kin__spot {
    kin__entry *entry;
    kin__ref ref;
    kin__way way;
    kin__segment *segment; /* in which it was found: the way's, or one behind that */
    kin__bucket *bucket;
    unsigned slot;
} kin__spot;

/* KIN__FOUND: it is proven only by asking, after its value was loaded, whether it is good.
 * KIN__MISSING, KIN__AGAIN, or a code. */
int kin__index_find(const kin__table *t, const kin__key *key, kin__spot *ret);

/* Whether the index still leads to what was found: so the entry was good until now. */
bool kin__index_holds(const kin__table *t, const kin__spot *spot);

/* In a change. The key is not there; KIN_ENOMEM. */
int kin__index_put(kin__table *t, uint64_t hash, kin__ref entry);
void kin__index_remove(kin__table *t, const kin__spot *spot);

bool kin__index_way(const kin__table *t, uint64_t hash, kin__way *ret);
kin__segment *kin__segment_at(kin__ref ref);
kin__segment *kin__segment_new(unsigned depth, unsigned log);

static inline uint64_t kin__tag_of(uint64_t hash)
{
    uint64_t tag = hash >> 8 & 0xff;
    return tag != 0 ? tag : 1;
}

static inline kin__bucket *kin__segment_bucket(kin__segment *s, uint64_t i)
{
    return &s->buckets[i & ((UINT64_C(1) << kin__peek(&s->log)) - 1)];
}

static inline unsigned kin__segment_probes(const kin__segment *s)
{
    uint64_t n = UINT64_C(1) << kin__peek(&s->log);
    return n < KIN__PROBES ? (unsigned)n : KIN__PROBES;
}

/* The lowest free slot of a bucket, KIN__BUCKET_SLOTS when there is none. */
static inline unsigned kin__bucket_space(uint64_t tags)
{
    unsigned slot = 0;
    while (slot < KIN__BUCKET_SLOTS && (tags >> slot * 8 & 0xff) != 0) {
        slot++;
    }
    return slot;
}

/* There is no room for the hash behind that way: makes some, with the entry in it. */
int kin__split(kin__table *t, const kin__way *way, uint64_t hash, kin__ref entry);

/* Takes an entry out of a segment in which few are left by making less of it; false: it is to be
 * taken out of there. */
bool kin__shrink(kin__table *t, const kin__spot *spot);

/* ---- tables (table.c) ------------------------------------------------------------------------ */

/* A table as a call has it. */
typedef struct kin__on {
    kin__table *table;
    kin__type type;
    const char *verb; /* "kin_shared_dict_get" */
    const char *what; /* "kin_shared_dict_get: the dict" */
} kin__on;

#define KIN__ON(table_, type_, verb_, noun_)                                                       \
    {                                                                                              \
        .table = (kin__table *)(table_), .type = (type_), .verb = (verb_),                         \
        .what = verb_ ": " noun_                                                                   \
    }

kin__table *kin__table_new(kin__type type);
void kin__table_free(const kin__on *on);

/* Without the lock: */
int kin__table_get(const kin__on *on, const kin__key *key, kin_obj *ret);
int kin__table_has(const kin__on *on, const kin__key *key);
int64_t kin__table_len(const kin__on *on);
int kin__table_next(const kin__on *on, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value);

/* The lock, and what is done under it. What was not done by then is undone by leave. */
int kin__table_enter(const kin__on *on);
void kin__table_leave(const kin__on *on);
int kin__table_find(const kin__on *on, const kin__key *key, kin__spot *ret);
int kin__table_value(const kin__on *on, const kin__spot *spot, kin_obj *ret);

/* What one saw of a key before one had the lock, if one wants it: so that others wait for the proof
 * only, that it is so still. */
typedef struct kin__glance {
    kin__spot spot;
    uint64_t life, next; /* of the table, before */
    int seen;            /* as of kin__index_find */
} kin__glance;
void kin__table_glance(const kin__on *on, const kin__key *key, kin__glance *ret);
int kin__table_find_again(const kin__on *on, const kin__key *key, kin__glance *glance);

/* Without the lock, from one small value to the next, in a lane (change.c): false when that cannot
 * be, and the lock it must be. `next` says, perhaps more than once, what comes after `old`. */
typedef bool (*kin__table_next_word)(uint64_t old, void *ctx, uint64_t *ret_word);
bool kin__table_renew(const kin__on *on, const kin__glance *glance, kin__table_next_word next,
                      void *ctx);

/* The word becomes the table's, or is dropped. replace: of an entry that was found. */
int kin__table_insert(const kin__on *on, const kin__key *key, uint64_t word);
int kin__table_replace(const kin__on *on, const kin__spot *spot, uint64_t word);
int kin__table_remove(const kin__on *on, const kin__spot *spot);
int kin__table_clear(const kin__on *on);

/* Visits all, in their order, until it says less than 0. The objects are given to it; those that it
 * does not want are none. */
typedef struct kin__tour {
    int (*visit)(kin_obj key, kin_obj value, void *ctx);
    void *ctx;
    bool keys, values;
} kin__tour;
int kin__table_each(const kin__on *on, const kin__tour *tour);

/* ---- objects go in and out (dict.c, dict_bulk.c) --------------------------------------------- */

/* Does one step under the lock: spot NULL means that there is no such key. Takes the key. */
typedef int (*kin__table_step)(const kin__on *on, const kin__key *key, const kin__spot *spot,
                               void *ctx);
int kin__dict_step(const kin__on *on, kin_obj object, kin__table_step step, void *ctx);

/* As the verbs of dicts; they take what they are given. */
int kin__dict_set(const kin__on *on, kin_obj key, kin_obj value);
int kin__dict_get(const kin__on *on, kin_obj key, kin_obj *ret_value);
int kin__dict_contains(const kin__on *on, kin_obj key);
int64_t kin__dict_len(const kin__on *on);
int kin__dict_pop(const kin__on *on, kin_obj key, kin_obj *ret_value);
int kin__dict_popitem(const kin__on *on, kin_obj *ret_key, kin_obj *ret_value);
int kin__dict_clear(const kin__on *on);
int kin__dict_copy(const kin__on *on, kin_obj *ret_dict);

/* All of it at one moment, visited with `into` as ctx, which is handed out then; taken else. */
int kin__dict_gather(const kin__on *on, kin__tour tour, kin_obj into, kin_obj *ret);
int kin__dict_next(const kin__on *on, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value);

/* Makes on->table with what is in the options: items, which update puts in unless they are all
 * zeros; they are taken. On failure there is none. */
int kin__dict_new(kin__on *on, bool is_wanted, kin_obj items, const uint64_t reserved[4],
                  int (*update)(const kin__on *on, kin_obj items));

#endif
