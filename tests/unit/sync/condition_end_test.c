/* How conditions begin, and how they end beneath those who wait. */
#include "condition_scene.h"

/* ---- the beginning and the end ---------------------------------------------------------- */

static void tells_who_waits(struct world *w)
{
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = start_waiter(w);
    }
    kin_condition_free(w->c);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
        CHECK_EQ(w->code[i], KIN_ECLOSED);
    }
    CHECK_ERROR(kin_condition_acquire(w->c, 0), KIN_EFREED);
    CHECK_ERROR(kin_condition_release(w->c), KIN_EFREED);
    CHECK_ERROR(kin_condition_wait(w->c, 0), KIN_EFREED);
    CHECK_ERROR(kin_condition_notify(w->c, 1), KIN_EFREED);
    CHECK(w->lock == NULL || !kin_lock_locked(w->lock));
    CHECK(w->rlock == NULL || !kin_rlock_locked(w->rlock));
    kin_lock_free(w->lock);
    kin_rlock_free(w->rlock);
    kin_free(w);
}

TEST(who_waits_when_it_is_freed_is_told)
{
    kin__self();
    uint64_t blocks = count_blocks();
    each_kind(tells_who_waits);
    CHECK_EQ(count_blocks(), blocks);
}

TEST(who_waits_when_its_lock_is_freed_is_told_when_he_is_notified)
{
    struct world *w = new_on_lock();
    w->timeout = 0.05;
    pid_t pid = start_waiter(w);
    kin_lock_free(w->lock);
    w->lock = NULL;
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code[0], KIN_ECLOSED);
    CHECK_ERROR(kin_condition_acquire(w->c, 0), KIN_EFREED);
    CHECK_ERROR(kin_condition_wait(w->c, 0), KIN_EFREED);
    end_world(w);
}

/* Comes back with KIN_ECLOSED: 0 if he has as much of the lock as before, and can release it. */
static int wait_till_freed(void *ctx)
{
    struct world *w = ctx;
    if (kin_condition_acquire(w->c, KIN_FOREVER) != 0 ||
        (w->rlock != NULL && kin_condition_acquire(w->c, KIN_FOREVER) != 0)) {
        return 1;
    }
    w->code[0] = kin_condition_wait(w->c, KIN_FOREVER);
    int pid = 0;
    (void)(w->lock != NULL ? kin_lock_owner(w->lock, &pid, NULL, 0)
                           : kin_rlock_owner(w->rlock, &pid, NULL, 0));
    if (w->code[0] != KIN_ECLOSED || pid != (int)getpid()) {
        return 2;
    }
    if (w->lock != NULL) {
        return kin_lock_release(w->lock) == 0 ? 0 : 3;
    }
    bool twice = kin_rlock_depth(w->rlock) == 2 && kin_rlock_release(w->rlock) == 0;
    return twice && kin_rlock_release(w->rlock) == 0 ? 0 : 4;
}

static void has_his_lock_again(struct world *w)
{
    pid_t pid = test_child(wait_till_freed, w);
    WAIT_UNTIL(test_is_asleep(pid));
    CHECK_EQ(kin_condition_acquire(w->c, KIN_FOREVER), 0);
    kin_condition_free(w->c);
    CHECK_EQ(w->code[0], 99); /* we have the lock */
    CHECK_OK(w->lock != NULL ? kin_lock_release(w->lock) : kin_rlock_release(w->rlock));
    CHECK_EQ(test_join(pid), 0);
    CHECK(w->lock == NULL || !kin_lock_locked(w->lock));
    CHECK(w->rlock == NULL || !kin_rlock_locked(w->rlock));
    kin_lock_free(w->lock);
    kin_rlock_free(w->rlock);
    kin_free(w);
}

TEST(who_waits_when_his_condition_is_freed_has_his_lock_again)
{
    has_his_lock_again(new_on_lock());
    has_his_lock_again(new_on_rlock());
}

TEST(who_comes_back_to_another_lock_than_he_let_go_of_does_not_take_it)
{
    struct world *w = new_world();
    w->lock = kin_alloc(sizeof *w->lock);
    CHECK_OK(kin_lock_init(w->lock, NULL));
    CHECK_OK(kin_condition_new(&w->c, KIN_OPT(kin_condition_options, .lock = w->lock)));
    pid_t pid = test_child(wait_till_freed, w);
    WAIT_UNTIL(test_is_asleep(pid));
    kin_lock_done(w->lock);
    CHECK_OK(kin_lock_init(w->lock, NULL));
    kin_condition_free(w->c);
    CHECK_EQ(test_join(pid), 2);
    CHECK_EQ(w->code[0], KIN_ECLOSED);
    int owner;
    CHECK_ERROR(kin_lock_owner(w->lock, &owner, NULL, 0), KIN_ENOTFOUND);
    kin_lock_done(w->lock);
    kin_free(w->lock);
    kin_free(w);
}

struct account {
    double amount;
    kin_condition changed;
    double limit;
};

TEST(one_may_lie_in_a_struct)
{
    struct account *account = kin_alloc(sizeof *account);
    struct world *w = new_world();
    uint64_t blocks = count_blocks();
    w->c = &account->changed;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(kin_condition_init(&account->changed, NULL));
        pid_t pid = start_waiter(w);
        CHECK_EQ(notify(w, 1), 1);
        CHECK_EQ(test_join(pid), 0);
        CHECK_EQ(w->code[i], 0);
        kin_condition_done(&account->changed);
        CHECK_ERROR(kin_condition_acquire(&account->changed, 0), KIN_EFREED);
        CHECK_EQ(count_blocks(), blocks);
    }
    CHECK(account->amount == 0 && account->limit == 0);
    kin_free(account);
    kin_free(w);
}

TEST(what_is_wrong_is_said_and_changes_nothing)
{
    kin_condition *c = NULL;
    kin_lock *lock;
    kin_rlock *rlock;
    kin_lock local = { { 0 } };
    CHECK_OK(kin_lock_new(&lock, NULL));
    CHECK_OK(kin_rlock_new(&rlock, NULL));
    CHECK_ERROR(kin_condition_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_condition_new(&c, KIN_OPT(kin_condition_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK_ERROR(kin_condition_new(&c, KIN_OPT(kin_condition_options, .lock = lock, .rlock = rlock)),
                KIN_EINVAL);
    CHECK_ERROR(kin_condition_new(&c, KIN_OPT(kin_condition_options, .lock = &local)), KIN_EINVAL);
    CHECK_CONTAINS(kin_errmsg(), "kin_condition_new: the lock it names at 0x");
    CHECK_ERROR(
        kin_condition_new(&c, KIN_OPT(kin_condition_options, .rlock = (kin_rlock *)(void *)lock)),
        KIN_EINVAL);
    CHECK_NULL(c);
    CHECK_ERROR(kin_condition_init((kin_condition *)(void *)&local, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_condition_acquire(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_condition_release(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_condition_wait(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_condition_notify(NULL, 1), KIN_EINVAL);
    CHECK_ERROR(kin_condition_notify_all(NULL), KIN_EINVAL);
    CHECK_OK(kin_condition_new(&c, NULL));
    CHECK_ERROR(kin_condition_acquire(c, NAN), KIN_EINVAL);
    CHECK_OK(kin_condition_acquire(c, 0));
    CHECK_ERROR(kin_condition_wait(c, NAN), KIN_EINVAL);
    CHECK_ERROR(kin_condition_wait_for(c, NULL, NULL, 0), KIN_EINVAL);
    CHECK_OK(kin_condition_release(c));
    kin_condition_free(c);
    kin_condition_free(NULL);
    kin_condition_done(NULL);
    kin_lock_free(lock);
    kin_rlock_free(rlock);
}
