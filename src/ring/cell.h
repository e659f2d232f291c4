/* ring/cell.h - the word of state of a cell, and hints; for the files of this room. */
#ifndef KIN_RING_CELL_H
#define KIN_RING_CELL_H

#include "room.h"

#define STATUS_SHIFT 61
#define POSITION_SHIFT 27
#define POSITION_MASK (((uint64_t)1 << (STATUS_SHIFT - POSITION_SHIFT)) - 1)
#define WHO_MASK (((uint64_t)1 << POSITION_SHIFT) - 1)

static inline uint64_t position_of(uint64_t state)
{
    return state >> POSITION_SHIFT & POSITION_MASK;
}

enum status { EMPTY = 1, CLAIMED, READY, TAKEN, SEALED, LENT };

static inline uint64_t make_state(enum status status, uint64_t position, uint32_t who)
{
    return (uint64_t)status << STATUS_SHIFT | (position & POSITION_MASK) << POSITION_SHIFT |
           (who & WHO_MASK);
}

static inline enum status status_of(uint64_t state)
{
    return (enum status)(state >> STATUS_SHIFT);
}

static inline kin__id who(uint64_t state)
{
    return (kin__id)(state & WHO_MASK);
}

/* How far the state is ahead of a position: 0 the same round, more: that position is done. */
static inline int64_t ahead(uint64_t state, uint64_t position)
{
    uint64_t distance = ((state >> POSITION_SHIFT) - position) & POSITION_MASK;
    return (int64_t)(distance << (64 - 34)) >> (64 - 34);
}

_Static_assert(KIN__ID_BITS <= POSITION_SHIFT, "an identity fits beside the position");
_Static_assert(sizeof(kin__cell) == 64, "a cell is a cache line");

/* What stands at a position. Of another ring's cell we know nothing, so that is GONE. */
enum place { GONE, DONE, OPEN, HELD, HERE, PASSED_ON, END, BEHIND };

static inline kin__cell *cell_at(const kin__ring *ring, uint64_t position)
{
    return &ring->at->cells[position & (ring->count - 1)];
}

static inline enum place look_at(const kin__ring *ring, uint64_t position, uint64_t *ret_state)
{
    uint64_t state = atomic_load(&cell_at(ring, position)->state);
    *ret_state = state;
    enum status status = status_of(state);
    bool named = status == EMPTY || status == READY || status == SEALED;
    int64_t distance = ahead(state, position);
    bool lies_here = ((uint64_t)distance & (ring->count - 1)) == 0;
    if (!lies_here || (named && who(state) != ring->serial)) {
        return GONE;
    }
    if (distance != 0) {
        return distance > 0 ? DONE : BEHIND;
    }
    static const enum place places[8] = { GONE, OPEN, HELD, HERE, PASSED_ON, END, PASSED_ON, GONE };
    return places[status];
}

/* ---- hints: a position with the ring's serial ------------------------------------------------ */

static inline uint64_t make_hint(uint64_t position, uint32_t serial)
{
    return (uint64_t)serial << 34 | (position & POSITION_MASK);
}

static inline uint64_t hint(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed) & POSITION_MASK;
}

static inline int64_t distance(uint64_t to, uint64_t from)
{
    return (int64_t)((to - from) << (64 - 34)) >> (64 - 34);
}

/* A hint moves forward only; and not at all when its word is no longer the ring's. */
static inline void advance(_Atomic uint64_t *word, uint64_t to, uint32_t serial)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    while (seen >> 34 == serial && distance(to, seen) > 0 &&
           !atomic_compare_exchange_weak_explicit(word, &seen, make_hint(to, serial),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* ---- for both files -------------------------------------------------------------------------- */

/* Takes over a claim of somebody who has died: the same claim, now ours. */
bool kin__ring_take_over(const kin__ring *ring, uint64_t state, uint64_t position);

/* Moves head over what is done, and returns where it stands. */
uint64_t kin__ring_find_head(const kin__ring *ring);

#endif
