/* How does a pool bear more of everything: tasks that wait, bytes for each, workers? There should
 * be no cliff in it.
 *
 *     pool_growth [quick]
 *     pool_growth 10000000 0 2         ten million tasks without payload, 2 workers
 *     pool_growth 16 67108864 2        16 tasks of 64 MiB
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define ENOUGH 0.05             /* seconds that a sample should last at least */
#define PEERS_MOST 100000       /* tasks that CPython is asked for */
#define WAITING_MOST (1l << 28) /* bytes in all, unless more is asked for */

typedef struct shape {
    long tasks;
    size_t size;
    unsigned workers;
} shape;

typedef struct growth {
    bench_series whole, submit, glib, python; /* seconds for a task */
    double bytes;                             /* that the domain holds for one, when all have run */
} growth;

static int rounds = 3;
static unsigned char *payload;
static kin_future **futures;

static uint64_t same_number(uint64_t number)
{
    return number;
}

static kin_obj same(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj length(kin_obj args)
{
    return kin_int((int64_t)kin_len(kin_arg(args, 1)));
}

static uint64_t used(void)
{
    kin_usage_info usage;
    KIN_CHECK(kin_usage(&usage));
    return usage.used;
}

static double submit_all(kin_pool *pool, const shape *s)
{
    double begin = kin_now();
    for (long i = 0; i < s->tasks; i++) {
        kin_obj args =
            s->size == 0 ? kin_args(kin_int(i)) : kin_args(kin_int(i), kin_bytes(payload, s->size));
        KIN_CHECK(kin_pool_submit(pool, s->size == 0 ? same : length, args, NULL, &futures[i]));
    }
    return kin_now() - begin;
}

static double get_all(const shape *s)
{
    double begin = kin_now();
    for (long i = 0; i < s->tasks; i++) {
        kin_obj result;
        KIN_CHECK(kin_future_get(futures[i], &result, KIN_FOREVER));
        BENCH_MUST(kin_as_int(result) == (s->size == 0 ? i : (int64_t)s->size));
        kin_future_free(futures[i]);
    }
    return kin_now() - begin;
}

/* How much the domain holds meanwhile is asked first, and not timed. */
static double bytes_of(kin_pool *pool, const shape *s)
{
    uint64_t before = used();
    (void)submit_all(pool, s);
    KIN_CHECK(kin_future_wait(futures[s->tasks - 1], KIN_FOREVER));
    double bytes = (double)(used() - before) / (double)s->tasks;
    (void)get_all(s);
    return bytes;
}

static void ask_ours(kin_pool *pool, const shape *s, growth *g)
{
    double submit = 0;
    double get = 0;
    double times = 0;
    for (; submit + get < ENOUGH; times += (double)s->tasks) {
        submit += submit_all(pool, s);
        get += get_all(s);
    }
    g->submit.round[g->submit.rounds++] = submit / times;
    g->whole.round[g->whole.rounds++] = (submit + get) / times;
}

/* ---- peers, who send no payload -------------------------------------------------------------- */

static double ask_glib(const shape *s)
{
    long n = s->tasks;
    pool_job job = { .work = same_number, .n = (size_t)n, .workers = s->workers, .each = true };
    job.times = 1 + 50000 / n;
    job.sum = (uint64_t)n * (uint64_t)(n - 1) / 2;
    return s->size == 0 ? pool_peer_seconds(&pool_peer_glib, &job) : 0;
}

static double ask_python(const shape *s)
{
    char arguments[60];
    double seconds = 0;
    snprintf(arguments, sizeof arguments, "stream Pool %ld %u", s->tasks, s->workers);
    FILE *answer = s->size == 0 && s->tasks <= PEERS_MOST ? pool_script(arguments) : NULL;
    if (answer != NULL) {
        BENCH_MUST(fscanf(answer, "%lf", &seconds) == 1 && pclose(answer) == 0);
    }
    return seconds;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void print_peer(const char *who, const bench_series *s, const char *unit)
{
    if (s->round[0] > 0) {
        printf("\"%s\": {", who);
        bench_series_print("whole", s, unit);
        printf("}, ");
    }
}

static void print(const growth *g, const shape *s)
{
    const char *unit = s->size == 0 ? "M/s" : "us";
    double load = 0;
    (void)getloadavg(&load, 1);
    printf("{\"bench\": \"pool: growth, %ld tasks of %zu bytes, %u worker%s\", \"unit\": \"%s\", "
           "\"ours\": {",
           s->tasks, s->size, s->workers, s->workers == 1 ? "" : "s", unit);
    bench_series_print("whole", &g->whole, unit);
    printf(", ");
    bench_series_print("submit", &g->submit, unit);
    printf(", \"bytes\": %.1f}, ", g->bytes);
    print_peer("GLib", &g->glib, unit);
    print_peer("CPython", &g->python, unit);
    printf("\"conditions\": \"all submitted, then all results; not pinned, %d cpus, load %.1f\"}\n",
           bench_cpus(), load);
    fflush(stdout);
}

static void ask(long tasks, size_t size, unsigned workers)
{
    shape s = { tasks, size, workers };
    growth g = { 0 };
    kin_pool *pool;
    futures = calloc((size_t)tasks, sizeof(kin_future *));
    payload = calloc(1, size + 1);
    BENCH_MUST(futures != NULL && payload != NULL);
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = workers)));
    alarm(100);
    g.bytes = bytes_of(pool, &s);
    for (int i = 0; i < rounds; i++) {
        alarm(100);
        ask_ours(pool, &s, &g);
        g.glib.round[g.glib.rounds++] = ask_glib(&s);
        g.python.round[g.python.rounds++] = ask_python(&s);
    }
    alarm(0);
    print(&g, &s);
    kin_pool_free(pool);
    free(futures);
    free(payload);
}

static void ask_all(bool quick)
{
    for (long tasks = 100; tasks <= (quick ? 10000 : 1000000); tasks *= 10) {
        ask(tasks, 0, 2);
    }
    for (size_t size = 64; size <= (quick ? 1u << 18 : 1u << 26); size *= 16) {
        long most = WAITING_MOST / (long)size;
        ask(most > 10000 ? 10000 : most, size, 2);
    }
    for (unsigned workers = 1; workers <= 64; workers *= 2) {
        ask(quick ? 1000 : 20000, 0, workers);
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    rounds = quick ? 1 : rounds;
    if (argc == 4) {
        ask(atol(argv[1]), (size_t)atol(argv[2]), (unsigned)atoi(argv[3]));
    } else {
        ask_all(quick);
    }
    return 0;
}
