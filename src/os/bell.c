/* bell.c - a socket that wakes whoever polls it, and is rung by name from any process.
 *
 * A datagram without a byte is the whole message. The name is a number that cannot be guessed, in
 * no file system, and gone with the socket: so nobody else's is rung, and nobody else rings.
 *
 * A process rings with one socket of its own, made at the first time. What it has sent and nobody
 * has read yet counts against that socket; when that is too much, another one takes its place:
 * closing one takes nothing back that it has sent. What then does not go is a bell that was rung
 * often enough.
 */
#include "room.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KIND (SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static _Atomic int ringer = -1;

static socklen_t address_of(uint64_t name, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int n = snprintf(ret->sun_path + 1, sizeof ret->sun_path - 1, "kin-%016" PRIx64, name);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int kin__os_bell(uint64_t name)
{
    struct sockaddr_un address;
    socklen_t size = address_of(name, &address);
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = socket(AF_UNIX, KIND, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, size) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

void kin__os_hush(int bell)
{
    char none;
    while (recv(bell, &none, sizeof none, 0) >= 0) {
    }
}

/* When descriptors are out: one more than this process may have, if it may have that. (Two threads
 * at once may leave the limit higher by one.) */
static int socket_past_the_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max) {
        return -EMFILE;
    }
    struct rlimit more = { .rlim_cur = limit.rlim_cur + 1, .rlim_max = limit.rlim_max };
    (void)setrlimit(RLIMIT_NOFILE, &more);
    int fd = socket(AF_UNIX, KIND, 0);
    int error = errno;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return fd < 0 ? -error : fd;
}

static int new_ringer(void)
{
    int fd = KIN__FAULT(KIN__FAULT_CALL) ? -1 : socket(AF_UNIX, KIND, 0);
    if (fd < 0) {
        fd = socket_past_the_limit();
    }
    return kin__os_clear_of_stdio(fd);
}

/* Puts a new one into the place of `old`, whose number stays: another thread may be using it. */
static int renew(int old)
{
    int fd = new_ringer();
    if (fd < 0) {
        return fd;
    }
    if (old >= 0) {
        return kin__os_replace(fd, old);
    }
    if (!atomic_compare_exchange_strong(&ringer, &old, fd)) {
        kin__os_close(fd); /* another thread was faster */
    }
    return 0;
}

int kin__os_ringer(void)
{
    return atomic_load(&ringer);
}

/* 0 or -errno. */
static int ring(int fd, uint64_t name)
{
    struct sockaddr_un address;
    socklen_t size = address_of(name, &address);
    if (fd < 0) {
        return -EBADF;
    }
    ssize_t sent = sendto(fd, "", 0, MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
    return sent < 0 ? -errno : 0;
}

int kin__os_ring(uint64_t name)
{
    int fd = atomic_load(&ringer);
    int rv = ring(fd, name);
    if (rv == -EBADF || rv == -ENOTSOCK) { /* none yet, or somebody has closed what is not his */
        (void)atomic_compare_exchange_strong(&ringer, &fd, -1);
        rv = renew(-1);
        rv = rv < 0 ? rv : ring(atomic_load(&ringer), name);
    } else if (rv == -EAGAIN) {
        rv = renew(fd);
        rv = rv < 0 ? rv : ring(fd, name);
    }
    return rv == -EAGAIN ? 0 : rv;
}
