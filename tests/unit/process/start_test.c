#include "domain/room.h"
#include "harness.h"
#include <kin/process.h>
#include <kin/sync.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts, joins, and gives the exit code. */
static int run(kin_fn function, kin_obj args)
{
    kin_auto(kin_process) child = NULL;
    CHECK_OK(kin_start(&child, function, args, NULL));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    return kin_process_exitcode(child);
}

/* Runs body(ctx) in a child whose stdout or stderr is caught; what it wrote. */
static const char *catch (int fd, int (*body)(void *ctx), void *ctx, int expected)
{
    static char text[4096];
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], fd);
        close(ends[0]);
        close(ends[1]);
        exit(body(ctx));
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)n;
    }
    text[length] = '\0';
    close(ends[0]);
    CHECK_EQ(test_join(pid), expected);
    return text;
}

/* ---- the function --------------------------------------------------------------------- */

static kin_obj see_arguments(kin_obj args)
{
    long *memory = kin_arg_shared(args, 2);
    memory[0] = kin_arg_int(args, 0);
    memory[1] = strcmp(kin_arg_str(args, 1), "text") == 0;
    memory[2] = kin_process_pid(kin_current_process());
    memory[3] = kin_as_int(kin_kwarg(args, "depth"));
    return kin_none();
}

TEST(a_child_runs_its_function_with_its_arguments)
{
    long *memory = kin_alloc(4 * sizeof *memory);
    kin_auto(kin_process) child = NULL;
    kin_obj args = kin_args_kw(kin_args(kin_int(42), kin_str("text"), kin_shared(memory)),
                               kin_dict(kin_str("depth"), kin_int(7)));
    CHECK_OK(kin_start(&child, see_arguments, args, NULL));
    int pid = kin_process_pid(child);
    CHECK_GT(pid, 0);
    CHECK_NE(pid, getpid());
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(child), 0);
    CHECK_EQ(memory[0], 42);
    CHECK_EQ(memory[1], 1);
    CHECK_EQ(memory[2], pid);
    CHECK_EQ(memory[3], 7);
    CHECK_EQ(kin_process_pid(child), pid);
    kin_free(memory);
}

static kin_obj keep_buffers(kin_obj args)
{
    char **kept = kin_arg_shared(args, 0);
    size_t size = 0;
    kept[0] = kin_take_buffer(kin_arg(args, 1), &size);
    kept[0][0]++;
    return kin_int((int64_t)size); /* the other one goes with the arguments */
}

TEST(a_buffer_goes_over_to_the_child)
{
    char **kept = kin_alloc(sizeof *kept);
    char *taken = kin_alloc(50);
    char *left = kin_alloc(60);
    taken[0] = 'a';
    kin_usage_info before;
    CHECK_OK(kin_usage(&before));
    CHECK_EQ(
        run(keep_buffers, kin_args(kin_shared(kept), kin_buffer(taken, 50), kin_buffer(left, 60))),
        50);
    CHECK_PTR(*kept, taken);
    CHECK_EQ(taken[0], 'b');
    kin_usage_info after;
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks - 1);
    kin_free(taken);
    kin_free(kept);
}

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_obj big(kin_obj args)
{
    static const unsigned char magnitude[12] = { 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    (void)args;
    return kin_bigint(magnitude, sizeof magnitude, false);
}

static kin_obj leave_by_exit(kin_obj args)
{
    _exit((int)kin_arg_int(args, 0));
}

static kin_obj die_by(kin_obj args)
{
    kill(getpid(), (int)kin_arg_int(args, 0));
    return kin_none();
}

TEST(the_result_is_the_exit_code)
{
    CHECK_EQ(run(give_back, kin_args(kin_none())), 0);
    CHECK_EQ(run(give_back, kin_args(kin_int(0))), 0);
    CHECK_EQ(run(give_back, kin_args(kin_int(3))), 3);
    CHECK_EQ(run(give_back, kin_args(kin_int(255))), 255);
    CHECK_EQ(run(give_back, kin_args(kin_int(256))), 0);
    CHECK_EQ(run(give_back, kin_args(kin_int(-1))), 255);
    CHECK_EQ(run(big, kin_args()), 255);
    CHECK_EQ(run(give_back, kin_args(kin_str("text"))), 0);
    CHECK_EQ(run(give_back, kin_args(kin_bool(true))), 1);
    CHECK_EQ(run(give_back, kin_args(kin_bool(false))), 0);
    CHECK_EQ(run(give_back, kin_args(kin_list(kin_int(3)))), 0);
    CHECK_EQ(run(leave_by_exit, kin_args(kin_int(9))), 9);
    CHECK_EQ(run(die_by, kin_args(kin_int(SIGKILL))), -SIGKILL);
    CHECK_EQ(run(die_by, kin_args(kin_int(SIGTERM))), -SIGTERM);
}

static kin_obj run_out_of_disk(kin_obj args)
{
    return kin_error(KIN_EUSER - 3, "disk %s is full", kin_arg_str(args, 0));
}

static kin_obj fail_in_building(kin_obj args)
{
    (void)args;
    return kin_list(kin_str(NULL));
}

static int run_failing(void *ctx)
{
    kin_fn *function = ctx;
    return run(*function, kin_args(kin_str("sda")));
}

TEST(an_error_is_one_and_its_text_goes_to_stderr)
{
    kin_fn function = run_out_of_disk;
    CHECK_STR(catch (STDERR_FILENO, run_failing, &function, 1),
              "Process-1: disk sda is full (KIN_EUSER-3)\n");
    function = fail_in_building;
    CHECK_CONTAINS(catch (STDERR_FILENO, run_failing, &function, 1), "Process-1: ");
}

/* ---- printed once, done once ---------------------------------------------------------- */

static kin_obj print_a_word(kin_obj args)
{
    printf("%s ", kin_arg_str(args, 0));
    return kin_none();
}

static kin_obj print_by_a_grandchild(kin_obj args)
{
    printf("%s ", kin_arg_str(args, 0));
    CHECK_EQ(run(print_a_word, kin_args(kin_str("grandchild"))), 0);
    printf("done ");
    return kin_none();
}

static int print_together(void *ctx)
{
    (void)ctx;
    printf("parent ");
    CHECK_EQ(run(print_a_word, kin_args(kin_str("first"))), 0);
    CHECK_EQ(run(print_by_a_grandchild, kin_args(kin_str("second"))), 0);
    printf("end");
    return 0;
}

TEST(what_is_buffered_is_printed_once)
{
    CHECK_STR(catch (STDOUT_FILENO, print_together, NULL, 0),
              "parent first second grandchild done end");
}

static void say_bye(void)
{
    printf("bye");
}

static int leave_with_a_handler(void *ctx)
{
    (void)ctx;
    atexit(say_bye);
    CHECK_EQ(run(print_a_word, kin_args(kin_str("child"))), 0);
    return 0;
}

TEST(a_child_does_not_run_its_parents_exit_handlers)
{
    CHECK_STR(catch (STDOUT_FILENO, leave_with_a_handler, NULL, 0), "child bye");
}

/* ---- who we are ----------------------------------------------------------------------- */

static kin_obj look_at_myself(kin_obj args)
{
    (void)args;
    const kin_process *me = kin_current_process();
    CHECK_STR(kin_process_name(me), "Process-1");
    CHECK_EQ(kin_process_pid(me), getpid());
    CHECK(kin_process_is_alive(me));
    CHECK_EQ(kin_process_exitcode(me), KIN_RUNNING);
    CHECK_ERROR(kin_process_join((kin_process *)me, 0), KIN_ESTATE);
    CHECK_ERROR(kin_process_start((kin_process *)me), KIN_ESTATE);
    CHECK_ERROR(kin_process_sentinel(me), KIN_ESTATE);
    kin_process_free((kin_process *)me);
    return kin_none();
}

TEST(a_process_knows_itself)
{
    const kin_process *me = kin_current_process();
    CHECK_STR(kin_process_name(me), "MainProcess");
    CHECK_EQ(kin_process_pid(me), getpid());
    CHECK(kin_process_is_alive(me));
    CHECK(!kin_process_daemon(me));
    CHECK_EQ(kin_process_exitcode(me), KIN_RUNNING);
    CHECK_ERROR(kin_process_join((kin_process *)me, 0), KIN_ESTATE);
    CHECK_ERROR(kin_process_kill((kin_process *)me), KIN_ESTATE);
    kin_process_free((kin_process *)me);
    CHECK_EQ(run(look_at_myself, kin_args()), 0);
}

TEST(init_takes_what_main_got)
{
    char *argv[] = { (char *)"program", NULL };
    CHECK_EQ(kin_init(1, argv), 0);
    CHECK_EQ(kin_init(1, argv), 0);
    CHECK_ERROR(kin_init(-1, argv), KIN_EINVAL);
    CHECK_ERROR(kin_init(1, NULL), KIN_EINVAL);
}

/* ---- once, and by its maker ------------------------------------------------------------- */

static kin_process *shared_by_fork;

static kin_obj use_a_sibling(kin_obj args)
{
    (void)args;
    CHECK_ERROR(kin_process_start(shared_by_fork), KIN_ESTATE);
    CHECK_ERROR(kin_process_join(shared_by_fork, 0), KIN_ESTATE);
    CHECK_ERROR(kin_process_kill(shared_by_fork), KIN_ESTATE);
    CHECK_ERROR(kin_process_sentinel(shared_by_fork), KIN_ESTATE);
    CHECK_STR(kin_process_name(shared_by_fork), "Process-1");
    kin_process_free(shared_by_fork);
    return kin_none();
}

TEST(a_process_is_started_once_and_by_its_maker)
{
    kin_obj zero = kin_int(0);
    CHECK_OK(kin_process_new(&shared_by_fork, give_back, kin_args(zero), NULL));
    CHECK_EQ(run(use_a_sibling, kin_args()), 0);
    CHECK_OK(kin_process_start(shared_by_fork));
    CHECK_EQ(run(use_a_sibling, kin_args()), 0);
    CHECK_ERROR(kin_process_start(shared_by_fork), KIN_ESTATE);
    CHECK_OK(kin_process_join(shared_by_fork, KIN_FOREVER));
    CHECK_ERROR(kin_process_start(shared_by_fork), KIN_ESTATE);
    CHECK_EQ(kin_process_exitcode(shared_by_fork), 0);
    kin_process_free(shared_by_fork);
}

/* ---- fork ----------------------------------------------------------------------------- */

struct world {
    kin_event *go;
    _Atomic kin__id child;
};

static struct world *new_world(void)
{
    struct world *w = kin_alloc(sizeof *w);
    CHECK_OK(kin_event_new(&w->go, NULL));
    return w;
}

static void free_world(struct world *w)
{
    kin_event_free(w->go);
    kin_free(w);
}

TEST(a_bare_fork_is_a_relative)
{
    struct world *w = new_world();
    kin__id parent = kin__self();
    int pid = kin_fork();
    if (pid == 0) {
        w->child = kin__self();
        _exit(kin_event_wait(w->go, KIN_FOREVER) == 0 ? 4 : 5);
    }
    CHECK_GT(pid, 0);
    WAIT_UNTIL(w->child);
    CHECK_NE(w->child, parent);
    CHECK_OK(kin_event_set(w->go));
    CHECK_EQ(test_join(pid), 4);
    free_world(w);
}

static int warnings;

static void count_warnings(int level, const char *text, void *ctx)
{
    (void)ctx;
    warnings += level == KIN_LOG_WARNING && strstr(text, "threads") != NULL;
}

static void *wait_for_event(void *event)
{
    return kin_event_wait(event, KIN_FOREVER) == 0 ? NULL : event;
}

TEST(forks_beside_threads_are_warned_of_once)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    kin_log_set_handler(count_warnings, NULL);
    CHECK_EQ(run(give_back, kin_args(kin_none())), 0);
    CHECK_EQ(warnings, 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_event, event), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run(give_back, kin_args(kin_none())), 0);
    }
    CHECK_EQ(warnings, 1);
    CHECK_OK(kin_event_set(event));
    pthread_join(thread, NULL);
    kin_log_set_handler(NULL, NULL);
    kin_event_free(event);
}

static atomic_bool enough;

static void *start_and_join(void *ctx)
{
    while (!enough) {
        kin_process *p = NULL;
        if (kin_start(&p, give_back, kin_args(kin_int(1)), NULL) ||
            kin_process_join(p, KIN_FOREVER) || kin_process_exitcode(p) != 1) {
            return ctx;
        }
        kin_process_free(p);
    }
    return NULL;
}

TEST_WITHIN(120, a_fork_beside_busy_threads_finds_no_lock_held)
{
    kin_log_set_level(KIN_LOG_ERROR);
    kin__self();
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, start_and_join, &enough), 0);
    }
    for (int i = 0; i < 100; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            _exit(run(give_back, kin_args(kin_int(2))));
        }
        CHECK_EQ(test_join(pid), 2);
    }
    enough = true;
    for (int i = 0; i < 2; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
}
