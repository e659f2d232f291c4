/* In Python a future that runs cannot be cancelled: cancel() returns False, and the task goes on
 * (concurrent.futures says so in its documentation; multiprocessing.pool has no cancel at all).
 * Here it can: its worker is killed and replaced, and no other task notices. */
#include "scene.h"

static kin_obj spin(kin_obj args)
{
    for (volatile unsigned i = 0;; i++) {
    }
    return args;
}

TEST(a_task_that_runs_is_cancelled_and_the_others_go_on)
{
    kin_pool *pool = pool_of(2);
    kin_event *event = new_event();
    kin_future *patient = submit(pool, wait_for_event, kin_args(kin_shared(event)));
    kin_future *runs = submit(pool, spin, kin_args());
    kin_obj o;
    WAIT_UNTIL(kin_future_running(runs) && kin_future_running(patient));
    kin_future *queued = submit(pool, square, kin_args(kin_int(3)));
    kin_future *unwanted = submit(pool, square, kin_args(kin_int(4)));
    CHECK_ERROR(kin_future_cancel(runs, NULL), KIN_ESTATE);
    CHECK_OK(kin_future_cancel(unwanted, NULL));
    CHECK_OK(kin_future_cancel(runs, KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK_ERROR(kin_future_get(runs, &o, KIN_FOREVER), KIN_ECANCELLED);
    CHECK_ERROR(kin_future_get(unwanted, &o, KIN_FOREVER), KIN_ECANCELLED);
    CHECK_OK(kin_future_get(queued, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 9);
    CHECK_OK(kin_event_set(event));
    CHECK_OK(kin_future_get(patient, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 7);
    kin_future_free(patient);
    kin_future_free(runs);
    kin_future_free(queued);
    kin_future_free(unwanted);
    kin_event_free(event);
    works(pool);
    free_whole(pool);
}
