/* Many children, by each start method: nothing of them is left. KIN_TRIALS=2000 for as many. */
#include "contract/start.h"
#include "domain/room.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int trials(int usual)
{
    const char *text = getenv("KIN_TRIALS");
    return text != NULL && atoi(text) > 0 ? atoi(text) : usual;
}

static kin_obj add_up(kin_obj args)
{
    _Atomic long *sum = kin_arg_shared(args, 0);
    *sum += kin_arg_int(args, 1);
    return kin_int(kin_arg_int(args, 1) % 200);
}

/* 0 under a sanitizer, which remembers what was freed. */
static uint64_t private_memory(void)
{
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return 0;
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#endif
    char text[100] = "";
    unsigned long size = 0, resident = 0, shared = 0;
    CHECK_GT(kin__os_read_file("/proc/self/statm", text, sizeof text), 0);
    CHECK_EQ(sscanf(text, "%lu %lu %lu", &size, &resident, &shared), 3);
    return (resident - shared) * 4096;
}

/* Starts n children in rounds of `side`, and joins them. */
static long run_many(const char *method, int n, int side, void *sum)
{
    kin_process *p[16];
    long expected = 0;
    for (int i = 0; i < n; i += side) {
        for (int j = 0; j < side; j++) {
            expected += i + j;
            p[j] = start_by(method, add_up, kin_args(kin_shared(sum), kin_int(i + j)));
            CHECK(j % 4 != 3 || kin_process_sentinel(p[j]) >= 0);
        }
        for (int j = 0; j < side; j++) {
            CHECK_EQ(end(p[j]), (i + j) % 200);
        }
    }
    return expected;
}

EACH_METHOD_WITHIN(900, leaves_nothing_after_many_children)
{
    _Atomic long *sum = kin_alloc(sizeof *sum);
    void *memory = (void *)(uintptr_t)sum;
    long expected = run_many(method, 64, 16, memory);
    kin_usage_info before, after;
    CHECK_OK(kin_usage(&before));
    int descriptors = test_count_descriptors();
    uint64_t bytes = private_memory();
    expected += run_many(method, trials(200), 8, memory);
    CHECK_EQ(*sum, expected);
    CHECK_OK(kin_usage(&after));
    CHECK_EQ(after.blocks, before.blocks);
    CHECK_EQ(after.processes, before.processes);
    CHECK_EQ(test_count_descriptors(), descriptors);
    CHECK_LE(private_memory(), bytes + (512 << 10));
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    kin_free(memory);
}

static kin_obj know_address(kin_obj args)
{
    long *memory = kin_arg_shared(args, 0);
    SEE((intptr_t)memory == kin_arg_int(args, 1) && *memory == 77);
    *memory = 78;
    return kin_none();
}

TEST_WITHIN(900, two_hundred_images_find_the_domain_at_its_address)
{
    if (personality(0xffffffff) & ADDR_NO_RANDOMIZE) {
        SKIP("addresses are not random here");
    }
    long *memory = kin_alloc(sizeof *memory);
    for (int i = 0; i < 200; i++) {
        *memory = 77;
        CHECK_EQ(
            run_by("spawn", know_address, kin_args(kin_shared(memory), kin_int((intptr_t)memory))),
            0);
        CHECK_EQ(*memory, 78);
    }
    kin_free(memory);
}

/* ---- threads -------------------------------------------------------------------------------- */

struct starter {
    const char *method;
    void *sum;
    int n;
};

static void *start_and_join_some(void *ctx)
{
    const struct starter *s = ctx;
    (void)run_many(s->method, s->n, 2, s->sum);
    return NULL;
}

EACH_METHOD_WITHIN(600, from_eight_threads_at_once)
{
    enum { THREADS = 8 };
    kin_log_set_level(KIN_LOG_ERROR); /* fork warns of the others */
    _Atomic long *sum = kin_alloc(sizeof *sum);
    struct starter starter = { method, (void *)(uintptr_t)sum, trials(20) };
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, start_and_join_some, &starter), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    long n = starter.n;
    CHECK_EQ(*sum, THREADS * (n * (n - 1) / 2));
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
    kin_free(starter.sum);
}

/* ---- signals -------------------------------------------------------------------------------- */

static _Atomic int handled;

static void on_signal(int number)
{
    (void)number;
    handled++;
}

/* Signals come all the time, without SA_RESTART. */
static void be_interrupted(void)
{
    static const int signals[] = { SIGALRM, SIGCHLD, SIGINT, SIGTERM };
    for (int i = 0; i < 4; i++) {
        struct sigaction action = { .sa_handler = on_signal };
        CHECK_EQ(sigaction(signals[i], &action, NULL), 0);
    }
    const struct itimerval often = { { 0, 300 }, { 0, 300 } };
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static kin_obj die_or_return(kin_obj args)
{
    int number = (int)kin_arg_int(args, 0);
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigaction(SIGTERM, &action, NULL);
    if (number > 0) {
        raise(number);
    }
    return kin_int(9);
}

EACH_METHOD_WITHIN(300, and_join_go_on_after_each_signal)
{
    be_interrupted();
    for (int i = 0; i < trials(50); i++) {
        kin_process *p = start_by(method, die_or_return, kin_args(kin_int(i % 2 ? SIGTERM : 0)));
        kill(getpid(), i % 4 < 2 ? SIGINT : SIGTERM);
        CHECK_EQ(kin_process_join(p, i % 3 ? KIN_FOREVER : 1000), 0);
        CHECK_EQ(kin_process_exitcode(p), i % 2 ? -SIGTERM : 9);
        kin_process_free(p);
    }
    const struct itimerval never = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK_GT(handled, 50);
}

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

EACH_METHOD(exit_codes_are_known_where_sigchld_is_ignored)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 20; i++) {
        kin_process *p = start_by(method, give_back, kin_args(kin_int(i)));
        CHECK_EQ(kin_process_join(p, i % 2 ? KIN_FOREVER : 1000), 0);
        CHECK_EQ(kin_process_exitcode(p), i);
        kin_process_free(p);
    }
    signal(SIGCHLD, SIG_DFL);
}

static void reap_all(int number)
{
    (void)number;
    int error = errno;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    errno = error;
}

EACH_METHOD(exit_codes_are_known_where_a_handler_reaps)
{
    struct sigaction action = { .sa_handler = reap_all };
    CHECK_EQ(sigaction(SIGCHLD, &action, NULL), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(run_by(method, give_back, kin_args(kin_int(i))), i);
    }
}

/* ---- limits --------------------------------------------------------------------------------- */

static kin_obj wait_for_event(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    return kin_int(6);
}

/* Starts until the limit is reached, and once more when it is not any longer. */
static int start_to_the_limit(const char *method, int code)
{
    enum { MOST = 400 };
    static kin_process *p[MOST];
    kin_event *go = NULL;
    int n = 0, rv = 0;
    CHECK_OK(kin_event_new(&go, NULL));
    for (; n < MOST && rv == 0; n += rv == 0) {
        rv = kin_start(&p[n], wait_for_event, kin_args(kin_shared(go)),
                       KIN_OPT(kin_process_options, .start_method = method));
        CHECK(rv < 0 || kin_process_sentinel(p[n]) >= 0 || code == KIN_EMFILE);
    }
    CHECK_ERROR(rv, code);
    CHECK_OK(kin_event_set(go));
    for (int i = 0; i < n; i++) {
        CHECK_EQ(end(p[i]), 6);
    }
    CHECK_EQ(run_by(method, wait_for_event, kin_args(kin_shared(go))), 6);
    kin_event_free(go);
    return n;
}

static int limit_files(void *ctx)
{
    const struct rlimit few = { .rlim_cur = 64, .rlim_max = 64 };
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    return start_to_the_limit(ctx, KIN_EMFILE) > 0 ? 0 : 1;
}

TEST_WITHIN(120, descriptors_run_out_in_the_middle)
{
    char method[] = "forkserver"; /* each child takes two here */
    CHECK_EQ(test_join(test_child(limit_files, method)), 0);
}

/* Root is not limited: as somebody else. */
static int limit_processes(void *ctx)
{
    const struct rlimit few = { .rlim_cur = 20, .rlim_max = 20 };
    CHECK_OK(kin__join());
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &few), 0);
    CHECK_EQ(setgid(54321), 0);
    CHECK_EQ(setuid(54321), 0);
    return start_to_the_limit(ctx, KIN_EAGAIN) > 0 ? 0 : 1;
}

EACH_METHOD_WITHIN(120, processes_run_out_in_the_middle)
{
    if (geteuid() != 0) {
        SKIP("other processes of this user count, too");
    }
    char name[16];
    snprintf(name, sizeof name, "%s", method);
    CHECK_EQ(test_join(test_child(limit_processes, name)), 0);
}
