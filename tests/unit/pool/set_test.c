#include "pool_scene.h"

#include "pool/many.h"

static kin__task *new_task(kin_pool *pool)
{
    kin__task *task;
    kin_obj args = kin_args(kin_int(5));
    CHECK_OK(kin__task_new(pool, square, args, KIN__TASK_CALL, &task));
    kin_release(args);
    kin__block_give(task);
    return task;
}

static kin__task *new_whole(kin_pool *pool, uint32_t number)
{
    kin__task *whole = new_task(pool);
    atomic_store(&whole->state, KIN__TASK_STATE(KIN__TASK_IN_PARTS, number));
    return whole;
}

static void end_task(kin__task *task)
{
    CHECK_PTR(kin__task_claim(kin__block_ref(task), kin__os_getpid()), task);
    CHECK(kin__task_finish(task, kin_int(1)));
}

typedef struct seen {
    size_t n, sum;
} seen;

static void see(void *ctx, size_t index)
{
    seen *s = ctx;
    s->n++;
    s->sum += index;
}

static seen take(kin__crowd *crowd)
{
    seen s = { 0 };
    kin__crowd_take(crowd, see, &s);
    return s;
}

TEST(who_ends_a_task_tells_the_set_that_it_is_in)
{
    kin_pool *pool = pool_of(1);
    kin__task *tasks[3];
    kin__crowd crowd;
    CHECK_OK(kin__crowd_new(&crowd, 3, NULL, 0));
    for (size_t i = 0; i < 3; i++) {
        tasks[i] = new_task(pool);
        CHECK_OK(kin__crowd_join(&crowd, i, tasks[i], KIN__SET_WAITING));
    }
    CHECK_EQ(take(&crowd).n, 0);
    uint32_t ticket = kin__gate_ticket(&crowd.top->told);
    end_task(tasks[2]);
    CHECK_NE(atomic_load(&crowd.top->told.word), ticket);
    end_task(tasks[0]);
    seen s = take(&crowd);
    CHECK_EQ(s.n, 2);
    CHECK_EQ(s.sum, 2);
    CHECK_EQ(take(&crowd).n, 0);
    kin__crowd_leave(&crowd, 1, tasks[1], KIN__SET_WAITING);
    end_task(tasks[1]);
    CHECK_EQ(take(&crowd).n, 0);
    kin__crowd_end(&crowd);
    for (int i = 0; i < 3; i++) {
        kin__task_let_go(tasks[i]);
    }
    free_whole(pool);
}

TEST(a_task_that_is_over_when_it_joins_is_told_of_and_a_set_may_be_gone)
{
    kin_pool *pool = pool_of(1);
    kin__task *over = new_task(pool);
    kin__task *late = new_task(pool);
    kin__crowd crowd;
    end_task(over);
    CHECK_OK(kin__crowd_new(&crowd, 5000, NULL, 0));
    CHECK_OK(kin__crowd_join(&crowd, 4999, over, KIN__SET_WAITING));
    CHECK_OK(kin__crowd_join(&crowd, 1, late, KIN__SET_WAITING));
    CHECK_ERROR(kin__crowd_join(&crowd, 2, late, KIN__SET_WAITING), KIN_ESTATE);
    CHECK_OK(kin__crowd_join(&crowd, 2, late, KIN__SET_CALLING));
    seen s = take(&crowd);
    CHECK_EQ(s.n, 1);
    CHECK_EQ(s.sum, 4999);
    kin__crowd_end(&crowd);
    end_task(late);
    atomic_store(&late->sets[0], kin__block_ref(over)); /* scribbled upon */
    kin__set_tell(late);
    kin__task_let_go(over);
    kin__task_let_go(late);
    free_whole(pool);
}

TEST(a_task_in_parts_is_over_when_all_of_them_are)
{
    kin_pool *pool = pool_of(1);
    const size_t counts[] = { 1, 63, 64, 65, 4096, 4097 };
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        kin__task *whole = new_whole(pool, 77);
        kin__task *part = new_task(pool); /* plays all of them */
        kin__crowd crowd;
        CHECK_OK(kin__crowd_new(&crowd, counts[k], whole, 77));
        end_task(part);
        for (size_t i = counts[k]; i-- > 0;) {
            CHECK(!kin__task_is_over(whole));
            CHECK_OK(kin__crowd_join(&crowd, i, part, KIN__SET_WAITING));
            kin__crowd_leave(&crowd, i, part, KIN__SET_WAITING);
        }
        CHECK(kin__task_is_over(whole));
        kin__crowd_end(&crowd);
        kin__task_let_go(part);
        kin__task_let_go(whole);
    }
    free_whole(pool);
}

TEST(another_task_at_the_place_of_one_in_parts_is_not_ended)
{
    kin_pool *pool = pool_of(1);
    kin__task *whole = new_whole(pool, 8);
    kin__task_whole(whole, 7);
    CHECK(!kin__task_is_over(whole));
    kin__task_whole(whole, 8);
    CHECK(kin__task_is_over(whole));
    kin__task_let_go(whole);
    free_whole(pool);
}

/* ---- killed while he tells ------------------------------------------------------------------- */

typedef struct telling {
    kin_pool *pool;
    kin__crowd crowd;
    kin__task *whole, *parts[2];
    bool counts;
} telling;

static void set_up(void *ctx)
{
    telling *t = ctx;
    t->whole = new_whole(t->pool, 9);
    kin__task_watch(t->whole);
    CHECK_OK(kin__crowd_new(&t->crowd, 2, t->counts ? t->whole : NULL, 9));
    for (size_t i = 0; i < 2; i++) {
        t->parts[i] = new_task(t->pool);
        CHECK_OK(kin__crowd_join(&t->crowd, i, t->parts[i], KIN__SET_WAITING));
    }
}

static void end_both(void *ctx)
{
    telling *t = ctx;
    end_task(t->parts[0]);
    end_task(t->parts[1]);
}

/* What a supervisor does for a dead worker; and the second may have been begun by nobody. */
static void bring_to_its_end(kin__task *task)
{
    uint64_t state = atomic_load(&task->state);
    kin__id dead = KIN__TASK_RUNNER(state);
    if (KIN__TASK_PHASE(state) == KIN__TASK_QUEUED) {
        CHECK(kin__task_lose(task, state, KIN__LOST_CANCELLED, NULL));
    } else if (dead != KIN__NOBODY) {
        CHECK(kin__task_lose_of(task, dead, KIN__LOST_CRASHED, NULL));
    }
}

static void check_told(void *ctx, const char *step)
{
    telling *t = ctx;
    (void)step;
    bring_to_its_end(t->parts[0]);
    bring_to_its_end(t->parts[1]);
    if (t->counts) {
        CHECK(kin__task_is_over(t->whole));
        CHECK_EQ(KIN__TASK_RUNNER(atomic_load(&t->whole->state)), KIN__NOBODY);
    } else {
        CHECK_EQ(take(&t->crowd).n, 2);
        CHECK(kin__task_lose(t->whole, KIN__TASK_STATE(KIN__TASK_IN_PARTS, 9), KIN__LOST_CANCELLED,
                             NULL));
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(KIN__TASK_RUNNER(atomic_load(&t->parts[i]->state)), KIN__NOBODY);
        kin__crowd_leave(&t->crowd, (size_t)i, t->parts[i], KIN__SET_WAITING);
        kin__task_let_go(t->parts[i]);
    }
    kin__crowd_end(&t->crowd);
    kin__task_let_go(t->whole);
}

TEST(who_is_killed_while_he_tells_a_set_has_told_in_the_end)
{
    telling t = { .pool = pool_of(1) };
    int kills = kill_loop(NULL, &t, .setup = set_up, .victim = end_both, .check = check_told);
    CHECK_GE(kills, 10);
    check_told(&t, NULL); /* the one who got through */
    free_whole(t.pool);
}

TEST(who_is_killed_while_he_ends_a_task_in_parts_has_ended_it_in_the_end)
{
    telling t = { .pool = pool_of(1), .counts = true };
    int kills = kill_loop(NULL, &t, .setup = set_up, .victim = end_both, .check = check_told);
    CHECK_GE(kills, 10);
    check_told(&t, NULL); /* the one who got through */
    free_whole(t.pool);
}

static void make_a_crowd(void *ctx)
{
    telling *t = ctx;
    kin__crowd crowd;
    CHECK_OK(kin__crowd_new(&crowd, 2, NULL, 0));
    CHECK_OK(kin__crowd_join(&crowd, 1, t->parts[0], KIN__SET_WAITING));
    KIN__STEP("test.joined");
    kin__crowd_end(&crowd);
}

static void check_gone(void *ctx, const char *step)
{
    telling *t = ctx;
    (void)step;
    (void)kin__count_alive(); /* sweeps */
    end_task(t->parts[0]);
    kin__task_let_go(t->parts[0]);
}

static void set_up_one(void *ctx)
{
    telling *t = ctx;
    t->parts[0] = new_task(t->pool);
}

TEST(the_sets_of_who_was_killed_go_with_him)
{
    telling t = { .pool = pool_of(1) };
    CHECK_GE(kill_loop(NULL, &t, .setup = set_up_one, .victim = make_a_crowd, .check = check_gone),
             3);
    check_gone(&t, NULL);
    free_whole(t.pool);
}

static int try_a_crowd(void *ctx)
{
    kin__crowd crowd;
    (void)ctx;
    int rv = kin__crowd_new(&crowd, 5000, NULL, 0);
    rv = rv < 0 ? rv : kin__crowd_grow(&crowd);
    kin__crowd_end(&crowd);
    return rv;
}

TEST(without_memory_there_is_no_crowd)
{
    kin_pool *pool = pool_of(1);
    CHECK_GE(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = try_a_crowd), 4);
    kin__crowd crowd;
    CHECK_ERROR(kin__crowd_new(&crowd, KIN__CROWD_MOST + 1, NULL, 0), KIN_ERANGE);
    free_whole(pool);
}
