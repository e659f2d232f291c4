/* A worker, the nursery, or whoever submits is killed at every step of a pool's whole life. */
#include "domain/room.h"
#include "harness.h"
#include "pool/room.h"

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
