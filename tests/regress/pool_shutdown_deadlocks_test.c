/* In Python close(), terminate() and join() deadlock in some orders, from some threads and in
 * callbacks (CPython gh-73945, gh-78178, gh-96995, gh-87129). Here they come in any order, as often
 * as one likes, from wherever in the family, and answer. */
#include "scene.h"

#include <pthread.h>

static kin_obj spin(kin_obj args)
{
    for (;;) {
        kin__os_pause();
    }
    return args;
}

/* What a pool answers to a verb is clear from what it heard before. */
struct model {
    bool closed, terminated;
};

static void say(kin_pool *pool, int verb, struct model *m)
{
    switch (verb) {
    case 0:
        CHECK_OK(kin_pool_close(pool));
        m->closed = true;
        break;
    case 1:
        CHECK_OK(kin_pool_terminate(pool));
        m->terminated = true;
        break;
    default:
        if (m->terminated) {
            CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
        } else {
            CHECK_ERROR(kin_pool_join(pool, 0.01), m->closed ? KIN_ETIMEDOUT : KIN_ESTATE);
        }
    }
}

TEST_WITHIN(120, every_order_of_close_terminate_and_join_ends)
{
    for (int order = 0; order < 3 * 3 * 3; order++) {
        kin_pool *pool = pool_of(2);
        kin_future *running = submit(pool, spin, kin_args());
        CHECK_OK(kin_pool_submit(pool, spin, kin_args(), NULL, NULL));
        kin_future *waiting = submit(pool, square, kin_args(kin_int(2)));
        struct model m = { 0 };
        for (int rest = order, i = 0; i < 3; i++, rest /= 3) {
            say(pool, rest % 3, &m);
        }
        kin_pool_free(pool);
        kin_obj o;
        CHECK_ERROR(kin_future_get(running, &o, KIN_FOREVER), KIN_ECANCELLED);
        CHECK_ERROR(kin_future_get(waiting, &o, KIN_FOREVER), KIN_ECANCELLED);
        kin_future_free(waiting);
        kin_future_free(running);
        nothing_is_left();
    }
}

TEST(a_pool_that_has_ended_answers_as_often_as_it_is_asked)
{
    kin_pool *pool = pool_of(2);
    works(pool);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_pool_close(pool));
        CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
        CHECK_OK(kin_pool_terminate(pool));
    }
    kin_pool_free(pool);
    CHECK_ERROR(kin_pool_join(pool, KIN_FOREVER), KIN_EFREED);
    kin_log_set_level(KIN_LOG_OFF);
    kin_pool_free(pool); /* is told, and changes nothing */
    nothing_is_left();
}

/* A task with the pool that runs it. */
static kin_obj end_own_pool(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    kin_log_set_level(KIN_LOG_OFF);
    kin_pool_free(pool); /* is the maker's: nothing happens */
    KIN_TRY(kin_pool_close(pool));
    int rv = kin_pool_join(pool, KIN_FOREVER);
    return kin_bool(rv == KIN_EDEADLK);
}

static kin_obj terminate_own_pool(kin_obj args)
{
    KIN_TRY(kin_pool_terminate(kin_as(kin_pool, kin_arg(args, 0))));
    for (;;) {
        pause();
    }
    return kin_none();
}

TEST(a_task_may_end_its_own_pool)
{
    kin_pool *pool = pool_of(2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, end_own_pool, kin_args(kin_shared(pool)), &o));
    CHECK(kin_as_bool(o));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
    pool = pool_of(2);
    CHECK_ERROR(kin_pool_apply(pool, terminate_own_pool, kin_args(kin_shared(pool)), &o),
                KIN_ECANCELLED);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

static void *end_pool(void *pool)
{
    bool good = kin_pool_close(pool) == 0 && kin_pool_terminate(pool) == 0 &&
                kin_pool_join(pool, KIN_FOREVER) == 0;
    return good ? NULL : pool;
}

TEST(threads_may_end_a_pool_all_at_once)
{
    for (int round = 0; round < 5; round++) {
        kin_pool *pool = pool_of(2);
        CHECK_OK(kin_pool_submit(pool, spin, kin_args(), NULL, NULL));
        pthread_t threads[4];
        for (int i = 0; i < 4; i++) {
            CHECK_EQ(pthread_create(&threads[i], NULL, end_pool, pool), 0);
        }
        for (int i = 0; i < 4; i++) {
            void *bad;
            pthread_join(threads[i], &bad);
            CHECK_NULL(bad);
        }
        free_whole(pool);
    }
}
