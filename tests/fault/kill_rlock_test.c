/* Processes that are killed with an rlock in their hands, some deep, or on their way to it. */
#include "domain/room.h"
#include "harness.h"
#include <kin/sync.h>

#include <signal.h>

struct world {
    kin_rlock *lock;
    _Atomic int code;
    long first; /* both are changed under the lock, one after the other */
    long second;
    _Atomic bool going;
    uint64_t blocks;
    pid_t sleeper;
};

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_rlock_new(&w->lock, NULL));
    w->blocks = count_blocks();
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

static void make_one(void *ctx)
{
    (void)ctx;
    kin_rlock *lock = NULL;
    CHECK_OK(kin_rlock_new(&lock, NULL));
}

static void nothing_is_left(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_STR(step, "lock.new");
    CHECK_EQ(count_blocks(), w->blocks);
}

TEST(a_maker_killed_before_the_lock_is_out_leaves_nothing)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("lock.new", w, .victim = make_one, .check = nothing_is_left), 1);
    kin_rlock_free(w->lock);
}

static void have_one_with_a_sleeper(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_rlock_new(&w->lock, NULL));
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    w->sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(w->sleeper));
}

static void free_it(void *ctx)
{
    struct world *w = ctx;
    kin_rlock_free(w->lock);
}

static void nobody_waits_for_it(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    (void)test_join(w->sleeper);
    CHECK_EQ(w->code, KIN_ECLOSED);
    kin_rlock_free(w->lock);
    CHECK_EQ(count_blocks(), w->blocks - 1);
}

TEST(a_lock_half_freed_wakes_its_sleepers_and_can_be_freed_again)
{
    struct world *w = new_world();
    kin_rlock_free(w->lock);
    CHECK_EQ(kill_loop("lock.", w, .setup = have_one_with_a_sleeper, .victim = free_it,
                       .check = nobody_waits_for_it),
             2);
    (void)test_join(w->sleeper);
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
        w->going = false;
        pid_t pid = test_child(take_turns_for_ever, w);
        while (!w->going) {
            kin__os_yield();
        }
        for (uint64_t n = test_random() % 4000; n > 0; n--) {
            kin__os_pause();
        }
        kill(pid, SIGKILL);
        died_with_it += mend(w) == KIN_OWNER_DIED;
        CHECK_EQ(test_join(pid), -SIGKILL);
    }
    CHECK_GT(died_with_it, 0);
    kin_rlock_free(w->lock);
}
