#include "harness.h"
#include "sync/room.h"
#include <kin/condition.h>
#include <kin/queue.h>

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_event *event;
    _Atomic int stage;
};

/* What kin_dump prints; to be freed. */
static char *dumped(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    CHECK_OK(kin_dump(stream));
    fclose(stream);
    return text;
}

static void check_has(const char *format, ...) KIN_PRINTF(1, 2);
static void check_has(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    char *text = dumped();
    CHECK_CONTAINS(text, line);
    free(text);
}

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    CHECK_OK(kin_rlock_new(&w->rlock, NULL));
    CHECK_OK(kin_event_new(&w->event, NULL));
    return w;
}

static void end_world(struct world *w)
{
    kin_lock_free(w->lock);
    kin_rlock_free(w->rlock);
    kin_event_free(w->event);
}

static int hold_and_wait(void *ctx)
{
    struct world *w = ctx;
    kin__set_name("Process-7");
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    w->stage = 1;
    return kin_event_wait(w->event, KIN_FOREVER) == 0 ? kin_lock_release(w->lock) : 1;
}

static int wait_for_the_lock(void *ctx)
{
    struct world *w = ctx;
    kin__set_name("Process-8");
    return kin_lock_acquire(w->lock, KIN_FOREVER) == 0 ? kin_lock_release(w->lock) : 1;
}

static void *p(const void *at)
{
    return (void *)(uintptr_t)at;
}

TEST(it_tells_who_holds_what)
{
    struct world *w = new_world();
    check_has("lock %p: free\n", p(w->lock));
    check_has("rlock %p: free\n", p(w->rlock));
    check_has("event %p: not set\n", p(w->event));
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_EQ(kin_rlock_acquire(w->rlock, 0), 0);
    CHECK_EQ(kin_rlock_acquire(w->rlock, 0), 0);
    CHECK_OK(kin_event_set(w->event));
    check_has("lock %p: held by process %d (MainProcess)\n", p(w->lock), getpid());
    check_has("rlock %p: held by process %d (MainProcess), 2 deep\n", p(w->rlock), getpid());
    check_has("event %p: set\n", p(w->event));
    char *text = dumped();
    CHECK_NULL(strstr(text, "waits"));
    free(text);
    end_world(w);
}

TEST(it_tells_who_waits_for_what_and_nothing_once_it_is_over)
{
    struct world *w = new_world();
    pid_t first = test_child(hold_and_wait, w);
    WAIT_UNTIL(w->stage == 1);
    WAIT_UNTIL(test_is_asleep(first));
    pid_t second = test_child(wait_for_the_lock, w);
    WAIT_UNTIL(test_is_asleep(second));
    check_has("lock %p: held by process %d (Process-7)\n", p(w->lock), first);
    check_has("process %d (Process-7) waits for event %p since ", first, p(w->event));
    check_has("process %d (Process-8) waits for lock %p since ", second, p(w->lock));
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(test_join(second), 0);
    CHECK_ERROR(kin_event_clear(w->event) < 0 ? 0 : kin_event_wait(w->event, 0.001), KIN_ETIMEDOUT);
    char *text = dumped();
    CHECK_NULL(strstr(text, "waits"));
    free(text);
    end_world(w);
}

struct more {
    kin_semaphore *owned, *plain;
    kin_barrier *barrier;
    kin_condition *condition;
    kin_queue *queue;
    _Atomic int stage;
};

static int hold_two_and_wait(void *ctx)
{
    struct more *m = ctx;
    kin__set_name("Process-9");
    CHECK_OK(kin_semaphore_acquire(m->owned, 0));
    CHECK_OK(kin_semaphore_acquire(m->owned, 0));
    m->stage = 1;
    char byte;
    CHECK_EQ(kin_queue_get_bytes(m->queue, &byte, 1, KIN_FOREVER), 1);
    return kin_barrier_wait(m->barrier, KIN_FOREVER) < 0;
}

TEST(it_tells_who_has_permits_and_who_sleeps_in_a_queue)
{
    struct more *m = test_shared(sizeof *m);
    CHECK_OK(kin_semaphore_new(&m->owned, 4, KIN_OPT(kin_semaphore_options, .owned = true)));
    CHECK_OK(kin_semaphore_new(&m->plain, 7, NULL));
    CHECK_OK(kin_barrier_new(&m->barrier, 2, NULL));
    CHECK_OK(kin_condition_new(&m->condition, NULL));
    CHECK_OK(kin_queue_new(&m->queue, KIN_OPT(kin_queue_options, .maxsize = 10)));
    CHECK_OK(kin_semaphore_acquire(m->owned, 0));
    pid_t pid = test_child(hold_two_and_wait, m);
    WAIT_UNTIL(m->stage == 1 && test_is_asleep(pid));
    check_has(
        "semaphore %p: 1 left, process %d (MainProcess) has 1, process %d (Process-9) has 2\n",
        p(m->owned), getpid(), pid);
    check_has("semaphore %p: 7 left\n", p(m->plain));
    check_has("queue %p: 0 of 10\n", p(m->queue));
    check_has("condition %p: free\n", p(m->condition));
    CHECK_OK(kin_condition_acquire(m->condition, 0));
    check_has("condition %p: held by process %d (MainProcess), 1 deep\n", p(m->condition),
              getpid());
    CHECK_OK(kin_condition_release(m->condition));
    check_has("process %d (Process-9) waits for queue %p since ", pid, p(m->queue));
    CHECK_OK(kin_queue_put_bytes(m->queue, "x", 1, 0));
    WAIT_UNTIL(kin_barrier_n_waiting(m->barrier) == 1 && test_is_asleep(pid));
    check_has("barrier %p: 1 of 2 wait\n", p(m->barrier));
    check_has("process %d (Process-9) waits for barrier %p since ", pid, p(m->barrier));
    CHECK_OK(kin_barrier_wait(m->barrier, KIN_FOREVER));
    CHECK_EQ(test_join(pid), 0);
    CHECK_OK(kin_queue_put_bytes(m->queue, "x", 1, 0));
    CHECK_OK(kin_queue_close(m->queue));
    check_has("queue %p: 1 of 10, closed\n", p(m->queue));
    kin_semaphore_free(m->owned);
    kin_semaphore_free(m->plain);
    kin_barrier_free(m->barrier);
    kin_condition_free(m->condition);
    kin_queue_free(m->queue);
    char *text = dumped();
    CHECK_STR(text, "");
    free(text);
}

TEST(a_lock_that_a_condition_names_is_told_of_once)
{
    struct world *w = new_world();
    kin_condition *c = NULL;
    CHECK_OK(kin_condition_new(&c, KIN_OPT(kin_condition_options, .lock = w->lock)));
    check_has("condition %p\n", p(c));
    kin_condition_free(c);
    end_world(w);
}

TEST(it_tells_of_the_dead_who_hold_something_and_not_of_those_who_slept)
{
    struct world *w = new_world();
    pid_t pid = test_child(hold_and_wait, w);
    WAIT_UNTIL(w->stage == 1);
    WAIT_UNTIL(test_is_asleep(pid));
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    check_has("lock %p: held by process %d (Process-7), which died\n", p(w->lock), pid);
    char *text = dumped();
    CHECK_NULL(strstr(text, "waits"));
    free(text);
    end_world(w);
}

TEST(what_lies_in_a_struct_is_told_of_when_somebody_sleeps_for_it)
{
    struct world *w = new_world();
    kin_lock_free(w->lock);
    w->lock = kin_alloc(sizeof *w->lock);
    CHECK_OK(kin_lock_init(w->lock, NULL));
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    pid_t pid = test_child(wait_for_the_lock, w);
    WAIT_UNTIL(test_is_asleep(pid));
    check_has("waits for lock %p since ", p(w->lock));
    check_has(": held by process %d (MainProcess)\n", getpid());
    kin_lock_done(w->lock);
    CHECK_EQ(test_join(pid), 1);
    kin_free(w->lock);
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    end_world(w);
}

TEST(it_says_what_is_wrong_with_the_stream)
{
    CHECK_ERROR(kin_dump(NULL), KIN_EINVAL);
    struct world *w = new_world();
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) {
        end_world(w);
        SKIP("no /dev/full here");
    }
    setvbuf(full, NULL, _IONBF, 0);
    CHECK_ERROR(kin_dump(full), KIN_EOS);
    fclose(full);
    end_world(w);
}

static int change_everything(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        kin_lock *lock = NULL;
        kin_rlock *rlock = NULL;
        kin_event *event = NULL;
        kin_semaphore *owned = NULL;
        kin_queue *queue = NULL;
        if (kin_lock_new(&lock, NULL) || kin_rlock_new(&rlock, NULL) ||
            kin_event_new(&event, NULL) || kin_queue_new(&queue, NULL) ||
            kin_semaphore_new(&owned, 3, KIN_OPT(kin_semaphore_options, .owned = true))) {
            return 1;
        }
        (void)kin_lock_acquire(lock, 0);
        (void)kin_rlock_acquire(rlock, 0);
        (void)kin_event_wait(event, 0.00002);
        (void)kin_semaphore_acquire(owned, 0);
        (void)kin_queue_put_bytes(queue, "x", 1, 0);
        (void)kin_lock_acquire(w->lock, 0.001);
        (void)kin_lock_release(w->lock);
        kin_lock_free(lock);
        kin_rlock_free(rlock);
        kin_event_free(event);
        kin_semaphore_free(owned);
        kin_queue_free(queue);
        w->stage = 1;
    }
}

TEST(everything_may_change_and_processes_die_while_it_prints)
{
    struct world *w = new_world();
    for (int i = 0; i < 20; i++) {
        w->stage = 0;
        pid_t pids[2] = { test_child(change_everything, w), test_child(change_everything, w) };
        WAIT_UNTIL(w->stage == 1);
        for (int k = 0; k < 10; k++) {
            free(dumped());
        }
        for (int k = 0; k < 2; k++) {
            kill(pids[k], SIGKILL);
            free(dumped());
            CHECK_EQ(test_join(pids[k]), -SIGKILL);
        }
        free(dumped());
    }
    end_world(w);
}
