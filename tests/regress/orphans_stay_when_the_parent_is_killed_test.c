/* In Python the workers and daemons of a parent that was killed run on, for days (CPython
 * gh-80180), and PR_SET_PDEATHSIG, which people bolt on, reaches no grandchild. Here the pool's
 * workers, its supervisor, the daemons, their daemons and the fork server are gone in a moment,
 * whatever they were doing. */
#include "scene.h"

static const char *const methods[] = { "fork", "spawn", "forkserver" };

/* Spins, with every signal blocked that can be. */
static kin_obj spin(kin_obj args)
{
    _Atomic int *there = kin_arg_shared(args, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    (*there)++;
    for (;;) {
        kin__os_pause();
    }
    return kin_none();
}

static kin_obj nap(kin_obj args)
{
    _Atomic int *there = kin_arg_shared(args, 0);
    (*there)++;
    for (;;) {
        pause();
    }
    return kin_none();
}

static int start_daemon(const char *method, kin_fn fn, _Atomic int *there)
{
    return kin_start(NULL, fn, kin_args(kin_shared((const void *)(uintptr_t)there)),
                     KIN_OPT(kin_process_options, .daemon = true, .start_method = method));
}

static kin_obj have_daemons(kin_obj args)
{
    _Atomic int *there = kin_arg_shared(args, 0);
    for (int i = 0; i < 3; i++) {
        KIN_TRY(start_daemon(methods[i], nap, there));
    }
    return nap(args);
}

/* Everything that a program can have: 3 daemons with 3 each, one that spins, 2 workers. */
enum { ALL = 3 * 4 + 1 + 2 };

static int have_a_family(void *ctx)
{
    _Atomic int *told = ctx, *there = kin_alloc(sizeof *there);
    kin_pool *pool = pool_of(2);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(start_daemon(methods[i], have_daemons, there));
    }
    CHECK_OK(start_daemon("fork", spin, there));
    CHECK_OK(kin_pool_submit(pool, spin, kin_args(kin_shared(there)), NULL, NULL));
    CHECK_OK(kin_pool_submit(pool, nap, kin_args(kin_shared(there)), NULL, NULL));
    for (;;) {
        *told = *there;
        test_nap();
    }
    return 0;
}

static void kill_the_parent(void)
{
    _Atomic int *told = test_shared(sizeof *told);
    pid_t parent = test_child(have_a_family, told);
    WAIT_UNTIL(*told == ALL);
    CHECK(!test_is_alone());
    kill(parent, SIGKILL);
    CHECK_EQ(test_join(parent), -SIGKILL);
    WAIT_UNTIL(test_is_alone());
}

TEST(nobody_outlives_the_first_of_a_family)
{
    kill_the_parent();
}

TEST(nobody_outlives_a_parent_in_the_middle_of_a_family)
{
    CHECK_EQ(members(), 1); /* this process is the first */
    kill_the_parent();
    WAIT_UNTIL(members() == 1); /* a zombie's other threads may not have ended yet */
}

static int have_an_idle_pool(void *ctx)
{
    *(_Atomic int *)ctx = pool_of(3) != NULL;
    for (;;) {
        pause();
    }
    return 0;
}

TEST(idle_workers_go_too)
{
    _Atomic int *there = test_shared(sizeof *there);
    pid_t parent = test_child(have_an_idle_pool, there);
    WAIT_UNTIL(*there);
    kill(parent, SIGKILL);
    CHECK_EQ(test_join(parent), -SIGKILL);
    WAIT_UNTIL(test_is_alone());
}
