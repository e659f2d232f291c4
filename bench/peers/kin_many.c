/* kin_many.c - our own queue, when both ends take 32 messages at a time.
 *
 * Each end keeps the batch in hand. So a consumer may hold messages that another one waits for:
 * this is for one to one, and for numbers of messages that are multiples of 32.
 */
#include <kin.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bench.h"
#include "peer.h"

#define BATCH 32

typedef struct kin_many {
    kin_queue *queue;
    size_t size;
    unsigned char *hand; /* this process' own */
    unsigned count, taken;
} kin_many;

static void put_many(kin_queue *queue, const unsigned char *messages, size_t size, unsigned count)
{
    BENCH_MUST(kin_queue_put_array(queue, messages, size, count, KIN_FOREVER) == (ssize_t)count);
}

/* Waits for the first, takes what there is, up to as many. */
static unsigned get_many(kin_queue *queue, unsigned char *messages, size_t size, unsigned count)
{
    ssize_t n = kin_queue_get_array(queue, messages, size, count, KIN_FOREVER);
    BENCH_MUST(n > 0);
    return (unsigned)n;
}

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    kin_many *m = calloc(1, sizeof *m);
    BENCH_MUST(m != NULL);
    KIN_CHECK(kin_queue_new(&m->queue, KIN_OPT(kin_queue_options, .maxsize = shape->bound)));
    m->size = shape->size;
    m->hand = calloc(BATCH, shape->size);
    BENCH_MUST(m->hand != NULL);
    return m;
}

static void put(void *queue, const void *message, size_t size)
{
    kin_many *m = queue;
    memcpy(m->hand + m->count * size, message, size);
    if (++m->count == BATCH) {
        put_many(m->queue, m->hand, size, BATCH);
        m->count = 0;
    }
}

static void get(void *queue, void *message, size_t size)
{
    kin_many *m = queue;
    if (m->taken == m->count) {
        m->count = get_many(m->queue, m->hand, size, BATCH);
        m->taken = 0;
    }
    memcpy(message, m->hand + m->taken++ * size, size);
}

static void close_it(void *queue)
{
    kin_many *m = queue;
    kin_queue_free(m->queue);
    free(m->hand);
    free(m);
}

const peer peer_kin_many = {
    .name = "kin by 32", .open = open_it, .put = put, .get = get, .close = close_it
};
