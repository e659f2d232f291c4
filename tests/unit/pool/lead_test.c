#include "pool_scene.h"

#include "pool/loop.h"

static void meet(size_t index, void *ctx)
{
    (void)index;
    _Atomic int *came = ctx;
    atomic_fetch_add(came, 1);
    while (atomic_load(came) < 2) {
        kin__os_yield();
    }
}

#define MEET ((kin_fn)(void (*)(void))meet)

/* The loop is there until its caller leaves it, whoever has left before. */
TEST(who_leads_a_loop_can_read_it_until_he_leaves)
{
    kin_pool *pool = pool_of(1);
    _Atomic int *came = kin_alloc(sizeof *came);
    kin__loop *loop;
    CHECK_OK(kin__loop_new(pool, MEET, 2, &loop));
    loop->schedule = KIN_SCHEDULE_STATIC;
    loop->arrays.ctx = (void *)came;
    bool over;
    kin__lead how = { .pool = pool, .verb = "test", .function = MEET };
    CHECK_OK(kin__loop_lead(loop, &how, &over));
    CHECK(over);
    CHECK_EQ(atomic_load(came), 2);
    CHECK(loop->party[0].worked);
    CHECK(loop->party[1].worked);
    kin__ref ref = loop->self;
    CHECK(kin__block_is_shared(ref));
    kin__loop_leave(ref, 0);
    kin_free((void *)came);
    free_whole(pool);
}

TEST(a_loop_that_cannot_begin_can_be_left_as_any_other)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop;
    bool over = true;
    CHECK_OK(kin_pool_close(pool));
    CHECK_OK(kin__loop_new(pool, MEET, 2, &loop));
    kin__lead how = { .pool = pool, .verb = "test", .function = MEET };
    CHECK_ERROR(kin__loop_lead(loop, &how, &over), KIN_ECLOSED);
    CHECK(!over);
    kin__loop_leave(loop->self, 0);
    free_whole(pool);
}
