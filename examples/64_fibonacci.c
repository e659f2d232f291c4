/* The same work on three threads and in three processes, the results as they come. In C threads
 * compute side by side, so both take as long; what a process adds is that it may crash alone.
 *
 * Python: with ThreadPoolExecutor(3) as executor: tasks = [executor.submit(fib, n) for n in …]
 *         for future in as_completed(tasks): print(future.result())
 */
#include <kin.h>
#include <stdio.h>

#define TASKS 10

static int64_t fib(int64_t n)
{
    return n <= 2 ? 1 : fib(n - 1) + fib(n - 2);
}

static kin_obj fib_task(kin_obj args)
{
    return kin_int(fib(kin_arg_int(args, 0)));
}

static void compute_on(const char *whom, const kin_pool_options *options)
{
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, options));
    double begin = kin_now();
    kin_future *futures[TASKS];
    for (int i = 0; i < TASKS; i++) {
        KIN_CHECK(kin_pool_submit(pool, fib_task, kin_args(kin_int(25 + i)), NULL, &futures[i]));
    }

    kin_iter *done;
    kin_future *future;
    int64_t sum = 0;
    KIN_CHECK(kin_futures_as_completed(&done, futures, TASKS));
    while (kin_iter_next_future(done, &future, KIN_FOREVER) == 0) {
        kin_obj result;
        KIN_CHECK(kin_future_get(future, &result, 0));
        fprintf(stderr, "result %lld\n", (long long)kin_as_int(result));
        sum += kin_as_int(result);
        kin_release(result);
    }
    kin_iter_free(done); /* before its futures */
    for (int i = 0; i < TASKS; i++) {
        kin_future_free(futures[i]);
    }
    printf("%s: ten numbers, their sum is %lld\n", whom, (long long)sum);
    fprintf(stderr, "in %.3f s\n", kin_now() - begin);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    compute_on("processes", KIN_OPT(kin_pool_options, .processes = 3));
    compute_on("threads", KIN_OPT(kin_pool_options, .threads = 3));
    return 0;
}
