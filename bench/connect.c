/* How long does it take to connect to another process, and to show each other that one knows the
 * key? */
#include <kin.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bench.h"

#define TIMES 2000
#define KEY .authkey = "secret key", .authkey_size = 10

static void play(unsigned index, const void *arg)
{
    kin_listener *const *listener = arg;
    for (int i = 0; i < TIMES; i++) {
        kin_conn *conn = NULL;
        if (index == 0) {
            KIN_CHECK(kin_connect(&conn, kin_listener_address(*listener),
                                  KIN_OPT(kin_connect_options, KEY)));
        } else {
            KIN_CHECK(kin_listener_accept(*listener, &conn, KIN_FOREVER));
        }
        kin_conn_free(conn);
    }
}

static double ours(const void *arg)
{
    kin_auto(kin_listener) listener = NULL;
    KIN_CHECK(kin_listener_new(&listener, arg, KIN_OPT(kin_listener_options, KEY)));
    return bench_team(2, NULL, play, &listener) / TIMES;
}

/* ---- the floor: the same bytes, by nobody who looks at them --------------------------------- */

static void talk(int fd, bool begins)
{
    static const size_t sizes[] = { 63, 44, 13, 63, 44, 13 }; /* to and fro, but for the middle */
    char bytes[64] = { 0 };
    for (int i = 0; i < 6; i++) {
        bool sends = begins == (i == 0 || i == 2 || i == 4);
        if (sends) {
            BENCH_MUST(write(fd, bytes, sizes[i]) == (ssize_t)sizes[i]);
        } else {
            BENCH_MUST(recv(fd, bytes, sizes[i], MSG_WAITALL) == (ssize_t)sizes[i]);
        }
    }
}

typedef struct place {
    int listener;
    struct sockaddr_un at;
    socklen_t size;
} place;

static void play_bare(unsigned index, const void *arg)
{
    const place *p = arg;
    for (int i = 0; i < TIMES; i++) {
        int fd = index == 0 ? socket(AF_UNIX, SOCK_STREAM, 0) : accept(p->listener, NULL, NULL);
        BENCH_MUST(fd >= 0);
        if (index == 0) {
            BENCH_MUST(connect(fd, (const struct sockaddr *)&p->at, p->size) == 0);
        }
        talk(fd, index == 1);
        close(fd);
    }
}

static double bare(const void *arg)
{
    (void)arg;
    place p = { .at = { .sun_family = AF_UNIX }, .size = sizeof(sa_family_t) };
    p.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    BENCH_MUST(bind(p.listener, (struct sockaddr *)&p.at, p.size) == 0);
    p.size = sizeof p.at;
    BENCH_MUST(getsockname(p.listener, (struct sockaddr *)&p.at, &p.size) == 0);
    BENCH_MUST(listen(p.listener, 128) == 0);
    double seconds = bench_team(2, NULL, play_bare, &p) / TIMES;
    close(p.listener);
    return seconds;
}

static void ask(const char *name, const char *address, const char *peer)
{
    bench_run(&(bench_case){ .name = name,
                             .unit = "us",
                             .ours = ours,
                             .floor = bare,
                             .floor_is = "a Unix socket, and as many bytes that nobody looks at",
                             .peer = peer,
                             .conditions = "not pinned",
                             .arg = address });
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    ask("connect and authenticate, over a path", NULL, "connect.py 1000 path");
    ask("connect and authenticate, over TCP", "127.0.0.1:0", "connect.py 1000 tcp");
    return 0;
}
