/* Who was woken alone wakes the next one when something is left. He lives on and does nothing more,
 * so that neither his death nor his next call does it for him. */
#include "harness.h"
#include "queue/room.h"

#include <signal.h>
#include <unistd.h>

struct scene {
    kin_queue *queue;
    const char *stop_at; /* the step at which a child stops */
    size_t room;         /* of who comes next */
    _Atomic int ready;
    _Atomic int done;
    _Atomic int failed;
    _Atomic int over;
};

static struct scene *new_scene(uint64_t maxsize)
{
    struct scene *s = test_shared(sizeof *s);
    s->room = sizeof(int);
    CHECK_OK(kin_queue_new(&s->queue, KIN_OPT(kin_queue_options, .maxsize = maxsize)));
    return s;
}

static int put(struct scene *s, double timeout)
{
    static const int number = 7;
    return kin_queue_put_bytes(s->queue, &number, sizeof number, timeout);
}

static int get(struct scene *s, double timeout)
{
    int number;
    return (int)kin_queue_get_bytes(s->queue, &number, s->room, timeout);
}

static int live_on(struct scene *s, int rv)
{
    atomic_fetch_add(rv >= 0 ? &s->done : &s->failed, 1);
    WAIT_UNTIL(s->over);
    return 0;
}

static int take(void *ctx)
{
    return live_on(ctx, get(ctx, KIN_FOREVER));
}

static int give(void *ctx)
{
    return live_on(ctx, put(ctx, KIN_FOREVER));
}

static pid_t start_asleep(struct scene *s, int (*body)(void *ctx))
{
    pid_t pid = test_child(body, s);
    WAIT_UNTIL(test_is_asleep(pid));
    return pid;
}

static void end(struct scene *s, const pid_t pids[2])
{
    s->over = 1;
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    kin_queue_free(s->queue);
}

TEST(who_took_one_of_two_messages_wakes_the_next)
{
    static const int two[2];
    struct scene *s = new_scene(0);
    pid_t pids[2] = { start_asleep(s, take), start_asleep(s, take) };
    CHECK_EQ(kin_queue_put_array(s->queue, two, sizeof two[0], 2, 0), 2);
    WAIT_UNTIL(s->done == 2);
    end(s, pids);
}

TEST(who_took_one_of_two_free_cells_wakes_the_next)
{
    int two[2];
    struct scene *s = new_scene(2);
    CHECK_OK(put(s, 0));
    CHECK_OK(put(s, 0));
    pid_t pids[2] = { start_asleep(s, give), start_asleep(s, give) };
    CHECK_EQ(kin_queue_get_array(s->queue, two, sizeof two[0], 2, 0), 2);
    WAIT_UNTIL(s->done == 2);
    end(s, pids);
}

TEST(who_cannot_use_the_message_wakes_the_next)
{
    struct scene *s = new_scene(0);
    s->room = 1;
    pid_t narrow = start_asleep(s, take);
    s->room = sizeof(int);
    pid_t pids[2] = { narrow, start_asleep(s, take) };
    CHECK_OK(put(s, 0));
    WAIT_UNTIL(s->done == 1 && s->failed == 1);
    end(s, pids);
}

/* ---- what a third one holds ------------------------------------------------------------------ */

static struct scene *scene_of_child;

static void stop_there(const char *name)
{
    if (strcmp(name, scene_of_child->stop_at) == 0) {
        kin__step_hook(NULL);
        scene_of_child->ready = 1;
        kill(getpid(), SIGSTOP);
    }
}

static int put_and_stop(void *ctx)
{
    scene_of_child = ctx;
    kin__self();
    kin__step_hook(stop_there);
    return put(ctx, 0);
}

static int get_and_stop(void *ctx)
{
    scene_of_child = ctx;
    kin__self();
    kin__step_hook(stop_there);
    return get(ctx, 0);
}

static pid_t stop_somebody(struct scene *s, int (*body)(void *), const char *at)
{
    s->stop_at = at;
    pid_t pid = test_child(body, s);
    WAIT_UNTIL(s->ready);
    return pid;
}

TEST(who_took_a_message_beside_one_that_is_held_wakes_the_next_to_see_to_it)
{
    struct scene *s = new_scene(0);
    CHECK_OK(put(s, 0));
    pid_t holder = stop_somebody(s, get_and_stop, "ring.taken");
    pid_t pids[2] = { start_asleep(s, take), start_asleep(s, take) };
    CHECK_OK(put(s, 0));
    WAIT_UNTIL(s->done == 1);
    kill(holder, SIGKILL); /* what he held is there again, and nobody says so */
    CHECK_EQ(test_join(holder), -SIGKILL);
    WAIT_UNTIL(s->done == 2);
    end(s, pids);
}

TEST(who_took_a_cell_beside_one_that_is_held_wakes_the_next_to_see_to_it)
{
    struct scene *s = new_scene(2);
    CHECK_OK(put(s, 0));
    pid_t holder = stop_somebody(s, put_and_stop, "ring.claimed");
    pid_t pids[2] = { start_asleep(s, give), start_asleep(s, give) };
    CHECK_OK(get(s, 0));
    WAIT_UNTIL(s->done == 1);
    kill(holder, SIGKILL);
    CHECK_EQ(test_join(holder), -SIGKILL);
    WAIT_UNTIL(s->done == 2);
    end(s, pids);
}
