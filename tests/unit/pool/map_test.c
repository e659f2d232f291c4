#include "pool_scene.h"

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
