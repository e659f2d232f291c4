/* condition_scene.h - a condition of each kind, and those who wait for it. */
#ifndef KIN_CONDITION_SCENE_H
#define KIN_CONDITION_SCENE_H

#include "domain/room.h"
#include "harness.h"
#include <kin/condition.h>
#include <kin/process.h>
#include <signal.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

enum { MANY = 40 }; /* more than a chunk has cells */

/* What the test and its children share, also those that were not forked. */
struct world {
    kin_condition *c;
    kin_lock *lock;
    kin_rlock *rlock;
    _Atomic int code[MANY]; /* by number of the child; 99 before */
    _Atomic int children;
    _Atomic int turn; /* who came out, in order */
    _Atomic int order[MANY];
    _Atomic int stage;
    long ready; /* under the lock */
    double timeout;
};

UNUSED static struct world *new_world(void)
{
    struct world *w = kin_alloc(sizeof *w);
    CHECK_NOT_NULL(w);
    for (int i = 0; i < MANY; i++) {
        w->code[i] = 99;
    }
    w->timeout = KIN_FOREVER;
    return w;
}

UNUSED static struct world *new_own(void)
{
    struct world *w = new_world();
    CHECK_OK(kin_condition_new(&w->c, NULL));
    return w;
}

UNUSED static struct world *new_on_lock(void)
{
    struct world *w = new_world();
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    CHECK_OK(kin_condition_new(&w->c, KIN_OPT(kin_condition_options, .lock = w->lock)));
    return w;
}

UNUSED static struct world *new_on_rlock(void)
{
    struct world *w = new_world();
    CHECK_OK(kin_rlock_new(&w->rlock, NULL));
    CHECK_OK(kin_condition_new(&w->c, KIN_OPT(kin_condition_options, .rlock = w->rlock)));
    return w;
}

UNUSED static void end_world(struct world *w)
{
    kin_condition_free(w->c);
    kin_lock_free(w->lock);
    kin_rlock_free(w->rlock);
    kin_free(w);
}

UNUSED static void each_kind(void (*test)(struct world *))
{
    test(new_own());
    test(new_on_lock());
    test(new_on_rlock());
}

UNUSED static bool is_locked(struct world *w)
{
    return w->lock != NULL
               ? kin_lock_locked(w->lock)
               : kin_rlock_locked(w->rlock != NULL ? w->rlock
                                                   : (kin_rlock *)(void *)&w->c->kin__private[1]);
}

UNUSED static int wait_once(void *ctx)
{
    struct world *w = ctx;
    int me = w->children++;
    kin_lock *lock = w->lock;
    kin_rlock *rlock = w->rlock;
    if (kin_condition_acquire(w->c, KIN_FOREVER) < 0) {
        return 1;
    }
    int rv = kin_condition_wait(w->c, w->timeout);
    w->order[w->turn++] = me;
    w->code[me] = rv;
    if (rv != KIN_ECLOSED) {
        return kin_condition_release(w->c) < 0 ? 2 : 0;
    }
    (void)(lock != NULL ? kin_lock_release(lock) : rlock != NULL ? kin_rlock_release(rlock) : 0);
    return 0;
}

UNUSED static pid_t start_waiter(struct world *w)
{
    pid_t pid = test_child(wait_once, w);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

UNUSED static int notify(struct world *w, unsigned n)
{
    CHECK_GE(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    int woken = kin_condition_notify(w->c, n);
    CHECK_EQ(kin_condition_release(w->c), 0);
    return woken;
}

UNUSED static int notify_all(struct world *w)
{
    CHECK_GE(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    int woken = kin_condition_notify_all(w->c);
    CHECK_EQ(kin_condition_release(w->c), 0);
    return woken;
}

UNUSED static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

UNUSED static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

#endif
