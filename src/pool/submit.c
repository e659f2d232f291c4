/* submit.c - tasks go into the pool's queue, futures come out; waiting for them.
 *
 * A future is private memory of whoever submitted: a ref to the task, and one to the pool. Waiting
 * is sleeping at the task's gate; since a task is always in somebody's hands, and its supervisor
 * might be killed, the sleeper looks after it every 50 ms.
 */
#include "room.h"

#include <string.h>

struct kin_future {
    kin__ref task;
    kin__ref pool;
};

/* It did not get in. Somebody who ends the pool just now may have seen it, though. */
static void withdraw(kin__task *task, bool has_future)
{
    (void)kin__task_lose(task, KIN__TASK_STATE(KIN__TASK_QUEUED, 0), KIN_ECANCELLED, "not queued");
    if (has_future) {
        kin__task_let_go(task);
    }
}

int kin__pool_submit(kin_pool *pool, kin__task *task, kin_future **ret_future)
{
    kin_future *future = kin__os_malloc(sizeof *future);
    if (future == NULL) {
        kin__task_free(task);
        return kin__fail(KIN_ENOMEM, "no memory for a future");
    }
    kin__ref ref = kin__block_ref(task);
    *future = (kin_future){ .task = ref, .pool = pool->self };
    if (ret_future == NULL) {
        atomic_store(&task->state, KIN__TASK_LET_GO); /* nobody has seen it yet */
    }
    kin__block_give(task);
    KIN__STEP("submit.given");
    int rv = kin_queue_put_bytes(pool->queue, &ref, sizeof ref, 0);
    if (rv < 0) {
        withdraw(task, ret_future != NULL);
    }
    if (rv < 0 || ret_future == NULL) {
        kin__os_free(future);
    } else {
        *ret_future = future;
    }
    return rv == KIN_ECLOSED ? kin__fail(rv, "submit: the pool is closed") : rv;
}

int kin_pool_submit(kin_pool *pool, kin_fn fn, kin_obj args, const kin_submit_options *options,
                    kin_future **ret_future)
{
    kin__task *task;
    int rv = kin__block_check(pool, KIN__POOL, "submit: the pool");
    for (size_t i = 0; rv == 0 && options != NULL && i < 4; i++) {
        rv = options->reserved[i] == 0 ? 0
                                       : kin__fail(KIN_EINVAL, "submit: a reserved option is set");
    }
    rv = rv < 0 ? rv : kin__obj_check(args, "submit");
    if (rv == 0 && kin_type_of(args) != KIN_TYPE_TUPLE) {
        rv = kin__fail(KIN_ETYPE, "submit: the arguments are no tuple; see kin_args");
    }
    rv = rv < 0 ? rv : kin__task_new(pool, fn, args, KIN__TASK_CALL, &task);
    rv = rv < 0 ? rv : kin__pool_submit(pool, task, ret_future);
    kin__obj_drop(args);
    return rv;
}

int kin_pool_apply(kin_pool *pool, kin_fn fn, kin_obj args, kin_obj *ret_result)
{
    kin_future *future;
    int rv = kin_pool_submit(pool, fn, args, NULL, &future);
    if (rv < 0) {
        return rv;
    }
    kin_obj result;
    rv = kin_future_get(future, &result, KIN_FOREVER);
    kin_future_free(future);
    if (rv < 0) {
        return rv;
    }
    if (ret_result != NULL) {
        *ret_result = result;
    } else {
        kin_release(result);
    }
    return 0;
}

/* ---- futures ----------------------------------------------------------------------------------------- */

static kin__task *task_of(const kin_future *future, int *ret_code)
{
    if (future == NULL) {
        *ret_code = kin__fail(KIN_EINVAL, "the future is NULL");
        return NULL;
    }
    return kin__block_at(future->task, KIN__TASK, ret_code);
}

static bool is_over(void *task)
{
    return kin__task_is_over(task);
}

/* Why the task will never be over by itself: the code, or 0 when it still may be. */
static int is_hopeless(const kin_future *future, const kin__task *task)
{
    kin_pool *pool = kin__block_at(future->pool, KIN__POOL, NULL);
    kin__id supervisor = pool != NULL ? atomic_load(&pool->supervisor) : KIN__NOBODY;
    bool over = pool == NULL || atomic_load(&pool->phase) == KIN__POOL_OVER;
    bool broken = !over && supervisor != KIN__NOBODY && !kin__alive(supervisor) &&
                  atomic_load(&pool->phase) != KIN__POOL_OVER;
    if (kin__task_is_over(task)) {
        return 0; /* it was ended while we looked */
    }
    if (broken) {
        return kin__fail(KIN_EBROKEN, "the pool is broken: its supervisor was killed");
    }
    return over ? kin__fail(KIN_ECANCELLED, "the pool ended before the task did") : 0;
}

int kin__future_wait(kin_future *future, int64_t deadline)
{
    int code;
    kin__task *task = task_of(future, &code);
    if (task == NULL) {
        return code;
    }
    if (kin__task_is_over(task)) {
        return 0;
    }
    if (future->pool == kin__worker_pool()) {
        return kin__fail(KIN_EDEADLK, "a worker waits for a task of its own pool");
    }
    if (kin__may_wait(deadline) && kin__spin(is_over, task)) {
        return 0;
    }
    for (;;) {
        uint32_t ticket = kin__gate_ticket(&task->finished);
        if (kin__task_is_over(task)) {
            return 0;
        }
        int rv = is_hopeless(future, task);
        if (rv < 0) {
            return rv;
        }
        if (!kin__may_wait(deadline) ||
            kin__gate_sleep(&task->finished, ticket, deadline, true) == KIN_ETIMEDOUT) {
            return kin__task_is_over(task)
                       ? 0
                       : kin__fail(KIN_ETIMEDOUT, "the task is not done within the timeout");
        }
    }
}

int kin_future_wait(kin_future *future, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    return rv < 0 ? rv : kin__future_wait(future, deadline);
}

int kin_future_get(kin_future *future, kin_obj *ret_result, double timeout)
{
    if (ret_result == NULL) {
        return kin__fail(KIN_EINVAL, "kin_future_get: the place for the result is NULL");
    }
    int rv = kin_future_wait(future, timeout);
    if (rv < 0) {
        return rv;
    }
    kin__task *task = task_of(future, &rv);
    return task == NULL ? rv : kin__task_result(task, ret_result);
}

bool kin_future_done(const kin_future *future)
{
    int code;
    const kin__task *task = task_of(future, &code);
    return task != NULL && kin__task_is_over(task);
}

void kin_future_free(kin_future *future)
{
    int code;
    kin__task *task = future != NULL ? task_of(future, &code) : NULL;
    if (task != NULL) {
        kin__task_let_go(task);
    }
    kin__os_free(future);
}
