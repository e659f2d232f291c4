/* How long does a message take to another process and an answer back, over a connection? */
#include <kin.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/peer.h"

typedef struct trip {
    const int *cpus;
    size_t size;
    long count;
    kin_conn *conns[2];
    int bare[2];
    void *zmq[2]; /* from the member of that number to the other */
} trip;

static char message[1 << 20];

static void play(unsigned index, const void *arg)
{
    const trip *t = arg;
    kin_conn *conn = t->conns[index];
    if (index == 0) {
        KIN_CHECK(kin_conn_send_bytes(conn, message, t->size, KIN_FOREVER));
    }
    for (long i = 0; i < t->count; i++) {
        KIN_CHECK(kin_conn_recv_bytes_into(conn, message, sizeof message, KIN_FOREVER));
        if (index == 1 || i + 1 < t->count) {
            KIN_CHECK(kin_conn_send_bytes(conn, message, t->size, KIN_FOREVER));
        }
    }
}

static void read_all(int fd, size_t size)
{
    for (ssize_t n; size > 0; size -= (size_t)n) {
        n = read(fd, message, size);
        BENCH_MUST(n > 0);
    }
}

static void play_bare(unsigned index, const void *arg)
{
    const trip *t = arg;
    int fd = t->bare[index];
    if (index == 0) {
        BENCH_MUST(write(fd, message, t->size) == (ssize_t)t->size);
    }
    for (long i = 0; i < t->count; i++) {
        read_all(fd, t->size);
        if (index == 1 || i + 1 < t->count) {
            BENCH_MUST(write(fd, message, t->size) == (ssize_t)t->size);
        }
    }
}

static double ours(const void *arg)
{
    const trip *t = arg;
    return bench_team(2, t->cpus, play, t) / (double)t->count;
}

static double bare(const void *arg)
{
    const trip *t = arg;
    return bench_team(2, t->cpus, play_bare, t) / (double)t->count;
}

static void enter_zmq(unsigned index, const void *arg)
{
    const trip *t = arg;
    peer_zmq.enter(t->zmq[index], 0);
    peer_zmq.enter(t->zmq[1 - index], 1);
}

static void play_zmq(unsigned index, const void *arg)
{
    const trip *t = arg;
    for (long i = 0; i < t->count; i++) {
        if (index == 0) {
            peer_zmq.put(t->zmq[0], message, t->size);
        }
        peer_zmq.get(t->zmq[1 - index], message, t->size);
        if (index == 1) {
            peer_zmq.put(t->zmq[1], message, t->size);
        }
    }
}

static double zmq(const void *arg)
{
    const trip *t = arg;
    return bench_team_entered(2, t->cpus, enter_zmq, play_zmq, t) / (double)t->count;
}

static void ask(const char *name, bool relatives, const int *cpus, size_t size)
{
    static const char *const sizes[] = { "8 bytes", "1 KiB", "64 KiB", "1 MiB" };
    trip t = { .cpus = cpus, .size = size, .count = size > 10000 ? 600 : 3000 };
    char title[120];
    char script[80];
    int ends[2];
    BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, t.bare) == 0);
    if (relatives) {
        KIN_CHECK(kin_pipe(&t.conns[0], &t.conns[1], true));
    } else {
        BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        KIN_CHECK(kin_conn_new(&t.conns[0], ends[0], NULL));
        KIN_CHECK(kin_conn_new(&t.conns[1], ends[1], NULL));
    }
    snprintf(title, sizeof title, "conn: round trip, %s, %s",
             sizes[(size > 8) + (size > 1024) + (size > 65536)], name);
    snprintf(script, sizeof script, "conn_round_trip.py 500 %zu %d %d", size, cpus[0], cpus[1]);
    bench_case question = { .name = title,
                            .unit = "us",
                            .ours = ours,
                            .floor = bare,
                            .floor_is = "a bare socketpair",
                            .peer = script,
                            .conditions =
                                cpus[0] == cpus[1] ? "both on cpu 0" : "on cpu 0 and cpu 1",
                            .arg = &t };
    const char *note;
    for (int i = 0; i < 2; i++) {
        t.zmq[i] = peer_zmq.open(&(peer_shape){ 1, 1, size, 1000 }, &note);
    }
    if (t.zmq[1] != NULL) {
        question.others[0] = (bench_other){ .name = peer_zmq.name, .measure = zmq, .arg = &t };
    }
    bench_run(&question);
    for (int i = 0; t.zmq[1] != NULL && i < 2; i++) {
        peer_zmq.close(t.zmq[i]);
    }
    for (int i = 0; i < 2; i++) {
        kin_conn_free(t.conns[i]);
        close(t.bare[i]);
    }
}

int main(int argc, char **argv)
{
    static const int two[2] = { 0, 1 };
    static const int one[2] = { 0, 0 };
    static const size_t sizes[] = { 8, 1 << 10, 64 << 10, 1 << 20 };
    KIN_CHECK(kin_init(argc, argv));
    for (int i = 0; i < 4; i++) {
        ask("strangers", false, two, sizes[i]);
        ask("relatives", true, two, sizes[i]);
    }
    ask("strangers, one processor", false, one, 8);
    ask("relatives, one processor", true, one, 8);
    return 0;
}
