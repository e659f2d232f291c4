#include "pool_scene.h"

#include <stdlib.h>

#define COUNT 10000

struct point {
    double x, y;
};

static int length(const void *in, void *out, void *ctx)
{
    const struct point *p = in;
    double scale = ctx != NULL ? *(double *)ctx : 1;
    *(double *)out = scale * (p->x * p->x + p->y * p->y);
    return 0;
}

static void fill(struct point *points)
{
    for (size_t i = 0; i < COUNT; i++) {
        points[i] = (struct point){ (double)i, 1 };
    }
}

static void check_lengths(const double *lengths, double scale)
{
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_FLOAT(lengths[i], scale * ((double)i * (double)i + 1));
    }
}

static void *new_in(bool shared, size_t size)
{
    void *p = shared ? kin_alloc(size) : calloc(1, size);
    CHECK_NOT_NULL(p);
    return p;
}

static void free_in(bool shared, void *p)
{
    if (shared) {
        kin_free(p);
    } else {
        free(p);
    }
}

static void map_lengths(kin_pool *pool, bool in_shared, bool out_shared)
{
    struct point *points = new_in(in_shared, COUNT * sizeof *points);
    double *lengths = new_in(out_shared, COUNT * sizeof *lengths);
    double *scale = kin_alloc(sizeof *scale);
    fill(points);
    *scale = 2;
    kin_map_array arrays = { .n = COUNT,
                             .in = points,
                             .in_size = sizeof *points,
                             .out = lengths,
                             .out_size = sizeof *lengths,
                             .ctx = scale };
    CHECK_OK(kin_pool_map_array(pool, length, &arrays, NULL));
    check_lengths(lengths, 2);
    arrays.ctx = NULL;
    CHECK_OK(kin_pool_map_array(pool, length, &arrays,
                                KIN_OPT(kin_map_options, .chunksize = 7, .timeout = 1000)));
    check_lengths(lengths, 1);
    kin_free(scale);
    free_in(in_shared, points);
    free_in(out_shared, lengths);
}

TEST(structs_go_in_and_come_out_wherever_the_arrays_lie)
{
    kin_pool *pool = pool_of(2);
    for (int where = 0; where < 4; where++) {
        map_lengths(pool, where & 1, where & 2);
    }
    free_whole(pool);
}

static int negate(const void *in, void *out, void *ctx)
{
    (void)ctx;
    *(int *)out = -*(const int *)in;
    return 0;
}

TEST(the_array_of_the_results_may_be_that_of_the_inputs)
{
    kin_pool *pool = pool_of(2);
    for (int shared = 0; shared < 2; shared++) {
        int *numbers = new_in(shared, COUNT * sizeof *numbers);
        for (int i = 0; i < COUNT; i++) {
            numbers[i] = i;
        }
        kin_map_array arrays = { COUNT, numbers, sizeof(int), numbers, sizeof(int), NULL };
        CHECK_OK(kin_pool_map_array(pool, negate, &arrays, NULL));
        for (int i = 0; i < COUNT; i++) {
            CHECK_EQ(numbers[i], -i);
        }
        free_in(shared, numbers);
    }
    free_whole(pool);
}

static int fail_some(const void *in, void *out, void *ctx)
{
    int n = *(const int *)in;
    if (n % 1000 == 567) {
        return KIN_EUSER - n;
    }
    return negate(in, out, ctx);
}

TEST(the_first_that_fails_is_told_and_the_others_have_their_results)
{
    kin_pool *pool = pool_of(2);
    int *in = calloc(COUNT, sizeof *in), *out = calloc(COUNT, sizeof *out);
    for (int i = 0; i < COUNT; i++) {
        in[i] = i;
        out[i] = 12345678;
    }
    kin_map_array arrays = { COUNT, in, sizeof(int), out, sizeof(int), NULL };
    CHECK_ERROR(kin_pool_map_array(pool, fail_some, &arrays, NULL), KIN_EUSER - 567);
    CHECK_CONTAINS(kin_errmsg(), "struct 567 failed");
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(out[i], i % 1000 == 567 ? 12345678 : -i);
    }
    free(in);
    free(out);
    free_whole(pool);
}

struct scene {
    pid_t caller;
    _Atomic bool dead;
};

static int die_in_a_worker(const void *in, void *out, void *ctx)
{
    struct scene *s = ctx;
    if (kin__os_getpid() != s->caller && !atomic_exchange(&s->dead, true)) {
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
    while (!atomic_load(&s->dead)) {
        kin__os_yield();
    }
    return negate(in, out, NULL);
}

TEST(a_worker_who_dies_costs_the_structs_in_his_hands)
{
    kin_pool *pool = pool_of(1);
    struct scene *s = kin_alloc(sizeof *s);
    s->caller = kin__os_getpid();
    int in[100], out[100];
    for (int i = 0; i < 100; i++) {
        in[i] = i + 1;
        out[i] = 0;
    }
    kin_map_array arrays = { 100, in, sizeof(int), out, sizeof(int), s };
    CHECK_ERROR(kin_pool_map_array(pool, die_in_a_worker, &arrays,
                                   KIN_OPT(kin_map_options, .chunksize = 5)),
                KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "may be half-done");
    int without = 0;
    for (int i = 0; i < 100; i++) {
        without += out[i] == 0;
        CHECK(out[i] == 0 || out[i] == -i - 1);
    }
    CHECK_EQ(without, 5);
    kin_free(s);
    free_whole(pool);
}

/* Each party has one of two, and fails in it. */
static int meet_and_fail(const void *in, void *out, void *ctx)
{
    _Atomic int *here = ctx;
    (void)out;
    atomic_fetch_add(here, 1);
    WAIT_UNTIL(*here == 2);
    return *(const int *)in;
}

TEST(of_the_failures_of_several_parties_the_first_structs_is_told)
{
    kin_pool *pool = pool_of(1);
    _Atomic int *here = kin_alloc(sizeof *here);
    int codes[] = { KIN_EUSER - 5, KIN_EUSER - 6 }, out[2];
    kin_map_array arrays = { 2, codes, sizeof(int), out, sizeof(int), (void *)here };
    for (int i = 0; i < 20; i++) { /* who has the first is not always the same */
        *here = 0;
        CHECK_ERROR(kin_pool_map_array(pool, meet_and_fail, &arrays,
                                       KIN_OPT(kin_map_options, .chunksize = 1)),
                    KIN_EUSER - 5);
    }
    kin_free((void *)here);
    free_whole(pool);
}

struct hold {
    pid_t caller;
    _Atomic bool begun, released;
};

static int stay_in_a_worker(const void *in, void *out, void *ctx)
{
    struct hold *h = ctx;
    bool is_caller = kin__os_getpid() == h->caller;
    atomic_store(&h->begun, atomic_load(&h->begun) || !is_caller);
    while (!atomic_load(is_caller ? &h->begun : &h->released)) {
        kin__os_yield();
    }
    return negate(in, out, NULL);
}

TEST(after_a_timeout_private_results_are_as_they_were)
{
    kin_pool *pool = pool_of(1);
    struct hold *h = kin_alloc(sizeof *h);
    h->caller = kin__os_getpid();
    int *numbers = calloc(COUNT, sizeof *numbers);
    kin_map_array arrays = { COUNT, numbers, sizeof(int), numbers, sizeof(int), h };
    numbers[0] = 5;
    numbers[1] = 6;
    CHECK_ERROR(kin_pool_map_array(pool, stay_in_a_worker, &arrays,
                                   KIN_OPT(kin_map_options, .chunksize = 1, .timeout = 0.05)),
                KIN_ETIMEDOUT);
    CHECK_EQ(numbers[0], 5);
    CHECK_EQ(numbers[1], 6);
    free(numbers); /* he who is late writes elsewhere */
    atomic_store(&h->released, true);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), NULL));
    kin_free(h);
    free_whole(pool);
}

TEST(arrays_that_cannot_be_are_refused_with_a_sentence)
{
    kin_pool *pool = pool_of(1);
    int private[4] = { 0 };
    int *shared = kin_alloc(4 * sizeof *shared);
    kin_map_array good = { 4, private, sizeof(int), private, sizeof(int), NULL };
    kin_map_array a = good;
    CHECK_ERROR(kin_pool_map_array(NULL, negate, &a, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_map_array(pool, NULL, &a, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_map_array(pool, negate, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(
        kin_pool_map_array(pool, negate, &a, KIN_OPT(kin_map_options, .reserved = { 0, 1 })),
        KIN_EINVAL);
    CHECK_ERROR(kin_pool_map_array(pool, negate, &a, KIN_OPT(kin_map_options, .timeout = NAN)),
                KIN_EINVAL);
    a.in_size = 0;
    CHECK_ERROR(kin_pool_map_array(pool, negate, &a, NULL), KIN_EINVAL);
    a = good;
    a.n = SIZE_MAX / 2;
    CHECK_ERROR(kin_pool_map_array(pool, negate, &a, NULL), KIN_ERANGE);
    a = good;
    a.ctx = private;
    CHECK_ERROR(kin_pool_map_array(pool, negate, &a, NULL), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_alloc");
    a = (kin_map_array){ 3, private, sizeof(int), private + 1, sizeof(int), NULL };
    CHECK_ERROR(kin_pool_map_array(pool, negate, &a, NULL), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "overlaps");
    a = (kin_map_array){ SIZE_MAX / 64, shared, sizeof(int), private, sizeof(int), NULL };
    CHECK_ERROR(kin_pool_map_array(pool, negate, &a, NULL), KIN_EINVAL);
    a = (kin_map_array){ 0 };
    CHECK_OK(kin_pool_map_array(pool, negate, &a, NULL));
    kin_free(shared);
    free_whole(pool);
}
