/* descriptor.c - pipes, waiting for descriptors, reading and writing, and stderr. */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define FEW 16 /* descriptors that need no memory */

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
    int ends[2];
    return pipe2(ends, O_CLOEXEC) < 0 ? -errno : kin__os_clear_both(ends, ret_ends);
}

void kin__os_complain(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, text, size);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return; /* nobody is left to complain to */
        }
        text += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
}

bool kin__os_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

/* ---- waiting -------------------------------------------------------------------------- */

int kin__os_poll(const int *fds, bool *ret_ready, int n, int64_t deadline)
{
    struct pollfd few[FEW + 1];
    struct pollfd *polled = few;
    if (n > FEW && (polled = kin__os_malloc(((size_t)n + 1) * sizeof *polled)) == NULL) {
        return -ENOMEM;
    }
    for (int i = 0; i < n; i++) {
        polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    }
    int rv = kin__os_poll_until(polled, n, deadline);
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

int kin__os_poll_stdio(const int fds[3], bool ret_ready[3], int64_t deadline)
{
    struct pollfd polled[3 + 1];
    for (int i = 0; i < 3; i++) {
        polled[i] = (struct pollfd){ .fd = fds[i], .events = i == 0 ? POLLOUT : POLLIN };
    }
    int rv = kin__os_poll_until(polled, 3, deadline);
    for (int i = 0; i < 3 && rv > 0; i++) {
        rv = polled[i].revents & POLLNVAL ? -EBADF : rv;
    }
    for (int i = 0; i < 3 && rv > 0; i++) {
        ret_ready[i] = polled[i].revents != 0;
    }
    return rv;
}

/* ---- reading and writing -------------------------------------------------------------- */

int kin__os_never_block(int pipe_end)
{
    return fcntl(pipe_end, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0; /* a pipe has no other flags */
}

int kin__os_open_null(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

ssize_t kin__os_read(int fd, void *buffer, size_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EIO;
    }
    ssize_t n;
    do {
        n = read(fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t write_on(int fd, const void *bytes, size_t size)
{
    ssize_t n;
    do {
        n = write(fd, bytes, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* SIGPIPE comes to the thread that writes, so it can be caught here and nobody notices; but not one
 * that was waiting before. */
ssize_t kin__os_write(int fd, const void *bytes, size_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EIO;
    }
    sigset_t broken;
    sigset_t before;
    sigset_t waiting;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    sigpending(&waiting);
    ssize_t n = write_on(fd, bytes, size);
    if (n == -EPIPE && sigismember(&waiting, SIGPIPE) == 0) {
        sigtimedwait(&broken, NULL, &(struct timespec){ 0 });
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

/* ---- SIGCHLD -------------------------------------------------------------------------- */

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
    return kin__os_clear_of_stdio(fd);
}

void kin__os_drain_signals(int fd)
{
    struct signalfd_siginfo info;
    ssize_t n;
    do {
        n = read(fd, &info, sizeof info);
    } while (n > 0 || (n < 0 && errno == EINTR));
}
