/* submit.c - tasks go into the pool's queue, futures come out; waiting for them.
 *
 * A future is private memory of whoever submitted: a ref to the task, and one to the pool. Waiting
 * is sleeping at the task's gate; since a task is always in somebody's hands, and its supervisor
 * might be killed, the sleeper looks after it every 50 ms.
 */
#include "many.h"
#include "seen.h"

#include <string.h>

/* It did not get in. Somebody who ends the pool just now may have seen it, though. */
static void withdraw(kin__task *task, bool has_future)
{
    kin__task_withdraw(kin__block_ref(task), KIN__LOST_CANCELLED);
    if (has_future) {
        kin__task_let_go(task);
    }
}

/* The task is given away; with a future (or NULL) it stays until that is let go. */
static int enqueue(kin_pool *pool, kin__task *task, kin_future *future, const char *verb)
{
    if (future == NULL) {
        atomic_fetch_or(&task->state, KIN__TASK_LET_GO); /* nobody has seen it yet */
    }
    kin__seen_submit(pool, task);
    kin__ref ref = kin__block_give(task);
    KIN__STEP("submit.given");
    int rv = kin_queue_put_bytes(pool->queue, &ref, sizeof ref, 0);
    if (rv < 0) {
        withdraw(task, future != NULL);
    } else {
        kin__pool_offer(pool);
    }
    if (rv == 0 && future != NULL) {
        *future = (kin_future){ .task = ref, .pool = pool->self };
    }
    if (rv == KIN_ECLOSED && atomic_load(&pool->why) != 0) {
        return kin__pool_fail_why(pool, verb);
    }
    return rv == KIN_ECLOSED ? kin__fail(rv, "%s: the pool is closed", verb) : rv;
}

int kin__pool_submit(kin_pool *pool, kin__task *task, kin_future **ret_future, const char *verb)
{
    kin_future *future = ret_future != NULL ? kin__os_malloc(sizeof *future) : NULL;
    if (ret_future != NULL && future == NULL) {
        kin__task_free(task);
        return kin__fail(KIN_ENOMEM, "%s: no memory for a future", verb);
    }
    int rv = enqueue(pool, task, future, verb);
    if (rv < 0) {
        kin__os_free(future);
    } else if (ret_future != NULL) {
        *ret_future = future;
    }
    return rv;
}

/* Takes nothing away from the arguments. */
static int make_task(kin_pool *pool, const kin__plan *plan, kin__task **ret_task, const char *verb)
{
    int rv = kin__obj_check(plan->args, verb);
    if (rv == 0 && plan->fn == NULL) {
        rv = kin__fail(KIN_EINVAL, "%s: the function is NULL", verb);
    }
    if (rv == 0 && kin_type_of(plan->args) != KIN_TYPE_TUPLE) {
        rv = kin__fail(KIN_ETYPE, "%s: the arguments are no tuple; see kin_args", verb);
    }
    return rv < 0 ? rv : kin__task_make(pool, plan, ret_task);
}

static int check_options(const kin_pool *pool, const kin_submit_options *options)
{
    if (options != NULL && options->timeout > 0 && !kin__engine_of(pool)->kills) {
        return kin__fail(KIN_EUNSUPPORTED,
                         "kin_pool_submit: .timeout: a thread cannot be ended in a task");
    }
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "kin_pool_submit: a reserved option is not zero");
    }
    return 0;
}

int kin_pool_submit(kin_pool *pool, kin_fn fn, kin_obj args, const kin_submit_options *options,
                    kin_future **ret_future)
{
    static const kin_submit_options defaults = { 0 };
    const kin_submit_options *how = options != NULL ? options : &defaults;
    struct kin__calling *calling = NULL;
    kin_future *future = NULL;
    kin__task *task;
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_submit: the pool");
    const kin__plan plan = { fn, args, KIN__TASK_CALL, how };
    rv = rv < 0 ? rv : check_options(pool, how);
    rv = rv < 0 ? rv : kin__callback_reserve(pool, how->on_done, how->ctx, &calling);
    bool wanted = ret_future != NULL || calling != NULL;
    rv = rv < 0 ? rv : make_task(pool, &plan, &task, "kin_pool_submit");
    rv = rv < 0 ? rv : kin__pool_submit(pool, task, wanted ? &future : NULL, "kin_pool_submit");
    kin__obj_drop(args);
    if (rv < 0) {
        kin__callback_cancel(calling);
        return rv;
    }
    if (ret_future != NULL) {
        *ret_future = future;
    }
    kin__callback_begin(calling, future, ret_future != NULL);
    return 0;
}

/* ---- futures --------------------------------------------------------------------------------- */

kin__task *kin__future_task(const kin_future *future, const char *verb, int *ret_code)
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

int kin__pool_hopeless(kin__ref ref)
{
    kin_pool *pool = kin__block_at(ref, KIN__POOL, NULL);
    kin__id supervisor = pool != NULL ? atomic_load(&pool->supervisor) : KIN__NOBODY;
    bool over = pool == NULL || atomic_load(&pool->phase) == KIN__POOL_OVER;
    if (pool != NULL && over && atomic_load(&pool->why) != 0) {
        return kin__pool_fail_why(pool, "");
    }
    bool broken = !over && supervisor != KIN__NOBODY && !kin__alive(supervisor) &&
                  atomic_load(&pool->phase) != KIN__POOL_OVER;
    if (broken) {
        return kin__fail(KIN_EBROKEN, "the pool is broken: its supervisor was killed");
    }
    return over ? kin__fail(KIN_ECANCELLED, "the pool ended before the task did") : 0;
}

void kin__pool_offer_again(kin__ref ref)
{
    kin_pool *pool = kin__block_at(ref, KIN__POOL, NULL);
    if (pool != NULL && !kin_queue_empty(pool->queue)) {
        kin__pool_call_all(pool);
    }
    if (pool != NULL) {
        kin__pool_stir(pool);
    }
}

/* A look, and a sleep: 1 when it is done. Callbacks may be due before it is. */
static int await(kin_future *future, kin__task *task, int64_t deadline, const char *verb)
{
    kin__lobby lobby;
    kin__gate *gate = kin__callbacks_enter(&lobby, future->pool, task);
    gate = gate != NULL ? gate : &task->finished;
    uint32_t ticket = lobby.top != NULL ? lobby.ticket : kin__gate_ticket(gate);
    int rv = kin__task_is_over(task) || kin__callbacks_run(future->pool, NULL)
                 ? 0
                 : kin__pool_hopeless(future->pool);
    bool over = kin__task_is_over(task); /* also when it was ended while we looked */
    if (rv == 0 && !over) {
        kin__pool_offer_again(future->pool);
        rv =
            kin__may_wait(deadline) ? kin__gate_sleep(gate, ticket, deadline, true) : KIN_ETIMEDOUT;
        over = kin__task_is_over(task);
    }
    kin__callbacks_leave(&lobby);
    if (over && rv != KIN_EINTR) {
        return 1;
    }
    return rv == KIN_ETIMEDOUT ? kin__fail(rv, "%s: the task is not done within the timeout", verb)
                               : rv;
}

static int wait_for(kin_future *future, int64_t deadline, const char *verb)
{
    int rv;
    kin__task *task = kin__future_task(future, verb, &rv);
    if (task == NULL) {
        return rv;
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
    kin__task_watch(task);
    do {
        rv = await(future, task, deadline, verb);
    } while (rv == 0);
    kin__callbacks_pass_on();
    if (rv == KIN_EBROKEN || rv == KIN_ECANCELLED) {
        kin__callbacks_forsake(future->pool);
        return kin__pool_hopeless(future->pool); /* its sentence again */
    }
    return rv < 0 ? rv : 0;
}

int kin__future_wait(kin_future *future, int64_t deadline, const char *verb)
{
    int rv;
    if (kin__future_task(future, verb, &rv) == NULL) {
        return rv;
    }
    kin__future_hold(future); /* a callback may free it */
    rv = wait_for(future, deadline, verb);
    if (rv == 0) {
        (void)kin__callbacks_run(future->pool, future);
    }
    kin__future_release(future);
    return rv;
}

static int read_result(const kin_future *future, kin__task *task, kin_obj *ret_result)
{
    return future->parts != NULL ? kin__parts_result(future->parts, task, ret_result)
                                 : kin__task_result(task, ret_result);
}

static int get(kin_future *future, kin_obj *ret_result, int64_t deadline, const char *verb)
{
    int rv;
    kin__task *task = kin__future_task(future, verb, &rv);
    if (task == NULL) {
        return rv;
    }
    if (!kin__callbacks_are_any() && kin__task_is_over(task)) { /* nothing to wait for or to call */
        return read_result(future, task, ret_result);
    }
    kin__future_hold(future);
    rv = kin__future_wait(future, deadline, verb);
    rv = rv < 0 ? rv : read_result(future, task, ret_result);
    kin__future_release(future);
    return rv;
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
    kin_future future; /* nobody else has it */
    kin__task *task;
    int rv = kin__block_check(pool, KIN__POOL, "kin_pool_apply: the pool");
    const kin__plan plan = { fn, args, KIN__TASK_CALL, NULL };
    if (rv == 0 && pool->self == kin__worker_pool()) { /* before it is submitted, and run */
        rv = kin__fail(KIN_EDEADLK, "kin_pool_apply: a worker would wait for its own pool");
    }
    rv = rv < 0 ? rv : make_task(pool, &plan, &task, "kin_pool_apply");
    rv = rv < 0 ? rv : enqueue(pool, task, &future, "kin_pool_apply");
    kin__obj_drop(args);
    if (rv < 0) {
        return rv;
    }
    kin_obj result;
    rv = get(&future, &result, KIN__NEVER, "kin_pool_apply");
    if (rv == KIN_EINTR) {
        kin__future_withdraw(&future); /* nobody could get its result */
    }
    kin__task_let_go(task);
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
    const kin__task *task = kin__future_task(future, "kin_future_done", &code);
    return task != NULL && (kin__task_is_over(task) || kin__pool_hopeless(future->pool) < 0);
}

/* Nobody comes back to it. */
static void drop(kin_future *future)
{
    int code;
    kin__task *task = kin__future_task(future, "kin_future_free", &code);
    if (future->parts != NULL) {
        kin__parts_free(future->parts, task);
    }
    if (task != NULL) {
        kin__task_let_go(task);
    }
    kin__os_free(atomic_load(&future->told));
    kin__os_free(atomic_load(&future->calling));
    kin__os_free(future);
}

void kin__future_hold(kin_future *future)
{
    atomic_fetch_add(&future->uses, 1);
}

void kin__future_release(kin_future *future)
{
    if (atomic_fetch_sub(&future->uses, 1) == (KIN__FUTURE_FREED | 1)) {
        drop(future);
    }
}

void kin_future_free(kin_future *future)
{
    if (future != NULL && atomic_fetch_or(&future->uses, KIN__FUTURE_FREED) == 0) {
        drop(future);
    }
}

void kin__future_withdraw(const kin_future *future)
{
    kin__task_withdraw(future->task, KIN__LOST_CANCELLED);
}
