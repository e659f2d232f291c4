/* Buffers in the arguments of a child: wherever they are, they are the child's then. */
#include "domain/room.h"
#include "harness.h"
#include <kin/process.h>

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static int run(kin_fn function, kin_obj args)
{
    kin_auto(kin_process) child = NULL;
    CHECK_OK(kin_start(&child, function, args, NULL));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    return kin_process_exitcode(child);
}

/* ([1, {"deep": (buffer,)}], slot, buffer): takes the first and leaves the other one. */
static kin_obj take_the_deep_one(kin_obj args)
{
    kin_obj tuple = kin_lookup(kin_at(kin_arg(args, 0), 1), kin_str("deep"));
    char **slot = kin_arg_shared(args, 1);
    *slot = kin_take_buffer(kin_at(tuple, 0), NULL);
    CHECK_NOT_NULL(*slot);
    CHECK_EQ((*slot)[0], 'a');
    (*slot)[0]++;
    return kin_none();
}

TEST(a_nested_buffer_goes_over_to_the_child)
{
    char **slot = kin_alloc(sizeof *slot);
    char *memory = kin_alloc(100);
    memory[0] = 'a';
    uint64_t before = count_blocks();
    kin_obj deep =
        kin_list(kin_int(1), kin_dict(kin_str("deep"), kin_tuple(kin_buffer(memory, 100))));
    CHECK_EQ(
        run(take_the_deep_one, kin_args(deep, kin_shared(slot), kin_buffer(kin_alloc(10), 10))), 0);
    CHECK_EQ(count_blocks(), before); /* what it took lives, what it left was freed by it */
    CHECK_PTR(*slot, memory);
    CHECK_EQ(memory[0], 'b');
    kin_free(memory);
    kin_free(slot);
}

static kin_obj leave_all(kin_obj args)
{
    (void)args;
    return kin_none();
}

TEST(a_child_frees_the_nested_buffers_that_it_leaves)
{
    uint64_t before = count_blocks();
    for (int i = 0; i < 10; i++) {
        kin_obj args = kin_args_kw(kin_args(kin_list(kin_list(kin_buffer(kin_alloc(50), 50)))),
                                   kin_dict(kin_str("name"), kin_buffer(kin_alloc(60), 60)));
        CHECK_EQ(run(leave_all, args), 0);
    }
    CHECK_EQ(count_blocks(), before);
}

static kin_obj free_the_first(kin_obj args)
{
    void *memory = kin_take_buffer(kin_at(kin_arg(args, 0), 0), NULL);
    kin_free(memory);
    return kin_int(memory != NULL);
}

TEST(a_buffer_in_what_the_parent_keeps_is_gone_there)
{
    uint64_t before = count_blocks();
    kin_obj list = kin_list(kin_buffer(kin_alloc(50), 50));
    CHECK_EQ(run(free_the_first, kin_args(kin_retain(list))), 1);
    CHECK_NULL(kin_take_buffer(kin_at(list, 0), NULL));
    CHECK_EQ(run(free_the_first, kin_args(kin_retain(list))), 0);
    kin_release(list);
    CHECK_EQ(count_blocks(), before);
}

TEST(a_start_that_fails_keeps_the_buffers)
{
    uint64_t before = count_blocks();
    kin_process *child = NULL;
    CHECK_OK(kin_process_new(&child, leave_all, kin_args(kin_list(kin_buffer(kin_alloc(50), 50))),
                             NULL));
    CHECK_EQ(run(leave_all, kin_args()), 0); /* what is asked once was asked */
    kin__fault_arm(KIN__FAULT_CALL, 1);
    CHECK_LT(kin_process_start(child), 0);
    kin__fault_arm(KIN__FAULT_CALL, 0);
    CHECK_EQ(count_blocks(), before + 1);
    CHECK_OK(kin_process_start(child));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(count_blocks(), before);
    kin_process_free(child);
}
