/* Processes that are killed while they wait for several things, or wake those who do. */
#include "domain/room.h"
#include "harness.h"
#include <kin/queue.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

struct world {
    kin_event *event;
    kin_queue *queue;
    _Atomic int rv;
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
    CHECK_OK(kin_event_new(&w->event, NULL));
    CHECK_OK(kin_queue_new(&w->queue, NULL));
    w->blocks = count_blocks();
    return w;
}

static void free_world(struct world *w)
{
    kin_event_free(w->event);
    kin_queue_free(w->queue);
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    kin_waitable things[2] = { kin_queue_waitable(w->queue), kin_event_waitable(w->event) };
    w->rv = kin_wait(things, 2, KIN_FOREVER);
    return 0;
}

static void start_sleeper(struct world *w)
{
    w->rv = 0;
    w->sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(w->sleeper));
}

static void join_sleeper(struct world *w)
{
    CHECK_EQ(test_join(w->sleeper), 0);
    CHECK_EQ(w->rv, 1);
}

/* ---- who waits ------------------------------------------------------------------------------- */

/* Somebody sets the event when we sleep, so that all steps are passed; he goes when we are gone. */
static int set_when_asleep(void *ctx)
{
    struct world *w = ctx;
    while (!test_is_asleep(w->sleeper)) {
        if (kill(w->sleeper, 0) < 0) {
            return 0;
        }
        test_nap();
    }
    (void)kin_event_set(w->event);
    return 0;
}

static void wait_and_be_woken(void *ctx)
{
    struct world *w = ctx;
    w->sleeper = getpid();
    pid_t setter = test_child(set_when_asleep, w);
    (void)wait_for_it(w);
    (void)test_join(setter);
}

static void clear_it(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_event_clear(w->event));
}

/* Nothing of the dead one is left, and the next one sleeps and is woken. */
static void others_go_on(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    WAIT_UNTIL(test_is_alone());
    CHECK_EQ(kin__count_alive(), 1);
    CHECK_EQ(count_blocks(), w->blocks);
    CHECK_OK(kin_event_clear(w->event));
    start_sleeper(w);
    CHECK_OK(kin_event_set(w->event));
    join_sleeper(w);
    CHECK_EQ(kin__count_alive(), 1);
    CHECK_EQ(count_blocks(), w->blocks);
}

TEST(a_waiter_killed_at_any_step_leaves_nothing)
{
    struct world *w = new_world();
    CHECK_GE(kill_loop("wait.", w, .setup = clear_it, .victim = wait_and_be_woken,
                       .check = others_go_on),
             2);
    CHECK_GE(kill_loop("bell.", w, .setup = clear_it, .victim = wait_and_be_woken,
                       .check = others_go_on),
             4);
    free_world(w);
}

TEST(a_waiter_killed_asleep_leaves_nothing)
{
    struct world *w = new_world();
    start_sleeper(w);
    kill(w->sleeper, SIGKILL);
    CHECK_EQ(test_join(w->sleeper), -SIGKILL);
    CHECK_OK(kin_event_set(w->event)); /* rings for nobody */
    others_go_on(w, NULL);
    free_world(w);
}

/* ---- who wakes ------------------------------------------------------------------------------- */

static void have_a_sleeper(void *ctx)
{
    clear_it(ctx);
    start_sleeper(ctx);
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
    if (kin_event_wait(w->event, 0) != 0) {
        CHECK_OK(kin_event_set(w->event));
    }
    join_sleeper(w);
}

TEST(a_setter_killed_at_any_step_strands_nobody)
{
    struct world *w = new_world();
    const char *const steps[] = { "event.", "bell." };
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(kill_loop(steps[i], w, .setup = have_a_sleeper, .victim = set_it,
                           .check = it_is_set_for_all_or_for_none),
                 2);
        join_sleeper(w); /* of the round that nobody died in */
    }
    free_world(w);
}

static void put_one(void *ctx)
{
    struct world *w = ctx;
    static const char large[5000]; /* it lies in a block of its own */
    (void)kin_queue_put(w->queue, kin_bytes(large, sizeof large), 0);
}

static int take_all(struct world *w)
{
    int n = 0;
    for (kin_obj o; kin_queue_get(w->queue, &o, 0) == 0; n++) {
        kin_release(o);
    }
    return n;
}

/* What is there to be taken, the sleeper has been told of; and if it is not, of the next one. */
static void the_sleeper_is_told(void *ctx, const char *step)
{
    struct world *w = ctx;
    (void)step;
    if (kin_queue_qsize(w->queue) == 0) {
        put_one(w);
    }
    join_sleeper(w);
    CHECK_EQ(take_all(w), 1);
    CHECK_EQ(kin__count_alive(), 1);
    CHECK_EQ(count_blocks(), w->blocks);
}

TEST(a_producer_killed_at_any_step_strands_nobody)
{
    struct world *w = new_world();
    put_one(w); /* so that rings are as they will be */
    CHECK_EQ(take_all(w), 1);
    const char *const steps[] = { "message.", "queue.", "ring.", "bell." };
    for (int i = 0; i < 4; i++) {
        CHECK_GE(kill_loop(steps[i], w, .setup = have_a_sleeper, .victim = put_one,
                           .check = the_sleeper_is_told),
                 1);
        join_sleeper(w);
        CHECK_EQ(take_all(w), 1);
    }
    free_world(w);
}
