/* A pool that is changed while it works: workers that leave after ten tasks each, in case they
 * leak; more of them when there is more to do; and what the pool has to say of itself.
 *
 * Python: Pool(2, maxtasksperchild=10), which can neither be resized nor asked
 */
#include <kin.h>
#include <stdio.h>

static kin_obj leak(kin_obj args)
{
    if (kin_arg_int(args, 0) == 13) {
        return kin_error(KIN_EUSER, "no luck with 13");
    }
    return kin_none();
}

static int64_t entry(kin_obj stats, const char *name)
{
    return kin_as_int(kin_lookup(stats, kin_str(name)));
}

static void show(const char *when, kin_pool *pool)
{
    kin_obj stats;
    KIN_CHECK(kin_pool_stats(pool, &stats));
    kin_obj workers = kin_lookup(stats, kin_str("workers"));
    int64_t restarts = 0;
    for (size_t i = 0; i < kin_len(workers); i++) {
        restarts += entry(kin_at(workers, i), "restarts");
    }
    printf("%s: %zu workers, %lld tasks done, %lld failed%s\n", when, kin_len(workers),
           (long long)entry(stats, "done"), (long long)entry(stats, "failed"),
           restarts > 0 ? ", workers were replaced" : "");
    kin_release(stats);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 2, .max_tasks_per_child = 10)));
    show("at first", pool);

    kin_future *futures[50];
    for (int i = 0; i < 50; i++) {
        KIN_CHECK(kin_pool_submit(pool, leak, kin_args(kin_int(i)), NULL, &futures[i]));
    }
    KIN_CHECK(kin_futures_wait(futures, 50, KIN_ALL_COMPLETED, KIN_FOREVER));
    for (int i = 0; i < 50; i++) {
        kin_future_free(futures[i]);
    }
    show("after fifty", pool);

    KIN_CHECK(kin_pool_resize(pool, 4));
    KIN_CHECK(kin_pool_apply(pool, leak, kin_args(kin_int(0)), NULL));
    show("after resize", pool);
    return 0;
}
