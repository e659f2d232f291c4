/* take.c - how idle workers come by tasks, with as few wake-ups as that takes.
 *
 * Idea. To wake a sleeper costs who does it some microseconds, and him fifty. So a worker who finds
 * the queue empty looks busily for a moment, and says so by a bit in `looking`. Whoever queues a
 * task wakes one sleeper; and none, as long as anybody looks.
 *
 *     worker:  take --none--> looking --none, for 10 us--> asleep at the gate `work`
 *                ^               |                              |
 *                +--- task <-----+------------------------------+
 *
 * Rules.
 *   R1  A worker takes his bit out before he acts on what he found. Tasks may have been queued
 *       meanwhile whose submitters relied on him: if there are more, he wakes one sleeper.
 *   R2  Before he sleeps he takes his bit out, and a ticket, and looks once more.
 *   R3  Which task he is about to claim is written in his place before he claims it: so the
 *       supervisor finds it, and one look at the task's state tells whether he had got that far.
 *   R4  He finishes the queue's cell only after the claim. Killed before, the cell is given back
 *       and another takes it; killed after, the task is lost with him, and with nobody else.
 *
 * Death. A worker killed while he looks, or after he was woken: the supervisor takes his bit out,
 * and wakes all. A submitter killed before he woke anybody: his task lies there until the next one
 * comes, or the pool is closed, for nobody waits for it. A worker who is stopped while he looks:
 * who waits for a task wakes another one before he falls asleep.
 */
#include "room.h"

#include <string.h>

typedef struct attempt {
    kin_pool *pool;
    kin__claim *cell;
    enum kin__found found;
} attempt;

static const kin__want ref_wanted = { .kind = KIN__CELL_BYTES, .room = sizeof(kin__ref) };

static bool try_once(attempt *a, bool ask)
{
    a->found = kin__chain_take(a->pool->queue, &ref_wanted, ask, a->cell);
    return a->found == KIN__GOT || a->found == KIN__OVER;
}

static bool try_in_spin(void *ctx)
{
    return try_once(ctx, false);
}

/* ---- who looks ------------------------------------------------------------------------------- */

static bool anybody_looks(const kin_pool *pool)
{
    uint64_t all = 0;
    for (unsigned i = 0; i <= (pool->places - 1) / 64 && i < KIN__LOOKING_WORDS; i++) {
        all |= atomic_load(&pool->looking[i]);
    }
    return all != 0;
}

static void look(kin_pool *pool, unsigned index)
{
    atomic_fetch_or(&pool->looking[index / 64], (uint64_t)1 << index % 64);
}

static void look_away(kin_pool *pool, unsigned index)
{
    atomic_fetch_and(&pool->looking[index / 64], ~((uint64_t)1 << index % 64));
}

void kin__pool_offer(kin_pool *pool)
{
    if ((atomic_load(&pool->work.word) & 1u) && !anybody_looks(pool)) {
        kin__gate_wake_one(&pool->work);
    }
}

void kin__pool_call_all(kin_pool *pool)
{
    kin__gate_open(&pool->work);
}

void kin__pool_worker_gone(kin_pool *pool, unsigned index)
{
    look_away(pool, index);
    kin__gate_wake(&pool->work);
}

static void pass_on(kin_pool *pool)
{
    if ((atomic_load(&pool->work.word) & 1u) && !anybody_looks(pool) &&
        !kin_queue_empty(pool->queue)) {
        kin__gate_wake_one(&pool->work);
    }
}

/* ---- taking ---------------------------------------------------------------------------------- */

static void find(attempt *a, unsigned index)
{
    if (try_once(a, false)) {
        return;
    }
    look(a->pool, index);
    KIN__STEP("take.looking");
    bool found = kin__spin(try_in_spin, a);
    look_away(a->pool, index); /* R1 */
    bool surplus = false;
    while (!found && !surplus) {
        uint32_t ticket = kin__gate_ticket(&a->pool->work);
        found = try_once(a, true); /* R2 */
        surplus = !found && kin__worker_is_surplus(a->pool, index);
        if (!found && !surplus) {
            KIN__STEP("take.asleep");
            kin__note_wait(a->pool);
            (void)kin__gate_doze(&a->pool->work, ticket, KIN__NEVER, a->found == KIN__HELD);
            kin__note_woken(a->pool);
        }
    }
    pass_on(a->pool);
}

kin__task *kin__pool_take(kin_pool *pool, unsigned index, int *ret_code)
{
    kin__claim cell;
    attempt a = { .pool = pool, .cell = &cell };
    find(&a, index);
    *ret_code = a.found == KIN__OVER ? KIN_ECLOSED : 0;
    if (a.found != KIN__GOT) {
        return NULL;
    }
    kin__ref ref;
    memcpy(&ref, cell.cell->bytes, sizeof ref);
    kin__worker *me = &pool->workers[index];
    atomic_store(&me->task, ref); /* R3 */
    KIN__STEP("worker.journaled");
    kin__task *task = kin__task_claim(ref, atomic_load_explicit(&me->pid, memory_order_relaxed));
    kin__queue_finish(pool->queue, &cell); /* R4 */
    return task;
}

/* What waits in the queue will not be run. */
void kin__pool_cancel_queued(kin_pool *pool, enum kin__task_reason reason)
{
    kin__claim cell;
    attempt a = { .pool = pool, .cell = &cell };
    while (try_once(&a, true) && a.found == KIN__GOT) {
        kin__ref ref;
        memcpy(&ref, cell.cell->bytes, sizeof ref);
        kin__task_withdraw(ref, reason);
        kin__queue_finish(pool->queue, &cell);
    }
}
