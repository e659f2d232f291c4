/* What does a pool cost that has nothing to do? How often its processes wake in a second, and how
 * long they run: of kin's its nursery and its workers, of CPython's also who made it.
 *
 *     pool_idle
 */
#include <dirent.h>
#include <kin.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define WORKERS 4
#define ROUNDS 3
#define FAMILY_MOST 64

/* Of processes, with all their threads, since they began. */
typedef struct cost {
    long processes;
    long wakes;     /* times that they gave a processor away, or lost it */
    double seconds; /* that they ran */
} cost;

static long field(const char *path, const char *name)
{
    char line[200];
    long value = 0;
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value += strtol(line + strlen(name), NULL, 10);
        }
    }
    (void)(f == NULL || fclose(f));
    return value;
}

static void add_thread(cost *c, const char *folder, const char *thread)
{
    char path[320];
    snprintf(path, sizeof path, "%s/%s/status", folder, thread);
    c->wakes += field(path, "voluntary_ctxt_switches:");
    c->wakes += field(path, "nonvoluntary_ctxt_switches:");
    snprintf(path, sizeof path, "%s/%s/schedstat", folder, thread);
    c->seconds += (double)field(path, "") / 1e9;
}

typedef struct family {
    long pids[FAMILY_MOST];
    size_t n;
} family;

static bool has(const family *f, long pid)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->pids[i] == pid) {
            return true;
        }
    }
    return false;
}

/* Whose parent is in it already. False: nobody was. */
static bool add_children(family *f)
{
    size_t before = f->n;
    DIR *all = opendir("/proc");
    BENCH_MUST(all != NULL);
    for (struct dirent *e; (e = readdir(all)) != NULL;) {
        char path[320];
        long pid = strtol(e->d_name, NULL, 10);
        snprintf(path, sizeof path, "/proc/%s/status", e->d_name);
        if (pid > 0 && has(f, field(path, "PPid:")) && !has(f, pid)) {
            BENCH_MUST(f->n < FAMILY_MOST);
            f->pids[f->n++] = pid;
        }
    }
    closedir(all);
    return f->n > before;
}

static void add_process(cost *c, long pid)
{
    char folder[40];
    snprintf(folder, sizeof folder, "/proc/%ld/task", pid);
    DIR *threads = opendir(folder);
    BENCH_MUST(threads != NULL);
    for (struct dirent *e; (e = readdir(threads)) != NULL;) {
        if (e->d_name[0] != '.') {
            add_thread(c, folder, e->d_name);
        }
    }
    closedir(threads);
    c->processes++;
}

/* Of a process' descendants, and of itself if that is wanted. */
static cost cost_of(const family *f, bool itself)
{
    cost c = { 0 };
    for (size_t i = itself ? 0 : 1; i < f->n; i++) {
        add_process(&c, f->pids[i]);
    }
    return c;
}

/* What a second costs, at worst of some. */
static cost watch(long pid, bool itself)
{
    cost worst = { 0 };
    family f = { .pids = { pid }, .n = 1 };
    while (add_children(&f)) {
    }
    for (int i = 0; i < ROUNDS; i++) {
        cost before = cost_of(&f, itself);
        kin_sleep(1);
        cost after = cost_of(&f, itself);
        worst.processes = after.processes;
        long wakes = after.wakes - before.wakes;
        double seconds = after.seconds - before.seconds;
        worst.wakes = wakes > worst.wakes ? wakes : worst.wakes;
        worst.seconds = seconds > worst.seconds ? seconds : worst.seconds;
    }
    return worst;
}

/* That we would see it: a process that sleeps a hundredth of a second, again and again. */
static cost restless(void)
{
    pid_t pid = fork();
    BENCH_MUST(pid >= 0);
    if (pid == 0) {
        for (;;) {
            kin_sleep(0.01);
        }
    }
    cost c = watch(pid, true);
    BENCH_MUST(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    BENCH_MUST(c.wakes > 10 && c.seconds > 0);
    return c;
}

static kin_obj same(kin_obj args)
{
    return kin_arg(args, 0);
}

static cost ours(void)
{
    kin_pool *pool;
    kin_obj results;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = WORKERS)));
    KIN_CHECK(kin_pool_map(pool, same, kin_range(0, 1000), NULL, &results));
    kin_release(results);
    kin_sleep(0.3); /* whoever looks for more goes to sleep */
    cost c = watch(getpid(), false);
    BENCH_MUST(c.processes > WORKERS);
    kin_pool_free(pool);
    return c;
}

/* No processes: there is no such kind here. */
static cost peers(const char *kind)
{
    char arguments[40];
    long pid;
    snprintf(arguments, sizeof arguments, "idle %s %d", kind, ROUNDS + 2);
    FILE *script = pool_script(arguments);
    cost c = { 0 };
    if (script != NULL && fscanf(script, "%ld", &pid) == 1) {
        kin_sleep(0.3);
        c = watch(pid, true);
    }
    (void)(script == NULL || pclose(script));
    return c;
}

static void print(const char *who, cost c)
{
    if (c.processes > 0) {
        printf("\"%s\": {\"processes\": %ld, \"wakes\": %ld, \"CPU us\": %.0f}, ", who, c.processes,
               c.wakes, c.seconds * 1e6);
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    alarm(100);
    printf("{\"bench\": \"pool: idle, %d workers\", \"unit\": \"in a second\", ", WORKERS);
    print("ours", ours());
    print("naps of 10 ms", restless());
    print("CPython", peers("Pool"));
    print("executor", peers("executor"));
    print("loky", peers("loky"));
    double load = 0;
    (void)getloadavg(&load, 1);
    printf("\"conditions\": \"the worst of %d seconds; not who made our pool; load %.1f\"}\n",
           ROUNDS, load);
    return 0;
}
