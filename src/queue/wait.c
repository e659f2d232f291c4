/* wait.c - a queue's two ends, asleep if need be: the chain of rings with a gate and a turnstile at
 * either side.
 *
 * Idea. A call tries; then it spins for some microseconds; then it announces that it will sleep,
 * tries once more, and sleeps. What it found decides how: empty or full, it sleeps until it is
 * woken; when a cell in its way is held, it naps, and asks after the holder (sync/room.h: the
 * discipline).
 *
 * Rules.
 *   R1  A put opens not_empty after its claim, and again after it has published.
 *   R2  A take from a bounded queue does the same with not_full.
 *   R3  The last cell of a closed queue that is finished opens not_empty: who sleeps there may go.
 *   R4  kin_wait's look is a take that accepts no message: so it finds what a get would, does what
 *       a get does for the dead, and claims nothing.
 *   R5  A take from a queue that can be joined opens all_done: who joins must see that somebody
 *       holds a message now (done.c).
 *   R6  Who waits for room spins until there is some more of it than he needs: to take each cell
 *       the moment that it is free costs both sides its cache line at every message.
 *   R7  Both ends have a turnstile, too, where a put or a take wakes one (sync/turnstile.c). Who is
 *       woken leaves it when he is done with his message, and sees then whether there is more for
 *       another, or some that others hold. At the gates sleep all the rest: kin_wait, takers where
 *       messages are lent for long (.ack), producers where room is not just cells, and who cannot
 *       be insured.
 *   R8  Who finds the queue closed tells all who sleep: who closed it may have died before that.
 *
 * Not here. The cells (ring/), the chain (chain.c).
 */
#include "../conn/waitable.h"
#include "room.h"

#include <limits.h>

/* ---- sleeping -------------------------------------------------------------------------------- */

static const kin__want nothing = { .kind = 0 }; /* R4 */

typedef struct attempt {
    kin_queue *queue;
    kin__ref self;         /* which queue we came for: another may lie there when we wake */
    const kin__want *want; /* NULL: a put */
    size_t size;           /* of what shall be put */
    kin__claim *ret;
    enum kin__found found;
} attempt;

static bool has_waiting_producers(const kin_queue *queue)
{
    return queue->maxsize != 0 || queue->metered || queue->wait_for_memory;
}

/* Room is a number of cells, and comes when one is finished. */
static bool is_plainly_bounded(const kin_queue *queue)
{
    return queue->maxsize != 0 && !queue->metered && !queue->wait_for_memory;
}

static bool try_once(attempt *a, bool ask)
{
    if (a->want != NULL) {
        a->found = kin__chain_take(a->queue, a->want, ask, a->ret);
    } else if (a->queue->metered) {
        a->found = kin__meter_claim(a->queue, a->size, ask, a->ret);
    } else {
        a->found = kin__chain_claim(a->queue, a->ret);
    }
    if (a->found == KIN__NO_MEMORY && a->queue->wait_for_memory) {
        a->found = KIN__HELD;
    }
    return a->found != KIN__NONE && a->found != KIN__HELD;
}

static bool try_in_spin(void *ctx)
{
    return try_once(ctx, false);
}

static bool try_when_roomy(void *ctx)
{
    attempt *a = ctx;
    const kin__ring *last = kin__ring_known(atomic_load(&a->queue->last));
    bool waits = last != NULL && kin__ring_is_last(last) && a->queue->cells != 0 &&
                 !kin__ring_is_roomy(last, a->queue->cells);
    return !waits && try_once(a, false);
}

static bool spin(attempt *a)
{
    return a->want != NULL ? kin__spin_to_take(a->queue, try_in_spin, a)
                           : kin__spin(try_when_roomy, a);
}

static int refused(const attempt *a)
{
    if (!(a->ret->kind & a->want->kind)) {
        return kin__fail(KIN_ETYPE,
                         "kin_queue_get_bytes: the next message is an object, not bytes");
    }
    if (a->ret->size < a->want->least) {
        return kin__fail(KIN_ERANGE,
                         "kin_queue_get_array: the next message has %u bytes, an item has %zu",
                         a->ret->size, a->want->least);
    }
    return kin__fail(KIN_EBUFTOOSHORT,
                     "kin_queue_get_bytes: the next message has %u bytes, the buffer has %zu",
                     a->ret->size, a->want->room);
}

static int outcome(const attempt *a)
{
    const char *verb = a->want != NULL ? "kin_queue_get" : "kin_queue_put";
    switch (a->found) {
    case KIN__GOT:
        return 0;
    case KIN__OVER:
        return kin__fail(KIN_ECLOSED, "%s: the queue is closed", verb);
    case KIN__NO_MEMORY:
        return kin__failure();
    default:
        return refused(a);
    }
}

static int give_up(const attempt *a, int64_t deadline)
{
    const char *verb = a->want != NULL ? "kin_queue_get" : "kin_queue_put";
    const char *state = a->want != NULL ? "empty" : "full";
    if (kin__may_wait(deadline)) {
        return kin__fail(KIN_ETIMEDOUT, "%s: the queue stayed %s for as long as the timeout", verb,
                         state);
    }
    return kin__fail(a->want != NULL ? KIN_EEMPTY : KIN_EFULL, "%s: the queue is %s", verb, state);
}

/* The queue is not the one that we came for. What we claimed, we claimed in another. */
static int fail_freed(const attempt *a)
{
    if (a->found == KIN__GOT && a->want != NULL) {
        kin__queue_return(a->queue, a->ret);
    } else if (a->found == KIN__GOT) {
        kin__ring_forgo(a->ret);
        if (a->queue->metered) {
            kin__meter_end(a->queue);
        }
    }
    return kin__fail(KIN_ECLOSED, "%s: the queue was freed meanwhile",
                     a->want != NULL ? "kin_queue_get" : "kin_queue_put");
}

static bool is_freed(const attempt *a, bool found)
{
    return (!found && atomic_load(&a->queue->closed) == KIN__QUEUE_FREED) ||
           kin__block_ref(a->queue) != a->self;
}

static int sleep_and_try(attempt *a, kin__gate *gate, int64_t deadline)
{
    for (bool late = !kin__may_wait(deadline);;) {
        uint32_t ticket = kin__gate_ticket(gate);
        bool found = try_once(a, true);
        if (is_freed(a, found)) {
            return fail_freed(a);
        }
        if (found || late) {
            return found ? outcome(a) : give_up(a, deadline);
        }
        kin__note_wait(a->queue);
        int rv = kin__gate_sleep(gate, ticket, deadline, a->found == KIN__HELD);
        kin__note_woken(a->queue);
        if (rv < 0 && rv != KIN_ETIMEDOUT) {
            return rv;
        }
        late = rv == KIN_ETIMEDOUT;
    }
}

/* Where who tries this sleeps; NULL: at the gate. R7. */
static kin__turnstile *turnstile_of(const attempt *a)
{
    kin_queue *queue = a->queue;
    if (a->want != NULL) {
        return queue->ack ? NULL : &queue->takers;
    }
    return is_plainly_bounded(queue) ? &queue->givers : NULL;
}

static int sleep_in_turn(attempt *a, kin__turnstile *turnstile, kin__gate *gate, int64_t deadline)
{
    bool late = false;
    bool ask = false;
    int rv = 0;
    while (rv == 0) {
        if (kin__block_ref(a->queue) != a->self) { /* its word is another's now */
            kin__os_cash_in();
            return fail_freed(a);
        }
        uint32_t seen = kin__turnstile_watch(turnstile);
        bool found = try_once(a, ask || late);
        if (is_freed(a, found)) {
            rv = fail_freed(a);
        } else if (found || late) {
            rv = found ? outcome(a) : give_up(a, deadline);
            break;
        } else if (seen == 0) {
            return sleep_and_try(a, gate, deadline);
        } else {
            kin__note_wait(a->queue);
            rv = kin__turnstile_sleep(turnstile, seen, deadline, a->found == KIN__HELD);
            kin__note_woken(a->queue);
            late = rv == KIN_ETIMEDOUT;
            rv = late ? 0 : rv;
            ask = a->found == KIN__HELD;
        }
    }
    if (rv < 0 && kin__turnstile_is_watched(turnstile)) {
        kin__turnstile_leave(turnstile, a->found == KIN__NONE);
    }
    return rv;
}

static int obtain(attempt *a, kin__gate *gate, int64_t deadline)
{
    int rv =
        kin__self() == KIN__NOBODY ? kin__join() : 0; /* nobody's claim would be a dead one's */
    if (rv < 0) {
        return rv;
    }
    if (try_once(a, false)) {
        return outcome(a);
    }
    a->self = kin__block_ref(a->queue);
    bool asks = a->queue->metered || a->queue->ack; /* the dead may be behind those who live */
    if (a->found == KIN__NONE && !kin__may_wait(deadline) && !asks) {
        return give_up(a, deadline);
    }
    if (kin__may_wait(deadline) && spin(a)) {
        return outcome(a);
    }
    kin__turnstile *turnstile = kin__may_wait(deadline) ? turnstile_of(a) : NULL;
    if (turnstile == NULL) {
        return sleep_and_try(a, gate, deadline);
    }
    if (!try_once(a, true)) { /* asks after the dead, as long as that is cheap */
        return sleep_in_turn(a, turnstile, gate, deadline);
    }
    return is_freed(a, true) ? fail_freed(a) : outcome(a);
}

/* What is there still for others, when we have taken what we slept for? */
static void leave_takers(kin_queue *queue)
{
    kin__claim unused;
    enum kin__found left = kin__chain_take(queue, &nothing, false, &unused);
    kin__turnstile_leave(&queue->takers, left == KIN__NONE);
}

/* Is there still room, or may somebody's death make some? */
static void leave_givers(kin_queue *queue)
{
    kin__ring ring = kin__ring_at(atomic_load(&queue->first));
    bool held = true;
    bool full = ring.at != NULL && kin__ring_is_full(&ring, queue->cells) &&
                !kin__ring_is_idle(&ring, &held);
    kin__turnstile_leave(&queue->givers, full && !held);
}

/* ---- the two ends ---------------------------------------------------------------------------- */

int kin__queue_claim(kin_queue *queue, size_t size, int64_t deadline, kin__claim *ret)
{
    attempt a = { .queue = queue, .size = size, .ret = ret };
    int rv = obtain(&a, &queue->not_full, deadline);
    kin__taken_from = NULL;
    if (rv == 0) {
        kin__gate_open(&queue->not_empty); /* R1 */
        kin__turnstile_hold(&queue->takers);
    } else if (rv == KIN_ECLOSED) {
        kin__queue_tell_closed(queue); /* R8 */
    }
    return rv;
}

void kin__queue_publish(kin_queue *queue, const kin__claim *first, uint32_t n)
{
    if (n > 0) {
        kin__ring_publish_run(first, n);
    }
    if (queue->metered) {
        kin__meter_end(queue);
    }
    kin__gate_open(&queue->not_empty);
    kin__turnstile_release(&queue->takers);
    if (kin__turnstile_is_watched(&queue->givers)) {
        leave_givers(queue);
    }
}

int kin__queue_take(kin_queue *queue, const kin__want *want, int64_t deadline, kin__claim *ret)
{
    attempt a = { .queue = queue, .want = want, .ret = ret };
    int rv = obtain(&a, &queue->not_empty, deadline);
    kin__taken_from = queue;
    if (rv == 0 && has_waiting_producers(queue)) {
        kin__gate_open(&queue->not_full); /* R2 */
        kin__turnstile_hold(&queue->givers);
    }
    if (rv == 0 && queue->joinable) {
        kin__gate_open(&queue->all_done); /* R5 */
    }
    if (rv == KIN_ECLOSED) {
        kin__queue_tell_closed(queue); /* R8 */
    }
    return rv;
}

void kin__queue_finished(kin_queue *queue)
{
    if (has_waiting_producers(queue)) {
        kin__gate_open(&queue->not_full);
        kin__turnstile_release(&queue->givers);
    }
    if (atomic_load_explicit(&queue->closed, memory_order_relaxed)) {
        kin__gate_open(&queue->not_empty); /* R3 */
        kin__turnstile_open(&queue->takers, INT_MAX);
    }
    if (queue->ack) {
        kin__gate_open(&queue->all_done);
    }
    if (kin__turnstile_is_watched(&queue->takers)) {
        leave_takers(queue);
    }
}

void kin__queue_tell_closed(kin_queue *queue)
{
    kin__gate_open(&queue->not_empty);
    kin__turnstile_open(&queue->takers, INT_MAX);
    kin__gate_open(&queue->not_full);
    kin__turnstile_open(&queue->givers, INT_MAX);
    kin__gate_open(&queue->all_done);
}

void kin__queue_finish(kin_queue *queue, const kin__claim *claim)
{
    if (queue->metered) {
        kin__meter_finish(queue, claim, 1, kin__meter_cost(claim->size));
    } else {
        kin__ring_finish(claim);
    }
    kin__queue_finished(queue);
}

void kin__queue_return(kin_queue *queue, const kin__claim *claim)
{
    kin__ring_return(claim);
    kin__gate_open(&queue->not_empty);
    kin__turnstile_open(&queue->takers, 1);
    kin__turnstile_release(&queue->givers);
    if (kin__turnstile_is_watched(&queue->takers)) {
        leave_takers(queue);
    }
}

int kin__queue_await_memory(kin_queue *queue, int64_t deadline, int code)
{
    if (!queue->wait_for_memory || code != KIN_ENOMEM) {
        return code;
    }
    uint32_t ticket = kin__gate_ticket(&queue->not_full);
    if (atomic_load(&queue->closed)) {
        return kin__fail(KIN_ECLOSED, "kin_queue_put: the queue is closed");
    }
    if (!kin__may_wait(deadline)) {
        return kin__fail(KIN_EFULL, "kin_queue_put: the family's memory is full");
    }
    kin__note_wait(queue);
    int rv = kin__gate_sleep(&queue->not_full, ticket, deadline, true);
    kin__note_woken(queue);
    return rv == KIN_ETIMEDOUT
               ? kin__fail(rv, "kin_queue_put: memory stayed full for as long as the timeout")
               : rv;
}

/* ---- for kin_wait ---------------------------------------------------------------------------- */

static int look_at_queue(kin_waitable *thing, bool first, bool *ret_held)
{
    kin_queue *queue = thing->thing;
    kin__claim unused;
    int rv = first ? kin__block_check(queue, KIN__QUEUE, "the queue") : 0;
    if (rv < 0) {
        return rv;
    }
    enum kin__found found = kin__chain_take(queue, &nothing, true, &unused);
    if (kin__block_ref(queue) != thing->note) {
        return first ? kin__fail(KIN_EFREED, "the queue was freed")
                     : kin__fail(KIN_ECLOSED, "the queue was freed meanwhile");
    }
    *ret_held = found == KIN__HELD;
    return found == KIN__SHORT || found == KIN__OVER;
}

static kin__gate *gate_of_queue(const kin_waitable *thing)
{
    return &((kin_queue *)thing->thing)->not_empty;
}

kin_waitable kin_queue_waitable(kin_queue *queue)
{
    static const kin__waitable_ops ops = { .name = "the queue",
                                           .look = look_at_queue,
                                           .gate = gate_of_queue };
    return (kin_waitable){ .fd = -1, .thing = queue, .note = kin__block_ref(queue), .ops = &ops };
}
