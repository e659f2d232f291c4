/* ring/room.h - cells in rings: where messages lie on their way between processes.
 *
 * What is taken stays in its cell, under the taker's name, until he says that he is done with it;
 * when he dies before that, it is there for the next one.
 */
#ifndef KIN_RING_ROOM_H
#define KIN_RING_ROOM_H

#include "../domain/room.h"
#include "../obj/room.h"

#define KIN__CELL_ROOM 40 /* bytes of a message that lie in the cell itself */

/* What a cell holds: its kind, and whether the bytes are apart, in a block. */
enum kin__cell_kind { KIN__CELL_OBJECT = 1, KIN__CELL_BYTES = 2, KIN__CELL_APART = 4 };

typedef struct kin__cell {
    _Alignas(64) _Atomic uint64_t state; /* status, position, and who or which ring: ring.c */
    _Atomic kin__ref apart;              /* the block, if KIN__CELL_APART; else anything */
    _Atomic uint32_t size;
    _Atomic uint32_t kind;
    unsigned char bytes[KIN__CELL_ROOM];
} kin__cell;

typedef struct kin__ring_block {
    _Atomic uint32_t count; /* of cells: a power of two */
    _Atomic kin__ref after; /* the ring that this one was made to follow; 0: the first */
    _Atomic kin__ref next;  /* 0 position and the serial: none yet */
    _Alignas(64) _Atomic uint64_t head; /* hints, with the serial: all before it is done */
    _Alignas(64) _Atomic uint64_t tail; /* all before it was claimed */
    _Alignas(64) kin__cell cells[];
} kin__ring_block;

/* A ring as a process sees it. Rings are freed while somebody may still look at them, and their
 * memory is used again; it is never taken away. So what a process knows of a ring it has read once,
 * while the ref was good, and every change that it makes is a CAS that fails on another ring. */
typedef struct kin__ring {
    kin__ring_block *at; /* NULL: gone */
    kin__ref self;
    kin__ref after;
    uint32_t count;
    uint32_t serial; /* tells this ring from others that lay here, or across it, before */
} kin__ring;

/* What a try found. */
enum kin__found {
    KIN__GOT = 0, /* a cell, claimed by us */
    KIN__NONE,    /* empty, or full */
    KIN__HELD,    /* as above, and that may change when `holder` dies */
    KIN__OVER,    /* sealed: nothing comes after this position */
    KIN__SHORT,   /* the message is not of the kind or size that was asked for */
    KIN__NO_MEMORY,
};

/* A cell claimed by this process: for a put, not yet visible; for a take, not yet gone. */
typedef struct kin__claim {
    kin__ring ring;
    kin__cell *cell;
    uint64_t position;
    uint32_t kind; /* of the message: with KIN__SHORT, and when it is taken */
    uint32_t size;
    kin__id holder; /* with KIN__HELD: whose death would change the answer */
} kin__claim;

/* What a taker will accept. */
typedef struct kin__want {
    uint32_t kind; /* KIN__CELL_OBJECT | KIN__CELL_BYTES */
    size_t room;   /* bytes at most; SIZE_MAX: any */
} kin__want;

/* ---- ring.c ---- */
int kin__ring_new(uint32_t count, kin__ref after, kin__ring *ret_ring);
kin__ring kin__ring_at(kin__ref ref);
bool kin__ring_drain(const kin__ring *ring); /* false: somebody has a hand in it */
enum kin__found kin__ring_claim(const kin__ring *ring, uint64_t limit, kin__claim *ret);
void kin__ring_publish(const kin__claim *claim);
void kin__ring_forgo(const kin__claim *claim); /* there will be no message */
enum kin__found kin__ring_take(const kin__ring *ring, const kin__want *want, bool ask,
                               kin__claim *ret);
void kin__ring_finish(const kin__claim *claim);
void kin__ring_return(const kin__claim *claim);
bool kin__ring_seal(const kin__ring *ring);    /* after kin__ring_take found KIN__NONE */
bool kin__ring_is_done(const kin__ring *ring); /* sealed, and all before it finished */
uint64_t kin__ring_length(const kin__ring *ring);
kin__ref kin__ring_next(const kin__ring *ring);            /* 0: none, or the ring is gone */
bool kin__ring_link(const kin__ring *ring, kin__ref next); /* if there is none */

/* ---- message.c ---- */

/* A message on its way in: its bytes are written into a block, or else into a copy of the cell. */
typedef struct kin__parcel {
    size_t size;
    uint32_t kind;     /* KIN__CELL_OBJECT or KIN__CELL_BYTES */
    void *apart;       /* NULL: it fits into the cell */
    const void *bytes; /* of a message of bytes */
    kin_obj object;    /* or an object, of which `size` is kin__flat_size */
    _Alignas(8) unsigned char small[KIN__CELL_ROOM];
} kin__parcel;

/* Codes with a sentence. After it: fill, or abandon, which frees what it holds. */
int kin__parcel_pack(kin__parcel *parcel, const char *verb);
void kin__parcel_fill(const kin__parcel *parcel, kin__cell *cell); /* claimed, not published */
void kin__parcel_abandon(const kin__parcel *parcel);

/* Of a cell that was taken: its message, claim->size bytes; NULL when the cell says nonsense. */
const void *kin__claim_bytes(const kin__claim *claim);

/* The same, copied out or given up: call this, then finish the cell, then free the block that this
 * returns; which is NULL when the message lies in the cell. */
void *kin__claim_own(const kin__claim *claim);

#endif
