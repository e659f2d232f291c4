/* In Python qsize() raises NotImplementedError on some systems, and empty() is wrong while the
 * feeder thread has the item in its hand (CPython gh-101094). Here it counts what get() would find,
 * also after producers and consumers have died. */
#include "contract/start.h"
#include "scene.h"

static kin_obj put_three(kin_obj args)
{
    for (int i = 0; i < 3; i++) {
        KIN_TRY(kin_queue_put(kin_arg_shared(args, 0), kin_int(i), KIN_FOREVER));
    }
    return kin_none();
}

static kin_obj get_two_and_die(kin_obj args)
{
    kin_obj o;
    for (int i = 0; i < 2; i++) {
        KIN_TRY(kin_queue_get(kin_arg_shared(args, 0), &o, KIN_FOREVER));
        kin_release(o);
    }
    kill(getpid(), SIGKILL);
    return kin_none();
}

EACH_METHOD(what_was_put_is_counted_and_can_be_had_at_once)
{
    kin_queue *queue = new_queue();
    CHECK_EQ(kin_queue_qsize(queue), 0);
    CHECK_EQ(kin_queue_empty(queue), 1);
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
        CHECK_EQ(kin_queue_qsize(queue), i); /* at once: no thread has it in its hand */
        CHECK_EQ(kin_queue_empty(queue), 0);
    }
    CHECK_EQ(run_by(method, put_three, kin_args(kin_shared(queue))), 0);
    CHECK_EQ(kin_queue_qsize(queue), 6);
    CHECK_EQ(run_by(method, get_two_and_die, kin_args(kin_shared(queue))), -SIGKILL);
    CHECK_EQ(kin_queue_qsize(queue), 4);
    for (int i = 3; i >= 0; i--) {
        kin_obj o;
        CHECK_OK(kin_queue_get(queue, &o, 0));
        CHECK_EQ(kin_queue_qsize(queue), i);
        CHECK_EQ(kin_queue_empty(queue), i == 0);
    }
    kin_queue_free(queue);
}
