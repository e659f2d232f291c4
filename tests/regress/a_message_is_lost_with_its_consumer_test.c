/* In Python who is killed after get() takes the message with him, and JoinableQueue.join() waits
 * for his task_done() for ever; Celery's users ask for late acknowledging (celery#1628). Here a
 * queue with .ack has the message again, and join waits for who does it then. */
#include "contract/start.h"
#include "scene.h"

static kin_obj get_one_and_die(kin_obj args)
{
    kin_queue *queue = kin_arg_shared(args, 0);
    kin_obj o;
    KIN_TRY(kin_queue_get(queue, &o, KIN_FOREVER));
    KIN_TRY(kin_queue_ack(queue));
    KIN_TRY(kin_queue_get(queue, &o, KIN_FOREVER));
    kill(getpid(), SIGKILL);
    return kin_none();
}

static kin_obj do_all(kin_obj args)
{
    kin_queue *queue = kin_arg_shared(args, 0);
    kin_obj o;
    int64_t next = 2; /* what the dead one had is the first */
    int rv;
    while ((rv = kin_queue_get(queue, &o, KIN_FOREVER)) == 0) {
        SEE(kin_as_int(o) == next++);
        KIN_TRY(kin_queue_ack(queue));
    }
    KIN_TRY(rv == KIN_ECLOSED ? 0 : rv);
    return kin_int(next);
}

EACH_METHOD(what_a_dead_consumer_had_is_done_by_the_next_one_and_join_ends)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .ack = true)));
    for (int i = 1; i <= 4; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
    }
    CHECK_EQ(run_by(method, get_one_and_die, kin_args(kin_shared(queue))), -SIGKILL);
    CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);

    kin_process *child = start_by(method, do_all, kin_args(kin_shared(queue)));
    CHECK_OK(kin_queue_join(queue, KIN_FOREVER));
    CHECK_OK(kin_queue_close(queue));
    CHECK_EQ(end(child), 5);
    kin_queue_free(queue);
    nothing_is_left();
}
