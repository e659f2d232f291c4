/* Every call that waits for a pool: kin_interrupt ends it, and the pool can be used again. */
#include "interrupt.h"

static kin_pool *pool;
static kin_event *go;
static kin_future *future;
static kin_iter *iter;
static pid_t maker;

static kin_obj wait_and_return(kin_obj args)
{
    (void)args;
    return kin_event_wait(go, KIN_FOREVER) < 0 ? kin_error(KIN_EOS, "%s", kin_errmsg())
                                               : kin_int(7);
}

static _Atomic int *begun; /* by workers */

/* The caller, who takes part, goes on when a worker has come, and then waits for that one. */
static void wait_in_body(size_t index, void *unused)
{
    (void)index;
    (void)unused;
    if (getpid() != maker) {
        atomic_fetch_add(begun, 1);
        (void)kin_event_wait(go, KIN_FOREVER);
    }
    while (atomic_load(begun) == 0) {
        sched_yield();
    }
}

static int wait_in_struct(const void *in, void *out, void *unused)
{
    (void)in;
    (void)out;
    wait_in_body(0, unused);
    return 0;
}

static void begin_pool(void)
{
    maker = getpid();
    begun = kin_alloc(sizeof *begun);
    CHECK_OK(kin_event_new(&go, NULL));
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 3, .start_method = "fork")));
    CHECK_OK(kin_pool_submit(pool, wait_and_return, kin_args(), NULL, &future));
    iter = NULL;
}

static void let_go(void)
{
    CHECK_OK(kin_event_set(go));
}

static void end_pool(void)
{
    kin_obj result;
    CHECK_OK(kin_future_get(future, &result, KIN_FOREVER));
    CHECK_EQ(kin_as_int(result), 7);
    kin_iter_free(iter);
    kin_future_free(future);
    kin_pool_free(pool);
    kin_event_free(go);
    kin_free(begun);
}

static int get(void)
{
    kin_obj result;
    return kin_future_get(future, &result, KIN_FOREVER);
}

static int wait_future(void)
{
    return kin_future_wait(future, 1000);
}

static int wait_futures(void)
{
    return kin_futures_wait(&future, 1, KIN_ALL_COMPLETED, KIN_FOREVER);
}

static int wait_for_future(void)
{
    kin_waitable things[] = { kin_future_waitable(future) };
    return kin_wait(things, 1, KIN_FOREVER);
}

static int next_future(void)
{
    kin_future *done;
    if (iter == NULL) {
        CHECK_OK(kin_futures_as_completed(&iter, &future, 1));
    }
    return kin_iter_next_future(iter, &done, KIN_FOREVER);
}

static int apply(void)
{
    return kin_pool_apply(pool, wait_and_return, kin_args(), NULL);
}

static int map_with(const kin_map_options *options)
{
    kin_obj results;
    int rv = kin_pool_map(pool, wait_and_return, kin_range(0, 10), options, &results);
    CHECK(rv < 0 || kin_len(results) == 10);
    kin_release(rv < 0 ? kin_none() : results);
    return rv;
}

static int map(void)
{
    return map_with(NULL);
}

static int map_within(void)
{
    return map_with(KIN_OPT(kin_map_options, .timeout = 1000, .chunksize = 1));
}

static int map_async(void)
{
    kin_future *all;
    kin_obj results;
    CHECK_OK(kin_pool_map_async(pool, wait_and_return, kin_range(0, 10), NULL, &all));
    int rv = kin_future_get(all, &results, KIN_FOREVER);
    kin_release(rv < 0 ? kin_none() : results);
    kin_future_free(all);
    return rv;
}

/* No item is lost: the iterator goes on where it was. */
static int imap_with(const kin_map_options *options)
{
    kin_obj result;
    int rv = 0;
    if (iter == NULL) {
        const kin_source source = { .items = kin_range(0, 10) };
        CHECK_OK(kin_pool_imap(pool, wait_and_return, &source, options, &iter));
    }
    int n = 0;
    while ((rv = kin_iter_next(iter, &result, KIN_FOREVER)) >= 0) {
        n++;
    }
    CHECK(rv == KIN_EINTR || (rv == KIN_EEOF && n == 10));
    return rv == KIN_EEOF ? 0 : rv;
}

static int imap(void)
{
    return imap_with(NULL);
}

static int imap_unordered(void)
{
    return imap_with(KIN_OPT(kin_map_options, .unordered = true));
}

static int for_each(void)
{
    return kin_pool_for(pool, 0, 4, wait_in_body, NULL,
                        KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC));
}

static int map_array(void)
{
    static char in[4], out[4];
    const kin_map_array arrays = { .in = in, .out = out, .in_size = 1, .out_size = 1, .n = 4 };
    return kin_pool_map_array(pool, wait_in_struct, &arrays,
                              KIN_OPT(kin_map_options, .chunksize = 1));
}

static int join(void)
{
    CHECK_OK(kin_pool_close(pool));
    return kin_pool_join(pool, KIN_FOREVER);
}

TEST_WITHIN(60, waits_for_a_pool_are_interrupted)
{
    static const struct row rows[] = {
        ROW(get, let_go),
        ROW(wait_future, let_go),
        ROW(wait_futures, let_go),
        ROW(wait_for_future, let_go),
        ROW(next_future, let_go),
        ROW(apply, let_go),
        ROW(map, let_go),
        ROW(map_within, let_go),
        ROW(map_async, let_go),
        ROW(imap, let_go),
        ROW(imap_unordered, let_go),
        ROW(for_each, let_go),
        ROW(map_array, let_go),
        ROW(join, let_go),
    };
    INTERRUPT_EACH(rows, begin_pool, end_pool);
}

/* The caller takes part, and the event's wait is his, too; so he is told there, or after. */
static _Atomic int *done;

static void count(size_t index, void *ctx)
{
    (void)index;
    (void)ctx;
    atomic_fetch_add(done, 1);
    if (kin_event_wait(go, KIN_FOREVER) < 0) {
        kin_interrupt(); /* the event's wait was told, the loop's is to be */
    }
}

TEST_WITHIN(60, a_loop_ends_early)
{
    done = kin_alloc(sizeof *done);
    CHECK_OK(kin_event_new(&go, NULL));
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .start_method = "fork")));
    CHECK_OK(kin_interrupt());
    const kin_for_options options = { .schedule = KIN_SCHEDULE_DYNAMIC, .grain = 1 };
    CHECK_ERROR(kin_pool_for(pool, 0, 1000, count, NULL, &options), KIN_EINTR);
    CHECK_LT(*done, 10);
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_pool_for(pool, 0, 1000, count, NULL, &options));
    CHECK_GE(*done, 1000);
    kin_pool_free(pool);
    kin_event_free(go);
    kin_free(done);
}

/* What must finish does, and leaves nothing; who is told after that is told once. */
TEST_WITHIN(60, pools_are_made_and_freed_all_the_same)
{
    for (int threads = 0; threads < 2; threads++) {
        CHECK_OK(kin_event_new(&go, NULL));
        CHECK_OK(kin_interrupt());
        CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = threads ? 0 : 2,
                                             .start_method = threads ? NULL : "fork",
                                             .threads = threads ? 2 : 0)));
        CHECK_ERROR(kin_pool_apply(pool, wait_and_return, kin_args(), NULL), KIN_EINTR);
        CHECK_OK(kin_interrupt());
        CHECK_OK(kin_event_set(go)); /* a thread in a task is not killed */
        kin_pool_free(pool);
        CHECK_ERROR(kin_sleep(1000), KIN_EINTR);
        CHECK_OK(kin_sleep(0.001));
        kin_event_free(go);
    }
}

/* Its workers' waits are this process's: the task is told, and so is who waits for it. */
TEST_WITHIN(60, tasks_on_threads_are_interrupted)
{
    CHECK_OK(kin_event_new(&go, NULL));
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 2)));
    CHECK_OK(kin_pool_submit(pool, wait_and_return, kin_args(), NULL, &future));
    WAIT_UNTIL(kin_future_running(future));
    CHECK_OK(kin_interrupt());
    CHECK_ERROR(kin_sleep(1000), KIN_EINTR);
    CHECK_ERROR(get(), KIN_EOS);
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_pool_apply(pool, wait_and_return, kin_args(), NULL));
    kin_future_free(future);
    kin_pool_free(pool);
    kin_event_free(go);
}

static void ignore_result(kin_future *unused, void *ctx)
{
    (void)unused;
    (void)ctx;
}

TEST_WITHIN(60, a_join_that_waits_for_callbacks_is_interrupted)
{
    for (int thread = 0; thread < 2; thread++) {
        CHECK_OK(kin_event_new(&go, NULL));
        CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1,
                                             .start_method = "fork", .callback_thread = thread)));
        CHECK_OK(kin_pool_submit(pool, wait_and_return, kin_args(),
                                 KIN_OPT(kin_submit_options, .on_done = ignore_result), NULL));
        CHECK_OK(kin_interrupt());
        CHECK_ERROR(join(), KIN_EINTR);
        CHECK_OK(kin_event_set(go));
        CHECK_OK(join());
        kin_pool_free(pool);
        kin_event_free(go);
    }
}
