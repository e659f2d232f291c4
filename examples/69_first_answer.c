/* The same question to three mirrors: the first answer counts, and the others are cancelled. A task
 * that runs is ended with its worker, which is replaced.
 *
 * Python: wait(futures, return_when=FIRST_COMPLETED); future.cancel(), which cannot end what runs
 */
#include <kin.h>
#include <stdio.h>

#define MIRRORS 3

static kin_obj ask(kin_obj args)
{
    KIN_TRY(kin_sleep(kin_arg_float(args, 1)));
    return kin_strf("the answer of %s", kin_arg_str(args, 0));
}

int main(int argc, char **argv)
{
    static const char *const names[MIRRORS] = { "alpha", "beta", "gamma" };
    static const double seconds[MIRRORS] = { 1000, 0.05, 2000 };
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = MIRRORS)));

    kin_future *futures[MIRRORS];
    for (int i = 0; i < MIRRORS; i++) {
        KIN_CHECK(kin_pool_submit(pool, ask, kin_args(kin_str(names[i]), kin_float(seconds[i])),
                                  KIN_OPT(kin_submit_options, .name = names[i]), &futures[i]));
    }
    KIN_CHECK(kin_futures_wait(futures, MIRRORS, KIN_FIRST_COMPLETED, KIN_FOREVER));

    for (int i = 0; i < MIRRORS; i++) {
        if (!kin_future_done(futures[i])) {
            KIN_CHECK(kin_future_cancel(futures[i], KIN_OPT(kin_cancel_options, .kill = true)));
        }
    }
    for (int i = 0; i < MIRRORS; i++) {
        kin_obj answer;
        int rv = kin_future_get(futures[i], &answer, KIN_FOREVER);
        if (rv == 0) {
            kin_print(answer);
            kin_release(answer);
        } else {
            printf("%s: %s\n", names[i], kin_errname(rv));
        }
        kin_future_free(futures[i]);
    }
    return 0;
}
