/* What nobody contends for costs no system call: a child in which each one is deadly takes, gives,
 * sets and asks. (The pid is asked for by KIN__STEP, which is in no library that is installed.) */
#include "domain/room.h"
#include "harness.h"
#include <kin/condition.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct world {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_semaphore *plain, *owned;
    kin_event *event;
    kin_condition *condition;
    kin_barrier *barrier;
    enum { USE_ALL, DO_NOTHING, CALL } what; /* without calls */
};

static bool forbid_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int use_locks(struct world *w)
{
    int bad = 0;
    bad += kin_lock_acquire(w->lock, KIN_FOREVER) != 0;
    bad += !kin_lock_locked(w->lock);
    bad += kin_lock_release(w->lock) != 0;
    bad += kin_rlock_acquire(w->rlock, KIN_FOREVER) != 0;
    bad += kin_rlock_acquire(w->rlock, KIN_FOREVER) != 0;
    bad += kin_rlock_release(w->rlock) != 0;
    bad += kin_rlock_release(w->rlock) != 0;
    bad += kin_condition_acquire(w->condition, KIN_FOREVER) != 0;
    bad += kin_condition_notify_all(w->condition) != 0;
    bad += kin_condition_release(w->condition) != 0;
    return bad;
}

static int use_others(struct world *w)
{
    int bad = 0;
    bad += kin_semaphore_acquire(w->plain, KIN_FOREVER) != 0;
    bad += kin_semaphore_release(w->plain) != 0;
    bad += kin_semaphore_acquire(w->owned, KIN_FOREVER) != 0;
    bad += kin_semaphore_release(w->owned) != 0;
    bad += kin_event_set(w->event) != 0;
    bad += kin_event_wait(w->event, KIN_FOREVER) != 0;
    bad += kin_event_clear(w->event) != 0;
    bad += kin_event_wait(w->event, 0) != KIN_ETIMEDOUT;
    bad += kin_barrier_wait(w->barrier, KIN_FOREVER) != 0;
    return bad;
}

/* Once as it likes (pages come in, threads get their numbers), and once without calls. */
static int do_without(void *ctx)
{
    struct world *w = ctx;
    (void)(use_locks(w) + use_others(w));
    if (!forbid_calls()) {
        return 99;
    }
    if (w->what == CALL) {
        (void)syscall(SYS_sched_yield);
    }
    syscall(SYS_exit_group, w->what == USE_ALL ? use_locks(w) + use_others(w) : 0);
    return 0;
}

TEST(what_nobody_contends_for_takes_no_system_call)
{
    struct world w = { .what = USE_ALL };
    CHECK_OK(kin_lock_new(&w.lock, NULL));
    CHECK_OK(kin_rlock_new(&w.rlock, NULL));
    CHECK_OK(kin_semaphore_new(&w.plain, 1, NULL));
    CHECK_OK(kin_semaphore_new(&w.owned, 1, &(kin_semaphore_options){ .owned = true }));
    CHECK_OK(kin_event_new(&w.event, NULL));
    CHECK_OK(kin_condition_new(&w.condition, NULL));
    CHECK_OK(kin_barrier_new(&w.barrier, 1, NULL));
    int status = test_join(test_child(do_without, &w));
    w.what = DO_NOTHING;
    bool possible = test_join(test_child(do_without, &w)) == 0;
    w.what = CALL;
    possible = possible && test_join(test_child(do_without, &w)) == -SIGSYS;
    kin_lock_free(w.lock);
    kin_rlock_free(w.rlock);
    kin_semaphore_free(w.plain);
    kin_semaphore_free(w.owned);
    kin_event_free(w.event);
    kin_condition_free(w.condition);
    kin_barrier_free(w.barrier);
    if (!possible) { /* valgrind makes calls of its own */
        SKIP("calls cannot be forbidden here");
    }
    CHECK_EQ(status, 0);
}
