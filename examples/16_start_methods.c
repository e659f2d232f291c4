/* The same function by each start method. A forked child has what its parent had in memory; others
 * have their arguments, and what the family shares.
 *
 * Python: mp.set_start_method('spawn'); mp.get_context('forkserver').Process(target=f); … and
 * mp.set_forkserver_preload([…])
 */
#include <kin.h>
#include <stdio.h>

static int setting = 1;     /* this process's own */
static const char *greeted; /* what the preload leaves to children of the fork server */

static kin_obj preload(kin_obj args)
{
    (void)args;
    greeted = "preloaded";
    return kin_none();
}

static kin_obj look(kin_obj args)
{
    int *shared = kin_arg_shared(args, 1);
    printf("%-10s setting %d, shared %d%s%s\n", kin_arg_str(args, 0), setting, *shared,
           greeted != NULL ? ", " : "", greeted != NULL ? greeted : "");
    *shared += 1;
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv)); /* spawned children turn into their task here */
    KIN_CHECK(kin_set_forkserver_preload(preload));
    setting = 2;
    int *shared = kin_alloc(sizeof *shared);
    KIN_CHECK(shared != NULL ? 0 : KIN_ENOMEM);

    for (const char *const *method = kin_start_methods(); *method != NULL; method++) {
        kin_auto(kin_process) child = NULL;
        KIN_CHECK(kin_start(&child, look, kin_args(kin_str(*method), kin_shared(shared)),
                            KIN_OPT(kin_process_options, .start_method = *method)));
        KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    }

    printf("without a word: %s", kin_get_start_method());
    KIN_CHECK(kin_set_start_method("spawn", false));
    printf("; now: %s\n", kin_get_start_method());
    if (kin_set_start_method("fork", false) < 0) {
        printf("%s\n", kin_errmsg());
    }
    kin_free(shared);
    return 0;
}
