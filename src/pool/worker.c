/* worker.c - the life of a worker: take a task, run it, end it, and again.
 *
 * Rules.
 *   R1  A task may fork, and the child may return from it: it has the task's result from nobody, is
 *       no worker, and leaves.
 *   R2  What a task has printed is out before its result is: a worker may be killed at any time.
 *   R3  A worker whose task was condemned cannot end it: he leaves, if he is not killed before.
 */
#include "seen.h"

#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>

static _Thread_local kin__ref pool_of_worker;
static _Thread_local kin__id worker; /* who has that pool: a forked child is another */
static _Thread_local int index_of_worker;
static _Thread_local void *state;
static _Thread_local kin__task *in_hand;
static _Thread_local kin_obj args_in_hand;

kin__ref kin__worker_pool(void)
{
    return worker != KIN__NOBODY && worker == kin__self() ? pool_of_worker : 0;
}

typedef struct job {
    kin__calls calls; /* condemned: R3 */
    kin__task *task;
    kin_fn fn;
    kin_obj args; /* of the last call for an item */
} job;

/* One call of the function, within the limit that each one has. */
static kin_obj call(job *j, kin_obj args)
{
    kin__calls *c = &j->calls;
    if (c->limit != 0) {
        kin__limit_begin(c->pool, c->me, c->limit);
    }
    kin__os_crash_floor = __builtin_frame_address(0);
    kin_obj returned = j->fn(args);
    kin__os_crash_floor = NULL;
    if (kin__worker_pool() == 0) {
        kin__os_leave(0); /* R1 */
    }
    c->condemned = c->limit != 0 && !kin__limit_end(c->me);
    return returned;
}

/* The item is given. */
static kin_obj call_for_item(job *j, kin_obj item)
{
    bool star = j->task->kind & KIN__TASK_STAR;
    if (star && kin_type_of(item) != KIN_TYPE_TUPLE) {
        kin_release(item);
        return kin_error(KIN_ETYPE, "kin_pool_map with .star: an item is no tuple of arguments");
    }
    if (star || !kin__obj_refill(j->args, item)) {
        kin_release(j->args);
        j->args = star ? item : kin_args(item);
    }
    return kin_is_error(j->args) ? j->args : kin__obj_own(call(j, kin__obj_lend(j->args)));
}

/* A chunk of a map: the list, where each result has taken the place of its item; or the first error
 * among them, instead. */
static kin_obj run_chunk(job *j, kin_obj items)
{
    kin_obj *slots = kin__obj_slots(items);
    for (size_t i = 0, n = kin_len(items); i < n && !j->calls.condemned; i++) {
        kin_obj item = slots[i];
        slots[i] = kin_none();
        kin_obj returned = call_for_item(j, item);
        bool each = j->task->kind & KIN__TASK_EACH && kin_type_of(returned) != KIN_TYPE_INVALID;
        if (kin_is_error(returned) && !each) {
            return returned;
        }
        slots[i] = returned;
    }
    return kin__obj_lend(items);
}

/* False: R3. What is counted is right when the task is over. */
static bool finish(kin_pool *pool, unsigned index, kin__task *task, kin_obj returned)
{
    kin__worker *me = &pool->workers[index];
    uint64_t error = kin_is_error(returned);
    atomic_store_explicit(&me->tasks_done, me->tasks_done + 1, memory_order_relaxed);
    if (error) {
        atomic_fetch_add(&pool->errors, 1);
    }
    bool ended = kin__task_finish(task, returned);
    if (!ended) {
        atomic_fetch_sub(&pool->errors, error);
        atomic_store_explicit(&me->tasks_done, me->tasks_done - 1, memory_order_relaxed);
    }
    return ended;
}

/* False: R3. */
static bool run_task(kin_pool *pool, unsigned index, kin__task *task)
{
    job j = { .calls = { .pool = pool, .me = &pool->workers[index], .limit = task->limit },
              .task = task };
    kin_obj args = { 0 };
    int rv = kin__func_unpack(task->function, &j.fn);
    if (rv == 0 && task->kind != KIN__TASK_LOOP) {
        rv = kin__flat_read(task->args, task->size, &args);
    }
    if (rv < 0) {
        return finish(pool, index, task, kin_error(rv, "%s", kin_errmsg()));
    }
    atomic_store_explicit(&task->args_read, true, memory_order_relaxed);
    kin__seen_task(pool, index, task, j.fn);
    in_hand = task;
    args_in_hand = args;
    kin_obj returned = task->kind == KIN__TASK_CALL   ? call(&j, kin__obj_lend(args))
                       : task->kind == KIN__TASK_LOOP ? kin__loop_serve(task, j.fn, &j.calls)
                                                      : run_chunk(&j, args);
    in_hand = NULL;
    if (j.calls.condemned) {
        return false;
    }
    if (kin_type_of(returned) == KIN_TYPE_INVALID) { /* say why, while it is known */
        int code = kin__obj_check(returned, "the task's result");
        returned = kin_error(code, "%s", kin_errmsg());
    }
    if (__fpending(stdout) != 0) { /* R2; the call alone takes its lock */
        fflush(stdout);
    }
    kin__seen_task_end(pool, index, kin_is_error(returned) ? kin_error_code(returned) : 0);
    bool ended = finish(pool, index, task, kin__obj_own(returned));
    kin_release(args);
    kin_release(j.args);
    kin__seen_rest(pool, index);
    return ended;
}

void kin__worker_put_back(kin_pool *pool, kin__worker *place, kin__ref ref)
{
    if (kin_queue_put_bytes(pool->queue, &ref, sizeof ref, 0) == 0) {
        kin__pool_offer(pool);
    } else {
        atomic_store(&place->again, ref);
    }
}

/* What was put back for whoever comes to this place. */
static kin__task *take_again(kin__worker *me)
{
    kin__ref ref = atomic_load(&me->again);
    atomic_store(&me->task, ref);
    KIN__STEP("worker.again");
    kin__task *task = kin__task_claim(ref, atomic_load(&me->pid));
    atomic_store(&me->again, 0); /* killed before: who comes next finds it claimed */
    return task;
}

bool kin__worker_is_surplus(const kin_pool *pool, unsigned index)
{
    return index >= atomic_load(&pool->wanted);
}

/* And be replaced, if he is not one too many. */
static bool is_to_leave(const kin_pool *pool, unsigned index, unsigned tasks)
{
    bool worn = tasks != 0 && ((pool->max_tasks != 0 && tasks >= pool->max_tasks) ||
                               (pool->max_memory != 0 && kin__os_resident() > pool->max_memory));
    return worn ||
           (kin__worker_is_surplus(pool, index) && atomic_load(&pool->workers[index].again) == 0);
}

bool kin__worker_abandon(kin_pool *pool, kin__worker *me)
{
    static const char text[] = "the task ended its worker's thread\0"; /* and no frames */
    _Alignas(kin__loss) char room[sizeof(kin__loss) + sizeof text];
    kin__loss *loss = (kin__loss *)(void *)room;
    kin__task *task = kin__worker_pool() != 0 ? in_hand : NULL;
    in_hand = NULL;
    worker = KIN__NOBODY;
    if (task == NULL) {
        return false;
    }
    kin_release(args_in_hand);
    kin__ref ref = kin__block_ref(task);
    if (atomic_load(&pool->phase) < KIN__POOL_TERMINATING && kin__task_retry(task, kin__self())) {
        kin__worker_put_back(pool, me, ref);
        return true;
    }
    *loss = (kin__loss){ .code = KIN_ECRASHED, .text_size = sizeof text - 1 };
    memcpy(loss->text, text, sizeof text);
    return kin__task_lose(task, KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self()), KIN__LOST_CRASHED,
                          loss);
}

/* Of an engine that kills nobody: its workers leave by themselves. */
static bool is_dismissed(const kin_pool *pool)
{
    return atomic_load(&pool->phase) >= KIN__POOL_TERMINATING && !kin__engine_of(pool)->kills;
}

int kin__worker_live(kin_pool *pool, unsigned index)
{
    kin__worker *me = &pool->workers[index];
    kin__id self = kin__self();
    if (self == KIN__NOBODY) {
        return 1;
    }
    pool_of_worker = pool->self;
    worker = self;
    index_of_worker = (int)index;
    state = NULL; /* he may be the fork of another pool's worker, or a thread that was one before */
    atomic_store(&me->task, 0);
    atomic_store(&me->pid, kin__os_getpid());
    atomic_store(&me->ends_at, 0);
    atomic_store(&me->id, self);
    KIN__STEP("worker.begun");
    if (pool->pin) {
        (void)kin__os_pin(index);
    }
    if (!kin__rite_begin(pool, me)) {
        return 1;
    }
    kin__seen_live(pool, index);
    for (unsigned tasks = 0; !is_to_leave(pool, index, tasks);) {
        int rv = KIN_ECLOSED;
        kin__task *task = NULL;
        if (atomic_load(&me->again) != 0) {
            rv = 0;
            task = take_again(me);
        } else if (!is_dismissed(pool)) {
            task = kin__pool_take(pool, index, &rv);
        }
        if (rv < 0) {
            atomic_store(&me->retired, true);
            KIN__STEP("worker.retired");
            break;
        }
        if (task != NULL && !run_task(pool, index, task)) {
            return 1;
        }
        tasks += task != NULL;
    }
    kin__rite_end(pool);
    worker = KIN__NOBODY;
    return 0;
}

int kin__worker_run(void *ctx, unsigned index)
{
    kin__os_set_name(((kin_pool *)ctx)->name);
    return kin__worker_live(ctx, index);
}

/* ---- in a task ------------------------------------------------------------------------------- */

void *kin_worker_state(void)
{
    return kin__worker_pool() != 0 ? state : NULL;
}

void kin_worker_set_state(void *set)
{
    if (kin__worker_pool() != 0) {
        state = set;
    }
}

int kin_worker_index(void)
{
    return kin__worker_pool() != 0 ? index_of_worker : -1;
}
