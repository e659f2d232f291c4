#include "domain/map.h"
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

static uint64_t page_of(const void *p)
{
    return (uint64_t)((const char *)p - page_data(0)) >> PAGE_SHIFT;
}

TEST(every_class_fits_its_page)
{
    for (unsigned c = 0; c < CLASSES; c++) {
        const class_shape *shape = &kin__classes[c];
        CHECK_LE(shape->data + shape->count * shape->size, PAGE_SIZE);
        CHECK_LE(sizeof(small_page) + shape->count * sizeof(block), shape->data);
        CHECK_LE(shape->count, 32 * 64);
        CHECK_EQ(shape->size % (shape->size < 64 ? 16 : 64), 0);
        CHECK_EQ(kin__page_class_of(shape->size), c);
        CHECK_EQ(kin__page_class_of(shape->size + 1), c + 1);
    }
}

TEST(pages_whose_blocks_are_all_free_serve_other_sizes)
{
    enum { COUNT = 5000 };
    static void *blocks[COUNT];
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = kin__block_new(1000, KIN__RAW);
        CHECK_NOT_NULL(blocks[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    uint64_t committed = usage().committed;
    void *large = kin__block_new(4 << 20, KIN__RAW);
    CHECK_NOT_NULL(large);
    CHECK_EQ(usage().committed, committed);
    CHECK_OK(kin__block_free(large));
}

TEST(a_page_of_a_stable_type_is_never_made_anything_else)
{
    enum { COUNT = 2000 };
    static void *blocks[COUNT];
    static kin__ref refs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = kin__block_new(64, KIN__LOCK);
        refs[i] = kin__block_ref(blocks[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    uint64_t committed = usage().committed;
    void *large[64];
    int n = 0;
    while (usage().committed == committed && n < 64) {
        large[n++] = kin__block_new(70000, KIN__RAW);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(kin__block_type(blocks[i]), KIN__LOCK);
        CHECK_NULL(kin__block_at(refs[i], KIN__LOCK, NULL));
    }
    while (n > 0) {
        CHECK_OK(kin__block_free(large[--n]));
    }
}

/* ---- who is in the middle of freeing --------------------------------------------------------- */

/* One thread frees the last block of a page, and is stopped somewhere in that. Another thread makes
 * something else of all pages that can be had, and nobody may write into that. */
static struct {
    void *block;
    const char *stop_at;
    pthread_t who;
    _Atomic int stopped;
    _Atomic int go;
} freer;

static void stop_there(const char *name)
{
    if (pthread_equal(pthread_self(), freer.who) && strcmp(name, freer.stop_at) == 0 &&
        !freer.stopped) {
        freer.stopped = 1;
        WAIT_UNTIL(freer.go);
    }
}

static void *free_slowly(void *ctx)
{
    freer.who = pthread_self();
    kin__step_hook(stop_there);
    CHECK_OK(kin__block_free(freer.block));
    freer.stopped = 1;
    return ctx;
}

/* A page that nobody allocates from, with all its blocks free but the last, which is returned. */
static void *last_block_of_a_page(size_t size)
{
    enum { MOST = 3000 };
    static void *blocks[MOST];
    int n = 0;
    do {
        blocks[n] = kin__block_new(size, KIN__RAW);
    } while (page_of(blocks[n++]) < page_of(blocks[0]) + 2);
    void *last = blocks[0];
    for (int i = 1; i < n; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    CHECK_EQ(PAGE_OWNER(atomic_load(&page_at(page_of(last))->state)), 0);
    return last;
}

static void recycle_while_freeing(const char *step)
{
    freer.block = last_block_of_a_page(1000);
    freer.stop_at = step;
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, free_slowly, NULL), 0);
    WAIT_UNTIL(freer.stopped);
    enum { COUNT = 40 };
    unsigned char *large[COUNT];
    uint64_t committed = usage().committed;
    int n = 0;
    while (n < COUNT && usage().committed == committed) {
        large[n] = kin__block_new(70000, KIN__RAW);
        memset(large[n], 0, kin__block_size(large[n]));
        n++;
    }
    freer.go = 1;
    pthread_join(thread, NULL);
    kin__step_hook(NULL);
    for (int i = 0; i < n; i++) {
        for (size_t k = 0; k < kin__block_size(large[i]); k++) {
            CHECK_(large[i][k] == 0, "stopped at %s: written into another's block", step);
        }
        CHECK_OK(kin__block_free(large[i]));
    }
}

TEST(a_page_is_not_recycled_under_somebody_who_frees_in_it)
{
    recycle_while_freeing("block.freeing");
}

TEST(a_page_is_not_recycled_under_somebody_who_has_left_his_hint)
{
    recycle_while_freeing("block.hinted");
}

TEST(who_has_freed_touches_the_page_no_more)
{
    recycle_while_freeing("block.freed");
}

/* ---- who is in the middle of allocating ------------------------------------------------------ */

static void *allocate_slowly(void *ctx)
{
    freer.who = pthread_self();
    kin__step_hook(stop_there);
    freer.block = kin__block_new(1000, KIN__RAW);
    return ctx;
}

/* The page that one thread allocates from is not abandoned by another one meanwhile. */
TEST(a_page_is_not_recycled_under_a_thread_that_allocates_from_it)
{
    enum { COUNT = 500 };
    static void *blocks[COUNT];
    void *first = kin__block_new(1000, KIN__RAW);
    freer.stop_at = "block.unhinted";
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, allocate_slowly, NULL), 0);
    WAIT_UNTIL(freer.stopped);
    for (int i = 0; i < COUNT; i++) {
        blocks[i] = kin__block_new(1000, KIN__RAW);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    CHECK_OK(kin__block_free(first));
    unsigned char *large =
        kin__block_new(15 * PAGE_SIZE, KIN__RAW); /* looks for pages to recycle */
    memset(large, 0xff, 15 * PAGE_SIZE);
    freer.go = 1;
    pthread_join(thread, NULL);
    kin__step_hook(NULL);
    for (size_t k = 0; k < 15 * PAGE_SIZE; k++) {
        CHECK_EQ(large[k], 0xff);
    }
    CHECK_NOT_NULL(freer.block);
    CHECK(freer.block < (void *)large || freer.block >= (void *)(large + 15 * PAGE_SIZE));
    CHECK_OK(kin__block_free(freer.block));
    CHECK_OK(kin__block_free(large));
}

/* ---- reclaim beside others ------------------------------------------------------------------- */

struct crowd {
    _Atomic int errors;
};

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 33;
}

/* Blocks of sizes that come and go in waves, so that pages are emptied and recycled all the
 * time. */
static int churn(struct crowd *c, uint64_t seed, int rounds)
{
    enum { HELD = 100 };
    unsigned char *held[HELD] = { NULL };
    size_t sizes[HELD] = { 0 };
    unsigned char mark = (unsigned char)(seed | 1);
    for (int i = 0; i < rounds; i++) {
        size_t k = next_random(&seed) % HELD;
        if (held[k] != NULL) {
            for (size_t b = 0; b < sizes[k]; b += sizes[k] < 4096 ? 1 : 509) {
                c->errors += held[k][b] != mark;
            }
            c->errors += kin__block_free(held[k]) < 0;
            held[k] = NULL;
        }
        uint64_t kind = next_random(&seed) % 16;
        size_t wave = 200 + (size_t)(i / 500 % 9) * 1000;
        sizes[k] = kind == 0 ? 65536 * (1 + next_random(&seed) % 4) : wave;
        held[k] = kin__block_new(sizes[k], KIN__RAW);
        if (held[k] == NULL) {
            c->errors++;
            continue;
        }
        memset(held[k], mark, sizes[k]);
    }
    for (int k = 0; k < HELD; k++) {
        c->errors += held[k] != NULL && kin__block_free(held[k]) < 0;
    }
    return 0;
}

static struct crowd *shared_crowd;

static void *churn_thread(void *seed)
{
    churn(shared_crowd, (uint64_t)(uintptr_t)seed, 6000);
    return NULL;
}

static int churn_process(void *ctx)
{
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++) {
        uintptr_t seed = (uintptr_t)getpid() * 10 + i;
        pthread_create(&threads[i], NULL, churn_thread, (void *)seed);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    (void)ctx;
    return 0;
}

TEST_WITHIN(120, pages_are_recycled_beside_threads_and_processes_that_allocate)
{
    shared_crowd = test_shared(sizeof *shared_crowd);
    uint64_t before = usage().blocks;
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = test_child(churn_process, NULL);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(shared_crowd->errors, 0);
    CHECK_EQ(usage().blocks, before);
}

static int hold_much(void *size)
{
    return kin__block_new(*(size_t *)size, KIN__MESSAGE) != NULL ? raise(SIGKILL) : 1;
}

/* Nobody in the family has noticed his death: who reaped him is no relative of the library. */
TEST(what_the_dead_held_is_used_before_the_domain_grows)
{
    size_t size = (size_t)64 << 20;
    kin__self();
    CHECK_EQ(test_join(test_child(hold_much, &size)), -SIGKILL);
    uint64_t top = atomic_load(&base()->top);
    void *mine = kin__block_new(size, KIN__MESSAGE);
    CHECK_NOT_NULL(mine);
    CHECK_EQ(atomic_load(&base()->top), top);
    CHECK_OK(kin__block_free(mine));
}
