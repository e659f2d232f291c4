/* Processes when memory is out, and when system calls fail. */
#include "domain/room.h"
#include "harness.h"
#include <kin/process.h>

static kin_obj five(kin_obj args)
{
    (void)args;
    return kin_int(5);
}

static int start_and_join(void *ctx)
{
    kin_process **p = ctx;
    int rv = kin_start(p, five, kin_args(kin_str("some"), kin_list(kin_int(1))), NULL);
    if (rv < 0) {
        return rv;
    }
    rv = kin_process_sentinel(*p);
    int joined = kin_process_join(*p, 1000);
    CHECK_EQ(joined, 0);
    CHECK_EQ(kin_process_exitcode(*p), 5);
    kin_process_free(*p);
    *p = NULL;
    return rv < 0 ? rv : 0;
}

static void is_as_before(void *ctx, int error)
{
    kin_process **p = ctx;
    (void)error;
    CHECK_NULL(*p);
    CHECK_OK(kin_join_children(0));
}

TEST(no_memory_is_said_and_nothing_is_started)
{
    kin_process *p = NULL;
    kin__self();
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, &p, .attempt = start_and_join, .check = is_as_before),
             3);
    CHECK_OK(start_and_join(&p));
}

TEST(no_system_call_that_fails_loses_a_child)
{
    kin_process *p = NULL;
    kin__self();
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &p, .attempt = start_and_join, .check = is_as_before), 2);
    CHECK_OK(start_and_join(&p));
}

TEST(a_start_that_failed_may_be_tried_again)
{
    kin_process *p = NULL;
    CHECK_OK(kin_process_new(&p, five, kin_args(), NULL));
    kin__self();
    CHECK_OK(start_and_join(&(kin_process *){ NULL })); /* what is asked once was asked */
    kin__fault_arm(KIN__FAULT_CALL, 1);
    int rv = kin_process_start(p);
    CHECK(rv == KIN_ENOMEM || rv == KIN_EMFILE); /* no page; or no pipe, where it needs one */
    CHECK(kin__fault_fired());
    kin__fault_arm(KIN__FAULT_CALL, 0);
    CHECK(!kin_process_is_alive(p));
    CHECK_OK(kin_process_start(p));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(p), 5);
    kin_process_free(p);
}

static int fork_bare(void *ctx)
{
    (void)ctx;
    int pid = kin_fork();
    if (pid == 0) {
        kin__os_leave(0);
    }
    return pid < 0 ? pid : test_join(pid);
}

TEST(a_fork_that_fails_says_so)
{
    kin__self();
    CHECK_EQ(fault_loop(KIN__FAULT_CALL, NULL, .attempt = fork_bare), 1);
}
