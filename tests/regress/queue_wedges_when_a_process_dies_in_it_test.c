/* In Python a process that is killed inside put() or get() dies with the queue's lock, and nobody
 * gets anything through that queue any more (CPython gh-88304, and the reason for gh-96062). Here
 * whoever is killed, wherever he is in there, loses at most the message in his hand. */
#include "scene.h"

static char text[300 << 10]; /* more than a pipe would take */

static void put_and_get(void *ctx)
{
    kin_queue *queue = ctx;
    kin_obj o;
    CHECK_OK(kin_queue_put(queue, kin_str("small"), KIN_FOREVER));
    CHECK_OK(kin_queue_put(queue, kin_bytes(text, sizeof text), KIN_FOREVER));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
        kin_release(o);
    }
}

/* What is left in it is whole, and another message goes through. */
static void goes_on(void *ctx, const char *step)
{
    (void)step;
    kin_queue *queue = ctx;
    CHECK_OK(kin_queue_put(queue, kin_str("after"), KIN_FOREVER));
    for (bool is_last = false; !is_last;) {
        kin_obj o;
        CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
        if (kin_type_of(o) == KIN_TYPE_BYTES) {
            CHECK_EQ(kin_len(o), sizeof text);
        } else {
            is_last = strcmp(kin_as_str(o), "after") == 0;
            CHECK(is_last || strcmp(kin_as_str(o), "small") == 0);
        }
        kin_release(o);
    }
    CHECK_EQ(kin_queue_qsize(queue), 0);
}

TEST_WITHIN(120, wherever_a_process_is_killed_in_a_queue_the_others_go_on)
{
    kin_queue *queue = new_queue();
    kill_loop(NULL, queue, .victim = put_and_get, .check = goes_on);
    kin_queue_free(queue);
    nothing_is_left();
}

static kin_obj get_one(kin_obj args)
{
    kin_obj o;
    KIN_TRY(kin_queue_get(kin_arg_shared(args, 0), &o, KIN_FOREVER));
    return o;
}

TEST(a_message_does_not_go_to_who_was_killed_while_he_waited_for_it)
{
    kin_queue *queue = new_queue();
    for (int i = 0; i < 5; i++) {
        kin_process *waiting = NULL;
        CHECK_OK(kin_start(&waiting, get_one, kin_args(kin_shared(queue)), NULL));
        WAIT_UNTIL(test_is_asleep(kin_process_pid(waiting)));
        CHECK_OK(kin_process_kill(waiting));
        CHECK_OK(kin_queue_put(queue, kin_int(i), KIN_FOREVER));
        CHECK_OK(kin_process_join(waiting, KIN_FOREVER));
        CHECK_EQ(kin_process_exitcode(waiting), -SIGKILL);
        kin_process_free(waiting);
        kin_obj o;
        CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i);
    }
    kin_queue_free(queue);
    nothing_is_left();
}
