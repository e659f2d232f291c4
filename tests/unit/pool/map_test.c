#include "pool_scene.h"

#include "pool/many.h"

#include <unistd.h>

static void check_squares(kin_obj results, size_t count)
{
    CHECK_EQ(kin_type_of(results), KIN_TYPE_LIST);
    CHECK_EQ(kin_len(results), count);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ(kin_as_int(kin_at(results, i)), i * i);
    }
}

TEST(map_keeps_the_order_whatever_the_chunks)
{
    kin_pool *pool = pool_of(3);
    const size_t chunks[] = { 0, 1, 7, 1000, 5000 };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        kin_obj results;
        CHECK_OK(kin_pool_map(pool, square, kin_range(0, 1000),
                              KIN_OPT(kin_map_options, .chunksize = chunks[i]), &results));
        check_squares(results, 1000);
        kin_release(results);
    }
    free_whole(pool);
}

TEST(map_over_nothing_is_nothing)
{
    kin_pool *pool = pool_of(1);
    kin_obj results;
    CHECK_OK(kin_pool_map(pool, square, kin_list(), NULL, &results));
    check_squares(results, 0);
    kin_release(results);
    CHECK_OK(kin_pool_map(pool, square, kin_tuple(kin_int(0), kin_int(1)), NULL, &results));
    check_squares(results, 2);
    kin_release(results);
    free_whole(pool);
}

static kin_obj product(kin_obj args)
{
    return kin_int(kin_arg_int(args, 0) * kin_arg_int(args, 1));
}

TEST(with_star_an_item_is_the_arguments)
{
    kin_pool *pool = pool_of(2);
    kin_obj results;
    CHECK_OK(
        kin_pool_map(pool, product,
                     kin_list(kin_tuple(kin_int(2), kin_int(3)), kin_tuple(kin_int(4), kin_int(5))),
                     KIN_OPT(kin_map_options, .star = true), &results));
    CHECK_EQ(kin_as_int(kin_at(results, 0)), 6);
    CHECK_EQ(kin_as_int(kin_at(results, 1)), 20);
    kin_release(results);
    CHECK_ERROR(kin_pool_map(pool, product, kin_list(kin_int(2)),
                             KIN_OPT(kin_map_options, .star = true), &results),
                KIN_ETYPE);
    free_whole(pool);
}

static kin_obj fail_at_odd_tens(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return n % 10 == 5 ? kin_error(KIN_EUSER - (int)n, "item %d", (int)n) : kin_int(n);
}

TEST(the_first_item_that_failed_is_told_after_all_have_ended)
{
    kin_pool *pool = pool_of(2);
    kin_obj results = kin_none();
    for (size_t chunk = 0; chunk < 4; chunk++) {
        CHECK_ERROR(kin_pool_map(pool, fail_at_odd_tens, kin_range(0, 100),
                                 KIN_OPT(kin_map_options, .chunksize = chunk), &results),
                    KIN_EUSER - 5);
        CHECK_STR(kin_errmsg(), "item 5");
        CHECK(kin_is_none(results));
    }
    free_whole(pool);
}

static kin_obj die_at_50(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    if (n == 50) {
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
    return kin_int(n * n);
}

TEST(a_map_ends_though_a_worker_was_killed_in_it)
{
    kin_pool *pool = pool_of(2);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(pool, die_at_50, kin_range(0, 100), NULL, &results), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "signal 9");
    CHECK_OK(kin_pool_map(pool, square, kin_range(0, 100), NULL, &results));
    check_squares(results, 100);
    kin_release(results);
    free_whole(pool);
}

TEST(a_map_takes_no_longer_than_its_timeout)
{
    kin_pool *pool = pool_of(1);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(pool, stay, kin_range(0, 3), KIN_OPT(kin_map_options, .timeout = 0.05),
                             &results),
                KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_pool_map: not all items are done within the timeout");
    free_whole(pool);
}

static _Atomic int *begun, *may_end;

static kin_obj begin_and_wait(kin_obj args)
{
    (void)args;
    atomic_fetch_add(begun, 1);
    WAIT_UNTIL(*may_end);
    return kin_none();
}

TEST(what_a_map_that_timed_out_had_queued_is_not_run)
{
    begun = test_shared(sizeof *begun);
    may_end = test_shared(sizeof *may_end);
    kin_pool *pool = pool_of(1);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(pool, begin_and_wait, kin_range(0, 20),
                             KIN_OPT(kin_map_options, .chunksize = 1, .timeout = 0.05), &results),
                KIN_ETIMEDOUT);
    *may_end = 1;
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL));
    CHECK_LE(*begun, 1);
    free_whole(pool);
}

static kin_obj sleep_or_fail(kin_obj args)
{
    return kin_arg_int(args, 0) == 3 ? kin_error(KIN_EUSER, "no luck") : kin_int(1);
}

TEST(progress_is_told_of_with_its_failures)
{
    int ends[2];
    char text[500] = "";
    CHECK_OK(kin__os_pipe(ends));
    kin_pool *pool = pool_of(2);
    kin_obj results;
    int saved = dup(2);
    dup2(ends[1], 2);
    int rv = kin_pool_map(pool, sleep_or_fail, kin_range(0, 10),
                          KIN_OPT(kin_map_options, .progress = true, .chunksize = 2), &results);
    dup2(saved, 2);
    CHECK_ERROR(rv, KIN_EUSER);
    CHECK_GT(read(ends[0], text, sizeof text - 1), 0);
    CHECK_CONTAINS(text, "10/10, 1 failed, ");
    close(saved);
    close(ends[0]);
    close(ends[1]);
    free_whole(pool);
}

/* ---- a future of the list -------------------------------------------------------------------- */

TEST(a_future_of_the_list_is_that_of_any_task)
{
    kin_pool *pool = pool_of(2);
    const size_t chunks[] = { 0, 1, 7, 5000 };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        kin_future *future;
        kin_obj results;
        CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 1000),
                                    KIN_OPT(kin_map_options, .chunksize = chunks[i]), &future));
        CHECK_OK(kin_future_wait(future, KIN_FOREVER));
        CHECK(kin_future_done(future));
        CHECK_OK(kin_futures_wait(&future, 1, KIN_FIRST_ERROR, 0));
        for (int again = 0; again < 2; again++) {
            CHECK_OK(kin_future_get(future, &results, 0));
            check_squares(results, 1000);
            kin_release(results);
        }
        kin_future_free(future);
    }
    free_whole(pool);
}

TEST(a_future_of_an_empty_list_is_done_at_once)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj results;
    CHECK_OK(kin_pool_map_async(pool, square, kin_list(), NULL, &future));
    CHECK(kin_future_done(future));
    CHECK_OK(kin_future_get(future, &results, 0));
    check_squares(results, 0);
    kin_release(results);
    kin_future_free(future);
    free_whole(pool);
}

TEST(the_first_failure_in_the_items_order_is_that_of_the_future)
{
    kin_pool *pool = pool_of(2);
    kin_future *future;
    kin_obj results;
    CHECK_OK(kin_pool_map_async(pool, die_of,
                                kin_list(kin_int(SIGTERM), kin_int(SIGKILL), kin_int(SIGKILL)),
                                NULL, &future));
    CHECK_OK(kin_futures_wait(&future, 1, KIN_ALL_COMPLETED, KIN_FOREVER));
    CHECK_ERROR(kin_future_get(future, &results, 0), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "signal 15");
    kin_failure why;
    CHECK_OK(kin_future_failure(future, &why));
    CHECK_EQ(why.code, KIN_ECRASHED);
    CHECK_EQ(why.signal, SIGTERM);
    CHECK_CONTAINS(why.text, "signal 15");
    kin_future_free(future);
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 3), NULL, &future));
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK_ERROR(kin_future_failure(future, &why), KIN_ESTATE);
    kin_future_free(future);
    free_whole(pool);
}

TEST(a_map_runs_while_a_worker_is_at_any_of_it)
{
    kin_pool *pool = pool_of(1);
    kin_future *first, *second;
    CHECK_OK(kin_pool_map_async(pool, stay, kin_range(0, 3), NULL, &first));
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 3), NULL, &second));
    WAIT_UNTIL(kin_future_running(first));
    CHECK(!kin_future_running(second));
    CHECK_OK(kin_future_cancel(first, KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK(!kin_future_running(first));
    CHECK_OK(kin_future_wait(second, KIN_FOREVER));
    CHECK(!kin_future_running(second));
    kin_future_free(first);
    kin_future_free(second);
    free_whole(pool);
}

TEST(futures_of_lists_let_go_early_leave_nothing_behind)
{
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 50; i++) {
        kin_future *future = NULL;
        CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 100), NULL, i % 2 ? &future : NULL));
        kin_future_free(future);
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

static uint64_t blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

TEST(a_future_of_a_list_let_go_early_leaves_nothing_in_a_pool_that_goes_on)
{
    begun = test_shared(sizeof *begun);
    may_end = test_shared(sizeof *may_end);
    kin_pool *pool = pool_of(1);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL));
    uint64_t before = blocks();
    for (int i = 0; i < 20; i++) {
        kin_future *future;
        CHECK_OK(kin_pool_map_async(pool, begin_and_wait, kin_range(0, 3), NULL, &future));
        kin_future_free(future);
    }
    CHECK_GT(blocks(), before);
    *may_end = 1;
    WAIT_UNTIL(blocks() <= before);
    CHECK_EQ(*begun, 60);
    free_whole(pool);
}

TEST(a_map_that_is_cancelled_is_done_and_so_is_one_whose_pool_ends)
{
    kin_pool *pool = pool_of(1);
    kin_future *first, *second, *third;
    kin_obj results;
    CHECK_OK(kin_pool_map_async(pool, stay, kin_range(0, 3), NULL, &first));
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 3), NULL, &second));
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 3), NULL, &third));
    CHECK_ERROR(kin_future_get(second, &results, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_future_cancel(second, NULL));
    CHECK_OK(kin_future_cancel(second, NULL));
    CHECK_ERROR(kin_future_get(second, &results, 0), KIN_ECANCELLED);
    CHECK_ERROR(kin_future_get(third, &results, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_future_cancel(first, KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK_OK(kin_future_wait(third, KIN_FOREVER)); /* the worker is free, or another one is there */
    CHECK_ERROR(kin_future_cancel(third, NULL), KIN_ESTATE);
    kin_future_free(third);
    CHECK_OK(kin_pool_map_async(pool, stay, kin_range(0, 3), NULL, &third));
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_ERROR(kin_future_get(third, &results, KIN_FOREVER), KIN_ECANCELLED);
    kin_pool_free(pool);
    CHECK_ERROR(kin_future_get(first, &results, 0), KIN_ECANCELLED);
    kin_future_free(first);
    kin_future_free(second);
    kin_future_free(third);
}

TEST(the_map_of_a_broken_pool_says_so)
{
    kin_pool *pool = pool_of(2);
    kin_future *future;
    kin_obj results;
    CHECK_OK(kin_pool_map_async(pool, stay, kin_range(0, 3), NULL, &future));
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    CHECK_ERROR(kin_future_get(future, &results, KIN_FOREVER), KIN_EBROKEN);
    kin_pool_free(pool);
    kin_future_free(future);
    WAIT_UNTIL(kin__count_alive() == 1);
}

static int try_map(void *pool)
{
    kin_future *future;
    kin_obj results = kin_none();
    int rv = kin_pool_map_async(pool, square, kin_range(0, 3),
                                KIN_OPT(kin_map_options, .chunksize = 1), &future);
    if (rv == 0) {
        rv = kin_future_get(future, &results, KIN_FOREVER);
        kin_release(results);
        kin_future_free(future);
    }
    return rv;
}

TEST(without_memory_there_is_no_map_and_nothing_is_left)
{
    kin_pool *pool = pool_of(1);
    CHECK_OK(try_map(pool));
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, pool, .attempt = try_map), 10);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

static void map_and_get(void *ctx)
{
    kin_pool *pool = pool_of(2);
    kin_future *future;
    kin_obj results;
    (void)ctx;
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 6),
                                KIN_OPT(kin_map_options, .chunksize = 1), &future));
    int rv = kin_future_get(future, &results, KIN_FOREVER);
    CHECK(rv == 0 || rv == KIN_ECRASHED);
    if (rv == 0) {
        check_squares(results, 6);
        kin_release(results);
    }
    kin_future_free(future);
    kin_pool_free(pool);
}

static void nothing_is_left(void *ctx, const char *step)
{
    (void)ctx;
    (void)step;
    WAIT_UNTIL(test_is_alone() && kin__count_alive() == 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST_WITHIN(120, who_is_killed_while_he_ends_a_chunk_ends_the_whole_all_the_same)
{
    CHECK_OK(kin__join());
    CHECK_GE(
        kill_loop("set.", NULL, .victim = map_and_get, .check = nothing_is_left, .anybody = true),
        6);
    CHECK_GE(
        kill_loop("task.", NULL, .victim = map_and_get, .check = nothing_is_left, .anybody = true),
        6);
}

/* A relative who submits is killed; the pool goes on, and has nothing of his at its end. */
static void submit_and_wait(void *pool)
{
    kin_future *futures[2];
    kin_obj results;
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 4),
                                KIN_OPT(kin_map_options, .chunksize = 1), &futures[0]));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &futures[1]));
    CHECK_OK(kin_futures_wait(futures, 2, KIN_ALL_COMPLETED, KIN_FOREVER));
    CHECK_OK(kin_future_get(futures[0], &results, 0));
    kin_release(results);
    kin_future_free(futures[0]);
    kin_future_free(futures[1]);
}

static void pool_goes_on(void *pool, const char *step)
{
    (void)step;
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
}

TEST_WITHIN(120, who_is_killed_while_he_submits_or_waits_leaves_nothing)
{
    kin_pool *pool = pool_of(2);
    CHECK_GE(kill_loop(NULL, pool, .victim = submit_and_wait, .check = pool_goes_on), 20);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

static kin_obj map_in_own_pool(kin_obj args)
{
    kin_obj results;
    KIN_TRY(
        kin_pool_map(kin_as(kin_pool, kin_arg(args, 0)), square, kin_range(0, 3), NULL, &results));
    return results;
}

TEST(bad_arguments_are_refused_with_a_sentence)
{
    kin_pool *pool = pool_of(1);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(NULL, square, kin_range(0, 3), NULL, &results), KIN_EINVAL);
    CHECK_ERROR(kin_pool_map(pool, NULL, kin_range(0, 3), NULL, &results), KIN_EINVAL);
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 3), NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_map(pool, square, kin_int(3), NULL, &results), KIN_ETYPE);
    CHECK_STR(kin_errmsg(), "kin_pool_map: the items are no list and no tuple");
    CHECK_ERROR(kin_pool_map(pool, square, (kin_obj){ 0 }, NULL, &results), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_pool_map: ");
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 3),
                             KIN_OPT(kin_map_options, .timeout = NAN), &results),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 3),
                             KIN_OPT(kin_map_options, .reserved = { 1 }), &results),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_apply(pool, map_in_own_pool, kin_args(kin_shared(pool)), &results),
                KIN_EDEADLK);
    free_whole(pool);
}

static _Atomic int *second_is_done;

static kin_obj time_out_first(kin_obj args)
{
    if (kin_arg_int(args, 0) == 0) {
        return kin_error(KIN_ETIMEDOUT, "the task's own wait");
    }
    kin_sleep(0.2);
    *second_is_done = 1;
    return kin_none();
}

TEST(a_task_that_timed_out_itself_does_not_end_the_map_early)
{
    second_is_done = test_shared(sizeof *second_is_done);
    kin_pool *pool = pool_of(2);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(pool, time_out_first, kin_range(0, 2), NULL, &results), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "the task's own wait");
    CHECK_EQ(*second_is_done, 1);
    free_whole(pool);
}
