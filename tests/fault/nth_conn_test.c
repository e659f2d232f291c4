/* Connections when memory is out, and when system calls fail: what was not sent is not half sent,
 * and what has arrived stays. */
#include "unit/conn/ends.h"

typedef struct scene {
    ends e;
    size_t size;
    bool family;
    bool sent; /* of this round, and not yet received */
    uint64_t blocks;
} scene;

static int make_a_pipe(void *unused)
{
    (void)unused;
    ends e = { .raw = -1 };
    int rv = kin_pipe(&e.one, &e.other, true);
    if (rv == 0) {
        end_both(&e);
    }
    return rv;
}

static void nothing_is_left(void *unused, int error)
{
    (void)unused;
    CHECK(error == KIN_ENOMEM || error == KIN_EMFILE);
    CHECK_EQ(blocks_in_use(), 0);
}

TEST(a_pipe_is_made_or_nothing_is)
{
    kin__self();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_a_pipe, .check = nothing_is_left),
             2);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, NULL, .attempt = make_a_pipe, .check = nothing_is_left),
             1);
    CHECK_EQ(blocks_in_use(), 0);
}

static int make_over_a_descriptor(void *ctx)
{
    int fd = dup(*(const int *)ctx);
    kin_conn *conn = NULL;
    int rv = kin_conn_new(&conn, fd, NULL);
    if (rv < 0) {
        CHECK_EQ(close(fd), 0); /* it is still ours */
    }
    kin_conn_free(conn);
    return rv;
}

TEST(a_descriptor_is_taken_over_or_stays)
{
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &fds[0], .attempt = make_over_a_descriptor), 1);
    close(fds[0]);
    close(fds[1]);
}

/* ---- there and back: each half may fail, and is tried again ---------------------------------- */

static int send_it(scene *s)
{
    unsigned char *bytes = pattern(s->size);
    int rv =
        s->family
            ? kin_conn_send(s->e.one,
                            kin_list(kin_bytes(bytes, s->size), kin_buffer(kin_alloc(50), 50)), 5)
            : kin_conn_send_bytes(s->e.one, bytes, s->size, 5);
    free(bytes);
    return rv;
}

static int receive_it(scene *s)
{
    if (s->family) {
        kin_obj o;
        int rv = kin_conn_recv(s->e.other, &o, 5);
        if (rv == 0) {
            CHECK_EQ(kin_len(kin_at(o, 0)), s->size);
            kin_release(o);
        }
        return rv;
    }
    void *data;
    size_t size;
    int rv = kin_conn_recv_bytes(s->e.other, &data, &size, 5);
    if (rv == 0) {
        CHECK_EQ(size, s->size);
        free(data);
    }
    return rv;
}

static int there_and_back(void *ctx)
{
    scene *s = ctx;
    if (!s->sent) {
        int rv = send_it(s);
        if (rv < 0) {
            return rv;
        }
        s->sent = true;
    }
    int rv = receive_it(s);
    s->sent = rv < 0;
    return rv;
}

/* What was sent is still there to be received; what was not, is not. */
static void it_stays(void *ctx, int error)
{
    scene *s = ctx;
    CHECK(error == KIN_ENOMEM || error == KIN_EINVAL);
    if (s->sent) {
        CHECK_OK(receive_it(s));
        s->sent = false;
    }
    CHECK_EQ(kin_conn_poll(s->e.other, 0), 0);
    CHECK_EQ(blocks_in_use(), s->blocks);
}

enum way { STRANGERS, RELATIVES, AWAKE };

static void loop_over(enum kin__fault_kind kind, enum way way)
{
    static const size_t sizes[] = { 8, 1000, 20000, 100000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        scene s = { .size = sizes[i], .family = way != STRANGERS };
        s.e = s.family ? relatives() : strangers();
        kin_obj o;
        if (way == AWAKE) { /* letters go by the lane */
            CHECK_ERROR(kin_conn_recv(s.e.other, &o, 0.001), KIN_ETIMEDOUT);
            CHECK(kin__lane_is_open(s.e.one));
        }
        s.blocks = blocks_in_use();
        (void)fault_loop(kind, &s, .attempt = there_and_back, .check = it_stays);
        end_both(&s.e);
        CHECK_EQ(blocks_in_use(), 0);
    }
}

TEST(no_memory_loses_no_message_between_strangers)
{
    loop_over(KIN__FAULT_MEMORY, STRANGERS);
}

TEST(no_memory_loses_no_message_between_relatives)
{
    loop_over(KIN__FAULT_MEMORY, RELATIVES);
    loop_over(KIN__FAULT_MEMORY, AWAKE);
}

TEST(no_system_call_loses_a_message_between_strangers)
{
    loop_over(KIN__FAULT_CALL, STRANGERS);
}

TEST(no_system_call_loses_a_message_between_relatives)
{
    loop_over(KIN__FAULT_CALL, RELATIVES); /* by the lane there is none */
}

/* ---- into a room that is too small, in parts ------------------------------------------------- */

static int receive_in_parts(void *ctx)
{
    scene *s = ctx;
    char room[400];
    write_raw(&s->e, "\0\0\1\20parts", 9);
    ssize_t rv = kin_conn_recv_bytes_into(s->e.one, room, sizeof room, 0);
    CHECK_LT(rv, 0);
    if (rv != KIN_ETIMEDOUT) {
        return (int)rv;
    }
    memset(room, 'x', 267);
    write_raw(&s->e, room, 267);
    rv = kin_conn_recv_bytes_into(s->e.one, room, sizeof room, 0);
    return rv < 0 ? (int)rv : 0;
}

static void renew(void *ctx)
{
    scene *s = ctx;
    end_both(&s->e);
    s->e = with_raw();
}

/* Memory for the part that is to be kept is the one thing that a receive cannot do without. */
TEST(a_part_that_cannot_be_kept_breaks_the_connection_and_says_so)
{
    scene s = { .size = 0 };
    s.e = with_raw();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &s, .setup = renew, .attempt = receive_in_parts), 1);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &s, .setup = renew, .attempt = receive_in_parts), 1);
    end_both(&s.e);
}

/* ---- a connection in an object --------------------------------------------------------------- */

static int send_a_connection(void *unused)
{
    (void)unused;
    ends e = { .raw = -1 };
    ends inner = { .raw = -1 };
    kin_obj o;
    int rv = kin_pipe(&e.one, &e.other, true);
    rv = rv < 0 ? rv : kin_pipe(&inner.one, &inner.other, true);
    rv = rv < 0 ? rv : kin_conn_send(e.one, kin_list(kin_shared(inner.one)), 5);
    rv = rv < 0 ? rv : kin_conn_recv(e.other, &o, 5);
    if (rv == 0) {
        kin_release(o);
    }
    end_both(&inner);
    end_both(&e);
    return rv;
}

TEST(a_connection_that_cannot_be_taken_is_closed)
{
    kin__self();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = send_a_connection), 8);
    CHECK_GE(fault_loop(KIN__FAULT_CALL, NULL, .attempt = send_a_connection), 4);
    CHECK_EQ(blocks_in_use(), 0);
}
