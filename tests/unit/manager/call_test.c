/* Calls: at once, or by a thread of the crew. */
#include "unit/manager/raw.h"

#include <kin/condition.h>

static kin_event *go; /* of functions that take long */
static _Atomic int running;

static kin_obj take_long(kin_obj args)
{
    running++;
    kin_event_wait(go, KIN_FOREVER);
    running--;
    return kin_retain(kin_arg(args, 0));
}

TEST(others_are_answered_while_a_function_takes_long)
{
    kin_manager *m = new_manager();
    char ident[40];
    CHECK_OK(kin_manager_event(m, &go));
    CHECK_OK(kin_manager_register(m, "long", kin_func(take_long)));
    serve(m);
    kin_conn *slow[10];
    for (int i = 0; i < 10; i++) {
        slow[i] = enter(m);
        send_request(slow[i], NULL, "create", kin_tuple(kin_str("long"), kin_int(i)));
    }
    WAIT_UNTIL(running == 10);
    for (int i = 0; i < 100; i++) {
        kin_release(control(m, "dummy", kin_tuple()));
    }
    CHECK_EQ(stats(m).waiting, 10);
    CHECK_OK(kin_event_set(go));
    for (int i = 0; i < 10; i++) {
        kin_obj made = hear_return(slow[i]);
        snprintf(ident, sizeof ident, "%s", kin_as_str(kin_at(made, 0)));
        kin_release(made);
        kin_conn *conn = enter_for_methods(m);
        CHECK_EQ(kin_as_int(ask(conn, ident, "#GETVALUE", kin_tuple())), i);
        kin_conn_free(conn);
        kin_conn_free(slow[i]);
    }
    kin_manager_free(m);
}

static kin_manager *with_queue(kin_queue **ret_queue, bool ack, char *ident)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_queue(m, ret_queue, KIN_OPT(kin_queue_options, .ack = ack)));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(*ret_queue)));
    serve(m);
    create(m, "queue", ident);
    return m;
}

TEST(an_error_in_a_queue_is_a_value_and_nothing_that_is_raised)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, false, ident);
    kin_conn *conn = enter_for_methods(m);
    kin_release(
        ask(conn, ident, "put", kin_tuple(kin_exception("KeyError", kin_args(kin_str("k"))))));
    kin_obj o = ask(conn, ident, "get", kin_tuple());
    CHECK_STR(kin_error_type(o), "KeyError");
    kin_release(o);
    send_request(conn, ident, "get_nowait", kin_tuple());
    hear_failure(conn, "#ERROR", ""); /* queue.Empty */
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(a_call_that_waits_ends_when_its_client_leaves)
{
    char ident[40];
    kin_queue *queue;
    kin_obj o;
    kin_manager *m = with_queue(&queue, false, ident);
    kin_conn *conn = enter_for_methods(m);
    send_request(conn, ident, "get", kin_tuple());
    WAIT_UNTIL(stats(m).waiting == 1);
    kin_conn_free(conn);
    WAIT_UNTIL(stats(m).waiting == 0);
    CHECK_OK(kin_queue_put(queue, kin_int(1), 0));
    CHECK_OK(kin_queue_get(queue, &o, 0)); /* nobody took it */
    WAIT_UNTIL(stats(m).clients == 0);
    kin_manager_free(m);
}

/* Whatever it waits for; none of these would ever come. */
TEST(every_call_that_waits_ends_when_its_client_leaves)
{
    static const struct {
        const char *type, *method;
        const char *before; /* by the same client */
        bool many;          /* it is for two */
    } waits[] = {
        { "Queue", "get", NULL, false },         { "Queue", "join", "put", false },
        { "Lock", "acquire", "acquire", false }, { "BoundedSemaphore", "acquire", "acquire", true },
        { "Event", "wait", NULL, false },        { "Condition", "wait", "acquire", false },
        { "Barrier", "wait", NULL, true },
    };
    kin_manager *m = new_manager();
    serve(m);
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        kin_obj type = kin_str(waits[i].type);
        kin_obj made =
            control(m, "create", waits[i].many ? kin_tuple(type, kin_int(2)) : kin_tuple(type));
        const char *ident = kin_as_str(kin_at(made, 0));
        kin_conn *conn = enter_for_methods(m);
        for (int n = 0; waits[i].before != NULL && n < 2; n++) {
            bool twice = strcmp(waits[i].type, "BoundedSemaphore") == 0;
            kin_release(n == 0 || twice ? ask(conn, ident, waits[i].before, kin_tuple(kin_int(1)))
                                        : kin_none());
        }
        send_request(conn, ident, waits[i].method, kin_tuple());
        WAIT_UNTIL(stats(m).waiting == 1);
        kin_conn_free(conn);
        WAIT_UNTIL(stats(m).waiting == 0 && stats(m).clients == 0);
        kin_release(made);
    }
    kin_manager_free(m);
}

TEST(a_function_is_told_that_its_client_is_gone_and_the_others_are_not)
{
    kin_manager *m = new_manager();
    running = 0;
    CHECK_OK(kin_manager_event(m, &go));
    CHECK_OK(kin_manager_register(m, "long", kin_func(take_long)));
    serve(m);
    kin_conn *a = enter(m), *b = enter(m);
    send_request(a, NULL, "create", kin_tuple(kin_str("long"), kin_int(1)));
    send_request(b, NULL, "create", kin_tuple(kin_str("long"), kin_int(2)));
    WAIT_UNTIL(running == 2);
    kin_conn_free(a);
    WAIT_UNTIL(running == 1 && stats(m).waiting == 1);
    CHECK_OK(kin_event_set(go));
    kin_release(hear_return(b));
    CHECK_EQ(stats(m).objects, 1); /* what a's was is dropped */
    kin_conn_free(b);
    kin_manager_free(m);
}

TEST(stopping_ends_the_waits_of_functions)
{
    kin_manager *m = new_manager();
    running = 0;
    CHECK_OK(kin_manager_event(m, &go));
    CHECK_OK(kin_manager_register(m, "long", kin_func(take_long)));
    serve(m);
    kin_conn *a = enter(m);
    send_request(a, NULL, "create", kin_tuple(kin_str("long"), kin_int(1)));
    WAIT_UNTIL(running == 1);
    CHECK_OK(kin_manager_stop(m));
    CHECK_EQ(running, 0);
    kin_conn_free(a);
    kin_manager_free(m);
}

TEST(a_call_may_wait_as_long_as_it_says_and_no_longer)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, false, ident);
    kin_conn *conn = enter_for_methods(m);
    double began = kin_now();
    send_request(conn, ident, "get", kin_tuple(kin_bool(true), kin_float(0.35)));
    hear_failure(conn, "#ERROR", "");
    CHECK(kin_now() - began >= 0.35);
    send_request(conn, ident, "get", kin_tuple(kin_bool(true), kin_float(0)));
    hear_failure(conn, "#ERROR", "");
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(what_a_client_had_not_acknowledged_comes_back_when_he_is_gone)
{
    char ident[40];
    kin_queue *queue;
    kin_obj o;
    kin_manager *m = with_queue(&queue, true, ident);
    kin_conn *a = enter_for_methods(m), *b = enter_for_methods(m);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
    }
    CHECK_EQ(kin_as_int(ask(a, ident, "get", kin_tuple())), 0);
    CHECK_EQ(kin_as_int(ask(b, ident, "get", kin_tuple())), 1);
    CHECK_EQ(kin_as_int(ask(a, ident, "get", kin_tuple())), 2);
    CHECK_EQ(kin_as_int(ask(b, ident, "get", kin_tuple())), 3);
    kin_release(ask(a, ident, "task_done", kin_tuple())); /* 0, and not b's 1 */
    kin_release(ask(b, ident, "task_done", kin_tuple()));
    CHECK_ERROR(kin_queue_get(queue, &o, 0), KIN_EEMPTY);
    kin_conn_free(a);
    CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 2);
    CHECK_OK(kin_queue_ack(queue));
    kin_conn_free(b);
    CHECK_OK(kin_queue_get(queue, &o, KIN_FOREVER));
    CHECK_EQ(kin_as_int(o), 3);
    CHECK_OK(kin_queue_ack(queue));
    kin_manager_free(m);
}

TEST(locks_are_clients_and_wait_for_one_another)
{
    kin_manager *m = new_manager();
    kin_rlock *lock = NULL;
    char ident[40];
    CHECK_OK(kin_manager_rlock(m, &lock));
    CHECK_OK(kin_manager_register(m, "lock", kin_shared(lock)));
    serve(m);
    create(m, "lock", ident);
    kin_conn *a = enter_for_methods(m), *b = enter_for_methods(m);
    kin_release(ask(a, ident, "acquire", kin_tuple()));
    kin_release(ask(a, ident, "acquire", kin_tuple()));
    send_request(b, ident, "release", kin_tuple());
    hear_failure(b, "#ERROR", "un-acquired");
    send_request(b, ident, "acquire", kin_tuple());
    WAIT_UNTIL(stats(m).waiting == 1);
    CHECK_ERROR(kin_rlock_acquire(lock, 0), KIN_ETIMEDOUT); /* this process is another one, too */
    kin_conn_free(a);
    CHECK(kin_as_bool(hear_return(b)));
    kin_release(ask(b, ident, "release", kin_tuple()));
    CHECK_OK(kin_rlock_acquire(lock, 0));
    CHECK_OK(kin_rlock_release(lock));
    kin_conn_free(b);
    kin_manager_free(m);
}

TEST(no_notification_of_a_condition_is_lost)
{
    kin_manager *m = new_manager();
    kin_condition *c = NULL;
    char ident[40];
    CHECK_OK(kin_manager_condition(m, &c));
    CHECK_OK(kin_manager_register(m, "condition", kin_shared(c)));
    serve(m);
    create(m, "condition", ident);
    kin_conn *a = enter_for_methods(m), *b = enter_for_methods(m);
    for (int i = 0; i < 10; i++) {
        kin_release(ask(a, ident, "acquire", kin_tuple()));
        send_request(a, ident, "wait", kin_tuple());
        WAIT_UNTIL(stats(m).waiting == 1);
        kin_release(ask(b, ident, "acquire", kin_tuple())); /* he has let go of it */
        kin_release(ask(b, ident, "notify", kin_tuple()));
        kin_release(ask(b, ident, "release", kin_tuple()));
        CHECK(kin_as_bool(hear_return(a)));
        kin_release(ask(a, ident, "release", kin_tuple()));
        WAIT_UNTIL(stats(m).waiting == 0);
    }
    kin_conn_free(a);
    kin_conn_free(b);
    kin_manager_free(m);
}

TEST(an_interruption_of_the_server_is_none_of_its_clients)
{
    char ident[40];
    kin_queue *queue;
    kin_manager *m = with_queue(&queue, false, ident);
    kin_conn *conn = enter_for_methods(m);
    send_request(conn, ident, "get", kin_tuple());
    WAIT_UNTIL(stats(m).waiting == 1);
    CHECK_OK(kin_interrupt());
    kin_obj o;
    CHECK_ERROR(kin_queue_get(queue, &o, KIN_FOREVER), KIN_EINTR);
    CHECK_OK(kin_queue_put(queue, kin_int(5), 0));
    CHECK_EQ(kin_as_int(hear_return(conn)), 5);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(what_was_got_for_a_client_that_has_left_is_in_the_queue_again)
{
    char ident[40];
    kin_queue *queue;
    kin_obj item;
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_queue(m, &queue, KIN_OPT(kin_queue_options, .joinable = true)));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(queue)));
    serve(m);
    create(m, "queue", ident);
    for (int i = 0; i < 5; i++) {
        kin_conn *conn = enter_for_methods(m);
        send_request(conn, ident, "get", kin_tuple());
        WAIT_UNTIL(stats(m).waiting == 1);
        kin_conn_free(conn);
        WAIT_UNTIL(stats(m).clients <= 1);
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
        WAIT_UNTIL(stats(m).clients == 0);
        CHECK_OK(kin_queue_get(queue, &item, 0));
        CHECK_EQ(kin_as_int(item), i);
        CHECK_OK(kin_queue_task_done(queue));
        CHECK_OK(kin_queue_join(queue, 0));
    }
    kin_manager_free(m);
}

/* However soon after that. What cannot be known is whether an answer that was written was read. */
TEST(nothing_is_lost_that_is_put_after_a_waiting_client_has_left)
{
    char ident[40];
    kin_queue *queue;
    kin_obj item;
    kin_manager *m = with_queue(&queue, false, ident);
    for (int i = 0; i < 200; i++) {
        kin_conn *conn = enter_for_methods(m);
        send_request(conn, ident, "get", kin_tuple());
        WAIT_UNTIL(stats(m).waiting == 1);
        kin_conn_free(conn);
        CHECK_OK(kin_queue_put(queue, kin_int(i), 0));
        WAIT_UNTIL(stats(m).clients == 0);
        CHECK_OK(kin_queue_get(queue, &item, 0));
        CHECK_EQ(kin_as_int(item), i);
    }
    kin_manager_free(m);
}

/* By a thread of the crew: what it answers is the same. */
TEST(a_call_of_a_whole_thing_with_many_items)
{
    kin_manager *m = new_manager();
    kin_shared_list *list = NULL;
    char ident[40];
    CHECK_OK(kin_manager_list(m, &list, kin_list(kin_int(7))));
    CHECK_OK(kin_shared_list_repeat(list, 10000));
    CHECK_OK(kin_manager_register(m, "list", kin_shared(list)));
    serve(m);
    create(m, "list", ident);
    kin_conn *conn = enter_for_methods(m);
    CHECK_EQ(kin_as_int(ask(conn, ident, "count", kin_tuple(kin_int(7)))), 10000);
    send_request(conn, ident, "__imul__", kin_tuple(kin_int(INT64_MAX)));
    hear_failure(conn, "#ERROR", "would have more");
    kin_release(ask(conn, ident, "clear", kin_tuple()));
    CHECK_EQ(kin_shared_list_len(list), 0);
    kin_conn_free(conn);
    kin_manager_free(m);
}
