/* In Python Ctrl-C at the wrong moment, while the pool starts, in map, in join, leaves a program
 * that hangs, or workers that stay (CPython gh-88628, bpo-8296). Here it is sent to all of the
 * program at each step of each of its processes. A program with a handler does not notice; one
 * without ends of it, and nobody stays behind. */
#include "scene.h"

#include <sys/prctl.h>

static _Atomic int *interrupts; /* that were sent */
static volatile sig_atomic_t handled;

static void on_interrupt(int signal)
{
    (void)signal;
    handled = 1;
}

static void interrupt_all(const char *step)
{
    (void)step;
    atomic_fetch_add(interrupts, 1);
    kill(0, SIGINT);
}

static void interrupt_there_too(void)
{
    kin__step_hook(interrupt_all);
}

static kin_obj be_long(kin_obj args)
{
    char text[1000];
    memset(text, 'k', sizeof text);
    return kin_strn(text, (size_t)kin_arg_int(args, 0) * 100);
}

/* The whole life of a pool; 0 when nothing was wrong. */
static int use_a_pool(void)
{
    kin_pool *pool;
    kin_obj o;
    kin_future *future, *unwanted;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(5)), &o));
    CHECK_EQ(kin_as_int(o), 25);
    works(pool);
    CHECK_OK(kin_pool_submit(pool, be_long, kin_args(kin_int(9)), NULL, &future));
    CHECK_OK(kin_pool_submit(pool, be_long, kin_args(kin_int(9)), NULL, &unwanted));
    (void)kin_future_cancel(unwanted, KIN_OPT(kin_cancel_options, .kill = true));
    CHECK_OK(kin_futures_wait((kin_future *const[]){ future, unwanted }, 2, KIN_ALL_COMPLETED,
                              KIN_FOREVER));
    CHECK_OK(kin_future_get(future, &o, 0));
    CHECK_EQ(kin_len(o), 900);
    kin_release(o);
    kin_future_free(future);
    kin_future_free(unwanted);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    kin_pool_free(pool);
    return 0;
}

static int be_interrupted_at_every_step(void *unused)
{
    (void)unused;
    setpgid(0, 0); /* which is what a terminal signals */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_interrupt }, NULL);
    kin__os_at_fork_child(interrupt_there_too);
    interrupt_there_too();
    return use_a_pool() == 0 && handled ? 3 : 1;
}

TEST_WITHIN(120, a_program_that_handles_ctrl_c_may_get_it_at_every_step)
{
    interrupts = test_shared(sizeof *interrupts);
    CHECK_EQ(members(), 1);
    CHECK_EQ(test_join(test_child(be_interrupted_at_every_step, NULL)), 3);
    CHECK_GT(*interrupts, 50);
    nothing_is_left();
}

enum { STRIDE = 7 };
static int nth;

static void interrupt_at_the_nth(const char *step)
{
    (void)step;
    if (--nth == 0) {
        kill(0, SIGINT);
    }
}

static int end_of_it(void *unused)
{
    (void)unused;
    signal(SIGINT, SIG_DFL);
    kin__step_hook(interrupt_at_the_nth);
    return use_a_pool();
}

TEST_WITHIN(300, who_ends_of_ctrl_c_leaves_nobody_behind)
{
    signal(SIGINT, SIG_IGN); /* the test is of that group */
    CHECK_EQ(members(), 1);
    int n = 1 + (int)(test_random() % STRIDE), rv = -SIGINT; /* other ones each time */
    for (; rv == -SIGINT; n += STRIDE) {
        nth = n;
        rv = test_join(test_child(end_of_it, NULL));
        CHECK_(rv == -SIGINT || (rv == 0 && n > 10), "at step %d it ended by %d", n, rv);
        WAIT_UNTIL(test_is_alone());
        WAIT_UNTIL(members() == 1);
    }
}
