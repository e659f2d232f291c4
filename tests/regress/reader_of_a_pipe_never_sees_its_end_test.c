/* Python: a child that is started while a pipe is open has both its ends, so nobody who reads from
 * it ever sees the end, unless all have closed what they do not use. A spawned child has only the
 * ends that it was given. */
#include "contract/start.h"

#include <kin/conn.h>
#include <signal.h>
#include <unistd.h>

static kin_obj wait_for_death(kin_obj args)
{
    (void)args;
    pause();
    return kin_none();
}

static void the_end_is_seen(const char *method)
{
    kin_conn *ours = NULL;
    kin_conn *theirs = NULL;
    kin_obj o;
    CHECK_OK(kin_pipe(&ours, &theirs, true));
    kin_process *bystander = start_by(method, wait_for_death, kin_args());
    kin_process *child = start_by(method, wait_for_death, kin_args(kin_shared(theirs)));
    kin_conn_free(theirs);
    CHECK_OK(kin_process_kill(child));
    CHECK_ERROR(kin_conn_recv(ours, &o, KIN_FOREVER), KIN_EEOF); /* though the bystander lives */
    CHECK_EQ(end(child), -SIGKILL);
    CHECK_OK(kin_process_kill(bystander));
    CHECK_EQ(end(bystander), -SIGKILL);
    kin_conn_free(ours);
}

TEST(spawned_bystanders_do_not_hide_the_end)
{
    the_end_is_seen("spawn");
}

TEST(bystanders_of_the_fork_server_do_not_hide_the_end)
{
    the_end_is_seen("forkserver");
}
