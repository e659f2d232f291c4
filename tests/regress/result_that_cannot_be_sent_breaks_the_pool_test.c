/* In Python a result or an exception that cannot be pickled, or not unpickled, hangs the pool or
 * breaks the executor with all its futures (CPython gh-79492, gh-75880). Here it fails its own
 * task. */
#include "scene.h"

/* A list that holds itself has no copy that could travel. */
static kin_obj return_a_knot(kin_obj args)
{
    (void)args;
    kin_obj list = kin_list(kin_str("inside"));
    KIN_TRY(kin_append(&list, kin_retain(list)));
    return list;
}

static kin_obj return_what_was_never_made(kin_obj args)
{
    (void)args;
    return (kin_obj){ 0 };
}

static kin_obj return_what_could_not_be_made(kin_obj args)
{
    (void)args;
    return kin_str(NULL);
}

static kin_obj return_a_strange_error(kin_obj args)
{
    (void)args;
    return kin_error(-1234567, "text with \xff bytes that are no UTF-8");
}

static void fails_alone(kin_fn fn, int code)
{
    kin_pool *pool = pool_of(2);
    kin_future *before = submit(pool, square, kin_args(kin_int(5)));
    kin_future *bad = submit(pool, fn, kin_args());
    kin_future *after = submit(pool, square, kin_args(kin_int(6)));
    kin_obj o;
    CHECK_ERROR(kin_future_get(bad, &o, KIN_FOREVER), code);
    CHECK_ERROR(kin_future_get(bad, &o, KIN_FOREVER), code); /* as often as one asks */
    CHECK_OK(kin_future_get(before, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 25);
    CHECK_OK(kin_future_get(after, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 36);
    kin_future_free(before);
    kin_future_free(bad);
    kin_future_free(after);
    kin_obj results;
    CHECK_ERROR(kin_pool_map(pool, fn, kin_range(0, 5), NULL, &results), code);
    works(pool);
    free_whole(pool);
}

TEST(a_result_that_cannot_travel_fails_its_task)
{
    fails_alone(return_a_knot, KIN_EINVAL);
}

TEST(a_result_that_was_never_made_fails_its_task)
{
    fails_alone(return_what_was_never_made, KIN_EINVAL);
    fails_alone(return_what_could_not_be_made, KIN_EINVAL);
}

TEST(an_error_of_any_code_and_text_arrives)
{
    fails_alone(return_a_strange_error, -1234567);
}

TEST(arguments_that_cannot_travel_are_refused_at_once)
{
    kin_pool *pool = pool_of(1);
    kin_obj knot = return_a_knot(kin_none());
    kin_future *future = NULL;
    CHECK_ERROR(kin_pool_submit(pool, square, kin_args(kin_retain(knot)), NULL, &future),
                KIN_EINVAL);
    CHECK_NULL(future);
    CHECK_OK(kin_setitem(&knot, kin_int(1), kin_none())); /* untied, or it would never be freed */
    kin_release(knot);
    works(pool);
    free_whole(pool);
}
