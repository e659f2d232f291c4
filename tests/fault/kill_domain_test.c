/* A child is killed at every step of joining, allocating, freeing and sweeping. */
#include "domain/map.h"
#include "harness.h"

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* Blocks beside this one that are nobody's, and that somebody who looks for one would find. */
static unsigned blocks_free(const void *p)
{
    uint64_t index = (uint64_t)((const char *)p - page_data(0)) >> PAGE_SHIFT;
    small_page *s = (small_page *)(void *)page_data(index);
    unsigned count = 0;
    for (unsigned i = 0; i < kin__classes[PAGE_CLASS(page_at(index)->state)].count; i++) {
        bool hinted = atomic_load(&s->free[i / 64]) >> i % 64 & 1;
        count += hinted && BLOCK_OWNER(atomic_load(&s->blocks[i].state)) == KIN__NOBODY;
    }
    return count;
}

struct scene {
    uint64_t blocks; /* in use before */
    size_t size;
    _Atomic(char *) theirs; /* a block of the family that the victim works on */
    pid_t dead;
};

static void count_first(void *ctx)
{
    struct scene *s = ctx;
    s->theirs = kin_alloc(s->size);
    s->blocks = blocks_in_use();
}

static void use_memory(void *ctx)
{
    struct scene *s = ctx;
    char *a = kin__block_new(s->size, KIN__RAW);
    char *b = kin__block_new(s->size, KIN__RAW);
    kin__block_free(a);
    kin__ref ref = kin__block_ref(s->theirs);
    kin__block_take(ref);
    kin__block_share(ref);
    kin__block_free(b);
}

/* Nothing of the dead is left, what was the family's is there, and memory can be had. */
static void nothing_is_lost(void *ctx, const char *step)
{
    struct scene *s = ctx;
    char *held = s->theirs;
    CHECK_(blocks_in_use() >= s->blocks - 1 && blocks_in_use() <= s->blocks,
           "killed at %s: %llu blocks, there were %llu", step, (unsigned long long)blocks_in_use(),
           (unsigned long long)s->blocks);
    if (kin__block_is_shared(kin__block_ref(held))) {
        kin_free(held);
    }
    CHECK_EQ(blocks_in_use(), s->blocks - 1);
    char *p = kin_alloc(s->size);
    CHECK_NOT_NULL(p);
    kin_free(p);
}

static void survive_kills(size_t size)
{
    struct scene *s = test_shared(sizeof *s);
    s->size = size;
    kin__self();
    int kills =
        kill_loop(NULL, s, .setup = count_first, .victim = use_memory, .check = nothing_is_lost);
    CHECK_GT(kills, 8);
    kin_free(s->theirs);
}

TEST_WITHIN(60, small_blocks_survive_a_kill_anywhere)
{
    survive_kills(40);
}

TEST_WITHIN(60, large_blocks_survive_a_kill_anywhere)
{
    survive_kills(300000);
}

/* More than the process keeps, taken up again, and given back by it. */
static void keep_and_reuse(void *ctx)
{
    struct scene *s = ctx;
    void *blocks[KEPT + 1];
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < KEPT + 1; i++) {
            blocks[i] = kin__block_new(s->size, KIN__RAW);
        }
        for (unsigned i = 0; i < KEPT + 1; i++) {
            kin__block_free(blocks[i]);
        }
    }
    kin__cache_empty(kin__self());
}

static void all_can_be_had(void *ctx, const char *step)
{
    struct scene *s = ctx;
    char *held = s->theirs;
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: %llu blocks, there were %llu", step,
           (unsigned long long)blocks_in_use(), (unsigned long long)s->blocks);
    kin_free(held);
    kin__cache_empty(kin__self());
    CHECK_(blocks_free(held) == kin__classes[kin__page_class_of(s->size)].count,
           "killed at %s: a free block has no hint", step);
}

TEST_WITHIN(60, kept_blocks_survive_a_kill_anywhere)
{
    struct scene *s = test_shared(sizeof *s);
    s->size = 40;
    kin__self();
    CHECK_GT(
        kill_loop(NULL, s, .setup = count_first, .victim = keep_and_reuse, .check = all_can_be_had),
        30);
    kin_free(s->theirs);
}

static void fill_pages(void *ctx)
{
    (void)ctx;
    enum { COUNT = 20 };
    void *blocks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = kin__block_new(30000, KIN__RAW);
    }
    for (int i = 0; i < COUNT; i++) {
        kin__block_free(blocks[i]);
    }
    kin__block_free(kin__block_new(1 << 20, KIN__RAW));
}

static void remember_blocks(void *ctx)
{
    ((struct scene *)ctx)->blocks = blocks_in_use();
}

static void as_many_blocks(void *ctx, const char *step)
{
    struct scene *s = ctx;
    CHECK_(blocks_in_use() == s->blocks, "killed at %s: blocks are lost", step);
}

TEST_WITHIN(120, pages_survive_a_kill_anywhere)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(
        kill_loop(NULL, s, .setup = remember_blocks, .victim = fill_pages, .check = as_many_blocks),
        50);
    CHECK_EQ(kin__count_alive(), 1);
    uint64_t top = atomic_load(&base()->top);
    for (uint64_t i = 0; i < top; i++) { /* no page is left in the hands of the dead */
        uint64_t state = atomic_load(&page_at(i)->state);
        CHECK_NE(PAGE_KIND(state), PAGE_CLAIMED);
        CHECK(PAGE_KIND(state) != PAGE_SMALL || PAGE_OWNER(state) == 0 ||
              PAGE_OWNER(state) == kin__self());
    }
}

/* ---- the sweeper is killed as well ----------------------------------------------------------- */

static void leave_somebody_dead(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = blocks_in_use();
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        kin__block_new(5000, KIN__RAW);
        kin__block_new(200000, KIN__RAW);
        kin__os_kill(kin__os_getpid(), 9);
    }
    test_join(pid);
    s->dead = pid;
}

static void sweep_the_dead(void *ctx)
{
    kin__ended(((struct scene *)ctx)->dead);
}

static void the_next_one_sweeps(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin__ended(s->dead);
    CHECK_(blocks_in_use() == s->blocks, "sweeper killed at %s: blocks are lost", step);
}

TEST_WITHIN(120, a_sweeper_may_be_killed_anywhere)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop(NULL, s, .setup = leave_somebody_dead, .victim = sweep_the_dead,
                       .check = the_next_one_sweeps),
             10);
}
