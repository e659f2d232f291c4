/* Processes that are killed with an rlock in their hands, some deep, or on their way to it. */
#include "scene.h"
#include <kin/sync.h>

struct world {
    kin_rlock *lock;
    _Atomic int code;
    long first; /* both are changed under the lock, one after the other */
    long second;
    _Atomic bool going;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_rlock_new(&w->lock, NULL));
    return w;
}

static int turn(struct world *w, int depth)
{
    int rv = kin_rlock_acquire(w->lock, KIN_FOREVER);
    if (rv < 0) {
        return rv;
    }
    w->first++;
    rv = depth > 1 ? turn(w, depth - 1) : 0;
    w->second++;
    return rv < 0 ? rv : kin_rlock_release(w->lock);
}

/* Takes the lock of whoever died, and mends what he left half-done, if that was said. */
static int mend(struct world *w)
{
    int rv = kin_rlock_acquire(w->lock, KIN_FOREVER);
    CHECK_GE(rv, 0);
    CHECK_EQ(kin_rlock_depth(w->lock), 1);
    if (rv == KIN_OWNER_DIED) {
        w->second = w->first;
    }
    CHECK_EQ(w->first, w->second);
    CHECK_EQ(kin_rlock_acquire(w->lock, KIN_FOREVER), 0);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK(!kin_rlock_locked(w->lock));
    return rv;
}

/* ---- at each step --------------------------------------------------------------------- */

static void take_a_turn(void *ctx)
{
    (void)turn(ctx, 3);
}

static void others_go_on(void *ctx, const char *step)
{
    CHECK_EQ(mend(ctx), strcmp(step, "lock.released") == 0 ? 0 : KIN_OWNER_DIED);
}

TEST(a_holder_killed_at_any_step_is_followed_by_the_next)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("lock.", w, .victim = take_a_turn, .check = others_go_on), 2);
    CHECK_EQ(kill_loop("lock.", w, .victim = take_a_turn, .check = others_go_on, .unreaped = true),
             2);
    CHECK_EQ(kill_loop("rlock.", w, .victim = take_a_turn, .check = others_go_on), 1);
    kin_rlock_free(w->lock);
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_rlock_acquire(w->lock, KIN_FOREVER);
    return kin_rlock_depth(w->lock) == 1 ? kin_rlock_release(w->lock) : 1;
}

static void hold_deep_and_release(void *ctx)
{
    struct world *w = ctx;
    CHECK_EQ(kin_rlock_acquire(w->lock, KIN_FOREVER), 0);
    CHECK_EQ(kin_rlock_acquire(w->lock, KIN_FOREVER), 0);
    pid_t sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(sleeper));
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK_EQ(test_join(sleeper), 0);
}

static void the_sleeper_gets_it(void *ctx, const char *step)
{
    struct world *w = ctx;
    WAIT_UNTIL(test_is_alone());
    CHECK_EQ(w->code, strcmp(step, "lock.held") == 0 ? KIN_OWNER_DIED : 0);
    (void)mend(w);
}

TEST(a_releaser_killed_at_any_step_strands_no_sleeper)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("lock.", w, .victim = hold_deep_and_release, .check = the_sleeper_gets_it),
             2);
    kin_rlock_free(w->lock);
}

/* ---- at the beginning and at the end of a lock ---------------------------------------- */

static void *make(void)
{
    kin_rlock *lock = NULL;
    CHECK_OK(kin_rlock_new(&lock, NULL));
    return lock;
}

static void occupy(void *lock)
{
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0);
}

static int acquire(void *lock)
{
    return kin_rlock_acquire(lock, KIN_FOREVER);
}

static int release(void *lock)
{
    return kin_rlock_release(lock);
}

static void end(void *lock)
{
    kin_rlock_free(lock);
}

static const struct subject an_rlock = {
    .made = "lock.new", .make = make, .occupy = occupy, .wait = acquire, .use = release, .free = end
};

TEST(a_maker_killed_before_the_lock_is_out_leaves_nothing)
{
    a_killed_maker_leaves_nothing(&an_rlock);
}

TEST(a_lock_half_freed_wakes_its_sleepers_and_can_be_freed_again)
{
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&an_rlock, "lock."), 2);
}

/* ---- many times ------------------------------------------------------------------------- */

static int take_turns_for_ever(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        if (turn(w, 3) < 0) {
            return 1;
        }
        w->going = true;
    }
}

TEST_WITHIN(120, three_hundred_holders_are_killed_at_random)
{
    struct world *w = new_world();
    int died_with_it = 0;
    for (int i = 0; i < 300; i++) {
        pid_t pid = kill_at_work(take_turns_for_ever, w, &w->going);
        died_with_it += mend(w) == KIN_OWNER_DIED;
        CHECK_EQ(test_join(pid), -SIGKILL);
    }
    CHECK_GT(died_with_it, 0);
    kin_rlock_free(w->lock);
}
