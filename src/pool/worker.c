/* worker.c - the life of a worker: take a task, claim it, run it, end it, and again.
 *
 * Rules.
 *   R1  A worker writes which task he is about to claim before he claims it: so the supervisor
 *       finds it, and one look at the task's state tells whether he had got that far.
 *   R2  He finishes the queue's cell only after the claim. Killed before, the cell is given back
 *       and another takes it; killed after, the task is lost with him, and with nobody else.
 *   R3  A task may fork, and the child may return from it: it has the task's result from nobody, is
 *       no worker, and leaves.
 *   R4  What a task has printed is out before its result is: a worker may be killed at any time.
 */
#include "room.h"

#include <stdio.h>
#include <string.h>

static kin__ref pool_of_worker;
static kin__id worker; /* who has that pool: a forked child is another */

kin__ref kin__worker_pool(void)
{
    return worker != KIN__NOBODY && worker == kin__self() ? pool_of_worker : 0;
}

static kin_obj call_for_item(kin_fn fn, kin_obj item, bool star)
{
    if (star) {
        return kin_type_of(item) == KIN_TYPE_TUPLE
                   ? fn(item)
                   : kin_error(KIN_ETYPE,
                               "kin_pool_map with .star: an item is no tuple of arguments");
    }
    kin_obj args = kin_args(item);
    kin_obj returned = kin__obj_own(fn(kin__obj_lend(args)));
    kin_release(args);
    return returned;
}

/* A chunk of a map: the list of results, or the first error among them. */
static kin_obj run_chunk(kin_fn fn, kin_obj items, bool star)
{
    kin_obj results = kin_list();
    for (size_t i = 0; i < kin_len(items); i++) {
        kin_obj returned = call_for_item(fn, kin_at(items, i), star);
        if (kin_is_error(returned)) {
            kin_release(results);
            return returned;
        }
        int rv = kin_append(&results, returned);
        if (rv < 0) {
            kin_release(results);
            return kin_error(rv, "%s", kin_errmsg());
        }
    }
    return results;
}

static void run_task(kin__task *task)
{
    kin_fn fn;
    kin_obj args = { 0 };
    int rv = kin__func_unpack(task->function, &fn);
    rv = rv < 0 ? rv : kin__flat_read(task->args, task->size, &args);
    if (rv < 0) {
        kin__task_finish(task, kin_error(rv, "%s", kin_errmsg()));
        return;
    }
    atomic_store(&task->args_read, true);
    kin_obj returned = task->kind == KIN__TASK_CALL
                           ? fn(kin__obj_lend(args))
                           : run_chunk(fn, args, task->kind & KIN__TASK_STAR);
    if (kin__worker_pool() == 0) {
        kin__os_leave(0); /* R3 */
    }
    if (kin_type_of(returned) == KIN_TYPE_INVALID) { /* say why, while it is known */
        int code = kin__obj_check(returned, "the task's result");
        returned = kin_error(code, "%s", kin_errmsg());
    }
    fflush(stdout); /* R4 */
    kin__task_finish(task, kin__obj_own(returned));
    kin_release(args);
}

/* Takes the next task and claims it. NULL: there was nothing in it for us. */
static kin__task *claim_next(kin_pool *pool, kin__worker *me, int *ret_code)
{
    const kin__want want = { .kind = KIN__CELL_BYTES, .room = sizeof(kin__ref) };
    kin__claim cell;
    *ret_code = kin__queue_take(pool->queue, &want, KIN__NEVER, &cell);
    if (*ret_code < 0) {
        return NULL;
    }
    kin__ref ref;
    memcpy(&ref, cell.cell->bytes, sizeof ref);
    atomic_store(&me->task, ref); /* R1 */
    KIN__STEP("worker.journaled");
    kin__task *task = kin__block_at(ref, KIN__TASK, NULL);
    bool claimed = task != NULL && kin__task_claim(task);
    kin__queue_finish(pool->queue, &cell); /* R2 */
    return claimed ? task : NULL;
}

int kin__worker_run(void *ctx, unsigned index)
{
    kin_pool *pool = ctx;
    kin__worker *me = &pool->workers[index];
    kin__id self = kin__self();
    if (self == KIN__NOBODY) {
        return 1;
    }
    kin__os_set_name("kin-worker");
    pool_of_worker = pool->self;
    worker = self;
    atomic_store(&me->task, 0);
    atomic_store(&me->id, self);
    KIN__STEP("worker.begun");
    for (;;) {
        int rv;
        kin__task *task = claim_next(pool, me, &rv);
        if (task != NULL) {
            run_task(task);
            atomic_fetch_add(&me->tasks_done, 1);
        } else if (rv < 0) {
            atomic_store(&me->retired, rv == KIN_ECLOSED);
            KIN__STEP("worker.retired");
            return rv == KIN_ECLOSED ? 0 : 1;
        }
    }
}
