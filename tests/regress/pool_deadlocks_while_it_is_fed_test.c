/* In Python's ProcessPoolExecutor a worker that dies while tasks are on their way, large ones above
 * all, leaves submit(), or the program's end, hanging (CPython gh-94777, gh-115634). Here a task
 * lies in shared memory until a worker takes it: nobody waits for a pipe, and no worker's death can
 * be in the way. */
#include "scene.h"

static kin_obj die_at_every_fifth(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    if (n % 5 == 0) {
        _exit(1);
    }
    return kin_int((int64_t)kin_len(kin_arg(args, 1)) + n);
}

TEST(workers_may_die_while_tasks_of_a_megabyte_are_submitted)
{
    enum { TASKS = 30, SIZE = 1 << 20 };
    static char large[SIZE];
    kin_pool *pool = pool_of(2);
    kin_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++) {
        futures[i] = submit(pool, die_at_every_fifth, kin_args(kin_int(i), kin_bytes(large, SIZE)));
    }
    for (int i = 0; i < TASKS; i++) {
        kin_obj o;
        int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
        CHECK_EQ(rv, i % 5 == 0 ? KIN_ECRASHED : 0);
        CHECK(rv < 0 || kin_as_int(o) == SIZE + i);
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}

TEST(thousands_of_tasks_may_be_in_flight)
{
    enum { TASKS = 5000 };
    static kin_future *futures[TASKS];
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < TASKS; i++) {
        futures[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    for (int i = TASKS - 1; i >= 0; i--) { /* the last one first */
        kin_obj o;
        CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), (int64_t)i * i);
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}

/* Leaves its pool to exit(), with tasks that wait and one that runs. */
static kin_obj end_in_the_middle(kin_obj args)
{
    kin_pool *pool = NULL;
    KIN_TRY(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    for (int i = 0; i < 20; i++) {
        KIN_TRY(kin_pool_submit(pool, wait_for_event, kin_args(kin_arg(args, 0)), NULL, NULL));
    }
    return kin_int(3);
}

TEST(a_program_may_end_while_its_pool_works)
{
    kin_event *never = new_event();
    kin_process *program = NULL;
    CHECK_OK(kin_start(&program, end_in_the_middle, kin_args(kin_shared(never)), NULL));
    CHECK_OK(kin_process_join(program, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(program), 3);
    kin_process_free(program);
    WAIT_UNTIL(members() == 1);
    kin_event_free(never);
    nothing_is_left();
}

/* Two generations of tasks: each submits another one, and cannot wait for it here. */
static kin_obj submit_another(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    KIN_TRY(kin_queue_put(kin_arg_shared(args, 1), kin_arg(args, 2), KIN_FOREVER));
    int64_t n = kin_arg_int(args, 2);
    return n == 0 ? kin_none()
                  : kin_int(kin_pool_submit(
                        pool, submit_another,
                        kin_args(kin_arg(args, 0), kin_arg(args, 1), kin_int(n - 1)), NULL, NULL));
}

TEST(a_task_may_submit_tasks_to_its_pool)
{
    kin_pool *pool = pool_of(1);
    kin_queue *queue = new_queue();
    CHECK_OK(kin_pool_apply(pool, submit_another,
                            kin_args(kin_shared(pool), kin_shared(queue), kin_int(20)), NULL));
    for (int i = 20; i >= 0; i--) {
        kin_obj o;
        CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i);
    }
    kin_pool_free(pool);
    kin_queue_free(queue);
    nothing_is_left();
}
