/* kin_pipe: two ends of a new connection between relatives. */
#include "ends.h"

#include <kin/process.h>
#include <kin/queue.h>

TEST(a_pipe_carries_objects_in_both_directions)
{
    ends e = relatives();
    kin_obj o;
    CHECK_OK(kin_conn_send(e.one, kin_list(kin_int(42), kin_none(), kin_str("hello")), 1));
    CHECK_OK(kin_conn_send(e.other, kin_str("back"), 1));
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    char *text = kin_repr(o);
    CHECK_STR(text, "[42, None, 'hello']");
    free(text);
    kin_release(o);
    CHECK_OK(kin_conn_recv(e.one, &o, 1));
    CHECK_STR(kin_as_str(o), "back");
    kin_release(o);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(of_a_simplex_pipe_the_first_end_receives_and_the_second_sends)
{
    ends e = { .raw = -1 };
    CHECK_OK(kin_pipe(&e.one, &e.other, false));
    CHECK(kin_conn_readable(e.one) && !kin_conn_writable(e.one));
    CHECK(!kin_conn_readable(e.other) && kin_conn_writable(e.other));
    CHECK_ERROR(kin_conn_send_bytes(e.one, "x", 1, 0), KIN_ESTATE);
    void *data;
    size_t size;
    CHECK_ERROR(kin_conn_recv_bytes(e.other, &data, &size, 0), KIN_ESTATE);
    CHECK_ERROR(kin_conn_poll(e.other, 0), KIN_ESTATE);
    CHECK_OK(kin_conn_send_bytes(e.other, "there", 5, 1));
    check_bytes(e.one, "there", 5);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_pipe_needs_two_places)
{
    kin_conn *conn = NULL;
    CHECK_ERROR(kin_pipe(NULL, &conn, true), KIN_EINVAL);
    CHECK_ERROR(kin_pipe(&conn, NULL, true), KIN_EINVAL);
    CHECK_ERROR(kin_pipe(&conn, &conn, true), KIN_EINVAL);
    CHECK_NULL(conn);
}

TEST(a_shared_thing_arrives_as_the_same_thing)
{
    ends e = relatives();
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    CHECK_OK(kin_conn_send(e.one, kin_shared(queue), 1));
    kin_obj o;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    CHECK_PTR(kin_as(kin_queue, o), queue);
    kin_release(o);
    kin_queue_free(queue);
    end_both(&e);
}

/* ---- connections and descriptors on their way ------------------------------------------------ */

TEST(a_connection_travels_over_a_connection)
{
    ends e = relatives();
    ends inner = relatives();
    CHECK_OK(kin_conn_send(e.one, kin_list(kin_int(1), kin_shared(inner.other)), 1));
    kin_conn_free(inner.other);
    kin_obj o;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    inner.other = kin_take(kin_conn, kin_at(o, 1));
    CHECK_NOT_NULL(inner.other);
    kin_release(o);
    unsigned char *bytes = pattern(100000);
    CHECK_OK(kin_conn_send_bytes(inner.other, bytes, 100000, 5)); /* also what is large */
    check_bytes(inner.one, bytes, 100000);
    CHECK_OK(kin_conn_send_bytes(inner.one, bytes, 100000, 5));
    check_bytes(inner.other, bytes, 100000);
    free(bytes);
    end_both(&inner);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(ends_of_all_kinds_travel)
{
    ends e = relatives();
    ends s = strangers();
    ends p = over_a_pipe();
    ends simplex = { .raw = -1 };
    CHECK_OK(kin_pipe(&simplex.one, &simplex.other, false));
    CHECK_OK(kin_conn_send(e.one,
                           kin_list(kin_shared(s.one), kin_shared(p.one), kin_shared(p.other),
                                    kin_shared(simplex.one), kin_shared(simplex.other)),
                           1));
    kin_obj o;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    static const int reads[] = { 1, 1, 0, 1, 0 };
    static const int writes[] = { 1, 0, 1, 0, 1 };
    for (size_t i = 0; i < 5; i++) {
        kin_conn *conn = kin_as(kin_conn, kin_at(o, i));
        CHECK_NOT_NULL(conn);
        CHECK_EQ(kin_conn_readable(conn), reads[i]);
        CHECK_EQ(kin_conn_writable(conn), writes[i]);
    }
    CHECK_OK(kin_conn_send_bytes(s.other, "s", 1, 1));
    check_bytes(kin_as(kin_conn, kin_at(o, 0)), "s", 1);
    CHECK_OK(kin_conn_send_bytes(kin_as(kin_conn, kin_at(o, 2)), "p", 1, 1));
    check_bytes(p.one, "p", 1);
    CHECK_OK(kin_conn_send_bytes(kin_as(kin_conn, kin_at(o, 4)), "d", 1, 1));
    check_bytes(simplex.one, "d", 1);
    kin_release(o); /* what nobody took is closed */
    end_both(&s);
    end_both(&p);
    end_both(&simplex);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_descriptor_travels_in_an_object_and_is_another_one_there)
{
    ends e = relatives();
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_OK(kin_conn_send(e.one, kin_tuple(kin_str("out"), kin_descriptor(fds[1])), 1));
    close(fds[1]);
    kin_obj o;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    int got = kin_take_descriptor(kin_at(o, 1));
    kin_release(o);
    CHECK_GE(got, 3);
    CHECK_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(got, "x", 1), 1);
    close(got);
    char letter;
    CHECK_EQ(read(fds[0], &letter, 1), 1);
    close(fds[0]);
    end_both(&e);
}

TEST(descriptors_that_nobody_receives_are_closed)
{
    ends e = relatives();
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_OK(kin_conn_send(e.one, kin_descriptor(fds[1]), 1));
    close(fds[1]);
    end_both(&e);
    char letter;
    CHECK_EQ(read(fds[0], &letter, 1), 0); /* nobody can write there any more */
    close(fds[0]);
}

TEST(an_object_with_descriptors_has_no_pickle_but_stays)
{
    ends e = relatives();
    CHECK_OK(kin_conn_send(e.one, kin_descriptor(0), 1));
    void *data;
    size_t size;
    CHECK_ERROR(kin_conn_recv_bytes(e.other, &data, &size, 1), KIN_EUNSUPPORTED);
    CHECK_EQ(kin_conn_poll(e.other, 0), 1);
    kin_obj o;
    CHECK_OK(kin_conn_recv(e.other, &o, 1));
    CHECK_GE(kin_as_descriptor(o), 3);
    kin_release(o);
    end_both(&e);
}

TEST(to_a_stranger_no_connection_goes)
{
    ends e = relatives();
    ends s = strangers();
    CHECK_ERROR(kin_conn_send(s.one, kin_list(kin_shared(e.one)), 1), KIN_EUNSUPPORTED);
    CHECK_OK(kin_conn_send_bytes(s.one, "still fine", 10, 1));
    check_bytes(s.other, "still fine", 10);
    end_both(&s);
    end_both(&e);
}

/* ---- with a child ---------------------------------------------------------------------------- */

static kin_obj echo(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    kin_obj o;
    while (kin_conn_recv(conn, &o, KIN_FOREVER) == 0) {
        if (kin_conn_send(conn, o, KIN_FOREVER) < 0) {
            return kin_int(2);
        }
    }
    kin_conn_close(conn);
    return kin_none();
}

static void talk_to_a_child(const char *method)
{
    ends e = relatives();
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, echo, kin_args(kin_shared(e.other)),
                       KIN_OPT(kin_process_options, .start_method = method)));
    kin_conn_free(e.other);
    e.other = NULL;
    for (size_t size = 1; size < 5000000; size *= 9) {
        unsigned char *bytes = pattern(size);
        kin_obj text = kin_bytes(bytes, size);
        free(bytes);
        CHECK_OK(kin_conn_send(e.one, kin_retain(text), 10));
        kin_obj back;
        CHECK_OK(kin_conn_recv(e.one, &back, 10));
        CHECK(kin_equal(text, back));
        kin_release(text);
        kin_release(back);
    }
    /* a forked child has a copy of our end, too: so it would not see an end */
    CHECK_OK(kin_process_terminate(child));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    kin_process_free(child);
    end_both(&e);
}

TEST(a_forked_child_answers)
{
    talk_to_a_child("fork");
}

TEST(a_spawned_child_answers)
{
    talk_to_a_child("spawn");
}

TEST(a_child_of_the_fork_server_answers)
{
    talk_to_a_child("forkserver");
}
