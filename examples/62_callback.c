/* Functions that are called when a task is done, well or badly. They are called in the thread that
 * waits for the pool, here within kin_pool_join: no thread of anybody else's, and no lock.
 *
 * Python: pool.apply_async(func=work, args=('t1',), callback=remember)
 */
#include <kin.h>
#include <stdio.h>
#include <string.h>

static kin_obj work(kin_obj args)
{
    if (strcmp(kin_arg_str(args, 0), "t3") == 0) {
        return kin_error(KIN_EUSER, "t3 has no data");
    }
    return kin_strf("%s and its result", kin_arg_str(args, 0));
}

struct outcome {
    int code;
    kin_obj result;
};

static void remember(kin_future *future, void *ctx)
{
    struct outcome *outcome = ctx;
    outcome->code = kin_future_get(future, &outcome->result, 0);
    if (outcome->code < 0) {
        outcome->result = kin_str(kin_errmsg());
    }
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 5)));

    /* Nobody keeps a future: it lives until its function has been called. */
    struct outcome outcomes[3] = { 0 };
    for (int i = 0; i < 3; i++) {
        const kin_submit_options *options =
            KIN_OPT(kin_submit_options, .on_done = remember, .ctx = &outcomes[i]);
        KIN_CHECK(kin_pool_submit(pool, work, kin_args(kin_strf("t%d", i + 1)), options, NULL));
    }
    for (int i = 3; i < 6; i++) { /* these are run, and nobody is told */
        KIN_CHECK(kin_pool_submit(pool, work, kin_args(kin_strf("t%d", i + 1)), NULL, NULL));
    }
    KIN_CHECK(kin_pool_close(pool));
    KIN_CHECK(kin_pool_join(pool, KIN_FOREVER));

    for (int i = 0; i < 3; i++) {
        printf("%s: ", outcomes[i].code < 0 ? kin_errname(outcomes[i].code) : "done");
        kin_print(outcomes[i].result);
        kin_release(outcomes[i].result);
    }
    return 0;
}
