/* pool_many.h - many futures of pools of every engine, tasks that are cancelled, and what a pool
 * says of itself: a part of pool_suite.h. */
#ifndef KIN_POOL_MANY_H
#define KIN_POOL_MANY_H

#include "pool_scene.h"

enum { FUTURES = 200 };

EACH_ENGINE(futures_come_as_they_are_done_each_of_them_once)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_future *futures[FUTURES];
    for (int i = 0; i < FUTURES; i++) {
        futures[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    kin_iter *iter = NULL;
    kin_future *done = NULL;
    int64_t sum = 0;
    CHECK_OK(kin_futures_as_completed(&iter, futures, FUTURES));
    for (int i = 0; i < FUTURES; i++) {
        kin_obj o;
        CHECK_OK(kin_iter_next_future(iter, &done, KIN_FOREVER));
        CHECK_OK(kin_future_get(done, &o, 0));
        sum += kin_as_int(o);
    }
    CHECK_ERROR(kin_iter_next_future(iter, &done, KIN_FOREVER), KIN_EEOF);
    CHECK_EQ(sum, (FUTURES - 1) * FUTURES * (2 * FUTURES - 1) / 6);
    kin_iter_free(iter);
    for (int i = 0; i < FUTURES; i++) {
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}

EACH_ENGINE(many_futures_are_waited_for_all_the_first_or_the_first_error)
{
    kin_pool *pool = new_pool(engine, 2);
    stop s = new_stop();
    kin_future *futures[3] = { submit_standing(pool, s) };
    futures[1] = submit(pool, square, kin_args(kin_int(1)));
    futures[2] = submit(pool, fail_with, kin_args(kin_int(KIN_EUSER), kin_str("no")));
    CHECK_OK(kin_futures_wait(futures, 3, KIN_FIRST_COMPLETED, KIN_FOREVER));
    CHECK(!kin_future_done(futures[0]));
    CHECK_OK(kin_futures_wait(futures, 3, KIN_FIRST_ERROR, KIN_FOREVER));
    CHECK(kin_future_done(futures[2]));
    CHECK_ERROR(kin_futures_wait(futures, 3, KIN_ALL_COMPLETED, 0.02), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(s.go));
    CHECK_OK(kin_futures_wait(futures, 3, KIN_ALL_COMPLETED, KIN_FOREVER));
    for (int i = 0; i < 3; i++) {
        CHECK(kin_future_done(futures[i]));
        kin_future_free(futures[i]);
    }
    free_stop(s);
    free_whole(pool);
}

EACH_ENGINE(a_task_that_waits_can_be_cancelled_and_one_that_runs_where_workers_are_killed)
{
    kin_pool *pool = new_pool(engine, 1);
    stop s = new_stop();
    kin_future *running = submit_standing(pool, s);
    kin_future *queued = submit(pool, square, kin_args(kin_int(1)));
    kin_future *after = submit(pool, square, kin_args(kin_int(2)));
    CHECK(kin_future_running(running));
    CHECK(!kin_future_running(queued));
    CHECK_OK(kin_future_cancel(queued, NULL));
    CHECK_OK(kin_future_cancel(queued, NULL));
    CHECK_EQ(number_of(queued, 0), KIN_ECANCELLED);
    CHECK_ERROR(kin_future_cancel(running, NULL), KIN_ESTATE);
    int rv = kin_future_cancel(running, KIN_OPT(kin_cancel_options, .kill = true));
    CHECK_EQ(rv, engine->kills ? 0 : KIN_EUNSUPPORTED);
    if (!engine->kills) {
        CHECK_OK(kin_event_set(s.go));
    }
    CHECK_EQ(number_of(running, KIN_FOREVER), engine->kills ? KIN_ECANCELLED : 7);
    CHECK_EQ(number_of(after, KIN_FOREVER), 4);
    free_stop(s);
    free_whole(pool);
}

EACH_ENGINE(a_pool_counts_what_it_has_done)
{
    kin_pool_options options = options_of(engine, 2);
    options.stats = true;
    kin_pool *pool = NULL;
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool, &options));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL));
    }
    CHECK_ERROR(kin_pool_apply(pool, fail_with, kin_args(kin_int(KIN_EUSER), kin_str("no")), NULL),
                KIN_EUSER);
    CHECK_OK(kin_pool_stats(pool, &o));
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_str("done"))), 20);
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_str("failed"))), 1);
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_str("queued"))), 0);
    kin_obj workers = kin_lookup(o, kin_str("workers"));
    CHECK_EQ(kin_len(workers), 2);
    int64_t tasks = 0;
    for (size_t i = 0; i < 2; i++) {
        tasks += kin_as_int(kin_lookup(kin_at(workers, i), kin_str("tasks")));
        CHECK_EQ(kin_as_int(kin_lookup(kin_at(workers, i), kin_str("restarts"))), 0);
    }
    CHECK_EQ(tasks, 21);
    kin_release(o);
    free_whole(pool);
}

/* ---- items one by one, and indexes ----------------------------------------------------------- */

static int next_number(void *ctx, kin_obj *ret_item)
{
    int64_t *number = ctx;
    *ret_item = kin_int(*number);
    return (*number)++ < FUTURES ? 0 : KIN_EEOF;
}

EACH_ENGINE(an_imap_gives_each_result_once_in_order_or_as_they_come)
{
    kin_pool *pool = new_pool(engine, 2);
    for (int unordered = 0; unordered < 2; unordered++) {
        int64_t number = 0;
        int64_t sum = 0;
        kin_source source = { .next = next_number, .ctx = &number };
        kin_iter *iter = NULL;
        kin_obj o;
        CHECK_OK(kin_pool_imap(pool, square, &source,
                               KIN_OPT(kin_map_options, .unordered = unordered, .buffersize = 7),
                               &iter));
        for (int64_t i = 0; i < FUTURES; i++) {
            CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
            CHECK(unordered || kin_as_int(o) == i * i);
            sum += kin_as_int(o);
        }
        CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EEOF);
        CHECK_EQ(sum, (FUTURES - 1) * FUTURES * (2 * FUTURES - 1) / 6);
        kin_iter_free(iter);
    }
    free_whole(pool);
}

EACH_ENGINE(a_map_without_waiting_is_a_future_of_the_list)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_future *future = NULL;
    kin_obj o;
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 100), NULL, &future));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    CHECK_EQ(kin_len(o), 100);
    CHECK_EQ(kin_as_int(kin_at(o, 99)), 99 * 99);
    kin_release(o);
    kin_future_free(future);
    free_whole(pool);
}

enum { INDEXES = 100000 };

static void mark(size_t i, void *ctx)
{
    atomic_fetch_add(&((_Atomic int *)ctx)[i], 1);
    *(uint64_t *)kin_for_part() += i;
}

static void add_part(void *into, const void *part)
{
    *(uint64_t *)into += *(const uint64_t *)part;
}

EACH_ENGINE(a_loop_calls_its_body_once_for_each_index_and_adds_up_the_parts)
{
    kin_pool *pool = new_pool(engine, 2);
    _Atomic int *marks = kin_alloc(INDEXES * sizeof *marks);
    uint64_t sum = 0;
    CHECK_OK(kin_pool_for(
        pool, 0, INDEXES, mark, (void *)marks,
        KIN_OPT(kin_for_options, .result = &sum, .result_size = sizeof sum, .combine = add_part)));
    CHECK_EQ(sum, (uint64_t)INDEXES * (INDEXES - 1) / 2);
    for (int i = 0; i < INDEXES; i++) {
        CHECK_EQ(marks[i], 1);
    }
    kin_free((void *)marks);
    free_whole(pool);
}

#endif
