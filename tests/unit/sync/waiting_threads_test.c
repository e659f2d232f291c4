/* What one process shows of semaphores, barriers and conditions: TSan sees no other. */
#include "harness.h"
#include <kin/condition.h>
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 1500 };

struct world {
    kin_semaphore *s;
    kin_barrier *b;
    kin_condition *c;
    long count;          /* plain: the primitive must do */
    long parts[THREADS]; /* the same: each writes his, all read all */
    int items;
    _Atomic int started;
};

static void run(void *(*body)(void *), struct world *w)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, body, w), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
}

/* ---- semaphores ------------------------------------------------------------------------- */

static void *count_up(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS; i++) {
        if (kin_semaphore_acquire(w->s, KIN_FOREVER) != 0) {
            return w;
        }
        w->count++;
        if (kin_semaphore_release(w->s) != 0) {
            return w;
        }
    }
    return NULL;
}

static void excludes(const kin_semaphore_options *options)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_semaphore_new(&w.s, 1, options));
    run(count_up, &w);
    CHECK_EQ(w.count, THREADS * ROUNDS);
    CHECK_EQ(kin_semaphore_value(w.s), 1);
    kin_semaphore_free(w.s);
}

TEST_WITHIN(120, a_semaphore_of_one_excludes_threads)
{
    excludes(NULL);
    excludes(&(kin_semaphore_options){ .bounded = true });
    excludes(&(kin_semaphore_options){ .owned = true });
}

/* ---- barriers --------------------------------------------------------------------------- */

static void add_up(void *ctx)
{
    (void)ctx;
}

static void *go_round(void *ctx)
{
    struct world *w = ctx;
    int me = w->started++;
    for (int i = 0; i < ROUNDS / 10; i++) {
        w->parts[me] = i;
        if (kin_barrier_wait(w->b, KIN_FOREVER) < 0) {
            return w;
        }
        for (int k = 0; k < THREADS; k++) {
            if (w->parts[k] != i) {
                return w;
            }
        }
        if (kin_barrier_wait(w->b, KIN_FOREVER) < 0) {
            return w;
        }
    }
    return NULL;
}

TEST_WITHIN(120, a_barrier_hands_over_what_was_written_before_it)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_barrier_new(&w.b, THREADS, NULL));
    run(go_round, &w);
    kin_barrier_free(w.b);
    kin_barrier_options options = { .action = add_up };
    CHECK_OK(kin_barrier_new(&w.b, THREADS, &options));
    w.started = 0;
    run(go_round, &w);
    kin_barrier_free(w.b);
}

static void *come_and_reset(void *ctx)
{
    struct world *w = ctx;
    int me = w->started++;
    for (int i = 0; i < ROUNDS / 3; i++) {
        int rv = me == 0 ? kin_barrier_reset(w->b) : kin_barrier_wait(w->b, 0.001);
        rv = rv == KIN_ETIMEDOUT ? kin_barrier_reset(w->b) : rv;
        if (rv < 0 && rv != KIN_EBROKEN) {
            return w;
        }
    }
    return NULL;
}

TEST_WITHIN(120, a_barrier_is_reset_and_broken_and_waited_at_by_all_at_once)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_barrier_new(&w.b, 2, NULL));
    run(come_and_reset, &w);
    kin_barrier_free(w.b);
}

/* ---- conditions ------------------------------------------------------------------------- */

/* Half of them make items, the others take them. */
static void *make_or_take(void *ctx)
{
    struct world *w = ctx;
    bool makes = w->started++ % 2 == 0;
    for (int i = 0; i < ROUNDS; i++) {
        if (kin_condition_acquire(w->c, KIN_FOREVER) != 0) {
            return w;
        }
        while (makes ? w->items > 3 : w->items == 0) {
            if (kin_condition_wait(w->c, KIN_FOREVER) != 0) {
                return w;
            }
        }
        w->items += makes ? 1 : -1;
        w->count++;
        if (kin_condition_notify_all(w->c) < 0 || kin_condition_release(w->c) != 0) {
            return w;
        }
    }
    return NULL;
}

TEST_WITHIN(120, conditions_let_threads_wait_for_each_other)
{
    struct world w = { .count = 0 };
    kin_lock *lock;
    CHECK_OK(kin_lock_new(&lock, NULL));
    for (int i = 0; i < 2; i++) {
        kin_condition_options options = { .lock = i == 0 ? NULL : lock };
        w = (struct world){ .count = 0 };
        CHECK_OK(kin_condition_new(&w.c, &options));
        run(make_or_take, &w);
        CHECK_EQ(w.items, 0);
        CHECK_EQ(w.count, THREADS * ROUNDS);
        kin_condition_free(w.c);
    }
    kin_lock_free(lock);
}

static void *wait_briefly(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < ROUNDS / 10; i++) {
        if (kin_condition_acquire(w->c, KIN_FOREVER) != 0) {
            return w;
        }
        int rv = kin_condition_wait(w->c, 0.0001);
        if ((rv != 0 && rv != KIN_ETIMEDOUT) || kin_condition_notify(w->c, 1) < 0 ||
            kin_condition_release(w->c) != 0) {
            return w;
        }
    }
    return NULL;
}

TEST_WITHIN(120, timeouts_and_notifications_may_meet)
{
    struct world w = { .count = 0 };
    CHECK_OK(kin_condition_new(&w.c, NULL));
    run(wait_briefly, &w);
    kin_condition_free(w.c);
}
