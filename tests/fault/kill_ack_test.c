/* Somebody is killed at every step of taking messages that have to be acknowledged, of
 * acknowledging them, of what is done in place, and of putting where it is counted (meter.c). What
 * was wholly put comes, what was not acknowledged comes again and before all that was not taken,
 * who waits goes on, and nothing is left behind. */
#include "domain/room.h"
#include "harness.h"
#include "queue/room.h"

#include <signal.h>

enum { BEFORE = 6, MOST = 200 };

struct scene {
    kin_queue_options options;
    size_t size; /* bytes of a message: its number, and filling */
    int before;  /* messages in the queue when the victim begins */
    kin_queue *queue;
    uint64_t blocks;
    _Atomic int got;   /* how many messages the victim's calls have returned to him */
    _Atomic int acked; /* how many of his acknowledgements have returned */
    _Atomic int begun; /* how many had begun */
    _Atomic int put;   /* how many of his puts had returned */
    _Atomic int joined;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static void write_number(unsigned char *bytes, size_t size, int number)
{
    memset(bytes, number, size);
    memcpy(bytes, &number, sizeof number);
}

static int put_number(struct scene *s, int number, double timeout)
{
    unsigned char bytes[5000];
    write_number(bytes, s->size, number);
    return kin_queue_put_bytes(s->queue, bytes, s->size, timeout);
}

static int read_number(const struct scene *s, const void *bytes, size_t size)
{
    int number;
    unsigned char expected[5000];
    CHECK_EQ(size, s->size);
    memcpy(&number, bytes, sizeof number);
    write_number(expected, size, number);
    CHECK_MEM(bytes, expected, size);
    return number;
}

static int get_number(struct scene *s, double timeout)
{
    unsigned char bytes[5000];
    ssize_t size = kin_queue_get_bytes(s->queue, bytes, sizeof bytes, timeout);
    return size < 0 ? (int)size : read_number(s, bytes, (size_t)size);
}

static int get_and_ack(struct scene *s, double timeout)
{
    int number = get_number(s, timeout);
    if (number >= 0 && s->options.ack) {
        CHECK_OK(kin_queue_ack(s->queue));
    }
    return number;
}

static void fill(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    CHECK_OK(kin_queue_new(&s->queue, &s->options));
    for (int i = 0; i < s->before; i++) {
        CHECK_OK(put_number(s, i, 0));
    }
    s->got = s->acked = s->begun = s->put = s->joined = 0;
}

/* How many messages there is room for; or enough of them. */
static int room_of(const struct scene *s)
{
    uint64_t room = s->options.maxsize != 0 ? s->options.maxsize : MOST;
    uint64_t by_bytes = s->options.maxbytes / kin__meter_cost(s->size);
    return (int)(s->options.maxbytes != 0 && by_bytes < room ? by_bytes : room);
}

/* The queue still works, holds as much as it should, and freeing it gives everything back. */
static void works_and_goes(struct scene *s, const char *step)
{
    int room = room_of(s);
    for (int i = 0; i < room; i++) {
        int rv = put_number(s, i, 0);
        CHECK_(rv == 0, "killed at %s: put %d of %d gave %s", step, i, room, kin_errmsg());
    }
    if (room < MOST) {
        CHECK_ERROR(put_number(s, room, 0), KIN_EFULL);
    }
    CHECK_EQ(kin_queue_qsize(s->queue), room);
    for (int i = 0; i < room; i++) {
        CHECK_EQ(get_and_ack(s, 0), i);
    }
    CHECK_ERROR(get_and_ack(s, 0), KIN_EEMPTY);
    kin_queue_free(s->queue);
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: %llu blocks in use, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)s->blocks);
}

static int loop_over(const kin_queue_options *options, size_t size, const struct kill_ops *ops)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .options = *options, .size = size, .before = BEFORE };
    kin__self();
    int kills = test_kill_loop(NULL, s, ops);
    kin_queue_free(s->queue);
    return kills;
}

/* ---- taking and acknowledging ---------------------------------------------------------------- */

/* Each one comes that was not acknowledged; and of those that he had got, one may have been: its
 * acknowledgement had begun. What he had got comes first, in order. What he was about to get may
 * come later, as from any queue: he had not got it. */
static void what_was_not_acknowledged_comes_again(void *ctx, const char *step)
{
    struct scene *s = ctx;
    bool seen[BEFORE] = { false };
    int expected = s->acked;
    for (int number; (number = get_and_ack(s, 0)) >= 0;) {
        CHECK_(number >= s->acked && number < BEFORE && !seen[number],
               "killed at %s: %d came, %d were acknowledged", step, number, s->acked);
        seen[number] = true;
        expected += expected == s->acked && number == expected + 1 && s->begun > s->acked;
        CHECK_(expected >= s->got || number == expected, "killed at %s: %d came before %d", step,
               number, expected);
        expected++;
    }
    for (int i = s->begun; i < BEFORE; i++) {
        CHECK_(seen[i], "killed at %s: %d did not come", step, i);
    }
    works_and_goes(s, step);
}

static void acknowledge(struct scene *s, int n)
{
    for (int i = 0; i < n; i++) {
        s->begun++;
        if (kin_queue_ack(s->queue) == 0) {
            s->acked++;
        }
    }
}

static void get_and_acknowledge(void *ctx)
{
    struct scene *s = ctx;
    unsigned char bytes[5000];
    for (int i = 0; i < 3; i++) {
        s->got += kin_queue_get_bytes(s->queue, bytes, s->size, 0) > 0;
        acknowledge(s, 1);
    }
}

static void get_an_array_and_acknowledge(void *ctx)
{
    struct scene *s = ctx;
    unsigned char bytes[4 * 5000];
    ssize_t n = kin_queue_get_array(s->queue, bytes, s->size, 4, 0);
    s->got += (int)n;
    acknowledge(s, (int)n);
}

static void get_objects_and_acknowledge(void *ctx)
{
    struct scene *s = ctx;
    kin_obj objects[4];
    ssize_t n = kin_queue_get_many(s->queue, objects, 4, 0);
    s->got += (int)n;
    for (ssize_t i = 0; i < n; i++) {
        kin_release(objects[i]);
    }
    acknowledge(s, (int)n);
}

static void peek_and_consume(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < 3; i++) {
        kin_message message;
        s->got += kin_queue_peek(s->queue, &message, 0) == 0;
        s->begun++;
        if (kin_queue_consume(s->queue, &message) == 0) {
            s->acked++;
        }
    }
}

static void take_all_and_wait(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < BEFORE; i++) {
        s->got += get_number(s, 0) >= 0;
    }
    (void)get_number(s, 0.001);
    acknowledge(s, 2);
}

static const kin_queue_options acked[] = {
    { .ack = true },
    { .ack = true, .maxsize = BEFORE + 1 },
    { .ack = true, .maxbytes = 5064 * (BEFORE + 1), .maxsize = 100 },
};

static void kill_takers(void (*victim)(void *))
{
    for (int i = 0; i < 6; i++) {
        const struct kill_ops ops = { .setup = fill,
                                      .victim = victim,
                                      .check = what_was_not_acknowledged_comes_again };
        CHECK_GT(loop_over(&acked[i / 2], i % 2 ? 5000 : 8, &ops), 5);
    }
}

TEST_WITHIN(60, who_acknowledges_one_by_one_may_die_anywhere)
{
    kill_takers(get_and_acknowledge);
}

TEST_WITHIN(60, who_acknowledges_what_he_got_in_an_array_may_die_anywhere)
{
    kill_takers(get_an_array_and_acknowledge);
}

TEST_WITHIN(60, who_acknowledges_what_he_got_as_objects_may_die_anywhere)
{
    kill_takers(get_objects_and_acknowledge);
}

TEST_WITHIN(60, who_consumes_what_lies_in_place_may_die_anywhere)
{
    kill_takers(peek_and_consume);
}

TEST_WITHIN(60, who_holds_all_messages_may_die_anywhere)
{
    kill_takers(take_all_and_wait);
}

/* ---- others wait meanwhile ------------------------------------------------------------------- */

static pid_t waiter;

static int join_forever(void *ctx)
{
    struct scene *s = ctx;
    s->joined = kin_queue_join(s->queue, KIN_FOREVER) == 0;
    return s->joined ? 0 : 1;
}

static void fill_and_let_join(void *ctx)
{
    fill(ctx);
    waiter = test_child(join_forever, ctx);
    WAIT_UNTIL(test_is_asleep(waiter));
}

static void who_joins_sees_the_end(void *ctx, const char *step)
{
    struct scene *s = ctx;
    while (
        !s->joined) { /* he may have a dead one's message in hand for a moment, to give it back */
        (void)get_and_ack(s, 0.001);
    }
    CHECK_EQ(test_join(waiter), 0);
    works_and_goes(s, step);
}

TEST_WITHIN(60, who_joins_wakes_though_a_taker_died)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .options = acked[0], .size = 8, .before = 3 };
    kin__self();
    CHECK_GT(kill_loop("ring.", s, .setup = fill_and_let_join, .victim = get_and_acknowledge,
                       .check = who_joins_sees_the_end),
             5);
    CHECK_EQ(test_join(waiter), 0);
    kin_queue_free(s->queue);
}

/* Without .ack the count alone says what is done; he may die between it and who waits for it. */
static void get_and_be_done(void *ctx)
{
    struct scene *s = ctx;
    for (int i = 0; i < s->before; i++) {
        CHECK_EQ(get_number(s, 0), i);
        CHECK_OK(kin_queue_task_done(s->queue));
    }
}

static void who_joins_sees_the_count(void *ctx, const char *step)
{
    struct scene *s = ctx;
    while (get_number(s, 0) >= 0) {
        CHECK_OK(kin_queue_task_done(s->queue));
    }
    CHECK_EQ(test_join(waiter), 0);
    CHECK_(s->joined, "killed at %s: who joined did not see the end", step);
    works_and_goes(s, step);
}

TEST_WITHIN(60, who_joins_wakes_though_who_was_done_with_the_last_one_died)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .options = { .joinable = true }, .size = 8, .before = 3 };
    kin__self();
    CHECK_EQ(kill_loop("queue.done", s, .setup = fill_and_let_join, .victim = get_and_be_done,
                       .check = who_joins_sees_the_count),
             3);
    CHECK_EQ(test_join(waiter), 0);
    kin_queue_free(s->queue);
}

static int put_forever(void *ctx)
{
    return put_number(ctx, 99, KIN_FOREVER) == 0 ? 0 : 1;
}

/* ---- a death while another's is looked after ------------------------------------------------- */

static int die_at_a_put(void *ctx)
{
    kin__step_arm(1, "ring.claimed");
    return put_number(ctx, 98, 0);
}

static int die_at_a_get(void *ctx)
{
    kin__step_arm(1, "ring.taken");
    return get_number(ctx, 0);
}

static void fill_and_let_both_die(void *ctx)
{
    fill(ctx);
    CHECK_EQ(test_join(test_child(die_at_a_get, ctx)), -SIGKILL);
    CHECK_EQ(test_join(test_child(die_at_a_put, ctx)), -SIGKILL);
}

/* Puts find the dead taker's cell in the way; gets find the dead producer's. */
static void put_and_get_past_the_dead(void *ctx)
{
    struct scene *s = ctx;
    (void)put_number(s, 97, 0.2);
    while (get_number(s, 0.2) >= 0) {
    }
}

static void what_was_put_is_there(void *ctx, const char *step)
{
    struct scene *s = ctx;
    for (int number; (number = get_number(s, 0.2)) >= 0;) {
        CHECK(number < s->before || number == 97);
    }
    works_and_goes(s, step);
}

TEST_WITHIN(120, who_looks_after_the_dead_may_die_of_it)
{
    struct scene *s = test_shared(sizeof *s);
    *s = (struct scene){ .options = { .maxsize = 4 }, .size = 200, .before = 3 };
    kin__self();
    CHECK_GT(kill_loop("ring.re", s, .setup = fill_and_let_both_die,
                       .victim = put_and_get_past_the_dead, .check = what_was_put_is_there),
             2);
    kin_queue_free(s->queue);
}

/* ---- others wait, and a taker dies ----------------------------------------------------------- */

static void fill_and_let_put(void *ctx)
{
    fill(ctx);
    waiter = test_child(put_forever, ctx);
    WAIT_UNTIL(test_is_asleep(waiter));
}

static void get_one(void *ctx)
{
    (void)get_and_ack(ctx, 0);
}

/* His message is gone with him, or it is there still. In either case somebody who waits for it, or
 * for its room, is not left behind. */
static void who_waits_for_room_gets_it(void *ctx, const char *step)
{
    struct scene *s = ctx;
    int number = get_and_ack(s, KIN_FOREVER);
    CHECK_(number == 0 || number == 99, "killed at %s: %d came", step, number);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(get_and_ack(s, 0), number == 0 ? 99 : KIN_EEMPTY);
    works_and_goes(s, step);
}

static const kin_queue_options for_one[] = {
    { .maxsize = 1 },
    { .maxbytes = 5064 },
    { .maxbytes = 5064, .maxsize = 1 },
    { .ack = true, .maxsize = 1 },
    { .ack = true, .maxbytes = 5064 },
};

TEST_WITHIN(60, who_waits_for_room_gets_it_though_a_taker_died)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    for (int i = 0; i < 5; i++) {
        *s = (struct scene){ .options = for_one[i], .size = 5000, .before = 1 };
        CHECK_GT(kill_loop(NULL, s, .setup = fill_and_let_put, .victim = get_one,
                           .check = who_waits_for_room_gets_it),
                 4);
        CHECK_EQ(test_join(waiter), 0);
        kin_queue_free(s->queue);
    }
}

/* ---- putting, where it is counted ------------------------------------------------------------ */

static void put_one(void *ctx)
{
    struct scene *s = ctx;
    if (put_number(s, 50, 0) == 0) {
        s->put++;
    }
}

/* It was put wholly, or there is room for another one at once. */
static void the_room_is_taken_or_free(void *ctx, const char *step)
{
    struct scene *s = ctx;
    int rv = put_number(s, 60, 0);
    CHECK_(rv == 0 || rv == KIN_EFULL, "killed at %s: put gave %s", step, kin_errmsg());
    CHECK_(rv == KIN_EFULL || s->put == 0, "killed at %s: two messages in the room of one", step);
    CHECK_EQ(get_and_ack(s, KIN_FOREVER), rv == 0 ? 60 : 50);
    CHECK_EQ(get_and_ack(s, 0), KIN_EEMPTY);
    works_and_goes(s, step);
}

TEST_WITHIN(60, a_dead_producer_takes_no_room)
{
    for (int i = 0; i < 10; i++) {
        struct scene *s = test_shared(sizeof *s);
        kin_queue_options options = for_one[i / 2];
        options.maxbytes = options.maxbytes != 0 && i % 2 ? 72 : options.maxbytes;
        *s = (struct scene){ .options = options, .size = i % 2 ? 8 : 5000 };
        kin__self();
        CHECK_GT(kill_loop(NULL, s, .setup = fill, .victim = put_one,
                           .check = the_room_is_taken_or_free),
                 2);
        kin_queue_free(s->queue);
    }
}

/* Who joins, too, waits for messages only, not for what a dead producer did not put. */
static void who_joins_does_not_wait_for_it(void *ctx, const char *step)
{
    struct scene *s = ctx;
    if (kin_queue_qsize(s->queue) > 0) {
        CHECK_EQ(get_and_ack(s, 0), 50);
        CHECK_OK(s->options.ack ? 0 : kin_queue_task_done(s->queue));
    }
    CHECK_OK(kin_queue_join(s->queue, KIN_FOREVER));
    CHECK_EQ(get_and_ack(s, 0), KIN_EEMPTY);
    kin_queue_free(s->queue);
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: blocks are left", step);
}

TEST_WITHIN(60, who_joins_does_not_wait_for_what_a_dead_producer_had_not_put)
{
    static const kin_queue_options kinds[] = { { .joinable = true },
                                               { .ack = true },
                                               { .joinable = true, .maxbytes = 10000 } };
    for (int i = 0; i < 3; i++) {
        struct scene *s = test_shared(sizeof *s);
        *s = (struct scene){ .options = kinds[i], .size = 8 };
        kin__self();
        CHECK_GT(kill_loop(NULL, s, .setup = fill, .victim = put_one,
                           .check = who_joins_does_not_wait_for_it),
                 2);
        kin_queue_free(s->queue);
    }
}
