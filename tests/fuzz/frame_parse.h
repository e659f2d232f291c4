/* frame_parse.h - what comes next out of the bytes that were written to a connection: both formats,
 * read in the simplest way, from all of the bytes at once. */
#ifndef KIN_FRAME_PARSE_H
#define KIN_FRAME_PARSE_H

#include "conn/conn.h"
#include <string.h>

enum frame_what {
    FRAME_WAIT,  /* not all of it is there */
    FRAME_WHOLE, /* a letter */
    FRAME_END,
    FRAME_CUT,   /* it was begun, and that is the end */
    FRAME_LARGE, /* over the limit */
    FRAME_NONE,  /* no letter begins like that */
};

typedef struct frame_letter {
    enum frame_what what;
    bool told; /* what follows is known */
    uint32_t kind;
    uint32_t n_fds;
    uint64_t size;
    size_t total; /* that it takes of the stream: of its head until that is told */
    const uint8_t *body;
    kin__ref block;
    uint32_t slot;
} frame_letter;

/* A stretch of a stream, and what is known beside it. */
typedef struct frame_stretch {
    const uint8_t *at;
    size_t size;
    uint64_t limit;
    bool family, ended;
} frame_stretch;

static inline uint64_t frame_big_endian(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value * 256 + at[i];
    }
    return value;
}

static inline void frame_parse_stranger(const frame_stretch *s, frame_letter *l)
{
    l->total = 4;
    if (s->size < 4) {
        return;
    }
    l->size = frame_big_endian(s->at, 4);
    if (l->size == 0xffffffff) {
        l->total = 12;
        if (s->size < 12) {
            return;
        }
        l->size = frame_big_endian(s->at + 4, 8);
    } else if (l->size >= 0x80000000) {
        l->what = FRAME_NONE;
        return;
    }
    l->told = true;
    l->kind = KIN__LETTER_BYTES;
    l->body = s->at + l->total;
    l->total += l->size;
}

static inline void frame_parse_relative(const frame_stretch *s, frame_letter *l)
{
    kin__letter_head head;
    l->total = sizeof head;
    if (s->size < sizeof head) {
        return;
    }
    memcpy(&head, s->at, sizeof head);
    if (memcmp(head.mark, KIN__MARK, 4) != 0) {
        l->what = FRAME_NONE;
        return;
    }
    l->told = true;
    l->kind = head.kind;
    l->n_fds = head.n_fds;
    l->size = head.size;
    l->body = s->at + 16;
    l->block = head.u.apart.block;
    l->slot = head.u.apart.slot;
    if (!(l->kind & KIN__LETTER_APART) && l->size > KIN__INLINE) {
        l->total = 16 + l->size;
    }
}

static inline frame_letter frame_parse(const frame_stretch *s)
{
    frame_letter l = { .what = FRAME_WAIT };
    (s->family ? frame_parse_relative : frame_parse_stranger)(s, &l);
    if (l.what == FRAME_NONE) {
        return l;
    }
    if (l.told && (l.size > s->limit || l.size > SIZE_MAX / 2)) {
        l.what = FRAME_LARGE;
    } else if (l.told && s->size >= l.total) {
        l.what = FRAME_WHOLE;
    } else if (s->ended) {
        l.what = s->size == 0 ? FRAME_END : FRAME_CUT;
    }
    return l;
}

#endif
