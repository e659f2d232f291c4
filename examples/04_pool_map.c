/* A function over many inputs, on all cores. The results come in the order of the inputs. */
#include <kin.h>
#include <stdio.h>

static kin_obj square(kin_obj args)
{
    int64_t n = kin_arg_int(args, 0);
    return kin_int(n * n);
}

static kin_obj divide(kin_obj args)
{
    if (kin_arg_float(args, 1) == 0) {
        return kin_error(KIN_EUSER, "%g cannot be divided by zero", kin_arg_float(args, 0));
    }
    return kin_float(kin_arg_float(args, 0) / kin_arg_float(args, 1));
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL)); /* a worker for each core */

    kin_obj results;
    KIN_CHECK(kin_pool_map(pool, square, kin_range(0, 10), NULL, &results));
    kin_print(results);
    kin_release(results);

    /* Functions of several arguments: each item is the tuple of them. */
    kin_obj pairs = kin_list(kin_tuple(kin_int(1), kin_int(2)), kin_tuple(kin_int(22), kin_int(7)));
    const kin_map_options *star = KIN_OPT(kin_map_options, .star = true);
    KIN_CHECK(kin_pool_map(pool, divide, pairs, star, &results));
    kin_print(results);
    kin_release(results);

    /* One call, and one that fails: its own code and its own words arrive here. */
    KIN_CHECK(kin_pool_apply(pool, square, kin_args(kin_int(12)), &results));
    kin_print(results);
    kin_release(results);
    int rv = kin_pool_apply(pool, divide, kin_args(kin_int(1), kin_int(0)), &results);
    printf("%s: %s\n", kin_errname(rv), kin_errmsg());
    return 0;
}
