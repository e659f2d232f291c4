/* queue_misuse.h - the rest of queue_suite.h: bad input, what is given away, and who may say that a
 * message is done with. Include it after that. */
#ifndef KIN_QUEUE_MISUSE_H
#define KIN_QUEUE_MISUSE_H

#include "queue_suite.h"

/* ---- bad input ------------------------------------------------------------------------------- */

EACH_KIND(bad_arguments_are_refused_and_lose_nothing)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(kind);
    kin_queue *none = (kin_queue *)(void *)&before;
    kin_obj objects[2] = { kin_list(kin_str("a")), kin_str("given away all the same") };
    uint64_t items[2] = { 1, 2 };
    void *place = &items;
    kin_message message;
    CHECK_ERROR((int)kin_queue_put_many(NULL, objects, 2, 0), KIN_EINVAL);
    objects[0] = kin_buffer(kin_alloc(10), 10);
    CHECK_ERROR((int)kin_queue_put_many(queue, objects, 1, NAN), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_put_many(queue, NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_get_many(queue, NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_get_many(none, objects, 1, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_put_array(queue, NULL, 8, 1, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_put_array(NULL, items, 8, 2, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_put_array(queue, items, 8, 2, NAN), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_put_array(queue, items, SIZE_MAX / 2, 3, 0), KIN_ERANGE);
    CHECK_ERROR((int)kin_queue_get_array(queue, NULL, 8, 1, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_queue_get_array(queue, items, 8, 2, NAN), KIN_EINVAL);
    CHECK_ERROR(kin_queue_reserve(NULL, 8, &place), KIN_EINVAL);
    CHECK_ERROR(kin_queue_reserve(queue, 8, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_queue_reserve(queue, SIZE_MAX, &place), KIN_ERANGE);
    CHECK_PTR(place, &items);
    CHECK_ERROR(kin_queue_commit(queue, NULL, 0, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_commit(queue, items, 8, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_commit(queue, queue, 8, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_peek(queue, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_peek(none, &message, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_peek(queue, &message, NAN), KIN_EINVAL);
    CHECK_ERROR(kin_queue_consume(queue, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_queue_ack(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    CHECK_ERROR(kin_queue_task_done(none), KIN_EINVAL);
    CHECK_ERROR(kin_queue_join(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_queue_join(queue, NAN), KIN_EINVAL);
    CHECK_EQ(kin_queue_qsize(queue), 0);
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

/* As commit says, the memory is given away whatever comes of it. */
EACH_KIND(what_is_committed_is_given_away)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(kind);
    uint64_t made = blocks_in_use();
    const size_t reserved[] = { 8, 600 };
    for (int i = 0; i < 2; i++) {
        void *place;
        CHECK_OK(kin_queue_reserve(queue, reserved[i], &place));
        CHECK_ERROR(kin_queue_commit(queue, place, 10000, 0), KIN_ERANGE);
        CHECK_EQ(blocks_in_use(), made);
        CHECK_OK(kin_queue_reserve(queue, reserved[i], &place));
        CHECK_ERROR(kin_queue_commit(queue, place, reserved[i], NAN), KIN_EINVAL);
        CHECK_EQ(blocks_in_use(), made);
        CHECK_OK(kin_queue_reserve(queue, reserved[i], &place));
        CHECK_ERROR(kin_queue_commit(NULL, place, reserved[i], 0), KIN_EINVAL);
        CHECK_EQ(blocks_in_use(), made);
        CHECK_OK(kin_queue_reserve(queue, reserved[i], &place));
        kin_queue_cancel(place);
        CHECK_EQ(blocks_in_use(), made);
    }
    CHECK_OK(kin_queue_close(queue));
    void *place;
    CHECK_OK(kin_queue_reserve(queue, 600, &place));
    CHECK_ERROR(kin_queue_commit(queue, place, 600, 0), KIN_ECLOSED);
    CHECK_EQ(blocks_in_use(), made);
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

static void count_lines(int level, const char *text, void *ctx)
{
    (void)text;
    *(int *)ctx += level == KIN_LOG_ERROR;
}

EACH_KIND(what_was_committed_or_is_no_reserved_memory_is_left_alone)
{
    kin_queue *queue = new_queue(kind);
    int lines = 0;
    kin_log_set_handler(count_lines, &lines);
    const size_t reserved[] = { 8, 600 };
    for (int i = 0; i < 2; i++) {
        void *place;
        CHECK_OK(kin_queue_reserve(queue, reserved[i], &place));
        memset(place, 'x', reserved[i]);
        CHECK_OK(kin_queue_commit(queue, place, reserved[i], 0));
        CHECK_ERROR(kin_queue_commit(queue, place, reserved[i], 0), i ? KIN_EINVAL : KIN_EFREED);
        kin_queue_cancel(place);
    }
    kin_queue_cancel(NULL);
    CHECK_EQ(lines, 2);
    char here;
    kin_queue_cancel(&here);
    kin_queue_cancel(queue);
    char *memory = kin_alloc(100);
    kin_queue_cancel(memory);
    kin_queue_cancel(memory + 16);
    kin_log_set_handler(NULL, NULL);
    CHECK_EQ(lines, 6);
    kin_free(memory);
    CHECK_EQ(kin_queue_qsize(queue), 2);
    char back[600];
    CHECK_EQ(kin_queue_get_bytes(queue, back, sizeof back, 0), 8);
    CHECK_EQ(kin_queue_get_bytes(queue, back, sizeof back, 0), 600);
    CHECK_EQ(back[599], 'x');
    kin_queue_free(queue);
}

EACH_KIND(what_was_consumed_or_never_taken_is_not_consumed)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(kind);
    kin_queue *other = new_queue(kind);
    kin_message message = { .size = 5 };
    memset(message.private_, 0x5a, sizeof message.private_);
    CHECK_ERROR(kin_queue_consume(queue, &message), KIN_ESTATE);
    for (int i = 0; i < 2; i++) {
        unsigned char *bytes = pattern(600);
        CHECK_OK(kin_queue_put_bytes(queue, bytes, i ? 600 : 20, 0));
        CHECK_OK(kin_queue_put_bytes(queue, "next", 4, 0));
        CHECK_OK(kin_queue_peek(queue, &message, 0));
        CHECK_ERROR(kin_queue_consume(other, &message), KIN_ESTATE);
        CHECK_MEM(message.bytes, bytes, message.size);
        if (kind->ack) { /* what is peeked at is not acknowledged, it is consumed */
            CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
        }
        CHECK_OK(kin_queue_consume(queue, &message));
        CHECK_ERROR(kin_queue_consume(queue, &message), KIN_ESTATE);
        CHECK_EQ(kin_queue_qsize(queue), 1);
        char back[5];
        CHECK_EQ(kin_queue_get_bytes(queue, back, sizeof back, 0), 4);
        CHECK_EQ(say_done(queue, kind, &ways[0], 1), 0);
        free(bytes);
    }
    kin_queue_free(queue);
    kin_queue_free(other);
    CHECK_EQ(blocks_in_use(), before);
}

/* In a queue without .ack the message is the taker's from then on. */
EACH_KIND(what_was_taken_in_place_goes_though_its_queue_was_freed)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(kind);
    unsigned char *bytes = pattern(600);
    CHECK_OK(kin_queue_put_bytes(queue, bytes, 600, 0));
    kin_message message;
    CHECK_OK(kin_queue_peek(queue, &message, 0));
    kin_queue_free(queue);
    if (!kind->ack) {
        CHECK_MEM(message.bytes, bytes, 600);
    }
    CHECK_ERROR(kin_queue_consume(queue, &message), KIN_EFREED);
    CHECK_EQ(blocks_in_use(), before);
    free(bytes);
}

/* ---- who has to acknowledge ------------------------------------------------------------------ */

static int ack_for_somebody_else(void *ctx)
{
    return kin_queue_ack(*(kin_queue **)ctx) == KIN_ESTATE ? 0 : 1;
}

EACH_KIND(what_somebody_got_nobody_else_acknowledges)
{
    kin_queue **queue = test_shared(sizeof *queue);
    *queue = new_queue(kind);
    CHECK_OK(kin_queue_put_bytes(*queue, "ab", 2, 0));
    CHECK_OK(kin_queue_put_bytes(*queue, "cd", 2, 0));
    char back[2];
    CHECK_EQ(kin_queue_get_bytes(*queue, back, 2, 0), 2);
    CHECK_EQ(end(start(ack_for_somebody_else, queue)), 0);
    CHECK_EQ(kin_queue_ack(*queue), kind->ack ? 0 : KIN_ESTATE);
    CHECK_ERROR(kin_queue_ack(*queue), KIN_ESTATE);
    CHECK_EQ(kin_queue_qsize(*queue), 1);
    kin_queue_free(*queue);
}

/* So many that a thread's notes of them outgrow their place; of two queues in turn. */
EACH_KIND(the_oldest_of_its_queue_is_acknowledged)
{
    if (!kind->ack || is_bounded(kind)) {
        return;
    }
    enum { MANY = 100 };
    uint64_t before = blocks_in_use();
    kin_queue *queues[2] = { new_queue(kind), new_queue(kind) };
    unsigned char *bytes = pattern(600);
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(kin_queue_put_bytes(queues[i % 2], bytes, 600, 0));
        CHECK_EQ(kin_queue_get_bytes(queues[i % 2], bytes, 600, 0), 600);
    }
    for (int i = 0; i < MANY; i++) {
        kin_queue *queue = queues[i < MANY / 2];
        CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK_ERROR(kin_queue_ack(queues[0]), KIN_ESTATE);
    CHECK_OK(kin_queue_join(queues[0], 0));
    CHECK_OK(kin_queue_join(queues[1], 0));
    kin_queue_free(queues[0]);
    kin_queue_free(queues[1]);
    CHECK_EQ(blocks_in_use(), before);
    free(bytes);
}

#endif
