/* In Python a queue is bounded by the number of its items or not at all, and a program whose
 * consumers are slower than its producers is killed for its memory (reddit/baseplate.py#302,
 * lanjelot/patator#37). Here .maxbytes bounds the memory itself, and put waits. */
#include "scene.h"

enum { ROOM = 1 << 20, LARGEST = 100 << 10, MESSAGES = 1000 };

static size_t size_of(int i)
{
    return (size_t)i * 7919 % LARGEST + 1;
}

static kin_obj put_all(kin_obj args)
{
    static char bytes[LARGEST];
    for (int i = 0; i < MESSAGES; i++) {
        KIN_TRY(kin_queue_put_bytes(kin_arg_shared(args, 0), bytes, size_of(i), KIN_FOREVER));
    }
    return kin_none();
}

static uint64_t used(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.used;
}

TEST(a_queue_takes_no_more_memory_than_its_bound)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .maxbytes = ROOM)));
    uint64_t before = used();
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, put_all, kin_args(kin_shared(queue)), NULL));
    WAIT_UNTIL(test_is_asleep(kin_process_pid(child)) && kin_queue_qsize(queue) > 1);
    for (int i = 0; i < MESSAGES; i++) {
        static char bytes[LARGEST];
        CHECK_EQ(kin_queue_get_bytes(queue, bytes, sizeof bytes, KIN_FOREVER), size_of(i));
        CHECK_LE(used(), before + 2 * ROOM); /* what is in somebody's hand, and rounding */
    }
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(child), 0);
    kin_process_free(child);
    kin_queue_free(queue);
    nothing_is_left();
}
