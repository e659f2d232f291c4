/* How often a second can a value be counted up under its lock, by one process and by two? */
#include <kin.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common/bench.h"

typedef struct question {
    unsigned processes;
    long times; /* of each */
} question;

static kin_value *value;

typedef struct guarded {
    pthread_mutex_t mutex;
    long number;
} guarded;

static guarded *by_hand;
static atomic_long *alone;

static void add_to_value(unsigned index, const void *arg)
{
    (void)index;
    for (long i = ((const question *)arg)->times; i > 0; i--) {
        KIN_CHECK(kin_value_acquire(value, KIN_FOREVER));
        *(long *)kin_value_ptr(value) += 1;
        KIN_CHECK(kin_value_release(value));
    }
}

static void add_by_hand(unsigned index, const void *arg)
{
    (void)index;
    for (long i = ((const question *)arg)->times; i > 0; i--) {
        BENCH_MUST(pthread_mutex_lock(&by_hand->mutex) == 0);
        by_hand->number += 1;
        BENCH_MUST(pthread_mutex_unlock(&by_hand->mutex) == 0);
    }
}

static void add_atomically(unsigned index, const void *arg)
{
    (void)index;
    for (long i = ((const question *)arg)->times; i > 0; i--) {
        atomic_fetch_add(alone, 1);
    }
}

/* The number has to be right, too. */
static double measure(bench_role role, const question *q, long *number)
{
    static const int cpus[] = { 0, 1 };
    long all = q->processes * q->times;
    *number = 0;
    double seconds = bench_team(q->processes, cpus, role, q);
    BENCH_MUST(*number == all);
    return seconds / (double)all;
}

static double ours(const void *arg)
{
    return measure(add_to_value, arg, kin_value_ptr(value));
}

static double robust(const void *arg)
{
    return measure(add_by_hand, arg, &by_hand->number);
}

static double atomic(const void *arg)
{
    return measure(add_atomically, arg, (long *)alone);
}

static void make_all(void)
{
    KIN_CHECK(kin_value_new(&value, 'l', kin_int(0), NULL));
    by_hand = bench_shared(sizeof *by_hand);
    alone = bench_shared(sizeof *alone);
    pthread_mutexattr_t how;
    BENCH_MUST(pthread_mutexattr_init(&how) == 0);
    BENCH_MUST(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE) == 0);
    BENCH_MUST(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
    BENCH_MUST(pthread_mutex_init(&by_hand->mutex, &how) == 0);
    pthread_mutexattr_destroy(&how);
}

static void ask(const char *name, const char *conditions, const char *peer, question q)
{
    bench_run(
        &(bench_case){ .name = name,
                       .unit = "M/s",
                       .ours = ours,
                       .floor = atomic,
                       .floor_is = "an atomic addition, without a lock",
                       .peer = peer,
                       .conditions = conditions,
                       .arg = &q,
                       .others = { { .name = "robust recursive mutex", .measure = robust } } });
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    make_all();
    ask("value: += 1 under its lock", "on cpu 0", "value_add.py 1 100000",
        (question){ 1, 1000000 });
    ask("value: += 1 under its lock, two processes", "on cpu 0 and cpu 1", "value_add.py 2 50000",
        (question){ 2, 150000 });
    kin_value_free(value);
    return 0;
}
