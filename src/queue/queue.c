/* queue.c - the life of a queue: making one, closing, freeing, and questions about it. */
#include "room.h"

#include <limits.h>
#include <stdio.h>

#define RING_FIRST 64u
#define PATIENCE 1000000000 /* ns that freeing waits for those who are in put or get */
#define TRIES 1000u         /* to see a chain that moves; more of them, and something is wrong */
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

static void begin(kin_queue *queue, const kin_queue_options *options)
{
    queue->maxsize = options->maxsize;
    queue->maxbytes = options->maxbytes;
    queue->ack = options->ack;
    queue->joinable = options->joinable || options->ack;
    queue->wait_for_memory = options->wait_for_memory;
    queue->metered = options->maxbytes != 0 || (options->ack && options->maxsize != 0);
    queue->cells = queue->metered ? 0 : options->maxsize;
    atomic_init(&queue->closed, 0);
    atomic_init(&queue->retiring, 0);
    atomic_init(&queue->handed, 0);
    atomic_store(&queue->takers.word, 0);
    atomic_store(&queue->givers.word, 0);
    kin__gate_renew(&queue->not_empty);
    kin__gate_renew(&queue->not_full);
    kin__gate_renew(&queue->all_done);
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
    begin(queue, options);
    rv = kin__meter_begin(&queue->meter);
    if (rv < 0) {
        kin__block_free(ring.at);
        kin__block_free(queue);
        return rv;
    }
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
    KIN__STEP("queue.closed");
    kin__queue_tell_closed(queue);
    return 0;
}

/* A claim is held for some instructions, and whoever has it writes into the ring, or reads. Who is
 * stopped in these may come back any time: then the ring stays. */
static void free_ring(kin_queue *queue, const kin__ring *ring)
{
    int64_t deadline = kin__os_now() + PATIENCE;
    uint32_t ticket = kin__gate_ticket(&queue->not_empty);
    while (!kin__ring_drain(ring)) {
        if (kin__gate_doze(&queue->not_empty, ticket, deadline, true) == KIN_ETIMEDOUT) {
            kin_log(KIN_LOG_WARNING, "kin_queue_free: a process is stopped in the midst of a put "
                                     "or get; the ring in its hand cannot be freed");
            return;
        }
        ticket = kin__gate_ticket(&queue->not_empty);
    }
    KIN__STEP("queue.drained");
    kin__chain_drop(queue, ring); /* so that another can go on when we die */
    kin__block_discard(ring->self);
    KIN__STEP("queue.ring_freed");
}

void kin_queue_free(kin_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    if (kin__remote_free(queue, KIN__QUEUE)) {
        return;
    }
    kin__ref self = kin__block_ref(queue);
    if (kin_queue_close(queue) < 0) {
        kin_log(KIN_LOG_ERROR, "kin_queue_free: %s", kin_errmsg());
        return;
    }
    atomic_store(&queue->closed, KIN__QUEUE_FREED);
    kin__chain_settle(queue);
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    while (ring.at != NULL) {
        kin__ref next = kin__ring_next(&ring);
        free_ring(queue, &ring);
        ring = kin__ring_at(next);
    }
    kin_lock_done(&queue->meter.lock);
    (void)kin__block_discard(self);
    kin__turnstile_open(&queue->takers, INT_MAX);
    kin__turnstile_open(&queue->givers, INT_MAX);
    kin__gate_wake(&queue->not_empty);
    kin__gate_wake(&queue->not_full);
    kin__gate_wake(&queue->all_done);
}

static bool add_length(const kin__ring *ring, void *ctx)
{
    uint64_t *length = ctx;
    *length += kin__ring_length(ring);
    return true;
}

int64_t kin_queue_qsize(kin_queue *queue)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_qsize: the queue");
    if (rv < 0) {
        return kin__remote_ask(queue, KIN__QUEUE, "qsize", rv);
    }
    uint64_t length;
    unsigned tries = TRIES;
    do {
        length = 0;
    } while (!kin__chain_each(queue, add_length, &length) && --tries > 0);
    return (int64_t)length;
}

static bool is_all_taken(const kin__ring *ring, void *ctx)
{
    bool *empty = ctx;
    *empty = !kin__ring_has_more(ring);
    return *empty;
}

int kin_queue_empty(kin_queue *queue)
{
    bool empty = true;
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_empty: the queue");
    if (rv == 0) {
        for (unsigned i = 0; i < TRIES && !kin__chain_each(queue, is_all_taken, &empty); i++) {
        }
    }
    return rv < 0 ? kin__remote_ask(queue, KIN__QUEUE, "empty", rv) : empty;
}

int kin_queue_full(kin_queue *queue)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_full: the queue");
    if (rv < 0 || queue->metered) {
        return rv < 0 ? kin__remote_ask(queue, KIN__QUEUE, "full", rv) : kin__meter_is_full(queue);
    }
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    return queue->maxsize != 0 && ring.at != NULL && kin__ring_is_full(&ring, queue->maxsize);
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
