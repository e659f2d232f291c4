#include "pool_scene.h"

#include <kin/process.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define COUNT 1000

/* ctx: how often each index came. */
static void count(size_t index, void *ctx)
{
    _Atomic unsigned char *times = ctx;
    atomic_fetch_add(&times[index], 1);
}

static void check_counts(const unsigned char *times, size_t begin, size_t end)
{
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(times[i], i >= begin && i < end);
    }
}

TEST(each_index_comes_once_by_every_schedule)
{
    kin_pool *pool = pool_of(2);
    static const kin_for_options options[] = {
        { .schedule = KIN_SCHEDULE_AUTO },
        { .schedule = KIN_SCHEDULE_STATIC },
        { .schedule = KIN_SCHEDULE_DYNAMIC },
        { .schedule = KIN_SCHEDULE_DYNAMIC, .grain = 7 },
        { .schedule = KIN_SCHEDULE_GUIDED },
        { .schedule = KIN_SCHEDULE_GUIDED, .grain = 300 },
        { .schedule = KIN_SCHEDULE_DYNAMIC, .grain = SIZE_MAX },
    };
    static const size_t ranges[][2] = { { 0, COUNT }, { 3, 4 }, { 5, 5 }, { 17, 900 }, { 0, 2 } };
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++) {
            unsigned char *times = kin_alloc(COUNT);
            CHECK_OK(kin_pool_for(pool, ranges[r][0], ranges[r][1], count, times, &options[o]));
            check_counts(times, ranges[r][0], ranges[r][1]);
            kin_free(times);
        }
    }
    free_whole(pool);
}

struct ends {
    _Atomic size_t sum;
    _Atomic unsigned calls;
};

static void add_up(size_t index, void *ctx)
{
    struct ends *e = ctx;
    atomic_fetch_add(&e->sum, index);
    atomic_fetch_add(&e->calls, 1);
}

TEST(indexes_go_up_to_the_greatest_that_there_is)
{
    kin_pool *pool = pool_of(2);
    struct ends *e = kin_alloc(sizeof *e);
    CHECK_OK(kin_pool_for(pool, SIZE_MAX - 3, SIZE_MAX, add_up, e, NULL));
    CHECK_EQ(atomic_load(&e->calls), 3);
    CHECK(atomic_load(&e->sum) == (size_t)-9); /* -4, -3, -2 */
    kin_free(e);
    free_whole(pool);
}

struct meeting {
    _Atomic unsigned came;
    unsigned wanted;
    _Atomic int workers[8];
};

/* Nobody goes on before all are there: each party takes one of as many indexes. */
static void meet(size_t index, void *ctx)
{
    struct meeting *m = ctx;
    atomic_store(&m->workers[index], (int)kin__os_getpid());
    atomic_fetch_add(&m->came, 1);
    while (atomic_load(&m->came) < m->wanted) {
        kin__os_yield();
    }
}

TEST(all_workers_and_the_caller_take_part)
{
    kin_pool *pool = pool_of(3);
    struct meeting *m = kin_alloc(sizeof *m);
    m->wanted = 4;
    CHECK_OK(kin_pool_for(pool, 0, 4, meet, m, KIN_OPT(kin_for_options, .schedule = 2)));
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < i; k++) {
            CHECK_NE(atomic_load(&m->workers[i]), atomic_load(&m->workers[k]));
        }
    }
    kin_free(m);
    free_whole(pool);
}

static kin_obj wait_for_word(kin_obj args)
{
    _Atomic int *word = kin_arg_shared(args, 0);
    while (atomic_load(word) == 0) {
        kin__os_yield();
    }
    return kin_none();
}

TEST(a_worker_who_is_busy_is_not_waited_for)
{
    kin_pool *pool = pool_of(1);
    _Atomic int *word = kin_alloc(sizeof *word);
    unsigned char *times = kin_alloc(COUNT);
    kin_future *future;
    CHECK_OK(
        kin_pool_submit(pool, wait_for_word, kin_args(kin_shared((void *)word)), NULL, &future));
    CHECK_OK(kin_pool_for(pool, 0, COUNT, count, times, NULL));
    check_counts(times, 0, COUNT);
    CHECK(!kin_future_done(future));
    kin_obj stats;
    CHECK_OK(kin_pool_stats(pool, &stats)); /* that he was not needed is no failure */
    CHECK_EQ(kin_as_int(kin_lookup(stats, kin_str("failed"))), 0);
    kin_release(stats);
    atomic_store(word, 1);
    CHECK_OK(kin_future_wait(future, KIN_FOREVER));
    kin_future_free(future);
    kin_free(times);
    kin_free((void *)word);
    free_whole(pool);
}

static kin_obj loop_inside(kin_obj args)
{
    kin_pool *pool = kin_as(kin_pool, kin_arg(args, 0));
    KIN_TRY(kin_pool_for(pool, 0, COUNT, count, kin_arg_shared(args, 1), NULL));
    return kin_none();
}

TEST(a_worker_of_the_same_pool_does_it_all_himself)
{
    kin_pool *pool = pool_of(1);
    unsigned char *times = kin_alloc(COUNT);
    CHECK_OK(
        kin_pool_apply(pool, loop_inside, kin_args(kin_shared(pool), kin_shared(times)), NULL));
    check_counts(times, 0, COUNT);
    kin_free(times);
    free_whole(pool);
}

struct nest {
    kin_pool *pool;
    _Atomic size_t sum;
    _Atomic int wrong;
};

static void inner(size_t index, void *ctx)
{
    struct nest *n = ctx;
    *(size_t *)kin_for_part() += index;
    atomic_fetch_add(&n->sum, 1);
}

static void add_size(void *into, const void *part)
{
    *(size_t *)into += *(const size_t *)part;
}

static void outer(size_t index, void *ctx)
{
    struct nest *n = ctx;
    size_t result = 0;
    int rv = kin_pool_for(n->pool, 0, 10, inner, ctx,
                          KIN_OPT(kin_for_options, .result = &result, .result_size = sizeof result,
                                  .combine = add_size));
    atomic_fetch_add(&n->wrong, rv < 0 || result != 45);
    *(size_t *)kin_for_part() += index; /* of the outer one again */
}

TEST(loops_nest_and_each_has_parts_of_its_own)
{
    kin_pool *pool = pool_of(2);
    struct nest *n = kin_alloc(sizeof *n);
    n->pool = pool;
    size_t result = 1000;
    CHECK_OK(kin_pool_for(pool, 0, 20, outer, n,
                          KIN_OPT(kin_for_options, .result = &result, .result_size = sizeof result,
                                  .combine = add_size)));
    CHECK_EQ(result, 1190);
    CHECK_EQ(atomic_load(&n->sum), 200);
    CHECK_EQ(atomic_load(&n->wrong), 0);
    CHECK_NULL(kin_for_part());
    kin_free(n);
    free_whole(pool);
}

struct least {
    bool any;
    size_t value;
};

static void look_for_least(size_t index, void *ctx)
{
    (void)ctx;
    struct least *part = kin_for_part();
    size_t value = (index * 7919 + 13) % 1009;
    part->value = !part->any || value < part->value ? value : part->value;
    part->any = true;
}

static void lesser(void *into, const void *from)
{
    struct least *l = into;
    const struct least *part = from;
    CHECK(part->any); /* who had no share has no part */
    *l = !l->any || part->value < l->value ? *part : *l;
}

TEST(a_reduction_combines_the_parts_of_those_who_had_a_share)
{
    kin_pool *pool = pool_of(2);
    for (int round = 0; round < 50; round++) {
        struct least result = { .any = true, .value = 5000 };
        CHECK_OK(kin_pool_for(pool, 0, 2000, look_for_least, NULL,
                              KIN_OPT(kin_for_options, .result = &result,
                                      .result_size = sizeof result, .combine = lesser)));
        CHECK_EQ(result.value, 0);
    }
    free_whole(pool);
}

TEST(workers_that_are_threads_take_part_as_others_do)
{
    kin_pool *pool;
    CHECK_OK(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 2)));
    struct meeting *m = kin_alloc(sizeof *m);
    m->wanted = 3;
    CHECK_OK(kin_pool_for(pool, 0, 3, meet, m, KIN_OPT(kin_for_options, .schedule = 2)));
    unsigned char *times = kin_alloc(COUNT);
    CHECK_OK(kin_pool_for(pool, 0, COUNT, count, times, NULL));
    check_counts(times, 0, COUNT);
    struct least result = { .any = true, .value = 5000 };
    CHECK_OK(kin_pool_for(pool, 0, 2000, look_for_least, NULL,
                          KIN_OPT(kin_for_options, .result = &result, .result_size = sizeof result,
                                  .combine = lesser)));
    CHECK_EQ(result.value, 0);
    kin_free(times);
    kin_free(m);
    free_whole(pool);
}

/* ---- what goes wrong ------------------------------------------------------------------------- */

TEST(what_cannot_be_is_refused_with_a_sentence)
{
    kin_pool *pool = pool_of(1);
    int private = 0;
    size_t result = 7;
    CHECK_ERROR(kin_pool_for(NULL, 0, 1, count, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_for(pool, 0, 1, NULL, NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_pool_for(pool, 2, 1, count, NULL, NULL), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "the end, 1, is before the begin, 2");
    CHECK_ERROR(kin_pool_for(pool, 0, 1, count, &private, NULL), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_alloc");
    CHECK_ERROR(kin_pool_for(pool, 0, 1, count, NULL, KIN_OPT(kin_for_options, .schedule = 9)),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_for(pool, 0, 1, count, NULL, KIN_OPT(kin_for_options, .timeout = NAN)),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_for(pool, 0, 1, count, NULL, KIN_OPT(kin_for_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_for(pool, 0, 1, count, NULL, KIN_OPT(kin_for_options, .result = &result)),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_for(pool, 0, 9, count, NULL,
                             KIN_OPT(kin_for_options, .result = &result, .combine = add_size,
                                     .result_size = SIZE_MAX / 2)),
                KIN_ERANGE);
    CHECK_EQ(result, 7);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_for(pool, 0, 1, count, NULL, NULL), KIN_ECLOSED);
    CHECK_ERROR(kin_pool_for(pool, 0, 99, count, NULL, NULL), KIN_ECLOSED);
    free_whole(pool);
}

struct scene {
    pid_t caller;
    _Atomic size_t victim; /* the index + 1 at which a worker dies */
    _Atomic unsigned deaths;
    unsigned wanted;
    _Atomic unsigned char times[COUNT];
};

/* The first workers die, each at its first index; the caller waits for that at his. */
static void die_if_worker(size_t index, void *ctx)
{
    struct scene *s = ctx;
    atomic_fetch_add(&s->times[index], 1);
    if (kin__os_getpid() != s->caller && atomic_load(&s->deaths) < s->wanted) {
        atomic_store(&s->victim, index + 1);
        atomic_fetch_add(&s->deaths, 1);
        kin__os_kill(kin__os_getpid(), SIGKILL);
    }
    while (atomic_load(&s->deaths) < s->wanted) {
        kin__os_yield();
    }
}

TEST(what_a_dead_worker_had_begun_is_named_and_the_rest_is_done)
{
    kin_pool *pool = pool_of(1);
    struct scene *s = kin_alloc(sizeof *s);
    s->caller = kin__os_getpid();
    s->wanted = 1;
    size_t result = 7;
    int rv =
        kin_pool_for(pool, 0, COUNT, die_if_worker, s,
                     KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC, .grain = 10,
                             .result = &result, .result_size = sizeof result, .combine = add_size));
    CHECK_ERROR(rv, KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "signal 9");
    char named[64];
    size_t first = atomic_load(&s->victim) - 1;
    snprintf(named, sizeof named, "kin_pool_for: %zu to %zu may be half-done", first, first + 9);
    CHECK_CONTAINS(kin_errmsg(), named);
    CHECK_EQ(result, 7);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(atomic_load(&s->times[i]), i <= first || i >= first + 10);
    }
    CHECK_OK(kin_pool_for(pool, 0, COUNT, count, s->times, NULL)); /* by the next worker */
    kin_free(s);
    free_whole(pool);
}

TEST(when_all_workers_die_the_caller_does_the_rest)
{
    kin_pool *pool = pool_of(3);
    struct scene *s = kin_alloc(sizeof *s);
    s->caller = kin__os_getpid();
    s->wanted = 3;
    int rv = kin_pool_for(pool, 0, COUNT, die_if_worker, s,
                          KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC));
    CHECK_ERROR(rv, KIN_ECRASHED);
    CHECK_CONTAINS(kin_errmsg(), "(and 2 other shares)");
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(atomic_load(&s->times[i]), 1);
    }
    kin_free(s);
    free_whole(pool);
}

struct hold {
    pid_t caller;
    _Atomic bool begun, released, ended;
    _Atomic unsigned after;
};

/* A worker stays in its first index until it is released. */
static void hold_worker(size_t index, void *ctx)
{
    (void)index;
    struct hold *h = ctx;
    if (kin__os_getpid() == h->caller) {
        while (!atomic_load(&h->begun)) {
            kin__os_yield();
        }
        return;
    }
    atomic_fetch_add(&h->after, atomic_load(&h->begun));
    atomic_store(&h->begun, true);
    while (!atomic_load(&h->released)) {
        kin__os_yield();
    }
}

TEST(after_a_timeout_workers_end_their_share_and_no_other)
{
    kin_pool *pool = pool_of(1);
    struct hold *h = kin_alloc(sizeof *h);
    h->caller = kin__os_getpid();
    size_t result = 7;
    int rv =
        kin_pool_for(pool, 0, SIZE_MAX, hold_worker, h,
                     KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC, .timeout = 0.05,
                             .result = &result, .result_size = sizeof result, .combine = add_size));
    CHECK_ERROR(rv, KIN_ETIMEDOUT);
    CHECK_EQ(result, 7);
    atomic_store(&h->released, true);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(3)), NULL)); /* he has left */
    CHECK_EQ(atomic_load(&h->after), 0);
    kin_free(h);
    free_whole(pool);
}

TEST(a_pool_may_be_freed_while_a_worker_is_late)
{
    kin_pool *pool = pool_of(1);
    struct hold *h = kin_alloc(sizeof *h);
    h->caller = kin__os_getpid();
    int rv =
        kin_pool_for(pool, 0, SIZE_MAX, hold_worker, h,
                     KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC, .timeout = 0.01));
    CHECK_ERROR(rv, KIN_ETIMEDOUT);
    kin_pool_terminate(pool);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    kin_free(h);
    free_whole(pool);
}

static void fork_and_return(size_t index, void *ctx)
{
    count(index, ctx);
    if (index == 3 || index == 7) {
        kin__os_reap(-1, &(int){ 0 }, &(pid_t){ 0 });
        (void)kin_fork();
    }
}

static int child_of_a_body(void *ctx)
{
    kin_pool *pool = pool_of(1);
    pid_t me = kin__os_getpid();
    _Atomic unsigned char *times = ctx;
    int rv = kin_pool_for(pool, 0, 10, fork_and_return, ctx,
                          KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC));
    if (kin__os_getpid() != me) {
        return rv == KIN_ESTATE ? 0 : 1;
    }
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(atomic_load(&times[i]), 1);
    }
    kin_pool_free(pool);
    return rv;
}

struct forking {
    pid_t caller;
    pid_t child;
    _Atomic bool forked;
    _Atomic int calls; /* of the body, by the child */
    _Atomic int said;  /* to the child */
};

static void fork_in_the_caller(size_t index, void *ctx)
{
    struct forking *f = ctx;
    (void)index;
    pid_t me = kin__os_getpid();
    if (me == f->caller && !f->forked) {
        pid_t child = kin_fork();
        if (child != 0) {
            f->child = child;
            f->forked = true;
        }
    } else if (me != f->caller && kin_worker_index() < 0) {
        atomic_fetch_add(&f->calls, 1);
    }
    WAIT_UNTIL(f->forked);
}

TEST(the_child_of_a_callers_body_hears_that_it_is_one)
{
    kin_pool *pool = pool_of(1);
    struct forking *f = kin_alloc(sizeof *f);
    f->caller = kin__os_getpid();
    int rv = kin_pool_for(pool, 0, 1000, fork_in_the_caller, f,
                          KIN_OPT(kin_for_options, .schedule = KIN_SCHEDULE_DYNAMIC));
    if (kin__os_getpid() != f->caller) {
        f->said = rv;
        kin__os_leave(0);
    }
    CHECK_OK(rv);
    WAIT_UNTIL(f->said != 0);
    CHECK_EQ(f->said, KIN_ESTATE);
    CHECK_EQ(f->calls, 0);
    CHECK_EQ(waitpid(f->child, NULL, 0), f->child);
    kin_free(f);
    free_whole(pool);
}

TEST(the_child_of_a_body_that_forks_is_no_party)
{
    unsigned char *times = kin_alloc(COUNT);
    CHECK_EQ(test_join(test_child(child_of_a_body, times)), 0);
    kin_free(times);
}
