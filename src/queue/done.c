/* done.c - who has done what with the messages that he got: ack, task_done, join.
 *
 * Idea. A message of a queue with .ack stays in its cell, lent to the process that got it; whoever
 * finds that one dead makes it ready again (ring.c). All that a process keeps of it is a note in
 * private memory, of each thread its own: which cells it has to give back. In a queue that is only
 * joinable there is a count of the messages that were handed out and not done with.
 *
 * Rules.
 *   R1  What is handed out is counted before its cell is empty: so who sees all cells empty, and
 *       then a count of zero, knows that all is done.
 *   R2  Who joins naps while somebody holds a message, or the count is not zero: for he may die.
 *       Else he sleeps until a take wakes him, and sees that (sync/room.h: the discipline).
 *   R3  A note counts for the process that made it: a forked child has its parent's, and forgets
 *       them.
 *
 * Death. With .ack nothing is lost: the cell says whose the message was. Without, the count stays
 * too high for good; who joins can only set himself a deadline. */
#include "room.h"

#include <string.h>

typedef struct note {
    kin__ref queue;
    kin__claim claim;
} note;

#define FEW 8u

/* A thread's: those from `begin` on. Few of them lie in `few`, more of them on the heap. */
typedef struct hand {
    note few[FEW];
    note *many; /* NULL: there are few */
    size_t begin, end, room;
    kin__id who;
} hand;

_Static_assert(sizeof(hand) <= sizeof(kin__hand), "a hand fits");

static _Thread_local hand mine;

/* ---- notes ----------------------------------------------------------------------------------- */

static note *notes(void)
{
    return mine.many != NULL ? mine.many : mine.few;
}

static void forget_all(void)
{
    (void)kin__os_keep_for_thread(NULL);
    kin__os_free(mine.many);
    mine.many = NULL;
    mine.begin = mine.end = 0;
    mine.room = FEW;
}

/* Those that still count, at the front; none of queues that were freed. */
static void tidy(void)
{
    size_t kept = 0;
    for (size_t i = mine.begin; i < mine.end; i++) {
        if (kin__block_is_shared(notes()[i].queue)) {
            notes()[kept++] = notes()[i];
        }
    }
    mine.begin = 0;
    mine.end = kept;
}

static bool grow(size_t n)
{
    size_t room = 2 * (mine.end + n);
    note *more = kin__os_malloc(room * sizeof *more);
    if (more == NULL || kin__os_keep_for_thread(more) < 0) {
        kin__os_free(more);
        return false;
    }
    memcpy(more, notes(), mine.end * sizeof *more);
    kin__os_free(mine.many);
    mine.many = more;
    mine.room = room;
    return true;
}

int kin__hand_reserve(size_t n)
{
    kin__id self = kin__actor();
    if (mine.who != self) { /* R3 */
        forget_all();
        mine.who = self;
    }
    if (mine.end + n > mine.room) {
        tidy();
    }
    if (mine.end + n > mine.room && !grow(n)) {
        return kin__fail(KIN_ENOMEM, "kin_queue_get: no memory to note what is to be acknowledged");
    }
    return 0;
}

/* Most queues are not acknowledged, and most hands empty. */
static bool is_empty(const hand *h)
{
    return h->begin == h->end && h->many == NULL;
}

void kin__hand_swap(kin__hand *other)
{
    hand *theirs = (hand *)(void *)other;
    if (is_empty(&mine) && is_empty(theirs)) {
        return;
    }
    hand kept = mine;
    mine = *theirs;
    *theirs = kept;
    (void)kin__os_keep_for_thread(mine.many);
}

void kin__hand_forget(kin__hand *other)
{
    hand *theirs = (hand *)(void *)other;
    kin__os_free(theirs->many);
    *theirs = (hand){ 0 };
}

void kin__hand_add(kin_queue *queue, const kin__claim *claim)
{
    notes()[mine.end++] = (note){ .queue = kin__block_ref(queue), .claim = *claim };
}

/* Takes out the oldest of a queue. */
static bool take_note(kin__ref queue, kin__claim *ret_claim)
{
    note *first = notes() + mine.begin;
    size_t n = mine.who == kin__actor() ? mine.end - mine.begin : 0; /* R3 */
    for (size_t i = 0; i < n; i++) {
        if (first[i].queue == queue) {
            *ret_claim = first[i].claim;
            memmove(first + 1, first, i * sizeof *first);
            mine.begin++;
            if (mine.begin == mine.end) {
                forget_all();
            }
            return true;
        }
    }
    return false;
}

/* ---- done ------------------------------------------------------------------------------------ */

void *kin__queue_take_out(kin_queue *queue, const kin__claim *claim)
{
    void *block = kin__claim_own(claim);
    kin__queue_finish(queue, claim);
    return block;
}

void kin__queue_consume(kin_queue *queue, const kin__claim *claim)
{
    void *block = kin__queue_take_out(queue, claim);
    if (block != NULL) {
        kin__block_free(block);
    }
}

static int acknowledge(kin_queue *queue, const char *verb)
{
    kin__claim claim;
    if (!take_note(kin__block_ref(queue), &claim)) {
        return kin__fail(KIN_ESTATE,
                         "%s: this thread has got no message from the queue that it "
                         "has not acknowledged",
                         verb);
    }
    kin__queue_consume(queue, &claim);
    return 0;
}

int kin_queue_ack(kin_queue *queue)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_ack: the queue");
    if (rv == 0 && !queue->ack) {
        rv = kin__fail(KIN_ESTATE, "kin_queue_ack: the queue was made without .ack");
    }
    return rv < 0 ? rv : acknowledge(queue, "kin_queue_ack");
}

static int count_down(kin_queue *queue)
{
    uint64_t handed = atomic_load(&queue->handed);
    do {
        if (handed == 0) {
            return kin__fail(KIN_ESTATE, "kin_queue_task_done: more often than messages were got");
        }
    } while (!atomic_compare_exchange_weak(&queue->handed, &handed, handed - 1));
    KIN__STEP("queue.done");
    if (handed == 1) {
        kin__gate_open(&queue->all_done);
    }
    return 0;
}

int kin_queue_task_done(kin_queue *queue)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_task_done: the queue");
    if (rv < 0) {
        return kin__remote_tell(queue, KIN__QUEUE, "task_done", rv);
    }
    if (!queue->joinable) {
        return kin__fail(KIN_ESTATE, "kin_queue_task_done: the queue was made without .joinable");
    }
    return queue->ack ? acknowledge(queue, "kin_queue_task_done") : count_down(queue);
}

/* ---- join ------------------------------------------------------------------------------------ */

typedef struct rest {
    bool idle, held;
} rest;

static bool look_at_ring(const kin__ring *ring, void *ctx)
{
    rest *r = ctx;
    r->idle = kin__ring_is_idle(ring, &r->held);
    return r->idle;
}

static rest look(kin_queue *queue)
{
    static const kin__want nothing = { .kind = 0 };
    rest r = { .idle = true };
    kin__claim unused;
    if (!kin__chain_each(queue, look_at_ring, &r)) {
        return (rest){ .held = true }; /* look again */
    }
    if (r.held) { /* it may be a dead one's: this settles it */
        (void)kin__chain_take(queue, &nothing, true, &unused);
    }
    if (r.idle && atomic_load(&queue->handed) != 0) { /* R1: in this order */
        r = (rest){ .held = true };
    }
    return r;
}

int kin_queue_join(kin_queue *queue, double timeout)
{
    int64_t deadline;
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_join: the queue");
    if (rv < 0 && kin__is_remote(queue, KIN__QUEUE)) { /* where it takes no timeout: ours ends it */
        return atomic_load(&kin__remote_call)(queue, "join", kin_tuple(), timeout, NULL);
    }
    if (rv < 0) {
        return rv;
    }
    rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && !queue->joinable) {
        rv = kin__fail(KIN_ESTATE, "kin_queue_join: the queue was made without .joinable");
    }
    kin__ref self = rv == 0 ? kin__block_ref(queue) : 0;
    while (rv == 0) {
        uint32_t ticket = kin__gate_ticket(&queue->all_done);
        rest r = look(queue);
        if (kin__block_ref(queue) != self || atomic_load(&queue->closed) == KIN__QUEUE_FREED) {
            return kin__fail(KIN_ECLOSED, "kin_queue_join: the queue was freed meanwhile");
        }
        if (r.idle) {
            return 0;
        }
        rv = !kin__may_wait(deadline) ? KIN_ETIMEDOUT
                                      : kin__gate_sleep(&queue->all_done, ticket, deadline, r.held);
    }
    return rv == KIN_ETIMEDOUT ? kin__fail(rv, "kin_queue_join: not all was done") : rv;
}
