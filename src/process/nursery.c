/* nursery.c - a process that does nothing but have children.
 *
 * Idea. A loop over three events: a child ended or somebody pokes (both are SIGCHLD, read from a
 * descriptor), or the maker died (his pidfd). After each one the owner's ops are asked.
 *
 *      maker --fork--> nursery --fork--> child 0
 *        ^               | |  `--fork--> child 1       die with the nursery: PR_SET_PDEATHSIG
 *        +--- pidfd -----+ +---- SIGCHLD
 *
 * Rules.
 *   R1  A nursery has one thread: forks of it copy no other thread's locks, and the kernel's
 *       "die with your parent", which means the parent's thread, means the nursery.
 *   R2  It blocks all signals but SIGKILL; its children get the mask that the maker had.
 *   R3  A child that has ended is reaped, then swept, then reported, before another is started.
 *
 * Death. The nursery killed: the kernel kills its children; whoever waits for them finds its
 * identity dead. The maker killed: the nursery kills its children and leaves.
 */
#include "nursery.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define LOOK_AGAIN 100000000 /* ns: where no descriptor tells of the maker, or a fork failed */

struct kin__nursery {
    const kin__nursery_ops *ops;
    void *ctx;
    pid_t maker;
    int maker_fd; /* -1: no pidfd on this kernel */
    int signal_fd;
    bool hungry; /* somebody could not be started: look again soon */
    unsigned places;
    pid_t *children;  /* 0: nobody at this place */
    sigset_t signals; /* the maker's mask */
};

bool kin__nursery_has(const kin__nursery *nursery, unsigned index)
{
    return nursery->children[index] != 0;
}

static _Noreturn void live(kin__nursery *nursery, unsigned index, pid_t parent)
{
    if (kin__os_die_with_parent(parent) < 0) {
        kin__os_leave(1);
    }
    (void)kin__os_close(nursery->signal_fd);
    if (nursery->maker_fd >= 0) {
        (void)kin__os_close(nursery->maker_fd);
    }
    kin__os_ignore_signal(SIGINT);
    kin__os_restore_signals(&nursery->signals, sizeof nursery->signals);
    kin__os_leave(nursery->ops->run(nursery->ctx, index));
}

int kin__nursery_start(kin__nursery *nursery, unsigned index)
{
    pid_t parent = kin__os_getpid();
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        live(nursery, index, parent);
    }
    if (pid < 0) {
        nursery->hungry = true;
        return kin__fail_os((int)pid, "a nursery cannot fork");
    }
    nursery->children[index] = pid;
    return pid;
}

void kin__nursery_kill(kin__nursery *nursery, unsigned index)
{
    if (nursery->children[index] != 0) { /* not reaped yet, so the pid is still his */
        (void)kin__os_kill(nursery->children[index], SIGKILL);
    }
}

void kin__nursery_look_again(kin__nursery *nursery)
{
    nursery->hungry = true;
}

static void bury(kin__nursery *nursery, pid_t pid, int status)
{
    for (unsigned i = 0; i < nursery->places; i++) {
        if (nursery->children[i] == pid) {
            nursery->children[i] = 0;
            kin__ended(pid);
            nursery->ops->ended(nursery->ctx, i, kin__os_exit_code(status));
        }
    }
}

static void reap_ended(kin__nursery *nursery)
{
    int status;
    pid_t pid;
    while (kin__os_reap(-1, &status, &pid) == 0) {
        bury(nursery, pid, status);
    }
}

static bool maker_is_gone(const kin__nursery *nursery)
{
    return kin__os_getppid() != nursery->maker;
}

/* A dying process loses its children a moment before it counts as dead: what it held is asked for
 * after that. */
static void see_maker_end(const kin__nursery *nursery)
{
    bool ended = false;
    if (nursery->maker_fd >= 0) {
        (void)kin__os_poll(&nursery->maker_fd, &ended, 1, kin__os_now() + 10 * (int64_t)LOOK_AGAIN);
    }
    kin__ended(nursery->maker);
}

/* Kills all children, and waits until they are gone: at most what a SIGKILL takes. */
static void end_children(kin__nursery *nursery)
{
    for (unsigned i = 0; i < nursery->places; i++) {
        kin__nursery_kill(nursery, i);
    }
    for (unsigned i = 0; i < nursery->places; i++) {
        if (nursery->children[i] != 0) {
            (void)kin__os_wait_child(nursery->children[i], -1, KIN__NEVER);
        }
    }
    reap_ended(nursery);
}

static _Noreturn void tend_for_life(kin__nursery *nursery)
{
    for (;;) {
        reap_ended(nursery);
        nursery->hungry = false;
        if (maker_is_gone(nursery)) {
            end_children(nursery);
            see_maker_end(nursery);
            nursery->ops->orphaned(nursery->ctx);
            kin__os_leave(0);
        }
        if (!nursery->ops->tend(nursery->ctx, nursery)) {
            end_children(nursery);
            kin__os_leave(0);
        }
        bool blind = nursery->hungry || nursery->maker_fd < 0;
        const int fds[2] = { nursery->signal_fd, nursery->maker_fd };
        bool ready[2];
        (void)kin__os_poll(fds, ready, 2, blind ? kin__os_now() + LOOK_AGAIN : KIN__NEVER);
        kin__os_drain_signals(nursery->signal_fd);
    }
}

static _Noreturn void become_nursery(kin__nursery *nursery)
{
    kin__os_set_name("kin-nursery");
    kin__os_default_signal(SIGCHLD); /* were it ignored we would never hear of a child's end */
    nursery->signal_fd = kin__os_child_signal_fd();
    nursery->maker_fd = kin__os_pidfd(nursery->maker);
    int rv = nursery->signal_fd < 0 ? kin__fail_os(nursery->signal_fd, "no descriptor for signals")
                                    : kin__join();
    if (rv < 0) {
        nursery->ops->failed(nursery->ctx, rv);
        kin__os_leave(1);
    }
    tend_for_life(nursery);
}

int kin__nursery_new(const kin__nursery_ops *ops, void *ctx, unsigned places)
{
    kin__nursery *nursery = kin__os_calloc(1, sizeof *nursery);
    pid_t *children = kin__os_calloc(places, sizeof *children);
    if (nursery == NULL || children == NULL) {
        kin__os_free(nursery);
        kin__os_free(children);
        return kin__fail(KIN_ENOMEM, "no memory for a nursery of %u", places);
    }
    *nursery = (kin__nursery){
        .ops = ops, .ctx = ctx, .maker = kin__os_getpid(), .places = places, .children = children
    };
    kin__os_block_signals(&nursery->signals,
                          sizeof nursery->signals); /* R2: from the first moment */
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        become_nursery(nursery);
    }
    kin__os_restore_signals(&nursery->signals, sizeof nursery->signals);
    kin__os_free(children);
    kin__os_free(nursery);
    return pid > 0 ? pid : kin__fail_os((int)pid, "cannot fork a nursery");
}

void kin__nursery_poke(pid_t nursery)
{
    if (nursery > 0) {
        (void)kin__os_kill(nursery, SIGCHLD);
    }
}
