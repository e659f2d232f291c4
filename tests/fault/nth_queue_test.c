/* Queues when memory is out, and when system calls fail: nothing is lost, nothing leaks. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <string.h>

struct scene {
    kin_queue *queue;
    uint64_t maxsize;
    size_t size;
    int64_t length;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static int make_and_free(void *ctx)
{
    struct scene *s = ctx;
    s->queue = NULL;
    int rv = kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = s->maxsize));
    kin_queue_free(s->queue);
    return rv;
}

static void nothing_was_made(void *ctx, int error)
{
    struct scene *s = ctx;
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_NULL(s->queue);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_queue_is_made_or_nothing_is)
{
    struct scene s = { .maxsize = 0 };
    kin__self();
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, &s, .attempt = make_and_free, .check = nothing_was_made),
             2);
    s.maxsize = 10;
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, &s, .attempt = make_and_free, .check = nothing_was_made),
             2);
    CHECK_EQ(blocks_in_use(), 0);
}

static void remember_length(void *ctx)
{
    struct scene *s = ctx;
    s->length = kin_queue_qsize(s->queue);
}

static void length_is_as_before(void *ctx, int error)
{
    struct scene *s = ctx;
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_EQ(kin_queue_qsize(s->queue), s->length);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static int put_bytes(void *ctx)
{
    static const char bytes[3000] = "message";
    struct scene *s = ctx;
    return kin_queue_put_bytes(s->queue, bytes, s->size, 0);
}

static int get_bytes(void *ctx)
{
    char bytes[3000];
    struct scene *s = ctx;
    ssize_t size = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0);
    return size < 0 ? (int)size : 0;
}

static void loop_over_bytes(size_t size, int messages)
{
    struct scene s = { .size = size };
    CHECK_OK(kin_queue_new(&s.queue, NULL));
    for (int i = 0; i < messages; i++) {
        CHECK_OK(put_bytes(&s));
    }
    uint64_t before = blocks_in_use();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = remember_length, .attempt = put_bytes,
                        .check = length_is_as_before),
             1);
    int64_t length = kin_queue_qsize(s.queue);
    CHECK_GT(length, messages);
    for (int64_t i = 0; i < length; i++) {
        kin__fault_arm(KIN__FAULT_MEMORY, 1);
        CHECK_OK(get_bytes(&s)); /* needs no memory */
    }
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    CHECK_ERROR(get_bytes(&s), KIN_EEMPTY);
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
    (void)before;
}

TEST(a_put_of_large_bytes_without_memory_leaves_the_queue_as_it_was)
{
    loop_over_bytes(3000, 3);
}

TEST(a_put_that_needs_a_new_ring_without_memory_leaves_the_queue_as_it_was)
{
    loop_over_bytes(8, 64);
    loop_over_bytes(3000, 64);
}

/* ---- objects --------------------------------------------------------------------------------- */

static int put_object(void *ctx)
{
    struct scene *s = ctx;
    kin_obj o = kin_list(kin_str("a text that does not fit into a cell of a ring"),
                         kin_buffer(kin_alloc(100), 100), kin_int(5));
    return kin_queue_put(s->queue, o, 0);
}

static void the_rest_is_as_before(void *ctx, int error)
{
    struct scene *s = ctx;
    CHECK_LE(error, KIN_EINVAL);
    CHECK_EQ(kin_queue_qsize(s->queue), s->length);
}

TEST(a_put_of_an_object_without_memory_gives_everything_back)
{
    struct scene s = { .size = 0 };
    CHECK_OK(kin_queue_new(&s.queue, NULL));
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = remember_length, .attempt = put_object,
                        .check = the_rest_is_as_before),
             3);
    int64_t length = kin_queue_qsize(s.queue);
    CHECK_EQ(blocks_in_use(), 2 + (uint64_t)length * 2);
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}

static int get_object(void *ctx)
{
    struct scene *s = ctx;
    kin_obj o;
    int rv = kin_queue_get(s->queue, &o, 0);
    if (rv == 0) {
        CHECK_EQ(kin_len(o), 3);
        CHECK_EQ(kin_as_int(kin_at(o, 2)), 5);
        kin_release(o);
    }
    return rv;
}

TEST(a_get_without_memory_leaves_the_message_where_it_is)
{
    struct scene s = { .size = 0 };
    CHECK_OK(kin_queue_new(&s.queue, NULL));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(put_object(&s));
    }
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = remember_length, .attempt = get_object,
                        .check = length_is_as_before),
             1);
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- system calls ---------------------------------------------------------------------------- */

static int wait_and_pass(void *ctx)
{
    struct scene *s = ctx;
    char bytes[3000];
    CHECK_EQ(kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0.001), KIN_ETIMEDOUT);
    int rv = put_bytes(s);
    if (rv < 0) {
        return rv;
    }
    CHECK_EQ(kin_queue_put_bytes(s->queue, bytes, 1, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0), s->size);
    return 0;
}

TEST(no_system_call_of_a_wait_can_break_it)
{
    struct scene s = { .size = 2000 };
    CHECK_OK(kin_queue_new(&s.queue, KIN_OPT(kin_queue_options, .maxsize = 1)));
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &s, .attempt = wait_and_pass), 2);
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_queue_that_memory_ends_keeps_what_it_has)
{
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 4 << 20 }));
    for (size_t size = 8; size < 3000; size += 2900) {
        struct scene s = { .size = size };
        CHECK_OK(kin_queue_new(&s.queue, NULL));
        int n = 0;
        int rv;
        while ((rv = put_bytes(&s)) == 0) {
            n++;
        }
        CHECK_EQ(rv, KIN_ENOMEM);
        CHECK_CONTAINS(kin_errmsg(), "full");
        CHECK_EQ(kin_queue_qsize(s.queue), n);
        for (int i = 0; i < n; i++) {
            CHECK_OK(get_bytes(&s));
        }
        CHECK_OK(put_bytes(&s));
        kin_queue_free(s.queue);
        CHECK_EQ(blocks_in_use(), 0);
    }
}

/* ---- many at once, and in place -------------------------------------------------------------- */

enum { MANY = 70 }; /* more than two runs, and than the first ring */

static struct scene *new_scene(struct scene *s, const kin_queue_options *options, size_t size)
{
    *s = (struct scene){ .size = size };
    CHECK_OK(kin_queue_new(&s->queue, options));
    return s;
}

static void drain(struct scene *s)
{
    kin_obj o;
    while (kin_queue_get(s->queue, &o, 0) == 0) {
        kin_release(o);
    }
    CHECK_EQ(kin_queue_qsize(s->queue), 0);
}

static void drain_before(void *ctx)
{
    drain(ctx);
}

/* Those that were put are there, and none besides. */
static int put_array(void *ctx)
{
    struct scene *s = ctx;
    static unsigned char items[MANY * 6000];
    ssize_t n = kin_queue_put_array(s->queue, items, s->size, MANY, 0);
    CHECK_EQ(kin_queue_qsize(s->queue), n < 0 ? 0 : n);
    return n == MANY ? 0 : n < 0 ? (int)n : KIN_ENOMEM;
}

TEST(an_array_without_memory_is_put_as_far_as_it_goes)
{
    const size_t sizes[] = { 8, 300, 6000 };
    for (int i = 0; i < 6; i++) {
        struct scene s;
        new_scene(&s, KIN_OPT(kin_queue_options, .maxbytes = i % 2 ? 1000000 : 0), sizes[i / 2]);
        CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = drain_before, .attempt = put_array), 1);
        kin_queue_free(s.queue);
        CHECK_EQ(blocks_in_use(), 0);
    }
}

static int put_many(void *ctx)
{
    struct scene *s = ctx;
    kin_obj objects[MANY];
    for (int i = 0; i < MANY; i++) {
        objects[i] = kin_list(kin_int(i), kin_buffer(kin_alloc(8), 8));
    }
    ssize_t n = kin_queue_put_many(s->queue, objects, MANY, 0);
    CHECK_EQ(kin_queue_qsize(s->queue), n < 0 ? 0 : n);
    return n == MANY ? 0 : (int)(n < 0 ? n : KIN_ENOMEM);
}

TEST(many_objects_without_memory_are_put_as_far_as_it_goes)
{
    struct scene s;
    new_scene(&s, NULL, 0);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = drain_before, .attempt = put_many), 3);
    drain(&s);
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}

static void fill_with_objects(void *ctx)
{
    struct scene *s = ctx;
    drain(s);
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(kin_queue_put(s->queue, kin_list(kin_int(i), kin_str("some text")), 0));
    }
}

/* What there is no memory for stays, in order; what there was memory for was got. */
static int get_many(void *ctx)
{
    struct scene *s = ctx;
    kin_obj objects[MANY];
    ssize_t n = kin_queue_get_many(s->queue, objects, MANY, 0);
    for (ssize_t i = 0; i < n; i++) {
        CHECK_EQ(kin_as_int(kin_at(objects[i], 0)), i);
        kin_release(objects[i]);
    }
    ssize_t got = n < 0 ? 0 : n;
    CHECK_EQ(kin_queue_qsize(s->queue), MANY - got);
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    for (ssize_t i = got; i < MANY; i++) {
        CHECK_OK(kin_queue_get(s->queue, &objects[0], 0));
        CHECK_EQ(kin_as_int(kin_at(objects[0], 0)), i);
        kin_release(objects[0]);
    }
    return n == MANY ? 0 : (int)(n < 0 ? n : KIN_ENOMEM);
}

static int get_many_once(void *ctx)
{
    struct scene *s = ctx;
    kin_obj objects[MANY];
    ssize_t n = kin_queue_get_many(s->queue, objects, MANY, 0);
    for (ssize_t i = 0; i < n; i++) {
        kin_release(objects[i]);
    }
    return n == MANY ? 0 : (int)(n < 0 ? n : KIN_ENOMEM);
}

TEST(many_objects_without_memory_are_got_as_far_as_it_goes)
{
    struct scene s;
    new_scene(&s, NULL, 0);
    CHECK_GE(
        fault_loop(KIN__FAULT_MEMORY, &s, .setup = fill_with_objects, .attempt = get_many_once),
        MANY / 2);
    for (unsigned nth = 1; nth < MANY; nth += 7) { /* and the rest is in order */
        fill_with_objects(&s);
        kin__fault_arm(KIN__FAULT_MEMORY, nth);
        (void)get_many(&s);
    }
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}

static int reserve_and_commit(void *ctx)
{
    struct scene *s = ctx;
    void *place = ctx;
    int rv = kin_queue_reserve(s->queue, s->size, &place);
    if (rv < 0) {
        CHECK_PTR(place, ctx);
        return rv;
    }
    return kin_queue_commit(s->queue, place, s->size, 0);
}

TEST(what_was_reserved_is_given_back_when_it_cannot_be_committed)
{
    for (size_t size = 8; size < 3000; size += 2000) {
        struct scene s;
        new_scene(&s, NULL, size);
        for (int i = 0; i < 63; i++) {
            CHECK_OK(put_bytes(&s));
        }
        CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = remember_length,
                            .attempt = reserve_and_commit, .check = length_is_as_before),
                 1);
        drain(&s);
        kin_queue_free(s.queue);
        CHECK_EQ(blocks_in_use(), 0);
    }
}

/* ---- notes of what is to be acknowledged ----------------------------------------------------- */

static void note_eight(void *ctx)
{
    struct scene *s = ctx;
    while (kin_queue_ack(s->queue) == 0) {
    }
    drain(s);
    while (kin_queue_ack(s->queue) == 0) {
    }
    for (int i = 0; i < 9; i++) {
        CHECK_OK(put_bytes(s));
    }
    for (int i = 0; i < 8; i++) {
        CHECK_OK(get_bytes(s));
    }
    s->length = 1;
}

TEST(a_get_without_memory_for_a_note_leaves_the_message_where_it_is)
{
    struct scene s;
    new_scene(&s, KIN_OPT(kin_queue_options, .ack = true), 300);
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, &s, .setup = note_eight, .attempt = get_bytes,
                        .check = length_is_as_before),
             1);
    for (int i = 0; i < 9; i++) {
        CHECK_OK(kin_queue_ack(s.queue));
    }
    CHECK_ERROR(kin_queue_ack(s.queue), KIN_ESTATE);
    CHECK_OK(kin_queue_join(s.queue, 0));
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}

/* Neither acknowledging nor reading in place needs memory. */
TEST(what_has_begun_can_be_ended_without_memory)
{
    for (int ack = 0; ack < 2; ack++) {
        struct scene s;
        new_scene(&s, KIN_OPT(kin_queue_options, .ack = ack, .maxsize = 5, .joinable = true), 3000);
        for (int i = 0; i < 4; i++) {
            CHECK_OK(put_bytes(&s));
        }
        kin__fault_arm(KIN__FAULT_MEMORY, 1);
        kin_message message;
        CHECK_OK(kin_queue_peek(s.queue, &message, 0));
        CHECK_OK(get_bytes(&s));
        CHECK_OK(kin_queue_consume(s.queue, &message));
        CHECK_OK(kin_queue_task_done(s.queue));
        CHECK_ERROR(kin_queue_join(s.queue, 0), KIN_ETIMEDOUT);
        CHECK(!kin__fault_fired());
        kin__fault_arm(KIN__FAULT_MEMORY, 0);
        kin_queue_free(s.queue);
        CHECK_EQ(blocks_in_use(), 0);
    }
}

/* ---- system calls, again --------------------------------------------------------------------- */

static int wait_in_all_verbs(void *ctx)
{
    struct scene *s = ctx;
    int rv = put_bytes(s);
    if (rv < 0) {
        return rv;
    }
    CHECK_EQ(put_bytes(s), KIN_EFULL);
    CHECK_EQ(kin_queue_put_bytes(s->queue, "", 0, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_queue_join(s->queue, 0.001), KIN_ETIMEDOUT);
    kin_message message;
    CHECK_EQ(kin_queue_peek(s->queue, &message, 0.001), 0);
    CHECK_EQ(kin_queue_join(s->queue, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_queue_peek(s->queue, &message, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_queue_consume(s->queue, &message), 0);
    CHECK_EQ(kin_queue_join(s->queue, 0.001), 0);
    return 0;
}

TEST(no_system_call_of_a_wait_can_break_a_queue_that_is_acknowledged)
{
    struct scene s;
    new_scene(&s, KIN_OPT(kin_queue_options, .ack = true, .maxsize = 1), 2000);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &s, .attempt = wait_in_all_verbs), 3);
    kin_queue_free(s.queue);
    CHECK_EQ(blocks_in_use(), 0);
}
