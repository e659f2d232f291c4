/* Listeners and those who connect: this library on one side, a live Python on the other. Debian's
 * Python is older than 3.12, and knows HMAC-MD5 only; taught by handshake_312.py it is as later
 * ones are. */
#include "unit/listener/peers.h"

#include <errno.h>
#include <kin/subprocess.h>

#define PYTHON "/usr/bin/python3"
#define SECRET "secret key"

static bool has_python(void)
{
    return access(PYTHON, X_OK) == 0;
}

/* ---- the other end ------------------------------------------------------------------------ */

/* Python's spelling of an address of ours. */
static const char *python_address(const char *address)
{
    static char text[600];
    if (address == NULL) {
        return "None";
    }
    if (address[0] == '@') {
        snprintf(text, sizeof text, "'\\0%s'", address + 1);
    } else if (address[0] == '/') {
        snprintf(text, sizeof text, "'%s'", address);
    } else {
        const char *colon = strrchr(address, ':');
        snprintf(text, sizeof text, "('%.*s', %s)", (int)(colon - address), address, colon + 1);
    }
    return text;
}

/* peer.py, with a key in C's spelling; NULL: none. */
static kin_popen *python(const char *role, const char *address, const char *key, bool modern)
{
    kin_popen *popen = NULL;
    char literal[100] = "None";
    if (key != NULL) {
        snprintf(literal, sizeof literal, "b'%s'", key);
    }
    const char *const argv[] = { PYTHON,
                                 "-B",
                                 KIN_TESTS_AT "/interop/peer.py",
                                 role,
                                 python_address(address),
                                 literal,
                                 modern ? "modern" : NULL,
                                 NULL };
    CHECK_OK(
        kin_popen_new(&popen, argv, KIN_OPT(kin_run_options, .out = KIN_PIPE, .err = KIN_STDOUT)));
    return popen;
}

/* A line that it has printed. */
static const char *line_of(kin_popen *popen)
{
    static char line[400];
    size_t n = 0;
    while (n + 1 < sizeof line && read(kin_popen_stdout(popen), line + n, 1) == 1 &&
           line[n] != '\n') {
        n++;
    }
    line[n] = '\0';
    return line;
}

/* One that listens; *ret_address, in our spelling, has room for 200 bytes. */
static kin_popen *python_listener(const char *address, const char *key, bool modern,
                                  char *ret_address)
{
    kin_popen *popen = python("listen", address, key, modern);
    const char *line = line_of(popen);
    unsigned port;
    if (sscanf(line, "('127.0.0.1', %u)", &port) == 1) {
        snprintf(ret_address, 200, "127.0.0.1:%u", port);
    } else if (strncmp(line, "b'\\x00", 6) == 0) {
        snprintf(ret_address, 200, "@%.*s", (int)strlen(line) - 7, line + 6);
    } else {
        CHECK_EQ(line[0], '\'');
        snprintf(ret_address, 200, "%.*s", (int)strlen(line) - 2, line + 1);
    }
    return popen;
}

static void end(kin_popen *popen, const char *part)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_CONTAINS(done.out, part);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

/* ---- it connects --------------------------------------------------------------------------- */

static kin_listener *listener(const char *address, const char *key, bool allow_md5)
{
    return listener_at(address, &(kin_listener_options){ .authkey = key,
                                                         .authkey_size = key ? strlen(key) : 0,
                                                         .allow_md5 = allow_md5 });
}

static void check_python_connects(const char *address, const char *key, bool modern)
{
    char heard[10] = "";
    kin_listener *l = listener(address, key, !modern);
    kin_popen *popen = python("connect", kin_listener_address(l), key, modern);
    kin_conn *conn = accepted(l);
    CHECK_EQ(kin_conn_recv_bytes_into(conn, heard, sizeof heard, KIN_FOREVER), 5);
    CHECK_STR(heard, "hello");
    CHECK_OK(kin_conn_send_bytes(conn, "welcome", 7, KIN_FOREVER));
    end(popen, "b'welcome'");
    kin_conn_free(conn);
    kin_listener_free(l);
}

static const char *const kinds[] = { NULL, "@kin-python-%d", "127.0.0.1:0", "localhost:0", ":0" };

static const char *address_of_kind(size_t i)
{
    static char address[64];
    snprintf(address, sizeof address, kinds[i] != NULL ? kinds[i] : "", (int)getpid());
    return kinds[i] != NULL ? address : NULL;
}

TEST_WITHIN(60, python_connects_to_every_kind_of_address_with_a_key_and_without)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds - 1; i++) {
        check_python_connects(address_of_kind(i), NULL, false);
        check_python_connects(address_of_kind(i), SECRET, false);
        check_python_connects(address_of_kind(i), SECRET, true);
    }
}

TEST(python_connects_by_ipv4_to_all_interfaces)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    char address[64];
    kin_listener *l = listener(":0", NULL, false);
    snprintf(address, sizeof address, "127.0.0.1%s", strrchr(kin_listener_address(l), ':'));
    kin_popen *popen = python("connect", address, NULL, false);
    kin_conn *conn = accepted(l);
    CHECK_OK(kin_conn_send_bytes(conn, "welcome", 7, KIN_FOREVER));
    end(popen, "b'welcome'");
    kin_conn_free(conn);
    kin_listener_free(l);
}

static void check_python_is_refused(const char *key, bool modern, bool allow_md5, const char *ours,
                                    const char *theirs)
{
    kin_conn *conn = NULL;
    kin_listener *l = listener(NULL, SECRET, allow_md5);
    kin_popen *popen = python("connect", kin_listener_address(l), key, modern);
    CHECK_ERROR(kin_listener_accept(l, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), ours);
    end(popen, theirs);
    kin_listener_free(l);
}

TEST(a_python_that_does_not_know_the_key_is_refused)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    check_python_is_refused("secret kez", false, true, "another key", "digest sent was rejected");
    check_python_is_refused("secret kez", true, false, "another key", "digest sent was rejected");
    check_python_is_refused(NULL, false, true, "does it have a key?", "#CHALLENGE#{sha256}");
}

TEST(a_python_that_knows_md5_only_is_refused_unless_that_is_allowed)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    check_python_is_refused(SECRET, false, false, "allow_md5", "digest sent was rejected");
}

TEST(a_python_is_accepted_beside_silent_ones)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    int silent[10];
    kin_listener *l = listener(NULL, SECRET, true);
    for (int i = 0; i < 10; i++) {
        silent[i] = raw_client(kin_listener_address(l));
    }
    kin_popen *popen = python("connect", kin_listener_address(l), SECRET, false);
    kin_conn *conn = accepted(l);
    CHECK_OK(kin_conn_send_bytes(conn, "welcome", 7, KIN_FOREVER));
    end(popen, "b'welcome'");
    kin_conn_free(conn);
    for (int i = 0; i < 10; i++) {
        close(silent[i]);
    }
    kin_listener_free(l);
}

/* ---- it listens ---------------------------------------------------------------------------- */

static int reach(const char *address, const char *key, bool allow_md5, kin_conn **ret_conn)
{
    return kin_connect(ret_conn, address,
                       &(kin_connect_options){ .authkey = key,
                                               .authkey_size = key ? strlen(key) : 0,
                                               .allow_md5 = allow_md5 });
}

static void check_python_listens(const char *address, const char *key, bool modern)
{
    char actual[200], heard[10] = "";
    kin_conn *conn = NULL;
    kin_popen *popen = python_listener(address, key, modern, actual);
    CHECK_OK(reach(actual, key, !modern, &conn));
    CHECK_OK(kin_conn_send_bytes(conn, "hello", 5, KIN_FOREVER));
    CHECK_EQ(kin_conn_recv_bytes_into(conn, heard, sizeof heard, KIN_FOREVER), 5);
    CHECK_STR(heard, "HELLO");
    kin_conn_free(conn);
    end(popen, "the end");
}

TEST_WITHIN(60, python_listens_at_every_kind_of_address_with_a_key_and_without)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds - 1; i++) {
        check_python_listens(address_of_kind(i), NULL, false);
        check_python_listens(address_of_kind(i), SECRET, false);
        check_python_listens(address_of_kind(i), SECRET, true);
    }
}

static void check_python_refuses(const char *key, bool modern, bool allow_md5, const char *ours,
                                 const char *theirs)
{
    char actual[200];
    kin_conn *conn = NULL;
    kin_popen *popen = python_listener(NULL, SECRET, modern, actual);
    CHECK_ERROR(reach(actual, key, allow_md5, &conn), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), ours);
    CHECK_NULL(conn);
    end(popen, theirs);
}

TEST(a_listening_python_refuses_another_key)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    check_python_refuses("secret kez", false, true, "our key", "digest received was wrong");
    check_python_refuses("secret kez", true, false, "our key", "digest received was wrong");
}

TEST(a_listening_python_that_knows_md5_only_is_refused_unless_that_is_allowed)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    check_python_refuses(SECRET, false, false, "allow_md5",
                         "Error"); /* which, is a matter of time */
}

TEST(a_python_listens_without_a_key_and_we_have_one)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    char actual[200];
    kin_conn *conn = NULL;
    kin_popen *popen = python_listener(NULL, NULL, false, actual);
    CHECK_ERROR(kin_connect(&conn, actual, KIN_OPT(kin_connect_options, KEY, .timeout = 0.1)),
                KIN_ETIMEDOUT);
    CHECK_CONTAINS(kin_errmsg(), "handshake");
    end(popen, "the end");
}

/* ---- paths -------------------------------------------------------------------------------- */

TEST(a_path_that_a_killed_python_left_is_taken_over_and_a_living_ones_is_not)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    char actual[200];
    kin_listener *l = NULL;
    enter_place();
    kin_popen *popen = python_listener(in_place("s"), NULL, false, actual);
    CHECK_STR(actual, in_place("s"));
    CHECK_ERROR(kin_listener_new(&l, actual, NULL), KIN_EEXIST);
    CHECK_OK(kin_popen_kill(popen));
    end(popen, "");
    CHECK(is_there(actual));
    check_python_connects(actual, NULL, false);
    leave_place();
}
