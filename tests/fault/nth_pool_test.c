/* The 1st, 2nd, 3rd... allocation or system call of the caller fails: an error, and nothing is
 * lost. */
#include "domain/room.h"
#include "harness.h"
#include "pool/room.h"

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static int make_a_pool(void *ctx)
{
    (void)ctx;
    kin_pool *pool;
    int rv = kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1));
    if (rv == 0) {
        kin_pool_free(pool);
    }
    return rv;
}

static int make_a_pool_of_many_wishes(void *ctx)
{
    (void)ctx;
    kin_pool *pool;
    int rv = kin_pool_new(
        &pool,
        KIN_OPT(kin_pool_options, .processes = 1, .initializer = square,
                .initargs = kin_args(kin_int(3), kin_str("a text of some length")),
                .finalizer = square, .finalargs = kin_args(kin_int(4), kin_str("another one"))));
    if (rv == 0) {
        kin_pool_free(pool);
    }
    return rv;
}

static int know_a_failure(void *ctx)
{
    kin_failure failure;
    return kin_future_failure(ctx, &failure);
}

static void nothing_is_left(void *ctx, int error)
{
    (void)ctx;
    CHECK_LT(error, 0);
    WAIT_UNTIL(kin__count_alive() <= 1);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST(a_pool_is_made_or_not_when_memory_runs_out)
{
    kin__self();
    fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_a_pool, .check = nothing_is_left);
    fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = make_a_pool_of_many_wishes,
               .check = nothing_is_left);
}

TEST_WITHIN(100, a_pool_is_made_or_not_when_system_calls_fail)
{
    kin__self();
    fault_loop(KIN__FAULT_CALL, NULL, .attempt = make_a_pool);
}

static int apply_once(void *ctx)
{
    kin_obj o;
    int rv =
        kin_pool_apply(ctx, square, kin_args(kin_str("a text that needs a block"), kin_int(3)), &o);
    if (rv == 0) {
        kin_release(o);
    }
    return rv;
}

static int map_once(void *ctx)
{
    kin_obj o;
    int rv = kin_pool_map(ctx, square, kin_range(0, 30), NULL, &o);
    if (rv == 0) {
        kin_release(o);
    }
    return rv;
}

static void the_pool_works(void *ctx, int error)
{
    CHECK_EQ(error, KIN_ENOMEM);
    kin_obj o;
    CHECK_OK(kin_pool_apply(ctx, square, kin_args(kin_int(5)), &o));
    CHECK_EQ(kin_as_int(o), 25);
}

TEST(a_task_fails_alone_when_memory_runs_out)
{
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1)));
    fault_loop(KIN__FAULT_MEMORY, pool, .attempt = apply_once, .check = the_pool_works);
    fault_loop(KIN__FAULT_MEMORY, pool, .attempt = map_once, .check = the_pool_works);
    kin_pool_free(pool);
    nothing_is_left(NULL, -1);
}

static kin_obj fail_with_a_text(kin_obj args)
{
    (void)args;
    return kin_error(KIN_EUSER, "a text that needs a block of its own to be sent back");
}

TEST(what_is_known_of_a_failure_is_told_later_when_memory_runs_out)
{
    kin_pool *pool;
    kin_future *future;
    kin_obj o;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1)));
    CHECK_OK(kin_pool_submit(pool, fail_with_a_text, kin_args(), NULL, &future));
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EUSER);
    fault_loop(KIN__FAULT_MEMORY, future, .attempt = know_a_failure);
    kin_future_free(future);
    kin_pool_free(pool);
    nothing_is_left(NULL, -1);
}

static kin_obj out_of_memory_here(kin_obj args)
{
    kin__fault_arm(KIN__FAULT_MEMORY, (unsigned)kin_arg_int(args, 0));
    return kin_str("a text that needs some memory to be made and to be sent");
}

static kin_obj all_is_well(kin_obj args)
{
    (void)args;
    kin__fault_arm(KIN__FAULT_MEMORY, 0);
    return kin_none();
}

TEST(a_worker_out_of_memory_fails_one_task)
{
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 1)));
    int failures = 0;
    for (int nth = 1; nth < 12; nth++) {
        kin_obj o;
        int rv = kin_pool_apply(pool, out_of_memory_here, kin_args(kin_int(nth)), &o);
        if (rv == 0) {
            kin_release(o);
        } else {
            CHECK_EQ(rv, KIN_ENOMEM);
            failures++;
        }
        while (kin_pool_apply(pool, all_is_well, kin_args(), NULL) < 0) { /* it was still armed */
        }
        CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(5)), &o));
    }
    CHECK_GT(failures, 0);
    kin_pool_free(pool);
    nothing_is_left(NULL, -1);
}
