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
#include "control.h"

#include <errno.h>

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
    control_put(&header, &control, message->fds, message->n_fds);
    ssize_t sent;
    do {
        sent = sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == ENOBUFS || errno == ETOOMANYREFS)) { /* in words that callers know */
        return errno == ENOBUFS ? -ENOMEM : -EMFILE;
    }
    return sent < 0 ? -errno : 0;
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
    int n = control_get(&header, fds);
    if (n > message->n_fds || header.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) { /* R2 */
        control_close(fds, n);
        return header.msg_flags & MSG_CTRUNC ? -EMFILE : -EMSGSIZE;
    }
    if (n > 0) {
        memcpy(message->fds, fds, (size_t)n * sizeof(int));
    }
    message->n_fds = n;
    return (int)got;
}
