/* socket.c - byte streams: Unix and TCP sockets, and the ends of pipes, which users may have made
 * and may use beside us.
 *
 * Rules.
 *   R1  Whether a descriptor blocks is told to each call, and never set: it may be somebody else's,
 *       too. A pipe has no such calls: so it is polled before, and then takes PIPE_BUF.
 *   R2  Descriptors travel with the first byte of what is written with them. Those that arrive are
 *       close-on-exec; when not all of them could be taken (too many are open here), none is kept.
 *   R3  A name that a socket was given is free again when nobody has that socket any more, here or
 *       in another process, or on its way between two. So the kernel tells when a connection is
 *       gone for good. Names of sockets are those of a network namespace.
 *
 * Not here. Sockets whose messages keep their bounds (message.c).
 */
#include "control.h"
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>

/* ---- what a descriptor is ----------------------------------------------------------------- */

/* A machine at the other end that is gone without a word is noticed after two minutes, and what it
 * held goes back. */
static void keep_alive(int fd)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 60 }, sizeof(int));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ 10 }, sizeof(int));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 6 }, sizeof(int));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
}

static int look_at_socket(int fd, kin__stream_info *ret)
{
    int type = 0;
    int domain = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM) {
        return -EPROTOTYPE;
    }
    size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0) {
        return -errno;
    }
    if (domain == AF_INET || domain == AF_INET6) { /* small messages are not to wait for more */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
        keep_alive(fd);
    }
    *ret = (kin__stream_info){
        .is_socket = true, .is_local = domain == AF_UNIX, .readable = true, .writable = true
    };
    return 0;
}

int kin__os_stream_look(int fd, kin__stream_info *ret)
{
    struct stat info;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &info) < 0) {
        return -errno;
    }
    if (S_ISSOCK(info.st_mode)) {
        return look_at_socket(fd, ret);
    }
    if (!S_ISFIFO(info.st_mode)) {
        return -EPROTOTYPE;
    }
    *ret = (kin__stream_info){ .is_local = true,
                               .readable = (flags & O_ACCMODE) != O_WRONLY,
                               .writable = (flags & O_ACCMODE) != O_RDONLY };
    return 0;
}

int kin__os_stream_pair(bool duplex, int ret_ends[2])
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    if (!duplex) {
        (void)shutdown(ends[0], SHUT_WR); /* and so the other one for reading */
    }
    return kin__os_clear_both(ends, ret_ends);
}

/* ---- waiting ------------------------------------------------------------------------------ */

int kin__os_stream_wait(int fd, enum kin__direction direction, int64_t deadline)
{
    short events = direction == KIN__READ    ? POLLIN
                   : direction == KIN__WRITE ? POLLOUT
                                             : POLLIN | POLLOUT;
    struct pollfd polled[1 + 1] = { { .fd = fd, .events = events } };
    int rv = kin__os_poll_until(polled, 1, deadline);
    return rv < 0 ? rv : polled[0].revents & POLLNVAL ? -EBADF : 0;
}

/* ---- reading and writing ------------------------------------------------------------------ */

ssize_t kin__os_stream_read(int fd, void *at, size_t size, bool wait)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    ssize_t n;
    do {
        n = recv(fd, at, size, wait ? 0 : MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

ssize_t kin__os_stream_receive(int fd, kin__message *message, bool wait)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    union control control;
    struct iovec bytes = { .iov_base = message->bytes, .iov_len = message->size };
    struct msghdr header = { .msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control };
    ssize_t n;
    do {
        n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return -errno;
    }
    message->n_fds = control_get(&header, message->fds);
    if (header.msg_flags & MSG_CTRUNC) { /* R2 */
        control_close(message->fds, message->n_fds);
        message->n_fds = -EMFILE;
    }
    return n;
}

ssize_t kin__os_stream_write(int fd, const kin__bytes parts[2], const int *fds, int n_fds,
                             bool wait)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOBUFS;
    }
    union control control;
    struct iovec iov[2];
    for (int i = 0; i < 2; i++) {
        iov[i] =
            (struct iovec){ .iov_base = (void *)(uintptr_t)parts[i].at, .iov_len = parts[i].size };
    }
    struct msghdr header = { .msg_iov = iov, .msg_iovlen = 2 };
    control_put(&header, &control, fds, n_fds);
    ssize_t n;
    do {
        n = sendmsg(fd, &header, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

_Static_assert(KIN__PIPE_PIECE <= PIPE_BUF, "what a pipe takes in one piece");

/* ---- names (R3) --------------------------------------------------------------------------- */

static int bind_to(int fd, const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(name);
    if (length > sizeof address.sun_path - 1) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path + 1, name, length);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    return bind(fd, (const struct sockaddr *)&address, size) < 0 ? -errno : 0;
}

int kin__os_stream_name(int fd, const char *name)
{
    return KIN__FAULT(KIN__FAULT_CALL) ? -ENOMEM : bind_to(fd, name);
}

bool kin__os_name_is_free(const char *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    int rv = bind_to(fd, name);
    close(fd);
    return rv == 0;
}

uint64_t kin__os_network(void)
{
    struct stat info;
    return stat("/proc/self/ns/net", &info) < 0 ? 0 : (uint64_t)info.st_ino;
}
