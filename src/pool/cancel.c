/* cancel.c - a task that shall not be run, or not go on.
 *
 * A task that waits in the queue is lost by one CAS, with nothing but the reason (task.c R1): who
 * takes its ref finds that there is nothing to claim. One that runs is condemned (task.c R6), and
 * the engine told to look, which kills the worker; when he is reaped the task is lost.
 *
 * Death. Who cancels is killed after the flag: the worker cannot end the task any more, and leaves
 * when he comes to its end, if nothing has made the supervisor look before that.
 */
#include "many.h"

static int check_options(const kin_cancel_options *options)
{
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "kin_future_cancel: a reserved option is not zero");
    }
    return 0;
}

/* It runs, by `runner`. 0; or 1: it does not any more. */
static int kill_it(kin_future *future, kin__task *task, kin__id runner)
{
    kin_pool *pool = kin__block_at(future->pool, KIN__POOL, NULL);
    int rv = kin__pool_hopeless(future->pool);
    if (pool == NULL || rv < 0) {
        return kin__task_is_over(task) ? 1 : rv;
    }
    const kin__engine *engine = kin__engine_of(pool);
    if (!engine->kills) {
        return kin__fail(KIN_EUNSUPPORTED,
                         "kin_future_cancel: the task runs in a thread, which cannot be killed");
    }
    if (!kin__task_condemn(task, runner, KIN__TASK_CANCEL)) {
        return 1;
    }
    engine->stir(pool);
    return 0;
}

static int cancel(kin_future *future, kin__task *task, bool kill)
{
    for (;;) {
        uint64_t state = atomic_load(&task->state);
        switch (KIN__TASK_PHASE(state)) {
        case KIN__TASK_QUEUED:
            if (kin__task_lose(task, state, KIN__LOST_CANCELLED, NULL)) {
                return 0;
            }
            break;
        case KIN__TASK_RUNNING:
            if (state & KIN__TASK_CANCEL) {
                return 0;
            }
            if (!kill) {
                return kin__fail(KIN_ESTATE, "kin_future_cancel: the task runs already; see .kill");
            }
            int rv = kill_it(future, task, KIN__TASK_RUNNER(state));
            if (rv <= 0) {
                return rv;
            }
            break;
        case KIN__TASK_IN_PARTS:
            if (kin__map_cancel(future, kill)) {
                return 0;
            }
            break;
        default:
            return KIN__TASK_PHASE(state) == KIN__TASK_LOST &&
                           KIN__TASK_REASON(state) == KIN__LOST_CANCELLED
                       ? 0
                       : kin__fail(KIN_ESTATE, "kin_future_cancel: the task is done");
        }
    }
}

int kin_future_cancel(kin_future *future, const kin_cancel_options *options)
{
    int rv;
    kin__task *task = kin__future_task(future, "kin_future_cancel", &rv);
    if (task == NULL) {
        return rv;
    }
    rv = check_options(options);
    return rv < 0 ? rv : cancel(future, task, options != NULL && options->kill);
}

bool kin_future_running(const kin_future *future)
{
    int code;
    const kin__task *task = kin__future_task(future, "kin_future_running", &code);
    if (task == NULL || kin__task_is_over(task) || kin__pool_hopeless(future->pool) < 0) {
        return false;
    }
    return future->parts != NULL ? kin__parts_running(future->parts)
                                 : KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_RUNNING;
}
