#include "pool_scene.h"

#include "pool/many.h"

#define N 300

static _Atomic int *released; /* tasks that wait for their turn may go on up to here */

static kin_obj wait_for_turn(kin_obj args)
{
    int turn = (int)kin_arg_int(args, 0);
    WAIT_UNTIL(*released >= turn);
    return turn % 10 == 9 ? kin_error(KIN_EUSER, "no luck") : kin_int(turn);
}

static kin_pool *scene(kin_future **futures, int n)
{
    released = test_shared(sizeof *released);
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < n; i++) {
        CHECK_OK(kin_pool_submit(pool, wait_for_turn, kin_args(kin_int(i + 1)), NULL, &futures[i]));
    }
    return pool;
}

static void free_all(kin_future **futures, int n)
{
    for (int i = 0; i < n; i++) {
        kin_future_free(futures[i]);
    }
}

static int count_done(kin_future **futures, int n)
{
    int done = 0;
    for (int i = 0; i < n; i++) {
        done += kin_future_done(futures[i]);
    }
    return done;
}

TEST(waiting_for_all_ends_when_all_are_done)
{
    kin_future *futures[N];
    kin_pool *pool = scene(futures, N);
    CHECK_ERROR(kin_futures_wait(futures, N, KIN_ALL_COMPLETED, 0), KIN_ETIMEDOUT);
    *released = N / 2;
    CHECK_ERROR(kin_futures_wait(futures, N, KIN_ALL_COMPLETED, 0.06), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_futures_wait: not enough are done within the timeout");
    *released = N;
    CHECK_OK(kin_futures_wait(futures, N, KIN_ALL_COMPLETED, KIN_FOREVER));
    CHECK_EQ(count_done(futures, N), N);
    CHECK_OK(kin_futures_wait(futures, N, KIN_ALL_COMPLETED, 0));
    free_all(futures, N);
    free_whole(pool);
}

TEST(waiting_for_the_first_or_for_an_error_ends_earlier)
{
    kin_future *futures[20];
    kin_pool *pool = scene(futures, 20);
    CHECK_ERROR(kin_futures_wait(futures, 20, KIN_FIRST_COMPLETED, 0.01), KIN_ETIMEDOUT);
    *released = 1;
    CHECK_OK(kin_futures_wait(futures, 20, KIN_FIRST_COMPLETED, KIN_FOREVER));
    CHECK(kin_future_done(futures[0]));
    CHECK_EQ(count_done(futures, 20), 1);
    CHECK_ERROR(kin_futures_wait(futures, 20, KIN_FIRST_ERROR, 0.01), KIN_ETIMEDOUT);
    *released = 12;
    CHECK_OK(kin_futures_wait(futures, 20, KIN_FIRST_ERROR, KIN_FOREVER));
    CHECK(kin_future_done(futures[8]));
    *released = 20;
    CHECK_OK(kin_futures_wait(futures, 8, KIN_FIRST_ERROR, KIN_FOREVER)); /* none of these fails */
    CHECK_EQ(count_done(futures, 8), 8);
    free_all(futures, 20);
    free_whole(pool);
}

TEST(a_future_is_waited_for_once_at_a_time_and_bad_arguments_are_refused)
{
    kin_future *futures[2];
    kin_pool *pool = scene(futures, 2);
    kin_future *twice[] = { futures[0], futures[1], futures[0] };
    CHECK_ERROR(kin_futures_wait(twice, 3, KIN_ALL_COMPLETED, KIN_FOREVER), KIN_ESTATE);
    kin_future *holes[] = { futures[0], NULL };
    CHECK_ERROR(kin_futures_wait(holes, 2, KIN_ALL_COMPLETED, KIN_FOREVER), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "kin_futures_wait: future 1 is NULL");
    CHECK_ERROR(kin_futures_wait(NULL, 2, KIN_ALL_COMPLETED, KIN_FOREVER), KIN_EINVAL);
    CHECK_ERROR(kin_futures_wait(futures, 2, (kin_return_when)3, KIN_FOREVER), KIN_EINVAL);
    CHECK_ERROR(kin_futures_wait(futures, 2, KIN_ALL_COMPLETED, NAN), KIN_EINVAL);
    CHECK_OK(kin_futures_wait(NULL, 0, KIN_ALL_COMPLETED, 0));
    *released = 2;
    CHECK_OK(kin_futures_wait(futures, 2, KIN_ALL_COMPLETED, KIN_FOREVER));
    free_all(futures, 2);
    free_whole(pool);
}

static kin_obj wait_for_own(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    kin_future *future;
    KIN_TRY(kin_pool_submit(pool, square, kin_args(kin_int(2)), NULL, &future));
    int rv = kin_futures_wait(&future, 1, KIN_ALL_COMPLETED, KIN_FOREVER);
    kin_future_free(future);
    return kin_int(rv);
}

TEST(who_is_told_too_early_looks_and_waits_on)
{
    kin_future *futures[2];
    kin_pool *pool = scene(futures, 2);
    kin__many many;
    kin_future *done;
    size_t seat;
    CHECK_OK(kin__many_new(&many, 2));
    CHECK_OK(kin__many_add_all(&many, futures, "test"));
    kin__set_tell(kin__block_at(futures[1]->task, KIN__TASK, NULL)); /* as somebody late */
    CHECK_ERROR(kin__many_next(&many, 0, "test", &done, &seat), KIN_ETIMEDOUT);
    *released = 1;
    CHECK_OK(kin__many_next(&many, KIN__NEVER, "test", &done, &seat));
    CHECK(done == futures[0]);
    CHECK_EQ(seat, 0);
    *released = 2;
    CHECK_OK(kin__many_next(&many, KIN__NEVER, "test", &done, &seat));
    CHECK(done == futures[1]);
    kin__many_end(&many);
    free_all(futures, 2);
    free_whole(pool);
}

TEST(a_worker_does_not_wait_for_its_own_pool)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, wait_for_own, kin_args(kin_shared(pool)), &o));
    CHECK_EQ(kin_as_int(o), KIN_EDEADLK);
    free_whole(pool);
}

TEST(workers_that_die_end_no_wait_and_their_tasks_have_failed)
{
    kin_future *futures[40];
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 40; i++) {
        kin_fn fn = i % 10 == 5 ? die_of : square;
        CHECK_OK(kin_pool_submit(pool, fn, kin_args(kin_int(SIGKILL)), NULL, &futures[i]));
    }
    CHECK_OK(kin_futures_wait(futures, 40, KIN_ALL_COMPLETED, KIN_FOREVER));
    for (int i = 0; i < 40; i++) {
        kin_obj o;
        CHECK_EQ(kin_future_get(futures[i], &o, 0), i % 10 == 5 ? KIN_ECRASHED : 0);
    }
    free_all(futures, 40);
    free_whole(pool);
}

TEST(the_death_of_a_pool_ends_the_wait)
{
    kin_future *futures[10];
    kin_pool *pool = scene(futures, 5);
    kin_pool *other = pool_of(1);
    for (int i = 5; i < 10; i++) {
        CHECK_OK(kin_pool_submit(other, square, kin_args(kin_int(i)), NULL, &futures[i]));
    }
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    CHECK_OK(kin_futures_wait(futures, 10, KIN_ALL_COMPLETED, KIN_FOREVER));
    CHECK_EQ(count_done(futures, 10), 10);
    kin_obj o;
    CHECK_ERROR(kin_future_get(futures[0], &o, 0), KIN_EBROKEN);
    kin_pool_free(pool);
    kin_pool_free(other);
    CHECK_OK(kin_futures_wait(futures, 10, KIN_FIRST_ERROR, 0));
    CHECK_OK(kin_future_get(futures[9], &o, 0));
    free_all(futures, 10);
    WAIT_UNTIL(kin__count_alive() == 1);
}

/* ---- with other things ----------------------------------------------------------------------- */

TEST(a_future_is_waited_for_beside_other_things)
{
    kin_future *futures[2];
    kin_pool *pool = scene(futures, 2);
    kin_event *event;
    CHECK_OK(kin_event_new(&event, NULL));
    kin_waitable things[] = { kin_future_waitable(futures[0]), kin_event_waitable(event),
                              kin_future_waitable(futures[1]) };
    CHECK_EQ(kin_wait(things, 3, 0), 0);
    CHECK_EQ(kin_wait(things, 3, 0.02), 0);
    CHECK_OK(kin_event_set(event));
    CHECK_EQ(kin_wait(things, 3, KIN_FOREVER), 1);
    CHECK(things[1].ready);
    CHECK_OK(kin_event_clear(event));
    *released = 1;
    CHECK_EQ(kin_wait(things, 3, KIN_FOREVER), 1);
    CHECK(things[0].ready);
    CHECK_EQ(kin_wait(&things[2], 1, 0.02), 0);
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    CHECK_EQ(kin_wait(&things[2], 1, KIN_FOREVER), 1);
    CHECK(kin_future_done(futures[1]));
    kin_waitable none = kin_future_waitable(NULL);
    CHECK_ERROR(kin_wait(&none, 1, 0), KIN_EINVAL);
    free_all(futures, 2);
    kin_event_free(event);
    kin_log_set_level(KIN_LOG_ERROR);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
}

/* ---- death ----------------------------------------------------------------------------------- */

static kin_obj fill(kin_obj args)
{
    return kin_strf("%0100lld", (long long)kin_arg_int(args, 0));
}

/* All steps of the workers count: one of them is killed at the nth, perhaps while he tells. */
static void wait_for_some(void *ctx)
{
    kin_future *futures[12];
    kin_pool *pool = pool_of(2);
    (void)ctx;
    for (int i = 0; i < 12; i++) {
        CHECK_OK(kin_pool_submit(pool, fill, kin_args(kin_int(i)), NULL, &futures[i]));
    }
    CHECK_OK(kin_futures_wait(futures, 12, KIN_ALL_COMPLETED, KIN_FOREVER));
    CHECK_EQ(count_done(futures, 12), 12);
    free_all(futures, 12);
    kin_pool_free(pool);
}

static void nothing_is_left(void *ctx, const char *step)
{
    (void)ctx;
    (void)step;
    WAIT_UNTIL(test_is_alone() && kin__count_alive() == 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST_WITHIN(120, a_worker_that_is_killed_while_he_tells_costs_one_task_at_most)
{
    CHECK_OK(kin__join());
    int kills =
        kill_loop("set.", NULL, .victim = wait_for_some, .check = nothing_is_left, .anybody = true);
    CHECK_GE(kills, 12);
}

static int try_to_wait(void *ctx)
{
    return kin_futures_wait(ctx, 2, KIN_ALL_COMPLETED, KIN_FOREVER);
}

TEST(without_memory_there_is_no_waiting_and_nothing_is_lost)
{
    kin_future *futures[2];
    kin_pool *pool = scene(futures, 2);
    *released = 2;
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, futures, .attempt = try_to_wait), 3);
    free_all(futures, 2);
    free_whole(pool);
}
