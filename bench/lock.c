/* What do a lock, an rlock and a semaphore cost, alone and while others want them, too? What does a
 * lock cost that is made and freed? */
#include <kin.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bench.h"

#define NEW_TIMES 200000

typedef struct question {
    unsigned processes;
    long turns; /* of each */
} question;

static kin_lock *lock;
static kin_rlock *rlock;
static kin_semaphore *semaphore;

/* On a page each; what they guard lies there, too. */
static pthread_mutex_t *plain, *adaptive, *robust, *recursive, *robust_recursive;
static sem_t *sem;
static atomic_uint *word;
static long *count;

/* ---- turns ----------------------------------------------------------------------------- */

static double measure(bench_role role, const question *q)
{
    static const int cpus[] = { 0, 1, 0, 1, 0, 1, 0, 1 };
    long all = q->processes * q->turns;
    *count = 0;
    double seconds = bench_team(q->processes, cpus, role, q);
    BENCH_MUST(*count == (q->processes > 1 ? all : 0));
    return seconds / (double)all;
}

/* A role that takes, counts if that has to be guarded, and gives; and the time of one such turn. */
#define TURNS(who, take, give)                                                                     \
    static void who##_turns(unsigned index, const void *arg)                                       \
    {                                                                                              \
        (void)index;                                                                               \
        const question *q = arg;                                                                   \
        for (long i = 0; i < q->turns; i++) {                                                      \
            (void)(take);                                                                          \
            if (q->processes > 1) {                                                                \
                ++*count;                                                                          \
            }                                                                                      \
            (void)(give);                                                                          \
        }                                                                                          \
    }                                                                                              \
    static double who##_turn(const void *arg)                                                      \
    {                                                                                              \
        return measure(who##_turns, arg);                                                          \
    }

static unsigned spin_lock(void)
{
    for (unsigned looks = 1; atomic_exchange(word, 1) != 0; looks++) {
        for (; atomic_load_explicit(word, memory_order_relaxed) != 0; looks++) {
            if (looks % 1024 == 0) {
                sched_yield();
            }
        }
    }
    return 0;
}

TURNS(lock, kin_lock_acquire(lock, KIN_FOREVER), kin_lock_release(lock))
TURNS(rlock, kin_rlock_acquire(rlock, KIN_FOREVER), kin_rlock_release(rlock))
TURNS(semaphore, kin_semaphore_acquire(semaphore, KIN_FOREVER), kin_semaphore_release(semaphore))
TURNS(spin, spin_lock(), atomic_exchange(word, 0))
TURNS(plain, pthread_mutex_lock(plain), pthread_mutex_unlock(plain))
TURNS(adaptive, pthread_mutex_lock(adaptive), pthread_mutex_unlock(adaptive))
TURNS(robust, pthread_mutex_lock(robust), pthread_mutex_unlock(robust))
TURNS(recursive, pthread_mutex_lock(recursive), pthread_mutex_unlock(recursive))
TURNS(robust_recursive, pthread_mutex_lock(robust_recursive),
      pthread_mutex_unlock(robust_recursive))
TURNS(sem, sem_wait(sem), sem_post(sem))

/* ---- new and free ---------------------------------------------------------------------- */

static double new_and_free(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < NEW_TIMES; i++) {
        kin_lock *made = NULL;
        (void)kin_lock_new(&made, NULL);
        kin_lock_free(made);
    }
    return (kin_now() - begin) / NEW_TIMES;
}

static double init_and_destroy(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < NEW_TIMES; i++) {
        pthread_mutex_t *volatile made = malloc(sizeof *made);
        (void)pthread_mutex_init(made, NULL);
        (void)pthread_mutex_destroy(made);
        free(made);
    }
    return (kin_now() - begin) / NEW_TIMES;
}

/* ---- asking ---------------------------------------------------------------------------- */

static pthread_mutex_t *new_mutex(int type, int robustness)
{
    pthread_mutex_t *mutex = bench_shared(sizeof *mutex);
    pthread_mutexattr_t how;
    BENCH_MUST(pthread_mutexattr_init(&how) == 0);
    BENCH_MUST(pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_mutexattr_settype(&how, type) == 0);
    BENCH_MUST(pthread_mutexattr_setrobust(&how, robustness) == 0);
    BENCH_MUST(pthread_mutex_init(mutex, &how) == 0);
    pthread_mutexattr_destroy(&how);
    return mutex;
}

static void make_all(void)
{
    KIN_CHECK(kin_lock_new(&lock, NULL));
    KIN_CHECK(kin_rlock_new(&rlock, NULL));
    KIN_CHECK(kin_semaphore_new(&semaphore, 1, NULL));
    plain = new_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED);
    adaptive = new_mutex(PTHREAD_MUTEX_ADAPTIVE_NP, PTHREAD_MUTEX_STALLED);
    robust = new_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
    recursive = new_mutex(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED);
    robust_recursive = new_mutex(PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ROBUST);
    sem = bench_shared(sizeof *sem);
    BENCH_MUST(sem_init(sem, 1, 1) == 0);
    word = bench_shared(sizeof *word);
    count = bench_shared(sizeof *count);
}

static void free_all(void)
{
    kin_lock_free(lock);
    kin_rlock_free(rlock);
    kin_semaphore_free(semaphore);
}

/* A question of what was begun, by so many processes. */
static void ask(bench_case c, const char *what, const char *kind, const question *q)
{
    char name[100], peer[100];
    snprintf(name, sizeof name, "%s: acquire and release, %s", what,
             q->processes == 1   ? "nobody else wants it"
             : q->processes == 2 ? "two processes want it"
                                 : "eight processes want it");
    snprintf(peer, sizeof peer, "lock.py %s %u %u", kind, q->processes, 300000 / q->processes);
    c.name = name;
    c.unit = q->processes == 1 ? "ns" : "M/s";
    c.floor = spin_turn;
    c.floor_is = "a spin lock";
    c.peer = peer;
    c.conditions = q->processes == 1 ? "on cpu 0" : "half of them on cpu 0, half on cpu 1";
    c.arg = q;
    bench_run(&c);
}

static void ask_all(const question *q)
{
    ask((bench_case){ .ours = lock_turn,
                      .others = { { .name = "robust mutex", .measure = robust_turn },
                                  { .name = "plain mutex", .measure = plain_turn },
                                  { .name = "adaptive mutex", .measure = adaptive_turn } } },
        "lock", "Lock", q);
    ask((bench_case){ .ours = rlock_turn,
                      .others = { { .name = "robust recursive mutex",
                                    .measure = robust_recursive_turn },
                                  { .name = "recursive mutex", .measure = recursive_turn } } },
        "rlock", "RLock", q);
    ask((bench_case){ .ours = semaphore_turn,
                      .others = { { .name = "sem_t", .measure = sem_turn } } },
        "semaphore", "Semaphore", q);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    make_all();
    ask_all(&(question){ 1, 1000000 });
    ask_all(&(question){ 2, 150000 });
    ask_all(&(question){ 8, 30000 });
    bench_run(&(bench_case){ .name = "lock: new and free",
                             .unit = "ns",
                             .ours = new_and_free,
                             .floor = init_and_destroy,
                             .floor_is = "malloc, pthread_mutex_init and their ends, private",
                             .peer = "lock.py new 1 2000",
                             .conditions = "not pinned" });
    free_all();
    return 0;
}
