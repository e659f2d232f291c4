/* spawn.c - starting another program, at the same cost however large this process is.
 *
 * Idea.  What makes fork expensive is copying page tables, and the next exec throws them away. So
 * the child borrows this process's memory, and only this thread waits until it has given it back:
 *
 *     we     signals off -- clone ............................ error? -- signals on
 *                              \                                 |
 *     child                     defaults, chdir, 0 1 2, flags -- execve
 *                               (our memory, a stack of its own)
 *
 * Rules.
 *   R1  No signal handler runs in the child: it would do so in our memory. All signals are blocked
 *       around the clone, the two that libc keeps for itself too, and let in again where all that
 *       were caught are at their defaults. A signal from before that finds the program.
 *   R2  The child makes bare system calls and nothing else: no libc function that may lock,
 *       allocate or be a cancellation point, no sanitizer's instrumentation or interceptor.
 *   R3  Other threads run on, so the child writes to its stack, to `struct start` and to errno, and
 *       these belong to this thread. pthread_atfork handlers do not run.
 *   R4  Descriptors are marked to close at the exec rather than closed: nothing is closed that is
 *       needed later, in whichever order. 0, 1 and 2 are what `stdio` says, also when `keep` lists
 *       them.
 *   R5  What fails in the child is told through `struct start`, and the child reaped here. valgrind
 *       makes a plain fork of such a clone; there the program seems to start, and exits with 127.
 *
 * Death.  Who is killed in between leaves a child that starts its program, or not, by itself.
 *
 * Not here.  Pipes, searching a PATH (subprocess/), fork (process.c).
 */
#include "room.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_SIZE 16384
#define FIRST_OTHER 3 /* descriptor behind stdio */
#define MASK_SIZE (_NSIG / 8)

#ifndef SYS_close_range
#define SYS_close_range 436 /* everywhere, as all numbers since then */
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* R2. clang's no_sanitize("thread") leaves calls that count frames, and a child never counts
 * down. */
#ifndef __has_attribute
#define __has_attribute(x) 0
#endif
#if __has_attribute(disable_sanitizer_instrumentation)
#define UNCOUNTED disable_sanitizer_instrumentation,
#else
#define UNCOUNTED
#endif
#define BARE __attribute__((UNCOUNTED noinline, no_sanitize("address", "thread", "undefined")))

struct start {
    const kin__spawn *how;
    int error;   /* what stopped the child, an errno */
    bool in_cwd; /* it was the directory */
};

/* ---- in the child --------------------------------------------------------------------- */

/* The kernel's struct sigaction. Its size is what it has beyond the handler that we look at. */
struct action {
#if defined(__mips__)
    unsigned flags;
    uintptr_t handler;
#else
    uintptr_t handler;
    unsigned long flags;
#endif
    uint64_t rest[4];
};

BARE static void reset_handlers(void)
{
    for (int signal = 1; signal < _NSIG; signal++) {
        struct action now;
        static const struct action defaults;
        if (syscall(SYS_rt_sigaction, signal, NULL, &now, MASK_SIZE) == 0 &&
            now.handler != (uintptr_t)SIG_DFL && now.handler != (uintptr_t)SIG_IGN) {
            syscall(SYS_rt_sigaction, signal, &defaults, NULL, MASK_SIZE);
        }
    }
}

BARE static bool enter(struct start *start)
{
    const kin__spawn *how = start->how;
    if ((how->session && syscall(SYS_setsid) < 0) ||
        (how->group && !how->session && syscall(SYS_setpgid, 0, 0) < 0)) {
        return false;
    }
    start->in_cwd = how->cwd != NULL && syscall(SYS_chdir, how->cwd) < 0;
    return !start->in_cwd;
}

/* One that is to stay where it is may be closed, and stays that. */
BARE static bool place(int from, int at)
{
    if (from < 0) {
        syscall(SYS_close, at);
    } else if (from == at) {
        syscall(SYS_fcntl, at, F_SETFD, 0);
    } else {
        return syscall(SYS_dup3, from, at, 0) >= 0;
    }
    return true;
}

/* Those that are among 0, 1 and 2 and change their places first go out of one another's way. */
BARE static bool place_stdio(const int wanted[3])
{
    int from[3];
    for (int i = 0; i < 3; i++) {
        bool in_the_way = wanted[i] >= 0 && wanted[i] < FIRST_OTHER && wanted[i] != i;
        from[i] = in_the_way ? (int)syscall(SYS_fcntl, wanted[i], F_DUPFD_CLOEXEC, FIRST_OTHER)
                             : wanted[i];
        if (in_the_way && from[i] < 0) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (!place(from[i], i)) {
            return false;
        }
    }
    for (int i = 0; i < 3; i++) {
        if (from[i] != wanted[i]) { /* or it could be taken for one of those to keep */
            syscall(SYS_close, from[i]);
        }
    }
    return true;
}

BARE static void mark(int fd)
{
    if (fd >= FIRST_OTHER) {
        syscall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    }
}

/* The number that a name is; -1 for "." and "..". */
BARE static int number_of(const char *name)
{
    int number = *name >= '0' && *name <= '9' ? 0 : -1;
    for (; number >= 0 && *name != '\0'; name++) {
        number = number * 10 + (*name - '0');
    }
    return number;
}

BARE static bool mark_listed(void)
{
    _Alignas(uint64_t) char entries[1024];
    int folder = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_CLOEXEC);
    long size = folder < 0 ? -1 : 1;
    while (size > 0) {
        size = syscall(SYS_getdents64, folder, entries, sizeof entries);
        for (long at = 0; at < size;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            mark(number_of(entry->d_name));
            at += entry->d_reclen;
        }
    }
    return size == 0; /* the folder closes itself */
}

/* Everything behind stdio closes at the exec, by the best means that there are. */
BARE static void mark_others(void)
{
    struct rlimit64 limit;
    if (syscall(SYS_close_range, FIRST_OTHER, ~0U, CLOSE_RANGE_CLOEXEC) == 0 || mark_listed()) {
        return;
    }
    syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
    for (int fd = FIRST_OTHER; (rlim64_t)fd < limit.rlim_cur; fd++) {
        mark(fd);
    }
}

BARE static bool keep_listed(const kin__spawn *how)
{
    for (size_t i = 0; i < how->n_keep; i++) {
        bool is_stdio = how->keep[i] >= 0 && how->keep[i] < FIRST_OTHER; /* R4 */
        if (!is_stdio && syscall(SYS_fcntl, how->keep[i], F_SETFD, 0) < 0) {
            return false;
        }
    }
    return true;
}

BARE static void let_signals_in(const void *mask)
{
    static const unsigned char none[MASK_SIZE];
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask != NULL ? mask : none, NULL, MASK_SIZE);
}

/* Comes back only with what stopped it: the first file that was there and could not be run, unless
 * a later one can. */
BARE static int execute(const kin__spawn *how)
{
    const char *const *env = how->env != NULL ? how->env : (const char *const *)environ;
    int error = ENOENT;
    for (const char *const *path = how->paths; *path != NULL; path++) {
        syscall(SYS_execve, *path, how->argv, env);
        if (error == ENOENT && errno != ENOTDIR) {
            error = errno;
        }
    }
    return error;
}

BARE static int be_child(void *ctx)
{
    struct start *start = ctx;
    const kin__spawn *how = start->how;
    reset_handlers();
    bool ready = enter(start) && place_stdio(how->stdio);
    if (ready) {
        mark_others();
        ready = keep_listed(how);
    }
    if (!ready) {
        start->error = errno;
    } else {
        let_signals_in(how->signals);
        start->error = execute(how);
    }
    syscall(SYS_exit_group, 127);
    return 127;
}

/* ---- here ----------------------------------------------------------------------------- */

/* ThreadSanitizers to come know clone, and treat it as a fork that copies. */
#if defined(__SANITIZE_THREAD__)
#define CLONE __clone
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CLONE __clone
#endif
#endif
#ifdef CLONE
int CLONE(int (*function)(void *), void *stack, int flags, void *ctx, ...);
#else
#define CLONE clone
#endif

static pid_t start_child(struct start *start, int *pidfd)
{
    _Alignas(64) char stack[STACK_SIZE];
    int flags = CLONE_VM | CLONE_VFORK | SIGCHLD | (pidfd != NULL ? CLONE_PIDFD : 0);
    pid_t pid = CLONE(be_child, stack + sizeof stack, flags, start, pidfd);
    return pid < 0 ? -errno : pid;
}

static void bury(pid_t pid, const int *pidfd)
{
    while (syscall(SYS_wait4, pid, NULL, 0, NULL) < 0 && errno == EINTR) {
    }
    if (pidfd != NULL && *pidfd >= 0) {
        close(*pidfd);
    }
}

pid_t kin__os_spawn(const kin__spawn *how)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EAGAIN;
    }
    struct start start = { .how = how };
    int pidfd = -1; /* and stays it where the kernel does not know the flag */
    bool watched = how->ret_pidfd != NULL && !KIN__FAULT(KIN__FAULT_CALL);
    unsigned char all[MASK_SIZE];
    unsigned char saved[MASK_SIZE];
    memset(all, 0xff, sizeof all); /* pthread_sigmask would leave libc's own two open */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, all, saved, MASK_SIZE);
    pid_t pid = start_child(&start, watched ? &pidfd : NULL);
    if (pid > 0 && start.error != 0) {
        bury(pid, &pidfd);
        pid = -start.error;
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, saved, NULL, MASK_SIZE);
    if (pid < 0 && how->ret_in_cwd != NULL) {
        *how->ret_in_cwd = start.in_cwd;
    }
    if (pid > 0 && how->ret_pidfd != NULL) {
        *how->ret_pidfd = pidfd;
    }
    return pid;
}

/* ---- how it ended --------------------------------------------------------------------- */

/* What the kernel says of a process that a pidfd leads to, from Linux 6.15 also when it has been
 * reaped. */
struct pidfd_info {
    uint64_t wanted; /* and given */
    uint64_t cgroup;
    uint32_t ids[11];
    int32_t status;
};
#define BY_PIDFD ((idtype_t)3) /* glibc has the name since 2.36 */
#define PIDFD_STATUS UINT64_C(8)
#define PIDFD_ASK _IOWR(0xFF, 11, struct pidfd_info)

static bool remembers(int pidfd, int *ret_status)
{
    struct pidfd_info info = { .wanted = PIDFD_STATUS };
    if (pidfd < 0 || ioctl(pidfd, PIDFD_ASK, &info) < 0 || !(info.wanted & PIDFD_STATUS)) {
        return false;
    }
    *ret_status = info.status;
    return true;
}

/* By the pidfd: when somebody else has reaped this one, the number may be another child's. Not
 * every kernel waits by it, and the program may have closed it. */
static int look(pid_t pid, int pidfd, int flags, siginfo_t *ret_info)
{
    int rv = pidfd < 0 ? -1 : waitid(BY_PIDFD, (id_t)pidfd, ret_info, flags);
    if (rv == 0 || (pidfd >= 0 && (errno == ECHILD || errno == EINTR))) {
        return rv;
    }
    return waitid(P_PID, (id_t)pid, ret_info, flags);
}

int kin__os_ended(pid_t pid, int pidfd, bool keep, int *ret_code)
{
    siginfo_t info = { .si_pid = 0 };
    int flags = WEXITED | WNOHANG | (keep ? WNOWAIT : 0);
    int status;
    while (look(pid, pidfd, flags, &info) < 0) {
        if (errno == ECHILD && remembers(pidfd, &status)) {
            *ret_code = kin__os_exit_code(status);
            return 1;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
    if (info.si_pid == 0) {
        return -EAGAIN;
    }
    *ret_code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    return 0;
}

int kin__os_signal_group_by(int pidfd, int signal)
{
    const unsigned group = 4; /* from Linux 6.9 */
    long rv = syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, group);
    return rv == 0 || errno == ESRCH ? 0 : -errno;
}
