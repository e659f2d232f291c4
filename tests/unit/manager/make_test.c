/* What a manager makes, here. */
#include "unit/manager/raw.h"

TEST(all_that_can_be_held_or_waited_for_is_made)
{
    kin_manager *m = new_manager();
    kin_lock *lock;
    kin_rlock *rlock;
    kin_semaphore *semaphore;
    kin_condition *condition;
    kin_event *event;
    kin_barrier *barrier;
    CHECK_OK(kin_manager_lock(m, &lock));
    CHECK_OK(kin_manager_rlock(m, &rlock));
    CHECK_OK(
        kin_manager_semaphore(m, &semaphore, 1, KIN_OPT(kin_semaphore_options, .bounded = true)));
    CHECK_OK(kin_manager_condition(m, &condition));
    CHECK_OK(kin_manager_event(m, &event));
    CHECK_OK(kin_manager_barrier(m, &barrier, 3));
    CHECK_OK(kin_lock_acquire(lock, 0));
    CHECK_OK(kin_rlock_acquire(rlock, 0));
    CHECK_OK(kin_semaphore_acquire(semaphore, 0));
    CHECK_OK(kin_semaphore_release(semaphore));
    CHECK_ERROR(kin_semaphore_release(semaphore), KIN_ESTATE);
    CHECK_OK(kin_condition_acquire(condition, 0));
    CHECK(!kin_event_is_set(event));
    CHECK_EQ(kin_barrier_parties(barrier), 3);
    kin_manager_free(m);
}

TEST(numbers_queues_and_pools_are_made)
{
    kin_manager *m = new_manager();
    kin_value *value;
    kin_array *array;
    kin_queue *queue;
    kin_pool *pool;
    CHECK_OK(kin_manager_value(m, &value, 'i', kin_int(5)));
    CHECK_OK(kin_manager_array(m, &array, 'd', kin_list(kin_float(1), kin_float(2))));
    CHECK_OK(kin_manager_queue(m, &queue, KIN_OPT(kin_queue_options, .maxsize = 1)));
    CHECK_OK(kin_manager_pool(m, &pool, KIN_OPT(kin_pool_options, .processes = 1)));
    CHECK_EQ(*(int *)kin_value_ptr(value), 5);
    CHECK_EQ(kin_array_len(array), 2);
    CHECK_OK(kin_queue_put(queue, kin_none(), 0));
    CHECK_ERROR(kin_queue_put(queue, kin_none(), 0), KIN_EFULL);
    kin_manager_free(m);
}

TEST(collections_are_made_with_what_is_in_them_at_first)
{
    kin_manager *m = new_manager();
    kin_shared_dict *dict;
    kin_shared_list *list;
    kin_shared_set *set;
    kin_shared_namespace *space;
    kin_obj o;
    CHECK_OK(kin_manager_dict(m, &dict, kin_dict(kin_str("a"), kin_int(1))));
    CHECK_OK(kin_manager_list(m, &list, kin_list(kin_int(1), kin_int(2))));
    CHECK_OK(kin_manager_set(m, &set, (kin_obj){ 0 }));
    CHECK_OK(kin_manager_namespace(m, &space, kin_dict(kin_str("x"), kin_int(3))));
    CHECK_OK(kin_shared_dict_get(dict, kin_str("a"), &o));
    CHECK_EQ(kin_as_int(o), 1);
    CHECK_EQ(kin_shared_list_len(list), 2);
    CHECK_EQ(kin_shared_set_len(set), 0);
    CHECK_OK(kin_shared_namespace_get(space, "x", &o));
    CHECK_EQ(kin_as_int(o), 3);
    kin_manager_free(m);
    CHECK_ERROR(kin_shared_dict_get(dict, kin_str("a"), &o), KIN_EFREED);
}

TEST(what_cannot_be_made_is_told)
{
    kin_manager *m = new_manager();
    kin_value *value = NULL;
    kin_lock *lock = NULL;
    CHECK(kin_manager_value(m, &value, '?', kin_list()) < 0);
    CHECK(kin_manager_value(m, &value, 'i', kin_str("no number")) < 0);
    CHECK_NULL(value);
    CHECK_ERROR(kin_manager_lock(NULL, &lock), KIN_EINVAL);
    CHECK_ERROR(kin_manager_lock(m, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_manager_queue(m, NULL, NULL), KIN_EINVAL);
    kin_manager_free(m);
}
