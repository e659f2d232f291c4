/* One of each type that a manager makes: for any process of the family, and all freed at once. Two
 * workers of its pool use the others.
 *
 * Python: m.dict(), m.list(), m.set(), m.Namespace(), m.Queue(), m.Lock(), ..., m.Array(), m.Pool()
 */
#include <kin.h>

struct things { /* in memory of the family, so its pointers are good in each process */
    kin_shared_dict *dict;
    kin_shared_list *list;
    kin_shared_set *set;
    kin_shared_namespace *space;
    kin_queue *queue;
    kin_lock *lock;
    kin_rlock *rlock;
    kin_semaphore *semaphore;
    kin_condition *condition;
    kin_event *event;
    kin_barrier *barrier;
    kin_value *value;
    kin_array *array;
    kin_pool *pool;
};

static kin_obj work(kin_obj args)
{
    const struct things *t = kin_arg_shared(args, 0);
    KIN_TRY(kin_event_wait(t->event, KIN_FOREVER));
    KIN_TRY(kin_barrier_wait(t->barrier, KIN_FOREVER)); /* for the other one */
    KIN_TRY(kin_lock_acquire(t->lock, KIN_FOREVER));
    KIN_TRY(kin_rlock_acquire(t->rlock, KIN_FOREVER));
    KIN_TRY(kin_semaphore_acquire(t->semaphore, KIN_FOREVER));
    KIN_TRY(kin_shared_dict_add(t->dict, kin_str("visits"), kin_int(1), NULL));
    KIN_TRY(kin_shared_list_append(t->list, kin_str("worker")));
    KIN_TRY(kin_shared_set_add(t->set, kin_str("worker")));
    KIN_TRY(kin_shared_namespace_set(t->space, "x", kin_float(0.5)));
    *(int *)kin_value_ptr(t->value) += 1;
    KIN_TRY(kin_array_set(t->array, -1, kin_float(2.5)));
    KIN_TRY(kin_semaphore_release(t->semaphore));
    KIN_TRY(kin_rlock_release(t->rlock));
    KIN_TRY(kin_lock_release(t->lock));

    KIN_TRY(kin_condition_acquire(t->condition, KIN_FOREVER));
    KIN_TRY(kin_queue_put(t->queue, kin_str("done"), KIN_FOREVER));
    KIN_TRY(kin_condition_notify_all(t->condition));
    KIN_TRY(kin_condition_release(t->condition));
    return kin_none();
}

static void show(int rv, const kin_obj *o)
{
    KIN_CHECK(rv);
    kin_print(*o);
    kin_release(*o);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_manager) manager = NULL;
    KIN_CHECK(kin_manager_new(&manager, NULL));
    struct things *all = kin_alloc(sizeof *all);
    KIN_CHECK(kin_manager_dict(manager, &all->dict, kin_dict(kin_str("visits"), kin_int(0))));
    KIN_CHECK(kin_manager_list(manager, &all->list, kin_list(kin_str("main"))));
    KIN_CHECK(kin_manager_set(manager, &all->set, kin_list(kin_str("main"))));
    KIN_CHECK(kin_manager_namespace(manager, &all->space, kin_dict(kin_str("x"), kin_int(1))));
    KIN_CHECK(kin_manager_queue(manager, &all->queue, KIN_OPT(kin_queue_options, .maxsize = 10)));
    KIN_CHECK(kin_manager_lock(manager, &all->lock));
    KIN_CHECK(kin_manager_rlock(manager, &all->rlock));
    KIN_CHECK(kin_manager_semaphore(manager, &all->semaphore, 1, NULL));
    KIN_CHECK(kin_manager_condition(manager, &all->condition));
    KIN_CHECK(kin_manager_event(manager, &all->event));
    KIN_CHECK(kin_manager_barrier(manager, &all->barrier, 2));
    KIN_CHECK(kin_manager_value(manager, &all->value, 'i', kin_int(40)));
    KIN_CHECK(kin_manager_array(manager, &all->array, 'd', kin_list(kin_float(1), kin_float(1.5))));
    KIN_CHECK(kin_manager_pool(manager, &all->pool, KIN_OPT(kin_pool_options, .processes = 2)));
    for (int i = 0; i < 2; i++) {
        KIN_CHECK(kin_pool_submit(all->pool, work, kin_args(kin_shared(all)), NULL, NULL));
    }
    KIN_CHECK(kin_event_set(all->event)); /* they may begin */
    KIN_CHECK(kin_condition_acquire(all->condition, KIN_FOREVER));
    while (kin_queue_qsize(all->queue) < 2) {
        KIN_CHECK(kin_condition_wait(all->condition, KIN_FOREVER));
    }
    KIN_CHECK(kin_condition_release(all->condition));

    kin_obj o;
    show(kin_shared_dict_copy(all->dict, &o), &o);
    show(kin_shared_list_copy(all->list, &o), &o);
    show(kin_shared_set_copy(all->set, &o), &o);
    show(kin_shared_namespace_copy(all->space, &o), &o);
    show(kin_queue_get(all->queue, &o, KIN_FOREVER), &o);
    show(kin_value_get(all->value, &o), &o);
    show(kin_array_slice(all->array, 0, 2, &o), &o);
    kin_free(all);
    return 0;
}
