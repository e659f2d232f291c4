#include "pool_scene.h"

#include <unistd.h>

static pid_t pid_of_worker(const kin_pool *pool, unsigned index)
{
    kin__id id;
    WAIT_UNTIL((id = atomic_load(&pool->workers[index].id)) != 0);
    return kin__pid_of(id);
}

TEST(a_task_whose_worker_dies_fails_alone_and_the_worker_is_replaced)
{
    kin_pool *pool = pool_of(2);
    const int signals[] = {SIGKILL, SIGSEGV, SIGABRT, SIGTERM};
    for (int i = 0; i < 4; i++) {
        kin_obj o;
        kin_future *before, *after;
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(5)), NULL, &before));
        int rv = kin_pool_apply(pool, die_of, kin_args(kin_int(signals[i])), &o);
        CHECK_ERROR(rv, KIN_ECRASHED);
        char text[20];
        snprintf(text, sizeof text, "signal %d", signals[i]);
        CHECK_CONTAINS(kin_errmsg(), text);
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(6)), NULL, &after));
        CHECK_OK(kin_future_get(before, &o, 20));
        CHECK_EQ(kin_as_int(o), 25);
        CHECK_OK(kin_future_get(after, &o, 20));
        CHECK_EQ(kin_as_int(o), 36);
        kin_future_free(before);
        kin_future_free(after);
    }
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 2);
    free_whole(pool);
}

static kin_obj exit_with(kin_obj args)
{
    _exit((int)kin_arg_int(args, 0));
}

TEST(a_task_that_exits_has_crashed_whatever_its_code)
{
    kin_pool *pool = pool_of(1);
    for (int code = 0; code < 3; code++) {
        kin_obj o;
        int rv = kin_pool_apply(pool, exit_with, kin_args(kin_int(code)), &o);
        CHECK_ERROR(rv, KIN_ECRASHED);
        CHECK_CONTAINS(kin_errmsg(), "exit code");
    }
    free_whole(pool);
}

TEST(an_idle_worker_that_is_killed_is_not_missed)
{
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 10; i++) {
        pid_t pid = pid_of_worker(pool, (unsigned)i % 2);
        kin__os_kill(pid, SIGKILL);
        kin_obj results;
        CHECK_OK(kin_pool_map(pool, square, kin_range(0, 20), NULL, &results));
        CHECK_EQ(kin_len(results), 20);
        kin_release(results);
    }
    free_whole(pool);
}

TEST(all_workers_killed_at_once_ten_times_in_a_row)
{
    kin_pool *pool = pool_of(4);
    for (int round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) {
            kin__os_kill(pid_of_worker(pool, i), SIGKILL);
        }
        kin_obj o;
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(round)), &o));
        CHECK_EQ(kin_as_int(o), round * round);
    }
    free_whole(pool);
}

TEST(a_pool_whose_supervisor_is_killed_is_broken_at_once)
{
    kin_pool *pool = pool_of(2);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    CHECK_ERROR(kin_future_wait(future, 0.01), KIN_ETIMEDOUT);
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EBROKEN);
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), &o), KIN_EBROKEN);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_join(pool, KIN_FOREVER), KIN_EBROKEN);
    kin_future_free(future);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
    pool = pool_of(2); /* and a new one can be made */
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o));
    kin_pool_free(pool);
}

static kin_obj which_pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

TEST(workers_ignore_ctrl_c)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &o));
    int64_t pid = kin_as_int(o);
    kin__os_kill((pid_t)pid, SIGINT);
    kin__os_kill(atomic_load(&pool->nursery), SIGINT);
    CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &o));
    CHECK_EQ(kin_as_int(o), pid);
    free_whole(pool);
}

TEST(a_task_that_exits_while_the_pool_closes_costs_no_other_task)
{
    kin_pool *pool = pool_of(1);
    kin_future *exits, *later;
    CHECK_OK(kin_pool_submit(pool, exit_with, kin_args(kin_int(0)), NULL, &exits));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(7)), NULL, &later));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, 20));
    kin_obj o;
    CHECK_ERROR(kin_future_get(exits, &o, 0), KIN_ECRASHED);
    CHECK_OK(kin_future_get(later, &o, 0));
    CHECK_EQ(kin_as_int(o), 49);
    kin_future_free(exits);
    kin_future_free(later);
    free_whole(pool);
}
