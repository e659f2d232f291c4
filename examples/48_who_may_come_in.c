/* Four come to a listener over TCP: one who says nothing, one without the key, one with another,
 * and one who knows it. Nobody keeps the next one waiting, and nothing that a stranger sends is
 * looked at.
 *
 * Python's accept() would wait for the first one, without end.
 */
#include <kin.h>
#include <stdio.h>
#include <string.h>

static kin_obj come(kin_obj args)
{
    const char *key = kin_is_none(kin_arg(args, 1)) ? NULL : kin_arg_str(args, 1);
    kin_auto(kin_conn) conn = NULL;
    KIN_TRY(kin_connect(&conn, kin_arg_str(args, 0),
                        KIN_OPT(kin_connect_options, .authkey = key,
                                .authkey_size = key != NULL ? strlen(key) : 0)));
    KIN_TRY(kin_conn_send(conn, kin_arg(args, 2), 30));
    return kin_none();
}

static void start(kin_process **ret_child, const char *address, kin_obj key, const char *message)
{
    kin_obj args = kin_args(kin_str(address), key, kin_str(message));
    KIN_CHECK(kin_start(ret_child, come, args, NULL));
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_listener) listener = NULL;
    KIN_CHECK(kin_listener_new(
        &listener, "localhost:0",
        KIN_OPT(kin_listener_options, .authkey = "our key", .authkey_size = strlen("our key"))));
    const char *address = kin_listener_address(listener);

    kin_auto(kin_conn) silent = NULL;
    KIN_CHECK(kin_connect(&silent, address, NULL)); /* as one who has no key: it asks for none */
    const kin_obj keys[] = { kin_none(), kin_str("a guess"), kin_str("our key") };
    const char *const messages[] = { "let me in", "and me", "here I am" };
    for (int i = 0; i < 3; i++) {
        kin_auto(kin_process) child = NULL;
        kin_auto(kin_conn) conn = NULL;
        start(&child, address, keys[i], messages[i]);
        int rv = kin_listener_accept(listener, &conn, 30);
        printf("%s\n", rv < 0 ? kin_errname(rv) : "welcome");
        if (rv == 0) {
            kin_obj message;
            KIN_CHECK(kin_conn_recv(conn, &message, 30));
            kin_print(message);
            kin_release(message);
        }
        KIN_CHECK(kin_process_join(child, 30));
        int code = kin_process_exitcode(child);
        printf("%s\n", code == 0 ? "the child is content" : "the child was refused");
    }
    return 0;
}
