/* The word of a lock: who has waited for long gets it. */
#include "harness.h"
#include "sync/room.h"

#include <signal.h>
#include <sys/wait.h>

#define HUNGRY KIN__MUTEX_HUNGRY
#define SLEEPERS KIN__MUTEX_SLEEPERS

struct world {
    kin_lock *lock;
    _Atomic int stage, code;
};

static kin__mutex *mutex_of(const struct world *w)
{
    return (kin__mutex *)(void *)w->lock;
}

static uint64_t word_of(const struct world *w)
{
    return atomic_load(&mutex_of(w)->word);
}

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    return w;
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    w->stage = 1;
    return w->code < 0 ? 1 : kin_lock_release(w->lock);
}

/* Somebody who pleads for the lock, which is free but for that; and he is stopped. */
static pid_t start_pleader(struct world *w)
{
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    pid_t pid = test_child(wait_for_it, w);
    WAIT_UNTIL(word_of(w) & HUNGRY);
    WAIT_UNTIL(test_is_asleep(pid));
    kill(pid, SIGSTOP);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK(!kin_lock_locked(w->lock));
    return pid;
}

TEST(what_is_pleaded_for_is_not_taken_in_passing)
{
    struct world *w = new_world();
    pid_t pid = start_pleader(w);
    CHECK(!kin__mutex_take_free(mutex_of(w), kin__mutex_word(kin__self(), 0)));
    CHECK_EQ(kin__mutex_holder(word_of(w)), KIN__NOBODY);
    kill(pid, SIGCONT);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code, 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    kin_lock_free(w->lock);
}

TEST(who_does_not_wait_takes_it_all_the_same)
{
    struct world *w = new_world();
    pid_t pid = start_pleader(w);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    kill(pid, SIGCONT);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code, 0);
    kin_lock_free(w->lock);
}

TEST(who_pleads_and_dies_or_sleeps_on_does_not_keep_it_from_others)
{
    struct world *w = new_world();
    pid_t pid = start_pleader(w);
    CHECK_EQ(kin_lock_acquire(w->lock, KIN_FOREVER), 0);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    pid = start_pleader(w);
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
    CHECK_EQ(kin_lock_acquire(w->lock, KIN_FOREVER), 0);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    kin_lock_free(w->lock);
}

TEST(a_wait_that_ends_while_somebody_pleads_takes_it)
{
    struct world *w = new_world();
    pid_t pid = start_pleader(w);
    CHECK_EQ(kin_lock_acquire(w->lock, 0.0005), 0); /* less than a nap */
    CHECK_EQ(kin_lock_release(w->lock), 0);
    kill(pid, SIGCONT);
    CHECK_EQ(test_join(pid), 0);
    kin_lock_free(w->lock);
}

TEST(who_hands_over_a_lock_keeps_the_plea)
{
    struct world *w = new_world();
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    pid_t pid = test_child(wait_for_it, w);
    WAIT_UNTIL(word_of(w) & HUNGRY);
    CHECK_OK(kin_lock_hand_over(w->lock, pid));
    CHECK(word_of(w) & HUNGRY);
    CHECK_EQ(kin_lock_release(w->lock), 0); /* for him */
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code, 0);
    kin_lock_free(w->lock);
}

static int take_and_give_until_told(void *ctx)
{
    struct world *w = ctx;
    int rv = 0;
    while (rv == 0 && w->stage == 0) {
        rv = kin_lock_acquire(w->lock, KIN_FOREVER);
        for (int i = 0; i < 20000 && w->stage == 0; i++) {
            kin__os_pause();
        }
        rv = rv < 0 ? rv : kin_lock_release(w->lock);
    }
    return rv == 0 ? 0 : 1;
}

TEST(two_who_take_it_over_and_over_both_have_turns)
{
    struct world *w = new_world();
    pid_t greedy = test_child(take_and_give_until_told, w);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kin_lock_acquire(w->lock, KIN_FOREVER), 0);
        CHECK_EQ(kin_lock_release(w->lock), 0);
    }
    w->stage = 1;
    CHECK_EQ(test_join(greedy), 0);
    kin_lock_free(w->lock);
}

/* One who sleeps on the word alone, and does not look at it again. */
static int sleep_on_the_word(void *ctx)
{
    struct world *w = ctx;
    _Atomic uint32_t *halves = (_Atomic uint32_t *)(void *)&mutex_of(w)->word;
    int which = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    (void)kin__os_wait(halves + which, (uint32_t)word_of(w), KIN__NEVER);
    return 0;
}

TEST(a_release_wakes_all_when_somebody_pleads)
{
    struct world *w = new_world();
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    atomic_fetch_or(&mutex_of(w)->word, SLEEPERS | HUNGRY);
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = test_child(sleep_on_the_word, w);
        WAIT_UNTIL(test_is_asleep(pids[i]));
    }
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(test_join(pids[0]), 0);
    CHECK_EQ(test_join(pids[1]), 0);
    kin_lock_free(w->lock);
}

/* ---- giving up, and other locks ---------------------------------------------------------- */

enum { PATIENCE = 300 }; /* ms */

static int wait_a_while(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_acquire(w->lock, PATIENCE / 1e3) == KIN_ETIMEDOUT ? 0 : 1;
}

/* As somebody faster does, who takes the lock after a release has woken one: says no more that
 * others sleep. False when the sleeper may have given up before. */
static bool clear_beneath(struct world *w, pid_t pid, double begin)
{
    WAIT_UNTIL(test_is_asleep(pid));
    siginfo_t info;
    kill(pid, SIGSTOP);
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT), 0);
    atomic_fetch_and(&mutex_of(w)->word, ~SLEEPERS);
    bool in_time = kin_now() < begin + PATIENCE / 1e3;
    double over = kin_now() + PATIENCE / 1e3;
    WAIT_UNTIL(kin_now() > over);
    kill(pid, SIGCONT);
    return in_time;
}

TEST(who_gives_up_after_a_sleep_says_that_others_may_sleep)
{
    struct world *w = new_world();
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    for (bool in_time = false; !in_time;) {
        double begin = kin_now();
        pid_t pid = test_child(wait_a_while, w);
        in_time = clear_beneath(w, pid, begin);
        CHECK_EQ(test_join(pid), 0);
        CHECK(!in_time || word_of(w) & SLEEPERS);
    }
    kin_lock_free(w->lock);
}

static kin_lock *replaced;

static void make_another_one(const char *step)
{
    if (strcmp(step, "lock.taking") == 0) {
        kin__step_hook(NULL);
        kin_lock_done(replaced);
        CHECK_OK(kin_lock_init(replaced, NULL));
    }
}

TEST(a_lock_that_became_another_one_at_the_last_moment_is_given_back)
{
    struct world w = { .lock = kin_alloc(sizeof *w.lock) };
    CHECK_OK(kin_lock_init(w.lock, NULL));
    replaced = w.lock;
    kin__step_hook(make_another_one);
    uint64_t mine = kin__mutex_word(kin__self(), 0);
    CHECK_ERROR(kin__mutex_wait(mutex_of(&w), KIN__LOCK, mine, KIN__NEVER, "the lock"),
                KIN_ECLOSED);
    CHECK_EQ(kin__mutex_holder(word_of(&w)), KIN__NOBODY);
    CHECK_EQ(kin_lock_acquire(w.lock, 0), 0);
    kin_lock_done(w.lock);
    kin_free(w.lock);
}

/* ---- for conditions -------------------------------------------------------------------------- */

TEST(who_holds_a_lock_may_drop_it_and_take_it_again)
{
    struct world *w = new_world();
    CHECK_ERROR(kin__lock_drop(w->lock), KIN_ESTATE);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_EQ(kin__lock_drop(w->lock), 0);
    CHECK(!kin_lock_locked(w->lock));
    CHECK_EQ(kin__lock_retake(w->lock, KIN__NEVER), 0);
    CHECK_ERROR(kin__lock_retake(w->lock, 0), KIN_ETIMEDOUT);
    kin_lock_free(w->lock);
    CHECK_ERROR(kin__lock_drop(w->lock), KIN_EFREED);
    CHECK_ERROR(kin__lock_retake(w->lock, 0), KIN_EFREED);
}

static int drop_anothers(void *ctx)
{
    struct world *w = ctx;
    return kin__lock_drop(w->lock) == KIN_ESTATE ? 0 : 1;
}

TEST(what_another_process_holds_is_not_dropped)
{
    struct world *w = new_world();
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_EQ(test_join(test_child(drop_anothers, w)), 0);
    CHECK(kin_lock_locked(w->lock));
    kin_lock_free(w->lock);
}
