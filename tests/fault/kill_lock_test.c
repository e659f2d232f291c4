/* Processes that are killed with a lock in their hands, or on their way to it. */
#include "scene.h"
#include <kin/sync.h>

struct world {
    kin_lock *lock;
    _Atomic int code;
    long first; /* both are changed under the lock, one after the other */
    long second;
    _Atomic bool going;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    return w;
}

static int turn(struct world *w)
{
    int rv = kin_lock_acquire(w->lock, KIN_FOREVER);
    if (rv < 0) {
        return rv;
    }
    w->first++;
    w->second++;
    return kin_lock_release(w->lock);
}

/* Takes the lock of whoever died, and mends what he left half-done, if that was said. */
static int mend(struct world *w)
{
    int rv = kin_lock_acquire(w->lock, KIN_FOREVER);
    CHECK_GE(rv, 0);
    if (rv == KIN_OWNER_DIED) {
        w->second = w->first;
    }
    CHECK_EQ(w->first, w->second);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK(!kin_lock_locked(w->lock));
    return rv;
}

/* ---- at each step --------------------------------------------------------------------- */

static void take_a_turn(void *ctx)
{
    (void)turn(ctx);
}

static void others_go_on(void *ctx, const char *step)
{
    int rv = mend(ctx);
    CHECK_EQ(rv, strcmp(step, "lock.held") == 0 ? KIN_OWNER_DIED : 0);
}

TEST(a_holder_killed_at_any_step_is_followed_by_the_next)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("lock.", w, .victim = take_a_turn, .check = others_go_on), 2);
    CHECK_EQ(kill_loop("lock.", w, .victim = take_a_turn, .check = others_go_on, .unreaped = true),
             2);
    kin_lock_free(w->lock);
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    return kin_lock_release(w->lock);
}

static pid_t sleeper;

/* He holds the lock when he comes to his steps, and somebody sleeps for it. */
static void leave_it_to_a_sleeper(void *ctx)
{
    struct world *w = ctx;
    kin_lock_release(w->lock);
}

static void hold_while_one_sleeps(void *ctx)
{
    struct world *w = ctx;
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(sleeper));
}

static void the_sleeper_gets_it_or_we_release(void *ctx, const char *step)
{
    struct world *w = ctx;
    if (strcmp(step, "lock.held") == 0) {
        CHECK_OK(kin_lock_release(w->lock)); /* he had not, it is ours still */
    }
    CHECK_EQ(test_join(sleeper), 0);
    CHECK_EQ(w->code, 0);
}

TEST(a_releaser_killed_before_he_wakes_anybody_strands_nobody)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("lock.", w, .setup = hold_while_one_sleeps, .victim = leave_it_to_a_sleeper,
                       .check = the_sleeper_gets_it_or_we_release),
             2);
    CHECK_EQ(test_join(sleeper), 0); /* of the round that nobody died in */
    kin_lock_free(w->lock);
}

static void hold_it(void *ctx)
{
    struct world *w = ctx;
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
}

static void wait_a_moment(void *ctx)
{
    struct world *w = ctx;
    (void)kin_lock_acquire(w->lock, 0.1); /* long enough to come to sleep, on a busy machine too */
}

static void release_it(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_STR(step, "lock.waiting");
    CHECK_EQ(kin_lock_release(w->lock), 0);
    (void)mend(w);
}

TEST(a_waiter_killed_before_he_sleeps_leaves_the_lock_as_it_was)
{
    struct world *w = new_world();
    hold_it(w);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_GE(kill_loop("lock.", w, .setup = hold_it, .victim = wait_a_moment, .check = release_it),
             1);
    kin_lock_free(w->lock);
}

/* ---- at the beginning and at the end of a lock ---------------------------------------- */

static void *make(void)
{
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    return lock;
}

static void occupy(void *lock)
{
    CHECK_EQ(kin_lock_acquire(lock, 0), 0);
}

static int acquire(void *lock)
{
    return kin_lock_acquire(lock, KIN_FOREVER);
}

static void end(void *lock)
{
    kin_lock_free(lock);
}

static const struct subject a_lock = {
    .made = "lock.new", .make = make, .occupy = occupy, .wait = acquire, .use = acquire, .free = end
};

TEST(a_maker_killed_before_the_lock_is_out_leaves_nothing)
{
    a_killed_maker_leaves_nothing(&a_lock);
}

TEST(a_lock_half_freed_wakes_its_sleepers_and_can_be_freed_again)
{
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&a_lock, "lock."), 2);
}

static void begin_and_end_in_place(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_lock_init(w->lock, NULL));
    kin_lock_done(w->lock);
}

static void it_can_be_begun_again(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_LT(kin_lock_acquire(w->lock, 0), 0); /* not begun; or marked */
    (void)step;
    CHECK_OK(kin_lock_init(w->lock, NULL));
    (void)mend(w);
    kin_lock_done(w->lock);
}

TEST(a_lock_in_a_struct_half_begun_or_half_ended_can_be_begun_again)
{
    struct world *w = test_shared(sizeof *w);
    w->lock = kin_alloc(sizeof *w->lock);
    CHECK_EQ(
        kill_loop("lock.", w, .victim = begin_and_end_in_place, .check = it_can_be_begun_again), 3);
    kin_free(w->lock);
}

/* ---- from one to another ---------------------------------------------------------------- */

static pid_t tester;

static void take_it_and_hand_it_over(void *ctx)
{
    struct world *w = ctx;
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_OK(kin_lock_hand_over(w->lock, tester));
}

static void it_was_his_or_is_ours(void *ctx, const char *step)
{
    struct world *w = ctx;
    if (strcmp(step, "lock.handed") == 0) {
        CHECK_EQ(kin_lock_release(w->lock), 0);
    }
    CHECK_EQ(mend(w), strcmp(step, "lock.handing") == 0 ? KIN_OWNER_DIED : 0);
}

TEST(who_is_killed_handing_it_over_has_it_or_the_other_does)
{
    struct world *w = new_world();
    tester = getpid();
    CHECK_EQ(kill_loop("lock.hand", w, .victim = take_it_and_hand_it_over,
                       .check = it_was_his_or_is_ours),
             2);
    kin_lock_free(w->lock);
}

/* ---- a thousand times ----------------------------------------------------------------- */

static int take_turns_for_ever(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        if (turn(w) < 0) {
            return 1;
        }
        w->going = true;
    }
}

TEST_WITHIN(120, a_thousand_holders_are_killed_at_random)
{
    struct world *w = new_world();
    int died_with_it = 0;
    for (int i = 0; i < 1000; i++) {
        pid_t pid = kill_at_work(take_turns_for_ever, w, &w->going);
        died_with_it += mend(w) == KIN_OWNER_DIED;
        CHECK_EQ(test_join(pid), -SIGKILL);
    }
    CHECK_GT(died_with_it, 0);
    kin_lock_free(w->lock);
}

static int die_with_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    w->going = true;
    while (pause() < 0) {
    }
    return 0;
}

TEST_WITHIN(120, a_hundred_sleepers_learn_of_a_death)
{
    struct world *w = new_world();
    for (int i = 0; i < 100; i++) {
        w->going = false;
        pid_t holder = test_child(die_with_it, w);
        WAIT_UNTIL(w->going);
        pid_t waiter = test_child(wait_for_it, w);
        WAIT_UNTIL(test_is_asleep(waiter));
        kill(holder, SIGKILL);
        CHECK_EQ(test_join(waiter), 0);
        CHECK_EQ(w->code, KIN_OWNER_DIED);
        CHECK_EQ(test_join(holder), -SIGKILL);
    }
    kin_lock_free(w->lock);
}
