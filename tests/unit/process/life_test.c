#include "harness.h"

#include "process/child.h"

TEST(the_first_process_has_no_parent)
{
    CHECK_NULL(kin_parent_process());
    CHECK_STR(kin_process_name(kin_current_process()), "MainProcess");
    CHECK_EQ(kin_process_pid(kin_current_process()), kin__os_getpid());
    CHECK(kin_process_is_alive(kin_current_process()));
    CHECK_EQ(kin_process_exitcode(kin_current_process()), KIN_RUNNING);
}

static kin_obj tell_self(kin_obj args)
{
    int *seen = kin_arg_shared(args, 0);
    const kin_process *parent = kin_parent_process();
    bool right = kin_process_pid(parent) == kin__os_getppid() && kin_process_is_alive(parent) &&
                 strcmp(kin_process_name(parent), "MainProcess") == 0 &&
                 strcmp(kin_process_name(kin_current_process()), "Process-1") == 0;
    right = right && kin_process_join(parent, 0) == KIN_ETIMEDOUT &&
            kin_process_kill((kin_process *)(uintptr_t)parent) == KIN_ESTATE;
    *seen = right ? 1 : -1;
    return kin_none();
}

TEST(a_child_knows_itself_and_its_parent)
{
    kin_process *p = NULL;
    int *seen = kin_alloc(sizeof *seen);
    CHECK_OK(kin_start(&p, tell_self, kin_args(kin_shared(seen)), NULL));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    CHECK_EQ(*seen, 1);
    kin_process_free(p);
    kin_free(seen);
}

static kin_obj die_at_once(kin_obj args)
{
    (void)args;
    kin__os_leave(7);
}

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static kin_process *run(kin_fn function, kin_obj args)
{
    kin_process *p = NULL;
    CHECK_OK(kin_start(&p, function, args, NULL));
    CHECK_OK(kin_process_join(p, KIN_FOREVER));
    return p;
}

TEST(an_exit_code_is_left_in_the_record_by_who_returns)
{
    kin_process *p = run(give_back, kin_args(kin_int(300)));
    CHECK_EQ(p->record->left, 1);
    CHECK_EQ(p->record->exitcode, 300 & 0xff);
    kin_process_free(p);
    p = run(die_at_once, kin_args());
    CHECK_EQ(p->record->left, 0);
    CHECK_EQ(kin_process_exitcode(p), 7);
    kin_process_free(p);
}

TEST(what_is_no_number_is_0_and_what_is_too_large_a_failure)
{
    kin_process *p = run(give_back, kin_args(kin_str("fine")));
    CHECK_EQ(kin_process_exitcode(p), 0);
    kin_process_free(p);
    static const unsigned char large[9] = { 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    p = run(give_back, kin_args(kin_bigint(large, sizeof large, false)));
    CHECK_EQ(kin_process_exitcode(p), 255);
    kin_process_free(p);
}
