/* What do a manager and its things cost: to start and stop, to make a dict, in the family and
 * elsewhere, an attribute of a namespace, a lock?
 *
 *     manager_make [quick]
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/served.h"

typedef struct question {
    bench_role ours, floor;
    long times, floor_times;
    const char *address;
    unsigned team; /* members of the floor: 2 when there is a server */
} question;

static const int two[2] = { 0, 1 };
static kin_shared_namespace *space;
static kin_manager *manager; /* elsewhere */
static kin_shared_dict *dict;
static kin_lock *lock;
static kin_obj held[2];
static int bare[2];

static void enter(unsigned index, const void *arg)
{
    (void)index;
    if (((const question *)arg)->team == 2) {
        manager = served_connect();
        KIN_CHECK(kin_manager_call(manager, "dict", kin_args(), &held[0]));
        KIN_CHECK(kin_manager_call(manager, "lock", kin_args(), &held[1]));
        dict = kin_as(kin_shared_dict, held[0]);
        lock = kin_as(kin_lock, held[1]);
    }
}

static double ours(const void *arg)
{
    const question *q = arg;
    return bench_team_entered(1, two, enter, q->ours, q) / (double)q->times;
}

static double least(const void *arg)
{
    const question *q = arg;
    return bench_team(q->team, two, q->floor, q) / (double)q->floor_times;
}

/* ---- in the family --------------------------------------------------------------------------- */

static void start_and_stop(unsigned index, const void *arg)
{
    const question *q = arg;
    (void)index;
    for (long i = 0; i < q->times; i++) {
        kin_manager *m;
        KIN_CHECK(kin_manager_new(&m, NULL));
        KIN_CHECK(kin_manager_serve(m, q->address, KIN_OPT(kin_serve_options, SERVED_KEY)));
        kin_manager_free(m);
    }
}

static void *accept_none(void *arg)
{
    BENCH_MUST(accept(*(int *)arg, NULL, NULL) < 0);
    return NULL;
}

static void listen_and_stop(unsigned index, const void *arg)
{
    const question *q = arg;
    sa_family_t family = q->address[0] != '@' ? AF_INET : AF_UNIX;
    (void)index;
    for (long i = 0; i < q->floor_times; i++) {
        struct sockaddr_in at = { .sin_family = family };
        pthread_t thread;
        int fd = socket(family, SOCK_STREAM, 0);
        BENCH_MUST(
            bind(fd, (struct sockaddr *)&at, family == AF_UNIX ? sizeof family : sizeof at) == 0);
        BENCH_MUST(listen(fd, 128) == 0);
        BENCH_MUST(pthread_create(&thread, NULL, accept_none, &fd) == 0);
        BENCH_MUST(shutdown(fd, SHUT_RDWR) == 0 && pthread_join(thread, NULL) == 0);
        close(fd);
    }
}

static void make_dict(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        kin_shared_dict *made;
        KIN_CHECK(kin_shared_dict_new(&made, NULL));
        kin_shared_dict_free(made);
    }
}

static void make_by_malloc(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->floor_times; i++) {
        char *volatile made = calloc(1, 256);
        BENCH_MUST(made != NULL);
        free(made);
    }
}

static void get_attribute(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        kin_obj o;
        KIN_CHECK(kin_shared_namespace_get(space, "a", &o));
    }
}

static void set_attribute(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        KIN_CHECK(kin_shared_namespace_set(space, "a", kin_int(i)));
    }
}

static void set_long(unsigned index, const void *arg)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static long number;
    volatile long *at = &number;
    (void)index;
    for (long i = 0; i < ((const question *)arg)->floor_times; i++) {
        pthread_mutex_lock(&mutex);
        *at = i;
        pthread_mutex_unlock(&mutex);
    }
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

static void make_dict_there(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        kin_shared_dict *made;
        KIN_CHECK(kin_manager_dict(manager, &made, kin_none()));
        kin_shared_dict_free(made);
    }
}

static void ask_for_proxy(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        kin_obj o;
        KIN_CHECK(kin_manager_call(manager, "dict", kin_args(), &o));
        kin_release(o);
    }
}

static void use_lock(unsigned index, const void *arg)
{
    (void)index;
    for (long i = 0; i < ((const question *)arg)->times; i++) {
        KIN_CHECK(kin_lock_acquire(lock, KIN_FOREVER));
        KIN_CHECK(kin_lock_release(lock));
    }
}

static void play_bare(unsigned index, const void *arg)
{
    char bytes[64] = { 0 };
    for (long i = 0; i < ((const question *)arg)->floor_times; i++) {
        BENCH_MUST(index != 0 || write(bare[0], bytes, sizeof bytes) == sizeof bytes);
        BENCH_MUST(read(bare[index], bytes, sizeof bytes) == sizeof bytes);
        BENCH_MUST(index != 1 || write(bare[1], bytes, sizeof bytes) == sizeof bytes);
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int rounds;

static void ask_here(bench_case c, question q)
{
    c.conditions = "on cpu 0";
    c.rounds = rounds;
    c.ours = ours;
    c.floor = least;
    c.arg = &q;
    bench_run(&c);
}

static void ask_there(const char *address, const char *name, const char *peer, bench_role role)
{
    char title[80];
    question q = { role, play_bare, 1000, 3000, address, 2 };
    snprintf(title, sizeof title, "%s, %s", name, address[0] != '@' ? "TCP" : "Unix");
    bench_run(&(bench_case){ .name = title,
                             .unit = "us",
                             .ours = ours,
                             .floor = least,
                             .floor_is = "one round trip over a bare socketpair",
                             .peer = peer,
                             .conditions = "servers on cpu 1",
                             .rounds = rounds,
                             .arg = &q });
}

static void ask_all_here(void)
{
    ask_here((bench_case){ .name = "manager: start and stop, Unix",
                           .unit = "us",
                           .peer = "manager.py start 1 10",
                           .floor_is = "a socket that listens, and a thread" },
             (question){ start_and_stop, listen_and_stop, 200, 200, SERVED_UNIX, 1 });
    ask_here((bench_case){ .name = "manager: start and stop, TCP",
                           .unit = "us",
                           .peer = "manager.py start 1 10 tcp",
                           .floor_is = "a socket that listens, and a thread" },
             (question){ start_and_stop, listen_and_stop, 200, 200, SERVED_TCP, 1 });
    ask_here((bench_case){ .name = "dict: make one and free it",
                           .unit = "us",
                           .peer = "manager.py make 1 30",
                           .floor_is = "calloc and free" },
             (question){ make_dict, make_by_malloc, 100000, 1000000, NULL, 1 });
    ask_here((bench_case){ .name = "namespace: get an attribute",
                           .unit = "M/s",
                           .peer = "manager.py attribute 1 1000",
                           .floor_is = "a number and a mutex" },
             (question){ get_attribute, set_long, 400000, 1000000, NULL, 1 });
    ask_here((bench_case){ .name = "namespace: set an attribute",
                           .unit = "M/s",
                           .peer = "manager.py set_attribute 1 1000",
                           .floor_is = "a number and a mutex" },
             (question){ set_attribute, set_long, 400000, 1000000, NULL, 1 });
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 5;
    KIN_CHECK(kin_shared_namespace_new(&space, NULL));
    KIN_CHECK(kin_shared_namespace_set(space, "a", kin_int(1)));
    BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, bare) == 0);
    ask_all_here();
    for (int tcp = 0; tcp < 2; tcp++) {
        const char *address = tcp ? SERVED_TCP : SERVED_UNIX;
        served_start(address, 1, 1000);
        ask_there(address, "proxy: make a dict and free it",
                  tcp ? "manager.py make 1 10 tcp" : "manager.py make 1 30", make_dict_there);
        ask_there(address, "proxy: of a thing that is there, and back", NULL, ask_for_proxy);
        ask_there(address, "proxy: acquire and release a lock",
                  tcp ? "manager.py lock 1 500 tcp" : "manager.py lock 1 500", use_lock);
        served_stop();
    }
    kin_shared_namespace_free(space);
    return 0;
}
