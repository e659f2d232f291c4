/* The 1st, 2nd, 3rd... allocation of a loop's caller fails: an error, or the loop is
 * done with fewer workers; and nothing is lost. */
#include "domain/room.h"
#include "harness.h"
#include "pool/room.h"

#include <stdatomic.h>

#define COUNT 50

struct scene {
    kin_pool *pool;
    _Atomic int *done;
    uint64_t blocks;
};

static void count(size_t index, void *ctx)
{
    (void)index;
    atomic_fetch_add((_Atomic int *)ctx, 1);
    ++*(int *)kin_for_part();
}

static void add(void *into, const void *part)
{
    *(int *)into += *(const int *)part;
}

static int loop_once(void *ctx)
{
    struct scene *s = ctx;
    int result = 0;
    atomic_store(s->done, 0);
    int rv = kin_pool_for(
        s->pool, 0, COUNT, count, (void *)s->done,
        KIN_OPT(kin_for_options, .result = &result, .result_size = sizeof result, .combine = add));
    CHECK_EQ(result, rv == 0 ? COUNT : 0);
    CHECK_EQ(atomic_load(s->done), rv == 0 ? COUNT : 0);
    return rv;
}

static int negate(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = -*(const int *)in;
    return 0;
}

static int map_once(void *ctx)
{
    struct scene *s = ctx;
    int in[COUNT] = { 0 }, out[COUNT] = { 0 };
    in[7] = 5;
    kin_map_array arrays = { COUNT, in, sizeof(int), out, sizeof(int), NULL };
    int rv = kin_pool_map_array(s->pool, negate, &arrays, NULL);
    CHECK_EQ(out[7], rv == 0 ? -5 : 0);
    return rv;
}

static uint64_t blocks_in_use(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static void nothing_is_left(void *ctx, int error)
{
    struct scene *s = ctx;
    CHECK_LT(error, 0);
    WAIT_UNTIL(blocks_in_use() == s->blocks);
}

static void with_a_pool(enum kin__fault_kind kind)
{
    struct scene s = { .done = kin_alloc(sizeof *s.done) };
    CHECK_OK(kin_pool_new(&s.pool, KIN_OPT(kin_pool_options, .processes = 2)));
    s.blocks = blocks_in_use();
    fault_loop(kind, &s, .attempt = loop_once, .check = nothing_is_left);
    fault_loop(kind, &s, .attempt = map_once, .check = nothing_is_left);
    kin_pool_free(s.pool);
    kin_free((void *)s.done);
}

TEST(a_loop_is_done_or_not_when_memory_runs_out)
{
    with_a_pool(KIN__FAULT_MEMORY);
}
