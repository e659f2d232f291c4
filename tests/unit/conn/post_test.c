/* Letters on their way in the family's memory: who has them, and who frees them. */
#include "ends.h"

#include <kin/queue.h>
#include <signal.h>

enum { LARGE = 100000, SLOTS = 8 };

static const char zeros[LARGE];

static void send_large(kin_conn *conn)
{
    CHECK_OK(kin_conn_send_bytes(conn, zeros, LARGE, 5));
}

TEST(a_large_letter_is_one_block_until_it_is_received)
{
    ends e = relatives();
    uint64_t before = blocks_in_use();
    send_large(e.one);
    send_large(e.one);
    CHECK_EQ(blocks_in_use(), before + 2);
    void *data;
    size_t size;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_conn_recv_bytes(e.other, &data, &size, 1));
        free(data);
    }
    CHECK_EQ(blocks_in_use(), before);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(letters_that_nobody_received_go_with_the_last_end)
{
    ends e = relatives();
    for (int i = 0; i < 3; i++) {
        send_large(e.one);
        send_large(e.other);
        CHECK_OK(kin_conn_send(
            e.one, kin_list(kin_buffer(kin_alloc(10), 10), kin_bytes(zeros, LARGE)), 1));
    }
    kin_conn_free(e.other);
    CHECK_GT(blocks_in_use(), 1);
    kin_conn_free(e.one);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(buffers_in_small_letters_go_with_the_last_end)
{
    ends e = relatives();
    for (size_t size = 1; size < 10000; size *= 10) {
        CHECK_OK(kin_conn_send(e.one, kin_buffer(kin_alloc(10), 10), 1));
        CHECK_OK(kin_conn_send(e.other,
                               kin_list(kin_bytes(zeros, size), kin_buffer(kin_alloc(10), 10)), 1));
    }
    kin_conn_free(e.other);
    CHECK_GT(blocks_in_use(), 1);
    kin_conn_free(e.one);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(buffers_in_small_letters_are_received)
{
    ends e = relatives();
    for (size_t size = 1; size < 10000; size *= 10) {
        kin_obj got;
        CHECK_OK(kin_conn_send(e.one,
                               kin_list(kin_bytes(zeros, size), kin_buffer(kin_alloc(10), 10)), 1));
        CHECK_OK(kin_conn_recv(e.other, &got, 1));
        CHECK_EQ(kin_len(got), 2);
        kin_release(got);
    }
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(what_is_on_its_way_has_an_end)
{
    ends e = relatives();
    uint64_t before = blocks_in_use();
    for (int i = 0; i < SLOTS; i++) {
        send_large(e.one);
    }
    CHECK_EQ(blocks_in_use(), before + SLOTS);
    send_large(e.one); /* through the socket */
    CHECK_EQ(blocks_in_use(), before + SLOTS);
    for (int i = 0; i < SLOTS + 1; i++) {
        check_bytes(e.other, zeros, LARGE);
    }
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- ends in other processes ----------------------------------------------------------------- */

static int send_and_exit(void *ctx)
{
    send_large(ctx);
    return 0;
}

TEST(a_letter_is_there_though_its_sender_is_gone)
{
    ends e = relatives();
    CHECK_EQ(test_join(test_child(send_and_exit, e.other)), 0);
    kin_conn_free(e.other);
    e.other = NULL;
    check_bytes(e.one, zeros, LARGE);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

static int hold_both(void *ctx)
{
    pause();
    return ctx != NULL;
}

/* Nobody closes anything there: so nobody looks, until somebody makes another pipe. */
TEST(what_the_killed_had_on_its_way_is_found_by_who_makes_a_pipe)
{
    ends e = relatives();
    send_large(e.one);
    pid_t child = test_child(hold_both, NULL);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 2); /* the child could receive it */
    kill(child, SIGKILL);
    CHECK_EQ(test_join(child), -SIGKILL);
    CHECK_EQ(blocks_in_use(), 2);
    ends others = relatives();
    CHECK_EQ(blocks_in_use(), 1);
    end_both(&others);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(many_pipes_look_after_each_other)
{
    enum { MANY = 40 };
    ends e[MANY];
    for (int i = 0; i < MANY; i++) {
        e[i] = relatives();
        send_large(e[i].one);
    }
    pid_t child = test_child(hold_both, NULL);
    for (int i = 0; i < MANY; i++) {
        end_both(&e[i]);
    }
    CHECK_EQ(blocks_in_use(), 2 * MANY);
    kill(child, SIGKILL);
    CHECK_EQ(test_join(child), -SIGKILL);
    for (int i = 0; i < MANY; i++) {
        ends others = relatives();
        end_both(&others);
    }
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_connection_on_its_way_keeps_its_post)
{
    ends e = relatives();
    ends inner = relatives();
    send_large(inner.one);
    CHECK_OK(kin_conn_send(e.one, kin_shared(inner.other), 1));
    end_both(&inner); /* one end lives in the other connection alone */
    kin_obj o;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    check_bytes(kin_as(kin_conn, o), zeros, LARGE);
    kin_release(o);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

/* ---- heads that lie ------------------------------------------------------------------------- */

TEST(a_head_gets_nobody_elses_block)
{
    ends e = relatives();
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    kin__ref message = kin__block_ref(kin__block_new_given(100, KIN__MESSAGE));
    const kin__ref others[] = { e.one->post, kin__block_ref(queue), message };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        kin__letter_head head = { .mark = KIN__MARK,
                                  .kind = KIN__LETTER_BYTES | KIN__LETTER_APART,
                                  .size = 10,
                                  .u.apart = { .block = others[i], .slot = (uint32_t)i } };
        CHECK_EQ(write(e.other->stream.fd, &head, sizeof head), sizeof head);
        void *data;
        size_t size;
        CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 1), KIN_ECORRUPT);
        CHECK(kin__block_is_shared(others[i]));
    }
    send_large(e.other);
    check_bytes(e.one, zeros, LARGE);
    CHECK(kin__block_discard(message));
    kin_queue_free(queue);
    end_both(&e);
}

/* ---- without one ----------------------------------------------------------------------------- */

TEST(without_memory_for_a_post_all_goes_through_the_socket)
{
    kin__self();
    ends e = { .raw = -1 };
    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    CHECK_OK(kin_pipe(&e.one, &e.other, true));
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    CHECK_EQ(e.one->post, 0);
    send_large(e.one);
    CHECK_EQ(blocks_in_use(), 0);
    check_bytes(e.other, zeros, LARGE);
    end_both(&e);
}
