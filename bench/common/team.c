/* team.c - processes that begin at the same moment, each on its processor. */
#include "bench.h"

#include <kin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct team {
    atomic_uint ready;
    atomic_uint size;
    double begun[BENCH_TEAM_MOST];
    double ended[BENCH_TEAM_MOST];
    pthread_barrier_t all_ended;
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

static void await_begin(team *t)
{
    atomic_fetch_add(&t->ready, 1);
    while (atomic_load(&t->ready) < atomic_load(&t->size)) {
        sched_yield();
    }
}

static void await_end(team *t)
{
    int rv = pthread_barrier_wait(&t->all_ended);
    BENCH_MUST(rv == 0 || rv == PTHREAD_BARRIER_SERIAL_THREAD);
}

static team *team_new(unsigned size)
{
    static team *t;
    t = t != NULL ? t : bench_shared(sizeof *t);
    BENCH_MUST(size <= BENCH_TEAM_MOST);
    atomic_store(&t->ready, 0);
    atomic_store(&t->size, size);
    pthread_barrierattr_t attr;
    BENCH_MUST(pthread_barrierattr_init(&attr) == 0);
    BENCH_MUST(pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_barrier_init(&t->all_ended, &attr, size) == 0);
    return t;
}

static double seconds_of(team *t, const int *pids)
{
    double begin = 0;
    double end = 0;
    for (unsigned i = 0; i < atomic_load(&t->size); i++) {
        int status;
        BENCH_MUST(waitpid(pids[i], &status, 0) > 0 && status == 0);
        begin = i == 0 || t->begun[i] < begin ? t->begun[i] : begin;
        end = t->ended[i] > end ? t->ended[i] : end;
    }
    return end - begin;
}

double bench_team_entered(unsigned n, const int *cpus, bench_role enter, bench_role role,
                          const void *arg)
{
    (void)bench_cpus(); /* before anybody is pinned */
    team *t = team_new(n);
    int pids[BENCH_TEAM_MOST];
    for (unsigned i = 0; i < n; i++) {
        pids[i] = kin_fork();
        BENCH_MUST(pids[i] >= 0);
        if (pids[i] == 0) {
            alarm(100);
            bench_pin(cpus != NULL ? cpus[i] : BENCH_FREE);
            enter(i, arg);
            await_begin(t);
            t->begun[i] = kin_now();
            role(i, arg);
            t->ended[i] = kin_now();
            await_end(t);
            _exit(0);
        }
    }
    return seconds_of(t, pids);
}

static void enter_nothing(unsigned index, const void *arg)
{
    (void)index;
    (void)arg;
}

double bench_team(unsigned n, const int *cpus, bench_role role, const void *arg)
{
    return bench_team_entered(n, cpus, enter_nothing, role, arg);
}
