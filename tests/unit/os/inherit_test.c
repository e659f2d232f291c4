#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- signals -------------------------------------------------------------------------- */

static void handle(int signal)
{
    (void)signal;
}

static int take_over(void *ctx)
{
    sigset_t none;
    sigset_t mask;
    struct sigaction action;
    sigemptyset(&none);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, handle);
    signal(SIGHUP, SIG_IGN);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    kin__os_set_signals(ctx);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    sigaction(SIGUSR1, NULL, &action);
    bool right = action.sa_handler == SIG_IGN && sigismember(&mask, SIGALRM) == 1;
    sigaction(SIGUSR2, NULL, &action);
    right = right && action.sa_handler == SIG_DFL && sigismember(&mask, SIGHUP) == 0;
    sigaction(SIGHUP, NULL, &action);
    return right && action.sa_handler == SIG_DFL ? 0 : 1;
}

TEST(signals_are_taken_over_and_handlers_are_not)
{
    kin__signals signals;
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, handle);
    kin__os_get_signals(&signals);
    CHECK_EQ(test_join(test_child(take_over, &signals)), 0);
}

TEST(signals_have_names)
{
    char name[KIN__SIGNAL_NAME];
    CHECK(kin__os_signal_name(SIGTERM, name));
    CHECK_STR(name, "SIGTERM");
    CHECK(!kin__os_signal_name(4711, name));
}

/* ---- descriptors ---------------------------------------------------------------------- */

TEST(descriptors_move_and_lose_nothing)
{
    int ends[2];
    char byte = 0;
    CHECK_EQ(kin__os_pipe(ends), 0);
    int high = kin__os_move_above(ends[0], 200);
    CHECK_GE(high, 200);
    CHECK(!kin__os_is_open(ends[0]) && kin__os_is_open(high));
    CHECK_EQ(fcntl(high, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kin__os_move_to(high, ends[0]), 0);
    CHECK(!kin__os_is_open(high));
    CHECK_EQ(fcntl(ends[0], F_GETFD), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(kin__os_keep_from_exec(ends[0]), 0);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kin__os_move_to(ends[0], ends[0]), 0);
    CHECK_EQ(fcntl(ends[0], F_GETFD), 0);
    kin__os_close(ends[0]);
    kin__os_close(ends[1]);
}

TEST(descriptors_that_are_not_open_do_not_move)
{
    int unused = dup(0);
    close(unused);
    CHECK(!kin__os_is_open(unused));
    CHECK_EQ(kin__os_move_above(unused, 10), -EBADF);
    CHECK_EQ(kin__os_move_to(unused, 150), -EBADF);
    CHECK_EQ(kin__os_move_to(unused, unused), -EBADF);
    CHECK_EQ(kin__os_keep_from_exec(unused), -EBADF);
}

static int come_back(void *ctx)
{
    struct stat here;
    struct stat *there = ctx;
    int fd = kin__os_open_cwd();
    if (stat(".", there) < 0 || chdir("/") < 0 || kin__os_chdir_to(fd) < 0 ||
        stat(".", &here) < 0) {
        return 1;
    }
    return here.st_ino == there->st_ino && here.st_dev == there->st_dev ? 0 : 2;
}

TEST(a_directory_is_come_back_to)
{
    struct stat there;
    CHECK_EQ(test_join(test_child(come_back, &there)), 0);
}

TEST(a_memory_file_is_mapped_where_there_is_room)
{
    uint64_t size = 0;
    void *at;
    int fd = kin__os_memfd("test");
    CHECK_EQ(kin__os_commit(fd, 0, 8192), 0);
    CHECK_EQ(kin__os_file_size(fd, &size), 0);
    CHECK_EQ(size, 8192);
    CHECK_EQ(kin__os_map_file(fd, size, &at), 0);
    CHECK_EQ(pwrite(fd, "x", 1, 8191), 1);
    CHECK_EQ(((char *)at)[8191], 'x');
    kin__os_unmap(at, size);
    kin__os_close(fd);
    CHECK_EQ(kin__os_file_size(fd, &size), -EBADF);
}

/* ---- the program ---------------------------------------------------------------------- */

TEST(the_own_program_is_found_by_its_name)
{
    char path[PATH_MAX];
    struct stat by_name;
    struct stat by_link;
    CHECK_EQ(kin__os_own_program(path, sizeof path), 0);
    CHECK_EQ(stat(path, &by_name), 0);
    CHECK_EQ(stat("/proc/self/exe", &by_link), 0);
    CHECK_EQ(by_name.st_ino, by_link.st_ino);
    CHECK_CONTAINS(path, "inherit_test");
    CHECK_NOT_NULL(kin__os_environment());
}

static int exec_true(void *ctx)
{
    const char *const argv[] = { "true", NULL };
    (void)ctx;
    (void)kin__os_exec("/bin/true", argv, kin__os_environment());
    return 1;
}

TEST(a_process_turns_into_another_program)
{
    const char *const argv[] = { "nothing", NULL };
    CHECK_EQ(test_join(test_child(exec_true, NULL)), 0);
    CHECK_EQ(kin__os_exec("/nowhere/nothing", argv, argv), -ENOENT);
}

/* ---- the tie -------------------------------------------------------------------------- */

struct pair {
    int ends[2];
    _Atomic int tied;
};

static int spin_tied(void *ctx)
{
    struct pair *p = ctx;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    close(p->ends[1]);
    int own = kin__os_die_with_writer(p->ends[0]);
    atomic_store(&p->tied, own < 0 ? own : 1);
    while (own != 0) {
        kin__os_pause();
    }
    return 0;
}

TEST(the_last_writer_takes_all_readers_with_him)
{
    struct pair *p = test_shared(sizeof *p);
    pid_t tied[2];
    CHECK_EQ(kin__os_pipe(p->ends), 0);
    for (int i = 0; i < 2; i++) {
        p->tied = 0;
        tied[i] = test_child(spin_tied, p);
        WAIT_UNTIL(p->tied != 0);
        CHECK_EQ(p->tied, 1);
    }
    kin__os_close(p->ends[1]);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(test_join(tied[i]), -SIGKILL);
    }
    kin__os_close(p->ends[0]);
}

TEST(nobody_is_tied_to_a_writer_who_has_gone)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    kin__os_close(ends[1]);
    CHECK_EQ(kin__os_die_with_writer(ends[0]), -ESRCH);
    kin__os_close(ends[0]);
    CHECK_EQ(kin__os_die_with_writer(ends[0]), -ENOENT);
}
