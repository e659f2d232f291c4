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
 *   to link:    1  queue.linking: last is last -> new     (new.after = last; it is its maker's)
 *               2  new: its maker's -> the family's
 *               3  last.next: none of last -> new
 *               4  queue.linking: new -> new is last
 *   to retire:  1  queue.retiring: 0 -> old       (old is sealed, done, and queue.first: so nobody
 *                                                  is left who could find it but by queue.last)
 *               2  queue.first: old -> old.next;  queue.last likewise if it still points there
 *               3  old: the family's -> free
 *               4  queue.retiring: old -> 0
 *
 * Rules.
 *   R1  Every step is one CAS from a value that names its generation, so that doing it late, or
 *       twice, or after the ring was freed and used again, changes nothing.
 *   R2  "No next" names its ring's serial, for the same reason. "So-and-so is last" is his ref with
 *       the lowest bit set (rings lie at multiples of 64): a ring is offered only as successor of
 *       the one that is last, so what is offered will be linked, or its maker died before step 2.
 *   R3  Whoever wants to link or retire, and finds the word taken, carries that on first.
 *   R4  A ring that has a next one, and no EMPTY cell to be sealed, since all its cells are held,
 *       is shut by takers before they pass on.
 *
 * Death. Before step 1 the new ring is its maker's, and is swept. After step 1 it is swept too, or
 * somebody carries on; the one who comes next finds out which, by the generation.
 */
#include "room.h"

#define TURNS 1000 /* of one try; more of them, and something is wrong: the next try may tell */

#define RING_MOST 65536u
#define RINGS_MOST 100000u /* in a chain; were there more, a stray write would have made a circle */
#define IS_LAST(ref) ((ref) | 1u)

kin__ref kin__chain_begin(const kin__ring *ring)
{
    return IS_LAST(ring->self);
}

/* Follows the chain from the hint, or from the beginning when the hint is stale. */
static kin__ring find_last(kin_queue *queue)
{
    kin__ref hint = atomic_load(&queue->last);
    kin__ring ring = kin__ring_at(hint);
    if (ring.at == NULL) {
        ring = kin__ring_at(atomic_load(&queue->first));
    }
    kin__ring next = ring;
    for (unsigned i = 0; i < RINGS_MOST && next.at != NULL; i++) {
        ring = next;
        next = kin__ring_at(kin__ring_next(&ring));
    }
    if (ring.at != NULL && ring.self != hint) {
        atomic_compare_exchange_strong(&queue->last, &hint, ring.self);
    }
    return ring;
}

static void carry_on_linking(kin_queue *queue)
{
    kin__ref new = atomic_load(&queue->linking);
    if (new & 1u) {
        return;
    }
    kin__ring ring = { 0 };
    if (kin__block_share(new)) {
        ring = kin__ring_at(new);
    }
    kin__ring last = ring.at != NULL ? kin__ring_at(ring.after) : find_last(queue);
    KIN__STEP("chain.shared");
    if (ring.at != NULL && last.at != NULL) {
        (void)kin__ring_link(&last, new);
        last = ring;
    }
    KIN__STEP("chain.linked");
    if (last.at != NULL) {
        atomic_compare_exchange_strong(&queue->linking, &new, IS_LAST(last.self));
    }
}

static int grow(kin_queue *queue, const kin__ring *last)
{
    kin__ref expected = IS_LAST(last->self);
    if (atomic_load(&queue->linking) == expected) {
        kin__ring new;
        uint32_t count = last->count < RING_MOST ? last->count * 2 : RING_MOST;
        int rv = kin__ring_new(count, last->self, &new);
        if (rv < 0) {
            return rv;
        }
        if (!atomic_compare_exchange_strong(&queue->linking, &expected, new.self)) {
            kin__block_free(new.at);
        }
        KIN__STEP("chain.linking");
    }
    carry_on_linking(queue); /* ours, or R3 */
    return 0;
}

static void carry_on_retiring(kin_queue *queue)
{
    kin__ref old = atomic_load(&queue->retiring);
    kin__ring ring = kin__ring_at(old);
    kin__ref next = ring.at != NULL ? kin__ring_next(&ring) : 0;
    if (next != 0) {
        kin__ref expected = old;
        atomic_compare_exchange_strong(&queue->last, &expected, next);
        KIN__STEP("chain.passed");
        expected = old;
        atomic_compare_exchange_strong(&queue->first, &expected, next);
        KIN__STEP("chain.unlinked");
        if (atomic_load(&queue->first) != old) {
            kin__ring_strip(&ring);
            KIN__STEP("chain.stripped");
            kin__block_discard(old);
        }
    }
    KIN__STEP("chain.retired");
    if (old != 0) {
        atomic_compare_exchange_strong(&queue->retiring, &old, 0);
    }
}

static void retire(kin_queue *queue, const kin__ring *first)
{
    carry_on_linking(queue);
    kin__ref nothing = 0;
    if (atomic_load(&queue->first) == first->self && /* a later one waits until the first is done */
        atomic_compare_exchange_strong(&queue->retiring, &nothing, first->self)) {
        KIN__STEP("chain.retiring");
    }
    carry_on_retiring(queue);
}

void kin__chain_drop(kin_queue *queue, const kin__ring *first)
{
    kin__ref nothing = 0;
    atomic_compare_exchange_strong(&queue->retiring, &nothing, first->self);
    carry_on_retiring(queue);
}

void kin__chain_settle(kin_queue *queue)
{
    carry_on_linking(queue);
    carry_on_retiring(queue);
}

/* ---- a claim --------------------------------------------------------------------------------- */

/* The same as below, as it is nearly always: there is room in the last ring. */
static bool claim_at_once(kin_queue *queue, kin__claim *ret)
{
    const kin__ring *last = kin__ring_known(atomic_load(&queue->last));
    return last != NULL && kin__ring_is_last(last) &&
           !atomic_load_explicit(&queue->closed, memory_order_relaxed) &&
           kin__ring_claim(last, queue->cells, ret) == KIN__GOT;
}

enum kin__found kin__chain_claim(kin_queue *queue, kin__claim *ret)
{
    if (claim_at_once(queue, ret)) {
        return KIN__GOT;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        kin__ring last = find_last(queue);
        if (atomic_load_explicit(&queue->closed, memory_order_relaxed)) {
            return KIN__OVER;
        }
        if (last.at == NULL) {
            return KIN__HELD; /* the chain moved on while we looked */
        }
        enum kin__found found = kin__ring_claim(&last, queue->cells, ret);
        if (found == KIN__GOT || (found != KIN__OVER && queue->cells != 0)) {
            return found;
        }
        if (found != KIN__OVER && grow(queue, &last) < 0) {
            return KIN__NO_MEMORY;
        }
    }
    return KIN__HELD;
}

static bool take_at_once(kin_queue *queue, const kin__want *want, kin__claim *ret)
{
    const kin__ring *first = kin__ring_known(atomic_load(&queue->first));
    return first != NULL && kin__ring_take(first, want, false, ret) == KIN__GOT;
}

enum kin__found kin__chain_take(kin_queue *queue, const kin__want *want, bool ask, kin__claim *ret)
{
    if (!ask && take_at_once(queue, want, ret)) {
        return KIN__GOT;
    }
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    kin__id holder = KIN__NOBODY;
    kin__ref shut = 0;
    for (unsigned turn = 0; turn < TURNS && ring.at != NULL; turn++) {
        enum kin__found found = kin__ring_take(&ring, want, ask, ret);
        holder = ret->holder != KIN__NOBODY ? ret->holder : holder;
        kin__ref next = kin__ring_next(&ring);
        if (found == KIN__NONE && (next != 0 || atomic_load(&queue->closed))) {
            (void)kin__ring_seal(&ring); /* or a producer was faster: either way, look again */
        } else if (found == KIN__FULL && next != 0) {
            bool looked_again = shut == ring.self; /* what was put before we shut it comes first */
            shut = kin__ring_shut(&ring, ret->position) ? ring.self : 0;
            ring = looked_again && shut != 0 ? kin__ring_at(next) : ring;
        } else if (found == KIN__OVER && next != 0) {
            if (kin__ring_is_done(&ring)) {
                retire(queue, &ring);
            }
            ring = kin__ring_at(next);
        } else if (found == KIN__OVER) {
            bool last = kin__ring_is_done(&ring) && kin__block_is_shared(ring.self);
            return last ? KIN__OVER : KIN__HELD; /* of a ring that is gone we know nothing */
        } else {
            ret->holder = holder;
            bool held = found == KIN__FULL || (found == KIN__NONE && holder != KIN__NOBODY);
            return held ? KIN__HELD : found;
        }
    }
    return KIN__HELD; /* the chain moved on while we looked */
}

bool kin__chain_each(kin_queue *queue, bool (*each)(const kin__ring *ring, void *ctx), void *ctx)
{
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    for (unsigned i = 0; i < RINGS_MOST && ring.at != NULL; i++) {
        bool is_last = kin__ring_is_last(&ring);
        if (!each(&ring, ctx) || (is_last && kin__block_is_shared(ring.self))) {
            return true;
        }
        ring = kin__ring_at(kin__ring_next(&ring));
    }
    return false;
}
