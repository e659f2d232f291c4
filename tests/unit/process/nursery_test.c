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
    _Atomic int last_signal; /* of a crash, 0 if there was none */
    _Atomic int crash;       /* what a child shall do: enum how */
    _Atomic int crashes;     /* that were told before the end */
    _Atomic int told_before_end;
    _Atomic int may_die; /* a child that has told how it crashed may go on */
    kin__crash told;
    _Atomic int orphaned;
    _Atomic int failure;
};

enum how { NOT_AT_ALL, AND_WAIT, AT_ONCE, WITHOUT_TELLING_ALL };

static struct scene *of_child;

/* The process has told how it crashed, and stays as long as it would while its core is written. */
static void wait_in_the_end(const char *step)
{
    if (strcmp(step, "crash.told") == 0) {
        sigset_t timer;
        sigemptyset(&timer);
        sigaddset(&timer, SIGALRM); /* which ends a step that does not */
        sigprocmask(SIG_BLOCK, &timer, NULL);
        WAIT_UNTIL(of_child->may_die);
    }
}

static void die_before_the_end(const char *step)
{
    if (strcmp(step, "crash.signal") == 0) {
        kill(getpid(), SIGKILL);
    }
}

static void crash_if_told_to(struct scene *s)
{
    int how = atomic_exchange(&s->crash, NOT_AT_ALL);
    if (how == NOT_AT_ALL) {
        return;
    }
    of_child = s;
    kin__step_hook(how == AND_WAIT              ? wait_in_the_end
                   : how == WITHOUT_TELLING_ALL ? die_before_the_end
                                                : NULL);
    raise(SIGSEGV);
}

static int live(void *ctx, unsigned index)
{
    struct scene *s = ctx;
    s->pids[index] = getpid();
    while (s->wanted > (int)index) {
        crash_if_told_to(s);
        kin__os_yield();
    }
    return 40 + (int)index;
}

static void crashed(void *ctx, unsigned index, const kin__crash *crash)
{
    struct scene *s = ctx;
    s->told = *crash;
    s->told_before_end = s->ends == 0 && s->pids[index] == crash->thread;
    s->crashes++;
}

static void ended(void *ctx, unsigned index, int code, const kin__crash *crash)
{
    struct scene *s = ctx;
    s->pids[index] = 0;
    s->last_code = code;
    s->last_signal = crash != NULL ? crash->signal : 0;
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

static kin_obj life(kin_obj args)
{
    (void)args;
    return kin_none();
}

static const kin__nursery_ops ops = { .life = life,
                                      .run = live,
                                      .crashed = crashed,
                                      .ended = ended,
                                      .tend = tend,
                                      .failed = failed,
                                      .orphaned = orphaned };

static pid_t new_nursery(struct scene *s, int wanted)
{
    s->wanted = wanted;
    kin__self();
    uint64_t started;
    pid_t nursery = kin__nursery_new(&ops, s, 4, KIN__NURSERY_ANY, &started);
    CHECK_EQ(started, 0);
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

/* ---- crashes ---------------------------------------------------------------------------- */

static void let_go(struct scene *s, pid_t nursery)
{
    s->over = 1;
    kin__nursery_poke(nursery);
    CHECK_EQ(test_join(nursery), 0);
}

TEST(a_crash_is_told_before_the_process_has_ended_and_its_place_is_taken_after)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 1);
    pid_t child = s->pids[0];
    s->crash = AND_WAIT;
    WAIT_UNTIL(s->crashes == 1);
    CHECK(s->told_before_end);
    CHECK_EQ(s->told.signal, SIGSEGV);
    CHECK_EQ(s->told.thread, child);
    CHECK_CONTAINS(s->told.text, "signal 11 (SIGSEGV)\n  #0 ");
    kin__nursery_poke(nursery); /* it looks again, and tells nothing new */
    kin__nursery_poke(nursery);
    CHECK_EQ(s->ends, 0);
    CHECK_EQ(s->pids[0], child);
    s->may_die = 1;
    WAIT_UNTIL(s->ends == 1);
    CHECK_EQ(s->last_code, -SIGSEGV);
    CHECK_EQ(s->last_signal, SIGSEGV);
    WAIT_UNTIL(s->pids[0] != 0);
    CHECK_EQ(s->crashes, 1);
    let_go(s, nursery);
}

TEST(a_crash_is_told_at_most_once_before_the_end_and_always_with_it)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 1);
    for (int i = 1; i <= 20; i++) {
        s->crash = AT_ONCE;
        WAIT_UNTIL(s->ends == i);
        CHECK_LE(s->crashes, i);
        CHECK_EQ(s->last_code, -SIGSEGV);
        CHECK_EQ(s->last_signal, SIGSEGV);
        WAIT_UNTIL(s->pids[0] != 0);
    }
    let_go(s, nursery);
}

TEST(a_child_that_dies_while_it_tells_has_told_the_signal)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 1);
    s->crash = WITHOUT_TELLING_ALL;
    WAIT_UNTIL(s->ends == 1);
    CHECK_EQ(s->crashes, 0);
    CHECK_EQ(s->last_code, -SIGKILL);
    CHECK_EQ(s->last_signal, SIGSEGV);
    let_go(s, nursery);
}

TEST(the_next_child_at_a_place_has_not_crashed)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 1);
    s->crash = AT_ONCE;
    WAIT_UNTIL(s->ends == 1);
    WAIT_UNTIL(s->pids[0] != 0);
    int crashes = s->crashes;
    kill(s->pids[0], SIGKILL);
    WAIT_UNTIL(s->ends == 2);
    CHECK_EQ(s->last_code, -SIGKILL);
    CHECK_EQ(s->last_signal, 0);
    CHECK_EQ(s->crashes, crashes);
    let_go(s, nursery);
}

TEST(a_nursery_that_ends_does_not_wait_for_a_core)
{
    struct scene *s = test_shared(sizeof *s);
    pid_t nursery = new_nursery(s, 1);
    s->crash = AND_WAIT;
    WAIT_UNTIL(s->crashes == 1);
    let_go(s, nursery);
    CHECK_EQ(s->ends, 1);
    CHECK_EQ(s->last_code, -SIGKILL);
}
