/* A sender, then a receiver, then whoever closes is killed at every step. What a send had returned
 * for is there; nobody hangs; nothing is left when both ends are gone. */
#include "unit/conn/ends.h"

typedef struct scene {
    ends e;
    size_t size; /* 0: a number alone */
    bool awake;  /* whoever receives was awake: they go by the lane */
    int messages;
    _Atomic int done; /* sends or receives of the victim's that had returned */
} scene;

static void count_block(void *block, void *ctx)
{
    (void)block;
    ++*(int *)ctx;
}

/* Posts, and letters that are large enough to have pages of their own. What buffers held belongs to
 * the user, and stays when the dead had it in hand. */
static int left(void)
{
    int blocks = 0;
    (void)kin__count_alive(); /* sweeps */
    kin__block_each(KIN__POST, count_block, &blocks);
    kin__block_each(KIN__MESSAGE, count_block, &blocks);
    kin__block_each(KIN__RING, count_block, &blocks);
    return blocks;
}

static void begin(void *ctx)
{
    scene *s = ctx;
    s->e = relatives();
    s->done = 0;
    kin_obj o;
    if (s->awake) {
        CHECK_ERROR(kin_conn_recv(s->e.one, &o, 0.001), KIN_ETIMEDOUT);
        CHECK(kin__lane_is_open(s->e.other));
    }
}

static void finish(scene *s, const char *step)
{
    end_both(&s->e);
    CHECK_(left() == 0, "killed at %s: %d blocks are left", step, left());
}

static int send_number(const scene *s, kin_conn *conn, int number)
{
    if (s->size == 0) {
        return kin_conn_send(conn, kin_int(number), 5);
    }
    unsigned char *bytes = calloc(1, s->size);
    memcpy(bytes, &number, sizeof number);
    int rv = kin_conn_send(
        conn, kin_tuple(kin_int(number), kin_bytes(bytes, s->size), kin_buffer(kin_alloc(50), 50)),
        5);
    free(bytes);
    return rv;
}

/* The number of the next message, -1 at the end. */
static int receive_number(kin_conn *conn)
{
    kin_obj o;
    int rv = kin_conn_recv(conn, &o, 5);
    if (rv < 0) {
        CHECK_ERROR(rv, KIN_EEOF);
        return -1;
    }
    bool alone = kin_type_of(o) == KIN_TYPE_INT;
    int number = (int)kin_as_int(alone ? o : kin_at(o, 0));
    CHECK(alone || memcmp(kin_as_bytes(kin_at(o, 1)), &number, sizeof number) == 0);
    kin_release(o);
    return number;
}

/* ---- the sender ------------------------------------------------------------------------------ */

static void send_some(void *ctx)
{
    scene *s = ctx;
    kin_conn_free(s->e.one);
    for (int i = 0; i < s->messages; i++) {
        if (send_number(s, s->e.other, i) < 0) {
            return;
        }
        s->done++;
    }
    kin_conn_free(s->e.other);
}

static void what_was_sent_is_there(void *ctx, const char *step)
{
    scene *s = ctx;
    kin_conn_free(s->e.other);
    s->e.other = NULL;
    int expected = 0;
    int number;
    while ((number = receive_number(s->e.one)) >= 0) {
        CHECK_EQ(number, expected++);
    }
    CHECK_(expected >= s->done && expected <= s->done + 1, "killed at %s: %d messages of %d", step,
           expected, s->done);
    finish(s, step);
}

static void kill_senders(const char *only, size_t size, bool awake)
{
    scene *s = test_shared(sizeof *s);
    *s = (scene){ .size = size, .awake = awake, .messages = 3 };
    kin__self();
    CHECK_GT(
        kill_loop(only, s, .setup = begin, .victim = send_some, .check = what_was_sent_is_there),
        2);
    end_both(&s->e);
}

TEST_WITHIN(120, a_sender_of_small_messages_may_die_anywhere)
{
    kill_senders(NULL, 8, false);
}

TEST_WITHIN(120, a_sender_of_large_messages_may_die_anywhere)
{
    kill_senders("post.", 100000, false);
    kill_senders("conn.", 100000, false);
    kill_senders("block.", 100000, false);
}

TEST_WITHIN(120, a_sender_may_die_anywhere_while_the_receiver_is_awake)
{
    kill_senders(NULL, 0, true);
    kill_senders(NULL, 8, true);
    kill_senders("lane.", 100000, true);
    kill_senders("ring.", 100000, true);
    kill_senders("message.", 100000, true);
}

/* ---- the receiver ---------------------------------------------------------------------------- */

static void begin_with_messages(void *ctx)
{
    scene *s = ctx;
    begin(ctx);
    for (int i = 0; i < s->messages; i++) {
        CHECK_OK(send_number(s, s->e.other, i));
    }
}

static void receive_some(void *ctx)
{
    scene *s = ctx;
    kin_conn_free(s->e.other);
    for (int i = 0; i < s->messages && receive_number(s->e.one) == i; i++) {
        s->done++;
    }
    kin_conn_free(s->e.one);
}

/* The next one who has that end goes on behind what the dead had in hand. */
static void the_rest_is_there(void *ctx, const char *step)
{
    scene *s = ctx;
    kin_conn_free(s->e.other);
    s->e.other = NULL;
    int number = receive_number(s->e.one);
    CHECK_(number == -1 || number == s->done || number == s->done + 1,
           "killed at %s: %d came after %d", step, number, s->done);
    for (int next = number + 1; number >= 0; next++) {
        number = receive_number(s->e.one);
        CHECK(number == -1 || number == next);
    }
    finish(s, step);
}

static void kill_receivers(const char *only, size_t size, bool awake)
{
    scene *s = test_shared(sizeof *s);
    *s = (scene){ .size = size, .awake = awake, .messages = 3 };
    kin__self();
    CHECK_GT(kill_loop(only, s, .setup = begin_with_messages, .victim = receive_some,
                       .check = the_rest_is_there),
             2);
    end_both(&s->e);
}

TEST_WITHIN(120, a_receiver_of_large_messages_may_die_anywhere)
{
    kill_receivers("post.", 100000, false);
    kill_receivers("block.", 100000, false);
}

TEST_WITHIN(120, a_receiver_may_die_anywhere_while_he_is_awake)
{
    kill_receivers(NULL, 0, true);
    kill_receivers("lane.", 8, true);
    kill_receivers("ring.", 8, true);
    kill_receivers("message.", 100000, true);
}

/* He opens the lane, closes it, sleeps, and leaves it open. */
static void look_in_vain(void *ctx)
{
    scene *s = ctx;
    kin_obj o;
    kin_conn_free(s->e.other);
    for (int i = 0; i < 2; i++) {
        (void)kin_conn_recv(s->e.one, &o, 0.0001);
    }
    (void)kin_conn_poll(s->e.one, 0.0001);
    kin_conn_free(s->e.one);
}

static void it_works_on(void *ctx, const char *step)
{
    scene *s = ctx;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(send_number(s, s->e.other, i));
        CHECK_EQ(receive_number(s->e.one), i);
    }
    finish(s, step);
}

TEST_WITHIN(120, a_receiver_may_die_anywhere_while_nothing_comes)
{
    scene *s = test_shared(sizeof *s);
    *s = (scene){ .size = 0 };
    kin__self();
    CHECK_GT(kill_loop(NULL, s, .setup = begin, .victim = look_in_vain, .check = it_works_on), 8);
    end_both(&s->e);
    s->awake = true;
    CHECK_GT(kill_loop(NULL, s, .setup = begin, .victim = look_in_vain, .check = it_works_on), 4);
    end_both(&s->e);
}

/* ---- whoever makes a pipe, and whoever closes it last ---------------------------------------- */

static void make_and_close(void *ctx)
{
    scene *s = ctx;
    ends e = relatives();
    kin_obj o;
    if (s->awake) {
        (void)kin_conn_recv(e.other, &o, 0.0001);
    }
    for (int i = 0; i < 2; i++) {
        if (send_number(s, e.one, i) < 0) {
            return;
        }
    }
    end_both(&e);
}

/* Pipes look after what is left of others. */
static void all_is_found(void *ctx, const char *step)
{
    (void)ctx;
    for (int i = 0; i < 2; i++) {
        ends e = relatives();
        end_both(&e);
    }
    CHECK_(left() == 0, "killed at %s: %d blocks are left", step, left());
}

TEST_WITHIN(120, who_makes_or_closes_a_pipe_may_die_anywhere)
{
    scene *s = test_shared(sizeof *s);
    *s = (scene){ .size = 100000 };
    kin__self();
    CHECK_GT(kill_loop("post.", s, .victim = make_and_close, .check = all_is_found), 8);
    CHECK_EQ(left(), 0);
    s->awake = true;
    CHECK_GT(kill_loop("post.", s, .victim = make_and_close, .check = all_is_found), 2);
    CHECK_GT(kill_loop("lane.", s, .victim = make_and_close, .check = all_is_found), 8);
    CHECK_EQ(left(), 0);
}
