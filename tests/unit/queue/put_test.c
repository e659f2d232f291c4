#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

enum { RUN = 32 }; /* as in put.c */

static kin_queue *new_queue(const kin_queue_options *options)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, options));
    return queue;
}

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* ---- many ------------------------------------------------------------------------------------ */

static void put_and_get_numbers(kin_queue *queue, size_t size, size_t n)
{
    unsigned char *items = calloc(n, size);
    for (size_t i = 0; i < n; i++) {
        memcpy(items + i * size, &i, sizeof i);
    }
    CHECK_EQ(kin_queue_put_array(queue, items, size, n, 0), n);
    CHECK_EQ(kin_queue_qsize(queue), n);
    unsigned char *back = calloc(n, size);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(kin_queue_get_bytes(queue, back + i * size, size, 0), size);
    }
    CHECK_MEM(items, back, n * size);
    free(items);
    free(back);
}

/* Across the borders of runs and of rings (64, 128, 256...). */
TEST(an_array_is_put_whatever_its_length)
{
    const size_t lengths[] = { 1, 2, RUN - 1, RUN, RUN + 1, 2 * RUN, 64, 65, 100, 1000 };
    const size_t sizes[] = { sizeof(size_t), 40, 41, 300, 5000 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(NULL);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            put_and_get_numbers(queue, sizes[s], lengths[i]);
        }
        kin_queue_free(queue);
        CHECK_EQ(blocks_in_use(), before);
    }
}

TEST(of_an_array_that_does_not_fit_the_first_ones_are_put)
{
    const size_t sizes[] = { 8, 300, 5000 };
    static unsigned char items[100 * 5000];
    for (size_t s = 0; s < 3; s++) {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxsize = 70));
        CHECK_EQ(kin_queue_put_array(queue, items, sizes[s], 100, 0), 70);
        CHECK_ERROR((int)kin_queue_put_array(queue, items, sizes[s], 100, 0), KIN_EFULL);
        CHECK_ERROR((int)kin_queue_put_array(queue, items, sizes[s], 100, 0.001), KIN_ETIMEDOUT);
        CHECK_EQ(kin_queue_get_array(queue, items, sizes[s], 10, 0), 10);
        CHECK_EQ(kin_queue_put_array(queue, items, sizes[s], 100, 0.001), 10);
        kin_queue_free(queue);
        CHECK_EQ(blocks_in_use(), before);
    }
}

static kin_obj number(int i)
{
    return kin_tuple(kin_int(i), kin_buffer(kin_alloc(10), 10));
}

/* The one that cannot be sent ends it; all are given away. */
TEST(objects_are_put_up_to_the_first_that_cannot_be)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(NULL);
    kin_obj objects[5] = { number(0), number(1), { 0 }, number(3), number(4) };
    CHECK_EQ(kin_queue_put_many(queue, objects, 5, 0), 2);
    objects[0] = (kin_obj){ 0 };
    objects[1] = number(1);
    CHECK_LT(kin_queue_put_many(queue, objects, 2, 0), 0);
    CHECK_EQ(kin_queue_qsize(queue), 2);
    for (int i = 0; i < 2; i++) {
        kin_obj o;
        CHECK_OK(kin_queue_get(queue, &o, 0));
        CHECK_EQ(kin_as_int(kin_at(o, 0)), i);
        kin_release(o);
    }
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(what_is_larger_than_maxbytes_is_never_put)
{
    static char bytes[6000];
    uint64_t before = blocks_in_use();
    const size_t most[] = { 0, 40, 41, 5000 }; /* which takes 64 bytes more */
    for (int i = 0; i < 4; i++) {
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxbytes = most[i] + 64));
        size_t size = most[i] + 1;
        CHECK_ERROR(kin_queue_put_bytes(queue, bytes, size, KIN_FOREVER), KIN_ERANGE);
        CHECK_ERROR((int)kin_queue_put_array(queue, bytes, size, 1, KIN_FOREVER), KIN_ERANGE);
        CHECK_ERROR(kin_queue_put(queue, kin_bytes(bytes, size), KIN_FOREVER), KIN_ERANGE);
        kin_obj o = kin_bytes(bytes, size);
        CHECK_ERROR((int)kin_queue_put_many(queue, &o, 1, KIN_FOREVER), KIN_ERANGE);
        void *place;
        CHECK_OK(kin_queue_reserve(queue, size, &place));
        CHECK_ERROR(kin_queue_commit(queue, place, size, KIN_FOREVER), KIN_ERANGE);
        CHECK_OK(kin_queue_put_bytes(queue, bytes, most[i], 0));
        CHECK_ERROR(kin_queue_put_bytes(queue, bytes, 0, 0), KIN_EFULL);
        kin_queue_free(queue);
    }
    CHECK_EQ(blocks_in_use(), before);
}

/* ---- in place -------------------------------------------------------------------------------- */

/* What was reserved may be committed by another process of the family, for it is the family's
 * memory; until then it goes with the one who reserved it. */
static int commit_it(void *ctx)
{
    void **it = ctx;
    return kin_queue_commit(it[0], it[1], 600, 0) == 0 ? 0 : 1;
}

TEST(a_child_commits_what_its_parent_reserved)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(NULL);
    void *place;
    CHECK_OK(kin_queue_reserve(queue, 600, &place));
    memset(place, 'p', 600);
    CHECK_EQ(test_join(test_child(commit_it, (void *[]){ queue, place })), 0);
    kin_message message;
    CHECK_OK(kin_queue_peek(queue, &message, 0));
    CHECK_PTR(message.bytes, place);
    CHECK_EQ(((const char *)message.bytes)[599], 'p');
    CHECK_OK(kin_queue_consume(queue, &message));
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

static int reserve_and_leave(void *ctx)
{
    void *place;
    return kin_queue_reserve(ctx, 600, &place) == 0 ? 0 : 1;
}

TEST(what_was_reserved_goes_with_its_process)
{
    kin_queue *queue = new_queue(NULL);
    uint64_t before = blocks_in_use();
    CHECK_EQ(test_join(test_child(reserve_and_leave, queue)), 0);
    kin__count_alive(); /* sweeps */
    CHECK_EQ(blocks_in_use(), before);
    kin_queue_free(queue);
}

TEST(a_large_message_is_handed_over_and_not_copied)
{
    kin_queue *queue = new_queue(NULL);
    void *place;
    CHECK_OK(kin_queue_reserve(queue, 1 << 20, &place));
    *(int *)place = 5;
    CHECK_OK(kin_queue_commit(queue, place, 1 << 20, 0));
    kin_message message;
    CHECK_OK(kin_queue_peek(queue, &message, 0));
    CHECK_PTR(message.bytes, place);
    CHECK_OK(kin_queue_consume(queue, &message));
    CHECK_NULL(message.bytes);
    kin_queue_free(queue);
}
