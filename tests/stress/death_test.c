/* The rows of death: how often nobody got on, of how many trials, and how long it took at the most.
 * KIN_TRIALS says how many (default 30); the figures are printed. */
#include "domain/room.h"
#include "harness.h"
#include "pool/room.h"

#include <kin/process.h>
#include <kin/sync.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int trials(void)
{
    const char *text = getenv("KIN_TRIALS");
    return text != NULL ? atoi(text) : 30;
}

/* The longest of many times; printed, not asserted. */
struct longest {
    const char *what;
    double seconds;
    int trials;
};

static void note(struct longest *l, double since)
{
    double took = kin_now() - since;
    l->seconds = took > l->seconds ? took : l->seconds;
    l->trials++;
}

static void tell(const struct longest *l)
{
    printf("# %s: %d trials, no hang, at most %.1f ms\n", l->what, l->trials, l->seconds * 1e3);
}

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

/* How a worker ends in the middle of a task: by SIGKILL, by a fault, or by leaving. */
static kin_obj end_somehow(kin_obj args)
{
    switch (kin_arg_int(args, 0) % 3) {
    case 0:
        kill(getpid(), SIGKILL);
        break;
    case 1:
        kill(getpid(), SIGSEGV);
        break;
    default:
        _exit(3);
    }
    for (;;) {
        kin__os_yield();
    }
    return kin_none();
}

TEST_WITHIN(600, a_worker_dies_in_a_task)
{
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    struct longest l = { .what = "a worker dies in a task: its future fails" };
    for (int i = 0; i < trials(); i++) {
        kin_future *doomed, *others[10];
        kin_obj o;
        for (int k = 0; k < 5; k++) {
            CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(k)), NULL, &others[k]));
        }
        double begun = kin_now();
        CHECK_OK(kin_pool_submit(pool, end_somehow, kin_args(kin_int(i)), NULL, &doomed));
        for (int k = 5; k < 10; k++) {
            CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(k)), NULL, &others[k]));
        }
        CHECK_ERROR(kin_future_get(doomed, &o, 10), KIN_ECRASHED);
        note(&l, begun);
        for (int k = 0; k < 10; k++) {
            CHECK_OK(kin_future_get(others[k], &o, 10));
            CHECK_EQ(kin_as_int(o), k * k);
            kin_future_free(others[k]);
        }
        kin_future_free(doomed);
    }
    tell(&l);
    kin_pool_free(pool);
}

TEST_WITHIN(600, an_idle_worker_dies_before_a_map)
{
    struct longest l = { .what = "an idle worker is killed, then map" };
    for (unsigned places = 1; places <= 4; places *= 2) {
        kin_pool *pool;
        CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = places)));
        for (int i = 0; i < trials() / 3 + 1; i++) {
            pid_t pid; /* 0 of who is just being replaced, and that would be all of us */
            WAIT_UNTIL((pid = kin__pid_of(atomic_load(&pool->workers[(unsigned)i % places].id))) >
                       0);
            kill(pid, SIGKILL);
            double begun = kin_now();
            kin_obj results;
            CHECK_OK(kin_pool_map(pool, square, kin_range(0, 20),
                                  KIN_OPT(kin_map_options, .timeout = 10), &results));
            note(&l, begun);
            CHECK_EQ(kin_len(results), 20);
            kin_release(results);
        }
        kin_pool_free(pool);
    }
    tell(&l);
}

/* ---- locks and queues ------------------------------------------------------------------------ */

struct scene {
    kin_lock *lock;
    kin_queue *queue;
    _Atomic int there;
};

static int hold_the_lock(void *ctx)
{
    struct scene *s = ctx;
    kin_lock_acquire(s->lock, KIN_FOREVER);
    s->there = 1;
    for (;;) {
        kin__os_yield();
    }
    return 0;
}

TEST_WITHIN(600, a_process_dies_that_holds_a_lock)
{
    struct scene *s = test_shared(sizeof *s);
    CHECK_OK(kin_lock_new(&s->lock, NULL));
    struct longest l = { .what = "SIGKILL holding a lock: the next owner" };
    for (int i = 0; i < trials(); i++) {
        s->there = 0;
        pid_t pid = test_child(hold_the_lock, s);
        WAIT_UNTIL(s->there);
        double begun = kin_now();
        kill(pid, i % 2 ? SIGKILL : SIGTERM);
        CHECK_EQ(kin_lock_acquire(s->lock, 10), KIN_OWNER_DIED);
        note(&l, begun);
        CHECK_OK(kin_lock_release(s->lock));
        CHECK_LT(test_join(pid), 0);
    }
    tell(&l);
    kin_lock_free(s->lock);
}

static int wait_for_a_message(void *ctx)
{
    struct scene *s = ctx;
    kin_obj o;
    s->there = 1;
    return kin_queue_get(s->queue, &o, KIN_FOREVER);
}

TEST_WITHIN(600, a_process_dies_that_waits_in_get)
{
    struct scene *s = test_shared(sizeof *s);
    CHECK_OK(kin_queue_new(&s->queue, NULL));
    struct longest l = { .what = "killed while blocked in get: the next message" };
    for (int i = 0; i < trials(); i++) {
        s->there = 0;
        pid_t pid = test_child(wait_for_a_message, s);
        WAIT_UNTIL(s->there);
        WAIT_UNTIL(i % 2 || test_is_asleep(pid)); /* asleep, or just about to be */
        kill(pid, SIGKILL);
        CHECK_EQ(test_join(pid), -SIGKILL);
        double begun = kin_now();
        kin_obj o;
        CHECK_OK(kin_queue_put(s->queue, kin_int(i), 10));
        CHECK_OK(kin_queue_get(s->queue, &o, 10));
        note(&l, begun);
        CHECK_EQ(kin_as_int(o), i);
    }
    tell(&l);
    kin_queue_free(s->queue);
}

static char large[10 << 20];

static int put_a_large_message(void *ctx)
{
    struct scene *s = ctx;
    s->there = 1;
    return kin_queue_put_bytes(s->queue, large, sizeof large, KIN_FOREVER);
}

TEST_WITHIN(900, a_process_dies_with_a_large_put_in_flight)
{
    struct scene *s = test_shared(sizeof *s);
    CHECK_OK(kin_queue_new(&s->queue, NULL));
    struct longest l = { .what = "killed with a 10 MB put in flight: the queue goes on" };
    for (int i = 0; i < trials(); i++) {
        s->there = 0;
        pid_t pid = test_child(put_a_large_message, s);
        WAIT_UNTIL(s->there);
        kin__os_sleep_until(kin__os_now() + (int64_t)(test_random() % 6000000));
        kill(pid, SIGKILL);
        test_join(pid);
        double begun = kin_now();
        ssize_t size = kin_queue_get_bytes(s->queue, large, sizeof large, 0);
        CHECK(size == KIN_EEMPTY || size == sizeof large);
        CHECK_OK(kin_queue_put_bytes(s->queue, "x", 1, 10));
        CHECK_EQ(kin_queue_get_bytes(s->queue, large, sizeof large, 10), 1);
        note(&l, begun);
    }
    tell(&l);
    kin_queue_free(s->queue);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

/* ---- fork beside a busy thread --------------------------------------------------------------- */

static void *keep_busy(void *ctx)
{
    struct scene *s = ctx;
    while (!s->there) {
        kin_obj o;
        kin_free(kin_alloc(100));
        CHECK_OK(
            kin_queue_put(s->queue, kin_str("a message that needs a block of its own ..."), 1));
        CHECK_OK(kin_queue_get(s->queue, &o, 1));
        kin_release(o);
        CHECK_GE(kin_lock_acquire(s->lock, 1), 0);
        CHECK_OK(kin_lock_release(s->lock));
    }
    return NULL;
}

static int use_everything(void *ctx)
{
    struct scene *s = ctx;
    kin_obj o;
    kin_queue *own;
    kin_free(kin_alloc(100));
    int rv = kin_lock_acquire(s->lock, 10);
    rv = rv < 0 ? rv : kin_lock_release(s->lock);
    rv = rv < 0 ? rv : kin_queue_new(&own, NULL);
    rv = rv < 0 ? rv
                : kin_queue_put(own, kin_str("a message that needs a block of its own ..."), 10);
    rv = rv < 0 ? rv : kin_queue_get(own, &o, 10);
    if (rv == 0) {
        kin_queue_free(own);
    }
    return rv < 0;
}

TEST_WITHIN(600, a_fork_while_another_thread_is_in_the_library)
{
    struct scene *s = test_shared(sizeof *s);
    CHECK_OK(kin_lock_new(&s->lock, NULL));
    CHECK_OK(kin_queue_new(&s->queue, NULL));
    kin_log_set_level(KIN_LOG_OFF); /* it warns of the threads */
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, keep_busy, s), 0);
    struct longest l = { .what = "fork beside a thread in the library: the child" };
    for (int i = 0; i < trials(); i++) {
        double begun = kin_now();
        CHECK_EQ(test_join(test_child(use_everything, s)), 0);
        note(&l, begun);
    }
    s->there = 1;
    pthread_join(thread, NULL);
    tell(&l);
    kin_queue_free(s->queue);
    kin_lock_free(s->lock);
}

/* ---- the parent is killed -------------------------------------------------------------------- */

static int make_a_pool_and_die(void *ctx)
{
    struct scene *s = ctx;
    kin_pool *pool;
    kin_future *future;
    if (kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 3)) < 0 ||
        kin_pool_submit(pool, end_somehow, kin_args(kin_int(0)), NULL, &future) < 0) {
        return 1;
    }
    s->there = 1;
    kill(getpid(), SIGKILL);
    return 0;
}

TEST_WITHIN(600, the_parent_of_a_pool_dies)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    struct longest l = { .what = "the parent is killed: its workers are gone" };
    for (int i = 0; i < trials(); i++) {
        CHECK_EQ(test_join(test_child(make_a_pool_and_die, s)), -SIGKILL);
        double begun = kin_now();
        WAIT_UNTIL(kin__count_alive() == 1);
        note(&l, begun);
    }
    tell(&l);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}
