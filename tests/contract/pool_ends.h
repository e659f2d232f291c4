/* pool_ends.h - how pools of every engine end, and who may use them from where: the second half of
 * pool_suite.h. */
#ifndef KIN_POOL_ENDS_H
#define KIN_POOL_ENDS_H

#include "pool_scene.h"

/* ---- ends ------------------------------------------------------------------------------------ */

EACH_ENGINE(a_closed_pool_finishes_what_it_has_and_takes_no_more)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_future *futures[100];
    kin_obj o;
    for (int i = 0; i < 100; i++) {
        futures[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    CHECK_ERROR(kin_pool_join(pool, 0), KIN_ESTATE);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_close(pool));
    kin_future *refused = NULL;
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &refused), KIN_ECLOSED);
    CHECK_NULL(refused);
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), &o), KIN_ECLOSED);
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 3), NULL, &o), KIN_ECLOSED);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_OK(kin_pool_join(pool, 0));
    for (int64_t i = 0; i < 100; i++) {
        CHECK(kin_future_done(futures[i]));
        CHECK_EQ(number_of(futures[i], 0), i * i);
    }
    free_whole(pool);
}

EACH_ENGINE(joining_ends_with_its_timeout)
{
    kin_pool *pool = new_pool(engine, 1);
    stop s = new_stop();
    kin_future *future = submit_standing(pool, s);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_join(pool, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_pool_join(pool, 0.02), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_pool_join: the pool has not ended within the timeout");
    CHECK_OK(kin_event_set(s.go));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(number_of(future, 0), 7);
    free_stop(s);
    free_whole(pool);
}

/* What waits is cancelled at once; what runs is ended, or finished, as its engine can. */
EACH_ENGINE(a_terminated_pool_cancels_what_it_has)
{
    kin_pool *pool = new_pool(engine, 1);
    stop s = new_stop();
    kin_future *running = submit_standing(pool, s);
    kin_future *queued[10];
    for (int i = 0; i < 10; i++) {
        queued[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_OK(kin_pool_close(pool));
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(number_of(queued[i], KIN_FOREVER), KIN_ECANCELLED);
    }
    if (!engine->kills) {
        CHECK_ERROR(kin_pool_join(pool, 0.02), KIN_ETIMEDOUT);
        CHECK_OK(kin_event_set(s.go));
    }
    CHECK_EQ(number_of(running, KIN_FOREVER), engine->kills ? KIN_ECANCELLED : 7);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL), KIN_ECLOSED);
    free_stop(s);
    free_whole(pool);
}

EACH_ENGINE(a_pool_can_be_freed_at_any_time_and_its_futures_stay_good)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_future *done = submit(pool, square, kin_args(kin_int(7)));
    CHECK_OK(kin_future_wait(done, KIN_FOREVER));
    kin_future *others[50];
    for (int i = 0; i < 50; i++) {
        others[i] = submit(pool, echo, kin_args(kin_str("some text, so that it needs a block")));
    }
    kin_future *failed = submit(pool, fail_with, kin_args(kin_int(KIN_EUSER), kin_str("no")));
    kin_pool_free(pool);
    CHECK_EQ(number_of(done, 0), 49);
    for (int i = 0; i < 50; i++) {
        kin_obj o = kin_none();
        int rv = kin_future_get(others[i], &o, KIN_FOREVER);
        CHECK(rv == 0 || rv == KIN_ECANCELLED);
        kin_release(o);
        kin_future_free(others[i]);
    }
    int64_t code = number_of(failed, KIN_FOREVER);
    CHECK(code == KIN_EUSER || code == KIN_ECANCELLED);
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL), KIN_EFREED);
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 3), NULL, &(kin_obj){ 0 }), KIN_EFREED);
    CHECK_ERROR(kin_pool_close(pool), KIN_EFREED);
    CHECK_ERROR(kin_pool_terminate(pool), KIN_EFREED);
    CHECK_ERROR(kin_pool_join(pool, 0), KIN_EFREED);
    CHECK_EQ(blocks_in_use(), 0);
}

enum { CLOSE, TERMINATE, JOIN, VERBS };

/* A verb in any state of the pool; whether it is closed then. */
static bool say(kin_pool *pool, int verb, bool closed)
{
    switch (verb) {
    case CLOSE:
        CHECK_OK(kin_pool_close(pool));
        return true;
    case TERMINATE:
        CHECK_OK(kin_pool_terminate(pool));
        return true;
    default:
        CHECK_EQ(kin_pool_join(pool, KIN_FOREVER), closed ? 0 : KIN_ESTATE);
        return closed;
    }
}

EACH_ENGINE_WITHIN(120, close_terminate_join_and_free_come_in_any_order_and_twice)
{
    for (int order = 0; order < VERBS * VERBS * VERBS; order++) {
        kin_pool *pool = new_pool(engine, 2);
        kin_future *futures[5];
        for (int i = 0; i < 5; i++) {
            futures[i] = submit(pool, square, kin_args(kin_int(i)));
        }
        bool closed = false;
        for (int i = 0, left = order; i < 3; i++, left /= VERBS) {
            closed = say(pool, left % VERBS, closed);
            int rv = kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, NULL);
            CHECK_(rv == (closed ? KIN_ECLOSED : 0), "order %d: %d", order, rv);
        }
        kin_pool_free(pool);
        for (int64_t i = 0; i < 5; i++) {
            int64_t rv = number_of(futures[i], KIN_FOREVER);
            CHECK_(rv == i * i || rv == KIN_ECANCELLED, "order %d: %d", order, (int)rv);
        }
        CHECK_EQ(blocks_in_use(), 0);
    }
}

/* ---- the pool, from within ------------------------------------------------------------------- */

static kin_obj close_own(kin_obj args)
{
    KIN_TRY(kin_pool_close(kin_as(kin_pool, kin_arg(args, 0))));
    return kin_int(1);
}

static kin_obj terminate_own(kin_obj args)
{
    KIN_TRY(kin_pool_terminate(kin_as(kin_pool, kin_arg(args, 0))));
    return kin_int(1);
}

EACH_ENGINE(a_task_may_close_or_terminate_its_pool)
{
    for (int terminates = 0; terminates < 2; terminates++) {
        kin_pool *pool = new_pool(engine, 2);
        kin_future *future =
            submit(pool, terminates ? terminate_own : close_own, kin_args(kin_shared(pool)));
        int64_t rv = number_of(future, KIN_FOREVER);
        CHECK(rv == 1 || (terminates && engine->kills && rv == KIN_ECANCELLED));
        CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
        free_whole(pool);
    }
}

static kin_obj wait_for_own(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    kin_future *future;
    kin_obj o;
    int rv;
    switch (kin_arg_int(args, 1)) {
    case 0:
        KIN_TRY(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o));
        return o;
    case 1:
        KIN_TRY(kin_pool_map(pool, square, kin_range(0, 3), NULL, &o));
        return o;
    case 2:
        KIN_TRY(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &future));
        rv = kin_future_wait(future, 0.01);
        kin_future_free(future);
        KIN_TRY(rv);
        return kin_none();
    default:
        KIN_TRY(kin_pool_close(pool));
        KIN_TRY(kin_pool_join(pool, KIN_FOREVER));
        return kin_none();
    }
}

EACH_ENGINE(a_worker_that_waits_for_its_own_pool_is_told)
{
    kin_pool *pool = new_pool(engine, 1);
    for (int how = 0; how < 4; how++) {
        CHECK_ERROR(
            kin_pool_apply(pool, wait_for_own, kin_args(kin_shared(pool), kin_int(how)), NULL),
            KIN_EDEADLK);
    }
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

/* It waits for none of them: the last one says so. */
static kin_obj spread(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    _Atomic int *count = kin_arg_shared(args, 1);
    kin_event *all = kin_as(kin_event, kin_arg(args, 2));
    int64_t depth = kin_arg_int(args, 3);
    for (int i = 0; i < 2 && depth > 0; i++) {
        KIN_TRY(kin_pool_submit(pool, spread,
                                kin_args(kin_shared(pool), kin_shared((void *)count),
                                         kin_shared(all), kin_int(depth - 1)),
                                NULL, NULL));
    }
    if (atomic_fetch_add(count, 1) + 1 == 63) {
        KIN_TRY(kin_event_set(all));
    }
    return kin_none();
}

EACH_ENGINE(a_task_may_submit_to_its_own_pool)
{
    kin_pool *pool = new_pool(engine, 2);
    _Atomic int *count = kin_alloc(sizeof *count);
    kin_event *all;
    CHECK_OK(kin_event_new(&all, NULL));
    CHECK_OK(kin_pool_submit(
        pool, spread,
        kin_args(kin_shared(pool), kin_shared((void *)count), kin_shared(all), kin_int(5)), NULL,
        NULL));
    CHECK_OK(kin_event_wait(all, KIN_FOREVER));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(*count, 63);
    kin_free((void *)count);
    kin_event_free(all);
    free_whole(pool);
}

static kin_obj free_own(kin_obj args)
{
    kin_pool_free(kin_as(kin_pool, kin_arg(args, 0)));
    return kin_int(1);
}

static void say_nothing(int level, const char *text, void *ctx)
{
    (void)level;
    (void)text;
    (void)ctx;
}

EACH_ENGINE(a_task_does_not_free_its_pool)
{
    kin_log_set_handler(say_nothing, NULL);
    kin_pool *pool = new_pool(engine, 2);
    CHECK_OK(kin_pool_apply(pool, free_own, kin_args(kin_shared(pool)), NULL));
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL));
    free_whole(pool);
}

static kin_obj use_inner_pool(kin_obj args)
{
    kin_pool_options options = { .processes = (unsigned)kin_arg_int(args, 1),
                                 .threads = (unsigned)kin_arg_int(args, 2) };
    options.engine = kin_len(kin_arg(args, 3)) != 0 ? kin_arg_str(args, 3) : NULL;
    kin_pool *pool;
    kin_obj o;
    KIN_TRY(kin_pool_new(&pool, &options));
    int rv =
        kin_pool_map(pool, square, kin_list(kin_int(kin_arg_int(args, 0)), kin_int(1)), NULL, &o);
    kin_pool_free(pool);
    KIN_TRY(rv);
    kin_obj first = kin_at(o, 0);
    kin_release(o);
    return first;
}

EACH_ENGINE(pools_nest)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_pool_options inner = options_of(engine, 2);
    kin_future *futures[4];
    for (int i = 0; i < 4; i++) {
        futures[i] = submit(pool, use_inner_pool,
                            kin_args(kin_int(i), kin_int(inner.processes), kin_int(inner.threads),
                                     kin_str(inner.engine != NULL ? inner.engine : "")));
    }
    for (int64_t i = 0; i < 4; i++) {
        CHECK_EQ(number_of(futures[i], KIN_FOREVER), i * i);
    }
    free_whole(pool);
}

/* ---- the pool, from elsewhere ---------------------------------------------------------------- */

static int use_from_afar(void *ctx)
{
    kin_pool *pool = ctx;
    kin_obj o;
    kin_log_set_handler(say_nothing, NULL);
    kin_pool_free(pool); /* that is its maker's */
    if (kin_pool_apply(pool, square, kin_args(kin_int(9)), &o) < 0 || kin_as_int(o) != 81) {
        return 1;
    }
    if (kin_pool_map(pool, square, kin_range(0, 50), NULL, &o) < 0 || kin_len(o) != 50) {
        return 2;
    }
    kin_release(o);
    return 0;
}

EACH_ENGINE(any_relative_may_submit)
{
    SKIP_WHERE_A_CHILD_MAY_HANG(engine);
    kin_pool *pool = new_pool(engine, 2);
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = test_child(use_from_afar, pool);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(children[i]), 0);
    }
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(9)), NULL));
    free_whole(pool);
}

static int end_from_afar(void *ctx)
{
    return kin_pool_terminate(ctx) < 0 || kin_pool_join(ctx, KIN_FOREVER) < 0 ? 1 : 0;
}

EACH_ENGINE(any_relative_may_terminate_and_wait_for_the_end)
{
    SKIP_WHERE_A_CHILD_MAY_HANG(engine);
    kin_pool *pool = new_pool(engine, 2);
    CHECK_EQ(test_join(test_child(end_from_afar, pool)), 0);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(9)), NULL), KIN_ECLOSED);
    free_whole(pool);
}

static void *use_from_beside(void *pool)
{
    for (int64_t i = 0; i < 200; i++) {
        CHECK_EQ(number_of(submit(pool, square, kin_args(kin_int(i))), KIN_FOREVER), i * i);
        kin_obj squares;
        CHECK_OK(kin_pool_map(pool, square, kin_range(i, i + 5), NULL, &squares));
        CHECK_EQ(kin_as_int(kin_at(squares, 4)), (i + 4) * (i + 4));
        kin_release(squares);
    }
    return NULL;
}

EACH_ENGINE_WITHIN(120, threads_submit_side_by_side)
{
    kin_pool *pool = new_pool(engine, 2);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, use_from_beside, pool), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    free_whole(pool);
}

/* ---- the maker's end ------------------------------------------------------------------------- */

struct house {
    const struct engine *engine;
    stop stop;
    kin_event *leave;
    kin_pool *pool;
};

static int make_a_pool_and_leave(void *ctx)
{
    struct house *h = ctx;
    h->engine->prepare();
    h->pool = new_pool(h->engine, 1);
    kin_future_free(submit_standing(h->pool, h->stop));
    return kin_event_wait(h->leave, KIN_FOREVER) < 0 ? 1 : 3;
}

EACH_ENGINE(a_maker_may_leave_an_open_pool_and_whoever_waits_is_told)
{
    struct house *h = test_shared(sizeof *h);
    *h = (struct house){ .engine = engine, .stop = new_stop() };
    CHECK_OK(kin_event_new(&h->leave, NULL));
    pid_t maker = test_child(make_a_pool_and_leave, h);
    CHECK_OK(kin_event_wait(h->stop.come, KIN_FOREVER));
    kin_future *future = submit(h->pool, square, kin_args(kin_int(3)));
    CHECK_ERROR(kin_future_wait(future, 0.02), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(h->leave));
    CHECK_EQ(test_join(maker), 3);
    int64_t rv = number_of(future, KIN_FOREVER);
    CHECK_(rv == KIN_EBROKEN || rv == KIN_ECANCELLED, "it is %d", (int)rv);
    kin_event_free(h->leave);
    free_stop(h->stop);
}

#endif
