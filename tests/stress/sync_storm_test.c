/* Eight processes on one lock, one rlock, two semaphores, one condition and one barrier, while a
 * random one of them is killed and replaced every few milliseconds. KIN_STORM_SECONDS says for how
 * long (default 3), and on from there until a death was told of: where the machine is busy, few die
 * holding.
 *
 * Nobody may hang, so who waits for ever waits for what others go on doing: the even ones make
 * items and release permits and never wait for the odd ones, who take them; at the barrier all take
 * a timeout for an answer. */
#include "domain/room.h"
#include "harness.h"
#include <kin/condition.h>

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROCESSES = 8, PARTIES = 3, PERMITS = 2, ITEMS_MOST = 8, SPARE_MOST = 50 };

/* What a lock guards: a total, and who has added how often. A death may leave them one apart. */
struct account {
    long total;
    long parts[PROCESSES];
};

struct storm {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_semaphore *signals;
    kin_semaphore *permits;
    kin_condition *changed;
    kin_barrier *barrier;

    struct account by_lock, by_rlock, by_condition;
    long items; /* under the condition's lock */
    _Atomic kin__id inside[PROCESSES];
    _Atomic long released, taken; /* signals, counted just after */
    _Atomic long went[PARTIES];   /* through the barrier, by number */
    _Atomic long turns[PROCESSES];
    _Atomic long deaths_told;
    _Atomic int over; /* 1: who takes, ends; 2: all do */
    _Atomic int wrong;
    char what[200];
};

struct member {
    struct storm *s;
    int number;
};

static bool complain(struct storm *s, const char *what, long a, long b)
{
    if (atomic_fetch_add(&s->wrong, 1) == 0) {
        snprintf(s->what, sizeof s->what, "%s: %ld, %ld (%s)", what, a, b, kin_errmsg());
    }
    return false;
}

/* With the lock in hand; `rv` is what it was taken with. */
static bool add(struct member *m, struct account *account, int rv, const char *what)
{
    struct storm *s = m->s;
    long sum = 0;
    for (int i = 0; i < PROCESSES; i++) {
        sum += account->parts[i];
    }
    s->deaths_told += rv == KIN_OWNER_DIED;
    if (rv < 0 || sum > account->total || sum < account->total - (rv == KIN_OWNER_DIED)) {
        return complain(s, what, rv < 0 ? rv : account->total, sum);
    }
    account->total = sum + 1;
    account->parts[m->number]++;
    return true;
}

static bool use_lock(struct member *m)
{
    int rv = kin_lock_acquire(m->s->lock, KIN_FOREVER);
    return add(m, &m->s->by_lock, rv, "under the lock") && kin_lock_release(m->s->lock) == 0;
}

static bool use_rlock(struct member *m)
{
    kin_rlock *rlock = m->s->rlock;
    int rv = kin_rlock_acquire(rlock, KIN_FOREVER);
    if (rv < 0 || kin_rlock_acquire(rlock, 0) != 0 || kin_rlock_depth(rlock) != 2) {
        return complain(m->s, "the rlock's depth", rv, kin_rlock_depth(rlock));
    }
    return add(m, &m->s->by_rlock, rv, "under the rlock") && kin_rlock_release(rlock) == 0 &&
           kin_rlock_release(rlock) == 0;
}

static bool use_signals(struct member *m)
{
    struct storm *s = m->s;
    int rv = 0;
    if (m->number % 2 != 0) {
        rv = kin_semaphore_acquire(s->signals, KIN_FOREVER);
        s->taken++;
    } else if (kin_semaphore_value(s->signals) < SPARE_MOST) {
        rv = kin_semaphore_release(s->signals);
        s->released++;
    }
    return rv == 0 || complain(s, "signals", rv, 0);
}

static bool use_permits(struct member *m)
{
    struct storm *s = m->s;
    int rv = kin_semaphore_acquire(s->permits, KIN_FOREVER);
    s->inside[m->number] = kin__self();
    int inside = 0;
    for (int i = 0; i < PROCESSES; i++) {
        kin__id id = s->inside[i];
        inside += id != KIN__NOBODY && kin__alive(id);
    }
    s->inside[m->number] = KIN__NOBODY;
    if (rv < 0 || inside > PERMITS || kin_semaphore_release(s->permits) != 0) {
        return complain(s, "permits", rv, inside);
    }
    return true;
}

/* Whoever learns of a death says that things may have changed: the dead may not have come to
 * that. */
static bool use_condition(struct member *m)
{
    struct storm *s = m->s;
    int rv = kin_condition_acquire(s->changed, KIN_FOREVER);
    if (!add(m, &s->by_condition, rv, "under the condition's lock")) {
        return false;
    }
    bool told = rv == KIN_OWNER_DIED;
    if (m->number % 2 == 0 && s->items == ITEMS_MOST) {
        rv = kin_condition_wait(s->changed, 0.001);
        told |= rv == KIN_OWNER_DIED;
        rv = rv == KIN_ETIMEDOUT ? 0 : rv;
    }
    while (m->number % 2 != 0 && s->items == 0 && rv >= 0) {
        rv = told ? kin_condition_notify_all(s->changed) : 0;
        rv = rv < 0 ? rv : kin_condition_wait(s->changed, KIN_FOREVER);
        told = rv == KIN_OWNER_DIED;
    }
    if (told) { /* of what somebody did with the account while we were waiting */
        long sum = 0;
        for (int i = 0; i < PROCESSES; i++) {
            sum += s->by_condition.parts[i];
        }
        s->by_condition.total = sum;
    }
    s->items += m->number % 2 != 0 ? -1 : s->items < ITEMS_MOST;
    if (rv < 0 || s->items < 0 || s->items > ITEMS_MOST) {
        return complain(s, "the condition", rv, s->items);
    }
    rv = kin_condition_notify_all(s->changed);
    return (rv >= 0 && kin_condition_release(s->changed) == 0) ||
           complain(s, "notify", rv, s->items);
}

static bool use_barrier(struct member *m)
{
    int rv = kin_barrier_wait(m->s->barrier, 0.002);
    if (rv >= PARTIES) {
        return complain(m->s, "the barrier's number", rv, 0);
    }
    if (rv >= 0) {
        m->s->went[rv]++;
        return true;
    }
    if (rv != KIN_EBROKEN && rv != KIN_ETIMEDOUT) {
        return complain(m->s, "the barrier", rv, 0);
    }
    return kin_barrier_reset(m->s->barrier) == 0;
}

static int take_part(void *ctx)
{
    struct member *m = ctx;
    int end = m->number % 2 != 0 ? 1 : 2;
    while (m->s->over < end) {
        if (!use_lock(m) || !use_rlock(m) || !use_signals(m) || !use_permits(m) ||
            !use_condition(m) || !use_barrier(m)) {
            return complain(m->s, "a turn", m->number, 0) ? 0 : 1;
        }
        m->s->turns[m->number]++;
    }
    return 0;
}

static long count_turns(struct storm *s)
{
    long sum = 0;
    for (int i = 0; i < PROCESSES; i++) {
        sum += s->turns[i];
    }
    return sum;
}

static struct storm *new_storm(void)
{
    struct storm *s = test_shared(sizeof *s);
    CHECK_OK(kin_lock_new(&s->lock, NULL));
    CHECK_OK(kin_rlock_new(&s->rlock, NULL));
    CHECK_OK(kin_semaphore_new(&s->signals, 0, NULL));
    CHECK_OK(kin_semaphore_new(&s->permits, PERMITS, &(kin_semaphore_options){ .owned = true }));
    CHECK_OK(kin_condition_new(&s->changed, NULL));
    CHECK_OK(kin_barrier_new(&s->barrier, PARTIES, NULL));
    return s;
}

static void end_storm(struct storm *s)
{
    kin_lock_free(s->lock);
    kin_rlock_free(s->rlock);
    kin_semaphore_free(s->signals);
    kin_semaphore_free(s->permits);
    kin_condition_free(s->changed);
    kin_barrier_free(s->barrier);
}

/* All get through one more time, without anybody being killed. */
static void wind_down(struct storm *s, const pid_t pids[PROCESSES])
{
    for (s->over = 1; s->over <= 2; s->over++) {
        for (int i = 0; i < PROCESSES; i++) {
            if ((i % 2 != 0) == (s->over == 1)) {
                int status = test_join(pids[i]);
                CHECK_(status == 0, "process %d ended with %d: %s", i, status, s->what);
            }
        }
    }
}

static double seconds(void)
{
    const char *text = getenv("KIN_STORM_SECONDS");
    return text != NULL ? atof(text) : 3;
}

TEST_WITHIN(1100, the_living_go_on_while_others_are_killed)
{
    struct storm *s = new_storm();
    struct member members[PROCESSES];
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        members[i] = (struct member){ s, i };
        pids[i] = test_child(take_part, &members[i]);
    }
    long kills = 0;
    double until = kin_now() + seconds();
    for (; kin_now() < until || s->deaths_told == 0; kills++) {
        CHECK_OK(kin_sleep(0.001 + (double)(test_random() % 4000) / 1e6));
        uint64_t doomed = test_random() % PROCESSES;
        kill(pids[doomed], SIGKILL);
        int status = test_join(pids[doomed]);
        CHECK_(status == -SIGKILL, "a process ended with %d: %s", status, s->what);
        pids[doomed] = test_child(take_part, &members[doomed]);
        if (kills % 64 == 0) {
            long before = count_turns(s);
            WAIT_UNTIL(count_turns(s) > before);
        }
    }
    wind_down(s, pids);
    CHECK_(s->wrong == 0, "%s", s->what);
    printf("# %ld turns, %ld kills, %ld deaths told\n", count_turns(s), kills, s->deaths_told);
    CHECK_GT(s->deaths_told, 0);
    CHECK_EQ(kin_semaphore_value(s->permits), PERMITS);
    long left = kin_semaphore_value(s->signals), signals = s->released - s->taken;
    CHECK_LE(labs(left - signals), kills);
    for (int i = 1; i < PARTIES; i++) {
        CHECK_LE(labs(s->went[i] - s->went[0]), kills);
    }
    CHECK_GT(s->went[0], 0);
    end_storm(s);
}

/* ---- who wants it gets it ----------------------------------------------------------------- */

enum { SHARE = 300 };

/* Eight who take it over and over, and nobody dies. A starved one would run into the time limit. */
struct contest {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_semaphore *semaphore;
    int kind;
    _Atomic int next, over;
    _Atomic long turns[PROCESSES];
    double longest[PROCESSES]; /* wait of each */
};

static int acquire_kind(struct contest *c)
{
    return c->kind == 0   ? kin_lock_acquire(c->lock, KIN_FOREVER)
           : c->kind == 1 ? kin_rlock_acquire(c->rlock, KIN_FOREVER)
                          : kin_semaphore_acquire(c->semaphore, KIN_FOREVER);
}

static int release_kind(struct contest *c)
{
    return c->kind == 0   ? kin_lock_release(c->lock)
           : c->kind == 1 ? kin_rlock_release(c->rlock)
                          : kin_semaphore_release(c->semaphore);
}

static int contend(void *ctx)
{
    struct contest *c = ctx;
    int me = c->next++;
    while (!c->over) {
        double begin = kin_now();
        if (acquire_kind(c) != 0) {
            return 1;
        }
        double waited = kin_now() - begin;
        c->longest[me] = waited > c->longest[me] ? waited : c->longest[me];
        c->turns[me]++;
        for (int i = 0; i < 200; i++) {
            kin__os_pause();
        }
        if (release_kind(c) != 0) {
            return 2;
        }
    }
    return 0;
}

static bool all_had_a_share(struct contest *c)
{
    int n = 0;
    for (int i = 0; i < PROCESSES; i++) {
        n += c->turns[i] >= SHARE;
    }
    return n == PROCESSES;
}

static void hold_contest(struct contest *c, const char *name)
{
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        pids[i] = test_child(contend, c);
    }
    WAIT_UNTIL(all_had_a_share(c));
    c->over = 1;
    long fewest = LONG_MAX, most = 0;
    double longest = 0;
    for (int i = 0; i < PROCESSES; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
        fewest = c->turns[i] < fewest ? c->turns[i] : fewest;
        most = c->turns[i] > most ? c->turns[i] : most;
        longest = c->longest[i] > longest ? c->longest[i] : longest;
    }
    printf("# %s: the longest wait of 8 was %.1f ms; from %ld to %ld turns each\n", name,
           longest * 1e3, fewest, most);
}

TEST_WITHIN(300, each_of_eight_contenders_gets_a_share)
{
    static const char *const names[] = { "lock", "rlock", "semaphore" };
    for (int kind = 0; kind < 3; kind++) {
        struct contest *c = test_shared(sizeof *c);
        c->kind = kind;
        CHECK_OK(kin_lock_new(&c->lock, NULL));
        CHECK_OK(kin_rlock_new(&c->rlock, NULL));
        CHECK_OK(kin_semaphore_new(&c->semaphore, 1, NULL));
        hold_contest(c, names[kind]);
        kin_lock_free(c->lock);
        kin_rlock_free(c->rlock);
        kin_semaphore_free(c->semaphore);
    }
}
