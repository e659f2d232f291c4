/* The calls of the manager itself. */
#include "unit/manager/raw.h"

static kin_manager *with_event(kin_event **ret)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_event(m, ret));
    CHECK_OK(kin_manager_register(m, "event", kin_shared(*ret)));
    serve(m);
    return m;
}

TEST(a_control_call_is_the_last_of_its_connection)
{
    kin_event *event;
    kin_manager *m = with_event(&event);
    kin_conn *conn = enter(m);
    kin_release(ask(conn, NULL, "dummy", kin_tuple()));
    CHECK(is_over(conn));
    kin_conn_free(conn);
    kin_manager_free(m);
}

TEST(create_tells_an_ident_and_the_methods)
{
    kin_event *event;
    kin_manager *m = with_event(&event);
    kin_obj made = control(m, "create", kin_tuple(kin_str("event")));
    char *text = kin_repr(kin_at(made, 1));
    CHECK_CONTAINS(text, "'is_set'");
    CHECK_CONTAINS(text, "'wait'");
    free(text);
    kin_obj token = kin_token("event", kin_str("somewhere"), kin_as_str(kin_at(made, 0)));
    kin_obj names = control(m, "get_methods", kin_tuple(token));
    CHECK(kin_equal(names, kin_at(made, 1)));
    kin_release(names);
    kin_release(made);
    kin_manager_free(m);
}

TEST(what_is_not_registered_is_not_there)
{
    kin_event *event;
    kin_manager *m = with_event(&event);
    control_fails(m, "create", kin_tuple(kin_str("another")), "#TRACEBACK", "KeyError: 'another'");
    control_fails(m, "create", kin_tuple(kin_int(1)), "#TRACEBACK", "KeyError");
    control_fails(m, "create", kin_tuple(), "#TRACEBACK", "KeyError");
    control_fails(m, "incref", kin_tuple(kin_str("12ab")), "#TRACEBACK", "KeyError: '12ab'");
    control_fails(m, "decref", kin_tuple(kin_str("")), "#TRACEBACK", "KeyError");
    control_fails(m, "get_methods", kin_tuple(kin_str("x")), "#TRACEBACK", "KeyError");
    control_fails(m, "serve_forever", kin_tuple(), "#TRACEBACK", "AttributeError");
    kin_manager_free(m);
}

TEST(default_types_are_made_only_where_that_is_allowed)
{
    kin_manager *m = new_manager();
    serve_with(m, NULL, (kin_serve_options){ 0 });
    control_fails(m, "create", kin_tuple(kin_str("Event")), "#TRACEBACK", "KeyError");
    kin_manager_free(m);
    m = new_manager();
    serve(m);
    char ident[40];
    create(m, "Event", ident);
    CHECK_EQ(kin_manager_number_of_objects(m), 1);
    kin_release(control(m, "incref", kin_tuple(kin_str(ident))));
    kin_release(control(m, "decref", kin_tuple(kin_str(ident))));
    kin_obj n = control(m, "number_of_objects", kin_tuple());
    CHECK_EQ(kin_as_int(n), 1);
    kin_release(control(m, "decref", kin_tuple(kin_str(ident))));
    CHECK_EQ(kin_manager_number_of_objects(m), 0);
    control_fails(m, "incref", kin_tuple(kin_str(ident)), "#TRACEBACK", "KeyError");
    kin_manager_free(m);
}

TEST(what_is_registered_stays_without_references)
{
    kin_event *event;
    kin_manager *m = with_event(&event);
    char ident[40], again[40];
    create(m, "event", ident);
    kin_release(control(m, "decref", kin_tuple(kin_str(ident))));
    control_fails(m, "decref", kin_tuple(kin_str(ident)), "#TRACEBACK", "no reference");
    create(m, "event", again);
    CHECK_STR(again, ident);
    CHECK(!kin_event_is_set(event));
    kin_manager_free(m);
}

TEST(debug_info_tells_of_references)
{
    kin_event *event;
    kin_manager *m = with_event(&event);
    char ident[40];
    create(m, "event", ident);
    create(m, "event", ident);
    kin_obj text = control(m, "debug_info", kin_tuple());
    CHECK_CONTAINS(kin_as_str(text), ident);
    CHECK_CONTAINS(kin_as_str(text), "refcount=2");
    kin_release(text);
    for (int i = 0; i < 5; i++) {
        kin_release(control(m, "create", kin_tuple(kin_str("Lock"))));
    }
    text = control(m, "debug_info", kin_tuple());
    char last[40] = "";
    int rows = 0;
    for (const char *at = kin_as_str(text); at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, "    ", 4) != 0) { /* "  ident:       refcount=1" */
            char ident_of_row[40];
            CHECK_EQ(sscanf(at, " %39[0-9a-f]", ident_of_row), 1);
            CHECK(strcmp(last, ident_of_row) < 0);
            snprintf(last, sizeof last, "%s", ident_of_row);
            rows++;
        }
    }
    CHECK_EQ(rows, 6);
    kin_release(text);
    kin_manager_free(m);
}

TEST(shutdown_is_answered_twice_and_ends_the_join)
{
    kin_event *event;
    kin_manager *m = with_event(&event);
    CHECK_ERROR(kin_manager_join(m, 0), KIN_ETIMEDOUT);
    kin_conn *conn = enter(m);
    kin_release(ask(conn, NULL, "shutdown", kin_tuple()));
    kin_release(hear_return(conn));
    CHECK_OK(kin_manager_join(m, KIN_FOREVER));
    kin_conn_free(conn);
    kin_manager_free(m);
}
