/* Proxies: their references, and things inside of what is sent and answered. */
#include "unit/manager/far.h"

static kin_manager *with_queue_and_dict(void)
{
    kin_manager *m = new_manager();
    kin_queue *queue;
    kin_shared_dict *dict;
    CHECK_OK(kin_manager_queue(m, &queue, NULL));
    CHECK_OK(kin_manager_dict(m, &dict, kin_dict(kin_str("a"), kin_int(1))));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(queue)));
    CHECK_OK(kin_manager_register(m, "dict", kin_shared(dict)));
    serve(m);
    return m;
}

static void finish(kin_manager *far, kin_manager *m)
{
    CHECK_EQ(kin_manager_number_of_objects(far), 0); /* all were given back */
    kin_manager_free(far);
    kin_manager_free(m);
}

TEST(a_proxy_is_freed_with_the_object_that_brought_it)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "queue"), again = call_for(far, "queue");
    CHECK_NOT_NULL(kin_as(kin_queue, o));
    CHECK_NULL(kin_as(kin_shared_dict, o));
    CHECK_OK(kin_queue_put(kin_as(kin_queue, o), kin_int(1), 0));
    CHECK_EQ(kin_queue_qsize(kin_as(kin_queue, again)), 1); /* it is the same queue */
    CHECK_GT(kin_manager_number_of_objects(m), 0);
    kin_release(o);
    kin_release(again);
    finish(far, m);
}

TEST(a_proxy_says_what_it_is_and_goes_nowhere_else)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj queue = call_for(far, "queue"), dict = call_for(far, "dict");
    kin_shared_dict *local = NULL;
    char *text = kin_repr(queue);
    CHECK_CONTAINS(text, "<the proxy (Queue) at 0x");
    free(text);
    text = kin_repr(dict);
    CHECK_CONTAINS(text, "<the proxy (dict) at 0x");
    free(text);
    CHECK_OK(kin_shared_dict_new(&local, NULL));
    CHECK_ERROR(kin_shared_dict_set(local, kin_int(1), kin_retain(queue)), KIN_EUNSUPPORTED);
    CHECK_CONTAINS(kin_errmsg(), "a proxy travels to its own manager only");
    text = kin_repr(kin_shared(local));
    CHECK_CONTAINS(text, "<kin_shared_dict at 0x");
    free(text);
    kin_shared_dict_free(local);
    kin_release(dict);
    kin_queue_free(kin_take(kin_queue, queue));
    text = kin_repr(queue);
    CHECK_CONTAINS(text, "<the proxy at 0x");
    free(text);
    kin_release(queue);
    finish(far, m);
}

TEST(a_proxy_that_was_taken_stays_until_it_is_freed)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "queue");
    kin_queue *queue = kin_take(kin_queue, o);
    CHECK_NOT_NULL(queue);
    CHECK_NULL(kin_take(kin_queue, o));
    kin_release(o);
    CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
    kin_queue_free(queue);
    finish(far, m);
}

TEST(a_method_is_called_by_its_name_in_python)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "dict");
    const void *dict = kin_as(kin_shared_dict, o);
    CHECK_STR(answer_of(dict, "__getitem__", kin_args(kin_str("a"))), "1");
    CHECK_STR(answer_of(dict, "__getitem__", kin_args(kin_str("b"))), "KIN_ENOTFOUND");
    CHECK_STR(answer_of(dict, "__getitem__", kin_args(kin_list())), "KIN_ETYPE");
    CHECK_OK(kin_proxy_call(dict, "clear", kin_args(), NULL));
    CHECK_STR(answer_of(dict, "copy", kin_args()), "{}");
    CHECK(kin_proxy_call(dict, "no such method", kin_args(), NULL) < 0);
    CHECK_ERROR(kin_proxy_call(dict, NULL, kin_args(kin_list()), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_proxy_call(NULL, "clear", kin_args(kin_list()), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_proxy_call(m, "clear", kin_args(), NULL), KIN_EINVAL);
    kin_release(o);
    finish(far, m);
}

TEST(a_proxy_within_what_is_sent_is_the_thing_itself_there_and_a_proxy_again_here)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "dict"), found;
    kin_shared_list *list;
    const void *dict = kin_as(kin_shared_dict, o);
    CHECK_OK(kin_manager_list(far, &list, kin_none()));
    CHECK_OK(kin_proxy_call(
        dict, "__setitem__",
        kin_args(kin_str("l"), kin_tuple(kin_int(1), kin_list(kin_shared(list)))), NULL));
    CHECK_OK(kin_proxy_call(dict, "__getitem__", kin_args(kin_str("l")), &found));
    kin_shared_list *nested = kin_as(kin_shared_list, kin_at(kin_at(found, 1), 0));
    CHECK_NOT_NULL(nested);
    CHECK_STR(answer_of(nested, "append", kin_args(kin_int(7))), "None");
    CHECK_STR(answer_of(list, "copy", kin_args()), "[7]");
    kin_shared_list_free(list);
    CHECK_STR(answer_of(nested, "copy", kin_args()), "[7]"); /* with a reference of its own */
    kin_release(found);
    kin_release(o);
    finish(far, m);
}

static kin_obj name_nothing(kin_obj args)
{
    (void)args;
    return kin_proxy(kin_token("list", kin_str("/x"), "999"), "ListProxy", kin_none());
}

TEST(a_proxy_of_what_is_not_there_is_an_error)
{
    kin_manager *m = with_queue_and_dict();
    CHECK_OK(kin_manager_register(m, "nothing", kin_func(name_nothing)));
    kin_manager *far = connect_to(m);
    kin_obj o;
    CHECK_ERROR(kin_manager_call(far, "nothing", kin_args(), &o), KIN_ENOTFOUND);
    finish(far, m);
}

TEST(an_iterator_is_a_proxy_of_its_own)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "dict"), it;
    CHECK_OK(kin_proxy_call(kin_as(kin_shared_dict, o), "__iter__", kin_args(), &it));
    const void *proxy = kin_as_shared(it);
    CHECK_STR(answer_of(proxy, "__next__", kin_args()), "'a'");
    CHECK(kin_proxy_call(proxy, "__next__", kin_args(), NULL) < 0);
    CHECK_CONTAINS(kin_errmsg(), "StopIteration");
    kin_release(it);
    kin_release(o);
    finish(far, m);
}

TEST(a_proxy_goes_to_its_own_manager_only)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m), *other = connect_to(m);
    kin_obj dict = call_for(far, "dict"), queue = call_for(other, "queue");
    kin_queue *here = NULL;
    CHECK_ERROR(kin_proxy_call(kin_as(kin_shared_dict, dict), "__setitem__",
                               kin_args(kin_str("q"), kin_list(kin_retain(queue))), NULL),
                KIN_EUNSUPPORTED);
    CHECK_OK(kin_queue_new(&here, NULL));
    CHECK_ERROR(kin_queue_put(here, kin_list(kin_retain(queue)), 0), KIN_EUNSUPPORTED);
    CHECK_EQ(kin_queue_qsize(here), 0);
    kin_queue_free(here);
    kin_release(dict);
    kin_release(queue);
    kin_manager_free(other);
    finish(far, m);
}

TEST(a_proxy_that_outlives_its_connection_says_so)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "queue"), item;
    kin_manager_free(far);
    CHECK_ERROR(kin_queue_get(kin_as(kin_queue, o), &item, 0), KIN_ECLOSED);
    kin_release(o);
    kin_manager_free(m);
}

static int use_copy(void *ctx)
{
    kin_obj *o = ctx;
    bool fine = kin_queue_put(kin_as(kin_queue, *o), kin_str("child"), 5) == 0;
    kin_release(*o); /* the reference over there is its parent's */
    return fine ? 0 : 1;
}

TEST(a_forked_child_uses_its_copy_and_gives_nothing_back)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "queue");
    CHECK_EQ(test_join(test_child(use_copy, &o)), 0);
    CHECK_EQ(kin_queue_qsize(kin_as(kin_queue, o)), 1);
    kin_release(o);
    finish(far, m);
}

TEST(a_manager_that_is_freed_has_given_all_back)
{
    kin_manager *m = with_queue_and_dict();
    for (int i = 0; i < 100; i++) {
        kin_manager *far = connect_to(m);
        kin_shared_dict *dict;
        CHECK_OK(kin_manager_dict(far, &dict, kin_none()));
        kin_release(call_for(far, "queue"));
        kin_manager_free(far); /* and the dict with it */
        CHECK_EQ(kin_manager_number_of_objects(m), 0);
    }
    kin_manager_free(m);
}

TEST(a_proxy_costs_one_request_and_its_release_another_one)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_manager_info before = stats(m);
    for (int i = 0; i < 1000; i++) { /* more than are ever owed */
        kin_release(call_for(far, "queue"));
    }
    CHECK_EQ(kin_manager_number_of_objects(far), 0);
    CHECK_EQ(stats(m).requests - before.requests, 2001);
    finish(far, m);
}

TEST(a_proxy_that_is_freed_in_a_batch_gives_its_reference_back_with_it)
{
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj sizes[2], o = call_for(far, "dict"), held[400];
    for (int i = 0; i < 400; i++) { /* more than there is room for */
        held[i] = call_for(far, "queue");
    }
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_OK(kin_proxy_call(kin_as(kin_shared_dict, o), "__len__", kin_args(), &sizes[0]));
    for (int i = 0; i < 400; i++) {
        kin_release(held[i]);
    }
    CHECK_OK(kin_proxy_call(kin_as(kin_shared_dict, o), "__len__", kin_args(), &sizes[1]));
    CHECK_EQ(kin_manager_end_batch(far), 0);
    CHECK_EQ(kin_as_int(sizes[0]), 1);
    CHECK_EQ(kin_as_int(sizes[1]), 1);
    CHECK_EQ(kin_manager_number_of_objects(far), 1);
    kin_release(o);
    finish(far, m);
}

TEST(a_manager_is_freed_in_a_batch_and_what_was_begun_is_done)
{
    kin_obj untouched = kin_int(5);
    kin_shared_list *made = NULL;
    kin_manager *m = with_queue_and_dict(), *far = connect_to(m);
    kin_obj o = call_for(far, "dict");
    kin_shared_dict *dict = kin_take(kin_shared_dict, o);
    kin_release(o);
    CHECK_OK(kin_manager_list(far, &made, kin_none()));
    uint64_t objects = stats(m).objects;
    CHECK_OK(kin_manager_begin_batch(far));
    CHECK_OK(kin_proxy_call(dict, "clear", kin_args(), &untouched));
    kin_manager_free(far); /* and with it the list */
    WAIT_UNTIL(stats(m).objects < objects);
    CHECK_EQ(kin_as_int(untouched), 5);
    kin_shared_dict_free(dict);
    kin_manager_free(m);
}
