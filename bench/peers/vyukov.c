/* vyukov.c - Dmitry Vyukov's bounded ring of many producers and many consumers: the limit.
 *
 * A cell's turn says whose it is: the one of the producer whose ticket it is, one more once it is
 * filled. Nobody sleeps, and who dies between his ticket and his turn stops everybody.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../common/bench.h"
#include "peer.h"

typedef struct cell {
    _Atomic uint64_t turn;
    unsigned char bytes[];
} cell;

typedef struct ring {
    uint64_t count; /* a power of two */
    size_t step;    /* from cell to cell */
    size_t whole;
    _Alignas(64) _Atomic uint64_t tail;
    _Alignas(64) _Atomic uint64_t head;
    _Alignas(64) unsigned char cells[];
} ring;

static cell *cell_at(ring *r, uint64_t ticket)
{
    return (cell *)(void *)(r->cells + (ticket & (r->count - 1)) * r->step);
}

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    uint64_t count = 2;
    while (count < shape->bound) {
        count *= 2;
    }
    size_t step = (sizeof(cell) + shape->size + 63) / 64 * 64;
    size_t whole = sizeof(ring) + count * step;
    ring *r = bench_shared(whole);
    memset(r, 1, whole); /* touched */
    *r = (ring){ .count = count, .step = step, .whole = whole };
    for (uint64_t i = 0; i < count; i++) {
        atomic_store(&cell_at(r, i)->turn, i);
    }
    return r;
}

/* Takes the next ticket whose cell has come to that turn. */
static cell *claim(ring *r, _Atomic uint64_t *counter, uint64_t ahead, uint64_t *ret_ticket)
{
    uint64_t ticket = atomic_load_explicit(counter, memory_order_relaxed);
    for (unsigned looks = 1;; looks++) {
        cell *c = cell_at(r, ticket);
        int64_t late =
            (int64_t)(atomic_load_explicit(&c->turn, memory_order_acquire) - ticket - ahead);
        if (late == 0 &&
            atomic_compare_exchange_weak_explicit(counter, &ticket, ticket + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            *ret_ticket = ticket;
            return c;
        }
        if (late != 0) {
            ticket = atomic_load_explicit(counter, memory_order_relaxed);
        }
        if (looks % 64 == 0) {
            sched_yield(); /* there may be more of us than processors */
        }
    }
}

static void put(void *queue, const void *message, size_t size)
{
    ring *r = queue;
    uint64_t ticket;
    cell *c = claim(r, &r->tail, 0, &ticket);
    memcpy(c->bytes, message, size);
    atomic_store_explicit(&c->turn, ticket + 1, memory_order_release);
}

static void get(void *queue, void *message, size_t size)
{
    ring *r = queue;
    uint64_t ticket;
    cell *c = claim(r, &r->head, 1, &ticket);
    memcpy(message, c->bytes, size);
    atomic_store_explicit(&c->turn, ticket + r->count, memory_order_release);
}

static void close_it(void *queue)
{
    ring *r = queue;
    BENCH_MUST(munmap(r, r->whole) == 0);
}

const peer peer_vyukov = {
    .name = "Vyukov ring", .open = open_it, .put = put, .get = get, .close = close_it
};
