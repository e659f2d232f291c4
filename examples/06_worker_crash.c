/* A worker that dies costs the task in its hands, and nothing else. */
#include <kin.h>
#include <signal.h>
#include <stdio.h>

#define TASKS 8

static kin_obj risky(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    if (n == 3) {
        raise(SIGKILL);
    }
    return kin_int(n * n);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2)));

    kin_future *futures[TASKS];
    for (int n = 0; n < TASKS; n++) {
        KIN_CHECK(kin_pool_submit(pool, risky, kin_args(kin_int(n)), NULL, &futures[n]));
    }
    for (int n = 0; n < TASKS; n++) {
        kin_obj result;
        int rv = kin_future_get(futures[n], &result, KIN_FOREVER);
        if (rv < 0) { /* kin_errmsg() has the worker's pid and its signal */
            printf("task %d: %s, %s\n", n, kin_errname(rv), kin_strerror(rv));
        } else {
            printf("task %d: %lld\n", n, (long long)kin_as_int(result));
            kin_release(result);
        }
        kin_future_free(futures[n]);
    }

    /* The dead worker has been replaced: the pool is as good as new. */
    kin_obj results;
    KIN_CHECK(kin_pool_map(pool, risky, kin_range(4, 8), NULL, &results));
    kin_print(results);
    kin_release(results);
    return 0;
}
