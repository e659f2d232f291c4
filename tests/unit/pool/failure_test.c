/* What is known of a failure: failure.c. */
#include "pool_scene.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static kin_failure failure_of(kin_future *future)
{
    kin_failure failure;
    (void)kin_future_wait(future, KIN_FOREVER);
    CHECK_OK(kin_future_failure(future, &failure));
    return failure;
}

static kin_future *submit_named(kin_pool *pool, kin_fn fn, kin_obj args, const char *name)
{
    kin_future *future = NULL;
    CHECK_OK(kin_pool_submit(pool, fn, args, KIN_OPT(kin_submit_options, .name = name), &future));
    return future;
}

static kin_obj fail_without(kin_obj args)
{
    return kin_error(KIN_EUSER - 4, "no %s", kin_arg_str(args, 0));
}

TEST(a_tasks_own_error_is_told_with_its_text)
{
    kin_pool *pool = pool_of(1);
    kin_future *future = submit_named(pool, fail_without, kin_args(kin_str("luck")), NULL);
    kin_failure failure = failure_of(future);
    CHECK_EQ(failure.code, KIN_EUSER - 4);
    CHECK_STR(failure.text, "no luck");
    CHECK_STR(failure.task, ""); /* nobody knows the names of static functions */
    CHECK_STR(failure.frames, "");
    CHECK_GT(failure.pid, 0);
    CHECK_EQ(failure.signal, 0);
    CHECK_EQ((int)failure.attempts, 1);
    CHECK(!failure.out_of_memory);
    kin_future_free(future);
    free_whole(pool);
}

TEST(what_has_not_failed_has_no_failure)
{
    kin_pool *pool = pool_of(1);
    kin_failure failure = { .code = 7 };
    kin_future *future = submit_named(pool, square, kin_args(kin_int(3)), "x");
    kin_obj o;
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK_ERROR(kin_future_failure(future, &failure), KIN_ESTATE);
    CHECK_EQ(failure.code, 7);
    CHECK_OK(kin_future_get(future, &o, 0));
    CHECK_EQ(kin_as_int(o), 9);
    kin_future_free(future);
    future = submit_named(pool, stay, kin_args(), NULL);
    CHECK_ERROR(kin_future_failure(future, &failure), KIN_ESTATE);
    CHECK_ERROR(kin_future_failure(future, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_future_failure(NULL, &failure), KIN_EINVAL);
    kin_future_free(future);
    free_whole(pool);
}

TEST(a_buffer_in_a_result_is_not_touched_by_the_question_whether_it_failed)
{
    kin_pool *pool = pool_of(1);
    kin_failure failure;
    kin_future *future =
        submit_named(pool, echo, kin_args(kin_buffer(kin_alloc(50), 50)), "a name");
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK_ERROR(kin_future_failure(future, &failure), KIN_ESTATE);
    kin_future_free(future);
    free_whole(pool); /* the buffer was freed with the result that nobody read */
}

static __attribute__((no_sanitize("undefined"))) kin_obj segfault(kin_obj args)
{
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[40] = 1;
    return args;
}

static __attribute__((noinline)) int dig(int depth)
{
    volatile int below = depth > 0 ? dig(depth - 1) : 0;
    return depth > 0 ? below + 1 : kin_as_int(segfault(kin_none())) != 0;
}

static kin_obj dig_and_crash(kin_obj args)
{
    volatile int found = dig((int)kin_arg_int(args, 0));
    return kin_int(found);
}

TEST(a_crash_is_told_with_signal_address_and_frames)
{
    kin_pool *pool = pool_of(1);
    kin_future *future = submit_named(pool, dig_and_crash, kin_args(kin_int(20)), "the crasher");
    kin_failure failure = failure_of(future);
    CHECK_EQ(failure.code, KIN_ECRASHED);
    CHECK_CONTAINS(failure.text, "crashed in the task \"the crasher\": signal 11");
    CHECK_STR(failure.task, "the crasher");
    CHECK_EQ(failure.signal, SIGSEGV);
    CHECK_EQ(failure.exitcode, 0);
    CHECK_EQ((int)(failure.address % 4096), 40);
    CHECK_CONTAINS(failure.frames, "#0 ");
    CHECK_CONTAINS(failure.frames, "\n  #21 "); /* the task's function, or who it calls */
    CHECK_NULL(strstr(failure.frames, " __libc_start_main"));
    CHECK_GT(strlen(failure.frames), strlen(failure.text) - 60); /* more of them than there */
    kin_failure again = failure_of(future);
    CHECK_PTR(again.frames, failure.frames);
    kin_pool_free(pool); /* the strings are the future's */
    CHECK_STR(failure.task, "the crasher");
    kin_future_free(future);
    CHECK_EQ(kin__count_alive(), 1);
}

static void crash_in_a_pool(void)
{
    kin_pool *pool = pool_of(1);
    CHECK_ERROR(kin_pool_apply(pool, segfault, kin_args(), NULL), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "\n  #0 ");
    free_whole(pool);
}

/* How much of that is printed on stderr. */
static off_t printed_at(int level)
{
    char path[] = "/tmp/kin-test-XXXXXX";
    int file = mkstemp(path);
    int saved = dup(STDERR_FILENO);
    CHECK_GE(dup2(file, STDERR_FILENO), 0);
    kin_log_set_level(level);
    crash_in_a_pool();
    kin_log_set_level(KIN_LOG_WARNING);
    CHECK_GE(dup2(saved, STDERR_FILENO), 0);
    CHECK_EQ(close(saved), 0);
    struct stat status;
    CHECK_EQ(fstat(file, &status), 0);
    CHECK_EQ(close(file), 0);
    CHECK_EQ(unlink(path), 0);
    return status.st_size;
}

TEST(a_crash_is_printed_unless_the_log_is_off)
{
    CHECK_GT((long)printed_at(KIN_LOG_ERROR), 0);
    CHECK_EQ((long)printed_at(KIN_LOG_OFF), 0);
}

static kin_obj leave(kin_obj args)
{
    _exit((int)kin_arg_int(args, 0));
}

TEST(an_exit_a_signal_and_an_overrun_are_told)
{
    kin_pool *pool = pool_of(1);
    kin_future *future = submit_named(pool, leave, kin_args(kin_int(3)), NULL);
    kin_failure failure = failure_of(future);
    CHECK_EQ(failure.code, KIN_ECRASHED);
    CHECK_EQ(failure.exitcode, 3);
    CHECK_EQ(failure.signal, 0);
    kin_future_free(future);
    future = submit_named(pool, die_of, kin_args(kin_int(SIGTERM)), NULL);
    failure = failure_of(future);
    CHECK_EQ(failure.signal, SIGTERM);
    CHECK(!failure.out_of_memory);
    kin_future_free(future);
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(),
                             KIN_OPT(kin_submit_options, .timeout = 0.05, .name = "sloth"),
                             &future));
    failure = failure_of(future);
    CHECK_EQ(failure.code, KIN_EOVERRUN);
    CHECK_EQ(failure.signal, 0);
    CHECK_CONTAINS(failure.text, "the task \"sloth\" ran over its limit of 0.05 s");
    CHECK_GT(failure.pid, 0);
    kin_future_free(future);
    free_whole(pool);
}

TEST(a_task_that_never_began_has_no_worker)
{
    kin_pool *pool = pool_of(1);
    kin_future *first = submit_named(pool, stay, kin_args(), NULL);
    kin_future *second = submit_named(pool, stay, kin_args(), "second");
    WAIT_UNTIL(kin_future_running(first));
    CHECK_OK(kin_future_cancel(second, NULL));
    kin_failure failure = failure_of(second);
    CHECK_EQ(failure.code, KIN_ECANCELLED);
    CHECK_EQ(failure.pid, 0);
    CHECK_EQ((int)failure.attempts, 0);
    CHECK_STR(failure.task, "second");
    kin_future_free(second);
    kin_future_free(first);
    free_whole(pool);
}

/* A machine of our own, as far as the library looks: so many were killed for want of memory. */
static void pretend_kills(const char *root, int kills)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%s/proc/vmstat", root);
    FILE *file = fopen(path, "w");
    CHECK_NOT_NULL(file);
    CHECK_GT(fprintf(file, "nr_free_pages 7\noom_kill %d\n", kills), 0);
    CHECK_EQ(fclose(file), 0);
}

TEST(a_kill_while_the_kernel_counts_one_for_want_of_memory_is_likely_that)
{
    char root[] = "/tmp/kin-test-XXXXXX", path[100];
    CHECK_NOT_NULL(mkdtemp(root));
    (void)snprintf(path, sizeof path, "%s/proc", root);
    CHECK_EQ(mkdir(path, 0700), 0);
    pretend_kills(root, 5);
    kin__os_pretend_root(root);
    kin_pool *pool = pool_of(1);
    for (int i = 0; i < 4; i++) { /* 0: not counted; 1: counted; 2: not again; 3: another signal */
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
        if (i % 2 == 1) {
            pretend_kills(root, 5 + i);
        }
        kin_future *future =
            submit_named(pool, die_of, kin_args(kin_int(i == 3 ? SIGTERM : SIGKILL)), NULL);
        kin_failure failure = failure_of(future);
        CHECK_EQ(failure.out_of_memory, i == 1);
        CHECK_EQ(strstr(failure.text, "likely out of memory") != NULL, i == 1);
        kin_future_free(future);
    }
    kin__os_pretend_root(NULL);
    free_whole(pool);
    (void)snprintf(path, sizeof path, "%s/proc/vmstat", root);
    CHECK_EQ(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/proc", root);
    CHECK_EQ(rmdir(path), 0);
    CHECK_EQ(rmdir(root), 0);
}

TEST(names_of_any_length_do_no_harm)
{
    kin_pool *pool = pool_of(1);
    char name[1000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    kin_future *future = submit_named(pool, segfault, kin_args(kin_str("and an argument")), name);
    kin_failure failure = failure_of(future);
    CHECK_EQ(strlen(failure.task), KIN__TASK_NAME - 1);
    CHECK_CONTAINS(failure.text, "xxx");
    kin_future_free(future);
    free_whole(pool);
}
