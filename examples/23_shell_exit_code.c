/* Other programs and their exit codes: one by name, one line for the shell, one that is not there.
 *
 * Python: r = subprocess.call(['nslookup', …]); r = subprocess.call(…, shell=True);
 * subprocess.run(…, check=True)
 */
#include <kin.h>
#include <stdio.h>

static void run(const char *const argv[], const kin_run_options *options)
{
    kin_completed_process done = { 0 };
    int rv = kin_run(argv, options, &done);
    if (rv < 0) {
        printf("%s: %s\n", kin_errname(rv), kin_strerror(rv));
    } else {
        printf("exit code: %d\n", done.returncode);
    }
    kin_completed_process_done(&done);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    run((const char *const[]){ "echo", "its output is ours", NULL }, NULL);

    const char *const line[] = { "echo shell: $0 $1; exit 3", "one", "two", NULL };
    run(line, KIN_OPT(kin_run_options, .shell = true));
    run(line, KIN_OPT(kin_run_options, .shell = true, .check = true));

    run((const char *const[]){ "no-such-program", NULL }, NULL);
    return 0;
}
