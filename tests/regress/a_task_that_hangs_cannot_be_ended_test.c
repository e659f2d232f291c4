/* In Python a task that runs for ever keeps its worker for ever: get(timeout) gives up waiting, and
 * the task goes on; nothing but the end of the whole pool ends it, which is why libraries
 * like pebble exist. Here a task has a time limit of its own: its worker is ended and replaced,
 * the future says KIN_EOVERRUN, and no other task notices. */
#include "scene.h"

static kin_obj spin(kin_obj args)
{
    for (volatile unsigned i = 0;; i++) {
    }
    return args;
}

static kin_obj sleep_with_signals_blocked(kin_obj args)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        pause();
    }
    return args;
}

TEST(a_task_that_overruns_the_pools_limit_is_ended_and_the_others_go_on)
{
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .task_timeout = 0.3)));
    const kin_fn hung[] = { spin, sleep_with_signals_blocked };
    for (size_t i = 0; i < 2; i++) {
        kin_obj o;
        kin_future *before = submit(pool, square, kin_args(kin_int(3)));
        kin_future *hangs = submit(pool, hung[i], kin_args());
        kin_future *after = submit(pool, square, kin_args(kin_int(4)));
        CHECK_ERROR(kin_future_get(hangs, &o, KIN_FOREVER), KIN_EOVERRUN);
        CHECK_CONTAINS(kin_errmsg(), "limit of 0.3 s");
        CHECK_OK(kin_future_get(before, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), 9);
        CHECK_OK(kin_future_get(after, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), 16);
        kin_future_free(before);
        kin_future_free(hangs);
        kin_future_free(after);
    }
    works(pool);
    free_whole(pool);
}

TEST(a_task_may_have_a_limit_of_its_own)
{
    kin_pool *pool = pool_of(2);
    kin_event *event = new_event();
    kin_future *patient = submit(pool, wait_for_event, kin_args(kin_shared(event)));
    kin_future *hangs;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, spin, kin_args(), KIN_OPT(kin_submit_options, .timeout = 0.1),
                             &hangs));
    CHECK_ERROR(kin_future_get(hangs, &o, KIN_FOREVER), KIN_EOVERRUN);
    CHECK(!kin_future_done(patient));
    CHECK_OK(kin_event_set(event));
    CHECK_OK(kin_future_get(patient, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 7);
    kin_future_free(patient);
    kin_future_free(hangs);
    kin_event_free(event);
    free_whole(pool);
}
