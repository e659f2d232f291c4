#include "pool_scene.h"

/* A task that is over: it has come to `result`, which is given. */
static kin__task *task_with(kin_pool *pool, kin_obj result)
{
    kin__task *task;
    kin_obj args = kin_args(kin_int(5));
    CHECK_OK(kin__task_new(pool, square, args, KIN__TASK_CALL, &task));
    kin_release(args);
    kin__block_give(task);
    CHECK_PTR(kin__task_claim(kin__block_ref(task), kin__os_getpid()), task);
    CHECK(kin__task_finish(task, result));
    return task;
}

TEST(the_results_of_a_chunk_come_to_the_end_of_a_list)
{
    kin_pool *pool = pool_of(1);
    kin__task *task =
        task_with(pool, kin_list(kin_int(7), kin_str("a text of some length"), kin_none()));
    kin_obj all = kin__obj_list_for(6);
    CHECK_OK(kin__task_results(task, all, 3));
    CHECK_OK(kin__task_results(task, all, 3));
    CHECK_EQ(kin_len(all), 6);
    CHECK_EQ(kin_as_int(kin_at(all, 3)), 7);
    CHECK_STR(kin_as_str(kin_at(all, 1)), "a text of some length");
    CHECK_STR(kin_as_str(kin_at(all, 4)), "a text of some length");
    kin_release(all);
    kin__task_let_go(task);
    free_whole(pool);
}

TEST(a_chunk_that_failed_or_has_another_length_adds_nothing)
{
    kin_pool *pool = pool_of(1);
    kin__task *failed = task_with(pool, kin_error(KIN_EUSER, "the chunk's own words"));
    kin__task *shorter = task_with(pool, kin_list(kin_int(7)));
    kin_obj all = kin__obj_list_for(2);
    CHECK(kin__task_failed(failed));
    CHECK(!kin__task_failed(shorter));
    CHECK_ERROR(kin__task_results(failed, all, 2), KIN_EUSER);
    CHECK_STR(kin_errmsg(), "the chunk's own words");
    CHECK_ERROR(kin__task_results(shorter, all, 2), KIN_ECORRUPT);
    CHECK_EQ(kin_len(all), 0);
    kin_release(all);
    kin__task_let_go(failed);
    kin__task_let_go(shorter);
    free_whole(pool);
}

TEST(a_task_that_waits_has_not_failed_whatever_its_flags)
{
    kin_pool *pool = pool_of(1);
    kin__task *task;
    CHECK_OK(kin__task_new(pool, square, kin_none(), KIN__TASK_CALL, &task));
    kin__task_watch(task);
    CHECK(!kin__task_failed(task));
    kin__task_free(task);
    free_whole(pool);
}

TEST(a_result_that_was_scribbled_upon_is_told)
{
    kin_pool *pool = pool_of(1);
    kin__task *task = task_with(pool, kin_int(7));
    task->small_size = 1000;
    CHECK_EQ(kin__task_small_size(task), sizeof task->small);
    kin_obj o;
    CHECK_ERROR(kin__task_result(task, &o), KIN_ECORRUPT);
    atomic_store(&task->result, 12345);
    CHECK_ERROR(kin__task_result(task, &o), KIN_ECORRUPT);
    CHECK(kin__task_failed(task));
    atomic_store(&task->result, 0);
    kin__task_let_go(task);
    free_whole(pool);
}
