/* What does an index of a parallel loop cost whose body does nothing, and what does a short loop
 * cost as a whole? OpenMP is asked by libgomp, if there is one. */
#include <kin.h>

#include "common/bench.h"

#define MANY 200000000
#define BY_ONE 3000000
#define FEW 1000
#define TIMES 2000

typedef struct question {
    kin_pool *pool;
    size_t count;
    int times;
    kin_schedule schedule;
} question;

static void nothing(size_t index, void *ctx)
{
    (void)index;
    (void)ctx;
}

/* All call it by this pointer, for a library cannot know what it will call. */
static void (*volatile body)(size_t, void *) = nothing;

static double ours(const void *arg)
{
    const question *q = arg;
    kin_for_options options = { .schedule = q->schedule };
    double begin = kin_now();
    for (int i = 0; i < q->times; i++) {
        KIN_CHECK(kin_pool_for(q->pool, 0, q->count, body, NULL, &options));
    }
    return (kin_now() - begin) / q->times;
}

static double serial(const void *arg)
{
    const question *q = arg;
    void (*call)(size_t, void *) = body;
    double begin = kin_now();
    for (int t = 0; t < q->times; t++) {
        for (size_t i = 0; i < q->count; i++) {
            call(i, NULL);
        }
    }
    return (kin_now() - begin) / q->times;
}

/* A measure of what `how` makes of the loop. */
#define OPENMP(name, how)                                                                          \
    static double name(const void *arg)                                                            \
    {                                                                                              \
        const question *q = arg;                                                                   \
        void (*call)(size_t, void *) = body;                                                       \
        double begin = kin_now();                                                                  \
        for (int t = 0; t < q->times; t++) {                                                       \
            _Pragma(how) for (size_t i = 0; i < q->count; i++)                                     \
            {                                                                                      \
                call(i, NULL);                                                                     \
            }                                                                                      \
        }                                                                                          \
        return (kin_now() - begin) / q->times;                                                     \
    }

#if _OPENMP
OPENMP(omp_static, "omp parallel for schedule(static)")
OPENMP(omp_guided, "omp parallel for schedule(guided)")
OPENMP(omp_dynamic, "omp parallel for schedule(dynamic, 1)")
#else
#define omp_static NULL
#define omp_guided NULL
#define omp_dynamic NULL
#endif

static double per_index(double seconds, const void *arg)
{
    return seconds / (double)((const question *)arg)->count;
}

#define PER_INDEX(name, of)                                                                        \
    static double name(const void *arg)                                                            \
    {                                                                                              \
        return per_index(of(arg), arg);                                                            \
    }

PER_INDEX(our_index, ours)
PER_INDEX(serial_index, serial)
#if _OPENMP
PER_INDEX(static_index, omp_static)
PER_INDEX(guided_index, omp_guided)
PER_INDEX(dynamic_index, omp_dynamic)
#else
#define static_index NULL
#define guided_index NULL
#define dynamic_index NULL
#endif

#define CONDITIONS                                                                                 \
    "an empty body called by a pointer; the caller and a worker less than there are processors, "  \
    "as many threads for OpenMP; not pinned"

static void ask(bench_case c, const char *name, const question *q)
{
    if (c.others[0].measure == NULL) {
        c.others[0] = c.others[1] = (bench_other){ 0 };
    }
    c.name = name;
    c.floor_is = "a serial loop";
    c.conditions = CONDITIONS;
    c.arg = q;
    bench_run(&c);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    unsigned workers = bench_cpus() > 1 ? (unsigned)bench_cpus() - 1 : 1;
    kin_auto(kin_pool) pool = NULL;
    KIN_CHECK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .processes = workers)));
    bench_case index = { .unit = "M/s", .ours = our_index, .floor = serial_index };
    index.others[0] = (bench_other){ .name = "OpenMP guided", .measure = guided_index };
    index.others[1] = (bench_other){ .name = "OpenMP static", .measure = static_index };
    ask(index, "pool_for: indexes a second, automatic shares",
        &(question){ pool, MANY, 1, KIN_SCHEDULE_AUTO });
    index.others[0] = (bench_other){ .name = "OpenMP dynamic, 1", .measure = dynamic_index };
    index.others[1] = (bench_other){ 0 };
    ask(index, "pool_for: indexes a second, one by one",
        &(question){ pool, BY_ONE, 1, KIN_SCHEDULE_DYNAMIC });
    bench_case call = { .unit = "us", .ours = ours, .floor = serial };
    call.others[0] = (bench_other){ .name = "OpenMP guided", .measure = omp_guided };
    ask(call, "pool_for: a loop of 1000 indexes",
        &(question){ pool, FEW, TIMES, KIN_SCHEDULE_AUTO });
    return 0;
}
