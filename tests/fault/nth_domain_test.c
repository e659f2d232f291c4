/* The family's memory when allocations and system calls fail. */
#include "domain/map.h"
#include "harness.h"

#include <string.h>

static kin_usage_info usage(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info;
}

struct world {
    void *small;
    void *large;
};

static int alloc_and_free(void *ctx)
{
    struct world *w = ctx;
    w->small = kin_alloc(100);
    w->large = w->small != NULL ? kin_alloc(3 << 20) : NULL;
    bool had_both = w->large != NULL;
    int rv = had_both ? 0 : KIN_ENOMEM;
    if (had_both) {
        memset(w->large, 1, 3 << 20);
    }
    kin_free(w->small);
    kin_free(w->large);
    return rv;
}

static void nothing_is_held(void *ctx, int error)
{
    (void)ctx;
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_EQ(usage().blocks, 0);
}

TEST(no_memory_is_said_and_nothing_is_held)
{
    struct world w;
    kin__self();
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, &w, .attempt = alloc_and_free, .check = nothing_is_held),
             2);
    CHECK_EQ(usage().blocks, 0);
}

TEST(growth_that_the_kernel_refuses_is_said_or_made_smaller)
{
    struct world w;
    kin__self();
    int failed =
        fault_loop(KIN__FAULT_CALL, &w, .attempt = alloc_and_free, .check = nothing_is_held);
    CHECK_GE(failed, 1);
    CHECK_OK(alloc_and_free(&w));
    CHECK_EQ(usage().blocks, 0);
}

/* The first call of a family: each of its system calls fails once, in a process of its own. */
static int first_call(void *ctx)
{
    unsigned nth = *(unsigned *)ctx;
    kin__fault_arm(KIN__FAULT_CALL, nth);
    void *p = kin_alloc(100);
    bool fired = kin__fault_fired();
    bool said = p != NULL || kin_errmsg()[0];
    kin__fault_arm(KIN__FAULT_CALL, 0);
    if (p == NULL) {
        p = kin_alloc(100); /* what failed may be tried again */
    }
    kin_free(p);
    kin_usage_info info;
    bool whole = p != NULL && kin_usage(&info) == 0 && info.blocks == 0 && info.processes == 1;
    return !said ? 1 : !whole ? 2 : fired ? 3 : 0;
}

TEST(a_first_call_that_failed_may_be_tried_again)
{
    unsigned nth = 1;
    int rv;
    while ((rv = test_join(test_child(first_call, &nth))) == 3) {
        nth++;
    }
    CHECK_EQ(rv, 0);
    CHECK_GT(nth, 6);
}

/* A child that joins a family which is there. */
static int join_late(void *ctx)
{
    unsigned nth = *(unsigned *)ctx;
    kin__fault_arm(KIN__FAULT_CALL, nth);
    int rv = kin__join();
    bool fired = kin__fault_fired();
    kin__fault_arm(KIN__FAULT_CALL, 0);
    bool said = rv == 0 || (rv <= KIN_EINVAL && kin_errmsg()[0]);
    return !said ? 1 : kin__join() != 0 || !kin__alive(kin__self()) ? 2 : fired ? 3 : 0;
}

TEST(joining_that_failed_may_be_tried_again)
{
    kin__self();
    unsigned nth = 1;
    int rv;
    while ((rv = test_join(test_child(join_late, &nth))) == 3) {
        nth++;
    }
    CHECK_EQ(rv, 0);
    CHECK_GE(nth, 2);
    CHECK_EQ(usage().processes, 1);
}

/* Memory ends where max_memory says; everything that was there stays. */
TEST(what_is_held_stays_whole_when_memory_runs_out)
{
    enum { MOST = 2000 };
    static char *blocks[MOST];
    CHECK_OK(kin_domain_setup(&(kin_domain_options){ .max_memory = 8 << 20 }));
    int n = 0;
    size_t size = 100000;
    while (size > 0) {
        blocks[n] = kin_alloc(size);
        if (blocks[n] == NULL) {
            CHECK(kin_errmsg()[0]);
            size /= 7;
            continue;
        }
        memset(blocks[n], n, size);
        n += n < MOST - 1;
        if (n == MOST - 1) {
            break;
        }
    }
    for (int i = 0; i < n; i++) {
        CHECK_EQ(blocks[i][kin__block_size(blocks[i]) - 1], (char)i);
        kin_free(blocks[i]);
    }
    kin_free(blocks[MOST - 1]);
    CHECK_EQ(usage().blocks, 0);
}
