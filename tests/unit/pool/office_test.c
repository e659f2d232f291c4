#include "pool_scene.h"

#include "pool/office.h"

static _Atomic int *n;

static void count(kin_future *future, void *ctx)
{
    (void)future;
    (void)ctx;
    (*n)++;
}

#define COUNTED KIN_OPT(kin_submit_options, .on_done = count)

TEST(there_may_be_many_callbacks_and_there_is_nothing_without)
{
    n = test_shared(sizeof *n);
    kin_pool *pool = pool_of(1);
    for (int i = 0; i < 10000; i++) {
        CHECK_OK(kin_pool_submit(pool, echo, kin_args(kin_int(i)), COUNTED, NULL));
    }
    CHECK_NOT_NULL(kin__office_of_all.crowd.top);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(*n, 10000);
    CHECK_NULL(kin__office_of_all.crowd.top);
    CHECK_NULL(kin__office_of_all.posts);
    free_whole(pool);
}

TEST(each_pool_has_its_own)
{
    n = test_shared(sizeof *n);
    kin_pool *pools[2] = { pool_of(1), pool_of(1) };
    kin_future *futures[2];
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_pool_submit(pools[i], square, kin_args(kin_int(1)), COUNTED, &futures[i]));
    }
    kin_waitable there = kin_future_waitable(futures[1]);
    CHECK_EQ(kin_wait(&there, 1, KIN_FOREVER), 1);
    CHECK_OK(kin_future_wait(futures[0], KIN_FOREVER));
    CHECK_EQ(*n, 1);
    CHECK_OK(kin_future_wait(futures[1], KIN_FOREVER));
    CHECK_EQ(*n, 2);
    for (int i = 0; i < 2; i++) {
        kin_future_free(futures[i]);
        kin_pool_free(pools[i]);
    }
}

TEST(kin_wait_calls_nobody_and_the_look_after_it_does)
{
    n = test_shared(sizeof *n);
    kin_pool *pool = pool_of(1);
    for (int i = 0; i < 2; i++) {
        kin_future *future;
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), COUNTED, &future));
        kin_waitable there = kin_future_waitable(future);
        CHECK_EQ(kin_wait(&there, 1, KIN_FOREVER), 1);
        CHECK_EQ(*n, i);
        kin_obj o;
        CHECK_OK(i == 0 ? kin_future_get(future, &o, 0) : kin_future_wait(future, 0));
        CHECK_EQ(*n, i + 1);
        kin_future_free(future);
    }
    free_whole(pool);
}

static int use_the_pool(void *pool)
{
    CHECK_NULL(kin__office_of_all.posts);
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(1)), COUNTED, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
    }
    return *n;
}

TEST(a_forked_child_has_callbacks_of_its_own)
{
    n = test_shared(sizeof *n);
    kin_pool *pool = pool_of(1);
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(1)), COUNTED, NULL));
    pid_t child = test_child(use_the_pool, pool);
    CHECK_EQ(test_join(child), 1);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(*n, 2);
    kin_pool_free(pool);
}
