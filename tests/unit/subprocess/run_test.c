#include "programs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#define TEXT "some text\n"

static kin_completed_process run(const char *line, kin_run_options options)
{
    kin_completed_process done = { 0 };
    options.shell = true;
    options.capture = true;
    CHECK_OK(kin_run(ARGV(line), &options, &done));
    return done;
}

#define RUN(line, ...) run(line, (kin_run_options){ __VA_ARGS__ })

/* ---- from start to end ---------------------------------------------------------------- */

TEST(a_program_is_run_and_its_output_taken)
{
    kin_completed_process done = RUN("echo out; echo err >&2; exit 3", .in = KIN_DEVNULL);
    CHECK_EQ(done.returncode, 3);
    CHECK_STR(done.out, "out\n");
    CHECK_EQ(done.out_size, 4);
    CHECK_STR(done.err, "err\n");
    CHECK_EQ(done.err_size, 4);
    kin_completed_process_done(&done);
    CHECK_NULL(done.out);
    CHECK_NULL(done.err);
    CHECK_EQ(done.returncode, 0);
    kin_completed_process_done(&done);
    kin_completed_process_done(NULL);
}

TEST(the_exit_code_is_minus_the_signal_that_ended_it)
{
    CHECK_EQ(run_line("exit 255"), 255);
    CHECK_EQ(run_line("kill -KILL $$"), -SIGKILL);
    CHECK_EQ(run_line("ulimit -c 0; kill -SEGV $$"), -SIGSEGV);
}

TEST(neither_options_nor_result_are_needed)
{
    CHECK_OK(kin_run(ARGV("true"), NULL, NULL));
    CHECK_OK(kin_run(ARGV("false"), NULL, NULL));
    CHECK_OK(kin_run(ARGV("echo", "hello"), OPTIONS(.capture = true), NULL));
}

TEST(input_is_a_string_or_so_many_bytes)
{
    kin_completed_process done = RUN("exec cat", .input = TEXT);
    CHECK_STR(done.out, TEXT);
    kin_completed_process_done(&done);
    done = RUN("exec cat", .input = TEXT, .input_size = 4);
    CHECK_STR(done.out, "some");
    kin_completed_process_done(&done);
    done = RUN("exec cat", .input = "a\0b", .input_size = 3, .in = KIN_PIPE);
    CHECK_EQ(done.out_size, 3);
    CHECK_EQ(memcmp(done.out, "a\0b", 4), 0);
    kin_completed_process_done(&done);
    done = RUN("exec cat", .input = "");
    CHECK_STR(done.out, "");
    kin_completed_process_done(&done);
    done = RUN("exec cat", .in = KIN_PIPE); /* an end, at once */
    CHECK_STR(done.out, "");
    kin_completed_process_done(&done);
}

/* ---- check ---------------------------------------------------------------------------- */

TEST(check_makes_errors_of_exit_codes)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_run(ARGV("true"), OPTIONS(.check = true), &done));
    CHECK_ERROR(kin_run(ARGV("echo before; exit 3"),
                        OPTIONS(.check = true, .shell = true, .capture = true), &done),
                KIN_EFAILED);
    CHECK_CONTAINS(kin_errmsg(), "ended with 3");
    CHECK_EQ(done.returncode, 3);
    CHECK_STR(done.out, "before\n");
    kin_completed_process_done(&done);
    CHECK_ERROR(kin_run(ARGV("kill -9 $$"), OPTIONS(.check = true, .shell = true), NULL),
                KIN_EFAILED);
    CHECK_CONTAINS(kin_errmsg(), "signal 9");
}

/* Without a pidfd, and with SIGCHLD ignored, nobody knows the code. */
TEST(check_takes_no_unknown_code_for_success)
{
    kin_completed_process done = { 0 };
    kin__os_ignore_signal(SIGCHLD);
    kin__fault_arm(KIN__FAULT_CALL, 2);
    CHECK_OK(kin_run(ARGV("true"), NULL, &done));
    CHECK(kin__fault_fired());
    CHECK_EQ(done.returncode, KIN_ENOTFOUND);
    kin__fault_arm(KIN__FAULT_CALL, 2);
    done.returncode = 0;
    CHECK_ERROR(kin_run(ARGV("true"), OPTIONS(.check = true), &done), KIN_ENOTFOUND);
    CHECK_EQ(done.returncode, KIN_ENOTFOUND);
    kin__fault_arm(KIN__FAULT_CALL, 0);
    kin__os_default_signal(SIGCHLD);
}

/* ---- timeout -------------------------------------------------------------------------- */

/* Runs out of time; longer and longer, until it has written `says` by then. */
static kin_completed_process overrun(const char *line, const char *says, kin_run_options options)
{
    options.shell = true;
    options.capture = true;
    for (options.timeout = 0.05;; options.timeout *= 2) {
        kin_completed_process done = { 0 };
        CHECK_ERROR(kin_run(ARGV(line), &options, &done), KIN_ETIMEDOUT);
        CHECK_CONTAINS(kin_errmsg(), "killed");
        if (done.out_size >= strlen(says)) {
            CHECK_STR(done.out, says);
            return done;
        }
        kin_completed_process_done(&done);
    }
}

TEST(a_timeout_kills_and_gives_what_was_written_until_then)
{
    kin_completed_process done =
        overrun("echo err >&2; echo here; exec sleep 1000", "here\n", (kin_run_options){ 0 });
    CHECK_EQ(done.returncode, -SIGKILL);
    CHECK_STR(done.err, "err\n");
    kin_completed_process_done(&done);
    CHECK_ERROR(kin_run(ARGV("sleep", "1000"), OPTIONS(.timeout = 0.01), NULL), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_run(ARGV("sleep", "1000"), OPTIONS(.timeout = 1e-12), &done), KIN_ETIMEDOUT);
    CHECK_EQ(done.returncode, -SIGKILL);
    kin_completed_process_done(&done);
}

TEST(who_is_in_time_is_not_killed)
{
    kin_completed_process done = RUN("echo x", .timeout = 1000);
    CHECK_EQ(done.returncode, 0);
    kin_completed_process_done(&done);
    done = RUN("echo x", .timeout = KIN_FOREVER);
    CHECK_EQ(done.returncode, 0);
    kin_completed_process_done(&done);
    done = RUN("echo x", .timeout = (double)INFINITY);
    CHECK_EQ(done.returncode, 0);
    kin_completed_process_done(&done);
}

/* A grandchild holds the pipes and one more, whose end tells that it is gone. */
#define FAMILY "sleep 1000 & echo here; "

static kin_completed_process overrun_family(const char *line, kin_run_options options,
                                            int *ret_held)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    options.fds = &ends[1];
    options.n_fds = 1;
    kin_completed_process done = overrun(line, "here\n", options);
    close(ends[1]);
    *ret_held = ends[0];
    return done;
}

TEST(a_timeout_kills_the_whole_group)
{
    for (int i = 0; i < 4; i++) {
        int held;
        char byte;
        kin_run_options options = { .group = i % 2 == 0, .session = i % 2 == 1 };
        const char *line = i < 2 ? FAMILY "wait" : FAMILY "exit 0";
        kin_completed_process done = overrun_family(line, options, &held);
        CHECK_EQ(done.returncode, i < 2 ? -SIGKILL : 0);
        CHECK_EQ(read(held, &byte, 1), 0);
        close(held);
        kin_completed_process_done(&done);
    }
}

TEST(who_holds_the_pipes_and_is_in_no_group_is_not_waited_for)
{
    int told[2];
    char text[4096];
    int held;
    bool ended;
    CHECK_EQ(pipe(told), 0);
    kin_completed_process done =
        overrun_family("sleep 1000 2>/dev/null & echo $! >&2; echo here; wait",
                       (kin_run_options){ .err = told[1] }, &held);
    CHECK_EQ(done.returncode, -SIGKILL);
    kin_completed_process_done(&done);
    CHECK_EQ(kin__os_poll(&held, &ended, 1, 0), -ETIMEDOUT);
    close(told[1]);
    read_all(told[0], text, sizeof text);
    close(told[0]);
    for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        CHECK_EQ(kill(atoi(at), SIGKILL), 0); /* one for each attempt */
    }
    CHECK_EQ(read(held, text, 1), 0);
    close(held);
}

/* A stranger who writes and writes does not keep us for ever; it dies of its broken pipe. */
TEST(a_pipe_that_is_never_empty_ends_too)
{
    kin_completed_process done = { 0 };
    CHECK_ERROR(kin_run(ARGV("yes & exec sleep 1000"),
                        OPTIONS(.shell = true, .out = KIN_PIPE, .timeout = 0.02), &done),
                KIN_ETIMEDOUT);
    CHECK_EQ(done.returncode, -SIGKILL);
    kin_completed_process_done(&done);
}

/* ---- signals of this process ---------------------------------------------------------- */

static _Atomic int handled;

static void count_signal(int signal)
{
    (void)signal;
    handled++;
}

/* Surprises the main thread in its sleep, again and again, then lets the program end. */
static void *disturb(void *ctx)
{
    const int *gate = ctx;
    for (int i = 1; i <= 40; i++) {
        WAIT_UNTIL(test_is_asleep(getpid()));
        kill(getpid(), i % 2 == 0 ? SIGINT : SIGTERM);
        WAIT_UNTIL(handled == i);
    }
    close(*gate);
    return NULL;
}

/* A thread that disturbs has all signals blocked: they are for the one that runs the program. */
static pthread_t start_disturbing(int *gate)
{
    pthread_t thread;
    char saved[KIN__SIGNALS_SIZE];
    kin__os_block_signals(saved, sizeof saved);
    CHECK_EQ(pthread_create(&thread, NULL, disturb, gate), 0);
    kin__os_restore_signals(saved, sizeof saved);
    return thread;
}

static void run_disturbed(const char *line)
{
    int gate[2];
    CHECK_EQ(kin__os_pipe(gate), 0);
    handled = 0;
    pthread_t thread = start_disturbing(&gate[1]);
    kin_completed_process done = RUN(line, .in = gate[0]);
    CHECK_EQ(done.returncode, 4);
    CHECK_STR(done.out, "a\n");
    pthread_join(thread, NULL);
    close(gate[0]);
    kin_completed_process_done(&done);
}

TEST(signals_with_a_handler_do_not_disturb_a_run)
{
    struct sigaction old[2];
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = count_signal }, &old[0]);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = count_signal }, &old[1]);
    run_disturbed("echo a; cat; exit 4");                /* while it reads */
    run_disturbed("echo a; exec >&- 2>&-; cat; exit 4"); /* while it waits for the end */
    sigaction(SIGINT, &old[0], NULL);
    sigaction(SIGTERM, &old[1], NULL);
}

static int be_terminated(void *ctx)
{
    int *end = ctx;
    return kin_run(ARGV("kill -TERM $PPID; cat"), OPTIONS(.shell = true, .in = *end), NULL);
}

TEST(without_a_handler_they_end_this_process_and_the_program_goes_on)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    CHECK_EQ(test_join(test_child(be_terminated, &ends[0])), -SIGTERM);
    close(ends[0]);
    close(ends[1]); /* now it ends */
}

/* ---- threads -------------------------------------------------------------------------- */

static void *run_many(void *ctx)
{
    intptr_t wrong = 0;
    for (int i = 0; i < 25; i++) {
        char line[64];
        kin_completed_process done = { 0 };
        snprintf(line, sizeof line, "cat; exit %d", (int)(intptr_t)ctx + i);
        int rv = kin_run(ARGV(line), OPTIONS(.shell = true, .input = TEXT, .capture = true), &done);
        wrong += rv != 0 || done.returncode != (intptr_t)ctx + i || strcmp(done.out, TEXT) != 0;
        kin_completed_process_done(&done);
        kin_popen *popen = NULL; /* let go, and reaped by whomever */
        wrong += kin_popen_new(&popen, ARGV("true"), NULL) != 0;
        kin_popen_free(popen);
    }
    return (void *)wrong;
}

TEST(threads_run_programs_at_the_same_time)
{
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, run_many, (void *)(i * 50));
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK_EQ((intptr_t)wrong, 0);
    }
    WAIT_UNTIL(run_line("exit 0") == 0 && waitpid(-1, NULL, WNOHANG) < 0);
}

TEST(many_runs_leave_nothing_behind)
{
    for (int i = 0; i < 200; i++) {
        kin_completed_process done = { 0 };
        CHECK_OK(kin_run(ARGV("true"), OPTIONS(.capture = true, .group = i % 2), &done));
        kin_completed_process_done(&done);
    }
    int lowest = dup(0);
    CHECK_LT(lowest, 20);
    close(lowest);
}
