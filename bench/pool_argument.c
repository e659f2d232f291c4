/* How long does a task with an argument of 100 MB take, which looks at its length and both ends?
 *
 *     pool_argument [quick]
 */
#include <kin.h>
#include <stdlib.h>
#include <string.h>

#include "common/bench.h"
#include "peers/pool_peer.h"

#define SIZE 100000000
#define TIMES 5

typedef struct load {
    kin_pool *pool;
    unsigned char *data, *elsewhere; /* private */
    void *shared;                    /* in the domain */
} load;

static int64_t ends_of(const unsigned char *bytes, size_t size)
{
    return (int64_t)size + bytes[0] + bytes[size - 1];
}

static kin_obj length(kin_obj args)
{
    const void *bytes;
    size_t size;
    KIN_TRY(kin_to_bytes(kin_arg(args, 0), &bytes, &size));
    return kin_int(ends_of(bytes, size));
}

/* Sends back what came. */
static kin_obj touch(kin_obj args)
{
    size_t size;
    unsigned char *bytes = kin_take_buffer(kin_arg(args, 0), &size);
    BENCH_MUST(bytes != NULL && ends_of(bytes, size) == SIZE + 2);
    return kin_buffer(bytes, size);
}

static double ours(const void *arg)
{
    const load *l = arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        kin_obj result;
        KIN_CHECK(kin_pool_apply(l->pool, length, kin_args(kin_bytes(l->data, SIZE)), &result));
        BENCH_MUST(kin_as_int(result) == SIZE + 2);
    }
    return (kin_now() - begin) / TIMES;
}

/* As CPython does it, whose bytes are an object from the beginning. */
static double made_before(const void *arg)
{
    const load *l = arg;
    kin_obj bytes = kin_bytes(l->data, SIZE);
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        kin_obj result;
        KIN_CHECK(kin_pool_apply(l->pool, length, kin_args(kin_retain(bytes)), &result));
        BENCH_MUST(kin_as_int(result) == SIZE + 2);
    }
    double seconds = kin_now() - begin;
    kin_release(bytes);
    return seconds / TIMES;
}

static double by_reference(const void *arg)
{
    load *l = (load *)(uintptr_t)arg;
    double begin = kin_now();
    for (int i = 0; i < 100 * TIMES; i++) {
        kin_obj result;
        size_t size;
        KIN_CHECK(kin_pool_apply(l->pool, touch, kin_args(kin_buffer(l->shared, SIZE)), &result));
        l->shared = kin_take_buffer(result, &size);
        BENCH_MUST(l->shared != NULL && size == SIZE);
        kin_release(result);
    }
    return (kin_now() - begin) / (100 * TIMES);
}

static double copy(const void *arg)
{
    const load *l = arg;
    double begin = kin_now();
    for (int i = 0; i < TIMES; i++) {
        l->data[1] = (unsigned char)i;
        memcpy(l->elsewhere, l->data, SIZE);
        BENCH_MUST(ends_of(l->elsewhere, SIZE) == SIZE + 2 && l->elsewhere[1] == i);
    }
    return (kin_now() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    load l = { .data = malloc(SIZE), .elsewhere = malloc(SIZE) };
    KIN_CHECK(kin_pool_new(&l.pool, KIN_OPT(kin_pool_options, .processes = 2)));
    l.shared = kin_alloc(SIZE);
    BENCH_MUST(l.data != NULL && l.elsewhere != NULL && l.shared != NULL);
    memset(l.data, 1, SIZE);
    memset(l.elsewhere, 1, SIZE);
    memset(l.shared, 1, SIZE);
    char conditions[POOL_NOTE] = "2 workers, 100,000,000 bytes of private memory; kin_buffer: of "
                                 "the domain, and sent back as well";
    bench_case question = { .name = "pool: an argument of 100 MB",
                            .unit = "ms",
                            .ours = ours,
                            .floor = copy,
                            .floor_is = "one memcpy into memory that was touched",
                            .conditions = conditions,
                            .arg = &l,
                            .rounds = argc > 1 && strcmp(argv[1], "quick") == 0 ? 1 : 5 };
    question.others[0] = (bench_other){ .name = "kin, an object before", .measure = made_before };
    question.others[1] = (bench_other){ .name = "kin_buffer, both ways", .measure = by_reference };
    pool_script_add(&question, "argument", "Pool", 2, conditions);
    pool_script_add(&question, "argument", "executor", 2, conditions);
    pool_script_add(&question, "argument", "loky", 2, conditions);
    bench_run(&question);
    kin_pool_free(l.pool);
    kin_free(l.shared);
    free(l.data);
    free(l.elsewhere);
    return 0;
}
