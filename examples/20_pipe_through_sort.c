/* Data through another program: all of the input in, all of the output out. */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    const char *const argv[] = { "sort", "-n", NULL };
    const kin_run_options *options =
        KIN_OPT(kin_run_options, .input = "100\n20\n3\n", .capture = true);
    kin_completed_process sorted = { 0 };
    KIN_CHECK(kin_run(argv, options, &sorted));
    fputs(sorted.out, stdout);
    kin_completed_process_done(&sorted);

    /* Or by and by, while it runs: it has a pipe to read from and one to write to. */
    kin_auto(kin_popen) sort = NULL;
    options = KIN_OPT(kin_run_options, .in = KIN_PIPE, .out = KIN_PIPE);
    KIN_CHECK(kin_popen_new(&sort, argv, options));
    for (int i = 5; i > 0; i--) {
        dprintf(kin_popen_stdin(sort), "%d\n", i * 11);
    }
    KIN_CHECK(kin_popen_communicate(sort, NULL, 0, KIN_FOREVER, &sorted));
    fputs(sorted.out, stdout);
    kin_completed_process_done(&sorted);
    return 0;
}
