/* Locks and events when memory is out, and when system calls fail. */
#include "domain/room.h"
#include "harness.h"
#include <kin/sync.h>

struct world {
    kin_lock *lock;
    kin_event *event;
};

static int make_and_free_both(void *ctx)
{
    struct world *w = ctx;
    int rv = kin_lock_new(&w->lock, NULL);
    if (rv < 0) {
        return rv;
    }
    rv = kin_event_new(&w->event, NULL);
    kin_lock_free(w->lock);
    w->lock = NULL;
    if (rv < 0) {
        return rv;
    }
    kin_event_free(w->event);
    w->event = NULL;
    return 0;
}

static void is_out_of_memory(void *ctx, int error)
{
    struct world *w = ctx;
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_NULL(w->lock);
    CHECK_NULL(w->event);
}

TEST(no_memory_is_said_and_nothing_is_half_made)
{
    struct world w = { NULL, NULL };
    kin__self();
    CHECK_EQ(
        fault_loop(KIN__FAULT_MEMORY, &w, .attempt = make_and_free_both, .check = is_out_of_memory),
        2);
}

static int use_both(void *ctx)
{
    struct world *w = ctx;
    int rv = kin_lock_acquire(w->lock, 0);
    if (rv != 0) {
        return rv;
    }
    CHECK_EQ(kin_lock_acquire(w->lock, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(kin_event_wait(w->event, 0.001), KIN_ETIMEDOUT);
    rv = kin_event_set(w->event);
    if (rv != 0) {
        return rv;
    }
    CHECK_EQ(kin_event_wait(w->event, KIN_FOREVER), 0);
    return kin_event_clear(w->event);
}

/* Sleeps and wakes are all there is, and both may fail without harm. */
TEST(no_system_call_of_a_wait_can_break_it)
{
    struct world w;
    CHECK_OK(kin_lock_new(&w.lock, NULL));
    CHECK_OK(kin_event_new(&w.event, NULL));
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .attempt = use_both), 2);
    CHECK(!kin_lock_locked(w.lock));
    kin_lock_free(w.lock);
    kin_event_free(w.event);
}
