#include "harness.h"
#include "pool/room.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static kin_pool *new_pool(unsigned processes)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = processes)));
    return pool;
}

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static kin_obj spin_forever(kin_obj args)
{
    for (;;) {
        kin__os_yield();
    }
    return args;
}

static void nobody_is_left(void)
{
    CHECK_EQ(kin__count_alive(), 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST(a_pool_has_a_worker_for_each_core_unless_told)
{
    kin_pool *pool = new_pool(0);
    CHECK_EQ(atomic_load(&pool->wanted), kin_cpu_count());
    kin_pool_free(pool);
    pool = new_pool(5);
    CHECK_EQ(atomic_load(&pool->wanted), 5);
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 5);
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(a_closed_pool_finishes_what_it_has_and_takes_no_more)
{
    kin_pool *pool = new_pool(2);
    kin_future *futures[100];
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(i)), NULL, &futures[i]));
    }
    CHECK_ERROR(kin_pool_join(pool, 0), KIN_ESTATE);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_close(pool));
    kin_future *refused = NULL;
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &refused), KIN_ECLOSED);
    CHECK_NULL(refused);
    CHECK_OK(kin_pool_join(pool, 20));
    CHECK_OK(kin_pool_join(pool, 20));
    for (int i = 0; i < 100; i++) {
        kin_obj result;
        CHECK_OK(kin_future_get(futures[i], &result, 0));
        CHECK_EQ(kin_as_int(result), i * i);
        kin_future_free(futures[i]);
    }
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(a_terminated_pool_cancels_what_it_has)
{
    kin_pool *pool = new_pool(2);
    kin_future *futures[10];
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_pool_submit(pool, spin_forever, kin_args(), NULL, &futures[i]));
    }
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, 20));
    for (int i = 0; i < 10; i++) {
        kin_obj result;
        CHECK_ERROR(kin_future_get(futures[i], &result, 10), KIN_ECANCELLED);
        kin_future_free(futures[i]);
    }
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(a_pool_can_be_freed_at_any_time_and_its_futures_stay_good)
{
    kin_pool *pool = new_pool(2);
    kin_future *done, *running, *queued;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(7)), NULL, &done));
    CHECK_OK(kin_future_wait(done, 10));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_pool_submit(pool, spin_forever, kin_args(), NULL, i < 1 ? &running : NULL));
    }
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(7)), NULL, &queued));
    kin_pool_free(pool);
    kin_obj result;
    CHECK_OK(kin_future_get(done, &result, 0));
    CHECK_EQ(kin_as_int(result), 49);
    CHECK_ERROR(kin_future_get(running, &result, KIN_FOREVER), KIN_ECANCELLED);
    CHECK_ERROR(kin_future_get(queued, &result, KIN_FOREVER), KIN_ECANCELLED);
    kin_future_free(done);
    kin_future_free(running);
    kin_future_free(queued);
    nobody_is_left();
}

TEST(joining_takes_no_longer_than_its_timeout)
{
    kin_pool *pool = new_pool(1);
    CHECK_OK(kin_pool_submit(pool, spin_forever, kin_args(), NULL, NULL));
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_join(pool, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_pool_join(pool, 0.02), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_pool_join: the pool has not ended within the timeout");
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(bad_arguments_are_refused_with_a_sentence)
{
    kin_pool *pool = NULL;
    CHECK_ERROR(kin_pool_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1000000)), KIN_EINVAL);
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .reserved = { 1 })), KIN_EINVAL);
    CHECK_NULL(pool);
    CHECK_ERROR(kin_pool_close(NULL), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_pool_close: the pool is NULL");
    CHECK_ERROR(kin_pool_terminate(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_join(NULL, 0), KIN_EINVAL);
    kin_pool_free(NULL);
    pool = new_pool(1);
    kin_future *future = NULL;
    kin_obj o;
    CHECK_ERROR(kin_pool_submit(pool, NULL, kin_args(kin_str("x")), NULL, &future), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_pool_submit: the function is NULL");
    CHECK_ERROR(kin_pool_submit(NULL, square, kin_args(kin_str("x")), NULL, &future), KIN_EINVAL);
    CHECK_ERROR(kin_pool_submit(pool, square, kin_str("no tuple"), NULL, &future), KIN_ETYPE);
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(),
                                KIN_OPT(kin_submit_options, .reserved = { 1 }), &future),
                KIN_EINVAL);
    CHECK_NULL(future);
    CHECK_ERROR(kin_pool_join(pool, NAN), KIN_EINVAL);
    CHECK_ERROR(kin_future_get(NULL, &o, 0), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_future_get: the future is NULL");
    CHECK_ERROR(kin_future_wait(NULL, 0), KIN_EINVAL);
    CHECK(!kin_future_done(NULL));
    kin_future_free(NULL);
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &future));
    CHECK_ERROR(kin_future_get(future, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_future_get(future, &o, NAN), KIN_EINVAL);
    kin_future_free(future);
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(a_freed_pool_says_so)
{
    kin_pool *pool = new_pool(1);
    kin_pool_free(pool);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), &o), KIN_EFREED);
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 3), NULL, &o), KIN_EFREED);
    CHECK_ERROR(kin_pool_close(pool), KIN_EFREED);
}

static int submit_from_afar(void *ctx)
{
    kin_obj o;
    kin_pool *pool = *(kin_pool **)ctx;
    int rv = kin_pool_apply(pool, square, kin_args(kin_int(9)), &o);
    return rv == 0 && kin_as_int(o) == 81 ? 0 : 1;
}

TEST(any_relative_may_submit)
{
    kin_pool *pool = new_pool(2);
    CHECK_EQ(test_join(test_child(submit_from_afar, &pool)), 0);
    kin_pool_free(pool);
    nobody_is_left();
}

static kin_obj use_own_pool(kin_obj args)
{
    kin_obj o;
    KIN_TRY(kin_pool_apply(kin_as(kin_pool, kin_arg(args, 0)), square, kin_args(kin_int(3)), &o));
    return o;
}

static kin_obj make_inner_pool(kin_obj args)
{
    kin_pool *pool;
    kin_obj o;
    KIN_TRY(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    int rv = kin_pool_apply(pool, square, kin_args(kin_retain(kin_arg(args, 0))), &o);
    kin_pool_free(pool);
    KIN_TRY(rv);
    return o;
}

TEST(a_worker_that_waits_for_its_own_pool_is_told)
{
    kin_pool *pool = new_pool(1);
    kin_obj o;
    int rv = kin_pool_apply(pool, use_own_pool, kin_args(kin_shared(pool)), &o);
    CHECK_ERROR(rv, KIN_EDEADLK);
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(pools_nest)
{
    kin_pool *pool = new_pool(2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, make_inner_pool, kin_args(kin_int(12)), &o));
    CHECK_EQ(kin_as_int(o), 144);
    kin_pool_free(pool);
    nobody_is_left();
}

static int make_a_pool_and_die(void *ctx)
{
    kin_pool *pool = new_pool(3);
    *(pid_t *)ctx = atomic_load(&pool->nursery);
    kin_future *future;
    CHECK_OK(kin_pool_submit(pool, spin_forever, kin_args(), NULL, &future));
    WAIT_UNTIL(kin__count_alive() >= 6);
    kin__os_kill(kin__os_getpid(), SIGKILL);
    return 0;
}

TEST(when_the_maker_is_killed_nobody_is_left)
{
    pid_t *nursery = test_shared(sizeof *nursery);
    kin__self();
    CHECK_EQ(test_join(test_child(make_a_pool_and_die, nursery)), -SIGKILL);
    WAIT_UNTIL(kill(*nursery, 0) < 0 || kin__count_alive() == 1);
    WAIT_UNTIL(kin__count_alive() == 1);
    nobody_is_left();
}

static kin_obj join_own_pool(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    KIN_TRY(kin_pool_close(pool));
    KIN_TRY(kin_pool_join(pool, KIN_FOREVER));
    return kin_none();
}

TEST(a_worker_that_joins_its_own_pool_is_told)
{
    kin_pool *pool = new_pool(1);
    CHECK_ERROR(kin_pool_apply(pool, join_own_pool, kin_args(kin_shared(pool)), NULL), KIN_EDEADLK);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    kin_pool_free(pool);
    nobody_is_left();
}

TEST(a_pool_without_descriptors_says_so)
{
    int fds[64], n = 0;
    struct rlimit limit;
    kin__self();
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 60;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((fds[n] = dup(0)) >= 0) {
        n++;
    }
    kin_pool *pool = NULL;
    CHECK_ERROR(kin_pool_new(&pool, NULL), KIN_EMFILE);
    CHECK_NULL(pool);
    while (n > 0) {
        close(fds[--n]);
    }
    nobody_is_left();
}

TEST(freeing_a_pool_leaves_a_task_that_is_being_written_alone)
{
    kin_pool *pool = new_pool(1);
    kin__task *task;
    kin_obj args = kin_args(kin_int(5));
    CHECK_OK(kin__task_new(pool, square, args, KIN__TASK_CALL, &task));
    kin_release(args);
    size_t size = kin__block_size(task);
    kin__block_give(task);
    kin__task_let_go(task);
    CHECK_PTR(kin__task_claim(kin__block_ref(task), kin__os_getpid()), task);
    CHECK(kin__task_finish(task, kin_none())); /* freed, and still full of what it was */
    void *next = kin__block_new(size, KIN__TASK);
    CHECK_PTR(next, task);
    kin__ref ref = kin__block_ref(next);
    kin_pool_free(pool);
    CHECK_PTR(kin__block_at(ref, KIN__TASK, NULL), next);
    kin__block_free(next);
    nobody_is_left();
}
