/* A pool, as Python's own documentation shows it: in order, in any order, one call, several at
 * once, and one that takes longer than we care to wait.
 *
 * Python: "Using a pool of workers" on the page of multiprocessing
 */
#include <kin.h>
#include <stdio.h>
#include <unistd.h>

static kin_obj square(kin_obj args)
{
    return kin_int(kin_arg_int(args, 0) * kin_arg_int(args, 0));
}

static kin_obj own_pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

static kin_obj sleep_for(kin_obj args)
{
    KIN_TRY(kin_sleep(kin_arg_float(args, 0)));
    return kin_none();
}

static int next_number(void *ctx, kin_obj *ret_item)
{
    int *n = ctx;
    if (*n == 10) {
        return KIN_EEOF;
    }
    *ret_item = kin_int((*n)++);
    return 0;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 4)));

    kin_obj result;
    KIN_CHECK(kin_pool_map(pool, square, kin_range(0, 10), NULL, &result));
    kin_print(result);
    kin_release(result);

    int n = 0;
    int64_t sum = 0;
    kin_source numbers = { .next = next_number, .ctx = &n };
    kin_auto(kin_iter) squares = NULL;
    KIN_CHECK(kin_pool_imap(pool, square, &numbers, KIN_OPT(kin_map_options, .unordered = true),
                            &squares));
    while (kin_iter_next(squares, &result, KIN_FOREVER) == 0) {
        sum += kin_as_int(result);
        kin_release(result);
    }
    printf("the same in any order; their sum is %lld\n", (long long)sum);

    kin_future *pids[4]; /* several at once *may* use several processes */
    for (int i = 0; i < 4; i++) {
        KIN_CHECK(kin_pool_submit(pool, own_pid, kin_args(), NULL, &pids[i]));
    }
    for (int i = 0; i < 4; i++) {
        KIN_CHECK(kin_future_get(pids[i], &result, KIN_FOREVER));
        printf("run in %s process\n", kin_as_int(result) == getpid() ? "this" : "another");
        kin_future_free(pids[i]);
    }

    kin_auto(kin_future) sleeper = NULL;
    KIN_CHECK(kin_pool_submit(pool, sleep_for, kin_args(kin_float(1000)), NULL, &sleeper));
    printf("%s: we lacked patience\n", kin_errname(kin_future_get(sleeper, &result, 0.1)));
    KIN_CHECK(kin_pool_apply(pool, square, kin_args(kin_int(20)), &result));
    printf("and the pool is available for more work: %lld\n", (long long)kin_as_int(result));
    return 0; /* frees the pool, and ends the sleeper with it */
}
