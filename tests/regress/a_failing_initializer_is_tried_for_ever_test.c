/* In Python a multiprocessing.Pool whose initializer fails starts its workers again and again, for
 * ever, and map() never returns. Here the pool is broken: everybody who waits is told why. */
#include "scene.h"

static kin_obj cannot_begin(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    atomic_fetch_add(begun, 1);
    return kin_error(KIN_EUSER, "no database at %s", kin_arg_str(args, 1));
}

TEST(a_pool_whose_initializer_fails_is_broken_and_says_why)
{
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_pool *pool;
    kin_obj results;
    CHECK_OK(kin_pool_new(
        &pool, KIN_OPT(kin_pool_options, .processes = 2, .initializer = cannot_begin,
                       .initargs = kin_args(kin_shared((void *)begun), kin_str("localhost")))));
    CHECK_ERROR(kin_pool_map(pool, square, kin_range(0, 100), NULL, &results), KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "initializer failed: no database at localhost");
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER)); /* it has ended by itself */
    CHECK_LE(*begun, 2);
    kin_free((void *)begun);
    free_whole(pool);
}
