/* Semaphores, barriers and conditions when memory is out, and when system calls fail. */
#include "domain/room.h"
#include "harness.h"
#include <kin/condition.h>

struct world {
    kin_semaphore *s;
    kin_barrier *b;
    kin_condition *c;
    char *place; /* for those that are made in it */
};

static const kin_semaphore_options owned = { .owned = true };

static int make_all(struct world *w)
{
    int rv = kin_semaphore_new(&w->s, 3, &owned);
    rv = rv < 0 ? rv : kin_barrier_new(&w->b, 1, NULL);
    return rv < 0 ? rv : kin_condition_new(&w->c, NULL);
}

static void free_all(struct world *w)
{
    kin_semaphore_free(w->s);
    kin_barrier_free(w->b);
    kin_condition_free(w->c);
    w->s = NULL;
    w->b = NULL;
    w->c = NULL;
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static int make_use_and_free(void *ctx)
{
    struct world *w = ctx;
    int rv = make_all(w);
    if (rv == 0) {
        CHECK_OK(kin_condition_acquire(w->c, 0));
        rv = kin_condition_wait(w->c, 0);
        CHECK_OK(kin_condition_release(w->c)); /* also when there was no room to wait */
        rv = rv == KIN_ETIMEDOUT ? 0 : rv;
    }
    free_all(w);
    return rv;
}

static void is_out_of_memory(void *ctx, int error)
{
    (void)ctx;
    CHECK_EQ(error, KIN_ENOMEM);
}

TEST(no_memory_is_said_and_nothing_is_half_made)
{
    struct world w = { NULL, NULL, NULL, NULL };
    kin__self();
    uint64_t blocks = count_blocks();
    CHECK_EQ(
        fault_loop(KIN__FAULT_MEMORY, &w, .attempt = make_use_and_free, .check = is_out_of_memory),
        4);
    CHECK_EQ(count_blocks(), blocks);
}

static int make_in_place(void *ctx)
{
    struct world *w = ctx;
    kin_semaphore *s = (kin_semaphore *)(void *)w->place;
    kin_barrier *b = (kin_barrier *)(void *)(w->place + 64);
    int rv = kin_semaphore_init(s, 3, &owned);
    if (rv < 0) {
        return rv;
    }
    rv = kin_barrier_init(b, 3, NULL);
    if (rv == 0) {
        kin_barrier_done(b);
    }
    kin_semaphore_done(s);
    return rv;
}

TEST(no_memory_for_what_lies_in_a_struct_is_said_too)
{
    struct world w = { .place = kin_alloc(256) };
    uint64_t blocks = count_blocks();
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, &w, .attempt = make_in_place, .check = is_out_of_memory),
             2);
    CHECK_EQ(count_blocks(), blocks);
    kin_free(w.place);
}

static int use_all(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_semaphore_acquire(w->s, KIN_FOREVER), 0);
    }
    CHECK_EQ(kin_semaphore_acquire(w->s, 0.001), KIN_ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_semaphore_release(w->s), 0);
    }
    CHECK_EQ(kin_barrier_wait(w->b, KIN_FOREVER), 0);
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    CHECK_EQ(kin_condition_wait(w->c, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_condition_notify_all(w->c), 0);
    return kin_condition_release(w->c);
}

/* Sleeps and wakes are all there is, and both may fail without harm. */
TEST(no_system_call_of_a_wait_can_break_it)
{
    struct world w;
    CHECK_OK(make_all(&w));
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .attempt = use_all), 2);
    CHECK_EQ(kin_semaphore_value(w.s), 3);
    free_all(&w);
}
