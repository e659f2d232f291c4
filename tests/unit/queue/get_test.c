#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <unistd.h>

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

static void put_numbers(kin_queue *queue, int from, int to)
{
    for (int i = from; i < to; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, &i, sizeof i, 0));
    }
}

/* ---- many ------------------------------------------------------------------------------------ */

/* Across the borders of runs (32) and of rings (64, 128, 256...). */
TEST(an_array_is_got_as_far_as_there_is_something)
{
    const size_t lengths[] = { 1, 2, 31, 32, 33, 64, 65, 100, 500 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        kin_queue *queue = new_queue(NULL);
        put_numbers(queue, 0, 300);
        int numbers[500];
        int next = 0;
        while (next < 300) {
            ssize_t n = kin_queue_get_array(queue, numbers, sizeof *numbers, lengths[i], 0);
            int left = 300 - next;
            CHECK_EQ(n, left < (int)lengths[i] ? left : (int)lengths[i]);
            for (ssize_t k = 0; k < n; k++) {
                CHECK_EQ(numbers[k], next++);
            }
        }
        CHECK_ERROR((int)kin_queue_get_array(queue, numbers, sizeof *numbers, 500, 0), KIN_EEMPTY);
        kin_queue_free(queue);
    }
}

TEST(many_objects_may_have_been_put_as_bytes)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(NULL);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(i % 2 ? kin_queue_put_bytes(queue, &i, sizeof i, 0)
                       : kin_queue_put(queue, kin_list(kin_int(i)), 0));
    }
    kin_obj objects[200];
    CHECK_EQ(kin_queue_get_many(queue, objects, 200, KIN_FOREVER), 100);
    for (int i = 0; i < 100; i++) {
        if (i % 2) {
            CHECK_MEM(kin_as_bytes(objects[i]), &i, sizeof i);
        } else {
            CHECK_EQ(kin_as_int(kin_at(objects[i], 0)), i);
        }
        kin_release(objects[i]);
    }
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

/* ---- what cannot be read --------------------------------------------------------------------- */

static int get_release_and_die(void *ctx)
{
    kin_obj o;
    if (kin_queue_get(ctx, &o, 0) == 0) {
        kin_release(o); /* and the buffer with it */
    }
    kill(getpid(), SIGKILL);
    return 0;
}

/* It would come again and again, and be acknowledged in place of the next one. */
TEST(a_message_that_cannot_be_read_is_not_there_to_be_acknowledged)
{
    for (int many = 0; many < 2; many++) {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
        CHECK_OK(kin_queue_put(queue, kin_list(kin_buffer(kin_alloc(100), 100)), 0));
        CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
        CHECK_OK(kin_queue_put(queue, kin_int(2), 0));
        CHECK_EQ(test_join(test_child(get_release_and_die, queue)), -SIGKILL);
        kin_obj o = kin_none();
        CHECK_ERROR(many ? (int)kin_queue_get_many(queue, &o, 1, 0) : kin_queue_get(queue, &o, 0),
                    KIN_EFREED);
        CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
        for (int i = 1; i < 3; i++) {
            CHECK_OK(kin_queue_get(queue, &o, 0));
            CHECK_EQ(kin_as_int(o), i);
            CHECK_OK(kin_queue_ack(queue));
        }
        CHECK_OK(kin_queue_join(queue, 0));
        kin_queue_free(queue);
        CHECK_EQ(blocks_in_use(), before);
    }
}

TEST(many_end_before_what_cannot_be_read)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
    char *memory = kin_alloc(100);
    CHECK_OK(kin_queue_put(queue, kin_int(0), 0));
    CHECK_OK(kin_queue_put(queue, kin_list(kin_buffer(memory, 100)), 0));
    CHECK_OK(kin_queue_put(queue, kin_int(2), 0));
    kin_free(memory);
    kin_obj objects[3];
    ssize_t n = kin_queue_get_many(queue, objects, 3, 0);
    CHECK_GE(n, 1);
    while (n < 2) {
        ssize_t more = kin_queue_get_many(queue, objects + n, 3 - (size_t)n, 0);
        n += more > 0 ? more : 0;
    }
    CHECK_EQ(kin_as_int(objects[0]), 0);
    CHECK_EQ(kin_as_int(objects[1]), 2);
    CHECK_OK(kin_queue_ack(queue));
    CHECK_OK(kin_queue_ack(queue));
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    CHECK_OK(kin_queue_join(queue, 0));
    kin_queue_free(queue);
}

/* With .ack, a buffer that came with a message comes again with it. */
static int get_and_die(void *ctx)
{
    kin_obj o;
    int rv = kin_queue_get(ctx, &o, 0);
    if (rv == 0) {
        kill(getpid(), SIGKILL);
    }
    return 1;
}

TEST(a_message_that_comes_again_brings_its_buffer)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
    char *memory = kin_alloc(100);
    strcpy(memory, "still here");
    CHECK_OK(kin_queue_put(queue, kin_list(kin_buffer(memory, 100)), 0));
    CHECK_EQ(test_join(test_child(get_and_die, queue)), -SIGKILL);
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 0));
    char *taken = kin_take_buffer(kin_at(o, 0), NULL);
    CHECK_PTR(taken, memory);
    CHECK_STR(taken, "still here");
    kin_free(taken);
    kin_release(o);
    CHECK_OK(kin_queue_ack(queue));
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

/* ---- in place -------------------------------------------------------------------------------- */

/* Once in the message, once beside the cell, once apart: others use the cell meanwhile. */
TEST(what_was_peeked_at_stays_while_others_use_the_queue)
{
    static unsigned char bytes[20000];
    static unsigned char others[20000];
    memset(bytes, 'a', sizeof bytes);
    memset(others, 'z', sizeof others);
    const size_t sizes[] = { 0, 1, 40, 41, 200, 4096, 20000 };
    for (int ack = 0; ack < 2; ack++) {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxsize = 3, .ack = ack));
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            CHECK_OK(kin_queue_put_bytes(queue, bytes, sizes[i], 0));
            kin_message message;
            CHECK_OK(kin_queue_peek(queue, &message, 0));
            for (int k = 0; k < 10; k++) {
                CHECK_OK(kin_queue_put_bytes(queue, others, sizes[i], 0));
                CHECK_EQ(kin_queue_get_bytes(queue, others, sizeof others, 0), sizes[i]);
                CHECK_OK(ack ? kin_queue_ack(queue) : 0);
            }
            CHECK_EQ(message.size, sizes[i]);
            CHECK(memcmp(message.bytes, bytes, sizes[i]) == 0);
            CHECK_OK(kin_queue_consume(queue, &message));
        }
        kin_queue_free(queue);
        CHECK_EQ(blocks_in_use(), before);
    }
}

TEST(several_messages_are_peeked_at_and_consumed_in_any_order)
{
    for (int ack = 0; ack < 2; ack++) {
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = ack, .joinable = true));
        put_numbers(queue, 0, 4);
        kin_message messages[4];
        for (int i = 0; i < 4; i++) {
            CHECK_OK(kin_queue_peek(queue, &messages[i], 0));
        }
        const int order[] = { 2, 0, 3, 1 };
        for (int i = 0; i < 4; i++) {
            CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
            CHECK_MEM(messages[order[i]].bytes, &order[i], sizeof(int));
            CHECK_OK(kin_queue_consume(queue, &messages[order[i]]));
            CHECK_OK(ack ? 0 : kin_queue_task_done(queue));
        }
        CHECK_OK(kin_queue_join(queue, 0));
        kin_queue_free(queue);
    }
}

static int peek_and_die(void *ctx)
{
    kin_message message;
    if (kin_queue_peek(ctx, &message, 0) == 0) {
        kill(getpid(), SIGKILL);
    }
    return 1;
}

TEST(what_a_dead_process_peeked_at_is_gone_or_comes_again)
{
    for (int ack = 0; ack < 2; ack++) {
        uint64_t before = blocks_in_use();
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = ack));
        for (char c = 'a'; c < 'c'; c++) {
            char bytes[600];
            memset(bytes, c, sizeof bytes);
            CHECK_OK(kin_queue_put_bytes(queue, bytes, sizeof bytes, 0));
        }
        CHECK_EQ(test_join(test_child(peek_and_die, queue)), -SIGKILL);
        kin_message message;
        CHECK_OK(kin_queue_peek(queue, &message, 0));
        CHECK_EQ(*(const char *)message.bytes, ack ? 'a' : 'b');
        CHECK_OK(kin_queue_consume(queue, &message));
        kin_queue_free(queue);
        CHECK_EQ(blocks_in_use(), before);
    }
}
