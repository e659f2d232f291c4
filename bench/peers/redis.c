/* redis.c - a redis-server in a folder of its own, and clients that write what hiredis would. */
#include "redis.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/bench.h"

static struct {
    int pid, owner;
    char folder[40], path[60];
} server;

static int client;     /* of a team's member */
static char *requests; /* of a batch */
static char answers[1 << 16];

/* ---- the server ----------------------------------------------------------------------------- */

static _Noreturn void become_redis(int cpu)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(cpu);
    BENCH_MUST(freopen("/dev/null", "w", stdout) != NULL);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server.path, "--save", "",
           "--appendonly", "no", "--daemonize", "no", (char *)NULL);
    _exit(127);
}

static int connect_to_server(void)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    memcpy(at.sun_path, server.path, sizeof server.path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    BENCH_MUST(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Also at the program's end, whatever the reason; not at that of its children. */
void redis_stop(void)
{
    if (server.pid != 0 && server.owner == getpid()) {
        kill(server.pid, SIGKILL);
        waitpid(server.pid, NULL, 0);
        unlink(server.path);
        rmdir(server.folder);
        server.pid = 0;
    }
}

static void wait_until_it_listens(void)
{
    for (int fd = -1; fd < 0; usleep(1000)) {
        fd = connect_to_server();
        BENCH_MUST(fd >= 0 || waitpid(server.pid, NULL, WNOHANG) == 0);
        close(fd);
    }
}

/* ---- clients -------------------------------------------------------------------------------- */

/* Adds one request behind the others; returns its size. */
static size_t write_request(char *to, const redis_job *job, long i)
{
    static const char *const verbs[] = { "GET", "SET", "INCRBY", "RPUSH" };
    char key[24];
    char number[24];
    int length = snprintf(key, sizeof key, "%ld", i * 7919 % job->keys);
    int digits = snprintf(number, sizeof number, "%ld", job->what == REDIS_ADD ? 1 : i);
    long size = job->size != 0 ? job->size : digits;
    char *at =
        to + sprintf(to, "*%d\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", job->what == REDIS_GET ? 2 : 3,
                     strlen(verbs[job->what]), verbs[job->what], length, key);
    if (job->what != REDIS_GET) {
        at += sprintf(at, "$%ld\r\n", size);
        memset(at, 'v', (size_t)size);
        memcpy(at, number, job->size != 0 ? 0 : (size_t)digits);
        at += size;
        *at++ = '\r';
        *at++ = '\n';
    }
    return (size_t)(at - to);
}

static void write_all(const char *from, size_t size)
{
    for (ssize_t n; size > 0; from += n, size -= (size_t)n) {
        n = write(client, from, size);
        BENCH_MUST(n > 0);
    }
}

/* An answer is a line; that of GET two. No value has the end of a line in it. */
static void read_lines(long lines)
{
    while (lines > 0) {
        ssize_t n = read(client, answers, sizeof answers);
        BENCH_MUST(n > 0 && answers[0] != '-');
        for (char *at = answers; (at = memchr(at, '\n', (size_t)(answers + n - at))) != NULL;
             at++) {
            lines--;
        }
    }
}

static void enter(unsigned index, const void *arg)
{
    const redis_job *job = arg;
    (void)index;
    client = connect_to_server();
    requests = malloc((size_t)(job->batch * (200 + job->size)));
    BENCH_MUST(client >= 0 && requests != NULL);
}

static void play(unsigned index, const void *arg)
{
    const redis_job *job = arg;
    (void)index;
    for (long i = 0; i < job->times; i += job->batch) {
        size_t size = 0;
        for (long k = 0; k < job->batch; k++) {
            size += write_request(requests + size, job, i + k);
        }
        write_all(requests, size);
        read_lines(job->what == REDIS_GET ? 2 * job->batch : job->batch);
    }
}

double redis_seconds(const void *job)
{
    const redis_job *j = job;
    return bench_team_entered(j->clients, j->cpus, enter, play, j) /
           (double)(j->times * j->clients);
}

/* ---- both ------------------------------------------------------------------------------------ */

bool redis_start(int cpu, long keys)
{
    static bool before;
    if (system("command -v redis-server >/dev/null") != 0) {
        return false;
    }
    strcpy(server.folder, "/tmp/kin-bench-XXXXXX");
    BENCH_MUST(mkdtemp(server.folder) != NULL);
    snprintf(server.path, sizeof server.path, "%s/redis", server.folder);
    server.owner = getpid();
    server.pid = fork();
    BENCH_MUST(server.pid >= 0);
    if (server.pid == 0) {
        become_redis(cpu);
    }
    BENCH_MUST(before || atexit(redis_stop) == 0);
    before = true;
    wait_until_it_listens();
    redis_seconds(&(redis_job){ REDIS_SET, 1, NULL, keys, 1, keys, 0 });
    return true;
}
