/* pool_scene.h - pools of every engine, and tasks to give them, for pool_suite.h.
 *
 * Who includes this has said before which engines there are, by a name for their tests, what comes
 * before a pool of theirs, its options, and whether it ends a task that runs when it is terminated:
 *
 *     #define ENGINES(ENGINE_, ...) ENGINE_(threaded, nothing, false, .threads = 1)
 *
 * EACH_ENGINE(keeps_its_order) { ... engine ... } makes a test for each: threaded_keeps_its_order
 * and so on. What test and worker share has to be the family's: a worker may be no copy of us. */
#ifndef KIN_POOL_SCENE_H
#define KIN_POOL_SCENE_H

#include "harness.h"
#include <kin.h>

#include <pthread.h>
#include <unistd.h>

struct engine {
    void (*prepare)(void);
    bool kills;
    kin_pool_options options;
};

#define TEST_OF_(engine_name, before, ends_tasks, option, seconds, name)                           \
    TEST_WITHIN(seconds, engine_name##_##name)                                                     \
    {                                                                                              \
        before();                                                                                  \
        name(&(const struct engine){ before, ends_tasks, { option } });                            \
    }

#define EACH_ENGINE(name) EACH_ENGINE_WITHIN(60, name)
#define EACH_ENGINE_WITHIN(seconds, name)                                                          \
    static void name(const struct engine *engine);                                                 \
    ENGINES(TEST_OF_, seconds, name)                                                               \
    static void name(const struct engine *engine)

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

/* ThreadSanitizer's own locks stay locked in a child, if other threads held them at the fork */
#define SKIP_WHERE_A_CHILD_MAY_HANG(engine)                                                        \
    do {                                                                                           \
        if (TSAN && (engine)->options.threads != 0) {                                              \
            SKIP("under ThreadSanitizer, a program with busy threads must not fork");              \
        }                                                                                          \
    } while (0)

static inline void nothing(void)
{
}

/* ---- pools ----------------------------------------------------------------------------------- */

static inline kin_pool_options options_of(const struct engine *engine, unsigned workers)
{
    kin_pool_options options = engine->options;
    *(options.threads != 0 ? &options.threads : &options.processes) = workers;
    return options;
}

static inline kin_pool *new_pool(const struct engine *engine, unsigned workers)
{
    kin_pool *pool = NULL;
    kin_pool_options options = options_of(engine, workers);
    CHECK_OK(kin_pool_new(&pool, &options));
    return pool;
}

static inline uint64_t blocks_in_use(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

/* Frees the pool: of it and all that was done in it nothing may be left. */
static inline void free_whole(kin_pool *pool)
{
    kin_pool_free(pool);
    CHECK_EQ(blocks_in_use(), 0);
}

static inline kin_future *submit(kin_pool *pool, kin_fn fn, kin_obj args)
{
    kin_future *future = NULL;
    CHECK_OK(kin_pool_submit(pool, fn, args, NULL, &future));
    return future;
}

/* The number that comes out, of a future that is freed then; or a code. */
static inline int64_t number_of(kin_future *future, double timeout)
{
    kin_obj o;
    int rv = kin_future_get(future, &o, timeout);
    kin_future_free(future);
    return rv < 0 ? rv : kin_as_int(o);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static inline kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static inline kin_obj echo(kin_obj args)
{
    return kin_arg(args, 0);
}

static inline kin_obj fail_with(kin_obj args)
{
    return kin_error((int)kin_arg_int(args, 0), "%s", kin_arg_str(args, 1));
}

/* A gate that a task stands at: it says that it has come, and waits to be let through. */
typedef struct stop {
    kin_event *come;
    kin_event *go;
} stop;

static inline stop new_stop(void)
{
    stop s;
    CHECK_OK(kin_event_new(&s.come, NULL));
    CHECK_OK(kin_event_new(&s.go, NULL));
    return s;
}

static inline void free_stop(stop s)
{
    kin_event_free(s.come);
    kin_event_free(s.go);
}

static inline kin_obj stand(kin_obj args)
{
    KIN_TRY(kin_event_set(kin_as(kin_event, kin_arg(args, 0))));
    KIN_TRY(kin_event_wait(kin_as(kin_event, kin_arg(args, 1)), KIN_FOREVER));
    return kin_int(7);
}

/* One that stands there from now on. */
static inline kin_future *submit_standing(kin_pool *pool, stop s)
{
    kin_future *future = submit(pool, stand, kin_args(kin_shared(s.come), kin_shared(s.go)));
    CHECK_OK(kin_event_wait(s.come, KIN_FOREVER));
    return future;
}

#endif
