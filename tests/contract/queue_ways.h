/* queue_ways.h - queues of every kind, and every way to put and to get, for queue_suite.h.
 *
 *     EACH_KIND(keeps_its_order) { ... kind is a kin_queue_options ... }
 *
 * makes the tests unbounded_keeps_its_order, bounded_keeps_its_order and so on; a body goes through
 * all ways by itself (EACH_WAY). A message is a row of numbers that say who sent it, which one of
 * his it is, and a filling that follows from both. */
#ifndef KIN_QUEUE_WAYS_H
#define KIN_QUEUE_WAYS_H

#include "harness.h"
#include <kin.h>

#include <pthread.h>

enum { BOUND = 5, BOUND_BYTES = 4000, LARGEST = 600, BATCH = 7 };

/* ---- kinds ----------------------------------------------------------------------------------- */

#define KIND_(seconds, kind, name, ...)                                                            \
    TEST_WITHIN(seconds, kind##_##name)                                                            \
    {                                                                                              \
        name(&(const kin_queue_options){ __VA_ARGS__ });                                           \
    }

#define EACH_KIND(name) EACH_KIND_WITHIN(60, name)
#define EACH_KIND_WITHIN(seconds, name)                                                            \
    static void name(const kin_queue_options *kind);                                               \
    KIND_(seconds, unbounded, name, .maxsize = 0)                                                  \
    KIND_(seconds, bounded, name, .maxsize = BOUND)                                                \
    KIND_(seconds, joinable, name, .joinable = true)                                               \
    KIND_(seconds, patient, name, .wait_for_memory = true)                                         \
    KIND_(seconds, metered, name, .maxbytes = BOUND_BYTES)                                         \
    KIND_(seconds, metered_joinable, name, .maxbytes = BOUND_BYTES, .joinable = true)              \
    KIND_(seconds, acked, name, .ack = true)                                                       \
    KIND_(seconds, acked_bounded, name, .ack = true, .maxsize = BOUND)                             \
    KIND_(seconds, acked_metered, name, .ack = true, .maxbytes = BOUND_BYTES)                      \
    static void name(const kin_queue_options *kind)

static inline bool is_bounded(const kin_queue_options *kind)
{
    return kind->maxsize != 0 || kind->maxbytes != 0;
}

static inline bool is_joinable(const kin_queue_options *kind)
{
    return kind->joinable || kind->ack;
}

static inline kin_queue *new_queue(const kin_queue_options *kind)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, kind));
    return queue;
}

static inline uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* ---- messages -------------------------------------------------------------------------------- */

typedef struct letter {
    uint32_t sender;
    uint32_t number;
    unsigned char filling[LARGEST];
} letter;

#define LETTER_LEAST offsetof(letter, filling)

static inline unsigned char filling_of(const letter *l, size_t i)
{
    return (unsigned char)(l->sender * 31 + l->number * 7 + i);
}

static inline void write_letter(letter *l, uint32_t sender, uint32_t number, size_t size)
{
    *l = (letter){ .sender = sender, .number = number };
    for (size_t i = 0; i < size - LETTER_LEAST; i++) {
        l->filling[i] = filling_of(l, i);
    }
}

static inline bool is_whole(const letter *l, size_t size)
{
    for (size_t i = 0; i < size - LETTER_LEAST; i++) {
        if (l->filling[i] != filling_of(l, i)) {
            return false;
        }
    }
    return true;
}

/* ---- ways to put and to get ------------------------------------------------------------------ */

/* Of letters of `size` bytes: how many, or a code. */
typedef struct way {
    const char *name;
    size_t size; /* of a letter */
    size_t most; /* in one call */
    ssize_t (*put)(kin_queue *, const letter *, size_t size, size_t n, double timeout);
    ssize_t (*get)(kin_queue *, letter *, size_t size, size_t n, double timeout);
} way;

static inline ssize_t put_bytes(kin_queue *queue, const letter *l, size_t size, size_t n,
                                double timeout)
{
    int rv = kin_queue_put_bytes(queue, l, size, timeout);
    return rv < 0 ? rv : (ssize_t)n;
}

static inline ssize_t get_bytes(kin_queue *queue, letter *l, size_t size, size_t n, double timeout)
{
    ssize_t rv = kin_queue_get_bytes(queue, l, size, timeout);
    return rv < 0 ? rv : rv == (ssize_t)size ? (ssize_t)n : KIN_ECORRUPT;
}

static inline kin_obj object_of(const letter *l, size_t size)
{
    return kin_tuple(kin_int(l->sender), kin_int(l->number),
                     kin_bytes(l->filling, size - LETTER_LEAST));
}

static inline int letter_of(kin_obj o, letter *l, size_t size)
{
    kin_obj filling = kin_at(o, 2);
    bool right = kin_len(o) == 3 && kin_len(filling) == size - LETTER_LEAST;
    if (right) {
        l->sender = (uint32_t)kin_as_int(kin_at(o, 0));
        l->number = (uint32_t)kin_as_int(kin_at(o, 1));
        memcpy(l->filling, kin_as_bytes(filling), size - LETTER_LEAST);
    }
    kin_release(o);
    return right ? 0 : KIN_ECORRUPT;
}

static inline ssize_t put_object(kin_queue *queue, const letter *l, size_t size, size_t n,
                                 double timeout)
{
    int rv = kin_queue_put(queue, object_of(l, size), timeout);
    return rv < 0 ? rv : (ssize_t)n;
}

static inline ssize_t get_object(kin_queue *queue, letter *l, size_t size, size_t n, double timeout)
{
    kin_obj o;
    int rv = kin_queue_get(queue, &o, timeout);
    rv = rv < 0 ? rv : letter_of(o, l, size);
    return rv < 0 ? rv : (ssize_t)n;
}

static inline ssize_t put_many(kin_queue *queue, const letter *l, size_t size, size_t n,
                               double timeout)
{
    kin_obj objects[BATCH];
    for (size_t i = 0; i < n; i++) {
        objects[i] = object_of(&l[i], size);
    }
    return kin_queue_put_many(queue, objects, n, timeout);
}

static inline ssize_t get_many(kin_queue *queue, letter *l, size_t size, size_t n, double timeout)
{
    kin_obj objects[BATCH];
    ssize_t got = kin_queue_get_many(queue, objects, n, timeout);
    int rv = 0;
    for (ssize_t i = 0; i < got; i++) {
        int wrong = letter_of(objects[i], &l[i], size);
        rv = wrong < 0 ? wrong : rv;
    }
    return rv < 0 ? rv : got;
}

static inline ssize_t put_array(kin_queue *queue, const letter *l, size_t size, size_t n,
                                double timeout)
{
    unsigned char items[BATCH * sizeof *l];
    for (size_t i = 0; i < n; i++) {
        memcpy(items + i * size, &l[i], size);
    }
    return kin_queue_put_array(queue, items, size, n, timeout);
}

static inline ssize_t get_array(kin_queue *queue, letter *l, size_t size, size_t n, double timeout)
{
    unsigned char items[BATCH * sizeof *l];
    ssize_t got = kin_queue_get_array(queue, items, size, n, timeout);
    for (ssize_t i = 0; i < got; i++) {
        memcpy(&l[i], items + (size_t)i * size, size);
    }
    return got;
}

static inline ssize_t put_in_place(kin_queue *queue, const letter *l, size_t size, size_t n,
                                   double timeout)
{
    void *place = NULL;
    int rv = kin_queue_reserve(queue, size + 10, &place);
    if (rv == 0) {
        memcpy(place, l, size);
        rv = kin_queue_commit(queue, place, size, timeout);
    }
    return rv < 0 ? rv : (ssize_t)n;
}

static inline ssize_t get_in_place(kin_queue *queue, letter *l, size_t size, size_t n,
                                   double timeout)
{
    kin_message message;
    int rv = kin_queue_peek(queue, &message, timeout);
    if (rv < 0) {
        return rv;
    }
    bool right = message.size == size;
    if (right) {
        memcpy(l, message.bytes, size);
    }
    rv = kin_queue_consume(queue, &message);
    return rv < 0 ? rv : right ? (ssize_t)n : KIN_ECORRUPT;
}

static const way ways[] = {
    { "small bytes", 24, 1, put_bytes, get_bytes },
    { "large bytes", LARGEST, 1, put_bytes, get_bytes },
    { "small objects", 10, 1, put_object, get_object },
    { "large objects", LARGEST, 1, put_object, get_object },
    { "small objects at once", 10, BATCH, put_many, get_many },
    { "large objects at once", LARGEST, BATCH, put_many, get_many },
    { "a small array", 24, BATCH, put_array, get_array },
    { "a large array", LARGEST, BATCH, put_array, get_array },
    { "small bytes in place", 24, 1, put_in_place, get_in_place },
    { "large bytes in place", LARGEST, 1, put_in_place, get_in_place },
    { "bytes written, and read in place", LARGEST, 1, put_bytes, get_in_place },
    { "bytes written in place, and got in an array", LARGEST, BATCH, put_in_place, get_array },
};

enum { WAYS = sizeof ways / sizeof *ways };

#define EACH_WAY(w) for (const way *w = ways; w < ways + WAYS; w++)

/* Says that `n` letters were done with which were got that way. */
static inline int say_done(kin_queue *queue, const kin_queue_options *kind, const way *w, size_t n)
{
    bool consumed = w->get == get_in_place && kind->ack;
    int rv = 0;
    for (size_t i = 0; i < n && rv == 0 && is_joinable(kind) && !consumed; i++) {
        rv = kin_queue_task_done(queue);
    }
    return rv;
}

/* Puts one, or gets one, at once. */
static inline int put_one(kin_queue *queue, const way *w, uint32_t number, double timeout)
{
    letter l;
    write_letter(&l, 0, number, w->size);
    ssize_t n = w->put(queue, &l, w->size, 1, timeout);
    return n < 0 ? (int)n : 0;
}

static inline int get_one(kin_queue *queue, const way *w, double timeout)
{
    letter l;
    ssize_t n = w->get(queue, &l, w->size, 1, timeout);
    return n < 0 ? (int)n : is_whole(&l, w->size) ? (int)l.number : KIN_ECORRUPT;
}

#endif
