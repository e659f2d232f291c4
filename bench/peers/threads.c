/* threads.c - a team of one process, and threads in it. */
#include "threads.h"

#include <pthread.h>

#define MOST 8

typedef struct crew {
    unsigned size;
    const int *cpus;
    bench_role role;
    const void *arg;
} crew;

typedef struct member {
    const crew *of;
    unsigned index;
} member;

static void *run(void *arg)
{
    const member *m = arg;
    bench_pin(m->of->cpus[m->index]);
    m->of->role(m->index, m->of->arg);
    return NULL;
}

static void play(unsigned index, const void *arg)
{
    const crew *c = arg;
    pthread_t threads[MOST];
    member members[MOST];
    (void)index;
    for (unsigned i = 0; i < c->size; i++) {
        members[i] = (member){ c, i };
        BENCH_MUST(pthread_create(&threads[i], NULL, run, &members[i]) == 0);
    }
    for (unsigned i = 0; i < c->size; i++) {
        BENCH_MUST(pthread_join(threads[i], NULL) == 0);
    }
}

double threads_seconds(unsigned n, const int *cpus, bench_role role, const void *arg)
{
    BENCH_MUST(n <= MOST);
    return bench_team(1, NULL, play, &(crew){ n, cpus, role, arg });
}
