#include "pool_scene.h"

static int refuse(kin_pool *pool, const kin_pool_options *options)
{
    (void)pool;
    (void)options;
    return kin__fail(KIN_EAGAIN, "it has no mind to");
}

static void reap_nobody(kin_pool *pool)
{
    (void)pool;
}

static const kin__engine engines[] = {
    { .scheme = "a", .start = refuse, .reap = reap_nobody },
    { .scheme = "ab", .start = refuse, .reap = reap_nobody },
    { .scheme = "c" },
    { .scheme = "d" },
    { .scheme = "e" },
    { .scheme = "f" },
    { .scheme = "g" },
};

static int choose(const char *address)
{
    return kin__engine_choose(KIN_OPT(kin_pool_options, .engine = address));
}

TEST(options_choose_processes_or_threads_or_an_engine_by_name)
{
    CHECK_EQ(kin__engine_choose(&(const kin_pool_options){ 0 }), 0);
    CHECK_EQ(kin__engine_choose(KIN_OPT(kin_pool_options, .processes = 2)), 0);
    CHECK_EQ(kin__engine_choose(KIN_OPT(kin_pool_options, .threads = 2)), 1);
    CHECK_ERROR(kin__engine_choose(KIN_OPT(kin_pool_options, .threads = 2, .processes = 2)),
                KIN_EINVAL);
    CHECK_EQ(choose("processes://"), 0);
    CHECK_EQ(choose("threads://"), 1);
}

TEST(an_address_names_an_engine_by_its_whole_scheme)
{
    int a = kin__engine_add(&engines[0]);
    int ab = kin__engine_add(&engines[1]);
    CHECK_NE(a, ab);
    CHECK_EQ(kin__engine_add(&engines[0]), a);
    CHECK_EQ(choose("a://host"), a);
    CHECK_EQ(choose("ab://"), ab);
    static const char *const bad[] = { "", "a", "a:", "a:/", "://", "abc://", "A://", "b://" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_ERROR(choose(bad[i]), KIN_EUNSUPPORTED);
        CHECK_CONTAINS(kin_errmsg(), bad[i]);
    }
}

TEST(there_is_room_for_a_few_engines)
{
    int rv = 0;
    for (size_t i = 0; i < sizeof engines / sizeof *engines && rv >= 0; i++) {
        rv = kin__engine_add(&engines[i]);
    }
    CHECK_ERROR(rv, KIN_EFULL);
    CHECK_OK(kin__engine_add(&engines[0]));
}

TEST(an_engine_that_does_not_start_leaves_nothing)
{
    kin_pool *pool = NULL;
    CHECK_OK(kin__engine_add(&engines[0]));
    CHECK_ERROR(kin_pool_new(&pool, KIN_OPT(kin_pool_options, .engine = "a://")), KIN_EAGAIN);
    CHECK_STR(kin_errmsg(), "it has no mind to");
    CHECK_NULL(pool);
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    CHECK_EQ(usage.blocks, 0);
}

TEST(a_pool_of_an_engine_that_is_not_known_here_has_one_that_does_nothing)
{
    kin_pool *pool = pool_of(1);
    uint32_t number = pool->engine;
    pool->engine = 7;
    CHECK_NOT_NULL(kin__engine_of(pool));
    CHECK_STR(kin__engine_of(pool)->scheme, "");
    pool->engine = 1000000;
    CHECK_STR(kin__engine_of(pool)->scheme, "");
    pool->engine = number;
    CHECK_STR(kin__engine_of(pool)->scheme, "processes");
    free_whole(pool);
}
