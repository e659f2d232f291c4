/* queue_suite.h - the contract of include/kin/queue.h, for queues of every kind.
 *
 * Who includes this has said before what a helper is: a process (queue_test.c), or a thread
 * (queue_threads_test.c):
 *
 *     typedef ... helper;
 *     static helper start(int (*body)(void *), void *ctx);    runs body(ctx) beside us
 *     static int end(helper);                                 waits for it: what it returned
 *     static bool is_asleep(helper);
 */
#ifndef KIN_QUEUE_SUITE_H
#define KIN_QUEUE_SUITE_H

#include "queue_ways.h"

/* ---- a crowd --------------------------------------------------------------------------------- */

enum { SENDERS = 3, TAKERS = 3, LETTERS = 400 };

struct crowd {
    kin_queue *queue;
    kin_queue_options kind;
    const way *way;
    _Atomic uint32_t senders;
    _Atomic uint32_t disorder; /* letters that came before an older one of their sender's */
    _Atomic uint32_t broken;
    _Atomic uint32_t seen[SENDERS][LETTERS];
};

static int send_letters(void *ctx)
{
    struct crowd *c = ctx;
    uint32_t me = atomic_fetch_add(&c->senders, 1);
    letter batch[BATCH];
    for (uint32_t sent = 0; sent < LETTERS;) {
        size_t n = LETTERS - sent < c->way->most ? LETTERS - sent : c->way->most;
        n = c->way->put == put_in_place ? 1 : n;
        for (uint32_t i = 0; i < n; i++) {
            write_letter(&batch[i], me, sent + i, c->way->size);
        }
        ssize_t done = c->way->put(c->queue, batch, c->way->size, n, KIN_FOREVER);
        if (done <= 0) {
            return 1;
        }
        sent += (uint32_t)done;
    }
    return 0;
}

static void read_letter(struct crowd *c, const letter *l, int64_t last[SENDERS])
{
    if (!is_whole(l, c->way->size) || l->sender >= SENDERS || l->number >= LETTERS) {
        c->broken++;
        return;
    }
    c->disorder += l->number <= last[l->sender];
    last[l->sender] = l->number;
    c->seen[l->sender][l->number]++;
}

static int take_letters(void *ctx)
{
    struct crowd *c = ctx;
    int64_t last[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        last[i] = -1;
    }
    letter batch[BATCH];
    for (;;) {
        ssize_t n = c->way->get(c->queue, batch, c->way->size, c->way->most, KIN_FOREVER);
        if (n <= 0) {
            return n == KIN_ECLOSED ? 0 : 1;
        }
        for (ssize_t i = 0; i < n; i++) {
            read_letter(c, &batch[i], last);
        }
        if (say_done(c->queue, &c->kind, c->way, (size_t)n) < 0) {
            return 2;
        }
    }
}

static void begin_crowd(struct crowd *c, const kin_queue_options *kind, const way *w)
{
    memset(c, 0, sizeof *c);
    c->queue = new_queue(kind);
    c->kind = *kind;
    c->way = w;
}

static void end_crowd(struct crowd *c)
{
    CHECK_EQ(kin_queue_qsize(c->queue), 0);
    if (is_joinable(&c->kind)) {
        CHECK_OK(kin_queue_join(c->queue, 0));
    }
    CHECK_(c->broken == 0 && c->disorder == 0, "%s: %u broken, %u out of order", c->way->name,
           c->broken, c->disorder);
    for (int i = 0; i < SENDERS * LETTERS; i++) {
        uint32_t n = c->seen[i / LETTERS][i % LETTERS];
        CHECK_(n == 1, "%s: letter %d of %d came %u times", c->way->name, i % LETTERS, i / LETTERS,
               n);
    }
    kin_queue_free(c->queue);
}

EACH_KIND_WITHIN(120, every_letter_comes_once_and_in_order)
{
    struct crowd *c = test_shared(sizeof *c);
    EACH_WAY(w)
    {
        begin_crowd(c, kind, w);
        helper helpers[SENDERS + TAKERS];
        for (int i = 0; i < SENDERS + TAKERS; i++) {
            helpers[i] = start(i < SENDERS ? send_letters : take_letters, c);
        }
        for (int i = 0; i < SENDERS + TAKERS; i++) {
            int status = end(helpers[i]);
            CHECK_(status == 0, "%s: helper %d ended with %d", w->name, i, status);
            if (i == SENDERS - 1) {
                CHECK_OK(kin_queue_close(c->queue));
            }
        }
        end_crowd(c);
    }
}

/* ---- empty, full, closed, freed -------------------------------------------------------------- */

#define CHECK_WAY(w, call, expected)                                                               \
    do {                                                                                           \
        intmax_t way_a = (intmax_t)(call), way_b = (intmax_t)(expected);                           \
        CHECK_(way_a == way_b, "%s: %s is %jd, not %jd (%s)", (w)->name, #call, way_a, way_b,      \
               kin_errmsg());                                                                      \
    } while (0)

/* Gets number `from` and so on, and says that they are done with. */
static void drain(kin_queue *queue, const kin_queue_options *kind, const way *w, uint32_t from,
                  uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        CHECK_WAY(w, get_one(queue, w, 0), i);
        CHECK_WAY(w, say_done(queue, kind, w, 1), 0);
    }
    CHECK_WAY(w, get_one(queue, w, 0), KIN_EEMPTY);
}

EACH_KIND(an_empty_queue_says_so_or_waits)
{
    EACH_WAY(w)
    {
        kin_queue *queue = new_queue(kind);
        CHECK_WAY(w, get_one(queue, w, 0), KIN_EEMPTY);
        CHECK_WAY(w, get_one(queue, w, -1), KIN_EEMPTY);
        CHECK_WAY(w, get_one(queue, w, 0.002), KIN_ETIMEDOUT);
        CHECK_EQ(kin_queue_empty(queue), 1);
        CHECK_EQ(kin_queue_full(queue), 0);
        CHECK_EQ(kin_queue_qsize(queue), 0);
        CHECK_WAY(w, put_one(queue, w, 3, 0), 0);
        CHECK_EQ(kin_queue_empty(queue), 0);
        drain(queue, kind, w, 3, 4);
        CHECK_EQ(kin_queue_empty(queue), 1);
        kin_queue_free(queue);
    }
}

/* Puts until it is full, or there are enough: how many. */
static uint32_t fill(kin_queue *queue, const kin_queue_options *kind, const way *w, uint32_t enough)
{
    uint32_t n = 0;
    int rv = 0;
    while (n < enough && (rv = put_one(queue, w, n, 0)) == 0) {
        n++;
        CHECK_EQ(kin_queue_qsize(queue), n);
    }
    CHECK_WAY(w, rv, is_bounded(kind) ? KIN_EFULL : 0);
    return n;
}

EACH_KIND(a_full_queue_says_so_or_waits)
{
    EACH_WAY(w)
    {
        kin_queue *queue = new_queue(kind);
        uint32_t n = fill(queue, kind, w, 300);
        if (is_bounded(kind)) {
            CHECK_WAY(w, put_one(queue, w, n, -1), KIN_EFULL);
            CHECK_WAY(w, put_one(queue, w, n, 0.002), KIN_ETIMEDOUT);
            CHECK_EQ(kin_queue_qsize(queue), n);
        }
        CHECK_WAY(w, kind->maxsize == 0 || n == kind->maxsize, true);
        CHECK_WAY(w, kind->maxbytes == 0 || n * (w->size + 64) <= kind->maxbytes, true);
        CHECK_WAY(w, kind->maxbytes == 0 || (n + 1) * (w->size + 64 + 80) > kind->maxbytes, true);
        CHECK_WAY(w, kind->maxsize == 0 || kin_queue_full(queue) == 1, true);
        CHECK_WAY(w, get_one(queue, w, 0), 0);
        CHECK_WAY(w, say_done(queue, kind, w, 1), 0);
        CHECK_WAY(w, put_one(queue, w, n, 0), 0);
        drain(queue, kind, w, 1, n + 1);
        CHECK_EQ(kin_queue_full(queue), 0);
        kin_queue_free(queue);
    }
}

EACH_KIND(a_closed_queue_is_drained_and_then_says_so)
{
    EACH_WAY(w)
    {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(kind);
        for (uint32_t i = 0; i < 4; i++) {
            CHECK_WAY(w, put_one(queue, w, i, 0), 0);
        }
        CHECK_OK(kin_queue_close(queue));
        CHECK_OK(kin_queue_close(queue));
        CHECK_WAY(w, put_one(queue, w, 4, KIN_FOREVER), KIN_ECLOSED);
        CHECK_WAY(w, put_one(queue, w, 4, 0), KIN_ECLOSED);
        CHECK_EQ(kin_queue_qsize(queue), 4);
        for (int i = 0; i < 4; i++) {
            CHECK_WAY(w, get_one(queue, w, KIN_FOREVER), i);
            CHECK_WAY(w, say_done(queue, kind, w, 1), 0);
        }
        CHECK_WAY(w, get_one(queue, w, KIN_FOREVER), KIN_ECLOSED);
        CHECK_WAY(w, get_one(queue, w, 0), KIN_ECLOSED);
        if (is_joinable(kind)) {
            CHECK_OK(kin_queue_join(queue, KIN_FOREVER));
        }
        kin_queue_free(queue);
        CHECK_WAY(w, blocks_in_use(), before);
    }
}

EACH_KIND(a_freed_queue_gives_all_back_and_says_so)
{
    EACH_WAY(w)
    {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(kind);
        (void)fill(queue, kind, w, 200);
        CHECK_WAY(w, get_one(queue, w, 0), 0); /* with .ack it is not done with */
        kin_queue_free(queue);
        CHECK_WAY(w, blocks_in_use(), before);
        CHECK_WAY(w, put_one(queue, w, 1, 0), KIN_EFREED);
        CHECK_WAY(w, get_one(queue, w, KIN_FOREVER), KIN_EFREED);
        CHECK_ERROR(kin_queue_join(queue, 0), KIN_EFREED);
        CHECK_ERROR(kin_queue_task_done(queue), KIN_EFREED);
        CHECK_ERROR(kin_queue_ack(queue), KIN_EFREED);
        CHECK_ERROR(kin_queue_close(queue), KIN_EFREED);
        CHECK_ERROR(kin_queue_qsize(queue), KIN_EFREED);
        CHECK_ERROR(kin_queue_empty(queue), KIN_EFREED);
        CHECK_ERROR(kin_queue_full(queue), KIN_EFREED);
        CHECK_WAY(w, blocks_in_use(), before);
    }
}

/* ---- sleepers -------------------------------------------------------------------------------- */

struct sleeper {
    kin_queue *queue;
    const way *way;
};

static int sleep_in_get(void *ctx)
{
    const struct sleeper *s = ctx;
    int rv = get_one(s->queue, s->way, KIN_FOREVER);
    return rv == KIN_ECLOSED ? 100 : rv;
}

static int sleep_in_put(void *ctx)
{
    const struct sleeper *s = ctx;
    int rv = put_one(s->queue, s->way, 9, KIN_FOREVER);
    return rv == KIN_ECLOSED ? 100 : rv;
}

static int sleep_in_join(void *ctx)
{
    const struct sleeper *s = ctx;
    int rv = kin_queue_join(s->queue, KIN_FOREVER);
    return rv == KIN_ECLOSED ? 100 : rv;
}

static helper let_sleep(struct sleeper *s, int (*body)(void *))
{
    helper h = start(body, s);
    WAIT_UNTIL(is_asleep(h));
    return h;
}

EACH_KIND(who_sleeps_gets_what_is_put)
{
    struct sleeper *s = test_shared(sizeof *s);
    EACH_WAY(w)
    {
        *s = (struct sleeper){ new_queue(kind), w };
        helper h = let_sleep(s, sleep_in_get);
        CHECK_WAY(w, put_one(s->queue, w, 77, 0), 0);
        CHECK_WAY(w, end(h), 77);
        kin_queue_free(s->queue);
    }
}

EACH_KIND(who_sleeps_puts_when_there_is_room)
{
    struct sleeper *s = test_shared(sizeof *s);
    for (const way *w = ways; w < ways + WAYS && is_bounded(kind); w++) {
        *s = (struct sleeper){ new_queue(kind), w };
        uint32_t n = fill(s->queue, kind, w, UINT32_MAX);
        helper h = let_sleep(s, sleep_in_put);
        CHECK_WAY(w, get_one(s->queue, w, 0), 0);
        CHECK_WAY(w, say_done(s->queue, kind, w, 1), 0);
        CHECK_WAY(w, end(h), 0);
        CHECK_EQ(kin_queue_qsize(s->queue), n);
        kin_queue_free(s->queue);
    }
}

static void let_go(kin_queue *queue, bool by_freeing)
{
    if (by_freeing) {
        kin_queue_free(queue);
    } else {
        CHECK_OK(kin_queue_close(queue));
    }
}

EACH_KIND(who_sleeps_wakes_when_the_queue_is_closed_or_freed)
{
    struct sleeper *s = test_shared(sizeof *s);
    for (int i = 0; i < 2 * WAYS; i++) {
        const way *w = &ways[i / 2];
        *s = (struct sleeper){ new_queue(kind), w };
        helper getting = let_sleep(s, sleep_in_get);
        let_go(s->queue, i % 2);
        CHECK_WAY(w, end(getting), 100);
        if (i % 2 == 0) {
            kin_queue_free(s->queue);
        }
        if (is_bounded(kind)) {
            s->queue = new_queue(kind);
            (void)fill(s->queue, kind, w, UINT32_MAX);
            helper putting = let_sleep(s, sleep_in_put);
            let_go(s->queue, i % 2);
            CHECK_WAY(w, end(putting), 100);
            if (i % 2 == 0) {
                kin_queue_free(s->queue);
            }
        }
    }
}

/* ---- done, and joined ------------------------------------------------------------------------ */

EACH_KIND(a_join_waits_until_all_is_done)
{
    EACH_WAY(w)
    {
        kin_queue *queue = new_queue(kind);
        if (!is_joinable(kind)) {
            CHECK_ERROR(kin_queue_join(queue, 0), KIN_ESTATE);
            CHECK_ERROR(kin_queue_task_done(queue), KIN_ESTATE);
            kin_queue_free(queue);
            continue;
        }
        CHECK_OK(kin_queue_join(queue, KIN_FOREVER));
        CHECK_WAY(w, put_one(queue, w, 0, 0), 0);
        CHECK_WAY(w, put_one(queue, w, 1, 0), 0);
        CHECK_ERROR(kin_queue_task_done(queue), KIN_ESTATE);
        CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
        CHECK_ERROR(kin_queue_join(queue, 0.002), KIN_ETIMEDOUT);
        CHECK_WAY(w, get_one(queue, w, 0), 0);
        CHECK_WAY(w, get_one(queue, w, 0), 1);
        CHECK_WAY(w, say_done(queue, kind, w, 1), 0);
        bool consumed = kind->ack && w->get == get_in_place;
        CHECK_WAY(w, kin_queue_join(queue, 0.002), consumed ? 0 : KIN_ETIMEDOUT);
        CHECK_WAY(w, say_done(queue, kind, w, 1), 0);
        CHECK_OK(kin_queue_join(queue, KIN_FOREVER));
        CHECK_ERROR(kin_queue_task_done(queue), KIN_ESTATE);
        CHECK_OK(kin_queue_join(queue, 0));
        kin_queue_free(queue);
    }
}

EACH_KIND(who_sleeps_in_join_wakes_when_all_is_done_or_the_queue_is_freed)
{
    struct sleeper *s = test_shared(sizeof *s);
    for (int i = 0; i < 3 * WAYS && is_joinable(kind); i++) {
        const way *w = &ways[i / 3];
        *s = (struct sleeper){ new_queue(kind), w };
        CHECK_WAY(w, put_one(s->queue, w, 5, 0), 0);
        helper joining = let_sleep(s, sleep_in_join);
        if (i % 3 == 0) { /* freed with the message still there */
            kin_queue_free(s->queue);
            CHECK_WAY(w, end(joining), 100);
            continue;
        }
        CHECK_WAY(w, get_one(s->queue, w, 0), 5);
        if (i % 3 == 1) {
            CHECK_OK(kin_queue_close(s->queue)); /* closing ends no join */
        }
        CHECK_WAY(w, say_done(s->queue, kind, w, 1), 0);
        CHECK_WAY(w, end(joining), 0);
        kin_queue_free(s->queue);
    }
}

/* ---- what messages may be -------------------------------------------------------------------- */

static const size_t sizes[] = { 0, 1, 39, 40, 41, 64, 4096, 65537, 3 << 20 };

enum { SIZES = sizeof sizes / sizeof *sizes };

static unsigned char *pattern(size_t size)
{
    unsigned char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 1000);
    }
    return bytes;
}

static int put_pattern(kin_queue *queue, const unsigned char *bytes, size_t size, int how)
{
    void *place = NULL;
    kin_obj object;
    switch (how) {
    case 0:
        return kin_queue_put_bytes(queue, bytes, size, 0);
    case 1:
        return kin_queue_put(queue, kin_bytes(bytes, size), 0);
    case 2:
        object = kin_bytes(bytes, size);
        return (int)kin_queue_put_many(queue, &object, 1, 0);
    case 3:
        return (int)kin_queue_put_array(queue, bytes, size, 1, 0);
    default:
        CHECK_OK(kin_queue_reserve(queue, size, &place));
        memcpy(place, bytes, size);
        return kin_queue_commit(queue, place, size, 0);
    }
}

static void get_pattern(kin_queue *queue, const unsigned char *bytes, size_t size, int how)
{
    if (how % 2 == 0 && how != 2) {
        kin_message message;
        CHECK_OK(kin_queue_peek(queue, &message, 0));
        CHECK_EQ(message.size, size);
        CHECK(memcmp(message.bytes, bytes, size) == 0);
        CHECK_OK(kin_queue_consume(queue, &message));
        return;
    }
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 0));
    CHECK_EQ(kin_len(o), size);
    CHECK(memcmp(kin_as_bytes(o), bytes, size) == 0);
    kin_release(o);
}

EACH_KIND(a_message_has_any_size)
{
    unsigned char *bytes = pattern(sizes[SIZES - 1]);
    for (int i = 0; i < SIZES * 5; i++) {
        size_t size = sizes[i / 5];
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(kind);
        int rv = put_pattern(queue, bytes, size, i % 5);
        if (kind->maxbytes == 0 || size + 64 + 80 < kind->maxbytes) {
            CHECK_(rv >= 0, "%zu bytes, way %d: %s", size, i % 5, kin_errmsg());
            get_pattern(queue, bytes, size, i % 5);
        } else {
            CHECK_(rv == KIN_ERANGE, "%zu bytes, way %d: gave %d", size, i % 5, rv);
        }
        CHECK_EQ(kin_queue_qsize(queue), 0);
        kin_queue_free(queue);
        CHECK_EQ(blocks_in_use(), before);
    }
    free(bytes);
}

/* The message is far smaller than what it brings. */
EACH_KIND(a_message_brings_what_is_shared_and_buffers)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(kind);
    kin_queue *other = new_queue(kind);
    char *memory = kin_alloc(100000);
    strcpy(memory + 99990, "the end");
    CHECK_OK(kin_queue_put(queue, kin_list(kin_shared(other), kin_buffer(memory, 100000)), 0));
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 0));
    CHECK_PTR(kin_as(kin_queue, kin_at(o, 0)), other);
    size_t size;
    char *taken = kin_take_buffer(kin_at(o, 1), &size);
    CHECK_PTR(taken, memory);
    CHECK_EQ(size, 100000);
    CHECK_STR(taken + 99990, "the end");
    kin_free(taken);
    kin_release(o);
    if (is_joinable(kind)) {
        CHECK_OK(kin_queue_task_done(queue));
    }
    /* and one that nobody takes */
    CHECK_OK(kin_queue_put(queue, kin_list(kin_buffer(kin_alloc(5000), 5000)), 0));
    CHECK_OK(kin_queue_put(queue, kin_buffer(kin_alloc(50), 50), 0));
    kin_queue_free(queue);
    kin_queue_free(other);
    CHECK_EQ(blocks_in_use(), before);
}

/* ---- many at once ---------------------------------------------------------------------------- */

EACH_KIND(of_many_those_get_in_for_which_there_is_room)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(kind);
    enum { MANY = 50, SIZE = 300 };
    static const unsigned char bytes[SIZE];
    kin_obj objects[MANY];
    for (int i = 0; i < MANY; i++) {
        objects[i] = kin_tuple(kin_int(i), kin_bytes(bytes, SIZE), kin_buffer(kin_alloc(9), 9));
    }
    ssize_t done = kin_queue_put_many(queue, objects, MANY, 0);
    CHECK_GT(done, 0);
    CHECK(is_bounded(kind) ? done < MANY : done == MANY);
    CHECK(kind->maxsize == 0 || done == (ssize_t)kind->maxsize);
    CHECK_EQ(kin_queue_qsize(queue), done);
    if (is_bounded(kind)) {
        kin_obj one = kin_list(kin_bytes(bytes, SIZE), kin_buffer(kin_alloc(9), 9));
        CHECK_ERROR((int)kin_queue_put_many(queue, &one, 1, 0), KIN_EFULL);
    }
    ssize_t got = kin_queue_get_many(queue, objects, MANY, 0);
    CHECK_EQ(got, done);
    for (ssize_t i = 0; i < got; i++) {
        CHECK_EQ(kin_as_int(kin_at(objects[i], 0)), i);
        kin_release(objects[i]);
    }
    CHECK_ERROR((int)kin_queue_get_many(queue, objects, MANY, 0), KIN_EEMPTY);
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

EACH_KIND(an_array_ends_at_what_is_no_item)
{
    kin_queue *queue = new_queue(kind);
    uint64_t items[8] = { 10, 11 };
    CHECK_EQ(kin_queue_put_array(queue, items, sizeof *items, 2, 0), 2);
    CHECK_OK(kin_queue_put_bytes(queue, "short", 5, 0));
    CHECK_OK(kin_queue_put_bytes(queue, "longer than it", 14, 0));
    CHECK_OK(kin_queue_put(queue, kin_int(5), 0));
    CHECK_EQ(kin_queue_get_array(queue, items + 2, sizeof *items, 6, 0), 2);
    CHECK_EQ(items[2], 10);
    CHECK_EQ(items[3], 11);
    items[0] = 99;
    CHECK_ERROR((int)kin_queue_get_array(queue, items, sizeof *items, 8, 0), KIN_ERANGE);
    CHECK_ERROR((int)kin_queue_get_array(queue, items, 1, 8, KIN_FOREVER), KIN_EBUFTOOSHORT);
    CHECK_EQ(kin_queue_get_array(queue, items, 5, 8, 0), 1);
    CHECK_MEM(items, "short", 5);
    CHECK_ERROR((int)kin_queue_get_array(queue, items, sizeof *items, 8, 0), KIN_EBUFTOOSHORT);
    CHECK_EQ(kin_queue_get_bytes(queue, items, sizeof items, 0), 14);
    CHECK_ERROR((int)kin_queue_get_array(queue, items, sizeof *items, 8, 0), KIN_ETYPE);
    kin_message message;
    CHECK_ERROR(kin_queue_peek(queue, &message, 0), KIN_ETYPE);
    CHECK_EQ(kin_queue_qsize(queue), 1);
    kin_queue_free(queue);
}

EACH_KIND(nothing_is_put_or_got_at_once)
{
    kin_queue *queue = new_queue(kind);
    kin_obj objects[1];
    char item;
    CHECK_EQ(kin_queue_put_many(queue, objects, 0, KIN_FOREVER), 0);
    CHECK_EQ(kin_queue_put_many(queue, NULL, 0, KIN_FOREVER), 0);
    CHECK_EQ(kin_queue_get_many(queue, objects, 0, KIN_FOREVER), 0);
    CHECK_EQ(kin_queue_put_array(queue, &item, 1, 0, KIN_FOREVER), 0);
    CHECK_EQ(kin_queue_put_array(queue, NULL, 1, 0, KIN_FOREVER), 0);
    CHECK_EQ(kin_queue_get_array(queue, &item, 1, 0, KIN_FOREVER), 0);
    CHECK_EQ(kin_queue_qsize(queue), 0);
    CHECK_EQ(kin_queue_put_array(queue, &item, 0, 3, 0), 3); /* three messages of nothing */
    CHECK_EQ(kin_queue_qsize(queue), 3);
    CHECK_EQ(kin_queue_get_array(queue, &item, 0, 2, 0), 2);
    CHECK_EQ(kin_queue_get_bytes(queue, NULL, 0, 0), 0);
    CHECK_ERROR((int)kin_queue_get_array(queue, &item, 0, 2, 0), KIN_EEMPTY);
    kin_queue_free(queue);
}

#endif
