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

/* What a cell holds: its kind, and whether the bytes are in a block; which is the message's, or
 * stays with the cell. */
enum kin__cell_kind {
    KIN__CELL_OBJECT = 1,
    KIN__CELL_BYTES = 2,
    KIN__CELL_APART = 4,
    KIN__CELL_BESIDE = 8,
};

typedef struct kin__cell {
    _Alignas(64) _Atomic uint64_t state; /* status, position, and who or which ring: ring.c */
    _Atomic kin__ref apart;              /* a block, or what was one: message.c */
    _Atomic uint32_t size;
    _Atomic uint32_t kind;
    unsigned char bytes[KIN__CELL_ROOM];
} kin__cell;

typedef struct kin__ring_block {
    _Atomic uint32_t count; /* of cells: a power of two */
    _Atomic kin__ref after; /* the ring that this one was made to follow; 0: the first */
    _Atomic kin__ref next;  /* 0 position and the serial: none yet */
    _Atomic uint64_t shut;  /* the same, or from which position on nothing is put any more */
    _Alignas(64) _Atomic uint64_t head; /* hints, with the serial: all before it is done */
    _Atomic uint64_t taking;            /* all before it is taken, where messages are lent */
    _Alignas(64) _Atomic uint64_t tail; /* all before it was claimed */
    _Atomic uint64_t head_seen;         /* head, as it was */
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
    KIN__FULL,    /* nothing to take, and all cells are held: none is free */
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
    bool lent;
} kin__claim;

/* What a taker will accept. */
typedef struct kin__want {
    uint32_t kind; /* KIN__CELL_OBJECT | KIN__CELL_BYTES */
    size_t least;  /* bytes */
    size_t room;   /* bytes at most; SIZE_MAX: any */
} kin__want;

/* One of a run of claims, from the first one on. */
static inline kin__claim kin__claim_next(kin__claim claim, uint32_t i)
{
    claim.position += i;
    claim.cell = &claim.ring.at->cells[claim.position & (claim.ring.count - 1)];
    return claim;
}

/* ---- ring.c ---- */
int kin__ring_new(uint32_t count, kin__ref after, kin__ring *ret_ring);
kin__ring kin__ring_at(kin__ref ref);
const kin__ring *kin__ring_known(kin__ref ref); /* the same; it may have been freed meanwhile */
bool kin__ring_drain(const kin__ring *ring);    /* false: somebody has a hand in it */
enum kin__found kin__ring_claim(const kin__ring *ring, uint64_t limit, kin__claim *ret);
bool kin__ring_is_roomy(const kin__ring *ring, uint64_t limit);
uint32_t kin__ring_claim_more(const kin__claim *first, uint64_t limit, uint32_t most);
void kin__ring_publish(const kin__claim *claim);
void kin__ring_publish_run(const kin__claim *first, uint32_t n); /* of claims in a row */
void kin__ring_forgo(const kin__claim *claim);                   /* there will be no message */
enum kin__found kin__ring_take(const kin__ring *ring, const kin__want *want, bool ask,
                               kin__claim *ret);
uint32_t kin__ring_take_more(const kin__claim *first, const kin__want *want, uint32_t most);
kin__claim kin__ring_taken(const kin__claim *first, uint32_t i); /* one of these; 0: the first */
void kin__ring_finish(const kin__claim *claim);
void kin__ring_finish_run(const kin__claim *first, uint32_t n); /* none of them lent */
void kin__ring_lend(kin__claim *claim); /* taken for long; return and finish are as before */
void kin__ring_return(const kin__claim *claim);
bool kin__ring_seal(const kin__ring *ring); /* after kin__ring_take found KIN__NONE */
bool kin__ring_shut(const kin__ring *ring, uint64_t position); /* after KIN__FULL */
bool kin__ring_is_done(const kin__ring *ring); /* sealed, and all before it finished */
uint64_t kin__ring_length(const kin__ring *ring);
bool kin__ring_has_more(const kin__ring *ring);                /* its length is not 0 */
bool kin__ring_is_full(const kin__ring *ring, uint64_t limit); /* as far as hints tell */

/* Adds all that is there, and their bytes: whether somebody holds some of it. And whether nothing
 * is; if not, whether somebody holds the oldest. */
bool kin__ring_weigh(const kin__ring *ring, uint64_t *messages, uint64_t *bytes);
bool kin__ring_is_idle(const kin__ring *ring, bool *ret_held);
kin__ref kin__ring_next(const kin__ring *ring); /* 0: none, or the ring is gone */
bool kin__ring_is_last(const kin__ring *ring);
bool kin__ring_link(const kin__ring *ring, kin__ref next); /* if there is none */

/* ---- message.c ---- */

#define KIN__BESIDE_MOST 4096 /* bytes that may be copied while a cell is claimed */

/* A message on its way in: its bytes are written into a block, or wait to be copied. */
typedef struct kin__parcel {
    size_t size;
    uint32_t kind;     /* KIN__CELL_OBJECT or KIN__CELL_BYTES */
    void *apart;       /* the message's own block */
    const void *bytes; /* of a message of bytes; else where the object was flattened */
    kin_obj object;    /* or an object, of which `size` is kin__flat_size */
    void *scratch;     /* NULL, or KIN__BESIDE_MOST bytes to flatten an object into */
    _Alignas(8) unsigned char small[KIN__CELL_ROOM];
} kin__parcel;

/* Codes with a sentence. After it: fill, or abandon, which frees what it holds. */
int kin__parcel_pack(kin__parcel *parcel, const char *verb);

/* Into a cell that is claimed, not published. KIN_ENOMEM: the message is not in it. */
int kin__parcel_fill(const kin__parcel *parcel, const kin__claim *claim);
void kin__cell_write(kin__cell *cell, const void *bytes, size_t size); /* KIN__CELL_ROOM at most */
void kin__parcel_abandon(const kin__parcel *parcel);

/* Of a cell that was taken: its message, claim->size bytes; NULL when the cell says nonsense. */
const void *kin__claim_bytes(const kin__claim *claim);

/* The same, copied out or given up: call this, then finish the cell, then free the block that this
 * returns; which is NULL when the message lies in the cell. */
void *kin__claim_own(const kin__claim *claim);
void *kin__claim_own_beside(const kin__claim *claim); /* the cell's block as well */

/* The blocks that stayed with the cells of a ring that nobody puts into any more. */
void kin__ring_strip(const kin__ring *ring);

#endif
