/* frame_fuzz.h - a connection whose other end is anybody at all: by the fuzzer, and by the test
 * that replays its corpus.
 *
 * Idea. An input is a row of moves, a byte each and what it needs after it: the other end does
 * something (frame_world.h), or this end receives (frame_receive.h). All that was written is also
 * kept, and a parser of a few lines (frame_parse.h) says what is to come of it: so each answer can
 * be judged.
 *
 *     which connection | move | its bytes | move | its bytes | ...         move: what, and how << 4
 *
 * Relatives have things in the family's memory, too. What they write may name those: eight bytes
 * that begin with "ref" and a number become a ref. Whatever number a block has this time, an input
 * means the same.
 *
 * Rules.
 *   R1  An answer is the one that the parser says. A whole object may still be refused, but then it
 *       is gone, and the next letter comes; or it has no pickle, and stays as it was.
 *   R2  Nothing was read beyond a letter's end.
 *   R3  The memory that a call takes is bounded by what has arrived.
 *   R4  In the end no descriptor and no block is left, and no bystander in the family's memory has
 *       come to harm.
 */
#ifndef KIN_FRAME_FUZZ_H
#define KIN_FRAME_FUZZ_H

#include "frame_receive.h"

enum frame_what_to_do {
    FRAME_WRITE,
    FRAME_HEAD,
    FRAME_REPEAT,
    FRAME_BLOCK,
    FRAME_PASS,
    FRAME_CLOSE,
    FRAME_UNREAD, /* this end sends something */
    FRAME_LIMIT,
    FRAME_RECV,
    FRAME_RECV_BYTES,
    FRAME_RECV_BYTES_INTO,
    FRAME_POLL,
    FRAME_RECV_FD,
    FRAME_DISCARD, /* a block on its way */
    FRAME_SEND_FD, /* this end does, with answers or without */
    FRAME_SEND,
};

static inline void frame_move(frame_world *w)
{
    unsigned move = (unsigned)frame_next(w, 1);
    unsigned how = move >> 4;
    bool forever = how & 8;
    size_t room;
    switch (move & 15) {
    case FRAME_WRITE:
        frame_write_some(w);
        break;
    case FRAME_HEAD:
        frame_write_head(w, how);
        break;
    case FRAME_REPEAT:
        frame_repeat(w, how);
        break;
    case FRAME_BLOCK:
        frame_make_block(w, how);
        break;
    case FRAME_PASS:
        frame_pass(w, how);
        break;
    case FRAME_CLOSE:
        frame_end(w);
        break;
    case FRAME_UNREAD:
        (void)kin_conn_send_bytes(w->conn, "unread", 6, 0);
        break;
    case FRAME_LIMIT:
        frame_limit(w);
        break;
    case FRAME_RECV:
        frame_receive(w, FRAME_OBJECT, 0, forever);
        break;
    case FRAME_RECV_BYTES:
        frame_receive(w, FRAME_BYTES, 0, forever);
        break;
    case FRAME_RECV_BYTES_INTO:
        room = frame_next(w, 1) << how;
        frame_receive(w, FRAME_INTO, room < FRAME_WIRE ? room : FRAME_WIRE, forever);
        break;
    case FRAME_POLL:
        frame_poll(w);
        break;
    case FRAME_RECV_FD:
        frame_receive_fd(w);
        break;
    case FRAME_DISCARD:
        (void)kin__block_discard(w->refs[how % FRAME_BLOCKS]);
        break;
    case FRAME_SEND_FD:
        frame_send_fd(w, how & 1);
        break;
    case FRAME_SEND:
        frame_send(w);
        break;
    default:
        break;
    }
}

/* What is left is received, and after the end there is nothing. */
static inline void frame_finish(frame_world *w)
{
    ssize_t rv = 0;
    frame_end(w);
    for (int i = 0; i < 1000 && rv != KIN_EEOF && rv != KIN_EBROKEN; i++) {
        rv = frame_receive(w, FRAME_OBJECT, 0, true);
    }
    for (int i = 0; i < 3 && (rv == KIN_EEOF || rv == KIN_EBROKEN); i++) {
        frame_must(frame_receive(w, (enum frame_way)i, 10, true) == rv, "something after the end");
        frame_poll(w);
    }
}

static inline frame_world frame_run(const uint8_t *data, size_t size)
{
    frame_must(kin__self() != KIN__NOBODY, "no family"); /* its descriptor stays */
    int before = frame_count_descriptors();
    uint64_t blocks = frame_count_blocks();
    frame_world w = { .in = data, .left = size };
    frame_open(&w, (unsigned)frame_next(&w, 1) % 4);
    while (w.left > 0) {
        frame_move(&w);
    }
    frame_finish(&w);
    frame_close(&w);
    frame_must(frame_count_descriptors() == before, "descriptors are left open");
    frame_must(frame_count_blocks() == blocks, "blocks are left");
    return w;
}

#endif
