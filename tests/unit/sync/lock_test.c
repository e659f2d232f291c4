#include "domain/room.h"
#include "harness.h"
#include <kin/sync.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the test and its children share. */
struct world {
    kin_lock *lock;
    _Atomic int stage;
    _Atomic int code;
    long count;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    return w;
}

static int hold_for_ever(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    w->stage = 1;
    while (pause() < 0) {
    }
    return 0;
}

/* A child that holds the lock. */
static pid_t start_holder(struct world *w)
{
    pid_t pid = test_child(hold_for_ever, w);
    WAIT_UNTIL(w->stage == 1);
    w->stage = 0;
    return pid;
}

static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    w->stage = 2;
    return w->code < 0 ? 0 : kin_lock_release(w->lock);
}

/* A child that sleeps for the lock. */
static pid_t start_waiter(struct world *w)
{
    pid_t pid = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

/* ---- taking turns --------------------------------------------------------------------- */

TEST(a_lock_is_free_then_held_then_free)
{
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK(!kin_lock_locked(lock));
    CHECK_EQ(kin_lock_acquire(lock, KIN_FOREVER), 0);
    CHECK(kin_lock_locked(lock));
    CHECK_EQ(kin_lock_release(lock), 0);
    CHECK(!kin_lock_locked(lock));
    kin_lock_free(lock);
}

TEST(a_held_lock_is_not_to_be_had)
{
    struct world *w = new_world();
    pid_t holder = start_holder(w);
    CHECK_ERROR(kin_lock_acquire(w->lock, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_lock_acquire(w->lock, -1), KIN_ETIMEDOUT);
    char text[32];
    snprintf(text, sizeof text, "process %d", (int)holder);
    CHECK_CONTAINS(kin_errmsg(), text);
    CHECK(kin_lock_locked(w->lock));
    kill_child(holder);
    kin_lock_free(w->lock);
}

TEST(a_timeout_is_waited_for)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    double begin = kin_now();
    CHECK_ERROR(kin_lock_acquire(w->lock, 0.12), KIN_ETIMEDOUT); /* two naps and a bit */
    CHECK(kin_now() - begin >= 0.12);
    CHECK_OK(kin_lock_release(w->lock));
    kin_lock_free(w->lock);
}

TEST(who_holds_it_and_asks_again_waits_for_himself)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    CHECK_ERROR(kin_lock_acquire(w->lock, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_lock_release(w->lock));
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    kin_lock_free(w->lock);
}

static int release_it(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_release(w->lock) == 0 ? 0 : 1;
}

TEST(any_relative_may_release_it)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    CHECK_EQ(test_join(test_child(release_it, w)), 0);
    CHECK(!kin_lock_locked(w->lock));
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    kin_lock_free(w->lock);
}

TEST(a_sleeper_gets_the_lock_when_it_is_released)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    pid_t waiter = start_waiter(w);
    CHECK_OK(kin_lock_release(w->lock));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, 0);
    kin_lock_free(w->lock);
}

static int count_up(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 20000; i++) {
        if (kin_lock_acquire(w->lock, KIN_FOREVER) != 0) {
            return 1;
        }
        w->count++;
        if (kin_lock_release(w->lock) != 0) {
            return 1;
        }
    }
    return 0;
}

TEST(what_five_processes_add_under_it_adds_up)
{
    struct world *w = new_world();
    pid_t pids[5];
    for (int i = 0; i < 5; i++) {
        pids[i] = test_child(count_up, w);
    }
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(w->count, 100000);
    kin_lock_free(w->lock);
}

static int make_one(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_new(&w->lock, NULL);
}

TEST(a_lock_outlives_its_maker)
{
    struct world *w = test_shared(sizeof *w);
    kin__self();
    CHECK_EQ(test_join(test_child(make_one, w)), 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_EQ(kin_lock_release(w->lock), 0);
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
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    pid_t waiter = test_child(wait_through_signals, w);
    for (int i = 0; i < 3; i++) {
        WAIT_UNTIL(test_is_asleep(waiter));
        kill(waiter, SIGUSR1);
    }
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_EQ(w->stage, 0);
    CHECK_OK(kin_lock_release(w->lock));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, 0);
    kin_lock_free(w->lock);
}

/* ---- death ---------------------------------------------------------------------------- */

TEST(the_lock_of_a_dead_holder_is_had_at_once_and_it_is_said)
{
    struct world *w = new_world();
    kill_child(start_holder(w));
    CHECK(!kin_lock_locked(w->lock));
    CHECK_EQ(kin_lock_acquire(w->lock, 0), KIN_OWNER_DIED);
    CHECK(kin_lock_locked(w->lock));
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0); /* it is said once */
    kin_lock_free(w->lock);
}

static int leave_with_it(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_acquire(w->lock, 0);
}

TEST(a_holder_who_simply_leaves_is_dead_too)
{
    struct world *w = new_world();
    CHECK_EQ(test_join(test_child(leave_with_it, w)), 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), KIN_OWNER_DIED);
    kin_lock_free(w->lock);
}

TEST(a_zombie_holds_nothing)
{
    struct world *w = new_world();
    pid_t holder = test_child(leave_with_it, w);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)holder, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), KIN_OWNER_DIED);
    CHECK_EQ(test_join(holder), 0);
    kin_lock_free(w->lock);
}

TEST(a_sleeper_learns_of_the_holders_death)
{
    struct world *w = new_world();
    pid_t holder = start_holder(w);
    pid_t waiter = start_waiter(w);
    kill_child(holder);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, KIN_OWNER_DIED);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    kin_lock_free(w->lock);
}

TEST(a_stopped_holder_is_not_dead)
{
    struct world *w = new_world();
    pid_t holder = start_holder(w);
    kill(holder, SIGSTOP);
    CHECK_ERROR(kin_lock_acquire(w->lock, 0.12), KIN_ETIMEDOUT);
    kill_child(holder);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), KIN_OWNER_DIED);
    kin_lock_free(w->lock);
}

TEST(a_sleeper_who_is_killed_takes_nothing_along)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    pid_t first = start_waiter(w);
    pid_t second = start_waiter(w);
    kill_child(first);
    CHECK_OK(kin_lock_release(w->lock));
    CHECK_EQ(test_join(second), 0);
    CHECK_EQ(w->code, 0);
    kin_lock_free(w->lock);
}

/* ---- the end of a lock ---------------------------------------------------------------- */

TEST(sleepers_learn_that_it_was_freed)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    pid_t first = start_waiter(w);
    pid_t second = start_waiter(w);
    kin_lock_free(w->lock);
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(test_join(second), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
}

TEST(a_sleeper_does_not_take_a_new_lock_at_the_old_place)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_acquire(w->lock, 0));
    pid_t waiter = start_waiter(w);
    kill(waiter, SIGSTOP);
    kin_lock *old = w->lock;
    kin_lock_free(old);
    kin_lock *again = NULL;
    CHECK_OK(kin_lock_new(&again, NULL));
    CHECK_PTR(again, old);
    kill(waiter, SIGCONT);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    CHECK(!kin_lock_locked(again));
    kin_lock_free(again);
}

static char logged[256];

static void keep_line(int level, const char *text, void *ctx)
{
    (void)ctx;
    if (level >= KIN_LOG_ERROR) {
        snprintf(logged, sizeof logged, "%s", text);
    }
}

TEST(a_freed_lock_is_refused)
{
    struct world *w = new_world();
    kin_lock_free(w->lock);
    CHECK_ERROR(kin_lock_acquire(w->lock, 0), KIN_EFREED);
    CHECK_ERROR(kin_lock_release(w->lock), KIN_EFREED);
    CHECK(!kin_lock_locked(w->lock));
    CHECK_CONTAINS(kin_errmsg(), "freed");
    kin_log_set_handler(keep_line, NULL);
    kin_lock_free(w->lock);
    CHECK_CONTAINS(logged, "freed");
    kin_log_set_handler(NULL, NULL);
}

/* ---- bad input ------------------------------------------------------------------------ */

TEST(what_is_no_lock_is_refused)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    void *raw = kin_alloc(64);
    int here = 0;
    void *wrong[] = { NULL, event, raw, (char *)event + 8, &here, (void *)16 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kin_lock *lock = wrong[i];
        CHECK_ERROR(kin_lock_acquire(lock, 0), KIN_EINVAL);
        CHECK_ERROR(kin_lock_release(lock), KIN_EINVAL);
        CHECK(!kin_lock_locked(lock));
    }
    kin_log_set_handler(keep_line, NULL);
    kin_lock_free(raw);
    CHECK_CONTAINS(logged, "kin_lock_free");
    kin_log_set_handler(NULL, NULL);
    kin_lock_free(NULL);
    kin_free(raw);
    kin_event_free(event);
}

TEST(wrong_arguments_change_nothing)
{
    kin_lock *lock = NULL;
    CHECK_ERROR(kin_lock_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_lock_new(&lock, &(kin_lock_options){ { 0, 0, 0, 1 } }), KIN_EINVAL);
    CHECK_NULL(lock);
    CHECK_OK(kin_lock_new(&lock, &(kin_lock_options){ { 0 } }));
    CHECK_ERROR(kin_lock_release(lock), KIN_ESTATE);
    CHECK_ERROR(kin_lock_acquire(lock, NAN), KIN_EINVAL);
    CHECK(!kin_lock_locked(lock));
    CHECK_OK(kin_lock_acquire(lock, 0));
    CHECK_ERROR(kin_lock_acquire(lock, NAN), KIN_EINVAL);
    CHECK_OK(kin_lock_release(lock));
    kin_lock_free(lock);
}

/* ---- blocks and scopes ---------------------------------------------------------------- */

enum way { THE_END, RETURN, BREAK, CONTINUE, GOTO };

static int leave_by(kin_lock *lock, enum way way)
{
    for (int i = 0; i < 2; i++) {
        KIN_WITH(lock) {
            CHECK(kin_lock_locked(lock));
            if (way == RETURN) {
                return i;
            }
            if (way == BREAK) {
                break;
            }
            if (way == CONTINUE) {
                continue;
            }
            if (way == GOTO) {
                goto out;
            }
        }
        else
        {
            return -1;
        }
        CHECK(!kin_lock_locked(lock));
    }
    return 2;
out:
    return 3;
}

TEST(a_block_releases_its_lock_on_every_way_out)
{
    static const int expected[] = { 2, 0, 2, 2, 3 };
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    for (enum way way = THE_END; way <= GOTO; way++) {
        CHECK_EQ(leave_by(lock, way), expected[way]);
        CHECK(!kin_lock_locked(lock));
    }
    kin_lock_free(lock);
    CHECK_EQ(leave_by(lock, THE_END), -1);
    CHECK_CONTAINS(kin_errmsg(), "freed");
}

TEST(blocks_nest)
{
    kin_lock *a = NULL;
    kin_lock *b = NULL;
    CHECK_OK(kin_lock_new(&a, NULL));
    CHECK_OK(kin_lock_new(&b, NULL));
    KIN_WITH(a)
        KIN_WITH(b) {
            CHECK(kin_lock_locked(a) && kin_lock_locked(b));
        }
    CHECK(!kin_lock_locked(a) && !kin_lock_locked(b));
    kin_lock_free(a);
    kin_lock_free(b);
}

static int hold_a_scope(kin_lock *lock)
{
    KIN_HOLD(lock);
    return kin_lock_locked(lock);
}

TEST(a_scope_holds_its_lock_to_the_end)
{
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK(hold_a_scope(lock));
    CHECK(!kin_lock_locked(lock));
    kin_lock_free(lock);
    kin_log_set_handler(keep_line, NULL);
    CHECK(!hold_a_scope(lock));
    CHECK_CONTAINS(logged, "without the lock");
    kin_log_set_handler(NULL, NULL);
}
