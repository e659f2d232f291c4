/* Processes that are killed while they have a watch, or wake those who do. */
#include "domain/room.h"
#include "unit/conn/loops.h"

struct world {
    kin_event *event;
    kin_queue *queue;
    kin_watch *watch; /* of both, here */
    uint64_t blocks;
};

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static kin_watch *watch_both(const struct world *w)
{
    kin_waitable things[2] = { kin_queue_waitable(w->queue), kin_event_waitable(w->event) };
    return new_watch(things, 2);
}

static void put_one(void *ctx)
{
    struct world *w = ctx;
    (void)kin_queue_put(w->queue, kin_str("a message that is too long to lie in a cell of a ring"),
                        0);
}

static int take_all(struct world *w)
{
    int n = 0;
    for (kin_obj o; kin_queue_get(w->queue, &o, 0) == 0; n++) {
        kin_release(o);
    }
    return n;
}

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_event_new(&w->event, NULL));
    CHECK_OK(kin_queue_new(&w->queue, NULL));
    w->watch = watch_both(w);
    w->blocks = count_blocks();
    return w;
}

static void free_world(struct world *w)
{
    kin_watch_free(w->watch);
    kin_event_free(w->event);
    kin_queue_free(w->queue);
}

/* ---- who has a watch ------------------------------------------------------------------------ */

static void rest(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_event_clear(w->event));
    (void)take_all(w);
    while (kin_watch_look(w->watch, NULL) > 0) { /* it may have been set in between */
    }
    CHECK(!polls_within(w->watch, 0));
}

/* A life of a watch: at rest, rung, told, at rest. */
static void have_a_watch(void *ctx)
{
    struct world *w = ctx;
    kin_watch *watch = watch_both(w);
    (void)kin_watch_look(watch, NULL);
    (void)kin_event_set(w->event);
    (void)kin_watch_look(watch, NULL);
    (void)kin_event_clear(w->event);
    (void)kin_watch_look(watch, NULL);
    kin_watch_free(watch);
}

static void others_go_on(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    CHECK_EQ(kin__count_alive(), 1);
    CHECK_EQ(count_blocks(), w->blocks);
    rest(w);
    CHECK_OK(kin_event_set(w->event));
    check_told(w->watch, 1);
}

TEST(who_is_killed_with_a_watch_leaves_nothing)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop("watch.", w, .setup = rest, .victim = have_a_watch, .check = others_go_on),
             2);
    CHECK_GE(kill_loop("bell.", w, .setup = rest, .victim = have_a_watch, .check = others_go_on),
             6);
    CHECK_GE(kill_loop("event.", w, .setup = rest, .victim = have_a_watch, .check = others_go_on),
             2);
    free_world(w);
}

/* ---- who wakes ------------------------------------------------------------------------------ */

static void await_one(struct world *w)
{
    do {
        await(w->watch);
    } while (kin_watch_look(w->watch, NULL) == 0);
}

static void set_it(void *ctx)
{
    struct world *w = ctx;
    (void)kin_event_set(w->event);
}

/* Once anybody has seen it set, the watch tells of it without further help. */
static void it_is_set_for_all_or_for_none(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    if (!kin_event_is_set(w->event)) {
        set_it(w);
    }
    await_one(w);
}

TEST(a_setter_killed_at_any_step_leaves_no_watch_silent)
{
    struct world *w = new_world();
    const char *const steps[] = { "event.", "bell." };
    for (int i = 0; i < 2; i++) {
        CHECK_GE(kill_loop(steps[i], w, .setup = rest, .victim = set_it,
                           .check = it_is_set_for_all_or_for_none),
                 2);
        await_one(w); /* of the round that nobody died in */
    }
    free_world(w);
}

/* What is there to be taken, the watch has told of; and if it is not, of the next one. */
static void the_watch_tells(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    if (kin_queue_qsize(w->queue) == 0) {
        put_one(w);
    }
    await_one(w);
    CHECK_EQ(take_all(w), 1);
    CHECK_EQ(kin__count_alive(), 1);
}

TEST(a_producer_killed_at_any_step_leaves_no_watch_silent)
{
    struct world *w = new_world();
    const char *const steps[] = { "queue.", "ring.", "bell." };
    for (int i = 0; i < 3; i++) {
        (void)kill_loop(steps[i], w, .setup = rest, .victim = put_one, .check = the_watch_tells);
        await_one(w);
        CHECK_EQ(take_all(w), 1);
    }
    free_world(w);
}
