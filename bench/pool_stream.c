/* How many tasks a second, when each is a message of its own: all submitted, then all results?
 *
 *     pool_stream [quick]
 */
#include <kin.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench.h"
#include "common/ring.h"
#include "peers/pool_peer.h"

#define TASKS 65536

typedef struct calls {
    kin_pool *pool;
    kin_future **futures;
    spin_ring *there;
    spin_ring *back;
} calls;

static uint64_t same_number(uint64_t number)
{
    return number;
}

static kin_obj same(kin_obj args)
{
    return kin_arg(args, 0);
}

static double ours(const void *arg)
{
    const calls *c = arg;
    double begin = kin_now();
    for (int i = 0; i < TASKS; i++) {
        KIN_CHECK(kin_pool_submit(c->pool, same, kin_args(kin_int(i)), NULL, &c->futures[i]));
    }
    for (int i = 0; i < TASKS; i++) {
        kin_obj result;
        KIN_CHECK(kin_future_get(c->futures[i], &result, KIN_FOREVER));
        BENCH_MUST(kin_as_int(result) == i);
        kin_future_free(c->futures[i]);
    }
    return (kin_now() - begin) / TASKS;
}

/* The master submits and collects; a worker sends back what comes. */
static void play(unsigned index, const void *arg)
{
    const calls *c = arg;
    uint64_t message = 1;
    for (int i = 0; i < TASKS; i++) {
        if (index == 1) {
            spin_ring_get(c->there, &message);
        }
        spin_ring_put(index == 0 ? c->there : c->back, &message);
    }
    for (int i = 0; index == 0 && i < TASKS; i++) {
        spin_ring_get(c->back, &message);
    }
}

static double ring(const void *arg)
{
    static const int cpus[2] = { 0, 1 };
    return bench_team(2, cpus, play, arg) / TASKS;
}

static void add_peers(bench_case *c, char *note)
{
    static const pool_peer *const peers[] = { &pool_peer_glib, &pool_peer_libuv, &pool_peer_fork };
    for (int i = 0; i < 3; i++) {
        size_t n = peers[i] == &pool_peer_fork ? 1000 : TASKS;
        pool_job job = { .work = same_number, .n = n, .workers = 2, .times = 1, .each = true };
        job.sum = (uint64_t)n * (n - 1) / 2;
        pool_peer_add(c, peers[i], &job, note);
    }
    pool_script_add(c, "stream", "Pool", 20000, note);
    pool_script_add(c, "stream", "executor", 5000, note);
    pool_script_add(c, "stream", "loky", 5000, note);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    char conditions[POOL_NOTE] = "2 workers, an int there and back, not pinned";
    calls c = { .futures = calloc(TASKS, sizeof *c.futures),
                .there = spin_ring_new(TASKS, 8),
                .back = spin_ring_new(TASKS, 8) };
    BENCH_MUST(c.futures != NULL);
    KIN_CHECK(kin_pool_new(&c.pool, KIN_OPT(kin_pool_options, .processes = 2)));
    bench_case question = { .name = "pool: one message a task, all submitted, then all results",
                            .unit = "M/s",
                            .ours = ours,
                            .floor = ring,
                            .floor_is = "two spinning rings to one worker and back",
                            .conditions = conditions,
                            .arg = &c,
                            .rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 0 };
    add_peers(&question, conditions);
    bench_run(&question);
    kin_pool_free(c.pool);
    free(c.futures);
    return 0;
}
