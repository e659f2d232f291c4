/* How long does it take to be woken in kin_wait, and what do a thousand things cost? */
#include <kin.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/bench.h"
#include "common/ping.h"

#define MANY 1000
#define TIMES 2000

typedef struct trip {
    bench_ping how;
    size_t n; /* events that each of the two waits for */
    kin_event **there;
    kin_event **back;
} trip;

/* One event of many is set, and each time another one. */
static void play(unsigned index, const void *arg)
{
    const trip *t = arg;
    kin_event **in = index == 0 ? t->back : t->there;
    kin_event **out = index == 0 ? t->there : t->back;
    kin_waitable *things = calloc(t->n, sizeof *things);
    for (size_t i = 0; i < t->n; i++) {
        things[i] = kin_event_waitable(in[i]);
    }
    for (long i = 0; i < t->how.trips; i++) {
        size_t which = (size_t)i * 7 % t->n;
        if (index == 0) {
            KIN_CHECK(kin_event_set(out[which]));
        }
        KIN_CHECK(kin_wait(things, t->n, KIN_FOREVER));
        BENCH_MUST(things[which].ready);
        KIN_CHECK(kin_event_clear(in[which]));
        bench_busy(t->how.busy);
        if (index == 1) {
            KIN_CHECK(kin_event_set(out[which]));
        }
    }
    free(things);
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

static kin_event **new_events(size_t n)
{
    kin_event **events = calloc(n, sizeof *events);
    for (size_t i = 0; i < n; i++) {
        KIN_CHECK(kin_event_new(&events[i], NULL));
    }
    return events;
}

static void ask(const char *name, const char *conditions, const char *peer, trip t)
{
    t.there = new_events(t.n);
    t.back = new_events(t.n);
    bench_run(&(bench_case){ .name = name,
                             .unit = "us",
                             .ours = ours,
                             .floor = futex,
                             .floor_is = "sleeping on a futex",
                             .peer = peer,
                             .conditions = conditions,
                             .arg = &t });
}

/* ---- a thousand descriptors, one of them readable --------------------------------------- */

typedef struct crowd {
    kin_waitable things[MANY];
    struct pollfd polled[MANY];
} crowd;

static double wait_for_one(const void *arg)
{
    kin_waitable *things = ((crowd *)arg)->things;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        BENCH_MUST(kin_wait(things, MANY, KIN_FOREVER) == 1);
    }
    return (kin_now() - begin) / TIMES;
}

static double poll_for_one(const void *arg)
{
    struct pollfd *polled = ((crowd *)arg)->polled;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        BENCH_MUST(poll(polled, MANY, -1) == 1);
    }
    return (kin_now() - begin) / TIMES;
}

static void ask_of_descriptors(void)
{
    static crowd c;
    int silent[2];
    int ready[2];
    struct rlimit limit;
    BENCH_MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    BENCH_MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    BENCH_MUST(pipe(silent) == 0 && pipe(ready) == 0 && write(ready[1], "x", 1) == 1);
    for (int i = 0; i < MANY; i++) {
        int fd = dup(i == MANY / 2 ? ready[0] : silent[0]);
        c.things[i] = kin_fd_waitable(fd);
        c.polled[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
    bench_run(&(bench_case){ .name = "wait: 1000 descriptors, one of them readable",
                             .unit = "us",
                             .ours = wait_for_one,
                             .floor = poll_for_one,
                             .floor_is = "poll",
                             .peer = "wait_many.py 1000 1000",
                             .conditions = "not pinned",
                             .arg = &c });
}

int main(int argc, char **argv)
{
    static const int two[2] = { 0, 1 };
    KIN_CHECK(kin_init(argc, argv));
    ask("wait: round trip by 2 of 4 events, both asleep in between",
        "on cpu 0 and cpu 1, each computes 50 us before it answers, which is not counted",
        "wait_round_trip.py 1000 0 1 50e-6",
        (trip){ .n = 2, .how = { .trips = 1000, .cpus = two, .busy = 50e-6 } });
    ask("wait: round trip by 2 of 4 events, both awake", "on cpu 0 and cpu 1",
        "wait_round_trip.py 2000 0 1 0", (trip){ .n = 2, .how = { .trips = 10000, .cpus = two } });
    ask("wait: round trip by 2 of 2000 events", "on cpu 0 and cpu 1", NULL,
        (trip){ .n = MANY, .how = { .trips = 300, .cpus = two } });
    ask_of_descriptors();
    return 0;
}
