/* meter.c - what is in a queue that is bounded by more than its number of cells.
 *
 * Idea. A bound on bytes, and one on messages some of which are lent for long, cannot be read off
 * the positions in a ring. So those who put into such a queue do so one after the other, under a
 * lock; they count what they put, and whoever takes counts what he took; the difference is in the
 * queue.
 *
 * Rules.
 *   R1  The counts change under the lock only, together with the cells. Who takes and does not get
 *       the lock soon, for its holder is stopped, does not count: so they are too high at worst.
 *   R2  Who finds the queue full, or finds that the last holder of the lock has died, looks at all
 *       its cells, and sets the counts right.
 *
 * Death. The lock is free again when its holder is gone; what he had claimed is empty then. */
#include "room.h"

#define PATIENCE 0.05 /* seconds for the lock: who has it has it for an instant, or was stopped */

int kin__meter_begin(kin__meter *meter)
{
    atomic_init(&meter->messages, 0);
    atomic_init(&meter->bytes, 0);
    return kin_lock_init(&meter->lock, NULL);
}

static bool has_room(const kin_queue *queue, size_t size)
{
    const kin__meter *m = &queue->meter;
    uint64_t messages = atomic_load(&m->messages);
    uint64_t bytes = atomic_load(&m->bytes);
    uint64_t cost = kin__meter_cost(size);
    return (queue->maxsize == 0 || messages < queue->maxsize) &&
           (queue->maxbytes == 0 || (bytes <= queue->maxbytes && cost <= queue->maxbytes - bytes));
}

typedef struct weight {
    uint64_t messages, bytes;
    bool held;
} weight;

static bool add_up(const kin__ring *ring, void *ctx)
{
    weight *w = ctx;
    w->held |= kin__ring_weigh(ring, &w->messages, &w->bytes);
    return true;
}

/* R2. Whether somebody holds a message: his death may make room. */
static bool recount(kin_queue *queue)
{
    kin__meter *m = &queue->meter;
    weight w = { 0 };
    if (!kin__chain_each(queue, add_up, &w)) {
        return true; /* it is full for another moment */
    }
    atomic_store(&m->messages, w.messages);
    atomic_store(&m->bytes, w.bytes + w.messages * kin__meter_cost(0));
    return w.held;
}

static bool begin(kin_queue *queue)
{
    kin__os_shield();
    int rv = kin_lock_acquire(&queue->meter.lock, PATIENCE);
    kin__os_unshield();
    if (rv == KIN_OWNER_DIED) {
        (void)recount(queue);
    }
    return rv >= 0;
}

void kin__meter_end(kin_queue *queue)
{
    (void)kin_lock_release(&queue->meter.lock);
}

static enum kin__found claim(kin_queue *queue, size_t size, bool ask, kin__claim *ret)
{
    bool held = !has_room(queue, size) && ask && recount(queue);
    if (!has_room(queue, size)) {
        bool closed = atomic_load_explicit(&queue->closed, memory_order_relaxed);
        return closed ? KIN__OVER : held ? KIN__HELD : KIN__NONE;
    }
    enum kin__found found = kin__chain_claim(queue, ret);
    KIN__STEP("meter.claimed");
    if (found == KIN__GOT) {
        atomic_fetch_add(&queue->meter.messages, 1);
        atomic_fetch_add(&queue->meter.bytes, kin__meter_cost(size));
    }
    KIN__STEP("meter.counted");
    return found;
}

enum kin__found kin__meter_claim(kin_queue *queue, size_t size, bool ask, kin__claim *ret)
{
    *ret = (kin__claim){ 0 };
    if (!begin(queue)) {
        return KIN__HELD;
    }
    enum kin__found found = claim(queue, size, ask, ret);
    if (found != KIN__GOT) {
        kin__meter_end(queue);
    }
    return found;
}

void kin__meter_finish(kin_queue *queue, const kin__claim *first, uint32_t n, uint64_t cost)
{
    bool counts = begin(queue); /* R1 */
    kin__ring_finish_run(first, n);
    KIN__STEP("meter.finished");
    if (counts) {
        atomic_fetch_sub(&queue->meter.messages, n);
        atomic_fetch_sub(&queue->meter.bytes, cost);
        kin__meter_end(queue);
    }
}

bool kin__meter_is_full(kin_queue *queue)
{
    return !has_room(queue, 0);
}
