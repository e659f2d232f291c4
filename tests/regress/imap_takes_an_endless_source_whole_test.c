/* Symptom: Pool.imap over a generator reads all of it at once, by a thread of its own; over an
 * endless one the memory is full after a while (CPython gh-74508, gh-64192). Here items are taken
 * while results are handed out. */
#include "harness.h"

#include <kin.h>

static int give_forever(void *ctx, kin_obj *ret_item)
{
    uint64_t *given = ctx;
    *ret_item = kin_int((int64_t)++ * given);
    return 0;
}

static kin_obj negate(kin_obj args)
{
    return kin_int(-kin_arg_int(args, 0));
}

TEST(an_endless_source_is_read_as_results_are_taken)
{
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    uint64_t given = 0;
    kin_source source = { .next = give_forever, .ctx = &given };
    kin_iter *iter;
    CHECK_OK(kin_pool_imap(pool, negate, &source, NULL, &iter));
    for (uint64_t taken = 1; taken <= 1000; taken++) {
        kin_obj o;
        CHECK_OK(kin_iter_next(iter, &o, KIN_FOREVER));
        CHECK_EQ(kin_as_int(o), -(int64_t)taken);
        CHECK_LE(given, taken + 8); /* four for each worker */
    }
    kin_iter_free(iter);
    kin_pool_free(pool);
}
