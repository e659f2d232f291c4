/* Connections and listeners as things for kin_wait. */
#include "ends.h"
#include "unit/listener/peers.h"

#include <kin/wait.h>
#include <signal.h>

static int is_ready(kin_conn *conn)
{
    kin_waitable thing = kin_conn_waitable(conn);
    return kin_wait(&thing, 1, 0);
}

/* A message, its beginning, what was read ahead, and the end. */
static void check_conn(ends e)
{
    CHECK_EQ(is_ready(e.one), 0);
    CHECK_OK(kin_conn_send_bytes(e.other, "first", 5, 1));
    CHECK_OK(kin_conn_send_bytes(e.other, "second", 6, 1));
    CHECK_EQ(is_ready(e.one), 1);
    check_bytes(e.one, "first", 5);
    CHECK_EQ(is_ready(e.one), 1);
    check_bytes(e.one, "second", 6);
    CHECK_EQ(is_ready(e.one), 0);
    kin_conn_free(e.other);
    CHECK_EQ(is_ready(e.one), 1);
    kin_conn_free(e.one);
}

TEST(a_connection_is_ready_when_a_receive_would_not_wait)
{
    check_conn(relatives());
    check_conn(strangers());
    check_conn(over_a_pipe());
}

TEST(a_message_that_did_not_fit_is_ready_still)
{
    ends e = relatives();
    char small[2];
    CHECK_OK(kin_conn_send_bytes(e.other, "hello", 5, 1));
    CHECK_ERROR(kin_conn_recv_bytes_into(e.one, small, sizeof small, 1), KIN_EBUFTOOSHORT);
    CHECK_EQ(is_ready(e.one), 1);
    check_bytes(e.one, "hello", 5);
    CHECK_EQ(is_ready(e.one), 0);
    end_both(&e);
}

TEST(an_end_that_cannot_receive_cannot_be_waited_for)
{
    ends e = over_a_pipe();
    CHECK_ERROR(is_ready(e.other), KIN_ESTATE);
    CHECK_CONTAINS(kin_errmsg(), "thing 0: the connection only sends");
    CHECK_OK(kin_conn_close(e.one));
    CHECK_ERROR(is_ready(e.one), KIN_ECLOSED);
    CHECK_CONTAINS(kin_errmsg(), "thing 0");
    CHECK_ERROR(is_ready(NULL), KIN_EINVAL);
    kin_waitable nothing = kin_listener_waitable(NULL);
    CHECK_ERROR(kin_wait(&nothing, 1, 0), KIN_EINVAL);
    end_both(&e);
}

struct scene {
    kin_conn *conn;
    kin_event *event;
    _Atomic int rv;
    _Atomic int ready;
};

static int wait_for_both(void *ctx)
{
    struct scene *s = ctx;
    kin_waitable things[2] = { kin_conn_waitable(s->conn), kin_event_waitable(s->event) };
    s->rv = kin_wait(things, 2, KIN_FOREVER);
    s->ready = things[0].ready + 2 * things[1].ready;
    return 0;
}

TEST(who_sleeps_is_woken_by_a_message_and_by_an_event)
{
    ends e = relatives();
    struct scene *s = test_shared(sizeof *s);
    s->conn = e.one;
    CHECK_OK(kin_event_new(&s->event, NULL));
    pid_t waiter = test_child(wait_for_both, s);
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_OK(kin_event_set(s->event));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, 1);
    CHECK_EQ(s->ready, 2);
    CHECK_OK(kin_event_clear(s->event));
    waiter = test_child(wait_for_both, s);
    WAIT_UNTIL(test_is_asleep(waiter));
    CHECK_OK(kin_conn_send(e.other, kin_int(1), 1));
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(s->rv, 1);
    CHECK_EQ(s->ready, 1);
    kin_event_free(s->event);
    end_both(&e);
}

/* Somebody who knocks and says nothing is no reason to accept: it would wait. */
TEST(a_listener_is_ready_once_somebody_has_shown_that_he_knows_the_key)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    kin_waitable thing = kin_listener_waitable(l);
    CHECK_EQ(kin_wait(&thing, 1, 0), 0);
    int silent = raw_client(in_place("s"));
    CHECK_EQ(kin_wait(&thing, 1, 0.05), 0);
    struct client c;
    begin_client(&c, kin_listener_address(l), "secret key");
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    kin_conn *server = NULL;
    CHECK_OK(kin_listener_accept(l, &server, 0));
    CHECK_EQ(join_client(&c), 0);
    CHECK_EQ(kin_wait(&thing, 1, 0), 0);
    say(server, c.conn, "hello");
    kin_conn_free(server);
    kin_conn_free(c.conn);
    close(silent);
    kin_listener_free(l);
    leave_place();
}
