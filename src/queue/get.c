/* get.c - objects and bytes out of a queue. A message stays in its cell until it is copied out, so
 * that it is there still when we die, or run out of memory, on the way; with .ack it stays there
 * until it is acknowledged (done.c). */
#include "room.h"

#include <string.h>

#define RUN 32u

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };

static int corrupt(void)
{
    return kin__fail(KIN_ECORRUPT, "kin_queue_get: a message's bytes are not where its cell says");
}

static void lend_run(kin_queue *queue, const kin__claim *first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        kin__claim claim = kin__ring_taken(first, i);
        kin__ring_lend(&claim);
        kin__hand_add(queue, &claim);
    }
}

/* It has been copied out, or cannot be. */
static void leave(kin_queue *queue, kin__claim *claim)
{
    if (queue->ack) {
        kin__ring_lend(claim);
        kin__hand_add(queue, claim);
        return;
    }
    if (queue->joinable) {
        atomic_fetch_add(&queue->handed, 1); /* before the cell is empty: done.c, R1 */
    }
    kin__queue_consume(queue, claim);
}

/* All of a run, RUN at most. */
static void leave_run(kin_queue *queue, const kin__claim *first, uint32_t n)
{
    if (queue->ack || n == 0) {
        lend_run(queue, first, n);
        return;
    }
    if (queue->joinable) {
        atomic_fetch_add(&queue->handed, n);
    }
    void *blocks[RUN];
    uint64_t cost = 0;
    for (uint32_t i = 0; i < n; i++) {
        kin__claim claim = kin__ring_taken(first, i);
        blocks[i] = kin__claim_own(&claim);
        cost += kin__meter_cost(claim.size);
    }
    if (queue->metered) {
        kin__meter_finish(queue, first, n, cost);
    } else {
        kin__ring_finish_run(first, n);
    }
    kin__queue_finished(queue);
    for (uint32_t i = 0; i < n; i++) {
        if (blocks[i] != NULL) {
            kin__block_free(blocks[i]);
        }
    }
}

/* Of `n` that were taken, `got` were copied out before one failed with `code`, if any did. That one
 * goes, if it is the first and cannot be read at all: nobody could acknowledge it. The others are
 * there for the next call. */
static ssize_t part(kin_queue *queue, const kin__claim *first, uint32_t got, uint32_t n, int code)
{
    uint32_t i = got;
    if (got == 0 && code < 0 && code != KIN_ENOMEM) {
        kin__queue_consume(queue, first);
        i = 1;
    }
    for (; i < n; i++) {
        kin__claim claim = kin__claim_next(*first, i);
        kin__queue_return(queue, &claim);
    }
    leave_run(queue, first, got);
    return got > 0 ? (ssize_t)got : code;
}

/* Claims up to `n` messages, `n` at most RUN: how many. */
static ssize_t receive(kin_queue *queue, const kin__want *want, size_t n, int64_t deadline,
                       kin__claim *ret_first)
{
    int rv = queue->ack ? kin__hand_reserve(n) : 0;
    rv = rv < 0 ? rv : kin__queue_take(queue, want, deadline, ret_first);
    return rv < 0 ? rv : 1 + (ssize_t)kin__ring_take_more(ret_first, want, (uint32_t)n - 1);
}

static int check(kin_queue *queue, const void *place, double timeout, int64_t *ret_deadline)
{
    if (place == NULL) {
        return kin__fail(KIN_EINVAL, "kin_queue_get: the place for the message is NULL");
    }
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_get: the queue");
    return rv < 0 ? rv : kin__deadline(timeout, ret_deadline);
}

/* ---- objects --------------------------------------------------------------------------------- */

static int read_object(const kin__claim *claim, kin_obj *ret)
{
    const void *bytes = kin__claim_bytes(claim);
    if (bytes == NULL) {
        return corrupt();
    }
    if (claim->kind & KIN__CELL_OBJECT) {
        return kin__flat_read(bytes, claim->size, ret);
    }
    kin_obj object = kin_bytes(bytes, claim->size);
    int rv = kin__obj_check(object, "kin_queue_get");
    if (rv == 0) {
        *ret = object;
    }
    return rv;
}

/* Up to RUN: how many. */
static ssize_t get_objects(kin_queue *queue, kin_obj *ret, size_t n, int64_t deadline)
{
    kin__claim first;
    ssize_t taken = receive(queue, &anything, n, deadline, &first);
    if (taken < 0) {
        return taken;
    }
    uint32_t got = 0;
    int rv = 0;
    while (got < taken && rv == 0) {
        kin__claim claim = kin__ring_taken(&first, got);
        rv = read_object(&claim, &ret[got]);
        got += rv == 0;
    }
    return part(queue, &first, got, (uint32_t)taken, rv);
}

/* From a queue of another machine (manager/). */
static int get_far(kin_queue *queue, kin_obj *ret, double timeout)
{
    kin_obj patience = timeout == KIN_FOREVER ? kin_none() : kin_float(timeout);
    kin_obj args = kin_tuple(kin_bool(timeout != 0), patience);
    int rv = atomic_load(&kin__remote_call)(queue, "get", args, timeout, ret);
    return rv == KIN_EEMPTY && timeout != 0 ? KIN_ETIMEDOUT : rv;
}

int kin_queue_get(kin_queue *queue, kin_obj *ret_object, double timeout)
{
    int64_t deadline;
    int rv = check(queue, ret_object, timeout, &deadline);
    kin_obj object = { 0 };
    if (rv < 0 && ret_object != NULL && kin__is_remote(queue, KIN__QUEUE)) {
        return get_far(queue, ret_object, timeout);
    }
    rv = rv < 0 ? rv : (int)get_objects(queue, &object, 1, deadline);
    if (rv > 0) {
        *ret_object = object;
    }
    return rv < 0 ? rv : 0;
}

ssize_t kin_queue_get_many(kin_queue *queue, kin_obj *ret_objects, size_t n, double timeout)
{
    int64_t deadline;
    int rv = check(queue, ret_objects, timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    size_t done = 0;
    while (done < n) {
        size_t most = n - done < RUN ? n - done : RUN;
        ssize_t some = get_objects(queue, ret_objects + done, most, done == 0 ? deadline : 0);
        if (some < 0) {
            return done > 0 ? (ssize_t)done : some;
        }
        done += (size_t)some;
    }
    return (ssize_t)done;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static int copy(const kin__claim *claim, void *to)
{
    const void *bytes = kin__claim_bytes(claim);
    if (bytes == NULL) {
        return corrupt();
    }
    if (claim->size != 0) {
        memcpy(to, bytes, claim->size);
    }
    return 0;
}

ssize_t kin_queue_get_bytes(kin_queue *queue, void *buffer, size_t room, double timeout)
{
    int64_t deadline;
    const kin__want want = { .kind = KIN__CELL_BYTES, .room = room };
    kin__claim claim;
    ssize_t rv = check(queue, room == 0 ? &room : buffer, timeout, &deadline);
    rv = rv < 0 ? rv : receive(queue, &want, 1, deadline, &claim);
    if (rv < 0) {
        return rv;
    }
    rv = copy(&claim, buffer);
    if (rv < 0) {
        kin__queue_consume(queue, &claim); /* nobody can acknowledge it */
        return rv;
    }
    leave(queue, &claim);
    return (ssize_t)claim.size;
}

/* Up to RUN items: how many. */
static ssize_t get_items(kin_queue *queue, unsigned char *items, const kin__want *want, size_t n,
                         int64_t deadline)
{
    kin__claim first;
    ssize_t taken = receive(queue, want, n, deadline, &first);
    if (taken < 0) {
        return taken;
    }
    uint32_t got = 0;
    int rv = 0;
    while (got < taken && rv == 0) {
        kin__claim claim = kin__ring_taken(&first, got);
        rv = copy(&claim, items + got * want->room);
        got += rv == 0;
    }
    return part(queue, &first, got, (uint32_t)taken, rv);
}

ssize_t kin_queue_get_array(kin_queue *queue, void *ret_items, size_t size, size_t n,
                            double timeout)
{
    int64_t deadline;
    const kin__want want = { .kind = KIN__CELL_BYTES, .least = size, .room = size };
    int rv = check(queue, size == 0 || n == 0 ? &size : ret_items, timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    unsigned char *items = size != 0 ? ret_items : (unsigned char *)&size;
    size_t done = 0;
    while (done < n) {
        size_t most = n - done < RUN ? n - done : RUN;
        ssize_t some = get_items(queue, items, &want, most, done == 0 ? deadline : 0);
        if (some < 0) {
            return done > 0 ? (ssize_t)done : some;
        }
        done += (size_t)some;
        items += (size_t)some * size;
    }
    return (ssize_t)done;
}

/* ---- in place -------------------------------------------------------------------------------- */

/* What a kin_message keeps: with .ack the message lies in its queue; else it is ours already. */
typedef struct loan {
    kin__claim claim;
    kin__ref queue;
    kin__id who;
    void *block; /* without .ack */
    unsigned char small[KIN__CELL_ROOM];
} loan;

_Static_assert(sizeof(loan) <= sizeof(((kin_message *)0)->private_), "a loan fits");

static loan *loan_of(kin_message *message)
{
    return (loan *)(void *)message->private_;
}

/* Where the bytes stay until the message is consumed. */
static const void *lend(kin_queue *queue, loan *l)
{
    const void *bytes = kin__claim_bytes(&l->claim);
    if (queue->ack) {
        kin__ring_lend(&l->claim);
        return bytes;
    }
    if (queue->joinable) {
        atomic_fetch_add(&queue->handed, 1);
    }
    l->block = kin__claim_own_beside(&l->claim);
    if (bytes != NULL && l->block == NULL) {
        bytes = memcpy(l->small, bytes, KIN__CELL_ROOM);
    }
    kin__queue_finish(queue, &l->claim);
    return bytes;
}

int kin_queue_peek(kin_queue *queue, kin_message *ret_message, double timeout)
{
    int64_t deadline;
    const kin__want want = { .kind = KIN__CELL_BYTES, .room = SIZE_MAX };
    kin__claim claim;
    int rv = check(queue, ret_message, timeout, &deadline);
    rv = rv < 0 ? rv : kin__queue_take(queue, &want, deadline, &claim);
    if (rv < 0) {
        return rv;
    }
    loan *l = loan_of(ret_message);
    *l = (loan){ .claim = claim, .queue = kin__block_ref(queue), .who = kin__actor() };
    ret_message->size = claim.size;
    ret_message->bytes = lend(queue, l);
    if (ret_message->bytes == NULL) {
        (void)kin_queue_consume(queue, ret_message);
        return corrupt();
    }
    return 0;
}

int kin_queue_consume(kin_queue *queue, kin_message *message)
{
    loan *l = message != NULL ? loan_of(message) : NULL;
    if (l == NULL || l->who != kin__actor()) {
        return kin__fail(l == NULL ? KIN_EINVAL : KIN_ESTATE,
                         "kin_queue_consume: not a message that this process peeked at, or it was "
                         "consumed");
    }
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_consume: the queue");
    if (rv == 0 && l->queue != kin__block_ref(queue)) {
        return kin__fail(KIN_ESTATE, "kin_queue_consume: the message is another queue's");
    }
    if (l->block != NULL) { /* ours, also when the queue is gone */
        kin__block_free(l->block);
    } else if (l->claim.lent && rv == 0) {
        kin__queue_consume(queue, &l->claim);
    }
    *l = (loan){ .who = KIN__NOBODY };
    message->bytes = NULL;
    return rv;
}
