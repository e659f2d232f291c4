/* A producer, then a consumer, is killed at every step, for small and large messages, with and
 * without a bound, across the growth and the end of rings. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

struct scene {
    uint64_t maxsize;
    size_t size;   /* bytes of a message: its number, and filling */
    int before;    /* messages in the queue when the victim begins */
    int by_victim; /* messages that he puts, or gets */
    kin_queue *queue;
    _Atomic int got; /* how many gets of his had returned */
    uint64_t blocks;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static int put_number(const struct scene *s, int number, double timeout)
{
    char bytes[5000];
    memset(bytes, number, sizeof bytes);
    memcpy(bytes, &number, sizeof number);
    return kin_queue_put_bytes(s->queue, bytes, s->size, timeout);
}

static int get_number(const struct scene *s)
{
    char bytes[5000];
    int number;
    ssize_t size = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0);
    if (size < 0) {
        CHECK_ERROR((int)size, KIN_EEMPTY);
        return -1;
    }
    CHECK_EQ(size, s->size);
    memcpy(&number, bytes, sizeof number);
    for (size_t i = sizeof number; i < s->size; i++) {
        CHECK_EQ(bytes[i], (char)number);
    }
    return number;
}

static void fill(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = s->maxsize)));
    for (int i = 0; i < s->before; i++) {
        CHECK_OK(put_number(s, i, 0));
    }
    s->got = 0;
}

static void put_some(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < s->by_victim; i++) {
        put_number(s, 100 + i, KIN_FOREVER);
    }
}

static void get_some(void *ctx)
{
    struct scene *s = ctx;
    char bytes[5000];
    for (int i = 0; i < s->by_victim; i++) {
        if (kin_queue_get_bytes(s->queue, bytes, sizeof bytes, 0) >= 0) {
            s->got++;
        }
    }
}

/* The queue still works, and freeing it gives everything back. */
static void works_and_goes(struct scene *s, const char *step)
{
    for (int i = 0; i < 3 * 64; i++) {
        CHECK_OK(put_number(s, i, 0));
        CHECK_EQ(get_number(s), i);
    }
    CHECK_ERROR(kin_queue_get_bytes(s->queue, NULL, 0, 0), KIN_EEMPTY);
    kin_queue_free(s->queue);
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: %llu blocks in use, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)s->blocks);
}

static void puts_are_whole(void *ctx, const char *step)
{
    struct scene *s = ctx;
    for (int i = 0; i < s->before; i++) {
        CHECK_EQ(get_number(s), i);
    }
    int number;
    int expected = 100;
    while ((number = get_number(s)) >= 0) {
        CHECK_EQ(number, expected++);
    }
    CHECK_LE(expected, 100 + s->by_victim);
    works_and_goes(s, step);
}

/* What he had not taken is there, in order, but for one that was in his hand: that is gone, or
 * back, and then it may come late. */
static void gets_lose_at_most_one(void *ctx, const char *step)
{
    struct scene *s = ctx;
    int number;
    int in_hand = s->got;
    int expected = s->got + 1;
    while ((number = get_number(s)) >= 0) {
        if (number == in_hand) {
            in_hand = -1;
        } else {
            CHECK_(number == expected, "killed at %s: %d came, not %d", step, number, expected);
            expected++;
        }
    }
    CHECK_GE(expected, s->before);
    works_and_goes(s, step);
}

static void kill_producers(uint64_t maxsize, size_t size, int before, int by_victim)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){
        .maxsize = maxsize, .size = size, .before = before, .by_victim = by_victim
    };
    kin__self();
    CHECK_GT(kill_loop(NULL, s, .setup = fill, .victim = put_some, .check = puts_are_whole), 5);
    kin_queue_free(s->queue);
}

static void kill_consumers(uint64_t maxsize, size_t size, int before, int by_victim)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){
        .maxsize = maxsize, .size = size, .before = before, .by_victim = by_victim
    };
    kin__self();
    CHECK_GT(kill_loop(NULL, s, .setup = fill, .victim = get_some, .check = gets_lose_at_most_one),
             5);
    kin_queue_free(s->queue);
}

TEST_WITHIN(60, a_producer_of_small_messages_may_die_anywhere)
{
    kill_producers(0, 8, 3, 3);
}

TEST_WITHIN(60, a_producer_of_large_messages_may_die_anywhere)
{
    kill_producers(0, 5000, 3, 3);
}

TEST_WITHIN(60, a_producer_into_a_bounded_queue_may_die_anywhere)
{
    kill_producers(10, 200, 3, 3);
}

TEST_WITHIN(120, a_producer_may_die_anywhere_while_the_queue_grows)
{
    kill_producers(0, 8, 63, 3);
}

TEST_WITHIN(60, a_consumer_of_small_messages_may_die_anywhere)
{
    kill_consumers(0, 8, 5, 3);
}

TEST_WITHIN(60, a_consumer_of_large_messages_may_die_anywhere)
{
    kill_consumers(0, 5000, 5, 3);
}

TEST_WITHIN(60, a_consumer_of_a_bounded_queue_may_die_anywhere)
{
    kill_consumers(10, 200, 5, 3);
}

TEST_WITHIN(120, a_consumer_may_die_anywhere_at_the_end_of_a_ring)
{
    kill_consumers(0, 8, 66, 68);
}

/* ---- who waits is not left behind ------------------------------------------------------------ */

static void put_one(void *ctx)
{
    put_number(ctx, 100, 0);
}

static int wait_for_a_message(void *ctx)
{
    struct scene *s = ctx;
    char bytes[5000];
    return kin_queue_get_bytes(s->queue, bytes, sizeof bytes, KIN_FOREVER) >= 0 ? 0 : 1;
}

static pid_t sleeper;

static void let_somebody_sleep(void *ctx)
{
    struct scene *s = ctx;
    s->before = 0;
    fill(ctx);
    sleeper = test_child(wait_for_a_message, s);
    WAIT_UNTIL(test_is_asleep(sleeper));
}

/* Whether the message of the dead is there or not: the next one wakes the sleeper. */
static void the_sleeper_gets_a_message(void *ctx, const char *step)
{
    struct scene *s = ctx;
    (void)step;
    CHECK_OK(put_number(s, 7, 0));
    CHECK_EQ(test_join(sleeper), 0);
    kin_queue_free(s->queue);
}

TEST_WITHIN(120, a_sleeping_consumer_is_woken_though_a_producer_died)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .size = 8 };
    kin__self();
    CHECK_GT(kill_loop("ring.", s, .setup = let_somebody_sleep, .victim = put_one,
                       .check = the_sleeper_gets_a_message),
             1);
    CHECK_EQ(test_join(sleeper), 0);
    kin_queue_free(s->queue);
}

/* Published means: a sleeper gets it, though the producer died before he woke anybody. */
static void the_sleeper_got_it_or_there_is_none(void *ctx, const char *step)
{
    struct scene *s = ctx;
    if (strcmp(step, "ring.published") != 0) {
        CHECK_OK(put_number(s, 7, 0));
    }
    CHECK_EQ(test_join(sleeper), 0);
    kin_queue_free(s->queue);
}

TEST_WITHIN(120, what_a_dead_producer_published_reaches_the_sleeper)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .size = 8 };
    kin__self();
    kill_loop("ring.", s, .setup = let_somebody_sleep, .victim = put_one,
              .check = the_sleeper_got_it_or_there_is_none);
    CHECK_EQ(test_join(sleeper), 0);
    kin_queue_free(s->queue);
}
