#include "pool_scene.h"
#include "process/room.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

static pid_t pid_of_worker(const kin_pool *pool, unsigned index)
{
    pid_t pid; /* 0 as well for one who has died just now */
    WAIT_UNTIL((pid = kin__pid_of(atomic_load(&pool->workers[index].id))) != 0);
    return pid;
}

TEST(a_task_whose_worker_dies_fails_alone_and_the_worker_is_replaced)
{
    kin_pool *pool = pool_of(2);
    const int signals[] = { SIGKILL, SIGSEGV, SIGABRT, SIGTERM };
    for (int i = 0; i < 4; i++) {
        kin_obj o;
        kin_future *before, *after;
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(5)), NULL, &before));
        int rv = kin_pool_apply(pool, die_of, kin_args(kin_int(signals[i])), &o);
        CHECK_ERROR(rv, KIN_ECRASHED);
        char text[20];
        snprintf(text, sizeof text, "signal %d", signals[i]);
        CHECK_CONTAINS(kin_errmsg(), text);
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(6)), NULL, &after));
        CHECK_OK(kin_future_get(before, &o, 20));
        CHECK_EQ(kin_as_int(o), 25);
        CHECK_OK(kin_future_get(after, &o, 20));
        CHECK_EQ(kin_as_int(o), 36);
        kin_future_free(before);
        kin_future_free(after);
    }
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 2);
    free_whole(pool);
}

static kin_obj exit_with(kin_obj args)
{
    _exit((int)kin_arg_int(args, 0));
}

TEST(a_task_that_exits_has_crashed_whatever_its_code)
{
    kin_pool *pool = pool_of(1);
    for (int code = 0; code < 3; code++) {
        kin_obj o;
        int rv = kin_pool_apply(pool, exit_with, kin_args(kin_int(code)), &o);
        CHECK_ERROR(rv, KIN_ECRASHED);
        CHECK_CONTAINS(kin_errmsg(), "exit code");
    }
    free_whole(pool);
}

TEST(an_idle_worker_that_is_killed_is_not_missed)
{
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 10; i++) {
        pid_t pid = pid_of_worker(pool, (unsigned)i % 2);
        kin__os_kill(pid, SIGKILL);
        kin_obj results;
        CHECK_OK(kin_pool_map(pool, square, kin_range(0, 20), NULL, &results));
        CHECK_EQ(kin_len(results), 20);
        kin_release(results);
    }
    free_whole(pool);
}

TEST(all_workers_killed_at_once_ten_times_in_a_row)
{
    kin_pool *pool = pool_of(4);
    for (int round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++) {
            kin__os_kill(pid_of_worker(pool, i), SIGKILL);
        }
        kin_obj o;
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(round)), &o));
        CHECK_EQ(kin_as_int(o), round * round);
    }
    free_whole(pool);
}

TEST(a_pool_whose_supervisor_is_killed_is_broken_at_once)
{
    kin_pool *pool = pool_of(2);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    CHECK_ERROR(kin_future_wait(future, 0.01), KIN_ETIMEDOUT);
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EBROKEN);
    CHECK_ERROR(kin_pool_apply(pool, square, kin_args(kin_int(1)), &o), KIN_EBROKEN);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_join(pool, KIN_FOREVER), KIN_EBROKEN);
    kin_future_free(future);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
    pool = pool_of(2); /* and a new one can be made */
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o));
    kin_pool_free(pool);
}

static kin_obj which_pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

TEST(workers_ignore_ctrl_c)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &o));
    int64_t pid = kin_as_int(o);
    kin__os_kill((pid_t)pid, SIGINT);
    kin__os_kill(atomic_load(&pool->nursery), SIGINT);
    CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &o));
    CHECK_EQ(kin_as_int(o), pid);
    free_whole(pool);
}

TEST(a_task_that_exits_while_the_pool_closes_costs_no_other_task)
{
    kin_pool *pool = pool_of(1);
    kin_future *exits, *later;
    CHECK_OK(kin_pool_submit(pool, exit_with, kin_args(kin_int(0)), NULL, &exits));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(7)), NULL, &later));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, 20));
    kin_obj o;
    CHECK_ERROR(kin_future_get(exits, &o, 0), KIN_ECRASHED);
    CHECK_OK(kin_future_get(later, &o, 0));
    CHECK_EQ(kin_as_int(o), 49);
    kin_future_free(exits);
    kin_future_free(later);
    free_whole(pool);
}

TEST(a_program_that_ignores_sigchld_has_its_workers_replaced_too)
{
    signal(SIGCHLD, SIG_IGN);
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), &o), KIN_ECRASHED);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), &o));
    free_whole(pool);
}

TEST(the_futures_of_a_broken_pool_may_be_freed_after_it)
{
    kin_pool *pool = pool_of(1);
    kin_future *running, *queued;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &running));
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &queued));
    kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
    CHECK_ERROR(kin_future_get(running, &o, KIN_FOREVER), KIN_EBROKEN);
    kin_pool_free(pool);
    CHECK_ERROR(kin_future_get(queued, &o, 0), KIN_EBROKEN);
    kin_future_free(running);
    kin_future_free(queued);
    WAIT_UNTIL(kin__count_alive() == 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST_WITHIN(100, a_broken_pool_is_freed_only_when_its_workers_are_gone)
{
    for (int i = 0; i < 50; i++) {
        kin_pool *pool = pool_of(1);
        kin_future *future;
        kin_obj o;
        CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
        (void)pid_of_worker(pool, 0);
        kin__id worker = atomic_load(&pool->workers[0].id);
        kin__os_kill(atomic_load(&pool->nursery), SIGKILL);
        CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EBROKEN);
        kin_future_free(future);
        kin_log_set_level(KIN_LOG_ERROR); /* the task that nobody waits for any more */
        kin_pool_free(pool);
        CHECK(!kin__alive(worker));
    }
}

static void limit_files(pid_t pid, rlim_t files)
{
    struct rlimit limit;
    CHECK_EQ(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = files;
    CHECK_EQ(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

TEST(workers_that_cannot_begin_are_not_forked_without_a_pause)
{
    kin_pool *pool = pool_of(1);
    pid_t nursery = atomic_load(&pool->nursery);
    pid_t worker = pid_of_worker(pool, 0);
    limit_files(nursery, 0); /* to join the family takes a descriptor */
    double begun = kin_now();
    kin__os_kill(worker, SIGKILL);
    WAIT_UNTIL(atomic_load(&pool->workers_started) == 5);
    CHECK(kin_now() - begun > 0.25);
    limit_files(nursery, 100);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
    free_whole(pool);
}

/* ---- closing ---------------------------------------------------------------------------- */

static _Atomic int *shared; /* retired workers, the first one's pid, whether the second got away */

static void linger(const char *step)
{
    if (strcmp(step, "worker.retired") != 0) {
        return;
    }
    if (atomic_fetch_add(&shared[0], 1) == 0) {
        shared[1] = getpid();
        WAIT_UNTIL(shared[0] == 2);
        return;
    }
    WAIT_UNTIL(kill(shared[1], 0) < 0);
    for (int i = 0; i < 1000; i++) {
        kin__os_yield();
    }
    shared[2] = 1;
}

static kin_obj linger_in_the_end(kin_obj args)
{
    kin__step_hook(linger);
    shared[3]++;
    WAIT_UNTIL(shared[3] == 2); /* a worker each */
    return args;
}

TEST(a_worker_that_retires_is_not_killed_on_his_way_out)
{
    shared = test_shared(4 * sizeof *shared);
    kin_pool *pool = pool_of(2);
    kin_obj o;
    CHECK_OK(kin_pool_map(pool, linger_in_the_end, kin_range(0, 2), NULL, &o));
    kin_release(o);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(shared[2], 1);
    free_whole(pool);
}

/* ---- a maker with threads, whose nursery is the fork server's child -------------------------- */

static kin_obj tell_parent(kin_obj args)
{
    *(int *)kin_arg_shared(args, 0) = getppid();
    return kin_none();
}

static void *idle(void *unused)
{
    for (;;) {
        pause();
    }
    return unused;
}

static atomic_bool *asked;

static void note_that_asked(const char *step)
{
    *asked = *asked || strcmp(step, "start.asked") == 0;
}

static int make_pool_beside_a_thread(void *unused)
{
    pthread_t thread;
    kin_pool *pool;
    (void)unused;
    kin__step_hook(note_that_asked);
    CHECK_EQ(pthread_create(&thread, NULL, idle, NULL), 0);
    CHECK_OK(kin_pool_new(&pool, NULL)); /* killed while it waits for the server */
    return 1;
}

TEST(a_nursery_whose_maker_died_before_it_began_goes)
{
    int *server = kin_alloc(sizeof *server);
    kin_process *child;
    asked = test_shared(sizeof *asked);
    CHECK_OK(kin_start(&child, tell_parent, kin_args(kin_shared(server)),
                       KIN_OPT(kin_process_options, .start_method = "forkserver")));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    kin_process_free(child);
    CHECK_EQ(kill(*server, SIGSTOP), 0);
    pid_t maker = test_child(make_pool_beside_a_thread, NULL);
    WAIT_UNTIL(*asked && test_is_asleep(maker));
    CHECK_EQ(kill(maker, SIGKILL), 0);
    CHECK_EQ(test_join(maker), -SIGKILL);
    CHECK_EQ(kill(*server, SIGCONT), 0);
    kin_free(server);
    kin__process_drop_server();
    WAIT_UNTIL(test_is_alone());
}

static void be_killed(const char *step)
{
    if (strcmp(step, "pool.terminating") == 0) {
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
}

static int terminate_and_be_killed(void *pool)
{
    kin__step_hook(be_killed);
    return kin_pool_terminate(pool);
}

TEST(who_waits_for_a_task_has_its_pool_terminated_when_who_began_that_was_killed)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &future));
    WAIT_UNTIL(kin_future_running(future));
    CHECK_EQ(test_join(test_child(terminate_and_be_killed, pool)), -SIGKILL);
    CHECK_ERROR(kin_future_get(future, &o, 20), KIN_ECANCELLED);
    kin_future_free(future);
    free_whole(pool);
}
