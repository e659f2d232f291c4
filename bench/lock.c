/* What does a lock cost that nobody else wants? */
#include <kin.h>
#include <pthread.h>

#include "common/bench.h"

#define TIMES 2000000

static double ours(const void *arg)
{
    kin_lock *const *lock = arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        (void)kin_lock_acquire(*lock, KIN_FOREVER);
        (void)kin_lock_release(*lock);
    }
    return (kin_now() - begin) / TIMES;
}

static pthread_mutex_t *new_mutex(void)
{
    pthread_mutex_t *mutex = bench_shared(sizeof *mutex);
    pthread_mutexattr_t how;
    BENCH_MUST(pthread_mutexattr_init(&how) == 0);
    BENCH_MUST(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST) == 0);
    BENCH_MUST(pthread_mutex_init(mutex, &how) == 0);
    pthread_mutexattr_destroy(&how);
    return mutex;
}

static double robust(const void *arg)
{
    (void)arg;
    static pthread_mutex_t *mutex;
    mutex = mutex != NULL ? mutex : new_mutex();
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        (void)pthread_mutex_lock(mutex);
        (void)pthread_mutex_unlock(mutex);
    }
    return (kin_now() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    kin_auto(kin_lock) lock = NULL;
    KIN_CHECK(kin_lock_new(&lock, NULL));
    bench_run(&(bench_case){ .name = "lock: acquire and release, nobody else wants it",
                             .unit = "ns",
                             .ours = ours,
                             .floor = robust,
                             .floor_is = "a robust pthread mutex shared by processes",
                             .peer = "lock.py 500000",
                             .conditions = "on cpu 0",
                             .arg = &lock });
    return 0;
}
