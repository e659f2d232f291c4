/* How many messages a second, and how many bytes, go over a connection one way? */
#include <kin.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/peer.h"

typedef struct stream {
    size_t size;
    long count;
    kin_conn *conns[2];
    int bare[2];
    void *zmq;
} stream;

static const int cpus[2] = { 0, 1 };
static char message[1 << 20];

static void play(unsigned index, const void *arg)
{
    const stream *s = arg;
    for (long i = 0; i < s->count; i++) {
        if (index == 0) {
            KIN_CHECK(kin_conn_send_bytes(s->conns[0], message, s->size, KIN_FOREVER));
        } else {
            KIN_CHECK(kin_conn_recv_bytes_into(s->conns[1], message, sizeof message, KIN_FOREVER));
        }
    }
}

static void play_bare(unsigned index, const void *arg)
{
    const stream *s = arg;
    size_t left = (size_t)s->count * s->size;
    while (left > 0) {
        size_t size = left < s->size ? left : s->size;
        ssize_t n = index == 0 ? write(s->bare[0], message, size) : read(s->bare[1], message, size);
        BENCH_MUST(n > 0);
        left -= (size_t)n;
    }
}

static double ours(const void *arg)
{
    const stream *s = arg;
    return bench_team(2, cpus, play, s) / (double)s->count;
}

static double bare(const void *arg)
{
    const stream *s = arg;
    return bench_team(2, cpus, play_bare, s) / (double)s->count;
}

static void enter_zmq(unsigned index, const void *arg)
{
    peer_zmq.enter(((const stream *)arg)->zmq, index);
}

static void play_zmq(unsigned index, const void *arg)
{
    const stream *s = arg;
    for (long i = 0; i < s->count; i++) {
        if (index == 0) {
            peer_zmq.put(s->zmq, message, s->size);
        } else {
            peer_zmq.get(s->zmq, message, s->size);
        }
    }
}

static double zmq(const void *arg)
{
    const stream *s = arg;
    return bench_team_entered(2, cpus, enter_zmq, play_zmq, s) / (double)s->count;
}

static void ask(const char *name, bool relatives, const char *size_name, size_t size)
{
    stream s = { .size = size, .count = size <= 1024 ? 100000 : size <= 65536 ? 20000 : 2000 };
    char title[120];
    char script[80];
    int ends[2];
    BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, s.bare) == 0);
    if (relatives) {
        KIN_CHECK(kin_pipe(&s.conns[0], &s.conns[1], true));
    } else {
        BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        KIN_CHECK(kin_conn_new(&s.conns[0], ends[0], NULL));
        KIN_CHECK(kin_conn_new(&s.conns[1], ends[1], NULL));
    }
    snprintf(title, sizeof title, "conn: one way, %s, %s", size_name, name);
    snprintf(script, sizeof script, "conn_stream.py %zu %ld", size, s.count / 10);
    bench_case question = { .name = title,
                            .unit = size <= 65536 ? "M/s" : "us",
                            .ours = ours,
                            .floor = bare,
                            .floor_is = "a bare socketpair, read and written by as much",
                            .peer = script,
                            .conditions = "on cpu 0 and cpu 1",
                            .arg = &s };
    const char *note;
    s.zmq = peer_zmq.open(&(peer_shape){ 1, 1, size, 1000 }, &note);
    if (s.zmq != NULL) {
        question.others[0] = (bench_other){ .name = peer_zmq.name, .measure = zmq, .arg = &s };
    }
    bench_run(&question);
    if (s.zmq != NULL) {
        peer_zmq.close(s.zmq);
    }
    for (int i = 0; i < 2; i++) {
        kin_conn_free(s.conns[i]);
        close(s.bare[i]);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "8 bytes", "1 KiB", "64 KiB", "1 MiB" };
    static const size_t sizes[] = { 8, 1 << 10, 64 << 10, 1 << 20 };
    KIN_CHECK(kin_init(argc, argv));
    for (int i = 0; i < 4; i++) {
        ask("strangers", false, names[i], sizes[i]);
        ask("relatives", true, names[i], sizes[i]);
    }
    return 0;
}
