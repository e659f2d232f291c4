#include "harness.h"
#include "sync/room.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct world {
    kin_rlock *lock;
    _Atomic int stage, code;
    unsigned depth;
};

static struct world *new_world(void)
{
    struct world *w = test_shared(sizeof *w);
    CHECK_OK(kin_rlock_new(&w->lock, NULL));
    return w;
}

static int try_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_rlock_acquire(w->lock, 0);
    w->depth = kin_rlock_depth(w->lock);
    return w->code < 0 ? 0 : kin_rlock_release(w->lock);
}

/* What a child gets who tries. */
static int tried(struct world *w)
{
    CHECK_EQ(test_join(test_child(try_it, w)), 0);
    return w->code;
}

static int wait_for_it(void *ctx)
{
    struct world *w = ctx;
    w->code = kin_rlock_acquire(w->lock, KIN_FOREVER);
    w->depth = kin_rlock_depth(w->lock);
    return w->code < 0 ? 0 : kin_rlock_release(w->lock);
}

static int hold_three_deep(void *ctx)
{
    struct world *w = ctx;
    for (int i = 0; i < 3; i++) {
        w->code = kin_rlock_acquire(w->lock, KIN_FOREVER);
    }
    w->stage = 1;
    while (pause() < 0) {
    }
    return 0;
}

static pid_t start_holder(struct world *w)
{
    pid_t pid = test_child(hold_three_deep, w);
    WAIT_UNTIL(w->stage == 1);
    w->stage = 0;
    return pid;
}

static void kill_child(pid_t pid)
{
    kill(pid, SIGKILL);
    CHECK_EQ(test_join(pid), -SIGKILL);
}

static char logged[256];

static void keep_line(int level, const char *text, void *ctx)
{
    (void)ctx;
    if (level >= KIN_LOG_ERROR) {
        snprintf(logged, sizeof logged, "%s", text);
    }
}

/* ---- again and again ------------------------------------------------------------------- */

TEST(it_is_free_when_it_was_released_as_often)
{
    struct world *w = new_world();
    CHECK(!kin_rlock_locked(w->lock));
    for (unsigned i = 1; i <= 100; i++) {
        CHECK_EQ(kin_rlock_acquire(w->lock, i % 2 ? 0 : KIN_FOREVER), 0);
        CHECK_EQ(kin_rlock_depth(w->lock), i);
    }
    for (unsigned i = 100; i >= 1; i--) {
        CHECK(kin_rlock_locked(w->lock));
        CHECK_EQ(kin_rlock_depth(w->lock), i);
        CHECK_EQ(i % 10 ? KIN_ETIMEDOUT : tried(w), KIN_ETIMEDOUT);
        CHECK_EQ(kin_rlock_release(w->lock), 0);
    }
    CHECK(!kin_rlock_locked(w->lock));
    CHECK_EQ(kin_rlock_depth(w->lock), 0);
    CHECK_ERROR(kin_rlock_release(w->lock), KIN_ESTATE);
    CHECK_EQ(tried(w), 0);
    CHECK_EQ(w->depth, 1);
    kin_rlock_free(w->lock);
}

static int release_it(void *ctx)
{
    struct world *w = ctx;
    int rv = kin_rlock_release(w->lock);
    return rv == KIN_ESTATE && kin_rlock_depth(w->lock) == 0 && kin_rlock_locked(w->lock) ? 0 : 1;
}

TEST(a_forked_child_does_not_have_what_its_parent_has)
{
    struct world *w = new_world();
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    CHECK_EQ(test_join(test_child(release_it, w)), 0);
    CHECK_EQ(kin_rlock_depth(w->lock), 1);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    kin_rlock_free(w->lock);
}

TEST(a_sleeper_gets_it_at_the_last_release)
{
    struct world *w = new_world();
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    pid_t pid = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(pid));
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK(kin_rlock_locked(w->lock));
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(w->code, 0);
    CHECK_EQ(w->depth, 1);
    kin_rlock_free(w->lock);
}

/* ---- threads ------------------------------------------------------------------------------ */

static void *thread_is_a_stranger(void *ctx)
{
    struct world *w = ctx;
    bool strange = kin_rlock_release(w->lock) == KIN_ESTATE && strstr(kin_errmsg(), "thread") &&
                   kin_rlock_acquire(w->lock, 0) == KIN_ETIMEDOUT &&
                   kin_rlock_acquire(w->lock, 0.06) == KIN_ETIMEDOUT &&
                   kin_rlock_depth(w->lock) == 0;
    return strange ? NULL : w;
}

static void in_a_thread(void *(*body)(void *), struct world *w)
{
    pthread_t thread;
    void *result;
    CHECK_EQ(pthread_create(&thread, NULL, body, w), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK_NULL(result);
}

TEST(another_thread_waits_and_may_not_release)
{
    struct world *w = new_world();
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    in_a_thread(thread_is_a_stranger, w);
    CHECK_EQ(kin_rlock_depth(w->lock), 1);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    kin_rlock_free(w->lock);
}

static void *leave_with_it(void *ctx)
{
    struct world *w = ctx;
    return kin_rlock_acquire(w->lock, 0) == 0 ? NULL : w;
}

TEST(a_thread_that_ended_keeps_it_also_from_those_that_come_after)
{
    struct world *w = new_world();
    in_a_thread(leave_with_it, w);
    for (int i = 0; i < 10; i++) {
        in_a_thread(thread_is_a_stranger, w); /* some have the stack and the number of the first */
    }
    CHECK(kin_rlock_locked(w->lock));
    kin_rlock_free(w->lock);
}

static void *fork_with_it(void *ctx)
{
    struct world *w = ctx;
    bool fine = kin_rlock_acquire(w->lock, 0) == 0 && tried(w) == KIN_ETIMEDOUT &&
                test_join(test_child(release_it, w)) == 0 && kin_rlock_release(w->lock) == 0;
    return fine ? NULL : w;
}

TEST(a_child_forked_by_a_thread_is_nobody_of_before)
{
    struct world *w = new_world();
    in_a_thread(fork_with_it, w);
    CHECK_EQ(tried(w), 0);
    kin_rlock_free(w->lock);
}

/* ---- death ------------------------------------------------------------------------------ */

TEST(the_lock_of_a_dead_holder_is_had_once_and_it_is_said)
{
    struct world *w = new_world();
    kill_child(start_holder(w));
    CHECK(!kin_rlock_locked(w->lock));
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), KIN_OWNER_DIED);
    CHECK_EQ(kin_rlock_depth(w->lock), 1);
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    CHECK_EQ(kin_rlock_depth(w->lock), 2);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK_EQ(kin_rlock_release(w->lock), 0);
    CHECK_EQ(tried(w), 0);
    kin_rlock_free(w->lock);
}

TEST(a_sleeper_learns_of_the_holders_death)
{
    struct world *w = new_world();
    pid_t holder = start_holder(w);
    pid_t sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(sleeper));
    kill_child(holder);
    CHECK_EQ(test_join(sleeper), 0);
    CHECK_EQ(w->code, KIN_OWNER_DIED);
    CHECK_EQ(w->depth, 1);
    kin_rlock_free(w->lock);
}

TEST(the_owner_is_known)
{
    struct world *w = new_world();
    int pid = 0;
    char name[32];
    CHECK_ERROR(kin_rlock_owner(w->lock, &pid, NULL, 0), KIN_ENOTFOUND);
    pid_t holder = start_holder(w);
    CHECK_OK(kin_rlock_owner(w->lock, &pid, name, sizeof name));
    CHECK_EQ(pid, holder);
    CHECK_STR(name, "MainProcess"); /* forked past us, under that name */
    kill_child(holder);
    CHECK_OK(kin_rlock_owner(w->lock, &pid, NULL, 0));
    CHECK_EQ(pid, holder);
    kin_rlock_free(w->lock);
}

/* ---- the beginning and the end ------------------------------------------------------------ */

TEST(sleepers_learn_that_it_was_freed)
{
    struct world *w = new_world();
    CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    pid_t sleeper = test_child(wait_for_it, w);
    WAIT_UNTIL(test_is_asleep(sleeper));
    kin_rlock_free(w->lock);
    CHECK_EQ(test_join(sleeper), 0);
    CHECK_EQ(w->code, KIN_ECLOSED);
    CHECK_ERROR(kin_rlock_acquire(w->lock, 0), KIN_EFREED);
    CHECK_ERROR(kin_rlock_release(w->lock), KIN_EFREED);
    CHECK_EQ(kin_rlock_depth(w->lock), 0);
    CHECK(!kin_rlock_locked(w->lock));
}

TEST(it_can_lie_in_memory_of_the_users)
{
    kin_rlock *lock = kin_alloc(sizeof *lock);
    kin_rlock here;
    CHECK_ERROR(kin_rlock_init(&here, NULL), KIN_EINVAL);
    CHECK_OK(kin_rlock_init(lock, NULL));
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0);
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0);
    kin_log_set_handler(keep_line, NULL);
    kin_rlock_free(lock);
    CHECK_CONTAINS(logged, "_done");
    kin_log_set_handler(NULL, NULL);
    kin_rlock_done(lock);
    CHECK_ERROR(kin_rlock_release(lock), KIN_EFREED);
    CHECK_OK(kin_rlock_init(lock, NULL));
    CHECK_EQ(kin_rlock_depth(lock), 0);
    kin_rlock_done(lock);
    kin_free(lock);
}

TEST(wrong_arguments_change_nothing)
{
    kin_rlock *lock = NULL;
    CHECK_ERROR(kin_rlock_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_rlock_new(&lock, &(kin_rlock_options){ { 1 } }), KIN_EINVAL);
    CHECK_NULL(lock);
    CHECK_OK(kin_rlock_new(&lock, &(kin_rlock_options){ { 0 } }));
    CHECK_ERROR(kin_rlock_acquire(lock, NAN), KIN_EINVAL);
    CHECK_EQ(kin_rlock_acquire(lock, 0), 0);
    CHECK_ERROR(kin_rlock_acquire(lock, NAN), KIN_EINVAL);
    CHECK_EQ(kin_rlock_depth(lock), 1);
    void *plain = lock;
    CHECK_ERROR(kin_lock_acquire(plain, 0), KIN_EINVAL);
    CHECK_ERROR(kin_rlock_acquire(NULL, 0), KIN_EINVAL);
    CHECK_EQ(kin_rlock_depth(NULL), 0);
    kin_rlock_free(lock);
}

/* ---- for conditions ------------------------------------------------------------------------*/

TEST(it_is_dropped_wholly_and_taken_again_as_deep)
{
    struct world *w = new_world();
    unsigned depth = 77;
    CHECK_ERROR(kin__rlock_drop(w->lock, &depth), KIN_ESTATE);
    CHECK_EQ(depth, 77);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin_rlock_acquire(w->lock, 0), 0);
    }
    CHECK_EQ(kin__rlock_drop(w->lock, &depth), 0);
    CHECK_EQ(depth, 3);
    CHECK_EQ(tried(w), 0);
    CHECK_EQ(kin__rlock_retake(w->lock, depth, KIN__NEVER), 0);
    CHECK_EQ(kin_rlock_depth(w->lock), 3);
    kin_rlock_free(w->lock);
    CHECK_ERROR(kin__rlock_drop(w->lock, &depth), KIN_EFREED);
}

/* ---- blocks and scopes ---------------------------------------------------------------------- */

static int nest(kin_rlock *lock, unsigned depth)
{
    int rv = -1;
    KIN_WITH(lock, &rv) {
        CHECK_EQ(kin_rlock_depth(lock), depth);
        return depth == 3 ? rv : nest(lock, depth + 1);
    }
    else
    {
        return rv;
    }
    return -2;
}

static unsigned hold_a_scope(kin_rlock *lock)
{
    KIN_HOLD(lock);
    return kin_rlock_depth(lock);
}

TEST(blocks_and_scopes_hold_it)
{
    kin_rlock *lock = NULL;
    CHECK_OK(kin_rlock_new(&lock, NULL));
    CHECK_EQ(nest(lock, 1), 0);
    CHECK_EQ(hold_a_scope(lock), 1);
    CHECK(!kin_rlock_locked(lock));
    kin_rlock_free(lock);
    CHECK_EQ(nest(lock, 1), KIN_EFREED);
}
