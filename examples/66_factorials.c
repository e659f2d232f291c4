/* The factorials of 1 to 100, by all the ways to ask a pool, timed. Each is so little work that
 * what counts is how the tasks travel: one at a time and waited for, one at a time, or in chunks.
 *
 * Python: [pool.apply(factorial, (n,)) for n in …], pool.apply_async, pool.map, pool.map_async
 */
#include <kin.h>
#include <stdio.h>

#define UP_TO 100

static kin_obj factorial(kin_obj args)
{
    unsigned char digits[72] = { 1 }; /* to the base of 256, the lowest first; 100! has 66 */
    for (int64_t n = kin_arg_int(args, 0); n > 1; n--) {
        unsigned carry = 0;
        for (size_t i = 0; i < sizeof digits; i++) {
            carry += digits[i] * (unsigned)n;
            digits[i] = (unsigned char)(carry & 0xff);
            carry >>= 8;
        }
    }
    return kin_bigint(digits, sizeof digits, false);
}

static void by_apply(kin_pool *pool, kin_obj *results)
{
    kin_obj one;
    for (int n = 1; n <= UP_TO; n++) {
        KIN_CHECK(kin_pool_apply(pool, factorial, kin_args(kin_int(n)), &one));
        KIN_CHECK(kin_append(results, one));
    }
}

static void by_submit(kin_pool *pool, kin_obj *results)
{
    kin_future *futures[UP_TO];
    for (int i = 0; i < UP_TO; i++) {
        KIN_CHECK(kin_pool_submit(pool, factorial, kin_args(kin_int(i + 1)), NULL, &futures[i]));
    }
    for (int i = 0; i < UP_TO; i++) {
        kin_obj one;
        KIN_CHECK(kin_future_get(futures[i], &one, KIN_FOREVER));
        KIN_CHECK(kin_append(results, one));
        kin_future_free(futures[i]);
    }
}

static void by_map(kin_pool *pool, kin_obj *results)
{
    kin_release(*results);
    KIN_CHECK(kin_pool_map(pool, factorial, kin_range(1, UP_TO + 1), NULL, results));
}

static void by_map_async(kin_pool *pool, kin_obj *results)
{
    kin_auto(kin_future) future = NULL;
    kin_release(*results);
    KIN_CHECK(kin_pool_map_async(pool, factorial, kin_range(1, UP_TO + 1), NULL, &future));
    KIN_CHECK(kin_future_get(future, results, KIN_FOREVER));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*compute)(kin_pool *pool, kin_obj *results);
    } ways[] = { { "apply", by_apply },
                 { "submit", by_submit },
                 { "map", by_map },
                 { "map_async", by_map_async } };
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, NULL));
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        kin_obj results = kin_list();
        double begin = kin_now();
        ways[i].compute(pool, &results);
        fprintf(stderr, "%-10s %8.3f ms\n", ways[i].name, (kin_now() - begin) * 1e3);
        printf("%s: %zu numbers, the last is\n", ways[i].name, kin_len(results));
        kin_print(kin_at(results, UP_TO - 1));
        kin_release(results);
    }
    return 0;
}
