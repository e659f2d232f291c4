/* queue.c - the public face of a queue: making one, objects and bytes in and out, closing,
 * freeing. */
#include "room.h"

#include <stdio.h>
#include <string.h>

#define RING_FIRST 64u
#define PATIENCE 1000000000 /* ns that freeing waits for those who are in put or get */
#define RINGS_COUNTED 100000u
#define MAXSIZE_MOST ((uint64_t)1 << 24)

_Static_assert(kin_queue_KIND == KIN__QUEUE, "the public number of the kind");

/* ---- life ------------------------------------------------------------------------------------ */

static int check_options(const kin_queue_options *options)
{
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_queue_new: a reserved option is not zero");
        }
    }
    if (options->maxsize > MAXSIZE_MOST) {
        return kin__fail(KIN_EINVAL, "kin_queue_new: a maxsize of %llu is more than %llu",
                         (unsigned long long)options->maxsize, (unsigned long long)MAXSIZE_MOST);
    }
    return 0;
}

static uint32_t first_count(uint64_t maxsize)
{
    uint32_t count = maxsize == 0 ? RING_FIRST : 2;
    while (count < maxsize) {
        count *= 2;
    }
    return count;
}

int kin_queue_new(kin_queue **ret_queue, const kin_queue_options *options)
{
    const kin_queue_options defaults = { 0 };
    options = options != NULL ? options : &defaults;
    if (ret_queue == NULL) {
        return kin__fail(KIN_EINVAL, "kin_queue_new: the place for the queue is NULL");
    }
    int rv = check_options(options);
    if (rv < 0) {
        return rv;
    }
    kin_queue *queue = kin__block_new(sizeof *queue, KIN__QUEUE);
    if (queue == NULL) {
        return kin__failure();
    }
    kin__ring ring;
    rv = kin__ring_new(first_count(options->maxsize), 0, &ring);
    if (rv < 0) {
        kin__block_free(queue);
        return rv;
    }
    queue->maxsize = options->maxsize;
    atomic_init(&queue->closed, 0);
    atomic_init(&queue->retiring, 0);
    kin__gate_renew(&queue->not_empty);
    kin__gate_renew(&queue->not_full);
    atomic_init(&queue->first, ring.self);
    atomic_init(&queue->last, ring.self);
    atomic_init(&queue->linking, kin__chain_begin(&ring));
    kin__block_give(ring.at);
    kin__block_give(queue);
    *ret_queue = queue;
    return 0;
}

int kin_queue_close(kin_queue *queue)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_close: the queue");
    if (rv < 0) {
        return rv;
    }
    atomic_store(&queue->closed, 1);
    kin__gate_open(&queue->not_empty);
    kin__gate_open(&queue->not_full);
    return 0;
}

/* A claim is held for some instructions, and whoever has it writes into the ring, or reads. Who is
 * stopped in these may come back any time: then the ring stays. */
static void free_ring(kin_queue *queue, const kin__ring *ring)
{
    int64_t deadline = kin__os_now() + PATIENCE;
    uint32_t ticket = kin__gate_ticket(&queue->not_empty);
    while (!kin__ring_drain(ring)) {
        if (kin__gate_sleep(&queue->not_empty, ticket, deadline, true) == KIN_ETIMEDOUT) {
            kin_log(KIN_LOG_WARNING, "kin_queue_free: a process is stopped in the midst of a put "
                                     "or get; the ring in its hand cannot be freed");
            return;
        }
        ticket = kin__gate_ticket(&queue->not_empty);
    }
    KIN__STEP("queue.drained");
    kin__block_discard(ring->self);
    KIN__STEP("queue.ring_freed");
}

void kin_queue_free(kin_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    kin__ref self = kin__block_ref(queue);
    if (kin_queue_close(queue) < 0) {
        kin_log(KIN_LOG_ERROR, "kin_queue_free: %s", kin_errmsg());
        return;
    }
    kin__chain_settle(queue);
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    while (ring.at != NULL) {
        kin__ref next = kin__ring_next(&ring);
        free_ring(queue, &ring);
        ring = kin__ring_at(next);
    }
    (void)kin__block_discard(self);
    kin__gate_wake(&queue->not_empty);
    kin__gate_wake(&queue->not_full);
}

int64_t kin_queue_qsize(kin_queue *queue)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_qsize: the queue");
    if (rv < 0) {
        return rv;
    }
    uint64_t length = 0;
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    for (unsigned i = 0; i < RINGS_COUNTED && ring.at != NULL; i++) {
        length += kin__ring_length(&ring);
        ring = kin__ring_at(kin__ring_next(&ring));
    }
    return (int64_t)length;
}

/* For kin_dump. */
static void tell(const void *p, FILE *stream)
{
    kin_queue *queue = (kin_queue *)(uintptr_t)p;
    int64_t n = kin_queue_qsize(queue);
    (void)fprintf(stream, ": %lld", n < 0 ? 0 : (long long)n);
    if (queue->maxsize != 0) {
        (void)fprintf(stream, " of %llu", (unsigned long long)queue->maxsize);
    }
    (void)fputs(atomic_load(&queue->closed) ? ", closed" : "", stream);
}

__attribute__((constructor)) static void be_told_of(void)
{
    kin__dump_add(KIN__QUEUE, "queue", tell);
}

/* ---- putting --------------------------------------------------------------------------------- */

static int put(kin_queue *queue, kin__parcel *p, double timeout)
{
    int64_t deadline;
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_put: the queue");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    rv = rv < 0 ? rv : kin__parcel_pack(p, "kin_queue_put");
    if (rv < 0) {
        return rv;
    }
    kin__claim claim;
    rv = kin__queue_claim(queue, deadline, &claim);
    if (rv < 0) {
        kin__parcel_abandon(p);
        return rv;
    }
    kin__parcel_fill(p, claim.cell);
    KIN__STEP("queue.filled");
    kin__queue_publish(queue, &claim);
    return 0;
}

int kin_queue_put(kin_queue *queue, kin_obj object, double timeout)
{
    kin__parcel p = { .kind = KIN__CELL_OBJECT, .object = object };
    int rv = kin__flat_size(object, &p.size);
    rv = rv < 0 ? rv : put(queue, &p, timeout);
    kin__obj_drop(object);
    return rv;
}

int kin_queue_put_bytes(kin_queue *queue, const void *bytes, size_t size, double timeout)
{
    if (bytes == NULL && size != 0) {
        return kin__fail(KIN_EINVAL, "kin_queue_put_bytes: %zu bytes at NULL", size);
    }
    kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = size };
    return put(queue, &p, timeout);
}

/* ---- getting --------------------------------------------------------------------------------- */

/* A message that is ours to take: it stays in its cell until it is copied out, so that it is still
 * there when we die, or run out of memory, on the way. */
typedef struct arrival {
    kin__claim claim;
    const void *bytes; /* in the cell, or in its block; NULL when the cell says nonsense */
} arrival;

static int receive(kin_queue *queue, const kin__want *want, double timeout, arrival *ret)
{
    int64_t deadline;
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_get: the queue");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    rv = rv < 0 ? rv : kin__queue_take(queue, want, deadline, &ret->claim);
    if (rv < 0) {
        return rv;
    }
    ret->bytes = kin__claim_bytes(&ret->claim);
    return 0;
}

/* The message has been copied out, or cannot be: it leaves the queue. */
static void consume(kin_queue *queue, const arrival *a)
{
    void *block = kin__claim_own(&a->claim);
    kin__queue_finish(queue, &a->claim);
    if (block != NULL) {
        kin__block_free(block);
    }
}

static int corrupt(void)
{
    return kin__fail(KIN_ECORRUPT, "kin_queue_get: a message's bytes are not where its cell says");
}

int kin_queue_get(kin_queue *queue, kin_obj *ret_object, double timeout)
{
    if (ret_object == NULL) {
        return kin__fail(KIN_EINVAL, "kin_queue_get: the place for the message is NULL");
    }
    const kin__want any = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };
    arrival a;
    int rv = receive(queue, &any, timeout, &a);
    if (rv < 0) {
        return rv;
    }
    kin_obj object = { 0 };
    if (a.bytes == NULL) {
        rv = corrupt();
    } else if (a.claim.kind & KIN__CELL_BYTES) {
        object = kin_bytes(a.bytes, a.claim.size);
        rv = kin__obj_check(object, "kin_queue_get");
    } else {
        rv = kin__flat_read(a.bytes, a.claim.size, &object);
    }
    if (rv == KIN_ENOMEM) {
        kin__queue_return(queue, &a.claim);
        return rv;
    }
    consume(queue, &a);
    if (rv == 0) {
        *ret_object = object;
    }
    return rv;
}

ssize_t kin_queue_get_bytes(kin_queue *queue, void *buffer, size_t room, double timeout)
{
    if (buffer == NULL && room != 0) {
        return kin__fail(KIN_EINVAL, "kin_queue_get_bytes: the buffer is NULL");
    }
    const kin__want want = { .kind = KIN__CELL_BYTES, .room = room };
    arrival a;
    int rv = receive(queue, &want, timeout, &a);
    if (rv < 0) {
        return rv;
    }
    if (a.bytes != NULL && a.claim.size != 0) {
        memcpy(buffer, a.bytes, a.claim.size);
    }
    consume(queue, &a);
    return a.bytes != NULL ? (ssize_t)a.claim.size : corrupt();
}
