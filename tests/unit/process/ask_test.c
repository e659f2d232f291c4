/* Asking the fork server, when something else goes on. */
#include "contract/start.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static const kin_process_options served = { .start_method = "forkserver" };

static kin_obj give_back(kin_obj args)
{
    return kin_arg(args, 0);
}

static atomic_bool enough;

static void *count(void *unused)
{
    while (!enough) {
        (void)kin_active_children(NULL, 0);
    }
    return unused;
}

TEST(children_may_be_counted_while_a_server_is_made)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, count, NULL), 0);
    CHECK_EQ(run_with(&served, give_back, kin_args(kin_int(3))), 3);
    enough = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void leave_no_descriptors(const char *step)
{
    struct rlimit few;
    getrlimit(RLIMIT_NOFILE, &few);
    few.rlim_cur = strcmp(step, "start.asked") == 0 ? 3 : few.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &few);
}

TEST(a_child_whose_pidfd_cannot_be_taken_has_started_all_the_same)
{
    struct rlimit before;
    kin_process *p = NULL;
    CHECK_EQ(run_with(&served, give_back, kin_args(kin_int(3))), 3);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    kin__step_hook(leave_no_descriptors);
    int rv = kin_start(&p, give_back, kin_args(kin_int(4)), &served);
    kin__step_hook(NULL);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_OK(rv);
    CHECK_EQ(end(p), 4);
}
