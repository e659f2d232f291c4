/* Jobs in a queue with .ack: a job that was taken stays in the queue, unseen, until its worker says
 * that it is done. The worker is killed in the middle of one, and another one does that first. */
#include <kin.h>
#include <signal.h>
#include <stdio.h>

enum { JOBS = 5 };

static kin_obj work(kin_obj args)
{
    kin_queue *jobs = kin_as(kin_queue, kin_arg(args, 0));
    kin_obj job;
    int rv;
    while ((rv = kin_queue_get(jobs, &job, KIN_FOREVER)) == 0) {
        printf("%s begins %s\n", kin_arg_str(args, 1), kin_as_str(job));
        fflush(stdout);
        if (kin_equal(job, kin_arg(args, 2))) {
            raise(SIGKILL);
        }
        kin_release(job);
        KIN_TRY(kin_queue_ack(jobs)); /* only now it is gone */
    }
    KIN_TRY(rv == KIN_ECLOSED ? 0 : rv);
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) jobs = NULL;
    KIN_CHECK(kin_queue_new(&jobs, KIN_OPT(kin_queue_options, .ack = true)));
    for (int i = 1; i <= JOBS; i++) {
        KIN_CHECK(kin_queue_put(jobs, kin_strf("job %d", i), KIN_FOREVER));
    }

    kin_auto(kin_process) ada = NULL;
    KIN_CHECK(
        kin_start(&ada, work, kin_args(kin_shared(jobs), kin_str("ada"), kin_str("job 3")), NULL));
    KIN_CHECK(kin_process_join(ada, KIN_FOREVER));
    printf("ada's exit code is %d\n", kin_process_exitcode(ada));

    kin_auto(kin_process) bob = NULL;
    KIN_CHECK(kin_start(&bob, work, kin_args(kin_shared(jobs), kin_str("bob"), kin_none()), NULL));
    KIN_CHECK(kin_queue_join(jobs, KIN_FOREVER)); /* until each job is acknowledged */
    KIN_CHECK(kin_queue_close(jobs));
    KIN_CHECK(kin_process_join(bob, KIN_FOREVER));
    printf("all jobs are done\n");
    return 0;
}
