#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static void close_both(const int ends[2])
{
    kin__os_close(ends[0]);
    kin__os_close(ends[1]);
}

/* ---- pipes and terminals -------------------------------------------------------------- */

TEST(a_pipe_closes_on_exec)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
    close_both(ends);
}

TEST(a_terminal_is_told_from_a_pipe)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    CHECK(!kin__os_is_terminal(ends[1]));
    close_both(ends);
    CHECK(!kin__os_is_terminal(-1));
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) {
        SKIP("no pseudo-terminals here");
    }
    CHECK(kin__os_is_terminal(terminal));
    kin__os_close(terminal);
}

/* ---- waiting -------------------------------------------------------------------------- */

TEST(poll_tells_which_are_readable_and_skips_those_below_0)
{
    int a[2];
    int b[2];
    CHECK_EQ(kin__os_pipe(a), 0);
    CHECK_EQ(kin__os_pipe(b), 0);
    int fds[3] = { a[0], -1, b[0] };
    bool ready[3] = { true, true, true };
    CHECK_EQ(kin__os_poll(fds, ready, 3, 0), -ETIMEDOUT);
    CHECK(ready[0] && ready[1] && ready[2]);
    CHECK_EQ(write(b[1], "x", 1), 1);
    CHECK_EQ(kin__os_poll(fds, ready, 3, KIN__NEVER), 1);
    CHECK(!ready[0] && !ready[1] && ready[2]);
    kin__os_close(a[1]);
    CHECK_EQ(kin__os_poll(fds, ready, 3, KIN__NEVER), 2);
    CHECK(ready[0] && !ready[1] && ready[2]);
    kin__os_close(a[0]);
    close_both(b);
}

TEST(poll_times_out_at_its_deadline)
{
    int none = -1;
    bool ready;
    int64_t deadline = kin__os_now() + 5 * MS;
    CHECK_EQ(kin__os_poll(&none, &ready, 1, deadline), -ETIMEDOUT);
    CHECK_GE(kin__os_now(), deadline);
    deadline = kin__os_now() + 1;
    CHECK_EQ(kin__os_poll(NULL, NULL, 0, deadline), -ETIMEDOUT);
    CHECK_GE(kin__os_now(), deadline);
}

static int poll_many(void *ctx)
{
    enum { MANY = 100 };
    int fds[MANY];
    bool ready[MANY];
    int(*ends)[2] = ctx;
    for (int i = 0; i < MANY; i++) {
        fds[i] = i == 77 ? ends[1][0] : ends[0][0];
    }
    return kin__os_poll(fds, ready, MANY, KIN__NEVER) == 1 && ready[77] && !ready[76] ? 0 : 1;
}

TEST(poll_takes_any_number_of_descriptors)
{
    int ends[2][2];
    CHECK_EQ(kin__os_pipe(ends[0]), 0);
    CHECK_EQ(kin__os_pipe(ends[1]), 0);
    CHECK_EQ(write(ends[1][1], "x", 1), 1);
    CHECK_EQ(poll_many(ends), 0);
    int fds[17] = { 0 };
    bool ready[17];
    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    CHECK_EQ(kin__os_poll(fds, ready, 17, KIN__NEVER), -ENOMEM);
    close_both(ends[0]);
    close_both(ends[1]);
}

TEST(what_is_closed_is_an_error)
{
    int ends[2];
    bool ready;
    CHECK_EQ(kin__os_pipe(ends), 0);
    CHECK_EQ(kin__os_close(ends[0]), 0);
    CHECK_EQ(kin__os_close(ends[1]), 0);
    CHECK_EQ(kin__os_close(ends[1]), -EBADF);
    CHECK_EQ(kin__os_poll(ends, &ready, 1, KIN__NEVER), -EBADF);
}

TEST(stdio_is_polled_for_writing_first_and_for_reading_then)
{
    int in[2];
    int out[2];
    CHECK_EQ(kin__os_pipe(in), 0);
    CHECK_EQ(kin__os_pipe(out), 0);
    const int fds[3] = { in[1], out[0], -1 };
    const int none[3] = { -1, out[0], out[0] };
    bool ready[3] = { false, true, true };
    CHECK_EQ(kin__os_poll_stdio(fds, ready, KIN__NEVER), 1);
    CHECK(ready[0] && !ready[1] && !ready[2]);
    CHECK_EQ(kin__os_poll_stdio(none, ready, 0), -ETIMEDOUT);
    CHECK(ready[0]);
    CHECK_EQ(write(out[1], "x", 1), 1);
    CHECK_EQ(kin__os_poll_stdio(none, ready, KIN__NEVER), 2);
    CHECK(!ready[0] && ready[1] && ready[2]);
    kin__os_close(in[0]); /* who writes there will hear of it */
    CHECK_EQ(kin__os_poll_stdio(fds, ready, KIN__NEVER), 2);
    CHECK(ready[0] && ready[1]);
    close_both(out);
    CHECK_EQ(kin__os_poll_stdio(none, ready, KIN__NEVER), -EBADF);
    kin__os_close(in[1]);
}

/* ---- reading and writing -------------------------------------------------------------- */

TEST(a_pipe_can_be_made_never_to_block)
{
    int ends[2];
    char bytes[65536] = "";
    CHECK_EQ(kin__os_pipe(ends), 0);
    CHECK_EQ(kin__os_never_block(ends[0]), 0);
    CHECK_EQ(kin__os_never_block(ends[1]), 0);
    CHECK_EQ(kin__os_never_block(99), -EBADF);
    CHECK_EQ(kin__os_read(ends[0], bytes, sizeof bytes), -EAGAIN);
    ssize_t n;
    do {
        n = kin__os_write(ends[1], bytes, sizeof bytes);
    } while (n > 0);
    CHECK_EQ(n, -EAGAIN);
    CHECK_EQ(kin__os_read(ends[0], bytes, 10), 10);
    close_both(ends);
    CHECK_EQ(kin__os_read(ends[0], bytes, 10), -EBADF);
    CHECK_EQ(kin__os_write(ends[1], bytes, 10), -EBADF);
}

static volatile sig_atomic_t signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

TEST(a_write_to_nobody_is_an_error_and_no_signal)
{
    int ends[2];
    sigset_t now;
    CHECK_EQ(kin__os_pipe(ends), 0);
    kin__os_close(ends[0]);
    signal(SIGPIPE, count_signal);
    CHECK_EQ(kin__os_write(ends[1], "x", 1), -EPIPE);
    CHECK_EQ(signals, 0);
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGPIPE));
    signal(SIGPIPE, SIG_DFL);
    CHECK_EQ(kin__os_write(ends[1], "x", 1), -EPIPE);
    kin__os_close(ends[1]);
}

TEST(null_reads_as_an_end_and_takes_all)
{
    char byte;
    int fd = kin__os_open_null();
    CHECK_GE(fd, 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kin__os_read(fd, &byte, 1), 0);
    CHECK_EQ(kin__os_write(fd, "x", 1), 1);
    kin__os_close(fd);
}

/* ---- stderr --------------------------------------------------------------------------- */

static int complain_to(void *ctx)
{
    const int *fd = ctx;
    if (*fd >= 0) {
        dup2(*fd, STDERR_FILENO);
    } else {
        close(STDERR_FILENO);
    }
    kin__os_complain("ouch\n", 5);
    return 0;
}

TEST(complaints_go_to_stderr)
{
    int ends[2];
    char text[8] = "";
    CHECK_EQ(kin__os_pipe(ends), 0);
    CHECK_EQ(test_join(test_child(complain_to, &ends[1])), 0);
    CHECK_EQ(read(ends[0], text, sizeof text), 5);
    CHECK_STR(text, "ouch\n");
    close_both(ends);
}

TEST(complaints_without_stderr_are_lost_and_no_harm)
{
    int none = -1;
    CHECK_EQ(test_join(test_child(complain_to, &none)), 0);
}

/* ---- SIGCHLD -------------------------------------------------------------------------- */

static bool is_blocked(int signal)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, signal) == 1;
}

static int return_7(void *ctx)
{
    (void)ctx;
    return 7;
}

TEST(a_childs_end_makes_the_signal_descriptor_readable)
{
    char saved[KIN__SIGNALS_SIZE];
    kin__os_block_signals(saved, sizeof saved);
    int fd = kin__os_child_signal_fd();
    CHECK_GE(fd, 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK(is_blocked(SIGCHLD));
    bool ready;
    CHECK_EQ(kin__os_poll(&fd, &ready, 1, 0), -ETIMEDOUT);
    pid_t pid = test_child(return_7, NULL);
    CHECK_EQ(kin__os_poll(&fd, &ready, 1, KIN__NEVER), 1);
    kin__os_drain_signals(fd);
    CHECK_EQ(kin__os_poll(&fd, &ready, 1, 0), -ETIMEDOUT);
    CHECK_EQ(test_join(pid), 7);
    kin__os_close(fd);
    kin__os_restore_signals(saved, sizeof saved);
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
    bool ready;
    int ends[2];
    const int fds[3] = { -1, -1, -1 };
    CHECK_FAILS(kin__os_child_signal_fd(), -EMFILE);
    CHECK(!is_blocked(SIGCHLD));
    CHECK_FAILS(kin__os_pipe(ends), -EMFILE);
    CHECK_FAILS(kin__os_poll(NULL, &ready, 0, 0), -ENOMEM);
    CHECK_FAILS(kin__os_poll_stdio(fds, NULL, 0), -ENOMEM);
    CHECK_FAILS(kin__os_read(0, NULL, 0), -EIO);
    CHECK_FAILS(kin__os_write(1, NULL, 0), -EIO);
    CHECK_FAILS(kin__os_open_null(), -EMFILE);
}

static int open_without_descriptors(void *ctx)
{
    (void)ctx;
    int ends[2];
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, 0 });
    int rv = kin__os_child_signal_fd();
    return rv == -EMFILE && !is_blocked(SIGCHLD) && kin__os_pipe(ends) == -EMFILE ? 0 : 1;
}

TEST(without_descriptors_calls_say_so_and_change_nothing)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload != NULL && strstr(preload, "vgpreload") != NULL) {
        SKIP("valgrind has descriptors in reserve");
    }
    CHECK_EQ(test_join(test_child(open_without_descriptors, NULL)), 0);
}
