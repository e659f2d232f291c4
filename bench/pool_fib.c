/* How well does a pool keep both cores busy? fib(25) to fib(34), a task each, the largest last.
 *
 *     pool_fib [quick]
 */
#include <kin.h>
#include <stdatomic.h>
#include <string.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define FIRST 25
#define NUMBERS 10

static uint64_t fib_of(uint64_t n)
{
    return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2);
}

static kin_obj fib(kin_obj args)
{
    return kin_int((int64_t)fib_of((uint64_t)kin_arg_int(args, 0)));
}

static double ours(const void *pool)
{
    kin_obj results;
    double begin = kin_now();
    KIN_CHECK(kin_pool_map(*(kin_pool *const *)pool, fib, kin_range(FIRST, FIRST + NUMBERS),
                           KIN_OPT(kin_map_options, .chunksize = 1), &results));
    double seconds = kin_now() - begin;
    BENCH_MUST(kin_as_int(kin_at(results, NUMBERS - 1)) == 5702887);
    kin_release(results);
    return seconds;
}

static void play(unsigned index, const void *arg)
{
    _Atomic uint64_t *next = *(_Atomic uint64_t *const *)arg;
    (void)index;
    for (uint64_t n; (n = atomic_fetch_add(next, 1)) < FIRST + NUMBERS;) {
        BENCH_MUST(fib_of(n) != 0);
    }
}

static double two_forks(const void *arg)
{
    static _Atomic uint64_t *next;
    (void)arg;
    next = next != NULL ? next : bench_shared(sizeof *next);
    atomic_store(next, FIRST);
    return bench_team(2, NULL, play, &next);
}

static double serial(const void *arg)
{
    uint64_t sum = 0;
    (void)arg;
    double begin = kin_now();
    for (uint64_t n = FIRST; n < FIRST + NUMBERS; n++) {
        sum += fib_of(n);
    }
    BENCH_MUST(sum != 0);
    return kin_now() - begin;
}

static void add_peers(bench_case *c, char *note)
{
    static const pool_peer *const peers[] = { &pool_peer_glib, &pool_peer_libuv, &pool_peer_openmp,
                                              &pool_peer_fork };
    static const char *const kinds[] = { "Pool", "executor", "ThreadPool", "loky" };
    pool_job job = { .work = fib_of, .first = FIRST, .n = NUMBERS, .workers = 2, .times = 1 };
    for (uint64_t n = FIRST; n < FIRST + NUMBERS; n++) {
        job.sum += fib_of(n);
    }
    for (int i = 0; i < 4; i++) {
        pool_peer_add(c, peers[i], &job, note);
        pool_script_add(c, "fib", kinds[i], 1, note);
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_pool *pool;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    char conditions[POOL_NOTE] = "2 workers, not pinned, a task for each, the largest last; "
                                 "CPython computes in Python";
    bench_case question = { .name = "pool: fib(25) to fib(34) on two cores",
                            .unit = "ms",
                            .ours = ours,
                            .floor = two_forks,
                            .floor_is = "two forks that share an index",
                            .conditions = conditions,
                            .arg = &pool,
                            .rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 5 };
    question.others[0] = (bench_other){ .name = "serial", .measure = serial };
    add_peers(&question, conditions);
    bench_run(&question);
    kin_pool_free(pool);
    return 0;
}
