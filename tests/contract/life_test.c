/* How a child's life ends, and what its parent learns of it, by each start method. */
#include "start.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_event *go;

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(7);
}

static kin_process *start_waiting(const char *method)
{
    if (go == NULL) {
        CHECK_OK(kin_event_new(&go, NULL));
    }
    return start_by(method, wait_for_event, kin_args(kin_shared(go)));
}

/* Neither running nor a zombie. */
static bool has_no_children(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

/* ---- exit codes ------------------------------------------------------------------------ */

EACH_METHOD(the_result_is_the_exit_code)
{
    CHECK_EQ(run_by(method, give_back, kin_args(kin_none())), 0);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_int(0))), 0);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_int(3))), 3);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_int(255))), 255);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_int(256))), 0);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_int(258))), 2);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_int(-1))), 255);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_str("text"))), 0);
    CHECK_EQ(run_by(method, give_back, kin_args(kin_list(kin_int(3)))), 0);
}

static kin_obj leave_early(kin_obj args)
{
    int code = (int)kin_arg_int(args, 1);
    if (kin_as_bool(kin_arg(args, 0))) {
        exit(code);
    }
    _exit(code);
}

static kin_obj die_by(kin_obj args)
{
    kill(getpid(), (int)kin_arg_int(args, 0));
    return kin_none();
}

static kin_obj give_up(kin_obj args)
{
    (void)args;
    abort();
}

EACH_METHOD(a_child_may_leave_early)
{
    CHECK_EQ(run_by(method, leave_early, kin_args(kin_bool(true), kin_int(3))), 3);
    CHECK_EQ(run_by(method, leave_early, kin_args(kin_bool(false), kin_int(4))), 4);
    CHECK_EQ(run_by(method, die_by, kin_args(kin_int(SIGKILL))), -SIGKILL);
    CHECK_EQ(run_by(method, die_by, kin_args(kin_int(SIGTERM))), -SIGTERM);
    CHECK_EQ(run_by(method, die_by, kin_args(kin_int(SIGUSR2))), -SIGUSR2);
    CHECK_EQ(run_by(method, give_up, kin_args()), -SIGABRT);
}

/* Runs body(method) in a child whose stdout and stderr are caught; what it wrote. */
static const char *written_by(int (*body)(void *ctx), const char *method)
{
    static char text[4096];
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        union { /* the method's name is not changed */
            const char *read;
            void *write;
        } name = { method };
        exit(body(name.write));
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], text + length, sizeof text - 1 - length)) > 0) {
        length += (size_t)n;
    }
    text[length] = '\0';
    close(ends[0]);
    CHECK_EQ(test_join(pid), 0);
    return text;
}

static kin_obj run_out_of_disk(kin_obj args)
{
    return kin_error(KIN_EUSER - 3, "disk %s is full", kin_arg_str(args, 0));
}

static int run_failing(void *method)
{
    const kin_process_options options = { .start_method = method, .name = "writer" };
    return run_with(&options, run_out_of_disk, kin_args(kin_str("sda"))) == 1 ? 0 : 9;
}

EACH_METHOD(an_error_is_one_and_its_text_goes_to_stderr)
{
    CHECK_STR(written_by(run_failing, method), "writer: disk sda is full (KIN_EUSER-3)\n");
}

/* ---- printed once, done once ----------------------------------------------------------- */

static kin_obj print_words(kin_obj args)
{
    printf("%s ", kin_arg_str(args, 0));
    if (kin_len(args) > 1) {
        kin_process *child = NULL;
        KIN_TRY(kin_start(&child, print_words, kin_args(kin_str("grandchild")),
                          KIN_OPT(kin_process_options, .start_method = kin_arg_str(args, 1))));
        KIN_TRY(kin_process_join(child, KIN_FOREVER));
        kin_process_free(child);
        printf("done ");
    }
    return kin_none();
}

static void say_bye(void)
{
    printf("bye");
}

static int print_together(void *method)
{
    atexit(say_bye);
    printf("parent ");
    if (run_by(method, print_words, kin_args(kin_str("first"))) != 0) {
        return 1;
    }
    kin_obj args = kin_args(kin_str("second"), kin_str(method));
    return run_by(method, print_words, args);
}

EACH_METHOD(what_is_buffered_is_printed_once)
{
    CHECK_STR(written_by(print_together, method), "parent first second grandchild done bye");
}

static kin_obj note(kin_obj args)
{
    printf("%s ", kin_arg_str(args, 0));
    return kin_none();
}

static kin_obj finish_twice(kin_obj args)
{
    KIN_TRY(kin_at_exit(note, kin_args(kin_str("child's"))));
    KIN_TRY(kin_at_exit(note, kin_args(kin_str("last-of"))));
    if (kin_as_bool(kin_arg(args, 0))) {
        exit(0);
    }
    return kin_none();
}

static int finish_all(void *method)
{
    CHECK_OK(kin_at_exit(note, kin_args(kin_str("parent's"))));
    int code = run_by(method, finish_twice, kin_args(kin_bool(false)));
    return code != 0 ? code : run_by(method, finish_twice, kin_args(kin_bool(true)));
}

EACH_METHOD(finalizers_run_once_and_in_their_process)
{
    CHECK_STR(written_by(finish_all, method), "last-of child's last-of child's parent's ");
}

/* ---- waiting ---------------------------------------------------------------------------- */

EACH_METHOD(join_waits_for_the_end)
{
    kin_process *p = start_waiting(method);
    CHECK_ERROR(kin_process_join(p, 0), KIN_ETIMEDOUT);
    double begin = kin_now();
    CHECK_ERROR(kin_process_join(p, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    CHECK(kin_process_is_alive(p));
    CHECK_EQ(kin_process_exitcode(p), KIN_RUNNING);
    CHECK_ERROR(kin_process_start(p), KIN_ESTATE);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(kin_process_join(p, 1000), 0);
    CHECK_EQ(kin_process_exitcode(p), 7);
    CHECK(!kin_process_is_alive(p));
    CHECK_EQ(kin_process_join(p, 0), 0);
    CHECK_EQ(kin_process_join(p, KIN_FOREVER), 0);
    CHECK_ERROR(kin_process_start(p), KIN_ESTATE);
    kin_process_free(p);
    kin_event_free(go);
}

EACH_METHOD(a_process_is_joined_after_its_start)
{
    kin_process *p = NULL;
    CHECK_OK(kin_process_new(&p, give_back, kin_args(kin_int(5)),
                             KIN_OPT(kin_process_options, .start_method = method)));
    CHECK_ERROR(kin_process_join(p, 0), KIN_ESTATE);
    CHECK_ERROR(kin_process_kill(p), KIN_ESTATE);
    CHECK_ERROR(kin_process_sentinel(p), KIN_ESTATE);
    CHECK_EQ(kin_process_pid(p), 0);
    CHECK(!kin_process_is_alive(p));
    CHECK_OK(kin_process_start(p));
    CHECK_GT(kin_process_pid(p), 0);
    CHECK_EQ(end(p), 5);
}

struct joiner {
    kin_process *process;
    double timeout;
};

static void *join_it(void *ctx)
{
    struct joiner *j = ctx;
    int rv = kin_process_join(j->process, j->timeout);
    return rv == 0 && kin_process_exitcode(j->process) == 7 ? NULL : ctx;
}

EACH_METHOD(several_threads_may_join_one_child)
{
    enum { THREADS = 6 };
    kin_process *p = start_waiting(method);
    struct joiner how[2] = { { p, KIN_FOREVER }, { p, 1000 } };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, join_it, &how[i % 2]), 0);
    }
    CHECK_OK(kin_event_set(go));
    for (int i = 0; i < THREADS; i++) {
        void *result;
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK_NULL(result);
    }
    kin_process_free(p);
    kin_event_free(go);
}

EACH_METHOD(the_sentinel_polls_once_it_has_ended)
{
    kin_process *p = start_waiting(method);
    int fd = kin_process_sentinel(p);
    CHECK_OK(fd);
    CHECK_EQ(kin_process_sentinel(p), fd);
    struct pollfd sentinel = { .fd = fd, .events = POLLIN };
    CHECK_EQ(poll(&sentinel, 1, 0), 0);
    CHECK_OK(kin_event_set(go));
    CHECK_EQ(poll(&sentinel, 1, -1), 1);
    CHECK_EQ(kin_process_exitcode(p), 7);
    CHECK_EQ(poll(&sentinel, 1, 0), 1);
    CHECK_EQ(kin_process_sentinel(p), fd);
    kin_process_free(p);
    p = start_by(method, give_back, kin_args(kin_int(1)));
    WAIT_UNTIL(!kin_process_is_alive(p));
    sentinel.fd = kin_process_sentinel(p); /* asked for late */
    CHECK_EQ(poll(&sentinel, 1, 0), 1);
    kin_process_free(p);
    kin_event_free(go);
}

/* ---- signals --------------------------------------------------------------------------- */

EACH_METHOD(signals_end_a_child)
{
    static int (*const verbs[])(kin_process *) = { kin_process_terminate, kin_process_kill,
                                                   kin_process_interrupt };
    static const int signals[] = { SIGTERM, SIGKILL, SIGINT };
    for (int i = 0; i < 3; i++) {
        kin_process *p = start_waiting(method);
        CHECK_EQ(verbs[i](p), 0);
        CHECK_OK(kin_process_join(p, KIN_FOREVER));
        CHECK_EQ(kin_process_exitcode(p), -signals[i]);
        CHECK_EQ(verbs[i](p), 0); /* it is dead already */
        kin_process_free(p);
    }
    kin_event_free(go);
}

EACH_METHOD(a_stopped_child_can_be_killed)
{
    kin_process *p = start_waiting(method);
    kill(kin_process_pid(p), SIGSTOP);
    CHECK_OK(kin_process_kill(p));
    CHECK_EQ(end(p), -SIGKILL);
    kin_event_free(go);
}

/* ---- questions ------------------------------------------------------------------------- */

EACH_METHOD(whoever_asks_reaps)
{
    kin_process *p = start_by(method, give_back, kin_args(kin_int(4)));
    WAIT_UNTIL(!kin_process_is_alive(p));
    CHECK(has_no_children());
    CHECK_EQ(kin_process_exitcode(p), 4);
    kin_process_free(p);
    p = start_by(method, give_back, kin_args(kin_int(5)));
    WAIT_UNTIL(kin_process_exitcode(p) != KIN_RUNNING);
    CHECK(has_no_children());
    CHECK_EQ(kin_process_exitcode(p), 5);
    kin_process_free(p);
}

static void check_repr(const kin_process *p, const char *format, int pid)
{
    char expected[200];
    snprintf(expected, sizeof expected, format, pid, (int)getpid());
    char *text = kin_process_repr(p);
    CHECK_STR(text, expected);
    free(text);
}

EACH_METHOD(a_process_in_a_line)
{
    kin_process *p = start_waiting(method);
    int pid = kin_process_pid(p);
    check_repr(p, "<Process name='Process-1' pid=%d parent=%d started>", pid);
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    check_repr(p, "<Process name='Process-1' pid=%d parent=%d stopped exitcode=7>", pid);
    kin_process_free(p);
    p = start_by(method, die_by, kin_args(kin_int(SIGTERM)));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    check_repr(p, "<Process name='Process-2' pid=%d parent=%d stopped exitcode=-SIGTERM>",
               kin_process_pid(p));
    kin_process_free(p);
    kin_event_free(go);
}

EACH_METHOD(active_children_are_those_that_run)
{
    kin_process *found[4] = { NULL };
    CHECK_EQ(kin_active_children(NULL, 0), 0);
    kin_process *p[2] = { start_waiting(method), start_waiting(method) };
    kin_process_free(start_by(method, give_back, kin_args(kin_none())));
    WAIT_UNTIL(kin_active_children(NULL, 0) == 2);
    kin_process_free(p[1]);
    CHECK_EQ(kin_active_children(found, 1), 2);
    kin_process_free(found[0]);
    CHECK_EQ(kin_active_children(found, 4), 2);
    CHECK(found[0] == p[0] || found[1] == p[0]);
    CHECK_OK(kin_event_set(go));
    WAIT_UNTIL(kin_active_children(NULL, 0) == 0);
    CHECK(has_no_children());
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kin_process_exitcode(found[i]), 7);
        kin_process_free(found[i]);
    }
    kin_process_free(p[0]);
    kin_event_free(go);
}

/* ---- letting go ------------------------------------------------------------------------ */

EACH_METHOD(a_child_let_go_runs_on)
{
    kin_process *p = start_waiting(method);
    int pid = kin_process_pid(p);
    kin_process_free(p);
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_ERROR(kin_join_children(0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_join_children(0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(go));
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK(has_no_children());
    CHECK_EQ(kin_join_children(0), 0);
    kin_event_free(go);
}

EACH_METHOD(what_a_dead_child_held_is_back_when_it_is_joined)
{
    kin_usage_info before, after;
    CHECK_EQ(run_by(method, give_back, kin_args(kin_none())), 0);
    CHECK_OK(kin_usage(&before));
    kin_process *p = start_waiting(method);
    CHECK_OK(kin_process_kill(p));
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_OK(kin_event_set(go));
    kin_event_free(go);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
    CHECK_EQ(after.processes, before.processes);
}
