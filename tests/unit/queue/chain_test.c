#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };

static kin_queue *new_queue(void)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    return queue;
}

static void put_numbers(kin_queue *queue, int from, int to)
{
    for (int i = from; i < to; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, &i, sizeof i, 0));
    }
}

static void get_numbers(kin_queue *queue, int from, int to)
{
    for (int i = from; i < to; i++) {
        int number;
        CHECK_EQ(kin_queue_get_bytes(queue, &number, sizeof number, 0), sizeof number);
        CHECK_EQ(number, i);
    }
}

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* Somebody is slow with one of the first messages: rings behind the first are drained before it. */
TEST(a_slow_taker_in_the_first_ring_does_not_break_the_chain)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue();
    put_numbers(queue, 0, 1000); /* rings of 64, 128, 256, 512, ... */
    get_numbers(queue, 0, 5);
    kin__claim slow;
    CHECK_OK(kin__queue_take(queue, &anything, 0, &slow));
    get_numbers(queue, 6, 1000);
    put_numbers(queue, 1000, 3000);
    get_numbers(queue, 1000, 3000);
    kin__queue_finish(queue, &slow);
    put_numbers(queue, 3000, 3010);
    get_numbers(queue, 3000, 3010);
    CHECK_EQ(blocks_in_use(), before + 2); /* the queue and its last ring */
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}
