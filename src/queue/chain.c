/* chain.c - a queue without bound: rings in a chain.
 *
 * Idea. When the last ring is full, a larger one is made and linked behind it; takers seal the old
 * one once they have emptied it, and free it. Both changes take several steps, so each is written
 * into a word of the queue before it begins, and anybody may carry it on from wherever it stands.
 *
 *      queue.first --> ring ---next---> ring ---next---> (none yet)
 *                       |                ^
 *                     sealed       queue.last (a hint)
 *
 *   to link:    1  queue.linking: 0 -> new        (new.after = last; new is still its maker's)
 *               2  new: its maker's -> the family's
 *               3  last.next: none of last -> new; if another is there: new is freed
 *               4  queue.linking: new -> 0
 *   to retire:  1  queue.retiring: 0 -> old       (old is sealed, done, and queue.first)
 *               2  queue.first: old -> old.next;  queue.last likewise if it still points there
 *               3  old: the family's -> free
 *               4  queue.retiring: old -> 0
 *
 * Rules.
 *   R1  Every step is one CAS from a value that names its generation, so that doing it late, or
 *       twice, or after the ring was freed and used again, changes nothing.
 *   R2  "No next" names its ring's serial, for the same reason.
 *   R3  Whoever wants to link or retire, and finds the word taken, carries that on first.
 *
 * Death. Before step 1 the new ring is its maker's, and is swept. After step 1 it is swept too, or
 * somebody carries on; the one who comes next finds out which, by the generation.
 */
#include "room.h"

#define RING_MOST 65536u

kin__ring *kin__ring_at(kin__ref ref)
{
    kin__ring *ring = kin__block_at(ref, KIN__RING, NULL);
    return ring != NULL && ring->self == ref ? ring : NULL;
}

static kin__ref none(const kin__ring *ring)
{
    return (kin__ref)ring->serial << 34;
}

kin__ref kin__ring_next(kin__ring *ring)
{
    kin__ref next = atomic_load(&ring->next);
    return next == none(ring) ? 0 : next;
}

/* Follows the chain from the hint, or from the beginning when the hint is stale. */
kin__ring *kin__chain_last(kin_queue *queue)
{
    kin__ref hint = atomic_load(&queue->last);
    kin__ring *ring = kin__ring_at(hint);
    if (ring == NULL) {
        ring = kin__ring_at(atomic_load(&queue->first));
    }
    while (ring != NULL) {
        kin__ref next = kin__ring_next(ring);
        kin__ring *after = next != 0 ? kin__ring_at(next) : NULL;
        if (after == NULL) {
            break;
        }
        ring = after;
    }
    if (ring != NULL && ring->self != hint) {
        atomic_compare_exchange_strong(&queue->last, &hint, ring->self);
    }
    return ring;
}

/* Step 3. The ring to follow may be gone by now: then all was done before, by somebody else. */
static void link_behind(kin__ref after, kin__ref new)
{
    kin__ring *last = kin__ring_at(after);
    if (last == NULL) {
        return;
    }
    kin__ref next = none(last);
    bool linked = atomic_compare_exchange_strong(&last->next, &next, new) || next == new;
    KIN__STEP("chain.linked");
    if (!linked && kin__ring_at(after) != NULL) { /* what `next` said was said by that ring */
        kin__block_discard(new);
    }
}

static void carry_on_linking(kin_queue *queue)
{
    kin__ref new = atomic_load(&queue->linking);
    if (new == 0) {
        return;
    }
    if (kin__block_share(new)) {
        KIN__STEP("chain.shared");
        kin__ring *ring = kin__ring_at(new);
        if (ring != NULL) {
            link_behind(ring->after, new);
        }
    }
    atomic_compare_exchange_strong(&queue->linking, &new, 0);
}

int kin__chain_grow(kin_queue *queue, kin__ring *last)
{
    if (atomic_load(&queue->linking) == 0) {
        uint32_t count = last->count < RING_MOST ? last->count * 2 : RING_MOST;
        kin__ring *new = kin__ring_new(count, last->self);
        if (new == NULL) {
            return KIN_ENOMEM;
        }
        kin__ref nothing = 0;
        if (!atomic_compare_exchange_strong(&queue->linking, &nothing, new->self)) {
            kin__block_free(new);
        }
        KIN__STEP("chain.linking");
    }
    carry_on_linking(queue); /* ours, or R3 */
    return 0;
}

static void carry_on_retiring(kin_queue *queue)
{
    kin__ref old = atomic_load(&queue->retiring);
    kin__ring *ring = old != 0 ? kin__ring_at(old) : NULL;
    if (ring != NULL) {
        kin__ref next = kin__ring_next(ring);
        kin__ref expected = old;
        atomic_compare_exchange_strong(&queue->last, &expected, next);
        KIN__STEP("chain.passed");
        expected = old;
        if (next != 0) {
            atomic_compare_exchange_strong(&queue->first, &expected, next);
        }
        KIN__STEP("chain.unlinked");
        if (atomic_load(&queue->first) != old) {
            kin__block_discard(old);
        }
    }
    KIN__STEP("chain.retired");
    if (old != 0) {
        atomic_compare_exchange_strong(&queue->retiring, &old, 0);
    }
}

void kin__chain_retire(kin_queue *queue, kin__ring *first)
{
    carry_on_linking(queue);
    kin__ref nothing = 0;
    if (atomic_compare_exchange_strong(&queue->retiring, &nothing, first->self)) {
        KIN__STEP("chain.retiring");
    }
    carry_on_retiring(queue);
}

void kin__chain_settle(kin_queue *queue)
{
    carry_on_linking(queue);
    carry_on_retiring(queue);
}
