/* What does it cost to start a process, by each method, and to join it? Of a parent that has little
 * memory, and of one that has much. */
#include <kin.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench.h"

#define MIB ((size_t)1 << 20)
#define LARGE (1024 * MIB)
#define LEAVE_AT_ONCE "leave at once"

extern char **environ;

typedef struct start {
    const char *method;
    int times;
} start;

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

static double ours(const void *arg)
{
    const start *s = arg;
    double begin = kin_now();
    for (int i = 0; i < s->times; i++) {
        kin_process *child;
        KIN_CHECK(kin_start(&child, nothing, kin_args(),
                            KIN_OPT(kin_process_options, .start_method = s->method)));
        KIN_CHECK(kin_process_join(child, KIN_FOREVER));
        BENCH_MUST(kin_process_exitcode(child) == 0);
        kin_process_free(child);
    }
    return (kin_now() - begin) / s->times;
}

/* ---- floors --------------------------------------------------------------------------- */

static void await(pid_t pid)
{
    int status;
    BENCH_MUST(waitpid(pid, &status, 0) == pid && status == 0);
}

static void fork_one(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    await(pid);
}

static double bare_fork(const void *arg)
{
    const start *s = arg;
    double begin = kin_now();
    for (int i = 0; i < s->times; i++) {
        fork_one();
    }
    return (kin_now() - begin) / s->times;
}

/* This very program, which goes through ld.so and comes to its main, as a spawned child does. */
static double bare_spawn(const void *arg)
{
    const start *s = arg;
    char *argv[] = { "process_start", LEAVE_AT_ONCE, NULL };
    double begin = kin_now();
    for (int i = 0; i < s->times; i++) {
        pid_t pid;
        BENCH_MUST(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0);
        await(pid);
    }
    return (kin_now() - begin) / s->times;
}

static int line; /* to the bare server */

static _Noreturn void serve(int starter)
{
    for (char byte; read(starter, &byte, 1) == 1;) {
        fork_one();
        BENCH_MUST(write(starter, &byte, 1) == 1);
    }
    _exit(0);
}

static void begin_bare_server(void)
{
    int ends[2];
    BENCH_MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t pid = fork();
    BENCH_MUST(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        serve(ends[1]);
    }
    close(ends[1]);
    line = ends[0];
}

static double bare_request(const void *arg)
{
    const start *s = arg;
    char byte = 0;
    double begin = kin_now();
    for (int i = 0; i < s->times; i++) {
        BENCH_MUST(write(line, &byte, 1) == 1 && read(line, &byte, 1) == 1);
    }
    return (kin_now() - begin) / s->times;
}

/* ---- asking --------------------------------------------------------------------------- */

static bench_case by(const char *method)
{
    bench_case c = { .unit = "ms" };
    if (strcmp(method, "fork") == 0) {
        c.floor = bare_fork;
        c.floor_is = "fork, _exit, waitpid";
    } else if (strcmp(method, "spawn") == 0) {
        c.floor = bare_spawn;
        c.floor_is = "posix_spawn of this program, whose main returns, waitpid";
    } else {
        c.floor = bare_request;
        c.floor_is = "a byte to a server, which forks, waits and sends one back";
    }
    return c;
}

static void ask(const char *method, const char *size, int times, int peers_times)
{
    char name[80];
    char peer[80];
    snprintf(name, sizeof name, "process: start and join, by %s, %s MiB", method, size);
    snprintf(peer, sizeof peer, "process_start.py %s %s %d", method, size, peers_times);
    bench_case c = by(method);
    c.name = name;
    c.ours = ours;
    c.peer = peer;
    c.conditions = "all on one processor";
    c.arg = &(start){ method, times };
    bench_run(&c);
}

static void fill_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    BENCH_MUST(memory != MAP_FAILED);
    memset(memory, 1, size);
}

/* Room for a peer as large as we are, and some. */
static bool may_be_large(void)
{
    return (size_t)sysconf(_SC_AVPHYS_PAGES) > 4 * LARGE / (size_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], LEAVE_AT_ONCE) == 0) {
        return 0;
    }
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    begin_bare_server(); /* as small as a server should be */
    fill_memory(10 * MIB);
    ask("fork", "10", 300, 60);
    ask("spawn", "10", 60, 8);
    ask("forkserver", "10", 200, 20);
    if (!may_be_large()) {
        fprintf(stderr, "process_start: less than 4 GiB free, nothing said of large parents\n");
        return 0;
    }
    fill_memory(LARGE);
    ask("fork", "1024", 4, 4);
    ask("spawn", "1024", 60, 8);
    ask("forkserver", "1024", 200, 20);
    return 0;
}
