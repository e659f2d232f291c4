/* supervise.c - what a pool's nursery does: sees workers die, ends their tasks, replaces them.
 *
 * Idea. The pool's phase says what is wanted; after each event the nursery brings its children in
 * line with it. A worker's death is looked at first, his task is ended, and then only another one
 * is forked, for that may take a while in a large program. A worker that crashes says so before he
 * is dead, and his task ends then; another one comes when he is gone.
 *
 *      phase         wanted
 *      OPEN          a worker at every place
 *      CLOSING       a worker at every place, until one finds the queue closed and drained
 *      TERMINATING   nobody; and what is in the queue is cancelled
 *      OVER          the nursery leaves
 *
 * Death. The maker killed: the workers are killed, and the pool's memory is given back. The nursery
 * killed: its workers die with it; futures find `supervisor` dead: KIN_EBROKEN.
 */
#include "room.h"

#include <stdio.h>
#include <string.h>

#define WHY 512        /* bytes of why a task was lost: as long as a sentence may be */
#define REST 100000000 /* ns at a place whose worker ended for no task's sake */

void kin__pool_turn(kin_pool *pool, uint32_t phase)
{
    uint32_t now = atomic_load(&pool->phase);
    while (now < phase && !atomic_compare_exchange_weak(&pool->phase, &now, phase)) {
    }
    kin__gate_open(&pool->changed);
}

/* How a worker came to his end, as far as there is room: no line of it is cut. */
static void describe(const kin__worker *worker, int code, const kin__crash *crash, char text[WHY])
{
    long pid = atomic_load(&worker->pid);
    int length;
    if (crash != NULL) {
        length = snprintf(text, WHY, "worker %ld crashed in the task: %.*s", pid,
                          (int)sizeof crash->text - 1, crash->text);
    } else if (code < 0) {
        length = snprintf(text, WHY, "worker %ld died of signal %d (%s) in the task", pid, -code,
                          strsignal(-code));
    } else {
        length = snprintf(text, WHY, "worker %ld left with exit code %d in the task", pid, code);
    }
    char *line = strrchr(text, '\n');
    if (length >= WHY && line != NULL) {
        *line = '\0';
    }
}

/* What a worker was running, he will not finish. Whether he was running anything. Once for all: he
 * has no task any more. */
static bool end_task(kin_pool *pool, kin__worker *worker, int code, const kin__crash *crash)
{
    kin__id id = atomic_load(&worker->id);
    kin__ref ref = atomic_exchange(&worker->task, 0);
    kin__task *task = ref != 0 ? kin__block_at(ref, KIN__TASK, NULL) : NULL;
    if (id == KIN__NOBODY || task == NULL) {
        return false;
    }
    if (atomic_load(&pool->phase) >= KIN__POOL_TERMINATING) {
        return kin__task_lose_of(task, id, KIN_ECANCELLED, "the pool was terminated");
    }
    char text[WHY];
    describe(worker, code, crash, text);
    return kin__task_lose_of(task, id, KIN_ECRASHED, text);
}

/* Worker `index` has crashed, and is not gone. If it was another thread of his, he may yet finish
 * what he runs, so that waits for his end. */
static void worker_crashed(void *ctx, unsigned index, const kin__crash *crash)
{
    kin_pool *pool = ctx;
    kin__worker *worker = &pool->workers[index];
    if (crash->thread == atomic_load(&worker->pid)) {
        (void)end_task(pool, worker, 0, crash);
    }
}

static void worker_ended(void *ctx, unsigned index, int code, const kin__crash *crash)
{
    kin_pool *pool = ctx;
    kin__worker *worker = &pool->workers[index];
    bool at_work = end_task(pool, worker, code, crash);
    kin__id id = atomic_exchange(&worker->id, KIN__NOBODY);
    if (id == KIN__NOBODY || (code > 0 && !at_work)) { /* nor might the next one get further */
        worker->rests_until = kin__os_now() + REST;
    }
    kin__gate_wake(&pool->queue->not_empty); /* who naps over his cell may look now */
}

/* Terminated: what waits in the queue will not be run. */
static void cancel_queued(kin_pool *pool)
{
    const kin__want want = { .kind = KIN__CELL_BYTES, .room = sizeof(kin__ref) };
    kin__claim cell;
    while (kin__queue_take(pool->queue, &want, 0, &cell) == 0) {
        kin__ref ref;
        memcpy(&ref, cell.cell->bytes, sizeof ref);
        kin__task *task = kin__block_at(ref, KIN__TASK, NULL);
        if (task != NULL) {
            (void)kin__task_lose(task, KIN__TASK_STATE(KIN__TASK_QUEUED, 0), KIN_ECANCELLED,
                                 "the pool was terminated");
        }
        kin__queue_finish(pool->queue, &cell);
    }
}

static bool tend_terminating(kin_pool *pool, kin__nursery *nursery)
{
    bool anybody = false;
    for (unsigned i = 0; i < pool->places; i++) {
        kin__nursery_kill(nursery, i);
        anybody |= kin__nursery_has(nursery, i);
    }
    if (!anybody) {
        cancel_queued(pool);
        kin__pool_turn(pool, KIN__POOL_OVER);
    }
    return anybody;
}

static int start_workers(kin_pool *pool, kin__nursery *nursery)
{
    int failure = 0;
    for (unsigned i = 0; i < pool->places; i++) {
        if (kin__nursery_has(nursery, i) || atomic_load(&pool->workers[i].retired)) {
            continue;
        }
        if (kin__os_now() < pool->workers[i].rests_until) {
            kin__nursery_look_again(nursery);
            continue;
        }
        int rv = kin__nursery_start(nursery, i);
        if (rv < 0) {
            failure = rv;
        } else {
            atomic_store(&pool->workers[i].pid, rv);
            atomic_fetch_add(&pool->workers_started, 1);
        }
    }
    return failure;
}

/* The first time: the maker waits to hear whether there is a worker at all. */
static bool come_to_life(kin_pool *pool, kin__nursery *nursery)
{
    int failure = start_workers(pool, nursery);
    bool alive = atomic_load(&pool->workers_started) != 0;
    if (!alive) {
        atomic_store(&pool->failure, failure);
    }
    atomic_store(&pool->supervisor, kin__self());
    kin__pool_turn(pool, alive ? KIN__POOL_OPEN : KIN__POOL_OVER);
    return alive;
}

/* And gone: he has something to print, perhaps. */
static bool all_retired(const kin_pool *pool, const kin__nursery *nursery)
{
    for (unsigned i = 0; i < pool->places; i++) {
        if (!atomic_load(&pool->workers[i].retired) || kin__nursery_has(nursery, i)) {
            return false;
        }
    }
    return true;
}

static bool tend(void *ctx, kin__nursery *nursery)
{
    kin_pool *pool = ctx;
    switch (atomic_load(&pool->phase)) {
    case KIN__POOL_STARTING:
        return come_to_life(pool, nursery);
    case KIN__POOL_TERMINATING:
        return tend_terminating(pool, nursery);
    case KIN__POOL_OVER:
        return false;
    default:
        if (all_retired(pool, nursery)) {
            kin__pool_turn(pool, KIN__POOL_OVER);
            return false;
        }
        (void)start_workers(pool, nursery); /* what failed is tried again soon */
        return true;
    }
}

/* The nursery could not come to life itself. */
static void failed(void *ctx, int code)
{
    kin_pool *pool = ctx;
    atomic_store(&pool->failure, code);
    kin__pool_turn(pool, KIN__POOL_OVER);
}

/* What dies from now on, dies of that. */
static void forsaken(void *ctx)
{
    kin__pool_turn(ctx, KIN__POOL_TERMINATING);
}

/* The maker has died. Relatives who still wait for a result hear that there will be none. */
static void orphaned(void *ctx)
{
    kin_pool *pool = ctx;
    (void)kin_queue_close(pool->queue);
    cancel_queued(pool);
    kin__pool_turn(pool, KIN__POOL_OVER);
    kin__pool_free_parts(pool);
}

const kin__nursery_ops kin__supervise_ops = { .name = "kin-worker",
                                              .run = kin__worker_run,
                                              .crashed = worker_crashed,
                                              .ended = worker_ended,
                                              .tend = tend,
                                              .failed = failed,
                                              .forsaken = forsaken,
                                              .orphaned = orphaned };

kin_obj kin__supervise_served(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    if (pool == NULL) {
        return kin_error(kin__failure(), "%s", kin_errmsg());
    }
    kin__nursery_live_for(&kin__supervise_ops, pool, pool->places, (pid_t)kin_arg_int(args, 1));
}
