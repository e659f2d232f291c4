/* process.c - starting, naming, watching and ending processes; signals and descriptors.
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
 * Not here.  What a process is to the family: domain/table.c. Start methods: process/.
 */
#include "room.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define MAX_HOOKS 8

_Static_assert(sizeof(sigset_t) <= KIN__SIGNALS_SIZE, "callers make room for a signal set");

typedef void (*fork_hook)(void);

static _Atomic(fork_hook) hooks[MAX_HOOKS];

pid_t kin__os_getpid(void)
{
    return getpid();
}

/* ---- fork and its end ----------------------------------------------------------------- */

static void flush(FILE *stream)
{
    if (ftrylockfile(stream) == 0) {
        fflush(stream);
        funlockfile(stream);
    }
}

void kin__os_at_fork_child(void (*hook)(void))
{
    bool done = false;
    for (int i = 0; i < MAX_HOOKS && !done; i++) {
        fork_hook there = NULL;
        done = atomic_compare_exchange_strong(&hooks[i], &there, hook) || there == hook;
    }
    assert(done && "there is room for 8 hooks");
}

static void begin_child(void)
{
    /* what the parent could not flush, it still has and will print itself */
    __fpurge(stdout);
    __fpurge(stderr);
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
    flush(stdout);
    flush(stderr);
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
    flush(stdout);
    flush(stderr);
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

int kin__os_kill(pid_t pid, int signal)
{
    return kill(pid, signal) < 0 ? -errno : 0;
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
    return fd < 0 ? -errno : fd;
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
    struct pollfd ended = {.fd = fd, .events = POLLIN};
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

int kin__os_thread_count(void)
{
    struct look look;
    return look_at(getpid(), &look) < 0 ? 1 : (int)look.threads;
}

/* ---- waiting -------------------------------------------------------------------------- */

/* What is left until the deadline; NULL without one. */
static const struct timespec *time_left(int64_t deadline, struct timespec *room)
{
    if (deadline == KIN__NEVER) {
        return NULL;
    }
    int64_t left = deadline - kin__os_now();
    left = left > 0 ? left : 0;
    *room = (struct timespec){.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    return room;
}

static int poll_until(struct pollfd *polled, int n, int64_t deadline)
{
    struct timespec room;
    for (;;) {
        int rv = ppoll(polled, (nfds_t)n, time_left(deadline, &room), NULL);
        if (rv != 0) {
            return rv < 0 ? -errno : rv;
        }
        if (kin__os_now() >= deadline) { /* a timer may be early by a hair */
            return -ETIMEDOUT;
        }
    }
}

int kin__os_poll(const int *fds, bool *ret_ready, int n, int64_t deadline)
{
    struct pollfd few[16];
    struct pollfd *polled = few;
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EINTR; /* what every caller must expect */
    }
    if (n > 16 && (polled = kin__os_malloc((size_t)n * sizeof *polled)) == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < n; i++) {
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    int rv = poll_until(polled, n, deadline);
    for (int i = 0; i < n && rv > 0; i++) {
        rv = polled[i].revents & POLLNVAL ? -EBADF : rv;
    }
    for (int i = 0; i < n && rv > 0; i++) {
        ret_ready[i] = polled[i].revents != 0;
    }
    if (polled != few) {
        kin__os_free(polled);
    }
    return rv;
}

/* Waits for a child without a pidfd: 0 when it has ended, -EAGAIN (only with WNOHANG), -errno. */
static int look_for_end(pid_t pid, int flags)
{
    siginfo_t info = {.si_pid = 0};
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
        struct timespec room;
        int64_t end = deadline - now < length ? deadline : now + length;
        if (ppoll(NULL, 0, time_left(end, &room), outside) < 0) {
            return -errno;
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

int kin__os_wait_child(pid_t pid, int pidfd, int64_t deadline)
{
    if (pidfd >= 0) {
        bool ended;
        int rv = kin__os_poll(&pidfd, &ended, 1, deadline);
        return rv < 0 ? rv : 0;
    }
    return deadline == KIN__NEVER ? look_for_end(pid, 0) : wait_in_naps(pid, deadline);
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
    struct sigaction action = {.sa_handler = how};
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
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
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

int kin__os_child_signal_fd(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    sigset_t child;
    sigset_t before;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, &before);
    int fd = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -error;
    }
    return fd;
}

void kin__os_drain_signals(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n;
    do {
        n = read(fd, &info, sizeof info);
    } while (n > 0 || (n < 0 && errno == EINTR));
}

/* ---- descriptors ---------------------------------------------------------------------- */

int kin__os_close(int fd)
{
    /* Linux closes it also when it says EINTR: a second close might hit somebody else's */
    return close(fd) < 0 && errno != EINTR ? -errno : 0;
}

int kin__os_pipe(int ret_ends[2])
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    return pipe2(ret_ends, O_CLOEXEC) < 0 ? -errno : 0;
}

void kin__os_complain(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, text, size);
        if (n < 0 && errno != EINTR) {
            return; /* nobody is left to complain to */
        }
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}
