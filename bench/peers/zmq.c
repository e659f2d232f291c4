/* zmq.c - ZeroMQ's push and pull over ipc.
 *
 * Every consumer has a pull socket, to which each producer connects a push socket of his own. He
 * takes them in turn himself: left to a single socket, how many messages each consumer gets would
 * be anybody's guess, and the bench's consumers each wait for their number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zmq.h>

#include "../common/bench.h"
#include "peer.h"

typedef struct zmq_end {
    peer_shape shape;
    int id; /* of the parent, for the names */
    void *context;
    void *sockets[PEER_MEMBERS];
    unsigned count, next;
} zmq_end;

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    static int opened;
    zmq_end *e = calloc(1, sizeof *e);
    BENCH_MUST(e != NULL);
    e->shape = *shape;
    e->id = (int)getpid() * 100 + opened++ % 100;
    return e;
}

static void *socket_new(zmq_end *e, int type)
{
    void *socket = zmq_socket(e->context, type);
    BENCH_MUST(socket != NULL);
    const int most = (int)e->shape.bound;
    const int soon = 1; /* ms */
    BENCH_MUST(zmq_setsockopt(socket, ZMQ_SNDHWM, &most, sizeof most) == 0);
    BENCH_MUST(zmq_setsockopt(socket, ZMQ_RCVHWM, &most, sizeof most) == 0);
    BENCH_MUST(zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &soon, sizeof soon) == 0);
    return socket;
}

static void be_consumer(zmq_end *e, unsigned number)
{
    char name[60];
    snprintf(name, sizeof name, "ipc://@kin_bench_zmq_%d_%u", e->id, number);
    e->count = 1;
    e->sockets[0] = socket_new(e, ZMQ_PULL);
    BENCH_MUST(zmq_bind(e->sockets[0], name) == 0);
}

static void be_producer(zmq_end *e, unsigned number)
{
    e->count = e->shape.consumers;
    e->next = number % e->count;
    for (unsigned i = 0; i < e->count; i++) {
        char name[60];
        snprintf(name, sizeof name, "ipc://@kin_bench_zmq_%d_%u", e->id, i);
        e->sockets[i] = socket_new(e, ZMQ_PUSH);
        BENCH_MUST(zmq_connect(e->sockets[i], name) == 0);
    }
}

static void enter(void *queue, unsigned member)
{
    zmq_end *e = queue;
    e->context = zmq_ctx_new();
    BENCH_MUST(e->context != NULL);
    if (member < e->shape.producers) {
        be_producer(e, member);
    } else {
        be_consumer(e, member - e->shape.producers);
    }
}

static void put(void *queue, const void *message, size_t size)
{
    zmq_end *e = queue;
    BENCH_MUST(zmq_send(e->sockets[e->next], message, size, 0) == (int)size);
    e->next = e->next + 1 < e->count ? e->next + 1 : 0;
}

static void get(void *queue, void *message, size_t size)
{
    zmq_end *e = queue;
    BENCH_MUST(zmq_recv(e->sockets[0], message, size, 0) == (int)size);
}

const peer peer_zmq = {
    .name = "ZeroMQ ipc", .open = open_it, .enter = enter, .put = put, .get = get, .close = free
};
