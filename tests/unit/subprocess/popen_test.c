#include "programs.h"

#include <sys/wait.h>

#define STAY "echo here; exec sleep 1000" /* until it is killed */

static void kill_and_free(kin_popen *popen)
{
    CHECK_OK(kin_popen_kill(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGKILL);
    kin_popen_free(popen);
}

static bool is_zombie_of_ours(pid_t pid)
{
    siginfo_t info = { .si_pid = 0 };
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid == pid;
}

static bool is_child_of_ours(pid_t pid)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | WNOHANG) == 0;
}

/* ---- the end -------------------------------------------------------------------------- */

TEST(a_program_runs_until_it_has_ended)
{
    kin_popen *popen = NULL;
    CHECK_OK(
        kin_popen_new(&popen, ARGV("read line; exit 42"), OPTIONS(.shell = true, .in = KIN_PIPE)));
    CHECK_EQ(kin_popen_poll(popen), KIN_RUNNING);
    CHECK_GT(kin_popen_pid(popen), 0);
    CHECK_ERROR(kin_popen_wait(popen, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_popen_wait(popen, -1), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_popen_wait(popen, 0.01), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_popen_wait(popen, (double)NAN), KIN_EINVAL);
    CHECK_OK(kin_popen_close_stdin(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 42);
    CHECK_EQ(kin_popen_wait(popen, 0), 42);
    CHECK_EQ(kin_popen_poll(popen), 42);
    kin_popen_free(popen);
}

TEST(poll_sees_the_end)
{
    kin_popen *popen = NULL;
    CHECK_OK(kin_popen_new(&popen, ARGV("exit 3"), OPTIONS(.shell = true)));
    WAIT_UNTIL(kin_popen_poll(popen) != KIN_RUNNING);
    CHECK_EQ(kin_popen_poll(popen), 3);
    kin_popen_free(popen);
}

/* The nth call is to fail: the one that would give the pidfd. */
static kin_popen *start_without_pidfd(const char *line)
{
    kin_popen *popen = NULL;
    kin__fault_arm(KIN__FAULT_CALL, 2);
    CHECK_OK(kin_popen_new(&popen, ARGV(line), OPTIONS(.shell = true)));
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_CALL, 0);
    return popen;
}

TEST(without_a_pidfd_it_is_waited_for_too)
{
    kin_popen *popen = start_without_pidfd("exec sleep 1000");
    CHECK_EQ(kin_popen_poll(popen), KIN_RUNNING);
    CHECK_ERROR(kin_popen_wait(popen, 0.02), KIN_ETIMEDOUT);
    CHECK_OK(kin_popen_terminate(popen));
    CHECK_EQ(kin_popen_wait(popen, 1000), -SIGTERM);
    kin_popen_free(popen);
    popen = start_without_pidfd("exit 4");
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 4);
    kin_popen_free(popen);
}

/* ---- somebody else reaps -------------------------------------------------------------- */

/* The code, where the kernel remembers it; but never another one. */
static void is_code_or_unknown(int code, int wanted)
{
    if (code != wanted) {
        CHECK_ERROR(code, KIN_ENOTFOUND);
    }
}

TEST(with_sigchld_ignored_the_end_is_seen)
{
    kin__os_ignore_signal(SIGCHLD);
    for (int i = 0; i < 20; i++) {
        kin_popen *popen = NULL;
        CHECK_OK(kin_popen_new(&popen, ARGV("exit 7"), OPTIONS(.shell = true)));
        is_code_or_unknown(kin_popen_wait(popen, KIN_FOREVER), 7);
        is_code_or_unknown(kin_popen_poll(popen), 7);
        CHECK_OK(kin_popen_kill(popen)); /* of nobody: the number may be another's */
        kin_popen_free(popen);
    }
    kin_popen *unwatched = start_without_pidfd("exit 7");
    CHECK_ERROR(kin_popen_wait(unwatched, KIN_FOREVER), KIN_ENOTFOUND);
    CHECK_ERROR(kin_popen_poll(unwatched), KIN_ENOTFOUND);
    kin_popen_free(unwatched);
    kin__os_default_signal(SIGCHLD);
}

static void reap_all(int signal)
{
    int saved = errno;
    (void)signal;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = saved;
}

TEST(with_a_handler_that_reaps_all_the_end_is_seen)
{
    struct sigaction before;
    sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = reap_all }, &before);
    for (int i = 0; i < 20; i++) {
        kin_completed_process done = { 0 };
        CHECK_OK(kin_run(ARGV("echo x; exit 7"), OPTIONS(.shell = true, .capture = true), &done));
        CHECK_STR(done.out, "x\n");
        CHECK(done.returncode == 7 || done.returncode == KIN_ENOTFOUND);
        kin_completed_process_done(&done);
    }
    sigaction(SIGCHLD, &before, NULL);
}

TEST(other_children_of_the_program_are_left_to_it)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(9);
    }
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    CHECK_EQ(run_line("exit 0"), 0);
    kin_popen *popen = NULL;
    CHECK_OK(kin_popen_new(&popen, ARGV("true"), NULL));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
    CHECK_EQ(test_join(pid), 9);
}

/* ---- signals -------------------------------------------------------------------------- */

TEST(signals_arrive_and_the_exit_code_tells_which)
{
    kin_popen *popen = start_line(STAY, "here\n", (kin_run_options){ 0 });
    CHECK_OK(kin_popen_send_signal(popen, 0));
    CHECK_EQ(kin_popen_poll(popen), KIN_RUNNING);
    CHECK_OK(kin_popen_send_signal(popen, SIGUSR1));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGUSR1);
    kin_popen_free(popen);
    popen = start_line(STAY, "here\n", (kin_run_options){ 0 });
    CHECK_OK(kin_popen_terminate(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGTERM);
    kin_popen_free(popen);
    popen = start_line(STAY, "here\n", (kin_run_options){ 0 });
    kill_and_free(popen);
}

TEST(a_handled_signal_does_not_end_it)
{
    kin_popen *popen = start_line("trap 'exit 5' TERM; echo here; while :; do sleep 0.01; done",
                                  "here\n", (kin_run_options){ 0 });
    CHECK_OK(kin_popen_terminate(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 5);
    CHECK_OK(kin_popen_terminate(popen)); /* it has ended */
    CHECK_OK(kin_popen_kill(popen));
    CHECK_EQ(kin_popen_poll(popen), 5);
    kin_popen_free(popen);
}

TEST(there_are_no_signals_of_other_numbers)
{
    kin_popen *popen = start_line(STAY, "here\n", (kin_run_options){ 0 });
    CHECK_ERROR(kin_popen_send_signal(popen, -1), KIN_EINVAL);
    CHECK_ERROR(kin_popen_send_signal(popen, 1000), KIN_EINVAL);
    kill_and_free(popen);
    CHECK_ERROR(kin_popen_send_signal(NULL, SIGTERM), KIN_EINVAL);
}

/* The program and a child of its, which hold a pipe; an end of it tells that both are gone. */
static kin_popen *start_family(const char *line, kin_run_options options, int *ret_end)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    options.fds = &ends[1];
    options.n_fds = 1;
    kin_popen *popen = start_line(line, "here\n", options);
    close(ends[1]);
    *ret_end = ends[0];
    return popen;
}

static void wait_for_end_of(int fd)
{
    char byte;
    CHECK_EQ(read(fd, &byte, 1), 0);
    close(fd);
}

TEST(a_group_gets_the_signal_as_a_whole)
{
    for (int session = 0; session < 2; session++) {
        int held;
        kin_run_options options = { .group = !session, .session = session };
        kin_popen *popen = start_family("sleep 1000 & echo here; wait", options, &held);
        CHECK_OK(kin_popen_terminate(popen));
        CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGTERM);
        wait_for_end_of(held);
        kin_popen_free(popen);
    }
}

TEST(what_a_leader_left_behind_gets_the_signal_when_it_has_ended)
{
    int held;
    kin_popen *popen =
        start_family("sleep 1000 & echo here", (kin_run_options){ .group = true }, &held);
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    CHECK_EQ(kin_popen_poll(popen), 0);
    pid_t pid = kin_popen_pid(popen);
    CHECK(is_zombie_of_ours(pid)); /* so that no other group gets its number */
    CHECK_OK(kin_popen_kill(popen));
    wait_for_end_of(held);
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
    CHECK(!is_child_of_ours(pid));
}

TEST(what_a_reaped_leader_left_behind_gets_the_signal_where_the_kernel_can)
{
    int held;
    kin__os_ignore_signal(SIGCHLD);
    kin_popen *popen =
        start_family("sleep 1000 & echo here", (kin_run_options){ .group = true }, &held);
    is_code_or_unknown(kin_popen_wait(popen, KIN_FOREVER), 0);
    int probe = kin__os_pidfd(getpid());
    bool can = kin__os_signal_group_by(probe, 0) == 0;
    CHECK_OK(kin_popen_kill(popen));
    if (!can) { /* its group has the number that the leader had, and nobody else took it so fast */
        CHECK_EQ(kill(-kin_popen_pid(popen), SIGKILL), 0);
    }
    wait_for_end_of(held);
    kin_popen_free(popen);
    if (probe >= 0) {
        close(probe);
    }
    kin__os_default_signal(SIGCHLD);
}

TEST(a_leader_that_has_left_its_group_gets_the_signal)
{
    if (run_line("command -v perl >/dev/null") != 0) {
        SKIP("no perl, and no shell leaves its group");
    }
    kin_popen *popen = start_line(
        "exec perl -e 'setpgrp(0, getpgrp(getppid())); $| = 1; print \"here\\n\"; sleep'", "here\n",
        (kin_run_options){ .group = true });
    CHECK_EQ(getpgid(kin_popen_pid(popen)), getpgrp());
    CHECK_OK(kin_popen_terminate(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGTERM);
    kin_popen_free(popen);
}

TEST(without_a_group_the_program_alone_gets_it)
{
    int held;
    int child = 0;
    char text[32] = "";
    int told[2];
    CHECK_EQ(pipe(told), 0); /* the child's pid comes by its stderr */
    kin_popen *popen = start_family("sleep 1000 & echo $! >&2; echo here; wait",
                                    (kin_run_options){ .err = told[1] }, &held);
    close(told[1]);
    CHECK_GT(read(told[0], text, sizeof text - 1), 0);
    close(told[0]);
    child = atoi(text);
    kill_and_free(popen);
    bool ended;
    CHECK_EQ(kin__os_poll(&held, &ended, 1, 0), -ETIMEDOUT);
    CHECK_EQ(kill(child, SIGKILL), 0);
    wait_for_end_of(held);
}

/* ---- letting it go -------------------------------------------------------------------- */

/* Lets a program go that runs until its extra descriptor is read to the end. */
static pid_t let_go(int *ret_end, bool group)
{
    int ends[2];
    char line[64];
    kin_popen *popen = NULL;
    CHECK_EQ(kin__os_pipe(ends), 0);
    snprintf(line, sizeof line, "cat </proc/self/fd/%d", ends[0]);
    CHECK_OK(kin_popen_new(&popen, ARGV("cat"), OPTIONS(.in = ends[0], .group = group)));
    pid_t pid = kin_popen_pid(popen);
    close(ends[0]);
    kin_popen_free(popen);
    CHECK(is_child_of_ours(pid));
    CHECK(!is_zombie_of_ours(pid));
    *ret_end = ends[1];
    return pid;
}

TEST(what_is_freed_goes_on_and_is_reaped_by_a_later_call)
{
    for (int group = 0; group < 2; group++) {
        int end;
        pid_t pid = let_go(&end, group);
        CHECK_EQ(run_line("exit 0"), 0);
        CHECK(is_child_of_ours(pid));
        close(end);
        WAIT_UNTIL(is_zombie_of_ours(pid));
        CHECK_EQ(run_line("exit 0"), 0);
        CHECK(!is_child_of_ours(pid));
    }
}

TEST(each_call_reaps_those_that_were_let_go)
{
    int ends[3];
    pid_t pids[3];
    kin_popen *popen = start_line(STAY, "here\n", (kin_run_options){ 0 });
    for (int i = 0; i < 3; i++) {
        pids[i] = let_go(&ends[i], false);
    }
    close(ends[1]);
    WAIT_UNTIL(is_zombie_of_ours(pids[1]));
    CHECK_EQ(kin_popen_poll(popen), KIN_RUNNING);
    CHECK(!is_child_of_ours(pids[1]));
    CHECK(is_child_of_ours(pids[0]));
    close(ends[0]);
    close(ends[2]);
    WAIT_UNTIL(is_zombie_of_ours(pids[0]) && is_zombie_of_ours(pids[2]));
    kill_and_free(popen);
    CHECK(!is_child_of_ours(pids[0]));
    CHECK(!is_child_of_ours(pids[2]));
}

TEST(free_reaps_what_has_ended)
{
    for (int group = 0; group < 2; group++) {
        kin_popen *popen = NULL;
        CHECK_OK(kin_popen_new(&popen, ARGV("true"), OPTIONS(.group = group)));
        pid_t pid = kin_popen_pid(popen);
        WAIT_UNTIL(is_zombie_of_ours(pid));
        kin_popen_free(popen);
        CHECK(!is_child_of_ours(pid));
    }
    kin_popen_free(NULL);
}

TEST(free_closes_the_pipes)
{
    int held;
    kin_popen *cat = start_family("echo here; cat", (kin_run_options){ .in = KIN_PIPE }, &held);
    kin_popen_free(cat);
    wait_for_end_of(held); /* it has read an end */
    /* now it is reaped, whenever it is a zombie */
    WAIT_UNTIL(run_line("exit 0") == 0 && waitpid(-1, NULL, WNOHANG) < 0);
}

/* ---- after a fork --------------------------------------------------------------------- */

static int use_a_copy(void *ctx)
{
    kin_popen *popen = ctx;
    kin_completed_process done = { 0 };
    CHECK_ERROR(kin_popen_poll(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_wait(popen, 0), KIN_ESTATE);
    CHECK_ERROR(kin_popen_kill(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_terminate(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_send_signal(popen, SIGINT), KIN_ESTATE);
    CHECK_ERROR(kin_popen_close_stdin(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, 0, &done), KIN_ESTATE);
    CHECK_ERROR(kin_popen_pid(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_stdin(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_stdout(popen), KIN_ESTATE);
    CHECK_ERROR(kin_popen_stderr(popen), KIN_ESTATE);
    kin_popen_free(popen);
    return run_line("exit 6") == 6 ? 0 : 1;
}

TEST(a_forked_childs_copy_can_be_freed_and_no_more)
{
    int end;
    pid_t stray = let_go(&end, false);
    kin_popen *popen = start_line(STAY, "here\n", (kin_run_options){ .in = KIN_PIPE });
    CHECK_EQ(test_join(test_child(use_a_copy, popen)), 0);
    CHECK_EQ(kin_popen_poll(popen), KIN_RUNNING);
    CHECK(is_child_of_ours(stray));
    close(end);
    WAIT_UNTIL(is_zombie_of_ours(stray));
    kill_and_free(popen);
}

/* ---- bad input ------------------------------------------------------------------------ */

TEST(null_is_no_popen)
{
    CHECK_ERROR(kin_popen_poll(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_wait(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_popen_kill(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_terminate(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_close_stdin(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_communicate(NULL, NULL, 0, 0, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_pid(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_stdin(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_stdout(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_stderr(NULL), KIN_EINVAL);
}

TEST(only_a_pipe_can_be_closed)
{
    kin_popen *popen = NULL;
    CHECK_OK(kin_popen_new(&popen, ARGV("true"), NULL));
    CHECK_ERROR(kin_popen_close_stdin(popen), KIN_ESTATE);
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
    CHECK_OK(kin_popen_new(&popen, ARGV("cat"), OPTIONS(.in = KIN_PIPE)));
    CHECK_OK(kin_popen_close_stdin(popen));
    CHECK_OK(kin_popen_close_stdin(popen)); /* twice is no harm */
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
}
