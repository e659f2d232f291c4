/* What a pool has done: numbers from kin_pool_stats, and a trace to look at in ui.perfetto.dev.
 * KIN_TRACE=file.json in the environment of any program gives the trace. */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kin_obj sum_up_to(kin_obj args)
{
    int64_t sum = 0;
    for (int64_t i = 1; i <= kin_arg_int(args, 0); i++) {
        sum += i;
    }
    return sum > 10000 ? kin_error(KIN_EUSER, "too much") : kin_int(sum);
}

/* How many events of the trace have this in them. */
static int count_events(const char *path, const char *what)
{
    char line[600];
    int n = 0;
    FILE *trace = fopen(path, "r");
    while (trace != NULL && fgets(line, sizeof line, trace) != NULL) {
        n += strstr(line, what) != NULL;
    }
    if (trace != NULL) {
        fclose(trace);
    }
    return n;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    char path[80];
    snprintf(path, sizeof path, "/tmp/kin-trace-%d.json", kin_process_pid(kin_current_process()));
    setenv("KIN_TRACE", path, 1); /* here by the program itself: before its first pool */

    kin_pool *pool;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .stats = true)));
    for (int n = 1; n <= 150; n++) {
        (void)kin_pool_apply(pool, sum_up_to, kin_args(kin_int(n)), NULL);
    }

    kin_obj stats;
    KIN_CHECK(kin_pool_stats(pool, &stats));
    kin_obj run = kin_lookup(stats, kin_str("run"));
    printf("done: %lld, failed: %lld\n", (long long)kin_as_int(kin_lookup(stats, kin_str("done"))),
           (long long)kin_as_int(kin_lookup(stats, kin_str("failed"))));
    printf("half of the tasks ran for less than the slowest: %s\n",
           kin_as_float(kin_lookup(run, kin_str("p50"))) <=
                   kin_as_float(kin_lookup(run, kin_str("max")))
               ? "yes"
               : "no");
    kin_release(stats);

    kin_pool_free(pool); /* from now on the file is complete */
    printf("tasks in the trace: %d\n", count_events(path, "\"wait\":"));
    printf("workers in the trace: %d\n", count_events(path, "\"name\":\"thread_name\""));
    remove(path);
    return 0;
}
