#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || HAS_FEATURE(thread_sanitizer)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif

/* The sanitizers shall not find what is wrong here. */
#define WRONG __attribute__((noinline, no_sanitize("undefined")))

/* What a test shares with the process that crashes. */
struct scene {
    kin__crash crash;
    _Atomic int hooks;
    _Atomic uint32_t seen[4]; /* record.published at each call of the hook */
    _Atomic int go;
    _Atomic uintptr_t page; /* that nobody may touch */
};

static struct scene *scene;

static void count_hooks(void)
{
    int n = scene->hooks++;
    if (n < 4) {
        scene->seen[n] = scene->crash.published;
    }
}

static WRONG int write_to(uintptr_t address)
{
    *(volatile int *)address = 1;
    return 0;
}

static char *page_that_traps(void)
{
    void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    scene->page = (uintptr_t)page;
    return page;
}

static int segfault(void *ctx)
{
    (void)ctx;
    return write_to((uintptr_t)page_that_traps() + 40);
}

/* The file behind the page is empty. */
static int bus_error(void *ctx)
{
    (void)ctx;
    int fd = kin__os_memfd("empty");
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(page != MAP_FAILED);
    scene->page = (uintptr_t)page;
    return write_to((uintptr_t)page);
}

static int abort_here(void *ctx)
{
    (void)ctx;
    abort();
}

static int raise_it(void *ctx)
{
    raise(*(const int *)ctx);
    return 0;
}

/* Runs body in a process that watches itself; how it ended. */
static int crash_of(int (*body)(void *ctx), void *ctx)
{
    memset(&scene->crash, 0, sizeof scene->crash);
    pid_t pid = kin__os_fork();
    CHECK_GE(pid, 0);
    if (pid == 0) {
        kin__os_watch_crashes(&scene->crash, "Test-1", count_hooks);
        kin__os_leave(body(ctx));
    }
    return test_join(pid);
}

static void set_the_scene(void)
{
    scene = test_shared(sizeof *scene);
    kin__os_prime_crashes();
}

static void check_begins(const char *text, const char *beginning)
{
    char begins[100];
    snprintf(begins, sizeof begins, "%.*s", (int)strlen(beginning), text);
    CHECK_STR(begins, beginning);
}

/* ---- what is told --------------------------------------------------------------------- */

TEST(a_fault_is_told_with_signal_address_and_frames)
{
    set_the_scene();
    CHECK_EQ(crash_of(segfault, NULL), -SIGSEGV);
    const kin__crash *crash = &scene->crash;
    CHECK_EQ(crash->published, 2);
    CHECK_EQ(crash->signal, SIGSEGV);
    CHECK_EQ(crash->code, SEGV_ACCERR);
    CHECK_EQ((intmax_t)crash->address, (intmax_t)scene->page + 40);
    char text[200];
    snprintf(text, sizeof text, "signal 11 (SIGSEGV) at address 0x%jx\n  #0 %s",
             (uintmax_t)crash->address, UNDER_TSAN ? "" : program_invocation_short_name);
    check_begins(crash->text,
                 text); /* ThreadSanitizer's handler calls ours: its frames are first */
    CHECK_CONTAINS(crash->text, "\n  #3 ");
    CHECK_CONTAINS(crash->text, " __libc_start_main");
}

static WRONG int segfault_above_the_floor(void *ctx)
{
    kin__os_crash_floor = __builtin_frame_address(0);
    volatile int rv = segfault(ctx);
    kin__os_crash_floor = NULL;
    return rv;
}

TEST(frames_are_told_down_to_the_floor)
{
    set_the_scene();
    CHECK_EQ(crash_of(segfault_above_the_floor, NULL), -SIGSEGV);
    CHECK_CONTAINS(scene->crash.text, "\n  #0 ");
    CHECK_NULL(strstr(scene->crash.text, " __libc_start_main"));
    CHECK(UNDER_TSAN || strstr(scene->crash.text, "\n  #2 ") == NULL);
}

static WRONG int segfault_below_the_floor(void *ctx)
{
    kin__os_crash_floor = (char *)__builtin_frame_address(0) -
                          100000; /* of nobody's frame: the stack has not come there */
    volatile int rv = segfault(ctx);
    return rv;
}

TEST(a_floor_that_the_stack_has_not_come_to_cuts_nothing_off)
{
    set_the_scene();
    CHECK_EQ(crash_of(segfault_below_the_floor, NULL), -SIGSEGV);
    /* ThreadSanitizer's handler is on the other stack, and its way to this one cannot be told */
    CHECK(UNDER_TSAN || strstr(scene->crash.text, " __libc_start_main") != NULL);
}

TEST(the_hook_is_called_when_the_signal_is_told_and_when_the_frames_are)
{
    set_the_scene();
    CHECK_EQ(crash_of(segfault, NULL), -SIGSEGV);
    CHECK_EQ(scene->hooks, 2);
    CHECK_EQ(scene->seen[0], 1);
    CHECK_EQ(scene->seen[1], 2);
}

TEST(each_of_the_signals_is_told_and_is_what_the_process_dies_of)
{
    set_the_scene();
    const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    const char *const names[] = { "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT" };
    for (int i = 0; i < 5; i++) {
        int signal = signals[i];
        CHECK_EQ(crash_of(raise_it, &signal), -signal);
        CHECK_EQ(scene->crash.published, 2);
        CHECK_EQ(scene->crash.signal, signal);
        CHECK_CONTAINS(scene->crash.text, names[i]);
    }
    CHECK_EQ(crash_of(bus_error, NULL), -SIGBUS);
    CHECK_EQ(scene->crash.code, BUS_ADRERR);
    CHECK_EQ((intmax_t)scene->crash.address, (intmax_t)scene->page);
}

TEST(an_abort_is_told_with_the_names_of_its_frames)
{
    set_the_scene();
    CHECK_EQ(crash_of(abort_here, NULL), -SIGABRT);
    check_begins(scene->crash.text, "signal 6 (SIGABRT)\n  #0 ");
    CHECK_CONTAINS(scene->crash.text, " abort\n");
    CHECK_EQ((intmax_t)scene->crash.address, 0);
}

static WRONG int call_nothing(void *ctx)
{
    int (*volatile nothing)(void) = (int (*)(void))0;
    (void)ctx;
    return nothing() + 1;
}

TEST(a_call_of_nothing_is_told_with_its_caller)
{
#if !defined(__x86_64__) && !defined(__aarch64__)
    SKIP("only where we know the registers");
#endif
    set_the_scene();
    CHECK_EQ(crash_of(call_nothing, NULL), -SIGSEGV);
    char text[200];
    snprintf(text, sizeof text, "signal 11 (SIGSEGV) at address 0x0\n  #0 %s",
             UNDER_TSAN ? "" : program_invocation_short_name);
    check_begins(scene->crash.text, text);
    CHECK_CONTAINS(scene->crash.text, " __libc_start_main");
}

static int wait_for_a_signal(void *ctx)
{
    (void)ctx;
    scene->go = 1;
    while (pause() < 0) {
    }
    return 0;
}

TEST(a_signal_that_another_process_sent_is_told_with_that_process)
{
    set_the_scene();
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        kin__os_watch_crashes(&scene->crash, "Test-1", NULL);
        kin__os_leave(wait_for_a_signal(NULL));
    }
    WAIT_UNTIL(scene->go);
    kill(pid, SIGSEGV);
    CHECK_EQ(test_join(pid), -SIGSEGV);
    char text[100];
    snprintf(text, sizeof text, "signal 11 (SIGSEGV), sent by process %d\n  #0 ", (int)getpid());
    check_begins(scene->crash.text, text);
    CHECK_EQ((intmax_t)scene->crash.address, 0);
    CHECK_LE(scene->crash.code, 0);
}

/* What `body` has printed on stderr when it crashed, and how it ended. */
static const char *printed_by(int (*body)(void *ctx), void *ctx, int *ret_end)
{
    static char text[4096];
    int ends[2];
    CHECK_EQ(kin__os_pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    kin__os_close(ends[1]);
    *ret_end = crash_of(body, ctx);
    dup2(saved, STDERR_FILENO);
    kin__os_close(saved);
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    kin__os_close(ends[0]);
    text[length] = '\0';
    return text;
}

TEST(stderr_has_what_the_record_has_and_who_it_was)
{
    set_the_scene();
    int end;
    const char *printed = printed_by(abort_here, NULL, &end);
    CHECK_EQ(end, -SIGABRT);
    check_begins(printed, "Test-1 (process ");
    const char *text = strstr(printed, ") crashed: ");
    CHECK_NOT_NULL(text);
    char expected[sizeof scene->crash.text + 1];
    snprintf(expected, sizeof expected, "%s\n", scene->crash.text);
    CHECK_STR(text + strlen(") crashed: "), expected);
}

static int segfault_quietly(void *ctx)
{
    atomic_store(&kin__os_crash_quietly, true);
    return segfault(ctx);
}

TEST(a_quiet_process_tells_the_record_alone)
{
    set_the_scene();
    int end;
    CHECK_STR(printed_by(segfault_quietly, NULL, &end), "");
    CHECK_EQ(end, -SIGSEGV);
    CHECK_EQ(scene->crash.published, 2);
    CHECK_CONTAINS(scene->crash.text, "\n  #0 ");
}

static int fork_and_crash(void *ctx)
{
    (void)ctx;
    pid_t pid = fork();
    if (pid == 0) {
        abort();
    }
    return test_join(pid) == -SIGABRT ? 7 : 8;
}

TEST(the_crash_of_a_watched_process_s_child_is_not_its_own)
{
    set_the_scene();
    int end;
    const char *printed = printed_by(fork_and_crash, NULL, &end);
    CHECK_EQ(end, 7);
    CHECK_CONTAINS(printed, "crashed: signal 6 (SIGABRT)\n  #0 ");
    CHECK_EQ(scene->crash.published, 0);
    CHECK_STR(scene->crash.text, "");
    CHECK_EQ(scene->hooks, 0);
}

static void *crash_in_a_thread(void *ctx)
{
    segfault(ctx);
    return NULL;
}

static int crash_in_another_thread(void *ctx)
{
    pthread_t thread;
    pthread_create(&thread, NULL, crash_in_a_thread, ctx);
    pthread_join(thread, NULL);
    return 0;
}

static int tell_pid(void *ctx)
{
    (void)ctx;
    scene->go = getpid();
    return segfault(NULL);
}

TEST(which_thread_it_was_is_told)
{
    set_the_scene();
    CHECK_EQ(crash_of(tell_pid, NULL), -SIGSEGV);
    CHECK_EQ(scene->crash.thread, scene->go);
    scene->go = 0;
    CHECK_EQ(crash_of(crash_in_another_thread, NULL), -SIGSEGV);
    CHECK_NE(scene->crash.thread, 0);
    CHECK_NE(scene->crash.thread, scene->go);
}

/* ---- when there is little left -------------------------------------------------------- */

static WRONG int recurse(volatile int *above)
{
    volatile int here[64];
    here[0] = above[0] + 1;
    if (here[0] == 0) {
        return 0;
    }
    return recurse(here) + here[0];
}

static int overflow_the_stack(void *ctx)
{
    volatile int zero = 0;
    (void)ctx;
    return recurse(&zero);
}

TEST(an_overflow_of_the_stack_is_told_and_its_text_cut_to_whole_lines)
{
    if (UNDER_TSAN) {
        SKIP("ThreadSanitizer's own stack of calls overflows first");
    }
    set_the_scene();
    CHECK_EQ(crash_of(overflow_the_stack, NULL), -SIGSEGV);
    CHECK_EQ(scene->crash.published, 2);
    const char *text = scene->crash.text;
    check_begins(text, "signal 11 (SIGSEGV) at address 0x");
    CHECK_LT(strlen(text), sizeof scene->crash.text);
    CHECK_GT(strlen(text), sizeof scene->crash.text / 2);
    check_begins(strrchr(text, '\n'), "\n  #");
    CHECK_NOT_NULL(strstr(strrchr(text, '\n'), "+0x"));
}

static void crash_in_the_hook(void)
{
    count_hooks();
    segfault(NULL);
}

static int abort_with_a_bad_hook(void *ctx)
{
    (void)ctx;
    kin__os_watch_crashes(&scene->crash, "Test-1", crash_in_the_hook);
    abort();
}

TEST(a_crash_in_the_handler_costs_that_step_alone)
{
    set_the_scene();
    int end;
    const char *printed = printed_by(abort_with_a_bad_hook, NULL, &end);
    CHECK_EQ(end, -SIGABRT);
    CHECK_EQ(scene->crash.published, 2);
    CHECK_EQ(scene->crash.signal, SIGABRT);
    CHECK_EQ(scene->hooks, 2);
    CHECK_CONTAINS(printed, "signal 6 (SIGABRT)\n  #0 ");
}

static void stay_in_the_hook(void)
{
    count_hooks();
    for (;;) {
        pause();
    }
}

static int abort_with_a_slow_hook(void *ctx)
{
    (void)ctx;
    kin__os_watch_crashes(&scene->crash, "Test-1", stay_in_the_hook);
    abort();
}

TEST(a_step_that_does_not_end_is_left)
{
    set_the_scene();
    CHECK_EQ(crash_of(abort_with_a_slow_hook, NULL), -SIGABRT);
    CHECK_EQ(scene->crash.published, 2);
    CHECK_EQ(scene->hooks, 2);
}

static int abort_before_a_full_pipe(void *ctx)
{
    int ends[2];
    (void)ctx;
    if (pipe(ends) < 0 || dup2(ends[1], STDERR_FILENO) < 0) {
        return 1;
    }
    kin__os_watch_crashes(&scene->crash, "Test-1", NULL);
    char page[4096] = "";
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], page, sizeof page) > 0) {
    }
    fcntl(ends[1], F_SETFL, 0);
    abort();
}

TEST(nobody_who_reads_stderr_keeps_a_process_from_ending)
{
    set_the_scene();
    CHECK_EQ(crash_of(abort_before_a_full_pipe, NULL), -SIGABRT);
    CHECK_EQ(scene->crash.published, 2);
}

/* The rest of the process waits for every signal that comes. */
static void *abort_without_a_reader(void *ctx)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    abort_before_a_full_pipe(ctx);
    return NULL;
}

static int abort_beside_a_waiter(void *ctx)
{
    pthread_t thread;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_create(&thread, NULL, abort_without_a_reader, ctx);
    int taken;
    while (sigwait(&all, &taken) == 0) {
    }
    return 1;
}

TEST(nobody_who_waits_for_signals_keeps_it_from_ending_either)
{
    set_the_scene();
    CHECK_EQ(crash_of(abort_beside_a_waiter, NULL), -SIGABRT);
    CHECK_EQ(scene->crash.published, 2);
}

/* Two that wait, and timers that ring again and again. */
static int segfault_among_alarms(void *ctx)
{
    sigset_t alarm;
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    const struct itimerspec often = { { .tv_nsec = 100000 }, { .tv_nsec = 100000 } };
    const struct itimerval as_often = { { .tv_usec = 10 }, { .tv_usec = 10 } };
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &as_often, NULL), 0);
    raise(SIGALRM);
    kill(getpid(), SIGALRM);
    return segfault(ctx);
}

TEST(alarms_of_the_program_do_not_disturb)
{
    set_the_scene();
    CHECK_EQ(crash_of(segfault_among_alarms, NULL), -SIGSEGV);
    CHECK_EQ(scene->crash.published, 2);
    CHECK_EQ(scene->crash.signal, SIGSEGV);
    CHECK_NULL(strstr(scene->crash.text, "sigmask")); /* the frames are those of the crash */
}

/* Both crash at once; the second waits for the end. */
static pthread_barrier_t barrier;

static void *abort_at_the_barrier(void *ctx)
{
    pthread_barrier_wait(&barrier);
    abort();
    return ctx;
}

static int crash_twice(void *ctx)
{
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, abort_at_the_barrier, NULL);
    pthread_barrier_wait(&barrier);
    return segfault(ctx);
}

TEST(of_two_threads_that_crash_at_once_one_reports)
{
    set_the_scene();
    for (int i = 0; i < 50; i++) {
        scene->hooks = 0;
        int end = crash_of(crash_twice, NULL);
        CHECK_EQ(end, -scene->crash.signal);
        CHECK(end == -SIGSEGV || end == -SIGABRT);
        CHECK_EQ(scene->crash.published, 2);
        CHECK_EQ(scene->hooks, 2);
    }
}

/* ---- what is somebody else's ---------------------------------------------------------- */

static void handle(int signal)
{
    _exit(signal);
}

static int crash_with_a_handler(void *ctx)
{
    signal(SIGSEGV, handle);
    signal(SIGFPE, SIG_IGN);
    kin__os_watch_crashes(&scene->crash, "Test-1", NULL);
    raise(SIGFPE);
    return segfault(ctx);
}

TEST(handlers_and_ignored_signals_of_the_program_stay)
{
    set_the_scene();
    if (signal(SIGSEGV, SIG_DFL) != SIG_DFL) {
        SKIP("somebody handles SIGSEGV here");
    }
    scene = test_shared(sizeof *scene);
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        kin__os_leave(crash_with_a_handler(NULL));
    }
    CHECK_EQ(test_join(pid), SIGSEGV);
    CHECK_EQ(scene->crash.published, 0);
}

TEST(priming_changes_no_disposition)
{
    set_the_scene();
    struct sigaction now;
    CHECK_EQ(sigaction(SIGSEGV, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
}

static int watch_on(void *ctx)
{
    stack_t stack = { .ss_sp = malloc(*(size_t *)ctx), .ss_size = *(size_t *)ctx };
    stack_t now;
    sigaltstack(&stack, NULL);
    kin__os_watch_crashes(&scene->crash, "Test-1", NULL);
    sigaltstack(NULL, &now);
    free(stack.ss_sp);
    return now.ss_sp == stack.ss_sp;
}

TEST(an_alternate_stack_that_is_there_stays_if_it_is_large_enough)
{
    set_the_scene();
    size_t large = 64 * 1024;
    size_t small = 8 * 1024;
    CHECK_EQ(test_join(test_child(watch_on, &large)), 1);
    CHECK_EQ(test_join(test_child(watch_on, &small)), 0);
}

/* ---- in a child of one who watches ---------------------------------------------------- */

static int watch_again(void *ctx)
{
    memset(&scene->crash, 0, sizeof scene->crash);
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        kin__os_watch_crashes(&scene->crash, "Test-1:1", count_hooks);
        kin__os_leave(segfault(ctx));
    }
    return test_join(pid) == -SIGSEGV ? 7 : 8;
}

TEST(a_child_may_watch_itself_in_its_turn)
{
    set_the_scene();
    int end;
    const char *printed = printed_by(watch_again, NULL, &end);
    CHECK_EQ(end, 7);
    check_begins(printed, "Test-1:1 (process ");
    CHECK_EQ(scene->crash.published, 2);
    CHECK_EQ(scene->hooks, 2);
}

static int crash_without_a_record(void *ctx)
{
    kin__os_watch_crashes(NULL, "Test-1", NULL);
    return segfault(ctx);
}

TEST(record_and_hook_may_be_missing)
{
    set_the_scene();
    int end;
    const char *printed = printed_by(crash_without_a_record, NULL, &end);
    CHECK_EQ(end, -SIGSEGV);
    CHECK_CONTAINS(printed, "signal 11 (SIGSEGV) at address 0x");
}
