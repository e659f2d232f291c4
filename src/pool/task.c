/* task.c - a task: a function and its arguments on the way in, a result or an error on the way out.
 *
 * Idea. A task is one block of the family's. Its state is one word, changed by CAS: who runs it is
 * written there, so that whoever finds a dead worker's task knows it, and can end it for him.
 *
 *        +------ retry --------+               (the worker died, and it may be tried again)
 *        v                     |
 *     QUEUED --claim--> RUNNING(worker) --finish--> DONE --read, let go--> freed
 *        |                     |
 *        +------- lose --------+----> LOST     (the worker died; it was cancelled; the pool ended)
 *
 * Rules.
 *   R1  Only the runner writes `small` and `result`; of a task whose runner cannot go on, only who
 *       ends it as LOST writes `result`, before the CAS: he is the pool's supervisor. Others may
 *       end a task as LOST, too, but only while it is QUEUED, and with nothing but a reason.
 *   R2  A result's block is named in the task, then given to the family, then the state says DONE.
 *   R3  Who ends a task that nobody watches and nobody let go is done with it by that one CAS: it
 *       may be gone at once. Else he stands in its state until he has told those who watch it;
 *       then he wipes his name out, and does not touch it again.
 *   R4  LET_GO is a bit of the state. A task that is over and let go is freed by whom the state
 *       names: who ended it, when he finds the bit; else who sets the bit, and writes his name.
 *   R5  The buffers in a flat copy belong to its reader: free_task has only those nobody read.
 *   R6  A task whose runner lives is not ended by others. It is condemned: a flag, which fails the
 *       runner's own CAS. He leaves then, or is killed, and his death ends the task.
 *   R7  The queue has refs to tasks that were cancelled and freed since. Who takes one from there
 *       may find the block, and another task in its place a moment later, or anything: so QUEUED
 *       has the ref's generation beside it, and his CAS fails.
 *
 * Death. The runner killed: the supervisor loses the task; if a result was named and given already,
 * it is freed then, else the sweep has it. Killed after DONE: the result is there, and the
 * supervisor does the rest of R3 for him. Killed while he frees: he stands in the state, so the
 * supervisor, or the pool's end, frees it.
 */
#include "many.h"

#include <stdio.h>
#include <string.h>

_Static_assert(kin_pool_KIND == KIN__POOL, "the public number of the kind");

/* What its options say, or else its pool's. */
static int set_options(kin_pool *pool, const kin_submit_options *how, kin__task *task)
{
    int retries = how != NULL ? how->retries : 0;
    unsigned most = retries == 0 ? pool->retries : retries < 0 ? 0 : (unsigned)retries;
    task->retries = (uint16_t)(most < UINT16_MAX ? most : UINT16_MAX);
    task->limit = pool->task_timeout;
    return how == NULL || how->timeout == 0
               ? 0
               : kin__limit_of(how->timeout, "kin_pool_submit: .timeout", &task->limit);
}

kin__task *kin__task_blank(const kin_pool *pool, size_t size, uint16_t kind)
{
    kin__ref ref;
    kin__task *task = kin__block_new_ref(sizeof *task + size, KIN__TASK, &ref);
    if (task != NULL) {
        memset(task, 0, sizeof *task);
        atomic_init(&task->state, KIN__TASK_QUEUED_AS(ref)); /* it is nobody else's yet */
        task->pool = pool->self;
        task->submitter = kin__self();
        task->kind = kind;
    }
    return task;
}

int kin__task_make(kin_pool *pool, const kin__plan *plan, kin__task **ret_task)
{
    size_t size;
    uint64_t function[2];
    int rv = plan->fn == NULL ? kin__fail(KIN_EINVAL, "a task's function is NULL") : 0;
    rv = rv < 0 ? rv : kin__func_pack(plan->fn, function);
    rv = rv < 0 ? rv : kin__flat_size(plan->args, &size);
    if (rv < 0) {
        return rv;
    }
    const char *name = plan->how != NULL && plan->how->name != NULL ? plan->how->name : "";
    size_t name_size = *name != '\0' ? strnlen(name, KIN__TASK_NAME - 1) + 1 : 0;
    kin__task *task = kin__task_blank(pool, size + name_size, plan->kind);
    if (task == NULL) {
        return kin__failure();
    }
    memcpy(task->function, function, sizeof function);
    task->size = size;
    task->name_size = (uint16_t)name_size;
    memcpy(task->args + size, name, name_size); /* its 0 is never looked at */
    rv = set_options(pool, plan->how, task);
    rv = rv < 0 ? rv : kin__flat_write(plan->args, task->args, size);
    if (rv < 0) {
        kin__block_free(task);
        return rv;
    }
    *ret_task = task;
    return 0;
}

int kin__task_new(kin_pool *pool, kin_fn fn, kin_obj args, uint16_t kind, kin__task **ret_task)
{
    const kin__plan plan = { .fn = fn, .args = args, .kind = kind };
    return kin__task_make(pool, &plan, ret_task);
}

void kin__task_begun(kin__task *task, pid_t worker)
{
    atomic_store_explicit(&task->worker, worker, memory_order_relaxed);
    atomic_store_explicit(&task->attempts, task->retried + 1, memory_order_relaxed);
}

kin__task *kin__task_claim(kin__ref ref, pid_t pid)
{
    kin__task *task = kin__block_at(ref, KIN__TASK, NULL);
    uint64_t state = task != NULL ? atomic_load(&task->state) : 0;
    KIN__STEP("task.found");
    while ((state & ~KIN__TASK_FLAGS) == KIN__TASK_QUEUED_AS(ref)) { /* R7 */
        uint64_t running =
            (state & KIN__TASK_FLAGS) | KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self());
        if (atomic_compare_exchange_weak(&task->state, &state, running)) {
            KIN__STEP("task.claimed");
            kin__task_begun(task, pid);
            return task;
        }
    }
    return NULL;
}

static bool is_over(uint64_t state)
{
    return KIN__TASK_PHASE(state) >= KIN__TASK_DONE;
}

static kin__id hand_of(uint64_t state)
{
    bool in_hand = KIN__TASK_PHASE(state) == KIN__TASK_RUNNING || is_over(state);
    return in_hand ? KIN__TASK_RUNNER(state) : KIN__NOBODY;
}

static bool is_run_by(uint64_t state, kin__id runner)
{
    return KIN__TASK_PHASE(state) == KIN__TASK_RUNNING && KIN__TASK_RUNNER(state) == runner;
}

bool kin__task_is_over(const kin__task *task)
{
    return is_over(atomic_load(&task->state));
}

void kin__task_watch(kin__task *task)
{
    atomic_fetch_or(&task->state, KIN__TASK_WATCHED);
}

/* ---- freeing --------------------------------------------------------------------------------- */

static void discard_flat(kin__ref ref)
{
    if (kin__block_is_shared(ref)) {
        const void *block = kin__block_at(ref, KIN__MESSAGE, NULL);
        kin__flat_discard(block, block != NULL ? kin__block_size(block) : 0);
    }
    kin__block_discard(ref);
}

static void discard_result(kin__task *task)
{
    kin__ref ref = atomic_load(&task->result);
    bool unread = KIN__TASK_PHASE(atomic_load(&task->state)) == KIN__TASK_DONE &&
                  !atomic_load(&task->result_read); /* R5 */
    if (ref == 0 && unread) {
        kin__flat_discard(task->small, kin__task_small_size(task));
    } else if (ref != 0 && unread) {
        discard_flat(ref);
    } else if (ref != 0) {
        kin__block_discard(ref);
    }
}

void kin__task_free(kin__task *task)
{
    if (!atomic_load(&task->args_read) && task->size <= kin__block_size(task) - sizeof *task) {
        kin__flat_discard(task->args, task->size);
    }
    discard_result(task);
    if (task->kind == KIN__TASK_LOOP) {
        kin__loop_task_freed(task);
    }
    KIN__STEP("task.emptied");
    kin__block_free(task);
}

/* Nobody waits for it: then a failure is logged, unless it was somebody's wish, or the end of the
 * whole pool, of which others are told. */
static void report(kin__task *task, uint64_t state)
{
    enum kin__task_reason reason = KIN__TASK_REASON(state);
    if (KIN__TASK_PHASE(state) == KIN__TASK_LOST && reason >= KIN__LOST_CANCELLED) {
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
    kin__set_tell(task);
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

/* Names a block of ours as the task's result: R2. */
static void name_result(kin__task *task, void *block)
{
    atomic_store(&task->result, kin__block_ref(block));
    KIN__STEP("task.named");
    kin__block_give(block);
    KIN__STEP("task.given");
}

/* Writes the flat copy of a result. A code with a sentence when it cannot be sent. */
static int place_result(kin__task *task, kin_obj returned)
{
    size_t size;
    int rv = kin__flat_size(returned, &size);
    if (rv < 0) {
        return rv;
    }
    if (size <= sizeof task->small) {
        task->small_size = (uint16_t)size;
        return kin__flat_write(returned, task->small, size);
    }
    void *block = kin__block_new(size, KIN__MESSAGE);
    rv = block == NULL ? kin__failure() : kin__flat_write(returned, block, size);
    if (rv == 0) {
        name_result(task, block);
    } else if (block != NULL) {
        kin__block_free(block);
    }
    return rv;
}

/* Without memory the reason has to do. */
static void place_loss(kin__task *task, const kin__loss *loss)
{
    size_t size = sizeof *loss + loss->text_size + strlen(loss->text + loss->text_size) + 1;
    void *block = kin__block_new(size, KIN__MESSAGE);
    if (block != NULL) {
        memcpy(block, loss, size);
        name_result(task, block);
    }
}

/* For kin_pool_stats: counted before the task is over, so who sees its end finds it counted. */
static void count_lost(kin_pool *pool, uint64_t n)
{
    if (pool != NULL) {
        atomic_fetch_add(&pool->lost, n);
    }
}

/* A loop's task for which no worker was needed is none. */
static bool is_loss(const kin__task *task, uint64_t over)
{
    return KIN__TASK_PHASE(over) == KIN__TASK_LOST &&
           (task->kind != KIN__TASK_LOOP || KIN__TASK_REASON(over) != KIN__LOST_CANCELLED);
}

/* From `state`, but for flags, to `over`, which names us. */
static bool end(kin__task *task, uint64_t state, uint64_t over)
{
    kin_pool *pool = is_loss(task, over) ? kin__block_find(task->pool, KIN__POOL) : NULL;
    count_lost(pool, 1);
    uint64_t seen = atomic_load(&task->state);
    while ((seen & ~KIN__TASK_FLAGS) == state) {
        uint64_t flags = seen & KIN__TASK_FLAGS;
        uint64_t next = flags != 0 ? over | flags : over - KIN__TASK_RUNNER(over); /* R3 */
        if (atomic_compare_exchange_strong(&task->state, &seen, next)) {
            KIN__STEP("task.over");
            if (flags & KIN__TASK_LET_GO) {
                report(task, next);
            }
            if (flags != 0) {
                done_with(task);
            }
            return true;
        }
    }
    count_lost(pool, (uint64_t)-1);
    return false;
}

bool kin__task_lose(kin__task *task, uint64_t state, enum kin__task_reason reason,
                    const kin__loss *loss)
{
    if ((atomic_load(&task->state) & ~KIN__TASK_FLAGS) != (state & ~KIN__TASK_FLAGS)) {
        return false;
    }
    if (KIN__TASK_PHASE(state) == KIN__TASK_RUNNING) { /* what the runner had named: R1 */
        discard_flat(atomic_exchange(&task->result, 0));
    }
    if (loss != NULL) {
        place_loss(task, loss);
    }
    KIN__STEP("task.lost");
    bool ended = end(task, state & ~KIN__TASK_FLAGS, KIN__TASK_LOST_FOR(reason, kin__self()));
    if (!ended && loss != NULL) { /* condemned meanwhile: it is still in no hand but ours */
        kin__block_discard(atomic_exchange(&task->result, 0));
    }
    return ended;
}

void kin__task_withdraw(kin__ref ref, enum kin__task_reason reason)
{
    kin__task *task = kin__block_at(ref, KIN__TASK, NULL);
    if (task != NULL) {
        (void)kin__task_lose(task, KIN__TASK_QUEUED_AS(ref), reason, NULL);
    }
}

/* Of a task that is in no living hand: it may be condemned meanwhile, but not ended by others. Who
 * cancelled it was told that it is. */
static void lose_surely(kin__task *task, uint64_t state, enum kin__task_reason reason,
                        const kin__loss *loss)
{
    while (!is_over(state)) {
        bool cancelled = KIN__TASK_PHASE(state) == KIN__TASK_RUNNING && state & KIN__TASK_CANCEL;
        if (cancelled ? kin__task_lose(task, state, KIN__LOST_CANCELLED, NULL)
                      : kin__task_lose(task, state, reason, loss)) {
            return;
        }
        state = atomic_load(&task->state);
    }
}

bool kin__task_lose_of(kin__task *task, kin__id dead, enum kin__task_reason reason,
                       const kin__loss *loss)
{
    uint64_t state = atomic_load(&task->state);
    bool in_hand = hand_of(state) == dead;
    if (in_hand && is_over(state)) {
        done_with(task);
    } else if (in_hand) {
        lose_surely(task, state, reason, loss);
    }
    return in_hand;
}

/* Nobody is the runner of such a task, so whoever comes last may find that the one before him died
 * before he had told. */
void kin__task_whole(kin__task *task, uint32_t number)
{
    uint64_t open = KIN__TASK_STATE(KIN__TASK_IN_PARTS, number);
    if (!end(task, open, KIN__TASK_STATE(KIN__TASK_DONE, kin__self()))) {
        uint64_t state = atomic_load(&task->state);
        kin__id hand = hand_of(state);
        if (is_over(state) && hand != KIN__NOBODY && !kin__alive(hand)) {
            done_with(task);
        }
    }
}

void kin__task_forsake(kin__task *task, enum kin__task_reason reason)
{
    uint64_t state = atomic_load(&task->state);
    kin__id hand = hand_of(state);
    if (!is_over(state)) {
        lose_surely(task, state, reason, NULL);
    } else if (hand != KIN__NOBODY && !kin__alive(hand)) {
        done_with(task);
    }
    /* if it was let go then it is gone by now; whether its submitter has died is asked of others */
    if (!(state & KIN__TASK_LET_GO) && !kin__alive(task->submitter)) {
        kin__task_let_go(task);
    }
}

bool kin__task_finish(kin__task *task, kin_obj returned)
{
    uint64_t mine = KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self());
    int code = place_result(task, returned);
    kin__obj_drop(returned);
    if (code < 0) {
        kin_obj why = kin_error(code, "the task's result could not be sent: %s", kin_errmsg());
        code = place_result(task, why);
        kin_release(why);
    }
    return code < 0 ? kin__task_lose(task, mine, KIN__LOST_NOT_SENT, NULL)
                    : end(task, mine, KIN__TASK_STATE(KIN__TASK_DONE, kin__self()));
}

/* What was read once is gone: R5. */
static bool may_be_tried_again(const kin__task *task)
{
    size_t room = kin__block_size(task) - sizeof *task;
    return task->retried < task->retries && task->size <= room &&
           !(atomic_load(&task->args_read) && kin__flat_has_buffers(task->args, task->size));
}

bool kin__task_retry(kin__task *task, kin__id dead)
{
    uint64_t state = atomic_load(&task->state);
    if (!is_run_by(state, dead) || !may_be_tried_again(task)) {
        return false;
    }
    discard_flat(atomic_exchange(&task->result, 0)); /* R1 */
    task->retried++;
    while (!(state & KIN__TASK_CANCEL)) {
        uint64_t queued = (state & KIN__TASK_FLAGS) | KIN__TASK_QUEUED_AS(kin__block_ref(task));
        if (atomic_compare_exchange_weak(&task->state, &state, queued)) {
            KIN__STEP("task.put_back");
            return true;
        }
    }
    return false;
}

bool kin__task_condemn(kin__task *task, kin__id runner, uint64_t flag)
{
    uint64_t state = atomic_load(&task->state);
    while (is_run_by(state, runner)) {
        if (atomic_compare_exchange_weak(&task->state, &state, state | flag)) {
            KIN__STEP("task.condemned");
            return true;
        }
    }
    return false;
}

uint64_t kin__task_condemned(const kin__task *task, kin__id runner)
{
    uint64_t state = atomic_load(&task->state);
    return is_run_by(state, runner) ? state & KIN__TASK_CONDEMNED : 0;
}

bool kin__task_is_run_by(const kin__task *task, kin__id runner)
{
    return is_run_by(atomic_load(&task->state), runner);
}
