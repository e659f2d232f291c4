#include "domain/map.h"
#include "harness.h"

#include <string.h>

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

TEST(blocks_of_all_sizes_are_apart_aligned_and_reused)
{
    enum { COUNT = 200 };
    char *blocks[COUNT];
    uint64_t before = usage().blocks;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = 1 + i * i * 7;
            blocks[i] = kin__block_new(size, KIN__RAW);
            CHECK_NOT_NULL(blocks[i]);
            CHECK_EQ((uintptr_t)blocks[i] % (size < 64 ? 16 : 64), 0);
            CHECK_EQ(kin__block_size(blocks[i]), size);
            memset(blocks[i], (int)i, size);
        }
        for (size_t i = 0; i < COUNT; i++) {
            size_t size = kin__block_size(blocks[i]);
            CHECK_EQ(blocks[i][0], (char)i);
            CHECK_EQ(blocks[i][size - 1], (char)i);
            CHECK_OK(kin__block_free(blocks[i]));
        }
        CHECK_EQ(usage().blocks, before);
    }
}

TEST(a_freed_block_is_refused)
{
    char *p = kin__block_new(100, KIN__LOCK);
    kin__ref ref = kin__block_ref(p);
    kin__block_give(p);
    CHECK_PTR(kin__block_at(ref, KIN__LOCK, NULL), p);
    CHECK_OK(kin__block_check(p, KIN__LOCK, "it"));
    CHECK_ERROR(kin__block_check(p, KIN__EVENT, "it"), KIN_EINVAL);
    CHECK_ERROR(kin__block_check(NULL, KIN__EVENT, "it"), KIN_EINVAL);
    CHECK_ERROR(kin__block_check(p + 16, KIN__LOCK, "it"), KIN_EINVAL);
    CHECK_ERROR(kin__block_check(&p, KIN__LOCK, "it"), KIN_EINVAL);
    CHECK_OK(kin__block_free(p));
    CHECK_ERROR(kin__block_check(p, KIN__LOCK, "it"), KIN_EFREED);
    CHECK_ERROR(kin__block_free(p), KIN_EFREED);
    int code = 0;
    CHECK_NULL(kin__block_at(ref, KIN__LOCK, &code));
    CHECK_EQ(code, KIN_EFREED);
    CHECK(!kin__block_take(ref));
    CHECK(!kin__block_share(ref));
    CHECK(!kin__block_discard(ref));
}

/* They lie in each other's pages, one after the other: who keeps his place in one by its generation
 * must not find himself in the next. */
TEST(large_blocks_have_generations_of_their_own)
{
    enum { COUNT = 500 };
    kin__ref generations[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        void *p = kin__block_new(70000 * (1 + i * 7 % 5), KIN__RAW);
        generations[i] = kin__block_ref(p) >> 34;
        for (size_t k = 0; k < i; k++) {
            CHECK_NE(generations[k] % (1u << 27), generations[i] % (1u << 27));
        }
        CHECK_OK(kin__block_free(p));
    }
}

TEST(a_ref_to_an_earlier_block_at_the_same_place_is_refused)
{
    char *first = kin__block_new(100, KIN__LOCK);
    kin__ref ref = kin__block_ref(first);
    CHECK_OK(kin__block_free(first));
    char *second = kin__block_new(100, KIN__LOCK);
    CHECK_PTR(second, first);
    CHECK_NE(kin__block_ref(second), ref);
    CHECK_NULL(kin__block_at(ref, KIN__LOCK, NULL));
    CHECK_OK(kin__block_free(second));
}

TEST(owners_change_by_give_take_and_share)
{
    char *p = kin__block_new(10, KIN__MESSAGE);
    kin__ref ref = kin__block_ref(p);
    CHECK(!kin__block_is_shared(ref));
    CHECK(!kin__block_discard(ref)); /* it is ours, not the family's */
    kin__block_give(p);
    CHECK(kin__block_is_shared(ref));
    CHECK(kin__block_take(ref));
    CHECK(!kin__block_take(ref));
    CHECK(kin__block_share(ref));
    CHECK(kin__block_share(ref));
    CHECK(kin__block_discard(ref));
    CHECK_ERROR(kin__block_free(p), KIN_EFREED);
}

TEST(large_blocks_are_runs_of_pages_and_come_back)
{
    uint64_t before = usage().used;
    char *a = kin__block_new(100000, KIN__RAW);
    char *b = kin__block_new(3 << 20, KIN__RAW);
    CHECK_NOT_NULL(a);
    CHECK_NOT_NULL(b);
    memset(a, 1, 100000);
    memset(b, 2, 3 << 20);
    CHECK_EQ(a[99999], 1);
    CHECK_EQ(usage().used, before + 2 * PAGE_SIZE + (3 << 20));
    CHECK_OK(kin__block_free(a));
    CHECK_OK(kin__block_free(b));
    CHECK_EQ(usage().used, before);
    uint64_t committed = usage().committed;
    char *again = kin__block_new(3 << 20, KIN__RAW);
    CHECK_EQ(usage().committed, committed);
    CHECK_OK(kin__block_free(again));
}

TEST(what_another_process_allocated_can_be_freed_here)
{
    char **box = test_shared(sizeof *box);
    kin__self();
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        *box = kin_alloc(1000);
        (*box)[999] = 7;
        kin__os_leave(0);
    }
    CHECK_EQ(test_join(pid), 0);
    kin__ended(pid);
    CHECK_EQ((*box)[999], 7); /* kin_alloc's blocks outlive their maker */
    CHECK_OK(kin__block_free(*box));
}

static int hold_blocks_and_die(void *ctx)
{
    kin__ref *refs = ctx;
    refs[0] = kin__block_ref(kin__block_new(50, KIN__RAW));
    refs[1] = kin__block_ref(kin__block_new(500000, KIN__RAW));
    char *given = kin__block_new(50, KIN__RAW);
    refs[2] = kin__block_ref(given);
    kin__block_give(given);
    kin__os_kill(kin__os_getpid(), 9);
    return 0;
}

TEST(what_the_dead_held_is_given_back_and_what_they_gave_stays)
{
    kin__ref *refs = test_shared(3 * sizeof *refs);
    uint64_t before = usage().blocks;
    pid_t pid = test_child(hold_blocks_and_die, refs);
    CHECK_EQ(test_join(pid), -9);
    kin__ended(pid);
    CHECK_EQ(usage().blocks, before + 1);
    CHECK_NULL(kin__block_at(refs[0], 0, NULL));
    CHECK_NULL(kin__block_at(refs[1], 0, NULL));
    CHECK(kin__block_discard(refs[2]));
    CHECK_EQ(usage().blocks, before);
}
