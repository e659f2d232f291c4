/* Processes that are killed while they come to a barrier, wait, act, break or reset it. */
#include "scene.h"
#include <kin/condition.h>

struct world {
    kin_barrier *b;
    kin_barrier_options options;
    _Atomic int code;
    _Atomic int rounds;
    pid_t sleeper;
};

static struct world *new_world(unsigned parties, void (*action)(void *))
{
    struct world *w = test_shared(sizeof *w);
    w->options = (kin_barrier_options){ .action = action };
    CHECK_OK(kin_barrier_new(&w->b, parties, &w->options));
    return w;
}

static int wait_for_others(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_barrier_wait(w->b, KIN_FOREVER);
    return 0;
}

static void start_sleeper(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_barrier_reset(w->b));
    w->code = 99;
    w->sleeper = test_child(wait_for_others, w);
    WAIT_UNTIL(test_is_asleep(w->sleeper));
}

/* The sleeper's outcome; and then the barrier works. */
static int after(struct world *w)
{
    CHECK_EQ(test_join(w->sleeper), 0);
    int code = w->code;
    CHECK(code == 0 || code == 1 || code == KIN_EBROKEN);
    start_sleeper(w);
    CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_GE(w->code, 0);
    return code;
}

/* ---- coming and acting ------------------------------------------------------------------ */

static void come(void *ctx)
{
    struct world *w = ctx;
    CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
}

static void all_went_or_it_broke(void *ctx, const char *step)
{
    struct world *w = ctx;
    if (is(step, "barrier.pending")) { /* he had not come */
        CHECK_EQ(w->code, 99);
        CHECK_GE(kin_barrier_wait(w->b, KIN_FOREVER), 0);
        CHECK_GE(after(w), 0);
    } else if (is(step, "barrier.changed")) { /* all had */
        CHECK_GE(after(w), 0);
    } else {
        CHECK_EQ(after(w), KIN_EBROKEN);
    }
}

TEST(a_last_party_killed_at_any_step_strands_nobody)
{
    struct world *w = new_world(2, NULL);
    CHECK_EQ(kill_loop("barrier.", w, .setup = start_sleeper, .victim = come,
                       .check = all_went_or_it_broke),
             3);
    CHECK_EQ(test_join(w->sleeper), 0); /* of the round that nobody died in */
    CHECK_EQ(kill_loop("barrier.", w, .setup = start_sleeper, .victim = come,
                       .check = all_went_or_it_broke, .unreaped = true),
             3);
    CHECK_EQ(test_join(w->sleeper), 0);
    kin_barrier_free(w->b);
}

static void nothing_much(void *ctx)
{
    (void)ctx;
}

TEST(who_is_killed_before_or_after_the_action_strands_nobody)
{
    struct world *w = new_world(2, nothing_much);
    CHECK_EQ(kill_loop("barrier.", w, .setup = start_sleeper, .victim = come,
                       .check = all_went_or_it_broke),
             5);
    CHECK_EQ(test_join(w->sleeper), 0);
    kin_barrier_free(w->b);
}

/* ---- breaking and resetting ------------------------------------------------------------- */

static void abort_it(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_barrier_abort(w->b));
}

static void reset_it(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_barrier_reset(w->b));
}

static void it_broke(void *ctx, const char *step)
{
    (void)step;
    CHECK_EQ(after(ctx), KIN_EBROKEN);
}

TEST(who_is_killed_while_he_breaks_or_resets_it_has_done_so)
{
    struct world *w = new_world(2, NULL);
    CHECK_EQ(
        kill_loop("barrier.", w, .setup = start_sleeper, .victim = abort_it, .check = it_broke), 1);
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(
        kill_loop("barrier.", w, .setup = start_sleeper, .victim = reset_it, .check = it_broke), 4);
    CHECK_EQ(test_join(w->sleeper), 0);
    kin_barrier_free(w->b);
}

static void come_for_a_moment(void *ctx)
{
    struct world *w = ctx;
    (void)kin_barrier_wait(w->b, 0.001);
}

static void it_broke_or_he_had_not_come(void *ctx, const char *step)
{
    struct world *w = ctx;
    if (is(step, "barrier.pending")) {
        CHECK_EQ(w->code, 99);
        CHECK_OK(kin_barrier_abort(w->b));
    }
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(w->code, KIN_EBROKEN);
}

TEST(a_timeout_cut_short_by_death_breaks_it_too)
{
    struct world *w = new_world(3, NULL);
    CHECK_GE(kill_loop("barrier.", w, .setup = start_sleeper, .victim = come_for_a_moment,
                       .check = it_broke_or_he_had_not_come),
             4);
    CHECK_EQ(test_join(w->sleeper), 0);
    kin_barrier_free(w->b);
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static void *make(void)
{
    kin_barrier *b = NULL;
    CHECK_OK(kin_barrier_new(&b, 5, NULL));
    return b;
}

static kin_barrier *place;

static void *make_in_place(void)
{
    CHECK_OK(kin_barrier_init(place, 5, NULL));
    return place;
}

static int come_for_ever(void *b)
{
    return kin_barrier_wait(b, KIN_FOREVER);
}

static void end(void *b)
{
    kin_barrier_free(b);
}

static struct subject a_barrier = { .made = "barrier.new",
                                    .ended = "barrier.ended",
                                    .stays = 1,
                                    .make = make,
                                    .wait = come_for_ever,
                                    .use = come_for_ever,
                                    .free = end };

TEST(a_maker_killed_before_it_is_out_leaves_nothing)
{
    a_killed_maker_leaves_nothing(&a_barrier);
    a_barrier.make = make_in_place;
    place = kin_alloc(sizeof *place);
    a_killed_maker_leaves_nothing(&a_barrier);
    CHECK_EQ(kin_barrier_parties(place), 5); /* of the round that nobody died in */
    kin_barrier_done(place);
    kin_free(place);
}

TEST(a_barrier_half_freed_lets_its_sleepers_go)
{
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&a_barrier, "barrier."), 1);
}

/* ---- many times ------------------------------------------------------------------------- */

static int go_round_for_ever(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        int rv = kin_barrier_wait(w->b, KIN_FOREVER);
        if (rv == KIN_EBROKEN) {
            rv = kin_barrier_reset(w->b);
        }
        if (rv < 0) {
            return 1;
        }
        w->rounds++;
    }
}

TEST_WITHIN(120, hundreds_of_parties_are_killed_at_random)
{
    struct world *w = new_world(3, NULL);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = test_child(go_round_for_ever, w);
    }
    for (int i = 0; i < 300; i++) {
        int before = w->rounds;
        while (w->rounds < before + 20) {
            kin__os_yield();
        }
        kill_soon(pids[i % 3]);
        CHECK_EQ(test_join(pids[i % 3]), -SIGKILL);
        pids[i % 3] = test_child(go_round_for_ever, w);
    }
    for (int i = 0; i < 3; i++) {
        kill(pids[i], SIGKILL);
        CHECK_EQ(test_join(pids[i]), -SIGKILL);
    }
    kin_barrier_free(w->b);
}
