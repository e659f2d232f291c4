#include "harness.h"
#include "sync/room.h"

static unsigned looks;

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
