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

static char bytes[1000];

static int put(kin_queue *queue, size_t size)
{
    return kin_queue_put_bytes(queue, bytes, size, 0);
}

static int get(kin_queue *queue)
{
    char back[1000];
    return (int)kin_queue_get_bytes(queue, back, sizeof back, 0);
}

/* Each message is counted with 64 bytes for its cell. */
TEST(bytes_are_counted_to_the_last_one)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxbytes = 1000));
    for (int round = 0; round < 5; round++) {
        CHECK_EQ(kin_queue_full(queue), 0);
        CHECK_OK(put(queue, 1000 - 64));
        CHECK_EQ(kin_queue_full(queue), 1);
        CHECK_ERROR(put(queue, 0), KIN_EFULL);
        CHECK_EQ(get(queue), 1000 - 64);
        CHECK_OK(put(queue, 500 - 64));
        CHECK_OK(put(queue, 435 - 64));
        CHECK_EQ(kin_queue_full(queue), 0);
        CHECK_ERROR(put(queue, 2), KIN_EFULL);
        CHECK_OK(put(queue, 1));
        CHECK_EQ(kin_queue_full(queue), 1);
        CHECK_EQ(get(queue), 500 - 64);
        CHECK_EQ(get(queue), 435 - 64);
        CHECK_EQ(get(queue), 1);
    }
    kin_queue_free(queue);
}

TEST(both_bounds_hold)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxbytes = 1000, .maxsize = 3));
    CHECK_OK(put(queue, 600));
    CHECK_ERROR(put(queue, 1000 - 664 - 63), KIN_EFULL);
    CHECK_OK(put(queue, 1));
    CHECK_OK(put(queue, 1));
    CHECK_ERROR(put(queue, 0), KIN_EFULL);
    CHECK_EQ(kin_queue_full(queue), 1);
    CHECK_EQ(get(queue), 600);
    CHECK_OK(put(queue, 1000 - 3 * 64 - 2));
    CHECK_ERROR(put(queue, 0), KIN_EFULL);
    kin_queue_free(queue);
}

/* What is lent takes room until it is acknowledged, in whatever order that happens. */
TEST(what_is_not_acknowledged_takes_room)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true, .maxsize = 4));
    kin_message messages[4];
    for (int i = 0; i < 4; i++) {
        CHECK_OK(put(queue, 8));
        CHECK_OK(kin_queue_peek(queue, &messages[i], 0));
    }
    for (int i = 3; i >= 0; i--) {
        CHECK_ERROR(put(queue, 8), KIN_EFULL);
        CHECK_EQ(kin_queue_full(queue), 1);
        CHECK_EQ(kin_queue_qsize(queue), 0);
        CHECK_OK(kin_queue_consume(queue, &messages[i]));
        CHECK_EQ(kin_queue_full(queue), 0);
        CHECK_OK(put(queue, 8));
        CHECK_EQ(get(queue), 8);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK_OK(kin_queue_join(queue, 0));
    kin_queue_free(queue);
}

/* R2: the counts say that it is full, for somebody died who had counted. */
TEST(counts_that_are_too_high_are_set_right)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxbytes = 1300, .maxsize = 10));
    CHECK_OK(put(queue, 300));
    atomic_fetch_add(&queue->meter.messages, 9);
    CHECK_OK(put(queue, 300));
    atomic_fetch_add(&queue->meter.bytes, 700);
    CHECK_OK(put(queue, 508));
    CHECK_ERROR(put(queue, 0), KIN_EFULL);
    CHECK_EQ(get(queue), 300);
    CHECK_EQ(get(queue), 300);
    CHECK_EQ(get(queue), 508);
    CHECK_OK(put(queue, 1000));
    kin_queue_free(queue);
}

static kin_queue *hooked;

/* As if by another process, while a taker is at this step. */
static void put_all_that_fits(const char *step)
{
    if (strncmp(step, "ring.finish", 11) == 0) {
        kin__step_hook(NULL);
        while (put(hooked, 8) == 0) {
        }
        kin__step_hook(put_all_that_fits);
    }
}

/* Somebody counts the cells while a message is just going out. */
TEST(the_bound_holds_while_messages_go_out)
{
    for (int ack = 0; ack < 2; ack++) {
        hooked = new_queue(KIN_OPT(kin_queue_options, .maxsize = 3, .maxbytes = 10000, .ack = ack));
        while (put(hooked, 8) == 0) {
        }
        for (int i = 0; i < 5; i++) {
            kin__step_hook(put_all_that_fits);
            CHECK_EQ(get(hooked), 8);
            CHECK_OK(ack ? kin_queue_ack(hooked) : 0);
            kin__step_hook(NULL);
            while (put(hooked, 8) == 0) {
            }
            CHECK_EQ(kin_queue_qsize(hooked), 3);
        }
        kin_queue_free(hooked);
    }
}

static int put_until_killed(void *ctx)
{
    kin_queue *queue = ctx;
    while (kin_queue_put_bytes(queue, bytes, 100, KIN_FOREVER) == 0) {
    }
    return 1;
}

/* They put one after the other, and none who dies among them keeps the others from it. */
TEST(the_bound_holds_though_producers_are_killed)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .maxbytes = 1640));
    for (int round = 0; round < 20; round++) {
        pid_t pids[3];
        for (int i = 0; i < 3; i++) {
            pids[i] = test_child(put_until_killed, queue);
        }
        for (int i = 0; i < 50; i++) {
            char back[1000];
            CHECK_EQ(kin_queue_get_bytes(queue, back, sizeof back, KIN_FOREVER), 100);
            CHECK_LE(kin_queue_qsize(queue), 10);
        }
        for (int i = 0; i < 3; i++) {
            kill(pids[i], SIGKILL);
            CHECK_EQ(test_join(pids[i]), -SIGKILL);
        }
        while (put(queue, 100) == 0) {
        }
        CHECK_EQ(kin_queue_qsize(queue), 10);
    }
    kin_queue_free(queue);
}
