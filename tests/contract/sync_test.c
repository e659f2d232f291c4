/* Locks and their like, values and arrays, in the hands of a child of each start method: handed to
 * it as arguments, or sent to it once it runs. */
#include "start.h"
#include <kin/condition.h>

#include <signal.h>

/* One of each. */
struct kit {
    kin_lock *lock;
    kin_rlock *rlock;
    kin_semaphore *semaphore;
    kin_condition *condition;
    kin_barrier *barrier;
    kin_event *event;
    kin_value *value;
    kin_array *array;
};

static struct kit make_kit(void)
{
    struct kit k = { .lock = NULL };
    CHECK_OK(kin_lock_new(&k.lock, NULL));
    CHECK_OK(kin_rlock_new(&k.rlock, NULL));
    CHECK_OK(kin_semaphore_new(&k.semaphore, 1, NULL));
    CHECK_OK(kin_condition_new(&k.condition, NULL));
    CHECK_OK(kin_barrier_new(&k.barrier, 2, NULL));
    CHECK_OK(kin_event_new(&k.event, NULL));
    CHECK_OK(kin_value_new(&k.value, 'i', kin_int(1), NULL));
    CHECK_OK(kin_array_new(&k.array, 'd', 3, kin_none(), NULL));
    return k;
}

static void free_kit(struct kit *k)
{
    kin_lock_free(k->lock);
    kin_rlock_free(k->rlock);
    kin_semaphore_free(k->semaphore);
    kin_condition_free(k->condition);
    kin_barrier_free(k->barrier);
    kin_event_free(k->event);
    kin_value_free(k->value);
    kin_array_free(k->array);
}

static kin_obj pack(const struct kit *k)
{
    return kin_list(kin_shared(k->lock), kin_shared(k->rlock), kin_shared(k->semaphore),
                    kin_shared(k->condition), kin_shared(k->barrier), kin_shared(k->event),
                    kin_shared(k->value), kin_shared(k->array));
}

static bool unpack(kin_obj things, struct kit *ret)
{
    *ret = (struct kit){ .lock = kin_as(kin_lock, kin_at(things, 0)),
                         .rlock = kin_as(kin_rlock, kin_at(things, 1)),
                         .semaphore = kin_as(kin_semaphore, kin_at(things, 2)),
                         .condition = kin_as(kin_condition, kin_at(things, 3)),
                         .barrier = kin_as(kin_barrier, kin_at(things, 4)),
                         .event = kin_as(kin_event, kin_at(things, 5)),
                         .value = kin_as(kin_value, kin_at(things, 6)),
                         .array = kin_as(kin_array, kin_at(things, 7)) };
    return ret->lock != NULL && ret->rlock != NULL && ret->semaphore != NULL &&
           ret->condition != NULL && ret->barrier != NULL && ret->event != NULL &&
           ret->value != NULL && ret->array != NULL;
}

/* ---- the child -------------------------------------------------------------------------- */

/* All is held by the parent, until it hears that this was seen. */
static kin_obj see_it_held(const struct kit *k)
{
    SEE(kin_lock_acquire(k->lock, 0) == KIN_ETIMEDOUT);
    SEE(kin_rlock_acquire(k->rlock, 0) == KIN_ETIMEDOUT);
    SEE(kin_semaphore_acquire(k->semaphore, 0) == KIN_ETIMEDOUT);
    SEE(kin_condition_acquire(k->condition, 0) == KIN_ETIMEDOUT);
    SEE(kin_value_acquire(k->value, 0) == KIN_ETIMEDOUT);
    SEE(kin_array_acquire(k->array, 0) == KIN_ETIMEDOUT);
    SEE(kin_event_set(k->event) == 0);
    return kin_none();
}

static kin_obj use_each(const struct kit *k)
{
    SEE(kin_condition_acquire(k->condition, KIN_FOREVER) == 0);
    SEE(kin_condition_notify(k->condition, 1) >= 0);
    SEE(kin_condition_release(k->condition) == 0);
    SEE(kin_lock_acquire(k->lock, KIN_FOREVER) == 0);
    SEE(kin_lock_release(k->lock) == 0);
    SEE(kin_rlock_acquire(k->rlock, KIN_FOREVER) == 0);
    SEE(kin_rlock_acquire(k->rlock, KIN_FOREVER) == 0);
    SEE(kin_rlock_release(k->rlock) == 0);
    SEE(kin_rlock_release(k->rlock) == 0);
    SEE(kin_semaphore_acquire(k->semaphore, KIN_FOREVER) == 0);
    SEE(kin_value_set(k->value, kin_int(2)) == 0);
    SEE(kin_array_set(k->array, -1, kin_float(2.5)) == 0);
    SEE(kin_barrier_wait(k->barrier, KIN_FOREVER) >= 0);
    return kin_none();
}

static kin_obj use(kin_obj things)
{
    struct kit k;
    SEE(unpack(things, &k));
    kin_obj seen = see_it_held(&k);
    return kin_is_none(seen) ? use_each(&k) : seen;
}

static kin_obj use_arguments(kin_obj args)
{
    return use(kin_arg(args, 0));
}

static kin_obj use_what_is_sent(kin_obj args)
{
    kin_queue *queue = kin_as(kin_queue, kin_arg(args, 0));
    kin_obj things;
    SEE(kin_queue_get(queue, &things, KIN_FOREVER) == 0);
    kin_obj said = use(things);
    kin_release(things);
    return said;
}

/* ---- the parent ------------------------------------------------------------------------- */

static void hold(const struct kit *k)
{
    CHECK_EQ(kin_lock_acquire(k->lock, 0), 0);
    CHECK_EQ(kin_rlock_acquire(k->rlock, 0), 0);
    CHECK_EQ(kin_semaphore_acquire(k->semaphore, 0), 0);
    CHECK_EQ(kin_condition_acquire(k->condition, 0), 0);
    CHECK_EQ(kin_value_acquire(k->value, 0), 0);
    CHECK_EQ(kin_array_acquire(k->array, 0), 0);
}

static void let_go_and_meet(const struct kit *k)
{
    CHECK_EQ(kin_event_wait(k->event, KIN_FOREVER), 0);
    CHECK_EQ(kin_condition_wait(k->condition, KIN_FOREVER), 0);
    CHECK_EQ(kin_condition_release(k->condition), 0);
    CHECK_EQ(kin_lock_release(k->lock), 0);
    CHECK_EQ(kin_rlock_release(k->rlock), 0);
    CHECK_EQ(kin_semaphore_release(k->semaphore), 0);
    CHECK_EQ(kin_value_release(k->value), 0);
    CHECK_EQ(kin_array_release(k->array), 0);
    CHECK_GE(kin_barrier_wait(k->barrier, KIN_FOREVER), 0);
    CHECK_EQ(*(int *)kin_value_ptr(k->value), 2);
    CHECK_FLOAT(((double *)kin_array_data(k->array))[2], 2.5);
    CHECK_EQ(kin_semaphore_value(k->semaphore), 0);
}

EACH_METHOD(uses_locks_and_their_like_that_are_arguments)
{
    struct kit k = make_kit();
    hold(&k);
    kin_process *child = start_by(method, use_arguments, kin_args(pack(&k)));
    let_go_and_meet(&k);
    CHECK_EQ(end(child), 0);
    free_kit(&k);
}

EACH_METHOD(uses_locks_and_their_like_that_are_made_after_it_started)
{
    kin_queue *queue = NULL;
    CHECK_OK(kin_queue_new(&queue, NULL));
    kin_process *child = start_by(method, use_what_is_sent, kin_args(kin_shared(queue)));
    struct kit k = make_kit();
    hold(&k);
    CHECK_OK(kin_queue_put(queue, pack(&k), KIN_FOREVER));
    let_go_and_meet(&k);
    CHECK_EQ(end(child), 0);
    free_kit(&k);
    kin_queue_free(queue);
}

static kin_obj die_with_all(kin_obj args)
{
    struct kit k;
    SEE(unpack(kin_arg(args, 0), &k));
    SEE(kin_lock_acquire(k.lock, 0) == 0);
    SEE(kin_rlock_acquire(k.rlock, 0) == 0);
    SEE(kin_semaphore_acquire(k.semaphore, 0) == 0);
    SEE(kin_condition_acquire(k.condition, 0) == 0);
    SEE(kin_value_acquire(k.value, 0) == 0);
    SEE(kin_array_acquire(k.array, 0) == 0);
    raise(SIGKILL);
    return kin_none();
}

EACH_METHOD(leaves_what_it_held_to_the_next_when_it_is_killed)
{
    struct kit k = make_kit();
    CHECK_EQ(run_by(method, die_with_all, kin_args(pack(&k))), -SIGKILL);
    CHECK_EQ(kin_lock_acquire(k.lock, 0), KIN_OWNER_DIED);
    CHECK_EQ(kin_rlock_acquire(k.rlock, 0), KIN_OWNER_DIED);
    CHECK_EQ(kin_condition_acquire(k.condition, 0), KIN_OWNER_DIED);
    CHECK_EQ(kin_value_acquire(k.value, 0), KIN_OWNER_DIED);
    CHECK_EQ(kin_array_acquire(k.array, 0), KIN_OWNER_DIED);
    CHECK_ERROR(kin_semaphore_acquire(k.semaphore, 0), KIN_ETIMEDOUT); /* a plain one counts on */
    free_kit(&k);
}
