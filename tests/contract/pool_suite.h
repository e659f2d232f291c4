/* pool_suite.h - the contract of include/kin/pool.h and future.h, for pools of every engine. Which
 * those are is said by who includes this: pool_scene.h. What only processes can do is not in here:
 * tests/unit/pool. */
#ifndef KIN_POOL_SUITE_H
#define KIN_POOL_SUITE_H

#include "pool_ends.h"
#include "pool_life.h"
#include "pool_many.h"

/* ---- results --------------------------------------------------------------------------------- */

EACH_ENGINE(apply_returns_what_the_task_returned)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(12)), &o));
    CHECK_EQ(kin_as_int(o), 144);
    kin_obj deep = kin_list(kin_str("a text that does not fit where small results go"),
                            kin_dict(kin_str("k"), kin_tuple(kin_float(0.5), kin_none())));
    CHECK_OK(kin_pool_apply(pool, echo, kin_args(kin_retain(deep)), &o));
    CHECK(kin_equal(o, deep));
    kin_release(o);
    kin_release(deep);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(1)), NULL));
    free_whole(pool);
}

EACH_ENGINE(a_future_can_be_asked_again_and_again)
{
    kin_pool *pool = new_pool(engine, 1);
    kin_future *future =
        submit(pool, echo, kin_args(kin_str("the same text each time, a long one")));
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    CHECK(kin_future_done(future));
    for (int i = 0; i < 3; i++) {
        kin_obj o;
        CHECK_OK(kin_future_get(future, &o, 0));
        CHECK_STR(kin_as_str(o), "the same text each time, a long one");
        kin_release(o);
    }
    kin_future_free(future);
    free_whole(pool);
}

EACH_ENGINE(an_error_that_a_task_returns_is_its_code_and_text)
{
    static const char text[] = "no way, for a reason that takes some words to tell";
    kin_pool *pool = new_pool(engine, 2);
    kin_obj o = kin_int(5);
    kin_future *future = submit(pool, fail_with, kin_args(kin_int(KIN_EUSER - 3), kin_str(text)));
    for (int i = 0; i < 2; i++) {
        CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_EUSER - 3);
        CHECK_STR(kin_errmsg(), text);
    }
    kin_future_free(future);
    CHECK_ERROR(
        kin_pool_apply(pool, fail_with, kin_args(kin_int(KIN_ETIMEDOUT), kin_str(text)), &o),
        KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), text);
    CHECK_EQ(kin_as_int(o), 5);
    free_whole(pool);
}

static kin_obj return_nothing_at_all(kin_obj args)
{
    return kin_at(args, 99);
}

EACH_ENGINE(a_result_that_cannot_be_sent_fails_its_task_alone)
{
    kin_pool *pool = new_pool(engine, 1);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, return_nothing_at_all, kin_args(kin_int(1)), &o), KIN_ERANGE);
    CHECK_CONTAINS(kin_errmsg(), "the task's result");
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), &o));
    CHECK_EQ(kin_as_int(o), 4);
    free_whole(pool);
}

/* ---- large and many -------------------------------------------------------------------------- */

enum { LARGE = 5000000, MANY = 10000 };

EACH_ENGINE(large_arguments_and_results_come_whole)
{
    kin_pool *pool = new_pool(engine, 2);
    unsigned char *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 1000);
    }
    kin_future *futures[4];
    for (int i = 0; i < 4; i++) {
        futures[i] = submit(pool, echo, kin_args(kin_bytes(bytes, LARGE)));
    }
    for (int i = 0; i < 4; i++) {
        kin_obj o;
        CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
        CHECK_EQ(kin_len(o), LARGE);
        CHECK_MEM(kin_as_bytes(o), bytes, LARGE);
        kin_release(o);
        kin_future_free(futures[i]);
    }
    free(bytes);
    kin_obj list = kin_range(0, 50000);
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, echo, kin_args(kin_retain(list)), &o));
    CHECK(kin_equal(o, list));
    kin_release(o);
    kin_release(list);
    free_whole(pool);
}

static kin_obj add_to_buffer(kin_obj args)
{
    size_t size;
    char *bytes = kin_take_buffer(kin_arg(args, 0), &size);
    bytes[size - 1]++;
    return kin_buffer(bytes, size);
}

EACH_ENGINE(a_buffer_goes_there_and_back_without_a_copy)
{
    kin_pool *pool = new_pool(engine, 1);
    char *bytes = kin_alloc(1000000);
    bytes[999999] = 41;
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, add_to_buffer, kin_args(kin_buffer(bytes, 1000000)), &o));
    size_t size;
    char *back = kin_take_buffer(o, &size);
    CHECK_PTR(back, bytes);
    CHECK_EQ(size, 1000000);
    CHECK_EQ(back[999999], 42);
    kin_free(back);
    kin_release(o);
    free_whole(pool);
}

EACH_ENGINE_WITHIN(120, ten_thousand_small_tasks_are_each_done_once)
{
    kin_pool *pool = new_pool(engine, 3);
    kin_future **futures = calloc(MANY, sizeof *futures);
    for (int i = 0; i < MANY; i++) {
        futures[i] = submit(pool, square, kin_args(kin_int(i)));
    }
    for (int64_t i = 0; i < MANY; i++) {
        CHECK_EQ(number_of(futures[i], KIN_FOREVER), i * i);
    }
    free(futures);
    kin_obj squares;
    CHECK_OK(kin_pool_map(pool, square, kin_range(0, MANY),
                          KIN_OPT(kin_map_options, .chunksize = 1), &squares));
    for (int64_t i = 0; i < MANY; i++) {
        CHECK_EQ(kin_as_int(kin_at(squares, (size_t)i)), i * i);
    }
    kin_release(squares);
    free_whole(pool);
}

static kin_obj count_up(kin_obj args)
{
    atomic_fetch_add((_Atomic int *)kin_arg_shared(args, 0), 1);
    return kin_none();
}

EACH_ENGINE(what_nobody_waits_for_is_done_all_the_same)
{
    kin_pool *pool = new_pool(engine, 2);
    _Atomic int *count = kin_alloc(sizeof *count);
    for (int i = 0; i < 300; i++) {
        kin_future *future;
        kin_obj args =
            kin_args(kin_shared(count), kin_str("what needs a block of its own, or not"));
        CHECK_OK(kin_pool_submit(pool, count_up, args, NULL, i % 2 ? &future : NULL));
        if (i % 2) {
            kin_future_free(future);
        }
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(*count, 300);
    kin_free((void *)count);
    free_whole(pool);
}

/* ---- maps ------------------------------------------------------------------------------------ */

enum { ITEMS = 100 };

static void map_all(kin_pool *pool, size_t n, size_t chunksize, bool tuple)
{
    kin_obj numbers[ITEMS];
    for (size_t i = 0; i < n; i++) {
        numbers[i] = kin_int((int64_t)i);
    }
    kin_obj results;
    CHECK_OK(kin_pool_map(pool, square, tuple ? kin_tuple_n(numbers, n) : kin_list_n(numbers, n),
                          KIN_OPT(kin_map_options, .chunksize = chunksize), &results));
    CHECK_EQ(kin_len(results), n);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(kin_as_int(kin_at(results, i)), i * i);
    }
    kin_release(results);
}

EACH_ENGINE(a_map_keeps_the_order_whatever_its_chunks)
{
    static const size_t lengths[] = { 0, 1, 2, 7, ITEMS };
    static const size_t chunks[] = { 0, 1, 3, ITEMS, SIZE_MAX };
    kin_pool *pool = new_pool(engine, 2);
    for (int i = 0; i < 5 * 5 * 2; i++) {
        map_all(pool, lengths[i / 10], chunks[i / 2 % 5], i % 2);
    }
    free_whole(pool);
}

static kin_obj subtract(kin_obj args)
{
    return kin_int(kin_arg_int(args, 0) - kin_arg_int(args, 1));
}

EACH_ENGINE(with_star_an_item_is_all_the_arguments)
{
    kin_pool *pool = new_pool(engine, 2);
    kin_obj o;
    kin_obj items = kin_list(kin_tuple(kin_int(9), kin_int(4)), kin_tuple(kin_int(1), kin_int(3)));
    CHECK_OK(kin_pool_map(pool, subtract, items, KIN_OPT(kin_map_options, .star = true), &o));
    CHECK_EQ(kin_as_int(kin_at(o, 0)), 5);
    CHECK_EQ(kin_as_int(kin_at(o, 1)), -2);
    kin_release(o);
    CHECK_ERROR(kin_pool_map(pool, subtract, kin_list(kin_int(9)),
                             KIN_OPT(kin_map_options, .star = true), &o),
                KIN_ETYPE);
    free_whole(pool);
}

/* Fails for what is not even, and counts all. */
static kin_obj halve(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    atomic_fetch_add((_Atomic int *)kin_arg_shared(args, 1), 1);
    return n % 2 == 0 ? kin_int(n / 2) : kin_error(KIN_EUSER - (int)n, "%d is odd", (int)n);
}

EACH_ENGINE(a_map_fails_as_its_first_item_that_did_after_all_are_done)
{
    kin_pool *pool = new_pool(engine, 3);
    _Atomic int *count = kin_alloc(sizeof *count);
    kin_obj items = kin_list();
    for (int i = 0; i < 30; i++) {
        CHECK_OK(kin_append(&items, kin_tuple(kin_int(i < 11 ? 2 : i), kin_shared(count))));
    }
    kin_obj o = kin_int(5);
    CHECK_ERROR(kin_pool_map(pool, halve, items,
                             KIN_OPT(kin_map_options, .star = true, .chunksize = 1), &o),
                KIN_EUSER - 11);
    CHECK_STR(kin_errmsg(), "11 is odd");
    CHECK_EQ(kin_as_int(o), 5);
    CHECK_EQ(*count, 30);
    kin_free((void *)count);
    free_whole(pool);
}

/* ---- patience -------------------------------------------------------------------------------- */

EACH_ENGINE(waiting_ends_with_its_timeout_and_the_task_goes_on)
{
    kin_pool *pool = new_pool(engine, 2);
    stop s = new_stop();
    kin_obj o;
    kin_future *future = submit_standing(pool, s);
    CHECK(!kin_future_done(future));
    CHECK_ERROR(kin_future_get(future, &o, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_future_get(future, &o, -1), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_future_get(future, &o, 0.02), KIN_ETIMEDOUT);
    CHECK_STR(kin_errmsg(), "kin_future_get: the task is not done within the timeout");
    CHECK_ERROR(kin_future_wait(future, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_future_wait(future, 0.12), KIN_ETIMEDOUT);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(4)), &o));
    CHECK_OK(kin_event_set(s.go));
    CHECK_EQ(number_of(future, KIN_FOREVER), 7);
    free_stop(s);
    free_whole(pool);
}

EACH_ENGINE(a_map_ends_with_its_timeout_and_the_pool_goes_on)
{
    kin_pool *pool = new_pool(engine, 2);
    stop s = new_stop();
    kin_obj o;
    kin_obj items = kin_list(kin_tuple(kin_shared(s.come), kin_shared(s.go)));
    CHECK_ERROR(kin_pool_map(pool, stand, items,
                             KIN_OPT(kin_map_options, .star = true, .timeout = 0.02), &o),
                KIN_ETIMEDOUT);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(4)), &o));
    CHECK_OK(kin_event_set(s.go));
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_stop(s);
    free_whole(pool);
}

#endif
