/* In Python "daemonic processes are not allowed to have children", and pool workers are daemons: so
 * a task can use no pool and no process. Here both may have both, and what they have ends with
 * them. */
#include "scene.h"

static kin_obj square_in_a_child(kin_obj args)
{
    kin_process *child = NULL;
    KIN_TRY(kin_start(&child, square, kin_retain(args), NULL));
    KIN_TRY(kin_process_join(child, KIN_FOREVER));
    int code = kin_process_exitcode(child);
    kin_process_free(child);
    return kin_int(code);
}

static kin_obj squares_in_a_pool(kin_obj args)
{
    kin_pool *pool = NULL;
    kin_obj squares;
    KIN_TRY(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    int rv =
        kin_pool_map(pool, square_in_a_child, kin_range(0, kin_arg_int(args, 0)), NULL, &squares);
    kin_pool_free(pool);
    KIN_TRY(rv);
    int64_t sum = 0;
    for (size_t i = 0; i < kin_len(squares); i++) {
        sum += kin_as_int(kin_at(squares, i));
    }
    kin_release(squares);
    return kin_int(sum);
}

TEST(a_worker_may_have_children_and_pools_whose_workers_have_children)
{
    kin_pool *pool = pool_of(2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, square_in_a_child, kin_args(kin_int(5)), &o));
    CHECK_EQ(kin_as_int(o), 25);
    CHECK_OK(kin_pool_apply(pool, squares_in_a_pool, kin_args(kin_int(4)), &o));
    CHECK_EQ(kin_as_int(o), 0 + 1 + 4 + 9);
    free_whole(pool);
}

TEST(a_daemon_may_have_children_and_pools)
{
    static const char *const methods[] = { "fork", "spawn", "forkserver" };
    for (int i = 0; i < 3; i++) {
        kin_process *daemon = NULL;
        CHECK_OK(
            kin_start(&daemon, squares_in_a_pool, kin_args(kin_int(4)),
                      KIN_OPT(kin_process_options, .daemon = true, .start_method = methods[i])));
        CHECK_OK(kin_process_join(daemon, KIN_FOREVER));
        CHECK_EQ(kin_process_exitcode(daemon), 0 + 1 + 4 + 9);
        kin_process_free(daemon);
    }
}

static kin_obj have_a_daemon_and_wait(kin_obj args)
{
    _Atomic pid_t *pid = kin_arg_shared(args, 0);
    kin_process *child = NULL;
    KIN_TRY(kin_start(&child, wait_for_event, kin_args(kin_arg(args, 1)),
                      KIN_OPT(kin_process_options, .daemon = true)));
    *pid = kin_process_pid(child);
    kin_process_free(child);
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 1), KIN_FOREVER));
    return kin_none();
}

TEST(a_daemon_of_a_worker_is_gone_with_it)
{
    kin_pool *pool = pool_of(1);
    kin_event *never = new_event();
    _Atomic pid_t *pid = kin_alloc(sizeof *pid);
    CHECK_OK(kin_pool_submit(pool, have_a_daemon_and_wait,
                             kin_args(kin_shared((const void *)(uintptr_t)pid), kin_shared(never)),
                             NULL, NULL));
    WAIT_UNTIL(*pid != 0 && test_is_asleep(*pid));
    kin_pool_free(pool);
    WAIT_UNTIL(members() == 1);
    WAIT_UNTIL(test_is_alone());
    kin_event_free(never);
    kin_free((void *)(uintptr_t)pid);
    nothing_is_left();
}
