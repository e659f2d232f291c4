/* What the tests of a process's end share: notes of what was called, and ways to end. */
#ifndef KIN_EXIT_SCENE_H
#define KIN_EXIT_SCENE_H

#include "harness.h"
#include "process/child.h"
#include <kin/process.h>

/* ---- what was called, in which order ---------------------------------------------------- */

#define NOTES 1000

struct notes {
    _Atomic int count;
    _Atomic int list[NOTES];
};

static struct notes *notes;

static void begin(void)
{
    notes = test_shared(sizeof *notes);
}

static kin_obj note(kin_obj args)
{
    notes->list[notes->count++] = (int)kin_arg_int(args, 0);
    return kin_none();
}

static kin_obj number(int n)
{
    return kin_args(kin_int(n));
}

#define CHECK_NOTES(...)                                                                           \
    do {                                                                                           \
        static const int expected[] = { __VA_ARGS__ };                                             \
        int n = (int)(sizeof expected / sizeof *expected);                                         \
        CHECK_EQ(notes->count, n);                                                                 \
        for (int i = 0; i < n; i++) {                                                              \
            CHECK_EQ(notes->list[i], expected[i]);                                                 \
        }                                                                                          \
        notes->count = 0;                                                                          \
    } while (0)

/* ---- ways to end ------------------------------------------------------------------------ */

static void (*prepare)(void);

static kin_obj prepare_and_return(kin_obj args)
{
    (void)args;
    prepare();
    return kin_int(7);
}

static kin_obj prepare_and_exit(kin_obj args)
{
    (void)args;
    prepare();
    exit(7);
}

static int leave(void *ctx)
{
    (void)ctx;
    prepare();
    kin__process_leave(7);
}

static int end_main(void *ctx)
{
    (void)ctx;
    prepare();
    exit(7);
}

static int run(kin_fn function)
{
    kin_auto(kin_process) child = NULL;
    CHECK_OK(kin_start(&child, function, kin_args(), NULL));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    return kin_process_exitcode(child);
}

enum way { MAIN_ENDS, LEAVES, CHILD_RETURNS, CHILD_EXITS, WAYS };

/* A process that prepares itself and ends that way: its exit code. */
static int end(enum way way, void (*how_to_prepare)(void))
{
    prepare = how_to_prepare;
    switch (way) {
    case MAIN_ENDS:
        return test_join(test_child(end_main, NULL));
    case LEAVES:
        return test_join(test_child(leave, NULL));
    case CHILD_RETURNS:
        return run(prepare_and_return);
    default:
        return run(prepare_and_exit);
    }
}

#endif
