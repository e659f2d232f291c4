/* How long does a message take to another process and an answer back, through two queues? */
#include <kin.h>
#include <stdio.h>

#include "common/bench.h"
#include "common/ping.h"

typedef struct trip {
    bench_ping how;
    kin_queue *there;
    kin_queue *back;
} trip;

static void play(unsigned index, const void *arg)
{
    const trip *t = arg;
    kin_queue *in = index == 0 ? t->back : t->there;
    kin_queue *out = index == 0 ? t->there : t->back;
    char message[8] = { 0 };
    if (index == 0) {
        KIN_CHECK(kin_queue_put_bytes(out, message, sizeof message, KIN_FOREVER));
    }
    for (long i = 0; i < t->how.trips; i++) {
        KIN_CHECK(kin_queue_get_bytes(in, message, sizeof message, KIN_FOREVER));
        bench_busy(t->how.busy);
        if (index == 1 || i + 1 < t->how.trips) {
            KIN_CHECK(kin_queue_put_bytes(out, message, sizeof message, KIN_FOREVER));
        }
    }
}

static double ours(const void *arg)
{
    const trip *t = arg;
    return bench_team(2, t->how.cpus, play, t) / (double)t->how.trips - 2 * t->how.busy;
}

static double futex(const void *arg)
{
    return bench_ping_futex(&((const trip *)arg)->how);
}

static double spinning(const void *arg)
{
    (void)arg;
    return bench_ping_spinning();
}

static void ask(const char *name, const char *conditions, const char *peer, bench_ping how)
{
    bool awake = how.cpus != NULL && how.cpus[0] != how.cpus[1] && how.busy == 0;
    trip t = { .how = how };
    KIN_CHECK(kin_queue_new(&t.there, NULL));
    KIN_CHECK(kin_queue_new(&t.back, NULL));
    bench_run(&(bench_case){ .name = name,
                             .unit = "us",
                             .ours = ours,
                             .floor = awake ? spinning : futex,
                             .floor_is = awake ? "spinning on a word" : "sleeping on a futex",
                             .peer = peer,
                             .conditions = conditions,
                             .arg = &t });
    kin_queue_free(t.there);
    kin_queue_free(t.back);
}

int main(int argc, char **argv)
{
    static const int two[2] = { 0, 1 };
    static const int one[2] = { 0, 0 };
    KIN_CHECK(kin_init(argc, argv));
    ask("queue: round trip", "not pinned", "queue_round_trip.py 3000 free",
        (bench_ping){ .trips = 20000 });
    ask("queue: round trip, both awake", "on cpu 0 and cpu 1", "queue_round_trip.py 3000 0 1",
        (bench_ping){ .trips = 20000, .cpus = two });
    ask("queue: round trip, both asleep in between",
        "on cpu 0 and cpu 1, each computes 50 us before it answers, which is not counted",
        "queue_round_trip.py 3000 0 1", (bench_ping){ .trips = 1000, .cpus = two, .busy = 50e-6 });
    ask("queue: round trip, one processor for both", "on cpu 0", "queue_round_trip.py 3000 0 0",
        (bench_ping){ .trips = 20000, .cpus = one });
    return 0;
}
