#include "unit/listener/peers.h"

#include "listener/guest.h"
#include <fcntl.h>
#include <kin/wait.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define SECRET "secret key"

static void check_meet(const char *address, const char *key)
{
    kin_conn *server, *client;
    kin_listener *l = listener_at(
        address, &(kin_listener_options){ .authkey = key, .authkey_size = key ? strlen(key) : 0 });
    meet(l, key, &server, &client);
    say(client, server, "to the server");
    say(server, client, "and back");
    kin_conn_free(server);
    kin_conn_free(client);
    kin_listener_free(l);
}

TEST(connections_arrive_at_every_kind_of_address_with_a_key_and_without)
{
    char name[64];
    snprintf(name, sizeof name, "@kin-test-%d", (int)getpid());
    enter_place();
    CHECK_EQ(setenv("TMPDIR", place, 1), 0);
    const char *const addresses[] = { in_place("s"), name,          "127.0.0.1:0", "[::1]:0",
                                      ":0",          "localhost:0", NULL };
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        check_meet(addresses[i], NULL);
        check_meet(addresses[i], SECRET);
    }
    leave_place();
}

TEST(keys_may_be_of_any_length_and_hold_any_bytes)
{
    char key[1000];
    enter_place();
    memset(key, '\xfe', sizeof key);
    key[5] = '\0';
    for (size_t size = 1; size <= sizeof key; size = size * 3 + 1) {
        kin_listener *l = listener_at(
            in_place("s"), KIN_OPT(kin_listener_options, .authkey = key, .authkey_size = size));
        struct client c = { .address = kin_listener_address(l),
                            .options = { .authkey = key, .authkey_size = size } };
        CHECK_EQ(pthread_create(&c.thread, NULL, run_client, &c), 0);
        kin_conn_free(accepted(l));
        CHECK_EQ(join_client(&c), 0);
        kin_conn_free(c.conn);
        kin_listener_free(l);
    }
    leave_place();
}

/* ---- what is refused ----------------------------------------------------------------------- */

TEST(options_that_make_no_sense_are_refused)
{
    kin_listener *l = NULL;
    kin_conn *conn = NULL;
    CHECK_ERROR(kin_listener_new(NULL, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_listener_new(&l, "@x", KIN_OPT(kin_listener_options, .authkey = "")),
                KIN_EINVAL);
    CHECK_ERROR(kin_listener_new(&l, "@x", KIN_OPT(kin_listener_options, .authkey_size = 3)),
                KIN_EINVAL);
    CHECK_ERROR(kin_listener_new(&l, "@x", KIN_OPT(kin_listener_options, .backlog = -1)),
                KIN_EINVAL);
    CHECK_ERROR(kin_listener_new(&l, "@x", KIN_OPT(kin_listener_options, .auth_timeout = -1)),
                KIN_EINVAL);
    CHECK_ERROR(kin_listener_new(&l, "@x", KIN_OPT(kin_listener_options, .reserved = { 0, 1 })),
                KIN_EINVAL);
    CHECK_ERROR(kin_listener_new(&l, "nonsense", NULL), KIN_EINVAL);
    CHECK_NULL(l);
    CHECK_ERROR(kin_listener_accept(NULL, &conn, 0), KIN_EINVAL);
    CHECK_STR(kin_listener_address(NULL), "");
    CHECK_STR(kin_listener_last_accepted(NULL), "");
    kin_listener_free(NULL);
    char name[64];
    snprintf(name, sizeof name, "@kin-test-%d", (int)getpid());
    l = listener_at(name, NULL);
    CHECK_ERROR(kin_listener_accept(l, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_listener_accept(l, &conn, (double)NAN), KIN_EINVAL);
    kin_listener_free(l);
}

TEST(a_wrong_key_is_told_to_both_and_the_next_call_goes_on)
{
    struct client wrong, right;
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    begin_client(&wrong, in_place("s"), "secret kez");
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), "another key");
    CHECK_NULL(conn);
    CHECK_EQ(join_client(&wrong), KIN_EAUTH);
    CHECK_CONTAINS(wrong.sentence, "our key");
    begin_client(&right, in_place("s"), SECRET);
    conn = accepted(l);
    CHECK_EQ(join_client(&right), 0);
    say(conn, right.conn, "welcome");
    kin_conn_free(conn);
    kin_conn_free(right.conn);
    kin_listener_free(l);
    leave_place();
}

TEST(nothing_of_one_without_a_key_is_decoded)
{
    static const char pickle[] = "\0\0\0\4\x80\4N.";
    static const char large[] = "\0\1\0\0 and so on";
    kin_conn *conn = NULL;
    char answer[100];
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    for (int i = 0; i < 2; i++) {
        int fd = raw_client(in_place("s"));
        CHECK_GT(write(fd, i ? large : pickle, i ? sizeof large : 8), 0);
        CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
        CHECK_EQ(recv(fd, answer, 76, MSG_WAITALL), 76);
        CHECK_MEM(answer + 63, "\0\0\0\t#FAILURE#", 13);
        CHECK(hung_up(fd));
        close(fd);
    }
    kin_listener_free(l);
    leave_place();
}

TEST(who_hangs_up_is_told_of_and_the_next_call_goes_on)
{
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    close(raw_client(in_place("s")));
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), "hung up");
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_ETIMEDOUT);
    kin_listener_free(l);
    leave_place();
}

/* ---- time ------------------------------------------------------------------------------- */

TEST(nobody_is_waited_for_as_long_as_the_timeout_says)
{
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), NULL);
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_ETIMEDOUT);
    double begin = kin_now();
    CHECK_ERROR(kin_listener_accept(l, &conn, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    int fd = raw_client(in_place("s"));
    CHECK_OK(kin_listener_accept(l, &conn, 0));
    kin_conn_free(conn);
    close(fd);
    kin_listener_free(l);
    leave_place();
}

TEST(silent_clients_do_not_hold_up_others)
{
    int silent[20];
    kin_conn *server, *client;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    for (int i = 0; i < 20; i++) {
        silent[i] = raw_client(in_place("s"));
        CHECK_EQ(write(silent[i], "\0\0", (size_t)i % 3), i % 3); /* some begin */
    }
    meet(l, SECRET, &server, &client);
    say(client, server, "here I am");
    for (int i = 0; i < 20; i++) {
        close(silent[i]);
        CHECK_ERROR(kin_listener_accept(l, &(kin_conn *){ NULL }, KIN_FOREVER), KIN_EAUTH);
    }
    kin_conn_free(server);
    kin_conn_free(client);
    kin_listener_free(l);
    leave_place();
}

TEST(a_silent_clients_time_ends)
{
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l =
        listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY, .auth_timeout = 0.02));
    double begin = kin_now();
    int first = raw_client(in_place("s")), second = raw_client(in_place("s"));
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK(kin_now() - begin >= 0.02);
    CHECK_CONTAINS(kin_errmsg(), "silent");
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    char challenge[63];
    CHECK_EQ(recv(first, challenge, 63, MSG_WAITALL), 63);
    CHECK(hung_up(first));
    close(first);
    close(second);
    kin_listener_free(l);
    leave_place();
}

/* ---- several threads ---------------------------------------------------------------------- */

enum { THREADS = 4, CLIENTS = 40 };

struct crowd {
    kin_listener *l;
    _Atomic int accepted;
};

static void *accept_some(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < CLIENTS / THREADS; i++) {
        kin_conn_free(accepted(crowd->l));
        atomic_fetch_add(&crowd->accepted, 1);
    }
    return NULL;
}

TEST(several_threads_accept_at_once)
{
    pthread_t threads[THREADS];
    struct client clients[CLIENTS];
    enter_place();
    struct crowd crowd = { .l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY)) };
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, accept_some, &crowd), 0);
    }
    for (int i = 0; i < CLIENTS; i++) {
        begin_client(&clients[i], kin_listener_address(crowd.l), SECRET);
    }
    for (int i = 0; i < CLIENTS; i++) {
        CHECK_EQ(join_client(&clients[i]), 0);
        kin_conn_free(clients[i].conn);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(crowd.accepted, CLIENTS);
    kin_listener_free(crowd.l);
    leave_place();
}

static void *accept_one(void *arg)
{
    struct crowd *crowd = arg;
    kin_conn *conn = NULL;
    atomic_store(&crowd->accepted, (int)gettid());
    return (void *)(intptr_t)kin_listener_accept(crowd->l, &conn, KIN_FOREVER);
}

TEST(who_accepts_is_told_when_the_listener_is_freed)
{
    pthread_t thread;
    void *rv;
    enter_place();
    struct crowd crowd = { .l = listener_at(in_place("s"), NULL) };
    CHECK_EQ(pthread_create(&thread, NULL, accept_one, &crowd), 0);
    WAIT_UNTIL(crowd.accepted != 0 && test_is_asleep(crowd.accepted));
    kin_listener_free(crowd.l);
    CHECK_EQ(pthread_join(thread, &rv), 0);
    CHECK_EQ((intptr_t)rv, KIN_ECLOSED);
    leave_place();
}

/* ---- limits ------------------------------------------------------------------------------ */

TEST(of_too_many_silent_ones_the_eldest_goes)
{
    enum { MANY = 257 };
    int silent[MANY];
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    for (int i = 0; i < MANY; i++) {
        silent[i] = raw_client(in_place("s"));
        CHECK_ERROR(kin_listener_accept(l, &conn, 0), i < MANY - 1 ? KIN_ETIMEDOUT : KIN_EAUTH);
    }
    char challenge[63];
    CHECK_EQ(recv(silent[0], challenge, 63, MSG_WAITALL), 63);
    CHECK(hung_up(silent[0]));
    CHECK_EQ(recv(silent[1], challenge, 63, MSG_WAITALL), 63);
    CHECK_EQ(recv(silent[1], challenge, 1, MSG_DONTWAIT), -1);
    for (int i = 0; i < MANY; i++) {
        close(silent[i]);
    }
    kin_listener_free(l);
    leave_place();
}

/* Takes all descriptors that there are; the last one's number. */
static int exhaust(int *taken)
{
    int n = 0, fd;
    while ((fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0) {
        taken[n++] = fd;
    }
    return n;
}

TEST(when_descriptors_are_out_a_silent_one_makes_room)
{
    static int taken[70000];
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    int silent = raw_client(in_place("s"));
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_ETIMEDOUT);
    int another = raw_client(in_place("s")), more = raw_client(in_place("s"));
    int n = exhaust(taken);
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), "make room");
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    while (n > 0) {
        close(taken[--n]);
    }
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_ETIMEDOUT);
    close(silent);
    close(another);
    close(more);
    kin_listener_free(l);
    leave_place();
}

TEST(without_a_key_and_without_descriptors_who_connects_has_to_wait)
{
    static int taken[70000];
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), NULL);
    int fd = raw_client(in_place("s"));
    int n = exhaust(taken);
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EMFILE);
    while (n > 0) {
        close(taken[--n]);
    }
    CHECK_OK(kin_listener_accept(l, &conn, 0));
    kin_conn_free(conn);
    close(fd);
    kin_listener_free(l);
    leave_place();
}

/* ---- questions ---------------------------------------------------------------------------- */

TEST(who_was_accepted_last_is_known)
{
    kin_conn *server, *client;
    kin_listener *l = listener_at("127.0.0.1:0", NULL);
    CHECK_STR(kin_listener_last_accepted(l), "");
    meet(l, NULL, &server, &client);
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    CHECK_EQ(getsockname(kin_conn_fileno(client), (struct sockaddr *)&own, &size), 0);
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%d", ntohs(own.sin_port));
    CHECK_STR(kin_listener_last_accepted(l), expected);
    kin_conn_free(server);
    kin_conn_free(client);
    kin_listener_free(l);
}

static int option(kin_conn *conn, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    CHECK_EQ(getsockopt(kin_conn_fileno(conn), level, name, &value, &size), 0);
    return value;
}

TEST(both_ends_over_tcp_send_at_once_and_are_close_on_exec)
{
    kin_conn *ends[2];
    kin_listener *l = listener_at("127.0.0.1:0", KIN_OPT(kin_listener_options, KEY));
    meet(l, SECRET, &ends[0], &ends[1]);
    for (int i = 0; i < 2; i++) {
        CHECK_NE(option(ends[i], IPPROTO_TCP, TCP_NODELAY), 0);
        CHECK_EQ(fcntl(kin_conn_fileno(ends[i]), F_GETFD), FD_CLOEXEC);
        kin_conn_free(ends[i]);
    }
    kin_listener_free(l);
}

TEST(as_many_wait_as_the_backlog_says)
{
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, .backlog = 1));
    kin_conn *conns[3] = { NULL };
    int n = 0;
    while (n < 3 && kin_connect(&conns[n], in_place("s"),
                                KIN_OPT(kin_connect_options, .timeout = 0.02)) == 0) {
        n++;
    }
    CHECK_EQ(n, 2); /* the kernel takes one more than it was told */
    kin_conn_free(conns[0]);
    kin_conn_free(conns[1]);
    kin_listener_free(l);
    leave_place();
}

/* ---- for kin_wait --------------------------------------------------------------------------- */

TEST(a_listener_is_ready_when_an_accept_would_not_wait)
{
    struct client c;
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    CHECK(!kin__listener_has_ready(l));
    int silent = raw_client(in_place("s"));
    CHECK(!kin__listener_has_ready(l)); /* he has not shown anything yet */
    begin_client(&c, in_place("s"), SECRET);
    int fd = kin__listener_fd(l);
    bool ready;
    while (!kin__listener_has_ready(l)) {
        CHECK_EQ(kin__os_poll(&fd, &ready, 1, KIN__NEVER), 1);
    }
    CHECK_EQ(kin__os_poll(&fd, &ready, 1, 0), 1); /* and so it stays, for whoever sleeps on it */
    CHECK(kin__listener_has_ready(l));
    CHECK_OK(kin_listener_accept(l, &conn, 0));
    CHECK(!kin__listener_has_ready(l));
    CHECK_EQ(join_client(&c), 0);
    close(silent);
    while (!kin__listener_has_ready(l)) { /* a failure is something to be told */
        CHECK_EQ(kin__os_poll(&fd, &ready, 1, KIN__NEVER), 1);
    }
    kin_conn_free(conn);
    CHECK_ERROR(kin_listener_accept(l, &conn, 0), KIN_EAUTH);
    kin_conn_free(c.conn);
    kin_listener_free(l);
    leave_place();
}

TEST(kin_wait_waits_for_a_listener)
{
    struct client c;
    kin_conn *conn = NULL;
    enter_place();
    kin_listener *l = listener_at(in_place("s"), KIN_OPT(kin_listener_options, KEY));
    kin_waitable thing = kin_listener_waitable(l);
    CHECK_EQ(kin_wait(&thing, 1, 0), 0);
    begin_client(&c, in_place("s"), SECRET);
    CHECK_EQ(kin_wait(&thing, 1, KIN_FOREVER), 1);
    CHECK(thing.ready);
    CHECK_OK(kin_listener_accept(l, &conn, 0));
    CHECK_EQ(join_client(&c), 0);
    kin_conn_free(conn);
    kin_conn_free(c.conn);
    kin_listener_free(l);
    leave_place();
}
