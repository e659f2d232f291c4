/* harness.h - what every test is written with.
 *
 *     #include "harness.h"
 *
 *     TEST(take_returns_closed_when_the_last_writer_dies)
 *     {
 *         CHECK_ERROR(kin_queue_get(queue, &o, KIN_FOREVER), KIN_ECLOSED);
 *     }
 *
 * A file of these is a program (main is in harness.c, on top of Check): `queue_test` runs all,
 * `queue_test closed` what has "closed" in its name, `--list` lists, `--seed N` repeats a random
 * one. Each test is a process of its own with a time limit, and fails if it leaves behind an open
 * descriptor, a child or grandchild, a mapped file or a name in /dev/shm. The family's domain (one
 * memory file called kin, made at first use) may stay, and the socket that rings bells (os/bell.c).
 *
 * CK_FORK=no runs all in one process (debuggers, valgrind), CK_TIMEOUT_MULTIPLIER=10 is patience.
 */
#ifndef KIN_HARNESS_H
#define KIN_HARNESS_H

#include "os/room.h"
#include <check.h>
#include <kin/base.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tests ---------------------------------------------------------------------------- */

struct test {
    TTest check;
    double seconds;         /* its time limit */
    const char *fails_with; /* NULL, or: it must fail, with this in the message */
};

#define TEST_FULL_(name, seconds, fails_with)                                                      \
    static void name(int test_unused);                                                             \
    static const struct test test_##name = { { #name, name, __FILE__, __LINE__ },                  \
                                             seconds,                                              \
                                             fails_with };                                         \
    __attribute__((used, section("kin_tests"))) static const struct test *const test_at_##name =   \
        &test_##name;                                                                              \
    static void name(int test_unused __attribute__((unused)))

#define TEST(name) TEST_FULL_(name, 30, NULL)
#define TEST_WITHIN(seconds, name) TEST_FULL_(name, seconds, NULL)
/* A test of the harness: passes if it fails, and `text` is in the message. */
#define TEST_FAILS(name, text) TEST_FULL_(name, 30, text)

/* Leaves a test that makes no sense on this machine. */
#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip(reason);                                                                         \
        return;                                                                                    \
    } while (0)

/* ---- checks --------------------------------------------------------------------------- */

#define CHECK_(holds, ...)                                                                         \
    do {                                                                                           \
        test_at(__FILE__, __LINE__);                                                               \
        if (!(holds)) {                                                                            \
            ck_abort_msg(__VA_ARGS__);                                                             \
        }                                                                                          \
    } while (0)

#define CHECK(condition) CHECK_(condition, "%s", #condition " does not hold")

/* Integers of any width. (The `| 0` refuses a double, which would be cut, and a pointer.) */
#define CHECK_EQ(a, b) CHECK_INT_(a, ==, b, #a " == " #b)
#define CHECK_NE(a, b) CHECK_INT_(a, !=, b, #a " != " #b)
#define CHECK_LT(a, b) CHECK_INT_(a, <, b, #a " < " #b)
#define CHECK_LE(a, b) CHECK_INT_(a, <=, b, #a " <= " #b)
#define CHECK_GT(a, b) CHECK_INT_(a, >, b, #a " > " #b)
#define CHECK_GE(a, b) CHECK_INT_(a, >=, b, #a " >= " #b)
#define CHECK_INT_(a, op, b, text)                                                                 \
    do {                                                                                           \
        intmax_t test_a = (intmax_t)((a) | 0), test_b = (intmax_t)((b) | 0);                       \
        CHECK_(test_a op test_b, "%s, but it is %jd against %jd", text, test_a, test_b);           \
    } while (0)

/* Doubles, exactly; a NaN equals a NaN. */
#define CHECK_FLOAT(a, b)                                                                          \
    do {                                                                                           \
        double test_a = (a), test_b = (b);                                                         \
        CHECK_(!(test_a < test_b) && !(test_a > test_b) && isnan(test_a) == isnan(test_b),         \
               "%s, but it is %.17g against %.17g", #a " == " #b, test_a, test_b);                 \
    } while (0)

/* Strings; NULL equals NULL alone. */
#define CHECK_STR(a, b)                                                                            \
    do {                                                                                           \
        const char *test_a = (a), *test_b = (b);                                                   \
        CHECK_(test_same(test_a, test_b), "%s, but it is %s%s%s against %s%s%s", #a " == " #b,     \
               TEST_QUOTED_(test_a), TEST_QUOTED_(test_b));                                        \
    } while (0)
#define CHECK_CONTAINS(text, part)                                                                 \
    do {                                                                                           \
        const char *test_a = (text), *test_b = (part);                                             \
        CHECK_(test_a != NULL && strstr(test_a, test_b), "%s has no %s%s%s in it: %s%s%s", #text,  \
               TEST_QUOTED_(test_b), TEST_QUOTED_(test_a));                                        \
    } while (0)
#define TEST_QUOTED_(s) (s) ? "\"" : "", (s) ? (s) : "NULL", (s) ? "\"" : ""

#define CHECK_PTR(a, b) CHECK_PTR_(a, b, #a " == " #b)
#define CHECK_NULL(p) CHECK_PTR_(p, NULL, #p " == NULL")
#define CHECK_PTR_(a, b, text)                                                                     \
    do {                                                                                           \
        const void *test_a = (a), *test_b = (b);                                                   \
        CHECK_(test_a == test_b, "%s, but it is %p against %p", text, test_a, test_b);             \
    } while (0)
#define CHECK_NOT_NULL(p) CHECK_((const void *)(p) != NULL, "%s is NULL (%s)", #p, kin_errmsg())

#define CHECK_MEM(a, b, size) ck_assert_mem_eq(a, b, size)

/* A call of the library that succeeds: 0 or more. */
#define CHECK_OK(call)                                                                             \
    do {                                                                                           \
        int test_rv = (int)(call);                                                                 \
        CHECK_(test_rv >= 0, "%s failed with %s: %s", #call, kin_errname(test_rv), kin_errmsg());  \
    } while (0)

/* A call that fails with this code, and says why. */
#define CHECK_ERROR(call, code)                                                                    \
    do {                                                                                           \
        int test_rv = (int)(call), test_code = (code);                                             \
        CHECK_(test_rv == test_code, "%s gave %s (%d) and not %s: %s", #call,                      \
               test_rv < 0 ? kin_errname(test_rv) : "success", test_rv, kin_errname(test_code),    \
               kin_errmsg());                                                                      \
        CHECK_(kin_errmsg()[0], "%s failed without a sentence", #call);                            \
    } while (0)

/* ---- helpers -------------------------------------------------------------------------- */

/* Waits for an event that cannot be waited for otherwise; the time limit is the test's. */
#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        test_at(__FILE__, __LINE__);                                                               \
        while (!(condition)) {                                                                     \
            test_nap();                                                                            \
        }                                                                                          \
    } while (0)

/* Zeroed memory that this test shares with its children, aligned to 64. Not to be freed. */
void *test_shared(size_t size);

/* Runs body(ctx) in a child that leaves with what it returns. */
pid_t test_child(int (*body)(void *ctx), void *ctx);
/* Waits for a child and reaps it: its exit status, or minus the signal that killed it. */
int test_join(pid_t pid);
/* Whether a process or thread sleeps (in a call that blocks), so that it can be surprised there. */
bool test_is_asleep(pid_t tid);
/* Whether no process runs any more that this test has started, its children's children included. */
bool test_is_alone(void);

/* How many descriptors this process has, but those by which pollers are interrupted: a thread that
 * has polled keeps one. */
int test_count_descriptors(void);

/* Random numbers that --seed repeats. */
uint64_t test_random(void);

/* ---- the kill loop -------------------------------------------------------------------- */

/* Runs `victim` in a child that is SIGKILLed at its 1st, 2nd, 3rd... KIN__STEP whose name begins
 * with `only` (NULL: any), until it gets through alive. After each kill the survivors look:
 *
 *     int kills = kill_loop("box.", box, .setup = empty, .victim = fill, .check = is_sane);
 *
 * How many kills there were; none at all fails the test. */
struct kill_ops {
    void (*setup)(void *ctx);                   /* before each kill; may be NULL */
    void (*victim)(void *ctx);                  /* in the child, which leaves afterwards */
    void (*check)(void *ctx, const char *step); /* after the child died at `step` */
    bool anybody;  /* steps of the victim's descendants count too: the nth of them all kills
                     whoever takes it, and the victim has to end, by itself, none the less */
    bool unreaped; /* the check meets a zombie */
};
#define kill_loop(only, ctx, ...) test_kill_loop(only, ctx, &(const struct kill_ops){ __VA_ARGS__ })
int test_kill_loop(const char *only, void *ctx, const struct kill_ops *ops);

/* ---- the fault loop ------------------------------------------------------------------- */

/* Runs `attempt` with the 1st, 2nd, 3rd... allocation (KIN__FAULT_MEMORY) or system call
 * (KIN__FAULT_CALL) failing, until none is left to fail:
 *
 *     fault_loop(KIN__FAULT_MEMORY, queue, .attempt = put_one, .check = is_still_empty);
 *
 * An attempt returns what the call under test returned, having freed what that gave it. When it
 * fails there must be a code, a sentence and no leak. How many attempts failed; none fails the
 * test. */
struct fault_ops {
    void (*setup)(void *ctx); /* before each attempt; may be NULL */
    int (*attempt)(void *ctx);
    void (*check)(void *ctx, int error); /* after each that failed; may be NULL */
};
#define fault_loop(kind, ctx, ...)                                                                 \
    test_fault_loop(kind, ctx, &(const struct fault_ops){ __VA_ARGS__ })
int test_fault_loop(enum kin__fault_kind kind, void *ctx, const struct fault_ops *ops);

/* ---- for the macros above ------------------------------------------------------------- */

void test_at(const char *file, int line);
void test_skip(const char *reason);
void test_nap(void);
bool test_same(const char *a, const char *b);

#endif
