/* control.h - descriptors in the control part of a socket's message. */
#ifndef KIN_OS_CONTROL_H
#define KIN_OS_CONTROL_H

#include "room.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header; /* for its alignment */
    char bytes[CMSG_SPACE(KIN__DESCRIPTORS_MOST * sizeof(int))];
};

/* Has these descriptors travel with the message; none is fine. */
static inline void control_put(struct msghdr *header, union control *control, const int *fds, int n)
{
    size_t size = (size_t)n * sizeof(int);
    if (n <= 0) {
        return;
    }
    memset(control, 0, CMSG_SPACE(size));
    header->msg_control = control;
    header->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(rights), fds, size);
}

/* The descriptors of a message that has arrived: how many. */
static inline int control_get(struct msghdr *header, int ret_fds[KIN__DESCRIPTORS_MOST])
{
    struct cmsghdr *rights = CMSG_FIRSTHDR(header);
    if (rights == NULL || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t size = rights->cmsg_len - CMSG_LEN(0);
    memcpy(ret_fds, CMSG_DATA(rights), size);
    return (int)(size / sizeof(int));
}

static inline void control_close(const int *fds, int n)
{
    while (n > 0) {
        close(fds[--n]);
    }
}

#endif
