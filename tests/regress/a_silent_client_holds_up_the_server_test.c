/* In Python the handshake is a part of accept(), without a limit: whoever connects and says
 * nothing, or closes his laptop, keeps everybody else out for good. */
#include "scene.h"

#define KEY .authkey = "our key", .authkey_size = 7

static kin_obj greet(kin_obj args)
{
    kin_auto(kin_conn) conn = NULL;
    KIN_TRY(kin_connect(&conn, kin_arg_str(args, 0), KIN_OPT(kin_connect_options, KEY)));
    KIN_TRY(kin_conn_send(conn, kin_str("hello"), KIN_FOREVER));
    return kin_none();
}

TEST(a_silent_client_holds_up_nobody)
{
    kin_listener *listener = NULL;
    kin_conn *silent = NULL, *conn = NULL;
    kin_process *child = NULL;
    kin_obj message;
    CHECK_OK(kin_listener_new(&listener, "127.0.0.1:0", KIN_OPT(kin_listener_options, KEY)));
    CHECK_OK(kin_connect(&silent, kin_listener_address(listener), NULL));
    CHECK_OK(kin_start(&child, greet, kin_args(kin_str(kin_listener_address(listener))), NULL));
    CHECK_OK(kin_listener_accept(listener, &conn, KIN_FOREVER));
    CHECK_OK(kin_conn_recv(conn, &message, KIN_FOREVER));
    CHECK_STR(kin_as_str(message), "hello");
    kin_release(message);
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    kin_process_free(child);
    kin_conn_free(conn);
    kin_conn_free(silent);
    CHECK_ERROR(kin_listener_accept(listener, &conn, KIN_FOREVER), KIN_EAUTH);
    kin_listener_free(listener);
}
