/* A manager here: what it owns, and names. */
#include "unit/manager/raw.h"

#include <kin/domain.h>

static kin_obj nothing(kin_obj args)
{
    (void)args;
    return kin_none();
}

TEST(a_manager_frees_what_it_made)
{
    kin_manager *m = new_manager();
    kin_queue *queue = NULL;
    kin_lock *lock = NULL;
    kin_obj o;
    CHECK_OK(kin_manager_queue(m, &queue, NULL));
    CHECK_OK(kin_manager_lock(m, &lock));
    CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
    kin_manager_free(m);
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EFREED);
    CHECK_ERROR(kin_lock_acquire(lock, 0), KIN_EFREED);
}

static void log_nothing(int level, const char *text, void *ctx)
{
    (void)level;
    (void)ctx;
    CHECK_(false, "it was logged: %s", text);
}

TEST(what_it_made_may_be_freed_before_and_what_lies_there_then_stays)
{
    kin_manager *m = new_manager();
    kin_shared_dict *dict = NULL, *other = NULL;
    kin_lock *lock = NULL;
    kin_pool *pool = NULL;
    CHECK_OK(kin_manager_dict(m, &dict, kin_none()));
    CHECK_OK(kin_manager_lock(m, &lock));
    CHECK_OK(kin_manager_pool(m, &pool, KIN_OPT(kin_pool_options, .processes = 1)));
    kin_shared_dict_free(dict);
    kin_lock_free(lock);
    kin_pool_free(pool);
    CHECK_OK(kin_shared_dict_new(&other, NULL));
    kin_log_set_handler(log_nothing, NULL);
    kin_manager_free(m);
    kin_log_set_handler(NULL, NULL);
    CHECK_OK(kin_shared_dict_set(other, kin_int(1), kin_int(2)));
    kin_shared_dict_free(other);
}

TEST(a_forked_childs_copy_frees_nothing)
{
    kin_manager *m = new_manager();
    kin_queue *queue = NULL;
    CHECK_OK(kin_manager_queue(m, &queue, NULL));
    pid_t pid = fork();
    if (pid == 0) {
        kin_manager_free(m);
        _exit(kin_queue_put(queue, kin_int(1), 0) == 0 ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(kin_queue_qsize(queue), 1);
    kin_manager_free(m);
}

TEST(a_name_is_registered_once)
{
    kin_manager *m = new_manager();
    kin_lock *lock = NULL;
    CHECK_OK(kin_manager_lock(m, &lock));
    CHECK_OK(kin_manager_register(m, "x", kin_shared(lock)));
    CHECK_ERROR(kin_manager_register(m, "x", kin_func(nothing)), KIN_EEXIST);
    CHECK_OK(kin_manager_register(m, "y", kin_func(nothing)));
    kin_manager_free(m);
}

TEST(only_things_and_functions_are_registered)
{
    kin_manager *m = new_manager();
    void *memory = kin_alloc(10);
    CHECK_ERROR(kin_manager_register(m, "x", kin_list(kin_int(1))), KIN_ETYPE);
    CHECK_ERROR(kin_manager_register(m, "x", kin_shared(memory)), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_manager_register(m, NULL, kin_func(nothing)), KIN_EINVAL);
    CHECK_ERROR(kin_manager_register(NULL, "x", kin_list()), KIN_EINVAL);
    CHECK_ERROR(kin_manager_register(m, "x", kin_shared("no thing")), KIN_EINVAL);
    kin_free(memory);
    kin_manager_free(m);
}

TEST(misuse_is_an_error)
{
    kin_manager *m = NULL;
    CHECK_ERROR(kin_manager_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_manager_new(&m, KIN_OPT(kin_manager_options, .reserved = { 1 })), KIN_EINVAL);
    CHECK_NULL(m);
    CHECK_ERROR(kin_manager_stop(NULL), KIN_EINVAL);
    CHECK_ERROR(kin_manager_join(NULL, 0), KIN_EINVAL);
    CHECK_ERROR(kin_manager_stats(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_manager_number_of_objects(NULL), KIN_EINVAL);
    CHECK_STR(kin_manager_address(NULL), "");
    kin_manager_free(NULL);
}

TEST(a_forked_child_that_stops_its_copy_does_not_end_its_parents_join)
{
    kin_manager *m = new_manager();
    serve(m);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(kin_manager_stop(m) == 0 && kin_manager_stop(m) == 0 ? 0 : 1);
    }
    CHECK_EQ(test_join(pid), 0);
    CHECK_ERROR(kin_manager_join(m, 0), KIN_ETIMEDOUT);
    kin_release(control(m, "dummy", kin_tuple()));
    CHECK_OK(kin_manager_stop(m));
    CHECK_OK(kin_manager_join(m, 0));
    kin_manager_free(m);
}

TEST(a_manager_that_does_not_serve_is_joined_at_once)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_join(m, KIN_FOREVER));
    CHECK_OK(kin_manager_stop(m));
    CHECK_EQ(kin_manager_number_of_objects(m), 0);
    CHECK_EQ(stats(m).clients, 0);
    kin_manager_free(m);
}

static int serve_a_lock(void *ctx)
{
    (void)ctx;
    kin_manager *m = NULL;
    kin_lock *lock = NULL;
    int rv = kin_manager_new(&m, NULL);
    rv = rv < 0 ? rv : kin_manager_lock(m, &lock);
    rv = rv < 0 ? rv : kin_manager_register(m, "lock", kin_shared(lock));
    rv = rv < 0 ? rv
                : kin_manager_serve(m, "@kin-manager-faults",
                                    KIN_OPT(kin_serve_options, .authkey = "k", .authkey_size = 1));
    kin_manager_free(m);
    return rv;
}

TEST_WITHIN(60, memory_may_be_out_at_any_moment)
{
    CHECK_EQ(serve_a_lock(NULL), 0); /* what is made once for all is there */
    CHECK_GT(fault_loop(KIN__FAULT_MEMORY, NULL, .attempt = serve_a_lock), 5);
}
