/* Initializers and finalizers: rite.c. */
#include "pool_scene.h"

#include <stdlib.h>
#include <unistd.h>

static kin_obj remember_arguments(kin_obj args)
{
    int *state = malloc(sizeof *state);
    *state = (int)kin_arg_int(args, 0) + (int)kin_len(kin_arg(args, 1));
    kin_worker_set_state(state);
    return kin_none();
}

static kin_obj forget(kin_obj args)
{
    _Atomic int *ended = kin_arg_shared(args, 0);
    atomic_fetch_add(ended, *(int *)kin_worker_state());
    free(kin_worker_state());
    return kin_none();
}

static kin_obj my_state(kin_obj args)
{
    (void)args;
    return kin_int(*(int *)kin_worker_state());
}

TEST(each_worker_is_initialized_once_and_finalized_when_it_leaves)
{
    _Atomic int *ended = kin_alloc(sizeof *ended);
    kin_pool *pool;
    kin_obj o;
    CHECK_OK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = 2, .initializer = remember_arguments,
                       .initargs = kin_args(kin_int(30), kin_str("a text of some length")),
                       .finalizer = forget, .finalargs = kin_args(kin_shared((void *)ended)))));
    for (int i = 0; i < 20; i++) {
        CHECK_OK(kin_pool_apply(pool, my_state, kin_args(), &o));
        CHECK_EQ(kin_as_int(o), 51);
    }
    CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), &o), KIN_ECRASHED);
    CHECK_OK(kin_pool_apply(pool, my_state, kin_args(), &o)); /* the new one, too */
    CHECK_EQ(*ended, 0);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(*ended, 2 * 51); /* not the one who was killed */
    kin_free((void *)ended);
    free_whole(pool);
}

TEST(outside_of_workers_there_is_no_state)
{
    int x;
    CHECK_NULL(kin_worker_state());
    kin_worker_set_state(&x);
    CHECK_NULL(kin_worker_state());
    CHECK_EQ(kin_worker_index(), -1);
}

static kin_obj count_and_fail(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    atomic_fetch_add(begun, 1);
    return kin_error(KIN_EUSER - 7, "the model is not there");
}

static kin_obj count_and_die(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    atomic_fetch_add(begun, 1);
    _exit((int)kin_arg_int(args, 1));
}

static void breaks(kin_fn initializer, int code, const char *text)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool;
    kin_future *future = NULL;
    kin_failure failure;
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool,
                          KIN_OPT(kin_pool_options, .processes = 2, .initializer = initializer,
                                  .initargs = kin_args(kin_shared((void *)begun), kin_int(code)))));
    int rv = kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &future);
    rv = rv < 0 ? rv : kin_future_get(future, &o, KIN_FOREVER);
    CHECK_ERROR(rv, KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), text);
    if (future != NULL) {
        CHECK_OK(kin_future_failure(future, &failure));
        CHECK_EQ(failure.code, KIN_EBROKEN);
        CHECK_CONTAINS(failure.text, text);
    }
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER)); /* it has ended by itself */
    kin_future *refused;
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &refused), KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), text);
    CHECK_LE(*begun, 2);
    kin_future_free(future);
    kin_free((void *)begun);
    free_whole(pool);
}

TEST(an_initializer_that_fails_breaks_the_pool_and_is_not_tried_for_ever)
{
    breaks(count_and_fail, 0, "its initializer failed: the model is not there");
    breaks(count_and_die, 3, "died in its initializer, with exit code 3");
    breaks(count_and_die, 0, "died in its initializer, with exit code 0");
}

static kin_obj wait_then_fail(kin_obj args)
{
    _Atomic int *go = kin_arg_shared(args, 0);
    if (kin_worker_index() == 0) {
        return kin_none();
    }
    WAIT_UNTIL(*go);
    return kin_error(KIN_EUSER, "late");
}

TEST(tasks_of_other_workers_fail_with_the_pool)
{
    _Atomic int *go = kin_alloc(sizeof *go);
    kin_pool *pool;
    kin_future *runs, *waits;
    kin_obj o;
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .initializer = wait_then_fail,
                                    .initargs = kin_args(kin_shared((void *)go)))));
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &runs));
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &waits));
    WAIT_UNTIL(kin_future_running(runs));
    *go = 1;
    CHECK_ERROR(kin_future_get(runs, &o, KIN_FOREVER), KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "late");
    CHECK_ERROR(kin_future_get(waits, &o, KIN_FOREVER), KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "late");
    kin_pool_free(pool);
    CHECK_ERROR(kin_future_get(waits, &o, KIN_FOREVER), KIN_EBROKEN);
    kin_future_free(runs);
    kin_future_free(waits);
    kin_free((void *)go);
}

static void keep_line(int level, const char *text, void *ctx)
{
    if (level >= KIN_LOG_WARNING) {
        strncpy(ctx, text, 199);
    }
}

static kin_obj fail_at_the_end(kin_obj args)
{
    (void)args;
    return kin_error(KIN_EUSER, "no way out");
}

TEST(a_finalizer_that_fails_is_logged)
{
    char *line = test_shared(200);
    kin_log_set_handler(keep_line, line);
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool,
                          KIN_OPT(kin_pool_options, .processes = 1, .finalizer = fail_at_the_end)));
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_CONTAINS(line, "no way out");
    free_whole(pool);
}

TEST(threads_have_initializers_and_states_of_their_own)
{
    _Atomic int *ended = kin_alloc(sizeof *ended);
    kin_pool *pool;
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool,
                          KIN_OPT(kin_pool_options, .threads = 3, .initializer = remember_arguments,
                                  .initargs = kin_args(kin_int(1), kin_str("")),
                                  .finalizer = forget, .max_tasks_per_child = 5,
                                  .finalargs = kin_args(kin_shared((void *)ended)))));
    for (int i = 0; i < 40; i++) {
        CHECK_OK(kin_pool_apply(pool, my_state, kin_args(), &o));
        CHECK_EQ(kin_as_int(o), 1);
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_GE(*ended, 3 + 5); /* 40 tasks, 5 for each life at most */
    kin_free((void *)ended);
    free_whole(pool);
}

TEST(a_pool_of_threads_is_broken_by_its_initializer_too)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool;
    kin_future *future = NULL;
    kin_obj o;
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 2, .initializer = count_and_fail,
                                    .initargs = kin_args(kin_shared((void *)begun), kin_int(0)))));
    int rv = kin_pool_submit(pool, square, kin_args(kin_int(1)), NULL, &future);
    rv = rv < 0 ? rv : kin_future_get(future, &o, KIN_FOREVER);
    CHECK_ERROR(rv, KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "the model is not there");
    kin_future_free(future);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER)); /* it has ended by itself */
    kin_free((void *)begun);
    free_whole(pool);
}
