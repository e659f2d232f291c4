/* queue/room.h - rings in a chain: the queue below its public face.
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

/* What is in a queue whose bound is not just a number of cells: meter.c. */
typedef struct kin__meter {
    kin_lock lock;
    _Atomic uint64_t messages;
    _Atomic uint64_t bytes;
} kin__meter;

struct kin_queue {
    uint64_t maxsize; /* 0: unbounded */
    uint64_t maxbytes;
    uint64_t cells; /* of a ring, that may be in use: maxsize, or 0: all */
    uint8_t ack;    /* 0 or not, as the others: anything may be written over them */
    uint8_t joinable;
    uint8_t wait_for_memory;
    uint8_t metered;
    _Atomic uint32_t closed; /* 1, or */
#define KIN__QUEUE_FREED 2u
    _Atomic kin__ref first;           /* the ring to take from */
    _Atomic kin__ref last;            /* hint: the ring to put into */
    _Atomic kin__ref linking;         /* which ring is last, or one on its way to be: chain.c */
    _Atomic kin__ref retiring;        /* a ring on its way out */
    _Alignas(64) kin__gate not_empty; /* kin_wait's, and of who may not use the next: wait.c */
    kin__turnstile takers;
    _Alignas(64) kin__gate not_full;
    kin__turnstile givers;
    kin__gate all_done;
    _Alignas(64) _Atomic uint64_t handed; /* got, and not done with: done.c */
    kin__meter meter;
};

/* ---- chain.c ---- */
kin__ref kin__chain_begin(const kin__ring *ring); /* what `linking` is for a chain of one */
void kin__chain_drop(kin_queue *queue, const kin__ring *first); /* drained, not the last: freed */
void kin__chain_settle(kin_queue *queue); /* finishes what somebody may have left half-done */

/* One try to claim a cell to put into, or the oldest message. */
enum kin__found kin__chain_claim(kin_queue *queue, kin__claim *ret);
enum kin__found kin__chain_take(kin_queue *queue, const kin__want *want, bool ask, kin__claim *ret);

/* From the oldest ring on, until `each` says false. False: the chain moved on meanwhile, and not
 * all of it was seen. */
bool kin__chain_each(kin_queue *queue, bool (*each)(const kin__ring *ring, void *ctx), void *ctx);

/* ---- meter.c ---- */
int kin__meter_begin(kin__meter *meter);

/* As kin__chain_claim, for a message of that size. KIN__GOT: until kin__meter_end, nobody else
 * puts. */
enum kin__found kin__meter_claim(kin_queue *queue, size_t size, bool ask, kin__claim *ret);
void kin__meter_end(kin_queue *queue);
void kin__meter_finish(kin_queue *queue, const kin__claim *first, uint32_t n, uint64_t cost);

/* Whether there is no room for an empty message. */
bool kin__meter_is_full(kin_queue *queue);

/* What a message takes: its cell, and its bytes. */
static inline uint64_t kin__meter_cost(size_t size)
{
    return sizeof(kin__cell) + (uint64_t)size;
}

/* ---- wait.c: the same, asleep if need be ---- */

/* Claims a cell to put a message of that size into. KIN_EFULL, KIN_ETIMEDOUT, KIN_ECLOSED,
 * KIN_ENOMEM. */
int kin__queue_claim(kin_queue *queue, size_t size, int64_t deadline, kin__claim *ret);

/* Of `n` claims in a row. */
void kin__queue_publish(kin_queue *queue, const kin__claim *first, uint32_t n);

/* Claims the oldest message. KIN_EEMPTY, KIN_ETIMEDOUT, KIN_ECLOSED, KIN_ETYPE,
 * KIN_EBUFTOOSHORT, KIN_ERANGE. */
int kin__queue_take(kin_queue *queue, const kin__want *want, int64_t deadline, kin__claim *ret);
void kin__queue_finish(kin_queue *queue, const kin__claim *claim);
void kin__queue_finished(kin_queue *queue); /* by the ring's own verbs: wakes who waits for it */
void kin__queue_return(kin_queue *queue, const kin__claim *claim); /* not taken after all */
void kin__queue_tell_closed(kin_queue *queue);                     /* all who sleep */

/* Memory is out: until some of this queue's may have been given back. KIN_EFULL, KIN_ETIMEDOUT,
 * KIN_ECLOSED; the code that it was out with, if the queue does not wait for memory. */
int kin__queue_await_memory(kin_queue *queue, int64_t deadline, int code);

/* ---- done.c: who has done what ---- */

/* What this thread got and has to acknowledge. Makes room for `n` of them: 0 or KIN_ENOMEM. */
int kin__hand_reserve(size_t n);
void kin__hand_add(kin_queue *queue, const kin__claim *claim);

/* For who acts as several, one after the other: what this thread has to acknowledge is kept there,
 * and what was kept there is this thread's now. Zeros: nothing. In the end it is forgotten. */
typedef struct kin__hand {
    uint64_t words[80];
} kin__hand;
void kin__hand_swap(kin__hand *other);
void kin__hand_forget(kin__hand *other);

/* The message leaves the queue; its block is ours (NULL: it has none), or is freed. */
void *kin__queue_take_out(kin_queue *queue, const kin__claim *claim);
void kin__queue_consume(kin_queue *queue, const kin__claim *claim);

#endif
