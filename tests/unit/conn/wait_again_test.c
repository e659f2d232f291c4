/* Waking up for nothing: what is waited for has gone to somebody else, and one sleeps again. And
 * marks that an earlier wait has left. */
#undef _FORTIFY_SOURCE /* with which recv() could not be defined here */
#include "domain/room.h"
#include "harness.h"
#include "sync/room.h"
#include <kin/queue.h>
#include <kin/wait.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct scene {
    kin_queue *queues[2];
    _Atomic int rv;
    _Atomic int ready;
};

static struct scene *new_scene(void)
{
    struct scene *s = test_shared(sizeof *s);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_queue_new(&s->queues[i], NULL));
    }
    return s;
}

static void free_scene(struct scene *s)
{
    kin_queue_free(s->queues[0]);
    kin_queue_free(s->queues[1]);
}

static int wait_here(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable things[2] = { kin_queue_waitable(s->queues[0]), kin_queue_waitable(s->queues[1]) };
    s->rv = kin_wait(things, 2, KIN_FOREVER);
    s->ready = things[0].ready + 2 * things[1].ready;
    return 0;
}

/* He is woken, and before he can look it is gone again. */
static void wake_for_nothing(pid_t waiter, kin_queue *queue)
{
    kin_obj o;
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_EQ(kill(waiter, SIGSTOP), 0);
    CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
    CHECK_OK(kin_queue_get(queue, &o, 0));
    CHECK_EQ(kill(waiter, SIGCONT), 0);
    WAIT_UNTIL(test_is_asleep(waiter));
}

TEST(who_was_woken_for_nothing_is_woken_the_next_time_too)
{
    for (int i = 0; i < 2; i++) {
        struct scene *s = new_scene();
        pid_t waiter = test_child(wait_here, s);
        for (int k = 0; k < 4; k++) {
            wake_for_nothing(waiter, s->queues[k % 2]);
        }
        CHECK_OK(kin_queue_put(s->queues[i], kin_int(2), 0));
        CHECK_EQ(test_join(waiter), 0);
        CHECK_EQ(s->rv, 1);
        CHECK_EQ(s->ready, 1 + i);
        free_scene(s);
    }
}

/* Sixteen things lie on the stack, more do not. */
TEST(whatever_their_number_the_ones_that_are_ready_are_marked)
{
    enum { MOST = 40 };
    int pipes[MOST][2];
    kin_event *event = NULL;
    kin_waitable things[MOST + 1];
    CHECK_OK(kin_event_new(&event, NULL));
    things[0] = kin_event_waitable(event);
    for (size_t i = 0; i < MOST; i++) {
        CHECK_EQ(pipe(pipes[i]), 0);
        things[i + 1] = kin_fd_waitable(pipes[i][0]);
        CHECK_EQ(kin_wait(things, i + 2, 0.001), 0);
        CHECK_EQ(write(pipes[i][1], "x", 1), 1);
        CHECK_EQ(kin_wait(things, i + 2, KIN_FOREVER), 1);
        CHECK(things[i + 1].ready);
        CHECK_EQ(kin_wait(things + 1, i + 1, KIN_FOREVER), 1);
        CHECK_OK(kin_event_set(event));
        CHECK_EQ(kin_wait(things, i + 2, KIN_FOREVER), 2);
        CHECK_OK(kin_event_clear(event));
        char byte;
        CHECK_EQ(read(pipes[i][0], &byte, 1), 1);
    }
    for (size_t i = 0; i < MOST; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    kin_event_free(event);
}

/* ---- a ring while the bell is hushed --------------------------------------------------------- */

static kin__gate *opened_meanwhile;

/* Instead of the C library's: somebody opens a gate just before the bell is heard. */
ssize_t recv(int fd, void *buffer, size_t size, int flags)
{
    kin__gate *gate = opened_meanwhile;
    opened_meanwhile = NULL;
    if (gate != NULL) {
        kin__gate_open(gate);
    }
    return syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
}

TEST(who_rings_while_the_bell_is_hushed_does_not_silence_the_next_one)
{
    kin__bell bell;
    bool told = false;
    kin__gate *gate = kin_alloc(sizeof *gate);
    CHECK_OK(kin__bell_hang(&gate, 1, &bell));
    for (int i = 0; i < 3; i++) {
        (void)kin__gate_ticket(gate);
        opened_meanwhile = gate;
        kin__bell_hush(&bell);
        CHECK_NULL(opened_meanwhile);
        (void)kin__gate_ticket(gate);
        kin__gate_open(gate);
        CHECK_EQ(kin__os_poll(&bell.fd, &told, 1, 0), 1);
    }
    kin__bell_drop(&bell);
    kin_free(gate);
}
