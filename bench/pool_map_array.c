/* How many structs a second go through a map over 100,000 of them, without objects?
 *
 *     pool_map_array [quick]
 */
#include <kin.h>
#include <stdatomic.h>
#include <string.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define ITEMS 100000
#define TIMES 50
#define CHUNK 80 /* of the floor's: there is no rest */

typedef struct arrays {
    kin_pool *pool;
    int64_t *in, *out; /* of the family's memory */
    int64_t *private_in, *private_out;
    _Alignas(64) _Atomic size_t next;
} arrays;

static uint64_t square_number(uint64_t n)
{
    return n * n;
}

static int square(const void *in, void *out, void *ctx)
{
    int64_t n = *(const int64_t *)in;
    (void)ctx;
    *(int64_t *)out = n * n;
    return 0;
}

static double map(const arrays *a, const int64_t *in, int64_t *out)
{
    kin_map_array how = {
        .n = ITEMS, .in = in, .in_size = sizeof *in, .out = out, .out_size = sizeof *out
    };
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        out[ITEMS - 1] = 0;
        KIN_CHECK(kin_pool_map_array(a->pool, square, &how, NULL));
        BENCH_MUST(out[ITEMS - 1] == (int64_t)(ITEMS - 1) * (ITEMS - 1));
    }
    return (kin_now() - begin) / TIMES / ITEMS;
}

static double ours(const void *arg)
{
    const arrays *a = *(arrays *const *)arg;
    return map(a, a->in, a->out);
}

static double copied(const void *arg)
{
    const arrays *a = *(arrays *const *)arg;
    return map(a, a->private_in, a->private_out);
}

static void play(unsigned index, const void *arg)
{
    arrays *a = *(arrays *const *)arg;
    (void)index;
    for (size_t i; (i = atomic_fetch_add(&a->next, CHUNK)) < (size_t)TIMES * ITEMS;) {
        const int64_t *in = a->in + i % ITEMS;
        int64_t *out = a->out + i % ITEMS;
        for (size_t k = 0; k < CHUNK; k++) {
            (void)square(&in[k], &out[k], NULL);
        }
    }
}

static double shared_index(const void *arg)
{
    static const int cpus[2] = { 0, 1 };
    atomic_store(&(*(arrays *const *)arg)->next, 0);
    return bench_team(2, cpus, play, arg) / TIMES / ITEMS;
}

static arrays *make_arrays(void)
{
    arrays *a = bench_shared(sizeof *a);
    KIN_CHECK(kin_pool_new(&a->pool, KIN_OPT(kin_pool_options, .processes = 2)));
    a->in = kin_alloc(ITEMS * sizeof *a->in);
    a->out = kin_alloc(ITEMS * sizeof *a->out);
    BENCH_MUST(a->in != NULL && a->out != NULL);
    static int64_t private_in[ITEMS];
    static int64_t private_out[ITEMS];
    a->private_in = private_in;
    a->private_out = private_out;
    for (int64_t i = 0; i < ITEMS; i++) {
        a->in[i] = i;
        private_in[i] = i;
    }
    return a;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    arrays *a = make_arrays();
    char conditions[POOL_NOTE] = "2 workers, 100,000 structs of 8 bytes, not pinned";
    bench_case question = { .name = "pool: map over an array of structs",
                            .unit = "M/s",
                            .ours = ours,
                            .floor = shared_index,
                            .floor_is = "two processes that take 80 at a time",
                            .conditions = conditions,
                            .arg = &a,
                            .rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 0 };
    pool_job job = { .work = square_number, .n = ITEMS, .workers = 2, .times = 20, .each = true };
    for (uint64_t i = 0; i < ITEMS; i++) {
        job.sum += i * i;
    }
    question.others[0] = (bench_other){ .name = "kin, private arrays", .measure = copied };
    pool_peer_add(&question, &pool_peer_openmp, &job, conditions);
    pool_script_add(&question, "map", "Pool", ITEMS, conditions);
    bench_run(&question);
    kin_free(a->in);
    kin_free(a->out);
    kin_pool_free(a->pool);
    return 0;
}
