/* What clients are told of failures: exceptions of Python's. */
#include "unit/manager/raw.h"

static kin_obj fail_by(kin_obj args)
{
    int64_t code = kin_arg_int(args, 0);
    return code != 0 ? kin_error((int)code, "by design")
                     : kin_exception("KeyError", kin_args(kin_str("k")));
}

static kin_obj odd(kin_obj args)
{
    (void)args;
    return kin_list(kin_func(odd));
}

/* The pickle names it; read here, it is a code of ours again. */
static void becomes(const kin_manager *m, int code, const char *type)
{
    char bytes[1000];
    kin_obj reply;
    kin_conn *conn = enter(m);
    send_request(conn, NULL, "create", kin_tuple(kin_str("fail"), kin_int(code)));
    ssize_t size = kin_conn_recv_bytes_into(conn, bytes, sizeof bytes, KIN_FOREVER);
    CHECK_GT(size, 0);
    CHECK_(memmem(bytes, (size_t)size, type, strlen(type)) != NULL, "%d is no %s", code, type);
    CHECK_OK(kin_loads(bytes, (size_t)size, &reply));
    CHECK_STR(kin_as_str(kin_at(reply, 0)), "#ERROR");
    bool keeps = code != 0 && code != KIN_ECLOSED;
    CHECK(!keeps || kin_error_code(kin_at(reply, 1)) == code);
    kin_release(reply);
    kin_conn_free(conn);
}

TEST(codes_become_the_exceptions_that_come_closest)
{
    kin_manager *m = new_manager();
    CHECK_OK(kin_manager_register(m, "fail", kin_func(fail_by)));
    serve(m);
    becomes(m, 0, "KeyError");
    becomes(m, KIN_ENOTFOUND, "KeyError");
    becomes(m, KIN_ERANGE, "IndexError");
    becomes(m, KIN_ETYPE, "TypeError");
    becomes(m, KIN_EINVAL, "ValueError");
    becomes(m, KIN_EEMPTY, "Empty");
    becomes(m, KIN_EFULL, "Full");
    becomes(m, KIN_ECLOSED, "RuntimeError");
    becomes(m, KIN_ECORRUPT, "RuntimeError");
    becomes(m, KIN_EUSER, "RuntimeError");
    kin_manager_free(m);
}

TEST(what_cannot_be_sent_is_said_to_be_so)
{
    kin_manager *m = new_manager();
    char ident[40];
    CHECK_OK(kin_manager_register(m, "odd", kin_func(odd)));
    serve(m);
    create(m, "odd", ident);
    kin_conn *conn = enter_for_methods(m);
    send_request(conn, ident, "#GETVALUE", kin_tuple());
    hear_failure(conn, "#UNSERIALIZABLE", "");
    kin_release(ask(conn, ident, "__repr__", kin_tuple()));
    kin_conn_free(conn);
    kin_manager_free(m);
}
