/* harness_loops.c - the kill loop and the fault loop. */
#include "harness_room.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the kill loop -------------------------------------------------------------------- */

#define VARIABLE "KIN_TEST_BLACKBOX"

/* The plan is in the blackbox, for images that the victim starts have nothing else of ours. */
static void die_at_step(const char *name)
{
    const struct kill_plan *plan = &blackbox->plan;
    if (strncmp(name, plan->only, strlen(plan->only)) != 0 ||
        (!plan->anybody && getpid() != plan->victim)) {
        return;
    }
    if (atomic_fetch_add(&blackbox->steps, 1) + 1 == plan->nth) {
        snprintf(blackbox->step, sizeof blackbox->step, "%s", name);
        atomic_store(&blackbox->struck, true);
        kill(getpid(), SIGKILL);
    }
}

/* A child of the victim starts with no hook, like with everything else of kin__step. */
static void arm_again(void)
{
    if (blackbox->plan.anybody) {
        kin__step_hook(die_at_step);
    }
}

void join_kill_loop(void)
{
    const char *path = getenv(VARIABLE);
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        blackbox = mmap(NULL, sizeof *blackbox, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        kin__os_at_fork_child(arm_again);
        arm_again();
    }
}

struct victim {
    const struct kill_ops *ops;
    void *ctx;
};

static int be_victim(void *ctx)
{
    const struct victim *victim = ctx;
    blackbox->plan.victim = getpid();
    if (blackbox->plan.anybody) {
        setenv(VARIABLE, blackbox_path, 1);
    }
    kin__step_hook(die_at_step);
    victim->ops->victim(victim->ctx);
    kin__step_hook(NULL);
    return 0;
}

/* Waits for the victim without reaping it, then looks whether it ended as it should. */
static void wait_victim(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
    }
    bool killed = info.si_code != CLD_EXITED;
    if (killed ? info.si_status != SIGKILL || !atomic_load(&blackbox->struck)
               : info.si_status != 0) {
        ck_abort_msg("the victim of step %u ended with %s %d", blackbox->plan.nth,
                     killed ? "signal" : "status", info.si_status);
    }
}

/* Whether somebody was killed. */
static bool kill_once(const struct kill_ops *ops, void *ctx)
{
    if (ops->setup) {
        ops->setup(ctx);
    }
    atomic_store(&blackbox->steps, 0);
    atomic_store(&blackbox->struck, false);
    struct victim victim = { ops, ctx };
    pid_t pid = test_child(be_victim, &victim);
    wait_victim(pid);
    if (!ops->unreaped) {
        test_join(pid);
    }
    bool struck = atomic_load(&blackbox->struck);
    if (struck) {
        ops->check(ctx, blackbox->step);
    }
    if (ops->unreaped) {
        test_join(pid);
    }
    return struck;
}

int test_kill_loop(const char *only, void *ctx, const struct kill_ops *ops)
{
    static bool hooked;
    if (!hooked) {
        kin__os_at_fork_child(arm_again);
        hooked = true;
    }
    struct kill_plan *plan = &blackbox->plan;
    *plan = (struct kill_plan){ .nth = 1, .anybody = ops->anybody };
    snprintf(plan->only, sizeof plan->only, "%s", only ? only : "");
    for (;; plan->nth++) {
        snprintf(blackbox->loop, sizeof blackbox->loop, "kill_loop, step %u", plan->nth);
        if (!kill_once(ops, ctx)) {
            break;
        }
    }
    blackbox->loop[0] = blackbox->step[0] = '\0';
    plan->anybody = false;
    if (plan->nth == 1) {
        ck_abort_msg("kill_loop: the victim passed no step \"%s\"", plan->only);
    }
    return (int)plan->nth - 1;
}

/* ---- the fault loop ------------------------------------------------------------------- */

/* Whether there was an nth call that could be made to fail. */
static bool fail_once(enum kin__fault_kind kind, void *ctx, const struct fault_ops *ops,
                      unsigned nth)
{
    if (ops->setup) {
        ops->setup(ctx);
    }
    struct list before = { 0 };
    list_all(&before);
    kin__fault_arm(kind, nth);
    int rv = ops->attempt(ctx);
    bool fired = kin__fault_fired();
    kin__fault_arm(kind, 0);

    if (rv < 0 && !fired) {
        ck_abort_msg("fault_loop: the attempt failed with nothing in its way: %s", kin_errmsg());
    }
    if (rv < 0 && (rv > KIN_EINVAL || !kin_errmsg()[0])) {
        ck_abort_msg("fault %u: gave %d and the sentence \"%s\"", nth, rv, kin_errmsg());
    }
    if (rv < 0 && ops->check) {
        ops->check(ctx, rv);
    }
    check_left(&before, " when a call failed");
    free(before.lines);
    return fired;
}

int test_fault_loop(enum kin__fault_kind kind, void *ctx, const struct fault_ops *ops)
{
    unsigned nth = 1;
    for (;; nth++) {
        snprintf(blackbox->loop, sizeof blackbox->loop, "fault_loop, %s %u",
                 kind == KIN__FAULT_MEMORY ? "allocation" : "system call", nth);
        if (!fail_once(kind, ctx, ops, nth)) {
            break;
        }
    }
    blackbox->loop[0] = '\0';
    if (nth == 1) {
        ck_abort_msg("fault_loop: there was nothing to fail");
    }
    return (int)nth - 1;
}
