/* Locks in a user's memory, who holds one, and handing it over. */
#include "domain/room.h"
#include "harness.h"
#include <kin/sync.h>

#include <signal.h>
#include <unistd.h>

struct account {
    double before;
    kin_lock lock;
    double after;
};

struct world {
    struct account *account;
    kin_lock *lock;
    _Atomic int pid, stage, code;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    w->account = kin_alloc(sizeof *w->account);
    CHECK_NOT_NULL(w->account);
    w->account->before = w->account->after = 0.25;
    CHECK_OK(kin_lock_init(&w->account->lock, NULL));
    w->lock = &w->account->lock;
    return w;
}

static void end_world(struct world *w)
{
    kin_lock_done(&w->account->lock);
    CHECK_FLOAT(w->account->before + w->account->after, 0.5);
    kin_free(w->account);
}

static char logged[256];

static void keep_line(int level, const char *text, void *ctx)
{
    (void)ctx;
    if (level >= KIN_LOG_ERROR) {
        snprintf(logged, sizeof logged, "%s", text);
    }
}

static int hold_until_told(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    w->stage = 1;
    WAIT_UNTIL(w->stage == 2);
    return w->code < 0 ? 1 : kin_lock_release(w->lock);
}

static int sleep_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_lock_acquire(w->lock, KIN_FOREVER);
    return 0;
}

static int be_there(void *ctx)
{
    struct world *w = ctx;
    w->pid = getpid();
    (void)kin__self();
    int none = 0;
    (void)atomic_compare_exchange_strong(&w->stage, &none, 1);
    WAIT_UNTIL(w->stage >= 2);
    w->code = w->stage == 2 ? kin_lock_release(w->lock) : 0;
    return 0;
}

/* ---- in memory of the user's -------------------------------------------------------------- */

TEST(a_lock_in_a_struct_works_across_processes)
{
    struct world *w = new_world();
    pid_t holder = test_child(hold_until_told, w);
    WAIT_UNTIL(w->stage == 1);
    CHECK_ERROR(kin_lock_acquire(w->lock, 0), KIN_ETIMEDOUT);
    w->stage = 2;
    CHECK_EQ(kin_lock_acquire(w->lock, KIN_FOREVER), 0);
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(test_join(holder), 0);
    end_world(w);
}

TEST(the_end_of_a_lock_in_a_struct_wakes_its_sleepers)
{
    struct world *w = new_world();
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    pid_t sleeper = test_child(sleep_for_it, w);
    WAIT_UNTIL(test_is_asleep(sleeper));
    kin_lock_done(w->lock);
    CHECK_EQ(test_join(sleeper), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    CHECK_ERROR(kin_lock_acquire(w->lock, 0), KIN_EFREED);
    CHECK_ERROR(kin_lock_release(w->lock), KIN_EFREED);
    CHECK_OK(kin_lock_init(w->lock, NULL)); /* and again */
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    end_world(w);
}

TEST(a_sleeper_does_not_take_a_new_lock_at_the_old_place)
{
    struct world *w = new_world();
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    pid_t sleeper = test_child(sleep_for_it, w);
    WAIT_UNTIL(test_is_asleep(sleeper));
    kill(sleeper, SIGSTOP);
    kin_lock_done(w->lock);
    CHECK_OK(kin_lock_init(w->lock, NULL));
    kill(sleeper, SIGCONT);
    CHECK_EQ(test_join(sleeper), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    CHECK(!kin_lock_locked(w->lock));
    end_world(w);
}

TEST(a_lock_lies_in_the_familys_memory_and_aligned)
{
    struct world *w = new_world();
    kin_lock here;
    CHECK_ERROR(kin_lock_init(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_lock_init(&here, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_lock_init((kin_lock *)(void *)((char *)w->account + 4), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_lock_init(w->lock, &(kin_lock_options){ { 1 } }), KIN_EINVAL);
    end_world(w);
}

TEST(each_end_is_for_its_own_beginning)
{
    struct world *w = new_world();
    kin_lock *made = NULL;
    CHECK_OK(kin_lock_new(&made, NULL));
    kin_log_set_handler(keep_line, NULL);
    kin_lock_free(w->lock);
    CHECK_CONTAINS(logged, "_done");
    kin_lock_done(made);
    CHECK_CONTAINS(logged, "_free");
    kin_lock_done(NULL);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_EQ(kin_lock_acquire(made, 0), 0);
    kin_lock_free(made);
    kin_lock_done(w->lock);
    kin_lock_done(w->lock);
    CHECK_CONTAINS(logged, "freed");
    kin_log_set_handler(NULL, NULL);
    kin_free(w->account);
}

/* ---- who holds it --------------------------------------------------------------------------- */

TEST(the_owner_has_a_pid_and_a_name)
{
    struct world *w = new_world();
    int pid = -1;
    char name[64] = "untouched";
    CHECK_ERROR(kin_lock_owner(w->lock, &pid, name, sizeof name), KIN_ENOTFOUND);
    CHECK_EQ(pid, -1);
    CHECK_STR(name, "untouched");
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_OK(kin_lock_owner(w->lock, &pid, name, sizeof name));
    CHECK_EQ(pid, getpid());
    CHECK_STR(name, "MainProcess");
    CHECK_OK(kin_lock_owner(w->lock, &pid, name, 5));
    CHECK_STR(name, "Main");
    CHECK_OK(kin_lock_owner(w->lock, &pid, NULL, 5));
    CHECK_OK(kin_lock_owner(w->lock, &pid, name, 0));
    CHECK_ERROR(kin_lock_owner(w->lock, NULL, name, 5), KIN_EINVAL);
    CHECK_ERROR(kin_lock_owner(NULL, &pid, name, 5), KIN_EINVAL);
    end_world(w);
}

static int hold_as_somebody(void *ctx)
{
    kin__set_name("somebody");
    return hold_until_told(ctx);
}

TEST(a_dead_owner_is_remembered_until_another_has_his_place)
{
    struct world *w = new_world();
    pid_t holder = test_child(hold_as_somebody, w);
    WAIT_UNTIL(w->stage == 1);
    kill(holder, SIGKILL);
    CHECK_EQ(test_join(holder), -SIGKILL);
    CHECK(!kin_lock_locked(w->lock));
    int pid = 0;
    char name[32];
    CHECK_OK(kin_lock_owner(w->lock, &pid, name, sizeof name));
    CHECK_EQ(pid, holder);
    CHECK_STR(name, "somebody");
    w->stage = 3;
    CHECK_EQ(test_join(test_child(be_there, w)), 0); /* has the slot, and leaves it too */
    CHECK_ERROR(kin_lock_owner(w->lock, &pid, name, sizeof name), KIN_ENOTFOUND);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), KIN_OWNER_DIED);
    end_world(w);
}

/* ---- handing it over -----------------------------------------------------------------------*/

TEST(a_lock_that_was_handed_over_is_the_others)
{
    struct world *w = new_world();
    pid_t other = test_child(be_there, w);
    WAIT_UNTIL(w->stage == 1);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_OK(kin_lock_hand_over(w->lock, other));
    int pid = 0;
    CHECK_OK(kin_lock_owner(w->lock, &pid, NULL, 0));
    CHECK_EQ(pid, other);
    CHECK_ERROR(kin_lock_acquire(w->lock, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_lock_hand_over(w->lock, getpid()), KIN_ESTATE);
    w->stage = 2;
    CHECK_EQ(kin_lock_acquire(w->lock, KIN_FOREVER), 0);
    CHECK_EQ(test_join(other), 0);
    CHECK_EQ(w->code, 0);
    end_world(w);
}

TEST(it_is_the_new_holders_death_that_gives_it_back)
{
    struct world *w = new_world();
    pid_t other = test_child(be_there, w);
    WAIT_UNTIL(w->stage == 1);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    CHECK_OK(kin_lock_hand_over(w->lock, other));
    kill(other, SIGKILL);
    CHECK_EQ(test_join(other), -SIGKILL);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), KIN_OWNER_DIED);
    end_world(w);
}

static int take_and_hand_over(void *ctx)
{
    struct world *w = ctx;
    return kin_lock_acquire(w->lock, 0) == 0 && kin_lock_hand_over(w->lock, getppid()) == 0 ? 0 : 1;
}

TEST(who_hands_it_over_may_leave)
{
    struct world *w = new_world();
    CHECK_EQ(test_join(test_child(take_and_hand_over, w)), 0);
    CHECK(kin_lock_locked(w->lock));
    CHECK_EQ(kin_lock_release(w->lock), 0);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    end_world(w);
}

TEST(it_is_handed_over_to_the_living_of_the_family_alone)
{
    struct world *w = new_world();
    CHECK_ERROR(kin_lock_hand_over(w->lock, getpid()), KIN_ESTATE);
    CHECK_EQ(kin_lock_acquire(w->lock, 0), 0);
    pid_t other = test_child(be_there, w);
    WAIT_UNTIL(w->stage == 1);
    kill(other, SIGKILL);
    CHECK_EQ(test_join(other), -SIGKILL);
    int strangers[] = { other, 0, -1, 1 };
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        CHECK_ERROR(kin_lock_hand_over(w->lock, strangers[i]), KIN_ENOTFOUND);
    }
    CHECK_ERROR(kin_lock_hand_over(NULL, getpid()), KIN_EINVAL);
    CHECK_OK(kin_lock_hand_over(w->lock, getpid())); /* to oneself changes nothing */
    CHECK_EQ(kin_lock_release(w->lock), 0);
    end_world(w);
}
