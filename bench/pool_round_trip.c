/* How long does one call in a pool's worker take? */
#include <kin.h>

#include "common/bench.h"
#include "common/ping.h"

typedef struct calls {
    kin_pool *pool;
    bench_ping how; /* .busy: between two calls, for the workers to fall asleep */
} calls;

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
        KIN_CHECK(kin_pool_apply(c->pool, same, kin_args(kin_int(i)), &result));
        BENCH_MUST(kin_as_int(result) == i);
        bench_busy(c->how.busy);
    }
    return (kin_now() - begin) / (double)c->how.trips - c->how.busy;
}

static double futex(const void *arg)
{
    return bench_ping_futex(&((const calls *)arg)->how);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    calls c = { .how = { .trips = 20000 } };
    KIN_CHECK(kin_pool_new(&c.pool, KIN_OPT(kin_pool_options, .processes = 2)));
    bench_case question = { .name = "pool: apply, round trip",
                            .unit = "us",
                            .ours = ours,
                            .floor = futex,
                            .floor_is = "two processes in turn, sleeping on a futex",
                            .peer = "pool_round_trip.py 3000",
                            .conditions = "2 workers, an int there and back, not pinned",
                            .arg = &c };
    bench_run(&question);
    question.name = "pool: apply, round trip, workers asleep in between";
    question.conditions = "2 workers, an int there and back, not pinned, a pause of 100 us before "
                          "each, which is not counted";
    c.how = (bench_ping){ .trips = 2000, .busy = 100e-6 };
    bench_run(&question);
    kin_pool_free(c.pool);
    return 0;
}
