/* How long does it take to negate a million ints that the family shares? */
#include <kin.h>
#include <stdlib.h>

#include "common/bench.h"

#define COUNT 1000000
#define TIMES 50

/* The same code for both. */
__attribute__((noinline)) static void negate(int *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        items[i] = -items[i];
    }
}

static double ours(const void *arg)
{
    kin_array *array = *(kin_array *const *)arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        KIN_CHECK(kin_array_acquire(array, KIN_FOREVER));
        negate(kin_array_data(array), kin_array_len(array));
        KIN_CHECK(kin_array_release(array));
    }
    return (kin_now() - begin) / TIMES;
}

static double private(const void *arg)
{
    (void)arg;
    static int *items;
    items = items != NULL ? items : calloc(COUNT, sizeof *items);
    BENCH_MUST(items != NULL);
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        negate(items, COUNT);
    }
    return (kin_now() - begin) / TIMES;
}

/* One by one, with all checks, as Python does it. */
static double checked(const void *arg)
{
    kin_array *array = *(kin_array *const *)arg;
    double begin = kin_now();
    for (int64_t i = 0; i < COUNT; i++) {
        kin_obj item;
        KIN_CHECK(kin_array_get(array, i, &item));
        KIN_CHECK(kin_array_set(array, i, kin_int(-kin_as_int(item))));
    }
    return kin_now() - begin;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    kin_auto(kin_array) array = NULL;
    KIN_CHECK(kin_array_new(&array, 'i', COUNT, kin_none(), NULL));
    bench_case question = { .name = "array: a million ints negated in place",
                            .unit = "ms",
                            .ours = ours,
                            .floor = private,
                            .floor_is = "the same loop over private memory",
                            .peer = "array_negate.py 100000",
                            .conditions = "on cpu 0",
                            .arg = &array };
    bench_run(&question);
    question.name = "array: the same, by kin_array_get and kin_array_set";
    question.ours = checked;
    bench_run(&question);
    return 0;
}
