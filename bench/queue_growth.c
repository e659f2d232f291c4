/* What do waiting messages cost, from 100 to ten million of them: how many a second go in, how many
 * come out, and how much memory does each take meanwhile?
 *
 *     queue_growth [quick]
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/peer.h"

#define WAITING_MOST (1ul << 30) /* bytes in all */

typedef struct growth {
    const peer *peer;
    bench_series put, get;
    double bytes; /* for a message that waits, its own among them */
} growth;

static unsigned char message[1024];

static double fill(const peer *p, void *queue, const peer_shape *shape)
{
    double begin = kin_now();
    for (uint64_t i = 0; i < shape->bound; i++) {
        memcpy(message, &i, sizeof i);
        p->put(queue, message, shape->size);
    }
    return kin_now() - begin;
}

static double drain(const peer *p, void *queue, const peer_shape *shape)
{
    double begin = kin_now();
    for (uint64_t i = 0; i < shape->bound; i++) {
        p->get(queue, message, shape->size);
        BENCH_MUST(memcmp(message, &i, sizeof i) == 0);
    }
    return kin_now() - begin;
}

/* A new queue; few messages go through it several times. */
static void ask_once(growth *g, const peer_shape *shape)
{
    const char *note = NULL;
    void *queue = g->peer->open(shape, &note);
    BENCH_MUST(queue != NULL);
    double put = 0;
    double get = 0;
    double times = 0;
    for (; put + get < 0.02; times += shape->bound) {
        put += fill(g->peer, queue, shape);
        g->bytes = (double)g->peer->memory(queue) / shape->bound;
        get += drain(g->peer, queue, shape);
    }
    g->put.round[g->put.rounds++] = put / times;
    g->get.round[g->get.rounds++] = get / times;
    g->peer->close(queue);
}

static void print(const growth *g, const char *who)
{
    printf("\"%s\": {", who);
    bench_series_print("put", &g->put, "M/s");
    printf(", ");
    bench_series_print("get", &g->get, "M/s");
    printf(", \"bytes\": %.1f}, ", g->bytes);
}

static void ask(unsigned waiting, size_t size, int rounds)
{
    const char *note = NULL;
    peer_shape shape = { 1, 1, size, waiting };
    growth ours = { .peer = &peer_kin_unbounded };
    growth boost = { .peer = &peer_boost };
    void *tried = boost.peer->open(&(peer_shape){ 1, 1, size, 1 }, &note);
    if (tried != NULL) {
        boost.peer->close(tried);
    }
    for (int i = 0; i < rounds; i++) {
        alarm(100);
        ask_once(&ours, &shape);
        if (tried != NULL) {
            ask_once(&boost, &shape);
        }
    }
    printf("{\"bench\": \"queue: growth, %u messages of %zu bytes wait\", \"unit\": \"M/s\", ",
           waiting, size);
    print(&ours, "ours");
    if (tried != NULL) {
        print(&boost, "Boost");
    }
    double load = 0;
    (void)getloadavg(&load, 1);
    printf("\"conditions\": \"on cpu 0, one process puts all and then gets all; load %.1f\"}\n",
           load);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    bench_pin(0);
    for (size_t size = 8; size <= 1024; size *= 128) {
        for (unsigned waiting = 100; waiting <= (quick ? 100000 : 10000000); waiting *= 10) {
            if (waiting * size <= WAITING_MOST) {
                ask(waiting, size, quick ? 1 : 5);
            }
        }
    }
    return 0;
}
