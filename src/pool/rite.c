/* rite.c - what a worker does before his first task, and before he leaves: the pool's initializer
 * and finalizer.
 *
 * An initializer that fails, or takes its worker with it, breaks the pool: the next worker's would
 * fail, too. Why is written once, in words, by the first who knows. He ends the pool, and every
 * future has that sentence.
 *
 * Death. A worker killed while he writes why: the block is his until it is named, and goes with
 * him. Killed before he has turned the phase: his place says that he was beginning, and the
 * supervisor does it.
 */
#include "room.h"

#include <stdio.h>
#include <string.h>

/* The first who says it counts. */
static void say_why(kin_pool *pool, const char *text)
{
    kin__ref none = 0;
    size_t size = strlen(text) + 1;
    char *block = kin__block_new(size, KIN__MESSAGE);
    if (block == NULL) {
        return; /* without memory the reason has to do */
    }
    memcpy(block, text, size);
    if (atomic_compare_exchange_strong(&pool->why, &none, kin__block_ref(block))) {
        KIN__STEP("rite.named");
        kin__block_give(block);
    } else {
        kin__block_free(block);
    }
}

int kin__pool_fail_why(const kin_pool *pool, const char *verb)
{
    size_t size;
    kin__ref ref = atomic_load(&pool->why);
    const char *text = ref != 0 ? kin__block_shared(ref, KIN__MESSAGE, &size) : NULL;
    const char *colon = *verb != '\0' ? ": " : "";
    return text == NULL ? kin__fail(KIN_EBROKEN, "%s%sthe pool is broken: its initializer failed",
                                    verb, colon)
                        : kin__fail(KIN_EBROKEN, "%s%s%.*s", verb, colon, (int)size, text);
}

typedef struct calling {
    kin_fn fn;
    kin_obj args, returned;
} calling;

static void call(void *ctx)
{
    calling *c = ctx;
    c->returned = c->fn(kin__obj_lend(c->args));
}

/* It ends its thread. */
static void drop(void *ctx)
{
    kin_release(((calling *)ctx)->args);
}

/* 0, or the code that it returned, with its text. */
static int perform(const kin__rite *rite)
{
    calling c = { 0 };
    size_t size = 0;
    kin_obj result;
    int rv = kin__func_unpack(rite->function, &c.fn);
    const void *flat = rite->args != 0 ? kin__block_shared(rite->args, KIN__MESSAGE, &size) : NULL;
    if (rv == 0 && rite->args == 0) {
        c.args = kin_args();
    } else if (rv == 0) {
        rv = kin__flat_read(flat, size, &c.args);
    }
    if (rv < 0) {
        return rv;
    }
    kin__os_thread_guard(call, drop, &c);
    rv = kin__obj_result(c.returned, &result);
    if (kin__worker_pool() == 0) {
        kin__os_leave(0); /* it has forked, as a task may: worker.c R1 */
    }
    fflush(stdout);
    if (rv == 0) {
        kin_release(result);
    }
    kin_release(c.args);
    return rv;
}

void kin__pool_break(kin_pool *pool, const char *why)
{
    say_why(pool, why);
    (void)kin_queue_close(pool->queue);
    KIN__STEP("rite.closed");
    kin__pool_turn(pool, KIN__POOL_TERMINATING);
    kin__engine_of(pool)->stir(pool);
}

enum kin__task_reason kin__pool_reason(const kin_pool *pool)
{
    return atomic_load(&pool->why) != 0 ? KIN__LOST_UNBEGUN : KIN__LOST_TERMINATED;
}

bool kin__rite_begin(kin_pool *pool, kin__worker *me)
{
    if (!pool->initializer.wanted) {
        return true;
    }
    atomic_store(&me->stage, KIN__STAGE_BEGINS);
    KIN__STEP("rite.begins");
    int rv = perform(&pool->initializer);
    if (rv < 0) {
        char text[KIN__WHY];
        (void)snprintf(text, sizeof text, "the pool is broken: its initializer failed: %s",
                       kin_errmsg());
        kin__pool_break(pool, text);
        return false;
    }
    atomic_store(&me->stage, KIN__STAGE_WORKS);
    return true;
}

void kin__rite_end(kin_pool *pool)
{
    if (pool->finalizer.wanted && perform(&pool->finalizer) < 0) {
        kin_log(KIN_LOG_WARNING, "a worker's finalizer failed: %s", kin_errmsg());
    }
}
