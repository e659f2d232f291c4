/* How long do the factorials of 1 to 100 take, in a pool of four that is made for them, and in one
 * that is there? Numbers go in, and numbers of up to 158 digits come back.
 *
 *     pool_factorials [quick]
 */
#include <gmp.h>
#include <kin.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define NUMBERS 100
#define WORKERS 4
#define TIMES_COLD 20
#define TIMES_WARM 500

static kin_obj factorial(kin_obj args)
{
    unsigned char digits[128];
    size_t size;
    mpz_t f;
    mpz_init(f);
    mpz_fac_ui(f, (unsigned long)kin_arg_int(args, 0));
    mpz_export(digits, &size, -1, 1, 0, 0, f);
    mpz_clear(f);
    return kin_bigint(digits, size, false);
}

static uint64_t low_word(uint64_t n)
{
    mpz_t f;
    mpz_init(f);
    mpz_fac_ui(f, n);
    uint64_t word = mpz_get_ui(f);
    mpz_clear(f);
    return word;
}

static void check_last(kin_obj last)
{
    int64_t number; /* 100! has 158 digits: it does not fit */
    BENCH_MUST(kin_to_int(last, &number) == KIN_ERANGE);
    BENCH_MUST(kin_to_bigint(last, NULL, 0, NULL) == 66);
}

static void map_all(kin_pool *pool)
{
    kin_obj results;
    KIN_CHECK(kin_pool_map(pool, factorial, kin_range(1, NUMBERS + 1), NULL, &results));
    check_last(kin_at(results, NUMBERS - 1));
    kin_release(results);
}

static void submit_each(kin_pool *pool)
{
    kin_future *futures[NUMBERS];
    kin_obj result = kin_none();
    for (int i = 0; i < NUMBERS; i++) {
        KIN_CHECK(kin_pool_submit(pool, factorial, kin_args(kin_int(i + 1)), NULL, &futures[i]));
    }
    for (int i = 0; i < NUMBERS; i++) {
        kin_release(result);
        KIN_CHECK(kin_future_get(futures[i], &result, KIN_FOREVER));
        kin_future_free(futures[i]);
    }
    check_last(result);
    kin_release(result);
}

static double cold(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES_COLD; i++) {
        kin_pool *pool;
        KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = WORKERS)));
        map_all(pool);
        KIN_CHECK(kin_pool_close(pool));
        KIN_CHECK(kin_pool_join(pool, KIN_FOREVER));
        kin_pool_free(pool);
    }
    return (kin_now() - begin) / TIMES_COLD;
}

static double warm_by(void (*all)(kin_pool *), const void *pool)
{
    double begin = kin_now();
    for (int i = 0; i < TIMES_WARM; i++) {
        all(*(kin_pool *const *)pool);
    }
    return (kin_now() - begin) / TIMES_WARM;
}

static double warm(const void *pool)
{
    return warm_by(map_all, pool);
}

static double warm_each(const void *pool)
{
    return warm_by(submit_each, pool);
}

/* ---- floors ---------------------------------------------------------------------------------- */

static double serial(const void *arg)
{
    uint64_t sum = 0;
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES_WARM; i++) {
        for (uint64_t n = 1; n <= NUMBERS; n++) {
            sum += low_word(n);
        }
    }
    BENCH_MUST(sum != 0);
    return (kin_now() - begin) / TIMES_WARM;
}

static double five_forks(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES_COLD * (WORKERS + 1); i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            _exit(0);
        }
        BENCH_MUST(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
    return (kin_now() - begin) / TIMES_COLD;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void add_peers(bench_case *c, bool is_cold, char *note)
{
    static const pool_peer *const peers[] = { &pool_peer_glib, &pool_peer_fork, &pool_peer_libuv,
                                              &pool_peer_openmp };
    static const char *const kinds[] = { "Pool", "executor", "ThreadPool", "loky" };
    pool_job job = { .work = low_word, .first = 1, .n = NUMBERS, .workers = WORKERS };
    job.times = is_cold ? TIMES_COLD : 100;
    job.cold = is_cold;
    for (uint64_t n = 1; n <= NUMBERS; n++) {
        job.sum += low_word(n);
    }
    for (int i = 0; i < (is_cold ? 2 : 4); i++) { /* a process has but one pool of those */
        pool_peer_add(c, peers[i], &job, note);
    }
    for (int i = 0; i < 4; i++) {
        int times = strcmp(kinds[i], "loky") == 0 ? 1 : 10;
        pool_script_add(c, is_cold ? "cold" : "warm", kinds[i], is_cold ? times : 100, note);
    }
}

static void ask_cold(int rounds)
{
    char conditions[POOL_NOTE] = "a pool of 4 is made, maps, is closed and joined; not pinned";
    bench_case question = { .name = "pool: 100 factorials, cold",
                            .unit = "ms",
                            .ours = cold,
                            .floor = five_forks,
                            .floor_is = "five times fork, _exit, waitpid",
                            .conditions = conditions,
                            .rounds = rounds };
    question.others[0] = (bench_other){ .name = "serial GMP", .measure = serial };
    add_peers(&question, true, conditions);
    bench_run(&question);
}

static void ask_warm(int rounds)
{
    char conditions[POOL_NOTE] = "a pool of 4 that is there maps; not pinned";
    kin_pool *pool;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = WORKERS)));
    bench_case question = { .name = "pool: 100 factorials, warm",
                            .unit = "ms",
                            .ours = warm,
                            .floor = serial,
                            .floor_is = "the same without a pool: mpz_fac_ui",
                            .conditions = conditions,
                            .arg = &pool,
                            .rounds = rounds };
    question.others[0] = (bench_other){ .name = "kin, each submitted", .measure = warm_each };
    add_peers(&question, false, conditions);
    bench_run(&question);
    kin_pool_free(pool);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    int rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 5;
    ask_cold(rounds);
    ask_warm(rounds);
    return 0;
}
