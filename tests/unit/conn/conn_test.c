/* The life of a connection in this process, and what it says of itself. */
#include "ends.h"

#include <pthread.h>

/* ---- over descriptors that are there already ------------------------------------------------- */

TEST(a_connection_takes_a_stream_socket_over)
{
    ends e = strangers();
    CHECK(kin_conn_readable(e.one) && kin_conn_writable(e.one));
    CHECK_OK(kin_conn_send_bytes(e.one, "hello", 5, 1));
    check_bytes(e.other, "hello", 5);
    int fd = kin_conn_fileno(e.one);
    CHECK_GE(fd, 3);
    end_both(&e);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(an_end_of_a_pipe_receives_or_sends)
{
    ends e = over_a_pipe();
    CHECK(kin_conn_readable(e.one) && !kin_conn_writable(e.one));
    CHECK(!kin_conn_readable(e.other) && kin_conn_writable(e.other));
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    check_bytes(e.one, "hello", 5);
    end_both(&e);
}

TEST(options_make_an_end_narrower_and_never_wider)
{
    int fds[2];
    kin_conn *conn = NULL;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_OK(kin_conn_new(&conn, fds[0], KIN_OPT(kin_conn_options, .read_only = true)));
    CHECK_ERROR(kin_conn_send_bytes(conn, "x", 1, 0), KIN_ESTATE);
    kin_conn_free(conn);
    CHECK_OK(kin_conn_new(&conn, fds[1], KIN_OPT(kin_conn_options, .write_only = true)));
    CHECK_ERROR(kin_conn_poll(conn, 0), KIN_ESTATE);
    kin_conn_free(conn);
    CHECK_EQ(pipe(fds), 0);
    CHECK_ERROR(kin_conn_new(&conn, fds[0], KIN_OPT(kin_conn_options, .write_only = true)),
                KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(&conn, fds[1], KIN_OPT(kin_conn_options, .read_only = true)),
                KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(&conn, fds[0],
                             KIN_OPT(kin_conn_options, .read_only = true, .write_only = true)),
                KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(&conn, fds[0], KIN_OPT(kin_conn_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK_EQ(fcntl(fds[0], F_GETFD), 0); /* refused: still ours, and untouched */
    close(fds[0]);
    close(fds[1]);
}

TEST(what_is_no_stream_is_refused)
{
    kin_conn *conn = NULL;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int packets[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, packets), 0);
    CHECK_ERROR(kin_conn_new(&conn, null, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(&conn, packets[0], NULL), KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(&conn, -1, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(&conn, 1000, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_conn_new(NULL, packets[0], NULL), KIN_EINVAL);
    CHECK_NULL(conn);
    close(null);
    close(packets[0]);
    close(packets[1]);
}

TEST(the_flags_of_a_descriptor_stay_as_they_were)
{
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ends e = { .raw = -1 };
    CHECK_OK(kin_conn_new(&e.one, fds[0], NULL));
    CHECK_OK(kin_conn_new(&e.other, fds[1], NULL));
    void *data;
    size_t size;
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_conn_send_bytes(e.other, "x", 1, KIN_FOREVER));
    check_bytes(e.one, "x", 1);
    CHECK_EQ(fcntl(fds[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    CHECK_EQ(fcntl(fds[0], F_GETFD), 0);
    end_both(&e);
}

/* ---- closing --------------------------------------------------------------------------------- */

TEST(after_close_every_call_says_so_and_twice_is_once)
{
    ends e = relatives();
    void *data;
    size_t size;
    kin_obj o;
    CHECK(!kin_conn_closed(e.one));
    CHECK_OK(kin_conn_close(e.one));
    CHECK_OK(kin_conn_close(e.one));
    CHECK(kin_conn_closed(e.one));
    CHECK_ERROR(kin_conn_send(e.one, kin_str("x"), 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_send_bytes(e.one, "x", 1, 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_recv(e.one, &o, 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 0), KIN_ECLOSED);
    CHECK_ERROR((int)kin_conn_recv_bytes_into(e.one, NULL, 0, 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_send_fd(e.one, 0, 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_recv_fd(e.one, &(int){ 0 }, 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_poll(e.one, 0), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_fileno(e.one), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_set_limit(e.one, 1), KIN_ECLOSED);
    CHECK_ERROR(kin_conn_set_fd_answers(e.one, true), KIN_ECLOSED);
    end_both(&e);
}

TEST(null_is_told)
{
    kin_obj o;
    CHECK_ERROR(kin_conn_send(NULL, kin_str("given away"), 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_send_bytes(NULL, "", 0, 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_recv(NULL, &o, 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_poll(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_fileno(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_conn_close(NULL), KIN_EINVAL);
    CHECK(kin_conn_closed(NULL));
    CHECK(!kin_conn_readable(NULL) && !kin_conn_writable(NULL));
    kin_conn_free(NULL);
    ends e = strangers();
    CHECK_ERROR(kin_conn_send_bytes(e.one, NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_recv(e.one, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_recv_bytes(e.one, NULL, NULL, 0), KIN_EINVAL);
    CHECK_ERROR((int)kin_conn_recv_bytes_into(e.one, NULL, 1, 0), KIN_EINVAL);
    CHECK_ERROR(kin_conn_send_bytes(e.one, "x", 1, NAN), KIN_EINVAL);
    end_both(&e);
}

TEST(a_connection_that_was_freed_is_no_object_any_more)
{
    ends e = relatives();
    kin_obj o = kin_shared(e.other);
    CHECK_PTR(kin_as(kin_conn, o), e.other);
    end_both(&e);
    CHECK_NULL(kin_as(kin_conn, o));
    CHECK_CONTAINS(kin_errmsg(), "freed");
    kin_release(o);
}

/* ---- questions ------------------------------------------------------------------------------- */

static void poll_tells(ends e)
{
    CHECK_EQ(kin_conn_poll(e.one, 0), 0);
    CHECK_EQ(kin_conn_poll(e.one, 0.001), 0);
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    CHECK_EQ(kin_conn_poll(e.one, KIN_FOREVER), 1);
    CHECK_EQ(kin_conn_poll(e.one, 0), 1);
    check_bytes(e.one, "hello", 5);
    CHECK_EQ(kin_conn_poll(e.one, 0), 0);
    kin_conn_free(e.other);
    e.other = NULL;
    CHECK_EQ(kin_conn_poll(e.one, KIN_FOREVER), 1); /* the end */
    void *data;
    size_t size;
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 0), KIN_EEOF);
    CHECK_EQ(kin_conn_poll(e.one, 0), 1);
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 0), KIN_EEOF);
    end_both(&e);
}

TEST(poll_tells_of_a_message_and_of_the_end)
{
    poll_tells(relatives());
    poll_tells(strangers());
    poll_tells(over_a_pipe());
}

TEST(poll_tells_of_a_message_that_was_too_large_for_a_room)
{
    ends e[] = { relatives(), strangers() };
    for (int i = 0; i < 2; i++) {
        char room[4];
        CHECK_OK(kin_conn_send_bytes(e[i].other, "hello", 5, 1));
        CHECK_ERROR((int)kin_conn_recv_bytes_into(e[i].one, room, 4, 1), KIN_EBUFTOOSHORT);
        CHECK_EQ(kin_conn_poll(e[i].one, 0), 1);
        check_bytes(e[i].one, "hello", 5);
        CHECK_EQ(kin_conn_poll(e[i].one, 0), 0);
        end_both(&e[i]);
    }
}

TEST(a_closed_limit_and_a_changed_one)
{
    ends e = strangers();
    void *data;
    size_t size;
    CHECK_OK(kin_conn_set_limit(e.one, 5));
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    check_bytes(e.one, "hello", 5);
    CHECK_OK(kin_conn_send_bytes(e.other, "hello!", 6, 1));
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 1), KIN_ERANGE);
    CHECK_ERROR(kin_conn_recv_bytes(e.one, &data, &size, 1), KIN_EBROKEN);
    CHECK_OK(kin_conn_send_bytes(e.one, "out", 3, 1)); /* the other direction is as it was */
    check_bytes(e.other, "out", 3);
    end_both(&e);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *receive_one(void *conn)
{
    char room[8];
    return (void *)(intptr_t)kin_conn_recv_bytes_into(conn, room, sizeof room, KIN_FOREVER);
}

TEST(closing_beside_a_thread_that_receives_waits_for_nobody)
{
    ends e = relatives();
    pthread_t thread;
    void *got;
    int fd = kin_conn_fileno(e.one);
    CHECK_EQ(pthread_create(&thread, NULL, receive_one, e.one), 0);
    WAIT_UNTIL(kin_conn_send_bytes(e.one, "", 0, 0) == 0 &&
               atomic_load(&e.one->receiving.word) != 0);
    CHECK_OK(kin_conn_close(e.one));
    CHECK_EQ(fcntl(fd, F_GETFD),
             FD_CLOEXEC); /* it is the thread's, as long as that is in the call */
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    pthread_join(thread, &got);
    CHECK_EQ((intptr_t)got, 5);
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    end_both(&e);
}

static int use_in_child(void *ctx)
{
    ends *e = ctx;
    if (kin_conn_send_bytes(e->one, "child", 5, 1) < 0 || kin_conn_poll(e->one, 0) < 0) {
        return 1;
    }
    int fd = e->one->stream.fd;
    kin_conn_close(e->one);
    return fcntl(fd, F_GETFD) == -1 ? 0 : 2;
}

/* While a thread of ours is in a call: the child has no such thread. */
TEST(a_forked_child_uses_and_closes_its_copy)
{
    ends e = relatives();
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, receive_one, e.one), 0);
    WAIT_UNTIL(atomic_load(&e.one->receiving.word) != 0);
    CHECK_EQ(test_join(test_child(use_in_child, &e)), 0);
    check_bytes(e.other, "child", 5);
    CHECK_OK(kin_conn_send_bytes(e.other, "x", 1, 1));
    pthread_join(thread, NULL);
    end_both(&e);
    CHECK_EQ(blocks_in_use(), 0);
}
