/* In Python the kernel, when memory is out, kills one worker after the other: eleven of them in one
 * report, and the program was idle for eight hours (opentargets/issues#4509; CPython gh-66587).
 * Here those tasks fail that ran, and no others; all workers come again, as often as it takes. */
#include "scene.h"

enum { WORKERS = 4, ROUNDS = 10, QUEUED = 20 };

struct victims {
    _Atomic int here;
    _Atomic pid_t pids[WORKERS];
};

static kin_obj wait_to_be_killed(kin_obj args)
{
    struct victims *victims = kin_arg_shared(args, 0);
    victims->pids[kin_arg_int(args, 1)] = getpid();
    victims->here++;
    for (;;) {
        pause();
    }
    return kin_none();
}

/* Each worker has a task; behind them others wait. */
static void kill_all(kin_pool *pool, struct victims *victims)
{
    kin_future *doomed[WORKERS], *others[QUEUED];
    kin_obj o;
    victims->here = 0;
    for (int i = 0; i < WORKERS; i++) {
        doomed[i] = submit(pool, wait_to_be_killed, kin_args(kin_shared(victims), kin_int(i)));
    }
    for (int i = 0; i < QUEUED; i++) {
        others[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    WAIT_UNTIL(victims->here == WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        kill(victims->pids[i], SIGKILL);
    }
    for (int i = 0; i < WORKERS; i++) {
        CHECK_ERROR(kin_future_get(doomed[i], &o, KIN_FOREVER), KIN_ECRASHED);
        CHECK_CONTAINS(kin_errmsg(), "signal 9");
        kin_future_free(doomed[i]);
    }
    for (int i = 0; i < QUEUED; i++) {
        CHECK_OK(kin_future_get(others[i], &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i * i);
        kin_future_free(others[i]);
    }
}

TEST(all_workers_may_be_killed_at_once_ten_times_in_a_row)
{
    kin_pool *pool = pool_of(WORKERS);
    struct victims *victims = kin_alloc(sizeof *victims);
    for (int round = 0; round < ROUNDS; round++) {
        kill_all(pool, victims);
    }
    works(pool);
    kin_free(victims);
    free_whole(pool);
}

static kin_obj count_and_meet(kin_obj args)
{
    struct victims *victims = kin_arg_shared(args, 0);
    int64_t n = kin_arg_int(args, 1);
    if (atomic_fetch_add(&victims->here, 1) < WORKERS) {
        victims->pids[n] = getpid();
        for (;;) {
            pause();
        }
    }
    return kin_int(n);
}

TEST(with_retries_nothing_is_lost_when_all_workers_are_killed_at_once)
{
    kin_pool *pool;
    struct victims *victims = kin_alloc(sizeof *victims);
    kin_future *futures[WORKERS];
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = WORKERS, .retries = 1)));
    for (int i = 0; i < WORKERS; i++) {
        futures[i] = submit(pool, count_and_meet, kin_args(kin_shared(victims), kin_int(i)));
    }
    for (int i = 0; i < WORKERS; i++) {
        WAIT_UNTIL(victims->pids[i] != 0);
    }
    for (int i = 0; i < WORKERS; i++) {
        kill(victims->pids[i], SIGKILL);
    }
    for (int i = 0; i < WORKERS; i++) {
        kin_obj o;
        CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i);
        kin_future_free(futures[i]);
    }
    kin_free(victims);
    free_whole(pool);
}
