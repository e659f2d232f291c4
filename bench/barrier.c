/* How long is a round of a barrier? */
#include <kin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "common/bench.h"

typedef struct question {
    unsigned parties;
    long rounds;
    kin_barrier *ours;
    pthread_barrier_t *pthread;
} question;

static void by_barrier(unsigned index, const void *arg)
{
    (void)index;
    const question *q = arg;
    for (long i = 0; i < q->rounds; i++) {
        KIN_CHECK(kin_barrier_wait(q->ours, KIN_FOREVER));
    }
}

static void by_pthread(unsigned index, const void *arg)
{
    (void)index;
    const question *q = arg;
    for (long i = 0; i < q->rounds; i++) {
        (void)pthread_barrier_wait(q->pthread);
    }
}

/* Counts who comes, and spins until the last one has begun another round. */
typedef struct counter {
    _Alignas(64) atomic_uint came;
    _Alignas(64) atomic_uint round;
} counter;

static counter *the_counter(void)
{
    static counter *c;
    c = c != NULL ? c : bench_shared(sizeof *c);
    return c;
}

static void by_counter(unsigned index, const void *arg)
{
    (void)index;
    const question *q = arg;
    counter *c = the_counter();
    for (long i = 0; i < q->rounds; i++) {
        unsigned round = atomic_load(&c->round);
        if (atomic_fetch_add(&c->came, 1) + 1 == q->parties) {
            atomic_store(&c->came, 0);
            atomic_store(&c->round, round + 1);
        }
        for (unsigned looks = 1; atomic_load(&c->round) == round; looks++) {
            if (looks % 256 == 0) { /* there may be more of them than processors */
                sched_yield();
            }
        }
    }
}

static double measure(bench_role role, const question *q)
{
    static const int cpus[] = { 0, 1, 0, 1, 0, 1, 0, 1 };
    return bench_team(q->parties, cpus, role, q) / (double)q->rounds;
}

static double ours(const void *arg)
{
    return measure(by_barrier, arg);
}

static double pthread(const void *arg)
{
    return measure(by_pthread, arg);
}

static double counting(const void *arg)
{
    (void)the_counter(); /* before anybody is forked */
    return measure(by_counter, arg);
}

static void ask(const char *name, const char *conditions, const char *peer, question q)
{
    pthread_barrierattr_t how;
    q.pthread = bench_shared(sizeof *q.pthread);
    BENCH_MUST(pthread_barrierattr_init(&how) == 0);
    BENCH_MUST(pthread_barrierattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_barrier_init(q.pthread, &how, q.parties) == 0);
    KIN_CHECK(kin_barrier_new(&q.ours, q.parties, NULL));
    bench_run(&(bench_case){ .name = name,
                             .unit = "us",
                             .ours = ours,
                             .floor = counting,
                             .floor_is = "counting, spinning, giving way",
                             .peer = peer,
                             .conditions = conditions,
                             .arg = &q,
                             .others = { { .name = "pthread_barrier_t", .measure = pthread } } });
    kin_barrier_free(q.ours);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    ask("barrier: a round of two", "on cpu 0 and cpu 1", "barrier.py 2 300",
        (question){ .parties = 2, .rounds = 2000 });
    ask("barrier: a round of eight", "half of them on cpu 0, half on cpu 1", "barrier.py 8 100",
        (question){ .parties = 8, .rounds = 500 });
    return 0;
}
