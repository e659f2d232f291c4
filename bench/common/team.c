/* team.c - processes that begin at the same moment, each on its processor. */
#include "bench.h"

#include <kin.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEAM_MOST 8

typedef struct team {
    atomic_uint ready;
    atomic_uint size;
    double begun;
    double ended[TEAM_MOST];
} team;

static const cpu_set_t *allowed(void)
{
    static cpu_set_t set;
    if (CPU_COUNT(&set) == 0) {
        BENCH_MUST(sched_getaffinity(0, sizeof set, &set) == 0);
    }
    return &set;
}

int bench_cpus(void)
{
    return CPU_COUNT(allowed());
}

void bench_pin(int cpu)
{
    cpu_set_t set = *allowed();
    size_t wanted = (size_t)(cpu % bench_cpus());
    for (size_t i = 0, n = 0; cpu >= 0 && i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, allowed()) && n++ != wanted) {
            CPU_CLR(i, &set);
        }
    }
    BENCH_MUST(sched_setaffinity(0, sizeof set, &set) == 0);
}

void *bench_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_MUST(memory != MAP_FAILED);
    return memory;
}

void bench_busy(double seconds)
{
    for (double end = kin_now() + seconds; kin_now() < end;) {
    }
}

static void run(team *t, unsigned index, bench_role role, const void *arg)
{
    atomic_fetch_add(&t->ready, 1);
    while (atomic_load(&t->ready) < atomic_load(&t->size)) {
        sched_yield();
    }
    if (index == 0) {
        t->begun = kin_now();
    }
    role(index, arg);
    t->ended[index] = kin_now();
}

double bench_team(unsigned n, const int *cpus, bench_role role, const void *arg)
{
    static team *t;
    t = t != NULL ? t : bench_shared(sizeof *t);
    (void)bench_cpus(); /* before anybody is pinned */
    atomic_store(&t->ready, 0);
    atomic_store(&t->size, n);
    int pids[TEAM_MOST];
    for (unsigned i = 0; i < n; i++) {
        pids[i] = kin_fork();
        BENCH_MUST(pids[i] >= 0);
        if (pids[i] == 0) {
            alarm(100);
            bench_pin(cpus != NULL ? cpus[i] : BENCH_FREE);
            run(t, i, role, arg);
            _exit(0);
        }
    }
    double end = 0;
    for (unsigned i = 0; i < n; i++) {
        int status;
        BENCH_MUST(waitpid(pids[i], &status, 0) > 0 && status == 0);
        end = t->ended[i] > end ? t->ended[i] : end;
    }
    return end - t->begun;
}
