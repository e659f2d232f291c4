#include "harness.h"
#include "sync/room.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <unistd.h>

/* What is waited for is a number of things, as simple as can be. */
struct world {
    kin__turnstile turnstile;
    _Atomic int things;
    _Atomic int taken;
    _Atomic int looks;
    _Atomic int stays;
};

static bool take(struct world *w)
{
    int seen = w->things;
    w->looks++;
    while (seen > 0) {
        if (atomic_compare_exchange_weak(&w->things, &seen, seen - 1)) {
            w->taken++;
            return true;
        }
    }
    return false;
}

static int pass(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        uint32_t seen = kin__turnstile_watch(&w->turnstile);
        if (take(w)) {
            WAIT_UNTIL(!w->stays);
            kin__turnstile_leave(&w->turnstile, w->things == 0);
            return kin__os_insured == NULL ? 0 : 2;
        }
        if (seen == 0 || kin__turnstile_sleep(&w->turnstile, seen, KIN__NEVER, false) < 0) {
            return 1;
        }
    }
}

static pid_t start(struct world *w)
{
    pid_t pid = test_child(pass, w);
    WAIT_UNTIL(test_is_asleep(pid) && w->turnstile.word == KIN__SLEEPERS);
    return pid;
}

/* Sleeps while another answers. */
static pid_t start_behind(struct world *w)
{
    pid_t pid = test_child(pass, w);
    WAIT_UNTIL(w->looks > 0 && test_is_asleep(pid));
    return pid;
}

static void give(struct world *w, int n)
{
    kin__turnstile_hold(&w->turnstile);
    w->things += n;
    kin__turnstile_release(&w->turnstile);
}

TEST(giving_where_nobody_sleeps_changes_nothing)
{
    struct world *w = test_shared(sizeof *w);
    give(w, 1);
    CHECK_EQ(w->turnstile.word, 0);
    CHECK_PTR(kin__os_insured, NULL);
}

TEST(each_thing_wakes_one)
{
    struct world *w = test_shared(sizeof *w);
    pid_t pids[] = { start(w), start(w), start(w) };
    for (int i = 0; i < 3; i++) {
        w->looks = 0;
        give(w, 1);
        CHECK_EQ(test_join(pids[i]), 0);
        CHECK_EQ(w->looks, 1);
        CHECK_EQ(w->turnstile.word, KIN__SLEEPERS);
    }
    CHECK_PTR(kin__os_insured, NULL);
}

TEST(who_leaves_something_wakes_the_next)
{
    struct world *w = test_shared(sizeof *w);
    pid_t pids[] = { start(w), start(w), start(w) };
    w->looks = 0;
    give(w, 2);
    CHECK_EQ(test_join(pids[0]), 0);
    CHECK_EQ(test_join(pids[1]), 0);
    CHECK_EQ(w->looks, 2);
    CHECK(test_is_asleep(pids[2]));
    give(w, 1);
    CHECK_EQ(test_join(pids[2]), 0);
}

TEST(opening_for_all_wakes_all)
{
    struct world *w = test_shared(sizeof *w);
    pid_t pids[] = { start(w), start(w), start(w) };
    w->things = 3;
    kin__turnstile_open(&w->turnstile, INT_MAX);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
}

TEST(when_who_was_woken_dies_the_next_is_woken)
{
    struct world *w = test_shared(sizeof *w);
    w->stays = 1;
    pid_t first = start(w);
    pid_t second = start(w);
    give(w, 1);
    WAIT_UNTIL(w->taken == 1);
    w->looks = 0;
    kill(first, SIGKILL);
    CHECK_EQ(test_join(first), -SIGKILL);
    WAIT_UNTIL(w->looks == 1 && test_is_asleep(second));
    w->stays = 0;
    give(w, 1);
    CHECK_EQ(test_join(second), 0);
}

TEST(who_comes_where_nothing_was_writes_nothing)
{
    struct world *w = test_shared(sizeof *w);
    pid_t sleeper = start(w);
    CHECK_EQ(kin__turnstile_watch(&w->turnstile), KIN__SLEEPERS);
    CHECK_EQ(w->turnstile.word, KIN__SLEEPERS);
    kin__turnstile_leave(&w->turnstile, false);
    CHECK(test_is_asleep(sleeper));
    give(w, 1);
    CHECK_EQ(test_join(sleeper), 0);
}

/* R2: he looked before the other one, who has died since. */
TEST(who_looked_too_early_does_not_sleep)
{
    struct world *w = test_shared(sizeof *w);
    uint32_t seen = kin__turnstile_watch(&w->turnstile);
    CHECK_EQ(seen, KIN__SLEEPERS | (uint32_t)getpid());
    w->turnstile.word = KIN__SLEEPERS | FUTEX_OWNER_DIED;
    CHECK_EQ(kin__turnstile_sleep(&w->turnstile, seen, KIN__NEVER, false), 0);
    CHECK_EQ(kin__turnstile_sleep(&w->turnstile, seen, KIN__NEVER, true), 0);
    w->turnstile.word = KIN__SLEEPERS | 1u;
    seen = kin__turnstile_watch(&w->turnstile);
    CHECK_EQ(seen, KIN__SLEEPERS | 1u);
    w->turnstile.word = 0;
    CHECK_EQ(kin__turnstile_sleep(&w->turnstile, seen, KIN__NEVER, false), 0);
    kin__turnstile_leave(&w->turnstile, true);
    CHECK_EQ(w->turnstile.word, 0);
}

struct family {
    struct world world; /* first */
    kin__id elder;
    _Atomic kin__id victim;
    _Atomic int asked;
};

static int live(void *ctx)
{
    struct family *f = ctx;
    f->victim = kin__self();
    while (pause() != 0) { /* until it is killed */
    }
    return 0;
}

static int ask_and_wait(void *ctx)
{
    struct family *f = ctx;
    (void)kin__self();
    if (kin__turnstile_watch(&f->world.turnstile) == 0 || !kin__alive(f->elder)) {
        return 1;
    }
    f->asked = 1;
    for (;;) {
        pause();
    }
}

TEST(who_asks_after_the_living_is_insured_as_before)
{
    struct family *f = test_shared(sizeof *f);
    f->elder = kin__self();
    pid_t asker = test_child(ask_and_wait, f);
    WAIT_UNTIL(f->asked);
    pid_t sleeper = start_behind(&f->world);
    CHECK_EQ(f->world.turnstile.word, KIN__SLEEPERS | (uint32_t)asker);
    f->world.things = 1;
    kill(asker, SIGKILL);
    CHECK_EQ(test_join(asker), -SIGKILL);
    CHECK_EQ(test_join(sleeper), 0);
}

TEST(who_finds_somebody_dead_wakes_one_in_his_place)
{
    struct family *f = test_shared(sizeof *f);
    (void)kin__self();
    pid_t victim = test_child(live, f);
    WAIT_UNTIL(f->victim != KIN__NOBODY);
    CHECK_NE(kin__turnstile_watch(&f->world.turnstile), 0);
    pid_t sleeper = start_behind(&f->world);
    kill(victim, SIGKILL);
    CHECK_EQ(test_join(victim), -SIGKILL);
    f->world.things = 1;
    CHECK(!kin__alive(f->victim));
    CHECK_PTR(kin__os_insured, NULL);
    CHECK_EQ(test_join(sleeper), 0);
}

TEST(who_gives_takes_over_from_who_looks)
{
    struct world *w = test_shared(sizeof *w);
    w->turnstile.word = KIN__SLEEPERS | 1u;
    kin__turnstile_hold(&w->turnstile);
    CHECK_EQ(w->turnstile.word, KIN__SLEEPERS | (uint32_t)getpid());
    kin__turnstile_release(&w->turnstile);
    CHECK_EQ(w->turnstile.word, 0);
    CHECK_PTR(kin__os_insured, NULL);
}

TEST(who_is_insured_elsewhere_wakes_one_before_he_gives_and_one_after)
{
    struct world *w = test_shared(sizeof *w);
    kin__turnstile other = { .word = 0 };
    (void)kin__turnstile_watch(&other);
    pid_t sleeper = start(w);
    w->looks = 0;
    kin__turnstile_hold(&w->turnstile);
    WAIT_UNTIL(w->looks == 1 && w->turnstile.word == KIN__SLEEPERS && test_is_asleep(sleeper));
    w->things++;
    kin__turnstile_release(&w->turnstile);
    CHECK_EQ(test_join(sleeper), 0);
    CHECK(kin__turnstile_is_watched(&other));
    kin__turnstile_leave(&other, true);
    CHECK_EQ(other.word, KIN__SLEEPERS);
}

TEST(a_sleep_at_a_turnstile_ends_at_its_deadline_and_a_nap_before)
{
    struct world *w = test_shared(sizeof *w);
    int64_t deadline = kin__os_now() + 5000000;
    uint32_t seen = kin__turnstile_watch(&w->turnstile);
    CHECK_EQ(kin__turnstile_sleep(&w->turnstile, seen, deadline, false), KIN_ETIMEDOUT);
    CHECK_GE(kin__os_now(), deadline);
    kin__turnstile_open(&w->turnstile, 1);
    seen = kin__turnstile_watch(&w->turnstile);
    CHECK_EQ(kin__turnstile_sleep(&w->turnstile, seen, KIN__NEVER, true), 0);
    kin__turnstile_leave(&w->turnstile, false);
    CHECK_EQ(w->turnstile.word, 0);
}
