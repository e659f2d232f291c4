#include "domain/map.h"
#include "harness.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

struct scene {
    kin__id id;
    const char *stop_at;
    _Atomic(char *) block;
    _Atomic int stopped;
    char *blocks[100];
};

/* ---- what is given back, and what is not ----------------------------------------------------- */

static int hold_many_and_die(void *ctx)
{
    struct scene *s = ctx;
    s->id = kin__self();
    for (size_t i = 0; i < 100; i++) {
        s->blocks[i] = kin__block_new(1 + i * i * 20, i % 3 == 0 ? KIN__TASK : KIN__MESSAGE);
        if (i % 2 == 0) {
            kin__block_give(s->blocks[i]);
        }
    }
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(blocks_of_the_dead_are_freed_and_those_of_the_family_are_not)
{
    struct scene *s = test_shared(sizeof *s);
    uint64_t before = blocks_in_use();
    CHECK_EQ(test_join(test_child(hold_many_and_die, s)), -SIGKILL);
    CHECK(!kin__alive(s->id));
    CHECK_EQ(blocks_in_use(), before + 50);
    for (size_t i = 0; i < 100; i += 2) {
        CHECK_EQ(kin__block_size(s->blocks[i]), 1 + i * i * 20);
        CHECK_OK(kin__block_free(s->blocks[i]));
    }
    uint64_t top = atomic_load(&base()->top);
    for (uint64_t i = 0; i < top; i++) {
        uint64_t state = atomic_load(&page_at(i)->state);
        CHECK_NE(PAGE_OWNER(state) == s->id && PAGE_KIND(state) != PAGE_TAIL, 1);
    }
}

TEST(to_sweep_twice_is_to_sweep_once)
{
    struct scene *s = test_shared(sizeof *s);
    uint64_t before = blocks_in_use();
    CHECK_EQ(test_join(test_child(hold_many_and_die, s)), -SIGKILL);
    CHECK(!kin__alive(s->id));
    kin__sweep(s->id);
    kin__sweep(s->id);
    CHECK_EQ(blocks_in_use(), before + 50);
    for (size_t i = 0; i < 100; i += 2) {
        CHECK_OK(kin__block_free(s->blocks[i]));
    }
}

static int take_one_and_die(void *ctx)
{
    struct scene *s = ctx;
    kin__block_take(kin__block_ref(s->block));
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(a_block_in_another_page_that_the_dead_had_taken_is_freed)
{
    struct scene *s = test_shared(sizeof *s);
    for (size_t size = 50; size < 1000000; size *= 20) {
        uint64_t before = blocks_in_use();
        s->block = kin_alloc(size);
        pid_t pid = test_child(take_one_and_die, s);
        CHECK_EQ(test_join(pid), -SIGKILL);
        kin__ended(pid);
        CHECK_EQ(blocks_in_use(), before);
    }
}

static int hold_much_and_die(void *ctx)
{
    (void)ctx;
    kin__block_new(6 << 20, KIN__RAW);
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(memory_that_the_dead_hold_is_found_before_more_is_refused)
{
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 8 << 20 }));
    kin__self();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(test_child(hold_much_and_die, NULL)), -SIGKILL);
        void *p = kin_alloc(6 << 20);
        CHECK_NOT_NULL(p);
        kin_free(p);
    }
}

/* ---- somebody dies while he frees ------------------------------------------------------------ */

static struct scene *scene_of_child;

static void die_there(const char *name)
{
    if (strcmp(name, scene_of_child->stop_at) == 0) {
        kill(getpid(), SIGKILL);
    }
}

static int free_and_die(void *ctx)
{
    struct scene *s = scene_of_child = ctx;
    kin__self();
    kin__step_hook(die_there);
    kin_free(s->block);
    kin__cache_empty(kin__self());
    return 0;
}

TEST(a_block_whose_freer_died_is_free_once)
{
    struct scene *s = test_shared(sizeof *s);
    const char *steps[] = { "block.freeing", "cache.kept", "cache.taken", "block.hinted" };
    for (int i = 0; i < 4; i++) {
        uint64_t before = blocks_in_use();
        s->block = kin_alloc(50);
        kin__ref ref = kin__block_ref(s->block);
        s->stop_at = steps[i];
        pid_t pid = test_child(free_and_die, s);
        CHECK_EQ(test_join(pid), -SIGKILL);
        CHECK_NULL(kin__block_at(ref, 0, NULL)); /* before anybody has swept */
        CHECK_ERROR(kin__block_check(s->block, KIN__RAW, "it"), KIN_EFREED);
        CHECK_ERROR(kin__block_free(s->block), KIN_EFREED);
        kin__ended(pid);
        CHECK_EQ(blocks_in_use(), before);
        char *again = kin_alloc(50);
        CHECK_PTR(again, s->block);
        kin_free(again);
    }
}

/* ---- what the sweeper looks at becomes something else ---------------------------------------- */

enum { OTHERS = 40, OTHER = 70000 };
static uint64_t *others[OTHERS];
static int others_made;

/* The sweeper has just freed the last block of a page, and looks at the next: but all that is free
 * is made part of large blocks, full of a number that looks like a block of the dead. */
static void recycle_under_the_sweeper(const char *name)
{
    if (strcmp(name, "sweep.block") != 0 || others_made > 0) {
        return;
    }
    uint64_t top = atomic_load(&base()->top);
    while (others_made < OTHERS && atomic_load(&base()->top) == top) {
        uint64_t *words = kin__block_new(OTHER, KIN__RAW);
        for (size_t i = 0; i < OTHER / 8; i++) {
            words[i] = scene_of_child->id;
        }
        others[others_made++] = words;
    }
}

static int take_first_and_die(void *ctx)
{
    ((struct scene *)ctx)->id = kin__self();
    return take_one_and_die(ctx);
}

TEST(the_sweep_leaves_alone_what_only_looks_like_a_block_of_the_dead)
{
    enum { COUNT = 200 };
    char *blocks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = kin_alloc(1000);
    }
    struct scene *s = scene_of_child = test_shared(sizeof *s);
    s->block = blocks[0];
    for (int i = 1; i < COUNT; i++) {
        kin_free(blocks[i]);
    }
    CHECK_EQ(test_join(test_child(take_first_and_die, s)), -SIGKILL);
    kin__step_hook(recycle_under_the_sweeper);
    CHECK(!kin__alive(s->id));
    kin__step_hook(NULL);
    CHECK_GT(others_made, 1);
    for (int k = 0; k < others_made; k++) {
        for (size_t i = 0; i < OTHER / 8; i++) {
            CHECK_EQ(others[k][i], s->id);
        }
        CHECK_OK(kin__block_free(others[k]));
    }
    CHECK_EQ(blocks_in_use(), 0);
}
