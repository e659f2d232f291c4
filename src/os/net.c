/* net.c - sockets that others find by an address: Unix paths, abstract names, TCP; the files behind
 * paths; and waiting for many of them.
 *
 * Rules.
 *   R1  A connect is bounded by SO_SNDTIMEO: a Unix socket has no other way, for when the backlog
 *       is full one that does not block is told EAGAIN, and by nobody when to try again.
 *   R2  Whether somebody has a path's socket open is asked by connecting a datagram socket to it.
 *       One that listens, or is about to, says EPROTOTYPE: it is of another type, and does not
 *       hear of it.
 *   R3  A folder is locked by flock, which ends with its holder; it is given back explicitly, for a
 *       process forked meanwhile has a copy of the descriptor.
 *
 * Death.  Nothing here is shared but files: a path stays when its socket is gone.
 *
 * Not here.  What an address looks like, and taking over paths: listener/address.c. Bytes on their
 * way: socket.c.
 */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)

_Static_assert(sizeof(struct sockaddr_storage) <= sizeof((kin__net_address *)0)->bytes,
               "there is room for an address of any family");
_Static_assert(sizeof(struct sockaddr_un) ==
                   offsetof(struct sockaddr_un, sun_path) + KIN__NET_PATH + 1,
               "KIN__NET_PATH is what fits, without the zero");

static const struct sockaddr *raw(const kin__net_address *at)
{
    return (const struct sockaddr *)(const void *)at->bytes;
}

static bool is_unix(const kin__net_address *at)
{
    return raw(at)->sa_family == AF_UNIX;
}

/* ---- addresses ------------------------------------------------------------------------ */

static int make_unix(kin__net_address *ret, const char *name, size_t size, size_t zeros)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    if (size > KIN__NET_PATH) {
        return -ENAMETOOLONG;
    }
    memcpy(local.sun_path + (zeros == 0), name, size);
    *ret =
        (kin__net_address){ .size = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size) };
    memcpy(ret->bytes, &local, sizeof local);
    return 0;
}

int kin__os_net_abstract(const char *name, kin__net_address *ret)
{
    return make_unix(ret, name, strlen(name), 0);
}

/* A descriptor of the folder that a path is in. */
static int open_folder(const char *path, int flags)
{
    char folder[4096];
    const char *name = strrchr(path, '/');
    size_t size = name != NULL ? (size_t)(name - path) + 1 : 0;
    if (size >= sizeof folder) {
        return -ENAMETOOLONG;
    }
    memcpy(folder, path, size);
    folder[size] = '\0';
    int fd = open(size == 0 ? "." : folder, flags | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

int kin__os_net_path(const char *path, kin__net_address *ret, int *ret_folder)
{
    if (strlen(path) <= KIN__NET_PATH) {
        *ret_folder = -1;
        return make_unix(ret, path, strlen(path), 1);
    }
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int folder = open_folder(path, O_PATH);
    if (folder < 0) {
        return folder;
    }
    char name[KIN__NET_PATH + 2]; /* one more than fits */
    int size = snprintf(name, sizeof name, "/proc/self/fd/%d%s", folder, strrchr(path, '/'));
    int rv = make_unix(ret, name, (size_t)size, 1);
    if (rv < 0) {
        close(folder);
        return rv;
    }
    *ret_folder = folder;
    return 0;
}

int kin__os_net_resolve(const char *host, const char *port, kin__net_address *ret, int room,
                        const char **ret_why)
{
    const struct addrinfo wanted = { .ai_socktype = SOCK_STREAM,
                                     .ai_flags = AI_NUMERICSERV | (host == NULL ? AI_PASSIVE : 0) };
    struct addrinfo *found = NULL;
    int rv = KIN__FAULT(KIN__FAULT_CALL) ? EAI_MEMORY : getaddrinfo(host, port, &wanted, &found);
    if (rv != 0) {
        *ret_why = rv == EAI_SYSTEM ? strerror(errno) : gai_strerror(rv);
        return 0;
    }
    int n = 0;
    for (const struct addrinfo *at = found; at != NULL && n < room; at = at->ai_next, n++) {
        ret[n] = (kin__net_address){ .size = at->ai_addrlen };
        memcpy(ret[n].bytes, at->ai_addr, at->ai_addrlen);
    }
    freeaddrinfo(found);
    return n;
}

bool kin__os_net_is_ipv4(const kin__net_address *at)
{
    return raw(at)->sa_family == AF_INET;
}

static void unix_text(const kin__net_address *at, char *text, size_t size)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *)(const void *)at->bytes;
    size_t length = at->size - offsetof(struct sockaddr_un, sun_path);
    if (at->size <= offsetof(struct sockaddr_un, sun_path)) {
        text[0] = '\0';
    } else if (local->sun_path[0] == '\0') {
        (void)snprintf(text, size, "@%.*s", (int)(length - 1), local->sun_path + 1);
    } else {
        (void)snprintf(text, size, "%.*s", (int)length, local->sun_path);
    }
}

void kin__os_net_text(const kin__net_address *at, char *text, size_t size)
{
    char host[128], port[8];
    if (at->size == 0 || is_unix(at)) {
        unix_text(at, text, size);
        return;
    }
    text[0] = '\0';
    if (getnameinfo(raw(at), at->size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(text, size, kin__os_net_is_ipv4(at) ? "%s:%s" : "[%s]:%s", host, port);
    }
}

/* ---- sockets -------------------------------------------------------------------------- */

int kin__os_net_socket(const kin__net_address *at)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = socket(raw(at)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

/* One socket for IPv4 too, where it is for all interfaces. */
static void listen_to_both(int socket, const kin__net_address *at)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)at->bytes;
    int no = 0;
    if (raw(at)->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        (void)setsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    }
}

int kin__os_net_bind(int socket, const kin__net_address *at)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EACCES;
    }
    int yes = 1;
    if (!is_unix(at)) { /* a listener's end does not keep its port closed for a minute */
        (void)setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        listen_to_both(socket, at);
    }
    return bind(socket, raw(at), at->size) < 0 ? -errno : 0;
}

int kin__os_net_listen(int socket, int backlog)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EADDRINUSE;
    }
    /* so that an accept never blocks, also when who had connected is gone again */
    if (listen(socket, backlog) < 0 || fcntl(socket, F_SETFL, O_NONBLOCK) < 0) {
        return -errno;
    }
    return 0;
}

void kin__os_net_hurry(int socket)
{
    (void)setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &(int){ 1 }, sizeof(int));
}

int kin__os_net_shut(int socket)
{
    return shutdown(socket, SHUT_RDWR) < 0 ? -errno : 0;
}

int kin__os_net_own_address(int socket, kin__net_address *ret)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof storage;
    if (getsockname(socket, (struct sockaddr *)&storage, &size) < 0) {
        return -errno;
    }
    *ret = (kin__net_address){ .size = size };
    memcpy(ret->bytes, &storage, size < sizeof storage ? size : sizeof storage);
    return 0;
}

int kin__os_net_accept(int socket, kin__net_address *ret_from)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENFILE;
    }
    struct sockaddr_storage storage = { 0 };
    socklen_t size;
    int fd;
    do { /* who was reset while he waited is nobody any more */
        size = sizeof storage;
        fd = accept4(socket, (struct sockaddr *)&storage, &size, SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    if (fd < 0) {
        return -errno;
    }
    *ret_from = (kin__net_address){ .size = size };
    memcpy(ret_from->bytes, &storage, size < sizeof storage ? size : sizeof storage);
    return kin__os_clear_of_stdio(fd);
}

/* What is left until a deadline, at least a moment, and at most a slice: in between we look
 * whether we were interrupted. */
static struct timeval left_until(int64_t deadline)
{
    int64_t slice = kin__os_now() + KIN__SLICE;
    deadline = slice < deadline ? slice : deadline;
    int64_t left = (deadline - kin__os_now()) / 1000;
    left = left > 0 ? left : 1;
    return (struct timeval){ .tv_sec = left / 1000000, .tv_usec = left % 1000000 };
}

static int connect_until(int socket, const kin__net_address *at, int64_t deadline)
{
    for (;;) {
        struct timeval left = left_until(deadline);
        if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left) < 0) {
            return -errno;
        }
        if (connect(socket, raw(at), at->size) == 0 || errno == EISCONN) {
            return 0;
        }
        bool waited = errno == EAGAIN || errno == EINPROGRESS || errno == EALREADY; /* R1 */
        if (!waited && errno != EINTR) {
            return -errno;
        }
        if (kin__os_now() >= deadline) {
            return -ETIMEDOUT;
        }
        if (kin__os_interrupted()) {
            return -EINTR;
        }
    }
}

int kin__os_net_connect(int socket, const kin__net_address *at, int64_t deadline)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ECONNREFUSED;
    }
    int rv = connect_until(socket, at, deadline);
    struct timeval never = { 0 };
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never);
    return rv;
}

/* ---- the files behind paths ------------------------------------------------------------- */

int kin__os_net_file(const char *path, kin__net_file *ret)
{
    struct stat file;
    if (lstat(path, &file) < 0) {
        return -errno;
    }
    *ret = (kin__net_file){ .device = (uint64_t)file.st_dev,
                            .number = (uint64_t)file.st_ino,
                            .is_socket = S_ISSOCK(file.st_mode) };
    return 0;
}

int kin__os_net_unlink(const char *path, const kin__net_file *file)
{
    struct stat now;
    if (lstat(path, &now) < 0) {
        return -errno;
    }
    if (!S_ISSOCK(now.st_mode) || (uint64_t)now.st_ino != file->number ||
        (uint64_t)now.st_dev != file->device) {
        return -ENOENT;
    }
    return unlink(path) < 0 ? -errno : 0;
}

bool kin__os_net_is_bound(const kin__net_address *at)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return true; /* it cannot be told */
    }
    bool bound = connect(fd, raw(at), at->size) == 0 || errno != ECONNREFUSED; /* R2 */
    close(fd);
    return bound;
}

int kin__os_net_absolute(const char *path, char *ret, size_t size)
{
    size_t begun = 0;
    if (path[0] != '/') {
        if (getcwd(ret, size) == NULL) {
            return -errno;
        }
        path += strncmp(path, "./", 2) == 0 ? 2 : 0;
        begun = strlen(ret);
    }
    const char *slash = begun > 1 ? "/" : "";
    int length = snprintf(ret + begun, size - begun, "%s%s", slash, path);
    return length < 0 || (size_t)length >= size - begun ? -ERANGE : 0;
}

int kin__os_net_lock_folder(const char *path, int64_t deadline)
{
    int folder = open_folder(path, O_RDONLY);
    if (folder < 0) {
        return folder;
    }
    while (flock(folder, LOCK_EX | LOCK_NB) < 0) {
        int64_t now = kin__os_now();
        if ((errno != EWOULDBLOCK && errno != EINTR) || now >= deadline) {
            int rv = errno == EWOULDBLOCK ? -ETIMEDOUT : -errno;
            close(folder);
            return rv;
        }
        kin__os_sleep_until(now + MILLISECOND); /* no wait for it could be ended */
    }
    return folder;
}

void kin__os_net_unlock_folder(int folder)
{
    if (folder >= 0) {
        (void)flock(folder, LOCK_UN); /* R3 */
        close(folder);
    }
}

int kin__os_net_make_folder(char *path, size_t size)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOSPC;
    }
    const char *places[] = { getenv("TMPDIR"), "/tmp" };
    int rv = -ENOENT;
    for (int i = 0; i < 2 && rv < 0; i++) {
        /* where there is no room for a name, Python could not connect to it */
        if (places[i] != NULL && places[i][0] == '/' && strlen(places[i]) < KIN__NET_PATH - 30) {
            (void)snprintf(path, size, "%s/kin-XXXXXX", places[i]);
            rv = mkdtemp(path) == NULL ? -errno : 0;
        }
    }
    return rv;
}

void kin__os_net_remove_folder(const char *path)
{
    (void)rmdir(path);
}

/* ---- waiting for many ------------------------------------------------------------------- */

int kin__os_watch_new(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

int kin__os_watch_add(int watch, int fd, void *word)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -ENOMEM;
    }
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = word };
    return epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

void kin__os_watch_remove(int watch, int fd)
{
    (void)epoll_ctl(watch, EPOLL_CTL_DEL, fd, NULL);
}

int kin__os_watch_next(int watch, void **ret_word)
{
    struct epoll_event event;
    int n;
    do { /* one at a time: it gives the next time the next one */
        n = epoll_wait(watch, &event, 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        *ret_word = event.data.ptr;
    }
    return n < 0 ? -errno : n;
}

int kin__os_alarm_new(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

void kin__os_alarm_set(int alarm, int64_t when)
{
    when = when > 0 ? when : 1; /* 0 would be never */
    struct itimerspec then = { .it_value = { .tv_sec = when / SECOND, .tv_nsec = when % SECOND } };
    if (when == KIN__NEVER) {
        then = (struct itimerspec){ 0 };
    }
    (void)timerfd_settime(alarm, TFD_TIMER_ABSTIME, &then, NULL);
}

int kin__os_flag_new(void)
{
    if (KIN__FAULT(KIN__FAULT_CALL)) {
        return -EMFILE;
    }
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fd < 0 ? -errno : kin__os_clear_of_stdio(fd);
}

void kin__os_flag_set(int flag, bool up)
{
    uint64_t count = 1;
    ssize_t rv = up ? write(flag, &count, sizeof count) : read(flag, &count, sizeof count);
    (void)rv; /* it was so before */
}
