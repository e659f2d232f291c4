/* The verbs of locks, queues, values ... on a proxy. */
#include "unit/manager/far.h"

typedef struct pair {
    kin_manager *m, *far;
} pair;

static pair begin(void)
{
    pair p = { .m = new_manager() };
    serve(p.m);
    p.far = connect_to(p.m);
    return p;
}

static void finish(pair p)
{
    CHECK_EQ(kin_manager_number_of_objects(p.far), 0); /* all were given back */
    kin_manager_free(p.far);
    kin_manager_free(p.m);
}

TEST(a_lock_and_an_rlock)
{
    pair p = begin();
    kin_lock *lock;
    kin_rlock *rlock;
    CHECK_OK(kin_manager_lock(p.far, &lock));
    CHECK_OK(kin_manager_rlock(p.far, &rlock));
    CHECK_EQ(kin_lock_acquire(lock, KIN_FOREVER), 0);
    CHECK_ERROR(kin_lock_acquire(lock, 0), KIN_ETIMEDOUT);
    CHECK_ERROR(kin_lock_acquire(lock, 0.01), KIN_ETIMEDOUT);
    CHECK(kin_lock_locked(lock));
    CHECK_OK(kin_lock_release(lock));
    CHECK(kin_lock_release(lock) < 0);
    CHECK(!kin_lock_locked(lock));
    CHECK_OK(kin_rlock_acquire(rlock, 1));
    CHECK_OK(kin_rlock_acquire(rlock, 1));
    CHECK_OK(kin_rlock_release(rlock));
    CHECK_OK(kin_rlock_release(rlock));
    CHECK(kin_rlock_release(rlock) < 0);
    kin_lock_free(lock);
    kin_rlock_free(rlock);
    finish(p);
}

TEST(a_semaphore_an_event_and_a_barrier)
{
    pair p = begin();
    kin_semaphore *semaphore;
    kin_event *event;
    kin_barrier *barrier;
    CHECK_OK(kin_manager_semaphore(p.far, &semaphore, 1, NULL));
    CHECK_OK(kin_manager_event(p.far, &event));
    CHECK_OK(kin_manager_barrier(p.far, &barrier, 1));
    CHECK_OK(kin_semaphore_acquire(semaphore, KIN_FOREVER));
    CHECK_ERROR(kin_semaphore_acquire(semaphore, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_semaphore_release(semaphore));
    CHECK_ERROR(kin_event_wait(event, 0), KIN_ETIMEDOUT);
    CHECK_OK(kin_event_set(event));
    CHECK(kin_event_is_set(event));
    CHECK_OK(kin_event_wait(event, KIN_FOREVER));
    CHECK_OK(kin_event_clear(event));
    CHECK(!kin_event_is_set(event));
    CHECK_EQ(kin_barrier_wait(barrier, KIN_FOREVER), 0);
    CHECK_EQ(kin_barrier_parties(barrier), 1);
    CHECK_OK(kin_barrier_abort(barrier));
    CHECK(kin_barrier_broken(barrier));
    CHECK(kin_barrier_wait(barrier, 1) < 0);
    CHECK_OK(kin_barrier_reset(barrier));
    kin_semaphore_free(semaphore);
    kin_event_free(event);
    kin_barrier_free(barrier);
    finish(p);
}

TEST(a_condition)
{
    pair p = begin();
    kin_condition *condition;
    CHECK_OK(kin_manager_condition(p.far, &condition));
    CHECK(kin_condition_notify(condition, 1) < 0);
    CHECK_OK(kin_condition_acquire(condition, KIN_FOREVER));
    CHECK_ERROR(kin_condition_wait(condition, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_condition_notify(condition, 1));
    CHECK_OK(kin_condition_notify_all(condition));
    CHECK_OK(kin_condition_release(condition));
    CHECK(kin_condition_release(condition) < 0);
    kin_condition_free(condition);
    finish(p);
}

TEST(a_queue)
{
    pair p = begin();
    kin_queue *queue;
    kin_obj o;
    CHECK_OK(kin_manager_queue(p.far, &queue,
                               KIN_OPT(kin_queue_options, .maxsize = 1, .joinable = true)));
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EEMPTY);
    CHECK_ERROR(kin_queue_get(queue, &o, 0.01), KIN_ETIMEDOUT);
    CHECK_OK(kin_queue_put(queue, kin_list(kin_str("x")), KIN_FOREVER));
    CHECK_ERROR(kin_queue_put(queue, kin_int(2), 0), KIN_EFULL);
    CHECK_ERROR(kin_queue_put(queue, kin_int(2), 0.01), KIN_ETIMEDOUT);
    CHECK_EQ(kin_queue_qsize(queue), 1);
    CHECK(kin_queue_full(queue));
    CHECK(!kin_queue_empty(queue));
    CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
    CHECK_STR(kin_as_str(kin_at(o, 0)), "x");
    kin_release(o);
    CHECK_OK(kin_queue_task_done(queue));
    CHECK_OK(kin_queue_join(queue, KIN_FOREVER));
    CHECK(kin_queue_task_done(queue) < 0);
    kin_queue_free(queue);
    finish(p);
}

TEST(a_value_and_an_array)
{
    pair p = begin();
    kin_value *value;
    kin_array *array;
    kin_obj o;
    CHECK_OK(kin_manager_value(p.far, &value, 'i', kin_int(5)));
    CHECK_OK(kin_manager_array(p.far, &array, 'd', kin_list(kin_float(1), kin_float(2))));
    CHECK_OK(kin_value_set(value, kin_int(6)));
    CHECK_OK(kin_value_get(value, &o));
    CHECK_EQ(kin_as_int(o), 6);
    CHECK_NULL(kin_value_ptr(value)); /* it is not in this memory */
    CHECK_EQ(kin_array_len(array), 2);
    CHECK_OK(kin_array_set(array, -1, kin_float(2.5)));
    CHECK_OK(kin_array_get(array, 1, &o));
    CHECK_FLOAT(kin_as_float(o), 2.5);
    CHECK_ERROR(kin_array_get(array, 2, &o), KIN_ERANGE);
    CHECK_ERROR(kin_value_set(value, kin_str("x")), KIN_ETYPE);
    kin_value_free(value);
    kin_array_free(array);
    finish(p);
}

TEST(a_dict_a_list_a_set_and_a_namespace)
{
    pair p = begin();
    kin_shared_dict *dict;
    kin_shared_list *list;
    kin_shared_set *set;
    kin_shared_namespace *space;
    kin_obj o;
    CHECK_OK(kin_manager_dict(p.far, &dict, kin_none()));
    CHECK_OK(kin_manager_list(p.far, &list, kin_list(kin_int(1))));
    CHECK_OK(kin_manager_set(p.far, &set, kin_none()));
    CHECK_OK(kin_manager_namespace(p.far, &space, kin_none()));
    CHECK_OK(kin_shared_dict_add(dict, kin_str("a"), kin_int(2), NULL));
    CHECK_OK(kin_shared_dict_get(dict, kin_str("a"), &o));
    CHECK_EQ(kin_as_int(o), 2);
    CHECK_ERROR(kin_shared_dict_get(dict, kin_str("b"), &o), KIN_ENOTFOUND);
    CHECK_OK(kin_shared_list_append(list, kin_int(7)));
    CHECK_EQ(kin_shared_list_len(list), 2);
    CHECK_ERROR(kin_shared_list_get(list, 2, &o), KIN_ERANGE);
    CHECK_EQ(kin_shared_set_add(set, kin_int(3)), 1);
    CHECK_EQ(kin_shared_set_add(set, kin_int(3)), 0);
    CHECK_OK(kin_shared_namespace_set(space, "x", kin_int(4)));
    CHECK_OK(kin_shared_namespace_get(space, "x", &o));
    CHECK_EQ(kin_as_int(o), 4);
    CHECK_ERROR(kin_shared_namespace_get(space, "y", &o), KIN_ENOTFOUND);
    kin_shared_dict_free(dict);
    kin_shared_list_free(list);
    kin_shared_set_free(set);
    kin_shared_namespace_free(space);
    finish(p);
}

TEST(a_verb_of_another_type_is_refused)
{
    pair p = begin();
    kin_lock *lock;
    kin_obj o;
    CHECK_OK(kin_manager_lock(p.far, &lock));
    kin_obj shared = kin_shared(lock);
    CHECK_ERROR(kin_queue_get((kin_queue *)(void *)lock, &o, 0), KIN_EINVAL);
    CHECK_ERROR(kin_event_set((kin_event *)(void *)lock), KIN_EINVAL);
    CHECK_NULL(kin_as(kin_queue, shared));
    CHECK_PTR(kin_as(kin_lock, shared), lock);
    kin_release(shared);
    kin_lock_free(lock);
    finish(p);
}

#define CHECK_FOR_RELATIVES(rv)                                                                    \
    do {                                                                                           \
        CHECK_ERROR((rv), KIN_EUNSUPPORTED);                                                       \
        CHECK_CONTAINS(kin_errmsg(), "is a proxy: this call is for relatives");                    \
    } while (0)

TEST(calls_that_a_proxy_does_not_have_say_so)
{
    pair p = begin();
    kin_queue *queue;
    kin_array *array;
    kin_value *value;
    kin_lock *lock;
    kin_obj o;
    CHECK_OK(kin_manager_queue(p.far, &queue, NULL));
    CHECK_OK(kin_manager_array(p.far, &array, 'i', kin_list(kin_int(3))));
    CHECK_OK(kin_manager_value(p.far, &value, 'i', kin_int(3)));
    CHECK_OK(kin_manager_lock(p.far, &lock));
    kin_waitable thing = kin_queue_waitable(queue);
    CHECK_FOR_RELATIVES(kin_queue_close(queue));
    CHECK_FOR_RELATIVES(kin_wait(&thing, 1, 0));
    CHECK_FOR_RELATIVES(kin_array_slice(array, 0, 2, &o));
    CHECK_FOR_RELATIVES(kin_lock_owner(lock, &(int){ 0 }, NULL, 0));
    CHECK_NULL(kin_value_ptr(value));
    CHECK_CONTAINS(kin_errmsg(), "is a proxy: this call is for relatives");
    kin_queue_free(queue);
    kin_array_free(array);
    kin_value_free(value);
    kin_lock_free(lock);
    finish(p);
}
