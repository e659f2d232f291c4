/* A fork copies the locks of other threads as they stand, and nobody is there to release them: the
 * child hangs in the first one that it needs, be it a logger's, malloc's or a library's (CPython
 * gh-84559). Here fork beside threads warns once, and children and pools of the fork server never
 * see those locks. */
#include "scene.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool held, enough;

/* A library that is in the middle of something whenever anybody forks. */
static void *hold_the_lock(void *ctx)
{
    pthread_mutex_lock(&library);
    held = true;
    while (!enough) {
        test_nap();
    }
    pthread_mutex_unlock(&library);
    return ctx;
}

static void *stay_in_malloc(void *ctx)
{
    while (!enough) {
        free(malloc(100000));
        free(malloc(10));
    }
    return ctx;
}

static pthread_t holder;

static void start_holder(void)
{
    CHECK_EQ(pthread_create(&holder, NULL, hold_the_lock, NULL), 0);
    WAIT_UNTIL(held);
}

static void end_holder(void)
{
    enough = true;
    pthread_join(holder, NULL);
}

static kin_obj use_the_library(kin_obj args)
{
    pthread_mutex_lock(&library);
    free(malloc(100000));
    pthread_mutex_unlock(&library);
    return square(args);
}

static kin_obj is_trapped(kin_obj args)
{
    (void)args;
    return kin_int(pthread_mutex_trylock(&library) != 0);
}

static int run_by(const char *method, kin_fn fn)
{
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, fn, kin_args(kin_int(3)),
                       KIN_OPT(kin_process_options, .start_method = method)));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    int code = kin_process_exitcode(child);
    kin_process_free(child);
    return code;
}

TEST(only_a_forked_child_finds_the_lock_of_another_thread)
{
    kin_log_set_level(KIN_LOG_ERROR);
    start_holder();
    CHECK_EQ(run_by("fork", is_trapped), 1); /* the trap is there */
    CHECK_EQ(run_by("forkserver", is_trapped), 0);
    CHECK_EQ(run_by("spawn", is_trapped), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(run_by("forkserver", use_the_library), 9);
    }
    CHECK_EQ(run_by("spawn", use_the_library), 9);
    end_holder();
}

TEST(a_pool_of_a_program_with_threads_does_not_hang)
{
    pthread_t busy;
    start_holder();
    CHECK_EQ(pthread_create(&busy, NULL, stay_in_malloc, NULL), 0);
    kin_pool *pool = pool_of(2);
    kin_obj results;
    CHECK_OK(kin_pool_map(pool, use_the_library, kin_range(0, 50), NULL, &results));
    CHECK_EQ(kin_as_int(kin_at(results, 49)), 49 * 49);
    kin_release(results);
    kin_pool_free(pool);
    end_holder();
    pthread_join(busy, NULL);
}

static int warnings;

static void count_warnings(int level, const char *text, void *ctx)
{
    (void)ctx;
    warnings += level == KIN_LOG_WARNING && strstr(text, "forkserver") != NULL;
}

TEST(a_fork_beside_threads_is_warned_of_once_with_the_way_out)
{
    kin_log_set_handler(count_warnings, NULL);
    CHECK_EQ(run_by("fork", square), 9);
    CHECK_EQ(warnings, 0);
    start_holder();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run_by("forkserver", square), 9);
    }
    CHECK_EQ(warnings, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run_by("fork", square), 9);
    }
    CHECK_EQ(warnings, 1);
    end_holder();
    kin_log_set_handler(NULL, NULL);
}
