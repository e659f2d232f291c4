#include "harness.h"
#include "sync/room.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a clock and a yield of our own, so that a spin does not depend on the machine's load ---- */

#define TICK 400 /* ns between two questions for the time */
#define MS 1000000

static bool played;
static int64_t time_played = MS;
static int64_t yield_takes;
static unsigned yields;
static unsigned looks;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (!played) {
        return (int)syscall(SYS_clock_gettime, clock, ret);
    }
    time_played += TICK;
    ret->tv_sec = time_played / (1000 * MS);
    ret->tv_nsec = time_played % (1000 * MS);
    return 0;
}

int sched_yield(void)
{
    yields++;
    time_played += yield_takes;
    return (int)syscall(SYS_sched_yield);
}

static bool after(void *ctx)
{
    return ++looks >= *(unsigned *)ctx;
}

TEST(a_spin_ends_at_the_first_look_that_finds_it_ready)
{
    unsigned once = 1;
    CHECK(kin__spin(after, &once));
    CHECK_EQ(looks, 1);
    looks = 0;
    CHECK(kin__spin_near(after, &once));
    CHECK_EQ(looks, 1);
    looks = 0;
    CHECK(kin__spin_aside(after, &once));
    CHECK_EQ(looks, 1);
    looks = 0;
    kin__taken_from = &once;
    CHECK(kin__spin_to_take(&once, after, &once));
    CHECK_EQ(looks, 1);
}

TEST(a_spin_finds_what_becomes_ready)
{
    unsigned often = 20;
    while (!kin__spin(after, &often)) {
        CHECK_LT(looks, often);
    }
    CHECK_EQ(looks, often);
}

TEST(a_spin_for_nothing_ends)
{
    unsigned never = UINT32_MAX;
    CHECK(!kin__spin(after, &never));
    CHECK(!kin__spin_aside(after, &never));
    CHECK_GT(looks, 1);
}

static bool never(void *ctx)
{
    (void)ctx;
    looks++;
    return false;
}

/* In vain, by the clock that we play; what it took. */
static int64_t spin_in_vain(int64_t each_yield_takes)
{
    played = true;
    yield_takes = each_yield_takes;
    yields = looks = 0;
    int64_t begin = time_played;
    bool rv = kin__spin(never, NULL);
    played = false;
    CHECK(!rv);
    return time_played - begin;
}

#define SKIP_ON_ONE_PROCESSOR()                                                                    \
    do {                                                                                           \
        if (kin__os_processors() == 1) {                                                           \
            SKIP("this machine has one processor: nobody spins");                                  \
        }                                                                                          \
    } while (0)

TEST(a_spin_gives_way_between_its_looks_and_gives_up)
{
    SKIP_ON_ONE_PROCESSOR();
    spin_in_vain(0);
    CHECK_GT(yields, 1);
    CHECK_GT(looks, yields);
}

TEST(who_looks_rarely_looks_less_often_and_gives_way_as_well)
{
    SKIP_ON_ONE_PROCESSOR();
    spin_in_vain(0);
    unsigned often = looks;
    played = true;
    yields = looks = 0;
    kin__taken_from = &looks;
    bool rv = kin__spin_to_take(&looks, never, NULL);
    played = false;
    CHECK(!rv);
    CHECK_GT(yields, 1);
    CHECK_LT(looks, often);
}

TEST(what_others_compute_meanwhile_does_not_shorten_a_spin_by_much)
{
    SKIP_ON_ONE_PROCESSOR();
    spin_in_vain(0);
    unsigned alone = yields;
    spin_in_vain(2000);
    CHECK_EQ(yields, alone);
    int64_t took = spin_in_vain(50000);
    CHECK_GT(yields, 1);
    CHECK_LT(yields, alone);
    CHECK_LT(took, MS);
}

TEST(a_spin_ends_with_a_long_yield)
{
    SKIP_ON_ONE_PROCESSOR();
    spin_in_vain(5 * MS);
    CHECK_EQ(yields, 1);
}

TEST(who_is_shy_spins_once_without_yielding_and_then_sleeps_at_once)
{
    SKIP_ON_ONE_PROCESSOR();
    spin_in_vain(5 * MS);
    spin_in_vain(0); /* begins with the waits to skip */
    CHECK_EQ(yields, 0);
    CHECK_EQ(looks, 1);
    unsigned skipped = 1;
    for (spin_in_vain(0); looks == 1; spin_in_vain(0)) {
        skipped++;
    }
    CHECK_GT(skipped, 1);
    CHECK_EQ(yields, 0);
    spin_in_vain(0);
    CHECK_EQ(looks, 1);
}

/* A long yield; how many milliseconds later do we dare another one? */
static unsigned shyness(void)
{
    do {
        spin_in_vain(5 * MS);
    } while (yields == 0);
    for (unsigned ms = 0;; ms++) {
        do {
            spin_in_vain(0);
        } while (looks == 1); /* until it is no skipped one */
        if (yields > 0) {
            return ms;
        }
        time_played += MS;
    }
}

TEST(shyness_grows_with_each_long_yield_to_a_limit)
{
    SKIP_ON_ONE_PROCESSOR();
    unsigned before = shyness();
    unsigned now = shyness();
    CHECK_GT(now, before);
    while (now > before) {
        before = now;
        now = shyness();
    }
    CHECK_LT(now, 1000);
}

TEST(short_yields_make_us_bold_again)
{
    SKIP_ON_ONE_PROCESSOR();
    unsigned first = shyness();
    CHECK_GT(shyness(), first);
    unsigned most = shyness();
    for (int i = 0; i < 100; i++) {
        spin_in_vain(0);
    }
    CHECK_LT(shyness(), most);
}

static int spin_on_one_processor(void *ctx)
{
    (void)ctx;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    CHECK_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    spin_in_vain(0);
    return yields > 1 ? 1 : 0;
}

/* Its partner may be allowed another one. */
TEST(who_may_use_one_processor_of_several_spins_too)
{
    int rv = test_join(test_child(spin_on_one_processor, NULL));
    CHECK_EQ(rv, kin__os_processors() > 1 ? 1 : 0);
}

struct world {
    kin__gate gate;
    _Atomic uint32_t there;
};

static int pass(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        uint32_t ticket = kin__gate_ticket(&w->gate);
        if (w->there) {
            return 0;
        }
        if (kin__gate_sleep(&w->gate, ticket, KIN__NEVER, false) != 0) {
            return 1;
        }
    }
}

TEST(opening_wakes_all_sleepers)
{
    struct world *w = test_shared(sizeof *w);
    pid_t first = test_child(pass, w);
    pid_t second = test_child(pass, w);
    WAIT_UNTIL(test_is_asleep(first) && test_is_asleep(second));
    w->there = 1;
    kin__gate_open(&w->gate);
    CHECK_EQ(test_join(first), 0);
    CHECK_EQ(test_join(second), 0);
}

static int pass_once(void *ctx)
{
    struct world *w = ctx;
    uint32_t ticket = kin__gate_ticket(&w->gate);
    return kin__gate_sleep(&w->gate, ticket, KIN__NEVER, false);
}

TEST(waking_one_leaves_the_other_asleep_until_it_is_his_turn)
{
    struct world *w = test_shared(sizeof *w);
    pid_t pids[] = { test_child(pass_once, w), test_child(pass_once, w) };
    WAIT_UNTIL(test_is_asleep(pids[0]) && test_is_asleep(pids[1]));
    kin__gate_wake_one(&w->gate);
    int status;
    pid_t first = 0;
    WAIT_UNTIL((first = waitpid(-1, &status, WNOHANG)) != 0);
    CHECK_EQ(status, 0);
    pid_t other = first == pids[0] ? pids[1] : pids[0];
    CHECK(test_is_asleep(other));
    CHECK(w->gate.word & 1u); /* somebody sleeps here */
    kin__gate_wake_one(&w->gate);
    CHECK_EQ(test_join(other), 0);
}

TEST(waking_one_where_nobody_sleeps_says_so_and_voids_the_tickets)
{
    struct world *w = test_shared(sizeof *w);
    uint32_t ticket = kin__gate_ticket(&w->gate);
    kin__gate_wake_one(&w->gate);
    CHECK_EQ(w->gate.word & 1u, 0);
    CHECK_EQ(kin__gate_sleep(&w->gate, ticket, KIN__NEVER, false), 0);
}

TEST(a_ticket_from_before_an_opening_does_not_sleep)
{
    struct world *w = test_shared(sizeof *w);
    uint32_t ticket = kin__gate_ticket(&w->gate);
    kin__gate_open(&w->gate);
    CHECK_EQ(kin__gate_sleep(&w->gate, ticket, KIN__NEVER, false), 0);
}

TEST(a_ticket_for_the_gate_of_before_does_not_sleep)
{
    struct world *w = test_shared(sizeof *w);
    uint32_t ticket = kin__gate_ticket(&w->gate);
    kin__gate_renew(&w->gate);
    CHECK_NE(kin__gate_ticket(&w->gate), ticket);
    CHECK_EQ(kin__gate_sleep(&w->gate, ticket, KIN__NEVER, false), 0);
}

TEST(opening_a_gate_without_sleepers_changes_nothing)
{
    struct world *w = test_shared(sizeof *w);
    kin__gate_open(&w->gate);
    CHECK_EQ(w->gate.word, 0);
}

TEST(a_sleep_ends_at_its_deadline)
{
    struct world *w = test_shared(sizeof *w);
    int64_t deadline = kin__os_now() + 5000000;
    uint32_t ticket = kin__gate_ticket(&w->gate);
    CHECK_EQ(kin__gate_sleep(&w->gate, ticket, deadline, false), KIN_ETIMEDOUT);
    CHECK_GE(kin__os_now(), deadline);
    CHECK_EQ(kin__gate_sleep(&w->gate, ticket, deadline, true), KIN_ETIMEDOUT);
}

TEST(who_waits_for_somebody_naps)
{
    struct world *w = test_shared(sizeof *w);
    uint32_t ticket = kin__gate_ticket(&w->gate);
    int64_t begin = kin__os_now();
    CHECK_EQ(kin__gate_sleep(&w->gate, ticket, KIN__NEVER, true), 0);
    CHECK_GE(kin__os_now() - begin, KIN__NAP);
}
