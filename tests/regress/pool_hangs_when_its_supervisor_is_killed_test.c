/* In Python threads of the program look after a pool's workers; when one of them ends by an
 * exception of its own, all who wait do so for ever (CPython gh-79492, gh-96062). Here a process
 * looks after them. When that is killed there is no hope, and everybody hears so at once; the
 * program goes on, and makes another pool. */
#include "scene.h"

static kin_obj kill_the_supervisor(kin_obj args)
{
    kill(getppid(), SIGKILL); /* and with it its workers */
    for (;;) {
        pause();
    }
    return args;
}

static int give_for_ever(void *ctx, kin_obj *ret_item)
{
    (void)ctx;
    *ret_item = kin_int(1);
    return 0;
}

enum { QUEUED = 20 };

static void all_are_broken(kin_future *const futures[], size_t n)
{
    CHECK_OK(kin_futures_wait(futures, n, KIN_ALL_COMPLETED, KIN_FOREVER));
    for (size_t i = 0; i < n; i++) {
        kin_obj o;
        kin_failure failure;
        CHECK(kin_future_done(futures[i]));
        CHECK_ERROR(kin_future_get(futures[i], &o, KIN_FOREVER), KIN_EBROKEN);
        CHECK_CONTAINS(kin_errmsg(), "supervisor was killed");
        CHECK_OK(kin_future_failure(futures[i], &failure));
        CHECK_EQ(failure.code, KIN_EBROKEN);
    }
}

TEST(every_future_of_a_pool_whose_supervisor_was_killed_says_so_and_a_new_pool_works)
{
    kin_pool *pool = pool_of(2);
    kin_event *never = new_event();
    kin_future *futures[QUEUED + 3];
    kin_obj o;
    futures[0] = submit(pool, wait_for_event, kin_args(kin_shared(never)));
    WAIT_UNTIL(kin_future_running(futures[0]));
    futures[1] = submit(pool, kill_the_supervisor, kin_args());
    for (int i = 0; i < QUEUED; i++) {
        futures[2 + i] = submit(pool, square, kin_args(kin_int(i)));
    }
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 100), NULL, &futures[QUEUED + 2]));
    all_are_broken(futures, QUEUED + 3);
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), &o), KIN_EBROKEN);
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 9), NULL, &o), KIN_EBROKEN);
    kin_pool *another = pool_of(2);
    works(another);
    kin_pool_free(pool);
    works(another);
    for (int i = 0; i < QUEUED + 3; i++) {
        kin_future_free(futures[i]);
    }
    kin_pool_free(another);
    kin_event_free(never);
    nothing_is_left();
}

/* Whatever they wait for, and by whatever they do. */
TEST(whoever_waits_when_the_supervisor_is_killed_is_told)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    kin_iter *iter = NULL;
    kin_future *future = submit(pool, kill_the_supervisor, kin_args());
    kin_waitable thing = kin_future_waitable(future);
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    CHECK_ERROR(kin_future_wait(future, KIN_FOREVER), KIN_EBROKEN);
    CHECK_ERROR(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)), KIN_EBROKEN);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_join(pool, KIN_FOREVER), KIN_EBROKEN);
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_ERROR(kin_pool_join(pool, KIN_FOREVER), KIN_EBROKEN);
    kin_future_free(future);
    free_whole(pool);

    pool = pool_of(1);
    CHECK_OK(kin_pool_imap(pool, kill_the_supervisor, &(kin_source){ .next = give_for_ever }, NULL,
                           &iter));
    CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EBROKEN);
    kin_iter_free(iter);
    free_whole(pool);

    pool = pool_of(1);
    CHECK_ERROR(kin_pool_apply(pool, kill_the_supervisor, kin_args(), &o), KIN_EBROKEN);
    free_whole(pool);

    pool = pool_of(1);
    CHECK_ERROR(kin_pool_map(pool, kill_the_supervisor, kin_range(0, 3), NULL, &o), KIN_EBROKEN);
    free_whole(pool);
}
