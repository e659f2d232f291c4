/* kinds_queue.c - queues as they are served: Queue and JoinableQueue. */
#include "../queue/room.h"
#include "room.h"

static int give_up(kin__asked *asked, double timeout, int rv, kin_obj *ret, const char *type)
{
    if (kin__asked_waits(asked, timeout, rv)) {
        return 0;
    }
    bool in_vain = rv == KIN_ETIMEDOUT || rv == KIN_EEMPTY || rv == KIN_EFULL;
    return in_vain ? kin__asked_raise(ret, type, kin_args()) : rv;
}

static int get_within(kin__asked *asked, double timeout, kin_obj *ret)
{
    int rv = kin_queue_get(asked->thing, ret, kin__asked_left(asked, timeout));
    return rv < 0 ? give_up(asked, timeout, rv, ret, "queue.Empty") : 0;
}

static int get(kin__asked *asked, kin_obj *ret)
{
    double timeout;
    int rv = kin__asked_timeout(asked, 0, "block", &timeout);
    return rv < 0 ? rv : get_within(asked, timeout, ret);
}

/* Somebody else shall have it, from the end of the queue; nobody, if that is full by now. With .ack
 * it goes back by itself. */
static void put_back(kin__asked *asked, kin_obj item)
{
    const kin_queue *queue = asked->thing;
    if (!queue->ack && kin_queue_put(asked->thing, item, 0) == 0) {
        (void)kin_queue_task_done(asked->thing); /* it counts once; KIN_ESTATE: nobody counts */
    }
}

static int get_nowait(kin__asked *asked, kin_obj *ret)
{
    return get_within(asked, 0, ret);
}

static int put_within(kin__asked *asked, double timeout, kin_obj *ret)
{
    kin_obj item = kin__asked_must(asked, 0, "item");
    if (kin_type_of(item) == KIN_TYPE_INVALID) {
        return KIN_ETYPE;
    }
    int rv = kin_queue_put(asked->thing, item, kin__asked_left(asked, timeout));
    return rv < 0 ? give_up(asked, timeout, rv, ret, "queue.Full") : kin__asked_none(rv, ret);
}

static int put(kin__asked *asked, kin_obj *ret)
{
    double timeout;
    int rv = kin__asked_timeout(asked, 1, "block", &timeout);
    return rv < 0 ? rv : put_within(asked, timeout, ret);
}

static int put_nowait(kin__asked *asked, kin_obj *ret)
{
    return put_within(asked, 0, ret);
}

static int qsize(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_count(kin_queue_qsize(asked->thing), ret);
}

static int empty(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_queue_empty(asked->thing), ret);
}

static int full(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_queue_full(asked->thing), ret);
}

static int task_done(kin__asked *asked, kin_obj *ret)
{
    int rv = kin_queue_task_done(asked->thing);
    if (rv == KIN_ESTATE) {
        return kin__asked_raise(ret, "ValueError",
                                kin_args(kin_str("task_done() called too many times")));
    }
    return kin__asked_none(rv, ret);
}

static int join(kin__asked *asked, kin_obj *ret)
{
    int rv = kin_queue_join(asked->thing, kin__asked_left(asked, KIN_FOREVER));
    return kin__asked_waits(asked, KIN_FOREVER, rv) ? 0 : kin__asked_none(rv, ret);
}

static const kin__method methods[] = {
    { .name = "empty", .call = empty },
    { .name = "full", .call = full },
    { .name = "get", .call = get, .takes = { 2, "block timeout" }, .undo = put_back },
    { .name = "get_nowait", .call = get_nowait },
    { .name = "join", .call = join },
    { .name = "put", .call = put, .takes = { 3, "item block timeout" } },
    { .name = "put_nowait", .call = put_nowait, .takes = { 1, "item" } },
    { .name = "qsize", .call = qsize },
    { .name = "task_done", .call = task_done },
    { .name = NULL },
};

/* All are joinable, as all of Python's that a manager makes are. */
static int make(kin_obj args, kin_obj names, void **ret_thing)
{
    kin__asked asked = { .args = args, .names = names };
    int64_t maxsize;
    int rv = kin__asked_int(&asked, 0, "maxsize", 0, &maxsize);
    if (rv < 0) {
        return rv;
    }
    kin_queue *queue;
    rv = kin_queue_new(&queue,
                       &(const kin_queue_options){ .maxsize = maxsize > 0 ? (uint64_t)maxsize : 0,
                                                   .joinable = true });
    if (rv == 0) {
        *ret_thing = queue;
    }
    return rv;
}

static void free_queue(void *thing)
{
    kin_queue_free(thing);
}

const kin__kind kin__kind_queue = { .type_id = "Queue",
                                    .class_name = "AutoProxy",
                                    .takes = { 1, "maxsize" },
                                    .kind = kin_queue_KIND,
                                    .methods = methods,
                                    .make = make,
                                    .free = free_queue };

const kin__kind kin__kind_joinable_queue = { .type_id = "JoinableQueue",
                                             .class_name = "AutoProxy",
                                             .takes = { 1, "maxsize" },
                                             .kind = kin_queue_KIND,
                                             .methods = methods,
                                             .make = make,
                                             .free = free_queue };
