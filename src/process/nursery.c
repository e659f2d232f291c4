/* nursery.c - a process that does nothing but have children.
 *
 * Idea. A loop over three events: a child ended or somebody pokes (both are SIGCHLD, read from a
 * descriptor), or the maker died (his pidfd). After each one the owner's ops are asked. A child
 * that crashes pokes, too, when it has written how into the record of its place: so its end is
 * known before the kernel has written a core.
 *
 *      maker --fork--> nursery --fork--> child 0
 *        ^               | |  `--fork--> child 1       die with the nursery: PR_SET_PDEATHSIG
 *        +--- pidfd -----+ +---- SIGCHLD
 *
 * The fork server is a nursery without a maker: it lives for whoever asks, through a descriptor
 * that takes the pidfd's place, and its children live on when it ends. A maker that has threads has
 * his nursery forked by the fork server.
 *
 * Rules.
 *   R1  A nursery has one thread: forks of it copy no other thread's locks, and the kernel's
 *       "die with your parent", which means the parent's thread, means the nursery.
 *   R2  It blocks all signals but SIGKILL; its children get the mask that the maker had.
 *   R3  A child that has ended is reaped, then swept, then reported, before another is started.
 *   R4  A child that has crashed is there until it is reaped: only then its place is free, and the
 *       record cleared for the next one.
 *
 * Death. The nursery killed: the kernel kills its children; whoever waits for them finds its
 * identity dead. The maker killed: the nursery kills its children and leaves.
 */
#include "nursery.h"

#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LOOK_AGAIN 100000000 /* ns: where no descriptor tells of the maker, or a fork failed */
#define MOMENT 100000        /* ns: what a process that is about to leave takes */

struct place {
    pid_t pid;    /* 0: nobody is there */
    bool crashed; /* and that has been reported */
};

struct kin__nursery {
    const kin__nursery_ops *ops;
    void *ctx;
    pid_t maker; /* 0: it has none */
    int watched; /* the maker's pidfd, or what the owner named; -1: no pidfd on this kernel */
    int signal_fd;
    bool served;     /* forked by the fork server, and no child of its maker's */
    int64_t look_at; /* the owner wants to be asked again by then */
    unsigned count;
    struct place *places;
    kin__crash *crashes; /* one for each place, shared with its child; NULL without ops.crashed */
    sigset_t signals;    /* the maker's mask */
};

bool kin__nursery_has(const kin__nursery *nursery, unsigned index)
{
    return nursery->places[index].pid != 0;
}

/* In a child that crashes: its parent has a look. */
static void poke_parent(void)
{
    kin__nursery_poke(kin__os_getppid());
}

static const char *name_of(const kin__nursery *nursery)
{
    return nursery->ops->named != NULL ? nursery->ops->named(nursery->ctx) : "child";
}

/* The nursery itself is no member that anybody would know: its maker is the parent. */
static void be_worker(const kin__nursery *nursery, unsigned index)
{
    char name[80];
    kin_process *maker =
        nursery->served ? (kin_process *)(uintptr_t)kin_parent_process() : kin__process_current();
    (void)snprintf(name, sizeof name, "%s-%u", name_of(nursery), index + 1);
    if (!nursery->served) {
        maker->pid = nursery->maker;
        (void)kin__os_start_time(nursery->maker, &maker->started);
    }
    if (kin__process_become_worker(name, maker) < 0) {
        kin__os_leave(1);
    }
}

static _Noreturn void live(kin__nursery *nursery, unsigned index, pid_t parent)
{
    if (nursery->maker != 0 && kin__os_die_with_parent(parent) < 0) {
        kin__os_leave(1);
    }
    (void)kin__os_close(nursery->signal_fd);
    if (nursery->watched >= 0) {
        (void)kin__os_close(nursery->watched);
    }
    if (nursery->crashes != NULL) {
        kin__os_watch_crashes(&nursery->crashes[index], name_of(nursery), poke_parent);
    }
    if (nursery->maker != 0) {
        kin__os_ignore_signal(SIGINT);
        be_worker(nursery, index);
    }
    kin__os_restore_signals(&nursery->signals, sizeof nursery->signals);
    kin__process_leave(nursery->ops->run(nursery->ctx, index));
}

int kin__nursery_start(kin__nursery *nursery, unsigned index)
{
    pid_t parent = kin__os_getpid();
    if (nursery->crashes != NULL) {
        memset(&nursery->crashes[index], 0, sizeof nursery->crashes[index]); /* R4 */
    }
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        live(nursery, index, parent);
    }
    if (pid < 0) {
        kin__nursery_look_again(nursery);
        return kin__fail_os((int)pid, "a nursery cannot fork");
    }
    nursery->places[index] = (struct place){ .pid = pid };
    return pid;
}

void kin__nursery_kill(kin__nursery *nursery, unsigned index)
{
    if (nursery->places[index].pid != 0) { /* not reaped yet, so the pid is still his */
        (void)kin__os_kill(nursery->places[index].pid, SIGKILL);
    }
}

void kin__nursery_look_again(kin__nursery *nursery)
{
    kin__nursery_look_at(nursery, kin__os_now() + LOOK_AGAIN);
}

void kin__nursery_look_at(kin__nursery *nursery, int64_t when)
{
    nursery->look_at = when < nursery->look_at ? when : nursery->look_at;
}

/* How the child of a place has crashed: NULL unless it has told so far (1: the signal; 2: all). */
static const kin__crash *crash_of(const kin__nursery *nursery, unsigned index, uint32_t told)
{
    if (nursery->crashes == NULL) {
        return NULL;
    }
    const kin__crash *crash = &nursery->crashes[index];
    /* pairs with the release of the child's */
    return atomic_load_explicit(&crash->published, memory_order_acquire) >= told ? crash : NULL;
}

static void see_crashes(kin__nursery *nursery)
{
    for (unsigned i = 0; i < nursery->count; i++) {
        struct place *place = &nursery->places[i];
        bool looks = place->pid != 0 && !place->crashed; /* else the record need not exist */
        const kin__crash *crash = looks ? crash_of(nursery, i, 2) : NULL;
        if (crash != NULL) {
            place->crashed = true;
            nursery->ops->crashed(nursery->ctx, i, crash);
        }
    }
}

static void bury(kin__nursery *nursery, pid_t pid, int status)
{
    for (unsigned i = 0; i < nursery->count; i++) {
        if (nursery->places[i].pid == pid) {
            nursery->places[i].pid = 0;
            kin__ended(pid);
            nursery->ops->ended(nursery->ctx, i, kin__os_exit_code(status),
                                crash_of(nursery, i, 1));
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

/* Forked by him we see it first by our parent; forked by the server, by the pidfd, if there is
 * one. */
static bool maker_is_gone(const kin__nursery *nursery)
{
    bool gone = false;
    if (nursery->maker == 0) {
        return false;
    }
    if (nursery->watched >= 0) {
        (void)kin__os_poll(&nursery->watched, &gone, 1, 0);
    } else if (nursery
                   ->served) { /* he had gone before we could watch him, or there are no pidfds */
        gone = !kin_process_is_alive(kin_parent_process());
    }
    return gone || (!nursery->served && kin__os_getppid() != nursery->maker);
}

/* A dying process loses its children a moment before it counts as dead: what it held is asked for
 * after that. */
static void see_maker_end(const kin__nursery *nursery)
{
    bool ended = false;
    if (nursery->watched >= 0) {
        (void)kin__os_poll(&nursery->watched, &ended, 1, kin__os_now() + 10 * (int64_t)LOOK_AGAIN);
    }
    kin__ended(nursery->maker);
}

/* Kills all children, and waits until they are gone: at most what a SIGKILL takes. */
static void end_children(kin__nursery *nursery)
{
    for (unsigned i = 0; i < nursery->count; i++) {
        kin__nursery_kill(nursery, i);
    }
    for (unsigned i = 0; i < nursery->count; i++) {
        if (nursery->places[i].pid != 0) {
            (void)kin__os_wait_child(nursery->places[i].pid, -1, KIN__NEVER);
        }
    }
    reap_ended(nursery);
}

static _Noreturn void tend_for_life(kin__nursery *nursery)
{
    for (;;) {
        reap_ended(nursery);
        see_crashes(nursery);
        nursery->look_at = KIN__NEVER;
        if (maker_is_gone(nursery)) {
            if (nursery->ops->forsaken != NULL) {
                nursery->ops->forsaken(nursery->ctx);
            }
            end_children(nursery);
            see_maker_end(nursery);
            nursery->ops->orphaned(nursery->ctx);
            kin__os_leave(0);
        }
        if (!nursery->ops->tend(nursery->ctx, nursery)) {
            if (nursery->maker != 0) {
                end_children(nursery);
            }
            kin__os_leave(0);
        }
        if (nursery->watched < 0) {
            kin__nursery_look_again(nursery);
        }
        const int fds[2] = { nursery->signal_fd, nursery->watched };
        bool ready[2];
        (void)kin__os_poll(fds, ready, 2, nursery->look_at);
        kin__os_drain_signals(nursery->signal_fd);
    }
}

/* Signals are blocked by now. 0, or a code. */
static int open_eyes(kin__nursery *nursery)
{
    kin__os_prime_crashes();         /* for all the children */
    kin__os_default_signal(SIGCHLD); /* were it ignored we would never hear of a child's end */
    nursery->signal_fd = kin__os_child_signal_fd();
    return nursery->signal_fd < 0 ? kin__fail_os(nursery->signal_fd, "no descriptor for signals")
                                  : 0;
}

static _Noreturn void become_nursery(kin__nursery *nursery)
{
    kin__os_set_name("kin-nursery");
    nursery->watched = kin__os_pidfd(nursery->maker);
    int rv = open_eyes(nursery);
    rv = rv < 0 ? rv : kin__join();
    if (rv < 0) {
        nursery->ops->failed(nursery->ctx, rv);
        kin__os_leave(1);
    }
    tend_for_life(nursery);
}

static void discard(kin__nursery *nursery)
{
    if (nursery->crashes != NULL) {
        kin__os_unmap(nursery->crashes, nursery->count * sizeof *nursery->crashes);
    }
    kin__os_free(nursery->places);
    kin__os_free(nursery);
}

static kin__nursery *make(const kin__nursery_ops *ops, void *ctx, unsigned count)
{
    kin__nursery *nursery = kin__os_calloc(1, sizeof *nursery);
    if (nursery == NULL) {
        return NULL;
    }
    nursery->ops = ops;
    nursery->ctx = ctx;
    nursery->maker = kin__os_getpid();
    nursery->count = count;
    nursery->places = kin__os_calloc(count, sizeof *nursery->places);
    void *crashes = NULL;
    int rv = 0;
    if (ops->crashed != NULL) {
        rv = kin__os_shared_memory(count * sizeof *nursery->crashes, &crashes);
        nursery->crashes = crashes;
    }
    if (nursery->places == NULL || rv < 0) {
        discard(nursery);
        return NULL;
    }
    return nursery;
}

_Noreturn void kin__nursery_live(const kin__nursery_ops *ops, void *ctx, unsigned places,
                                 int watched)
{
    kin__nursery *nursery = make(ops, ctx, places);
    if (nursery == NULL) {
        kin__os_leave(1);
    }
    nursery->maker = 0;
    nursery->watched = watched;
    kin__os_block_signals(&nursery->signals, sizeof nursery->signals);
    if (open_eyes(nursery) < 0) {
        kin__os_leave(1);
    }
    tend_for_life(nursery);
}

_Noreturn void kin__nursery_live_for(const kin__nursery_ops *ops, void *ctx, unsigned places,
                                     pid_t maker)
{
    kin__nursery *nursery = make(ops, ctx, places);
    if (nursery == NULL) {
        ops->failed(ctx, kin__fail(KIN_ENOMEM, "no memory for a nursery of %u", places));
        kin__os_leave(1);
    }
    nursery->maker = maker;
    nursery->served = true;
    kin__os_block_signals(&nursery->signals, sizeof nursery->signals);
    become_nursery(nursery);
}

static int fork_one(const kin__nursery_ops *ops, void *ctx, unsigned places)
{
    kin__nursery *nursery = make(ops, ctx, places);
    if (nursery == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a nursery of %u", places);
    }
    kin__os_block_signals(&nursery->signals,
                          sizeof nursery->signals); /* R2: from the first moment */
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        become_nursery(nursery);
    }
    kin__os_restore_signals(&nursery->signals, sizeof nursery->signals);
    discard(nursery);
    return pid > 0 ? pid : kin__fail_os((int)pid, "cannot fork a nursery");
}

/* One that could not be known again must not live: what it works with is about to be taken back. */
static int kill_served(const kin_process *p, pid_t pid)
{
    const int *watched = p->sentinel >= 0 ? &p->sentinel : &p->news;
    bool ended;
    (void)kin__os_kill(pid, SIGKILL);
    kin__os_shield();
    (void)kin__os_poll(watched, &ended, 1, KIN__NEVER);
    kin__os_unshield();
    return kin__fail(KIN_EBROKEN, "the nursery has ended at once");
}

/* R1: our own fork would have locks of other threads in it. */
static int have_one_made(kin_fn life, void *ctx, bool spawned, uint64_t *ret_started)
{
    const kin_process like = {
        .maker = kin__os_getpid(), .function = life, .name = "nursery", .number = ""
    };
    kin_process *p = kin__process_make(&like);
    if (p == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a process object");
    }
    p->args = kin_args(kin_shared(ctx), kin_int(like.maker));
    int rv = kin__process_prepare();
    rv = rv < 0 ? rv : kin__process_begin(p); /* listed: children forked meanwhile close its ends */
    if (rv == 0) {
        rv = (int)(spawned ? kin__process_spawn(p) : kin__process_ask_server(p));
        if (rv > 0 && !spawned && kin__os_start_time(rv, ret_started) < 0) {
            rv = kill_served(p, rv);
        }
        kin__process_not_begun(p);
    }
    kin_process_free(p);
    return rv;
}

int kin__nursery_new(const kin__nursery_ops *ops, void *ctx, unsigned places,
                     enum kin__nursery_method method, uint64_t *ret_started)
{
    size_t unused;
    *ret_started = 0;
    int rv = kin__process_check_role("a nursery");
    if (rv < 0 || kin__process_key(&unused) == NULL) {
        return rv < 0 ? rv : KIN_ENOMEM;
    }
    int threads = kin__os_thread_count();
    if (method == KIN__NURSERY_FORKED) {
        kin__process_warn_of_threads("kin_pool_new");
    }
    if (method == KIN__NURSERY_FORKED || (method == KIN__NURSERY_ANY && threads == 1)) {
        return fork_one(ops, ctx, places);
    }
    if (!atomic_load(&kin__process_ready) && method != KIN__NURSERY_ANY) {
        return kin__fail(KIN_ESTATE,
                         "a fresh image of this program would not know what it is for: call "
                         "kin_init(argc, argv) at the top of main");
    }
    if (!atomic_load(&kin__process_ready)) {
        return kin__fail(KIN_ESTATE,
                         "this process has %d threads, and a fork would copy their locks: have it "
                         "done before the first thread, or call kin_init(argc, argv) at the top of "
                         "main",
                         threads);
    }
    return have_one_made(ops->life, ctx, method == KIN__NURSERY_SPAWNED, ret_started);
}

bool kin__nursery_has_ended(pid_t nursery, uint64_t started)
{
    if (started != 0) {
        return kin__os_has_ended(nursery, started);
    }
    int rv = kin__os_wait_child(nursery, -1, 0);
    return rv == 0 || rv == -ECHILD; /* where SIGCHLD is ignored nobody waits for children */
}

void kin__nursery_see_end(pid_t nursery, uint64_t started)
{
    if (started == 0) {
        kin__os_shield();
        (void)kin__os_wait_child(nursery, -1, KIN__NEVER); /* or somebody else has reaped it */
        kin__os_unshield();
        (void)kin__os_reap(nursery, NULL, NULL);
    }
    while (started != 0 && !kin__os_has_ended(nursery, started)) {
        kin__os_sleep_until(kin__os_now() + MOMENT);
    }
    kin__ended(nursery);
}

void kin__nursery_poke(pid_t nursery)
{
    if (nursery > 0) {
        (void)kin__os_kill(nursery, SIGCHLD);
    }
}
