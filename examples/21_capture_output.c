/* What a program wrote and how it ended; and what it looks like when there is no such program. */
#include <kin.h>
#include <stdio.h>

/* As Python's check_output: what it wrote, or an error when it fails. */
static int check_output(const char *const argv[], kin_completed_process *ret_done)
{
    return kin_run(argv, KIN_OPT(kin_run_options, .out = KIN_PIPE, .check = true), ret_done);
}

int main(void)
{
    /* As Python's subprocess.call(..., shell=True): a line for the shell, and its exit code. */
    const char *const line[] = { "echo to stdout; echo to stderr >&2; exit 3", NULL };
    kin_completed_process done = { 0 };
    KIN_CHECK(kin_run(line, KIN_OPT(kin_run_options, .shell = true, .capture = true), &done));
    printf("exit code %d, %zu bytes: %s%zu bytes: %s", done.returncode, done.out_size, done.out,
           done.err_size, done.err);
    kin_completed_process_done(&done);

    const char *const argv[] = { "expr", "6", "*", "7", NULL };
    KIN_CHECK(check_output(argv, &done));
    printf("6 * 7 = %s", done.out);
    kin_completed_process_done(&done);

    const char *const failing[] = { "expr", "0", NULL };
    int rv = check_output(failing, &done);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    kin_completed_process_done(&done); /* what it wrote until then */

    const char *const missing[] = { "no-such-program", NULL };
    rv = check_output(missing, &done);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    return 0;
}
