#include "pool_scene.h"

#include <stdlib.h>

TEST(apply_returns_what_the_task_returned)
{
    kin_pool *pool = pool_of(2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(12)), &o));
    CHECK_EQ(kin_as_int(o), 144);
    kin_obj deep = kin_list(kin_str("a long text that does not fit into a cell of the queue"),
                            kin_dict(kin_str("k"), kin_tuple(kin_float(0.5), kin_none())));
    CHECK_OK(kin_pool_apply(pool, echo, kin_args(kin_retain(deep)), &o));
    CHECK(kin_equal(o, deep));
    kin_release(o);
    kin_release(deep);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
    free_whole(pool);
}

static kin_obj fail_with(kin_obj args)
{
    return kin_error((int)kin_arg_int(args, 0),
                     "no %s, for a reason that takes some words to tell, "
                     "so that it does not fit into a small place: %0200d",
                     kin_arg_str(args, 1), 7);
}

TEST(a_task_that_returns_an_error_gives_its_code_and_text)
{
    kin_pool *pool = pool_of(2);
    kin_obj o;
    int rv = kin_pool_apply(pool, fail_with, kin_args(kin_int(KIN_EUSER - 3), kin_str("way")), &o);
    CHECK_ERROR(rv, KIN_EUSER - 3);
    CHECK_CONTAINS(kin_errmsg(), "no way, for a reason");
    CHECK_CONTAINS(kin_errmsg(), "00000007");
    free_whole(pool);
}

static kin_obj return_nothing_at_all(kin_obj args)
{
    return kin_at(args, 99);
}

static kin_obj return_a_knot(kin_obj args)
{
    kin_obj list = kin_list(kin_retain(kin_arg(args, 0)));
    KIN_TRY(kin_append(&list, kin_retain(list)));
    return list;
}

TEST(a_result_that_cannot_be_sent_fails_its_task_alone)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, return_nothing_at_all, kin_args(), &o), KIN_ERANGE);
    CHECK_ERROR(kin_pool_apply(pool, return_a_knot, kin_args(kin_int(1)), &o), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "could not be sent");
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), &o));
    CHECK_EQ(kin_as_int(o), 4);
    free_whole(pool);
}

TEST(a_future_can_be_asked_again_and_again)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    CHECK_OK(kin_pool_submit(
        pool, echo, kin_args(kin_str("the same text each time, of some length")), NULL, &future));
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK(kin_future_done(future));
    for (int i = 0; i < 3; i++) {
        kin_obj o;
        CHECK_OK(kin_future_get(future, &o, 0));
        CHECK_CONTAINS(kin_as_str(o), "the same text");
        kin_release(o);
    }
    kin_future_free(future);
    free_whole(pool);
}

TEST(waiting_takes_no_longer_than_its_timeout_and_the_pool_goes_on)
{
    kin_pool *pool = pool_of(2);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    CHECK(!kin_future_done(future));
    CHECK_ERROR(kin_future_get(future, &o, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_future_get(future, &o, -1), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_future_get(future, &o, 0.02), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_future_get: the task is not done within the timeout");
    CHECK_ERROR(kin_future_wait(future, 0.12), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_future_wait: the task is not done within the timeout");
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(4)), &o));
    kin_future_free(future);
    free_whole(pool);
}

TEST(futures_let_go_early_leave_nothing_behind)
{
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 500; i++) {
        kin_future *future;
        CHECK_OK(kin_pool_submit(pool, echo,
                                 kin_args(kin_str("a result that needs a block of its own")), NULL,
                                 i % 2 ? &future : NULL));
        if (i % 2) {
            kin_future_free(future);
        }
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, 20));
    free_whole(pool);
}

static void keep_line(int level, const char *text, void *ctx)
{
    if (level >= KIN_LOG_WARNING) {
        strncpy(ctx, text, 199);
    }
}

TEST(a_failure_that_nobody_waits_for_is_logged)
{
    char *line = test_shared(200);
    kin_log_set_handler(keep_line, line);
    kin_pool *pool = pool_of(1);
    CHECK_OK(kin_pool_submit(pool, fail_with, kin_args(kin_int(KIN_EUSER), kin_str("luck")), NULL,
                             NULL));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, 20));
    CHECK_CONTAINS(line, "no luck");
    free_whole(pool);
}

static kin_obj fill_buffer(kin_obj args)
{
    size_t size;
    char *bytes = kin_take_buffer(kin_arg(args, 0), &size);
    for (size_t i = 0; i < size; i++) {
        bytes[i]++;
    }
    return kin_buffer(bytes, size);
}

TEST(a_buffer_goes_there_and_back_without_a_copy)
{
    kin_pool *pool = pool_of(1);
    char *bytes = kin_alloc(1000000);
    bytes[999999] = 41;
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, fill_buffer, kin_args(kin_buffer(bytes, 1000000)), &o));
    size_t size;
    char *back = kin_take_buffer(o, &size);
    CHECK_PTR(back, bytes);
    CHECK_EQ(size, 1000000);
    CHECK_EQ(back[999999], 42);
    kin_free(back);
    kin_release(o);
    free_whole(pool);
}

TEST(an_error_is_no_tuple_of_arguments)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, square, kin_error(KIN_EUSER, "no"), &o), KIN_ETYPE);
    CHECK_STR(kin_errmsg(), "kin_pool_apply: the arguments are no tuple; see kin_args");
    CHECK_ERROR(kin_pool_apply(pool, square, (kin_obj){ 0 }, &o), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_pool_apply: ");
    free_whole(pool);
}

static kin_obj new_buffer(kin_obj args)
{
    (void)args;
    return kin_buffer(kin_alloc(100), 100);
}

TEST(buffers_that_nobody_takes_out_are_freed)
{
    kin_pool *pool = pool_of(1);
    kin_future *unread, *queued, *refused;
    CHECK_OK(kin_pool_submit(pool, new_buffer, kin_args(), NULL, &unread));
    CHECK_OK(kin_future_wait(unread, KIN_FOREVER));
    kin_future_free(unread);
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, NULL));
    CHECK_OK(kin_pool_submit(pool, echo, kin_args(new_buffer(kin_none())), NULL, &queued));
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_submit(pool, echo, kin_args(new_buffer(kin_none())), NULL, &refused),
                KIN_ECLOSED);
    CHECK_OK(kin_pool_terminate(pool));
    kin_future_free(queued);
    free_whole(pool);
}

TEST(a_buffer_that_was_taken_out_of_a_result_outlives_its_future)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, echo, kin_args(new_buffer(kin_none())), NULL, &future));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    kin_future_free(future);
    char *bytes = kin_take_buffer(o, NULL);
    CHECK_NOT_NULL(bytes);
    CHECK_EQ(kin__block_type(bytes), KIN__RAW);
    CHECK(kin__block_is_shared(kin__block_ref(bytes)));
    kin_free(bytes);
    kin_release(o);
    free_whole(pool);
}

static kin_obj count_one(kin_obj args)
{
    atomic_fetch_add((_Atomic int *)kin_arg_shared(args, 0), 1);
    return kin_none();
}

static kin_obj apply_in_my_own_pool(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    return kin_int(kin_pool_apply(pool, count_one, kin_args(kin_arg(args, 1)), NULL));
}

TEST(what_a_worker_may_not_wait_for_is_not_run_either)
{
    kin_pool *pool = pool_of(2);
    _Atomic int *count = kin_alloc(sizeof *count);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, apply_in_my_own_pool,
                            kin_args(kin_shared(pool), kin_shared((void *)count)), &o));
    CHECK_EQ(kin_as_int(o), KIN_EDEADLK);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER)); /* all that was submitted is done */
    CHECK_EQ(*count, 0);
    kin_free((void *)count);
    free_whole(pool);
}
