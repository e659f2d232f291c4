#include "pool_scene.h"

static _Atomic int *gate; /* the turn of who may end */

static kin_obj end_at_turn(kin_obj args)
{
    int64_t turn = kin_arg_int(args, 0);
    WAIT_UNTIL(*gate == turn);
    return kin_int(turn);
}

TEST(futures_come_in_the_order_in_which_they_are_done)
{
    gate = test_shared(sizeof *gate);
    kin_pool *pool = pool_of(3);
    kin_future *futures[3];
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_pool_submit(pool, end_at_turn, kin_args(kin_int(3 - i)), NULL, &futures[i]));
    }
    kin_iter *iter;
    CHECK_OK(kin_futures_as_completed(&iter, futures, 3));
    kin_future *next;
    CHECK_ERROR(kin_iter_next_future(iter, &next, 0.01), KIN_ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        *gate = i + 1;
        CHECK_OK(kin_iter_next_future(iter, &next, KIN_FOREVER));
        CHECK_PTR(next, futures[2 - i]);
        kin_future_free(next); /* it is not needed any more */
    }
    CHECK_ERROR(kin_iter_next_future(iter, &next, KIN_FOREVER), KIN_EEOF);
    CHECK_ERROR(kin_iter_next_future(iter, &next, 0), KIN_EEOF);
    kin_iter_free(iter);
    free_whole(pool);
}

TEST(an_iterator_freed_early_leaves_the_futures_as_they_were)
{
    gate = test_shared(sizeof *gate);
    kin_pool *pool = pool_of(2);
    kin_future *futures[2];
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_pool_submit(pool, end_at_turn, kin_args(kin_int(1)), NULL, &futures[i]));
    }
    kin_iter *iter, *second;
    CHECK_OK(kin_futures_as_completed(&iter, futures, 2));
    CHECK_ERROR(kin_futures_as_completed(&second, futures, 2), KIN_ESTATE);
    kin_iter_free(iter);
    CHECK_OK(kin_futures_as_completed(&second, futures, 2));
    *gate = 1;
    kin_future *next;
    CHECK_OK(kin_iter_next_future(second, &next, KIN_FOREVER));
    kin_iter_free(second);
    kin_iter_free(NULL);
    CHECK_OK(kin_futures_wait(futures, 2, KIN_ALL_COMPLETED, KIN_FOREVER));
    kin_future_free(futures[0]);
    kin_future_free(futures[1]);
    free_whole(pool);
}

TEST(futures_of_a_broken_pool_come_too)
{
    gate = test_shared(sizeof *gate);
    kin_pool *pool = pool_of(1);
    kin_future *futures[5000];
    for (int i = 0; i < 5000; i++) {
        CHECK_OK(kin_pool_submit(pool, end_at_turn, kin_args(kin_int(1)), NULL, &futures[i]));
    }
    kin_iter *iter;
    CHECK_OK(kin_futures_as_completed(&iter, futures, 5000));
    kin_log_set_level(KIN_LOG_ERROR); /* that nobody waits for them any more */
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    kin_future *next;
    for (int i = 0; i < 5000; i++) {
        CHECK_OK(kin_iter_next_future(iter, &next, KIN_FOREVER));
        CHECK(kin_future_done(next));
        kin_future_free(next);
    }
    CHECK_ERROR(kin_iter_next_future(iter, &next, KIN_FOREVER), KIN_EEOF);
    kin_iter_free(iter);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
}

TEST(an_iterator_of_nothing_is_at_its_end_and_bad_arguments_are_refused)
{
    kin_iter *iter;
    kin_future *next = NULL;
    CHECK_OK(kin_futures_as_completed(&iter, NULL, 0));
    CHECK_ERROR(kin_iter_next_future(iter, &next, KIN_FOREVER), KIN_EEOF);
    CHECK_ERROR(kin_iter_next_future(iter, NULL, KIN_FOREVER), KIN_EINVAL);
    CHECK_ERROR(kin_iter_next_future(NULL, &next, KIN_FOREVER), KIN_EINVAL);
    CHECK_ERROR(kin_iter_next_future(iter, &next, NAN), KIN_EINVAL);
    kin_iter_free(iter);
    CHECK_ERROR(kin_futures_as_completed(NULL, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_futures_as_completed(&iter, NULL, 1), KIN_EINVAL);
    CHECK_ERROR(kin_futures_as_completed(&iter, &next, 1), KIN_EINVAL);
}
