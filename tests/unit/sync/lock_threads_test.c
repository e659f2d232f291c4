/* What one process shows of locks and events: TSan sees no other. */
#include "harness.h"
#include <kin/sync.h>
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 3000 };

struct world {
    kin_lock *lock;
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
