/* stats.c - what a pool has done: counts always, times where they are wanted.
 *
 * Idea. Each place has a tally that only its worker writes, with plain stores. What he does just
 * now stands there, and since when; when that changes, the time is added to what was spent so. Who
 * asks adds up, and adds what goes on just now.
 *
 *     absent --fork--> starting --first look--> idle <--task--> busy --death--> absent
 *
 * Rules.
 *   R1  A tally, and a diary, have one writer at a time: see seen.h.
 *   R2  Counts are right when a task's waiters are told: they change before it is over.
 *   R3  A clock is read only in a pool that somebody looks at (`watched`).
 *
 * Death. Killed between two stores: what he did last is counted twice, or not in all places.
 */
#include "seen.h"

#include <string.h>

#define ALIGNED(size) (((size) + 63) & ~(size_t)63)

/* ---- the hooks ------------------------------------------------------------------------------- */

size_t kin__seen_size(const kin_pool_options *options, unsigned places)
{
    size_t size = 63;
    if (options->stats) {
        size += places * sizeof(kin__tally);
    }
    if (kin__trace_path() != NULL) {
        size += sizeof(kin__trace) + places * sizeof(kin__diary);
    }
    return size;
}

void kin__seen_begin(kin_pool *pool, void *room, const kin_pool_options *options)
{
    char *at = (char *)ALIGNED((uintptr_t)room);
    if (options->stats) {
        pool->tallies = (kin__tally *)(void *)at;
        at += pool->places * sizeof(kin__tally);
    }
    if (kin__trace_path() != NULL) {
        pool->trace = (kin__trace *)(void *)at;
        kin__trace_begin(pool, kin__trace_path());
    }
    pool->watched = pool->tallies != NULL || pool->trace != NULL;
}

/* He does something else from now on. Since when he did what he did before. */
static void turn(kin_pool *pool, unsigned index, enum kin__doing to, int64_t now)
{
    if (pool->tallies == NULL) {
        return;
    }
    kin__tally *tally = &pool->tallies[index];
    uint64_t doing = atomic_load_explicit(&tally->doing, memory_order_relaxed);
    _Atomic uint64_t *spent = &tally->spent[doing % KIN__DOINGS];
    uint64_t before = atomic_load_explicit(spent, memory_order_relaxed);
    uint64_t after = before + (uint64_t)now - doing / KIN__DOINGS;
    atomic_store_explicit(spent, after, memory_order_relaxed);
    /* a stale `spent` with the new `doing` is one span too little: release, for the asker */
    atomic_store_explicit(&tally->doing, (uint64_t)now * KIN__DOINGS + to, memory_order_release);
}

void kin__seen_starting(kin_pool *pool, unsigned index)
{
    if (!pool->watched) {
        return;
    }
    int64_t now = kin__os_now();
    turn(pool, index, KIN__STARTING, now);
    if (pool->trace != NULL) {
        kin__trace_starting(pool, index, now);
    }
}

void kin__seen_started(kin_pool *pool, unsigned index)
{
    atomic_fetch_add(&pool->workers[index].starts, 1);
}

void kin__seen_none_started(kin_pool *pool, unsigned index)
{
    atomic_fetch_sub(&pool->workers[index].starts, 1);
}

void kin__seen_live(kin_pool *pool, unsigned index)
{
    if (pool->watched) {
        turn(pool, index, KIN__IDLE, kin__os_now());
    }
    if (pool->trace != NULL) {
        kin__trace_life(pool, index);
    }
}

void kin__seen_gone(kin_pool *pool, unsigned index, int code)
{
    if (pool->watched) {
        turn(pool, index, KIN__ABSENT, kin__os_now());
    }
    if (pool->trace != NULL) {
        kin__trace_death(pool, index, code);
    }
}

void kin__seen_lost(kin_pool *pool, unsigned index, int code)
{
    if (pool->trace != NULL) {
        atomic_store(&pool->trace->diaries[index].lost, code);
    }
}

void kin__seen_end(kin_pool *pool)
{
    int code = atomic_load(&pool->phase) == KIN__POOL_OVER ? 0 : -9; /* the kernel killed them */
    for (unsigned i = 0; pool->trace != NULL && i < pool->places; i++) {
        kin__seen_lost(pool, i, KIN_EBROKEN);
        kin__trace_death(pool, i, code);
    }
    if (pool->trace != NULL) {
        kin__trace_end(pool);
    }
}

void kin__seen_submit(const kin_pool *pool, kin__task *task)
{
    task->submitted = pool->watched ? kin__os_now() : 0;
}

void kin__seen_task(kin_pool *pool, unsigned index, const kin__task *task, kin_fn function)
{
    if (!pool->watched) {
        return;
    }
    int64_t now = kin__os_now();
    uint64_t waited = now > task->submitted ? (uint64_t)(now - task->submitted) : 0;
    turn(pool, index, KIN__BUSY, now);
    if (pool->tallies != NULL) {
        kin__histogram_add(&pool->tallies[index].wait, waited);
    }
    if (pool->trace != NULL) {
        kin__diary *diary = &pool->trace->diaries[index];
        atomic_store_explicit(&diary->waited, waited, memory_order_relaxed);
        kin__trace_begin_task(diary, task, function);
        atomic_store_explicit(&diary->task, now, memory_order_release); /* last */
    }
}

void kin__seen_task_end(kin_pool *pool, unsigned index, int code)
{
    if (!pool->watched) {
        return;
    }
    int64_t now = kin__os_now();
    if (pool->tallies != NULL) {
        kin__tally *tally = &pool->tallies[index];
        uint64_t begun = atomic_load_explicit(&tally->doing, memory_order_relaxed) / KIN__DOINGS;
        turn(pool, index, KIN__IDLE, now);
        kin__histogram_add(&tally->run, (uint64_t)now - begun);
    }
    if (pool->trace != NULL) {
        kin__trace_task(pool, index, now, code);
    }
}

void kin__seen_rest(kin_pool *pool, unsigned index)
{
    if (pool->trace != NULL) {
        kin__trace_write_due(pool, index);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Seconds that were spent so at a place, until now. */
static kin_obj spent(const kin__tally *tally, enum kin__doing what, int64_t now)
{
    /* pairs with the release in turn() */
    uint64_t doing = atomic_load_explicit(&tally->doing, memory_order_acquire);
    uint64_t ns = atomic_load_explicit(&tally->spent[what], memory_order_relaxed);
    uint64_t since = doing / KIN__DOINGS;
    if (doing % KIN__DOINGS == what && (uint64_t)now > since) {
        ns += (uint64_t)now - since;
    }
    return kin_float((double)ns * 1e-9);
}

static kin_obj stats_of_place(const kin_pool *pool, unsigned index)
{
    const kin__worker *worker = &pool->workers[index];
    uint32_t starts = atomic_load(&worker->starts);
    kin_obj o = kin_dict(kin_str("pid"), kin_int(atomic_load(&worker->pid)), kin_str("tasks"),
                         kin_int((int64_t)atomic_load(&worker->tasks_done)), kin_str("restarts"),
                         kin_int(starts > 1 ? starts - 1 : 0));
    if (pool->tallies == NULL) {
        return o;
    }
    const kin__tally *tally = &pool->tallies[index];
    int64_t now = kin__os_now();
    int rv = kin_setitem(&o, kin_str("busy"), spent(tally, KIN__BUSY, now));
    rv = rv < 0 ? rv : kin_setitem(&o, kin_str("idle"), spent(tally, KIN__IDLE, now));
    rv = rv < 0 ? rv : kin_setitem(&o, kin_str("startup"), spent(tally, KIN__STARTING, now));
    if (rv < 0) {
        kin_release(o);
        return kin__obj_invalid(rv);
    }
    return o;
}

/* Those that have never had a worker, and shall have none, are not told of. */
static kin_obj stats_of_places(const kin_pool *pool)
{
    kin_obj list = kin_list();
    for (unsigned i = 0; i < pool->places; i++) {
        if (atomic_load(&pool->workers[i].starts) == 0 && i >= atomic_load(&pool->wanted)) {
            continue;
        }
        int rv = kin_append(&list, stats_of_place(pool, i));
        if (rv < 0) {
            kin_release(list);
            return kin__obj_invalid(rv);
        }
    }
    return list;
}

static kin_obj seconds(const kin__histogram *h, unsigned percent)
{
    return kin_float((double)kin__histogram_percentile(h, percent) * 1e-9);
}

static kin_obj percentiles(const kin__histogram *h)
{
    double most = (double)atomic_load_explicit(&h->most, memory_order_relaxed) * 1e-9;
    return kin_dict(kin_str("p50"), seconds(h, 50), kin_str("p90"), seconds(h, 90), kin_str("p99"),
                    seconds(h, 99), kin_str("max"), kin_float(most));
}

static int add_times(const kin_pool *pool, kin_obj *stats)
{
    kin__histogram *wait = kin__os_calloc(2, sizeof *wait);
    if (wait == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_pool_stats: no memory to add up");
    }
    kin__histogram *run = wait + 1;
    for (unsigned i = 0; i < pool->places; i++) {
        kin__histogram_join(wait, &pool->tallies[i].wait);
        kin__histogram_join(run, &pool->tallies[i].run);
    }
    int rv = kin_setitem(stats, kin_str("wait"), percentiles(wait));
    rv = rv < 0 ? rv : kin_setitem(stats, kin_str("run"), percentiles(run));
    kin__os_free(wait);
    return rv;
}

static int count(kin_pool *pool, kin_obj *ret_stats)
{
    uint64_t tasks = 0;
    uint64_t errors = atomic_load(&pool->errors);
    for (unsigned i = 0; i < pool->places; i++) {
        tasks += atomic_load(&pool->workers[i].tasks_done);
    }
    uint64_t failed = errors + atomic_load(&pool->lost);
    int64_t queued = kin_queue_qsize(pool->queue);
    kin_obj o = kin_dict(kin_str("workers"), stats_of_places(pool), kin_str("queued"),
                         kin_int(queued > 0 ? queued : 0), kin_str("done"),
                         kin_int(tasks > errors ? (int64_t)(tasks - errors) : 0), kin_str("failed"),
                         kin_int((int64_t)failed));
    int rv = kin__obj_check(o, "kin_pool_stats");
    if (rv == 0) {
        *ret_stats = o;
    }
    return rv;
}

int kin_pool_stats(kin_pool *pool, kin_obj *ret_stats)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_stats: the pool");
    if (rv == 0 && ret_stats == NULL) {
        rv = kin__fail(KIN_EINVAL, "kin_pool_stats: the place for the stats is NULL");
    }
    kin_obj stats;
    rv = rv < 0 ? rv : count(pool, &stats);
    if (rv < 0) {
        return rv;
    }
    rv = pool->tallies != NULL ? add_times(pool, &stats) : 0;
    if (rv < 0) {
        kin_release(stats);
        return rv;
    }
    *ret_stats = stats;
    return 0;
}
