#include "pool_scene.h"

/* Counts up to `end`; what it gives at `bad` is no item, but a failure. */
typedef struct counting {
    int64_t next, end, bad;
} counting;

static int count_up(void *ctx, kin_obj *ret_item)
{
    counting *c = ctx;
    if (c->next == c->bad) {
        return KIN_EUSER - 7;
    }
    if (c->next == c->end) {
        return KIN_EEOF;
    }
    *ret_item = kin_int(c->next++);
    return 0;
}

static kin_iter *imap(kin_pool *pool, kin_fn fn, kin_source *source, const kin_map_options *options)
{
    kin_iter *iter = NULL;
    CHECK_OK(kin_pool_imap(pool, fn, source, options, &iter));
    return iter;
}

static int one_too_large(void *ctx, kin_obj *ret_item)
{
    int *next = ctx;
    if (*next == 10) {
        return KIN_EUSER - 5;
    }
    if (++*next == 5) {
        void *nothing = kin_alloc(64);
        *ret_item = kin_buffer(nothing, 64);
        kin_obj taken = kin_retain(*ret_item);
        size_t size;
        kin_free(kin_take_buffer(taken, &size)); /* so it cannot be sent any more */
        kin_release(taken);
        return 0;
    }
    *ret_item = kin_int(*next);
    return 0;
}

TEST(an_item_that_cannot_be_sent_fails_alone_and_what_ends_the_source_is_told_once)
{
    for (int unordered = 0; unordered < 2; unordered++) {
        kin_auto(kin_pool) pool = NULL;
        CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
        int next = 0;
        kin_source source = { .next = one_too_large, .ctx = &next };
        kin_map_options options = { .unordered = unordered };
        kin_auto(kin_iter) iter = NULL;
        CHECK_OK(kin_pool_imap(pool, square, &source, &options, &iter));
        kin_obj result;
        int good = 0, bad = 0, ends = 0;
        for (int rv = 0; rv != KIN_EEOF;) {
            rv = kin_iter_next(iter, &result, KIN_FOREVER);
            good += rv == 0;
            bad += rv == KIN_EFREED;
            ends += rv == KIN_EUSER - 5;
        }
        CHECK_EQ(good, 9);
        CHECK_EQ(bad, 1);
        CHECK_EQ(ends, 1);
        CHECK_ERROR(kin_iter_next(iter, &result, KIN_FOREVER), KIN_EEOF);
    }
}

TEST(imap_takes_a_list_as_well_and_keeps_it_as_long_as_it_needs_it)
{
    kin_auto(kin_pool) pool = NULL;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    kin_auto(kin_iter) iter = NULL;
    CHECK_OK(kin_pool_imap(pool, square, &(kin_source){ .items = kin_range(0, 20) }, NULL, &iter));
    kin_obj result;
    for (int64_t i = 0; i < 20; i++) {
        CHECK_OK(kin_iter_next(iter, &result, KIN_FOREVER));
        CHECK_EQ(kin_as_int(result), i * i);
    }
    CHECK_ERROR(kin_iter_next(iter, &result, KIN_FOREVER), KIN_EEOF);
    kin_iter *none;
    kin_source text = { .items = kin_str("no list") };
    CHECK_ERROR(kin_pool_imap(pool, square, &text, NULL, &none), KIN_ETYPE);
}

TEST(results_come_in_order_whatever_the_chunks_and_the_buffer)
{
    kin_pool *pool = pool_of(2);
    const size_t sizes[][2] = {
        { 0, 0 }, { 1, 1 }, { 7, 0 }, { 7, 20 }, { 50, 3 }, { 1000, 0 }, { 1, (size_t)1 << 40 }
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        counting c = { .end = 200, .bad = -1 };
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter =
            imap(pool, square, &source,
                 KIN_OPT(kin_map_options, .chunksize = sizes[i][0], .buffersize = sizes[i][1]));
        kin_obj o;
        for (int64_t n = 0; n < 200; n++) {
            CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
            CHECK_EQ(kin_as_int(o), n * n);
        }
        CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EEOF);
        CHECK_ERROR(kin_iter_next(iter, &o, 0), KIN_EEOF);
        kin_iter_free(iter);
    }
    free_whole(pool);
}

TEST(unordered_results_are_all_there)
{
    kin_pool *pool = pool_of(2);
    for (size_t i = 0; i < 12; i++) {
        const size_t buffers[] = { 0, 9, 100, 100000 };
        counting c = { .end = 500, .bad = -1 };
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter = imap(pool, square, &source,
                              KIN_OPT(kin_map_options, .chunksize = 1 + i / 4 * 4,
                                      .buffersize = buffers[i % 4], .unordered = true));
        kin_obj o;
        int64_t sum = 0;
        for (int64_t n = 0; n < 500; n++) {
            CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
            sum += kin_as_int(o);
        }
        CHECK_EQ(sum, 499 * 500 * 999 / 6);
        CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EEOF);
        kin_iter_free(iter);
    }
    free_whole(pool);
}

static _Atomic int *may_end;

static kin_obj wait_if_first(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    WAIT_UNTIL(n != 0 || *may_end);
    return kin_int(n);
}

TEST(unordered_results_do_not_wait_for_a_slow_one)
{
    may_end = test_shared(sizeof *may_end);
    kin_pool *pool = pool_of(2);
    counting c = { .end = 30, .bad = -1 };
    kin_source source = { .next = count_up, .ctx = &c };
    kin_iter *iter =
        imap(pool, wait_if_first, &source, KIN_OPT(kin_map_options, .unordered = true));
    kin_obj o;
    for (int n = 1; n < 30; n++) {
        CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
        CHECK_NE(kin_as_int(o), 0);
    }
    CHECK_ERROR(kin_iter_next(iter, &o, 0.01), KIN_ETIMEDOUT);
    *may_end = 1;
    CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 0);
    CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EEOF);
    kin_iter_free(iter);
    free_whole(pool);
}

TEST(no_more_items_are_taken_than_the_buffer_has_room_for)
{
    kin_pool *pool = pool_of(2);
    const size_t sizes[][2] = { { 1, 1 }, { 1, 5 }, { 4, 10 }, { 9, 4 } };
    for (size_t i = 0; i < 8; i++) {
        size_t buffer = sizes[i / 2][1];
        counting c = { .end = -1, .bad = -1 }; /* endless */
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter = imap(pool, square, &source,
                              KIN_OPT(kin_map_options, .chunksize = sizes[i / 2][0],
                                      .buffersize = buffer, .unordered = i % 2));
        CHECK_EQ(c.next, 0);
        for (int64_t n = 0; n < 50; n++) {
            kin_obj o;
            CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
            CHECK_GE(c.next, n + 1);
            CHECK_LE(c.next, n + (int64_t)buffer);
        }
        kin_iter_free(iter);
    }
    free_whole(pool);
}

static kin_obj fail_odd(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return n % 2 ? kin_error(KIN_EUSER - (int)n, "%d is odd", (int)n) : kin_int(n);
}

TEST(an_item_that_fails_fails_alone)
{
    kin_pool *pool = pool_of(2);
    for (size_t chunk = 1; chunk < 8; chunk += 2) {
        counting c = { .end = 40, .bad = -1 };
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter =
            imap(pool, fail_odd, &source, KIN_OPT(kin_map_options, .chunksize = chunk));
        for (int n = 0; n < 40; n++) {
            kin_obj o;
            int rv = kin_iter_next(iter, &o, KIN_FOREVER);
            if (n % 2) {
                CHECK_ERROR(rv, KIN_EUSER - n);
                CHECK_CONTAINS(kin_errmsg(), " is odd");
            } else {
                CHECK_OK(rv);
                CHECK_EQ(kin_as_int(o), n);
            }
        }
        kin_iter_free(iter);
    }
    free_whole(pool);
}

static kin_obj die_at_five(kin_obj args)
{
    return kin_arg_int(args, 0) == 5 ? die_of(kin_args(kin_int(SIGKILL))) : kin_arg(args, 0);
}

TEST(a_worker_that_dies_fails_the_items_of_its_chunk_and_the_others_come)
{
    kin_pool *pool = pool_of(2);
    for (int unordered = 0; unordered < 2; unordered++) {
        counting c = { .end = 20, .bad = -1 };
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter = imap(pool, die_at_five, &source,
                              KIN_OPT(kin_map_options, .chunksize = 2, .unordered = unordered));
        int failed = 0;
        for (int n = 0; n < 20; n++) {
            kin_obj o;
            int rv = kin_iter_next(iter, &o, KIN_FOREVER);
            failed += rv == KIN_ECRASHED;
            CHECK(rv == 0 || rv == KIN_ECRASHED);
        }
        CHECK_EQ(failed, 2);
        kin_obj o;
        CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EEOF);
        kin_iter_free(iter);
    }
    free_whole(pool);
}

TEST(the_sources_own_failure_comes_after_the_results_before_it)
{
    kin_pool *pool = pool_of(2);
    counting c = { .end = 100, .bad = 11 };
    kin_source source = { .next = count_up, .ctx = &c };
    kin_iter *iter = imap(pool, square, &source, KIN_OPT(kin_map_options, .chunksize = 3));
    kin_obj o;
    for (int n = 0; n < 11; n++) {
        CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
    }
    CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EUSER - 7);
    c.bad = -1;
    CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_EEOF);
    CHECK_EQ(c.next, 11);
    kin_iter_free(iter);
    free_whole(pool);
}

static int give_pairs(void *ctx, kin_obj *ret_item)
{
    int64_t *n = ctx;
    if (*n == 10) {
        return KIN_EEOF;
    }
    *ret_item = kin_tuple(kin_int((*n)++), kin_str("a text of some length"));
    return 0;
}

static kin_obj first_plus_length(kin_obj args)
{
    return kin_int(kin_arg_int(args, 0) + (int64_t)strlen(kin_arg_str(args, 1)));
}

TEST(with_star_an_item_is_the_arguments)
{
    kin_pool *pool = pool_of(1);
    int64_t n = 0;
    kin_source source = { .next = give_pairs, .ctx = &n };
    kin_iter *iter = imap(pool, first_plus_length, &source, KIN_OPT(kin_map_options, .star = true));
    for (int i = 0; i < 10; i++) {
        kin_obj o;
        CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), i + 21);
    }
    kin_iter_free(iter);
    free_whole(pool);
}

TEST(freed_early_it_cancels_what_is_queued_and_leaves_nothing)
{
    may_end = test_shared(sizeof *may_end);
    kin_pool *pool = pool_of(1);
    for (int unordered = 0; unordered < 2; unordered++) {
        counting c = { .end = -1, .bad = -1 };
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter = imap(pool, wait_if_first, &source,
                              KIN_OPT(kin_map_options, .unordered = unordered, .buffersize = 500));
        kin_obj o;
        *may_end = 0;
        CHECK_ERROR(kin_iter_next(iter, &o, 0.01), KIN_ETIMEDOUT);
        CHECK_EQ(c.next, 500);
        kin_iter_free(iter);
        *may_end = 1;
    }
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_LE(atomic_load(&pool->workers[0].tasks_done), 3);
    free_whole(pool);
}

TEST(a_pool_that_ends_ends_the_iteration)
{
    for (int unordered = 0; unordered < 2; unordered++) {
        kin_pool *pool = pool_of(1);
        counting c = { .end = -1, .bad = -1 };
        kin_source source = { .next = count_up, .ctx = &c };
        kin_iter *iter =
            imap(pool, square, &source, KIN_OPT(kin_map_options, .unordered = unordered));
        kin_obj o;
        CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
        kin_pool_free(pool);
        int cancelled = 0;
        for (int rv = 0; rv != KIN_EEOF;) { /* what was on its way, and the end itself */
            rv = kin_iter_next(iter, &o, KIN_FOREVER);
            CHECK(rv == 0 || rv == KIN_ECANCELLED || rv == KIN_EEOF);
            cancelled += rv == KIN_ECANCELLED;
        }
        CHECK_GE(cancelled, 1);
        CHECK_LT(c.next, 10);
        kin_iter_free(iter);
        kin_usage_info usage;
        CHECK_OK(kin_usage(&usage));
        CHECK_EQ(usage.blocks, 0);
    }
}

TEST(the_whole_takes_no_longer_than_its_timeout)
{
    kin_pool *pool = pool_of(1);
    counting c = { .end = -1, .bad = -1 };
    kin_source source = { .next = count_up, .ctx = &c };
    kin_iter *iter = imap(pool, stay, &source, KIN_OPT(kin_map_options, .timeout = 0.05));
    kin_obj o;
    CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_iter_next(iter, &o, KIN_FOREVER), KIN_ETIMEDOUT);
    kin_iter_free(iter);
    free_whole(pool);
}

TEST(bad_arguments_are_refused_with_a_sentence)
{
    kin_pool *pool = pool_of(1);
    counting c = { .end = 1, .bad = -1 };
    kin_source source = { .next = count_up, .ctx = &c };
    kin_source none = { .next = NULL };
    kin_iter *iter;
    kin_future *future;
    kin_obj o;
    CHECK_ERROR(kin_pool_imap(NULL, square, &source, NULL, &iter), KIN_EINVAL);
    CHECK_ERROR(kin_pool_imap(pool, NULL, &source, NULL, &iter), KIN_EINVAL);
    CHECK_ERROR(kin_pool_imap(pool, square, NULL, NULL, &iter), KIN_EINVAL);
    CHECK_ERROR(kin_pool_imap(pool, square, &none, NULL, &iter), KIN_ETYPE);
    CHECK_ERROR(kin_pool_imap(pool, square, &source, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(
        kin_pool_imap(pool, square, &source, KIN_OPT(kin_map_options, .reserved = { 0, 1 }), &iter),
        KIN_EINVAL);
    CHECK_ERROR(
        kin_pool_imap(pool, square, &source, KIN_OPT(kin_map_options, .timeout = NAN), &iter),
        KIN_EINVAL);
    iter = imap(pool, square, &source, NULL);
    CHECK_ERROR(kin_iter_next_future(iter, &future, 0), KIN_EINVAL);
    CHECK_ERROR(kin_iter_next(iter, NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_iter_next(NULL, &o, 0), KIN_EINVAL);
    CHECK_ERROR(kin_iter_next(iter, &o, NAN), KIN_EINVAL);
    kin_iter_free(iter);
    free_whole(pool);
}

static int try_imap(void *pool)
{
    counting c = { .end = 6, .bad = -1 };
    kin_source source = { .next = count_up, .ctx = &c };
    kin_iter *iter = NULL;
    int rv = kin_pool_imap(pool, square, &source,
                           KIN_OPT(kin_map_options, .unordered = true, .chunksize = 2), &iter);
    kin_obj o;
    for (int i = 0; rv == 0 && i < 6; i++) {
        rv = kin_iter_next(iter, &o, KIN_FOREVER);
    }
    kin_iter_free(iter);
    return rv;
}

TEST(without_memory_there_is_a_code_and_nothing_is_left)
{
    kin_pool *pool = pool_of(1);
    CHECK_OK(try_imap(pool));
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, pool, .attempt = try_imap), 10);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}
