/* How long does a task take when each wants a new worker? 10,000 of them, and as many workers.
 *
 *     pool_restarts [quick]
 */
#include <kin.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define TASKS_MOST 10000

static int tasks = TASKS_MOST;

static uint64_t same_number(uint64_t number)
{
    return number;
}

static kin_obj pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

static int compare(const void *a, const void *b)
{
    return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

/* A pid may come round again, but not often. */
static void check_that_all_were_new(kin_obj pids)
{
    static int seen[TASKS_MOST];
    int different = 1;
    for (int i = 0; i < tasks; i++) {
        seen[i] = (int)kin_as_int(kin_at(pids, (size_t)i));
    }
    qsort(seen, (size_t)tasks, sizeof seen[0], compare);
    for (int i = 1; i < tasks; i++) {
        different += seen[i] != seen[i - 1];
    }
    BENCH_MUST(different > tasks / 10 * 9);
}

static double ours(const void *pool)
{
    kin_obj pids;
    double begin = kin_now();
    KIN_CHECK(kin_pool_map(*(kin_pool *const *)pool, pid, kin_range(0, tasks),
                           KIN_OPT(kin_map_options, .chunksize = 1), &pids));
    double seconds = kin_now() - begin;
    check_that_all_were_new(pids);
    kin_release(pids);
    return seconds / tasks;
}

static double forks(const void *arg)
{
    (void)arg;
    double begin = kin_now();
    for (int i = 0; i < tasks; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        BENCH_MUST(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    }
    return (kin_now() - begin) / tasks;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    tasks = quick ? 500 : TASKS_MOST;
    kin_pool *pool;
    KIN_CHECK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .max_tasks_per_child = 1)));
    char conditions[POOL_NOTE] = "2 workers at a time, not pinned";
    pool_job job = { .work = same_number, .n = 1000, .workers = 2, .times = 1, .each = true };
    job.sum = 1000 * 999 / 2;
    bench_case question = { .name = "pool: 10,000 workers of one task each",
                            .unit = "us",
                            .ours = ours,
                            .floor = forks,
                            .floor_is = "fork, _exit, waitpid, one after the other",
                            .conditions = conditions,
                            .arg = &pool,
                            .rounds = quick ? 1 : 3 };
    pool_peer_add(&question, &pool_peer_fork, &job, conditions);
    pool_script_add(&question, "restarts", "Pool", 300, conditions);
    bench_run(&question);
    kin_pool_free(pool);
    return 0;
}
