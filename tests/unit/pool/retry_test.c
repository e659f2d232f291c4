/* A task whose worker died is tried again. */
#include "pool_scene.h"

#include <unistd.h>

static kin_pool *patient_pool(unsigned processes, unsigned retries)
{
    kin_pool *pool = NULL;
    CHECK_OK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = processes, .retries = retries)));
    return pool;
}

/* Dies until it was begun so often. */
static kin_obj die_until(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    int now = atomic_fetch_add(begun, 1) + 1;
    if (now < kin_arg_int(args, 1)) {
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
    return kin_int(now);
}

TEST(a_task_whose_worker_died_is_tried_again)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool = patient_pool(1, 2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, die_until, kin_args(kin_shared((void *)begun), kin_int(3)), &o));
    CHECK_EQ(kin_as_int(o), 3);
    *begun = 0;
    CHECK_ERROR(
        kin_pool_apply(pool, die_until, kin_args(kin_shared((void *)begun), kin_int(100)), &o),
        KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "which was begun 3 times");
    CHECK_EQ(*begun, 3);
    kin_free((void *)begun);
    free_whole(pool);
}

TEST(a_task_says_itself_how_often_it_is_tried)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool = patient_pool(1, 5);
    const int retries[] = { 1, -1, 0 }, tries[] = { 2, 1, 6 };
    for (int i = 0; i < 3; i++) {
        kin_future *future;
        kin_obj o;
        *begun = 0;
        CHECK_OK(kin_pool_submit(pool, die_until, kin_args(kin_shared((void *)begun), kin_int(100)),
                                 KIN_OPT(kin_submit_options, .retries = retries[i]), &future));
        CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECRASHED);
        CHECK_EQ(*begun, tries[i]);
        kin_future_free(future);
    }
    kin_free((void *)begun);
    free_whole(pool);
}

static kin_obj stay_at_first(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    return atomic_fetch_add(begun, 1) == 0 ? stay(args) : kin_int(*begun);
}

TEST(a_task_that_overran_is_tried_again_too)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool = patient_pool(1, 1);
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay_at_first, kin_args(kin_shared((void *)begun)),
                             KIN_OPT(kin_submit_options, .timeout = 1), &future));
    CHECK_OK(kin_future_get(future, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 2);
    kin_future_free(future);
    CHECK_OK(kin_pool_submit(pool, stay, kin_args(), KIN_OPT(kin_submit_options, .timeout = 0.05),
                             &future));
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EOVERRUN);
    CHECK_CONTAINS(kin_errmsg(), "which was begun 2 times");
    kin_future_free(future);
    kin_free((void *)begun);
    free_whole(pool);
}

TEST(a_cancelled_task_is_not_tried_again)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool = patient_pool(1, 100);
    kin_future *future;
    kin_obj o;
    CHECK_OK(
        kin_pool_submit(pool, stay_at_first, kin_args(kin_shared((void *)begun)), NULL, &future));
    WAIT_UNTIL(*begun == 1);
    CHECK_OK(kin_future_cancel(future, KIN_OPT(kin_cancel_options, .kill = true)));
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECANCELLED);
    CHECK_EQ(*begun, 1);
    kin_future_free(future);
    kin_free((void *)begun);
    free_whole(pool);
}

TEST(a_task_whose_buffers_were_read_is_not_tried_again)
{
    kin_pool *pool = patient_pool(1, 100);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, die_of,
                               kin_args(kin_int(SIGKILL), kin_buffer(kin_alloc(100), 100)), &o),
                KIN_ECRASHED);
    CHECK(strstr(kin_errmsg(), "begun") == NULL);
    kin_pool_free(pool);
}

/* The queue is closed: the task waits for whoever comes to the place. */
TEST(a_task_is_tried_again_though_the_pool_is_closed_meanwhile)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool = patient_pool(2, 2);
    kin_future *future, *other;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, stay_at_first, kin_args(kin_shared((void *)begun)),
                             KIN_OPT(kin_submit_options, .timeout = 0.3), &future));
    CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(6)), NULL, &other));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_OK(kin_future_get(future, &o, 0));
    CHECK_EQ(kin_as_int(o), 2);
    CHECK_OK(kin_future_get(other, &o, 0));
    kin_future_free(future);
    kin_future_free(other);
    kin_free((void *)begun);
    free_whole(pool);
}

struct two {
    _Atomic int here;
    _Atomic bool may_die;
    _Atomic int begun; /* at place 1 */
};

/* At place 1 he dies, the first time. */
static kin_obj die_at_place_one(kin_obj args)
{
    struct two *t = kin_arg_shared(args, 0);
    if (kin_worker_index() == 1 && atomic_fetch_add(&t->begun, 1) == 0) {
        atomic_fetch_add(&t->here, 1);
        WAIT_UNTIL(t->may_die);
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
    atomic_fetch_add(&t->here, 1);
    WAIT_UNTIL(t->here >= 2);
    return kin_int(t->begun);
}

TEST(a_task_at_a_place_too_many_is_tried_again_though_the_pool_is_closed)
{
    struct two *t = kin_alloc(sizeof *t);
    kin_pool *pool = patient_pool(2, 1);
    kin_future *futures[2];
    kin_obj o;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(
            kin_pool_submit(pool, die_at_place_one, kin_args(kin_shared(t)), NULL, &futures[i]));
    }
    WAIT_UNTIL(t->here == 2);
    CHECK_OK(kin_pool_resize(pool, 1));
    CHECK_OK(kin_pool_close(pool));
    t->may_die = true;
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(t->begun, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(kin_future_get(futures[i], &o, 0));
        kin_future_free(futures[i]);
    }
    kin_free(t);
    free_whole(pool);
}

TEST(a_pool_that_is_terminated_tries_nothing_again)
{
    kin_pool *pool = patient_pool(2, 1000000);
    kin_future *futures[4];
    for (int i = 0; i < 4; i++) {
        CHECK_OK(kin_pool_submit(pool, die_of, kin_args(kin_int(SIGKILL)), NULL, &futures[i]));
    }
    WAIT_UNTIL(atomic_load(&pool->workers_started) > 6);
    CHECK_OK(kin_pool_close(pool));
    WAIT_UNTIL(atomic_load(&pool->workers_started) > 10);
    CHECK_OK(kin_pool_terminate(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    for (int i = 0; i < 4; i++) {
        kin_obj o;
        CHECK_ERROR(kin_future_get(futures[i], &o, KIN_FOREVER), KIN_ECANCELLED);
        kin_future_free(futures[i]);
    }
    free_whole(pool);
}

TEST(the_others_are_served_while_one_task_kills_again_and_again)
{
    kin_pool *pool = patient_pool(2, 20);
    kin_future *poison;
    kin_obj o;
    CHECK_OK(kin_pool_submit(pool, die_of, kin_args(kin_int(SIGSEGV)), NULL, &poison));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(i)), &o));
        CHECK_EQ(kin_as_int(o), i * i);
    }
    CHECK_ERROR(kin_future_get(poison, &o, KIN_FOREVER), KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "which was begun 21 times");
    kin_future_free(poison);
    free_whole(pool);
}

/* ---- what the dead one had named ------------------------------------------------------------- */

struct named {
    kin_pool *pool;
    kin__task *task;
    uint64_t blocks;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static void make_a_task(void *ctx)
{
    struct named *n = ctx;
    kin_obj args = kin_args(kin_int(5));
    n->blocks = blocks_in_use();
    CHECK_OK(kin__task_new(n->pool, square, args, KIN__TASK_CALL, &n->task));
    kin_release(args);
    n->task->retries = 1;
    kin__block_give(n->task);
}

static void end_it_with_a_large_result(void *ctx)
{
    struct named *n = ctx;
    (void)kin__task_claim(kin__block_ref(n->task), kin__os_getpid());
    (void)kin__task_finish(n->task, kin_str("a result that lies in a block of its own"));
}

/* The result of who runs it then is a small one. */
static void is_tried_without_it(void *ctx, const char *step)
{
    struct named *n = ctx;
    kin_obj o;
    kin__id dead = KIN__TASK_RUNNER(atomic_load(&n->task->state));
    CHECK(atomic_load(&n->task->result) != 0);
    CHECK_(kin__task_retry(n->task, dead), "killed at %s", step);
    CHECK(atomic_load(&n->task->result) == 0);
    CHECK_PTR(kin__task_claim(kin__block_ref(n->task), kin__os_getpid()), n->task);
    CHECK(kin__task_finish(n->task, kin_int(25)));
    CHECK_OK(kin__task_result(n->task, &o));
    CHECK_EQ(kin_as_int(o), 25);
    kin__task_let_go(n->task);
    CHECK_EQ(blocks_in_use(), n->blocks);
}

TEST(a_task_that_is_tried_again_has_no_result_of_the_first_time)
{
    struct named *n = test_shared(sizeof *n);
    n->pool = pool_of(1);
    CHECK_EQ(kill_loop("task.given", n, .setup = make_a_task, .victim = end_it_with_a_large_result,
                       .check = is_tried_without_it),
             1);
    kin__task_let_go(n->task); /* of the one who lived */
    free_whole(n->pool);
}
