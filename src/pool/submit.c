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

int kin__pool_submit(kin_pool *pool, kin__task *task, kin_future **ret_future, const char *verb)
{
    kin_future *future = kin__os_malloc(sizeof *future);
    if (future == NULL) {
        kin__task_free(task);
        return kin__fail(KIN_ENOMEM, "%s: no memory for a future", verb);
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
    return rv == KIN_ECLOSED ? kin__fail(rv, "%s: the pool is closed", verb) : rv;
}

/* Takes nothing away from `args`. */
static int submit(kin_pool *pool, kin_fn fn, kin_obj args, kin_future **ret_future,
                  const char *verb)
{
    kin__task *task;
    int rv = kin__obj_check(args, verb);
    if (rv == 0 && fn == NULL) {
        rv = kin__fail(KIN_EINVAL, "%s: the function is NULL", verb);
    }
    if (rv == 0 && kin_type_of(args) != KIN_TYPE_TUPLE) {
        rv = kin__fail(KIN_ETYPE, "%s: the arguments are no tuple; see kin_args", verb);
    }
    rv = rv < 0 ? rv : kin__task_new(pool, fn, args, KIN__TASK_CALL, &task);
    return rv < 0 ? rv : kin__pool_submit(pool, task, ret_future, verb);
}

static int check_options(const kin_submit_options *options)
{
    for (size_t i = 0; options != NULL && i < 4; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_pool_submit: a reserved option is not zero");
        }
    }
    return 0;
}

int kin_pool_submit(kin_pool *pool, kin_fn fn, kin_obj args, const kin_submit_options *options,
                    kin_future **ret_future)
{
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_submit: the pool");
    rv = rv < 0 ? rv : check_options(options);
    rv = rv < 0 ? rv : submit(pool, fn, args, ret_future, "kin_pool_submit");
    kin__obj_drop(args);
    return rv;
}

/* ---- futures --------------------------------------------------------------------------------- */

static kin__task *task_of(const kin_future *future, const char *verb, int *ret_code)
{
    if (future == NULL) {
        *ret_code = kin__fail(KIN_EINVAL, "%s: the future is NULL", verb);
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

int kin__future_wait(kin_future *future, int64_t deadline, const char *verb)
{
    int code;
    kin__task *task = task_of(future, verb, &code);
    if (task == NULL) {
        return code;
    }
    if (kin__task_is_over(task)) {
        return 0;
    }
    if (future->pool == kin__worker_pool()) {
        return kin__fail(KIN_EDEADLK, "%s: a worker waits for a task of its own pool", verb);
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
                       : kin__fail(KIN_ETIMEDOUT, "%s: the task is not done within the timeout",
                                   verb);
        }
    }
}

static int get(kin_future *future, kin_obj *ret_result, int64_t deadline, const char *verb)
{
    int rv = kin__future_wait(future, deadline, verb);
    if (rv < 0) {
        return rv;
    }
    kin__task *task = task_of(future, verb, &rv);
    return task == NULL ? rv : kin__task_result(task, ret_result);
}

int kin_future_wait(kin_future *future, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    return rv < 0 ? rv : kin__future_wait(future, deadline, "kin_future_wait");
}

int kin_future_get(kin_future *future, kin_obj *ret_result, double timeout)
{
    if (ret_result == NULL) {
        return kin__fail(KIN_EINVAL, "kin_future_get: the place for the result is NULL");
    }
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    return rv < 0 ? rv : get(future, ret_result, deadline, "kin_future_get");
}

int kin_pool_apply(kin_pool *pool, kin_fn fn, kin_obj args, kin_obj *ret_result)
{
    kin_future *future;
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_apply: the pool");
    rv = rv < 0 ? rv : submit(pool, fn, args, &future, "kin_pool_apply");
    kin__obj_drop(args);
    if (rv < 0) {
        return rv;
    }
    kin_obj result;
    rv = get(future, &result, KIN__NEVER, "kin_pool_apply");
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

bool kin_future_done(const kin_future *future)
{
    int code;
    const kin__task *task = task_of(future, "kin_future_done", &code);
    return task != NULL && kin__task_is_over(task);
}

void kin_future_free(kin_future *future)
{
    int code;
    kin__task *task = future != NULL ? task_of(future, "kin_future_free", &code) : NULL;
    if (task != NULL) {
        kin__task_let_go(task);
    }
    kin__os_free(future);
}
