/* place.h - for tests of what listens: a folder for sockets, and sockets that speak for
 * themselves. */
#ifndef KIN_TEST_PLACE_H
#define KIN_TEST_PLACE_H

#include "harness.h"

#include <kin/listener.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

static char place[64]; /* the folder of this test */

UNUSED static void enter_place(void)
{
    snprintf(place, sizeof place, "/tmp/kin-test-XXXXXX");
    CHECK_NOT_NULL(mkdtemp(place));
}

/* Nothing is left there. */
UNUSED static void leave_place(void)
{
    CHECK_(rmdir(place) == 0, "something is left in %s", place);
}

/* A path in there. */
UNUSED static const char *in_place(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", place, name);
    return path;
}

UNUSED static bool is_there(const char *path)
{
    struct stat file;
    return lstat(path, &file) == 0;
}

/* ---- sockets without the library ------------------------------------------------------------ */

UNUSED static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    return at;
}

/* backlog < 0: it is bound, and does not listen. */
UNUSED static int raw_listener(const char *path, int backlog)
{
    struct sockaddr_un at = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (backlog >= 0) {
        CHECK_EQ(listen(fd, backlog), 0);
    }
    return fd;
}

UNUSED static int raw_client(const char *path)
{
    struct sockaddr_un at = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* A socket that nobody has open any more. */
UNUSED static void leave_socket(const char *path)
{
    close(raw_listener(path, 1));
    CHECK(is_there(path));
}

/* Whether the other side has hung up; waits for it, or for bytes. */
UNUSED static bool hung_up(int fd)
{
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

/* ---- connections -------------------------------------------------------------------------- */

#define KEY .authkey = "secret key", .authkey_size = 10

UNUSED static kin_listener *listener_at(const char *address, const kin_listener_options *options)
{
    kin_listener *l = NULL;
    CHECK_OK(kin_listener_new(&l, address, options));
    return l;
}

UNUSED static kin_conn *accepted(kin_listener *l)
{
    kin_conn *conn = NULL;
    CHECK_OK(kin_listener_accept(l, &conn, KIN_FOREVER));
    return conn;
}

/* What one end says the other one hears. */
UNUSED static void say(kin_conn *from, kin_conn *to, const char *text)
{
    char heard[100] = "";
    CHECK_OK(kin_conn_send_bytes(from, text, strlen(text), KIN_FOREVER));
    CHECK_EQ(kin_conn_recv_bytes_into(to, heard, sizeof heard, KIN_FOREVER), strlen(text));
    CHECK_STR(heard, text);
}

#endif
