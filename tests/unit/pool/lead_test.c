#include "pool_scene.h"

#include "pool/loop.h"
#include <kin/process.h>

static void meet(size_t index, void *ctx)
{
    (void)index;
    _Atomic int *came = ctx;
    atomic_fetch_add(came, 1);
    while (atomic_load(came) < 2) {
        kin__os_yield();
    }
}

#define MEET ((kin_fn)(void (*)(void))meet)

/* The loop is there until its caller leaves it, whoever has left before. */
TEST(who_leads_a_loop_can_read_it_until_he_leaves)
{
    kin_pool *pool = pool_of(1);
    _Atomic int *came = kin_alloc(sizeof *came);
    kin__loop *loop;
    CHECK_OK(kin__loop_new(pool, MEET, 2, &loop));
    loop->schedule = KIN_SCHEDULE_STATIC;
    loop->arrays.ctx = (void *)came;
    bool over;
    kin__lead how = { .pool = pool, .verb = "test", .function = MEET };
    CHECK_OK(kin__loop_lead(loop, &how, &over));
    CHECK(over);
    CHECK_EQ(atomic_load(came), 2);
    CHECK(loop->party[0].worked);
    CHECK(loop->party[1].worked);
    kin__ref ref = loop->self;
    CHECK(kin__block_is_shared(ref));
    kin__loop_leave(ref, 0);
    kin_free((void *)came);
    free_whole(pool);
}

TEST(a_loop_that_cannot_begin_can_be_left_as_any_other)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop;
    bool over = true;
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin__loop_new(pool, MEET, 2, &loop));
    kin__lead how = { .pool = pool, .verb = "test", .function = MEET };
    CHECK_ERROR(kin__loop_lead(loop, &how, &over), KIN_ECLOSED);
    CHECK(!over);
    kin__loop_leave(loop->self, 0);
    free_whole(pool);
}

/* ---- calls that have a limit ----------------------------------------------------------------- */

struct calls {
    _Atomic int of[100]; /* by index */
    _Atomic int others;  /* by processes that are no workers */
    size_t bad, worse;   /* these never return */
};

static void stay_at_the_bad_ones(size_t index, void *ctx)
{
    struct calls *calls = ctx;
    atomic_fetch_add(&calls->of[index], 1);
    atomic_fetch_add(&calls->others, kin_worker_index() < 0);
    if (index == calls->bad || index == calls->worse) {
        (void)stay(kin_none());
    }
}

static kin_pool *limited_pool(unsigned processes, double timeout)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = processes, .task_timeout = timeout)));
    return pool;
}

static struct calls *new_calls(size_t bad, size_t worse)
{
    struct calls *calls = kin_alloc(sizeof *calls);
    calls->bad = bad;
    calls->worse = worse;
    return calls;
}

TEST(where_calls_have_a_limit_workers_alone_make_them)
{
    static const kin_for_options options[] = {
        { .schedule = KIN_SCHEDULE_AUTO },
        { .schedule = KIN_SCHEDULE_STATIC },
        { .schedule = KIN_SCHEDULE_DYNAMIC, .grain = 7, .timeout = 1000 },
        { .schedule = KIN_SCHEDULE_GUIDED },
    };
    kin_pool *pool = limited_pool(2, 1000);
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        for (size_t n = 1; n <= 100; n += 33) {
            struct calls *calls = new_calls(SIZE_MAX, SIZE_MAX);
            CHECK_OK(kin_pool_for(pool, 0, n, stay_at_the_bad_ones, calls, &options[o]));
            for (size_t i = 0; i < 100; i++) {
                CHECK_EQ(calls->of[i], i < n);
            }
            CHECK_EQ(calls->others, 0);
            kin_free(calls);
        }
    }
    CHECK_EQ((int)atomic_load(&pool->workers_started), 2);
    free_whole(pool);
}

TEST(a_body_that_overruns_is_ended_with_its_worker_and_the_others_do_the_rest)
{
    kin_pool *pool = limited_pool(2, 1);
    struct calls *calls = new_calls(40, SIZE_MAX);
    CHECK_ERROR(kin_pool_for(pool, 0, 100, stay_at_the_bad_ones, calls,
                             KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC)),
                KIN_EOVERRUN);
    CHECK_CONTAINS(kin_errmsg(), "kin_pool_for: 40 to 40 may be half-done, the rest is done: ");
    CHECK_CONTAINS(kin_errmsg(), "ran over its limit of 1 s");
    for (size_t i = 0; i < 100; i++) {
        CHECK_EQ(calls->of[i], 1);
    }
    CHECK_EQ(calls->others, 0);
    kin_free(calls);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), NULL));
    WAIT_UNTIL(atomic_load(&pool->workers_started) == 3);
    free_whole(pool);
}

TEST(what_is_left_when_all_workers_overran_is_not_begun_and_named)
{
    kin_pool *pool = limited_pool(2, 1);
    struct calls *calls = new_calls(10, 11);
    CHECK_ERROR(kin_pool_for(pool, 0, 100, stay_at_the_bad_ones, calls,
                             KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC)),
                KIN_EOVERRUN);
    CHECK_CONTAINS(kin_errmsg(),
                   "(and 1 other shares) may be half-done, 12 to 99 were not begun: ");
    for (size_t i = 0; i < 100; i++) {
        CHECK_EQ(calls->of[i], i < 12);
    }
    kin_free(calls);
    calls = new_calls(SIZE_MAX, SIZE_MAX);
    CHECK_OK(kin_pool_for(pool, 0, 100, stay_at_the_bad_ones, calls, NULL));
    kin_free(calls);
    free_whole(pool);
}

/* The limit is a call's, not a share's, nor the loop's: each call comes long before it, all of them
 * together long after. */
static void take_a_moment(size_t index, void *ctx)
{
    (void)index;
    (void)ctx;
    (void)kin_sleep(0.04);
}

TEST(each_call_of_a_body_has_the_limit_for_itself)
{
    kin_pool *pool = limited_pool(1, 2);
    CHECK_OK(kin_pool_for(pool, 0, 60, take_a_moment, NULL,
                          KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_STATIC)));
    CHECK_EQ((int)atomic_load(&pool->workers_started), 1);
    free_whole(pool);
}

static int stay_at_seven(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = *(const int *)in + 1;
    if (*(const int *)in == 7) {
        (void)stay(kin_none());
    }
    return 0;
}

TEST(a_struct_that_overruns_fails_the_map_and_the_others_are_there)
{
    kin_pool *pool = limited_pool(2, 1);
    int in[20], out[20] = { 0 };
    for (int i = 0; i < 20; i++) {
        in[i] = i;
    }
    const kin_map_array arrays = {
        .n = 20, .in = in, .in_size = sizeof *in, .out = out, .out_size = sizeof *out
    };
    CHECK_ERROR(kin_pool_map_array(pool, stay_at_seven, &arrays,
                                   KIN_OPT(kin_map_options, .chunksize = 5, .progress = true)),
                KIN_EOVERRUN);
    CHECK_CONTAINS(kin_errmsg(), "kin_pool_map_array: 7 to 9 may be half-done, the rest is done: ");
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(out[i], i == 8 || i == 9 ? 0 : i + 1);
    }
    free_whole(pool);
}

static void fork_within(size_t index, void *ctx)
{
    atomic_fetch_add((_Atomic int *)ctx, 1);
    if (index == 3) {
        (void)kin_fork(); /* the child returns, too */
    }
}

TEST(a_child_that_a_limited_body_forks_makes_no_calls)
{
    kin_pool *pool = limited_pool(1, 1000);
    _Atomic int *calls = kin_alloc(sizeof *calls);
    CHECK_OK(kin_pool_for(pool, 0, 20, fork_within, (void *)calls, NULL));
    CHECK_EQ(*calls, 20);
    kin_free((void *)calls);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
}

/* The pool's workers are at something else for longer than the caller has time. */
TEST(a_loop_with_limits_that_nobody_has_time_for_is_late)
{
    kin_pool *pool = limited_pool(1, 1000);
    kin_future *future;
    struct calls *calls = new_calls(SIZE_MAX, SIZE_MAX);
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    WAIT_UNTIL(kin_future_running(future));
    CHECK_ERROR(kin_pool_for(pool, 0, 100, stay_at_the_bad_ones, calls,
                             KIN_OPT(kin_for_options, .timeout = 0.05)),
                KIN_ETIMEDOUT);
    CHECK_OK(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), NULL));
    for (size_t i = 0; i < 100; i++) {
        CHECK_EQ(calls->of[i], 0);
    }
    kin_future_free(future);
    kin_free(calls);
    free_whole(pool);
}
