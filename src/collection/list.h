/* list.h - what a kin_shared_list is, for the files of this room that are about it.
 *
 * Idea. Item i is the word at position begin + i of a radix tree. So both ends grow and shrink in
 * one small step. Whatever else moves items (a slice, a sort, an insert in the middle) builds a
 * tree aside, and puts it in the old one's place by one store: who reads sees either.
 *
 *                 begin                     end
 *                   v                        v
 *     +-------------+------+------+---+------+-------------+
 *     |   nothing   | [0]  | [1]  |...| [-1] |    rest     |
 *     +-------------+------+------+---+------+-------------+
 *
 * Rules.
 *   R1  The rest is values that are none of the list's: on their way in, or to be freed. Who
 *       gets the lock and finds some frees them first.
 *   R2  The version is odd while a store changes which position an index means, or takes a position
 *       out; it is another one after that, and before any node is freed. Only appending and setting
 *       leave it as it is.
 *   R3  A reader loads the version, then begin, end and the word; if the version is even and still
 *       the same, that word was there while he looked. The value proves itself (value.c).
 *   R4  Who finds no such moment in KIN__LIST_LOOKS looks takes the lock to look.
 *   R5  begin and end are small numbers: where the tree would grow while its first half is empty,
 *       the items move to its begin instead.
 *
 * Death. Each step is a change (change.c): it is not done, or will be. Of those that take several,
 * all but the deciding one only touch the rest.
 */
#ifndef KIN_COLLECTION_LIST_H
#define KIN_COLLECTION_LIST_H

#include "room.h"

#define KIN__LIST_LOOKS 64

typedef struct kin__list {
    kin__change change;
    _Alignas(64) kin__word version;
    kin__word begin, end; /* positions */
    kin__word rest;       /* how many: from end on */
    kin__radix words;
} kin__list;

static inline kin__list *kin__list_of(const kin_shared_list *list)
{
    return (kin__list *)(uintptr_t)list;
}

/* ---- under the lock (list_words.c) ----------------------------------------------------------- */

/* kin__change_begin, and R1. `what` is "kin_shared_list_set: the list". */
int kin__list_enter(kin__list *l, const char *what);
void kin__list_leave(kin__list *l);

uint64_t kin__list_count(const kin__list *l);
uint64_t kin__list_word(const kin__list *l, uint64_t index);
int kin__list_read(const kin__list *l, uint64_t index, kin_obj *ret); /* an object of ours */

/* For each change that R2 speaks of: before and after its writes. */
void kin__list_stir(kin__list *l);
void kin__list_settle(kin__list *l);

/* An object that was given as a word: its codes, with the verb. */
int kin__list_make(kin_obj value, const char *verb, uint64_t *ret_word);

/* Whether these can be taken in: a list or tuple. KIN_ETYPE. */
int kin__list_check_items(kin_obj items, const char *verb);

/* Puts all items at the end, in one step. On failure nothing has changed. */
int kin__list_extend(kin__list *l, kin_obj items, const char *verb);

/* The same into the rest: for replace. */
int kin__list_stash(kin__list *l, kin_obj items, const char *verb);
void kin__list_clean(kin__list *l); /* frees the rest */
int kin__list_admit(kin__list *l);  /* all of the rest is the list's now */

/* All words, those of the rest behind the others, in an array of kin__os_malloc that has room for
 * `more`. NULL with a sentence. */
uint64_t *kin__list_load(const kin__list *l, uint64_t more);

/* From such an array, in one step: the first `n` are the list from now on, `rest` more are freed.
 * What is listed in the change is done with it. On failure it is as it was, but for what was
 * stashed: that is freed. */
int kin__list_replace(kin__list *l, const uint64_t *words, uint64_t n, uint64_t rest);

/* Has the first item at another position. */
int kin__list_move(kin__list *l, uint64_t begin);
int kin__list_clear(kin__list *l);

/* Which item an index means, of `n`: KIN_ERANGE. */
int kin__list_index(int64_t index, uint64_t n, const char *verb, uint64_t *ret);

/* The word becomes the list's, or is dropped. */
int kin__list_set(kin__list *l, uint64_t index, uint64_t word);
int kin__list_insert(kin__list *l, uint64_t index, uint64_t word);
int kin__list_remove(kin__list *l, uint64_t index);

#endif
