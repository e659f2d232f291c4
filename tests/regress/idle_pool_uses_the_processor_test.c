/* In Python, up to 3.8, a thread of the program looks ten times a second whether all workers of a
 * pool are alive, also when there is nothing to do (multiprocessing/pool.py, _handle_workers). Here
 * an idle pool sleeps: its workers and its supervisor, also when tasks have limits. */
#include "scene.h"

enum { WORKERS = 3, SLEEPERS = WORKERS + 1, TICKS = 5 }; /* of 50 ms would be 20 in that second */

struct sleepers {
    _Atomic int here;
    _Atomic pid_t pids[SLEEPERS];
};

static kin_obj tell_pids(kin_obj args)
{
    struct sleepers *s = kin_arg_shared(args, 0);
    s->pids[0] = getppid();
    s->pids[atomic_fetch_add(&s->here, 1) + 1] = getpid();
    WAIT_UNTIL(s->here == WORKERS);
    return kin_none();
}

/* How often it has gone to sleep. */
static long sleeps(pid_t pid)
{
    char path[64], line[200];
    long count = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    CHECK_NOT_NULL(file);
    while (count < 0 && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    }
    fclose(file);
    CHECK_GE(count, 0);
    return count;
}

TEST(an_idle_pool_sleeps)
{
    kin_pool *pool;
    struct sleepers *s = kin_alloc(sizeof *s);
    kin_obj o;
    CHECK_OK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = WORKERS, .task_timeout = 60, .retries = 1)));
    CHECK_OK(kin_pool_map(pool, tell_pids, kin_list(kin_shared(s), kin_shared(s), kin_shared(s)),
                          KIN_OPT(kin_map_options, .chunksize = 1), &o));
    kin_release(o);
    long before[SLEEPERS];
    for (int i = 0; i < SLEEPERS; i++) {
        WAIT_UNTIL(test_is_asleep(s->pids[i]));
        before[i] = sleeps(s->pids[i]);
    }
    CHECK_OK(kin_sleep(1));
    for (int i = 0; i < SLEEPERS; i++) {
        CHECK_LT(sleeps(s->pids[i]) - before[i], TICKS);
    }
    kin_free(s);
    free_whole(pool);
}
