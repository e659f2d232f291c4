/* Processes that are killed while they set, clear, await or free an event. */
#include "scene.h"
#include <kin/sync.h>

struct world {
    kin_event *event;
    _Atomic int code;
    _Atomic bool going;
    pid_t sleeper;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_event_new(&w->event, NULL));
    return w;
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_event_wait(w->event, KIN_FOREVER);
    return 0;
}

static void start_sleeper(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_event_clear(w->event));
    w->code = 1;
    w->sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(w->sleeper));
}

static void set_it(void *ctx)
{
    struct world *w = ctx;
    (void)kin_event_set(w->event);
}

/* Once anybody has seen it set, the sleeper gets through without further help. */
static void it_is_set_for_all_or_for_none(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    int rv = kin_event_wait(w->event, 0);
    CHECK(rv == 0 || rv == KIN_ETIMEDOUT);
    CHECK_EQ(kin_event_is_set(w->event), rv == 0);
    if (rv != 0) {
        CHECK_OK(kin_event_set(w->event));
    }
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(w->code, 0);
}

TEST(a_setter_killed_at_any_step_strands_nobody)
{
    struct world *w = new_world();
    int kills = kill_loop("event.", w, .setup = start_sleeper, .victim = set_it,
                          .check = it_is_set_for_all_or_for_none);
    CHECK_EQ(kills, 2);
    CHECK_EQ(test_join(w->sleeper), 0); /* of the round that nobody died in */
    kin_event_free(w->event);
}

static void have_it_set(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_event_set(w->event));
}

static void clear_it(void *ctx)
{
    struct world *w = ctx;
    (void)kin_event_clear(w->event);
}

static void it_works(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    start_sleeper(w);
    CHECK_OK(kin_event_set(w->event));
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(w->code, 0);
}

TEST(who_is_killed_while_he_clears_leaves_an_event_that_works)
{
    struct world *w = new_world();
    CHECK_EQ(kill_loop("event.", w, .setup = have_it_set, .victim = clear_it, .check = it_works),
             1);
    kin_event_free(w->event);
}

static void wait_a_moment(void *ctx)
{
    struct world *w = ctx;
    (void)kin_event_wait(w->event, 0.001);
}

TEST(a_waiter_killed_before_he_sleeps_leaves_an_event_that_works)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop("event.", w, .setup = clear_it, .victim = wait_a_moment, .check = it_works),
             1);
    kin_event_free(w->event);
}

/* ---- at the beginning and at the end of an event -------------------------------------- */

static void *make(void)
{
    kin_event *event = NULL;
    CHECK_OK(kin_event_new(&event, NULL));
    return event;
}

static int await(void *event)
{
    return kin_event_wait(event, KIN_FOREVER);
}

static int set(void *event)
{
    return kin_event_set(event);
}

static void end(void *event)
{
    kin_event_free(event);
}

static const struct subject an_event = {
    .made = "event.new", .make = make, .wait = await, .use = set, .free = end
};

TEST(a_maker_killed_before_the_event_is_out_leaves_nothing)
{
    a_killed_maker_leaves_nothing(&an_event);
}

TEST(an_event_half_freed_lets_its_sleepers_go_and_can_be_freed_again)
{
    CHECK_EQ(a_half_freed_one_lets_its_sleepers_go(&an_event, "event."), 3);
}

/* ---- a thousand times ----------------------------------------------------------------- */

static int set_and_clear_for_ever(void *ctx)
{
    struct world *w = ctx;
    for (;;) {
        if (kin_event_set(w->event) || kin_event_clear(w->event)) {
            return 1;
        }
        w->going = true;
    }
}

TEST_WITHIN(120, a_thousand_setters_are_killed_at_random)
{
    struct world *w = new_world();
    for (int i = 0; i < 1000; i++) {
        pid_t pid = kill_at_work(set_and_clear_for_ever, w, &w->going);
        CHECK_EQ(test_join(pid), -SIGKILL);
        CHECK_OK(kin_event_set(w->event));
        CHECK_EQ(kin_event_wait(w->event, KIN_FOREVER), 0);
        CHECK_OK(kin_event_clear(w->event));
        CHECK_ERROR(kin_event_wait(w->event, 0), KIN_ETIMEDOUT);
    }
    kin_event_free(w->event);
}
