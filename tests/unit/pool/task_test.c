#include "pool_scene.h"

static kin__task *new_task(kin_pool *pool)
{
    kin__task *task;
    kin_obj args = kin_args(kin_int(5));
    CHECK_OK(kin__task_new(pool, square, args, KIN__TASK_CALL, &task));
    kin_release(args);
    kin__block_give(task);
    return task;
}

TEST(a_task_is_claimed_once_and_ends_once)
{
    kin_pool *pool = pool_of(1);
    kin__task *task = new_task(pool);
    CHECK(!kin__task_is_over(task));
    CHECK_PTR(kin__task_claim(kin__block_ref(task), kin__os_getpid()), task);
    CHECK_NULL(kin__task_claim(kin__block_ref(task), kin__os_getpid()));
    kin__task_withdraw(kin__block_ref(task), KIN__LOST_CANCELLED);
    CHECK(!kin__task_is_over(task));
    CHECK(kin__task_finish(task, kin_str("a result that is given")));
    CHECK(kin__task_is_over(task));
    CHECK(!kin__task_lose(task, KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self()), KIN__LOST_CRASHED,
                          NULL));
    kin_obj o;
    CHECK_OK(kin__task_result(task, &o));
    CHECK_STR(kin_as_str(o), "a result that is given");
    kin_release(o);
    kin__task_let_go(task);
    free_whole(pool);
}

TEST(a_lost_task_says_why)
{
    kin_pool *pool = pool_of(1);
    kin__task *task = new_task(pool);
    kin__loss *loss = test_shared(sizeof *loss + sizeof "he fell" + 1);
    *loss = (kin__loss){ .code = KIN_ECRASHED, .text_size = sizeof "he fell" };
    strcpy(loss->text, "he fell");
    CHECK_PTR(kin__task_claim(kin__block_ref(task), kin__os_getpid()), task);
    CHECK(kin__task_lose(task, KIN__TASK_STATE(KIN__TASK_RUNNING, kin__self()), KIN__LOST_CRASHED,
                         loss));
    kin_obj o;
    CHECK_ERROR(kin__task_result(task, &o), KIN_ECRASHED);
    CHECK_STR(kin_errmsg(), "he fell");
    kin__task_let_go(task);
    free_whole(pool);
}

TEST(a_task_let_go_before_its_end_is_freed_at_its_end)
{
    kin_pool *pool = pool_of(1);
    kin__task *task = new_task(pool);
    kin__ref ref = kin__block_ref(task);
    kin__task_let_go(task);
    CHECK_PTR(kin__task_claim(kin__block_ref(task), kin__os_getpid()), task);
    CHECK_PTR(kin__block_at(ref, KIN__TASK, NULL), task);
    CHECK(kin__task_finish(task, kin_int(1)));
    CHECK_NULL(kin__block_at(ref, KIN__TASK, NULL));
    free_whole(pool);
}

TEST(bad_arguments_make_no_task)
{
    kin_pool *pool = pool_of(1);
    kin__task *task = NULL;
    CHECK_ERROR(kin__task_new(pool, NULL, kin_none(), KIN__TASK_CALL, &task), KIN_EINVAL);
    CHECK_ERROR(kin__task_new(pool, square, (kin_obj){ 0 }, KIN__TASK_CALL, &task), KIN_EINVAL);
    kin_obj knot = kin_list();
    CHECK_OK(kin_append(&knot, kin_retain(knot)));
    CHECK_ERROR(kin__task_new(pool, square, knot, KIN__TASK_CALL, &task), KIN_EINVAL);
    CHECK_OK(kin_setitem(&knot, kin_int(0), kin_none()));
    kin_release(knot);
    CHECK_NULL(task);
    free_whole(pool);
}

static _Atomic int *stopped;

static void stop_between_over_and_told(const char *step)
{
    if (strcmp(step, "task.over") == 0) {
        *stopped = 1;
        WAIT_UNTIL(*stopped == 0);
    }
}

static kin_obj stop_at_the_end(kin_obj args)
{
    kin__step_hook(stop_between_over_and_told);
    return kin_int((int64_t)kin_len(kin_arg(args, 0)));
}

TEST(a_task_is_not_touched_after_it_may_be_gone)
{
    const size_t size = 1 << 20; /* so large that its memory is used for anything afterwards */
    stopped = test_shared(sizeof *stopped);
    kin_pool *pool = pool_of(1);
    char *large = calloc(1, size);
    kin_future *future;
    kin_obj o;
    CHECK_OK(
        kin_pool_submit(pool, stop_at_the_end, kin_args(kin_bytes(large, size)), NULL, &future));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    WAIT_UNTIL(*stopped == 1);
    kin_future_free(future);
    unsigned char *next = kin_alloc(size);
    memset(next, 0xff, size);
    *stopped = 0;
    WAIT_UNTIL(atomic_load(&pool->workers[0].tasks_done) == 1);
    memset(large, 0xff, size);
    CHECK_MEM(next, large, size);
    kin_free(next);
    free(large);
    free_whole(pool);
}

/* ---- a ref outlives its task ----------------------------------------------------------------- */

static void stop_before_the_claim(const char *step)
{
    if (strcmp(step, "task.found") == 0 && *stopped == 0) {
        *stopped = 1;
        WAIT_UNTIL(*stopped == 2);
    }
}

static kin_obj stop_at_the_next(kin_obj args)
{
    kin__step_hook(stop_before_the_claim);
    return kin_int((int64_t)kin_len(args));
}

/* The only worker has found a task, which is cancelled and freed before he claims it. */
static kin__ref have_one_vanish(kin_pool *pool, kin_obj args)
{
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, stop_at_the_next, kin_args(), &o));
    CHECK_OK(kin_pool_submit(pool, echo, args, NULL, &future));
    WAIT_UNTIL(*stopped == 1);
    CHECK_OK(kin_future_cancel(future, NULL));
    kin__ref ref = future->task;
    kin_future_free(future);
    return ref;
}

TEST(a_task_in_the_place_of_one_that_was_cancelled_is_not_taken_for_it)
{
    stopped = test_shared(sizeof *stopped);
    kin_pool *pool = pool_of(1);
    kin_future *next;
    kin_obj o;
    kin__ref ref = have_one_vanish(pool, kin_args(kin_int(SIGKILL)));
    CHECK_OK(kin_pool_submit(pool, die_of, kin_args(kin_int(SIGKILL)), NULL, &next));
    CHECK_EQ((uint32_t)next->task, (uint32_t)ref);
    CHECK_NE(next->task, ref);
    *stopped = 2;
    CHECK_ERROR(kin_future_get(next, &o, 20), KIN_ECRASHED);
    kin_future_free(next);
    free_whole(pool);
}

TEST(memory_in_the_place_of_a_task_that_was_cancelled_is_not_taken_for_one)
{
    const size_t size = 1 << 20;
    stopped = test_shared(sizeof *stopped);
    kin_pool *pool = pool_of(1);
    char *large = calloc(1, size);
    kin_obj o;
    kin__ref ref = have_one_vanish(pool, kin_args(kin_bytes(large, size)));
    char *next = kin_alloc(size);
    CHECK_EQ((uint32_t)kin__block_ref(next), (uint32_t)ref);
    *stopped = 2;
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o));
    CHECK_MEM(next, large, size);
    kin_free(next);
    free(large);
    free_whole(pool);
}
