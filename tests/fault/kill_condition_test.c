/* Processes that are killed while they wait for a condition, notify or free it. */
#include "scene.h"
#include <kin/condition.h>

struct world {
    kin_condition *c;
    kin_lock *lock; /* named, or NULL */
    _Atomic pid_t victim;
    _Atomic int code[2];
    _Atomic int children;
    _Atomic int turns;
    _Atomic bool over;
    uint64_t blocks;
    pid_t sleepers[2];
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_condition_new(&w->c, NULL));
    w->blocks = count_blocks();
    return w;
}

static int wait_for_news(void *ctx)
{
    struct world *w = ctx;
    int me = w->children++;
    (void)kin_condition_acquire(w->c, KIN_FOREVER);
    w->code[me] = kin_condition_wait(w->c, KIN_FOREVER);
    return w->code[me] < 0 ? 0 : kin_condition_release(w->c);
}

static void start_sleepers(void *ctx)
{
    struct world *w = ctx;
    w->children = 0;
    for (int i = 0; i < 2; i++) {
        w->code[i] = 99;
        w->sleepers[i] = test_child(wait_for_news, w);
        WAIT_UNTIL(test_is_asleep(w->sleepers[i]));
    }
}

static void join_sleepers(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        (void)test_join(w->sleepers[i]);
    }
}

/* Both wake, each by a notification of his own. */
static void notify_both(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        CHECK_GE(kin_condition_acquire(w->c, KIN_FOREVER), 0);
        CHECK_EQ(kin_condition_notify(w->c, 1), 1);
        CHECK_OK(kin_condition_release(w->c));
        CHECK_EQ(test_join(w->sleepers[i]), 0);
        CHECK_EQ(w->code[i], 0);
    }
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    CHECK_EQ(kin_condition_notify_all(w->c), 0);
    CHECK_OK(kin_condition_release(w->c));
}

/* ---- wait ------------------------------------------------------------------------------- */

static void wait_a_moment(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_condition_acquire(w->c, KIN_FOREVER));
    CHECK_EQ(kin_condition_wait(w->c, 0.001), KIN_ETIMEDOUT);
    CHECK_OK(kin_condition_release(w->c));
}

static void the_dead_swallows_nothing(void *ctx, const char *step)
{
    struct world *w = ctx;
    bool held = !is(step, "condition.dropped") && !is(step, "condition.asleep");
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), held ? KIN_OWNER_DIED : 0);
    CHECK_OK(kin_condition_release(w->c));
    start_sleepers(w);
    notify_both(w);
}

TEST(a_waiter_killed_at_any_step_swallows_no_notification)
{
    struct world *w = new_world();
    int kills =
        kill_loop("condition.", w, .victim = wait_a_moment, .check = the_dead_swallows_nothing);
    CHECK_GE(kills, 5);
    CHECK_GE(kill_loop("condition.", w, .victim = wait_a_moment, .check = the_dead_swallows_nothing,
                       .unreaped = true),
             5);
    kin_condition_free(w->c);
}

static void be_free_again(void *ctx)
{
    struct world *w = ctx;
    kin_condition_free(w->c);
    CHECK_OK(kin_condition_new(&w->c, NULL));
    w->blocks = count_blocks();
}

static void it_works_with_one_chunk(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    CHECK_GE(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    CHECK_OK(kin_condition_release(w->c));
    start_sleepers(w);
    CHECK_EQ(count_blocks(), w->blocks + 1);
    notify_both(w);
    kin_condition_free(w->c);
    CHECK_EQ(count_blocks(), w->blocks - 1);
    CHECK_OK(kin_condition_new(&w->c, NULL));
}

/* Also in the middle of the locks and blocks that waiting is made of. */
TEST_WITHIN(120, who_is_killed_while_he_links_a_chunk_leaves_no_trace)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop(NULL, w, .setup = be_free_again, .victim = wait_a_moment,
                       .check = it_works_with_one_chunk),
             10);
    kin_condition_free(w->c);
}

static void sleep_until_told(void *ctx)
{
    struct world *w = ctx;
    (void)wait_for_news(w);
}

/* The first in the line, notified, dies before he has done anything with it: it is gone with him,
 * and nobody hangs. */
static void the_second_hears_of_the_next(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_STR(step, "condition.back");
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), KIN_OWNER_DIED);
    CHECK_OK(kin_condition_release(w->c));
    start_sleepers(w);
    notify_both(w);
}

static int notify_soon(void *ctx)
{
    struct world *w = ctx;
    for (int woken = 0; woken == 0;) {
        if (kin_condition_acquire(w->c, KIN_FOREVER) < 0) {
            return 1;
        }
        woken = kin_condition_notify(w->c, 1);
        if (woken < 0 || kin_condition_release(w->c) < 0) {
            return 2;
        }
    }
    return 0;
}

static void start_notifier(void *ctx)
{
    struct world *w = ctx;
    w->children = 0;
    w->sleepers[0] = test_child(notify_soon, w);
}

static void after_the_notifier(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_EQ(test_join(w->sleepers[0]), 0);
    the_second_hears_of_the_next(ctx, step);
}

TEST(who_dies_of_what_he_was_told_leaves_a_condition_that_works)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("condition.back", w, .setup = start_notifier, .victim = sleep_until_told,
                       .check = after_the_notifier),
             1);
    CHECK_EQ(test_join(w->sleepers[0]), 0);
    kin_condition_free(w->c);
}

/* ---- notify ----------------------------------------------------------------------------- */

static void notify_all(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_condition_acquire(w->c, KIN_FOREVER));
    CHECK_EQ(kin_condition_notify_all(w->c), 2);
    CHECK_OK(kin_condition_release(w->c));
}

static int notified; /* so many before he died */

static void the_rest_can_be_notified(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_STR(step, "condition.notified");
    notified++;
    /* who was notified may take the lock of the dead before we do */
    CHECK_GE(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    CHECK_EQ(kin_condition_notify_all(w->c), 2 - notified);
    CHECK_OK(kin_condition_release(w->c));
    join_sleepers(w);
    CHECK_GE(w->code[0], 0);
    CHECK_GE(w->code[1], 0);
}

TEST(a_notifier_killed_at_any_step_has_notified_some)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("condition.", w, .setup = start_sleepers, .victim = notify_all,
                       .check = the_rest_can_be_notified),
             2);
    join_sleepers(w); /* of the round that nobody died in */
    kin_condition_free(w->c);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static void *make(void)
{
    kin_condition *c = NULL;
    CHECK_OK(kin_condition_new(&c, NULL));
    return c;
}

static int await(void *c)
{
    (void)kin_condition_acquire(c, KIN_FOREVER);
    return kin_condition_wait(c, KIN_FOREVER);
}

static int acquire(void *c)
{
    return kin_condition_acquire(c, 0);
}

static void end(void *c)
{
    kin_condition_free(c);
}

static const struct subject a_condition = { .made = "condition.new",
                                            .ended = "condition.ended",
                                            .stays = 2,
                                            .make = make,
                                            .wait = await,
                                            .use = acquire,
                                            .free = end };

TEST(a_maker_killed_before_it_is_out_leaves_nothing)
{
    a_killed_maker_leaves_nothing(&a_condition);
}

TEST(a_condition_half_freed_lets_its_waiters_go_and_can_be_freed_again)
{
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&a_condition, "condition."), 4);
}

/* Frees the condition once its waiter sleeps. */
static int free_beneath_a_waiter(void *ctx)
{
    struct world *w = ctx;
    WAIT_UNTIL(w->over || (w->victim != 0 && test_is_asleep(w->victim)));
    kin_condition_free(w->c);
    return 0;
}

static void name_a_lock(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_lock_new(&w->lock, NULL));
    const kin_condition_options options = { .lock = w->lock };
    CHECK_OK(kin_condition_new(&w->c, &options));
    w->over = false;
    w->victim = 0;
    w->sleepers[0] = test_child(free_beneath_a_waiter, w);
}

static void wait_till_it_is_freed(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_lock_acquire(w->lock, KIN_FOREVER));
    w->victim = getpid();
    CHECK_EQ(kin_condition_wait(w->c, KIN_FOREVER), KIN_ECLOSED);
    CHECK_OK(kin_lock_release(w->lock));
}

static void free_its_lock(void *ctx, const char *step)
{
    struct world *w = ctx;
    w->over = true;
    CHECK_EQ(test_join(w->sleepers[0]), 0);
    bool held = !is(step, "condition.dropped") && !is(step, "condition.asleep");
    CHECK_EQ(kin_lock_acquire(w->lock, KIN_FOREVER), held ? KIN_OWNER_DIED : 0);
    CHECK_OK(kin_lock_release(w->lock));
    kin_lock_free(w->lock);
}

TEST(a_waiter_whose_condition_is_freed_may_die_at_any_step)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_GE(kill_loop("condition.", w, .setup = name_a_lock, .victim = wait_till_it_is_freed,
                       .check = free_its_lock),
             5); /* back with the lock is one of them */
    CHECK_EQ(test_join(w->sleepers[0]), 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    kin_lock_free(w->lock);
}

/* ---- a thousand times ----------------------------------------------------------------- */

/* Waits and notifies by turns; nobody needs anybody, since all take a timeout as an answer. */
static int take_part_for_ever(void *ctx)
{
    struct world *w = ctx;
    while (!w->over) {
        int rv = kin_condition_acquire(w->c, KIN_FOREVER);
        if (rv < 0) {
            return 1;
        }
        int woken = kin_condition_notify(w->c, 1);
        rv = kin_condition_wait(w->c, 0.0005);
        if (woken < 0 || (rv < 0 && rv != KIN_ETIMEDOUT) || kin_condition_release(w->c) < 0) {
            return 2;
        }
        w->turns++;
    }
    return 0;
}

TEST_WITHIN(120, a_thousand_waiters_and_notifiers_are_killed_at_random)
{
    struct world *w = new_world();
    pid_t survivor = test_child(take_part_for_ever, w);
    for (int i = 0; i < 1000; i++) {
        int before = w->turns;
        pid_t pid = test_child(take_part_for_ever, w);
        while (w->turns == before) {
            kin__os_yield();
        }
        kill_soon(pid);
        CHECK_EQ(test_join(pid), -SIGKILL);
    }
    w->over = true;
    CHECK_EQ(test_join(survivor), 0);
    start_sleepers(w);
    notify_both(w);
    CHECK_EQ(count_blocks(), w->blocks + 1); /* the cells of the dead were used again */
    kin_condition_free(w->c);
}
