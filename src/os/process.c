/* process.c - starting, naming, watching and ending processes, and their signals.
 *
 * Idea.  A pid names a process only until it is used again. A pid with its start time names one for
 * good, and both are in /proc/<pid>/stat:
 *
 *     4711 (a name with ) and spaces) S 4242 ... 1 ... 8839213 ...
 *                                     |          |     start time, field 22
 *                       state, field 3          number of threads, field 20
 *
 * Rules.
 *   R1  A process has ended when it is gone, when another has its pid, or when it is a zombie that
 *       has no other threads. (A main thread that has left with pthread_exit looks like a zombie;
 *       its process lives.)
 *   R2  Who cannot be looked at (no descriptors, no /proc) counts as alive: taking a living process
 *       for dead would have two owners of one thing; the opposite mistake ends with the next look.
 *   R3  Nobody waits for a lock of stdio here: it may be the lock of a thread that a fork did not
 *       bring along.
 *
 * Death.  Nothing here is shared. A forked child runs the hooks before any signal handler of its
 * parent's can run in it.
 *
 * Not here.  What a process is to the family: domain/table.c. Start methods: process/. What is
 * waited for through descriptors: descriptor.c.
 */
#include "interrupt.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define MAX_HOOKS 8

_Static_assert(sizeof(sigset_t) <= KIN__SIGNALS_SIZE, "callers make room for a signal set");

typedef void (*fork_hook)(void);

static _Atomic(fork_hook) hooks[MAX_HOOKS];
static _Atomic(fork_hook) leave_hooks[MAX_HOOKS];

pid_t kin__os_getpid(void)
{
    return getpid();
}

pid_t kin__os_getppid(void)
{
    return getppid();
}

/* ---- fork and its end ----------------------------------------------------------------- */

/* A stream with nothing in it is not touched: in a fresh child every page that is costs a fault. */
static void flush(FILE *stream)
{
    if (__fpending(stream) != 0 && ftrylockfile(stream) == 0) {
        fflush(stream);
        funlockfile(stream);
    }
}

void kin__os_flush(void)
{
    flush(stdout);
    flush(stderr);
}

static void add_hook(_Atomic(fork_hook) list[MAX_HOOKS], fork_hook hook)
{
    bool done = false;
    for (int i = 0; i < MAX_HOOKS && !done; i++) {
        fork_hook there = NULL;
        done = atomic_compare_exchange_strong(&list[i], &there, hook) || there == hook;
    }
    assert(done && "there is room for 8 hooks");
}

void kin__os_at_fork_child(void (*hook)(void))
{
    add_hook(hooks, hook);
}

void kin__os_at_leave(void (*hook)(void))
{
    add_hook(leave_hooks, hook);
}

static void purge(FILE *stream)
{
    if (__fpending(stream) != 0) {
        __fpurge(stream);
    }
}

static void begin_child(void)
{
    /* what the parent could not flush, it still has and will print itself */
    purge(stdout);
    purge(stderr);
    kin__os_interrupt_forked();
    for (int i = 0; i < MAX_HOOKS && hooks[i] != NULL; i++) {
        fork_hook hook = hooks[i];
        hook();
    }
}

pid_t kin__os_fork(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EAGAIN;
    }
    kin__os_flush();
    sigset_t all;
    sigset_t saved;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    pid_t pid = fork();
    int error = errno;
    if (pid == 0) {
        begin_child();
    }
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return pid < 0 ? -error : pid;
}

_Noreturn void kin__os_leave(int status)
{
    for (int i = 0; i < MAX_HOOKS && leave_hooks[i] != NULL; i++) {
        leave_hooks[i]();
    }
    kin__os_flush();
    _exit(status);
}

int kin__os_die_with_parent(pid_t parent)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EPERM;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) {
        return -errno;
    }
    /* one that ended before the prctl sends nothing any more */
    return getppid() == parent ? 0 : -ESRCH;
}

void kin__os_set_name(const char *name)
{
    prctl(PR_SET_NAME, name);
}

int kin__os_exit_code(int status)
{
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int kin__os_kill(pid_t pid, int signal)
{
    return kill(pid, signal) < 0 ? -errno : 0;
}

int kin__os_signal_by(int pidfd, int signal)
{
    long rv = syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
    return rv == 0 || errno == ESRCH ? 0 : -errno;
}

/* ---- who is alive --------------------------------------------------------------------- */

struct look {
    char state;
    uint64_t threads;
    uint64_t start;
};

static const char *find_field(const char *text, int number)
{
    const char *at = strrchr(text, ')'); /* ends field 2, and may be within the name too */
    for (int field = 2; at != NULL && field < number; field++) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return at;
}

static int look_at(pid_t pid, struct look *ret_look)
{
    char path[32];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int length = kin__os_read_file(path, text, sizeof text);
    if (length <= 0) {
        return length == 0 || length == -ENOENT ? -ESRCH : length;
    }
    const char *start = find_field(text, 22);
    if (start == NULL) {
        return -EPROTO;
    }
    *ret_look = (struct look){
        .state = *find_field(text, 3),
        .threads = strtoull(find_field(text, 20), NULL, 10),
        .start = strtoull(start, NULL, 10),
    };
    return 0;
}

static bool is_over(const struct look *look)
{
    return strchr("ZXx", look->state) != NULL && look->threads <= 1; /* R1 */
}

int kin__os_start_time(pid_t pid, uint64_t *ret_ticks)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    struct look look;
    int rv = look_at(pid, &look);
    if (rv < 0 || is_over(&look)) {
        return rv < 0 ? rv : -ESRCH;
    }
    *ret_ticks = look.start;
    return 0;
}

static int open_pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

int kin__os_pidfd(pid_t pid)
{
    return KIN__FAULT(KIN__FAULT_CALL) ? -EMFILE : open_pidfd(pid);
}

/* Without /proc, as in a chroot: a pidfd knows zombies, a signal only what is gone. */
static bool has_ended_unseen(pid_t pid)
{
    int fd = open_pidfd(pid);
    if (fd < 0) {
        return fd == -ESRCH || (kill(pid, 0) < 0 && errno == ESRCH);
    }
    struct pollfd ended = { .fd = fd, .events = POLLIN };
    bool rv = poll(&ended, 1, 0) == 1;
    close(fd);
    return rv;
}

bool kin__os_has_ended(pid_t pid, uint64_t ticks)
{
    struct look look;
    if (look_at(pid, &look) < 0) {
        return has_ended_unseen(pid); /* R2 */
    }
    return look.start != ticks || is_over(&look);
}

/* ThreadSanitizer has a thread of its own, which holds no locks of the program. */
#if defined(__SANITIZE_THREAD__)
#define FOREIGN_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FOREIGN_THREADS 1
#endif
#endif
#ifndef FOREIGN_THREADS
#define FOREIGN_THREADS 0
#endif

int kin__os_thread_count(void)
{
    if (__libc_single_threaded) { /* libc knows of no second one yet: it need not be asked for */
        return 1;
    }
    struct look look;
    return look_at(getpid(), &look) < 0 ? 1 : (int)look.threads - FOREIGN_THREADS;
}

/* ---- waiting -------------------------------------------------------------------------- */

/* Waits for a child without a pidfd: 0 when it has ended, -EAGAIN (only with WNOHANG), -errno. */
static int look_for_end(pid_t pid, int flags)
{
    siginfo_t info = { .si_pid = 0 };
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | flags) < 0) {
        return -errno;
    }
    return info.si_pid != 0 ? 0 : -EAGAIN;
}

/* Signals are let in only during the naps, so that none can slip through between two of them. */
static int nap_until_end(pid_t pid, int64_t deadline, const sigset_t *outside)
{
    const int64_t longest = SECOND / 100;
    for (int64_t length = SECOND / 10000;; length = length * 2 < longest ? length * 2 : longest) {
        int rv = look_for_end(pid, WNOHANG);
        int64_t now = kin__os_now();
        if (rv != -EAGAIN || now >= deadline) {
            return rv == -EAGAIN ? -ETIMEDOUT : rv;
        }
        int64_t left = deadline - now;
        struct timespec nap = { .tv_nsec = left < length ? left : length };
        (void)ppoll(NULL, 0, &nap, outside);
        if (kin__os_interrupted()) {
            return -EINTR;
        }
    }
}

static int wait_in_naps(pid_t pid, int64_t deadline)
{
    sigset_t all;
    sigset_t outside;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &outside);
    int rv = nap_until_end(pid, deadline, &outside);
    pthread_sigmask(SIG_SETMASK, &outside, NULL);
    return rv;
}

static int wait_without_pidfd(pid_t pid, int64_t deadline)
{
    if (kin__os_slice(deadline) < KIN__NEVER) {
        return wait_in_naps(pid, deadline);
    }
    int rv;
    do {
        rv = look_for_end(pid, 0);
    } while (rv == -EINTR && !kin__os_interrupted());
    return rv;
}

/* In poll, since an interruption ends that. A debugger may keep the dead for itself for a while:
 * then poll says that it has ended before we can see it. */
static int wait_with_own_pidfd(pid_t pid, int64_t deadline)
{
    struct pollfd polled[1 + 1] = { { .fd = kin__os_pidfd(pid), .events = POLLIN } };
    if (polled[0].fd < 0) {
        return wait_without_pidfd(pid, deadline);
    }
    int rv = kin__os_poll_until(polled, 1, deadline);
    close(polled[0].fd);
    rv = rv < 0 ? rv : look_for_end(pid, WNOHANG);
    return rv == -EAGAIN ? wait_in_naps(pid, deadline) : rv;
}

int kin__os_wait_child(pid_t pid, int pidfd, int64_t deadline)
{
    if (pidfd >= 0) {
        bool ended;
        int rv = kin__os_poll(&pidfd, &ended, 1, deadline);
        return rv < 0 ? rv : 0;
    }
    int rv = look_for_end(pid, WNOHANG);
    if (rv != -EAGAIN || deadline == 0) {
        return rv == -EAGAIN ? -ETIMEDOUT : rv;
    }
    return wait_with_own_pidfd(pid, deadline);
}

int kin__os_reap(pid_t pid, int *ret_status, pid_t *ret_pid)
{
    int status;
    pid_t got = waitpid(pid, &status, WNOHANG);
    if (got <= 0) {
        return got == 0 ? -EAGAIN : -errno;
    }
    if (ret_status != NULL) {
        *ret_status = status;
    }
    if (ret_pid != NULL) {
        *ret_pid = got;
    }
    return 0;
}

/* ---- signals -------------------------------------------------------------------------- */

static void dispose(int signal, void (*how)(int))
{
    struct sigaction action = { .sa_handler = how };
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

void kin__os_ignore_signal(int signal)
{
    dispose(signal, SIG_IGN);
}

void kin__os_default_signal(int signal)
{
    dispose(signal, SIG_DFL);
}

void kin__os_block_signals(void *saved, size_t size)
{
    static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t all;
    sigset_t before;
    assert(size >= sizeof before);
    (void)size;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        sigdelset(&all, faults[i]);
    }
    pthread_sigmask(SIG_BLOCK, &all, &before);
    memcpy(saved, &before, sizeof before);
}

void kin__os_restore_signals(const void *saved, size_t size)
{
    sigset_t before;
    assert(size >= sizeof before);
    (void)size;
    memcpy(&before, saved, sizeof before);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
