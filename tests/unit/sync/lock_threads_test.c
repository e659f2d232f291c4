/* What one process shows of locks, rlocks and events: TSan sees no other. */
#include "harness.h"
#include "sync/room.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 3000 };

struct world {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_event *ping;
    kin_event *pong;
    long count; /* plain: the lock must do */
    int ball;   /* plain: the events must do */
};

static void run(void *(*body)(void *), struct world *w, int n)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < n; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, body, w), 0);
    }
    for (int i = 0; i < n; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
}

static void *count_up(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        if (kin_lock_acquire(w->lock, KIN_FOREVER) != 0) {
            return w;
        }
        w->count++;
        if (kin_lock_release(w->lock) != 0) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_exclude_each_other)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_lock_new(&w.lock, NULL));
    run(count_up, &w, THREADS);
    CHECK_EQ(w.count, THREADS * ROUNDS);
    kin_lock_free(w.lock);
}

static void *count_up_deep(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        for (int deep = 0; deep < 3; deep++) {
            if (kin_rlock_acquire(w->rlock, KIN_FOREVER) != 0) {
                return w;
            }
            w->count++;
        }
        for (int deep = 3; deep > 0; deep--) {
            if (kin_rlock_depth(w->rlock) != (unsigned)deep || kin_rlock_release(w->rlock) != 0) {
                return w;
            }
        }
        if (kin_rlock_depth(w->rlock) != 0) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_exclude_each_other_however_deep)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_rlock_new(&w.rlock, NULL));
    run(count_up_deep, &w, THREADS);
    CHECK_EQ(w.count, THREADS * ROUNDS * 3);
    CHECK(!kin_rlock_locked(w.rlock));
    kin_rlock_free(w.rlock);
}

static void *drop_and_retake(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned depth = 0;
        int rv = kin_rlock_acquire(w->rlock, KIN_FOREVER);
        rv = rv < 0 ? rv : kin_rlock_acquire(w->rlock, KIN_FOREVER);
        rv = rv < 0 ? rv : kin__rlock_drop(w->rlock, &depth);
        rv = rv < 0 ? rv : kin__rlock_retake(w->rlock, depth, KIN__NEVER);
        w->count++;
        rv = rv < 0 ? rv : kin_rlock_release(w->rlock);
        if (rv < 0 || depth != 2 || kin_rlock_release(w->rlock) != 0) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_exclude_each_other_when_they_drop_it_meanwhile)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_rlock_new(&w.rlock, NULL));
    run(drop_and_retake, &w, THREADS);
    CHECK_EQ(w.count, THREADS * ROUNDS);
    kin_rlock_free(w.rlock);
}

static void *dump_it(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 100; i++) {
        FILE *nowhere = fopen("/dev/null", "w");
        int rv = kin_dump(nowhere);
        fclose(nowhere);
        kin__set_name(i % 2 ? "one" : "another");
        if (rv != 0) {
            return w;
        }
    }
    return NULL;
}

TEST(threads_may_dump_while_others_fight)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_lock_new(&w.lock, NULL));
    pthread_t dumper;
    CHECK_EQ(pthread_create(&dumper, NULL, dump_it, &w), 0);
    run(count_up, &w, THREADS);
    void *result;
    CHECK_EQ(pthread_join(dumper, &result), 0);
    CHECK_NULL(result);
    CHECK_EQ(w.count, THREADS * ROUNDS);
    kin_lock_free(w.lock);
}

static void *time_out(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_acquire(w->lock, 0.06) == KIN_ETIMEDOUT ? NULL : w;
}

TEST(a_lock_held_by_another_thread_is_not_taken_for_a_dead_ones)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_lock_new(&w.lock, NULL));
    CHECK_OK(kin_lock_acquire(w.lock, 0));
    run(time_out, &w, 2);
    CHECK_OK(kin_lock_release(w.lock));
    kin_lock_free(w.lock);
}

static void *hold_and_end(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_acquire(w->lock, 0) == 0 ? NULL : w;
}

TEST(a_thread_that_ends_leaves_the_lock_to_its_process)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_lock_new(&w.lock, NULL));
    run(hold_and_end, &w, 1);
    CHECK_ERROR(kin_lock_acquire(w.lock, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_lock_release(w.lock));
    kin_lock_free(w.lock);
}

static void *answer(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        if (kin_event_wait(w->ping, KIN_FOREVER) || kin_event_clear(w->ping)) {
            return w;
        }
        w->ball++;
        if (kin_event_set(w->pong)) {
            return w;
        }
    }
    return NULL;
}

TEST(an_event_hands_over_what_was_written_before_it)
{
    struct world w = { .ball = 0 };
    CHECK_OK(kin_event_new(&w.ping, NULL));
    CHECK_OK(kin_event_new(&w.pong, NULL));
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, answer, &w), 0);
    for (int i = 0; i < ROUNDS; i++) {
        w.ball++;
        CHECK_OK(kin_event_set(w.ping));
        CHECK_OK(kin_event_wait(w.pong, KIN_FOREVER));
        CHECK_OK(kin_event_clear(w.pong));
    }
    void *result;
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK_NULL(result);
    CHECK_EQ(w.ball, 2 * ROUNDS);
    kin_event_free(w.ping);
    kin_event_free(w.pong);
}

static void *set_and_clear(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        if (kin_event_set(w->ping) || kin_event_clear(w->ping)) {
            return w;
        }
    }
    return kin_event_set(w->pong) ? w : NULL;
}

static void *pass_gates(void *ctx)
{
    struct world *w = ctx;
    while (!kin_event_is_set(w->pong)) {
        int rv = kin_event_wait(w->ping, 0.001);
        if (rv != 0 && rv != KIN_ETIMEDOUT) {
            return w;
        }
    }
    return NULL;
}

TEST(events_are_set_and_cleared_and_waited_for_by_all_at_once)
{
    struct world w = { .ball = 0 };
    CHECK_OK(kin_event_new(&w.ping, NULL));
    CHECK_OK(kin_event_new(&w.pong, NULL));
    pthread_t setters[2];
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&setters[i], NULL, set_and_clear, &w), 0);
    }
    run(pass_gates, &w, 2);
    for (int i = 0; i < 2; i++) {
        void *result;
        CHECK_EQ(pthread_join(setters[i], &result), 0);
        CHECK_NULL(result);
    }
    kin_event_free(w.ping);
    kin_event_free(w.pong);
}
