#include "condition_scene.h"
#include "contract/start.h"

/* ---- wait and notify -------------------------------------------------------------------- */

static void wakes_a_waiter(struct world *w)
{
    pid_t pid = start_waiter(w);
    CHECK(!is_locked(w));
    CHECK_EQ(notify(w, 1), 1);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code[0], 0);
    CHECK(!is_locked(w));
    CHECK_EQ(notify(w, 1), 0); /* nobody is there any more */
    end_world(w);
}

TEST(notify_wakes_who_waits)
{
    each_kind(wakes_a_waiter);
}

static void comes_back_with_the_lock(struct world *w)
{
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    double begin = kin_now();
    CHECK_ERROR(kin_condition_wait(w->c, 0.02), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.02);
    CHECK(is_locked(w));
    CHECK_ERROR(kin_condition_wait(w->c, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_condition_wait(w->c, -1), KIN_ETIMEDOUT);
    CHECK(is_locked(w));
    CHECK_EQ(kin_condition_release(w->c), 0);
    CHECK(!is_locked(w));
    end_world(w);
}

TEST(who_waited_in_vain_has_the_lock_again)
{
    each_kind(comes_back_with_the_lock);
}

static void wakes_the_longest_waiting(struct world *w)
{
    pid_t pids[5];
    for (int i = 0; i < 5; i++) {
        pids[i] = start_waiter(w);
    }
    CHECK_EQ(notify(w, 0), 0);
    CHECK_EQ(notify(w, 1), 1);
    CHECK_EQ(test_join(pids[0]), 0);
    CHECK_EQ(notify(w, 2), 2);
    CHECK_EQ(test_join(pids[1]), 0);
    CHECK_EQ(test_join(pids[2]), 0);
    CHECK_EQ(w->turn, 3);
    CHECK_EQ(notify(w, 100), 2);
    CHECK_EQ(test_join(pids[3]), 0);
    CHECK_EQ(test_join(pids[4]), 0);
    end_world(w);
}

TEST(those_who_have_waited_longest_wake_first)
{
    each_kind(wakes_the_longest_waiting);
}

TEST(cells_are_used_again_and_the_line_stays_in_order)
{
    struct world *w = new_own();
    pid_t pids[6];
    for (int i = 0; i < 3; i++) {
        pids[i] = start_waiter(w);
    }
    CHECK_EQ(notify(w, 1), 1);
    CHECK_EQ(test_join(pids[0]), 0);
    for (int i = 3; i < 6; i++) { /* the first of them lies before those who came earlier */
        pids[i] = start_waiter(w);
    }
    for (int i = 1; i < 6; i++) {
        CHECK_EQ(notify(w, 1), 1);
        CHECK_EQ(test_join(pids[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        CHECK_EQ(w->order[i], i);
    }
    end_world(w);
}

TEST(notify_all_wakes_as_many_as_there_are)
{
    struct world *w = new_own();
    uint64_t blocks = 0;
    for (int round = 0; round < 2; round++) {
        pid_t pids[MANY];
        w->children = w->turn = 0;
        for (int i = 0; i < MANY; i++) {
            pids[i] = start_waiter(w);
        }
        CHECK_EQ(notify_all(w), MANY);
        for (int i = 0; i < MANY; i++) {
            CHECK_EQ(test_join(pids[i]), 0);
            CHECK_EQ(w->code[i], 0);
        }
        CHECK(round == 0 || count_blocks() == blocks); /* the same cells again */
        blocks = count_blocks();
    }
    CHECK_EQ(notify_all(w), 0);
    end_world(w);
}

static long count_sleeps(pid_t pid)
{
    char path[64], line[128];
    long count = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    CHECK_NOT_NULL(f);
    while (fgets(line, sizeof line, f) != NULL) {
        (void)sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    }
    fclose(f);
    return count;
}

TEST(who_waits_does_not_tick)
{
    struct world *w = new_own();
    pid_t pid = start_waiter(w);
    long before = count_sleeps(pid);
    CHECK_GT(before, 0);
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    CHECK_ERROR(kin_condition_wait(w->c, 0.2), KIN_ETIMEDOUT);
    CHECK_EQ(kin_condition_release(w->c), 0);
    CHECK_EQ(count_sleeps(pid), before);
    CHECK_EQ(notify(w, 1), 1);
    CHECK_EQ(test_join(pid), 0);
    end_world(w);
}

static int ping(void *ctx)
{
    struct world *w = ctx;
    if (kin_condition_acquire(w->c, KIN_FOREVER) != 0) {
        return 1;
    }
    for (int i = 0; i < 2000; i++) {
        while (w->ready % 2 == 0) {
            if (kin_condition_wait(w->c, KIN_FOREVER) != 0) {
                return 2;
            }
        }
        w->ready++;
        if (kin_condition_notify(w->c, 1) < 0) {
            return 3;
        }
    }
    return kin_condition_release(w->c);
}

static void loses_no_wake_up(struct world *w)
{
    pid_t pid = test_child(ping, w);
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    for (int i = 0; i < 2000; i++) {
        w->ready++;
        CHECK_OK(kin_condition_notify(w->c, 1));
        while (w->ready % 2 == 1) {
            CHECK_EQ(kin_condition_wait(w->c, KIN_FOREVER), 0);
        }
    }
    CHECK_EQ(kin_condition_release(w->c), 0);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->ready, 4000);
    end_world(w);
}

TEST_WITHIN(120, no_wake_up_is_lost)
{
    each_kind(loses_no_wake_up);
}

/* His time is over, but he has to wait for the lock before he can say so. */
TEST(a_notification_that_comes_when_the_time_is_over_is_not_lost)
{
    struct world *w = new_on_lock();
    kin_auto(kin_semaphore) clock = NULL;
    CHECK_OK(kin_semaphore_new(&clock, 0, NULL));
    w->timeout = 0.05;
    int woken = 0;
    for (int i = 0; i < MANY && woken == 0; i++) {
        pid_t pid = start_waiter(w);
        CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
        if (w->code[i] == 99) { /* we were in time */
            CHECK_ERROR(kin_semaphore_acquire(clock, 0.1), KIN_ETIMEDOUT);
            CHECK_EQ(w->code[i], 99);
            woken = kin_condition_notify(w->c, 1);
            CHECK_EQ(woken, 1);
        }
        CHECK_OK(kin_condition_release(w->c));
        CHECK_EQ(test_join(pid), 0);
        CHECK_EQ(w->code[i], woken ? 0 : KIN_ETIMEDOUT);
    }
    CHECK_EQ(woken, 1);
    end_world(w);
}

/* ---- the lock --------------------------------------------------------------------------- */

TEST(an_rlock_is_let_go_of_wholly_and_as_deep_as_before_again)
{
    struct world *w = new_on_rlock();
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    }
    CHECK_EQ(kin_rlock_depth(w->rlock), 3);
    pid_t pid = test_child(wait_once, w);
    WAIT_UNTIL(w->children == 1);
    CHECK_ERROR(kin_condition_wait(w->c, 0.05), KIN_ETIMEDOUT);
    CHECK_EQ(kin_rlock_depth(w->rlock), 3);
    while (kin_condition_notify(w->c, 1) == 0) { /* he came in meanwhile, or comes now */
        CHECK_ERROR(kin_condition_wait(w->c, 0.01), KIN_ETIMEDOUT);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_condition_release(w->c), 0);
    }
    CHECK_EQ(test_join(pid), 0);
    end_world(w);
}

static int try_without(void *ctx)
{
    struct world *w = ctx;
    bool refused = kin_condition_wait(w->c, 0) == KIN_ESTATE &&
                   kin_condition_notify(w->c, 1) == KIN_ESTATE &&
                   kin_condition_notify_all(w->c) == KIN_ESTATE;
    return refused ? 0 : 1;
}

static void wants_its_lock(struct world *w)
{
    CHECK_ERROR(kin_condition_wait(w->c, 0), KIN_ESTATE);
    CHECK_ERROR(kin_condition_notify(w->c, 1), KIN_ESTATE);
    CHECK_ERROR(kin_condition_notify_all(w->c), KIN_ESTATE);
    CHECK_ERROR(kin_condition_release(w->c), KIN_ESTATE);
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    CHECK_EQ(test_join(test_child(try_without, w)), 0);
    CHECK_EQ(kin_condition_release(w->c), 0);
    end_world(w);
}

TEST(who_has_not_the_lock_may_not_wait_or_notify)
{
    each_kind(wants_its_lock);
}

TEST(two_conditions_may_be_about_one_lock)
{
    struct world *w = new_on_lock();
    struct world *other = new_world();
    CHECK_OK(kin_condition_new(&other->c, KIN_OPT(kin_condition_options, .lock = w->lock)));
    pid_t a = start_waiter(w);
    pid_t b = start_waiter(other);
    CHECK_EQ(notify(other, 5), 1);
    CHECK_EQ(test_join(b), 0);
    CHECK_EQ(w->code[0], 99);
    CHECK_EQ(notify(w, 5), 1);
    CHECK_EQ(test_join(a), 0);
    end_world(other);
    end_world(w);
}

static void is_held_in_a_block(struct world *w)
{
    int rv = -1;
    KIN_WITH(w->c, &rv) {
        CHECK_EQ(rv, 0);
        CHECK(is_locked(w));
        CHECK_ERROR(kin_condition_wait(w->c, 0), KIN_ETIMEDOUT);
    }
    CHECK(!is_locked(w));
    end_world(w);
}

TEST(a_block_holds_the_lock_of_a_condition)
{
    each_kind(is_held_in_a_block);
}

/* ---- wait_for --------------------------------------------------------------------------- */

static bool is_five(void *ctx)
{
    struct world *w = ctx;
    w->stage++;
    return w->ready == 5;
}

static int wait_for_five(void *ctx)
{
    struct world *w = ctx;
    CHECK_OK(kin_condition_acquire(w->c, KIN_FOREVER));
    w->code[0] = kin_condition_wait_for(w->c, is_five, w, w->timeout);
    return w->code[0] == KIN_ECLOSED ? 0 : kin_condition_release(w->c);
}

TEST(wait_for_waits_until_it_is_true)
{
    struct world *w = new_own();
    pid_t pid = test_child(wait_for_five, w);
    for (int i = 0; i < 5; i++) {
        WAIT_UNTIL(w->stage > i && test_is_asleep(pid));
        CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
        CHECK_EQ(w->code[0], 99);
        w->ready++;
        CHECK_EQ(kin_condition_notify_all(w->c), 1);
        CHECK_OK(kin_condition_release(w->c));
    }
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code[0], 0);
    CHECK_EQ(kin_condition_acquire(w->c, 0), 0);
    CHECK_EQ(kin_condition_wait_for(w->c, is_five, w, 0), 0); /* it is true already */
    w->ready = 0;
    CHECK_ERROR(kin_condition_wait_for(w->c, is_five, w, 0), KIN_ETIMEDOUT);
    double begin = kin_now();
    CHECK_ERROR(kin_condition_wait_for(w->c, is_five, w, 0.03), KIN_ETIMEDOUT);
    CHECK(kin_now() - begin >= 0.03);
    CHECK_OK(kin_condition_release(w->c));
    end_world(w);
}

/* ---- death ------------------------------------------------------------------------------ */

static bool takes_a_token(void *ctx)
{
    int *calls = ctx;
    return ++*calls == 2; /* whoever asks a third time finds it gone */
}

TEST(wait_for_asks_once_at_first_and_once_after_each_wake_up)
{
    struct world *w = new_own();
    CHECK_EQ(kin_condition_acquire(w->c, 0), 0);
    int calls = 0;
    CHECK_EQ(kin_condition_wait_for(w->c, takes_a_token, &calls, 0.001), 0);
    CHECK_EQ(calls, 2);
    calls = 2;
    CHECK_ERROR(kin_condition_wait_for(w->c, takes_a_token, &calls, 0.001), KIN_ETIMEDOUT);
    CHECK_EQ(calls, 4);
    CHECK_ERROR(kin_condition_wait_for(w->c, takes_a_token, &calls, 0), KIN_ETIMEDOUT);
    CHECK_EQ(calls, 5);
    CHECK_OK(kin_condition_release(w->c));
    end_world(w);
}

TEST(a_dead_waiter_swallows_no_notification)
{
    struct world *w = new_own();
    pid_t pids[4];
    for (int i = 0; i < 4; i++) {
        pids[i] = start_waiter(w);
    }
    kill_child(pids[0]);
    kill_child(pids[2]);
    CHECK_EQ(notify(w, 1), 1);
    CHECK_EQ(test_join(pids[1]), 0);
    CHECK_EQ(w->code[1], 0);
    CHECK_EQ(notify_all(w), 1);
    CHECK_EQ(test_join(pids[3]), 0);
    end_world(w);
}

TEST(the_cells_of_the_dead_are_used_again)
{
    struct world *w = new_own();
    uint64_t blocks = 0;
    for (int i = 0; i < 3 * MANY; i++) {
        w->children = 0;
        kill_child(start_waiter(w));
        CHECK(i == 0 || count_blocks() == blocks);
        blocks = count_blocks();
    }
    CHECK_EQ(notify_all(w), 0);
    end_world(w);
}

static int die_with_the_lock(void *ctx)
{
    struct world *w = ctx;
    bool held = kin_condition_acquire(w->c, KIN_FOREVER) >= 0;
    held = held && kin_condition_notify(w->c, 1) == 1;
    w->stage = held ? 1 : 2;
    while (pause() < 0) {
    }
    return 0;
}

TEST(who_was_notified_by_one_who_died_then_is_told)
{
    struct world *w = new_own();
    pid_t waiter = start_waiter(w);
    pid_t doomed = test_child(die_with_the_lock, w);
    WAIT_UNTIL(w->stage != 0);
    CHECK_EQ(w->stage, 1);
    kill_child(doomed);
    CHECK_EQ(test_join(waiter), 0);
    CHECK_EQ(w->code[0], KIN_OWNER_DIED);
    end_world(w);
}

static int be_true_and_die(void *ctx)
{
    struct world *w = ctx;
    CHECK_GE(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    w->ready = 5;
    CHECK_EQ(kin_condition_notify_all(w->c), 1);
    raise(SIGKILL);
    return 0;
}

TEST(wait_for_tells_that_somebody_died_meanwhile)
{
    struct world *w = new_own();
    pid_t pid = test_child(wait_for_five, w);
    WAIT_UNTIL(w->stage > 0 && test_is_asleep(pid));
    CHECK_EQ(test_join(test_child(be_true_and_die, w)), -SIGKILL);
    (void)test_join(pid);
    CHECK_EQ(w->code[0], KIN_OWNER_DIED);
    end_world(w);
}

/* ---- every start method ----------------------------------------------------------------- */

static kin_obj answer(kin_obj args)
{
    struct world *w = kin_arg_shared(args, 0);
    kin_condition *c = kin_as(kin_condition, kin_arg(args, 1));
    SEE(c != NULL && c == w->c);
    SEE(kin_condition_acquire(c, KIN_FOREVER) == 0);
    for (int i = 0; i < 50; i++) {
        while (w->ready % 2 == 0) {
            SEE(kin_condition_wait(c, KIN_FOREVER) == 0);
        }
        w->ready++;
        SEE(kin_condition_notify_all(c) >= 0);
    }
    SEE(kin_condition_release(c) == 0);
    return kin_none();
}

EACH_METHOD(a_child_takes_turns_with_its_parent)
{
    struct world *w = new_own();
    kin_process *child = start_by(method, answer, kin_args(kin_shared(w), kin_shared(w->c)));
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    for (int i = 0; i < 50; i++) {
        w->ready++;
        CHECK_OK(kin_condition_notify_all(w->c));
        while (w->ready % 2 == 1) {
            CHECK_EQ(kin_condition_wait(w->c, KIN_FOREVER), 0);
        }
    }
    CHECK_EQ(kin_condition_release(w->c), 0);
    CHECK_EQ(end(child), 0);
    end_world(w);
}
