/* How long do 30 sleeps of 0.1 s take on 3 workers, who need no core for it? At best a second.
 *
 *     pool_sleep [quick]
 */
#include <kin.h>
#include <string.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define SLEEPS 30
#define WORKERS 3
#define SECONDS 0.1

static uint64_t sleep_a_bit(uint64_t number)
{
    kin_sleep(SECONDS);
    return number;
}

static kin_obj nap(kin_obj args)
{
    return kin_int((int64_t)sleep_a_bit((uint64_t)kin_arg_int(args, 0)));
}

static double ours(const void *pool)
{
    kin_obj results;
    double begin = kin_now();
    KIN_CHECK(kin_pool_map(*(kin_pool *const *)pool, nap, kin_range(0, SLEEPS),
                           KIN_OPT(kin_map_options, .chunksize = 1), &results));
    double seconds = kin_now() - begin;
    BENCH_MUST(kin_len(results) == SLEEPS);
    kin_release(results);
    return seconds / SLEEPS;
}

static void play(unsigned index, const void *arg)
{
    (void)arg;
    for (int i = 0; i < SLEEPS / WORKERS; i++) {
        (void)sleep_a_bit(index);
    }
}

static double three_forks(const void *arg)
{
    return bench_team(WORKERS, NULL, play, arg) / SLEEPS;
}

static void add_peers(bench_case *c, char *note)
{
    static const pool_peer *const peers[] = { &pool_peer_glib, &pool_peer_libuv, &pool_peer_fork };
    static const char *const kinds[] = { "Pool", "executor", "loky" };
    pool_job job = { .work = sleep_a_bit, .n = SLEEPS, .workers = WORKERS };
    job.times = 1;
    job.warm = WORKERS;
    job.each = true;
    job.sum = SLEEPS * (SLEEPS - 1) / 2;
    for (int i = 0; i < 3; i++) {
        pool_peer_add(c, peers[i], &job, note);
        pool_script_add(c, "sleep", kinds[i], SLEEPS, note);
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_pool *pool;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = WORKERS)));
    char conditions[POOL_NOTE] = "30 tasks of 0.1 s on 3 workers; at best 33.33 ms of the whole "
                                 "for each";
    bench_case question = { .name = "pool: 30 sleeps on 3 workers",
                            .unit = "ms",
                            .ours = ours,
                            .floor = three_forks,
                            .floor_is = "three forks that sleep ten times each",
                            .conditions = conditions,
                            .arg = &pool,
                            .rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 3 };
    add_peers(&question, conditions);
    bench_run(&question);
    kin_pool_free(pool);
    return 0;
}
