#include "programs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- stdin, stdout, stderr ------------------------------------------------------------ */

/* Says "out" and "err" there, and what it reads. */
#define TALK "echo out; echo err >&2; cat"

/* Runs it with 0, 1 and 2 of this process being pipes with "in" in the first; what comes out of the
 * others as "out|err". */
struct inherited {
    kin_run_options options;
    char text[256];
};

static int run_inherited(void *ctx)
{
    struct inherited *it = ctx;
    int in[2];
    int out[2];
    int err[2];
    char text[2][100];
    CHECK_EQ(pipe(in) + pipe(out) + pipe(err), 0);
    CHECK_EQ(write(in[1], "in\n", 3), 3);
    dup2(in[0], 0);
    dup2(out[1], 1);
    dup2(err[1], 2);
    close(in[1]);
    close(out[1]);
    close(err[1]);
    it->options.shell = true;
    int rv = kin_run(ARGV(TALK), &it->options, NULL);
    close(1);
    close(2);
    read_all(out[0], text[0], sizeof text[0]);
    read_all(err[0], text[1], sizeof text[1]);
    snprintf(it->text, sizeof it->text, "%s|%s", text[0], text[1]);
    return rv == 0 ? 0 : 1;
}

static const char *inherit(kin_run_options options)
{
    struct inherited *it = test_shared(sizeof *it);
    it->options = options;
    CHECK_EQ(test_join(test_child(run_inherited, it)), 0);
    return it->text;
}

#define INHERIT(...) inherit((kin_run_options){ __VA_ARGS__ })

TEST(what_is_not_said_is_this_processs_own)
{
    CHECK_STR(INHERIT(.out = KIN_INHERIT), "out\nin\n|err\n");
}

TEST(null_takes_everything_and_gives_nothing)
{
    CHECK_STR(INHERIT(.in = KIN_DEVNULL), "out\n|err\n");
    CHECK_STR(INHERIT(.out = KIN_DEVNULL), "|err\n");
    CHECK_STR(INHERIT(.err = KIN_DEVNULL), "out\nin\n|");
}

TEST(stderr_goes_where_stdout_goes)
{
    CHECK_STR(INHERIT(.err = KIN_STDOUT), "out\nerr\nin\n|");
    CHECK_STR(INHERIT(.out = KIN_DEVNULL, .err = KIN_STDOUT), "|");
    CHECK_STR(INHERIT(.out = 2, .err = KIN_STDOUT), "|out\nerr\nin\n");
    kin_completed_process done = { 0 };
    CHECK_OK(kin_run(ARGV(TALK),
                     OPTIONS(.shell = true, .input = "x", .capture = true, .err = KIN_STDOUT),
                     &done));
    CHECK_STR(done.out, "out\nerr\nx");
    CHECK_NULL(done.err);
    kin_completed_process_done(&done);
}

TEST(stdout_and_stderr_can_change_places)
{
    CHECK_STR(INHERIT(.out = 2, .err = 1), "err\n|out\nin\n");
}

TEST(descriptors_of_ours_become_stdio)
{
    int in[2];
    int out[2];
    char text[64];
    CHECK_EQ(kin__os_pipe(in) + kin__os_pipe(out), 0);
    CHECK_EQ(write(in[1], "in", 2), 2);
    close(in[1]);
    CHECK_OK(kin_run(ARGV(TALK), OPTIONS(.shell = true, .in = in[0], .out = out[1], .err = out[1]),
                     NULL));
    close(in[0]);
    close(out[1]);
    read_all(out[0], text, sizeof text);
    CHECK_STR(text, "out\nerr\nin");
    close(out[0]);
}

TEST(capture_takes_what_the_options_do_not_give_elsewhere)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_run(ARGV(TALK),
                     OPTIONS(.shell = true, .input = "", .capture = true, .err = KIN_DEVNULL),
                     &done));
    CHECK_STR(done.out, "out\n");
    CHECK_EQ(done.out_size, 4);
    CHECK_NULL(done.err);
    CHECK_EQ(done.err_size, 0);
    kin_completed_process_done(&done);
    CHECK_OK(kin_run(ARGV(TALK), OPTIONS(.shell = true, .in = KIN_PIPE, .capture = true), &done));
    CHECK_STR(done.out, "out\n");
    CHECK_STR(done.err, "err\n");
    kin_completed_process_done(&done);
}

TEST(a_popen_has_ends_of_the_pipes_that_were_asked_for)
{
    kin_popen *popen = NULL;
    CHECK_OK(kin_popen_new(&popen, ARGV("true"), NULL));
    CHECK_EQ(kin_popen_stdin(popen), -1);
    CHECK_EQ(kin_popen_stdout(popen), -1);
    CHECK_EQ(kin_popen_stderr(popen), -1);
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
    CHECK_OK(kin_popen_new(&popen, ARGV("cat"), OPTIONS(.in = KIN_PIPE, .capture = true)));
    int fds[3] = { kin_popen_stdin(popen), kin_popen_stdout(popen), kin_popen_stderr(popen) };
    for (int i = 0; i < 3; i++) {
        CHECK_GT(fds[i], 2);
        CHECK_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        CHECK_EQ(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
    }
    char text[8] = "";
    CHECK_EQ(write(fds[0], "hello", 5), 5);
    CHECK_EQ(read(fds[1], text, sizeof text), 5);
    CHECK_STR(text, "hello");
    CHECK_OK(kin_popen_close_stdin(popen));
    CHECK_EQ(read(fds[1], text, sizeof text), 0);
    CHECK_EQ(read(fds[2], text, sizeof text), 0);
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
}

/* ---- where we have no stdio ourselves ------------------------------------------------- */

/* Bits: which of 0, 1 and 2 are closed here. */
static int run_closed(void *ctx)
{
    int closed = *(const int *)ctx;
    for (int i = 0; i < 3; i++) {
        if (closed >> i & 1) {
            close(i);
        }
    }
    kin_completed_process done = { 0 };
    const char *line = "cat; echo err >&2";
    if (kin_run(ARGV(line), OPTIONS(.shell = true, .input = "in\n", .capture = true), &done) < 0 ||
        strcmp(done.out, "in\n") != 0 || strcmp(done.err, "err\n") != 0) {
        return 1;
    }
    kin_completed_process_done(&done);
    /* inherited ones are closed there as they are here, and no pipe takes their places */
    line = "for i in 0 2; do [ -e /proc/$$/fd/$i ] && echo $i; done; exit 0";
    char wanted[8];
    snprintf(wanted, sizeof wanted, "%s%s", closed & 1 ? "" : "0\n", closed & 4 ? "" : "2\n");
    if (kin_run(ARGV(line), OPTIONS(.shell = true, .out = KIN_PIPE), &done) < 0 ||
        strcmp(done.out, wanted) != 0) {
        return 2;
    }
    kin_completed_process_done(&done);
    return kin_run(ARGV("exit 0"), OPTIONS(.shell = true, .in = KIN_DEVNULL, .err = KIN_STDOUT),
                   NULL) == 0
               ? 0
               : 3;
}

TEST(a_process_without_stdio_runs_programs)
{
    for (int closed = 0; closed < 8; closed++) {
        CHECK_EQ(test_join(test_child(run_closed, &closed)), 0);
    }
}

/* ---- descriptors ---------------------------------------------------------------------- */

TEST(a_program_has_stdio_and_the_listed_descriptors_and_no_others)
{
    kin_popen *beside = NULL; /* its pipes are not for the other one */
    CHECK_OK(kin_popen_new(&beside, ARGV("cat"), OPTIONS(.in = KIN_PIPE, .capture = true)));
    int next = dup(0);
    CHECK_LT(next, 50);
    CHECK_EQ(dup2(0, 50), 50); /* which an exec would not close */
    CHECK_EQ(dup2(0, 51), 51);
    kin_run_options options = { .fds = (int[]){ 51 }, .n_fds = 1, .err = KIN_PIPE };
    /* 3 is what ls itself reads from */
    CHECK_STR(output_with("exec env LC_ALL=C ls /proc/self/fd", options), "0\n1\n2\n3\n51\n");
    close(next);
    close(50);
    close(51);
    CHECK_OK(kin_popen_communicate(beside, NULL, 0, KIN_FOREVER, NULL));
    kin_popen_free(beside);
}

static int run_without_descriptors(void *ctx)
{
    (void)ctx;
    int lowest = dup(0);
    close(lowest);
    for (int spare = 0;; spare++) {
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)(lowest + spare), 4096 });
        kin_completed_process done = { 0 };
        int rv = kin_run(ARGV("cat"), OPTIONS(.input = "x", .capture = true), &done);
        kin_completed_process_done(&done);
        if (rv == 0) {
            return spare > 3 ? 0 : 1;
        }
        if (rv != KIN_EMFILE || !kin_errmsg()[0] || dup(0) != (spare > 0 ? lowest : -1)) {
            return 2;
        }
        close(lowest);
    }
}

TEST(without_descriptors_nothing_is_started_and_nothing_lost)
{
    if (under_valgrind()) {
        SKIP("valgrind has descriptors in reserve");
    }
    CHECK_EQ(test_join(test_child(run_without_descriptors, NULL)), 0);
}

static int run_without_processes(void *ctx)
{
    (void)ctx;
    setrlimit(RLIMIT_NPROC, &(struct rlimit){ 0, 0 });
    if (setuid(65534) < 0) { /* root has no limit */
        return 77;
    }
    kin_popen *popen = NULL;
    return kin_run(ARGV("true"), OPTIONS(.capture = true), NULL) == KIN_EAGAIN &&
                   kin_popen_new(&popen, ARGV("true"), NULL) == KIN_EAGAIN
               ? 0
               : 1;
}

TEST(too_many_processes_are_said_to_be)
{
    int rv = test_join(test_child(run_without_processes, NULL));
    if (rv == 77) {
        SKIP("may not become somebody else");
    }
    CHECK_EQ(rv, 0);
}

/* ---- the rest ------------------------------------------------------------------------- */

TEST(it_starts_in_its_directory_with_its_environment)
{
    const char *const env[] = { "KIN_A=1 2", NULL };
    CHECK_STR(OUTPUT("pwd; echo $KIN_A $HOME", .cwd = "/usr", .env = env), "/usr\n1 2\n");
    setenv("KIN_B", "ours", 1);
    CHECK_STR(OUTPUT("echo $KIN_B", .cwd = NULL), "ours\n");
    unsetenv("KIN_B");
}

TEST(a_group_and_a_session_are_its_own)
{
    char ours[64];
    const char *line =
        "ps -o pgid=,sid= -p $$ | (read g s; [ $g = $$ ] && echo -n group; [ $s = $$ "
        "] && echo -n session; exit 0)";
    snprintf(ours, sizeof ours, "%d", (int)getpgrp());
    CHECK_STR(OUTPUT(line, .cwd = NULL), "");
    CHECK_STR(OUTPUT(line, .group = true), "group");
    CHECK_STR(OUTPUT(line, .session = true), "groupsession");
    CHECK_STR(OUTPUT(line, .session = true, .group = true), "groupsession");
}

static void ignore(int signal)
{
    (void)signal;
}

TEST(ignored_signals_are_ignored_and_all_others_as_they_were_born)
{
    sigset_t all;
    sigset_t mask;
    sigfillset(&all);
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = ignore }, NULL);
    sigaction(SIGUSR2, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    const char *text = OUTPUT("exec cat /proc/self/status", .cwd = NULL);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    CHECK_CONTAINS(text, "SigBlk:\t0000000000000000");
    CHECK_CONTAINS(text, "SigCgt:\t0000000000000000");
    uint64_t ignored = strtoull(strstr(text, "SigIgn:") + strlen("SigIgn:"), NULL, 16);
    CHECK_EQ(ignored >> (SIGUSR2 - 1) & 1, 1);
    CHECK_EQ(ignored >> (SIGUSR1 - 1) & 1, 0);
}

static int print_around(void *ctx)
{
    int *ends = ctx;
    dup2(ends[1], 1);
    printf("before\n");
    int rv = kin_run(ARGV("echo program"), OPTIONS(.shell = true), NULL);
    printf("after\n");
    return rv;
}

TEST(what_was_printed_before_comes_before)
{
    int ends[2];
    char text[64];
    CHECK_EQ(kin__os_pipe(ends), 0);
    pid_t pid = test_child(print_around, ends);
    close(ends[1]);
    read_all(ends[0], text, sizeof text);
    close(ends[0]);
    CHECK_EQ(test_join(pid), 0);
    CHECK_STR(text, "before\nprogram\nafter\n");
}
