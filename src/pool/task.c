/* task.c - a task: a function and its arguments on the way in, a result or an error on the way out.
 *
 * Idea. A task is one block of the family's. Its state is one word, changed by CAS: who runs it is
 * written there, so that whoever finds a dead worker's task knows it, and can end it for him.
 *
 *     QUEUED --claim--> RUNNING(worker) --finish--> DONE --read, let go--> freed
 *        |                     |
 *        +------- lose --------+----> LOST     (the worker died; the pool was terminated)
 *
 * Rules.
 *   R1  Only the runner writes `result`; only who ends the task in LOST writes code and text, and
 *       he does so before the CAS; two who try that have the same to say.
 *   R2  A result's block is named in the task, then given to the family, then the state says DONE.
 *   R3  LET_GO is a bit of the state. Whoever sets the second of {over, LET_GO} frees the task.
 *
 * Death. The runner killed: the supervisor loses the task; if a result was named and given already,
 * it is freed then, else the sweep has it. Killed after DONE: the result is there. Killed between
 * the second bit of R3 and the freeing: the pool's end frees it.
 */
#include "room.h"

#include <stdio.h>
#include <string.h>

_Static_assert(kin_pool_KIND == KIN__POOL, "the public number of the kind");

int kin__task_new(kin_pool *pool, kin_fn fn, kin_obj args, uint32_t kind, kin__task **ret_task)
{
    size_t size;
    uint64_t function[2];
    int rv = fn == NULL ? kin__fail(KIN_EINVAL, "a task's function is NULL") : 0;
    rv = rv < 0 ? rv : kin__func_pack(fn, function);
    rv = rv < 0 ? rv : kin__flat_size(args, &size);
    if (rv < 0) {
        return rv;
    }
    kin__task *task = kin__block_new(sizeof *task + size, KIN__TASK);
    if (task == NULL) {
        return kin__failure();
    }
    memset(task, 0, sizeof *task);
    task->pool = pool->self;
    task->submitter = kin__self();
    task->kind = kind;
    memcpy(task->function, function, sizeof function);
    task->size = size;
    rv = kin__flat_write(args, task->args, size);
    if (rv < 0) {
        kin__block_free(task);
        return rv;
    }
    *ret_task = task;
    return 0;
}

bool kin__task_claim(kin__task *task)
{
    uint64_t state = atomic_load(&task->state);
    while (KIN__TASK_PHASE(state) == KIN__TASK_QUEUED) {
        uint64_t running = (state & KIN__TASK_LET_GO) |
                           KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self());
        if (atomic_compare_exchange_weak(&task->state, &state, running)) {
            KIN__STEP("task.claimed");
            return true;
        }
    }
    return false;
}

bool kin__task_is_over(const kin__task *task)
{
    return KIN__TASK_PHASE(atomic_load(&task->state)) >= KIN__TASK_DONE;
}

static void free_task(kin__task *task)
{
    kin__block_discard(atomic_load(&task->result));
    kin__block_free(task);
}

/* R3. The task is over, with this state. */
static void done_with(kin__task *task, uint64_t state)
{
    if (!(state & KIN__TASK_LET_GO)) {
        kin__gate_open(&task->finished);
        return;
    }
    kin_obj result;
    int rv = kin__task_result(task, &result);
    if (rv == 0) {
        kin_release(result);
    } else if (rv != KIN_ECANCELLED) { /* that was somebody's wish */
        kin_log(KIN_LOG_WARNING, "a task that nobody waits for failed: %s", kin_errmsg());
    }
    free_task(task);
}

void kin__task_let_go(kin__task *task)
{
    uint64_t state = atomic_fetch_or(&task->state, KIN__TASK_LET_GO);
    if (KIN__TASK_PHASE(state) >= KIN__TASK_DONE) {
        free_task(task);
    }
}

/* ---- ending ---------------------------------------------------------------------------------------- */

/* From `state`, with its future let go or not. */
static bool end(kin__task *task, uint64_t state, enum kin__task_phase phase)
{
    uint64_t seen = state;
    while ((seen & ~KIN__TASK_LET_GO) == (state & ~KIN__TASK_LET_GO)) {
        uint64_t over = (seen & KIN__TASK_LET_GO) | KIN__TASK_STATE(phase, 0);
        if (atomic_compare_exchange_strong(&task->state, &seen, over)) {
            KIN__STEP("task.over");
            done_with(task, over);
            return true;
        }
    }
    return false;
}

bool kin__task_lose(kin__task *task, uint64_t state, int code, const char *text)
{
    if ((atomic_load(&task->state) & ~KIN__TASK_LET_GO) != (state & ~KIN__TASK_LET_GO)) {
        return false;
    }
    kin__block_discard(atomic_load(&task->result));
    task->code = code;
    snprintf(task->text, sizeof task->text, "%s", text);
    KIN__STEP("task.lost");
    return end(task, state, KIN__TASK_LOST);
}

/* The flat copy of an object in a block of ours. NULL with a sentence when it cannot be sent. */
static void *write_result(kin_obj o, int *ret_code)
{
    size_t size;
    *ret_code = kin__flat_size(o, &size);
    if (*ret_code < 0) {
        return NULL;
    }
    void *block = kin__block_new(size, KIN__MESSAGE);
    *ret_code = block == NULL ? kin__failure() : kin__flat_write(o, block, size);
    if (*ret_code < 0 && block != NULL) {
        kin__block_free(block);
    }
    return *ret_code < 0 ? NULL : block;
}

void kin__task_finish(kin__task *task, kin_obj returned)
{
    uint64_t mine = KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self());
    int code;
    void *block = write_result(returned, &code);
    kin__obj_drop(returned);
    if (block == NULL) {
        char why[sizeof task->text];
        snprintf(why, sizeof why, "the task's result could not be sent: %s", kin_errmsg());
        (void)kin__task_lose(task, mine, code, why);
        return;
    }
    kin__ref ref = kin__block_ref(block);
    atomic_store(&task->result, ref); /* R2 */
    KIN__STEP("task.named");
    kin__block_give(block);
    KIN__STEP("task.given");
    (void)end(task, mine, KIN__TASK_DONE);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

int kin__task_result(kin__task *task, kin_obj *ret_result)
{
    if (KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_LOST) {
        return kin__fail(task->code, "%.*s", (int)sizeof task->text - 1, task->text);
    }
    const void *block = kin__block_at(atomic_load(&task->result), KIN__MESSAGE, NULL);
    if (block == NULL) {
        return kin__fail(KIN_ECORRUPT, "a task's result is not where the task says");
    }
    kin_obj o;
    int rv = kin__flat_read(block, kin__block_size(block), &o);
    return rv < 0 ? rv : kin__obj_result(o, ret_result);
}
