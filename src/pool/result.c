/* result.c - reading what a task came to: its result, or how it was lost. Nothing in the task is
 * believed, since it may have been scribbled upon. */
#include "room.h"

size_t kin__task_small_size(const kin__task *task)
{
    return task->small_size <= sizeof task->small ? task->small_size : sizeof task->small;
}

static const struct {
    int code;
    const char *text;
} losses[KIN__LOST_REASONS] = {
    [KIN__LOST_NOT_SENT] = { KIN_ENOMEM, "there was no memory for the task's result" },
    [KIN__LOST_CRASHED] = { KIN_ECRASHED, "the task's worker died" },
    [KIN__LOST_OVERRUN] = { KIN_EOVERRUN, "the task ran over its time limit" },
    [KIN__LOST_CANCELLED] = { KIN_ECANCELLED, "the task was cancelled" },
    [KIN__LOST_TERMINATED] = { KIN_ECANCELLED, "the pool was terminated" },
    [KIN__LOST_ENDED] = { KIN_ECANCELLED, "the pool ended before the task did" },
    [KIN__LOST_BROKEN] = { KIN_EBROKEN, "the pool is broken: its supervisor was killed" },
    [KIN__LOST_UNBEGUN] = { KIN_EBROKEN, "the pool is broken: its initializer failed" },
};

int kin__task_code_of(enum kin__task_reason reason)
{
    return losses[reason].code;
}

/* Says why it was lost; a block is not to be trusted. */
static int fail_lost(kin__task *task, uint64_t state)
{
    enum kin__task_reason reason = KIN__TASK_REASON(state);
    kin__ref ref = atomic_load(&task->result);
    const kin__loss *loss = ref != 0 ? kin__block_at(ref, KIN__MESSAGE, NULL) : NULL;
    if (reason >= KIN__LOST_REASONS) {
        return kin__fail(KIN_ECORRUPT, "a task's state is not one that a task can be in");
    }
    kin_pool *pool =
        reason == KIN__LOST_UNBEGUN ? kin__block_at(task->pool, KIN__POOL, NULL) : NULL;
    if (loss == NULL && pool != NULL) {
        return kin__pool_fail_why(pool, "");
    }
    if (loss == NULL || kin__block_size(loss) <= sizeof *loss) {
        return kin__fail(losses[reason].code, "%s", losses[reason].text);
    }
    return kin__fail(loss->code, "%.*s", (int)(kin__block_size(loss) - sizeof *loss - 1),
                     loss->text);
}

/* The flat object that is its result, if it is there. */
static const void *find_result(const kin__task *task, size_t *ret_size)
{
    kin__ref ref = atomic_load(&task->result);
    *ret_size = kin__task_small_size(task);
    return ref == 0 ? task->small : kin__block_shared(ref, KIN__MESSAGE, ret_size);
}

bool kin__task_failed(const kin__task *task)
{
    uint64_t state = atomic_load(&task->state);
    if (KIN__TASK_PHASE(state) != KIN__TASK_DONE) {
        return KIN__TASK_PHASE(state) == KIN__TASK_LOST;
    }
    size_t size;
    const void *at = find_result(task, &size);
    return at == NULL || kin__flat_is_error(at, size);
}

/* The same of one that is over. NULL: a code with its sentence. */
static const void *get_result(kin__task *task, size_t *ret_size, int *ret_code)
{
    uint64_t state = atomic_load(&task->state);
    if (KIN__TASK_PHASE(state) != KIN__TASK_DONE) {
        *ret_code = fail_lost(task, state);
        return NULL;
    }
    const void *at = find_result(task, ret_size);
    *ret_code =
        at != NULL ? 0 : kin__fail(KIN_ECORRUPT, "a task's result is not where the task says");
    return at;
}

/* The buffers in it are the reader's now: task.c, R5. */
static void note_read(kin__task *task)
{
    atomic_store_explicit(&task->result_read, true, memory_order_relaxed);
}

int kin__task_result(kin__task *task, kin_obj *ret_result)
{
    size_t size;
    int rv;
    const void *at = get_result(task, &size, &rv);
    kin_obj o;
    rv = at == NULL ? rv : kin__flat_read(at, size, &o);
    if (rv < 0) {
        return rv;
    }
    note_read(task);
    return kin__obj_result(o, ret_result);
}

int kin__task_results(kin__task *task, kin_obj list, size_t n)
{
    size_t size;
    int rv;
    const void *at = get_result(task, &size, &rv);
    if (at == NULL) {
        return rv;
    }
    if (kin__flat_is_error(at, size)) {
        return kin__task_result(task, &(kin_obj){ 0 });
    }
    rv = kin__flat_extend(at, size, list, n);
    if (rv == 0) {
        note_read(task);
    }
    return rv;
}
