#include "pool_scene.h"

#include <kin/process.h>
#include <unistd.h>

static kin_obj all_arguments(kin_obj args)
{
    return args; /* borrowed: passing it on is right */
}

TEST(a_task_may_return_its_arguments)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, all_arguments,
                            kin_args(kin_str("a text of some length"), kin_int(2)), &o));
    CHECK_EQ(kin_len(o), 2);
    CHECK_STR(kin_as_str(kin_at(o, 0)), "a text of some length");
    kin_release(o);
    CHECK_OK(
        kin_pool_map(pool, all_arguments, kin_list(kin_str("a text of some length")), NULL, &o));
    CHECK_STR(kin_as_str(kin_at(kin_at(o, 0), 0)), "a text of some length");
    kin_release(o);
    free_whole(pool);
}

static kin_obj release_arguments(kin_obj args)
{
    kin_release(args);
    return kin_arg(args, 0);
}

TEST(a_task_that_releases_what_it_borrowed_does_no_harm)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(
        kin_pool_apply(pool, release_arguments, kin_args(kin_str("a text of some length")), &o));
    CHECK_STR(kin_as_str(o), "a text of some length");
    kin_release(o);
    free_whole(pool);
}

static kin_obj named_argument(kin_obj args)
{
    kin_obj depth = kin_kwarg(args, "depth");
    return kin_int(kin_arg_int(args, 0) * 100 + kin_as_int(depth));
}

TEST(arguments_may_have_names)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(
        pool, named_argument,
        kin_args_kw(kin_args(kin_int(3)), kin_dict(kin_str("depth"), kin_int(4))), &o));
    CHECK_EQ(kin_as_int(o), 304);
    free_whole(pool);
}

static kin_obj put_into(kin_obj args)
{
    KIN_TRY(kin_queue_put(kin_as(kin_queue, kin_arg(args, 0)), kin_str("from the worker"), 0));
    return kin_none();
}

TEST(a_queue_made_after_the_workers_reaches_them)
{
    kin_pool *pool = pool_of(2);
    kin_queue *queue;
    kin_obj o;
    CHECK_OK(kin_queue_new(&queue, NULL));
    CHECK_OK(kin_pool_apply(pool, put_into, kin_args(kin_shared(queue)), NULL));
    CHECK_OK(kin_queue_get(queue, &o, 10));
    CHECK_STR(kin_as_str(o), "from the worker");
    kin_release(o);
    kin_queue_free(queue);
    free_whole(pool);
}

TEST(workers_count_what_they_did)
{
    kin_pool *pool = pool_of(1);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), NULL));
    }
    WAIT_UNTIL(atomic_load(&pool->workers[0].tasks_done) == 5);
    free_whole(pool);
}

static kin_obj fork_and_return_twice(kin_obj args)
{
    (void)kin_fork();
    return kin_arg(args, 0);
}

TEST(a_child_that_a_task_forks_is_no_second_worker)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_pool_apply(pool, fork_and_return_twice, kin_args(kin_str("once")), &o));
        CHECK_STR(kin_as_str(o), "once");
        kin_release(o);
    }
    kin_pool_free(pool);
    WAIT_UNTIL(kin__count_alive() == 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

static kin_obj submit_in_a_child(kin_obj args)
{
    pid_t child = kin_fork();
    if (child == 0) {
        kin_obj o = kin_none();
        kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
        _exit(kin_pool_apply(pool, square, kin_args(kin_int(3)), &o) == 0 ? (int)kin_as_int(o)
                                                                          : 100);
    }
    return kin_int(test_join(child));
}

TEST(a_workers_child_may_wait_for_the_pool)
{
    kin_pool *pool = pool_of(2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, submit_in_a_child, kin_args(kin_shared(pool)), &o));
    CHECK_EQ(kin_as_int(o), 9);
    free_whole(pool);
}

/* The second task has failed at something, and says nothing of it in its own result. */
static kin_obj return_what_could_not_be_made(kin_obj args)
{
    (void)args;
    return kin_str(NULL);
}

static kin_obj return_nothing_at_all(kin_obj args)
{
    (void)args;
    (void)kin_sleep(NAN);
    return (kin_obj){ 0 };
}

TEST(a_result_that_was_never_made_is_told_with_its_own_reason_and_no_other)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, return_what_could_not_be_made, kin_args(), &o), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "the task's result: ");
    CHECK_CONTAINS(kin_errmsg(), "kin_str: the text is NULL");
    CHECK_ERROR(kin_pool_apply(pool, return_nothing_at_all, kin_args(), &o), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "the task's result: the object was never made (it is all zeros)");
    free_whole(pool);
}

static kin_obj kept;

/* Gives back the arguments of the call before, which it has kept. */
static kin_obj keep_arguments(kin_obj args)
{
    kin_obj before = kept;
    kept = kin_retain(args);
    return kin_type_of(before) == KIN_TYPE_TUPLE ? before : kin_none();
}

TEST(a_task_of_a_map_may_keep_its_arguments)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    kin_obj items =
        kin_list(kin_int(7), kin_str("a text of some length"), kin_list(kin_int(1)), kin_int(8));
    const kin_map_options all = { .chunksize = 4 };
    CHECK_OK(kin_pool_map(pool, keep_arguments, items, &all, &o));
    CHECK(kin_is_none(kin_at(o, 0)));
    CHECK_EQ(kin_as_int(kin_at(kin_at(o, 1), 0)), 7);
    CHECK_STR(kin_as_str(kin_at(kin_at(o, 2), 0)), "a text of some length");
    CHECK_EQ(kin_as_int(kin_at(kin_at(kin_at(o, 3), 0), 0)), 1);
    kin_release(o);
    free_whole(pool);
}

static kin_obj same_item(kin_obj args)
{
    return kin_arg(args, 0);
}

TEST(an_item_may_be_the_result)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    kin_obj items = kin_list(kin_str("a text of some length"), kin_list(kin_str("x")), kin_int(8));
    const kin_map_options all = { .chunksize = 3 };
    CHECK_OK(kin_pool_map(pool, same_item, kin_retain(items), &all, &o));
    CHECK(kin_equal(o, items));
    kin_release(o);
    kin_release(items);
    free_whole(pool);
}

static kin_obj has_state(kin_obj args)
{
    (void)args;
    return kin_bool(kin_worker_state() != NULL);
}

static kin_obj ask_a_pool_of_my_own(kin_obj args)
{
    kin_pool *inner;
    kin_obj result;
    kin_worker_set_state(&inner);
    KIN_TRY(kin_pool_new(&inner, KIN_OPT(kin_pool_options, .processes = 1)));
    KIN_TRY(kin_pool_apply(inner, has_state, args, &result));
    kin_pool_free(inner);
    return result;
}

TEST(a_worker_of_a_worker_has_no_state_of_his)
{
    kin_pool *pool = pool_of(1);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, ask_a_pool_of_my_own, kin_args(), &o));
    CHECK(!kin_as_bool(o));
    free_whole(pool);
}

static kin_obj set_a_state(kin_obj args)
{
    bool had = kin_worker_state() != NULL;
    kin_worker_set_state(&had);
    (void)args;
    return kin_bool(had);
}

TEST(the_next_worker_of_a_thread_has_no_state_of_the_one_before)
{
    kin_pool *pool;
    kin_obj o;
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 1, .max_tasks_per_child = 1)));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_pool_apply(pool, set_a_state, kin_args(), &o));
        CHECK(!kin_as_bool(o));
    }
    free_whole(pool);
}

static kin_obj say_hello(kin_obj args)
{
    (void)args;
    printf("hello");
    return kin_none();
}

TEST(what_a_task_has_printed_is_out_before_its_result_is)
{
    int ends[2];
    char text[6] = "";
    CHECK_EQ(pipe(ends), 0);
    fflush(stdout);
    int out = dup(1);
    CHECK_EQ(dup2(ends[1], 1), 1);
    kin_pool *pool = pool_of(1);
    CHECK_EQ(dup2(out, 1), 1);
    CHECK_OK(kin_pool_apply(pool, say_hello, kin_args(), NULL));
    kin__os_kill(atomic_load(&pool->workers[0].pid), SIGKILL);
    close(ends[1]);
    close(out);
    free_whole(pool);
    CHECK_EQ(read(ends[0], text, 5), 5);
    CHECK_STR(text, "hello");
    close(ends[0]);
}
