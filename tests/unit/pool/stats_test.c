#include "pool/seen.h"
#include "pool_scene.h"

static kin_pool *timed_pool_of(unsigned processes)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = processes, .stats = true)));
    return pool;
}

static kin_obj stats_of(kin_pool *pool)
{
    kin_obj stats;
    CHECK_OK(kin_pool_stats(pool, &stats));
    return stats;
}

static int64_t number(kin_obj dict, const char *key)
{
    kin_obj o = kin_lookup(dict, kin_str(key));
    CHECK_EQ(kin_type_of(o), KIN_TYPE_INT);
    return kin_as_int(o);
}

static double time_of(kin_obj dict, const char *key)
{
    kin_obj o = kin_lookup(dict, kin_str(key));
    CHECK_EQ(kin_type_of(o), KIN_TYPE_FLOAT);
    return kin_as_float(o);
}

static kin_obj worker_of(kin_obj stats, size_t index)
{
    return kin_at(kin_lookup(stats, kin_str("workers")), index);
}

static kin_obj failing(kin_obj args)
{
    (void)args;
    return kin_error(KIN_EUSER, "it was to fail");
}

static kin_obj own_pid(kin_obj args)
{
    (void)args;
    return kin_int(kin__os_getpid());
}

static kin_obj spin_for(kin_obj args)
{
    int64_t until = kin__os_now() + kin_arg_int(args, 0);
    while (kin__os_now() < until) {
    }
    return kin_none();
}

TEST(what_was_done_and_what_failed_is_counted_at_once)
{
    kin_pool *pool = pool_of(2);
    for (int i = 1; i <= 20; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL));
        CHECK_ERROR(kin_pool_apply(pool, failing, kin_args(), NULL), KIN_EUSER);
        kin_obj stats = stats_of(pool);
        CHECK_EQ(number(stats, "done"), i);
        CHECK_EQ(number(stats, "failed"), i);
        CHECK_EQ(number(stats, "queued"), 0);
        CHECK_EQ(number(worker_of(stats, 0), "tasks") + number(worker_of(stats, 1), "tasks"),
                 2 * i);
        kin_release(stats);
    }
    free_whole(pool);
}

TEST(workers_are_told_by_pid_and_restarts)
{
    kin_pool *pool = pool_of(1);
    kin_obj pid;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_pool_apply(pool, own_pid, kin_args(), &pid));
        kin_obj stats = stats_of(pool);
        CHECK_EQ(kin_len(kin_lookup(stats, kin_str("workers"))), 1);
        CHECK_EQ(number(worker_of(stats, 0), "pid"), kin_as_int(pid));
        CHECK_EQ(number(worker_of(stats, 0), "restarts"), i);
        CHECK_EQ(number(worker_of(stats, 0), "tasks"), i + 1);
        CHECK_EQ(number(stats, "failed"), i);
        kin_release(stats);
        CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), NULL), KIN_ECRASHED);
    }
    free_whole(pool);
}

TEST(what_waits_in_the_queue_is_counted_and_what_is_cancelled_has_failed)
{
    kin_pool *pool = pool_of(1);
    kin_future *running, *waiting[5];
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &running));
    WAIT_UNTIL(kin_queue_qsize(pool->queue) == 0);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(i)), NULL, &waiting[i]));
    }
    kin_obj stats = stats_of(pool);
    CHECK_EQ(number(stats, "queued"), 5);
    CHECK_EQ(number(stats, "done"), 0);
    CHECK_EQ(number(stats, "failed"), 0);
    kin_release(stats);
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    stats = stats_of(pool);
    CHECK_EQ(number(stats, "queued"), 0);
    CHECK_EQ(number(stats, "failed"), 6);
    kin_release(stats);
    kin_future_free(running);
    for (int i = 0; i < 5; i++) {
        kin_future_free(waiting[i]);
    }
    free_whole(pool);
}

TEST(times_are_there_only_where_they_are_wanted)
{
    kin_pool *pool = pool_of(1);
    CHECK(!pool->watched);
    kin_obj stats = stats_of(pool);
    CHECK_EQ(kin_len(stats), 4);
    CHECK_EQ(kin_len(worker_of(stats, 0)), 3);
    kin_release(stats);
    free_whole(pool);
    pool = timed_pool_of(1);
    stats = stats_of(pool);
    CHECK_EQ(kin_len(stats), 6);
    CHECK_EQ(kin_len(worker_of(stats, 0)), 6);
    CHECK_FLOAT(time_of(kin_lookup(stats, kin_str("run")), "p50"), 0); /* no task, no time */
    CHECK_FLOAT(time_of(kin_lookup(stats, kin_str("wait")), "max"), 0);
    kin_release(stats);
    free_whole(pool);
}

TEST(times_fit_what_was_run)
{
    const int n = 20;
    const int64_t ns = 3000000;
    int64_t begun = kin__os_now();
    kin_pool *pool = timed_pool_of(2);
    kin_future *futures[20];
    for (int i = 0; i < n; i++) {
        CHECK_OK(kin_pool_submit(pool, spin_for, kin_args(kin_int(ns)), NULL, &futures[i]));
    }
    for (int i = 0; i < n; i++) {
        kin_obj o;
        CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
        kin_future_free(futures[i]);
    }
    kin_obj stats = stats_of(pool);
    double passed = (double)(kin__os_now() - begun) * 1e-9;
    double second = (double)ns * 1e-9;
    double busy = 0;
    for (size_t i = 0; i < 2; i++) {
        kin_obj worker = worker_of(stats, i);
        CHECK(time_of(worker, "startup") > 0);
        CHECK(time_of(worker, "idle") >= 0);
        busy += time_of(worker, "busy");
        CHECK(time_of(worker, "startup") + time_of(worker, "idle") + time_of(worker, "busy") <=
              passed);
    }
    CHECK(busy >= n * second);
    kin_obj run = kin_lookup(stats, kin_str("run"));
    kin_obj wait = kin_lookup(stats, kin_str("wait"));
    CHECK(time_of(run, "p50") >= second * 15 / 16);
    CHECK(time_of(run, "p50") <= time_of(run, "p90"));
    CHECK(time_of(run, "p90") <= time_of(run, "p99"));
    CHECK(time_of(run, "p99") <= time_of(run, "max"));
    CHECK(time_of(run, "max") >= second);
    CHECK(time_of(run, "max") <= passed);
    CHECK(time_of(wait, "max") >= second * (n / 2 - 1)); /* the last one waited for most others */
    CHECK(time_of(wait, "max") <= passed);
    kin_release(stats);
    free_whole(pool);
}

TEST(who_is_at_a_task_is_busy_before_it_ends)
{
    kin_pool *pool = timed_pool_of(1);
    kin_future *future;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    double busy = 0;
    while (busy < 0.01) { /* it never ends */
        kin_obj stats = stats_of(pool);
        busy = time_of(worker_of(stats, 0), "busy");
        kin_release(stats);
    }
    kin_pool_free(pool);
    kin_future_free(future);
}

TEST(the_times_of_the_dead_stay)
{
    kin_pool *pool = timed_pool_of(1);
    CHECK_OK(kin_pool_apply(pool, spin_for, kin_args(kin_int(2000000)), NULL));
    CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), NULL), KIN_ECRASHED);
    CHECK_OK(kin_pool_apply(pool, spin_for, kin_args(kin_int(2000000)), NULL));
    kin_obj stats = stats_of(pool);
    CHECK(time_of(worker_of(stats, 0), "busy") >= 0.004);
    CHECK_EQ(number(worker_of(stats, 0), "restarts"), 1);
    kin_release(stats);
    free_whole(pool);
}

TEST(bad_questions_are_refused)
{
    kin_pool *pool = pool_of(1);
    kin_obj stats;
    CHECK_ERROR(kin_pool_stats(NULL, &stats), KIN_EINVAL);
    CHECK_ERROR(kin_pool_stats(pool, NULL), KIN_EINVAL);
    free_whole(pool);
    CHECK_ERROR(kin_pool_stats(pool, &stats), KIN_EFREED);
}

static int ask(void *pool)
{
    kin_obj stats;
    int rv = kin_pool_stats(pool, &stats);
    if (rv == 0) {
        kin_release(stats);
    }
    return rv;
}

TEST(without_memory_there_is_a_code_and_no_leak)
{
    kin_pool *pool = timed_pool_of(2);
    fault_loop(KIN__FAULT_MEMORY, pool, .attempt = ask);
    free_whole(pool);
}
