/* Processes that are killed while they acquire, release, make or free a semaphore. */
#include "scene.h"
#include <kin/sync.h>

struct world {
    kin_semaphore *s;
    _Atomic int code;
    _Atomic bool going;
    pid_t sleeper;
};

static const kin_semaphore_options bounded = { .bounded = true };
static const kin_semaphore_options owned = { .owned = true };

static struct world *new_world(unsigned value, const kin_semaphore_options *options)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_semaphore_new(&w->s, value, options));
    return w;
}

/* ---- acquire and release ---------------------------------------------------------------- */

static void take_and_give(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_semaphore_acquire(w->s, KIN_FOREVER));
    CHECK_OK(kin_semaphore_release(w->s));
}

static void it_was_taken_or_given(void *ctx, const char *step)
{
    struct world *w = ctx;
    int left = kin_semaphore_value(w->s);
    bool held = strcmp(step, "semaphore.taken") == 0 || strcmp(step, "semaphore.releasing") == 0;
    CHECK_EQ(left, held ? 0 : 1);
    if (held) {
        CHECK_OK(kin_semaphore_release(w->s));
    }
}

TEST(who_is_killed_with_a_plain_one_takes_it_with_him_and_no_more)
{
    struct world *w = new_world(1, NULL);
    CHECK_EQ(kill_loop("semaphore.", w, .victim = take_and_give, .check = it_was_taken_or_given),
             2);
    kin_semaphore_free(w->s);
    w = new_world(1, &bounded);
    CHECK_EQ(kill_loop("semaphore.", w, .victim = take_and_give, .check = it_was_taken_or_given),
             2);
    kin_semaphore_free(w->s);
}

static void the_next_one_gets_it(void *ctx, const char *step)
{
    struct world *w = ctx;
    bool held = strcmp(step, "semaphore.claimed") == 0 || strcmp(step, "semaphore.releasing") == 0;
    CHECK_EQ(kin_semaphore_acquire(w->s, KIN_FOREVER), held ? KIN_OWNER_DIED : 0);
    CHECK_OK(kin_semaphore_release(w->s));
    CHECK_EQ(kin_semaphore_value(w->s), 1);
}

TEST(who_is_killed_with_an_owned_one_leaves_it_to_the_next)
{
    struct world *w = new_world(1, &owned);
    CHECK_EQ(kill_loop("semaphore.", w, .victim = take_and_give, .check = the_next_one_gets_it), 3);
    CHECK_EQ(kill_loop("semaphore.", w, .victim = take_and_give, .check = the_next_one_gets_it,
                       .unreaped = true),
             3);
    kin_semaphore_free(w->s);
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_semaphore_acquire(w->s, KIN_FOREVER);
    return 0;
}

static void start_sleeper(void *ctx)
{
    struct world *w = ctx;
    w->code = 99;
    w->sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(w->sleeper));
}

static void give(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_semaphore_release(w->s));
}

static void the_sleeper_gets_one(void *ctx, const char *step)
{
    struct world *w = ctx;
    if (strcmp(step, "semaphore.releasing") == 0) {
        CHECK_EQ(w->code, 99);
        CHECK_OK(kin_semaphore_release(w->s)); /* he had not */
    }
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(w->code, 0);
    CHECK_EQ(kin_semaphore_value(w->s), 0);
}

TEST(a_releaser_killed_at_any_step_strands_nobody)
{
    struct world *w = new_world(0, NULL);
    CHECK_EQ(kill_loop("semaphore.", w, .setup = start_sleeper, .victim = give,
                       .check = the_sleeper_gets_one),
             2);
    CHECK_EQ(test_join(w->sleeper), 0); /* of the round that nobody died in */
    kin_semaphore_free(w->s);
}

static void wait_a_moment(void *ctx)
{
    struct world *w = ctx;
    (void)kin_semaphore_acquire(w->s, 0.001);
}

static void it_works(void *ctx, const char *step)
{
    struct world *w = ctx;
    CHECK_STR(step, "semaphore.waiting");
    CHECK_EQ(kin_semaphore_value(w->s), 0);
    start_sleeper(w);
    CHECK_OK(kin_semaphore_release(w->s));
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(w->code, 0);
}

TEST(a_waiter_killed_before_he_sleeps_leaves_a_semaphore_that_works)
{
    struct world *w = new_world(0, NULL);
    CHECK_GE(kill_loop("semaphore.", w, .victim = wait_a_moment, .check = it_works), 1);
    kin_semaphore_free(w->s);
}

static void hold_it_and_wait(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_semaphore_acquire(w->s, 0)); /* of two, of which another has the other */
    (void)kin_semaphore_acquire(w->s, 0.12);
}

static void one_can_be_had(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    CHECK_EQ(kin_semaphore_acquire(w->s, KIN_FOREVER), KIN_OWNER_DIED);
    CHECK_ERROR(kin_semaphore_acquire(w->s, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_semaphore_release(w->s));
}

TEST(who_is_killed_while_he_waits_for_a_second_one_leaves_the_first)
{
    struct world *w = new_world(2, &owned);
    CHECK_OK(kin_semaphore_acquire(w->s, 0));
    CHECK_GE(kill_loop("semaphore.", w, .victim = hold_it_and_wait, .check = one_can_be_had), 2);
    kin_semaphore_free(w->s);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static const kin_semaphore_options *options; /* of those that are made here */

static void *make(void)
{
    kin_semaphore *s = NULL;
    CHECK_OK(kin_semaphore_new(&s, 1, options));
    return s;
}

static kin_semaphore *place;

static void *make_in_place(void)
{
    CHECK_OK(kin_semaphore_init(place, 1, options));
    return place;
}

static void occupy(void *s)
{
    CHECK_OK(kin_semaphore_acquire(s, 0));
}

static int acquire(void *s)
{
    return kin_semaphore_acquire(s, KIN_FOREVER);
}

static void end(void *s)
{
    kin_semaphore_free(s);
}

static struct subject a_semaphore = { .made = "semaphore.new",
                                      .ended = "semaphore.ended semaphore.spoilt",
                                      .stays = 1,
                                      .make = make,
                                      .occupy = occupy,
                                      .wait = acquire,
                                      .use = acquire,
                                      .free = end };

TEST(a_maker_killed_before_it_is_out_leaves_nothing)
{
    a_killed_maker_leaves_nothing(&a_semaphore);
    options = &owned;
    a_killed_maker_leaves_nothing(&a_semaphore);
}

TEST(a_maker_killed_in_a_struct_of_the_users_leaves_nothing)
{
    options = &owned;
    a_semaphore.make = make_in_place;
    place = kin_alloc(sizeof *place);
    uint64_t blocks = count_blocks();
    a_killed_maker_leaves_nothing(&a_semaphore);
    CHECK_OK(kin_semaphore_acquire(place, 0)); /* of the round that nobody died in */
    kin_semaphore_done(place);
    CHECK_EQ(count_blocks(), blocks);
    kin_free(place);
}

TEST(a_semaphore_half_freed_lets_its_sleepers_go)
{
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&a_semaphore, "semaphore."), 2);
    options = &bounded;
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&a_semaphore, "semaphore."), 2);
    options = &owned;
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&a_semaphore, "semaphore."), 2);
}

/* ---- a thousand times ----------------------------------------------------------------- */

static int take_and_give_for_ever(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        if (kin_semaphore_acquire(w->s, KIN_FOREVER) < 0 || kin_semaphore_release(w->s) < 0) {
            return 1;
        }
        w->going = true;
    }
}

TEST_WITHIN(120, a_thousand_owners_are_killed_at_random)
{
    struct world *w = new_world(2, &owned);
    pid_t other = test_child(take_and_give_for_ever, w);
    for (int i = 0; i < 1000; i++) {
        pid_t pid = kill_at_work(take_and_give_for_ever, w, &w->going);
        CHECK_EQ(test_join(pid), -SIGKILL);
        CHECK_OK(kin_semaphore_acquire(w->s, KIN_FOREVER)); /* or KIN_OWNER_DIED */
        CHECK_OK(kin_semaphore_release(w->s));
    }
    kill(other, SIGKILL);
    CHECK_EQ(test_join(other), -SIGKILL);
    CHECK_EQ(kin_semaphore_value(w->s), 2);
    kin_semaphore_free(w->s);
}

TEST_WITHIN(120, of_a_plain_one_a_kill_takes_one_at_the_most)
{
    struct world *w = new_world(1000, &bounded);
    for (int i = 0; i < 1000; i++) {
        int before = kin_semaphore_value(w->s);
        pid_t pid = kill_at_work(take_and_give_for_ever, w, &w->going);
        CHECK_EQ(test_join(pid), -SIGKILL);
        int after = kin_semaphore_value(w->s);
        CHECK(after == before || after == before - 1);
        if (after < before) {
            CHECK_OK(kin_semaphore_release(w->s));
        }
    }
    CHECK_ERROR(kin_semaphore_release(w->s), KIN_ESTATE);
    kin_semaphore_free(w->s);
}
