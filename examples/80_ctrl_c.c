/* Ctrl-C in the middle of a map: the program says how far it is, and leaves nobody behind. A second
 * one, while the first has not been noticed, would end it as always. */
#include <kin.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define QUICK 10
#define ITEMS 1000

static kin_obj work(kin_obj args)
{
    int64_t item = kin_arg_int(args, 0);
    if (item >= QUICK) {
        KIN_TRY(kin_sleep(KIN_FOREVER));
    }
    return kin_int(item * item);
}

/* Somebody at the keyboard. */
static kin_obj press_ctrl_c(kin_obj args)
{
    KIN_TRY(kin_event_wait(kin_arg_shared(args, 0), KIN_FOREVER));
    kill(getppid(), SIGINT);
    return kin_none();
}

int main(void)
{
    kin_auto(kin_event) seen = NULL;
    kin_auto(kin_process) user = NULL;
    kin_auto(kin_pool) pool = NULL;
    kin_auto(kin_iter) results = NULL;
    KIN_CHECK(kin_handle_sigint());
    KIN_CHECK(kin_event_new(&seen, NULL));
    KIN_CHECK(kin_start(&user, press_ctrl_c, kin_args(kin_shared(seen)), NULL));
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));

    const kin_source items = { .items = kin_range(0, ITEMS) };
    KIN_CHECK(kin_pool_imap(pool, work, &items, NULL, &results));
    kin_obj result;
    int done = 0;
    int rv;
    while ((rv = kin_iter_next(results, &result, KIN_FOREVER)) == 0) {
        kin_release(result);
        if (++done == QUICK) {
            KIN_CHECK(kin_event_set(seen));
        }
    }
    printf("%s: %d of %d are done\n", kin_errname(rv), done, ITEMS);

    kin_iter_free(results);
    kin_pool_free(pool); /* what still sleeps is killed */
    results = NULL;
    pool = NULL;
    KIN_CHECK(kin_process_join(user, KIN_FOREVER));
    printf("%d children are left\n", kin_active_children(NULL, 0));
    return 0;
}
