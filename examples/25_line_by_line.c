/* A conversation with another program, line by line: the shell as a calculator, as bc might be.
 *
 * A program whose stdout is no terminal may keep what it says until it has said much, and then both
 * sides wait: it must flush, or be told to (stdbuf -oL, sed -u, grep --line-buffered). */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

static const char *const shell[] = { "while read -r sum; do echo $(($sum)); done; echo bye", NULL };

static int ask(FILE *to, FILE *from, const char *sum)
{
    char answer[100];
    fprintf(to, "%s\n", sum);
    fflush(to);
    if (fgets(answer, sizeof answer, from) == NULL) {
        return -1;
    }
    printf("%s = %s", sum, answer);
    return 0;
}

int main(void)
{
    kin_auto(kin_popen) calculator = NULL;
    const kin_run_options *options =
        KIN_OPT(kin_run_options, .shell = true, .in = KIN_PIPE, .out = KIN_PIPE);
    KIN_CHECK(kin_popen_new(&calculator, shell, options));

    /* The pipes' ends belong to the popen, which closes them: a FILE has its own. */
    FILE *to = fdopen(dup(kin_popen_stdin(calculator)), "w");
    FILE *from = fdopen(dup(kin_popen_stdout(calculator)), "r");
    if (to == NULL || from == NULL || ask(to, from, "6 * 7") < 0 || ask(to, from, "1 << 20") < 0) {
        return 1;
    }

    /* Its stdin ends when the last one who holds our end of it has closed that: twice, here. */
    fclose(to);
    KIN_CHECK(kin_popen_close_stdin(calculator));
    for (int c; (c = getc(from)) != EOF;) {
        putchar(c);
    }
    fclose(from);
    printf("exit code %d\n", kin_popen_wait(calculator, KIN_FOREVER));
    return 0;
}
