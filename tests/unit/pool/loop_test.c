#include "pool_scene.h"

#include "pool/loop.h"

static void nothing(size_t index, void *ctx)
{
    (void)index;
    (void)ctx;
}

#define NOTHING ((kin_fn)(void (*)(void))nothing)

static kin__loop *loop_of(kin_pool *pool, uint64_t count, kin_schedule schedule, uint64_t grain)
{
    kin__loop *loop;
    CHECK_OK(kin__loop_new(pool, NOTHING, count, &loop));
    loop->schedule = schedule;
    loop->grain = grain;
    return loop;
}

struct shares {
    kin__runner *runner;
    uint64_t sizes[64];
    uint64_t last;
    size_t n;
};

/* Notes the size of each share; they follow each other. */
static bool note(void *ctx)
{
    struct shares *s = ctx;
    if (s->runner->me->worked) {
        CHECK_EQ(s->runner->begin, s->last);
        s->last = s->runner->end;
        s->sizes[s->n++] = s->runner->end - s->runner->begin;
    }
    return s->n < 64;
}

static struct shares shares_of(kin__loop *loop)
{
    kin__runner runner;
    struct shares s = { .runner = &runner };
    kin__loop_join(loop, 0, NOTHING, &runner);
    CHECK(kin__loop_take_part(&runner, note, &s));
    CHECK_EQ(atomic_load(&loop->party[0].end), 0); /* he has nothing in his hands */
    return s;
}

TEST(dynamic_shares_are_of_the_grain_and_the_last_is_what_remains)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop = loop_of(pool, 10, KIN_SCHEDULE_DYNAMIC, 4);
    struct shares s = shares_of(loop);
    CHECK_EQ(s.n, 3);
    CHECK_EQ(s.sizes[0], 4);
    CHECK_EQ(s.sizes[2], 2);
    kin__loop_free(loop);
    free_whole(pool);
}

TEST(guided_shares_get_smaller_down_to_the_grain)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop = loop_of(pool, 1000, KIN_SCHEDULE_GUIDED, 50);
    struct shares s = shares_of(loop);
    CHECK_EQ(s.sizes[0], 250); /* half of what each of the two would get */
    for (size_t i = 1; i + 1 < s.n; i++) {
        CHECK_LE(s.sizes[i], s.sizes[i - 1]);
        CHECK_GE(s.sizes[i], 50);
    }
    CHECK_EQ(s.last, 1000);
    kin__loop_free(loop);
    free_whole(pool);
}

TEST(automatic_shares_begin_with_one_and_grow_where_an_index_costs_little)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop = loop_of(pool, 1000000000, KIN_SCHEDULE_AUTO, 1);
    struct shares s = shares_of(loop);
    uint64_t most = 0;
    CHECK_EQ(s.sizes[0], 1);
    for (size_t i = 0; i < s.n; i++) {
        most = s.sizes[i] > most ? s.sizes[i] : most;
        CHECK_LE(s.sizes[i], 1000000000 / 4);
    }
    CHECK_GT(most, 100);
    kin__loop_free(loop);
    free_whole(pool);
}

TEST(there_is_a_party_for_each_worker_and_not_more_than_indexes)
{
    kin_pool *pool = pool_of(2);
    kin__loop *loop = loop_of(pool, 100, KIN_SCHEDULE_AUTO, 1);
    CHECK_EQ(loop->parties, 3);
    kin__loop_free(loop);
    loop = loop_of(pool, 2, KIN_SCHEDULE_AUTO, 1);
    CHECK_EQ(loop->parties, 2);
    kin__loop_free(loop);
    free_whole(pool);
}

TEST(a_loop_is_freed_by_whoever_leaves_it_last)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop = loop_of(pool, 100, KIN_SCHEDULE_AUTO, 1);
    void *memory = kin__block_new(100, KIN__RAW);
    loop->memory = kin__block_ref(memory);
    kin__block_give(memory);
    kin__block_give(loop);
    kin__task *task;
    CHECK_OK(kin__loop_task(pool, loop, 1, &task));
    kin__ref ref = loop->self;
    kin__loop_leave(ref, 0);
    kin__loop_leave(ref, 7); /* there is no such party */
    CHECK(kin__block_is_shared(ref));
    kin__task_free(task);
    CHECK(!kin__block_is_shared(ref));
    kin__loop_leave(ref, 0);
    free_whole(pool);
}

/* A caller who is killed when there is a task. */
struct orphan {
    kin_pool *pool;
    kin__ref loop, task;
};

static int make_and_die(void *ctx)
{
    struct orphan *o = ctx;
    kin__task *task;
    kin__loop *loop = loop_of(o->pool, 100, KIN_SCHEDULE_AUTO, 1);
    kin__block_give(loop);
    CHECK_OK(kin__loop_task(o->pool, loop, 1, &task));
    kin__block_give(task);
    o->loop = loop->self;
    o->task = kin__block_ref(task);
    kin__os_kill(kin__os_getpid(), SIGKILL);
    return 0;
}

TEST(who_leaves_last_frees_the_loop_of_a_dead_caller)
{
    struct orphan *o = test_shared(sizeof *o);
    o->pool = pool_of(1);
    CHECK_EQ(test_join(test_child(make_and_die, o)), -SIGKILL);
    CHECK(kin__block_is_shared(o->loop));
    kin__task_free(kin__block_at(o->task, KIN__TASK, NULL));
    CHECK(!kin__block_is_shared(o->loop));
    free_whole(o->pool);
}

TEST(a_task_whose_loop_is_gone_fails_alone)
{
    kin_pool *pool = pool_of(1);
    kin__loop *loop = loop_of(pool, 100, KIN_SCHEDULE_AUTO, 1);
    kin__block_give(loop);
    kin__task *task;
    CHECK_OK(kin__loop_task(pool, loop, 1, &task));
    CHECK_OK(kin__block_free(loop));
    kin_future *future;
    CHECK_OK(kin__pool_submit(pool, task, &future, "test"));
    kin_obj o;
    CHECK_ERROR(kin_future_get(future, &o, KIN_FOREVER), KIN_ECORRUPT);
    CHECK_OK(kin_pool_apply(pool, square, kin_args(kin_int(2)), NULL));
    kin_future_free(future);
    free_whole(pool);
}
