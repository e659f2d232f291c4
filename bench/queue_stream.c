/* How many messages a second go through a queue, from one process to one, and from two to two? */
#include <kin.h>
#include <stdio.h>

#include "common/bench.h"
#include "common/ring.h"

typedef struct stream {
    unsigned pairs; /* of a producer and a consumer */
    size_t size;    /* of a message */
    long count;     /* of messages, of each producer */
    kin_queue *queue;
    spin_ring *rings[2]; /* one for each pair */
} stream;

static const int cpus[4] = { 0, 1, 0, 1 }; /* producer, consumer, producer, consumer */

static void play_queue(unsigned index, const void *arg)
{
    const stream *s = arg;
    unsigned char message[1024] = { 0 };
    for (long i = 0; i < s->count; i++) {
        if (index % 2 == 0) {
            KIN_CHECK(kin_queue_put_bytes(s->queue, message, s->size, KIN_FOREVER));
        } else {
            KIN_CHECK(kin_queue_get_bytes(s->queue, message, sizeof message, KIN_FOREVER));
        }
    }
}

static void play_ring(unsigned index, const void *arg)
{
    const stream *s = arg;
    unsigned char message[1024] = { 0 };
    for (long i = 0; i < s->count; i++) {
        if (index % 2 == 0) {
            spin_ring_put(s->rings[index / 2], message);
        } else {
            spin_ring_get(s->rings[index / 2], message);
        }
    }
}

static double ours(const void *arg)
{
    const stream *s = arg;
    return bench_team(2 * s->pairs, cpus, play_queue, s) / (double)(s->pairs * s->count);
}

static double ring(const void *arg)
{
    const stream *s = arg;
    return bench_team(2 * s->pairs, cpus, play_ring, s) / (double)(s->pairs * s->count);
}

static void ask(unsigned pairs, size_t size, unsigned maxsize)
{
    stream s = { .pairs = pairs, .size = size, .count = (size == 8 ? 600000 : 300000) / pairs };
    KIN_CHECK(kin_queue_new(&s.queue, KIN_OPT(kin_queue_options, .maxsize = maxsize)));
    for (unsigned i = 0; i < pairs; i++) {
        s.rings[i] = spin_ring_new(1024, size);
    }
    char name[80];
    char peer[80];
    snprintf(name, sizeof name, "queue: %u to %u, %zu bytes, %s", pairs, pairs, size,
             maxsize != 0 ? "bounded" : "unbounded");
    snprintf(peer, sizeof peer, "queue_stream.py %u %zu %u %u", pairs, size, 60000 / pairs,
             maxsize);
    bench_run(&(bench_case){ .name = name,
                             .unit = "M/s",
                             .ours = ours,
                             .floor = ring,
                             .floor_is = "a spinning ring for each pair",
                             .peer = peer,
                             .conditions = "producers on cpu 0, consumers on cpu 1",
                             .arg = &s });
    kin_queue_free(s.queue);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    for (unsigned pairs = 1; pairs <= 2; pairs++) {
        for (size_t size = 8; size <= 1024; size *= 128) {
            ask(pairs, size, 0);
            ask(pairs, size, 1024);
        }
    }
    return 0;
}
