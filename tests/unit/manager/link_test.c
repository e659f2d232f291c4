/* The way to a manager elsewhere: connections, batches, and what breaks. */
#include "unit/manager/far.h"

#include <pthread.h>

static kin_manager *with_dict(kin_shared_dict **ret)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_dict(m, ret, kin_none()));
    CHECK_OK(kin_manager_register(m, "dict", kin_shared(*ret)));
    serve(m);
    return m;
}

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

TEST(a_batch_of_a_thousand_brings_all_results_in_their_places)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    static kin_obj results[1000];
    kin_obj o = call_for(far, "dict");
    const void *proxy = kin_as(kin_shared_dict, o);
    CHECK_OK(kin_manager_begin_batch(far));
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(
            kin_proxy_call(proxy, "setdefault", kin_args(kin_int(i), kin_int(i * 2)), &results[i]));
    }
    CHECK_EQ(kin_manager_end_batch(far), 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(kin_as_int(results[i]), i * 2);
    }
    CHECK_EQ(kin_shared_dict_len(dict), 1000);
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(what_fails_in_a_batch_is_an_error_in_its_place)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj a, b, o = call_for(far, "dict");
    const void *proxy = kin_as(kin_shared_dict, o);
    CHECK_ERROR(kin_manager_end_batch(far), KIN_ESTATE);
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_ERROR(kin_manager_begin_batch(far), KIN_ESTATE);
    CHECK_OK(kin_proxy_call(proxy, "__getitem__", kin_args(kin_str("no")), &a));
    CHECK_OK(kin_proxy_call(proxy, "__len__", kin_args(), &b));
    CHECK_OK(kin_proxy_call(proxy, "pop", kin_args(kin_str("no")), NULL));
    CHECK_EQ(kin_manager_end_batch(far), 2);
    CHECK(kin_is_error(a));
    CHECK_EQ(kin_error_code(a), KIN_ENOTFOUND);
    CHECK_EQ(kin_as_int(b), 0);
    CHECK_STR(answer_of(proxy, "__len__", kin_args()), "0"); /* as before */
    kin_release(a);
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_call_for_a_name_in_the_midst_of_a_batch_is_refused)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj o, item = call_for(far, "dict");
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_ERROR(kin_manager_call(far, "dict", kin_args(), &o), KIN_ESTATE);
    CHECK_EQ(kin_manager_end_batch(far), 0);
    kin_release(item);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_manager_that_ends_is_told_and_another_one_at_its_address_is_found)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj o;
    CHECK_OK(kin_manager_stop(m));
    CHECK(kin_manager_call(far, "dict", kin_args(), &o) < 0);
    CHECK(kin_manager_call(far, "dict", kin_args(), &o) < 0);
    serve(m);
    o = call_for(far, "dict");
    CHECK_STR(answer_of(kin_as(kin_shared_dict, o), "__len__", kin_args()), "0");
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_batch_that_is_cut_fails_what_was_under_way)
{
    kin_shared_dict *dict;
    kin_manager *m = with_dict(&dict), *far = connect_to(m);
    kin_obj result = kin_none(), o = call_for(far, "dict");
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_OK(kin_manager_stop(m));
    int rv = kin_proxy_call(kin_as(kin_shared_dict, o), "__len__", kin_args(), &result);
    int64_t failed = kin_manager_end_batch(far);
    CHECK(rv < 0 || (failed == 1 && kin_is_error(result)));
    kin_release(result);
    kin_release(o);
    kin_manager_free(far);
    kin_manager_free(m);
}

/* ---- a server that is no manager ------------------------------------------------------------- */

static kin_listener *listener;
static const char *const lies[] = { "#LIE", "#TRACEBACK", "#UNSERIALIZABLE", "#ERROR" };

/* Lets one in, greets him, and then answers with all sorts of things. */
static void *lie(void *ctx)
{
    kin_conn *conn = NULL;
    kin_obj request;
    size_t n = 0, most = sizeof lies / sizeof lies[0];
    (void)ctx;
    if (kin_listener_accept(listener, &conn, KIN_FOREVER) < 0) {
        return NULL;
    }
    kin_obj answer = kin_tuple(kin_str("#RETURN"), kin_str("kin"));
    while (kin_conn_recv(conn, &request, KIN_FOREVER) == 0) {
        kin_release(request);
        (void)kin_conn_send(conn, answer, KIN_FOREVER);
        answer = n < most    ? kin_tuple(kin_str(lies[n]), kin_str("x\nKeyError: 'y'\n"))
                 : n == most ? kin_tuple(kin_str("#PROXY"), kin_str("what?"))
                             : kin_int(5);
        n++;
    }
    kin_release(answer);
    kin_conn_free(conn);
    return NULL;
}

TEST(answers_that_are_none_are_errors)
{
    char address[64];
    pthread_t thread;
    kin_manager *far = NULL;
    kin_obj o;
    snprintf(address, sizeof address, "@kin-manager-test-%d", (int)getpid());
    CHECK_OK(kin_listener_new(
        &listener, address,
        KIN_OPT(kin_listener_options, .authkey = SECRET, .authkey_size = strlen(SECRET))));
    CHECK_EQ(pthread_create(&thread, NULL, lie, NULL), 0);
    CHECK_OK(kin_manager_connect(
        &far, address,
        KIN_OPT(kin_connect_options, .authkey = SECRET, .authkey_size = strlen(SECRET))));
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ECORRUPT);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ENOTFOUND);
    CHECK_CONTAINS(kin_errmsg(), "KeyError: 'y'");
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_EUSER);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ECORRUPT);
    CHECK_ERROR(kin_manager_call(far, "x", kin_args(), &o), KIN_ECORRUPT);
    kin_manager_free(far);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    kin_listener_free(listener);
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
