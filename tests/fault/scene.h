/* scene.h - what the scenes of death around locks, events and their like share. */
#ifndef KIN_FAULT_SCENE_H
#define KIN_FAULT_SCENE_H

#include "domain/room.h"
#include "harness.h"
#include <signal.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

UNUSED static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

UNUSED static bool is(const char *step, const char *name)
{
    return strcmp(step, name) == 0;
}

/* ---- at a random moment ------------------------------------------------------------------- */

/* Some microseconds from now; to be joined. */
UNUSED static void kill_soon(pid_t pid)
{
    for (uint64_t n = test_random() % 4000; n > 0; n--) {
        kin__os_pause();
    }
    kill(pid, SIGKILL);
}

/* A child that says when it is at work; the same. */
UNUSED static pid_t kill_at_work(int (*work)(void *), void *ctx, _Atomic bool *at_work)
{
    *at_work = false;
    pid_t pid = test_child(work, ctx);
    while (!*at_work) {
        kin__os_yield();
    }
    kill_soon(pid);
    return pid;
}

/* ---- at the beginning and at the end ------------------------------------------------------ */

/* Something that is made, waited for and freed. */
struct subject {
    const char *made;  /* the step at which it is ready, and not out yet */
    const char *ended; /* the steps from which on it cannot be freed again; NULL: none */
    uint64_t stays;    /* so many blocks, then */
    void *(*make)(void);
    void (*occupy)(void *thing); /* so that who waits sleeps; may be NULL */
    int (*wait)(void *thing);
    int (*use)(void *thing); /* what the next one who comes does: it fails */
    void (*free)(void *thing);
};

struct scene {
    const struct subject *subject;
    void *thing;
    uint64_t blocks;
    pid_t sleepers[2];
    _Atomic int told;
};

static void make_one(void *ctx)
{
    struct scene *s = ctx;
    s->thing = s->subject->make();
}

static void nothing_is_left(void *ctx, const char *step)
{
    struct scene *s = ctx;
    CHECK_STR(step, s->subject->made);
    CHECK_EQ(count_blocks(), s->blocks);
}

static struct scene *new_scene(const struct subject *subject)
{
    struct scene *s = test_shared(sizeof *s);
    s->subject = subject;
    (void)kin__self();
    s->blocks = count_blocks();
    return s;
}

UNUSED static void a_killed_maker_leaves_nothing(const struct subject *subject)
{
    struct scene *s = new_scene(subject);
    CHECK_EQ(kill_loop(subject->made, s, .victim = make_one, .check = nothing_is_left), 1);
}

static int sleep_for_it(void *ctx)
{
    struct scene *s = ctx;
    s->told += s->subject->wait(s->thing) == KIN_ECLOSED;
    return 0;
}

static void have_one_with_sleepers(void *ctx)
{
    struct scene *s = ctx;
    s->blocks = count_blocks();
    make_one(s);
    if (s->subject->occupy != NULL) {
        s->subject->occupy(s->thing);
    }
    s->told = 0;
    for (int i = 0; i < 2; i++) {
        s->sleepers[i] = test_child(sleep_for_it, s);
        WAIT_UNTIL(test_is_asleep(s->sleepers[i]));
    }
}

static void join_sleepers_of(struct scene *s)
{
    CHECK_EQ(test_join(s->sleepers[0]), 0);
    CHECK_EQ(test_join(s->sleepers[1]), 0);
    CHECK_EQ(s->told, 2);
}

static void free_it(void *ctx)
{
    struct scene *s = ctx;
    s->subject->free(s->thing);
}

static void the_sleepers_are_told(void *ctx, const char *step)
{
    struct scene *s = ctx;
    bool ended = s->subject->ended != NULL && strstr(s->subject->ended, step) != NULL;
    CHECK_LT(s->subject->use(s->thing), 0);
    join_sleepers_of(s);
    if (!ended) {
        free_it(s);
    }
    CHECK_ERROR(s->subject->use(s->thing), KIN_EFREED);
    CHECK_EQ(count_blocks(), s->blocks + (ended ? s->subject->stays : 0));
}

/* How many kills there were at the steps that begin with `steps`. */
UNUSED static int a_half_freed_one_lets_its_sleepers_go(const struct subject *subject,
                                                        const char *steps)
{
    struct scene *s = new_scene(subject);
    int kills = kill_loop(steps, s, .setup = have_one_with_sleepers, .victim = free_it,
                          .check = the_sleepers_are_told);
    join_sleepers_of(s); /* of the round that nobody died in */
    return kills;
}

#endif
