/* In Python's ProcessPoolExecutor with max_tasks_per_child the last worker leaves, nobody starts
 * another one, and what was submitted meanwhile waits for ever (CPython gh-115634, gh-111498: from
 * 3.11 on until 2026). Here there is a worker at each place while the pool is open. */
#include "scene.h"

static kin_obj which_pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

static kin_pool *pool_of_short_lives(unsigned workers, unsigned tasks)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = workers, .max_tasks_per_child = tasks)));
    return pool;
}

TEST(workers_of_one_task_each_do_all_that_is_submitted)
{
    enum { TASKS = 50 };
    kin_pool *pool = pool_of_short_lives(2, 1);
    kin_future *futures[TASKS];
    int64_t pids[TASKS];
    for (int i = 0; i < TASKS; i++) {
        futures[i] = submit(pool, which_pid, kin_args());
    }
    for (int i = 0; i < TASKS; i++) {
        kin_obj o;
        CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
        pids[i] = kin_as_int(o);
        CHECK(i == 0 || pids[i] != pids[i - 1]);
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}

/* One after the other, so that each finds all workers about to leave. */
TEST(a_task_that_is_submitted_while_the_workers_leave_is_done)
{
    kin_pool *pool = pool_of_short_lives(1, 2);
    int64_t last[2] = { 0 };
    for (int i = 0; i < 30; i++) {
        kin_obj o;
        CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &o));
        CHECK(kin_as_int(o) != last[i % 2]); /* nobody does three */
        last[i % 2] = kin_as_int(o);
    }
    free_whole(pool);
}

static kin_obj die_at_every_third(kin_obj args)
{
    if (kin_arg_int(args, 0) % 3 == 0) {
        kill(getpid(), SIGKILL);
    }
    return square(args);
}

TEST(leaving_and_dying_at_once_costs_the_tasks_of_the_dead_alone)
{
    kin_pool *pool = pool_of_short_lives(3, 1);
    kin_future *futures[30];
    for (int i = 0; i < 30; i++) {
        futures[i] = submit(pool, die_at_every_third, kin_args(kin_int(i)));
    }
    CHECK_OK(kin_pool_close(pool));
    for (int i = 0; i < 30; i++) {
        kin_obj o;
        int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
        CHECK_EQ(rv, i % 3 == 0 ? KIN_ECRASHED : 0);
        CHECK(rv < 0 || kin_as_int(o) == i * i);
        kin_future_free(futures[i]);
    }
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}
