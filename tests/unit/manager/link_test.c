/* The way to a manager elsewhere: connections, and what breaks. */
#include "unit/manager/far.h"

#include <pthread.h>

static void *set_in_thread(void *ctx)
{
    return kin_proxy_call(ctx, "__setitem__", kin_args(kin_int(1), kin_int(2)), NULL) == 0 ? ctx
                                                                                           : NULL;
}

TEST(each_thread_has_a_connection_and_those_of_ended_threads_go)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj o = call_for(far, "dict");
    void *proxy = kin_as(kin_shared_dict, o), *done;
    CHECK_EQ(stats(m).clients, 1);
    for (int i = 0; i < 8 || stats(m).clients > 4; i++) { /* who was joined may still be ending */
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, set_in_thread, proxy), 0);
        CHECK_EQ(pthread_join(thread, &done), 0);
        CHECK_PTR(done, proxy);
    }
    kin_release(o);
    kin_manager_free(far);
    WAIT_UNTIL(stats(m).clients == 0);
    kin_manager_free(m);
}

TEST(a_manager_that_ends_is_told_and_another_one_at_its_address_is_found)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj o;
    kin_obj old = call_for(far, "dict");
    CHECK_OK(kin_manager_stop(m));
    CHECK(kin_manager_call(far, "dict", kin_args(), &o) < 0);
    CHECK(kin_manager_call(far, "dict", kin_args(), &o) < 0);
    serve(m);
    CHECK_ERROR(kin_shared_dict_get(kin_as(kin_shared_dict, old), kin_int(1), &o), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "was it started anew?");
    kin_release(old);
    o = call_for(far, "dict");
    CHECK_STR(answer_of(kin_as(kin_shared_dict, o), "__len__", kin_args()), "0");
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(an_answer_that_does_not_come_is_waited_for_so_long_and_its_connection_is_given_up)
{
    kin_shared_dict *dict;
    kin_event *event;
    kin_manager *m = with_dict(&dict);
    CHECK_OK(kin_manager_event(m, &event));
    CHECK_OK(kin_manager_register(m, "event", kin_shared(event)));
    kin_manager *far = connect_with(m, (kin_connect_options){ .timeout = 2 });
    kin_obj o = call_for(far, "event");
    /* it asks for more than it says that it would */
    CHECK_ERROR(kin_proxy_call(kin_as(kin_event, o), "wait", kin_args(), NULL), KIN_ETIMEDOUT);
    CHECK_CONTAINS(kin_errmsg(), "not known");
    CHECK_OK(kin_event_set(event));
    CHECK_OK(kin_event_wait(kin_as(kin_event, o), 5)); /* over another one */
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}
