#include "domain/room.h"
#include "harness.h"
#include <kin/sync.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    kin_event *event;
    kin_event *other;
    kin_lock *lock;
    _Atomic int code;
    _Atomic unsigned sleeps;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    w->code = 1;
    CHECK_OK(kin_event_new(&w->event, NULL));
    return w;
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_event_wait(w->event, KIN_FOREVER);
    return 0;
}

static pid_t start_waiter(struct world *w)
{
    pid_t pid = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

TEST(an_event_is_clear_then_set_then_clear)
{
    struct world *w = new_world();
    CHECK(!kin_event_is_set(w->event));
    CHECK_ERROR(kin_event_wait(w->event, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_event_wait(w->event, -1), KIN_ETIMEDOUT);
    CHECK_EQ(kin_event_set(w->event), 0);
    CHECK_EQ(kin_event_set(w->event), 0);
    CHECK(kin_event_is_set(w->event));
    CHECK_EQ(kin_event_wait(w->event, 0), 0);
    CHECK_EQ(kin_event_wait(w->event, KIN_FOREVER), 0);
    CHECK(kin_event_is_set(w->event));
    CHECK_EQ(kin_event_clear(w->event), 0);
    CHECK_EQ(kin_event_clear(w->event), 0);
    CHECK(!kin_event_is_set(w->event));
    CHECK_ERROR(kin_event_wait(w->event, 0), KIN_ETIMEDOUT);
    kin_event_free(w->event);
}

TEST(a_timeout_is_waited_for)
{
    struct world *w = new_world();
    double begin = kin_now();
    CHECK_ERROR(kin_event_wait(w->event, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    kin_event_free(w->event);
}

TEST(all_who_sleep_wake)
{
    struct world *w = new_world();
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = start_waiter(w);
    }
    CHECK_OK(kin_event_set(w->event));
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
        CHECK_EQ(w->code, 0);
    }
    kin_event_free(w->event);
}

TEST(who_waited_gets_through_though_it_is_cleared_at_once)
{
    struct world *w = new_world();
    pid_t waiter = start_waiter(w);
    kill(waiter, SIGSTOP);
    CHECK_OK(kin_event_set(w->event));
    CHECK_OK(kin_event_clear(w->event));
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, 0);
    CHECK(!kin_event_is_set(w->event));
    kin_event_free(w->event);
}

static int answer(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 2000; i++) {
        if (kin_event_wait(w->event, KIN_FOREVER) || kin_event_clear(w->event) ||
            kin_event_set(w->other)) {
            return 1;
        }
    }
    return 0;
}

TEST(two_processes_take_turns)
{
    struct world *w = new_world();
    CHECK_OK(kin_event_new(&w->other, NULL));
    pid_t pid = test_child(answer, w);
    for (int i = 0; i < 2000; i++) {
        CHECK_OK(kin_event_set(w->event));
        CHECK_OK(kin_event_wait(w->other, KIN_FOREVER));
        CHECK_OK(kin_event_clear(w->other));
    }
    CHECK_EQ(test_join(pid), 0);
    kin_event_free(w->event);
    kin_event_free(w->other);
}

static struct world *counted;

static void count_sleeps(const char *step)
{
    counted->sleeps += strcmp(step, "event.asleep") == 0;
}

static int wait_counting(void *ctx)
{
    counted = ctx;
    kin__step_hook(count_sleeps);
    return wait_for_it(ctx);
}

TEST(who_waits_for_an_event_does_not_tick)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    pid_t waiter = test_child(wait_counting, w);
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_ERROR(kin_lock_acquire(w->lock, 0.2), KIN_ETIMEDOUT); /* four naps long */
    CHECK_EQ(w->sleeps, 1);
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(waiter), 0);
    kin_event_free(w->event);
    kin_lock_free(w->lock);
}

static void on_signal(int number)
{
    (void)number;
}

static int wait_through_signals(void *ctx)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    return wait_for_it(ctx);
}

TEST(a_signal_handler_does_not_end_the_wait)
{
    struct world *w = new_world();
    pid_t waiter = test_child(wait_through_signals, w);
    for (int i = 0; i < 3; i++) {
        WAIT_UNTIL(test_is_asleep(waiter));
        kill(waiter, SIGUSR1);
    }
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_EQ(w->code, 1);
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, 0);
    kin_event_free(w->event);
}

TEST(a_sleeper_who_is_killed_takes_nothing_along)
{
    struct world *w = new_world();
    pid_t first = start_waiter(w);
    pid_t second = start_waiter(w);
    kill(first, SIGKILL);
    CHECK_EQ(test_join(first), -SIGKILL);
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(second), 0);
    CHECK_EQ(w->code, 0);
    kin_event_free(w->event);
}

/* ---- the end of an event -------------------------------------------------------------- */

TEST(sleepers_learn_that_it_was_freed)
{
    struct world *w = new_world();
    pid_t first = start_waiter(w);
    pid_t second = start_waiter(w);
    kin_event_free(w->event);
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(test_join(second), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
}

TEST(a_sleeper_does_not_wait_for_a_new_event_at_the_old_place)
{
    struct world *w = new_world();
    pid_t waiter = start_waiter(w);
    kill(waiter, SIGSTOP);
    kin_event *old = w->event;
    kin_event_free(old);
    kin_event *again = NULL;
    CHECK_OK(kin_event_new(&again, NULL));
    CHECK_PTR(again, old);
    CHECK(!kin_event_is_set(again));
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    kin_event_free(again);
}

TEST(an_event_can_lie_in_memory_of_the_users)
{
    struct world *w = new_world();
    kin_event_free(w->event);
    w->event = kin_alloc(sizeof *w->event);
    kin_event here;
    CHECK_ERROR(kin_event_init(&here, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_event_init(w->event, &(kin_event_options){ { 1 } }), KIN_EINVAL);
    CHECK_OK(kin_event_init(w->event, NULL));
    CHECK(!kin_event_is_set(w->event));
    pid_t waiter = start_waiter(w);
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, 0);
    CHECK_OK(kin_event_clear(w->event));
    waiter = start_waiter(w);
    kill(waiter, SIGSTOP);
    kin_event_done(w->event);
    CHECK_ERROR(kin_event_set(w->event), KIN_EFREED);
    CHECK_OK(kin_event_init(w->event, NULL)); /* while he still thinks of the old one */
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    kin_event_done(w->event);
    kin_event_done(NULL);
    kin_free(w->event);
}

static void stop_before_sleep(const char *step)
{
    if (strcmp(step, "event.asleep") == 0) {
        kin__step_hook(NULL);
        raise(SIGSTOP);
    }
}

static int wait_with_a_stop(void *ctx)
{
    kin__step_hook(stop_before_sleep);
    return wait_for_it(ctx);
}

TEST(who_is_late_for_the_old_event_does_not_sleep_at_the_new_one)
{
    struct world *late = new_world();
    struct world *w = test_shared(sizeof *w);
    pid_t pid = test_child(wait_with_a_stop, late);
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status));
    kin_event_free(late->event);
    CHECK_OK(kin_event_new(&w->event, NULL));
    CHECK_PTR(w->event, late->event);
    pid_t waiter = start_waiter(w); /* the new gate is closed, as the old one was */
    kill(pid, SIGCONT);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(late->code, KIN_ECLOSED);
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, 0);
    kin_event_free(w->event);
}

static char logged[256];

static void keep_line(int level, const char *text, void *ctx)
{
    (void)ctx;
    if (level >= KIN_LOG_ERROR) {
        snprintf(logged, sizeof logged, "%s", text);
    }
}

TEST(a_freed_event_is_refused)
{
    struct world *w = new_world();
    kin_event_free(w->event);
    CHECK_ERROR(kin_event_wait(w->event, 0), KIN_EFREED);
    CHECK_ERROR(kin_event_set(w->event), KIN_EFREED);
    CHECK_ERROR(kin_event_clear(w->event), KIN_EFREED);
    CHECK(!kin_event_is_set(w->event));
    kin_log_set_handler(keep_line, NULL);
    kin_event_free(w->event);
    CHECK_CONTAINS(logged, "freed");
    kin_log_set_handler(NULL, NULL);
}

/* ---- bad input ------------------------------------------------------------------------ */

TEST(what_is_no_event_is_refused)
{
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    int here = 0;
    void *wrong[] = { NULL, lock, (char *)lock + 8, &here, (void *)16 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kin_event *event = wrong[i];
        CHECK_ERROR(kin_event_wait(event, 0), KIN_EINVAL);
        CHECK_ERROR(kin_event_set(event), KIN_EINVAL);
        CHECK_ERROR(kin_event_clear(event), KIN_EINVAL);
        CHECK(!kin_event_is_set(event));
    }
    kin_event_free(NULL);
    kin_lock_free(lock);
}

TEST(wrong_arguments_change_nothing)
{
    kin_event *event = NULL;
    CHECK_ERROR(kin_event_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_event_new(&event, &(kin_event_options){ { 1 } }), KIN_EINVAL);
    CHECK_NULL(event);
    CHECK_OK(kin_event_new(&event, &(kin_event_options){ { 0 } }));
    CHECK_ERROR(kin_event_wait(event, NAN), KIN_EINVAL);
    CHECK_OK(kin_event_set(event));
    CHECK_ERROR(kin_event_wait(event, NAN), KIN_EINVAL);
    kin_event_free(event);
}
