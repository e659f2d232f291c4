/* Cancelling: cancel.c. */
#include "pool_scene.h"

TEST(a_task_that_waits_is_cancelled_and_never_run)
{
    kin_pool *pool = pool_of(1);
    kin_future *runs, *waits;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &runs));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &waits));
    WAIT_UNTIL(kin_future_running(runs));
    CHECK(!kin_future_running(waits));
    CHECK_OK(kin_future_cancel(waits, NULL));
    CHECK(kin_future_done(waits));
    CHECK_ERROR(kin_future_get(waits, &o, 0), KIN_ECANCELLED);
    CHECK_OK(kin_future_cancel(waits, NULL)); /* twice is fine */
    CHECK_ERROR(kin_future_cancel(runs, NULL), KIN_ESTATE);
    CHECK_CONTAINS(kin_errmsg(), "runs already");
    CHECK(!kin_future_done(runs));
    kin_future_free(waits);
    kin_future_free(runs);
    free_whole(pool);
}

TEST(a_task_that_runs_is_cancelled_by_its_workers_death)
{
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 5; i++) {
        kin_future *future;
        kin_obj o;
        CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
        WAIT_UNTIL(kin_future_running(future));
        CHECK_OK(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)));
        CHECK_OK(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)));
        CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECANCELLED);
        CHECK(!kin_future_running(future));
        CHECK_OK(kin_future_cancel(future, NULL));
        kin_future_free(future);
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), &o));
        CHECK_EQ(kin_as_int(o), i * i);
    }
    free_whole(pool);
}

TEST(a_task_that_is_done_stays_done)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(4)), NULL, &future));
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK_ERROR(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)), KIN_ESTATE);
    CHECK_OK(kin_future_get(future, &o, 0));
    CHECK_EQ(kin_as_int(o), 16);
    kin_future_free(future);
    free_whole(pool);
}

TEST(bad_arguments_are_refused_with_a_sentence)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    CHECK_ERROR(kin_future_cancel(NULL, NULL), KIN_EINVAL);
    CHECK(!kin_future_running(NULL));
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    CHECK_ERROR(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK(!kin_future_done(future));
    kin_future_free(future);
    free_whole(pool);
}

TEST(of_a_broken_pool_nothing_is_cancelled)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    WAIT_UNTIL(kin_future_running(future));
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    WAIT_UNTIL(!kin__alive(atomic_load(&pool->supervisor)));
    CHECK_ERROR(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)), KIN_EBROKEN);
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EBROKEN);
    CHECK(kin_future_done(future) && !kin_future_running(future));
    kin_future_free(future);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
}

/* Tasks that end just when they are cancelled: done, or cancelled, and no other is hit. */
TEST_WITHIN(100, cancelling_hits_no_other_task)
{
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 200; i++) {
        kin_future *future;
        kin_obj o;
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(i)), NULL, &future));
        int spins = (int)(test_random() % 2000);
        for (int k = 0; k < spins && !kin_future_done(future); k++) {
            kin__os_pause();
        }
        int rv = kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true));
        int got = kin_future_get(future, &o, KIN_FOREVER);
        CHECK_EQ(got, rv == 0 ? KIN_ECANCELLED : 0);
        CHECK(rv == 0 || rv == KIN_ESTATE);
        kin_future_free(future);
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), &o));
    }
    free_whole(pool);
}

static kin_obj wait_for(kin_obj args)
{
    _Atomic int *go = kin_arg_shared(args, 0);
    WAIT_UNTIL(*go);
    return kin_int(7);
}

TEST(a_task_that_runs_in_a_thread_is_not_killed)
{
    _Atomic int *go = kin_alloc(sizeof *go);
    kin_pool *pool = NULL;
    kin_future *runs, *waits;
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 1)));
    CHECK_OK(kin_pool_submit(pool, wait_for, kin_args(kin_shared((void *)go)), NULL, &runs));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &waits));
    WAIT_UNTIL(kin_future_running(runs));
    CHECK_ERROR(kin_future_cancel(runs, KIN_OPT(kin_cancel_options, .kill = true)),
                KIN_EUNSUPPORTED);
    CHECK_OK(kin_future_cancel(waits, KIN_OPT(kin_cancel_options, .kill = true)));
    *go = 1;
    CHECK_OK(kin_future_get(runs, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 7);
    CHECK_ERROR(kin_future_get(waits, &o, KIN_FOREVER), KIN_ECANCELLED);
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(kin_int(1)),
                                KIN_OPT(kin_submit_options, .timeout = 1), NULL),
                KIN_EUNSUPPORTED);
    kin_future_free(runs);
    kin_future_free(waits);
    kin_free((void *)go);
    free_whole(pool);
}

TEST(what_is_about_to_be_killed_is_cancelled_already)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    WAIT_UNTIL(kin_future_running(future));
    pid_t nursery = atomic_load(&pool->nursery);
    kin__os_kill(nursery, SIGSTOP); /* nobody is killed for now */
    CHECK_OK(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK_OK(kin_future_cancel(future, NULL));
    kin__os_kill(nursery, SIGCONT);
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECANCELLED);
    kin_future_free(future);
    free_whole(pool);
}

/* ---- just when the supervisor ends it for another reason ------------------------------------- */

static _Atomic int *stage; /* 1: the supervisor has stopped; 2: he may go on */

static void stop_at_the_loss(const char *step)
{
    int before = 0;
    if (strcmp(step, "task.lost") == 0 && atomic_compare_exchange_strong(stage, &before, 1)) {
        WAIT_UNTIL(*stage == 2);
    }
}

static void listen(void)
{
    kin__step_hook(stop_at_the_loss);
}

TEST(a_task_that_was_cancelled_while_its_worker_died_is_cancelled)
{
    stage = test_shared(sizeof *stage);
    kin__os_at_fork_child(listen);
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, die_of, kin_args(kin_int(SIGKILL)), NULL, &future));
    WAIT_UNTIL(*stage == 1);
    CHECK_OK(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)));
    *stage = 2;
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECANCELLED);
    kin_future_free(future);
    free_whole(pool);
}
