#include "pool_scene.h"

#include <stdlib.h>

enum { WORKERS = 4 };

/* What workers say of themselves at their steps: each of them is a fork that listens. */
static struct watch {
    _Atomic int falls;   /* how often one of them was about to fall asleep */
    _Atomic bool hold;   /* who looks next shall stop there */
    _Atomic pid_t looks; /* who has stopped, with his bit set */
    _Atomic bool go;     /* he may go on */
} * watch;

static void note(const char *step)
{
    bool hold = true;
    if (strcmp(step, "take.asleep") == 0) {
        atomic_fetch_add(&watch->falls, 1);
    } else if (strcmp(step, "take.looking") == 0 &&
               atomic_compare_exchange_strong(&watch->hold, &hold, false)) {
        watch->looks = kin__os_getpid();
        WAIT_UNTIL(watch->go);
    }
}

static bool all_asleep(const kin_pool *pool)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        pid_t pid = atomic_load(&pool->workers[i].pid);
        if (pid != 0 && pid != watch->looks && !test_is_asleep(pid)) {
            return false;
        }
    }
    return true;
}

/* All sleep, and have done so `falls` times together at least; how often it was. */
static int settle(const kin_pool *pool, int falls)
{
    WAIT_UNTIL(watch->falls >= falls && all_asleep(pool));
    return watch->falls;
}

static void listen(void)
{
    kin__step_hook(note);
}

static kin_pool *watched_pool(void)
{
    static bool listens;
    watch = test_shared(sizeof *watch);
    if (!listens) {
        kin__os_at_fork_child(listen); /* where a hook would be gone */
        listens = true;
    }
    kin_pool *pool = pool_of(WORKERS);
    (void)settle(pool, WORKERS);
    return pool;
}

/* Waits for it, but by no call of the library's: those who wait there wake workers. */
static void see_done(kin_future *future, int64_t result)
{
    kin_obj o;
    WAIT_UNTIL(kin_future_done(future));
    CHECK_OK(kin_future_get(future, &o, 0));
    CHECK_EQ(kin_as_int(o), result);
    kin_future_free(future);
}

static kin_future *submit_square(kin_pool *pool, int64_t n)
{
    kin_future *future = NULL;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(n)), NULL, &future));
    return future;
}

/* Now one worker looks, and stops there; the others sleep. */
static pid_t have_one_look(kin_pool *pool)
{
    int falls = watch->falls;
    watch->hold = true;
    see_done(submit_square(pool, 2), 4);
    WAIT_UNTIL(watch->looks != 0);
    CHECK_EQ(settle(pool, falls), falls);
    return watch->looks;
}

TEST(a_task_for_many_sleepers_wakes_one_of_them)
{
    kin_pool *pool = watched_pool();
    int falls = watch->falls;
    for (int i = 0; i < 20; i++) {
        see_done(submit_square(pool, i), (int64_t)i * i);
        CHECK_EQ(settle(pool, falls + 1), falls + 1);
        falls++;
    }
    free_whole(pool);
}

TEST(while_one_looks_nobody_is_woken)
{
    kin_pool *pool = watched_pool();
    (void)have_one_look(pool);
    int falls = watch->falls;
    kin_future *future = submit_square(pool, 3);
    CHECK_EQ(settle(pool, falls), falls);
    CHECK(!kin_future_done(future));
    watch->go = true;
    see_done(future, 9);
    watch->looks = 0;
    CHECK_EQ(settle(pool, falls + 1), falls + 1); /* he alone */
    free_whole(pool);
}

static kin_obj meet(kin_obj args)
{
    _Atomic int *here = kin_arg_shared(args, 0);
    atomic_fetch_add(here, 1);
    WAIT_UNTIL(*here == 3);
    return kin_int(3);
}

TEST(who_finds_a_task_wakes_another_for_what_is_left)
{
    kin_pool *pool = watched_pool();
    _Atomic int *here = kin_alloc(sizeof *here);
    kin_future *futures[3];
    (void)have_one_look(pool);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(
            kin_pool_submit(pool, meet, kin_args(kin_shared((void *)here)), NULL, &futures[i]));
    }
    CHECK_EQ(*here, 0);
    watch->go = true;
    for (int i = 0; i < 3; i++) {
        see_done(futures[i], 3);
    }
    kin_free((void *)here);
    free_whole(pool);
}

/* ---- who looks, and does not go on ----------------------------------------------------------- */

static int wait_by_get(kin_pool *pool, kin_future *future)
{
    (void)pool;
    return kin_future_get(future, &(kin_obj){ 0 }, KIN_FOREVER);
}

static int wait_for_many(kin_pool *pool, kin_future *future)
{
    (void)pool;
    return kin_futures_wait((kin_future *const[]){ future }, 1, KIN_ALL_COMPLETED, KIN_FOREVER);
}

static int wait_as_completed(kin_pool *pool, kin_future *future)
{
    kin_iter *iter = NULL;
    kin_future *done;
    (void)pool;
    CHECK_OK(kin_futures_as_completed(&iter, (kin_future *const[]){ future }, 1));
    int rv = kin_iter_next_future(iter, &done, KIN_FOREVER);
    kin_iter_free(iter);
    return rv;
}

static int wait_among_others(kin_pool *pool, kin_future *future)
{
    (void)pool;
    kin_waitable thing = kin_future_waitable(future);
    return kin_wait(&thing, 1, KIN_FOREVER);
}

static int wait_for_a_map(kin_pool *pool, kin_future *future)
{
    kin_obj results;
    int rv = kin_pool_map(pool, square, kin_range(0, 10), NULL, &results);
    kin_release(rv == 0 ? results : kin_none());
    WAIT_UNTIL(kin_future_done(future));
    return rv;
}

static int give_three(void *ctx, kin_obj *ret_item)
{
    int *given = ctx;
    *ret_item = kin_int(*given);
    return ++*given > 3 ? KIN_EEOF : 0;
}

static int wait_for_an_imap(kin_pool *pool, kin_future *future)
{
    int given = 0;
    kin_obj o;
    kin_iter *iter = NULL;
    CHECK_OK(kin_pool_imap(pool, square, &(kin_source){ .next = give_three, .ctx = &given }, NULL,
                           &iter));
    while (kin_iter_next(iter, &o, KIN_FOREVER) == 0) {
    }
    kin_iter_free(iter);
    WAIT_UNTIL(kin_future_done(future));
    return 0;
}

static int wait_for_the_end(kin_pool *pool, kin_future *future)
{
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_join(pool, 0.01), KIN_ETIMEDOUT); /* for one of them is stopped */
    WAIT_UNTIL(kin_future_done(future));
    return 0;
}

TEST(a_worker_that_is_stopped_while_he_looks_holds_up_nobody_who_waits)
{
    int (*const ways[])(kin_pool *, kin_future *) = {
        wait_by_get,       wait_for_many,    wait_as_completed, wait_for_a_map,
        wait_among_others, wait_for_an_imap, wait_for_the_end,
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        kin_pool *pool = watched_pool();
        pid_t pid = have_one_look(pool);
        kin__os_kill(pid, SIGSTOP);
        kin_future *future = submit_square(pool, 5);
        CHECK_OK(ways[i](pool, future));
        see_done(future, 25);
        kin__os_kill(pid, SIGCONT);
        free_whole(pool);
    }
}

TEST(what_was_left_to_a_looker_who_is_killed_is_done_by_others)
{
    kin_pool *pool = watched_pool();
    pid_t pid = have_one_look(pool);
    kin_future *futures[2] = { submit_square(pool, 6), submit_square(pool, 7) };
    CHECK(!kin_future_done(futures[0]) && !kin_future_done(futures[1]));
    kin__os_kill(pid, SIGKILL);
    see_done(futures[0], 36);
    see_done(futures[1], 49);
    free_whole(pool);
}

/* Nobody comes to his place: those who sleep at others are woken. */
TEST(what_was_left_to_a_looker_who_is_not_replaced_is_done_by_others)
{
    kin_pool *pool = watched_pool();
    pid_t pid;
    while ((pid = have_one_look(pool)) == atomic_load(&pool->workers[0].pid)) {
        watch->go = true;
        watch->looks = 0;
        free_whole(pool);
        pool = watched_pool();
    }
    CHECK_OK(kin_pool_resize(pool, 1));
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 2); /* we, the nursery, the one who stays and he */
    WAIT_UNTIL(test_is_asleep(atomic_load(&pool->workers[0].pid)));
    kin_future *future = submit_square(pool, 6);
    CHECK(!kin_future_done(future));
    kin__os_kill(pid, SIGKILL);
    see_done(future, 36);
    free_whole(pool);
}

/* ---- the end --------------------------------------------------------------------------------- */

TEST(closing_wakes_all_who_sleep)
{
    kin_pool *pool = watched_pool();
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

static kin_obj stay_until(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(1);
}

TEST(what_waits_is_cancelled_with_a_reason_and_what_runs_is_not)
{
    kin_pool *pool = pool_of(1);
    kin_event *go = NULL;
    kin_future *runs = NULL, *waits[3];
    kin_obj o;
    CHECK_OK(kin_event_new(&go, NULL));
    CHECK_OK(kin_pool_submit(pool, stay_until, kin_args(kin_shared(go)), NULL, &runs));
    WAIT_UNTIL(kin_future_running(runs));
    for (int i = 0; i < 3; i++) {
        waits[i] = submit_square(pool, i);
    }
    kin__pool_cancel_queued(pool, KIN__LOST_CANCELLED);
    kin__pool_cancel_queued(pool, KIN__LOST_TERMINATED); /* nothing is there any more */
    CHECK(kin_queue_empty(pool->queue));
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(kin_future_get(waits[i], &o, 0), KIN_ECANCELLED);
        CHECK_STR(kin_errmsg(), "the task was cancelled");
        kin_future_free(waits[i]);
    }
    CHECK_OK(kin_event_set(go));
    see_done(runs, 1);
    see_done(submit_square(pool, 8), 64);
    kin_event_free(go);
    free_whole(pool);
}

/* ---- the kill loop --------------------------------------------------------------------------- */

/* Who takes has no task yet: his death costs nothing, whenever it comes. */
static void use_a_pool(void *ctx)
{
    _Atomic int *wrong = ctx;
    kin_pool *pool = pool_of(2);
    kin_future *futures[6];
    for (int i = 0; i < 6; i++) {
        futures[i] = submit_square(pool, i);
    }
    for (int i = 0; i < 6; i++) {
        kin_obj o;
        *wrong += kin_future_get(futures[i], &o, KIN_FOREVER) < 0 || kin_as_int(o) != i * i;
        kin_future_free(futures[i]);
    }
    kin_obj results;
    *wrong += kin_pool_map(pool, square, kin_range(0, 9), NULL, &results) < 0;
    kin_release(results);
    *wrong += kin_pool_close(pool) < 0 || kin_pool_join(pool, KIN_FOREVER) < 0;
    kin_pool_free(pool);
}

static void nothing_is_lost(void *ctx, const char *step)
{
    _Atomic int *wrong = ctx;
    CHECK_(*wrong == 0, "killed at %s: %d calls went wrong", step, *wrong);
    WAIT_UNTIL(kin__count_alive() == 1);
}

TEST_WITHIN(120, whoever_is_killed_on_his_way_to_a_task_no_task_is_lost)
{
    _Atomic int *wrong = test_shared(sizeof *wrong);
    kin__self();
    /* how often anybody looks or sleeps is up to the scheduler */
    CHECK_GE(
        kill_loop("take.", wrong, .victim = use_a_pool, .check = nothing_is_lost, .anybody = true),
        1);
}
