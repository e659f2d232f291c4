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
 *   R1  Only the runner writes `result`; only who ends the task in LOST writes code and text (a
 *       long one as an error, in `result`), when the runner cannot go on, and he does so before the
 *       CAS; two who try that have the same to say.
 *   R2  A result's block is named in the task, then given to the family, then the state says DONE.
 *   R3  Whoever ends a task stands in its state until he has woken those who wait; then he wipes
 *       his name out, and does not touch the task again: it may be gone at once.
 *   R4  LET_GO is a bit of the state. A task that is over and let go is freed by whom the state
 *       names: who ended it, when he finds the bit; else who sets the bit, and writes his name.
 *   R5  The buffers in a flat copy belong to its reader: free_task has only those nobody read.
 *
 * Death. The runner killed: the supervisor loses the task; if a result was named and given already,
 * it is freed then, else the sweep has it. Killed after DONE: the result is there, and the
 * supervisor does the rest of R3 for him. Killed while he frees: he stands in the state, so the
 * supervisor, or the pool's end, frees it.
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
        uint64_t running =
            (state & KIN__TASK_LET_GO) | KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self());
        if (atomic_compare_exchange_weak(&task->state, &state, running)) {
            KIN__STEP("task.claimed");
            return true;
        }
    }
    return false;
}

static bool is_over(uint64_t state)
{
    return KIN__TASK_PHASE(state) >= KIN__TASK_DONE;
}

bool kin__task_is_over(const kin__task *task)
{
    return is_over(atomic_load(&task->state));
}

/* ---- freeing --------------------------------------------------------------------------------- */

static void discard_result(kin__task *task)
{
    kin__ref ref = atomic_load(&task->result);
    if (!atomic_load(&task->result_read) && kin__block_is_shared(ref)) { /* R5 */
        const void *block = kin__block_at(ref, KIN__MESSAGE, NULL);
        kin__flat_discard(block, block != NULL ? kin__block_size(block) : 0);
    }
    kin__block_discard(ref);
}

void kin__task_free(kin__task *task)
{
    size_t room = kin__block_size(task) - sizeof *task;
    if (!atomic_load(&task->args_read) && task->size <= room) {
        kin__flat_discard(task->args, task->size);
    }
    discard_result(task);
    KIN__STEP("task.emptied");
    kin__block_free(task);
}

/* Nobody waits for it: then a failure is logged. */
static void report(kin__task *task)
{
    bool lost = KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_LOST;
    if (lost && task->code == KIN_ECANCELLED) { /* that was somebody's wish */
        return;
    }
    kin_obj result;
    if (kin__task_result(task, &result) == 0) {
        kin_release(result);
    } else {
        kin_log(KIN_LOG_WARNING, "a task that nobody waits for failed: %s", kin_errmsg());
    }
}

/* R3: the task is over, and the state names us, or somebody who died. */
static void done_with(kin__task *task)
{
    kin__gate_open(&task->finished);
    KIN__STEP("task.told");
    uint64_t state = atomic_load(&task->state);
    while (!(state & KIN__TASK_LET_GO)) {
        if (atomic_compare_exchange_weak(&task->state, &state, state - KIN__TASK_RUNNER(state))) {
            return;
        }
    }
    kin__task_free(task);
}

void kin__task_let_go(kin__task *task)
{
    uint64_t state = atomic_load(&task->state);
    bool ours;
    do { /* R4 */
        ours = is_over(state) && KIN__TASK_RUNNER(state) == KIN__NOBODY;
    } while (!atomic_compare_exchange_weak(
        &task->state, &state, state | KIN__TASK_LET_GO | (ours ? kin__self() : KIN__NOBODY)));
    if (ours) {
        KIN__STEP("task.let_go");
        kin__task_free(task);
    }
}

/* ---- ending ---------------------------------------------------------------------------------- */

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

/* Writes a result, or a long reason, where the task says that it is. */
static int place_result(kin__task *task, kin_obj returned)
{
    int code;
    void *block = write_result(returned, &code);
    if (block != NULL) {
        atomic_store(&task->result, kin__block_ref(block)); /* R2 */
        KIN__STEP("task.named");
        kin__block_give(block);
        KIN__STEP("task.given");
    }
    return code;
}

/* From `state`, with its future let go or not. */
static bool end(kin__task *task, uint64_t state, enum kin__task_phase phase)
{
    uint64_t seen = state;
    while ((seen & ~KIN__TASK_LET_GO) == (state & ~KIN__TASK_LET_GO)) {
        uint64_t over = (seen & KIN__TASK_LET_GO) | KIN__TASK_STATE(phase, kin__self());
        if (atomic_compare_exchange_strong(&task->state, &seen, over)) {
            KIN__STEP("task.over");
            if (over & KIN__TASK_LET_GO) {
                report(task);
            }
            done_with(task);
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
    discard_result(task);
    task->code = code;
    snprintf(task->text, sizeof task->text, "%s", text);
    if (strlen(text) >= sizeof task->text) { /* without memory its beginning has to do */
        kin_obj why = kin_error(code, "%s", text);
        (void)place_result(task, why);
        kin_release(why);
    }
    KIN__STEP("task.lost");
    return end(task, state, KIN__TASK_LOST);
}

bool kin__task_lose_of(kin__task *task, kin__id dead, int code, const char *text)
{
    uint64_t state = atomic_load(&task->state);
    bool in_hand = KIN__TASK_RUNNER(state) == dead;
    if (in_hand && is_over(state)) {
        done_with(task);
    } else if (in_hand) {
        (void)kin__task_lose(task, state, code, text);
    }
    return in_hand;
}

void kin__task_forsake(kin__task *task, int code, const char *text)
{
    uint64_t state = atomic_load(&task->state);
    kin__id hand = KIN__TASK_RUNNER(state);
    if (!is_over(state)) {
        (void)kin__task_lose(task, state, code, text);
    } else if (hand != KIN__NOBODY && !kin__alive(hand)) {
        done_with(task);
    }
    /* if it was let go then it is gone by now; whether its submitter has died is asked of others */
    if (!(state & KIN__TASK_LET_GO) && !kin__alive(task->submitter)) {
        kin__task_let_go(task);
    }
}

void kin__task_finish(kin__task *task, kin_obj returned)
{
    uint64_t mine = KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self());
    int code = place_result(task, returned);
    kin__obj_drop(returned);
    if (code < 0) {
        char why[sizeof task->text];
        snprintf(why, sizeof why, "the task's result could not be sent: %s", kin_errmsg());
        (void)kin__task_lose(task, mine, code, why);
        return;
    }
    (void)end(task, mine, KIN__TASK_DONE);
}

/* ---- reading --------------------------------------------------------------------------------- */

int kin__task_result(kin__task *task, kin_obj *ret_result)
{
    bool lost = KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_LOST;
    kin__ref ref = atomic_load(&task->result);
    if (lost && !kin__block_is_shared(ref)) {
        return kin__fail(task->code, "%.*s", (int)sizeof task->text - 1, task->text);
    }
    const void *block = kin__block_at(ref, KIN__MESSAGE, NULL);
    if (block == NULL) {
        return kin__fail(KIN_ECORRUPT, "a task's result is not where the task says");
    }
    kin_obj o;
    int rv = kin__flat_read(block, kin__block_size(block), &o);
    if (rv == 0) {
        atomic_store(&task->result_read, true); /* R5 */
    }
    return rv < 0 ? rv : kin__obj_result(o, ret_result);
}
