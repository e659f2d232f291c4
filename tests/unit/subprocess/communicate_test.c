#include "programs.h"
#include "subprocess/popen.h"

#include <sys/eventfd.h>

#define MIB ((size_t)1 << 20)

static char *make_noise(size_t size)
{
    uint64_t *words = malloc(size);
    for (size_t i = 0; i < size / sizeof *words; i++) {
        words[i] = test_random();
    }
    return (char *)words;
}

static kin_popen *start(const char *line, kin_run_options options)
{
    kin_popen *popen = NULL;
    options.shell = true;
    options.in = KIN_PIPE;
    options.capture = true;
    CHECK_OK(kin_popen_new(&popen, ARGV(line), &options));
    return popen;
}

/* ---- however much --------------------------------------------------------------------- */

TEST_WITHIN(120, large_data_goes_through_both_ways)
{
    size_t size = 64 * MIB;
    char *noise = make_noise(size);
    kin_popen *popen = start("exec cat", (kin_run_options){ 0 });
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, noise, size, KIN_FOREVER, &done));
    CHECK_EQ(done.returncode, 0);
    CHECK_EQ(done.out_size, size);
    CHECK_EQ(memcmp(done.out, noise, size), 0);
    CHECK_EQ(done.out[size], 0);
    CHECK_STR(done.err, "");
    CHECK_EQ(done.err_size, 0);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
    free(noise);
}

TEST_WITHIN(120, both_pipes_are_full_at_once)
{
    size_t size = 4 * MIB;
    char *noise = make_noise(size);
    kin_popen *popen = start("exec tee /dev/stderr", (kin_run_options){ 0 });
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, noise, size, 1000, &done));
    CHECK_EQ(done.out_size, size);
    CHECK_EQ(done.err_size, size);
    CHECK_EQ(memcmp(done.out, noise, size), 0);
    CHECK_EQ(memcmp(done.err, noise, size), 0);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
    free(noise);
}

TEST(one_pipe_may_be_full_while_the_other_is_written)
{
    kin_completed_process done = { 0 };
    kin_popen *popen =
        start("head -c 1000000 /dev/zero >&2; echo out; head -c 1000000 /dev/zero >&2",
              (kin_run_options){ 0 });
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_STR(done.out, "out\n");
    CHECK_EQ(done.err_size, 2000000);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

TEST(any_size_arrives_with_a_zero_behind)
{
    for (size_t size = 1; size < 70000; size = size * 2 + (size_t)(test_random() % 3)) {
        char *noise = make_noise(size + 8);
        kin_popen *popen = start("exec cat", (kin_run_options){ 0 });
        kin_completed_process done = { 0 };
        CHECK_OK(kin_popen_communicate(popen, noise, size, KIN_FOREVER, &done));
        CHECK_EQ(done.out_size, size);
        CHECK_EQ(memcmp(done.out, noise, size), 0);
        CHECK_EQ(done.out[size], 0);
        kin_completed_process_done(&done);
        kin_popen_free(popen);
        free(noise);
    }
}

TEST(what_is_no_pipe_is_null_and_what_is_one_is_at_least_empty)
{
    kin_popen *popen = NULL;
    kin_completed_process done = { .returncode = 77 };
    CHECK_OK(kin_popen_new(&popen, ARGV("true"), OPTIONS(.out = KIN_PIPE)));
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_EQ(done.returncode, 0);
    CHECK_STR(done.out, "");
    CHECK_NULL(done.err);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

/* ---- input ---------------------------------------------------------------------------- */

TEST(a_program_need_not_read_its_input)
{
    size_t size = MIB;
    char *noise = make_noise(size);
    const char *const lines[] = { "exit 3", "exec <&-; echo closed; exit 3",
                                  "head -c 100000 >/dev/null; exit 3" };
    for (size_t i = 0; i < 3; i++) {
        kin_popen *popen = start(lines[i], (kin_run_options){ 0 });
        kin_completed_process done = { 0 };
        CHECK_OK(kin_popen_communicate(popen, noise, size, KIN_FOREVER, &done));
        CHECK_EQ(done.returncode, 3);
        CHECK_STR(done.out, i == 1 ? "closed\n" : "");
        kin_completed_process_done(&done);
        kin_popen_free(popen);
    }
    free(noise);
}

static volatile sig_atomic_t pipes_broken;

static void count_signal(int signal)
{
    (void)signal;
    pipes_broken++;
}

static void break_a_pipe(void)
{
    char *noise = make_noise(MIB);
    kin_popen *popen = start("exit 0", (kin_run_options){ 0 });
    CHECK_OK(kin_popen_communicate(popen, noise, MIB, KIN_FOREVER, NULL));
    kin_popen_free(popen);
    free(noise);
}

TEST(a_broken_pipe_raises_no_signal_and_takes_none_away)
{
    struct sigaction before;
    sigset_t pipe_signal;
    sigset_t waiting;
    sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = count_signal }, &before);
    break_a_pipe();
    CHECK_EQ(pipes_broken, 0);
    /* one that was there before stays */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe_signal, NULL);
    raise(SIGPIPE);
    break_a_pipe();
    sigpending(&waiting);
    CHECK(sigismember(&waiting, SIGPIPE));
    CHECK_EQ(pipes_broken, 0);
    sigprocmask(SIG_UNBLOCK, &pipe_signal, NULL);
    CHECK_EQ(pipes_broken, 1);
    sigaction(SIGPIPE, &before, NULL);
}

TEST(input_needs_a_pipe)
{
    kin_popen *popen = NULL;
    CHECK_OK(kin_popen_new(&popen, ARGV("cat"), OPTIONS(.in = KIN_DEVNULL)));
    CHECK_ERROR(kin_popen_communicate(popen, "x", 1, KIN_FOREVER, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 1, KIN_FOREVER, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, (double)NAN, NULL), KIN_EINVAL);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, NULL));
    kin_popen_free(popen);
    popen = start("exec cat", (kin_run_options){ 0 });
    CHECK_OK(kin_popen_close_stdin(popen));
    CHECK_ERROR(kin_popen_communicate(popen, "x", 1, KIN_FOREVER, NULL), KIN_ESTATE);
    CHECK_ERROR(kin_popen_communicate(popen, "x", 1, 1000, NULL), KIN_ESTATE);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, NULL));
    kin_popen_free(popen);
}

TEST(what_is_there_can_be_had_without_waiting)
{
    size_t size = 60000; /* a pipe takes it, a buffer has to grow for it */
    kin_popen *popen = start("head -c 60000 /dev/zero; exec >&- 2>&-; kill -STOP $$",
                             (kin_run_options){ .in = 0 });
    char byte;
    CHECK_EQ(read(kin_popen_stderr(popen), &byte, 1), 0); /* by now all is written */
    CHECK_OK(kin__popen_begin(popen, NULL, 0, "test"));
    kin__popen_drain(popen);
    CHECK_EQ(popen->out.size, size);
    CHECK_EQ(popen->out.fd, -1);
    CHECK_OK(kin_popen_kill(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGKILL);
    kin_popen_free(popen);
}

TEST(a_timeout_of_0_takes_all_that_is_there)
{
    kin_popen *popen = start("head -c 60000 /dev/zero; head -c 60000 /dev/zero >&2; exit 4",
                             (kin_run_options){ .in = 0 });
    kin_completed_process done = { 0 };
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 4);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, 0, &done));
    CHECK_EQ(done.out_size, 60000);
    CHECK_EQ(done.err_size, 60000);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

/* An eventfd of that kind can be read four billion times. */
TEST(a_pipe_that_never_is_empty_does_not_make_it_forget_the_time)
{
    kin_popen *popen = start("exec cat", (kin_run_options){ .in = 0 });
    int endless = eventfd(UINT32_MAX, EFD_SEMAPHORE | EFD_CLOEXEC);
    CHECK_EQ(dup2(endless, kin_popen_stdout(popen)), kin_popen_stdout(popen));
    close(endless);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, 0, NULL), KIN_ETIMEDOUT);
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    kin_popen_free(popen);
}

/* ---- by and by ------------------------------------------------------------------------ */

TEST(a_timeout_loses_nothing)
{
    size_t size = MIB;
    char *noise = make_noise(size);
    char *given = malloc(size);
    memcpy(given, noise, size);
    int gate[2];
    CHECK_EQ(kin__os_pipe(gate), 0);
    char line[128];
    snprintf(line, sizeof line, "head -c 70000; read go </proc/self/fd/%d; exec cat", gate[0]);
    kin_popen *popen = start(line, (kin_run_options){ .fds = &gate[0], .n_fds = 1 });
    kin_completed_process done = { .returncode = 77 };
    CHECK_ERROR(kin_popen_communicate(popen, given, size, 0.01, &done), KIN_ETIMEDOUT);
    memset(given, 0, size); /* it was only lent */
    free(given);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, 0, &done), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, 0.05, &done), KIN_ETIMEDOUT);
    CHECK_EQ(done.returncode, 77);
    CHECK_NULL(done.out);
    CHECK_ERROR(kin_popen_communicate(popen, "more", 4, 0.01, &done), KIN_ESTATE);
    CHECK_EQ(write(gate[1], "go\n", 3), 3);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_EQ(done.returncode, 0);
    CHECK_EQ(done.out_size, size);
    CHECK_EQ(memcmp(done.out, noise, size), 0);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
    close(gate[0]);
    close(gate[1]);
    free(noise);
}

TEST(one_that_is_freed_with_input_left_leaks_nothing)
{
    char *noise = make_noise(MIB);
    kin_popen *popen = start("exec sleep 1000", (kin_run_options){ 0 });
    CHECK_ERROR(kin_popen_communicate(popen, noise, MIB, 0, NULL), KIN_ETIMEDOUT);
    free(noise);
    CHECK_OK(kin_popen_kill(popen));
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), -SIGKILL);
    kin_popen_free(popen);
}

TEST(what_was_read_before_does_not_come_again)
{
    kin_popen *popen =
        start_line("echo first; cat; echo last", "first\n", (kin_run_options){ .in = KIN_PIPE });
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, "middle\n", 7, KIN_FOREVER, &done));
    CHECK_STR(done.out, "middle\nlast\n");
    kin_completed_process_done(&done);
    /* and afterwards there is no more, and no pipe */
    CHECK_EQ(kin_popen_stdin(popen), -1);
    CHECK_EQ(kin_popen_stdout(popen), -1);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_EQ(done.returncode, 0);
    CHECK_NULL(done.out);
    kin_popen_free(popen);
}

TEST(a_pipe_ends_with_the_last_who_holds_it)
{
    int gate[2];
    CHECK_EQ(kin__os_pipe(gate), 0);
    char line[128];
    snprintf(line, sizeof line, "(read go </proc/self/fd/%d; echo grandchild) & echo child",
             gate[0]);
    kin_popen *popen = start(line, (kin_run_options){ .fds = &gate[0], .n_fds = 1 });
    kin_completed_process done = { 0 };
    CHECK_EQ(kin_popen_wait(popen, KIN_FOREVER), 0);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, 0.01, &done), KIN_ETIMEDOUT);
    CHECK_EQ(write(gate[1], "go\n", 3), 3);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_STR(done.out, "child\ngrandchild\n");
    kin_completed_process_done(&done);
    kin_popen_free(popen);
    close(gate[0]);
    close(gate[1]);
}

TEST(it_waits_for_the_end_also_when_the_pipes_have_theirs)
{
    kin_popen *popen = start("exec >&- 2>&-; kill -STOP $$; exit 8", (kin_run_options){ 0 });
    kin_completed_process done = { 0 };
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, 0.05, &done), KIN_ETIMEDOUT);
    int rv;
    do { /* it may not have stopped yet */
        CHECK_OK(kin_popen_send_signal(popen, SIGCONT));
        rv = kin_popen_communicate(popen, NULL, 0, 0.01, &done);
    } while (rv == KIN_ETIMEDOUT);
    CHECK_OK(rv);
    CHECK_EQ(done.returncode, 8);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

TEST(a_descriptor_closed_behind_its_back_is_said)
{
    kin_popen *popen = start("exec cat", (kin_run_options){ 0 });
    int out = kin_popen_stdout(popen);
    int copy = dup(out);
    close(out);
    CHECK_ERROR(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, NULL), KIN_EOS);
    CHECK_EQ(dup2(copy, out), out);
    close(copy);
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, NULL));
    kin_popen_free(popen);
}
