/* In Python a result that is too large for its pipe ends the thread that sends it, and a task with
 * such an argument the thread that feeds the workers: nothing comes back any more (bpo-17560,
 * CPython gh-75880; joblib/loky#143). Here that task fails, and those before, beside and behind it
 * do not notice. */
#include "scene.h"

#define TOO_MUCH ((size_t)100 << 20)

static kin_obj much(void)
{
    void *bytes = calloc(1, TOO_MUCH);
    CHECK_NOT_NULL(bytes);
    kin_obj o = kin_bytes(bytes, TOO_MUCH);
    free(bytes);
    return o;
}

static kin_obj return_much(kin_obj args)
{
    (void)args;
    return much();
}

static kin_obj length(kin_obj args)
{
    return kin_int((int64_t)kin_len(kin_arg(args, 0)));
}

static kin_pool *pool_in_little_memory(void)
{
    CHECK_OK(kin_domain_setup(KIN_OPT(kin_domain_options, .max_memory = 32 << 20)));
    return pool_of(2);
}

TEST(a_result_that_is_too_large_fails_its_task_alone)
{
    kin_pool *pool = pool_in_little_memory();
    kin_future *futures[30];
    kin_failure failure;
    for (int i = 0; i < 30; i++) {
        futures[i] = submit(pool, i % 10 == 5 ? return_much : square, kin_args(kin_int(i)));
    }
    for (int i = 0; i < 30; i++) {
        kin_obj o;
        int rv = kin_future_get(futures[i], &o, KIN_FOREVER);
        CHECK_EQ(rv, i % 10 == 5 ? KIN_ENOMEM : 0);
        CHECK(rv < 0 || kin_as_int(o) == i * i);
    }
    CHECK_OK(kin_future_failure(futures[5], &failure));
    CHECK_EQ(failure.code, KIN_ENOMEM);
    CHECK_CONTAINS(failure.text, "memory");
    CHECK_GT(failure.pid, 0);
    for (int i = 0; i < 30; i++) {
        kin_future_free(futures[i]);
    }
    works(pool);
    free_whole(pool);
}

TEST(an_argument_that_is_too_large_is_refused_alone)
{
    kin_pool *pool = pool_in_little_memory();
    kin_future *before = submit(pool, square, kin_args(kin_int(3))), *refused = NULL;
    kin_obj o;
    CHECK_ERROR(kin_pool_submit(pool, length, kin_args(much()), NULL, &refused), KIN_ENOMEM);
    CHECK_NULL(refused);
    CHECK_ERROR(kin_pool_map(pool, length, kin_list(kin_str("short"), much(), kin_str("short")),
                             KIN_OPT(kin_map_options, .chunksize = 1), &o),
                KIN_ENOMEM);
    CHECK_OK(kin_future_get(before, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 9);
    kin_future_free(before);
    works(pool);
    free_whole(pool);
}
