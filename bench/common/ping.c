/* ping.c - two processes that take turns. */
#include "ping.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

typedef struct table {
    _Alignas(64) _Atomic uint32_t ball; /* its lowest bit says whose turn it is */
    bench_ping how;
} table;

static table *the_table(void)
{
    static table *t;
    t = t != NULL ? t : bench_shared(sizeof *t);
    atomic_store(&t->ball, 0);
    return t;
}

static void play_asleep(unsigned index, const void *arg)
{
    table *t = *(table *const *)arg;
    for (long i = 0; i < t->how.trips; i++) {
        uint32_t seen;
        while (((seen = atomic_load(&t->ball)) & 1) != index) {
            syscall(SYS_futex, &t->ball, FUTEX_WAIT, seen, NULL, NULL, 0);
        }
        bench_busy(t->how.busy);
        atomic_fetch_add(&t->ball, 1);
        syscall(SYS_futex, &t->ball, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

double bench_ping_futex(const bench_ping *ping)
{
    table *t = the_table();
    t->how = *ping;
    double seconds = bench_team(2, ping->cpus, play_asleep, &t);
    return seconds / (double)ping->trips - 2 * ping->busy;
}

/* Should they share a processor after all, the one who waits gives way sometimes. */
static void play_spinning(unsigned index, const void *arg)
{
    table *t = *(table *const *)arg;
    for (long i = 0; i < t->how.trips; i++) {
        for (unsigned looks = 1; (atomic_load(&t->ball) & 1) != index; looks++) {
            if (looks % 4096 == 0) {
                sched_yield();
            }
        }
        atomic_fetch_add(&t->ball, 1);
    }
}

double bench_ping_spinning(void)
{
    table *t = the_table();
    t->how = (bench_ping){ .trips = 20000 };
    const int cpus[2] = { 0, 1 };
    return bench_team(2, cpus, play_spinning, &t) / (double)t->how.trips;
}
