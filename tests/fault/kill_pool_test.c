/* A worker, the nursery, or whoever submits is killed at every step of a pool's whole life. */
#include "domain/room.h"
#include "harness.h"
#include "pool/room.h"

#include <signal.h>

struct scene {
    uint64_t blocks;
    _Atomic int wrong; /* results that were neither right nor an honest error */
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static kin_obj text_of(kin_obj args)
{
    return kin_strf("a text of some length about the number %d", (int)kin_arg_int(args, 0));
}

/* The death of a worker, or of the nursery, has these codes, and no others. */
static bool is_honest(int code)
{
    return code == KIN_ECRASHED || code == KIN_EBROKEN || code == KIN_ECANCELLED ||
           code == KIN_ECLOSED;
}

/* Two tasks and a map through a pool of one; whoever is killed, this gets through. */
static void use_a_pool(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    kin_future *future = NULL;
    kin_obj o;
    rv = kin_pool_submit(pool, text_of, kin_args(kin_int(5)), NULL, &future);
    s->wrong += rv < 0 && !is_honest(rv);
    rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
    s->wrong += rv == 0 ? kin_as_int(o) != 25 : !is_honest(rv);
    rv = future != NULL ? kin_future_get(future, &o, KIN_FOREVER) : KIN_ECRASHED;
    s->wrong += rv == 0 ? kin_len(o) < 30 : !is_honest(rv);
    if (rv == 0) {
        kin_release(o);
    }
    kin_future_free(future);
    (void)kin_pool_close(pool);
    (void)kin_pool_join(pool, KIN_FOREVER);
    kin_pool_free(pool);
}

static void remember(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    s->wrong = 0;
}

/* Nobody is left of them, and a pool can be made and used. */
static void nobody_is_left(void *ctx, const char *step)
{
    struct scene *s = ctx;
    WAIT_UNTIL(kin__count_alive() == 1);
    CHECK_(s->wrong == 0, "killed at %s: a result was wrong", step);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_at_any_step_of_its_tasks)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    int kills = kill_loop("task.", s, .setup = remember, .victim = use_a_pool,
                          .check = nobody_is_left, .anybody = true);
    CHECK_GT(kills, 5);
    CHECK_GT(kill_loop("worker.", s, .setup = remember, .victim = use_a_pool,
                       .check = nobody_is_left, .anybody = true),
             2);
    CHECK_GT(kill_loop("submit.", s, .setup = remember, .victim = use_a_pool,
                       .check = nobody_is_left, .anybody = true),
             1);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_at_any_step_of_its_queue)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("ring.", s, .setup = remember, .victim = use_a_pool, .check = nobody_is_left,
                       .anybody = true),
             5);
    CHECK_GT(kill_loop("queue.", s, .setup = remember, .victim = use_a_pool,
                       .check = nobody_is_left, .anybody = true),
             2);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_who_joins_or_sweeps)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("table.", s, .setup = remember, .victim = use_a_pool,
                       .check = nobody_is_left, .anybody = true),
             5);
}

static void new_pool(void *ctx)
{
    kin_pool **pool = ctx;
    CHECK_OK(kin_pool_new(pool, KIN_OPT(kin_pool_options, .processes = 1)));
    CHECK_OK(kin_pool_apply(*pool, square, kin_args(kin_int(5)), NULL));
}

static void terminate(void *ctx)
{
    (void)kin_pool_terminate(*(kin_pool **)ctx);
}

static void close_it(void *ctx)
{
    (void)kin_pool_close(*(kin_pool **)ctx);
}

/* Whoever asked for the end was killed before he had said so to all: it comes none the less. */
static void ends(void *ctx, const char *step)
{
    kin_pool *pool = *(kin_pool **)ctx;
    int rv = kin_pool_join(pool, 10);
    CHECK_(rv == 0 || rv == KIN_ESTATE, "killed at %s: join gave %s", step, kin_errname(rv));
    kin_pool_free(pool);
}

TEST(a_pool_ends_though_the_relative_who_ended_it_was_killed)
{
    kin_pool *pool;
    kin__self();
    kill_loop("pool.", &pool, .setup = new_pool, .victim = terminate, .check = ends);
    kin_pool_free(pool);
    kill_loop("pool.", &pool, .setup = new_pool, .victim = close_it, .check = ends);
    kin_pool_free(pool);
    CHECK_EQ(kin__count_alive(), 1);
}

static kin_obj spin(kin_obj args)
{
    for (;;) {
        kin__os_yield();
    }
    return args;
}

/* A task that overruns, and one that does not: whoever is killed, both have an end. */
static void use_limits(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1, .task_timeout = 60));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    kin_future *future = NULL;
    rv = kin_pool_submit(pool, spin, kin_args(), KIN_OPT(kin_submit_options, .timeout = 0.01),
                         &future);
    rv = rv < 0 ? rv : kin_future_get(future, &o, KIN_FOREVER);
    s->wrong += rv != KIN_EOVERRUN && !is_honest(rv);
    kin_future_free(future);
    rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
    s->wrong += rv == 0 ? kin_as_int(o) != 25 : !is_honest(rv);
    kin_pool_free(pool);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_at_any_step_of_its_limits)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("limit.", s, .setup = remember, .victim = use_limits,
                       .check = nobody_is_left, .anybody = true),
             1);
    CHECK_GT(kill_loop("task.", s, .setup = remember, .victim = use_limits, .check = nobody_is_left,
                       .anybody = true),
             3);
}

static void add_one(size_t index, void *ctx)
{
    atomic_fetch_add((_Atomic int *)ctx, index < 20);
}

static kin_obj crash(kin_obj args)
{
    (void)args;
    abort();
}

/* A task that crashes: whoever is killed while he tells how, it fails, and the others are done. */
static void use_a_crash(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    rv = kin_pool_apply(pool, crash, kin_args(), &o);
    s->wrong += rv == 0 || !is_honest(rv);
    rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
    s->wrong += rv == 0 ? kin_as_int(o) != 25 : !is_honest(rv);
    kin_pool_free(pool);
}

TEST_WITHIN(300, a_task_that_crashed_fails_whoever_is_killed_while_he_tells_it)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("crash.", s, .setup = remember, .victim = use_a_crash,
                       .check = nobody_is_left, .anybody = true),
             0);
}

/* A loop whose calls have a limit, so that the caller makes none himself. */
static void use_a_limited_loop(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1, .task_timeout = 60));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    _Atomic int *sum = kin_alloc(sizeof *sum);
    rv = kin_pool_for(pool, 0, 20, add_one, (void *)sum, NULL);
    s->wrong += rv == 0 ? *sum != 20 : !is_honest(rv);
    kin_free((void *)sum);
    rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
    s->wrong += rv == 0 ? kin_as_int(o) != 25 : !is_honest(rv);
    kin_pool_free(pool);
}

TEST_WITHIN(300, a_loop_with_limits_ends_whoever_is_killed)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("loop.", s, .setup = remember, .victim = use_a_limited_loop,
                       .check = nobody_is_left, .anybody = true),
             3);
    CHECK_GT(kill_loop("limit.", s, .setup = remember, .victim = use_a_limited_loop,
                       .check = nobody_is_left, .anybody = true),
             0);
}

/* A task that is cancelled while it runs. Whoever is killed, it has an end. */
static void use_cancel(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    kin_future *future = NULL;
    rv = kin_pool_submit(pool, spin, kin_args(), NULL, &future);
    while (rv == 0 && !kin_future_running(future) && !kin_future_done(future) &&
           kin_future_wait(future, 0.01) == KIN_ETIMEDOUT) {
    }
    if (rv == 0) {
        rv = kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true));
        s->wrong += rv < 0 && rv != KIN_ESTATE && !is_honest(rv);
        rv = kin_future_get(future, &o, KIN_FOREVER);
        s->wrong += !is_honest(rv);
    }
    kin_future_free(future);
    rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
    s->wrong += rv == 0 ? kin_as_int(o) != 25 : !is_honest(rv);
    kin_pool_free(pool);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_at_any_step_of_a_cancelling)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("task.", s, .setup = remember, .victim = use_cancel, .check = nobody_is_left,
                       .anybody = true),
             3);
}

static kin_obj die_at_first(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    if (atomic_fetch_add(begun, 1) == 0) {
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
    return kin_int(7);
}

/* A task that kills its worker, and is tried again, also in a pool that is closed. */
static void use_retries(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1, .retries = 2));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    _Atomic int *begun[2] = { kin_alloc(sizeof *begun[0]), kin_alloc(sizeof *begun[0]) };
    kin_future *futures[2] = { NULL };
    for (int i = 0; i < 2; i++) {
        rv = kin_pool_submit(pool, die_at_first, kin_args(kin_shared((void *)begun[i])), NULL,
                             &futures[i]);
        s->wrong += rv < 0 && !is_honest(rv);
    }
    (void)kin_pool_close(pool);
    for (int i = 0; i < 2; i++) {
        rv = futures[i] != NULL ? kin_future_get(futures[i], &o, KIN_FOREVER) : KIN_EBROKEN;
        s->wrong += rv == 0 ? kin_as_int(o) != 7 : !is_honest(rv);
        kin_future_free(futures[i]);
    }
    kin_pool_free(pool);
    kin_free((void *)begun[0]);
    kin_free((void *)begun[1]);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_at_any_step_of_a_retry)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("task.", s, .setup = remember, .victim = use_retries,
                       .check = nobody_is_left, .anybody = true),
             5);
    CHECK_GT(kill_loop("worker.", s, .setup = remember, .victim = use_retries,
                       .check = nobody_is_left, .anybody = true),
             5);
}

static kin_obj nothing(kin_obj args)
{
    return args;
}

/* Workers that begin, are replaced, are more, are fewer, and leave. */
static void use_all_of_life(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1, .initializer = nothing,
                                         .initargs = kin_args(kin_str("some text")),
                                         .finalizer = nothing, .max_tasks_per_child = 1));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    for (int i = 0; i < 3; i++) {
        rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
        s->wrong += rv == 0 ? kin_as_int(o) != 25 : !is_honest(rv);
        (void)kin_pool_resize(pool, i % 2 == 0 ? 2 : 1);
    }
    (void)kin_pool_close(pool);
    (void)kin_pool_join(pool, KIN_FOREVER);
    kin_pool_free(pool);
}

TEST_WITHIN(300, a_pool_survives_the_death_of_anybody_at_any_step_of_a_workers_life)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    static const char *const steps[] = { "rite.", "worker.", "pool." };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        CHECK_GT(kill_loop(steps[i], s, .setup = remember, .victim = use_all_of_life,
                           .check = nobody_is_left, .anybody = true),
                 0);
    }
}

static kin_obj refuse(kin_obj args)
{
    (void)args;
    return kin_error(KIN_EUSER, "no");
}

/* An initializer that fails: whoever is killed, the pool is broken and ends. */
static void use_a_broken_pool(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_obj o;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .initializer = refuse));
    if (rv < 0) {
        s->wrong += !is_honest(rv);
        return;
    }
    rv = kin_pool_apply(pool, square, kin_args(kin_int(5)), &o);
    s->wrong += rv != KIN_EBROKEN;
    (void)kin_pool_close(pool);
    (void)kin_pool_join(pool, KIN_FOREVER);
    kin_pool_free(pool);
}

TEST_WITHIN(300, a_pool_that_is_broken_ends_whoever_is_killed)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop("rite.", s, .setup = remember, .victim = use_a_broken_pool,
                       .check = nobody_is_left, .anybody = true),
             0);
    CHECK_GT(kill_loop("task.", s, .setup = remember, .victim = use_a_broken_pool,
                       .check = nobody_is_left, .anybody = true),
             0);
}

struct cancelling {
    kin_pool *pool;
    kin_future *future;
    kin_event *event;
};

static kin_obj wait_for(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_none();
}

static void run_a_task(void *ctx)
{
    struct cancelling *c = ctx;
    CHECK_OK(kin_event_new(&c->event, NULL));
    CHECK_OK(kin_pool_new(&c->pool, KIN_OPT(kin_pool_options, .processes = 1)));
    CHECK_OK(kin_pool_submit(c->pool, wait_for, kin_args(kin_shared(c->event)), NULL, &c->future));
    WAIT_UNTIL(kin_future_running(c->future));
}

static void cancel_it(void *ctx)
{
    struct cancelling *c = ctx;
    (void)kin_future_cancel(c->future, KIN_OPT(kin_cancel_options, .kill = true));
}

/* The engine was not told: the worker cannot end the task, all the same. */
static void is_cancelled(void *ctx, const char *step)
{
    struct cancelling *c = ctx;
    kin_obj o;
    CHECK_OK(kin_event_set(c->event));
    int rv = kin_future_get(c->future, &o, KIN_FOREVER);
    CHECK_(rv == KIN_ECANCELLED, "killed at %s: the future says %s", step, kin_errname(rv));
    CHECK_OK(kin_pool_apply(c->pool, square, kin_args(kin_int(5)), &o));
    kin_future_free(c->future);
    kin_pool_free(c->pool);
    kin_event_free(c->event);
}

TEST(a_task_is_cancelled_though_who_did_it_was_killed_before_he_told_anybody)
{
    struct cancelling c;
    kin__self();
    CHECK_GT(kill_loop("task.condemned", &c, .setup = run_a_task, .victim = cancel_it,
                       .check = is_cancelled),
             0);
    kin_future_free(c.future);
    kin_pool_free(c.pool);
    kin_event_free(c.event);
}

/* ---- a map's task that is never queued ------------------------------------------------------- */

struct mapping {
    kin_pool *pool;
    uint64_t blocks;
};

static void a_pool_for_maps(void *ctx)
{
    struct mapping *m = ctx;
    m->blocks = blocks_in_use();
    new_pool(&m->pool);
}

static void map_and_let_go(void *ctx)
{
    struct mapping *m = ctx;
    kin_future *future;
    if (kin_pool_map_async(m->pool, square, kin_range(0, 3), NULL, &future) == 0) {
        kin_future_free(future);
    }
}

static void nothing_of_it_stays(void *ctx, const char *step)
{
    struct mapping *m = ctx;
    CHECK_OK(kin_pool_apply(m->pool, square, kin_args(kin_int(5)), NULL));
    CHECK_OK(kin_pool_close(m->pool));
    CHECK_OK(kin_pool_join(m->pool, KIN_FOREVER));
    kin_pool_free(m->pool);
    WAIT_UNTIL(kin__count_alive() == 1);
    CHECK_(blocks_in_use() == m->blocks, "killed at %s: %llu blocks in use, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)m->blocks);
}

TEST(a_map_goes_with_its_pool_when_the_relative_who_asked_for_it_was_killed)
{
    struct mapping m;
    kin__self();
    CHECK_EQ(kill_loop("map.whole", &m, .setup = a_pool_for_maps, .victim = map_and_let_go,
                       .check = nothing_of_it_stays),
             1);
    kin_pool_free(m.pool);
}
