/* The word of a lock: who has waited for long gets it. */
#include "harness.h"
#include "sync/room.h"

#include <signal.h>

#define HUNGRY (UINT64_C(1) << 28)

struct world {
    kin_lock *lock;
    _Atomic int stage, code;
};

static uint64_t word_of(const struct world *w)
{
    return atomic_load(&((kin__mutex *)(void *)w->lock)->word);
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
    kin__mutex *mutex = (kin__mutex *)(void *)w->lock;
    CHECK(!kin__mutex_take_free(mutex, kin__mutex_word(kin__self(), 0)));
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

TEST(who_takes_it_over_and_over_does_not_starve_the_other)
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
