#include "harness.h"
#include "os/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SOON 1000000 /* ns */

/* ---- the ways to sleep ----------------------------------------------------------------------- */

static _Atomic uint32_t word;
static int ends[2];

static int sleep_on_word(int64_t deadline)
{
    return kin__os_wait(&word, 0, deadline);
}

static int sleep_in_poll(int64_t deadline)
{
    bool ready;
    return kin__os_poll(ends, &ready, 1, deadline);
}

static int sleep_at_stream(int64_t deadline)
{
    return kin__os_stream_wait(ends[0], KIN__READ, deadline);
}

static int sleep_for_a_time(int64_t deadline)
{
    int rv = kin__os_sleep(deadline);
    return rv == 0 ? -ETIMEDOUT : rv;
}

typedef int (*sleeper)(int64_t deadline);

static const sleeper sleepers[] = { sleep_on_word, sleep_in_poll, sleep_at_stream,
                                    sleep_for_a_time };
enum { SLEEPERS = sizeof sleepers / sizeof *sleepers };

struct thread {
    pthread_t thread;
    sleeper sleep;
    _Atomic pid_t tid;
    int rv;
};

static void *sleep_there(void *ctx)
{
    struct thread *t = ctx;
    atomic_store(&t->tid, gettid());
    t->rv = t->sleep(KIN__NEVER);
    return NULL;
}

static void open_ends(void)
{
    CHECK_EQ(kin__os_pipe(ends), 0);
}

static void close_ends(void)
{
    kin__os_close(ends[0]);
    kin__os_close(ends[1]);
}

static void start_all(struct thread threads[2 * SLEEPERS])
{
    for (int i = 0; i < 2 * SLEEPERS; i++) {
        threads[i] = (struct thread){ .sleep = sleepers[i % SLEEPERS] };
        CHECK_EQ(pthread_create(&threads[i].thread, NULL, sleep_there, &threads[i]), 0);
    }
    for (int i = 0; i < 2 * SLEEPERS; i++) {
        WAIT_UNTIL(threads[i].tid != 0 && test_is_asleep(threads[i].tid));
    }
}

static void join_all(struct thread threads[2 * SLEEPERS])
{
    for (int i = 0; i < 2 * SLEEPERS; i++) {
        pthread_join(threads[i].thread, NULL);
        CHECK_EQ(threads[i].rv, -EINTR);
    }
}

TEST(all_sleeps_of_all_threads_end_and_not_only_once)
{
    struct thread threads[2 * SLEEPERS];
    open_ends();
    kin__os_interrupt(); /* older kernels: from now on sleeps are cut into slices */
    CHECK(kin__os_interrupted());
    for (int i = 0; i < 20; i++) {
        start_all(threads);
        kin__os_interrupt();
        join_all(threads);
    }
    close_ends();
}

TEST(who_does_not_sleep_is_told_once)
{
    open_ends();
    for (int i = 0; i < SLEEPERS; i++) {
        kin__os_interrupt();
        kin__os_interrupt();
        CHECK(kin__os_interrupt_is_due());
        CHECK_EQ(sleepers[i](KIN__NEVER), -EINTR);
        CHECK(!kin__os_interrupt_is_due());
        CHECK_EQ(sleepers[i](kin__os_now() + SOON), -ETIMEDOUT);
    }
    close_ends();
}

TEST(what_has_come_already_comes_first)
{
    open_ends();
    CHECK_EQ(write(ends[1], "x", 1), 1);
    kin__os_interrupt();
    CHECK_EQ(kin__os_wait(&word, 1, KIN__NEVER), -EAGAIN);
    CHECK_EQ(sleep_in_poll(KIN__NEVER), 1);
    CHECK_EQ(sleep_at_stream(KIN__NEVER), 0);
    CHECK_EQ(kin__os_sleep(0), 0);
    CHECK(kin__os_interrupted());
    close_ends();
}

TEST(who_only_tries_is_not_told)
{
    open_ends();
    kin__os_interrupt();
    CHECK_EQ(sleep_in_poll(0), -ETIMEDOUT);
    CHECK_EQ(sleep_at_stream(0), -ETIMEDOUT);
    CHECK(kin__os_interrupted());
    close_ends();
}

TEST(who_found_what_he_slept_for_is_told_again)
{
    kin__os_interrupt();
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    kin__os_interrupt_again();
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    CHECK_EQ(sleep_on_word(kin__os_now() + SOON), -ETIMEDOUT);
}

TEST(behind_a_shield_nobody_is_told)
{
    open_ends();
    kin__os_shield();
    kin__os_shield();
    kin__os_interrupt();
    kin__os_unshield();
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(sleepers[i](kin__os_now() + SOON), -ETIMEDOUT);
    }
    kin__os_unshield();
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    close_ends();
}

/* ---- one thread's own word ------------------------------------------------------------------ */

struct own {
    struct thread of;
    _Atomic uint32_t word;
    bool only;
};

static void *sleep_by_own_word(void *ctx)
{
    struct own *o = ctx;
    kin__os_interrupt_by(&o->word, o->only);
    sleep_there(&o->of);
    if (kin__os_interrupt_is_due()) { /* once */
        o->of.rv = 0;
    }
    kin__os_interrupt_by(NULL, false);
    return NULL;
}

TEST(a_word_of_its_own_interrupts_one_thread_in_each_of_its_sleeps)
{
    open_ends();
    for (int i = 0; i < 2 * SLEEPERS; i++) {
        struct own one = { .of.sleep = sleepers[i % SLEEPERS], .only = i >= SLEEPERS };
        struct own other = one;
        CHECK_EQ(pthread_create(&one.of.thread, NULL, sleep_by_own_word, &one), 0);
        CHECK_EQ(pthread_create(&other.of.thread, NULL, sleep_by_own_word, &other), 0);
        WAIT_UNTIL(one.of.tid != 0 && test_is_asleep(one.of.tid));
        WAIT_UNTIL(other.of.tid != 0 && test_is_asleep(other.of.tid));
        kin__os_interrupt_at(&one.word);
        pthread_join(one.of.thread, NULL);
        CHECK_EQ(one.of.rv, -EINTR);
        CHECK(!kin__os_interrupt_is_due());
        kin__os_interrupt_at(&other.word);
        pthread_join(other.of.thread, NULL);
        CHECK_EQ(other.of.rv, -EINTR);
    }
    close_ends();
}

TEST(by_its_own_word_only_means_not_with_the_process)
{
    _Atomic uint32_t own = 0;
    open_ends();
    kin__os_interrupt_by(&own, true);
    kin__os_interrupt();
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(sleepers[i](kin__os_now() + SOON), -ETIMEDOUT);
    }
    kin__os_interrupt_at(&own);
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    CHECK_EQ(sleep_on_word(kin__os_now() + SOON), -ETIMEDOUT);
    kin__os_interrupt_again();
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    kin__os_interrupt_by(NULL, false);
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR); /* that of the process */
    kin__os_interrupt_by(&own, false);
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR); /* it is 1 */
    kin__os_interrupt();
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    kin__os_interrupt_by(NULL, false);
    close_ends();
}

/* ---- threads and children -------------------------------------------------------------------- */

static void *be_born_later(void *unused)
{
    (void)unused;
    return kin__os_interrupt_is_due() ? (void *)&word : NULL;
}

static void *be_born_before(void *go)
{
    while (!atomic_load((atomic_bool *)go)) {
        sched_yield();
    }
    return sleep_on_word(KIN__NEVER) == -EINTR ? (void *)&word : NULL;
}

TEST(a_thread_is_told_of_what_came_in_its_life)
{
    void *told;
    atomic_bool go = false;
    pthread_t before;
    pthread_t after;
    CHECK_EQ(pthread_create(&before, NULL, be_born_before, &go), 0);
    kin__os_interrupt();
    atomic_store(&go, true);
    pthread_join(before, &told);
    CHECK(told != NULL);
    CHECK_EQ(pthread_create(&after, NULL, be_born_later, NULL), 0);
    pthread_join(after, &told);
    CHECK_NULL(told);
}

static int is_due(void *unused)
{
    (void)unused;
    return kin__os_interrupt_is_due();
}

static int be_interrupted(void *unused)
{
    (void)unused;
    kin__os_interrupt();
    return sleep_on_word(KIN__NEVER) == -EINTR && sleep_in_poll(kin__os_now() + SOON) < 0 ? 0 : 1;
}

TEST(a_child_starts_with_nothing_to_be_told)
{
    open_ends();
    CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
    kin__os_interrupt();
    kin__os_shield();
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        _exit(is_due(NULL) != 0 || be_interrupted(NULL) != 0);
    }
    kin__os_unshield();
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(test_join(test_child(is_due, NULL)), 0); /* by a bare fork, too */
    CHECK_EQ(sleep_in_poll(KIN__NEVER), -EINTR);
    CHECK_EQ(test_join(test_child(be_interrupted, NULL)), 0);
    CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
    close_ends();
}

/* ---- seats ----------------------------------------------------------------------------------- */

static int find_seat(void)
{
    for (int i = 3; i < 100; i++) {
        if (kin__os_is_seat(i)) {
            return i;
        }
    }
    return -1;
}

/* As by who closes all descriptors that he finds, and opens another. */
TEST(a_seat_that_somebody_has_closed_is_done_without)
{
    open_ends();
    CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
    int fd = find_seat();
    CHECK_GE(fd, 0);
    close(fd);
    CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
    fd = find_seat();
    CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
    fd = find_seat();
    CHECK_GE(fd, 0);
    int file = open("/dev/zero", O_RDWR | O_CLOEXEC); /* always readable */
    CHECK_EQ(dup2(file, fd), fd);
    kin__os_interrupt();
    CHECK_EQ(sleep_in_poll(KIN__NEVER), -EINTR);
    CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
    CHECK(fcntl(fd, F_GETFD) >= 0); /* it was left alone */
    close(fd);
    close(file);
    close_ends();
}

static int look_for_hello(void *ctx)
{
    char bytes[8];
    return read(*(int *)ctx, bytes, sizeof bytes) == 5 && memcmp(bytes, "hello", 5) == 0 ? 0 : 1;
}

/* The number is a socket's now: what comes there is not ours to read, nor is it ours to close. */
TEST(what_took_the_number_of_a_seat_loses_nothing)
{
    int pair[2];
    for (int i = 0; i < 2; i++) {
        open_ends();
        CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
        int fd = find_seat();
        CHECK_GE(fd, 0);
        CHECK_EQ(
            socketpair(AF_UNIX, (i == 0 ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_CLOEXEC, 0, pair),
            0);
        CHECK_EQ(dup2(pair[0], fd), fd);
        kin__os_interrupt(); /* rings no bell there */
        char none[8];
        CHECK(recv(pair[1], none, sizeof none, MSG_DONTWAIT) < 0);
        CHECK_EQ(write(pair[1], "hello", 5), 5);
        CHECK_EQ(test_join(test_child(look_for_hello, &fd)), 0);
        CHECK_EQ(write(pair[1], "hello", 5), 5);
        CHECK_EQ(sleep_in_poll(KIN__NEVER), -EINTR);
        CHECK_EQ(sleep_in_poll(kin__os_now() + SOON), -ETIMEDOUT);
        CHECK_EQ(look_for_hello(&fd), 0);
        close(fd);
        close(pair[0]);
        close(pair[1]);
        close_ends();
    }
}

static void do_nothing(int signal)
{
    (void)signal;
}

/* Also when that happens in the midst of a sleep. */
TEST(what_takes_the_number_of_a_seat_that_somebody_sits_on_loses_nothing)
{
    int pair[2];
    struct thread t = { .sleep = sleep_in_poll };
    struct sigaction action = { .sa_handler = do_nothing };
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    open_ends();
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_EQ(pthread_create(&t.thread, NULL, sleep_there, &t), 0);
    WAIT_UNTIL(t.tid != 0 && test_is_asleep(t.tid));
    int fd = find_seat();
    CHECK_GE(fd, 0);
    CHECK_EQ(write(pair[1], "hello", 5), 5);
    CHECK_EQ(dup2(pair[0], fd), fd);
    pthread_kill(t.thread, SIGUSR1); /* the kernel looks again at what has this number */
    WAIT_UNTIL(find_seat() < 0 && test_is_asleep(t.tid));
    CHECK_EQ(write(ends[1], "", 1), 1);
    pthread_join(t.thread, NULL);
    CHECK_EQ(look_for_hello(&fd), 0);
    close(fd);
    close(pair[0]);
    close(pair[1]);
    close_ends();
}

static int sleep_without_descriptors(void *ctx)
{
    struct thread t = { .sleep = sleep_in_poll };
    setrlimit(RLIMIT_NOFILE, ctx);
    kin__os_interrupt();
    if (sleep_in_poll(KIN__NEVER) != -EINTR ||
        pthread_create(&t.thread, NULL, sleep_there, &t) != 0) {
        return 1;
    }
    while (atomic_load(&t.tid) == 0) {
        sched_yield();
    }
    kin__os_interrupt();
    pthread_join(t.thread, NULL);
    return t.rv == -EINTR ? 0 : 2;
}

TEST(without_descriptors_sleeps_are_cut_into_slices)
{
    open_ends();
    struct rlimit none = { (rlim_t)ends[1] + 1, (rlim_t)ends[1] + 1 };
    CHECK_EQ(test_join(test_child(sleep_without_descriptors, &none)), 0);
    close_ends();
}

/* ---- older kernels --------------------------------------------------------------------------- */

static void forbid_waitv(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 449, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST(where_the_kernel_cannot_compare_two_words_sleeps_are_cut_into_slices)
{
    struct thread t = { .sleep = sleep_on_word };
    forbid_waitv();
    CHECK_EQ(kin__os_slice(KIN__NEVER), KIN__NEVER); /* an idle program stays idle */
    kin__os_interrupt();
    CHECK_EQ(sleep_on_word(KIN__NEVER), -EINTR);
    CHECK_LT(kin__os_slice(KIN__NEVER), KIN__NEVER);
    CHECK_EQ(sleep_on_word(kin__os_now() + SOON), -ETIMEDOUT);
    CHECK_EQ(pthread_create(&t.thread, NULL, sleep_there, &t), 0);
    WAIT_UNTIL(t.tid != 0 && test_is_asleep(t.tid));
    kin__os_interrupt();
    pthread_join(t.thread, NULL);
    CHECK_EQ(t.rv, -EINTR);
}

/* ---- SIGINT ---------------------------------------------------------------------------------- */

static int survive_some(void *unused)
{
    (void)unused;
    signal(SIGINT, SIG_DFL);
    if (kin__os_handle_sigint() != 0) {
        return 1;
    }
    for (int i = 0; i < 100; i++) { /* at once after each other, and each after one that was told */
        raise(SIGINT);
        if (i % 2 == 0 && sleep_on_word(KIN__NEVER) != -EINTR) {
            return 2;
        }
    }
    return 0;
}

TEST(sigint_interrupts)
{
    CHECK_EQ(test_join(test_child(survive_some, NULL)), 0);
}

_Noreturn static int compute_for_ever(void *started)
{
    signal(SIGINT, SIG_DFL);
    (void)kin__os_handle_sigint();
    atomic_store((atomic_bool *)started, true);
    for (;;) {
        test_nap();
    }
}

TEST(a_second_sigint_ends_who_has_not_taken_the_first)
{
    atomic_bool *started = test_shared(sizeof *started);
    pid_t pid = test_child(compute_for_ever, started);
    WAIT_UNTIL(*started);
    int status = 0;
    while (kin__os_reap(pid, &status, NULL) == -EAGAIN) {
        kin__os_kill(pid, SIGINT);
        test_nap();
    }
    CHECK_EQ(kin__os_exit_code(status), -SIGINT);
}

TEST(an_ignored_sigint_stays_ignored)
{
    struct sigaction now;
    signal(SIGINT, SIG_IGN);
    CHECK_EQ(kin__os_handle_sigint(), 0);
    CHECK_EQ(sigaction(SIGINT, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_IGN);
    signal(SIGINT, SIG_DFL);
}
