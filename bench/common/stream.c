/* stream.c - messages through a queue, from producers to consumers. */
#include "stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Each process' message, and where it notes the sum of its stamps. */
static unsigned char *message;
static uint64_t *sums;

/* The first and the last word of a message say which one it is; it may be one word long. */
static void stamp(uint64_t number, size_t size)
{
    memcpy(message, &number, sizeof number);
    memcpy(message + size - sizeof number, &number, sizeof number);
}

static uint64_t stamp_of(size_t size)
{
    uint64_t first;
    uint64_t last;
    memcpy(&first, message, sizeof first);
    memcpy(&last, message + size - sizeof last, sizeof last);
    BENCH_MUST(first == last);
    return first;
}

/* This member's part of each * producers * consumers messages; the sum of their stamps. */
static uint64_t pass(const bench_stream *s, unsigned index, uint64_t each)
{
    size_t size = s->shape.size;
    uint64_t sum = 0;
    if (index < s->shape.producers) {
        uint64_t first = (uint64_t)index << 40;
        for (uint64_t i = 0; i < each * s->shape.consumers; i++) {
            stamp(first + i, size);
            s->peer->put(s->queue, message, size);
            sum += first + i;
        }
    } else {
        for (uint64_t i = 0; i < each * s->shape.producers; i++) {
            s->peer->get(s->queue, message, size);
            sum += stamp_of(size);
        }
    }
    return sum;
}

static uint64_t multiple(const bench_stream *s, uint64_t about)
{
    uint64_t of = s->multiple != 0 ? s->multiple : 1;
    return (about / of + 1) * of;
}

/* So many that the queue's cells come round twice in the hands of each of the fewer ones. */
static uint64_t to_warm_up(const bench_stream *s)
{
    bool more = s->shape.producers > s->shape.consumers;
    uint64_t enough = 2 * s->shape.bound / (more ? s->shape.consumers : s->shape.producers);
    return multiple(s, enough < s->each ? enough : s->each);
}

/* Warms up: connections stand, and the pages that are used are there, in this process too. */
static void enter(unsigned index, const void *arg)
{
    const bench_stream *s = arg;
    memset(message, (int)index, s->shape.size);
    if (s->peer->enter != NULL) {
        s->peer->enter(s->queue, index);
    }
    (void)pass(s, index, to_warm_up(s));
}

static void play(unsigned index, const void *arg)
{
    const bench_stream *s = arg;
    sums[index] = pass(s, index, s->each);
}

double bench_stream_run(const void *stream)
{
    const bench_stream *s = stream;
    unsigned n = s->shape.producers + s->shape.consumers;
    int cpus[BENCH_TEAM_MOST] = { 0 };
    for (unsigned i = s->shape.producers; i < n; i++) {
        cpus[i] = 1;
    }
    double seconds = bench_team_entered(n, s->anywhere ? NULL : cpus, enter, play, s);
    uint64_t difference = 0;
    for (unsigned i = 0; i < n; i++) {
        difference += i < s->shape.producers ? sums[i] : -sums[i];
    }
    BENCH_MUST(difference == 0);
    return seconds / (double)(s->each * s->shape.producers * s->shape.consumers);
}

static double run_of(bench_stream *s, uint64_t each)
{
    s->each = multiple(s, each);
    return bench_stream_run(s) * (double)(s->each * s->shape.producers * s->shape.consumers);
}

bool bench_stream_open(bench_stream *s, const char **ret_note)
{
    message = realloc(message, s->shape.size);
    sums = sums != NULL ? sums : bench_shared(BENCH_TEAM_MOST * sizeof *sums);
    BENCH_MUST(message != NULL);
    s->queue = s->peer->open(&s->shape, ret_note);
    if (s->queue == NULL) {
        return false;
    }
    uint64_t each = 1;
    double lasted = run_of(s, each);
    while (lasted < s->seconds / 8) {
        each *= 4;
        lasted = run_of(s, each);
    }
    s->each = multiple(s, (uint64_t)((double)s->each * s->seconds / lasted));
    return true;
}

void bench_stream_close(bench_stream *s)
{
    if (s->queue != NULL) {
        s->peer->close(s->queue);
    }
}
