/* collection/room.h - what shared dicts, lists, sets and namespaces are made of.
 *
 *      kin_shared_dict, _set, _namespace          kin_shared_list
 *              table.c  (entries)                       |
 *         index.c      \                                |
 *        (by hash)      +--------  radix.c  ------------+      (by position)
 *                                value.c  (one word)
 *                             change.c  (the lock, and steps that are whole or not at all)
 *
 * Writers of one collection take its lock. Readers take none: each thing that they come across
 * proves itself, by the generation in the ref that led to it. Memory of the domain is never
 * unmapped, so what they read meanwhile may be nonsense, but can be read.
 */
#ifndef KIN_COLLECTION_ROOM_H
#define KIN_COLLECTION_ROOM_H

#include "../obj/room.h"
#include "../sync/room.h"
#include <kin/collection.h>

typedef _Atomic uint64_t kin__word;

/* Loads a word that may be somebody else's memory by now. ThreadSanitizer is not told: whoever
 * reads so proves afterwards that what he has read was good. */
#ifndef __has_attribute
#define __has_attribute(x) 0
#endif
#if __has_attribute(disable_sanitizer_instrumentation)
#define KIN__UNSEEN __attribute__((disable_sanitizer_instrumentation))
#else
#define KIN__UNSEEN __attribute__((no_sanitize("thread")))
#endif
KIN__UNSEEN static inline uint64_t kin__peek(const kin__word *at)
{
    return atomic_load_explicit(at, memory_order_acquire); /* pairs with kin__change_commit */
}

/* ---- values: an object in one word (value.c) -------------------------------------------------
 *
 * Small things lie in the word itself, by its highest bit, which no ref has; the rest is a flat
 * copy in a block, and the word is its ref. Blocks never change while their ref is good: to write
 * is to put another word there. 0 is no value. */
#define KIN__WORD_SMALL (UINT64_C(1) << 63)

/* Makes the word of an object, which stays the caller's; its block is this process's still. Codes
 * of kin__flat_size; KIN_EUNSUPPORTED for what can be read once only; KIN_ENOMEM. */
int kin__value_make(kin_obj object, uint64_t *ret_word);
bool kin__value_make_small(kin_obj object, uint64_t *ret_word); /* false: it takes a block */

/* Its block becomes the family's; is freed, whoever has it. A small one, or 0: nothing. */
void kin__value_give(uint64_t word);
void kin__value_drop(uint64_t word);

/* 1 and an object of the caller's; 0: the word was no good (any more), look again; a code. */
int kin__value_read(uint64_t word, kin_obj *ret);

/* Copies words out of memory that may change meanwhile. */
void kin__peek_words(uint64_t *to, const void *from, size_t n);

/* ---- changes: whole, or not at all (change.c) ------------------------------------------------
 *
 * A change is prepared aside, written down, and then done; whoever finds the lock of somebody who
 * died does what he had written down, or frees what he had prepared.
 *
 *     int rv = kin__change_begin(c, KIN__SHARED_DICT, "kin_shared_dict_set: the dict"); // the lock
 *     kin__change_new(c, ref);               // a block that is ours still, and shall be given
 *     kin__change_write(c, &word, value);    // seen by nobody until commit
 *     kin__change_dead(c, ref);              // freed after that
 *     kin__change_commit(c);                 // gives, writes in this order, frees
 *     kin__change_end(c);                    // the lock; what was not committed is undone
 *
 * Between begin and end there may be many commits; each is a step of its own. */
#define KIN__CHANGE_WRITES 40
#define KIN__CHANGE_BLOCKS 24

/* What dies with a tree: its nodes alone, the values in it, or entries with their values. */
typedef enum kin__contents { KIN__NODES, KIN__VALUES, KIN__ENTRIES } kin__contents;

#define KIN__CHANGE_LANES 8

typedef struct kin__change_log {
    kin__mutex lock; /* of a head: the collection's kind */
    _Atomic uint32_t phase;
    _Atomic uint32_t writes, news, deads;
    _Atomic uint32_t dead_contents;
    struct kin__change_write {
        kin__word at; /* address of a word in the domain */
        kin__word value;
    } write[KIN__CHANGE_WRITES];
    kin__word new_[KIN__CHANGE_BLOCKS];
    kin__word dead[KIN__CHANGE_BLOCKS];
    kin__word new_tree;   /* its nodes: given from the root down */
    kin__word dead_tree;  /* freed from the leaves up, with dead_contents */
    kin__word dead_index; /* the same, of an index */
    struct kin__lane {
        _Alignas(64) kin__mutex mutex;
    } lane[KIN__CHANGE_LANES];
} kin__change;

/* 0; KIN_EFREED, KIN_EINVAL, KIN_ECLOSED (freed while we waited), KIN_EDEADLK (this thread is in
 * the midst of kin_..._apply). What a dead holder left is put right first. */
int kin__change_begin(kin__change *c, kin__type type, const char *what);
void kin__change_new(kin__change *c, uint64_t ref); /* 0 and small values: nothing, also below */
void kin__change_write(kin__change *c, kin__word *at, uint64_t value);
void kin__change_dead(kin__change *c, uint64_t ref);
void kin__change_new_tree(kin__change *c, uint64_t root);
void kin__change_dead_tree(kin__change *c, uint64_t root, kin__contents contents);
void kin__change_dead_index(kin__change *c, uint64_t root); /* of a table, from the leaves up */

/* Whether its writes are under way (or its writer died there): so not all of them may be seen. */
bool kin__change_is_writing(const kin__change *c);

/* What a word will be after the change, as far as that is known now. */
uint64_t kin__change_read(kin__change *c, const kin__word *at);

/* 0. KIN_ECORRUPT when there was more than the log has room for: nothing was done, then. Whoever
 * makes a change knows how much is in it: so this is a mistake of ours, or a scribbled domain. */
int kin__change_commit(kin__change *c);
void kin__change_undo(kin__change *c); /* what was not committed */
void kin__change_end(kin__change *c);

/* A lane is for who writes one word, from a small value to another, beside those in other lanes: as
 * long as he has it nobody is between begin and end. NULL: the lock it must be. */
kin__mutex *kin__change_enter_lane(kin__change *c);
void kin__change_leave_lane(kin__mutex *lane);

/* For _new: begins one, all but the lock's free word in it; the block is ours. For _free: under the
 * lock has it emptied, by commits, then ends and frees it. Who is killed in it may be followed by
 * the next who frees. */
void kin__change_init(kin__change *c, kin__type type);
void kin__change_free(kin__change *c, kin__type type, void (*empty)(kin__change *c),
                      const char *what);

/* ---- radix trees: words by position (radix.c) ------------------------------------------------
 *
 * A tree of nodes of 64 words; its root's height says how many positions it reaches. Words that
 * are 0 are not there, and nodes without any are not, either. */
#define KIN__RADIX_FAN 64
#define KIN__RADIX_TALLEST 10 /* positions are less than 2^60 */

typedef struct kin__radix {
    kin__word root; /* a ref; 0: empty */
} kin__radix;

/* The word there; NULL when its node is not there. What a reader finds in it (by kin__peek) may be
 * nonsense if the node was freed meanwhile. */
kin__word *kin__radix_at(const kin__radix *radix, uint64_t position);

/* Writes a word, in a change, after whatever was put there in that change before: makes nodes where
 * they are missing, at most 10 (and 12 writes); KIN_ENOMEM. */
int kin__radix_put(kin__change *c, kin__radix *radix, uint64_t position, uint64_t word);

/* Clears one, and takes out the nodes that are empty then, but those of `keep`. At most 10. */
void kin__radix_clear(kin__change *c, kin__radix *radix, uint64_t position, uint64_t keep);

/* The first position from *position on, or the last one before it, whose word is not 0. */
bool kin__radix_next(const kin__radix *radix, uint64_t *position, uint64_t *ret_word);
bool kin__radix_previous(const kin__radix *radix, uint64_t *position, uint64_t *ret_word);

/* How many positions it reaches; 0: it is empty. */
uint64_t kin__radix_reach(const kin__radix *radix);

/* A whole tree, whose nodes are ours still, of `n` words from position `first` on, which next(ctx)
 * says one after the other. KIN_ENOMEM. By kin__change_new_tree it becomes the family's. */
int kin__radix_build(uint64_t first, uint64_t n, uint64_t (*next)(void *ctx), void *ctx,
                     uint64_t *ret_root);
void kin__radix_give(uint64_t root); /* its nodes, from the root down */

/* From the leaves up; whatever of it is left, whoever has it. */
void kin__radix_drop(uint64_t root, kin__contents contents);

/* An entry of a table is a block in which this word is the value's (table.c). */
#define KIN__ENTRY_VALUE 3

/* The index of a table: frees what its directory's word led to, or what is left of it (index.c). */
void kin__index_drop(uint64_t root);

/* ---- + (sum.c) ------------------------------------------------------------------------------- */

/* a + b for numbers, and for two strs, bytes, lists or tuples; nothing + delta. KIN_ETYPE. */
int kin__sum(kin_obj a, kin_obj b, const char *verb, kin_obj *ret);
int kin__sum_of_one(kin_obj delta, const char *verb, kin_obj *ret);

bool kin__is_number(kin_obj o); /* an int, a bool or a float */

/* Two ints of any size: `room` bytes each, the least one first; one more than the larger needs. */
typedef struct kin__magnitudes {
    uint8_t *a, *b;
    size_t room;
    bool negative[2];
} kin__magnitudes;
int kin__magnitudes_load(kin_obj a, kin_obj b, kin__magnitudes *ret); /* KIN_ENOMEM */
void kin__magnitudes_done(kin__magnitudes *m);
int kin__magnitudes_compare(const kin__magnitudes *m); /* without the signs: -1, 0, 1 */

/* ---- what a manager elsewhere serves (remote.c) ----------------------------------------------
 *
 * A verb asks first: if (kin__is_remote(dict, KIN__SHARED_DICT)), which is one load as long as
 * there are none. `args` are given; `ret` may be NULL. */
int kin__remote_do(const void *thing, const char *method, kin_obj args, kin_obj *ret);
int64_t kin__remote_number(const void *thing, const char *method, kin_obj args); /* or 0, 1 */
int kin__remote_pop(const void *thing, kin_obj args, kin_obj *ret);
int kin__remote_setdefault(const void *thing, kin_obj key, kin_obj value, kin_obj *ret);
int kin__remote_change(const void *thing, bool adds, kin_obj member); /* of a set */
int kin__remote_popitem(const void *thing, kin_obj *ret_key, kin_obj *ret_value);
int kin__remote_next(const void *thing, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value);
int kin__remote_refuse(const char *what); /* KIN_EUNSUPPORTED */
kin_obj kin__remote_whole(void);          /* arguments: the slice that is all of a list */
int64_t kin__remote_find(const void *thing, const char *method, kin_obj value);

/* A list from its largest item down, in one step; here only. */
int kin__list_sort_backwards(kin_shared_list *list);
int kin__remote_attribute(const void *thing, const char *method, kin_obj args, kin_obj *ret);

#endif
