/* share/room.h - rows of items, of which a value is one and an array is many. */
#ifndef KIN_SHARE_ROOM_H
#define KIN_SHARE_ROOM_H

#include "../obj/room.h"
#include "../sync/room.h"
#include <kin/share.h>

/* ---- one item (cell.c) ------------------------------------------------------------------
 *
 * An item of a C type travels as bits: what stands in memory, as one number. */

/* The bytes of an item of that type code; 0 when there is no such code. */
size_t kin__share_size(char code);

/* Whether it is one character of a str. */
bool kin__share_is_character(char code);

/* An object as the bits of an item: KIN_ETYPE, KIN_ERANGE with a sentence. Takes nothing. */
int kin__share_pack(char code, kin_obj o, const char *verb, uint64_t *ret_bits);

/* The other way; the invalid object when there is no memory, or no such character. */
kin_obj kin__share_unpack(char code, uint64_t bits);

/* In one piece, whoever else writes there. */
uint64_t kin__share_load(const void *at, size_t size);
void kin__share_store(void *at, size_t size, uint64_t bits);

/* Text and its characters. next: the character at *pos, which it moves on; -1 when it is not
 * UTF-8. put: how many bytes, 0 when there is no such character. */
int32_t kin__share_next_char(const char *text, size_t size, size_t *pos);
size_t kin__share_put_char(uint32_t character, char ret_utf8[4]);

/* ---- a row (row.c) ------------------------------------------------------------------ */

/* What a kin_value and a kin_array point to. */
typedef struct kin__row {
    kin__head head;
    kin_rlock own; /* where the row that was here before had its own, if it was of that type */
    kin_rlock *lock;
    uint64_t length; /* items */
    uint32_t size;   /* bytes of one */
    char code;       /* 0: structs */
    _Alignas(64) unsigned char data[];
} kin__row;

/* What a row says of itself, copied to us and checked: nobody changes it under us. */
typedef struct kin__view {
    kin__row *row;
    kin_rlock *lock; /* NULL: none */
    uint64_t length;
    uint32_t size;
    char code;
    kin__type type;
    uint32_t serial;  /* which row it is, of those that were here */
    const char *what; /* "kin_array_get: the array" */
} kin__view;

typedef struct kin__row_plan {
    const char *verb;
    kin__type type;
    char code;
    bool no_lock;
    kin_rlock *lock;
    uint64_t length;
    uint64_t size; /* of a struct */
} kin__row_plan;

/* The bytes of an item of such a row; KIN_EINVAL for a plan that makes no sense. */
int kin__row_item_size(const kin__row_plan *plan, uint32_t *ret_size);

/* Zeros, and still ours: to be filled and given. */
int kin__row_new(const kin__row_plan *plan, kin__view *ret);
void kin__row_give(kin__row *row);

/* For a row that was not given. */
void kin__row_drop(kin__row *row);

/* Ends it for all. `what` is "kin_value_free: the value". */
void kin__row_free(kin__row *row, kin__type type, const char *what);

/* Whether it is one: what kin__head_check says in more words, quickly. */
static inline bool kin__row_is(const kin__row *row, kin__type type)
{
    return (uintptr_t)row % _Alignof(kin__head) == 0 && kin__in_domain(row, sizeof *row) &&
           atomic_load_explicit(&row->head.kind, memory_order_acquire) == KIN__HEAD_OF(type);
}

/* Its lock, for the user; NULL with a sentence: it is no row, or has none. */
kin_rlock *kin__row_lock_slowly(const kin__row *row, kin__type type, const char *what);

static inline kin_rlock *kin__row_lock(const kin__row *row, kin__type type, const char *what)
{
    kin_rlock *lock = kin__row_is(row, type) ? row->lock : NULL;
    return lock != NULL ? lock : kin__row_lock_slowly(row, type, what);
}

/* Its first item; NULL with a sentence. */
void *kin__row_data(kin__row *row, kin__type type, const char *what);

/* Looks at a row, whether all of its items lie in its block, too. */
int kin__row_look(kin__row *row, kin__type type, const char *what, kin__view *ret);

/* Takes the lock for a step of our own: 0 (also without a lock), KIN_OWNER_DIED; KIN_ECLOSED when
 * the row was freed while we waited. What may be refused is looked at before. */
int kin__row_enter(const kin__view *v);

/* Gives it back. `entered` is what kin__row_enter returned, `done` what came of it: below 0 that is
 * returned, and the news of a death, if there was one, is the next one's. */
int kin__row_leave(const kin__view *v, int entered, int done);

/* The same, and hands out what was read, or its error. */
int kin__row_hand_out(const kin__view *v, int entered, kin_obj made, kin_obj *ret);

/* One item on its way into a row: its bits; of a struct, where its bytes are. */
typedef struct kin__item {
    uint64_t bits;
    const void *bytes;
} kin__item;

/* From an object: KIN_ETYPE, KIN_ERANGE. Takes nothing; bytes stay the object's. */
int kin__row_pack(const kin__view *v, kin_obj o, const char *verb, kin__item *ret);

/* Item i, which is there. */
void kin__row_put(const kin__view *v, uint64_t i, const kin__item *item);
kin_obj kin__row_read(const kin__view *v, uint64_t i);

static inline void *kin__row_at(const kin__view *v, uint64_t i)
{
    return v->row->data + i * v->size;
}

/* Where items come from: a list or tuple, bytes, a str. */
typedef struct kin__source {
    kin_obj from;
    size_t count; /* of items */
    size_t pos;   /* in a str: of the next character */
} kin__source;

/* Looks what it is; items of that code and size are to be made of it. */
int kin__row_source(char code, uint32_t size, kin_obj from, const char *verb, kin__source *ret);

/* Writes all its items, from `first` on, where there is room; with `dry` only looks whether they
 * fit. */
int kin__row_pour(const kin__view *v, uint64_t first, kin__source s, bool dry, const char *verb);

#endif
