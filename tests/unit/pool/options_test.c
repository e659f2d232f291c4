/* What a pool is told when it is made: options.c. */
#include "pool_scene.h"

#include "process/room.h"
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

static kin_pool *new_pool(const kin_pool_options *options)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin_pool_new(&pool, options));
    return pool;
}

static int64_t ask(kin_pool *pool, kin_fn fn)
{
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, fn, kin_args(), &o));
    return kin_as_int(o);
}

TEST(bad_options_are_refused_with_a_sentence_and_lose_nothing)
{
    kin_pool *pool = NULL;
    const kin_pool_options bad[] = {
        { .processes = KIN__PLACES_MOST + 1 },
        { .threads = KIN__PLACES_MOST + 1 },
        { .threads = 1, .processes = 1 },
        { .reserved = { 0, 0, 1 } },
        { .task_timeout = -1 },
        { .start_method = "fork server" },
        { .initargs = kin_args(kin_str("arguments, and no initializer")) },
        { .finalargs = kin_args(kin_str("arguments, and no finalizer")) },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERROR(kin_pool_new(&pool, &bad[i]), KIN_EINVAL);
        CHECK_CONTAINS(kin_errmsg(), "kin_pool_new: ");
    }
    CHECK_ERROR(kin_pool_new(NULL, KIN_OPT(kin_pool_options, .initializer = square,
                                           .initargs = kin_args(kin_str("given away")))),
                KIN_EINVAL);
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .initializer = square,
                                            .initargs = kin_str("no tuple, and not so short"))),
                KIN_ETYPE);
    CHECK_ERROR(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .finalizer = square,
                                    .finalargs = kin_args(kin_buffer(kin_alloc(100), 100)))),
        KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "buffer");
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .engine = "nobody://there")),
                KIN_EUNSUPPORTED);
    CHECK_ERROR(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 1, .max_memory_per_child = 1)),
        KIN_EUNSUPPORTED);
    CHECK_ERROR(
        kin_pool_new(&pool, KIN_OPT(kin_pool_options, .threads = 1, .start_method = "fork")),
        KIN_EUNSUPPORTED);
    CHECK_NULL(pool);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

static kin_obj my_pid(kin_obj args)
{
    (void)args;
    return kin_int(getpid());
}

static kin_obj my_index(kin_obj args)
{
    (void)args;
    return kin_int(kin_worker_index());
}

TEST(a_worker_is_replaced_after_so_many_tasks)
{
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 1, .max_tasks_per_child = 3));
    for (int round = 0; round < 3; round++) {
        int64_t pid = ask(pool, my_pid);
        CHECK_EQ(ask(pool, my_pid), pid);
        CHECK_EQ(ask(pool, my_index), 0);
        CHECK(ask(pool, my_pid) != pid);
        (void)ask(pool, my_pid);
        (void)ask(pool, my_pid);
    }
    free_whole(pool);
}

#define MUCH ((size_t)200 << 20)

static kin_obj take_memory(kin_obj args)
{
    (void)args;
    char *much = malloc(MUCH);
    memset(much, 7, MUCH);
    kin_worker_set_state(much); /* a leak */
    return kin_int(getpid());
}

TEST(a_worker_that_has_grown_too_large_is_replaced)
{
    uint64_t most = kin__os_resident() + MUCH / 2;
    kin_pool *pool =
        new_pool(KIN_OPT(kin_pool_options, .processes = 1, .max_memory_per_child = most));
    int64_t pid = ask(pool, my_pid);
    CHECK_EQ(ask(pool, my_pid), pid);
    CHECK_EQ(ask(pool, take_memory), pid);
    CHECK(ask(pool, my_pid) != pid);
    free_whole(pool);
}

static kin_obj my_name(kin_obj args)
{
    (void)args;
    return kin_str(kin_process_name(kin_current_process()));
}

TEST(workers_have_the_pools_name)
{
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 1, .name = "resizer"));
    kin_obj o;
    CHECK_OK(kin_pool_apply(pool, my_name, kin_args(), &o));
    CHECK_STR(kin_as_str(o), "resizer-1");
    kin_release(o);
    free_whole(pool);
    char name[500];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    pool = new_pool(KIN_OPT(kin_pool_options, .processes = 1, .name = name));
    CHECK_OK(kin_pool_apply(pool, my_name, kin_args(), &o));
    CHECK_EQ(strlen(kin_as_str(o)), sizeof pool->name - 1 + strlen("-1"));
    kin_release(o);
    free_whole(pool);
}

/* ---- how many ---------------------------------------------------------------------------- */

TEST(a_pool_grows_and_shrinks)
{
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 2));
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 2);
    CHECK_OK(kin_pool_resize(pool, 5));
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 5);
    kin_future *runs[5];
    for (int i = 0; i < 5; i++) {
        CHECK_OK(kin_pool_submit(pool, stay, kin_args(), NULL, &runs[i]));
    }
    for (int i = 0; i < 5; i++) {
        WAIT_UNTIL(kin_future_running(runs[i]));
    }
    CHECK_OK(kin_pool_resize(pool, 1)); /* they are busy */
    for (int i = 0; i < 5; i++) {
        CHECK_OK(kin_future_cancel(runs[i], KIN_OPT(kin_cancel_options, .kill = true)));
        kin_future_free(runs[i]);
    }
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 1);
    CHECK_OK(kin_pool_resize(pool, 3));
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 3);
    for (int i = 0; i < 3; i++) {
        WAIT_UNTIL(test_is_asleep(atomic_load(&pool->workers[i].pid)));
    }
    CHECK_OK(kin_pool_resize(pool, 1)); /* they are idle */
    WAIT_UNTIL(kin__count_alive() == 1 + 1 + 1);
    CHECK_EQ(ask(pool, my_index), 0);
    CHECK_OK(kin_pool_close(pool));
    CHECK_ERROR(kin_pool_resize(pool, 2), KIN_ECLOSED);
    CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
    free_whole(pool);
}

TEST(a_pool_that_is_resized_all_the_time_loses_no_task)
{
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 2));
    for (int round = 0; round < 30; round++) {
        kin_future *futures[20];
        kin_obj o;
        for (int i = 0; i < 20; i++) {
            CHECK_OK(kin_pool_submit(pool, square, kin_args(kin_int(i)), NULL, &futures[i]));
            if (i % 7 == 0) {
                CHECK_OK(kin_pool_resize(pool, 1 + (unsigned)(test_random() % 4)));
            }
        }
        for (int i = 0; i < 20; i++) {
            CHECK_OK(kin_future_get(futures[i], &o, KIN_FOREVER));
            CHECK_EQ(kin_as_int(o), i * i);
            kin_future_free(futures[i]);
        }
    }
    free_whole(pool);
}

TEST(a_size_that_cannot_be_is_refused)
{
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 1));
    CHECK_ERROR(kin_pool_resize(pool, 0), KIN_ERANGE);
    CHECK_ERROR(kin_pool_resize(pool, 65), KIN_ERANGE);
    CHECK_ERROR(kin_pool_resize(NULL, 1), KIN_EINVAL);
    free_whole(pool);
}

static kin_obj make_a_pool_of_the_rest(kin_obj args)
{
    kin_pool *inner;
    (void)args;
    KIN_TRY(kin_pool_new(&inner, NULL));
    unsigned workers = atomic_load(&inner->wanted);
    kin_pool_free(inner);
    return kin_int(workers);
}

TEST(pools_within_a_pool_share_the_processors)
{
    unsigned cpus = (unsigned)kin_cpu_count();
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 1));
    CHECK_EQ(ask(pool, make_a_pool_of_the_rest), cpus);
    free_whole(pool);
    pool = new_pool(KIN_OPT(kin_pool_options, .processes = 2));
    CHECK_EQ(ask(pool, make_a_pool_of_the_rest), cpus / 2 > 0 ? cpus / 2 : 1);
    free_whole(pool);
}

static kin_obj my_processors(kin_obj args)
{
    cpu_set_t set;
    (void)args;
    return kin_int(sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1);
}

TEST(a_pinned_worker_stays_on_one_processor)
{
    kin_pool *pool = new_pool(KIN_OPT(kin_pool_options, .processes = 2, .pin = true));
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(ask(pool, my_processors), 1);
    }
    free_whole(pool);
}

/* ---- start methods ----------------------------------------------------------------------- */

static int in_the_maker;

static kin_obj what_the_maker_set(kin_obj args)
{
    (void)args;
    return kin_int(in_the_maker);
}

TEST(the_start_method_says_what_workers_are_copies_of)
{
    static const char *const methods[] = { "fork", "forkserver", "spawn" };
    in_the_maker = 7;
    for (int i = 0; i < 3; i++) {
        kin_pool *pool =
            new_pool(KIN_OPT(kin_pool_options, .processes = 2, .start_method = methods[i]));
        CHECK_EQ(ask(pool, what_the_maker_set), i == 0 ? 7 : 0);
        kin_obj o;
        CHECK_ERROR(kin_pool_apply(pool, die_of, kin_args(kin_int(SIGKILL)), &o), KIN_ECRASHED);
        CHECK_EQ(ask(pool, what_the_maker_set), i == 0 ? 7 : 0);
        CHECK_OK(kin_pool_close(pool));
        CHECK_OK(kin_pool_join(pool, KIN_FOREVER));
        kin_pool_free(pool);
    }
    kin__process_drop_server();
    WAIT_UNTIL(kin__count_alive() == 1);
}
