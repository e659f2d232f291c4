/* pool_life.h - what becomes of the workers of pools of every engine: what each does first and
 * last, when another takes his place, how many there are, and what is tried again: a part of
 * pool_suite.h. */
#ifndef KIN_POOL_LIFE_H
#define KIN_POOL_LIFE_H

#include "pool_scene.h"

#include <signal.h>

/* One that was added from outside brings its workers once, and does not look after them. */
static inline bool brings_others(const struct engine *engine)
{
    return engine->options.engine == NULL;
}

static inline kin_pool *pool_with(const kin_pool_options *options)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, options));
    return pool;
}

static inline void close_and_free(kin_pool *pool)
{
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

/* ---- first and last -------------------------------------------------------------------------- */

struct lives {
    _Atomic int begun;
    _Atomic int ended;
    _Atomic int failing; /* the initializer that is to fail: the nth; 0: none */
};

static kin_obj begin_life(kin_obj args)
{
    struct lives *lives = kin_arg_shared(args, 0);
    int64_t *state = malloc(sizeof *state);
    *state = kin_arg_int(args, 1);
    kin_worker_set_state(state);
    if (atomic_fetch_add(&lives->begun, 1) + 1 == lives->failing) {
        free(state);
        return kin_error(KIN_EUSER - 5, "the model is not there");
    }
    return kin_none();
}

static kin_obj end_life(kin_obj args)
{
    struct lives *lives = kin_arg_shared(args, 0);
    free(kin_worker_state());
    atomic_fetch_add(&lives->ended, 1);
    return kin_none();
}

/* Each call adds one to what this worker alone has. */
static kin_obj count_in_state(kin_obj args)
{
    (void)args;
    return kin_int((*(int64_t *)kin_worker_state())++);
}

static kin_pool_options options_with_rites(const struct engine *engine, unsigned workers,
                                           struct lives *lives)
{
    kin_pool_options options = options_of(engine, workers);
    options.initializer = begin_life;
    options.initargs = kin_args(kin_shared(lives), kin_int(100));
    options.finalizer = end_life;
    options.finalargs = kin_args(kin_shared(lives));
    return options;
}

EACH_ENGINE(each_worker_begins_with_the_initializer_and_ends_with_the_finalizer)
{
    struct lives *lives = kin_alloc(sizeof *lives);
    kin_pool_options options = options_with_rites(engine, 1, lives);
    kin_pool *pool = pool_with(&options);
    for (int64_t i = 0; i < 20; i++) {
        CHECK_EQ(number_of(submit(pool, count_in_state, kin_args()), KIN_FOREVER), 100 + i);
    }
    CHECK_EQ(lives->begun, 1);
    CHECK_EQ(lives->ended, 0);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(lives->ended, 1);
    kin_free(lives);
    free_whole(pool);
}

EACH_ENGINE(workers_have_states_of_their_own)
{
    struct lives *lives = kin_alloc(sizeof *lives);
    kin_pool_options options = options_with_rites(engine, 3, lives);
    kin_pool *pool = pool_with(&options);
    enum { TASKS = 60 };
    int seen[TASKS] = { 0 };
    kin_obj counts;
    CHECK_OK(kin_pool_map(pool, count_in_state, kin_range(0, TASKS), NULL, &counts));
    for (size_t i = 0; i < TASKS; i++) {
        int64_t count = kin_as_int(kin_at(counts, i)) - 100;
        CHECK(count >= 0 && count < TASKS);
        CHECK_LE(++seen[count], 3); /* three of them count, each from 100 on */
    }
    kin_release(counts);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(lives->begun, 3);
    CHECK_EQ(lives->ended, 3);
    kin_free(lives);
    free_whole(pool);
}

EACH_ENGINE(an_initializer_that_fails_breaks_the_pool_with_its_sentence)
{
    if (!brings_others(engine)) {
        SKIP("who brought the workers says himself that they are gone");
    }
    struct lives *lives = kin_alloc(sizeof *lives);
    lives->failing = 1;
    kin_pool_options options = options_with_rites(engine, 1, lives);
    kin_pool *pool = pool_with(&options);
    kin_obj o;
    CHECK_ERROR(kin_pool_apply(pool, count_in_state, kin_args(), &o), KIN_EBROKEN);
    CHECK_CONTAINS(kin_errmsg(), "its initializer failed: the model is not there");
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER)); /* it has ended by itself */
    CHECK_ERROR(kin_pool_resize(pool, 2), KIN_ECLOSED);
    CHECK_EQ(lives->begun, 1); /* and is not tried again */
    CHECK_EQ(lives->ended, 0);
    kin_free(lives);
    free_whole(pool);
}

EACH_ENGINE(another_worker_comes_after_so_many_tasks_and_a_chunk_of_a_map_is_one)
{
    if (!brings_others(engine)) {
        SKIP("this engine brings no others");
    }
    struct lives *lives = kin_alloc(sizeof *lives);
    kin_pool_options options = options_with_rites(engine, 1, lives);
    options.max_tasks_per_child = 2;
    kin_pool *pool = pool_with(&options);
    for (int64_t i = 0; i < 6; i++) {
        CHECK_EQ(number_of(submit(pool, count_in_state, kin_args()), KIN_FOREVER), 100 + i % 2);
    }
    kin_obj counts;
    CHECK_OK(kin_pool_map(pool, count_in_state, kin_range(0, 20),
                          KIN_OPT(kin_map_options, .chunksize = 5), &counts));
    for (size_t i = 0; i < 20; i++) { /* two workers, ten items each */
        CHECK_EQ(kin_as_int(kin_at(counts, i)), 100 + (int64_t)i % 10);
    }
    kin_release(counts);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_GE(lives->begun, 5); /* whether a sixth came depends on who was first */
    CHECK_EQ(lives->ended, lives->begun);
    kin_free(lives);
    free_whole(pool);
}

/* ---- how many -------------------------------------------------------------------------------- */

/* So many tasks stand at the same time, each in a worker of its own: then they are let go. */
struct crowd {
    _Atomic int here;
    _Atomic int wanted;
};

static kin_obj stand_in_a_crowd(kin_obj args)
{
    struct crowd *crowd = kin_arg_shared(args, 0);
    atomic_fetch_add(&crowd->here, 1);
    while (atomic_load(&crowd->here) < atomic_load(&crowd->wanted)) {
        KIN_TRY(kin_sleep(0.001));
    }
    return kin_int(kin_worker_index());
}

/* Whether `n` can stand together, and no more workers than `n` have ever done. */
static void meet(kin_pool *pool, struct crowd *crowd, int n)
{
    crowd->here = 0;
    crowd->wanted = n;
    kin_future *futures[8];
    for (int i = 0; i < n; i++) {
        futures[i] = submit(pool, stand_in_a_crowd, kin_args(kin_shared(crowd)));
    }
    unsigned seen = 0;
    for (int i = 0; i < n; i++) {
        int64_t index = number_of(futures[i], KIN_FOREVER);
        CHECK(index >= 0 && index < 8);
        CHECK_((seen & 1u << index) == 0, "two at place %d of %d", (int)index, n);
        seen |= 1u << index;
    }
}

EACH_ENGINE(a_pool_grows_and_shrinks)
{
    kin_pool *pool = new_pool(engine, 2);
    if (!brings_others(engine)) {
        CHECK_ERROR(kin_pool_resize(pool, 3), KIN_EUNSUPPORTED);
        CHECK_CONTAINS(kin_errmsg(), "kin_pool_resize: ");
        free_whole(pool);
        return;
    }
    struct crowd *crowd = kin_alloc(sizeof *crowd);
    static const unsigned sizes[] = { 5, 1, 3, 8, 2, 2 };
    meet(pool, crowd, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK_OK(kin_pool_resize(pool, sizes[i]));
        meet(pool, crowd, (int)sizes[i]);
    }
    kin_free(crowd);
    close_and_free(pool);
}

EACH_ENGINE(who_is_one_too_many_ends_his_task_before_he_leaves)
{
    if (!brings_others(engine)) {
        SKIP("its workers are of a fixed number");
    }
    struct lives *lives = kin_alloc(sizeof *lives);
    kin_pool_options options = options_with_rites(engine, 2, lives);
    kin_pool *pool = pool_with(&options);
    stop first = new_stop(), second = new_stop();
    kin_future *futures[2] = { submit_standing(pool, first), submit_standing(pool, second) };
    CHECK_OK(kin_pool_resize(pool, 1));
    CHECK_OK(kin_event_set(first.go));
    CHECK_OK(kin_event_set(second.go));
    CHECK_EQ(number_of(futures[0], KIN_FOREVER), 7);
    CHECK_EQ(number_of(futures[1], KIN_FOREVER), 7);
    WAIT_UNTIL(lives->ended == 1); /* in order */
    CHECK_EQ(number_of(submit(pool, square, kin_args(kin_int(3))), KIN_FOREVER), 9);
    CHECK_EQ(lives->begun, 2);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(lives->ended, 2);
    kin_free(lives);
    free_stop(first);
    free_stop(second);
    free_whole(pool);
}

EACH_ENGINE_WITHIN(120, a_pool_that_is_resized_all_the_time_loses_no_task)
{
    if (!brings_others(engine)) {
        SKIP("its workers are of a fixed number");
    }
    kin_pool *pool = new_pool(engine, 2);
    struct crowd *crowd = kin_alloc(sizeof *crowd);
    for (int round = 0; round < 20; round++) {
        kin_future *futures[20];
        for (int i = 0; i < 20; i++) {
            futures[i] = submit(pool, square, kin_args(kin_int(i)));
            if (i % 5 == 0) {
                CHECK_OK(kin_pool_resize(pool, 1 + (unsigned)(test_random() % 4)));
            }
        }
        for (int64_t i = 0; i < 20; i++) {
            CHECK_EQ(number_of(futures[i], KIN_FOREVER), i * i);
        }
    }
    CHECK_OK(kin_pool_resize(pool, 4));
    meet(pool, crowd, 4); /* and no worker */
    kin_free(crowd);
    close_and_free(pool);
}

EACH_ENGINE(a_size_that_cannot_be_is_refused)
{
    kin_pool *pool = new_pool(engine, 1);
    int odd = brings_others(engine) ? KIN_ERANGE : KIN_EUNSUPPORTED;
    CHECK_ERROR(kin_pool_resize(pool, 0), odd);
    CHECK_ERROR(kin_pool_resize(pool, 65), odd);
    CHECK_ERROR(kin_pool_resize(NULL, 1), KIN_EINVAL);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_resize(pool, 2), brings_others(engine) ? KIN_ECLOSED : KIN_EUNSUPPORTED);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
    CHECK_ERROR(kin_pool_resize(pool, 1), KIN_EFREED);
}

/* ---- what is tried again --------------------------------------------------------------------- */

/* Takes its worker with it until it was begun so often. */
static kin_obj die_until(kin_obj args)
{
    _Atomic int *begun = kin_arg_shared(args, 0);
    int now = atomic_fetch_add(begun, 1) + 1;
    if (now < kin_arg_int(args, 1)) {
        if (kin_as_bool(kin_arg(args, 2))) {
            (void)kill(getpid(), SIGKILL);
        }
        pthread_exit(NULL);
    }
    return kin_int(now);
}

static kin_future *submit_dying(kin_pool *pool, const struct engine *engine, _Atomic int *begun,
                                int last)
{
    *begun = 0;
    return submit(pool, die_until,
                  kin_args(kin_shared((void *)begun), kin_int(last), kin_bool(engine->kills),
                           kin_str("a text, so that the arguments are not small")));
}

EACH_ENGINE(a_task_whose_worker_died_is_tried_again_as_often_as_it_may)
{
    if (!brings_others(engine)) {
        SKIP("this engine does not look after its workers");
    }
    kin_pool_options options = options_of(engine, 1);
    options.retries = 2;
    kin_pool *pool = pool_with(&options);
    _Atomic int *begun = kin_alloc(sizeof *begun);
    kin_failure failure;
    CHECK_EQ(number_of(submit_dying(pool, engine, begun, 3), KIN_FOREVER), 3);
    kin_future *poison = submit_dying(pool, engine, begun, 100);
    CHECK_OK(kin_future_wait(poison, KIN_FOREVER));
    CHECK_OK(kin_future_failure(poison, &failure));
    CHECK_EQ(failure.code, KIN_ECRASHED);
    CHECK_EQ(failure.attempts, 3);
    CHECK_EQ(*begun, 3);
    kin_future_free(poison);
    CHECK_EQ(number_of(submit(pool, square, kin_args(kin_int(5))), KIN_FOREVER), 25);
    kin_free((void *)begun);
    close_and_free(pool);
}

EACH_ENGINE(a_task_is_tried_again_though_the_pool_is_closed_meanwhile)
{
    if (!brings_others(engine)) {
        SKIP("this engine does not look after its workers");
    }
    kin_pool_options options = options_of(engine, 1);
    options.retries = 5;
    kin_pool *pool = pool_with(&options);
    _Atomic int *begun = kin_alloc(sizeof *begun);
    stop s = new_stop();
    kin_future *standing = submit_standing(pool, s);
    kin_future *dying = submit_dying(pool, engine, begun, 4);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_event_set(s.go));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    CHECK_EQ(number_of(standing, 0), 7);
    CHECK_EQ(number_of(dying, 0), 4);
    kin_free((void *)begun);
    free_stop(s);
    free_whole(pool);
}

/* ---- what only processes can do -------------------------------------------------------------- */

EACH_ENGINE(a_limit_needs_workers_that_can_be_killed)
{
    kin_pool *pool = NULL;
    kin_future *future = NULL;
    kin_pool_options options = options_of(engine, 1);
    options.task_timeout = 1000;
    if (engine->options.threads != 0) {
        CHECK_ERROR(kin_pool_new(&pool, &options), KIN_EUNSUPPORTED);
        CHECK_CONTAINS(kin_errmsg(), ".task_timeout");
        options.task_timeout = 0;
        options.max_memory_per_child = 1;
        CHECK_ERROR(kin_pool_new(&pool, &options), KIN_EUNSUPPORTED);
        CHECK_CONTAINS(kin_errmsg(), ".max_memory_per_child");
    }
    CHECK_NULL(pool);
    pool = new_pool(engine, 1);
    int rv = kin_pool_submit(pool, square, kin_args(kin_int(2)),
                             KIN_OPT(kin_submit_options, .timeout = 1000), &future);
    CHECK_EQ(rv, engine->kills ? 0 : KIN_EUNSUPPORTED);
    if (engine->kills) {
        CHECK_EQ(number_of(future, KIN_FOREVER), 4);
    } else {
        CHECK_CONTAINS(kin_errmsg(), "kin_pool_submit: .timeout");
    }
    free_whole(pool);
}

/* ---- what is called -------------------------------------------------------------------------- */

struct called {
    int times;
    int64_t sum;
};

/* In a thread of ours that waits, so it needs no lock. */
static void note(kin_future *future, void *ctx)
{
    struct called *called = ctx;
    kin_obj o;
    int rv = kin_future_get(future, &o, 0);
    called->times++;
    called->sum += rv < 0 ? 1000000 : kin_as_int(o);
}

EACH_ENGINE(what_is_to_be_called_is_called_once_for_each_task_well_done_or_not)
{
    kin_pool *pool = new_pool(engine, 2);
    struct called called = { 0 };
    kin_future *kept[10];
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(i)),
                                 KIN_OPT(kin_submit_options, .on_done = note, .ctx = &called),
                                 &kept[i]));
        CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(i)),
                                 KIN_OPT(kin_submit_options, .on_done = note, .ctx = &called),
                                 NULL));
    }
    kin_future *failed = submit(pool, fail_with, kin_args(kin_int(KIN_EUSER), kin_str("no")));
    CHECK_OK(kin_future_on_done(failed, note, &called));
    CHECK_ERROR(kin_future_on_done(failed, note, &called), KIN_ESTATE);
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER)); /* after all of them were called */
    CHECK_EQ(called.times, 21);
    CHECK_EQ(called.sum, 2 * 285 + 1000000);
    for (int i = 0; i < 10; i++) {
        kin_future_free(kept[i]);
    }
    kin_future_free(failed);
    free_whole(pool);
}

/* ---- freed under their hands ----------------------------------------------------------------- */

struct race {
    kin_pool *pool;
    _Atomic int done; /* tasks */
};

/* Until the pool is closed, or freed; each task is done, or ends with the pool. */
static int submit_for_ever(void *ctx)
{
    struct race *race = ctx;
    for (int64_t i = 0;; i++) {
        kin_future *future;
        int rv = kin_pool_submit(race->pool, square, kin_args(kin_int(i)), NULL, &future);
        if (rv < 0) {
            return rv == KIN_ECLOSED || rv == KIN_EFREED ? 0 : 1;
        }
        int64_t result = number_of(future, KIN_FOREVER);
        if (result != i * i && result != KIN_ECANCELLED) {
            return 2;
        }
        atomic_fetch_add(&race->done, 1);
    }
}

EACH_ENGINE_WITHIN(120, a_pool_is_freed_while_relatives_submit_and_all_of_them_hear_it)
{
    SKIP_WHERE_A_CHILD_MAY_HANG(engine);
    struct race *race = test_shared(sizeof *race);
    struct crowd *crowd = kin_alloc(sizeof *crowd);
    for (int round = 0; round < 10; round++) {
        race->pool = new_pool(engine, 2);
        meet(race->pool, crowd, 2); /* a thread that is about to begin holds locks of others' */
        race->done = 0;
        pid_t children[2];
        for (int i = 0; i < 2; i++) {
            children[i] = test_child(submit_for_ever, race);
        }
        WAIT_UNTIL(atomic_load(&race->done) > 20 * round);
        kin_pool_free(race->pool);
        for (int i = 0; i < 2; i++) {
            CHECK_EQ(test_join(children[i]), 0);
        }
        CHECK_EQ(blocks_in_use(), 1); /* the crowd's */
    }
    kin_free(crowd);
}

#endif
