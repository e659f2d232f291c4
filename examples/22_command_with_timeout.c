/* A line for the shell that may take so long and no longer. */
#include <kin.h>
#include <stdio.h>

int main(void)
{
    /* In a group of its own, so that what the shell has started dies with it. */
    const char *const line[] = { "echo working; sleep 1000 & sleep 2000; echo done", NULL };
    kin_completed_process done = { 0 };
    int rv = kin_run(
        line, KIN_OPT(kin_run_options, .shell = true, .capture = true, .group = true, .timeout = 1),
        &done);
    printf("%s: exit code %d, and until then: %s", kin_errname(rv), done.returncode, done.out);
    kin_completed_process_done(&done);

    /* Or look now and then, and ask politely: nothing is lost by a wait that times out. */
    const char *const argv[] = { "sleep", "1000", NULL };
    kin_auto(kin_popen) popen = NULL;
    KIN_CHECK(kin_popen_new(&popen, argv, NULL));
    rv = kin_popen_wait(popen, 0.1);
    printf("%s: %s\n", kin_errname(rv), kin_popen_poll(popen) == KIN_RUNNING ? "it runs" : "gone");
    KIN_CHECK(kin_popen_terminate(popen));
    printf("exit code %d\n", kin_popen_wait(popen, KIN_FOREVER));
    return 0;
}
