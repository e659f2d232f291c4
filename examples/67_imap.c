/* Results in order, each as soon as it and those before it are there. The items come from a
 * function, which is asked for the next one when there is room for it.
 *
 * Python: for result in pool.imap(wait_for, [1, 3, 5, 7, 9]): print(f'waited for {result}')
 */
#include <kin.h>
#include <stdio.h>

static kin_obj wait_for(kin_obj args)
{
    KIN_TRY(kin_sleep((double)kin_arg_int(args, 0) * 0.02));
    return kin_arg(args, 0);
}

static int next_odd(void *ctx, kin_obj *ret_item)
{
    int64_t *n = ctx;
    if (*n > 9) {
        return KIN_EEOF;
    }
    *ret_item = kin_int(*n);
    *n += 2;
    return 0;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL));

    int64_t from = 1;
    kin_source source = { .next = next_odd, .ctx = &from };
    kin_auto(kin_iter) results = NULL;
    KIN_CHECK(kin_pool_imap(pool, wait_for, &source, NULL, &results));
    kin_obj result;
    int rv;
    while ((rv = kin_iter_next(results, &result, KIN_FOREVER)) == 0) {
        printf("waited for %lld\n", (long long)kin_as_int(result));
        kin_release(result);
    }
    printf("%s: that was all\n", kin_errname(rv));
    return 0;
}
