/* raw.h - a manager that serves, and clients that speak its protocol word by word. */
#ifndef KIN_TEST_MANAGER_RAW_H
#define KIN_TEST_MANAGER_RAW_H

#include "harness.h"

#include <kin/manager.h>
#include <kin/pickle.h>
#include <signal.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define SECRET "secret key"

UNUSED static kin_manager *new_manager(void)
{
    kin_manager *m = NULL;
    CHECK_OK(kin_manager_new(&m, NULL));
    return m;
}

/* By an abstract name of this test's own, unless it says another one. */
UNUSED static void serve_with(kin_manager *m, const char *address, kin_serve_options options)
{
    char own[64];
    snprintf(own, sizeof own, "@kin-manager-test-%d", (int)getpid());
    options.authkey = SECRET;
    options.authkey_size = strlen(SECRET);
    CHECK_OK(kin_manager_serve(m, address != NULL ? address : own, &options));
}

UNUSED static void serve(kin_manager *m)
{
    serve_with(m, NULL, (kin_serve_options){ .allow_create = true });
}

UNUSED static kin_conn *enter(const kin_manager *m)
{
    kin_conn *conn = NULL;
    CHECK_OK(kin_connect(
        &conn, kin_manager_address(m),
        KIN_OPT(kin_connect_options, .authkey = SECRET, .authkey_size = strlen(SECRET))));
    return conn;
}

UNUSED static void send_request(kin_conn *conn, const char *ident, const char *method, kin_obj args)
{
    CHECK_OK(kin_conn_send(
        conn,
        kin_tuple(ident != NULL ? kin_str(ident) : kin_none(), kin_str(method), args, kin_dict()),
        KIN_FOREVER));
}

/* What is said, and its word in `kind`, which has room for 20. */
UNUSED static kin_obj hear(kin_conn *conn, char *kind)
{
    kin_obj reply;
    CHECK_OK(kin_conn_recv(conn, &reply, KIN_FOREVER));
    CHECK_EQ(kin_len(reply), 2);
    snprintf(kind, 20, "%s", kin_as_str(kin_at(reply, 0)));
    kin_obj payload = kin_retain(kin_at(reply, 1));
    kin_release(reply);
    return payload;
}

UNUSED static kin_obj hear_return(kin_conn *conn)
{
    char kind[20];
    kin_obj payload = hear(conn, kind);
    CHECK_STR(kind, "#RETURN");
    return payload;
}

/* A trouble or an error with that in its text. */
UNUSED static void hear_failure(kin_conn *conn, const char *word, const char *part)
{
    char kind[20];
    kin_obj payload = hear(conn, kind);
    CHECK_STR(kind, word);
    CHECK_CONTAINS(kin_is_error(payload) ? kin_error_text(payload) : kin_as_str(payload), part);
    kin_release(payload);
}

UNUSED static kin_obj ask(kin_conn *conn, const char *ident, const char *method, kin_obj args)
{
    send_request(conn, ident, method, args);
    return hear_return(conn);
}

/* A control call: on a connection of its own. */
UNUSED static kin_obj control(const kin_manager *m, const char *name, kin_obj args)
{
    kin_conn *conn = enter(m);
    kin_obj payload = ask(conn, NULL, name, args);
    kin_conn_free(conn);
    return payload;
}

UNUSED static void control_fails(const kin_manager *m, const char *name, kin_obj args,
                                 const char *word, const char *part)
{
    kin_conn *conn = enter(m);
    send_request(conn, NULL, name, args);
    hear_failure(conn, word, part);
    kin_conn_free(conn);
}

/* The ident of what is registered under a name; room for 40. */
UNUSED static void create(const kin_manager *m, const char *name, char *ident)
{
    kin_obj made = control(m, "create", kin_tuple(kin_str(name)));
    snprintf(ident, 40, "%s", kin_as_str(kin_at(made, 0)));
    kin_release(made);
}

/* A connection for methods. */
UNUSED static kin_conn *enter_for_methods(const kin_manager *m)
{
    kin_conn *conn = enter(m);
    kin_release(ask(conn, NULL, "accept_connection", kin_tuple(kin_str("me"))));
    return conn;
}

/* Whether the other side has hung up; waits for that, or a message. */
UNUSED static bool is_over(kin_conn *conn)
{
    kin_obj reply;
    int rv = kin_conn_recv(conn, &reply, KIN_FOREVER);
    if (rv == 0) {
        kin_release(reply);
    }
    return rv < 0;
}

UNUSED static kin_manager_info stats(kin_manager *m)
{
    kin_manager_info info;
    CHECK_OK(kin_manager_stats(m, &info));
    return info;
}

#endif
