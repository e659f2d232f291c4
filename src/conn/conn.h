/* conn.h - what a connection is made of; for the files here that carry messages.
 *
 * Idea. A connection carries letters over a stream of bytes. Between strangers a letter is what
 * Python sends: its length and its bytes, and what they mean is the receiver's business. Between
 * relatives it begins with a head of 64 bytes, which says whether it is an object or bytes, and has
 * the first 48 of these in it: so a small letter is one system call on either side. A large one
 * lies in a block of the family's memory (post.c), and only its head goes through the kernel. And
 * while the receiver is awake, nothing does: letters lie in a ring beside the socket (lane.c). So
 * what there is to receive lies in the inbox, the lane or the socket, and is received in this
 * order.
 *
 *      to a stranger        +------------+--------------- - -       size up to 2^31 - 1: 4 bytes,
 *                           | size (BE)  | bytes                    big-endian; else -1, then 8
 *                           +------------+--------------- - -
 *
 *      to a relative        +------------+------+-----+------+-----------+-------- - -
 *                           | ff ff ff 6b| kind | fds | size | 48 bytes  | the rest, if any
 *                           +------------+------+-----+------+-----------+-------- - -
 *                            0            4      6     8      16          64
 *                                                            ^ or the block's ref, and its slot
 *
 *      send.c  ->  letter  ->  frame.c  ->  stream.c  ~ ~ ~  stream.c  ->  frame.c  ->  receive.c
 *                         ->  lane.c  - - - - - - - - - - - - - - lane.c  ->
 *
 * Rules.
 *   R1  Nothing is read from a stream beyond the end of the letter that is being received: whoever
 *       has a copy of the end may go on, and a poll of the descriptor tells the truth.
 *   R2  What has arrived of a letter stays in the inbox until a receive hands out all of it.
 *   R3  Memory for a letter grows with what has arrived, not with what was announced.
 *   R4  A letter that was sent in part ends that direction: whatever came next would be misread.
 *   R5  Descriptors of a letter travel with its first byte, and belong to the inbox when they are
 *       here.
 *
 * Death. A letter is whole or it is cut off, and then the receiver says so. What a dead process had
 * received in part is lost with it. Blocks: post.c.
 */
#ifndef KIN_CONN_CONN_H
#define KIN_CONN_CONN_H

#include "../ring/room.h"
#include "../sync/room.h"
#include "room.h"

/* ---- bytes (stream.c) -------------------------------------------------------------------- */

typedef struct kin__stream {
    int fd;
    bool is_socket;
    bool is_local;
    unsigned in_vain; /* waits for what comes, until one ends with a look: see stream.c */
} kin__stream;

/* Some bytes, at least one; 0 at the end. -ETIMEDOUT, and what the kernel says. */
ssize_t kin__stream_read(kin__stream *stream, void *at, size_t size, int64_t deadline);

/* The same with descriptors, as kin__os_stream_receive. */
ssize_t kin__stream_receive(const kin__stream *stream, kin__message *message, int64_t deadline);

/* All of two parts, with descriptors; *ret_sent counts, also when it fails. */
int kin__stream_write(const kin__stream *stream, const kin__bytes parts[2], const kin__cargo *cargo,
                      int64_t deadline, size_t *ret_sent);

/* ---- letters ------------------------------------------------------------------------------- */

enum kin__letter_kind { KIN__LETTER_BYTES = 1, KIN__LETTER_OBJECT, KIN__LETTER_APART = 4 };

#define KIN__MARK "\xff\xff\xff\x6b" /* no length, to Python or to anybody */
#define KIN__INLINE 48
#define KIN__ANSWER "A" /* to a descriptor, from Python 3.14 on; no length up to 1 GiB begins so */

typedef struct kin__head_of_letter {
    unsigned char mark[4];
    uint16_t kind;
    uint16_t n_fds;
    uint64_t size;
    union {
        unsigned char bytes[KIN__INLINE]; /* the first of the letter */
        struct {
            kin__ref block; /* KIN__LETTER_APART: where all of it is */
            uint32_t slot;
        } apart;
    } u;
} kin__letter_head;

_Static_assert(sizeof(kin__letter_head) == 64, "the head that goes over the wire");

/* What has arrived. */
typedef struct kin__inbox {
    _Alignas(8) unsigned char head[64];
    size_t head_size; /* of it, so far */
    bool announced;   /* the head is whole: kind and size are known */
    uint32_t kind;
    uint64_t size;
    unsigned char *body; /* where it is whole: in the head, in the block, or on the heap */
    size_t room;         /* on the heap; 0: it is elsewhere */
    size_t arrived;
    void *block;       /* of the family, ours now: */
    kin__id owner;     /* this process's; a forked child finds its parent's */
    kin__cargo *cargo; /* its descriptors; NULL: none */
    int lost_fds;      /* 0, or why they could not be taken */
    int broken;        /* the code for every receive from now on */
    uint64_t limit;
    atomic_bool waiting; /* a letter lies here whole, or the end of all */
} kin__inbox;

/* ---- a connection ---------------------------------------------------------------------------- */

typedef struct kin__turn {
    _Atomic uint32_t word; /* whose it is, and whether somebody waits: turn.c */
} kin__turn;

/* A direction of a pipe in the family's memory, beside its socket: lane.c. */
typedef struct kin__lane {
    _Alignas(64) _Atomic uint32_t word; /* whether letters go there, or what is in the socket */
    _Atomic kin__ref ring;              /* 0: none yet */
    _Alignas(64) kin__gate gate;        /* senders who wait for room, or until it is open */
} kin__lane;

struct kin_conn {
    kin__stream stream;
    bool readable, writable;
    bool family;
    bool patient;   /* it waits until the socket is empty (kin__lane_catch_up), */
    unsigned hurry; /* but not before so many letters */
    unsigned taken; /* letters from the lane */
    unsigned end;   /* of the post: 0 or 1 */
    kin__ref post;  /* 0: none; then there are no lanes */
    kin__lane *in, *out;
    kin__ring in_ring, out_ring; /* of whose turn it is; `at` is NULL until there is one */
    _Atomic uint64_t users;
    kin__turn sending;
    kin__turn receiving;
    int broken; /* the code for every send from now on */
    atomic_bool fd_answers;
    _Atomic uint32_t answers_due; /* for descriptors that were sent */
    kin__inbox inbox;
};

/* For the verbs: begin and end of one that sends or receives. It is this thread's turn between the
 * two. */
typedef struct kin__call {
    const char *verb;
    kin_conn *conn;
    kin__turn *turn;
    int64_t deadline;
} kin__call;

int kin__conn_begin(kin__call *call, enum kin__direction direction, double timeout);
void kin__conn_end(const kin__call *call);

/* Without waiting for a turn: the descriptor stays open until leave. */
int kin__conn_enter(kin_conn *conn, const char *verb);
void kin__conn_leave(kin_conn *conn);

/* -errno as a code with a sentence. */
int kin__conn_fail(const char *verb, ssize_t error);

/* One of two ends that share a post. NULL: memory is out, and the descriptor stays open. */
kin_conn *kin__conn_make(const kin_conn *like);

/* ---- turns (turn.c) -------------------------------------------------------------------------- */

/* 0, or -ETIMEDOUT. */
int kin__turn_take(kin__turn *turn, kin__id self, int64_t deadline);
void kin__turn_give(kin__turn *turn);

/* ---- frames (frame.c) ------------------------------------------------------------------------ */

/* The head of a stranger's letter of that size: how many bytes. */
size_t kin__frame_head(uint64_t size, unsigned char ret_head[12]);

/* Until the head has arrived, or the whole letter; codes with a sentence. */
int kin__inbox_announce(const kin__call *call);
int kin__inbox_fill(const kin__call *call);

/* A letter of bytes straight to where it is wanted: it was announced, and fits. */
int kin__inbox_fill_into(const kin__call *call, void *at);

/* Descriptors that come by themselves, between letters: how many. 0: a letter comes next, and
 * stays. */
int kin__inbox_bypass(const kin__call *call, int ret_fds[KIN__DESCRIPTORS_MOST]);

/* The letter was handed out, or is given up. */
void kin__inbox_clear(kin__inbox *inbox);

/* ---- beside the socket (lane.c) -------------------------------------------------------------- */

/* In a new post. And of its ring, when nobody will receive any more: frees what is in there, and at
 * last the ring; false when somebody still has a hand in it. */
void kin__lane_begin(kin__lane *lane);
bool kin__lane_empty(kin__ref ring, bool last);

/* Whether the next letter will probably go there: then it had better be in a block, or be small.
 * And the same in a send, after a moment's patience with a receiver who is behind. */
bool kin__lane_is_open(const kin_conn *conn);
bool kin__lane_catch_up(const kin__call *call, size_t size);

/* True: the letter is on its way, and the receiver's. False: it is to go through the socket (NULL:
 * it has to), which is noted; kin__lane_take_back when nothing of it was written there. */
bool kin__lane_put(const kin__call *call, const kin__parcel *parcel);
void kin__lane_take_back(kin_conn *conn);

/* Before the head of a letter is read from the socket, and after. 1: a letter has come by the lane
 * and is in the inbox, and nothing is to be read; 0: read, then leave; or a code. */
int kin__lane_enter(const kin__call *call);
void kin__lane_leave(kin_conn *conn, bool has_read);

/* For whoever does not receive. Whether a letter is there, or about to be; waiting for that for a
 * moment; around a poll of the descriptor, with a look after watch: watch and leave. */
bool kin__lane_has(const kin_conn *conn);
void kin__lane_spin(kin_conn *conn);
void kin__lane_watch(kin_conn *conn);

/* The descriptor tells of all letters from now on. The socket has said that the other end is
 * closed: what is sent now is to hear that, too. This process's copy of the end is closed. */
void kin__lane_be_loud(kin_conn *conn);
void kin__lane_abandon(kin_conn *conn);
void kin__lane_close(kin_conn *conn);

/* ---- what is on its way in the family's memory (post.c) -------------------------------------- */

#define KIN__APART 16384 /* bytes from which on a letter goes that way */

/* A post for two ends; 0 when it cannot be had. Looks after others. */
kin__ref kin__post_new(const int ends[2], bool duplex);

/* Which one it is of, and whether it goes both ways. False: there is no such post. */
bool kin__post_is_duplex(kin__ref post, bool *ret_duplex);

/* The lane to an end. It is there as long as somebody has that end, or the other. */
kin__lane *kin__post_lane(kin__ref post, unsigned to);

/* Puts it on its way to an end: from now on it is the family's. False when it is full there. And
 * takes it back, when the letter could not be sent: false when it is gone. */
bool kin__post_put(kin__ref post, unsigned to, void *block, kin__letter_head *head);
bool kin__post_take_back(kin__ref post, unsigned to, const kin__letter_head *head);

/* It has arrived: ours, to be freed; NULL when it is gone. */
void *kin__post_take(kin__ref post, unsigned at, const kin__letter_head *head);

/* This process has closed one of the ends: whether that was the last copy, and what then. */
void kin__post_closed(kin__ref post, unsigned end);

#endif
