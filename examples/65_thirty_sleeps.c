/* Thirty tasks that wait, on three workers: they take as long as ten of them. Who waits needs no
 * processor, so it is all the same whether threads or processes do it.
 *
 * Python: tasks = [executor.submit(random_sleep, 2) for _ in range(30)]; as_completed(tasks)
 */
#include <kin.h>
#include <stdio.h>

#define TASKS 30
#define WORKERS 3
#define PAUSE 0.05

static kin_obj pause_for(kin_obj args)
{
    KIN_TRY(kin_sleep(kin_arg_float(args, 0)));
    return kin_arg(args, 0);
}

static void sleep_on(const char *whom, const kin_pool_options *options)
{
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, options));
    double begin = kin_now();
    kin_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++) {
        KIN_CHECK(kin_pool_submit(pool, pause_for, kin_args(kin_float(PAUSE)), NULL, &futures[i]));
    }
    KIN_CHECK(kin_futures_wait(futures, TASKS, KIN_ALL_COMPLETED, KIN_FOREVER));
    double seconds = kin_now() - begin;
    int slept = 0;
    for (int i = 0; i < TASKS; i++) {
        slept += kin_future_done(futures[i]);
        kin_future_free(futures[i]);
    }
    printf("%d %s slept %d times, %s\n", WORKERS, whom, slept,
           seconds >= PAUSE * TASKS / WORKERS ? "each of them a third" : "and hardly so");
    fprintf(stderr, "in %.2f s instead of %.2f s\n", seconds, PAUSE * TASKS);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    sleep_on("processes", KIN_OPT(kin_pool_options, .processes = WORKERS));
    sleep_on("threads", KIN_OPT(kin_pool_options, .threads = WORKERS));
    return 0;
}
