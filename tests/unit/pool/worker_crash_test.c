/* A worker crashes: what its task's future says, and when. */
#include "pool_scene.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static pid_t worker_that_has_come(kin_pool *pool)
{
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL));
    pid_t pid; /* which the nursery writes down */
    WAIT_UNTIL((pid = atomic_load(&pool->workers[0].pid)) != 0);
    return pid;
}

#define UNDER_GUARD 40 /* bytes into a page that nobody may touch */

static __attribute__((no_sanitize("undefined"))) kin_obj segfault(kin_obj args)
{
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[UNDER_GUARD] = 1;
    return args;
}

TEST(a_task_that_crashes_its_worker_fails_with_pid_signal_address_and_frames)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    pid_t pid = worker_that_has_come(pool);
    CHECK_ERROR(kin_pool_apply(pool, segfault, kin_args(), &o), KIN_ECRASHED);
    char text[80];
    snprintf(text, sizeof text, "worker %d crashed in the task: signal 11 (SIGSEGV) at address 0x",
             pid);
    CHECK_CONTAINS(kin_errmsg(), text);
    unsigned long address = strtoul(kin_errmsg() + strlen(text), NULL, 16);
    CHECK_EQ((int)(address % 4096), UNDER_GUARD);
    CHECK_CONTAINS(kin_errmsg(), "\n  #0 ");
    CHECK_NULL(strstr(kin_errmsg(), " __libc_start_main")); /* who called the task is not told */
    CHECK_CONTAINS(strrchr(kin_errmsg(), '\n'), "+0x");     /* the last line is whole */
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o));
    CHECK_EQ(kin_as_int(o), 9);
    free_whole(pool);
}

static kin_obj abort_in_the_task(kin_obj args)
{
    abort();
    return args;
}

TEST(an_abort_in_a_task_is_told_with_its_frames)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, abort_in_the_task, kin_args(), &o), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "signal 6 (SIGABRT)\n  #0 ");
    CHECK_CONTAINS(kin_errmsg(), " abort\n");
    free_whole(pool);
}

TEST(a_failed_future_says_it_again_and_again_and_nothing_is_left_of_it)
{
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, abort_in_the_task, kin_args(), NULL, &future));
    for (int i = 0; i < 3; i++) {
        CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECRASHED);
        CHECK_CONTAINS(kin_errmsg(), " abort\n");
    }
    kin_future_free(future);
    free_whole(pool);
}

/* The worker has told how it crashed ([2]), and dies when it may ([0]): as with a core that takes
 * long. Another thread of its may go on ([1]). */
static _Atomic int *may_die;

static void linger_when_told(const char *step)
{
    if (strcmp(step, "crash.told") == 0) {
        sigset_t timer;
        sigemptyset(&timer);
        sigaddset(&timer, SIGALRM); /* which ends a step that does not */
        sigprocmask(SIG_BLOCK, &timer, NULL);
        may_die[2] = 1;
        WAIT_UNTIL(may_die[0]);
    }
}

static kin_obj crash_and_linger(kin_obj args)
{
    kin__step_hook(linger_when_told);
    return segfault(args);
}

TEST(a_future_fails_before_the_crashed_worker_is_gone_and_another_one_comes_after)
{
    may_die = test_shared(3 * sizeof *may_die);
    kin_pool *pool = pool_of(1);
    kin_future *crashes, *later;
    kin_obj o;
    pid_t pid = worker_that_has_come(pool);
    CHECK_OK(kin_pool_submit(pool, crash_and_linger, kin_args(), NULL, &crashes));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(4)), NULL, &later));
    CHECK_ERROR(kin_future_get(crashes, &o, KIN_FOREVER), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "SIGSEGV");
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_EQ((int)atomic_load(&pool->workers_started), 1);
    CHECK(!kin_future_done(later));
    kin_future_free(crashes); /* its task is gone while the worker is there */
    *may_die = 1;
    CHECK_OK(kin_future_get(later, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 16);
    CHECK_EQ((int)atomic_load(&pool->workers_started), 2);
    kin_future_free(later);
    free_whole(pool);
}

TEST(a_pool_that_is_terminated_does_not_wait_for_a_crashed_worker)
{
    may_die = test_shared(3 * sizeof *may_die);
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, crash_and_linger, kin_args(), &o), KIN_ECRASHED);
    free_whole(pool);
}

static void *crash_beside(void *ctx)
{
    kin__step_hook(linger_when_told);
    (void)segfault((kin_obj){ 0 });
    return ctx;
}

static kin_obj crash_in_a_thread(kin_obj args)
{
    pthread_t thread;
    pthread_create(&thread, NULL, crash_beside, NULL);
    WAIT_UNTIL(may_die[1]);
    return kin_strf("done by worker %d", (int)kin_arg_int(args, 0));
}

TEST(a_crash_of_another_thread_takes_no_task_from_who_still_works_on_it)
{
    may_die = test_shared(3 * sizeof *may_die);
    kin_pool *pool = pool_of(1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, crash_in_a_thread, kin_args(kin_int(7)), NULL, &future));
    WAIT_UNTIL(may_die[2]);
    CHECK_ERROR(kin_future_wait(future, 0.1), KIN_ETIMEDOUT);
    may_die[1] = 1;
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    CHECK_STR(kin_as_str(o), "done by worker 7");
    kin_release(o);
    kin_future_free(future);
    *may_die = 1;
    free_whole(pool);
}

static kin_obj crash_in_a_thread_at_once(kin_obj args)
{
    pthread_t thread;
    *may_die = 1;
    pthread_create(&thread, NULL, crash_beside, NULL);
    return stay(args);
}

TEST(a_crash_of_another_thread_is_told_when_the_worker_has_ended)
{
    may_die = test_shared(3 * sizeof *may_die);
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, crash_in_a_thread_at_once, kin_args(), &o), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "signal 11 (SIGSEGV) at address 0x");
    free_whole(pool);
}

static kin_obj fork_and_crash(kin_obj args)
{
    (void)args;
    pid_t pid = fork();
    if (pid == 0) {
        abort();
    }
    return kin_int(test_join(pid));
}

TEST(a_crash_of_a_tasks_own_child_is_none_of_the_worker)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, fork_and_crash, kin_args(), &o));
    CHECK_EQ(kin_as_int(o), -SIGABRT);
    CHECK_EQ((int)atomic_load(&pool->workers_started), 1);
    free_whole(pool);
}

/* Whoever is killed: the future has an end, with an honest code. */
static void use_a_pool_that_crashes(void *ctx)
{
    kin_pool *pool;
    kin_obj o;
    (void)ctx;
    if (kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1)) < 0) {
        return;
    }
    int rv = kin_pool_apply(pool, abort_in_the_task, kin_args(), &o);
    CHECK(rv == KIN_ECRASHED || rv == KIN_EBROKEN);
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 2); /* the victim, and who waits for it */
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

static void nobody_is_left(void *ctx, const char *step)
{
    (void)ctx;
    (void)step;
    WAIT_UNTIL(kin__count_alive() == 1);
}

TEST(whoever_is_killed_while_a_crash_is_told_nobody_hangs_and_nothing_is_left)
{
    kin__self();
    /* the second step may not be reached: the pool, told all, is freed by then and its worker
     * killed */
    CHECK_GE(kill_loop("crash.", NULL, .victim = use_a_pool_that_crashes, .check = nobody_is_left,
                       .anybody = true),
             1);
    CHECK_GT(kill_loop("task.", NULL, .victim = use_a_pool_that_crashes, .check = nobody_is_left,
                       .anybody = true),
             5);
}

/* Its core is a sparse file of this size, which takes the kernel many seconds. */
#define LARGE ((size_t)1 << 40)

static kin_obj crash_with_a_core(kin_obj args)
{
    const struct rlimit most = { RLIM_INFINITY, RLIM_INFINITY };
    char *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (large == MAP_FAILED || setrlimit(RLIMIT_CORE, &most) < 0 ||
        chdir(kin_arg_str(args, 0)) < 0) {
        return kin_none();
    }
    large[0] = 1;
    return segfault(args);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    rmdir(path);
}

TEST(a_future_fails_while_the_kernel_still_writes_the_workers_core)
{
    char pattern[256] = "";
    (void)kin__os_read_file("/proc/sys/kernel/core_pattern", pattern, sizeof pattern);
    if (pattern[0] == '|' || pattern[0] == '@' || strchr(pattern, '/') != NULL) {
        SKIP("cores do not go into the working directory here");
    }
    char path[] = "/tmp/kin-core-XXXXXX";
    CHECK_NOT_NULL(mkdtemp(path));
    kin_pool *pool = pool_of(1);
    pid_t pid = worker_that_has_come(pool);
    uint64_t born = 0;
    kin_obj o;
    CHECK_EQ(kin__os_start_time(pid, &born), 0);
    int rv = kin_pool_apply(pool, crash_with_a_core, kin_args(kin_str(path)), &o);
    bool ended = kin__os_has_ended(pid, born);
    kin_pool_terminate(pool); /* which ends the core, too */
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    remove_folder(path);
    free_whole(pool);
    if (rv == 0) {
        SKIP("no terabyte of addresses, or no cores");
    }
    CHECK_EQ(rv, KIN_ECRASHED);
    CHECK(!ended);
}
