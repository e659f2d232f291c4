/* In Python, who gets from a queue whose only producer is killed waits for ever (CPython gh-87971):
 * a queue is nothing that connection.wait takes, so he can only look at the queue and at the
 * process by turns. */
#include "contract/start.h"
#include "scene.h"

static kin_obj put_and_hang(kin_obj args)
{
    SEE(kin_queue_put(kin_as(kin_queue, kin_arg(args, 0)), kin_int(1), 0) == 0);
    for (;;) {
        pause();
    }
    return kin_none();
}

EACH_METHOD(who_waits_for_messages_learns_that_their_producer_was_killed)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    kin_process *child = start_by(method, put_and_hang, kin_args(kin_shared(queue)));
    kin_waitable things[2] = { kin_queue_waitable(queue), kin_process_waitable(child) };
    CHECK_EQ(kin_wait(things, 2, KIN_FOREVER), 1);
    CHECK(things[0].ready);
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 0));
    CHECK_EQ(kin_as_int(o), 1);
    CHECK_OK(kin_process_kill(child));
    CHECK_EQ(kin_wait(things, 2, KIN_FOREVER), 1);
    CHECK(!things[0].ready && things[1].ready);
    CHECK_EQ(end(child), -SIGKILL);
    kin_queue_free(queue);
    nothing_is_left();
}
