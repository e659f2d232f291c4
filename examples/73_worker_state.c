/* What is dear to make is made once in each worker, by its initializer, and serves all its tasks:
 * here a compiled pattern, elsewhere a connection to a database. A finalizer takes it away.
 *
 * Python: Pool(2, initializer=prepare, initargs=(pattern,)), and a global that prepare sets
 */
#include <kin.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static kin_obj prepare(kin_obj args)
{
    regex_t *pattern = malloc(sizeof *pattern);
    if (pattern == NULL || regcomp(pattern, kin_arg_str(args, 0), REG_EXTENDED) != 0) {
        return kin_error(KIN_EUSER, "%s is no pattern", kin_arg_str(args, 0));
    }
    kin_worker_set_state(pattern);
    return kin_none();
}

/* A worker that leaves in order calls it; one that is killed does not. */
static kin_obj clear_up(kin_obj args)
{
    atomic_int *left = kin_arg_shared(args, 0);
    regfree(kin_worker_state());
    free(kin_worker_state());
    atomic_fetch_add(left, 1);
    return kin_none();
}

/* The task: the year in a line, or none. */
static kin_obj find_year(kin_obj args)
{
    regmatch_t found;
    const char *line = kin_arg_str(args, 0);
    if (regexec(kin_worker_state(), line, 1, &found, 0) != 0) {
        return kin_none();
    }
    return kin_int(strtoll(line + found.rm_so, NULL, 10));
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    atomic_int *left = kin_alloc(sizeof *left);
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .initializer = prepare,
                                          .initargs = kin_args(kin_str("(19|20)[0-9][0-9]")),
                                          .finalizer = clear_up,
                                          .finalargs = kin_args(kin_shared(left)))));

    kin_obj lines =
        kin_list(kin_str("C was born in 1972"), kin_str("Linux followed in 1991,"),
                 kin_str("and nobody knows when this was written"), kin_str("C11 came in 2011"));
    kin_obj years;
    KIN_CHECK(kin_pool_map(pool, find_year, lines, NULL, &years));
    kin_print(years);
    kin_release(years);

    KIN_CHECK(kin_pool_close(pool));
    KIN_CHECK(kin_pool_join(pool, KIN_FOREVER));
    printf("%d workers have cleared up\n", atomic_load(left));
    kin_free(left);
    return 0;
}
