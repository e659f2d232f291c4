#include "pool_scene.h"

#include <kin/process.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

static kin_pool *pool_with(kin_pool_options options)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, &options));
    return pool;
}

static int others;

static kin_pool *threads(unsigned n)
{
    if (others == 0) {
        kin_pool_free(pool_with((kin_pool_options){ .threads = 1 }));
        others = kin__os_thread_count();
    }
    return pool_with((kin_pool_options){ .threads = n });
}

/* Of ours: there is one more, and a sanitizer's, which comes with the first of others. */
static int count_threads(void)
{
    return kin__os_thread_count() - others;
}

static void free_threads(kin_pool *pool)
{
    free_whole(pool);
    CHECK_EQ(count_threads(), 0);
}

/* Where two of them are at the same time. */
static _Atomic unsigned come;

static kin_obj meet(kin_obj args)
{
    (void)args;
    come++;
    WAIT_UNTIL(come == 3);
    return kin_list(kin_int(getpid()), kin_int((int64_t)gettid()));
}

TEST(workers_are_threads_of_the_maker)
{
    kin_pool *pool = threads(3);
    CHECK_EQ(atomic_load(&pool->wanted), 3);
    CHECK_EQ(count_threads(), 3);
    kin_obj o;
    CHECK_OK(
        kin_pool_map(pool, meet, kin_range(0, 3), KIN_OPT(kin_map_options, .chunksize = 1), &o));
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(kin_as_int(kin_at(kin_at(o, i), 0)), getpid());
        for (size_t j = 0; j < i; j++) {
            CHECK_NE(kin_as_int(kin_at(kin_at(o, i), 1)), kin_as_int(kin_at(kin_at(o, j), 1)));
        }
    }
    kin_release(o);
    CHECK_EQ(kin__count_alive(), 1);
    free_threads(pool);
}

static kin_obj look_around(kin_obj args)
{
    (void)args;
    char name[17] = "";
    sigset_t blocked;
    cpu_set_t set;
    prctl(PR_GET_NAME, name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sched_getaffinity(0, sizeof set, &set);
    return kin_list(kin_str(name), kin_bool(sigismember(&blocked, SIGINT)),
                    kin_int(CPU_COUNT(&set)));
}

TEST(a_worker_has_a_name_no_signals_and_its_processor_where_it_is_to)
{
    kin_pool *pool = pool_with((kin_pool_options){ .threads = 1, .name = "cook", .pin = true });
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, look_around, kin_args(), &o));
    CHECK_STR(kin_as_str(kin_at(o, 0)), "cook-1");
    CHECK(kin_as_bool(kin_at(o, 1)));
    CHECK_EQ(kin_as_int(kin_at(o, 2)), 1);
    kin_release(o);
    free_whole(pool);
    pool = threads(1);
    CHECK_OK(kin_pool_apply(pool, look_around, kin_args(), &o));
    CHECK_STR(kin_as_str(kin_at(o, 0)), "kin-worker-1");
    kin_release(o);
    free_threads(pool);
}

static uint64_t blocks_in_use(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static void is_refused(kin_pool_options options, int code, const char *text)
{
    kin_pool *pool = NULL;
    CHECK_ERROR(kin_pool_new(&pool, &options), code);
    CHECK_CONTAINS(kin_errmsg(), text);
    CHECK_NULL(pool);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(what_threads_cannot_do_is_refused_with_a_sentence)
{
    is_refused((kin_pool_options){ .threads = 2, .task_timeout = 1 }, KIN_EUNSUPPORTED,
               ".task_timeout");
    is_refused((kin_pool_options){ .threads = 2, .max_memory_per_child = 1 << 20 },
               KIN_EUNSUPPORTED, ".max_memory_per_child");
    is_refused((kin_pool_options){ .threads = 2, .start_method = "fork" }, KIN_EUNSUPPORTED,
               ".start_method");
    is_refused((kin_pool_options){ .threads = 2, .processes = 2 }, KIN_EINVAL, "not both");
    is_refused((kin_pool_options){ .threads = 1000000 }, KIN_EINVAL, "1000000");
}

static int make_pool(void *unused)
{
    (void)unused;
    kin_pool *pool;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 3));
    if (rv == 0) {
        kin_pool_free(pool);
    }
    return rv;
}

static void leaves_nothing(void *unused, int error)
{
    (void)unused;
    (void)error;
    CHECK_EQ(count_threads(), 0);
    CHECK_EQ(blocks_in_use(), 0);
}

/* Whichever of the threads it is. */
TEST(a_pool_that_cannot_have_all_its_threads_is_none)
{
    kin_pool_free(threads(1)); /* it keeps its entry */
    CHECK_GE(fault_loop(KIN__FAULT_CALL, NULL, .attempt = make_pool, .check = leaves_nothing), 3);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_pool, .check = leaves_nothing), 4);
}

/* ---- pools beside each other ----------------------------------------------------------------- */

TEST(pools_of_threads_come_and_go_in_any_order)
{
    kin_pool *pools[4] = { NULL };
    for (int i = 0; i < 100; i++) {
        unsigned at = (unsigned)(test_random() % 4);
        if (pools[at] != NULL) {
            kin_pool_free(pools[at]);
            pools[at] = NULL;
        } else {
            pools[at] = threads(1 + at);
            CHECK_OK(kin_pool_apply(pools[at], square, kin_args(kin_int(2)), NULL));
        }
    }
    for (int i = 0; i < 4; i++) {
        kin_pool_free(pools[i]);
    }
    leaves_nothing(NULL, 0);
}

static kin_obj use_processes(kin_obj args)
{
    kin_pool *pool;
    kin_obj o;
    KIN_TRY(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    int rv = kin_pool_apply(pool, square, kin_args(kin_int(kin_arg_int(args, 0))), &o);
    kin_pool_free(pool);
    KIN_TRY(rv);
    return o;
}

/* Such a program has threads: the fork server makes them. */
TEST(a_task_of_a_thread_may_make_a_pool_of_processes)
{
    kin_pool *pool = threads(2);
    kin_obj o;
    CHECK_OK(kin_pool_map(pool, use_processes, kin_range(0, 4),
                          KIN_OPT(kin_map_options, .chunksize = 1), &o));
    CHECK_EQ(kin_as_int(kin_at(o, 3)), 9);
    kin_release(o);
    kin_pool_free(pool);
    leaves_nothing(NULL, 0);
}

static kin_obj wait_for(kin_obj args)
{
    kin_pool *other = kin_as(kin_pool, kin_arg(args, 0));
    kin_obj o;
    KIN_TRY(kin_pool_apply(other, square, kin_args(kin_int(5)), &o));
    return o;
}

TEST(a_worker_may_wait_for_another_pool_of_the_same_process)
{
    kin_pool *pool = threads(1);
    kin_pool *other = threads(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, wait_for, kin_args(kin_shared(other)), &o));
    CHECK_EQ(kin_as_int(o), 25);
    CHECK_ERROR(kin_pool_apply(pool, wait_for, kin_args(kin_shared(pool)), &o), KIN_EDEADLK);
    kin_pool_free(other);
    free_threads(pool);
}

/* ---- a task that ends its thread ------------------------------------------------------------- */

static kin_obj end_thread(kin_obj args)
{
    (void)args;
    pthread_exit(NULL);
}

TEST(a_task_that_ends_its_thread_is_lost_alone_and_another_thread_comes)
{
    kin_pool *pool = threads(2);
    for (int i = 0; i < 10; i++) {
        kin_obj o;
        kin_future *future;
        CHECK_OK(kin_pool_submit(pool, end_thread, kin_args(), NULL, &future));
        CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECRASHED);
        CHECK_STR(kin_errmsg(), "the task ended its worker's thread");
        kin_future_free(future);
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o));
    }
    /* the other worker may have run the last task before the last thread came */
    WAIT_UNTIL(atomic_load(&pool->workers[0].starts) + atomic_load(&pool->workers[1].starts) == 12);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
    WAIT_UNTIL(count_threads() == 0); /* whom nobody joins may be a little later */
}

/* ---- forks ----------------------------------------------------------------------------------- */

#ifdef __SANITIZE_THREAD__
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

static kin_obj fork_and_return_twice(kin_obj args)
{
    (void)args;
    return kin_int(kin_fork());
}

static void drop_line(int level, const char *text, void *ctx)
{
    (void)level;
    (void)text;
    (void)ctx;
}

TEST(a_child_that_a_task_forks_is_no_second_worker)
{
    if (TSAN) {
        SKIP("ThreadSanitizer's own locks are not released in a forked child");
    }
    kin_log_set_handler(drop_line, NULL); /* kin_fork warns of the threads */
    kin_pool *pool = threads(2);
    for (int i = 0; i < 10; i++) {
        kin_obj o;
        CHECK_OK(kin_pool_apply(pool, fork_and_return_twice, kin_args(), &o));
        CHECK_EQ(test_join((pid_t)kin_as_int(o)), 0);
    }
    free_threads(pool);
}

static int have_own_pool(void *parents)
{
    others = 0;
    for (int i = 0; i < 3; i++) {
        kin_pool *pool = threads(2);
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL));
        CHECK_OK(kin_pool_apply(parents, square, kin_args(kin_int(2)), NULL));
        kin_pool_free(pool);
    }
    return count_threads() == 0 ? 0 : 1;
}

TEST(a_forked_child_has_pools_of_its_own_beside_its_parents)
{
    if (TSAN) {
        SKIP("ThreadSanitizer knows no threads of a child that a program with threads forked");
    }
    kin_pool *pool = threads(2);
    for (int i = 0; i < 2; i++) { /* a thread that is about to begin holds locks of others' */
        WAIT_UNTIL(atomic_load(&pool->workers[i].id) != 0);
    }
    CHECK_EQ(test_join(test_child(have_own_pool, pool)), 0);
    free_threads(pool);
}

static int leave_by_exit(void *ctx)
{
    *(kin_pool **)ctx = threads(2);
    CHECK_OK(kin_pool_submit(*(kin_pool **)ctx, stay, kin_args(), NULL, NULL));
    WAIT_UNTIL(atomic_load(&(*(kin_pool **)ctx)->workers[0].task) != 0 ||
               atomic_load(&(*(kin_pool **)ctx)->workers[1].task) != 0);
    exit(4);
}

TEST(a_program_that_ends_while_a_task_runs_does_not_wait_for_it)
{
    kin_pool **pool = test_shared(sizeof *pool);
    kin__self();
    CHECK_EQ(test_join(test_child(leave_by_exit, pool)), 4);
    CHECK_ERROR(kin_pool_apply(*pool, square, kin_args(kin_int(1)), NULL), KIN_EBROKEN);
}

/* ---- more of them, and fewer ----------------------------------------------------------------- */

static int grow(void *pool)
{
    return kin_pool_resize(pool, 6);
}

/* It has as many as before, or soon will, and a size that can be had is had. */
static void is_small_again(void *pool, int error)
{
    CHECK(error < 0);
    CHECK_EQ(atomic_load(&((kin_pool *)pool)->wanted), 2);
    WAIT_UNTIL(count_threads() == 2);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), NULL));
}

static void is_small(void *pool)
{
    CHECK_OK(kin_pool_resize(pool, 2));
    WAIT_UNTIL(count_threads() == 2);
}

TEST(a_pool_that_cannot_have_more_threads_has_those_that_it_had)
{
    kin_pool *pool = threads(2);
    int failed = fault_loop(KIN__FAULT_CALL, pool, .setup = is_small, .attempt = grow,
                            .check = is_small_again);
    CHECK_GE(failed, 4);
    WAIT_UNTIL(count_threads() == 6);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, pool, .setup = is_small, .attempt = grow,
                        .check = is_small_again),
             4);
    free_threads(pool);
}

static int resize_from_afar(void *pool)
{
    int more = kin_pool_resize(pool, 5);
    if (more != KIN_ESTATE || atomic_load(&((kin_pool *)pool)->wanted) != 3) {
        return 1;
    }
    return kin_pool_resize(pool, 1) == 0 ? 0 : 2;
}

TEST(a_relative_may_have_fewer_threads_and_only_the_maker_more)
{
    if (TSAN) {
        SKIP("ThreadSanitizer's own locks are not released in a forked child");
    }
    kin_pool *pool = threads(3);
    CHECK_EQ(test_join(test_child(resize_from_afar, pool)), 0);
    WAIT_UNTIL(count_threads() == 1);
    CHECK_OK(kin_pool_resize(pool, 3));
    WAIT_UNTIL(count_threads() == 3);
    free_threads(pool);
}

static kin_obj resize_own(kin_obj args)
{
    KIN_TRY(kin_pool_resize(kin_as(kin_pool, kin_arg(args, 0)), (unsigned)kin_arg_int(args, 1)));
    return kin_none();
}

TEST(a_task_may_resize_its_pool)
{
    kin_pool *pool = threads(1);
    for (int size = 4; size > 0; size--) {
        CHECK_OK(kin_pool_apply(pool, resize_own, kin_args(kin_shared(pool), kin_int(size)), NULL));
        WAIT_UNTIL(count_threads() == size);
    }
    free_threads(pool);
}

static void *resize_at_random(void *pool)
{
    for (int i = 0; i < 300; i++) {
        int rv = kin_pool_resize(pool, 1 + (unsigned)(i * 7 % 5));
        CHECK(rv == 0 || rv == KIN_ECLOSED);
    }
    return NULL;
}

/* Threads that resize get in the way of each other, and of the end. */
TEST(a_pool_of_threads_is_resized_by_several_at_once_and_closed_meanwhile)
{
    for (int round = 0; round < 10; round++) {
        kin_pool *pool = threads(2);
        pthread_t others_at_it[2];
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(pthread_create(&others_at_it[i], NULL, resize_at_random, pool), 0);
        }
        for (int i = 0; i < 20 + round * 20; i++) {
            CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL));
        }
        CHECK_OK(kin_pool_close(pool));
        CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(pthread_join(others_at_it[i], NULL), 0);
        }
        free_whole(pool);
    }
    WAIT_UNTIL(count_threads() == 0);
}

TEST(a_pool_has_as_many_threads_as_was_said_last)
{
    kin_pool *pool = threads(4);
    for (int i = 0; i < 2000; i++) { /* each grows while those that are too many leave */
        CHECK_OK(kin_pool_resize(pool, 1));
        CHECK_OK(kin_pool_resize(pool, 4));
    }
    WAIT_UNTIL(count_threads() == 4);
    CHECK_OK(kin_pool_resize(pool, 3));
    kin_obj o;
    CHECK_OK(
        kin_pool_map(pool, meet, kin_range(0, 3), KIN_OPT(kin_map_options, .chunksize = 1), &o));
    kin_release(o);
    WAIT_UNTIL(count_threads() == 3);
    free_threads(pool);
}

static kin_pool *resized;

static void grow_when_one_leaves(const char *step)
{
    if (strcmp(step, "threads.leaving") == 0) {
        kin__step_hook(NULL);
        CHECK_OK(kin_pool_resize(resized, 2));
    }
}

/* His seat was still taken when the others were looked for. */
TEST(who_is_wanted_again_on_his_way_out_stays)
{
    resized = threads(2);
    kin__step_hook(grow_when_one_leaves);
    CHECK_OK(kin_pool_resize(resized, 1));
    WAIT_UNTIL(atomic_load(&resized->wanted) == 2);
    CHECK_OK(kin_pool_apply(resized, square, kin_args(kin_int(2)), NULL));
    CHECK_OK(kin_pool_close(resized));
    CHECK_OK(kin_pool_join(resized, KIN_FOREVER));
    CHECK_EQ(atomic_load(&resized->workers[1].starts), 2);
    CHECK_EQ(atomic_load(&resized->workers_started), 2);
    free_threads(resized);
}

static kin_obj end_thread_first(kin_obj args)
{
    (void)args;
    pthread_exit(NULL);
}

TEST(an_initializer_that_ends_its_thread_breaks_the_pool)
{
    kin_pool *pool = pool_with((kin_pool_options){ .threads = 2, .initializer = end_thread_first });
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL), KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "its initializer ended its worker's thread");
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}
