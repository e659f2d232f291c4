/* Proxies within what is sent. */
#include "unit/manager/raw.h"

static kin_manager *with_queue(kin_queue **ret, char *ident)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_queue(m, ret, NULL));
    CHECK_OK(kin_manager_register(m, "queue", kin_shared(*ret)));
    serve(m);
    create(m, "queue", ident);
    return m;
}

static kin_obj proxy_of(const char *ident)
{
    return kin_proxy(kin_token("Event", kin_str("anywhere"), ident), "EventProxy", kin_none());
}

TEST(a_proxy_that_is_sent_is_the_thing_itself_over_there)
{
    kin_queue *queue;
    char ident[40], event[40];
    kin_manager *m = with_queue(&queue, ident);
    create(m, "Event", event);
    kin_conn *conn = enter_for_methods(m);
    kin_release(ask(conn, event, "set", kin_tuple()));
    kin_release(ask(conn, ident, "put",
                    kin_tuple(kin_dict(kin_str("e"), kin_tuple(kin_list(proxy_of(event)))))));
    kin_obj o;
    CHECK_OK(kin_queue_get(queue, &o, 0));
    kin_obj row = kin_at(kin_lookup(o, kin_str("e")), 0);
    kin_event *thing = kin_as(kin_event, kin_at(row, 0));
    CHECK_NOT_NULL(thing);
    CHECK(kin_event_is_set(thing));
    kin_release(control(m, "decref", kin_tuple(kin_str(event))));
    CHECK(kin_event_is_set(thing)); /* it is somewhere, so it stays */
    kin_release(o);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(a_thing_in_an_answer_is_a_proxy)
{
    kin_queue *queue;
    char ident[40];
    kin_event *event;
    kin_manager *m = with_queue(&queue, ident);
    CHECK_OK(kin_manager_event(m, &event));
    CHECK_OK(kin_queue_put(queue, kin_list(kin_int(1), kin_shared(event)), 0));
    kin_conn *conn = enter_for_methods(m);
    kin_obj o = ask(conn, ident, "get", kin_tuple());
    kin_obj proxy = kin_at(o, 1);
    CHECK(kin_is_token(proxy));
    CHECK_EQ(kin_len(proxy), 5);
    CHECK_STR(kin_as_str(kin_at(proxy, 3)), "EventProxy");
    const char *name = kin_as_str(kin_at(proxy, 2));
    kin_release(control(m, "incref", kin_tuple(kin_str(name))));
    kin_release(ask(conn, name, "set", kin_tuple()));
    CHECK(kin_event_is_set(event));
    kin_release(o);
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(a_proxy_of_another_managers_stays_what_it_is)
{
    kin_queue *queue;
    char ident[40];
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *conn = enter_for_methods(m);
    kin_release(ask(conn, ident, "put", kin_tuple(proxy_of("1"))));
    kin_obj o = ask(conn, ident, "get", kin_tuple());
    CHECK_EQ(kin_type_of(o), KIN_TYPE_TUPLE);
    kin_release(o);
    kin_conn_free(conn);
    kin_manager_free(m);
}

/* [x, x, ...] where x is such a list, and so on: more paths than anybody could follow. */
TEST(what_holds_itself_many_times_is_not_followed_for_ever)
{
    kin_queue *queue;
    char ident[40];
    kin_manager *m = with_queue(&queue, ident);
    kin_conn *conn = enter_for_methods(m);
    kin_obj o = kin_list(kin_int(1));
    for (int i = 0; i < 60; i++) {
        o = kin_list(kin_retain(o), o);
    }
    char kind[20];
    send_request(conn, ident, "qsize", kin_tuple(o, kin_str("RebuildProxy")));
    kin_release(hear(conn, kind));
    kin_release(ask(conn, ident, "qsize", kin_tuple()));
    kin_conn_free(conn);
    kin_manager_free(m);
}
