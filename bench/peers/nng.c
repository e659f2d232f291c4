/* nng.c - nng's push and pull over ipc; with sockets as zmq.c has them, and for the same reason. */
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../common/bench.h"
#include "peer.h"

typedef struct nng_end {
    peer_shape shape;
    int id; /* of the parent, for the names */
    nng_socket sockets[PEER_MEMBERS];
    unsigned count, next;
} nng_end;

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    static int opened;
    nng_end *e = calloc(1, sizeof *e);
    BENCH_MUST(e != NULL);
    e->shape = *shape;
    e->id = (int)getpid() * 100 + opened++ % 100;
    return e;
}

static void set_up(const nng_end *e, nng_socket socket)
{
    (void)nng_socket_set_int(socket, NNG_OPT_SENDBUF, (int)e->shape.bound); /* new in 1.5 */
    (void)nng_socket_set_int(socket, NNG_OPT_RECVBUF, (int)e->shape.bound);
    BENCH_MUST(nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, 0) == 0);
    BENCH_MUST(nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, 1) == 0);
    BENCH_MUST(nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, 5) == 0);
}

static void get(void *queue, void *message, size_t size)
{
    nng_end *e = queue;
    size_t got = size;
    BENCH_MUST(nng_recv(e->sockets[0], message, &got, 0) == 0 && got == size);
}

static void be_consumer(nng_end *e, unsigned number)
{
    char name[60];
    snprintf(name, sizeof name, "abstract://kin_bench_nng_%d_%u", e->id, number);
    e->count = 1;
    BENCH_MUST(nng_pull0_open(&e->sockets[0]) == 0);
    set_up(e, e->sockets[0]);
    BENCH_MUST(nng_listen(e->sockets[0], name, NULL, 0) == 0);
}

static void be_producer(nng_end *e, unsigned number)
{
    e->count = e->shape.consumers;
    e->next = number % e->count;
    for (unsigned i = 0; i < e->count; i++) {
        char name[60];
        snprintf(name, sizeof name, "abstract://kin_bench_nng_%d_%u", e->id, i);
        BENCH_MUST(nng_push0_open(&e->sockets[i]) == 0);
        set_up(e, e->sockets[i]);
        BENCH_MUST(nng_dial(e->sockets[i], name, NULL, NNG_FLAG_NONBLOCK) == 0);
    }
}

static void enter(void *queue, unsigned member)
{
    nng_end *e = queue;
    if (member < e->shape.producers) {
        be_producer(e, member);
    } else {
        be_consumer(e, member - e->shape.producers);
    }
}

static void put(void *queue, const void *message, size_t size)
{
    nng_end *e = queue;
    BENCH_MUST(nng_send(e->sockets[e->next], (void *)(uintptr_t)message, size, 0) == 0);
    e->next = e->next + 1 < e->count ? e->next + 1 : 0;
}

const peer peer_nng = {
    .name = "nng ipc", .open = open_it, .enter = enter, .put = put, .get = get, .close = free
};
