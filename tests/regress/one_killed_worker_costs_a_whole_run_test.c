/* In Python a worker that is killed breaks the whole executor (BrokenProcessPool): whoever wants
 * the work done makes a new one, and submits again what was not done. Here a pool with .retries
 * runs the task of a dead worker again; one that kills whoever runs it is given up, and named. */
#include "scene.h"

static kin_obj die_at_first(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    if (atomic_fetch_add(begun, 1) < 3) {
        kill(getpid(), SIGKILL);
    }
    return kin_int(kin_arg_int(args, 1) * 2);
}

static kin_obj poison(kin_obj args)
{
    kill(getpid(), SIGKILL);
    return args;
}

TEST(with_retries_the_death_of_workers_is_not_noticed)
{
    kin_pool *pool;
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_future *futures[20];
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .retries = 3)));
    for (int i = 0; i < 20; i++) {
        futures[i] = submit(pool, die_at_first, kin_args(kin_shared((void *)begun), kin_int(i)));
    }
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i * 2);
        kin_future_free(futures[i]);
    }
    CHECK_EQ(*begun, 23);
    kin_free((void *)begun);
    works(pool);
    free_whole(pool);
}

TEST(a_task_that_kills_every_worker_is_given_up_and_named)
{
    kin_pool *pool;
    kin_future *future;
    kin_failure failure;
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .retries = 2)));
    CHECK_OK(kin_pool_submit(pool, poison, kin_args(),
                             KIN_OPT(kin_submit_options, .name = "row 17"), &future));
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "\"row 17\", which was begun 3 times");
    CHECK_OK(kin_future_failure(future, &failure));
    CHECK_STR(failure.task, "row 17");
    CHECK_EQ((int)failure.attempts, 3);
    CHECK_EQ(failure.signal, SIGKILL);
    kin_future_free(future);
    works(pool);
    free_whole(pool);
}
