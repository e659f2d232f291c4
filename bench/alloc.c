/* What do memory for the family and its return cost? */
#include <kin.h>
#include <stdlib.h>

#include "common/bench.h"

#define TIMES 1000000
#define HELD 1000

static void *keep(void *volatile p) /* the compiler may not leave out what it does not see used */
{
    return p;
}

static double pairs(void *(*get)(size_t), void (*give)(void *))
{
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        give(keep(get(64)));
    }
    return (kin_now() - begin) / TIMES;
}

static double heaps(void *(*get)(size_t), void (*give)(void *))
{
    void *held[HELD];
    double begin = kin_now();
    for (int i = 0; i < TIMES / HELD; i++) {
        for (int k = 0; k < HELD; k++) {
            held[k] = get(64);
        }
        for (int k = 0; k < HELD; k++) {
            give(held[k]);
        }
    }
    return (kin_now() - begin) / TIMES;
}

static double our_pairs(const void *arg)
{
    (void)arg;
    return pairs(kin_alloc, kin_free);
}

static double libc_pairs(const void *arg)
{
    (void)arg;
    return pairs(malloc, free);
}

static double our_heaps(const void *arg)
{
    (void)arg;
    return heaps(kin_alloc, kin_free);
}

static double libc_heaps(const void *arg)
{
    (void)arg;
    return heaps(malloc, free);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    bench_pin(0);
    bench_case question = { .name = "memory: kin_alloc and kin_free of 64 bytes",
                            .unit = "ns",
                            .ours = our_pairs,
                            .floor = libc_pairs,
                            .floor_is = "malloc and free, which are private",
                            .conditions = "on cpu 0" };
    bench_run(&question);
    question.name = "memory: the same, 1000 held at a time";
    question.ours = our_heaps;
    question.floor = libc_heaps;
    bench_run(&question);
    return 0;
}
