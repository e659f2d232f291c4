/* In Python a lock is a semaphore that nobody owns: whoever is killed while he holds it has locked
 * it for ever, and all others hang in acquire() (CPython gh-88304). Here the next one gets it, and
 * is told. */
#include "scene.h"

struct scene {
    kin_lock *lock;
    _Atomic int there;
};

static kin_obj hold_for_ever(kin_obj args)
{
    struct scene *s = kin_arg_shared(args, 0);
    KIN_TRY(kin_lock_acquire(s->lock, KIN_FOREVER));
    s->there++;
    for (;;) {
        pause();
    }
    return kin_none();
}

static kin_obj hold_and_leave(kin_obj args)
{
    struct scene *s = kin_arg_shared(args, 0);
    KIN_TRY(kin_lock_acquire(s->lock, KIN_FOREVER));
    _exit(0);
}

/* Sleeps in acquire() while the holder is killed. */
static kin_obj wait_for_the_lock(kin_obj args)
{
    struct scene *s = kin_arg_shared(args, 0);
    int rv = kin_lock_acquire(s->lock, KIN_FOREVER);
    KIN_TRY(kin_lock_release(s->lock));
    return kin_int(rv);
}

static struct scene *new_scene(void)
{
    struct scene *s = kin_alloc(sizeof *s);
    CHECK_OK(kin_lock_new(&s->lock, NULL));
    return s;
}

static void end_scene(struct scene *s)
{
    kin_lock_free(s->lock);
    kin_free(s);
    nothing_is_left();
}

static kin_process *start(struct scene *s, kin_fn fn)
{
    kin_process *child = NULL;
    CHECK_OK(kin_start(&child, fn, kin_args(kin_shared(s)), NULL));
    return child;
}

static int end(kin_process *child)
{
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    int code = kin_process_exitcode(child);
    kin_process_free(child);
    return code;
}

TEST(the_next_one_gets_the_lock_of_who_was_killed)
{
    struct scene *s = new_scene();
    for (int i = 0; i < 5; i++) {
        s->there = 0;
        kin_process *holder = start(s, hold_for_ever);
        WAIT_UNTIL(s->there);
        CHECK_ERROR(kin_lock_acquire(s->lock, 0), KIN_ETIMEDOUT);
        CHECK_OK(kin_process_kill(holder));
        CHECK_EQ(kin_lock_acquire(s->lock, KIN_FOREVER), KIN_OWNER_DIED);
        CHECK_OK(kin_lock_release(s->lock));
        CHECK_EQ(kin_lock_acquire(s->lock, KIN_FOREVER), 0); /* it is told once */
        CHECK_OK(kin_lock_release(s->lock));
        CHECK_EQ(end(holder), -SIGKILL);
    }
    end_scene(s);
}

TEST(the_lock_of_who_simply_left_is_not_lost_either)
{
    struct scene *s = new_scene();
    CHECK_EQ(end(start(s, hold_and_leave)), 0);
    CHECK_EQ(kin_lock_acquire(s->lock, KIN_FOREVER), KIN_OWNER_DIED);
    CHECK_OK(kin_lock_release(s->lock));
    end_scene(s);
}

TEST(all_who_sleep_for_it_get_their_turn)
{
    struct scene *s = new_scene();
    kin_process *holder = start(s, hold_for_ever), *sleepers[3];
    WAIT_UNTIL(s->there);
    for (int i = 0; i < 3; i++) {
        sleepers[i] = start(s, wait_for_the_lock);
        WAIT_UNTIL(test_is_asleep(kin_process_pid(sleepers[i])));
    }
    CHECK_OK(kin_process_kill(holder));
    int told = 0;
    for (int i = 0; i < 3; i++) {
        told += end(sleepers[i]);
    }
    CHECK_EQ(told, KIN_OWNER_DIED); /* one of them */
    CHECK_EQ(end(holder), -SIGKILL);
    end_scene(s);
}
