/* Numbers of another library, here of GMP: a task returns one as an int of any size. And what more
 * workers give where each task is as small as a factorial: nothing, but they cost little.
 *
 * Python: Pool(50).map(math.factorial, range(1, 101))
 */
#include <gmp.h>
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>

static kin_obj factorial(kin_obj args)
{
    mpz_t number;
    size_t size;
    mpz_init(number);
    mpz_fac_ui(number, (unsigned long)kin_arg_int(args, 0));
    void *bytes = mpz_export(NULL, &size, -1, 1, 0, 0, number); /* the lowest byte first */
    kin_obj result = kin_bigint(bytes, size, false);
    free(bytes);
    mpz_clear(number);
    return result;
}

static void to_gmp(kin_obj object, mpz_t number)
{
    unsigned char bytes[1024];
    bool negative;
    int size = kin_to_bigint(object, bytes, sizeof bytes, &negative);
    KIN_CHECK(size);
    mpz_import(number, (size_t)size, -1, 1, 0, 0, bytes);
}

int main(int argc, char **argv)
{
    static const unsigned workers[] = { 1, 4, 50, 100 };
    KIN_CHECK(kin_init(argc, argv));
    mpz_t sum, number;
    mpz_inits(sum, number, NULL);
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        double begin = kin_now();
        kin_auto(kin_pool) pool = NULL;
        kin_obj results;
        KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = workers[i])));
        KIN_CHECK(kin_pool_map(pool, factorial, kin_range(1, 101), NULL, &results));
        fprintf(stderr, "%u workers: made and used in %.2f ms\n", workers[i],
                (kin_now() - begin) * 1e3);
        for (size_t n = 0; n < kin_len(results); n++) {
            to_gmp(kin_at(results, n), number);
            mpz_add(sum, sum, number);
        }
        kin_release(results);
    }
    gmp_printf("four times the sum of 1! to 100! is\n%Zd\n", sum);
    mpz_clears(sum, number, NULL);
    return 0;
}
