/* How long does a message take to another process and an answer back, through two queues? */
#include <kin.h>
#include <stdio.h>

#include "common/bench.h"
#include "common/ping.h"
#include "peers/peer.h"

typedef struct trip {
    bench_ping how;
    const peer *peer;
    void *there;
    void *back;
} trip;

enum { OURS, OTHERS };
static const peer *const peers[] = { &peer_kin_unbounded, &peer_mq, &peer_boost };
#define PEERS (sizeof peers / sizeof peers[0])

static void play(unsigned index, const void *arg)
{
    const trip *t = arg;
    void *in = index == 0 ? t->back : t->there;
    void *out = index == 0 ? t->there : t->back;
    char message[8] = { 0 };
    if (index == 0) {
        t->peer->put(out, message, sizeof message);
    }
    for (long i = 0; i < t->how.trips; i++) {
        t->peer->get(in, message, sizeof message);
        bench_busy(t->how.busy);
        if (index == 1 || i + 1 < t->how.trips) {
            t->peer->put(out, message, sizeof message);
        }
    }
}

static double measure(const void *arg)
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

static bool open_both(trip *t)
{
    const peer_shape shape = { 1, 1, 8, 8 };
    const char *note = NULL;
    t->there = t->peer->open(&shape, &note);
    t->back = t->there != NULL ? t->peer->open(&shape, &note) : NULL;
    return t->back != NULL;
}

/* The others are asked for as few trips as CPython: some take their time. */
static void ask(const char *name, const char *conditions, const char *script, bench_ping how)
{
    bool awake = how.cpus != NULL && how.cpus[0] != how.cpus[1] && how.busy == 0;
    trip trips[PEERS];
    bench_case question = { .name = name,
                            .unit = "us",
                            .ours = measure,
                            .floor = awake ? spinning : futex,
                            .floor_is = awake ? "spinning on a word" : "sleeping on a futex",
                            .peer = script,
                            .conditions = conditions,
                            .arg = &trips[OURS] };
    unsigned others = 0;
    for (size_t i = 0; i < PEERS; i++) {
        trips[i] = (trip){ .how = how, .peer = peers[i] };
        if (i >= OTHERS && how.trips > 3000) {
            trips[i].how.trips = 3000;
        }
        if (open_both(&trips[i]) && i >= OTHERS) {
            question.others[others++] =
                (bench_other){ .name = peers[i]->name, .measure = measure, .arg = &trips[i] };
        }
    }
    bench_run(&question);
    for (size_t i = 0; i < PEERS; i++) {
        if (trips[i].back != NULL) {
            trips[i].peer->close(trips[i].there);
            trips[i].peer->close(trips[i].back);
        }
    }
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
