/* seqpacket.c - a pair of Unix sockets that keep messages apart. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/bench.h"
#include "peer.h"

/* The kernel lets a socket hold a message of that size; not without a privilege, if it is large. */
static bool takes(const int *ends, size_t size)
{
    char *message = calloc(1, size);
    BENCH_MUST(message != NULL);
    bool taken = send(ends[0], message, size, MSG_DONTWAIT) == (ssize_t)size;
    BENCH_MUST(!taken || recv(ends[1], message, size, 0) == (ssize_t)size);
    free(message);
    return taken;
}

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    int *ends = malloc(2 * sizeof *ends);
    BENCH_MUST(ends != NULL && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    const int most = 8 << 20;
    if (setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &most, sizeof most) < 0) {
        (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
    }
    if (takes(ends, shape->size)) {
        return ends;
    }
    *ret_note = "messages of this size are over net.core.wmem_max";
    close(ends[0]);
    close(ends[1]);
    free(ends);
    return NULL;
}

static void put(void *queue, const void *message, size_t size)
{
    BENCH_MUST(send(((int *)queue)[0], message, size, 0) == (ssize_t)size);
}

static void get(void *queue, void *message, size_t size)
{
    BENCH_MUST(recv(((int *)queue)[1], message, size, 0) == (ssize_t)size);
}

static void close_it(void *queue)
{
    int *ends = queue;
    close(ends[0]);
    close(ends[1]);
    free(ends);
}

const peer peer_seqpacket = {
    .name = "SEQPACKET", .open = open_it, .put = put, .get = get, .close = close_it
};
