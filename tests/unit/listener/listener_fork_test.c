/* A listener whose process forks, exits, or is killed. */
#include "unit/listener/peers.h"

#include <fcntl.h>
#include <signal.h>

#define SECRET "secret key"

static int accept_and_say(void *ctx)
{
    kin_conn *conn = NULL;
    int rv = kin_listener_accept(ctx, &conn, KIN_FOREVER);
    rv = rv < 0 ? rv : kin_conn_send_bytes(conn, "child", 5, KIN_FOREVER);
    kin_conn_free(conn);
    kin_listener_free(ctx);
    return rv < 0;
}

TEST(a_forked_child_accepts_too_and_the_path_stays_its_parents)
{
    kin_conn *server, *client = NULL;
    char heard[10] = "";
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    meet(l, SECRET, &server, &client); /* so that the child has a watch that is in use */
    kin_conn_free(server);
    kin_conn_free(client);
    pid_t pid = test_child(accept_and_say, l);
    CHECK_OK(kin_connect(&client, in_place("s"), KIN_OPT(kin_connect_options, KEY)));
    CHECK_EQ(kin_conn_recv_bytes_into(client, heard, sizeof heard, KIN_FOREVER), 5);
    CHECK_STR(heard, "child");
    kin_conn_free(client);
    CHECK_EQ(test_join(pid), 0);
    meet(l, SECRET, &server, &client);
    say(server, client, "parent");
    kin_conn_free(server);
    kin_conn_free(client);
    kin_listener_free(l);
    leave_place();
}

static int stay(void *ctx)
{
    WAIT_UNTIL(*(_Atomic int *)ctx == 1);
    return 0;
}

TEST(a_forked_child_does_not_hold_its_parents_guests)
{
    kin_conn *conn = NULL;
    enter_place();
    _Atomic int *over = test_shared(sizeof *over);
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    int fd = raw_client(in_place("s"));
    char challenge[63];
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_ETIMEDOUT);
    CHECK_EQ(recv(fd, challenge, 63, MSG_WAITALL), 63);
    int none = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    close(fd);
    pid_t pid = test_child(stay, over);
    CHECK_EQ(write(none, "\0\0\0\1x", 5), 5);
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK_EQ(recv(none, challenge, 13, MSG_WAITALL), 13);
    CHECK(hung_up(none));
    close(none);
    *over = 1;
    CHECK_EQ(test_join(pid), 0);
    kin_listener_free(l);
    leave_place();
}

static int make_and_leave(void *ctx)
{
    kin_listener *l = listener_at(ctx, NULL);
    (void)l; /* it leaves without freeing it */
    return is_there(ctx) ? 0 : 1;
}

static int make_and_exit(void *ctx)
{
    exit(make_and_leave(ctx));
}

static int make_and_die(void *ctx)
{
    (void)make_and_leave(ctx);
    raise(SIGKILL);
    return 0;
}

TEST(a_path_goes_with_its_maker_unless_he_is_killed)
{
    enter_place();
    char path[100];
    snprintf(path, sizeof path, "%s", in_place("s"));
    CHECK_EQ(test_join(test_child(make_and_leave, path)), 0);
    CHECK(!is_there(path));
    CHECK_EQ(test_join(test_child(make_and_exit, path)), 0);
    CHECK(!is_there(path));
    CHECK_EQ(test_join(test_child(make_and_die, path)), -SIGKILL);
    CHECK(is_there(path));
    CHECK_EQ(test_join(test_child(make_and_leave, path)), 0);
    CHECK(!is_there(path));
    leave_place();
}

static int leave_early(void *ctx)
{
    (void)ctx;
    return 0;
}

TEST(a_child_that_leaves_does_not_take_its_parents_path_along)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), NULL);
    CHECK_EQ(test_join(test_child(leave_early, NULL)), 0);
    CHECK(is_there(in_place("s")));
    kin_listener_free(l);
    leave_place();
}
