/* In Python Ctrl-C goes to all processes of the terminal: every worker prints a traceback and ends,
 * and the pool hangs afterwards (CPython gh-88628, bpo-8296). Here workers ignore it: who is at the
 * terminal decides, and that is the program. */
#include "scene.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static kin_obj which_pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

struct scene {
    kin_event *go;
    int said; /* a file in which stderr ends up */
};

/* In a process group of its own, which is what a terminal signals. */
static int use_a_pool(void *ctx)
{
    struct scene *s = ctx;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that is too late is killed with its group alone */
    dup2(s->said, STDERR_FILENO);
    kin_pool *pool = pool_of(1);
    kin_obj before, after, result;
    CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &before));
    kin_future *busy = submit(pool, wait_for_event, kin_args(kin_shared(s->go)));
    WAIT_UNTIL(test_is_asleep((pid_t)kin_as_int(before)));
    signal(SIGINT, on_interrupt); /* the workers have been born without a handler */
    kill(0, SIGINT);
    WAIT_UNTIL(interrupted);
    CHECK_OK(kin_event_set(s->go));
    CHECK_OK(kin_future_get(busy, &result, KIN_FOREVER)); /* the signal did not end this wait */
    kin_future_free(busy);
    CHECK_EQ(kin_as_int(result), 7);
    CHECK_OK(kin_pool_apply(pool, which_pid, kin_args(), &after));
    CHECK_EQ(kin_as_int(after), kin_as_int(before));
    kin_pool_free(pool);
    return 0;
}

TEST(ctrl_c_neither_ends_workers_nor_makes_them_talk)
{
    struct scene s = { .go = new_event(), .said = memfd_create("said", MFD_CLOEXEC) };
    CHECK_EQ(test_join(test_child(use_a_pool, &s)), 0);
    CHECK_EQ(lseek(s.said, 0, SEEK_END), 0);
    close(s.said);
    kin_event_free(s.go);
    nothing_is_left();
}
