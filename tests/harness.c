/* harness.c - main of every test program: runs tests over Check.
 *
 * Idea. Each test gets a Check runner of its own, so that its result is printed when it ends. A
 * page shared with the test's process (`blackbox`) outlives it, however it dies: it says where the
 * test was, why it was skipped, and which step it had a victim killed at. */
#include "harness_room.h"
#include "process/room.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHARED_SIZE (16u << 20) /* for test_shared */

struct blackbox *blackbox;
char blackbox_path[64];
static char *shared; /* SHARED_SIZE bytes, test_shared cuts from the front */
static size_t shared_used;
static uint64_t seed, random_state;

static void *map_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("harness: mmap");
        exit(2);
    }
    return p;
}

/* Of a file that lives in /proc as long as this process does. */
static struct blackbox *map_blackbox(void)
{
    void *at = NULL;
    int fd = kin__os_memfd("harness");
    if (fd < 0 || kin__os_commit(fd, 0, sizeof *blackbox) < 0 ||
        kin__os_map_file(fd, sizeof *blackbox, &at) < 0) {
        perror("harness: memfd");
        exit(2);
    }
    snprintf(blackbox_path, sizeof blackbox_path, "/proc/%d/fd/%d", (int)getpid(), fd);
    return at;
}

/* ---- the fixture ---------------------------------------------------------------------- */

static struct list before_test;

static void set_up(void)
{
    signal(SIGTERM, SIG_DFL); /* Check's handlers would kill the test with its children */
    signal(SIGINT, SIG_DFL);
    random_state = seed;
    madvise(shared, SHARED_SIZE, MADV_REMOVE); /* zeros again */
    shared_used = 0;
    list_all(&before_test);
}

static void tear_down(void)
{
    check_children();
    kin__process_drop_server(); /* no child of anybody's: it leaves, as a descendant */
    kin__process_drop_tether();
    if (getpgrp() == getpid()) {
        check_descendants();
    }
    check_left(&before_test, "");
    free(before_test.lines);
    before_test = (struct list){ 0 };
}

/* ---- helpers -------------------------------------------------------------------------- */

void test_at(const char *file, int line)
{
    atomic_store_explicit(&blackbox->file, file, memory_order_relaxed); /* threads check, too */
    atomic_store_explicit(&blackbox->line, line, memory_order_relaxed);
}

void test_skip(const char *reason)
{
    snprintf(blackbox->skipped, sizeof blackbox->skipped, "%s", reason);
}

void test_nap(void)
{
    poll(NULL, 0, 1);
}

bool test_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

uint64_t test_random(void)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void *test_shared(size_t size)
{
    size = (size + 63) & ~(size_t)63;
    if (size > SHARED_SIZE - shared_used) {
        ck_abort_msg("test_shared: no room for %zu bytes", size);
    }
    void *p = shared + shared_used;
    shared_used += size;
    return p;
}

pid_t test_child(int (*body)(void *ctx), void *ctx)
{
    pid_t pid = kin__os_fork();
    if (pid < 0) {
        ck_abort_msg("cannot fork: %s", strerror(-pid));
    }
    if (pid == 0) {
        kin__os_leave(body(ctx));
    }
    return pid;
}

int test_join(pid_t pid)
{
    int status;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        ck_abort_msg("waiting for process %d: %s", (int)pid, strerror(errno));
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- main ----------------------------------------------------------------------------- */

extern const struct test *const __start_kin_tests[];
extern const struct test *const __stop_kin_tests[];

enum outcome { PASSED, FAILED, SKIPPED, OUTCOMES };

static int by_line(const void *a, const void *b)
{
    const struct test *const *x = a, *const *y = b;
    return (*x)->check.line - (*y)->check.line;
}

static void explain(const char *message, const char *file, int line)
{
    printf("# %s:%d: %s\n", file, line, message);
    if (blackbox->line) {
        printf("#   the last check was at %s:%d\n", blackbox->file, blackbox->line);
    }
    if (blackbox->loop[0]) {
        printf("#   in %s, %s\n", blackbox->loop, blackbox->step);
    }
}

static enum outcome judge(const struct test *test, TestResult *result)
{
    bool failed = tr_rtype(result) != CK_PASS;
    if (test->fails_with) {
        bool expected = failed && strstr(tr_msg(result), test->fails_with);
        if (!expected) {
            printf("# should fail with \"%s\"; got: %s\n", test->fails_with, tr_msg(result));
        }
        return expected ? PASSED : FAILED;
    }
    if (failed) {
        explain(tr_msg(result), tr_lfile(result), tr_lno(result));
        return FAILED;
    }
    return blackbox->skipped[0] ? SKIPPED : PASSED;
}

static enum outcome run(const struct test *test)
{
    memset(blackbox, 0, sizeof *blackbox);
    TCase *tcase = tcase_create(test->check.name);
    tcase_set_timeout(tcase, test->seconds);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, &test->check);
    Suite *suite = suite_create("");
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    if (test->fails_with && srunner_fork_status(runner) == CK_NOFORK) {
        test_skip("fails on purpose, needs a process of its own");
        srunner_free(runner);
        return SKIPPED;
    }
    fflush(stdout); /* or the test's process prints it again */
    srunner_run_all(runner, CK_SILENT);
    TestResult **results = srunner_results(runner);
    enum outcome outcome = judge(test, results[0]);
    free(results);
    srunner_free(runner);
    return outcome;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(name, argv[i])) {
            return true;
        }
    }
    return argc == 1;
}

/* Takes the options out of argv; how many words are left. */
static int read_options(int argc, char **argv, bool *ret_list)
{
    int left = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            *ret_list = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 0);
        } else if (argv[i][0] == '-') {
            printf("usage: %s [--list] [--seed N] [part of a test's name]...\n", argv[0]);
            exit(2);
        } else {
            argv[left++] = argv[i];
        }
    }
    return left;
}

int main(int argc, char **argv)
{
    join_kill_loop();
    kin__process_enter(argc, argv); /* a child that a test spawned stays in there */
    have_own_names();

    size_t count = (size_t)(__stop_kin_tests - __start_kin_tests), number = 0;
    const struct test **tests = malloc((count + 1) * sizeof tests[0]);
    memcpy(tests, __start_kin_tests, count * sizeof tests[0]);
    qsort(tests, count, sizeof tests[0], by_line);

    bool list = false;
    seed = (uint64_t)kin__os_now();
    argc = read_options(argc, argv, &list);
    blackbox = map_blackbox();
    shared = map_shared(SHARED_SIZE);
    printf("# seed %llu\n", (unsigned long long)seed);

    unsigned tally[OUTCOMES] = { 0 };
    for (size_t i = 0; i < count; i++) {
        const char *name = tests[i]->check.name;
        if (!is_wanted(name, argc, argv)) {
            continue;
        }
        if (list) {
            puts(name);
            continue;
        }
        enum outcome outcome = run(tests[i]);
        tally[outcome]++;
        printf("%sok %zu - %s%s%s\n", outcome == FAILED ? "not " : "", ++number, name,
               outcome == SKIPPED ? " # SKIP " : "", blackbox->skipped);
    }
    if (!list) {
        printf("1..%zu\n# %u passed, %u failed, %u skipped\n", number, tally[PASSED], tally[FAILED],
               tally[SKIPPED]);
    }
    free(tests);
    return tally[FAILED] != 0;
}
