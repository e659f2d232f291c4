/* pool.c - a pool's beginning and end.
 *
 * Everything that lasts is in the domain, so that a pool can be used from anywhere in the family.
 * The nursery does the work (supervise.c); here its phase is turned, and waited for.
 */
#include "many.h"
#include "seen.h"

#include <string.h>

#define PATIENCE 1000000000 /* ns that a killed worker may take to be gone */

void kin__pool_turn(kin_pool *pool, uint32_t phase)
{
    uint32_t now = atomic_load(&pool->phase);
    while (now < phase && !atomic_compare_exchange_weak(&pool->phase, &now, phase)) {
    }
    kin__gate_open(&pool->changed);
}

/* Waits until a phase is reached. KIN_EBROKEN when the supervisor ended before that. */
int kin__pool_await(kin_pool *pool, uint32_t phase, int64_t deadline)
{
    kin__ref self = kin__block_ref(pool);
    for (;;) {
        uint32_t ticket = kin__gate_ticket(&pool->changed);
        bool gone = !kin__alive(atomic_load(&pool->supervisor));
        bool reached = atomic_load(&pool->phase) >= phase;
        if (reached || !kin__block_is_shared(self)) { /* freed: it had ended */
            return 0;
        }
        if (gone) {
            return kin__fail(KIN_EBROKEN, "the pool is broken: its supervisor was killed");
        }
        int rv = kin__may_wait(deadline) ? kin__gate_sleep(&pool->changed, ticket, deadline, true)
                                         : KIN_ETIMEDOUT;
        if (rv < 0) {
            return rv != KIN_ETIMEDOUT
                       ? rv
                       : kin__fail(rv, "kin_pool_join: the pool has not ended within the timeout");
        }
    }
}

/* When the nursery was killed, the kernel kills the workers; but they may run for a moment more.
 * Threads of ours have ended. */
static void see_workers_end(kin_pool *pool)
{
    int64_t deadline = kin__os_now() + PATIENCE;
    for (unsigned i = 0; i < pool->places; i++) {
        kin__id id = atomic_load(&pool->workers[i].id);
        while (id != kin__self() && kin__alive(id) && kin__os_now() < deadline) {
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
    if (atomic_load(&pool->why) != 0) {
        kin__task_forsake(task, KIN__LOST_UNBEGUN);
    } else if (atomic_load(&pool->phase) == KIN__POOL_OVER) {
        kin__task_forsake(task, KIN__LOST_ENDED);
    } else {
        kin__task_forsake(task, KIN__LOST_BROKEN);
    }
}

void kin__pool_free_parts(kin_pool *pool)
{
    see_workers_end(pool);
    kin__seen_end(pool);
    kin_queue_free(pool->queue); /* first: no task gets in after this */
    kin__block_each(KIN__TASK, forsake, pool);
    kin__pool_discard_options(pool);
    kin__loops_forsake(pool);
    kin__block_free(pool);
}

/* A pool of ours that nobody works in. NULL with the code. */
static kin_pool *make(const kin_pool_options *options, int engine, int *ret_code)
{
    unsigned workers = kin__pool_workers(options);
    unsigned places = workers > KIN__PLACES_LEAST ? workers : KIN__PLACES_LEAST;
    size_t size = sizeof(kin_pool) + places * sizeof(kin__worker);
    size_t seen = kin__seen_size(options, places);
    kin_pool *pool = kin__block_new_zeroed(size + seen, KIN__POOL, 0);
    if (pool == NULL) {
        *ret_code = kin__failure();
        return NULL;
    }
    pool->self = kin__block_ref(pool);
    pool->maker = kin__os_getpid();
    pool->places = places;
    pool->engine = (uint32_t)engine;
    pool->callback_thread = options->callback_thread;
    atomic_store(&pool->wanted, workers);
    kin__seen_begin(pool, (char *)pool + size, options);
    *ret_code = kin__pool_set_options(pool, options);
    *ret_code = *ret_code < 0 ? *ret_code : kin_queue_new(&pool->queue, NULL);
    if (*ret_code < 0) {
        kin__pool_discard_options(pool);
        kin__block_free(pool);
        return NULL;
    }
    kin__block_give(pool);
    kin__pool_give_options(pool);
    return pool;
}

static int start(kin_pool **ret_pool, const kin_pool_options *options)
{
    int rv = ret_pool == NULL
                 ? kin__fail(KIN_EINVAL, "kin_pool_new: the place for the pool is NULL")
                 : kin__pool_check_options(options);
    int engine = rv < 0 ? rv : kin__engine_choose(options);
    if (engine < 0) {
        return engine;
    }
    kin_pool *pool = make(options, engine, &rv);
    if (pool == NULL) {
        return rv;
    }
    rv = kin__engine_of(pool)->start(pool, options);
    if (rv < 0) {
        kin__engine_of(pool)->reap(pool);
        kin__pool_free_parts(pool);
        return rv;
    }
    *ret_pool = pool;
    return 0;
}

int kin_pool_new(kin_pool **ret_pool, const kin_pool_options *options)
{
    const kin_pool_options defaults = { 0 };
    options = options != NULL ? options : &defaults;
    kin__os_shield(); /* else it would be half-made */
    int rv = start(ret_pool, options);
    kin__os_unshield();
    kin__obj_drop(options->initargs);
    kin__obj_drop(options->finalargs);
    return rv;
}

/* ---- the end --------------------------------------------------------------------------------- */

int kin_pool_close(kin_pool *pool)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_close: the pool");
    if (rv < 0) {
        return rv;
    }
    (void)kin_queue_close(pool->queue); /* killed before the turn: the workers end all the same */
    kin__pool_call_all(pool);
    KIN__STEP("pool.closed");
    kin__pool_turn(pool, KIN__POOL_CLOSING);
    return 0;
}

/* Who turned the phase may have been killed before he told the engine. */
void kin__pool_stir(kin_pool *pool)
{
    void (*stirs)(kin_pool *) = kin__engine_of(pool)->stir;
    if (stirs != NULL && atomic_load(&pool->phase) == KIN__POOL_TERMINATING) {
        stirs(pool);
    }
}

int kin_pool_terminate(kin_pool *pool)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_terminate: the pool");
    if (rv < 0) {
        return rv;
    }
    (void)kin_queue_close(pool->queue);
    kin__pool_call_all(pool);
    kin__pool_turn(pool, KIN__POOL_TERMINATING);
    KIN__STEP("pool.terminating");
    kin__pool_stir(pool);
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
    kin__pool_stir(pool);
    kin__ref self = pool->self;
    rv = kin__callbacks_join(self, deadline);
    if (rv < 0 || !kin__block_is_shared(self)) { /* one of them has freed it */
        return rv;
    }
    rv = kin__pool_await(pool, KIN__POOL_OVER, deadline);
    if ((rv == 0 || rv == KIN_EBROKEN) && pool->maker == kin__os_getpid()) {
        kin__engine_of(pool)->reap(pool);
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
    if (rv == 0 && pool->self == kin__worker_pool()) {
        rv = kin__fail(KIN_EDEADLK, "kin_pool_free: a worker cannot free its own pool");
    }
    if (rv < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
        return;
    }
    kin__os_shield();
    (void)kin_pool_terminate(pool);
    kin__ref self = pool->self;
    (void)kin_pool_join(pool, KIN_FOREVER); /* KIN_EBROKEN: as good as over */
    if (kin__block_is_shared(self)) {       /* else a callback has freed it */
        kin__pool_free_parts(pool);
        (void)kin__callbacks_join(self, KIN__NEVER);
    }
    kin__os_unshield();
}
