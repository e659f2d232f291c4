/* A worker, the caller, or the nursery is killed at every step of a loop; whoever is left goes on,
 * and nothing of the loop stays. */
#include "domain/room.h"
#include "harness.h"
#include "pool/room.h"

#include <stdatomic.h>

#define COUNT 12

struct scene {
    uint64_t blocks;
    pid_t caller;
    double timeout;
    _Atomic int wrong; /* what was neither right nor an honest error */
    _Atomic bool came; /* a worker has */
    _Atomic bool late; /* the caller has given up */
    _Atomic unsigned char times[COUNT];
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* The caller lets a worker come, if one does. */
static void count(size_t index, void *ctx)
{
    struct scene *s = *(struct scene **)ctx;
    bool is_caller = kin__os_getpid() == s->caller;
    atomic_store(&s->came, atomic_load(&s->came) || !is_caller);
    for (int i = 0; i < 2000 && !atomic_load(&s->came); i++) {
        kin__os_yield();
    }
    for (int i = 0; i < 2000 && !is_caller && s->timeout > 0 && !atomic_load(&s->late); i++) {
        kin__os_yield();
    }
    atomic_fetch_add(&s->times[index], 1);
    ++*(int *)kin_for_part();
}

static void add(void *into, const void *part)
{
    *(int *)into += *(const int *)part;
}

static void judge(struct scene *s, int rv, int result)
{
    int once = 0, most = 0;
    for (int i = 0; i < COUNT; i++) {
        int times = atomic_load(&s->times[i]);
        once += times == 1;
        most = times > most ? times : most;
    }
    if (rv == 0) {
        s->wrong += once != COUNT || result != COUNT;
    } else if (rv == KIN_ECRASHED) { /* one share of two */
        s->wrong += once < COUNT - 2 || most > 1 || result != 0;
    } else {
        bool honest = rv == KIN_EBROKEN || rv == KIN_ECANCELLED || rv == KIN_ECLOSED;
        s->wrong += !honest && (rv != KIN_ETIMEDOUT || s->timeout == 0);
    }
}

static void use_a_loop(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    s->caller = kin__os_getpid();
    if (kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1)) < 0) {
        return;
    }
    struct scene **at = kin_alloc(sizeof *at); /* the scene lies at one address in all of them */
    *at = s;
    int result = 0;
    int rv = kin_pool_for(pool, 0, COUNT, count, at,
                          KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC, .grain = 2,
                                  .timeout = s->timeout, .result = &result,
                                  .result_size = sizeof result, .combine = add));
    judge(s, rv, result);
    atomic_store(&s->late, true);
    (void)kin_pool_close(pool);
    (void)kin_pool_join(pool, KIN_FOREVER);
    kin_free(at); /* nobody can be at it any more */
    kin_pool_free(pool);
}

static void remember(void *ctx)
{
    struct scene *s = ctx;
    double timeout = s->timeout;
    memset(s, 0, sizeof *s);
    s->timeout = timeout;
    s->blocks = blocks_in_use();
}

/* A killed caller leaves what is his: what he had from kin_alloc. */
static void nothing_is_left(void *ctx, const char *step)
{
    struct scene *s = ctx;
    WAIT_UNTIL(kin__count_alive() == 1);
    CHECK_(s->wrong == 0, "killed at %s: a result was wrong", step);
    uint64_t blocks = blocks_in_use();
    CHECK_(blocks <= s->blocks + 1, "killed at %s: %llu blocks stayed", step,
           (unsigned long long)(blocks - s->blocks));
}

static void kill_all(double timeout, int least)
{
    struct scene *s = test_shared(sizeof *s);
    s->timeout = timeout;
    kin__self();
    int kills = kill_loop("loop.", s, .setup = remember, .victim = use_a_loop,
                          .check = nothing_is_left, .anybody = true);
    CHECK_GT(kills, least);
}

TEST_WITHIN(300, a_loop_survives_the_death_of_anybody_at_any_step_of_it)
{
    kill_all(0, 10);
}

TEST_WITHIN(300, a_loop_whose_caller_gave_up_survives_it_too)
{
    kill_all(0.001, 4);
}

TEST_WITHIN(300, a_loop_survives_the_death_of_anybody_at_any_step_of_its_tasks)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    int kills = kill_loop("task.", s, .setup = remember, .victim = use_a_loop,
                          .check = nothing_is_left, .anybody = true);
    CHECK_GT(kills, 2);
}
