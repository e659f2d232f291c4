/* pool.c - a pool's beginning and end.
 *
 * Everything that lasts is in the domain, so that a pool can be used from anywhere in the family.
 * The nursery does the work (supervise.c); here its phase is turned, and waited for.
 */
#include "room.h"

#include <string.h>

#define PLACES_MOST 1024u
#define PATIENCE 1000000000 /* ns that a killed worker may take to be gone */

static int check_options(const kin_pool_options *options)
{
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_pool_new: a reserved option is not zero");
        }
    }
    if (options->processes > PLACES_MOST) {
        return kin__fail(KIN_EINVAL, "kin_pool_new: %u processes are more than %u",
                         options->processes, PLACES_MOST);
    }
    return 0;
}

/* The nursery has ended, or is about to: its parent reaps it, once. */
static void reap_nursery(kin_pool *pool)
{
    pid_t nursery = pool->maker == kin__os_getpid() ? atomic_exchange(&pool->nursery, 0) : 0;
    if (nursery > 0) {
        kin__nursery_see_end(nursery, pool->nursery_started);
    }
}

/* Whether nobody is there any more who could turn the phase. */
static bool nursery_is_gone(kin_pool *pool)
{
    kin__id supervisor = atomic_load(&pool->supervisor);
    if (supervisor != KIN__NOBODY) {
        return !kin__alive(supervisor);
    }
    return kin__nursery_has_ended(atomic_load(&pool->nursery), pool->nursery_started);
}

/* Waits until a phase is reached. KIN_EBROKEN when the nursery ended before that. */
static int wait_for_phase(kin_pool *pool, uint32_t phase, int64_t deadline)
{
    kin__ref self = kin__block_ref(pool);
    for (;;) {
        uint32_t ticket = kin__gate_ticket(&pool->changed);
        bool gone = nursery_is_gone(pool);
        bool reached = atomic_load(&pool->phase) >= phase;
        if (reached || !kin__block_is_shared(self)) { /* freed: it had ended */
            return 0;
        }
        if (gone) {
            reap_nursery(pool);
            return kin__fail(KIN_EBROKEN, "the pool is broken: its supervisor was killed");
        }
        if (!kin__may_wait(deadline) ||
            kin__gate_sleep(&pool->changed, ticket, deadline, true) == KIN_ETIMEDOUT) {
            return kin__fail(KIN_ETIMEDOUT,
                             "kin_pool_join: the pool has not ended within the timeout");
        }
    }
}

/* When the nursery was killed, the kernel kills the workers; but they may run for a moment more. */
static void see_workers_end(kin_pool *pool)
{
    int64_t deadline = kin__os_now() + PATIENCE;
    for (unsigned i = 0; i < pool->places; i++) {
        while (kin__alive(atomic_load(&pool->workers[i].id)) && kin__os_now() < deadline) {
            kin__os_yield();
        }
    }
}

static void forsake(void *block, void *ctx)
{
    const kin_pool *pool = ctx;
    kin__task *task = block;
    if (!kin__block_is_shared(kin__block_ref(task)) || task->pool != pool->self) {
        return; /* first: what is not the family's may be about to be written */
    }
    if (atomic_load(&pool->phase) == KIN__POOL_OVER) {
        kin__task_forsake(task, KIN_ECANCELLED, "the pool ended before the task did");
    } else {
        kin__task_forsake(task, KIN_EBROKEN, "the pool is broken: its supervisor was killed");
    }
}

void kin__pool_free_parts(kin_pool *pool)
{
    see_workers_end(pool);
    kin_queue_free(pool->queue); /* first: no task gets in after this */
    kin__block_each(KIN__TASK, forsake, pool);
    kin__block_free(pool);
}

static int start(kin_pool *pool)
{
    int rv = kin__nursery_new(&kin__supervise_ops, pool, pool->places, kin__supervise_served,
                              &pool->nursery_started);
    if (rv < 0) {
        return rv;
    }
    atomic_store(&pool->nursery, rv);
    rv = wait_for_phase(pool, KIN__POOL_OPEN, KIN__NEVER);
    if (rv == 0 && atomic_load(&pool->failure) < 0) {
        rv = kin__fail(atomic_load(&pool->failure), "kin_pool_new: no worker could be started");
        reap_nursery(pool);
    }
    return rv;
}

int kin_pool_new(kin_pool **ret_pool, const kin_pool_options *options)
{
    const kin_pool_options defaults = { 0 };
    options = options != NULL ? options : &defaults;
    if (ret_pool == NULL) {
        return kin__fail(KIN_EINVAL, "kin_pool_new: the place for the pool is NULL");
    }
    int rv = check_options(options);
    if (rv < 0) {
        return rv;
    }
    unsigned places = options->processes != 0 ? options->processes : (unsigned)kin_cpu_count();
    size_t size = sizeof(kin_pool) + places * sizeof(kin__worker);
    kin_pool *pool = kin__block_new(size, KIN__POOL);
    if (pool == NULL) {
        return kin__failure();
    }
    memset(pool, 0, size);
    pool->self = kin__block_ref(pool);
    pool->maker = kin__os_getpid();
    pool->places = places;
    rv = kin_queue_new(&pool->queue, NULL);
    if (rv < 0) {
        kin__block_free(pool);
        return rv;
    }
    kin__block_give(pool);
    rv = start(pool);
    if (rv < 0) {
        kin__pool_free_parts(pool);
        return rv;
    }
    *ret_pool = pool;
    return 0;
}

/* ---- the end --------------------------------------------------------------------------------- */

int kin_pool_close(kin_pool *pool)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_close: the pool");
    if (rv < 0) {
        return rv;
    }
    (void)kin_queue_close(pool->queue); /* killed before the turn: the workers end all the same */
    KIN__STEP("pool.closed");
    kin__pool_turn(pool, KIN__POOL_CLOSING);
    return 0;
}

static void poke_nursery(kin_pool *pool)
{
    if (atomic_load(&pool->phase) == KIN__POOL_TERMINATING &&
        kin__alive(atomic_load(&pool->supervisor))) {
        kin__nursery_poke(atomic_load(&pool->nursery));
    }
}

int kin_pool_terminate(kin_pool *pool)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_terminate: the pool");
    if (rv < 0) {
        return rv;
    }
    (void)kin_queue_close(pool->queue);
    kin__pool_turn(pool, KIN__POOL_TERMINATING);
    KIN__STEP("pool.terminating");
    poke_nursery(pool);
    return 0;
}

int kin_pool_join(kin_pool *pool, double timeout)
{
    int64_t deadline;
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_join: the pool");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    if (atomic_load(&pool->phase) < KIN__POOL_CLOSING) {
        return kin__fail(KIN_ESTATE,
                         "kin_pool_join: the pool is open; close or terminate it first");
    }
    if (pool->self == kin__worker_pool()) {
        return kin__fail(KIN_EDEADLK, "kin_pool_join: a worker would wait for its own end");
    }
    poke_nursery(pool); /* who terminated the pool may have been killed before he did it */
    rv = wait_for_phase(pool, KIN__POOL_OVER, deadline);
    if (rv == 0) {
        reap_nursery(pool);
    }
    return rv;
}

void kin_pool_free(kin_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_free: the pool");
    if (rv == 0 && pool->maker != kin__os_getpid()) {
        rv = kin__fail(KIN_ESTATE, "kin_pool_free: only the pool's maker may free it");
    }
    if (rv < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
        return;
    }
    (void)kin_pool_terminate(pool);
    (void)kin_pool_join(pool, KIN_FOREVER); /* KIN_EBROKEN: as good as over */
    kin__pool_free_parts(pool);
}
