/* served.c - a manager in a process of its own. */
#include "served.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/bench.h"

typedef struct place {
    _Atomic bool ready;
    char address[200];
} place;

static place *the_place;
static int pid;

static void make_things(kin_manager *m, long keys)
{
    kin_shared_dict *dict;
    kin_lock *lock;
    KIN_CHECK(kin_manager_dict(m, &dict, kin_none()));
    for (long i = 0; i < keys; i++) {
        KIN_CHECK(kin_shared_dict_set(dict, kin_int(i), kin_int(i)));
    }
    KIN_CHECK(kin_manager_lock(m, &lock));
    KIN_CHECK(kin_manager_register(m, "dict", kin_shared(dict)));
    KIN_CHECK(kin_manager_register(m, "lock", kin_shared(lock)));
}

static _Noreturn void serve(const char *address, int cpu, long keys)
{
    kin_manager *m;
    bench_pin(cpu);
    KIN_CHECK(kin_manager_new(&m, NULL));
    make_things(m, keys);
    KIN_CHECK(kin_manager_serve(m, address,
                                KIN_OPT(kin_serve_options, SERVED_KEY, .allow_create = true)));
    snprintf(the_place->address, sizeof the_place->address, "%s", kin_manager_address(m));
    atomic_store(&the_place->ready, true);
    KIN_CHECK(kin_manager_join(m, KIN_FOREVER));
    kin_manager_free(m);
    _exit(0);
}

void served_start(const char *address, int cpu, long keys)
{
    the_place = the_place != NULL ? the_place : bench_shared(sizeof *the_place);
    atomic_store(&the_place->ready, false);
    (void)bench_cpus(); /* before anybody is pinned */
    pid = kin_fork();
    BENCH_MUST(pid >= 0);
    if (pid == 0) {
        serve(address, cpu, keys);
    }
    while (!atomic_load(&the_place->ready)) {
        BENCH_MUST(waitpid(pid, NULL, WNOHANG) == 0);
        sched_yield();
    }
}

void served_stop(void)
{
    int status;
    kin_manager *m = served_connect();
    KIN_CHECK(kin_manager_shutdown(m));
    kin_manager_free(m);
    BENCH_MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

kin_manager *served_connect(void)
{
    kin_manager *m;
    KIN_CHECK(
        kin_manager_connect(&m, the_place->address, KIN_OPT(kin_connect_options, SERVED_KEY)));
    return m;
}
