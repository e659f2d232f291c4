#include "domain/map.h"
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

static unsigned kept(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < KEPT_CLASSES * KEPT; i++) {
        count += atomic_load(&kin__domain_private()->kept[i / KEPT][i % KEPT]) != NULL;
    }
    return count;
}

static void free_all(void **blocks, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
}

TEST(what_was_freed_last_comes_back_as_another_block)
{
    char *p = kin_alloc(100);
    uint64_t before = usage().blocks;
    kin__ref ref = kin__block_ref(p);
    memset(p, 0xff, 100);
    kin_free(p);
    CHECK_EQ(kept(), 1);
    CHECK_EQ(usage().blocks, before - 1); /* it is nobody's, for all who ask */
    CHECK_ERROR(kin__block_check(p, KIN__RAW, "it"), KIN_EFREED);
    CHECK_ERROR(kin__block_free(p), KIN_EFREED);
    CHECK(!kin__block_share(ref) && !kin__block_take(ref) && !kin__block_discard(ref));
    CHECK_EQ(kept(), 1);

    char *q = kin_alloc(70);
    CHECK_PTR(q, p); /* the same size class */
    CHECK_EQ(kept(), 0);
    CHECK_EQ(kin__block_size(q), 70);
    for (int i = 0; i < 70; i++) {
        CHECK_EQ(q[i], 0);
    }
    CHECK_NE(kin__block_ref(q), ref);
    CHECK_NULL(kin__block_at(ref, 0, NULL));
    CHECK(kin__block_is_shared(kin__block_ref(q)));
    kin_free(q);
}

TEST(a_few_small_plain_blocks_are_kept_and_no_others)
{
    void *blocks[KEPT + 3];
    for (unsigned i = 0; i < KEPT + 3; i++) {
        blocks[i] = kin__block_new(16, KIN__MESSAGE);
    }
    free_all(blocks, KEPT + 3);
    CHECK_EQ(kept(), KEPT);
    CHECK_OK(kin__block_free(kin__block_new(40, KIN__LOCK))); /* a stable type has its own pages */
    CHECK_OK(kin__block_free(kin__block_new(1025, KIN__RAW)));
    CHECK_OK(kin__block_free(kin__block_new(100000, KIN__RAW)));
    CHECK_EQ(kept(), KEPT);
    CHECK_OK(kin__block_free(kin__block_new(1024, KIN__RAW)));
    CHECK_EQ(kept(), KEPT + 1);
    CHECK_EQ(usage().blocks, 0);
    kin__cache_empty(kin__self());
    CHECK_EQ(kept(), 0);
    CHECK_EQ(usage().blocks, 0);
}

static enum page_kind kind_of_page(const void *p)
{
    uint64_t index = (uint64_t)((const char *)p - page_data(0)) >> PAGE_SHIFT;
    return PAGE_KIND(atomic_load(&page_at(index)->state));
}

/* Of each size it keeps blocks in a page that nobody allocates from any more. */
TEST(what_a_process_keeps_is_not_kept_from_itself)
{
    enum { MOST = 2100 };
    static void *blocks[KEPT_CLASSES][MOST];
    int counts[KEPT_CLASSES];
    for (unsigned class = 0; class < KEPT_CLASSES; class ++) {
        counts[class] = (int)kin__classes[class].count + 1; /* the last lies in another page */
        CHECK_LE(counts[class], MOST);
        for (int i = 0; i < counts[class]; i++) {
            blocks[class][i] = kin__block_new(kin__classes[class].size, KIN__RAW);
        }
    }
    for (unsigned class = 0; class < KEPT_CLASSES; class ++) {
        free_all(blocks[class], counts[class]);
    }
    CHECK_EQ(kept(), KEPT_CLASSES * KEPT);
    CHECK_EQ(usage().blocks, 0);
    void *large = kin__block_new(16 << 20, KIN__RAW); /* looks for pages to recycle */
    CHECK_EQ(kept(), 0);
    for (unsigned class = 0; class < KEPT_CLASSES; class ++) {
        CHECK_NE(kind_of_page(blocks[class][0]), PAGE_SMALL);
    }
    CHECK_OK(kin__block_free(large));
}

TEST(memory_is_not_out_while_some_of_it_is_kept)
{
    enum { SMALL = 100, PAGES = 48 };
    static void *small[SMALL];
    static void *pages[PAGES];
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = PAGES << PAGE_SHIFT }));
    for (int i = 0; i < SMALL; i++) {
        small[i] = kin__block_new(1000, KIN__RAW);
    }
    free_all(small, SMALL);
    CHECK_EQ(kept(), KEPT);
    int n = 0;
    while ((pages[n] = kin__block_new(PAGE_SIZE, KIN__RAW)) != NULL) {
        n++;
    }
    CHECK_EQ(n, PAGES - 1); /* all but the one that small blocks are taken from */
    CHECK_EQ(kept(), 0);
    free_all(pages, n);
}

/* ---- other processes ------------------------------------------------------------------------- */

static int allocate_as_a_child(void *ctx)
{
    char *parents = ctx;
    if (kept() != 0) {
        return 1;
    }
    char *own = kin_alloc(100);
    kin_free(own);
    return own == parents ? 2 : kept() == 1 ? 0 : 3;
}

TEST(a_child_does_not_use_what_its_parent_keeps)
{
    char *p = kin_alloc(100);
    kin_free(p);
    CHECK_EQ(test_join(test_child(allocate_as_a_child, p)), 0);
    CHECK_EQ(kept(), 1);
    char *q = kin_alloc(100);
    CHECK_PTR(q, p);
    kin_free(q);
}

static int free_and_die(void *ctx)
{
    CHECK_OK(kin__block_free(*(char **)ctx));
    CHECK_EQ(kept(), 1);
    raise(SIGKILL);
    return 0;
}

TEST(what_the_dead_kept_is_given_back)
{
    char *p = kin_alloc(100);
    CHECK_EQ(test_join(test_child(free_and_die, &p)), -SIGKILL);
    CHECK_EQ(usage().processes, 1); /* swept */
    char *q = kin_alloc(100);
    CHECK_PTR(q, p);
    kin_free(q);
}

/* ---- threads --------------------------------------------------------------------------------- */

static _Atomic int errors;

static void *allocate_and_free(void *ctx)
{
    enum { TIMES = 200000, SIZE = 48 };
    unsigned char mark = (unsigned char)(uintptr_t)ctx;
    for (int i = 0; i < TIMES; i++) {
        unsigned char *p = kin_alloc(SIZE);
        errors += p[0] != 0 || p[SIZE - 1] != 0;
        p[0] = p[SIZE - 1] = mark;
        if (i % 100 == 0) {
            kin__cache_empty(kin__self());
        }
        errors += p[0] != mark || p[SIZE - 1] != mark || kin__block_free(p) < 0;
    }
    return NULL;
}

TEST_WITHIN(120, threads_never_get_the_same_block)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, allocate_and_free, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    CHECK_EQ(errors, 0);
    CHECK_EQ(usage().blocks, 0);
}

/* ---- stray writes ---------------------------------------------------------------------------- */

TEST(a_kept_block_that_was_scribbled_over_is_let_go)
{
    char *p = kin_alloc(100);
    kin_free(p);
    block *header = atomic_load(&kin__domain_private()->kept[kin__page_class_of(100)][0]);
    atomic_store(&header->state, BLOCK_STATE(7, KIN__FAMILY)); /* somebody's, says the header */
    char *q = kin_alloc(100);
    CHECK_NOT_NULL(q);
    CHECK(q != p);
    kin_free(q);
    kin_free(p);
}
