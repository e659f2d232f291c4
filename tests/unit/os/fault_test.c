#include "harness.h"

#include <errno.h>
#include <signal.h>

static void three_steps(void)
{
    KIN__STEP("box.claim");
    KIN__STEP("ring.claim");
    KIN__STEP("box.publish");
}

/* How a child is armed, and what it saw. */
struct plan {
    unsigned nth;
    const char *only;
    char step[16];
    unsigned count;
};

static int run_armed(void *ctx)
{
    struct plan *plan = ctx;
    kin__step_report(plan->step, sizeof plan->step);
    kin__step_arm(plan->nth, plan->only);
    three_steps();
    plan->count = kin__step_count();
    return 0;
}

static struct plan *new_plan(unsigned nth, const char *only)
{
    struct plan *plan = test_shared(sizeof *plan);
    *plan = (struct plan){ .nth = nth, .only = only };
    return plan;
}

TEST(a_process_dies_at_the_step_it_was_armed_for)
{
    static const char *const names[] = { "box.claim", "ring.claim", "box.publish" };
    for (unsigned nth = 1; nth <= 3; nth++) {
        struct plan *plan = new_plan(nth, NULL);
        CHECK_EQ(test_join(test_child(run_armed, plan)), -SIGKILL);
        CHECK_STR(plan->step, names[nth - 1]);
        CHECK_EQ(plan->count, 0);
    }
}

TEST(a_process_that_is_armed_for_later_lives)
{
    struct plan *plan = new_plan(4, NULL);
    CHECK_EQ(test_join(test_child(run_armed, plan)), 0);
    CHECK_STR(plan->step, "");
    CHECK_EQ(plan->count, 3);
}

TEST(only_steps_of_that_name_count)
{
    struct plan *plan = new_plan(2, "box.");
    CHECK_EQ(test_join(test_child(run_armed, plan)), -SIGKILL);
    CHECK_STR(plan->step, "box.publish");
}

TEST(a_long_name_is_reported_cut)
{
    struct plan *plan = new_plan(1, NULL);
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        kin__step_report(plan->step, sizeof plan->step);
        kin__step_arm(1, NULL);
        KIN__STEP("a step whose name is too long");
        kin__os_leave(0);
    }
    CHECK_EQ(test_join(pid), -SIGKILL);
    CHECK_STR(plan->step, "a step whose na");
}

TEST(steps_are_counted_since_arming)
{
    kin__step_arm(0, NULL);
    CHECK_EQ(kin__step_count(), 0);
    CHECK_NULL(kin__step_last());
    three_steps();
    CHECK_EQ(kin__step_count(), 3);
    CHECK_STR(kin__step_last(), "box.publish");
    kin__step_arm(0, "ring");
    three_steps();
    CHECK_EQ(kin__step_count(), 1);
    CHECK_STR(kin__step_last(), "ring.claim");
    kin__step_arm(0, NULL);
}

static int pass_three_steps(void *ctx)
{
    (void)ctx;
    if (kin__step_count() != 0 || kin__step_last() != NULL) {
        return 1;
    }
    three_steps();
    return kin__step_count() == 3 ? 0 : 2;
}

TEST(a_forked_child_starts_with_nothing_armed)
{
    kin__step_arm(5, "box.");
    three_steps();
    CHECK_EQ(test_join(test_child(pass_three_steps, NULL)), 0);
    CHECK_EQ(kin__step_count(), 2);
    kin__step_arm(0, NULL);
}

static char seen[64];

static void write_down(const char *name)
{
    strcat(seen, name);
    strcat(seen, ";");
}

TEST(a_hook_is_called_instead_of_death)
{
    seen[0] = '\0';
    kin__step_hook(write_down);
    kin__step_arm(1, NULL);
    three_steps();
    kin__step_arm(0, NULL);
    kin__step_hook(NULL);
    CHECK_STR(seen, "box.claim;ring.claim;box.publish;");
}

TEST(the_nth_call_fails_once)
{
    kin__fault_arm(KIN__FAULT_CALL, 2);
    CHECK(!KIN__FAULT(KIN__FAULT_CALL));
    CHECK(!kin__fault_fired());
    CHECK(KIN__FAULT(KIN__FAULT_CALL));
    CHECK(kin__fault_fired());
    CHECK(!KIN__FAULT(KIN__FAULT_CALL));
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_CALL, 0);
    CHECK(kin__fault_fired());
    CHECK(!KIN__FAULT(KIN__FAULT_CALL));
    kin__fault_arm(KIN__FAULT_CALL, 1);
    CHECK(!kin__fault_fired());
    kin__fault_arm(KIN__FAULT_CALL, 0);
}

TEST(kinds_are_counted_apart)
{
    kin__fault_arm(KIN__FAULT_CALL, 1);
    CHECK(!KIN__FAULT(KIN__FAULT_MEMORY));
    kin__fault_arm(KIN__FAULT_MEMORY, 2);
    CHECK(!KIN__FAULT(KIN__FAULT_MEMORY));
    CHECK(KIN__FAULT(KIN__FAULT_CALL));
    CHECK(KIN__FAULT(KIN__FAULT_MEMORY));
}

static int fail_nothing(void *ctx)
{
    (void)ctx;
    return KIN__FAULT(KIN__FAULT_CALL) || KIN__FAULT(KIN__FAULT_CALL) || kin__fault_fired();
}

TEST(nothing_fails_in_a_forked_child)
{
    kin__fault_arm(KIN__FAULT_CALL, 2);
    CHECK_EQ(test_join(test_child(fail_nothing, NULL)), 0);
    kin__fault_arm(KIN__FAULT_CALL, 0);
}
