/* The contract of queues among processes, and what only processes can do to each other. */
#include "harness.h"

#include <signal.h>
#include <unistd.h>

typedef pid_t helper;

static helper start(int (*body)(void *), void *ctx)
{
    return test_child(body, ctx);
}

static int end(helper h)
{
    return test_join(h);
}

static bool is_asleep(helper h)
{
    return test_is_asleep(h);
}

#include "queue_misuse.h" /* and queue_suite.h */

/* ---- a forked child has its parent's notes, and may not use them ----------------------------- */

struct inheritance {
    kin_queue *queue;
    kin_message message;
};

static int consume_the_parents(void *ctx)
{
    struct inheritance *in = ctx;
    return kin_queue_consume(in->queue, &in->message) == KIN_ESTATE ? 0 : 1;
}

EACH_KIND(what_the_parent_took_in_place_no_child_consumes)
{
    struct inheritance in = { .queue = new_queue(kind) };
    CHECK_OK(kin_queue_put_bytes(in.queue, "0123456789", 10, 0));
    CHECK_OK(kin_queue_peek(in.queue, &in.message, 0));
    CHECK_EQ(test_join(test_child(consume_the_parents, &in)), 0);
    CHECK_MEM(in.message.bytes, "0123456789", 10);
    CHECK_OK(kin_queue_consume(in.queue, &in.message));
    kin_queue_free(in.queue);
}

enum { MANY = 50 };

/* In the child: its own notes begin with nothing, and its parent's are not among them. */
static int get_and_ack_own(void *ctx)
{
    kin_queue *queue = *(kin_queue **)ctx;
    int number;
    if (kin_queue_get_bytes(queue, &number, sizeof number, 0) != sizeof number || number != MANY) {
        return 1;
    }
    if (kin_queue_ack(queue) < 0) {
        return 2;
    }
    return kin_queue_ack(queue) == KIN_ESTATE ? 0 : 3;
}

TEST(a_child_acknowledges_what_it_got_itself)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
    for (int i = 0; i <= MANY; i++) {
        CHECK_OK(kin_queue_put_bytes(queue, &i, sizeof i, 0));
    }
    int number;
    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(kin_queue_get_bytes(queue, &number, sizeof number, 0), sizeof number);
    }
    CHECK_EQ(test_join(test_child(get_and_ack_own, &queue)), 0);
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(kin_queue_ack(queue));
    }
    CHECK_OK(kin_queue_join(queue, 0));
    kin_queue_free(queue);
}

/* ---- what the dead had ----------------------------------------------------------------------- */

static int get_three_and_die(void *ctx)
{
    kin_queue *queue = *(kin_queue **)ctx;
    int numbers[3];
    kin_queue_get_array(queue, numbers, sizeof *numbers, 3, 0);
    kin_queue_ack(queue);
    kill(getpid(), SIGKILL);
    return 0;
}

/* Whether the next one acknowledges each at once or keeps them all. */
TEST(what_a_dead_taker_had_not_acknowledged_is_next)
{
    for (int keep = 0; keep < 2; keep++) {
        kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
        for (int i = 0; i < 6; i++) {
            CHECK_OK(kin_queue_put_bytes(queue, &i, sizeof i, 0));
        }
        CHECK_EQ(test_join(test_child(get_three_and_die, &queue)), -SIGKILL);
        for (int i = 1; i < 6; i++) {
            int number;
            CHECK_EQ(kin_queue_get_bytes(queue, &number, sizeof number, 0), sizeof number);
            CHECK_EQ(number, i);
            CHECK_OK(keep ? 0 : kin_queue_ack(queue));
        }
        for (int i = 1; i < 6 && keep; i++) {
            CHECK_OK(kin_queue_ack(queue));
        }
        CHECK_OK(kin_queue_join(queue, 0));
        kin_queue_free(queue);
    }
}

/* "Whether a get would have to wait": one that asks after the dead would not. */
TEST(a_queue_with_a_dead_takers_message_is_not_empty)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
    int number = 5;
    CHECK_OK(kin_queue_put_bytes(queue, &number, sizeof number, 0));
    CHECK_OK(kin_queue_put_bytes(queue, &number, sizeof number, 0));
    CHECK_EQ(test_join(test_child(get_three_and_die, &queue)), -SIGKILL);
    CHECK_EQ(kin_queue_empty(queue), 0);
    CHECK_EQ(kin_queue_get_bytes(queue, &number, sizeof number, 0), sizeof number);
    kin_queue_free(queue);
}

static int wait_and_ack(void *ctx)
{
    kin_queue *queue = *(kin_queue **)ctx;
    int number;
    if (kin_queue_get_bytes(queue, &number, sizeof number, KIN_FOREVER) < 0) {
        return 100;
    }
    return kin_queue_ack(queue) == 0 ? number : 101;
}

TEST(who_sleeps_gets_what_a_dead_taker_leaves)
{
    kin_queue *queue = new_queue(KIN_OPT(kin_queue_options, .ack = true));
    int number = 42;
    CHECK_OK(kin_queue_put_bytes(queue, &number, sizeof number, 0));
    kin_event *got = NULL;
    CHECK_OK(kin_event_new(&got, NULL));
    pid_t taker = fork();
    if (taker == 0) {
        kin_queue_get_bytes(queue, &number, sizeof number, 0);
        kin_event_set(got);
        pause();
        _exit(0);
    }
    CHECK_OK(kin_event_wait(got, KIN_FOREVER));
    pid_t sleeper = test_child(wait_and_ack, &queue);
    WAIT_UNTIL(test_is_asleep(sleeper));
    CHECK_EQ(kin_queue_empty(queue), 1);
    kill(taker, SIGKILL);
    CHECK_EQ(test_join(taker), -SIGKILL);
    CHECK_EQ(test_join(sleeper), 42);
    CHECK_OK(kin_queue_join(queue, KIN_FOREVER));
    kin_event_free(got);
    kin_queue_free(queue);
}

/* ---- memory is out --------------------------------------------------------------------------- */

enum { LARGE = 100000 };

static char large[LARGE];

/* Takes all that there is; the last of it in small pieces. */
static size_t take_all(void **taken, size_t most)
{
    size_t n = 0;
    for (size_t size = 1 << 20; size > 64; size /= 2) {
        while (n < most && (taken[n] = kin_alloc(size)) != NULL) {
            n++;
        }
    }
    CHECK_LT(n, most);
    return n;
}

static int put_large(void *ctx)
{
    struct sleeper *s = ctx;
    int rv = kin_queue_put_bytes(s->queue, large, LARGE, KIN_FOREVER);
    return rv == KIN_ECLOSED ? 100 : rv == 0 ? 0 : 1;
}

static void sleep_for_memory(struct sleeper *s, int how)
{
    void *taken[1000];
    size_t n = take_all(taken, 1000);
    CHECK_ERROR(kin_queue_put_bytes(s->queue, large, LARGE, 0.01), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_queue_put_bytes(s->queue, large, LARGE, 0), KIN_EFULL);
    helper h = let_sleep(s, put_large);
    if (how == 0) {
        CHECK_OK(kin_queue_close(s->queue));
        CHECK_EQ(end(h), 100);
    }
    if (how == 1) {
        kin_queue_free(s->queue);
        CHECK_EQ(end(h), 100);
    }
    for (size_t i = 0; i < n; i++) {
        kin_free(taken[i]);
    }
    if (how == 2) {
        CHECK_EQ(end(h), 0);
        CHECK_EQ(kin_queue_qsize(s->queue), 1);
    }
}

TEST(who_waits_for_memory_wakes_when_there_is_some_or_the_queue_ends)
{
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 8 << 20 }));
    for (int how = 0; how < 3; how++) {
        struct sleeper s = { .queue = NULL };
        s.queue = new_queue(KIN_OPT(kin_queue_options, .wait_for_memory = true));
        sleep_for_memory(&s, how);
        if (how != 1) {
            kin_queue_free(s.queue);
        }
    }
    CHECK_EQ(blocks_in_use(), 0);
}
