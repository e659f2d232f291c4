/* frame_world.h - a connection, and what its other end does; see frame_fuzz.h. */
#ifndef KIN_FRAME_WORLD_H
#define KIN_FRAME_WORLD_H

#include "conn/conn.h"
#include <fcntl.h>
#include <kin/conn.h>
#include <kin/domain.h>
#include <kin/sync.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What refs may name: blocks on their way, the post itself, and others' things. */
enum frame_thing {
    FRAME_BLOCKS = 4,
    FRAME_POST = FRAME_BLOCKS,
    FRAME_MEMORY,  /* of kin_alloc: a copy of an object may own it */
    FRAME_MESSAGE, /* on its way elsewhere */
    FRAME_EVENT,
    FRAME_THINGS,
};

enum { FRAME_WIRE = 3 << 20, FRAME_PIECE = 65536, FRAME_PASSES = 16, FRAME_BESIDE = 64 };

/* Descriptors that were passed. */
typedef struct frame_passed {
    size_t at; /* the byte of the stream that they came with */
    int n;
} frame_passed;

typedef struct frame_world {
    const uint8_t *in; /* the moves that are left */
    size_t left;
    kin_conn *conn;  /* receives */
    kin_conn *other; /* where `raw` is its, else NULL */
    int raw;         /* the other end; -1: closed */
    bool is_socket, family;
    const uint8_t *wire; /* all that was written */
    size_t written;
    size_t at;      /* where the next letter begins */
    uint64_t limit; /* for that */
    bool announced; /* it was within the limit */
    bool held;      /* it is an object, and in the inbox */
    bool beside;    /* it did not come by the stream */
    bool pickled;   /* as its pickle */
    bool broken;    /* for good */
    kin__ref refs[FRAME_THINGS];
    uint32_t slots[FRAME_BLOCKS];
    kin_event *event;
    int fds[KIN__DESCRIPTORS_MOST]; /* for the next write */
    int n_fds;
    frame_passed passed[FRAME_PASSES];
    unsigned n_passed;
    size_t lane[FRAME_BESIDE]; /* letters that went beside it: their sizes */
    unsigned n_lane, lane_at;
    bool answers; /* to descriptors */
    unsigned answers_due;
    int spare[3];
    unsigned letters, refused, cut, descriptors; /* how often */
} frame_world;

/* The heap of the receiver: counted by the fuzzer alone. */
typedef struct frame_heap {
    size_t now, most;
} frame_heap;
static frame_heap frame_memory;
static uint8_t frame_wire[FRAME_WIRE];

/* Ends the program, so that the fuzzer keeps the input. */
static inline void frame_must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s (%s)\n", what, kin_errmsg());
        abort();
    }
}

static inline size_t frame_next(frame_world *w, int bytes)
{
    size_t value = 0;
    for (int i = 0; i < bytes && w->left > 0; i++) {
        value |= (size_t)*w->in++ << 8 * i;
        w->left--;
    }
    return value;
}

/* ---- the other end ----------------------------------------------------------------------- */

static inline void frame_write(frame_world *w, const void *bytes, size_t size)
{
    size = size < FRAME_WIRE - w->written ? size : FRAME_WIRE - w->written;
    const kin__bytes parts[2] = { { bytes, size }, { NULL, 0 } };
    if (w->raw < 0 || size == 0) {
        return;
    }
    ssize_t n = w->is_socket ? kin__os_stream_write(w->raw, parts, w->fds, w->n_fds, false)
                             : write(w->raw, bytes, size);
    if (n > 0) {
        memcpy(frame_wire + w->written, bytes, (size_t)n);
        if (w->n_fds > 0) {
            w->passed[w->n_passed++] = (frame_passed){ w->written, w->n_fds };
        }
        w->written += (size_t)n;
    }
    w->n_fds = 0;
}

/* The next bytes of the input, with refs in them. */
static inline size_t frame_take(frame_world *w, uint8_t *bytes, size_t size)
{
    size = size < w->left ? size : w->left;
    memcpy(bytes, w->in, size);
    w->in += size;
    w->left -= size;
    for (size_t i = 0; w->family && i + 8 <= size; i += 8) {
        if (memcmp(bytes + i, "ref", 3) == 0) {
            uint64_t ref = w->refs[bytes[i + 3] % FRAME_THINGS] + bytes[i + 4];
            memcpy(bytes + i, &ref, sizeof ref);
        }
    }
    return size;
}

static inline void frame_write_some(frame_world *w)
{
    uint8_t bytes[255];
    size_t size = frame_next(w, 1);
    frame_write(w, bytes, frame_take(w, bytes, size));
}

static inline void frame_write_head(frame_world *w, unsigned how)
{
    kin__letter_head head = { .mark = KIN__MARK };
    if (w->family) {
        head.kind = (uint16_t)frame_next(w, 1);
        head.n_fds = (uint16_t)frame_next(w, 1);
    }
    head.size = frame_next(w, 2);
    head.size <<= how & 1 ? frame_next(w, 1) % 64 : 0;
    if (w->family) {
        (void)frame_take(w, head.u.bytes, sizeof head.u.bytes);
        frame_write(w, &head, sizeof head);
        return;
    }
    uint8_t bytes[12] = { 0xff, 0xff, 0xff, 0xff };
    int n = how & 2 ? 12 : 4;
    for (int i = 0; i < (n == 12 ? 8 : 4); i++) {
        bytes[n - 1 - i] = (uint8_t)(head.size >> 8 * i);
    }
    frame_write(w, bytes, (size_t)n);
}

/* How much is in the stream. */
static inline size_t frame_unread(const frame_world *w)
{
    int unread = 0;
    frame_must(ioctl(w->conn->stream.fd, FIONREAD, &unread) == 0, "it cannot be asked");
    return (size_t)unread;
}

/* A letter as relatives send it: through the stream, or beside it while the receiver is awake. */
static inline void frame_send(frame_world *w)
{
    static uint8_t bytes[16 + 4096] = { [0] = 0xff, 0xff, 0xff, 0x6b, KIN__LETTER_BYTES };
    uint64_t size = frame_next(w, 2) % 4096;
    if (w->other == NULL || w->n_lane == FRAME_BESIDE || FRAME_WIRE - w->written < sizeof bytes) {
        return;
    }
    memcpy(bytes + 8, &size, sizeof size);
    size_t before = frame_unread(w);
    int rv = kin_conn_send_bytes(w->other, bytes + 16, (size_t)size, 0);
    size_t sent = frame_unread(w) - before;
    memcpy(frame_wire + w->written, bytes, sent);
    w->written += sent;
    if (rv == 0 && sent == 0) {
        w->lane[w->n_lane++] = (size_t)size;
    }
}

/* The last eight bytes again and again. */
static inline void frame_repeat(frame_world *w, unsigned how)
{
    static uint8_t piece[FRAME_PIECE];
    size_t size = (frame_next(w, 1) + 1) * 8 << how;
    size = size < sizeof piece ? size : sizeof piece;
    size_t n = w->written < 8 ? w->written : 8;
    memset(piece, 0, 8);
    memcpy(piece, w->wire + w->written - n, n);
    for (size_t i = 8; i < size; i += i) {
        memcpy(piece + i, piece, i < size - i ? i : size - i);
    }
    frame_write(w, piece, size);
}

/* A block on its way to the receiver. */
static inline void frame_make_block(frame_world *w, unsigned how)
{
    unsigned which = how % FRAME_BLOCKS;
    kin__letter_head head = { .kind = how & 4 ? KIN__LETTER_OBJECT : KIN__LETTER_BYTES };
    size_t size = 64 + frame_next(w, 2) % 40000;
    size_t n = frame_next(w, 1);
    uint8_t *block = w->family ? kin__block_new(size, KIN__MESSAGE) : NULL;
    if (block == NULL || kin__block_at(w->refs[which], 0, NULL) != NULL) {
        (void)(block != NULL ? kin__block_free(block) : 0);
        return;
    }
    memset(block, 0, size);
    (void)frame_take(w, block, n < size ? n : size);
    w->refs[which] = kin__block_ref(block);
    w->slots[which] = UINT32_MAX;
    if (kin__post_put(w->refs[FRAME_POST], w->conn->end, block, &head)) {
        w->slots[which] = head.u.apart.slot;
    } else if (w->refs[FRAME_POST] == 0) {
        kin__block_give(block);
    } else {
        kin__block_free(block);
    }
}

static inline void frame_pass(frame_world *w, unsigned how)
{
    static const int counts[] = { 1, 1, 3, KIN__DESCRIPTORS_MOST };
    w->n_fds = w->is_socket && w->n_passed < FRAME_PASSES ? counts[how & 3] : 0;
    for (int i = 0; i < w->n_fds; i++) {
        w->fds[i] = w->spare[(how & 3) == 1];
    }
}

static inline void frame_end(frame_world *w)
{
    if (w->other != NULL) {
        kin_conn_free(w->other);
    } else if (w->raw >= 0) {
        close(w->raw);
    }
    w->other = NULL;
    w->raw = -1;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static inline void frame_open_ends(frame_world *w, unsigned how)
{
    int fds[2];
    w->is_socket = how != 1;
    w->family = how >= 2;
    if (how == 2) {
        frame_must(kin_pipe(&w->conn, &w->other, true) == 0, "no pipe");
        w->raw = w->other->stream.fd;
        w->refs[FRAME_POST] = w->conn->post;
    } else {
        frame_must((how == 1 ? pipe2(fds, O_CLOEXEC) : kin__os_stream_pair(true, fds)) == 0,
                   "no descriptors");
        w->conn = kin__conn_over(fds[0], true, true, w->family);
        w->raw = fds[1];
        frame_must(w->conn != NULL && (how != 1 || fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0),
                   "no connection");
    }
    w->limit = w->conn->inbox.limit;
}

static inline void frame_open(frame_world *w, unsigned how)
{
    kin__conn_prepare();
    w->wire = frame_wire;
    frame_open_ends(w, how);
    frame_must(kin__os_stream_pair(true, w->spare + 1) == 0, "no descriptors");
    w->spare[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
    w->refs[FRAME_MEMORY] = kin__block_ref(kin__block_new_given(100, KIN__RAW));
    w->refs[FRAME_MESSAGE] = kin__block_ref(kin__block_new_given(100, KIN__MESSAGE));
    frame_must(kin_event_new(&w->event, NULL) == 0, "no event");
    w->refs[FRAME_EVENT] = kin__block_ref(w->event);
}

/* R4, but for what is counted. */
static inline void frame_close(frame_world *w)
{
    kin__ref post = w->refs[FRAME_POST];
    frame_must(post == 0 || kin__block_is_shared(post), "the post was taken");
    kin_conn_free(w->conn);
    for (unsigned i = 0; i < FRAME_BLOCKS && post == 0; i++) {
        (void)kin__block_discard(w->refs[i]);
    }
    frame_must(kin__block_discard(w->refs[FRAME_MESSAGE]), "another's message was taken");
    frame_must(kin__block_is_shared(w->refs[FRAME_EVENT]), "another's event was taken");
    (void)kin__block_discard(w->refs[FRAME_MEMORY]);
    kin_event_free(w->event);
    for (int i = 0; i < 3; i++) {
        close(w->spare[i]);
    }
}

static inline uint64_t frame_count_blocks(void)
{
    kin_usage_info usage;
    frame_must(kin_usage(&usage) == 0, "it cannot be counted");
    return usage.blocks;
}

static inline int frame_count_descriptors(void)
{
    struct pollfd all[1000];
    int n = 0;
    for (int i = 0; i < 1000; i++) {
        all[i] = (struct pollfd){ .fd = i };
    }
    (void)poll(all, 1000, 0);
    for (int i = 0; i < 1000; i++) {
        n += !(all[i].revents & POLLNVAL) && !kin__os_is_seat(i);
    }
    return n;
}

#endif
