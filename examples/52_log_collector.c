/* Three processes log into one queue, and one process writes the lines out: those of each producer
 * in their order. One producer is killed while he writes a line; that line has never been there. */
#include <kin.h>
#include <signal.h>
#include <stdio.h>

enum { LINES = 4, LONGEST = 200 };

static kin_obj produce(kin_obj args)
{
    kin_queue *log = kin_as(kin_queue, kin_arg(args, 0));
    for (int i = 1; i <= LINES; i++) {
        void *line; /* in the family's memory: nothing is copied on its way to the collector */
        KIN_TRY(kin_queue_reserve(log, LONGEST, &line));
        int size = snprintf(line, LONGEST, "%s did %d of %d\n", kin_arg_str(args, 1), i, LINES);
        if (i == kin_arg_int(args, 2)) {
            raise(SIGKILL);
        }
        KIN_TRY(kin_queue_commit(log, line, (size_t)size, KIN_FOREVER));
    }
    return kin_none();
}

/* It could write to a file. So that this program prints the same each time, sort puts the producers
 * one after the other, and leaves each one's lines as they came. */
static kin_obj collect(kin_obj args)
{
    kin_queue *log = kin_as(kin_queue, kin_arg(args, 0));
    const char *const argv[] = { "sort", "-s", "-k1,1", NULL };
    kin_auto(kin_popen) sort = NULL;
    KIN_TRY(kin_popen_new(&sort, argv, KIN_OPT(kin_run_options, .in = KIN_PIPE)));
    kin_message line;
    int rv;
    while ((rv = kin_queue_peek(log, &line, KIN_FOREVER)) == 0) {
        dprintf(kin_popen_stdin(sort), "%.*s", (int)line.size, (const char *)line.bytes);
        KIN_TRY(kin_queue_consume(log, &line));
    }
    KIN_TRY(rv == KIN_ECLOSED ? kin_popen_close_stdin(sort) : rv);
    KIN_TRY(kin_popen_wait(sort, KIN_FOREVER));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_queue) log = NULL;
    KIN_CHECK(kin_queue_new(&log, NULL));
    kin_auto(kin_process) collector = NULL;
    KIN_CHECK(kin_start(&collector, collect, kin_args(kin_shared(log)), NULL));

    static const char *const names[] = { "ada", "bob", "cyd" };
    kin_process *producers[3];
    for (int i = 0; i < 3; i++) {
        kin_obj fate = kin_int(i == 1 ? 3 : 0); /* bob is killed in his third line */
        KIN_CHECK(kin_start(&producers[i], produce,
                            kin_args(kin_shared(log), kin_str(names[i]), fate), NULL));
    }
    for (int i = 0; i < 3; i++) {
        KIN_CHECK(kin_process_join(producers[i], KIN_FOREVER));
    }
    KIN_CHECK(kin_queue_close(log)); /* the collector writes what is there, and ends */
    KIN_CHECK(kin_process_join(collector, KIN_FOREVER));
    for (int i = 0; i < 3; i++) {
        printf("%s: exit code %d\n", names[i], kin_process_exitcode(producers[i]));
        kin_process_free(producers[i]);
    }
    return 0;
}
