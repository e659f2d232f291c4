/* Locks, rlocks and events when memory is out, and when system calls fail. */
#include "domain/room.h"
#include "harness.h"
#include <kin/sync.h>

struct world {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_event *event;
};

static void free_all(struct world *w)
{
    kin_lock_free(w->lock);
    kin_rlock_free(w->rlock);
    kin_event_free(w->event);
    *w = (struct world){ .lock = NULL };
}

static int make_and_free_all(void *ctx)
{
    struct world *w = ctx;
    int rv = kin_lock_new(&w->lock, NULL);
    rv = rv < 0 ? rv : kin_rlock_new(&w->rlock, NULL);
    rv = rv < 0 ? rv : kin_event_new(&w->event, NULL);
    bool last_untouched = rv == 0 || w->event == NULL;
    free_all(w);
    return last_untouched ? rv : KIN_ESTATE;
}

static void is_out_of_memory(void *ctx, int error)
{
    (void)ctx;
    CHECK_EQ(error, KIN_ENOMEM);
}

TEST(no_memory_is_said_and_nothing_is_half_made)
{
    struct world w = { .lock = NULL };
    kin__self();
    CHECK_EQ(
        fault_loop(KIN__FAULT_MEMORY, &w, .attempt = make_and_free_all, .check = is_out_of_memory),
        3);
}

static int use_all(void *ctx)
{
    struct world *w = ctx;
    int rv = kin_lock_acquire(w->lock, 0);
    if (rv != 0) {
        return rv;
    }
    CHECK_EQ(kin_lock_acquire(w->lock, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(kin_rlock_acquire(w->rlock, KIN_FOREVER), 0);
    CHECK_EQ(kin_rlock_acquire(w->rlock, 0.001), 0);
    CHECK_EQ(kin_rlock_release(w->rlock), 0);
    CHECK_EQ(kin_rlock_release(w->rlock), 0);
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
    CHECK_OK(kin_rlock_new(&w.rlock, NULL));
    CHECK_OK(kin_event_new(&w.event, NULL));
    CHECK_GE(fault_loop(KIN__FAULT_CALL, &w, .attempt = use_all), 2);
    CHECK(!kin_lock_locked(w.lock));
    CHECK(!kin_rlock_locked(w.rlock));
    free_all(&w);
}
