#include "domain/room.h"
#include "harness.h"
#include <kin/process.h>

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static kin_process *make(const kin_process_options *options)
{
    kin_process *p = NULL;
    CHECK_OK(kin_process_new(&p, nothing, kin_args(), options));
    return p;
}

TEST(processes_are_numbered_in_the_order_they_are_made)
{
    kin_process *first = make(NULL);
    kin_process *named = make(&(kin_process_options){ .name = "worker of mine" });
    kin_process *third = make(NULL);
    CHECK_STR(kin_process_name(first), "Process-1");
    CHECK_STR(kin_process_name(named), "worker of mine");
    CHECK_STR(kin_process_name(third), "Process-3");
    kin_process_free(first);
    kin_process_free(named);
    kin_process_free(third);
}

static kin_obj names_of_children(kin_obj args)
{
    char *text = kin_arg_shared(args, 0);
    kin_process *first = make(NULL);
    kin_process *second = make(NULL);
    snprintf(text, 64, "%s %s %s", kin_process_name(kin_current_process()), kin_process_name(first),
             kin_process_name(second));
    kin_process_free(first);
    kin_process_free(second);
    return kin_none();
}

TEST(a_childs_children_carry_its_number)
{
    char *text = kin_alloc(64);
    kin_process_free(make(NULL));
    for (int i = 2; i < 4; i++) {
        kin_auto(kin_process) child = NULL;
        CHECK_OK(kin_start(&child, names_of_children, kin_args(kin_shared(text)), NULL));
        CHECK_OK(kin_process_join(child, KIN_FOREVER));
        char expected[64];
        snprintf(expected, sizeof expected, "Process-%d Process-%d:1 Process-%d:2", i, i, i);
        CHECK_STR(text, expected);
    }
    kin_free(text);
}

TEST(a_name_is_copied)
{
    char name[] = "before";
    kin_process *p = make(&(kin_process_options){ .name = name });
    name[0] = 'x';
    CHECK_STR(kin_process_name(p), "before");
    kin_process_free(p);
}

TEST(a_new_process_has_done_nothing_yet)
{
    kin_process *p = make(&(kin_process_options){ .daemon = true });
    CHECK(kin_process_daemon(p));
    CHECK(!kin_process_is_alive(p));
    CHECK_EQ(kin_process_pid(p), 0);
    CHECK_EQ(kin_process_exitcode(p), KIN_RUNNING);
    CHECK_ERROR(kin_process_join(p, 0), KIN_ESTATE);
    CHECK_ERROR(kin_process_terminate(p), KIN_ESTATE);
    CHECK_ERROR(kin_process_kill(p), KIN_ESTATE);
    CHECK_ERROR(kin_process_interrupt(p), KIN_ESTATE);
    CHECK_ERROR(kin_process_sentinel(p), KIN_ESTATE);
    CHECK_CONTAINS(kin_errmsg(), "not started");
    kin_process_free(p);
    p = make(NULL);
    CHECK(!kin_process_daemon(p));
    kin_process_free(p);
}

TEST(null_is_refused_everywhere)
{
    CHECK_ERROR(kin_process_start(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_join(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_process_terminate(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_kill(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_interrupt(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_exitcode(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_pid(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_sentinel(NULL), KIN_EINVAL);
    CHECK(!kin_process_is_alive(NULL));
    CHECK_CONTAINS(kin_errmsg(), "kin_process_is_alive");
    CHECK(!kin_process_daemon(NULL));
    CHECK_CONTAINS(kin_errmsg(), "kin_process_daemon");
    CHECK_STR(kin_process_name(NULL), "");
    CHECK_CONTAINS(kin_errmsg(), "kin_process_name");
    kin_process_free(NULL);
}

/* Arguments that take a block of the family's memory along, so that a leak is seen. */
static kin_obj dear_args(void)
{
    return kin_args(kin_buffer(kin_alloc(100), 100));
}

TEST(arguments_are_taken_whatever_happens)
{
    uint64_t before = count_blocks();
    kin_process *p = NULL;
    kin_process_options reserved = { .reserved = { 1 } };
    CHECK_ERROR(kin_process_new(NULL, nothing, dear_args(), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_new(&p, NULL, dear_args(), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_process_new(&p, nothing, dear_args(), &reserved), KIN_EINVAL);
    CHECK_ERROR(kin_process_new(&p, nothing, kin_list(dear_args()), NULL), KIN_ETYPE);
    CHECK_ERROR(kin_process_new(&p, nothing, kin_none(), NULL), KIN_ETYPE);
    CHECK_LT(kin_process_new(&p, nothing, kin_str(NULL), NULL), 0);
    CHECK_ERROR(kin_start(&p, NULL, dear_args(), NULL), KIN_EINVAL);
    CHECK_NULL(p);
    CHECK_EQ(count_blocks(), before);
}

TEST(arguments_that_were_never_used_go_with_the_process)
{
    uint64_t before = count_blocks();
    kin_process *p = NULL;
    CHECK_OK(kin_process_new(&p, nothing, dear_args(), NULL));
    CHECK_GT(count_blocks(), before);
    kin_process_free(p);
    CHECK_EQ(count_blocks(), before);
}

static kin_obj first_of_first(kin_obj args)
{
    return kin_at(kin_arg(args, 0), 0);
}

TEST(borrowed_arguments_may_be_passed_on)
{
    kin_obj jobs = kin_list(kin_args(kin_list(kin_int(41))), kin_args(kin_list(kin_int(42))));
    kin_process *p[2];
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(kin_process_new(&p[i], first_of_first, kin_at(jobs, i), NULL));
    }
    kin_release(jobs);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_process_start(p[i]));
        CHECK_OK(kin_process_join(p[i], KIN_FOREVER));
        CHECK_EQ(kin_process_exitcode(p[i]), 41 + i);
        kin_process_free(p[i]);
    }
}

TEST(a_start_without_a_place_lets_the_process_go)
{
    CHECK_OK(kin_start(NULL, nothing, kin_args(), NULL));
    CHECK_EQ(kin_active_children(NULL, 0) >= 0, 1);
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK_EQ(kin_active_children(NULL, 0), 0);
}
