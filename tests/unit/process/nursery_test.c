#include "harness.h"
#include "process/nursery.h"

#include <signal.h>
#include <unistd.h>

/* A nursery whose wishes stand in shared memory. */
struct scene {
    _Atomic int wanted;    /* children */
    _Atomic int over;      /* the nursery may go */
    _Atomic pid_t pids[4]; /* of the children that run */
    _Atomic int ends;      /* children that have ended */
    _Atomic int last_code;
    _Atomic int orphaned;
    _Atomic int failure;
};

static int live(void *ctx, unsigned index)
{
    struct scene *s = ctx;
    s->pids[index] = getpid();
    while (s->wanted > (int)index) {
        kin__os_yield();
    }
    return 40 + (int)index;
}

static void ended(void *ctx, unsigned index, int code)
{
    struct scene *s = ctx;
    s->pids[index] = 0;
    s->last_code = code;
    s->ends++;
}

static bool tend(void *ctx, kin__nursery *nursery)
{
    struct scene *s = ctx;
    for (unsigned i = 0; i < 4; i++) {
        if (i < (unsigned)s->wanted && !kin__nursery_has(nursery, i)) {
            CHECK_GT(kin__nursery_start(nursery, i), 0);
        }
    }
    return !s->over;
}

static void orphaned(void *ctx)
{
    ((struct scene *)ctx)->orphaned = 1;
}

static void failed(void *ctx, int code)
{
    ((struct scene *)ctx)->failure = code;
}

static const kin__nursery_ops ops = {
    .run = live, .ended = ended, .tend = tend, .failed = failed, .orphaned = orphaned
};

static pid_t new_nursery(struct scene *s, int wanted)
{
    s->wanted = wanted;
    kin__self();
    pid_t nursery = kin__nursery_new(&ops, s, 4);
    CHECK_GT(nursery, 0);
    for (int i = 0; i < wanted; i++) {
        WAIT_UNTIL(s->pids[i] != 0);
    }
    return nursery;
}

TEST(a_nursery_starts_children_and_tells_how_they_ended)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 3);
    s->wanted = 2;
    WAIT_UNTIL(s->ends == 1);
    CHECK_EQ(s->last_code, 42);
    kill(s->pids[1], SIGKILL);
    WAIT_UNTIL(s->ends == 2);
    CHECK_EQ(s->last_code, -SIGKILL);
    WAIT_UNTIL(s->pids[1] != 0); /* another one has come */
    s->over = 1;
    kin__nursery_poke(nursery);
    CHECK_EQ(test_join(nursery), 0);
    CHECK_EQ(s->ends, 4);
    CHECK_EQ(s->last_code, -SIGKILL);
}

TEST(when_a_nursery_is_killed_its_children_are_too)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 2);
    pid_t child = s->pids[1];
    kill(nursery, SIGKILL);
    CHECK_EQ(test_join(nursery), -SIGKILL);
    WAIT_UNTIL(kill(child, 0) < 0);
    WAIT_UNTIL(kin__count_alive() == 1);
}

static int make_one_and_die(void *ctx)
{
    new_nursery(ctx, 2);
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(when_the_maker_is_killed_the_nursery_kills_its_children_and_goes)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_EQ(test_join(test_child(make_one_and_die, s)), -SIGKILL);
    WAIT_UNTIL(s->orphaned);
    CHECK_EQ(s->ends, 2);
    WAIT_UNTIL(kin__count_alive() == 1);
}

TEST(a_nursery_takes_no_signal_but_its_children_have_the_makers_mask)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 1);
    kill(nursery, SIGTERM);
    kill(nursery, SIGINT);
    kill(nursery, SIGHUP);
    kill(s->pids[0], SIGTERM);
    WAIT_UNTIL(s->ends == 1);
    CHECK_EQ(s->last_code, -SIGTERM);
    WAIT_UNTIL(s->pids[0] != 0);
    s->over = 1;
    kin__nursery_poke(nursery);
    CHECK_EQ(test_join(nursery), 0);
}
