/* How many ints a second are squared by a map over 100,000 of them, with chunks as they come?
 *
 *     pool_map [quick]
 */
#include <kin.h>
#include <stdatomic.h>
#include <string.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define ITEMS 100000
#define TIMES 20
#define CHUNK 80 /* of the floor's: there is no rest */

typedef struct loop {
    kin_pool *pool;
    _Alignas(64) _Atomic long next;
    _Alignas(64) int64_t results[ITEMS];
} loop;

static uint64_t square_number(uint64_t n)
{
    return n * n;
}

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static double ours(const void *arg)
{
    const loop *l = *(loop *const *)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        kin_obj squares;
        KIN_CHECK(kin_pool_map(l->pool, square, kin_range(0, ITEMS), NULL, &squares));
        BENCH_MUST(kin_len(squares) == ITEMS);
        BENCH_MUST(kin_as_int(kin_at(squares, ITEMS - 1)) == (int64_t)(ITEMS - 1) * (ITEMS - 1));
        kin_release(squares);
    }
    return (kin_now() - begin) / TIMES / ITEMS;
}

static void play(unsigned index, const void *arg)
{
    loop *l = *(loop *const *)arg;
    (void)index;
    for (;;) {
        long first = atomic_fetch_add(&l->next, CHUNK);
        if (first >= (long)TIMES * ITEMS) {
            return;
        }
        for (long i = first % ITEMS, end = i + CHUNK; i < end; i++) {
            l->results[i] = (int64_t)square_number((uint64_t)i);
        }
    }
}

static double shared_index(const void *arg)
{
    static const int cpus[2] = { 0, 1 };
    atomic_store(&(*(loop *const *)arg)->next, 0);
    return bench_team(2, cpus, play, arg) / TIMES / ITEMS;
}

static void add_peers(bench_case *c, char *note)
{
    static const pool_peer *const peers[] = { &pool_peer_glib, &pool_peer_openmp };
    pool_job job = { .work = square_number, .n = ITEMS, .workers = 2, .times = 5, .each = true };
    for (uint64_t i = 0; i < ITEMS; i++) {
        job.sum += i * i;
    }
    pool_peer_add(c, peers[0], &job, note);
    pool_peer_add(c, peers[1], &job, note);
    pool_script_add(c, "map", "Pool", ITEMS, note);
    pool_script_add(c, "map", "executor", ITEMS, note);
    pool_script_add(c, "map", "loky", ITEMS, note);
    pool_script_add(c, "map", "joblib", ITEMS, note);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    loop *l = bench_shared(sizeof *l);
    KIN_CHECK(kin_pool_new(&l->pool, KIN_OPT(kin_pool_options, .processes = 2)));
    char conditions[POOL_NOTE] = "2 workers, 100,000 ints, not pinned; GLib has no chunks";
    bench_case question = { .name = "pool: map over ints, automatic chunks",
                            .unit = "M/s",
                            .ours = ours,
                            .floor = shared_index,
                            .floor_is = "two processes that take 80 at a time of an array",
                            .conditions = conditions,
                            .arg = &l,
                            .rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 0 };
    add_peers(&question, conditions);
    bench_run(&question);
    kin_pool_free(l->pool);
    return 0;
}
