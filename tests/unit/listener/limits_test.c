/* What is promised when nothing was asked for, and where something is short or long. */
#include "unit/listener/peers.h"

#include "listener/guest.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/time.h>

/* ---- patience -------------------------------------------------------------------------------- */

TEST(one_who_connects_has_twenty_seconds_unless_the_option_says_otherwise)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    CHECK_EQ(l->patience, INT64_C(20000000000));
    kin_listener_free(l);
    l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY, .auth_timeout = 0.5));
    CHECK_EQ(l->patience, 500000000);
    kin_listener_free(l);
    leave_place();
}

/* A timeout of connecting is none of sending later on. */
static void check_sends_without_a_timeout(const char *address)
{
    kin_conn *conn = NULL;
    struct timeval left = { .tv_sec = 7 };
    socklen_t size = sizeof left;
    kin_listener *l = listener_at(address, NULL);
    CHECK_OK(
        kin_connect(&conn, kin_listener_address(l), KIN_OPT(kin_connect_options, .timeout = 3)));
    CHECK_EQ(getsockopt(kin_conn_fileno(conn), SOL_SOCKET, SO_SNDTIMEO, &left, &size), 0);
    CHECK_EQ(left.tv_sec, 0);
    CHECK_EQ(left.tv_usec, 0);
    kin_conn_free(conn);
    kin_listener_free(l);
}

TEST(the_timeout_of_connecting_ends_with_it)
{
    enter_place();
    check_sends_without_a_timeout(in_place("s"));
    check_sends_without_a_timeout("127.0.0.1:0");
    leave_place();
}

/* ---- descriptors ----------------------------------------------------------------------------- */

TEST(when_the_machines_descriptors_are_out_a_silent_one_makes_room_too)
{
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    int silent = raw_client(in_place("s"));
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_ETIMEDOUT);
    int another = raw_client(in_place("s"));
    kin__fault_arm(KIN__FAULT_CALL, 1); /* ENFILE */
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_CALL, 0);
    CHECK_CONTAINS(kin_errmsg(), "make room");
    char challenge[63];
    CHECK_EQ(recv(silent, challenge, 63, MSG_WAITALL), 63);
    CHECK(hung_up(silent));
    close(silent);
    close(another);
    kin_listener_free(l);
    leave_place();
}

/* ---- long paths ------------------------------------------------------------------------------ */

/* A listener and who connects to it, where no address has room for the path; harness.h counts the
 * descriptors. */
TEST(connections_arrive_at_a_path_that_no_address_has_room_for)
{
    char path[300];
    kin_conn *server, *client;
    enter_place();
    int size = snprintf(path, sizeof path, "%s/", place);
    memset(path + size, 'd', 200);
    path[size + 200] = '\0';
    CHECK_EQ(mkdir(path, 0700), 0);
    strcat(path, "/s");
    kin_listener *l = listener_at(path, KIN_OPT(kin_listener_options, KEY));
    CHECK_STR(kin_listener_address(l), path);
    for (int i = 0; i < 3; i++) {
        meet(l, "secret key", &server, &client);
        say(client, server, "from far away");
        kin_conn_free(server);
        kin_conn_free(client);
    }
    kin_listener_free(l);
    CHECK_ERROR(kin_connect(&client, path, NULL), KIN_ENOENT);
    path[size + 200] = '\0';
    CHECK_EQ(rmdir(path), 0);
    leave_place();
}

/* Python connects to 107 bytes, and not to more. */
TEST(without_an_address_the_path_is_short_enough_for_python_whatever_tmpdir_says)
{
    char folder[200];
    enter_place();
    int size = snprintf(folder, sizeof folder, "%s/", place);
    memset(folder + size, 'd', 150);
    folder[size + 150] = '\0';
    CHECK_EQ(mkdir(folder, 0700), 0);
    CHECK_EQ(setenv("TMPDIR", folder, 1), 0);
    kin_listener *l = listener_at(NULL, NULL);
    CHECK_LE(strlen(kin_listener_address(l)), 107);
    close(raw_client(kin_listener_address(l)));
    kin_listener_free(l);
    CHECK_EQ(rmdir(folder), 0);
    leave_place();
}

/* ---- kin_wait -------------------------------------------------------------------------------- */

TEST(a_listener_that_can_take_nobody_now_is_ready_and_says_why)
{
    static int taken[70000];
    int n = 0;
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), NULL);
    kin_waitable thing = kin_listener_waitable(l);
    int fd = raw_client(in_place("s"));
    while ((taken[n] = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0) {
        n++;
    }
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EMFILE);
    while (n > 0) {
        close(taken[--n]);
    }
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    CHECK_OK(kin_listener_accept(l, &conn, 0));
    CHECK_EQ(kin_wait(&thing, 1, 0), 0);
    kin_conn_free(conn);
    close(fd);
    kin_listener_free(l);
    leave_place();
}
