/* queue/room.h - cells in rings, rings in a chain: the queue below its public face.
 *
 * The pool uses the two-step forms: what is taken stays in its cell, under the taker's name, until
 * he says that he is done with it; when he dies before that, it is there for the next one.
 */
#ifndef KIN_QUEUE_ROOM_H
#define KIN_QUEUE_ROOM_H

#include "../domain/room.h"
#include "../obj/room.h"
#include "../ring/room.h"
#include "../sync/room.h"
#include <kin/queue.h>

struct kin_queue {
    uint64_t maxsize; /* 0: unbounded */
    _Atomic uint32_t closed;
    _Atomic kin__ref first;    /* the ring to take from */
    _Atomic kin__ref last;     /* hint: the ring to put into */
    _Atomic kin__ref linking;  /* which ring is last, or one on its way to be: chain.c */
    _Atomic kin__ref retiring; /* a ring on its way out */
    _Alignas(64) kin__gate not_empty;
    _Alignas(64) kin__gate not_full;
};

/* ---- chain.c ---- */
kin__ref kin__chain_begin(const kin__ring *ring); /* what `linking` is for a chain of one */
int kin__chain_grow(kin_queue *queue, const kin__ring *last);
void kin__chain_retire(kin_queue *queue, const kin__ring *first);
kin__ring kin__chain_last(kin_queue *queue);
void kin__chain_settle(kin_queue *queue); /* finishes what somebody may have left half-done */

/* ---- wait.c: the same, asleep if need be ---- */

/* Claims a cell to put into. KIN_EFULL, KIN_ETIMEDOUT, KIN_ECLOSED, KIN_ENOMEM. */
int kin__queue_claim(kin_queue *queue, int64_t deadline, kin__claim *ret);
void kin__queue_publish(kin_queue *queue, const kin__claim *claim);

/* Claims the oldest message. KIN_EEMPTY, KIN_ETIMEDOUT, KIN_ECLOSED, KIN_ETYPE,
 * KIN_EBUFTOOSHORT. */
int kin__queue_take(kin_queue *queue, const kin__want *want, int64_t deadline, kin__claim *ret);
void kin__queue_finish(kin_queue *queue, const kin__claim *claim);
void kin__queue_return(kin_queue *queue, const kin__claim *claim); /* not taken after all */

#endif
