/* ring.h - a ring between one writer and one reader who never sleep: the floor of a queue.
 *
 * Each keeps what he last saw of the other's counter, so in the best case a message costs no cache
 * line but its own. Who dies in it, or does not come, hangs the other: it is a floor, not a queue.
 */
#ifndef KIN_BENCH_RING_H
#define KIN_BENCH_RING_H

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "bench.h"

typedef struct spin_ring {
    uint64_t count; /* of messages; a power of two */
    uint64_t size;  /* of a message */
    _Alignas(64) _Atomic uint64_t tail;
    uint64_t head_seen;
    _Alignas(64) _Atomic uint64_t head;
    uint64_t tail_seen;
    _Alignas(64) unsigned char bytes[];
} spin_ring;

static inline spin_ring *spin_ring_new(uint64_t count, uint64_t size)
{
    spin_ring *ring = bench_shared(sizeof *ring + count * size);
    ring->count = count;
    ring->size = size;
    memset(ring->bytes, 1, count * size); /* touched */
    return ring;
}

/* Waits until the other's counter is past `least`; gives way when there are not enough cores. */
static inline uint64_t spin_ring_await(_Atomic uint64_t *counter, uint64_t least)
{
    for (unsigned looks = 1;; looks++) {
        uint64_t seen = atomic_load_explicit(counter, memory_order_acquire);
        if ((int64_t)(seen - least) > 0) {
            return seen;
        }
        if (looks % 256 == 0) {
            sched_yield();
        }
    }
}

static inline void spin_ring_copy(void *to, const void *from, uint64_t size)
{
    if (size == 8) {
        memcpy(to, from, 8);
    } else {
        memcpy(to, from, size);
    }
}

static inline void spin_ring_put(spin_ring *ring, const void *message)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen == ring->count) {
        ring->head_seen = spin_ring_await(&ring->head, tail - ring->count);
    }
    spin_ring_copy(ring->bytes + (tail & (ring->count - 1)) * ring->size, message, ring->size);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

static inline void spin_ring_get(spin_ring *ring, void *message)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = spin_ring_await(&ring->tail, head);
    }
    spin_ring_copy(message, ring->bytes + (head & (ring->count - 1)) * ring->size, ring->size);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

#endif
