/* start.h - for tests that are run once for each start method.
 *
 *     EACH_METHOD(is_quick) { CHECK_EQ(run_by(method, nothing, kin_args()), 0); }
 *
 * makes the tests fork_is_quick, spawn_is_quick and forkserver_is_quick. What test and child share
 * has to be the family's (kin_alloc): a child that was not forked has nothing else. */
#ifndef KIN_START_H
#define KIN_START_H

#include "harness.h"
#include <kin.h>

#define EACH_METHOD(name) EACH_METHOD_WITHIN(60, name)
#define EACH_METHOD_WITHIN(seconds, name)                                                          \
    static void name(const char *method);                                                          \
    TEST_WITHIN(seconds, fork_##name)                                                              \
    {                                                                                              \
        name("fork");                                                                              \
    }                                                                                              \
    TEST_WITHIN(seconds, spawn_##name)                                                             \
    {                                                                                              \
        name("spawn");                                                                             \
    }                                                                                              \
    TEST_WITHIN(seconds, forkserver_##name)                                                        \
    {                                                                                              \
        name("forkserver");                                                                        \
    }                                                                                              \
    static void name(const char *method)

/* In a child, where nobody hears of a CHECK: it fails with what does not hold. */
#define SEE(condition)                                                                             \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return kin_error(KIN_EUSER, "line %d: %s does not hold (%s)", __LINE__, #condition,    \
                             kin_errmsg());                                                        \
        }                                                                                          \
    } while (0)

static inline bool is_forked(const char *method)
{
    return strcmp(method, "fork") == 0;
}

static inline kin_process *start_by(const char *method, kin_fn function, kin_obj args)
{
    kin_process *child = NULL;
    CHECK_OK(
        kin_start(&child, function, args, KIN_OPT(kin_process_options, .start_method = method)));
    return child;
}

/* Waits for its end, and frees it; its exit code. */
static inline int end(kin_process *child)
{
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    int code = kin_process_exitcode(child);
    kin_process_free(child);
    return code;
}

static inline int run_by(const char *method, kin_fn function, kin_obj args)
{
    return end(start_by(method, function, args));
}

static inline int run_with(const kin_process_options *options, kin_fn function, kin_obj args)
{
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, function, args, options));
    return end(child);
}

#endif
