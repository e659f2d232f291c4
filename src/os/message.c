/* message.c - sockets between relatives, whose messages keep their bounds and carry descriptors.
 *
 * Rules.
 *   R1  A message is sent whole or not at all, whoever else sends: SOCK_SEQPACKET.
 *   R2  Descriptors that arrive are close-on-exec. When not all of them could be taken (too many
 *       are open here), none is kept, and the message is an error.
 *
 * Death. A message that its sender sent is there when he is gone. When the last one who held the
 * other end is gone there is an end, -EPIPE or 0 bytes, and no signal.
 */
#include "room.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(KIN__DESCRIPTORS_MOST * sizeof(int))];
};

int kin__os_socketpair(int ret_ends[2])
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    return kin__os_clear_both(ends, ret_ends);
}

int kin__os_send(int socket, const kin__message *message)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    union control control;
    struct iovec bytes = { .iov_base = message->bytes, .iov_len = message->size };
    struct msghdr header = { .msg_iov = &bytes, .msg_iovlen = 1 };
    if (message->n_fds > 0) {
        size_t size = (size_t)message->n_fds * sizeof(int);
        memset(&control, 0, sizeof control);
        header.msg_control = &control;
        header.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *fds = CMSG_FIRSTHDR(&header);
        fds->cmsg_level = SOL_SOCKET;
        fds->cmsg_type = SCM_RIGHTS;
        fds->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(fds), message->fds, size);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == ENOBUFS || errno == ETOOMANYREFS)) { /* in words that callers know */
        return errno == ENOBUFS ? -ENOMEM : -EMFILE;
    }
    return sent < 0 ? -errno : 0;
}

/* The descriptors of a message that has arrived. */
static int take_descriptors(struct msghdr *header, int *ret_fds)
{
    struct cmsghdr *fds = CMSG_FIRSTHDR(header);
    if (fds == NULL || fds->cmsg_level != SOL_SOCKET || fds->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t size = fds->cmsg_len - CMSG_LEN(0);
    memcpy(ret_fds, CMSG_DATA(fds), size);
    return (int)(size / sizeof(int));
}

int kin__os_receive(int socket, kin__message *message, bool wait)
{
    union control control;
    struct iovec bytes = { .iov_base = message->bytes, .iov_len = message->size };
    struct msghdr header = { .msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control };
    ssize_t got;
    do {
        got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return -errno;
    }
    int fds[KIN__DESCRIPTORS_MOST];
    int n = take_descriptors(&header, fds);
    if (n > message->n_fds || header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) { /* R2 */
        while (n > 0) {
            close(fds[--n]);
        }
        return header.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE;
    }
    if (n > 0) {
        memcpy(message->fds, fds, (size_t)n * sizeof(int));
    }
    message->n_fds = n;
    return (int)got;
}
