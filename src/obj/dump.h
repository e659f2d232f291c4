/* dump.h - writing pickles: what dump.c and dump_leaf.c share. See dump.c. */
#ifndef KIN_OBJ_DUMP_H
#define KIN_OBJ_DUMP_H

#include "node.h"
#include "opcodes.h"
#include <kin/pickle.h>
#include <string.h>

typedef struct dump {
    uint8_t *data;
    size_t size, room;
    unsigned protocol;
    size_t max_depth;
    const node *borrowed; /* the outermost one, whose only reference may be further down */
    walk path;
    memo_table memo;
} dump;

/* ---- dump_leaf.c ------------------------------------------------------------------- */

int kin__dump_grow(dump *d, size_t more);

/* Whether the memo has it, and where. */
bool kin__dump_find(const dump *d, const node *n, size_t *ret_number);
int kin__dump_get(dump *d, size_t number);
/* Puts what was written last into the memo, unless nobody can meet it again. */
int kin__dump_remember(dump *d, const node *n);

int kin__dump_text(dump *d, const char *text);
int kin__dump_global(dump *d, const char *module, const char *name);
/* What is no box. */
int kin__dump_leaf(dump *d, kin_obj o);

/* ---- bytes ------------------------------------------------------------------------- */

static inline int make_room(dump *d, size_t more)
{
    return more <= d->room - d->size ? 0 : kin__dump_grow(d, more);
}

/* For those who have made room. */
static inline void add_byte(dump *d, unsigned byte)
{
    d->data[d->size++] = (uint8_t)byte;
}

static inline void add_number(dump *d, uint64_t value, size_t size)
{
    memcpy(d->data + d->size, &value, size);
    d->size += size;
}

static inline int add_op(dump *d, unsigned op)
{
    int rv = make_room(d, 1);
    if (rv == 0) {
        add_byte(d, op);
    }
    return rv;
}

static inline int add_ops(dump *d, unsigned first, unsigned second)
{
    int rv = add_op(d, first);
    return rv < 0 ? rv : add_op(d, second);
}

enum { SMALL = 11 }; /* bytes that an int of 64 bits takes at most, or a float */

/* Where there is room for SMALL bytes: eight are written, whatever it takes. */
static inline uint8_t *put_small(uint8_t *at, int64_t value)
{
    uint64_t word = (uint64_t)value << 8;
    if ((uint64_t)value <= UINT16_MAX) {
        bool one = value <= UINT8_MAX;
        word |= one ? OP_BININT1 : OP_BININT2;
        memcpy(at, &word, sizeof word);
        return at + (one ? 2 : 3);
    }
    if (value == (int32_t)value) {
        word |= OP_BININT;
        memcpy(at, &word, sizeof word);
        return at + 5;
    }
    unsigned bits = 65 - (unsigned)__builtin_clzll((uint64_t)(value < 0 ? ~value : value));
    at[0] = OP_LONG1;
    at[1] = (uint8_t)((bits + 7) / 8);
    memcpy(at + 2, &value, sizeof value);
    return at + 2 + at[1];
}

#endif
