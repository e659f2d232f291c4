#include "domain/map.h"
#include "harness.h"

#include <signal.h>
#include <string.h>

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

TEST(kin_free_refuses_what_is_not_its_own)
{
    int here = 0;
    kin_log_set_level(KIN_LOG_OFF);
    kin_free(NULL);
    kin_free(&here);
    void *lock = kin__block_new(8, KIN__LOCK);
    kin_free(lock);
    CHECK_OK(kin__block_free(lock));
    char *p = kin_alloc(10);
    kin_free(p + 1);
    kin_free(p);
    kin_free(p);
    CHECK_CONTAINS(kin_errmsg(), "kin_free: ");
    CHECK_CONTAINS(kin_errmsg(), "freed before");
    CHECK_NULL(kin_alloc(0));
}

TEST(kin_alloc_gives_zeros_also_when_it_recycles)
{
    char *p = kin_alloc(64);
    memset(p, 0xff, 64);
    kin_free(p);
    char *q = kin_alloc(64);
    CHECK_PTR(q, p);
    for (int i = 0; i < 64; i++) {
        CHECK_EQ(q[i], 0);
    }
    kin_free(q);
}

static bool is_zero(const char *p, size_t size)
{
    return p[0] == 0 && memcmp(p, p + 1, size - 1) == 0;
}

/* Fresh memory needs no zeros written; what was used, also in part, does. */
TEST(large_memory_is_zero_whatever_its_pages_were_before)
{
    enum { PAGES = 40 };
    char *all = kin_alloc(PAGES * PAGE_SIZE);
    CHECK(is_zero(all, PAGES * PAGE_SIZE));
    memset(all, 0xff, PAGES * PAGE_SIZE);
    kin_free(all);
    for (int round = 0; round < 200; round++) {
        size_t size = (1 + test_random() % (2 * PAGES)) * PAGE_SIZE - test_random() % PAGE_SIZE / 2;
        char *p = kin_alloc(size);
        CHECK_NOT_NULL(p);
        CHECK(is_zero(p, size));
        memset(p, 0xff, size);
        size_t more = size + test_random() % (4 * PAGE_SIZE);
        char *q = kin_realloc(p, more + 1);
        CHECK_NOT_NULL(q);
        CHECK(is_zero(q + size, more + 1 - size));
        memset(q, 0xff, more + 1);
        kin_free(q);
        kin_usage_info info = usage();
        CHECK_LE(info.committed, (uint64_t)100 << 20);
    }
}

static int die_with_pages(void *ctx)
{
    (void)ctx;
    memset(kin__block_new(4 * PAGE_SIZE, KIN__RAW), 0xff, 4 * PAGE_SIZE);
    raise(SIGKILL);
    return 0;
}

TEST(what_a_dead_process_had_written_is_not_taken_for_fresh)
{
    char *first = kin_alloc(PAGE_SIZE); /* the family has memory */
    CHECK_EQ(test_join(test_child(die_with_pages, NULL)), -SIGKILL);
    CHECK_EQ(usage().processes, 1); /* swept */
    char *p = kin_alloc(10 * PAGE_SIZE);
    CHECK(is_zero(p, 10 * PAGE_SIZE));
    kin_free(p);
    kin_free(first);
}

TEST(memory_moves_with_its_bytes_and_the_rest_is_zero)
{
    uint64_t before = usage().blocks;
    char *p = kin_realloc(NULL, 10);
    memset(p, 'x', 10);
    char *q = kin_realloc(p, 5000);
    CHECK(q != p);
    for (int i = 0; i < 5000; i++) {
        CHECK_EQ(q[i], i < 10 ? 'x' : 0);
    }
    memset(q, 'y', 5000);
    p = kin_realloc(q, 100000);
    CHECK_EQ(p[4999], 'y');
    CHECK_EQ(p[5000], 0);
    q = kin_realloc(p, 3);
    CHECK_MEM(q, "yyy", 3);
    CHECK_EQ(usage().blocks, before + 1);
    kin_free(q);
    CHECK_EQ(usage().blocks, before);
}

TEST(what_cannot_be_moved_stays_where_it_is)
{
    int here = 0;
    char *p = kin_alloc(10);
    *p = 'x';
    CHECK_NULL(kin_realloc(p, 0));
    CHECK_NULL(kin_realloc(p, SIZE_MAX));
    CHECK_NULL(kin_realloc(p + 1, 20));
    CHECK_NULL(kin_realloc(&here, 20));
    CHECK_EQ(*p, 'x');
    kin_free(p);
    CHECK_NULL(kin_realloc(p, 20));
    CHECK_CONTAINS(kin_errmsg(), "freed");
}

TEST(an_object_too_large_is_refused_with_a_sentence)
{
    CHECK_NULL(kin_alloc(SIZE_MAX));
    CHECK_CONTAINS(kin_errmsg(), "more than");
    CHECK_NULL(kin_alloc((size_t)1 << 50));
    CHECK_NULL(kin_alloc(((size_t)1 << 56) + 1)); /* not all of it fits where a size is kept */
    CHECK_CONTAINS(kin_errmsg(), "more than");
    CHECK_NULL(kin_alloc((size_t)200 << 30)); /* there are addresses for it, but no memory */
    CHECK_CONTAINS(kin_errmsg(), "memory");
    char *small = kin_alloc(10);
    CHECK_NOT_NULL(small);
    kin_free(small);
}

TEST(usage_counts_what_is_held)
{
    kin_usage_info before = usage();
    void *small = kin_alloc(100);
    void *large = kin_alloc(100000);
    kin_usage_info with = usage();
    CHECK_EQ(with.blocks, before.blocks + 2);
    CHECK_EQ(with.used, before.used + 128 + 2 * PAGE_SIZE);
    CHECK_GE(with.committed, with.used);
    CHECK_GE(with.reserved, with.committed);
    CHECK_EQ(with.processes, 1);
    kin_free(small);
    kin_free(large);
    CHECK_EQ(usage().used, before.used);
    CHECK_EQ(usage().blocks, before.blocks);
    CHECK_ERROR(kin_usage(NULL), KIN_EINVAL);
}

static int count_the_living(void *ctx)
{
    kin__self();
    *(unsigned *)ctx = usage().processes;
    return 0;
}

TEST(usage_counts_the_living)
{
    unsigned *seen = test_shared(sizeof *seen);
    CHECK_EQ(usage().processes, 1);
    CHECK_EQ(test_join(test_child(count_the_living, seen)), 0);
    CHECK_EQ(*seen, 2);
    CHECK_EQ(usage().processes, 1);
}

static void count_block(void *p, void *ctx)
{
    uint64_t *sum = ctx;
    *sum += *(uint64_t *)p;
}

TEST(blocks_of_a_type_can_be_visited)
{
    uint64_t *blocks[100];
    for (uint64_t i = 0; i < 100; i++) {
        blocks[i] = kin__block_new(i % 10 == 0 ? 100000 : 64, i % 2 ? KIN__TASK : KIN__POOL);
        *blocks[i] = i;
    }
    uint64_t sum = 0;
    kin__block_each(KIN__TASK, count_block, &sum);
    CHECK_EQ(sum, 2500);
    sum = 0;
    kin__block_each(KIN__POOL, count_block, &sum);
    CHECK_EQ(sum, 2450);
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    sum = 0;
    kin__block_each(KIN__TASK, count_block, &sum);
    kin__block_each(KIN__POOL, count_block, &sum);
    CHECK_EQ(sum, 0);
}

static int free_it(void *ctx)
{
    kin_free(*(void **)ctx);
    return 0;
}

TEST(whoever_wants_may_free)
{
    void **box = test_shared(sizeof *box);
    *box = kin_alloc(40);
    uint64_t before = usage().blocks;
    CHECK_EQ(test_join(test_child(free_it, box)), 0);
    CHECK_EQ(usage().blocks, before - 1);
}
