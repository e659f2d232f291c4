/* Thousands of connections, one after the other and beside each other, with all that can go wrong
 * in between: the descriptors are as many afterwards as before (each test looks), and nobody
 * waits. */
#include "unit/listener/peers.h"

#include "domain/room.h"
#include <kin/subprocess.h>
#include <signal.h>

#define PYTHON "/usr/bin/python3"
#define SECRET "secret key"

enum { CONNECTIONS = 2000, TEAM = 4 };

static int count_descriptors(void)
{
    CHECK_OK(kin__join()); /* which has one, for good */
    return test_count_descriptors();
}

struct job {
    const char *address;
    int times;
};

static int connect_often(void *ctx)
{
    const struct job *job = ctx;
    for (int i = 0; i < job->times; i++) {
        kin_conn *conn = NULL;
        char heard[8];
        CHECK_OK(kin_connect(&conn, job->address,
                             KIN_OPT(kin_connect_options, KEY, .timeout = KIN_FOREVER)));
        CHECK_OK(kin_conn_send_bytes(conn, &i, sizeof i, KIN_FOREVER));
        CHECK_EQ(kin_conn_recv_bytes_into(conn, heard, sizeof heard, KIN_FOREVER), sizeof i);
        CHECK_MEM(heard, &i, sizeof i);
        kin_conn_free(conn);
    }
    return 0;
}

static void echo(kin_conn *conn)
{
    char heard[8];
    ssize_t n = kin_conn_recv_bytes_into(conn, heard, sizeof heard, KIN_FOREVER);
    CHECK_GT(n, 0);
    CHECK_OK(kin_conn_send_bytes(conn, heard, (size_t)n, KIN_FOREVER));
    kin_conn_free(conn);
}

static void churn(const char *address)
{
    kin_listener *l =
        listener_at(address, KIN_OPT(kin_listener_options, KEY, .auth_timeout = KIN_FOREVER));
    pid_t team[TEAM];
    struct job job = { .address = kin_listener_address(l), .times = CONNECTIONS / TEAM };
    for (int i = 0; i < TEAM; i++) {
        team[i] = test_child(connect_often, &job);
    }
    int before = count_descriptors();
    for (int i = 0; i < CONNECTIONS; i++) {
        echo(accepted(l));
    }
    for (int i = 0; i < TEAM; i++) {
        CHECK_EQ(test_join(team[i]), 0);
    }
    CHECK_EQ(count_descriptors(), before);
    kin_listener_free(l);
}

TEST_WITHIN(120, two_thousand_connections_over_a_path)
{
    churn(NULL);
}

TEST_WITHIN(120, two_thousand_connections_over_tcp)
{
    churn("127.0.0.1:0");
}

/* ---- among those who do not mean it ---------------------------------------------------------- */

/* Connects, says a random part of something, and goes, or stays for the next ones. */
static int misbehave(void *ctx)
{
    int fds[16] = { 0 };
    for (;;) {
        unsigned which = (unsigned)(test_random() % 16);
        char bytes[300];
        size_t size = test_random() % 3 ? test_random() % 64 : test_random() % sizeof bytes;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (char)(test_random() % 4 ? 0 : test_random());
        }
        if (fds[which] != 0) {
            close(fds[which]);
        }
        struct sockaddr_un at = unix_address(ctx);
        fds[which] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fds[which], (struct sockaddr *)&at, sizeof at) == 0) {
            (void)!send(fds[which], bytes, size, MSG_NOSIGNAL);
        }
    }
    return 0;
}

TEST_WITHIN(120, connections_are_made_among_those_that_fail)
{
    kin_listener *l = listener_at(NULL, KIN_OPT(kin_listener_options, KEY, .auth_timeout = 1));
    struct job job = { .address = kin_listener_address(l), .times = CONNECTIONS / 8 };
    int before = count_descriptors();
    pid_t vandal = test_child(misbehave, (void *)(uintptr_t)kin_listener_address(l));
    pid_t client = test_child(connect_often, &job);
    int good = 0, bad = 0;
    while (good < job.times || bad < 100) {
        kin_conn *conn = NULL;
        int rv = kin_listener_accept(l, &conn, KIN_FOREVER);
        CHECK(rv == 0 || rv == KIN_EAUTH);
        if (rv == 0) {
            echo(conn);
            good++;
        } else {
            bad++;
        }
    }
    CHECK_EQ(test_join(client), 0);
    CHECK_EQ(kill(vandal, SIGKILL), 0);
    CHECK_EQ(test_join(vandal), -SIGKILL);
    kin_conn *conn = NULL;
    int rv;
    do { /* what he left behind */
        rv = kin_listener_accept(l, &conn, 2);
    } while (rv == KIN_EAUTH);
    CHECK_EQ(rv, KIN_ETIMEDOUT);
    CHECK_EQ(count_descriptors(), before);
    kin_listener_free(l);
}

/* ---- with Python ----------------------------------------------------------------------------- */

static kin_popen *python(const char *script, const char *address)
{
    kin_popen *popen = NULL;
    const char *const argv[] = { PYTHON, "-c", script, address, NULL };
    CHECK_OK(kin_popen_new(&popen, argv, KIN_OPT(kin_run_options, .out = KIN_PIPE)));
    return popen;
}

static void end(kin_popen *popen)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_EQ(done.returncode, 0);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

TEST_WITHIN(120, python_connects_two_thousand_times)
{
    if (access(PYTHON, X_OK) < 0) {
        SKIP("there is no " PYTHON);
    }
    kin_listener *l = listener_at(NULL, KIN_OPT(kin_listener_options, KEY, .allow_md5 = true));
    int before = count_descriptors();
    kin_popen *popen = python("import sys\n"
                              "from multiprocessing.connection import Client\n"
                              "for i in range(2000):\n"
                              "    with Client(sys.argv[1], authkey=b'secret key') as conn:\n"
                              "        conn.send_bytes(b'%d' % i)\n"
                              "        assert conn.recv_bytes() == b'%d' % i\n",
                              kin_listener_address(l));
    for (int i = 0; i < CONNECTIONS; i++) {
        echo(accepted(l));
    }
    end(popen);
    CHECK_EQ(count_descriptors(), before);
    kin_listener_free(l);
}

TEST_WITHIN(120, python_accepts_two_thousand_times)
{
    if (access(PYTHON, X_OK) < 0) {
        SKIP("there is no " PYTHON);
    }
    char letter;
    enter_place();
    int before = count_descriptors();
    kin_popen *popen = python("import sys\n"
                              "from multiprocessing.connection import Listener\n"
                              "with Listener(sys.argv[1], authkey=b'secret key') as listener:\n"
                              "    print('ready', flush=True)\n"
                              "    for i in range(2000):\n"
                              "        with listener.accept() as conn:\n"
                              "            conn.send_bytes(conn.recv_bytes())\n",
                              in_place("s"));
    CHECK_EQ(read(kin_popen_stdout(popen), &letter, 1), 1);
    for (int i = 0; i < CONNECTIONS; i++) {
        kin_conn *conn = NULL;
        char heard[8];
        CHECK_OK(kin_connect(&conn, in_place("s"),
                             KIN_OPT(kin_connect_options, KEY, .allow_md5 = true)));
        CHECK_OK(kin_conn_send_bytes(conn, &i, sizeof i, KIN_FOREVER));
        CHECK_EQ(kin_conn_recv_bytes_into(conn, heard, sizeof heard, KIN_FOREVER), sizeof i);
        CHECK_MEM(heard, &i, sizeof i);
        kin_conn_free(conn);
    }
    end(popen);
    CHECK_EQ(count_descriptors(), before);
    leave_place();
}
