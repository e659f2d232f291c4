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

typedef struct kin__row_plan {
    const char *verb;
    kin__type type;
    char code;
    bool no_lock;
    kin_rlock *lock;
    uint64_t length;
    uint64_t size; /* of a struct */
} kin__row_plan;

/* Zeros, and still ours: to be filled and given. */
int kin__row_new(const kin__row_plan *plan, kin__row **ret_row);
void kin__row_give(kin__row *row);

/* For a row that was not given. */
void kin__row_drop(kin__row *row);

/* Ends it for all. `what` is "kin_value_free: the value". */
void kin__row_free(kin__row *row, kin__type type, const char *what);

/* Whether it is one; and, before items are used, whether all of them lie in its block. */
int kin__row_check(const kin__row *row, kin__type type, const char *what);
int kin__row_check_items(const kin__row *row, kin__type type, const char *what);

/* The lock for a step of our own: 0 without one, KIN_OWNER_DIED. */
int kin__row_enter(kin__row *row);
void kin__row_leave(kin__row *row);

/* The lock for the user. */
int kin__row_acquire(kin__row *row, double timeout, const char *verb);
int kin__row_release(kin__row *row, const char *verb);
kin_rlock *kin__row_lock(kin__row *row, const char *verb);

/* Reads or writes one item, which is there. */
kin_obj kin__row_read(const kin__row *row, uint64_t i);
int kin__row_write(kin__row *row, uint64_t i, kin_obj o, const char *verb);

/* Where items come from: a list or tuple, bytes, a str. */
typedef struct kin__source {
    kin_obj from;
    size_t count; /* of items */
    size_t pos;   /* in a str: of the next character */
} kin__source;

/* Looks what it is; items of `kind` are to be made of it. */
int kin__row_source(const kin__row *kind, kin_obj from, const char *verb, kin__source *ret);

/* Writes all its items, from `first` on, where there is room; with `dry` only looks whether they
 * fit. */
int kin__row_pour(kin__row *row, uint64_t first, kin__source s, bool dry, const char *verb);

static inline void *kin__row_at(const kin__row *row, uint64_t i)
{
    return (void *)(uintptr_t)(row->data + i * row->size);
}

#endif
