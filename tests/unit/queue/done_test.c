#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <sys/wait.h>
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

static int get(kin_queue *queue)
{
    int number;
    ssize_t size = kin_queue_get_bytes(queue, &number, sizeof number, 0);
    return size < 0 ? (int)size : number;
}

static const kin_queue_options acked = { .ack = true };

/* ---- notes ----------------------------------------------------------------------------------- */

static int get_first_and_die(void *ctx)
{
    if (get(ctx) == 0) {
        kill(getpid(), SIGKILL);
    }
    return 1;
}

/* Which one was acknowledged is seen by which ones come back when the taker dies: here he lives, so
 * by what a join is waiting for. */
TEST(the_oldest_is_acknowledged_first)
{
    kin_queue *queue = new_queue(&acked);
    put_numbers(queue, 0, 3);
    CHECK_EQ(test_join(test_child(get_first_and_die, queue)), -SIGKILL);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(get(queue), i); /* 0 has come again */
    }
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK_OK(kin_queue_join(queue, 0));
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    kin_queue_free(queue);
}

/* Notes move from their place in the thread to the heap, grow there, and come back. */
TEST(there_may_be_any_number_of_unacknowledged_messages)
{
    uint64_t before = blocks_in_use();
    kin_queue *queue = new_queue(&acked);
    const int amounts[] = { 1, 8, 9, 16, 17, 200, 3, 1000, 8 };
    for (size_t a = 0; a < sizeof amounts / sizeof *amounts; a++) {
        put_numbers(queue, 0, amounts[a]);
        for (int i = 0; i < amounts[a]; i++) {
            CHECK_EQ(get(queue), i);
        }
        CHECK_ERROR(get(queue), KIN_EEMPTY);
        for (int i = 0; i < amounts[a]; i++) {
            CHECK_OK(kin_queue_ack(queue));
        }
        CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
        CHECK_OK(kin_queue_join(queue, 0));
    }
    kin_queue_free(queue);
    CHECK_EQ(blocks_in_use(), before);
}

/* A worker always has one in hand: its notes must not grow with the number of messages. */
TEST(notes_go_round)
{
    kin_queue *queue = new_queue(&acked);
    put_numbers(queue, 0, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(get(queue), i);
    }
    kin__fault_arm(KIN__FAULT_MEMORY, 1); /* none of these needs memory */
    for (int i = 3; i < 200; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, &i, sizeof i, 0));
        CHECK_EQ(get(queue), i);
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK(!kin__fault_fired());
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    kin_queue_free(queue);
}

TEST(notes_of_freed_queues_are_forgotten)
{
    kin_queue *kept = new_queue(&acked);
    put_numbers(kept, 0, 2);
    CHECK_EQ(get(kept), 0);
    for (int i = 0; i < 50; i++) {
        kin_queue *queue = new_queue(&acked); /* at the same place, some of them */
        put_numbers(queue, 0, 5);
        for (int k = 0; k < 4; k++) {
            CHECK_EQ(get(queue), k);
        }
        CHECK_OK(kin_queue_ack(queue));
        kin_queue_free(queue);
    }
    kin_queue *queue = new_queue(&acked);
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    kin_queue_free(queue);
    CHECK_EQ(get(kept), 1);
    CHECK_OK(kin_queue_ack(kept));
    CHECK_OK(kin_queue_ack(kept));
    CHECK_OK(kin_queue_join(kept, 0));
    kin_queue_free(kept);
}

/* ---- a count --------------------------------------------------------------------------------- */

static int get_one_and_say_it(void *ctx)
{
    return get(ctx) >= 0 && kin_queue_task_done(ctx) == 0 ? 0 : 1;
}

static int say_it(void *ctx)
{
    return kin_queue_task_done(ctx) == 0 ? 0 : 1;
}

TEST(without_ack_anybody_says_that_something_is_done)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .joinable = true));
    put_numbers(queue, 0, 3);
    CHECK_EQ(test_join(test_child(get_one_and_say_it, queue)), 0);
    CHECK_ERROR(kin_queue_task_done(queue), KIN_ESTATE); /* two that nobody has got */
    CHECK_EQ(get(queue), 1);
    CHECK_EQ(test_join(test_child(say_it, queue)), 0);
    CHECK_ERROR(kin_queue_task_done(queue), KIN_ESTATE);
    CHECK_EQ(get(queue), 2);
    CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_queue_task_done(queue));
    CHECK_OK(kin_queue_join(queue, 0));
    kin_queue_free(queue);
}

TEST(a_dead_taker_is_waited_for_in_vain_without_ack)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .joinable = true));
    put_numbers(queue, 0, 1);
    CHECK_EQ(test_join(test_child(get_first_and_die, queue)), -SIGKILL);
    CHECK_ERROR(get(queue), KIN_EEMPTY);
    CHECK_ERROR(kin_queue_join(queue, 0.001), KIN_ETIMEDOUT);
    CHECK_OK(kin_queue_task_done(queue)); /* whoever knows may say it for him */
    CHECK_OK(kin_queue_join(queue, 0));
    kin_queue_free(queue);
}

/* What lies in rings behind the first counts, too. */
TEST(a_join_sees_all_rings)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .joinable = true));
    put_numbers(queue, 0, 500);
    for (int i = 0; i < 500; i++) {
        CHECK_ERROR(kin_queue_join(queue, 0), KIN_ETIMEDOUT);
        CHECK_EQ(get(queue), i);
        CHECK_OK(kin_queue_task_done(queue));
    }
    CHECK_OK(kin_queue_join(queue, 0));
    kin_queue_free(queue);
}

static void get_one_and_die(kin_queue *queue)
{
    pid_t pid = fork();
    if (pid == 0) {
        (void)get(queue);
        raise(SIGKILL);
    }
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(what_a_dead_one_holds_behind_a_living_one_is_there_for_who_does_not_wait)
{
    kin_queue *queue = new_queue(&acked);
    put_numbers(queue, 0, 2);
    CHECK_EQ(get(queue), 0); /* ours until we acknowledge it */
    get_one_and_die(queue);
    CHECK_EQ(get(queue), 1);
    CHECK_OK(kin_queue_ack(queue));
    CHECK_OK(kin_queue_ack(queue));
    kin_queue_free(queue);
}

/* ---- who acts as several ----------------------------------------------------------------- */

TEST(each_of_those_whom_a_thread_acts_as_acknowledges_his_own)
{
    kin_queue *queue = NULL;
    kin_obj o;
    kin__hand hands[2] = { 0 };
    kin__id guests[2] = { kin__guest_join("ann"), kin__guest_join("bob") };
    CHECK_OK(kin_queue_new(&queue, KIN_OPT(kin_queue_options, .ack = true)));
    for (int i = 0; i < 40; i++) { /* more than lie in a hand without memory */
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
    }
    for (int i = 0; i < 40; i++) {
        kin__act_as(guests[i % 2]);
        kin__hand_swap(&hands[i % 2]);
        CHECK_OK(kin_queue_get(queue, &o, 0));
        kin__hand_swap(&hands[i % 2]);
    }
    kin__act_as(guests[0]);
    kin__hand_swap(&hands[0]);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK_ERROR(kin_queue_ack(queue), KIN_ESTATE);
    kin__hand_swap(&hands[0]);
    kin__act_as(KIN__NOBODY);
    kin__guest_end(guests[0]);
    kin__guest_end(guests[1]);
    kin__hand_forget(&hands[0]);
    kin__hand_forget(&hands[1]);
    for (int i = 0; i < 20; i++) { /* bob's */
        CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o) % 2, 1);
    }
    kin_queue_free(queue);
}
