/* supervise.c - what a pool's nursery does: sees workers die, ends their tasks, replaces them.
 *
 * Idea. The pool's phase says what is wanted; after each event the nursery brings its children in
 * line with it. A worker's death is looked at first, his task is ended, and then only another one
 * is forked, for that may take a while in a large program. A worker that crashes says so before he
 * is dead, and his task ends then; another one comes when he is gone.
 *
 *      phase         wanted
 *      OPEN          a worker at each of the places wanted
 *      CLOSING       the same, but where one has found the queue closed and drained
 *      TERMINATING   nobody; and what is in the queue is cancelled
 *      OVER          the nursery leaves
 *
 * Death. The maker killed: the workers are killed, and the pool's memory is given back. The nursery
 * killed: its workers die with it; futures find `supervisor` dead: KIN_EBROKEN.
 */
#include "seen.h"

#include <signal.h>
#include <stdio.h>

#define REST 100000000 /* ns at a place whose worker ended for no task's sake */

/* The initializer failed, or took its worker with it: nobody will come further. */
static void end_broken(kin_pool *pool, const kin__worker *worker, int code, const kin__crash *crash)
{
    char text[KIN__WHY];
    (void)snprintf(
        text, sizeof text, "the pool is broken: worker %ld died in its initializer, %s %d%s%.*s",
        (long)atomic_load(&worker->pid), code < 0 ? "of signal" : "with exit code",
        code < 0 ? -code : code, crash != NULL ? ": " : "",
        crash != NULL ? (int)sizeof crash->text - 1 : 0, crash != NULL ? crash->text : "");
    kin__pool_break(pool, text); /* unless he did */
}

/* By the kernel, for want of memory: others send SIGKILL too, so its count decides. */
static bool is_out_of_memory(const kin__worker *worker, int code)
{
    return code == -SIGKILL && kin__os_oom_kills() > worker->ooms;
}

/* Of what a dead worker ran; it is lost for this, if it is not tried again. */
static enum kin__task_reason reason_of(const kin_pool *pool, uint64_t condemned)
{
    if (atomic_load(&pool->phase) >= KIN__POOL_TERMINATING) {
        return kin__pool_reason(pool);
    }
    return condemned & KIN__TASK_CANCEL    ? KIN__LOST_CANCELLED
           : condemned & KIN__TASK_OVERRUN ? KIN__LOST_OVERRUN
                                           : KIN__LOST_CRASHED;
}

/* What a dead worker ran has come to its end by this, or is tried again. False: he ran nothing. */
static bool end_task_of(kin_pool *pool, kin__worker *worker, kin__task *task, kin__death *death)
{
    kin__obituary room;
    kin__id id = atomic_load(&worker->id);
    uint64_t condemned = kin__task_condemned(task, id);
    if (kin__task_is_run_by(task, id)) {
        kin__task_begun(task, atomic_load(&worker->pid)); /* he may not have come so far */
    }
    enum kin__task_reason reason = reason_of(pool, condemned);
    kin__seen_lost(pool, (unsigned)(worker - pool->workers), kin__task_code_of(reason));
    if (reason >= KIN__LOST_CANCELLED) {
        return kin__task_lose_of(task, id, reason, NULL);
    }
    kin__ref ref = kin__block_ref(task);
    if (kin__task_retry(task, id)) {
        kin__worker_put_back(pool, worker, ref);
        return true;
    }
    death->limit = reason == KIN__LOST_OVERRUN ? task->limit : 0;
    return kin__task_lose_of(task, id, reason, kin__failure_write(task, death, &room));
}

/* What a worker was running, he will not finish. Whether he was running anything. Once for all: he
 * has no task any more. */
static bool end_task(kin_pool *pool, kin__worker *worker, int code, const kin__crash *crash)
{
    kin__ref ref = atomic_exchange(&worker->task, 0);
    kin__task *task = ref != 0 ? kin__block_at(ref, KIN__TASK, NULL) : NULL;
    kin__death death = { .worker = worker, .code = code, .crash = crash };
    atomic_store(&worker->ends_at, 0);
    if (atomic_load(&worker->id) == KIN__NOBODY || task == NULL) {
        return false;
    }
    death.out_of_memory = is_out_of_memory(worker, code);
    return end_task_of(pool, worker, task, &death);
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
    if (atomic_load(&worker->stage) == KIN__STAGE_BEGINS &&
        atomic_load(&pool->phase) < KIN__POOL_TERMINATING) {
        end_broken(pool, worker, code, crash);
    }
    kin__id id = atomic_exchange(&worker->id, KIN__NOBODY);
    if (id == KIN__NOBODY || (code > 0 && !at_work)) { /* nor might the next one get further */
        worker->rests_until = kin__os_now() + REST;
    }
    kin__seen_gone(pool, index, code);
    kin__pool_worker_gone(pool, index);
}

static void cancel_put_back(kin_pool *pool)
{
    for (unsigned i = 0; i < pool->places; i++) {
        kin__ref ref = atomic_exchange(&pool->workers[i].again, 0);
        kin__task_withdraw(ref, kin__pool_reason(pool));
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
        cancel_put_back(pool);
        kin__pool_cancel_queued(pool, kin__pool_reason(pool));
        kin__pool_turn(pool, KIN__POOL_OVER);
    }
    return anybody;
}

/* Who runs a condemned task is killed; the task ends when he is gone. */
static void kill_condemned(kin_pool *pool, kin__nursery *nursery)
{
    for (unsigned i = 0; i < pool->places; i++) {
        size_t unused;
        const kin__worker *worker = &pool->workers[i];
        const kin__task *task = kin__block_shared(atomic_load(&worker->task), KIN__TASK, &unused);
        if (task != NULL && kin__task_condemned(task, atomic_load(&worker->id)) != 0) {
            kin__nursery_kill(nursery, i);
        }
    }
}

/* Somebody at this place: one of so many, and not retired; or there is a task put back for him. */
static bool is_wanted(const kin_pool *pool, unsigned index)
{
    const kin__worker *worker = &pool->workers[index];
    return atomic_load(&worker->again) != 0 ||
           (!kin__worker_is_surplus(pool, index) && !atomic_load(&worker->retired));
}

static int start_workers(kin_pool *pool, kin__nursery *nursery)
{
    int failure = 0;
    uint64_t ooms = UINT64_MAX; /* not asked for yet */
    for (unsigned i = 0; i < pool->places; i++) {
        if (kin__nursery_has(nursery, i) || !is_wanted(pool, i)) {
            continue;
        }
        if (kin__os_now() < pool->workers[i].rests_until) {
            kin__nursery_look_again(nursery);
            continue;
        }
        ooms = ooms == UINT64_MAX ? kin__os_oom_kills() : ooms;
        pool->workers[i].ooms = ooms;
        kin__seen_starting(pool, i);
        kin__seen_started(pool, i); /* he may have run a task before we are back */
        int rv = kin__nursery_start(nursery, i);
        if (rv < 0) {
            failure = rv;
            kin__seen_none_started(pool, i);
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
    atomic_store(&pool->supervisor, kin__self()); /* first: a worker may turn the phase, too */
    int failure = start_workers(pool, nursery);
    bool alive = atomic_load(&pool->workers_started) != 0;
    if (!alive) {
        atomic_store(&pool->failure, failure);
    }
    kin__pool_turn(pool, alive ? KIN__POOL_OPEN : KIN__POOL_OVER);
    return alive;
}

/* And gone: he has something to print, perhaps. */
static bool all_retired(const kin_pool *pool, const kin__nursery *nursery)
{
    for (unsigned i = 0; i < pool->places; i++) {
        if (is_wanted(pool, i) || kin__nursery_has(nursery, i)) {
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
        kin__nursery_look_at(nursery, kin__limit_enforce(pool));
        kill_condemned(pool, nursery);
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
    kin__pool_cancel_queued(pool, KIN__LOST_TERMINATED);
    kin__pool_turn(pool, KIN__POOL_OVER);
    kin__pool_free_parts(pool);
}

static const char *name_workers(void *pool)
{
    return ((kin_pool *)pool)->name;
}

static kin_obj live_served(kin_obj args);

static const kin__nursery_ops ops = { .named = name_workers,
                                      .life = live_served,
                                      .run = kin__worker_run,
                                      .crashed = worker_crashed,
                                      .ended = worker_ended,
                                      .tend = tend,
                                      .failed = failed,
                                      .forsaken = forsaken,
                                      .orphaned = orphaned };

/* The same, for a nursery of the fork server's. */
static kin_obj live_served(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    if (pool == NULL) {
        return kin_error(kin__failure(), "%s", kin_errmsg());
    }
    kin__nursery_live_for(&ops, pool, pool->places, (pid_t)kin_arg_int(args, 1));
}

/* ---- in the maker ---------------------------------------------------------------------------- */

/* The nursery has ended, or is about to: its parent reaps it, once. */
static void reap(kin_pool *pool)
{
    pid_t nursery = pool->maker == kin__os_getpid() ? atomic_exchange(&pool->nursery, 0) : 0;
    if (nursery > 0) {
        kin__nursery_see_end(nursery, pool->nursery_started);
    }
}

/* From the fork on until somebody has turned the phase: the nursery may have died before that. */
static int await_life(kin_pool *pool)
{
    for (;;) {
        uint32_t ticket = kin__gate_ticket(&pool->changed);
        bool gone = kin__nursery_has_ended(atomic_load(&pool->nursery), pool->nursery_started);
        if (atomic_load(&pool->phase) >= KIN__POOL_OPEN) {
            return atomic_load(&pool->failure);
        }
        if (gone) {
            return kin__fail(KIN_EBROKEN, "the pool is broken: its supervisor was killed");
        }
        (void)kin__gate_doze(&pool->changed, ticket, KIN__NEVER, true);
    }
}

static int start(kin_pool *pool, const kin_pool_options *options)
{
    int rv = kin__nursery_new(&ops, pool, pool->places,
                              (enum kin__nursery_method)kin__pool_method(options),
                              &pool->nursery_started);
    if (rv < 0) {
        return rv;
    }
    atomic_store(&pool->nursery, rv);
    rv = await_life(pool);
    if (rv < 0 && rv != KIN_EBROKEN) {
        rv = kin__fail(rv, "kin_pool_new: no worker could be started");
    }
    return rv;
}

static void stir(kin_pool *pool)
{
    if (kin__alive(atomic_load(&pool->supervisor))) {
        kin__nursery_poke(atomic_load(&pool->nursery));
    }
}

static int bring(kin_pool *pool, unsigned before)
{
    (void)before;
    stir(pool);
    return 0;
}

const kin__engine kin__engine_processes = {
    .scheme = "processes",
    .kills = true,
    .start = start,
    .bring = bring,
    .stir = stir,
    .reap = reap,
};
