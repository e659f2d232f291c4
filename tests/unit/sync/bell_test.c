#include "domain/room.h"
#include "harness.h"
#include "sync/room.h"

#include <string.h>

enum { MANY = 5000 };

/* Gates in the family's memory: never zero, so that nobody sleeps at them by the way. */
static kin__gate *new_gates(size_t n)
{
    kin__gate *gates = kin_alloc(n * sizeof *gates);
    CHECK_NOT_NULL(gates);
    return gates;
}

static kin__bell hang(kin__gate *const *gates, size_t n)
{
    kin__bell bell = { .fd = -1 };
    CHECK_OK(kin__bell_hang(gates, n, &bell));
    return bell;
}

static bool has_rung(const kin__bell *bell)
{
    bool told = false;
    return kin__os_poll(&bell->fd, &told, 1, 0) == 1 && told;
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

TEST(opening_rings_who_hangs_for_that_gate_and_has_a_ticket)
{
    kin__gate *gates = new_gates(3);
    kin__bell bell = hang((kin__gate *[]){ &gates[0], &gates[2], &gates[0] }, 3);
    kin__gate_open(&gates[0]);
    CHECK(!has_rung(&bell));
    for (int i = 0; i < 3; i++) {
        (void)kin__gate_ticket(&gates[i]);
    }
    kin__gate_open(&gates[1]);
    CHECK(!has_rung(&bell));
    kin__gate_open(&gates[2]);
    CHECK(has_rung(&bell));
    kin__bell_drop(&bell);
    kin_free(gates);
}

static kin__gate *opened;
static kin__bell late;

/* Between the ring and the opening: who hangs his bell here looks, and finds nothing any more. */
static void come_late(const char *step)
{
    if (strcmp(step, "gate.rung") == 0) {
        late = hang(&opened, 1);
        (void)kin__gate_ticket(opened);
    }
}

TEST(who_hangs_his_bell_while_the_gate_is_being_opened_is_rung)
{
    opened = new_gates(1);
    kin__bell early = hang(&opened, 1);
    (void)kin__gate_ticket(opened);
    kin__step_hook(come_late);
    kin__gate_open(opened);
    kin__step_hook(NULL);
    CHECK(has_rung(&early));
    CHECK(has_rung(&late)); /* or the next one would not ring for him: his ticket is gone */
    kin__bell_drop(&early);
    kin__bell_drop(&late);
    kin_free(opened);
}

TEST(a_bell_is_rung_once_until_it_is_hushed)
{
    kin__gate *gates = new_gates(2);
    kin__bell bell = hang((kin__gate *[]){ &gates[0], &gates[1] }, 2);
    (void)kin__gate_ticket(&gates[0]);
    (void)kin__gate_ticket(&gates[1]);
    kin__gate_open(&gates[0]);
    kin__os_hush(bell.fd); /* and no new round */
    kin__gate_open(&gates[1]);
    CHECK(!has_rung(&bell));
    for (int round = 0; round < 3; round++) {
        kin__bell_hush(&bell);
        CHECK(!has_rung(&bell));
        (void)kin__gate_ticket(&gates[1]);
        kin__gate_open(&gates[1]);
        CHECK(has_rung(&bell));
    }
    kin__bell_drop(&bell);
    kin_free(gates);
}

TEST(all_bells_of_a_gate_are_rung)
{
    kin__gate *gate = new_gates(1);
    kin__bell bells[50];
    for (int i = 0; i < 50; i++) {
        bells[i] = hang(&gate, 1);
    }
    kin__bell_drop(&bells[7]); /* a gap */
    (void)kin__gate_ticket(gate);
    kin__gate_open(gate);
    for (int i = 0; i < 50; i++) {
        if (i != 7) {
            CHECK(has_rung(&bells[i]));
            kin__bell_drop(&bells[i]);
        }
    }
    kin_free(gate);
}

TEST(a_bell_hangs_for_thousands_of_gates)
{
    kin__gate *gates = new_gates(MANY + 1);
    kin__gate *at[MANY];
    for (int i = 0; i < MANY; i++) {
        at[i] = &gates[i];
    }
    kin__bell bell = hang(at, MANY);
    (void)kin__gate_ticket(&gates[MANY]);
    kin__gate_open(&gates[MANY]);
    CHECK(!has_rung(&bell));
    for (int i = 0; i < MANY; i++) {
        (void)kin__gate_ticket(&gates[i]);
        kin__gate_open(&gates[i]);
        CHECK(has_rung(&bell));
        kin__bell_hush(&bell);
    }
    kin__bell_drop(&bell);
    kin_free(gates);
}

TEST(a_dropped_bell_leaves_nothing)
{
    kin__gate *gates = new_gates(1);
    uint64_t blocks = count_blocks();
    for (int i = 0; i < 100; i++) {
        kin__bell bell = hang(&gates, 1);
        CHECK_EQ(bell.cell, 0);
        kin__bell_drop(&bell);
    }
    CHECK_EQ(count_blocks(), blocks);
    kin_free(gates);
}

/* Whoever was killed with a bell has left his cell, and the next one takes it. */
static int hang_one_and_die(void *ctx)
{
    kin__gate *gate = ctx;
    (void)hang(&gate, 1);
    return 0;
}

TEST(the_cell_of_a_dead_sleeper_is_used_again)
{
    kin__gate *gate = new_gates(1);
    uint64_t blocks = count_blocks();
    for (int i = 0; i < 3; i++) {
        pid_t pid = test_child(hang_one_and_die, gate);
        CHECK_EQ(test_join(pid), 0);
        (void)kin__gate_ticket(gate);
        kin__gate_open(gate); /* rings nobody, and complains of nothing */
        kin__ended(pid);
    }
    CHECK_EQ(count_blocks(), blocks);
    kin__bell bell = hang(&gate, 1);
    CHECK_EQ(bell.cell, 0);
    (void)kin__gate_ticket(gate);
    kin__gate_open(gate);
    CHECK(has_rung(&bell));
    kin__bell_drop(&bell);
    kin_free(gate);
}

TEST(when_all_cells_are_taken_it_says_so)
{
    kin__gate *gate = new_gates(1);
    kin__bell bell = hang(&gate, 1);
    kin__bells *bells = kin__domain_bells();
    for (int i = 1; i < KIN__BELLS; i++) {
        bells->cells[i].bell = bell.self;
    }
    uint64_t blocks = count_blocks();
    kin__bell other = { .fd = -1 };
    CHECK_ERROR(kin__bell_hang(&gate, 1, &other), KIN_EAGAIN);
    CHECK_EQ(other.fd, -1);
    CHECK_EQ(count_blocks(), blocks);
    bells->cells[KIN__BELLS - 1].bell = 0;
    CHECK_OK(kin__bell_hang(&gate, 1, &other));
    (void)kin__gate_ticket(gate);
    kin__gate_open(gate);
    CHECK(has_rung(&other));
    kin__bell_drop(&other);
    kin__bell_drop(&bell);
    kin_free(gate);
}
