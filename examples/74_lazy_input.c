/* An input without end, through a pool, in bounded memory: a line is read when there is room for
 * it, results come in the order of the lines, and who has seen enough just stops.
 *
 * Python: pool.imap(longest_chain, lines, chunksize=50) reads all of its input first, which never
 * ends here; executor.map(…, buffersize=1000) of 3.14 does not
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>

/* How many steps of Collatz it is from n to 1. */
static kin_obj count_steps(kin_obj args)
{
    int64_t steps = 0;
    for (int64_t n = strtoll(kin_arg_str(args, 0), NULL, 10); n > 1; steps++) {
        n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    }
    return kin_int(steps);
}

struct input {
    FILE *file;
    int64_t lines;
};

static int next_line(void *ctx, kin_obj *ret_item)
{
    struct input *input = ctx;
    char line[64];
    if (fgets(line, sizeof line, input->file) == NULL) {
        return KIN_EEOF;
    }
    input->lines++;
    *ret_item = kin_str(line);
    return 0;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL));

    struct input input = { .file = popen("seq inf", "r") };
    kin_source source = { .next = next_line, .ctx = &input };
    kin_iter *results;
    KIN_CHECK(kin_pool_imap(pool, count_steps, &source,
                            KIN_OPT(kin_map_options, .chunksize = 50, .buffersize = 1000),
                            &results));
    int64_t ahead = 0;
    for (int64_t n = 1;; n++) {
        kin_obj steps;
        KIN_CHECK(kin_iter_next(results, &steps, KIN_FOREVER));
        ahead = input.lines - n > ahead ? input.lines - n : ahead;
        if (kin_as_int(steps) >= 300) {
            printf("%lld is the first that takes %lld steps\n", (long long)n,
                   (long long)kin_as_int(steps));
            break;
        }
    }
    printf("never more than 1000 lines ahead: %s\n", ahead <= 1000 ? "yes" : "no");
    kin_iter_free(results); /* what was not begun is cancelled */
    pclose(input.file);     /* and seq has nobody to write to */
    return 0;
}
