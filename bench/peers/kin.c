/* kin.c - our own queue, behind the interface of its peers. */
#include <kin.h>
#include <string.h>

#include "peer.h"

static uint64_t used_before;

static uint64_t used(void)
{
    kin_usage_info usage;
    KIN_CHECK(kin_usage(&usage));
    return usage.used;
}

static void *open_with(uint64_t maxsize)
{
    kin_queue *queue;
    used_before = used();
    KIN_CHECK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxsize = maxsize)));
    return queue;
}

static void *open_bounded(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    return open_with(shape->bound);
}

static void *open_unbounded(const peer_shape *shape, const char **ret_note)
{
    (void)shape;
    (void)ret_note;
    return open_with(0);
}

static void put(void *queue, const void *message, size_t size)
{
    KIN_CHECK(kin_queue_put_bytes(queue, message, size, KIN_FOREVER));
}

static void get(void *queue, void *message, size_t size)
{
    KIN_CHECK(kin_queue_get_bytes(queue, message, size, KIN_FOREVER));
}

/* By reference: of what lies in the family's memory only both ends, the stamps, are touched. */
enum { STAMP = 8 };

static void *open_for_large(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    return shape->size >= 4096 ? open_with(shape->bound) : NULL;
}

static void put_where_it_lies(void *queue, const void *message, size_t size)
{
    void *bytes;
    KIN_CHECK(kin_queue_reserve(queue, size, &bytes));
    memcpy(bytes, message, STAMP);
    memcpy((char *)bytes + size - STAMP, (const char *)message + size - STAMP, STAMP);
    KIN_CHECK(kin_queue_commit(queue, bytes, size, KIN_FOREVER));
}

static void get_where_it_lies(void *queue, void *message, size_t size)
{
    kin_message got;
    KIN_CHECK(kin_queue_peek(queue, &got, KIN_FOREVER));
    memcpy(message, got.bytes, STAMP);
    memcpy((char *)message + size - STAMP, (const char *)got.bytes + size - STAMP, STAMP);
    KIN_CHECK(kin_queue_consume(queue, &got));
}

static void close_it(void *queue)
{
    kin_queue_free(queue);
}

/* Of the last one that was opened, if nothing else was allocated since. */
static uint64_t memory(void *queue)
{
    (void)queue;
    return used() - used_before;
}

const peer peer_kin_bounded = { .name = "kin bounded",
                                .open = open_bounded,
                                .put = put,
                                .get = get,
                                .close = close_it,
                                .memory = memory };
const peer peer_kin_unbounded = { .name = "kin unbounded",
                                  .open = open_unbounded,
                                  .put = put,
                                  .get = get,
                                  .close = close_it,
                                  .memory = memory };
const peer peer_kin_by_reference = { .name = "kin by reference",
                                     .open = open_for_large,
                                     .put = put_where_it_lies,
                                     .get = get_where_it_lies,
                                     .close = close_it,
                                     .memory = memory };
