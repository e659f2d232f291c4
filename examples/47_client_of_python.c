/* A client in C, of a server in Python: 47_server.py, which is started here and says where it is.
 *
 * Python: with Client(address, authkey=b'our secret') as conn: conn.send(...); print(conn.recv())
 */
#include <kin.h>
#include <stdio.h>
#include <string.h>

static void ask(kin_conn *conn, kin_obj question)
{
    kin_obj answer;
    KIN_CHECK(kin_conn_send(conn, question, 30));
    KIN_CHECK(kin_conn_recv(conn, &answer, 30));
    kin_print(answer);
    kin_release(answer);
}

int main(void)
{
    kin_auto(kin_popen) server = NULL;
    const char *const argv[] = { "/usr/bin/python3", "47_server.py", NULL };
    KIN_CHECK(kin_popen_new(&server, argv, KIN_OPT(kin_run_options, .out = KIN_PIPE)));
    char address[200] = "";
    FILE *out = fdopen(kin_popen_stdout(server), "r"); /* "127.0.0.1:40123" */
    if (out == NULL || fscanf(out, "%199s", address) != 1) {
        return 1;
    }

    kin_auto(kin_conn) conn = NULL;
    int rv = kin_connect(
        &conn, address,
        KIN_OPT(kin_connect_options, .authkey = "a guess", .authkey_size = 7, .allow_md5 = true));
    printf("%s\n", kin_errname(rv));
    KIN_CHECK(kin_connect(&conn, address,
                          KIN_OPT(kin_connect_options, .authkey = "our secret", .authkey_size = 10,
                                  .allow_md5 = true))); /* Python up to 3.11 knows no better */
    ask(conn, kin_tuple(kin_str("pow"), kin_int(2), kin_int(100)));
    ask(conn, kin_tuple(kin_str("divmod"), kin_int(-7), kin_int(2)));
    ask(conn, kin_tuple(kin_str("sorted"), kin_list(kin_int(3), kin_float(0.5), kin_int(-1))));
    ask(conn, kin_none());
    KIN_CHECK(kin_popen_wait(server, 30));
    return 0;
}
