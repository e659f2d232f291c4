#include "base/room.h"
#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* What a thread did; once it has come, it can be joined. */
struct visit {
    kin__thread self;
    atomic_bool come;
    sigset_t blocked;
    int steps;
    bool ends;
};

static void join(struct visit *v)
{
    WAIT_UNTIL(v->come);
    kin__os_thread_join(v->self);
}

static void look_around(void *ctx)
{
    struct visit *v = ctx;
    pthread_sigmask(SIG_SETMASK, NULL, &v->blocked);
    v->self = kin__os_thread_self();
    v->come = true;
}

TEST(a_thread_blocks_all_signals_but_those_of_faults)
{
    struct visit v = { 0 };
    sigset_t before;
    sigset_t after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    CHECK_EQ(kin__os_thread_start(look_around, &v), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    join(&v);
    CHECK_NE(v.self.tid, kin__os_thread_self().tid);
    CHECK(sigismember(&v.blocked, SIGINT) && sigismember(&v.blocked, SIGTERM));
    CHECK(sigismember(&v.blocked, SIGCHLD) && sigismember(&v.blocked, SIGALRM));
    CHECK(!sigismember(&v.blocked, SIGSEGV) && !sigismember(&v.blocked, SIGABRT));
    for (int i = 1; i < 32; i++) {
        CHECK_EQ(sigismember(&before, i), sigismember(&after, i));
    }
}

static void maybe_end(void *ctx)
{
    struct visit *v = ctx;
    v->steps |= 1;
    if (v->ends) {
        pthread_exit(NULL);
    }
    v->steps |= 2;
}

static void note_that_left(void *ctx)
{
    struct visit *v = ctx;
    v->steps |= 4;
}

static void be_guarded(void *ctx)
{
    struct visit *v = ctx;
    v->self = kin__os_thread_self();
    v->come = true;
    kin__os_thread_guard(maybe_end, note_that_left, v);
    v->steps |= 8;
}

TEST(a_guard_is_told_of_a_thread_that_ends_in_the_middle)
{
    struct visit ends = { .ends = true };
    struct visit returns = { .ends = false };
    CHECK_EQ(kin__os_thread_start(be_guarded, &ends), 0);
    CHECK_EQ(kin__os_thread_start(be_guarded, &returns), 0);
    join(&ends);
    join(&returns);
    CHECK_EQ(ends.steps, 1 | 4);
    CHECK_EQ(returns.steps, 1 | 2 | 8);
}

static void pin_and_count(void *ctx)
{
    struct visit *v = ctx;
    cpu_set_t set;
    int rv = kin__os_pin(v->ends ? 1000001 : 0);
    sched_getaffinity(0, sizeof set, &set);
    v->steps = rv == 0 ? CPU_COUNT(&set) : rv;
    v->self = kin__os_thread_self();
    v->come = true;
}

TEST(who_is_pinned_has_one_processor_and_leaves_the_others_theirs)
{
    cpu_set_t before;
    cpu_set_t after;
    sched_getaffinity(0, sizeof before, &before);
    for (int i = 0; i < 2; i++) {
        struct visit v = { .ends = i };
        CHECK_EQ(kin__os_thread_start(pin_and_count, &v), 0);
        join(&v);
        CHECK_EQ(v.steps, 1);
    }
    sched_getaffinity(0, sizeof after, &after);
    CHECK(CPU_EQUAL(&before, &after));
}

static int start_one(void *unused)
{
    (void)unused;
    struct visit v = { 0 };
    int rv = kin__os_thread_start(look_around, &v);
    if (rv == 0) {
        join(&v);
        return 0;
    }
    return kin__fail_os(rv, "no thread");
}

TEST(a_thread_that_cannot_be_had_costs_nothing)
{
    CHECK_EQ(fault_loop(KIN__FAULT_CALL, NULL, .attempt = start_one), 1);
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = start_one), 1);
}

TEST(who_was_joined_is_counted_no_more)
{
    int others = 0; /* a sanitizer's own comes with the first of ours */
    for (int i = 0; i < 200; i++) {
        struct visit v = { 0 };
        CHECK_EQ(kin__os_thread_start(look_around, &v), 0);
        join(&v);
        others = i == 0 ? kin__os_thread_count() : others;
        CHECK_EQ(kin__os_thread_count(), others);
    }
}
