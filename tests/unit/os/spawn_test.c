#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const no_env[] = { "LC_ALL=C", NULL };

/* Under valgrind a program that cannot start is one that exits with 127. */
static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/* How to run a line of the shell, with what `how` says beside. */
static pid_t spawn_line(const char *line, kin__spawn how)
{
    const char *const paths[] = { "/bin/sh", NULL };
    const char *const argv[] = { "sh", "-c", line, NULL };
    how.paths = paths;
    how.argv = argv;
    how.env = how.env != NULL ? how.env : no_env;
    return kin__os_spawn(&how);
}

static size_t read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    for (ssize_t n; (n = read(fd, text + length, size - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    text[length] = '\0';
    return length;
}

/* What a line prints; NULL when it does not end with 0. */
static const char *output_of(const char *line, kin__spawn how)
{
    static char text[8192];
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    how.stdio[0] = 0;
    how.stdio[1] = ends[1];
    how.stdio[2] = 2;
    pid_t pid = spawn_line(line, how);
    CHECK_GT(pid, 0);
    kin__os_close(ends[1]);
    read_all(ends[0], text, sizeof text);
    kin__os_close(ends[0]);
    return test_join(pid) == 0 ? text : NULL;
}

static int run_line(const char *line, kin__spawn how)
{
    pid_t pid = spawn_line(line, how);
    return pid < 0 ? (int)pid : test_join(pid);
}

#define STDIO .stdio = { 0, 1, 2 }

/* ---- starting ------------------------------------------------------------------------- */

TEST(a_program_gets_its_arguments_and_its_environment)
{
    const char *const paths[] = { "/bin/sh", NULL };
    const char *const argv[] = { "any name", "-c", "[ \"$0 $1 $NAME $HOME\" = 'a b c ' ]",
                                 "a",        "b",  NULL };
    const char *const env[] = { "NAME=c", NULL };
    kin__spawn how = { .paths = paths, .argv = argv, .env = env, STDIO };
    pid_t pid = kin__os_spawn(&how);
    CHECK_GT(pid, 0);
    CHECK_EQ(test_join(pid), 0);
}

TEST(without_an_environment_it_gets_ours)
{
    setenv("KIN_SPAWN_TEST", "from here", 1);
    const char *const paths[] = { "/bin/sh", NULL };
    const char *const argv[] = { "sh", "-c", "[ \"$KIN_SPAWN_TEST\" = 'from here' ]", NULL };
    kin__spawn how = { .paths = paths, .argv = argv, STDIO };
    CHECK_EQ(test_join(kin__os_spawn(&how)), 0);
}

TEST(exit_codes_and_signals_arrive)
{
    CHECK_EQ(run_line("exit 42", (kin__spawn){ STDIO }), 42);
    CHECK_EQ(run_line("kill -9 $$", (kin__spawn){ STDIO }), -9);
}

TEST(it_begins_in_the_directory_that_it_was_given)
{
    CHECK_STR(output_of("pwd", (kin__spawn){ .cwd = "/usr" }), "/usr\n");
}

static void look_at_group(bool group, bool session, bool ret_leads[2])
{
    int pid = 0;
    int pgrp = 0;
    int sid = 0;
    const char *text =
        output_of("cat /proc/$$/stat; exit 0", (kin__spawn){ .group = group, .session = session });
    CHECK_EQ(sscanf(text, "%d (%*[^)]) %*c %*d %d %d", &pid, &pgrp, &sid), 3);
    ret_leads[0] = pgrp == pid;
    ret_leads[1] = sid == pid;
    CHECK(ret_leads[0] || pgrp == getpgrp());
    CHECK(ret_leads[1] || sid == getsid(0));
}

TEST(it_leads_a_group_or_a_session_if_wanted)
{
    for (int group = 0; group < 2; group++) {
        for (int session = 0; session < 2; session++) {
            bool leads[2];
            look_at_group(group, session, leads);
            CHECK_EQ(leads[0], group || session);
            CHECK_EQ(leads[1], session);
        }
    }
}

static int forks;

static void count_fork(void)
{
    forks++;
}

TEST(handlers_for_forks_do_not_run)
{
    pthread_atfork(count_fork, count_fork, count_fork);
    CHECK_EQ(run_line("exit 0", (kin__spawn){ STDIO }), 0);
    CHECK_EQ(forks, 0);
}

/* ---- what cannot be started ----------------------------------------------------------- */

static pid_t spawn_paths(const char *first, const char *second)
{
    const char *const paths[] = { first, second, NULL };
    const char *const argv[] = { "x", NULL };
    bool in_cwd = true;
    kin__spawn how = { .paths = paths, .argv = argv, STDIO, .ret_in_cwd = &in_cwd };
    pid_t pid = kin__os_spawn(&how);
    CHECK_EQ(in_cwd, pid > 0);
    return pid;
}

TEST(the_paths_are_tried_in_their_order)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    CHECK_EQ(spawn_paths(NULL, NULL), -ENOENT);
    CHECK_EQ(spawn_paths("/no/such/program", NULL), -ENOENT);
    CHECK_EQ(spawn_paths("/dev/null/true", NULL), -ENOENT);
    CHECK_EQ(spawn_paths("/etc/passwd", NULL), -EACCES);
    CHECK_EQ(spawn_paths("/usr", "/no/such/program"), -EACCES);
    CHECK_EQ(spawn_paths("/no/such/program", "/etc/passwd"), -EACCES);
    CHECK_EQ(test_join(spawn_paths("/etc/passwd", "/bin/true")), 0);
    CHECK_EQ(test_join(spawn_paths("/dev/null/true", "/bin/false")), 1);
}

TEST(a_file_that_is_no_program_is_said_to_be_none)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    char path[] = "/tmp/kin-test-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    CHECK_EQ(write(fd, "hello\n", 6), 6);
    CHECK_EQ(fchmod(fd, 0755), 0);
    kin__os_close(fd);
    CHECK_EQ(spawn_paths(path, NULL), -ENOEXEC);
    CHECK_EQ(spawn_paths(path, "/no/such/program"), -ENOEXEC);
    CHECK_EQ(spawn_paths(path, "/etc/passwd"), -ENOEXEC);
    CHECK_EQ(test_join(spawn_paths(path, "/bin/true")), 0);
    unlink(path);
}

TEST(a_directory_that_is_not_there_is_told_from_a_program)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    bool in_cwd = false;
    kin__spawn how = { .cwd = "/no/such/directory", STDIO, .ret_in_cwd = &in_cwd };
    CHECK_EQ(spawn_line("exit 0", how), -ENOENT);
    CHECK(in_cwd);
    how.cwd = "/dev/null";
    CHECK_EQ(spawn_line("exit 0", how), -ENOTDIR);
    how.ret_in_cwd = NULL;
    CHECK_EQ(spawn_line("exit 0", how), -ENOTDIR);
}

TEST(a_spawn_can_be_made_to_fail)
{
    kin__fault_arm(KIN__FAULT_CALL, 1);
    CHECK_EQ(run_line("exit 0", (kin__spawn){ STDIO }), -EAGAIN);
    CHECK(kin__fault_fired());
}

static int spawn_at_the_limit(void *ctx)
{
    (void)ctx;
    setrlimit(RLIMIT_NPROC, &(struct rlimit){ 0, 0 });
    if (setuid(65534) < 0) { /* root has no limit */
        return 77;
    }
    return run_line("exit 0", (kin__spawn){ STDIO }) == -EAGAIN ? 0 : 1;
}

TEST(too_many_processes_are_said_to_be)
{
    int rv = test_join(test_child(spawn_at_the_limit, NULL));
    if (rv == 77) {
        SKIP("may not become somebody else");
    }
    CHECK_EQ(rv, 0);
}

/* ---- descriptors ---------------------------------------------------------------------- */

enum { A, B, C, D, FILES };

/* Memory files a, b, c, d; the first three as 0, 1 and 2 of this process while the test runs. */
struct scene {
    int files[FILES];
    int saved[3];
};

static void open_scene(struct scene *scene)
{
    static const char *const names[FILES] = { "a", "b", "c", "d" };
    for (int i = 0; i < FILES; i++) {
        scene->files[i] = kin__os_memfd(names[i]);
        CHECK_GE(scene->files[i], 3);
    }
    for (int i = 0; i < 3; i++) {
        scene->saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
        dup3(scene->files[i], i, i == 1 ? O_CLOEXEC : 0);
    }
}

static void close_scene(struct scene *scene)
{
    for (int i = 0; i < 3; i++) {
        dup2(scene->saved[i], i);
        kin__os_close(scene->saved[i]);
    }
    for (int i = 0; i < FILES; i++) {
        kin__os_close(scene->files[i]);
    }
}

/* The names of the memory files at 0, 1 and 2 of a program, looked at while it is stopped; '-'
 * where there is none. */
static void look_at_stdio(const int wanted[3], char ret_names[4])
{
    kin__spawn how = { 0 };
    memcpy(how.stdio, wanted, sizeof how.stdio);
    pid_t pid = spawn_line("kill -STOP $$", how);
    CHECK_GT(pid, 0);
    CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
    for (int i = 0; i < 3; i++) {
        char path[64];
        char target[64] = "/memfd:-";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, i);
        CHECK(readlink(path, target, sizeof target - 1) > 0 || errno == ENOENT);
        ret_names[i] = target[strlen("/memfd:")];
    }
    kin__os_kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

TEST(stdio_can_be_any_descriptors_in_any_order)
{
    struct scene scene;
    open_scene(&scene);
    const int from[] = { -1, 0, 1, 2, scene.files[D] };
    static const char names[] = "-abcd";
    for (int i = 0; i < 125; i++) {
        const int which[3] = { i % 5, i / 5 % 5, i / 25 };
        char wanted[4] = "";
        char found[4] = "";
        int stdio[3];
        for (int j = 0; j < 3; j++) {
            stdio[j] = from[which[j]];
            wanted[j] = names[which[j]];
        }
        look_at_stdio(stdio, found);
        CHECK_STR(found, wanted);
    }
    close_scene(&scene);
}

TEST(a_descriptor_that_is_not_open_cannot_become_stdio)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    CHECK_EQ(run_line("exit 0", (kin__spawn){ .stdio = { 99, 1, 2 } }), -EBADF);
    int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(0);
    CHECK_EQ(run_line("exit 0", (kin__spawn){ .stdio = { -1, 0, 2 } }), -EBADF);
    CHECK_EQ(run_line("[ -e /proc/$$/fd/0 ]", (kin__spawn){ STDIO }), 1); /* stays closed */
    dup2(saved, 0);
    kin__os_close(saved);
}

/* Keeps two of four descriptors; only these, stdio, and what ls opens itself are to be there. */
static const char *list_open(void)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    for (int fd = 10; fd < 14; fd++) {
        CHECK_EQ(dup3(ends[0], fd, fd % 2 == 0 ? O_CLOEXEC : 0), fd);
    }
    const int keep[] = { 12, 11, 12, 0 };
    const char *text =
        output_of("exec ls /proc/self/fd", (kin__spawn){ .keep = keep, .n_keep = 4 });
    for (int fd = 10; fd < 14; fd++) {
        kin__os_close(fd);
    }
    kin__os_close(ends[0]);
    kin__os_close(ends[1]);
    return text;
}

TEST(a_program_has_the_listed_descriptors_and_no_others)
{
    CHECK_STR(list_open(), "0\n1\n11\n12\n2\n3\n");
}

/* From now on the kernel has no such system call, for this process and its children. */
static bool forget_call(int number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = 4, .filter = filter };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int list_without_close_range(void *ctx)
{
    (void)ctx;
    if (!forget_call(SYS_close_range)) {
        return 77;
    }
    return strcmp(list_open(), "0\n1\n11\n12\n2\n3\n") == 0 ? 0 : 1;
}

TEST(also_where_the_kernel_cannot_close_many_at_once)
{
    if (under_valgrind()) {
        SKIP("valgrind does not know seccomp");
    }
    int rv = test_join(test_child(list_without_close_range, NULL));
    if (rv == 77) {
        SKIP("no seccomp here");
    }
    CHECK_EQ(rv, 0);
}

static int look_without_listing(void *ctx)
{
    (void)ctx;
    int keep = fcntl(2, F_DUPFD, 30);
    int other = fcntl(2, F_DUPFD, 31);
    if (keep != 30 || other != 31 || !forget_call(SYS_close_range) ||
        !forget_call(SYS_getdents64)) {
        return 77;
    }
    return run_line("[ -e /proc/$$/fd/30 ] && ! [ -e /proc/$$/fd/31 ]",
                    (kin__spawn){ STDIO, .keep = &keep, .n_keep = 1 });
}

TEST(also_where_it_cannot_list_them_either)
{
    if (under_valgrind()) {
        SKIP("valgrind does not know seccomp");
    }
    int rv = test_join(test_child(look_without_listing, NULL));
    if (rv == 77) {
        SKIP("no seccomp here");
    }
    CHECK_EQ(rv, 0);
}

TEST(a_listed_descriptor_has_to_be_open)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    CHECK_EQ(run_line("exit 0", (kin__spawn){ STDIO, .keep = &(int){ 99 }, .n_keep = 1 }), -EBADF);
    CHECK_EQ(run_line("exit 0", (kin__spawn){ STDIO, .keep = &(int){ -1 }, .n_keep = 1 }), -EBADF);
    /* stdio that has to step aside does not lend its place to one that is not open */
    kin__spawn how = { .stdio = { 1, 0, 2 }, .keep = &(int){ -1 }, .n_keep = 1 };
    int next = fcntl(0, F_DUPFD_CLOEXEC, 3);
    kin__os_close(next);
    how.keep = &next;
    CHECK_EQ(run_line("exit 0", how), -EBADF);
}

TEST(our_own_descriptors_stay_as_they_are)
{
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    const int keep[] = { ends[0], ends[1] };
    CHECK_EQ(
        run_line("exit 0", (kin__spawn){ .stdio = { ends[0], 1, 2 }, .keep = keep, .n_keep = 2 }),
        0);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(0, F_GETFD), 0);
    kin__os_close(ends[0]);
    kin__os_close(ends[1]);
}

/* ---- signals -------------------------------------------------------------------------- */

static _Atomic int signals;
static _Atomic int strangers; /* handlers that ran in another process than this one */
static pid_t self;

static void count_signal(int signal)
{
    (void)signal;
    *(syscall(SYS_getpid) == self ? &signals : &strangers) += 1;
}

static uint64_t set_in(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    CHECK_NOT_NULL(line);
    return strtoull(line + strlen(name), NULL, 16);
}

static uint64_t bit(int signal)
{
    return UINT64_C(1) << (signal - 1);
}

TEST(caught_signals_are_at_their_defaults_and_ignored_ones_ignored)
{
    kin__os_ignore_signal(SIGUSR2);
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = count_signal }, NULL);
    kin__spawn how = { 0 };
    const char *status = output_of("exec cat /proc/self/status", how);
    CHECK_EQ(set_in(status, "SigIgn:") & (bit(SIGUSR1) | bit(SIGUSR2)), bit(SIGUSR2));
    CHECK_EQ(set_in(status, "SigCgt:"), 0);
    /* and here nothing has changed */
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    CHECK(now.sa_handler == count_signal);
}

TEST(it_begins_with_the_mask_that_it_was_given)
{
    char saved[KIN__SIGNALS_SIZE];
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    kin__os_block_signals(saved, sizeof saved);
    const char *status = output_of("exec cat /proc/self/status", (kin__spawn){ .signals = &mask });
    CHECK_EQ(set_in(status, "SigBlk:"), bit(SIGUSR1));
    status = output_of("exec cat /proc/self/status", (kin__spawn){ .signals = NULL });
    CHECK_EQ(set_in(status, "SigBlk:"), 0);
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGTERM));
    kin__os_restore_signals(saved, sizeof saved);
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM));
}

static _Atomic bool over;

static void *send_signals(void *unused)
{
    (void)unused;
    while (!over) {
        kill(0, SIGUSR1); /* to all of the group: the half-born child too */
    }
    return NULL;
}

static int spawn_under_fire(void *ctx)
{
    (void)ctx;
    pthread_t thread;
    setpgid(0, 0);
    self = getpid();
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = count_signal, .sa_flags = SA_RESTART },
              NULL);
    pthread_create(&thread, NULL, send_signals, NULL);
    int failed = 0;
    for (int i = 0; i < 200; i++) {
        int rv = run_line("exit 0", (kin__spawn){ STDIO });
        failed += rv != 0 && rv != -SIGUSR1;
    }
    over = true;
    pthread_join(thread, NULL);
    return failed != 0 || strangers != 0 || signals == 0;
}

TEST(no_handler_runs_in_a_half_born_child)
{
    if (under_valgrind()) {
        SKIP("valgrind runs one thread at a time, the one that sends");
    }
    CHECK_EQ(test_join(test_child(spawn_under_fire, NULL)), 0);
}

/* ---- its end --------------------------------------------------------------------------- */

/* With a pidfd where the kernel has them. */
static pid_t spawn_watched(const char *line, int *ret_pidfd)
{
    *ret_pidfd = 77;
    pid_t pid = spawn_line(line, (kin__spawn){ STDIO, .ret_pidfd = ret_pidfd });
    CHECK_GT(pid, 0);
    CHECK_NE(*ret_pidfd, 77);
    return pid;
}

TEST(a_pidfd_comes_with_the_program)
{
    int pidfd;
    bool ended;
    pid_t pid = spawn_watched("kill -STOP $$", &pidfd);
    if (pidfd < 0) {
        kin__os_kill(pid, SIGKILL);
        test_join(pid);
        SKIP("the kernel gives none");
    }
    CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kin__os_poll(&pidfd, &ended, 1, 0), -ETIMEDOUT);
    kin__os_kill(pid, SIGKILL);
    CHECK_EQ(kin__os_poll(&pidfd, &ended, 1, KIN__NEVER), 1);
    CHECK_EQ(test_join(pid), -SIGKILL);
    kin__os_close(pidfd);
}

TEST(what_could_not_be_started_has_no_pidfd)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    int pidfd = 77;
    const char *const paths[] = { "/no/such/program", NULL };
    const char *const argv[] = { "x", NULL };
    kin__spawn how = { .paths = paths, .argv = argv, STDIO, .ret_pidfd = &pidfd };
    CHECK_EQ(kin__os_spawn(&how), -ENOENT);
    CHECK_EQ(pidfd, 77);
}

TEST(how_it_ended_is_told_once_or_as_often_as_one_keeps_it)
{
    int code = 77;
    int pidfd;
    pid_t pid = spawn_watched("kill -STOP $$; exit 5", &pidfd);
    CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
    CHECK_EQ(kin__os_ended(pid, pidfd, false, &code), -EAGAIN);
    CHECK_EQ(code, 77);
    kin__os_kill(pid, SIGCONT);
    CHECK_EQ(kin__os_wait_child(pid, pidfd, KIN__NEVER), 0);
    CHECK_EQ(kin__os_ended(pid, pidfd, true, &code), 0);
    CHECK_EQ(code, 5);
    CHECK_EQ(kin__os_ended(pid, -1, false, &code), 0);
    CHECK_EQ(code, 5);
    CHECK_EQ(kin__os_ended(pid, -1, false, &code), -ECHILD);
    int rv = kin__os_ended(pid, pidfd, false, &code); /* from Linux 6.15 it is remembered */
    CHECK(rv == -ECHILD || (rv == 1 && code == 5));
    if (pidfd >= 0) {
        kin__os_close(pidfd);
    }
    pid = spawn_watched("kill -9 $$", &pidfd);
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    CHECK_EQ(kin__os_ended(pid, -1, false, &code), 0);
    CHECK_EQ(code, -SIGKILL);
    if (pidfd >= 0) {
        kin__os_close(pidfd);
    }
}

TEST(a_child_that_got_the_number_of_a_reaped_one_is_not_taken_for_it)
{
    int pidfd;
    int code = 77;
    pid_t gone = spawn_watched("exit 5", &pidfd);
    if (pidfd < 0) {
        SKIP("no pidfds here");
    }
    CHECK_EQ(test_join(gone), 5);
    pid_t other = spawn_line("exit 6", (kin__spawn){ STDIO });
    CHECK_EQ(kin__os_wait_child(other, -1, KIN__NEVER), 0);
    int rv = kin__os_ended(other, pidfd, false, &code); /* as if its number were that of `gone` */
    CHECK(rv == -ECHILD || (rv == 1 && code == 5));
    CHECK_EQ(test_join(other), 6);
    kin__os_close(pidfd);
}

TEST(a_pidfd_that_was_closed_behind_its_back_costs_no_code)
{
    int code = 77;
    int pidfd;
    pid_t pid = spawn_watched("exit 5", &pidfd);
    CHECK_EQ(kin__os_wait_child(pid, -1, KIN__NEVER), 0);
    if (pidfd >= 0) {
        kin__os_close(pidfd);
    }
    CHECK_EQ(kin__os_ended(pid, pidfd, false, &code), 0);
    CHECK_EQ(code, 5);
}

/* ---- threads -------------------------------------------------------------------------- */

static void *spawn_some(void *ctx)
{
    intptr_t wrong = 0;
    for (int i = 0; i < 30; i++) {
        char line[32];
        int code = (int)(intptr_t)ctx + i;
        snprintf(line, sizeof line, "exit %d", code);
        wrong += run_line(line, (kin__spawn){ STDIO }) != code;
        wrong += !under_valgrind() && spawn_paths("/no/such/program", NULL) != -ENOENT;
    }
    return (void *)wrong;
}

TEST(threads_spawn_at_the_same_time)
{
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, spawn_some, (void *)(i * 40));
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK_EQ((intptr_t)wrong, 0);
    }
}

TEST(a_failed_start_leaves_nobody_where_sigchld_is_ignored)
{
    if (under_valgrind()) {
        SKIP("valgrind forks where we clone");
    }
    kin__os_ignore_signal(SIGCHLD);
    CHECK_EQ(spawn_paths("/no/such/program", NULL), -ENOENT);
    kin__os_default_signal(SIGCHLD);
    CHECK_EQ(spawn_paths("/no/such/program", NULL), -ENOENT);
}
