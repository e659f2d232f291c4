/* events.c - many descriptors at once, each waited for in the directions that are wanted of it just
 * now; and who is at the other end of one. A watch is that of net.c. */
#include "room.h"

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define MILLISECOND INT64_C(1000000)
#define MOST 64

int kin__os_watch_for(int watch, int fd, void *word, unsigned what, bool is_new)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    struct epoll_event event = { .events = EPOLLRDHUP | (what & KIN__CAN_READ ? EPOLLIN : 0u) |
                                           (what & KIN__CAN_WRITE ? EPOLLOUT : 0u),
                                 .data.ptr = word };
    int rv = epoll_ctl(watch, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    return rv < 0 ? -errno : 0;
}

static int left_until(int64_t deadline)
{
    if (deadline == KIN__NEVER) {
        return -1;
    }
    int64_t left = (deadline - kin__os_now() + MILLISECOND - 1) / MILLISECOND;
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int kin__os_watch_wait(int watch, kin__happened *ret, int room, int64_t deadline)
{
    struct epoll_event events[MOST];
    int n = epoll_wait(watch, events, room < MOST ? room : MOST, left_until(deadline));
    for (int i = 0; i < n; i++) {
        unsigned seen = events[i].events;
        ret[i].word = events[i].data.ptr;
        ret[i].what = (seen & EPOLLIN ? KIN__CAN_READ : 0u) |
                      (seen & EPOLLOUT ? KIN__CAN_WRITE : 0u) |
                      (seen & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? KIN__HUNG_UP : 0u);
    }
    return n >= 0 ? n : errno == EINTR ? 0 : -errno;
}

pid_t kin__os_net_peer(int socket)
{
    struct ucred who = { 0 };
    socklen_t size = sizeof who;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0 ? 0 : who.pid;
}

void kin__os_net_hang_up(int socket)
{
    (void)shutdown(socket, SHUT_RDWR);
}
