/* How long does a call take of what a manager elsewhere serves, over a Unix socket and over TCP;
 * one by one, and many sent before their answers are awaited? The floor is as many bytes over a
 * bare socket, in as many writes.
 *
 *     manager_round_trip [quick]
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/redis.h"
#include "peers/served.h"

enum { KEYS = 1000, BATCH_MOST = 1024, REQUEST = 64, ANSWER = 24 };

typedef struct trip {
    bool tcp;
    const int *cpus; /* of the client and of the server */
    long times;
    long batch; /* 0: by the verb of a dict, one by one */
    enum { GET, SET } what;
    unsigned clients;
    int bare[2];
} trip;

/* ---- ours ------------------------------------------------------------------------------------ */

static kin_manager *manager;
static kin_obj held;
static kin_shared_dict *dict;

static void enter(unsigned index, const void *arg)
{
    (void)index;
    (void)arg;
    manager = served_connect();
    KIN_CHECK(kin_manager_call(manager, "dict", kin_args(), &held));
    dict = kin_as(kin_shared_dict, held);
}

static void call_one(const trip *t, long i)
{
    kin_obj o;
    kin_obj key = kin_int(i * 7919 % KEYS);
    if (t->what == GET) {
        KIN_CHECK(kin_shared_dict_get(dict, key, &o));
    } else {
        KIN_CHECK(kin_shared_dict_set(dict, key, kin_int(i)));
    }
}

static void call_many(const trip *t, long first)
{
    static kin_obj results[BATCH_MOST];
    KIN_CHECK(kin_manager_begin_batch(manager));
    for (long i = 0; i < t->batch; i++) {
        kin_obj key = kin_int((first + i) * 7919 % KEYS);
        if (t->what == GET) {
            KIN_CHECK(kin_proxy_call(dict, "__getitem__", kin_args(key), &results[i]));
        } else {
            KIN_CHECK(kin_proxy_call(dict, "__setitem__", kin_args(key, kin_int(i)), &results[i]));
        }
    }
    BENCH_MUST(kin_manager_end_batch(manager) == 0);
}

static void play(unsigned index, const void *arg)
{
    const trip *t = arg;
    (void)index;
    if (t->batch == 0) {
        for (long i = 0; i < t->times; i++) {
            call_one(t, i);
        }
    } else {
        for (long i = 0; i < t->times; i += t->batch) {
            call_many(t, i);
        }
    }
}

static double ours(const void *arg)
{
    const trip *t = arg;
    return bench_team_entered(t->clients, t->cpus, enter, play, t) /
           (double)(t->times * t->clients);
}

/* ---- the floor ------------------------------------------------------------------------------- */

static void read_all(int fd, size_t size)
{
    static char bytes[BATCH_MOST * REQUEST];
    for (ssize_t n; size > 0; size -= (size_t)n) {
        n = read(fd, bytes, size);
        BENCH_MUST(n > 0);
    }
}

static void write_all(int fd, size_t size)
{
    static const char bytes[BATCH_MOST * REQUEST];
    BENCH_MUST(write(fd, bytes, size) == (ssize_t)size);
}

static void play_bare(unsigned index, const void *arg)
{
    const trip *t = arg;
    size_t n = t->batch == 0 ? 1 : (size_t)t->batch;
    for (long i = 0; i < t->times; i += (long)n) {
        if (index == 0) {
            write_all(t->bare[0], n * REQUEST);
            read_all(t->bare[0], n * ANSWER);
        } else {
            read_all(t->bare[1], n * REQUEST);
            write_all(t->bare[1], n * ANSWER);
        }
    }
}

static double bare(const void *arg)
{
    const trip *t = arg;
    return bench_team(2, t->cpus, play_bare, t) / (double)t->times;
}

static void connect_bare(trip *t)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof at;
    const int yes = 1;
    if (!t->tcp) {
        BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, t->bare) == 0);
        return;
    }
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    t->bare[0] = socket(AF_INET, SOCK_STREAM, 0);
    BENCH_MUST(bind(listener, (struct sockaddr *)&at, size) == 0 && listen(listener, 1) == 0);
    BENCH_MUST(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    BENCH_MUST(connect(t->bare[0], (struct sockaddr *)&at, size) == 0);
    t->bare[1] = accept(listener, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        BENCH_MUST(setsockopt(t->bare[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0);
    }
    close(listener);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void name_it(const trip *t, char *name, size_t size)
{
    int n = snprintf(name, size, "proxy: %s, %s", t->what == GET ? "get" : "set",
                     t->tcp ? "TCP" : "Unix");
    if (t->batch != 0) {
        n += snprintf(name + n, size - (size_t)n, ", %ld at a time", t->batch);
    }
    if (t->clients > 1) {
        n += snprintf(name + n, size - (size_t)n, ", %u clients", t->clients);
    }
    snprintf(name + n, size - (size_t)n, "%s", t->cpus[1] == 0 ? ", one processor" : "");
}

static void ask(trip t, int rounds)
{
    char name[100];
    char script[80];
    redis_job job = { t.what == GET ? REDIS_GET : REDIS_SET,
                      t.clients,
                      t.cpus,
                      t.times,
                      t.batch != 0 ? t.batch : 1,
                      KEYS,
                      0 };
    name_it(&t, name, sizeof name);
    snprintf(script, sizeof script, "manager.py %s %u 1000 %s", t.what == GET ? "get" : "set",
             t.clients, t.tcp ? "tcp" : "");
    bench_case c = { .name = name,
                     .unit = t.batch != 0 ? "M/s" : "us",
                     .ours = ours,
                     .floor = bare,
                     .floor_is = "as many bytes over a bare socket, of one client",
                     .peer = t.cpus[1] == 0 ? NULL : script,
                     .conditions = t.cpus[1] == 0 ? "all on cpu 0" : "servers on cpu 1",
                     .rounds = rounds,
                     .arg = &t };
    served_start(t.tcp ? SERVED_TCP : SERVED_UNIX, t.cpus[1], KEYS);
    connect_bare(&t);
    if (redis_start(t.cpus[1], KEYS)) {
        c.others[0] = (bench_other){ "Redis over Unix", redis_seconds, &job, NULL };
    }
    bench_run(&c);
    redis_stop();
    served_stop();
    close(t.bare[0]);
    close(t.bare[1]);
}

int main(int argc, char **argv)
{
    static const int two[2] = { 0, 1 };
    static const int one[2] = { 0, 0 };
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    int rounds = quick ? 1 : 5;
    for (int tcp = 0; tcp < 2; tcp++) {
        ask((trip){ .tcp = tcp, .cpus = two, .times = 3000, .batch = 0, .what = GET, .clients = 1 },
            rounds);
        ask((trip){ .tcp = tcp, .cpus = two, .times = 3000, .batch = 0, .what = SET, .clients = 1 },
            rounds);
        ask((trip){ .tcp = tcp, .cpus = one, .times = 3000, .batch = 0, .what = GET, .clients = 1 },
            rounds);
        ask((trip){ .tcp = tcp, .cpus = two, .times = 3000, .batch = 0, .what = GET, .clients = 2 },
            rounds);
        for (long batch = 16; batch <= 1024; batch *= 8) {
            ask((trip){ .tcp = tcp,
                        .cpus = two,
                        .times = 64 * batch,
                        .batch = batch,
                        .what = GET,
                        .clients = 1 },
                rounds);
            ask((trip){ .tcp = tcp,
                        .cpus = two,
                        .times = 64 * batch,
                        .batch = batch,
                        .what = SET,
                        .clients = 1 },
                rounds);
        }
    }
    return 0;
}
