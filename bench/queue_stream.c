/* How many messages a second go through a queue, and through what else might be used instead?
 *
 *     queue_stream                     each number of producers and consumers, with each size
 *     queue_stream 2 2 1024 [free]     2 producers, 2 consumers, 1 KiB; free: not pinned
 *     queue_stream quick [4 1 8]       to try something: short samples, ours, the limit and Boost
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench.h"
#include "common/stream.h"

#define WAITING_MOST (4u << 20) /* bytes: a bound is 1024 messages, or so many that it is this */

static bool quick;

enum { BOUNDED, LIMIT, OTHERS };
#define PEERS_QUICK 4
static const peer *const peers[] = { &peer_kin_bounded,     &peer_vyukov, &peer_kin_unbounded,
                                     &peer_boost,           &peer_mq,     &peer_pipe,
                                     &peer_seqpacket,       &peer_zmq,    &peer_nng,
                                     &peer_kin_by_reference };
#define PEERS (sizeof peers / sizeof peers[0])

/* One question: a stream through each peer. */
typedef struct cell {
    bench_stream streams[PEERS];
    char conditions[400];
    char scripts[2][80];
} cell;

static double ours(const void *arg)
{
    return bench_stream_run(&((const cell *)arg)->streams[BOUNDED]);
}

static double limit(const void *arg)
{
    return bench_stream_run(&((const cell *)arg)->streams[LIMIT]);
}

static void remark(cell *c, const char *name, const char *what, const char *note)
{
    size_t length = strlen(c->conditions);
    snprintf(c->conditions + length, sizeof c->conditions - length, "; %s%s: %s", name, what, note);
}

static void open_all(cell *c, bench_case *question, const bench_stream *how)
{
    unsigned others = 0;
    for (size_t i = 0; i < (quick ? PEERS_QUICK : PEERS); i++) {
        bench_stream *s = &c->streams[i];
        const char *note = NULL;
        *s = *how;
        s->peer = peers[i];
        bool there = bench_stream_open(s, &note);
        if (note != NULL) {
            remark(c, s->peer->name, there ? "" : " left out", note);
        }
        if (there && i >= OTHERS) {
            question->others[others++] =
                (bench_other){ .name = s->peer->name, .measure = bench_stream_run, .arg = s };
        }
    }
}

/* CPython is asked where its samples end in a second or so. */
static void add_scripts(cell *c, bench_case *question, const peer_shape *shape)
{
    if (quick || shape->producers != shape->consumers || shape->producers > 2) {
        return;
    }
    unsigned count = shape->size <= 1024 ? 80000 : shape->size <= 65536 ? 4000 : 300;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(c->scripts[i], sizeof c->scripts[i], "queue_stream.py %s %u %zu %u %u",
                 i == 0 ? "Queue" : "SimpleQueue", shape->producers, shape->size,
                 count / shape->producers, shape->bound);
    }
    question->peer = c->scripts[0];
    unsigned others = 0;
    while (question->others[others].name != NULL) {
        others++;
    }
    question->others[others] = (bench_other){ .name = "SimpleQueue", .script = c->scripts[1] };
}

static void ask(unsigned producers, unsigned consumers, size_t size, bool anywhere)
{
    bench_stream how = { .shape = { producers, consumers, size, 1024 },
                         .anywhere = anywhere,
                         .seconds = quick ? 0.02 : 0.25 };
    while (how.shape.bound * size > WAITING_MOST) {
        how.shape.bound /= 2;
    }
    cell c = { 0 };
    char name[80];
    snprintf(name, sizeof name, "queue: %u to %u, %zu bytes", producers, consumers, size);
    snprintf(c.conditions, sizeof c.conditions, "%s; bounds are %u messages",
             how.anywhere ? "not pinned" : "producers on cpu 0, consumers on cpu 1",
             how.shape.bound);
    bench_case question = { .name = name,
                            .unit = size <= 65536 ? "M/s" : "us",
                            .ours = ours,
                            .floor = limit,
                            .floor_is = "a spinning Vyukov ring",
                            .conditions = c.conditions,
                            .arg = &c,
                            .rounds = quick ? 3 : 5 };
    open_all(&c, &question, &how);
    add_scripts(&c, &question, &how.shape);
    bench_run(&question);
    for (size_t i = 0; i < PEERS; i++) {
        bench_stream_close(&c.streams[i]);
    }
}

int main(int argc, char **argv)
{
    static const unsigned teams[][2] = { { 1, 1 }, { 2, 2 }, { 4, 1 }, { 1, 4 }, { 32, 32 } };
    static const size_t sizes[] = { 8, 64, 1 << 10, 64 << 10, 1 << 20 };
    KIN_CHECK(kin_init(argc, argv));
    quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    argv += quick;
    argc -= quick;
    if (argc >= 4) {
        ask((unsigned)atoi(argv[1]), (unsigned)atoi(argv[2]), (size_t)atol(argv[3]), argc > 4);
        return 0;
    }
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 5; k++) {
            ask(teams[i][0], teams[i][1], sizes[k], teams[i][0] > 4);
        }
    }
    return 0;
}
