#include "domain/room.h"
#include "harness.h"
#include <kin/process.h>
#include <kin/sync.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(7);
}

static kin_event *go;

static kin_process *start_waiting(void)
{
    kin_process *p = NULL;
    if (go == NULL) {
        CHECK_OK(kin_event_new(&go, NULL));
    }
    CHECK_OK(kin_start(&p, wait_for_event, kin_args(kin_shared(go)), NULL));
    return p;
}

static kin_process *start_returning(int code)
{
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, give_back, kin_args(kin_int(code)), NULL));
    return p;
}

/* Neither running nor a zombie. */
static bool has_no_children(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* ---- join ----------------------------------------------------------------------------- */

TEST(join_waits_for_the_end)
{
    kin_process *p = start_waiting();
    CHECK_ERROR(kin_process_join(p, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_process_join(p, -1), KIN_ETIMEDOUT);
    double begin = kin_now();
    CHECK_ERROR(kin_process_join(p, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    CHECK_CONTAINS(kin_errmsg(), "Process-1");
    CHECK_ERROR(kin_process_join(p, NAN), KIN_EINVAL);
    CHECK(kin_process_is_alive(p));
    CHECK_EQ(kin_process_exitcode(p), KIN_RUNNING);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(kin_process_join(p, 1000), 0);
    CHECK_EQ(kin_process_exitcode(p), 7);
    CHECK(!kin_process_is_alive(p));
    CHECK_EQ(kin_process_join(p, 0), 0);
    CHECK_EQ(kin_process_join(p, KIN_FOREVER), 0);
    kin_process_free(p);
    kin_event_free(go);
}

struct joiner {
    kin_process *process;
    double timeout;
};

static void *join_it(void *ctx)
{
    struct joiner *j = ctx;
    int rv = kin_process_join(j->process, j->timeout);
    return rv == 0 && kin_process_exitcode(j->process) == 7 ? NULL : ctx;
}

TEST(several_threads_may_join_one_child)
{
    enum { THREADS = 8 };
    kin_process *p = start_waiting();
    struct joiner how[2] = { { p, KIN_FOREVER }, { p, 1000 } };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, join_it, &how[i % 2]), 0);
    }
    CHECK_OK(kin_event_set(go));
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
    kin_process_free(p);
    kin_event_free(go);
}

static void *start_and_join_some(void *ctx)
{
    for (int i = 0; i < 20; i++) {
        kin_process *p = start_returning(i);
        if (kin_process_join(p, i % 2 ? KIN_FOREVER : 1000) || kin_process_exitcode(p) != i) {
            return ctx;
        }
        kin_process_free(p);
    }
    return NULL;
}

TEST_WITHIN(120, threads_have_children_side_by_side)
{
    enum { THREADS = 8 };
    kin_log_set_level(KIN_LOG_ERROR);
    pthread_t threads[THREADS];
    int here;
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, start_and_join_some, &here), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
    CHECK(has_no_children());
}

static void on_signal(int number)
{
    (void)number;
}

static kin_obj signal_parent_then_end(kin_obj args)
{
    for (int i = 0; i < 3; i++) {
        while (!test_is_asleep(getppid())) {
            kin__os_yield();
        }
        kill(getppid(), SIGUSR1);
    }
    (void)args;
    return kin_int(3);
}

TEST(a_signal_handler_does_not_end_the_wait)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGUSR1, &action, NULL);
    for (int timed = 0; timed < 2; timed++) {
        kin_process *p = NULL;
        CHECK_OK(kin_start(&p, signal_parent_then_end, kin_args(), NULL));
        CHECK_EQ(kin_process_join(p, timed ? 1000 : KIN_FOREVER), 0);
        CHECK_EQ(kin_process_exitcode(p), 3);
        kin_process_free(p);
    }
}

/* ---- asking --------------------------------------------------------------------------- */

TEST(whoever_asks_reaps)
{
    kin_process *p = start_returning(4);
    WAIT_UNTIL(!kin_process_is_alive(p));
    CHECK(has_no_children());
    CHECK_EQ(kin_process_exitcode(p), 4);
    kin_process_free(p);

    p = start_returning(5);
    WAIT_UNTIL(kin_process_exitcode(p) != KIN_RUNNING);
    CHECK(has_no_children());
    CHECK_EQ(kin_process_exitcode(p), 5);
    kin_process_free(p);
}

TEST(signals_end_a_child)
{
    static int (*const verbs[])(kin_process *) = { kin_process_terminate, kin_process_kill,
                                                   kin_process_interrupt };
    static const int signals[] = { SIGTERM, SIGKILL, SIGINT };
    for (int i = 0; i < 3; i++) {
        kin_process *p = start_waiting();
        CHECK_EQ(verbs[i](p), 0);
        CHECK_OK(kin_process_join(p, KIN_FOREVER));
        CHECK_EQ(kin_process_exitcode(p), -signals[i]);
        CHECK_EQ(verbs[i](p), 0); /* it is dead already */
        kin_process_free(p);
    }
    kin_event_free(go);
}

TEST(a_stopped_child_can_be_killed)
{
    kin_process *p = start_waiting();
    kill(kin_process_pid(p), SIGSTOP);
    CHECK_OK(kin_process_kill(p));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(p), -SIGKILL);
    kin_process_free(p);
    kin_event_free(go);
}

TEST(a_child_reaped_by_somebody_else_has_ended)
{
    kin_process *p = start_returning(4);
    CHECK_EQ(test_join(kin_process_pid(p)), 4);
    CHECK_EQ(kin_process_join(p, KIN_FOREVER), 0);
    CHECK(!kin_process_is_alive(p));
    CHECK_EQ(kin_process_exitcode(p), 4); /* as it had left word */
    CHECK_EQ(kin_process_kill(p), 0);     /* which must not hit whoever has the pid now */
    kin_process_free(p);
}

TEST(who_was_killed_and_reaped_by_somebody_else_has_left_no_word)
{
    kin_process *p = start_waiting();
    CHECK_OK(kin_process_kill(p));
    CHECK_EQ(test_join(kin_process_pid(p)), -SIGKILL);
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_ERROR(kin_process_exitcode(p), KIN_ENOTFOUND);
    kin_process_free(p);
    kin_event_free(go);
}

TEST(a_program_that_ignores_sigchld_can_join)
{
    signal(SIGCHLD, SIG_IGN);
    for (int timed = 0; timed < 2; timed++) {
        kin_process *p = start_returning(4);
        CHECK_EQ(kin_process_join(p, timed ? 1000 : KIN_FOREVER), 0);
        CHECK_EQ(kin_process_exitcode(p), 4);
        kin_process_free(p);
    }
    signal(SIGCHLD, SIG_DFL);
}

struct held {
    kin_lock *lock;
    _Atomic kin__id holder;
};

static kin_obj hold_things(kin_obj args)
{
    struct held *held = kin_arg_shared(args, 0);
    KIN_TRY(kin_lock_acquire(held->lock, KIN_FOREVER));
    held->holder = kin__self();
    return kin__block_new(1000, KIN__RAW) != NULL ? kin_none() : kin_int(1);
}

TEST(what_a_dead_child_held_is_back_when_it_is_joined)
{
    struct held *held = kin_alloc(sizeof *held);
    CHECK_OK(kin_lock_new(&held->lock, NULL));
    kin_usage_info before;
    CHECK_OK(kin_usage(&before));
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, hold_things, kin_args(kin_shared(held)), NULL));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(p), 0);
    CHECK_EQ(kin__pid_of(held->holder), 0); /* already swept, not only dead */
    kin_usage_info after;
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
    CHECK_EQ(after.processes, before.processes);
    CHECK_EQ(kin_lock_acquire(held->lock, 0), KIN_OWNER_DIED);
    kin_process_free(p);
    kin_lock_free(held->lock);
    kin_free(held);
}

/* ---- letting go ----------------------------------------------------------------------- */

TEST(a_child_let_go_is_reaped_some_day)
{
    kin_process *p = start_waiting();
    int pid = kin_process_pid(p);
    kin_process_free(p);
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_OK(kin_event_set(go));
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    p = start_returning(0);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    kin_process_free(p);
    kin_event_free(go);
}

TEST(to_free_a_dead_child_reaps_it)
{
    kin_process *p = start_returning(0);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)kin_process_pid(p), &info, WEXITED | WNOWAIT), 0);
    kin_process_free(p);
    CHECK(has_no_children());
}

TEST(all_children_are_joined_those_let_go_too)
{
    CHECK_EQ(kin_join_children(0), 0);
    kin_process *kept = start_waiting();
    kin_process_free(start_waiting());
    kin_process_free(start_returning(0));
    CHECK_ERROR(kin_join_children(0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_join_children(0.01), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_join_children(NAN), KIN_EINVAL);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(kin_join_children(KIN_FOREVER), 0);
    CHECK(has_no_children());
    CHECK_EQ(kin_process_exitcode(kept), 7);
    kin_process_free(kept);
    kin_event_free(go);
}

TEST(children_of_the_program_itself_are_left_alone)
{
    pid_t own = fork();
    if (own == 0) {
        _exit(9);
    }
    kin_process *p = start_returning(1);
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_OK(kin_join_children(KIN_FOREVER));
    kin_process_free(p);
    CHECK_EQ(test_join(own), 9);
}

TEST_WITHIN(120, three_hundred_children_leave_nothing)
{
    kin_process *p[100];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            p[i] = start_returning(i);
            CHECK(i % 3 || kin_process_sentinel(p[i]) >= 0);
        }
        for (int i = 0; i < 100; i++) {
            CHECK_OK(kin_process_join(p[i], KIN_FOREVER));
            CHECK_EQ(kin_process_exitcode(p[i]), i);
            kin_process_free(p[i]);
        }
    }
    CHECK(has_no_children());
}
