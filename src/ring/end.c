/* end.c - a ring as a whole: how much is in it, and its end. It is sealed at its first EMPTY cell
 * when nothing more shall come, and drained before it is freed (ring.c, R6 and R7). */
#include "cell.h"

/* Seals the first EMPTY cell. False when a producer was faster, or there is none. */
bool kin__ring_seal(const kin__ring *ring)
{
    uint64_t position = hint(&ring->at->tail);
    for (uint32_t looked = 0; looked <= ring->count; looked++, position++) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (place == END) {
            return true;
        }
        if (place == BEHIND || place == GONE) {
            return false;
        }
        if (place == OPEN) {
            return atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state,
                                                  make_state(SEALED, position, ring->serial));
        }
    }
    return false;
}

bool kin__ring_is_done(const kin__ring *ring)
{
    uint64_t state;
    return look_at(ring, kin__ring_find_head(ring), &state) == END;
}

/* Whether a taker has died who had made the message his. */
static bool is_lost(const kin__ring *ring, uint64_t position, uint64_t state)
{
    if (kin__alive(who(state))) {
        return false;
    }
    kin__claim claim = { .ring = *ring, .cell = cell_at(ring, position), .position = position };
    claim = kin__ring_taken(&claim, 0);
    return kin__claim_bytes(&claim) == NULL;
}

/* Whether a message can be taken there; also one that was lent to a dead taker. */
static bool is_waiting(const kin__ring *ring, uint64_t position, enum place place, uint64_t state)
{
    bool is_lent = place == PASSED_ON && status_of(state) == LENT;
    return place == HERE || (is_lent && !kin__alive(who(state)) && !is_lost(ring, position, state));
}

uint64_t kin__ring_length(const kin__ring *ring)
{
    uint64_t position = kin__ring_find_head(ring);
    uint64_t length = 0;
    for (uint32_t i = 0; i < ring->count; i++, position++) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (place == OPEN || place == END || place == BEHIND || place == GONE) {
            break;
        }
        length += is_waiting(ring, position, place, state);
    }
    return length;
}

bool kin__ring_weigh(const kin__ring *ring, uint64_t *messages, uint64_t *bytes)
{
    uint64_t position = kin__ring_find_head(ring);
    bool held = false;
    for (uint32_t i = 0; i < ring->count; i++, position++) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (place == OPEN || place == END || place == BEHIND || place == GONE) {
            break;
        }
        held |= place == HELD || place == PASSED_ON;
        if (place == HERE || (place == PASSED_ON && !is_lost(ring, position, state))) {
            *messages += 1;
            *bytes += atomic_load_explicit(&cell_at(ring, position)->size, memory_order_relaxed);
        }
    }
    return held;
}

bool kin__ring_is_idle(const kin__ring *ring, bool *ret_held)
{
    uint64_t state;
    enum place place = look_at(ring, kin__ring_find_head(ring), &state);
    *ret_held = place == HELD || place == PASSED_ON || place == GONE; /* then look again */
    return place == OPEN || place == END;
}

bool kin__ring_has_more(const kin__ring *ring)
{
    uint64_t position = kin__ring_find_head(ring);
    for (uint32_t i = 0; i < ring->count; i++, position++) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (is_waiting(ring, position, place, state)) {
            return true;
        }
        if (place == OPEN || place == END || place == BEHIND || place == GONE) {
            break;
        }
    }
    return false;
}

bool kin__ring_is_full(const kin__ring *ring, uint64_t limit)
{
    uint64_t tail = hint(&ring->at->tail);
    return distance(tail, kin__ring_find_head(ring)) >= (int64_t)limit;
}

/* A message that nobody will take: what it holds apart goes, and what its flat copy holds. */
static void drain(const kin__claim *claim)
{
    const void *bytes = kin__claim_bytes(claim);
    if (claim->kind & KIN__CELL_OBJECT && bytes != NULL) {
        kin__flat_discard(bytes, claim->size);
    }
    (void)kin__block_discard(atomic_load(&claim->cell->apart));
}

/* A message that is there still, or is lent: whoever holds it will find it gone. */
static bool shut_message(const kin__ring *ring, kin__cell *cell, uint64_t state)
{
    uint64_t position = position_of(state);
    uint64_t ours = make_state(TAKEN, position, kin__actor());
    if (!kin__block_is_shared(ring->self) ||
        !atomic_compare_exchange_strong(&cell->state, &state, ours)) {
        return false;
    }
    kin__claim claim = { .ring = *ring, .cell = cell, .position = position };
    claim = kin__ring_taken(&claim, 0);
    drain(&claim);
    atomic_store(&cell->state, make_state(SEALED, position, ring->serial));
    return true;
}

/* Empties the cell for good. False: somebody who lives has his hand in it, or had just now. */
static bool shut(const kin__ring *ring, kin__cell *cell)
{
    uint64_t state = atomic_load(&cell->state);
    uint64_t position = position_of(state);
    uint64_t sealed = make_state(SEALED, position, ring->serial);
    kin__claim claim = { .ring = *ring, .cell = cell, .position = position };
    switch (status_of(state)) {
    case CLAIMED:
        if (!kin__ring_take_over(ring, state, position)) {
            return false;
        }
        kin__block_discard(atomic_load(&cell->apart));
        atomic_store(&cell->state, sealed);
        return true;
    case TAKEN:
        if (!kin__ring_take_over(ring, state, position)) {
            return false;
        }
        claim = kin__ring_taken(&claim, 0);
        drain(&claim);
        atomic_store(&cell->state, sealed);
        return true;
    case LENT:
        return shut_message(ring, cell, state);
    case READY:
        return who(state) != ring->serial || shut_message(ring, cell, state);
    case EMPTY:
        return who(state) != ring->serial ||
               atomic_compare_exchange_strong(&cell->state, &state, sealed);
    default:
        return true;
    }
}

/* Whether all cells are shut: then nobody will touch the ring again (R7). */
bool kin__ring_drain(const kin__ring *ring)
{
    bool all = true;
    for (uint32_t i = 0; i < ring->count && kin__block_is_shared(ring->self); i++) {
        all &= shut(ring, &ring->at->cells[i]);
    }
    if (all) {
        kin__ring_strip(ring);
    }
    return all;
}
