#include "pool_scene.h"

#include "pool/many.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct called {
    _Atomic int n;
    int order[200];
    pthread_t thread;
    kin_pool *pool;
} called;

static called *seen; /* by callbacks */

static void look(kin_future *future, void *ctx)
{
    CHECK(kin_future_done(future));
    seen->thread = pthread_self();
    seen->order[seen->n] = (int)(intptr_t)ctx;
    seen->n++;
}

static void look_and_free(kin_future *future, void *ctx)
{
    look(future, ctx);
    kin_future_free(future);
}

static kin_pool *scene(unsigned processes)
{
    seen = test_shared(sizeof *seen);
    return pool_of(processes);
}

static kin_obj wait_for_call(kin_obj args)
{
    WAIT_UNTIL(seen->n >= kin_arg_int(args, 0));
    return kin_none();
}

#define OPTIONS(f, i) KIN_OPT(kin_submit_options, .on_done = (f), .ctx = (void *)(intptr_t)(i))

TEST(a_callback_is_called_once_in_who_waits_for_that_future)
{
    kin_pool *pool = scene(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, 7), &future));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 9);
    CHECK_EQ(seen->n, 1);
    CHECK_EQ(seen->order[0], 7);
    CHECK(pthread_equal(seen->thread, pthread_self()));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    CHECK_OK(kin_future_wait(future, 0));
    CHECK_EQ(seen->n, 1);
    CHECK_ERROR(kin_future_on_done(future, look, NULL), KIN_ESTATE);
    kin_future_free(future);
    free_whole(pool);
}

TEST(a_sleeper_is_woken_for_the_callback_of_another_future)
{
    kin_pool *pool = scene(2);
    for (int i = 1; i <= 5; i++) {
        kin_future *waits, *calls;
        CHECK_OK(kin_pool_submit(pool, wait_for_call, kin_args(kin_int(i)), NULL, &waits));
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, i), &calls));
        if (i == 1) {
            CHECK_OK(kin_future_wait(waits, KIN_FOREVER));
        } else if (i == 2) {
            CHECK_OK(kin_futures_wait(&waits, 1, KIN_ALL_COMPLETED, KIN_FOREVER));
        } else if (i == 3) {
            kin_iter *iter;
            kin_future *next;
            CHECK_OK(kin_futures_as_completed(&iter, &waits, 1));
            CHECK_OK(kin_iter_next_future(iter, &next, KIN_FOREVER));
            kin_iter_free(iter);
        } else if (i == 4) {
            CHECK_OK(kin_pool_apply(pool, wait_for_call, kin_args(kin_int(i)), NULL));
        } else {
            CHECK_OK(kin_pool_close(pool));
            CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
        }
        CHECK_EQ(seen->n, i);
        kin_future_free(waits);
        kin_future_free(calls);
    }
    free_whole(pool);
}

TEST(a_callback_is_added_later_and_to_what_is_done_and_may_free_the_future)
{
    kin_pool *pool = scene(1);
    kin_future *future, *second;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &future));
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK_OK(kin_future_on_done(future, look_and_free, (void *)1));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    CHECK_EQ(seen->n, 1);
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &second));
    CHECK_OK(kin_future_on_done(second, look_and_free, (void *)1));
    CHECK_OK(kin_futures_wait(&second, 1, KIN_FIRST_ERROR, KIN_FOREVER));
    CHECK_EQ(seen->n, 2);
    free_whole(pool);
}

TEST(without_a_future_there_is_a_callback_all_the_same)
{
    kin_pool *pool = scene(2);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_pool_submit(pool, i % 10 ? square : die_of, kin_args(kin_int(SIGKILL)),
                                 OPTIONS(i % 3 ? look : look_and_free, i), NULL));
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(seen->n, 20);
    free_whole(pool);
}

TEST(a_future_freed_before_its_callback_is_called_with_it)
{
    kin_pool *pool = scene(1);
    kin_future *future;
    CHECK_OK(
        kin_pool_submit(pool, square, kin_args(kin_int(2)), OPTIONS(look_and_free, 1), &future));
    kin_future_free(future);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(seen->n, 1);
    free_whole(pool);
}

TEST(a_map_has_a_callback_too)
{
    kin_pool *pool = scene(2);
    kin_future *future;
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 100),
                                KIN_OPT(kin_map_options, .on_done = look, .ctx = (void *)1),
                                &future));
    CHECK_OK(kin_pool_map_async(pool, square, kin_range(0, 100),
                                KIN_OPT(kin_map_options, .on_done = look, .ctx = (void *)2), NULL));
    CHECK_OK(kin_futures_wait(&future, 1, KIN_ALL_COMPLETED, KIN_FOREVER));
    CHECK_GE(seen->n, 1);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(seen->n, 2);
    kin_obj results;
    CHECK_OK(kin_future_get(future, &results, 0));
    kin_release(results);
    kin_future_free(future);
    free_whole(pool);
}

static void submit_another(kin_future *future, void *ctx)
{
    kin_obj o;
    look(future, ctx);
    kin_pool *pool = seen->pool;
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(4)), &o));
    CHECK_EQ(kin_as_int(o), 16);
    int left = (int)(intptr_t)ctx - 1;
    if (left > 0) {
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(4)), OPTIONS(submit_another, left),
                                 NULL));
    }
}

TEST(a_callback_may_submit_and_wait)
{
    kin_pool *pool = scene(2);
    seen->pool = pool;
    CHECK_OK(
        kin_pool_submit(pool, square, kin_args(kin_int(1)), OPTIONS(submit_another, 10), NULL));
    CHECK_OK(kin_pool_apply(pool, wait_for_call, kin_args(kin_int(10)), NULL));
    free_whole(pool);
    CHECK_EQ(seen->n, 10);
}

/* ---- the end of a pool ----------------------------------------------------------------------- */

static void end_pool(kin_future *future, void *ctx)
{
    look(future, ctx);
    switch ((intptr_t)ctx) {
    case 1:
        CHECK_OK(kin_pool_close(seen->pool));
        break;
    case 2:
        CHECK_OK(kin_pool_terminate(seen->pool));
        break;
    case 3:
        CHECK_OK(kin_pool_close(seen->pool));
        CHECK_OK(kin_pool_join(seen->pool, KIN_FOREVER));
        break;
    default:
        kin_pool_free(seen->pool);
        seen->pool = NULL;
    }
}

TEST(a_callback_may_end_the_pool_while_others_wait_for_anything_of_it)
{
    for (int how = 1; how <= 4; how++) {
        for (int where = 0; where < 4; where++) {
            kin_pool *pool = scene(2);
            kin_future *last, *unused;
            seen->pool = pool;
            CHECK_OK(
                kin_pool_submit(pool, square, kin_args(kin_int(1)), OPTIONS(end_pool, how), NULL));
            for (int i = 10; i < 20; i++) {
                CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(1)),
                                         OPTIONS(look_and_free, i), &unused));
            }
            CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &last));
            if (where == 0) {
                int rv = kin_future_wait(last, KIN_FOREVER);
                CHECK(rv == 0 || rv == KIN_ECANCELLED);
            } else if (where == 1) {
                CHECK_OK(kin_futures_wait(&last, 1, KIN_ALL_COMPLETED, KIN_FOREVER));
            } else if (where == 2) {
                CHECK_OK(kin_pool_close(pool));
                CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
            }
            CHECK(kin_future_done(last) || where == 3);
            if (seen->pool != NULL) {
                kin_pool_free(pool); /* and perhaps a callback in it does so, too */
            }
            CHECK_EQ(seen->n, 11);
            kin_future_free(last);
            kin_usage_info usage;
            CHECK_OK(kin_usage(&usage));
            CHECK_EQ(usage.blocks, 0);
        }
    }
}

TEST(callbacks_of_a_pool_that_is_terminated_or_broken_are_called_with_what_is_done)
{
    for (int broken = 0; broken < 2; broken++) {
        kin_pool *pool = scene(2);
        for (int i = 0; i < 20; i++) {
            CHECK_OK(kin_pool_submit(pool, stay, kin_args(), OPTIONS(look, i), NULL));
        }
        kin_log_set_level(KIN_LOG_ERROR);
        if (broken) {
            kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
            CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL), KIN_EBROKEN);
            CHECK_EQ(seen->n, 20);
        }
        kin_pool_free(pool);
        CHECK_EQ(seen->n, 20);
        WAIT_UNTIL(kin__count_alive() == 1);
        kin_usage_info usage;
        CHECK_OK(kin_usage(&usage));
        CHECK_EQ(usage.blocks, 0);
    }
}

TEST(a_broken_pool_can_be_freed_at_once_while_callbacks_are_pending)
{
    kin_pool *pool = scene(1);
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), OPTIONS(look, 1), NULL));
    kin_log_set_level(KIN_LOG_ERROR);
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    kin_pool_free(pool);
    CHECK_EQ(seen->n, 1);
    WAIT_UNTIL(kin__count_alive() == 1);
}

/* A worker is stopped there till a callback was called. */
static void be_late(const char *step)
{
    if (strcmp(step, "task.over") == 0) {
        WAIT_UNTIL(seen->n != 0);
    }
}

static void be_late_in_child(void)
{
    kin__step_hook(be_late);
}

TEST(who_sees_its_end_calls_a_futures_own_callback_though_nobody_was_told)
{
    seen = test_shared(sizeof *seen);
    kin__os_at_fork_child(be_late_in_child); /* where a hook would be gone */
    kin_pool *pool = pool_of(1);
    kin_future *future;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, 7), &future));
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK_EQ(seen->n, 1);
    kin_future_free(future);
    free_whole(pool);
}

static int depth, deepest;

static void wait_inside(kin_future *future, void *ctx)
{
    kin_obj o;
    deepest = ++depth > deepest ? depth : deepest;
    look(future, ctx);
    CHECK_OK(kin_pool_apply(seen->pool, square, kin_args(kin_int(4)), &o));
    depth--;
}

TEST(callbacks_that_wait_do_not_pile_up)
{
    kin_pool *pool = scene(1);
    seen->pool = pool;
    for (int i = 0; i < 20; i++) {
        CHECK_OK(
            kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(wait_inside, i), NULL));
    }
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(4)), NULL)); /* now all are due */
    CHECK_EQ(seen->n, 20);
    CHECK_EQ(deepest, 1);
    free_whole(pool);
}

/* ---- the helper ------------------------------------------------------------------------------ */

TEST(a_helper_thread_calls_though_nobody_waits_and_goes_with_the_pool)
{
    seen = test_shared(sizeof *seen);
    int threads = 0; /* a sanitizer has one, too, from the first one on */
    for (int round = 0; round < 5; round++) {
        kin_pool *pool;
        CHECK_OK(kin_pool_new(&pool,
                              KIN_OPT(kin_pool_options, .processes = 1, .callback_thread = true)));
        seen->n = 0;
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, 7), NULL));
        WAIT_UNTIL(seen->n == 1);
        CHECK(!pthread_equal(seen->thread, pthread_self()));
        for (int i = 0; i < 50; i++) {
            kin_future *future;
            CHECK_OK(
                kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, i), &future));
            CHECK_OK(kin_future_wait(future, KIN_FOREVER));
            kin_future_free(future);
        }
        kin_pool_free(pool);
        CHECK_EQ(seen->n, 51);
        WAIT_UNTIL(kin__count_alive() ==
                   1); /* beside a sanitizer's thread he is no child of ours */
        threads = round == 0 ? kin__os_thread_count() : threads;
        CHECK_EQ(kin__os_thread_count(), threads);
    }
}

TEST(in_the_helper_a_callback_may_free_the_pool)
{
    seen = test_shared(sizeof *seen);
    kin_pool *pool;
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1, .callback_thread = true)));
    seen->pool = pool;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(end_pool, 4), NULL));
    WAIT_UNTIL(kin__count_alive() == 1);
    kin_usage_info usage;
    WAIT_UNTIL(kin_usage(&usage) == 0 && usage.blocks == 0);
    CHECK_EQ(seen->n, 1);
}

/* ---- little memory, and bad arguments ------------------------------------------------------ */

static int try_to_submit(void *pool)
{
    kin_future *future;
    int rv = kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, 0), &future);
    if (rv == 0) {
        rv = kin_future_wait(future, KIN_FOREVER);
        kin_future_free(future);
    }
    return rv;
}

/* ---- what is going on meanwhile -------------------------------------------------------------- */

static kin_future *other;

static void free_it(kin_future *future, void *ctx)
{
    look(future, ctx);
    kin_future_free(future);
}

static void have_other_freed(kin_future *future, void *ctx)
{
    look(future, ctx);
    CHECK_OK(kin_future_on_done(other, free_it, (void *)2));
    kin_future_free(future);
}

TEST(a_callback_may_free_a_future_that_its_thread_waits_for_already)
{
    kin_pool *pool = scene(2);
    for (int i = 0; i < 3; i++) {
        kin_future *first;
        kin_obj o;
        seen->n = 0;
        CHECK_OK(kin_pool_submit(pool, wait_for_call, kin_args(kin_int(1)), NULL, &other));
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(have_other_freed, 1),
                                 &first));
        if (i == 0) {
            CHECK_OK(kin_future_get(other, &o, KIN_FOREVER));
        } else if (i == 1) {
            CHECK_OK(kin_future_wait(other, KIN_FOREVER));
        } else {
            CHECK_OK(kin_futures_wait(&other, 1, KIN_FIRST_ERROR, KIN_FOREVER));
        }
        CHECK_EQ(seen->n, 2);
    }
    free_whole(pool);
}

static pid_t forked = -1;

static void fork_here(kin_future *future, void *ctx)
{
    look(future, ctx);
    forked = fork();
}

TEST(the_child_of_a_callback_that_forks_calls_nobody_and_goes_on)
{
    kin_pool *pool = scene(1);
    kin_future *forks, *calls, *waits;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(fork_here, 1), &forks));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), OPTIONS(look, 2), &calls));
    CHECK_OK(kin_pool_submit(pool, wait_for_call, kin_args(kin_int(2)), NULL, &waits));
    int rv = kin_future_wait(waits, KIN_FOREVER);
    if (forked == 0) {
        _exit(rv == 0 && !kin__callbacks_run(pool->self, NULL) ? 7 : 1);
    }
    int status;
    CHECK_OK(rv);
    CHECK_EQ(waitpid(forked, &status, 0), forked);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
    CHECK_EQ(seen->n, 2);
    kin_future_free(forks);
    kin_future_free(calls);
    kin_future_free(waits);
    free_whole(pool);
}

TEST(who_waits_without_a_seat_is_woken_when_the_one_who_has_it_gives_up)
{
    kin_pool *pool = scene(2);
    kin_future *calls, *waits;
    CHECK_OK(kin_pool_submit(pool, wait_for_call, kin_args(kin_int(1)), OPTIONS(look, 1), &calls));
    CHECK_OK(kin_pool_submit(pool, wait_for_call, kin_args(kin_int(1)), NULL, &waits));
    kin__task *task = kin__block_at(waits->task, KIN__TASK, NULL);
    kin__lobby first, second;
    kin__gate *gate = kin__callbacks_enter(&first, pool->self, task);
    CHECK(gate != NULL);
    CHECK(kin__callbacks_enter(&second, pool->self, task) == gate);
    CHECK_EQ(gate->word, second.ticket);
    kin__callbacks_leave(&first);
    kin__callbacks_pass_on();
    CHECK_NE(gate->word, second.ticket);
    kin__callbacks_leave(&second);
    kin__callbacks_enter(&first, pool->self, task);
    kin__callbacks_leave(&first);
    kin__callbacks_pass_on();
    CHECK_EQ(gate->word, first.ticket); /* that is no news for anybody */
    seen->n = 1;
    CHECK_OK(kin_future_wait(calls, KIN_FOREVER));
    kin_future_free(calls);
    kin_future_free(waits);
    free_whole(pool);
}

static void *add_callback(void *future)
{
    return (void *)(intptr_t)kin_future_on_done(future, look, NULL);
}

TEST(of_two_threads_that_add_a_callback_one_has_added_it)
{
    kin_pool *pool = scene(1);
    for (int i = 0; i < 50; i++) {
        kin_future *future;
        pthread_t thread;
        void *theirs;
        seen->n = 0;
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &future));
        CHECK_EQ(pthread_create(&thread, NULL, add_callback, future), 0);
        int ours = kin_future_on_done(future, look, NULL);
        CHECK_EQ(pthread_join(thread, &theirs), 0);
        CHECK_EQ(ours + (int)(intptr_t)theirs, KIN_ESTATE);
        CHECK_OK(kin_future_wait(future, KIN_FOREVER));
        CHECK_EQ(seen->n, 1);
        kin_future_free(future);
    }
    free_whole(pool);
}

TEST(without_memory_there_is_neither_a_task_nor_a_callback)
{
    kin_pool *pool = scene(1);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, pool, .attempt = try_to_submit), 6);
    CHECK_LE(seen->n, 2);
    free_whole(pool);
}

TEST(bad_arguments_are_refused)
{
    kin_pool *pool = scene(1);
    kin_future *future;
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(3)), NULL, &future));
    CHECK_ERROR(kin_future_on_done(NULL, look, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_future_on_done(future, NULL, NULL), KIN_EINVAL);
    kin_obj o;
    CHECK_ERROR(
        kin_pool_map(pool, square, kin_range(0, 3), KIN_OPT(kin_map_options, .on_done = look), &o),
        KIN_EINVAL);
    kin_future_free(future);
    free_whole(pool);
}
