/* limit.c - how long a task may run: the worker says until when, the supervisor looks.
 *
 * Idea. When a call with a limit begins, its worker writes its end into his place. The supervisor
 * has told in `look_at` when he will look next by himself; only a worker whose end is sooner pokes
 * him. So a thousand short tasks in a row cost one poke, and a pool that is idle does not tick.
 *
 *      worker                         supervisor
 *        ends_at = now + limit          look_at = never
 *        look_at later than that?       all places: overran? the soonest end
 *          then poke                    look_at = the soonest; sleeps until then, or poked
 *
 * Rules.
 *   R1  Both write first and read after, seq_cst (Dekker's way): so the worker sees a look_at that
 *       is too late, and pokes; or else the supervisor sees his ends_at.
 *   R2  The one CAS of ends_at decides: to RETURNED by the worker whose call has, to SEIZED by the
 *       supervisor who finds it past. Whatever the worker runs at that moment, this is its end,
 *       and it is past: nobody is condemned for the task before.
 *   R3  A worker who was seized ends no task any more (task.c R6): he leaves, or is killed.
 *   R4  An end stays in the place after the call has returned, marked so (its last bit): the
 *       supervisor looks then once more, and who calls again before that need not poke.
 *
 * Death. The worker killed: the supervisor wipes his place. The supervisor killed: so are all.
 */
#include "room.h"

#define SEIZED INT64_C(-1)
#define RETURNED INT64_C(1) /* R4 */

/* A worker's parent is his supervisor. */
void kin__limit_begin(kin_pool *pool, kin__worker *me, int64_t limit)
{
    int64_t now = kin__os_now();
    int64_t ends_at = (limit < KIN__NEVER - now ? now + limit : KIN__NEVER) & ~RETURNED;
    atomic_store(&me->ends_at, ends_at); /* R1 */
    KIN__STEP("limit.noted");
    if (ends_at < atomic_load(&pool->look_at)) {
        KIN__STEP("limit.begun");
        kin__nursery_poke(kin__os_getppid());
    }
}

bool kin__limit_end(kin__worker *me)
{
    int64_t ends_at = atomic_load(&me->ends_at);
    return ends_at != SEIZED &&
           atomic_compare_exchange_strong(&me->ends_at, &ends_at, ends_at | RETURNED);
}

static void condemn(const kin__worker *worker)
{
    size_t unused;
    kin__task *task = kin__block_shared(atomic_load(&worker->task), KIN__TASK, &unused);
    if (task != NULL) {
        (void)kin__task_condemn(task, atomic_load(&worker->id), KIN__TASK_OVERRUN);
    }
}

/* When the place is to be looked at again. */
static int64_t look(kin__worker *worker, int64_t now)
{
    int64_t ends_at = atomic_load(&worker->ends_at);
    while (ends_at > 0 && ends_at <= now && !(ends_at & RETURNED)) {
        if (atomic_compare_exchange_strong(&worker->ends_at, &ends_at, SEIZED)) { /* R2 */
            KIN__STEP("limit.seized");
            condemn(worker);
            return KIN__NEVER;
        }
    }
    return ends_at > now ? ends_at : KIN__NEVER;
}

int64_t kin__limit_enforce(kin_pool *pool)
{
    int64_t soonest = KIN__NEVER;
    atomic_store(&pool->look_at, KIN__NEVER); /* R1 */
    for (unsigned i = 0; i < pool->places; i++) {
        int64_t next = look(&pool->workers[i], kin__os_now());
        soonest = next < soonest ? next : soonest;
    }
    KIN__STEP("limit.looked");
    atomic_store(&pool->look_at, soonest);
    return soonest;
}

int kin__limit_of(double seconds, const char *what, int64_t *ret_limit)
{
    if (!(seconds >= 0)) { /* NaN as well */
        return kin__fail(KIN_EINVAL, "%s: a task cannot end before it begins", what);
    }
    const double most = 1e9; /* seconds: as good as no limit */
    *ret_limit = seconds == 0 || seconds >= most ? 0 : (int64_t)(seconds * 1e9);
    if (*ret_limit == 0 && seconds > 0 && seconds < 1) {
        *ret_limit = 1;
    }
    return 0;
}
