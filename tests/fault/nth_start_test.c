/* Each start method when memory is out, when system calls fail, and when limits are reached. */
#include "contract/start.h"
#include "domain/room.h"
#include "process/room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static kin_obj five(kin_obj args)
{
    const char *bytes = kin_as_shared(kin_arg(args, 2));
    size_t size = 0;
    char *taken = kin_take_buffer(kin_arg(args, 1), &size);
    SEE(taken != NULL && size == 50 && taken == bytes && taken[49] == 'x');
    kin_free(taken);
    return kin_int(5);
}

/* Arguments that would be missed if they were lost: a buffer, which moves. */
static kin_obj dear_args(void)
{
    char *bytes = kin_alloc(50);
    bytes[49] = 'x';
    return kin_args(kin_list(kin_str("some")), kin_buffer(bytes, 50), kin_shared(bytes));
}

struct scene {
    kin_process_options options;
    kin_process *process;
    bool cold; /* each attempt makes a server of its own */
};

/* What was made once stays: a server, a pipe for daemons. */
static void warm_up(struct scene *s)
{
    kin__self();
    CHECK_EQ(run_with(&s->options, five, dear_args()), 5);
}

static void make(void *ctx)
{
    struct scene *s = ctx;
    kin_process_free(s->process); /* of an attempt that failed: with its arguments */
    s->process = NULL;
    CHECK_OK(kin_process_new(&s->process, five, dear_args(), &s->options));
}

static int start(void *ctx)
{
    struct scene *s = ctx;
    int rv = kin_process_start(s->process);
    if (rv == 0) {
        CHECK_EQ(end(s->process), 5);
        s->process = NULL;
    }
    if (s->cold) {
        kin__process_drop_server();
    }
    return rv;
}

/* It has not begun, and can be tried again: with all that it was given. */
static void try_again(void *ctx, int error)
{
    struct scene *s = ctx;
    CHECK(error == KIN_ENOMEM || error == KIN_EAGAIN || error == KIN_EMFILE);
    CHECK(!kin_process_is_alive(s->process));
    CHECK_EQ(kin_process_pid(s->process), 0);
    CHECK_ERROR(kin_process_join(s->process, 0), KIN_ESTATE);
    CHECK_OK(start(s));
}

static void fail_each(const char *method, int daemon, bool cold, enum kin__fault_kind kind)
{
    struct scene s = { .options = { .start_method = method, .daemon = daemon }, .cold = cold };
    kin_usage_info before, after;
    warm_up(&s);
    if (cold) {
        kin__process_drop_server();
    }
    CHECK_OK(kin_usage(&before));
    CHECK_GE(fault_loop(kind, &s, .setup = make, .attempt = start, .check = try_again), 1);
    kin_process_free(s.process);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
}

TEST_WITHIN(120, a_spawn_without_memory_may_be_tried_again)
{
    fail_each("spawn", 0, false, KIN__FAULT_MEMORY);
}

EACH_METHOD_WITHIN(120, may_be_tried_again_whatever_call_fails)
{
    fail_each(method, 0, false, KIN__FAULT_CALL);
}

EACH_METHOD_WITHIN(120, of_a_daemon_may_be_tried_again)
{
    fail_each(method, true, false, KIN__FAULT_CALL);
}

TEST_WITHIN(120, a_server_that_cannot_be_made_may_be_tried_again)
{
    fail_each("forkserver", 0, true, KIN__FAULT_CALL);
    fail_each("forkserver", 0, true, KIN__FAULT_MEMORY);
}

/* ---- limits of the system ----------------------------------------------------------------- */

/* Opens descriptors until all but `left` are taken. */
static int open_all_but(int left)
{
    const struct rlimit limit = { .rlim_cur = 256, .rlim_max = 256 };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int first = -1, fd;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
        first = first < 0 ? fd : first;
    }
    for (int i = 0; i < left; i++) {
        close(255 - i);
    }
    return first;
}

static int run_out_of_descriptors(void *ctx)
{
    struct scene *s = ctx;
    make(s);
    int failed = 0, first = open_all_but(0);
    while (first >= 0 && first < 256) {
        int rv = kin_process_start(s->process);
        if (rv == 0) {
            break;
        }
        CHECK_EQ(rv, KIN_EMFILE);
        failed++;
        close(first);
        first = fcntl(first + 1, F_GETFD) >= 0 ? first + 1 : -1;
    }
    CHECK_OK(kin_process_join(s->process, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(s->process), 5);
    return failed;
}

EACH_METHOD(without_descriptors_may_be_tried_again)
{
    struct scene s = { .options = { .start_method = method } };
    warm_up(&s);
    int failed = test_join(test_child(run_out_of_descriptors, &s));
    CHECK_GE(failed, is_forked(method) ? 0 : 1);
    s.options.daemon = true;
    CHECK_GE(test_join(test_child(run_out_of_descriptors, &s)), 1);
}

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_none();
}

static void limit_files(rlim_t most)
{
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = most;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

TEST(a_server_without_descriptors_says_so)
{
    enum { MOST = 64 };
    kin_process *children[MOST] = { NULL };
    kin_event *go = NULL;
    int n = 0, rv = 0;
    const kin_process_options options = { .start_method = "forkserver" };
    CHECK_OK(kin_event_new(&go, NULL));
    limit_files(MOST);
    CHECK_EQ(run_with(&options, five, dear_args()), 5);
    limit_files(1024);
    for (; n < MOST && rv == 0; n += rv == 0) {
        rv = kin_start(&children[n], wait_for_event, kin_args(kin_shared(go)), &options);
    }
    CHECK_ERROR(rv, KIN_EMFILE);
    CHECK_GE(n, 20);
    CHECK_OK(kin_event_set(go));
    for (int i = 0; i < n; i++) {
        CHECK_EQ(end(children[i]), 0);
    }
    CHECK_EQ(run_with(&options, five, dear_args()), 5);
    kin_event_free(go);
}
