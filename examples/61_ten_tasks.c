/* Ten tasks on four workers: four run at once, the others wait until a worker is free. Each has
 * the result that it gave, whoever ran it and however long it took.
 *
 * Python: p = Pool(4); results = [p.apply_async(work, args=(name,)) for name in names]; p.close();
 * p.join(); [r.get() for r in results]
 */
#include <kin.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TASKS 10

static kin_obj work(kin_obj args)
{
    double begin = kin_now();
    fprintf(stderr, "%s runs in process %d\n", kin_arg_str(args, 0), getpid());
    KIN_TRY(kin_sleep(kin_arg_float(args, 1))); /* it might fetch a page */
    return kin_tuple(kin_arg(args, 0), kin_int(getpid()), kin_float(kin_now() - begin));
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = 4)));

    kin_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++) { /* workers are forks: rand() would say the same in each */
        kin_obj name = kin_strf("task %d", i);
        kin_obj pause = kin_float((rand() % 300) / 1000.0);
        KIN_CHECK(kin_pool_submit(pool, work, kin_args(name, pause), NULL, &futures[i]));
    }
    printf("all are submitted, and the workers are at it\n");
    KIN_CHECK(kin_pool_close(pool)); /* no more tasks */
    KIN_CHECK(kin_pool_join(pool, KIN_FOREVER));

    for (int i = 0; i < TASKS; i++) {
        kin_obj result;
        KIN_CHECK(kin_future_get(futures[i], &result, 0));
        printf("%s is done\n", kin_as_str(kin_at(result, 0)));
        fprintf(stderr, "by process %lld, in %.3f s\n", (long long)kin_as_int(kin_at(result, 1)),
                kin_as_float(kin_at(result, 2)));
        kin_release(result);
        kin_future_free(futures[i]);
    }
    return 0;
}
