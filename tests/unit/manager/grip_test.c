/* Locks elsewhere whose connection is gone: they are held no longer, and not released. */
#include "manager/proxy.h"
#include "unit/manager/far.h"

#include <pthread.h>
#include <stdatomic.h>

static kin_event *gate; /* for what does not answer in time */

static kin_obj slow(kin_obj args)
{
    (void)args;
    int rv = kin_event_wait(gate, KIN_FOREVER);
    return kin_int(rv);
}

typedef struct scene {
    kin_manager *m, *a, *b;
    kin_lock *here;
    kin_obj of_a, of_b;
    kin_lock *lock, *other; /* theirs */
} scene;

static scene begin(void)
{
    scene s = { .m = new_manager() };
    CHECK_OK(kin_manager_event(s.m, &gate));
    CHECK_OK(kin_manager_lock(s.m, &s.here));
    CHECK_OK(kin_manager_register(s.m, "lock", kin_shared(s.here)));
    CHECK_OK(kin_manager_register(s.m, "slow", kin_func(slow)));
    serve(s.m);
    s.a = connect_with(s.m, (kin_connect_options){ .timeout = 2 });
    s.b = connect_to(s.m);
    s.of_a = call_for(s.a, "lock");
    s.of_b = call_for(s.b, "lock");
    s.lock = kin_as(kin_lock, s.of_a);
    s.other = kin_as(kin_lock, s.of_b);
    return s;
}

static void finish(scene s)
{
    CHECK_OK(kin_event_set(gate));
    kin_release(s.of_a);
    kin_release(s.of_b);
    kin_manager_free(s.a);
    kin_manager_free(s.b);
    kin_manager_free(s.m);
}

/* A call that is not answered in time costs A's thread its connection. */
static void lose_connection(kin_manager *a)
{
    kin_obj o;
    CHECK_ERROR(kin_manager_call(a, "slow", kin_args(), &o), KIN_ETIMEDOUT);
}

TEST(who_lost_a_lock_by_a_timeout_is_told_and_does_not_release_the_next_ones)
{
    scene s = begin();
    CHECK_OK(kin_lock_acquire(s.lock, KIN_FOREVER));
    lose_connection(s.a);
    CHECK_OK(kin_lock_acquire(s.other, KIN_FOREVER));
    CHECK_ERROR(kin_lock_release(s.lock), KIN_ESTATE);
    CHECK_CONTAINS(kin_errmsg(), "held no longer");
    CHECK(kin_lock_locked(s.here));
    CHECK_OK(kin_lock_release(s.other));
    CHECK_OK(kin_lock_acquire(s.lock, KIN_FOREVER)); /* anew, over another connection */
    CHECK_OK(kin_lock_release(s.lock));
    CHECK(!kin_lock_locked(s.here));
    finish(s);
}

TEST(a_condition_with_a_plain_lock_is_no_better)
{
    scene s = begin();
    kin_condition *condition;
    CHECK_OK(kin_condition_new(&condition, KIN_OPT(kin_condition_options, .lock = s.here)));
    CHECK_OK(kin_manager_register(s.m, "condition", kin_shared(condition)));
    kin_obj o = call_for(s.a, "condition");
    CHECK_OK(kin_condition_acquire(kin_as(kin_condition, o), KIN_FOREVER));
    lose_connection(s.a);
    CHECK_OK(kin_lock_acquire(s.other, KIN_FOREVER));
    CHECK_ERROR(kin_condition_wait(kin_as(kin_condition, o), 0), KIN_ESTATE);
    CHECK_ERROR(kin_condition_release(kin_as(kin_condition, o)), KIN_ESTATE);
    CHECK(kin_lock_locked(s.here));
    CHECK_OK(kin_lock_release(s.other));
    kin_release(o);
    finish(s);
    kin_condition_free(condition);
}

TEST(a_plain_semaphores_permit_is_given_back_all_the_same)
{
    scene s = begin();
    kin_semaphore *semaphore;
    CHECK_OK(kin_manager_semaphore(s.a, &semaphore, 1, NULL));
    CHECK_OK(kin_semaphore_acquire(semaphore, KIN_FOREVER));
    lose_connection(s.a);
    CHECK_OK(kin_semaphore_release(semaphore));
    CHECK_OK(kin_semaphore_acquire(semaphore, 0));
    finish(s);
}

static void *release_it(void *lock)
{
    return kin_lock_release(lock) == 0 ? lock : NULL;
}

static void *acquire_it(void *lock)
{
    return kin_lock_acquire(lock, KIN_FOREVER) == 0 ? lock : NULL;
}

static void *look_at_it(void *lock)
{
    return kin_lock_locked(lock) ? lock : NULL;
}

static void *in_thread(void *(*function)(void *lock), kin_lock *lock)
{
    pthread_t thread;
    void *done;
    CHECK_EQ(pthread_create(&thread, NULL, function, lock), 0);
    CHECK_EQ(pthread_join(thread, &done), 0);
    return done;
}

TEST(a_lock_is_released_by_another_program_and_another_thread_as_ever)
{
    scene s = begin();
    CHECK_OK(kin_lock_acquire(s.lock, KIN_FOREVER));
    CHECK_OK(kin_lock_release(s.other));
    CHECK_OK(kin_lock_acquire(s.other, KIN_FOREVER));
    CHECK_OK(kin_lock_release(s.lock));
    CHECK_OK(kin_lock_acquire(s.lock, KIN_FOREVER));
    CHECK_PTR(in_thread(release_it, s.lock), s.lock);
    CHECK(!kin_lock_locked(s.here));
    CHECK_OK(kin_lock_acquire(s.here, KIN_FOREVER)); /* a relative's */
    CHECK_PTR(in_thread(release_it, s.lock), s.lock);
    finish(s);
}

static atomic_bool holds;

/* Until the gate is open. */
static void *hold_it(void *lock)
{
    holds = kin_lock_acquire(lock, KIN_FOREVER) == 0;
    bool ok = holds && kin_event_wait(gate, KIN_FOREVER) == 0;
    return ok && kin_lock_release(lock) == 0 ? lock : NULL;
}

TEST(another_threads_lock_is_not_taken_for_the_one_that_was_lost)
{
    scene s = begin();
    pthread_t thread;
    void *done;
    holds = false;
    CHECK_OK(kin_lock_acquire(s.lock, KIN_FOREVER));
    CHECK_EQ(pthread_create(&thread, NULL, hold_it, s.lock), 0);
    lose_connection(s.a); /* and so the thread gets it */
    WAIT_UNTIL(holds);
    CHECK_ERROR(kin_lock_release(s.lock), KIN_ESTATE);
    CHECK_OK(kin_event_set(gate));
    CHECK_EQ(pthread_join(thread, &done), 0);
    CHECK_PTR(done, s.lock); /* it was its own until the end */
    CHECK(!kin_lock_locked(s.here));
    finish(s);
}

TEST(a_thread_that_ended_with_a_lock_has_lost_it_for_others_too)
{
    scene s = begin();
    CHECK_PTR(in_thread(acquire_it, s.lock), s.lock);
    do { /* its connection goes when another one is made, unless the thread is still ending */
        (void)in_thread(look_at_it, s.lock);
    } while (kin_lock_acquire(s.other, 0) < 0);
    CHECK_ERROR(kin_lock_release(s.lock), KIN_ESTATE);
    CHECK(kin_lock_locked(s.here));
    finish(s);
}

TEST(a_forked_child_releases_what_its_parent_has_acquired)
{
    scene s = begin();
    CHECK_OK(kin_lock_acquire(s.lock, KIN_FOREVER));
    pid_t pid = fork();
    if (pid == 0) {
        _exit(kin_lock_release(s.lock) == 0 ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
    CHECK(!kin_lock_locked(s.here));
    finish(s);
}

static int make_place(void *proxy)
{
    return kin__grip_place(proxy);
}

TEST(without_memory_for_a_note_nothing_is_asked_for)
{
    scene s = begin();
    CHECK_EQ(fault_loop(KIN__FAULT_MEMORY, s.lock, .attempt = make_place), 1);
    finish(s);
}
