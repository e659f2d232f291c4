/* How long a task may run: limit.c. */
#include "pool_scene.h"

#include <unistd.h>

static kin_pool *limited_pool(unsigned processes, double timeout)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = processes, .task_timeout = timeout)));
    return pool;
}

TEST(a_call_that_returns_in_time_is_no_overrun)
{
    kin_pool *pool = limited_pool(1, 1000);
    kin__worker place = { 0 };
    kin__limit_begin(pool, &place, 1000000000);
    CHECK_GT(atomic_load(&place.ends_at), kin__os_now());
    CHECK(kin__limit_end(&place));
    kin__limit_begin(pool, &place, KIN__NEVER);
    CHECK_GE(atomic_load(&place.ends_at), KIN__NEVER - 1);
    CHECK(kin__limit_end(&place));
    free_whole(pool);
}

TEST(who_was_found_past_his_end_cannot_end_his_call)
{
    kin_pool *pool = pool_of(2);
    CHECK_EQ(kin__limit_enforce(pool), KIN__NEVER);
    kin__worker *place = &pool->workers[1];
    atomic_store(&place->ends_at, (kin__os_now() | 1) + INT64_C(1000000000001));
    CHECK_EQ(kin__limit_enforce(pool), atomic_load(&place->ends_at));
    CHECK_EQ(atomic_load(&pool->look_at), atomic_load(&place->ends_at));
    atomic_store(&place->ends_at, 2);
    CHECK_EQ(kin__limit_enforce(pool), KIN__NEVER);
    CHECK(!kin__limit_end(place));
    CHECK_EQ(kin__limit_enforce(pool), KIN__NEVER);
    atomic_store(&place->ends_at, 0);
    free_whole(pool);
}

TEST(seconds_of_an_option_are_checked)
{
    int64_t limit = 7;
    CHECK_ERROR(kin__limit_of(-1, "x", &limit), KIN_EINVAL);
    CHECK_ERROR(kin__limit_of(NAN, "x", &limit), KIN_EINVAL);
    CHECK_EQ(limit, 7);
    CHECK_OK(kin__limit_of(0.5, "x", &limit));
    CHECK_EQ(limit, 500000000);
    CHECK_OK(kin__limit_of(INFINITY, "x", &limit));
    CHECK_EQ(limit, 0);
    CHECK_OK(kin__limit_of(1e-30, "x", &limit));
    CHECK_EQ(limit, 1);
    CHECK_OK(kin__limit_of(0, "x", &limit));
    CHECK_EQ(limit, 0);
}

TEST(bad_limits_are_refused_with_a_sentence)
{
    kin_pool *pool = NULL;
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .task_timeout = -1)), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), ".task_timeout");
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .task_timeout = NAN)), KIN_EINVAL);
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 1, .task_timeout = 1)),
                KIN_EUNSUPPORTED);
    pool = pool_of(1);
    kin_future *future = NULL;
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(kin_str("given away all the same")),
                                KIN_OPT(kin_submit_options, .timeout = -0.5), &future),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(),
                                KIN_OPT(kin_submit_options, .timeout = NAN), &future),
                KIN_EINVAL);
    CHECK_NULL(future);
    free_whole(pool);
}

TEST(a_pool_that_was_told_of_limits_and_is_idle_does_not_look)
{
    kin_pool *pool = limited_pool(2, 0.01);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL));
    }
    WAIT_UNTIL(atomic_load(&pool->look_at) == KIN__NEVER);
    free_whole(pool);
}

static kin_obj sleep_for(kin_obj args)
{
    kin_sleep(kin_arg_float(args, 0));
    return kin_none();
}

TEST(each_item_of_a_map_has_the_limit_for_itself)
{
    kin_pool *pool = limited_pool(1, 2);
    kin_obj items = kin_list(), results;
    for (int i = 0; i < 30; i++) { /* 3 s in one chunk */
        CHECK_OK(kin_append(&items, kin_float(0.1)));
    }
    CHECK_OK(
        kin_pool_map(pool, sleep_for, items, KIN_OPT(kin_map_options, .chunksize = 30), &results));
    kin_release(results);
    CHECK_EQ((int)atomic_load(&pool->workers_started), 1);
    CHECK_ERROR(kin_pool_map(pool, stay, kin_range(0, 2), NULL, &results), KIN_EOVERRUN);
    CHECK_CONTAINS(kin_errmsg(), "ran over its limit of 2 s");
    free_whole(pool);
}

/* Tasks that end about when their limit does: each one is done, or has overrun by itself. */
TEST_WITHIN(100, nobody_is_ended_for_the_task_before)
{
    const double limit = 0.01;
    kin_pool *pool = limited_pool(2, limit);
    int overruns = 0;
    for (int round = 0; round < 40; round++) {
        kin_future *brief, *futures[4];
        for (int i = 0; i < 4; i++) {
            CHECK_OK(kin_pool_submit(pool, sleep_for, kin_args(kin_float(limit - 0.0002)), NULL,
                                     &futures[i]));
        }
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(round)),
                                 KIN_OPT(kin_submit_options, .timeout = 1000), &brief));
        for (int i = 0; i < 4; i++) {
            kin_obj o;
            int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
            CHECK(rv == 0 || rv == KIN_EOVERRUN);
            overruns += rv < 0;
            kin_future_free(futures[i]);
        }
        kin_obj o;
        CHECK_OK(kin_future_get(brief, &o, KIN_FOREVER));
        kin_future_free(brief);
    }
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 2);
    CHECK_LE((int)atomic_load(&pool->workers_started), 2 + overruns);
    free_whole(pool);
}

static kin_obj fork_and_return(kin_obj args)
{
    (void)kin_fork();
    return kin_arg(args, 0);
}

TEST(a_child_that_a_limited_task_forks_does_not_end_the_tasks_time)
{
    kin_pool *pool = limited_pool(1, 1000);
    for (int i = 0; i < 10; i++) {
        kin_obj o;
        CHECK_OK(kin_pool_apply(pool, fork_and_return, kin_args(kin_int(i)), &o));
        CHECK_EQ(kin_as_int(o), i);
    }
    CHECK_EQ((int)atomic_load(&pool->workers_started), 1);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
}

/* ---- R1: who writes first and reads after ---------------------------------------------------- */

static struct {
    kin_pool *pool;
    kin__worker *place;
    const char *at; /* the step at which the other one comes in between */
    bool poked;
} meeting;

static void come_between(const char *step)
{
    meeting.poked |= strcmp(step, "limit.begun") == 0;
    if (meeting.at == NULL || strcmp(step, meeting.at) != 0) {
        return;
    }
    meeting.at = NULL;
    if (strcmp(step, "limit.noted") == 0) {
        (void)kin__limit_enforce(meeting.pool);
    } else {
        kin__limit_begin(meeting.pool, meeting.place, INT64_C(1000000000000));
    }
}

/* The supervisor was to look so early that no poke was needed, and does so this very moment: he
 * sees the end, or is poked. */
TEST(a_call_that_begins_while_the_supervisor_looks_is_not_overlooked)
{
    static const char *const steps[] = { "limit.noted", "limit.looked" };
    meeting.pool = pool_of(2);
    meeting.place = &meeting.pool->workers[1];
    kin__step_hook(come_between);
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&meeting.place->ends_at, 0);
        atomic_store(&meeting.pool->look_at, 1);
        meeting.poked = false;
        meeting.at = steps[i];
        if (i == 0) {
            kin__limit_begin(meeting.pool, meeting.place, INT64_C(1000000000000));
        } else {
            (void)kin__limit_enforce(meeting.pool);
        }
        CHECK_NULL(meeting.at);
        CHECK(meeting.poked ||
              atomic_load(&meeting.pool->look_at) == atomic_load(&meeting.place->ends_at));
    }
    kin__step_hook(NULL);
    atomic_store(&meeting.place->ends_at, 0);
    free_whole(meeting.pool);
}
