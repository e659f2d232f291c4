/* pool.c - a pool's beginning and end.
 *
 * Everything that lasts is in the domain, so that a pool can be used from anywhere in the family.
 * The nursery does the work (supervise.c); here its phase is turned, and waited for.
 */
#include "room.h"

#include <string.h>

#define PLACES_MOST 1024u

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
    int threads = kin__os_thread_count();
    if (threads > 1) {
        return kin__fail(KIN_ESTATE, "kin_pool_new: this process has %d threads, and a fork would "
                                     "copy their locks: make the pool before the first thread",
                         threads);
    }
    return 0;
}

/* Waits until a phase is reached. KIN_EBROKEN when the nursery ended before that. */
static int wait_for_phase(kin_pool *pool, uint32_t phase, int64_t deadline)
{
    for (;;) {
        uint32_t ticket = kin__gate_ticket(&pool->changed);
        kin__id supervisor = atomic_load(&pool->supervisor);
        int status;
        pid_t pid;
        bool gone = supervisor != KIN__NOBODY
                        ? !kin__alive(supervisor)
                        : kin__os_wait_child(atomic_load(&pool->nursery), -1, 0) == 0;
        if (atomic_load(&pool->phase) >= phase) {
            return 0;
        }
        if (gone) {
            if (pool->maker == kin__os_getpid()) {
                (void)kin__os_reap(atomic_load(&pool->nursery), &status, &pid);
            }
            return kin__fail(KIN_EBROKEN, "the pool is broken: its supervisor was killed");
        }
        if (!kin__may_wait(deadline) ||
            kin__gate_sleep(&pool->changed, ticket, deadline, true) == KIN_ETIMEDOUT) {
            return kin__fail(KIN_ETIMEDOUT, "the pool has not ended within the timeout");
        }
    }
}

/* The nursery has said that the pool is over, and leaves: its process is reaped by its parent. */
static void reap_nursery(kin_pool *pool)
{
    pid_t nursery = atomic_load(&pool->nursery);
    int status;
    pid_t pid;
    if (pool->maker == kin__os_getpid() && nursery > 0 &&
        kin__os_wait_child(nursery, -1, KIN__NEVER) == 0 &&
        kin__os_reap(nursery, &status, &pid) == 0) {
        kin__ended(nursery);
    }
}

/* Tasks whose future nobody can free any more. */
static void free_orphan(void *block, void *ctx)
{
    kin__task *task = block;
    const kin_pool *pool = ctx;
    bool let_go = atomic_load(&task->state) & KIN__TASK_LET_GO;
    if (task->pool == pool->self && (let_go || !kin__alive(task->submitter))) {
        kin__block_discard(atomic_load(&task->result));
        (void)kin__block_free(task);
    }
}

void kin__pool_free_parts(kin_pool *pool)
{
    kin__block_each(KIN__TASK, free_orphan, pool);
    kin_queue_free(pool->queue);
    kin__block_free(pool);
}

static int start(kin_pool *pool)
{
    int rv = kin__nursery_new(&kin__supervise_ops, pool, pool->places);
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
    const kin_pool_options defaults = {0};
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

/* ---- the end ----------------------------------------------------------------------------------------- */

int kin_pool_close(kin_pool *pool)
{
    int rv = kin__block_check(pool, KIN__POOL, "close: the pool");
    if (rv < 0) {
        return rv;
    }
    kin__pool_turn(pool, KIN__POOL_CLOSING);
    return kin_queue_close(pool->queue);
}

int kin_pool_terminate(kin_pool *pool)
{
    int rv = kin__block_check(pool, KIN__POOL, "terminate: the pool");
    if (rv < 0) {
        return rv;
    }
    kin__pool_turn(pool, KIN__POOL_TERMINATING);
    (void)kin_queue_close(pool->queue);
    if (atomic_load(&pool->phase) != KIN__POOL_OVER && kin__alive(atomic_load(&pool->supervisor))) {
        kin__nursery_poke(atomic_load(&pool->nursery));
    }
    return 0;
}

int kin_pool_join(kin_pool *pool, double timeout)
{
    int64_t deadline;
    int rv = kin__block_check(pool, KIN__POOL, "join: the pool");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    if (atomic_load(&pool->phase) < KIN__POOL_CLOSING) {
        return kin__fail(KIN_ESTATE, "join: the pool is open; close or terminate it first");
    }
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
