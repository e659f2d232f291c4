#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS INT64_C(1000000)

/* ---- children ------------------------------------------------------------------------- */

static int return_7(void *ctx)
{
    (void)ctx;
    return 7;
}

/* Runs until it is killed. */
static int stay(void *ctx)
{
    (void)ctx;
    while (pause() < 0) {
    }
    return 0;
}

static pid_t start_zombie(void)
{
    pid_t pid = test_child(return_7, NULL);
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    return pid;
}

static void kill_and_reap(pid_t pid)
{
    CHECK_EQ(kin__os_kill(pid, SIGKILL), 0);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

static uint64_t start_of(pid_t pid)
{
    uint64_t ticks = 0;
    CHECK_EQ(kin__os_start_time(pid, &ticks), 0);
    return ticks;
}

/* Runs body in a child whose descriptor `fd` is a pipe; what it wrote there, as a string. */
static const char *output_of(int fd, int (*body)(void *ctx), void *ctx)
{
    static char text[1024];
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        dup2(ends[1], fd);
        kin__os_close(ends[1]);
        kin__os_leave(body(ctx));
    }
    kin__os_close(ends[1]);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    text[length] = '\0';
    kin__os_close(ends[0]);
    CHECK_EQ(test_join(pid), 0);
    return text;
}

/* ---- fork ----------------------------------------------------------------------------- */

static int print_around_a_fork(void *ctx)
{
    (void)ctx;
    printf("before;");
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        printf("child;");
        kin__os_leave(0);
    }
    int rv = test_join(pid);
    printf("parent;");
    return rv;
}

TEST(what_was_printed_before_a_fork_comes_out_once)
{
    CHECK_STR(output_of(STDOUT_FILENO, print_around_a_fork, NULL), "before;child;parent;");
}

static _Atomic int turn;

static void wait_for_turn(int wanted)
{
    while (turn != wanted) {
        test_nap();
    }
}

static void *hold_stdout(void *unused)
{
    (void)unused;
    flockfile(stdout);
    printf("thread;");
    turn = 1;
    wait_for_turn(2);
    funlockfile(stdout);
    return NULL;
}

static int fork_while_stdout_is_locked(void *ctx)
{
    (void)ctx;
    pthread_t thread;
    turn = 0;
    pthread_create(&thread, NULL, hold_stdout, NULL);
    wait_for_turn(1);
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        kin__os_leave(0);
    }
    int rv = test_join(pid);
    turn = 2;
    pthread_join(thread, NULL);
    return rv;
}

TEST(a_fork_does_not_wait_for_another_threads_output)
{
    CHECK_STR(output_of(STDOUT_FILENO, fork_while_stdout_is_locked, NULL), "thread;");
}

static char hook_order[8];

static void first_hook(void)
{
    strcat(hook_order, "1");
}

static void second_hook(void)
{
    strcat(hook_order, "2");
}

static int hooks_ran(void *ctx)
{
    (void)ctx;
    return strcmp(hook_order, "12") == 0 ? 0 : 1;
}

TEST(hooks_run_in_the_child_oldest_first_and_once)
{
    kin__os_at_fork_child(first_hook);
    kin__os_at_fork_child(second_hook);
    kin__os_at_fork_child(first_hook);
    CHECK_EQ(test_join(test_child(hooks_ran, NULL)), 0);
    CHECK_STR(hook_order, "");
}

static volatile sig_atomic_t signals;
static volatile sig_atomic_t signals_in_hook = -1;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

static void signal_itself(void)
{
    kill(getpid(), SIGUSR1);
    signals_in_hook = signals;
}

static int signal_came_after_hook(void *ctx)
{
    (void)ctx;
    return signals_in_hook == 0 && signals == 1 ? 0 : 1;
}

TEST(handlers_wait_until_the_hooks_have_run)
{
    struct sigaction before;
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = count_signal }, &before);
    kin__os_at_fork_child(signal_itself);
    CHECK_EQ(test_join(test_child(signal_came_after_hook, NULL)), 0);
    sigaction(SIGUSR1, &before, NULL);
}

static void say_goodbye(void)
{
    printf("atexit;");
}

static int leave_behind_atexit(void *ctx)
{
    (void)ctx;
    atexit(say_goodbye);
    fprintf(stdout, "out;");
    return 0;
}

TEST(leaving_flushes_and_runs_no_exit_handlers)
{
    CHECK_STR(output_of(STDOUT_FILENO, leave_behind_atexit, NULL), "out;");
}

/* ---- who is alive --------------------------------------------------------------------- */

TEST(a_start_time_stays_the_same_and_grows_with_age)
{
    pid_t self = kin__os_getpid();
    CHECK_GT(start_of(self), 0);
    CHECK_EQ(start_of(self), start_of(self));
    pid_t pid = test_child(stay, NULL);
    CHECK_GE(start_of(pid), start_of(self));
    kill_and_reap(pid);
}

TEST(a_start_time_is_found_behind_any_name)
{
    uint64_t before = start_of(getpid());
    char name[16];
    prctl(PR_GET_NAME, name);
    kin__os_set_name(") Z 1 (2 ) ) x");
    CHECK_EQ(start_of(getpid()), before);
    kin__os_set_name(name);
}

TEST(the_ended_have_no_start_time)
{
    uint64_t ticks = 42;
    pid_t pid = start_zombie();
    CHECK_EQ(kin__os_start_time(pid, &ticks), -ESRCH);
    test_join(pid);
    CHECK_EQ(kin__os_start_time(pid, &ticks), -ESRCH);
    CHECK_EQ(ticks, 42);
}

TEST(a_living_process_has_not_ended)
{
    CHECK(!kin__os_has_ended(getpid(), start_of(getpid())));
    pid_t pid = test_child(stay, NULL);
    uint64_t ticks = start_of(pid);
    CHECK(!kin__os_has_ended(pid, ticks));
    kin__os_kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
    CHECK(!kin__os_has_ended(pid, ticks));
    kill_and_reap(pid);
}

TEST(another_process_of_the_same_pid_means_it_has_ended)
{
    uint64_t ticks = start_of(getpid());
    CHECK(kin__os_has_ended(getpid(), ticks + 1));
    CHECK(kin__os_has_ended(getpid(), ticks - 1));
}

TEST(zombies_and_the_reaped_have_ended)
{
    pid_t pid = test_child(stay, NULL);
    uint64_t ticks = start_of(pid);
    kin__os_kill(pid, SIGKILL);
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    CHECK(kin__os_has_ended(pid, ticks));
    CHECK_EQ(test_join(pid), -SIGKILL);
    CHECK(kin__os_has_ended(pid, ticks));
}

static void *leave_when_told(void *ctx)
{
    _Atomic uint32_t *word = ctx;
    while (*word == 0) {
        kin__os_wait(word, 0, KIN__NEVER);
    }
    kin__os_leave(0);
}

static int leave_main_thread(void *ctx)
{
    pthread_t thread;
    pthread_create(&thread, NULL, leave_when_told, ctx);
    pthread_exit(NULL);
}

static char state_of(pid_t pid)
{
    char path[32];
    char text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return kin__os_read_file(path, text, sizeof text) > 0 ? strrchr(text, ')')[2] : '?';
}

TEST(a_process_lives_on_without_its_main_thread)
{
    _Atomic uint32_t *word = test_shared(sizeof *word);
    pid_t pid = test_child(leave_main_thread, (void *)word);
    uint64_t ticks = start_of(pid);
    WAIT_UNTIL(state_of(pid) == 'Z');
    CHECK(!kin__os_has_ended(pid, ticks));
    CHECK_EQ(start_of(pid), ticks);
    kin__os_add_and_wake(word);
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    CHECK(kin__os_has_ended(pid, ticks));
    test_join(pid);
}

/* Processes to be looked at under hardship. */
struct others {
    pid_t living, reaped;
    uint64_t living_start, reaped_start;
};

static int judge(const struct others *others)
{
    return (kin__os_has_ended(others->living, others->living_start) ? 1 : 0) +
           (kin__os_has_ended(others->reaped, others->reaped_start) ? 0 : 2);
}

static int judge_without_descriptors(void *ctx)
{
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 });
    return judge(ctx);
}

static int judge_without_proc(void *ctx)
{
    if (chroot("/sys") < 0) {
        return 77;
    }
    return judge(ctx);
}

static int judge_by(int (*body)(void *ctx))
{
    struct others others = { .living = test_child(stay, NULL), .reaped = test_child(stay, NULL) };
    others.living_start = start_of(others.living);
    others.reaped_start = start_of(others.reaped);
    kill_and_reap(others.reaped);
    int rv = test_join(test_child(body, &others));
    kill_and_reap(others.living);
    return rv;
}

TEST(without_descriptors_nobody_living_is_taken_for_dead)
{
    CHECK_EQ(judge_by(judge_without_descriptors), 0);
}

TEST(without_proc_nobody_living_is_taken_for_dead)
{
    int rv = judge_by(judge_without_proc);
    if (rv == 77) {
        SKIP("may not chroot");
    }
    CHECK_EQ(rv, 0);
}

static void *stay_in_thread(void *unused)
{
    (void)unused;
    wait_for_turn(1);
    return NULL;
}

TEST(threads_are_counted)
{
    int before = kin__os_thread_count();
    CHECK_GE(before, 1);
    pthread_t thread;
    turn = 0;
    pthread_create(&thread, NULL, stay_in_thread, NULL);
    CHECK_GT(kin__os_thread_count(), before);
    turn = 1;
    pthread_join(thread, NULL);
}

/* ---- waiting for children ------------------------------------------------------------- */

/* A pidfd, or -1 where there are none. */
static int pidfd_of(pid_t pid)
{
    int fd = kin__os_pidfd(pid);
    CHECK(fd >= 0 || fd == -ENOSYS);
    return fd >= 0 ? fd : -1;
}

TEST(a_pidfd_is_readable_when_its_process_has_ended)
{
    pid_t pid = test_child(stay, NULL);
    bool ended;
    int fd = pidfd_of(pid);
    if (fd >= 0) {
        CHECK_EQ(kin__os_poll(&fd, &ended, 1, 0), -ETIMEDOUT);
    }
    kill_and_reap(pid);
    if (fd < 0) {
        SKIP("this kernel has no pidfd_open");
    }
    CHECK_EQ(kin__os_poll(&fd, &ended, 1, KIN__NEVER), 1);
    kin__os_close(fd);
    CHECK_EQ(kin__os_pidfd(pid), -ESRCH);
}

static int end_when_told(void *ctx)
{
    _Atomic uint32_t *word = ctx;
    while (*word == 0) {
        kin__os_wait(word, 0, KIN__NEVER);
    }
    return 7;
}

static int wake_parent_later(void *ctx)
{
    kin__os_sleep_until(kin__os_now() + 20 * MS);
    return kin__os_add_and_wake(ctx) < 0;
}

/* A child that ends while its parent waits is noticed, and left to be reaped. */
static void wait_for_end(bool with_pidfd, int64_t deadline)
{
    _Atomic uint32_t *word = test_shared(sizeof *word);
    pid_t pid = test_child(end_when_told, (void *)word);
    int fd = with_pidfd ? pidfd_of(pid) : -1;
    pid_t waker = test_child(wake_parent_later, (void *)word);
    CHECK_EQ(kin__os_wait_child(pid, fd, deadline), 0);
    CHECK_EQ(kin__os_wait_child(pid, fd, 0), 0);
    CHECK_EQ(test_join(pid), 7);
    CHECK_EQ(test_join(waker), 0);
    if (fd >= 0) {
        kin__os_close(fd);
    }
}

TEST(wait_child_notices_the_end)
{
    wait_for_end(true, KIN__NEVER);
    wait_for_end(false, KIN__NEVER);
    wait_for_end(true, kin__os_now() + 10000 * MS);
    wait_for_end(false, kin__os_now() + 10000 * MS);
}

static long sleeps_so_far(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static void wait_in_vain(pid_t pid, int fd)
{
    CHECK_EQ(kin__os_wait_child(pid, fd, 0), -ETIMEDOUT);
    int64_t deadline = kin__os_now() + 20 * MS;
    long sleeps = sleeps_so_far();
    CHECK_EQ(kin__os_wait_child(pid, fd, deadline), -ETIMEDOUT);
    CHECK_GE(kin__os_now(), deadline);
    CHECK_GT(sleeps_so_far(), sleeps);
}

TEST(wait_child_times_out_and_sleeps_till_then)
{
    pid_t pid = test_child(stay, NULL);
    int fd = pidfd_of(pid);
    wait_in_vain(pid, fd);
    wait_in_vain(pid, -1);
    if (fd >= 0) {
        kin__os_close(fd);
    }
    kill_and_reap(pid);
}

/* Again and again: the first may come before its parent waits. */
static int signal_parent(void *ctx)
{
    while (kin__os_kill(*(pid_t *)ctx, SIGUSR1) == 0) {
        test_nap();
    }
    return 1;
}

static void interrupt(int signal)
{
    (void)signal;
    kin__os_interrupt();
}

static void be_interrupted(bool with_pidfd, int64_t deadline)
{
    pid_t self = getpid();
    pid_t pid = test_child(stay, NULL);
    int fd = with_pidfd ? pidfd_of(pid) : -1;
    pid_t disturber = test_child(signal_parent, &self);
    CHECK_EQ(kin__os_wait_child(pid, fd, deadline), -EINTR);
    kill_and_reap(disturber);
    kill_and_reap(pid);
    if (fd >= 0) {
        kin__os_close(fd);
    }
}

TEST(a_signal_handler_may_interrupt_wait_child)
{
    struct sigaction before;
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = interrupt }, &before);
    be_interrupted(true, KIN__NEVER);
    be_interrupted(false, KIN__NEVER);
    be_interrupted(true, kin__os_now() + 20000 * MS);
    be_interrupted(false, kin__os_now() + 20000 * MS);
    sigaction(SIGUSR1, &before, NULL);
}

TEST(wait_child_knows_only_children)
{
    CHECK_EQ(kin__os_wait_child(getpid(), -1, KIN__NEVER), -ECHILD);
    CHECK_EQ(kin__os_wait_child(getpid(), -1, 0), -ECHILD);
}

TEST(reap_takes_what_has_ended)
{
    int status = 42;
    pid_t got = 42;
    pid_t pid = test_child(stay, NULL);
    CHECK_EQ(kin__os_reap(pid, &status, &got), -EAGAIN);
    CHECK_EQ(kin__os_reap(-1, &status, &got), -EAGAIN);
    CHECK_EQ(status, 42);
    CHECK_EQ(got, 42);
    kin__os_kill(pid, SIGKILL);
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    CHECK_EQ(kin__os_reap(-1, &status, &got), 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK_EQ(got, pid);
    CHECK_EQ(kin__os_reap(pid, &status, &got), -ECHILD);
    CHECK_EQ(kin__os_reap(-1, &status, &got), -ECHILD);
    CHECK_EQ(kin__os_reap(start_zombie(), NULL, NULL), 0);
}

/* ---- ends ----------------------------------------------------------------------------- */

TEST(kill_says_when_there_is_nobody)
{
    pid_t pid = start_zombie();
    test_join(pid);
    CHECK_EQ(kin__os_kill(pid, 0), -ESRCH);
}

static int die_with_parent(void *ctx)
{
    pid_t parent = getppid();
    _Atomic uint32_t *ready = ctx;
    *ready = kin__os_die_with_parent(parent) == 0 ? 1 : 2;
    return stay(NULL);
}

static int leave_child_behind(void *ctx)
{
    _Atomic uint32_t *ready = ctx;
    test_child(die_with_parent, (void *)ready);
    while (*ready == 0) {
        test_nap();
    }
    return *ready == 1 ? 0 : 1;
}

TEST(a_child_dies_with_its_parent)
{
    _Atomic uint32_t *ready = test_shared(sizeof *ready);
    /* the output ends when the last process that could write is gone */
    CHECK_STR(output_of(STDOUT_FILENO, leave_child_behind, (void *)ready), "");
}

static int die_with_stranger(void *ctx)
{
    (void)ctx;
    return -kin__os_die_with_parent(getpid());
}

TEST(a_parent_that_is_gone_already_is_noticed)
{
    CHECK_EQ(test_join(test_child(die_with_stranger, NULL)), ESRCH);
}

TEST(a_name_is_kept_for_its_first_15_bytes)
{
    char before[16];
    char name[16];
    prctl(PR_GET_NAME, before);
    kin__os_set_name("a name that is too long");
    prctl(PR_GET_NAME, name);
    CHECK_STR(name, "a name that is ");
    kin__os_set_name(before);
}

/* ---- signals -------------------------------------------------------------------------- */

TEST(signals_are_ignored_and_taken_back)
{
    struct sigaction action;
    kin__os_ignore_signal(SIGUSR2);
    CHECK_EQ(raise(SIGUSR2), 0);
    kin__os_default_signal(SIGUSR2);
    sigaction(SIGUSR2, NULL, &action);
    CHECK(action.sa_handler == SIG_DFL);
}

static bool is_blocked(int signal)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, signal) == 1;
}

TEST(all_signals_but_faults_can_be_blocked_for_a_while)
{
    char saved[KIN__SIGNALS_SIZE];
    char again[KIN__SIGNALS_SIZE];
    kin__os_block_signals(saved, sizeof saved);
    CHECK(is_blocked(SIGTERM));
    CHECK(is_blocked(SIGUSR1));
    CHECK(!is_blocked(SIGSEGV));
    CHECK(!is_blocked(SIGBUS));
    kin__os_block_signals(again, sizeof again);
    kin__os_restore_signals(again, sizeof again);
    CHECK(is_blocked(SIGTERM));
    kin__os_restore_signals(saved, sizeof saved);
    CHECK(!is_blocked(SIGTERM));
}

/* ---- calls that fail on demand -------------------------------------------------------- */

#define CHECK_FAILS(call, error)                                                                   \
    do {                                                                                           \
        kin__fault_arm(KIN__FAULT_CALL, 1);                                                        \
        CHECK_EQ(call, error);                                                                     \
        CHECK(kin__fault_fired());                                                                 \
    } while (0)

TEST(every_call_can_be_made_to_fail)
{
    uint64_t ticks;
    CHECK_FAILS(kin__os_fork(), -EAGAIN);
    CHECK_FAILS(kin__os_pidfd(getpid()), -EMFILE);
    CHECK_FAILS(kin__os_start_time(getpid(), &ticks), -EMFILE);
    CHECK_FAILS(kin__os_die_with_parent(getppid()), -EPERM);
}
