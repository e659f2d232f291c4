/* How long does one call in a pool's worker take?
 *
 *     pool_round_trip [quick]
 */
#include <kin.h>
#include <stdio.h>
#include <string.h>

#include "common/bench.h"
#include "common/ping.h"
#include "common/ring.h"
#include "peers/pool_peer.h"

typedef struct calls {
    kin_pool *pool;
    bench_ping how; /* .busy: between two calls, for the workers to fall asleep */
    spin_ring *there;
    spin_ring *back;
} calls;

static uint64_t same_number(uint64_t number)
{
    return number;
}

static kin_obj same(kin_obj args)
{
    return kin_arg(args, 0);
}

static double ours(const void *arg)
{
    const calls *c = arg;
    double begin = kin_now();
    for (long i = 0; i < c->how.trips; i++) {
        kin_obj result;
        bench_busy(c->how.busy);
        KIN_CHECK(kin_pool_apply(c->pool, same, kin_args(kin_int(i)), &result));
        BENCH_MUST(kin_as_int(result) == i);
    }
    return (kin_now() - begin) / (double)c->how.trips - c->how.busy;
}

static double futex(const void *arg)
{
    return bench_ping_futex(&((const calls *)arg)->how);
}

static void play(unsigned index, const void *arg)
{
    const calls *c = arg;
    uint64_t message = 1;
    for (long i = 0; i < c->how.trips; i++) {
        if (index == 0) {
            spin_ring_put(c->there, &message);
            spin_ring_get(c->back, &message);
        } else {
            spin_ring_get(c->there, &message);
            spin_ring_put(c->back, &message);
        }
    }
}

static double rings(const void *arg)
{
    static const int cpus[2] = { 0, 1 };
    return bench_team(2, cpus, play, arg) / (double)((const calls *)arg)->how.trips;
}

static void ask(const calls *c, bench_case *question, const char *script)
{
    static const pool_peer *const peers[] = { &pool_peer_glib, &pool_peer_libuv, &pool_peer_fork };
    static const char *const kinds[] = { "Pool", "executor", "loky" };
    char conditions[POOL_NOTE];
    snprintf(conditions, sizeof conditions, "2 workers, an int there and back, not pinned%s",
             c->how.busy > 0 ? ", a pause of 100 us before each, which is not counted" : "");
    for (int i = 0; i < 3; i++) {
        pool_job job = { .work = same_number, .n = 1, .workers = 2, .busy = c->how.busy };
        job.times = peers[i] == &pool_peer_fork ? 500 : 2000;
        pool_peer_add(question, peers[i], &job, conditions);
        pool_script_add(question, script, kinds[i], 1000, conditions);
    }
    question->conditions = conditions;
    question->arg = c;
    bench_run(question);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    calls c = { .how = { .trips = 20000 },
                .there = spin_ring_new(1, 8),
                .back = spin_ring_new(1, 8) };
    KIN_CHECK(kin_pool_new(&c.pool, KIN_OPT(kin_pool_options, .processes = 2)));
    bench_case question = { .unit = "us",
                            .ours = ours,
                            .floor = futex,
                            .floor_is = "two processes in turn, sleeping on a futex",
                            .rounds = quick ? 1 : 0 };
    bench_case awake = question;
    awake.name = "pool: apply, round trip";
    awake.others[0] = (bench_other){ .name = "two spinning rings", .measure = rings };
    ask(&c, &awake, "round_trip");
    question.name = "pool: apply, round trip, workers asleep in between";
    c.how = (bench_ping){ .trips = 2000, .busy = 100e-6 };
    ask(&c, &question, "round_trip_asleep");
    kin_pool_free(c.pool);
    return 0;
}
