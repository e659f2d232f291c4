/* How long do two processes take that wake each other in turn, by a condition or by two events? */
#include <kin.h>
#include <pthread.h>
#include <semaphore.h>

#include "common/bench.h"
#include "common/ping.h"

/* What the two share: all is ready for the first of them to begin, as it is after each round. */
typedef struct table {
    unsigned turn;
    kin_condition *changed;
    kin_event *events[2];
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sem_t sems[2];
} table;

typedef struct trip {
    bench_ping how;
    table *on;
} trip;

/* ---- those who play -------------------------------------------------------------------- */

static void by_condition(unsigned index, const void *arg)
{
    const trip *t = arg;
    KIN_CHECK(kin_condition_acquire(t->on->changed, KIN_FOREVER));
    for (long i = 0; i < t->how.trips; i++) {
        while (t->on->turn != index) {
            KIN_CHECK(kin_condition_wait(t->on->changed, KIN_FOREVER));
        }
        bench_busy(t->how.busy);
        t->on->turn = 1 - index;
        KIN_CHECK(kin_condition_notify(t->on->changed, 1));
    }
    KIN_CHECK(kin_condition_release(t->on->changed));
}

static void by_pthread_cond(unsigned index, const void *arg)
{
    const trip *t = arg;
    BENCH_MUST(pthread_mutex_lock(&t->on->mutex) == 0);
    for (long i = 0; i < t->how.trips; i++) {
        while (t->on->turn != index) {
            BENCH_MUST(pthread_cond_wait(&t->on->cond, &t->on->mutex) == 0);
        }
        bench_busy(t->how.busy);
        t->on->turn = 1 - index;
        BENCH_MUST(pthread_cond_signal(&t->on->cond) == 0);
    }
    BENCH_MUST(pthread_mutex_unlock(&t->on->mutex) == 0);
}

static void by_events(unsigned index, const void *arg)
{
    const trip *t = arg;
    for (long i = 0; i < t->how.trips; i++) {
        KIN_CHECK(kin_event_wait(t->on->events[index], KIN_FOREVER));
        KIN_CHECK(kin_event_clear(t->on->events[index]));
        bench_busy(t->how.busy);
        KIN_CHECK(kin_event_set(t->on->events[1 - index]));
    }
}

static void by_sem_t(unsigned index, const void *arg)
{
    const trip *t = arg;
    for (long i = 0; i < t->how.trips; i++) {
        BENCH_MUST(sem_wait(&t->on->sems[index]) == 0);
        bench_busy(t->how.busy);
        BENCH_MUST(sem_post(&t->on->sems[1 - index]) == 0);
    }
}

/* ---- their time ------------------------------------------------------------------------ */

static double round_trip(bench_role role, const trip *t)
{
    return bench_team(2, t->how.cpus, role, t) / (double)t->how.trips - 2 * t->how.busy;
}

static double condition(const void *arg)
{
    return round_trip(by_condition, arg);
}

static double events(const void *arg)
{
    return round_trip(by_events, arg);
}

/* glibc's always sleep: fewer trips will do. */
static trip fewer(const trip *t)
{
    trip less = *t;
    less.how.trips = t->how.trips > 500 ? 500 : t->how.trips;
    return less;
}

static double pthread_cond(const void *arg)
{
    trip t = fewer(arg);
    return round_trip(by_pthread_cond, &t);
}

static double sem_ts(const void *arg)
{
    trip t = fewer(arg);
    return round_trip(by_sem_t, &t);
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

/* ---- asking ---------------------------------------------------------------------------- */

static table *lay(void)
{
    table *t = bench_shared(sizeof *t);
    KIN_CHECK(kin_condition_new(&t->changed, NULL));
    KIN_CHECK(kin_event_new(&t->events[0], NULL));
    KIN_CHECK(kin_event_new(&t->events[1], NULL));
    KIN_CHECK(kin_event_set(t->events[0]));
    pthread_mutexattr_t mutex;
    pthread_condattr_t cond;
    BENCH_MUST(pthread_mutexattr_init(&mutex) == 0);
    BENCH_MUST(pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_mutex_init(&t->mutex, &mutex) == 0);
    BENCH_MUST(pthread_condattr_init(&cond) == 0);
    BENCH_MUST(pthread_condattr_setpshared(&cond, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_cond_init(&t->cond, &cond) == 0);
    BENCH_MUST(sem_init(&t->sems[0], 1, 1) == 0);
    BENCH_MUST(sem_init(&t->sems[1], 1, 0) == 0);
    return t;
}

static void clear(table *t)
{
    kin_condition_free(t->changed);
    kin_event_free(t->events[0]);
    kin_event_free(t->events[1]);
}

/* Of both, in the same way; each has its name, and its peer. */
static void ask(bench_case c, const char *const names[2], const char *const peers[2])
{
    const bench_ping *how = &((const trip *)c.arg)->how;
    bool awake = how->cpus[0] != how->cpus[1] && how->busy == 0;
    c.unit = "us";
    c.floor = awake ? spinning : futex;
    c.floor_is = awake ? "spinning on a word" : "sleeping on a futex";
    for (int i = 0; i < 2; i++) {
        c.name = names[i];
        c.peer = peers[i];
        c.ours = i == 0 ? condition : events;
        c.others[0] = i == 0 ? (bench_other){ .name = "pthread_cond_t", .measure = pthread_cond }
                             : (bench_other){ .name = "two sem_t", .measure = sem_ts };
        bench_run(&c);
    }
}

int main(int argc, char **argv)
{
    static const int two[2] = { 0, 1 };
    static const int one[2] = { 0, 0 };
    static const char *const peers_two[] = { "sync_round_trip.py condition 500 0 1",
                                             "sync_round_trip.py events 500 0 1" };
    static const char *const peers_one[] = { "sync_round_trip.py condition 1000 0 0",
                                             "sync_round_trip.py events 1000 0 0" };
    KIN_CHECK(kin_init(argc, argv));
    table *t = lay();
    ask((bench_case){ .conditions = "on cpu 0 and cpu 1",
                      .arg = &(trip){ { .trips = 20000, .cpus = two }, t } },
        (const char *[]){ "condition: round trip, both awake", "event: round trip, both awake" },
        peers_two);
    ask((bench_case){ .conditions = "on cpu 0 and cpu 1, each computes 50 us before it answers, "
                                    "which is not counted",
                      .arg = &(trip){ { .trips = 500, .cpus = two, .busy = 50e-6 }, t } },
        (const char *[]){ "condition: round trip, both asleep in between",
                          "event: round trip, both asleep in between" },
        peers_two);
    ask((bench_case){ .conditions = "on cpu 0",
                      .arg = &(trip){ { .trips = 5000, .cpus = one }, t } },
        (const char *[]){ "condition: round trip, one processor for both",
                          "event: round trip, one processor for both" },
        peers_one);
    clear(t);
    return 0;
}
