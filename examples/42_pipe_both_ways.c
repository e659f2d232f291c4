/* A question to a child and its answer, over one pipe; and a child that says something and hangs
 * up.
 *
 * Python: con2.send("hello!"); p.join(); print(con2.recv()), where the child does print(con.recv())
 *         and con.send('你好!')
 * Python: print(parent_conn.recv()), where the child does conn.send([42, None, 'hello']);
 * conn.close()
 */
#include <kin.h>
#include <stdio.h>

static kin_obj answer(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    kin_obj message;
    KIN_TRY(kin_conn_recv(conn, &message, KIN_FOREVER));
    printf("the child got %s\n", kin_as_str(message));
    kin_release(message);
    KIN_TRY(kin_conn_send(conn, kin_str("你好!"), KIN_FOREVER));
    return kin_none();
}

static kin_obj hang_up(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    KIN_TRY(kin_conn_send(conn, kin_list(kin_int(42), kin_none(), kin_str("hello")), KIN_FOREVER));
    KIN_TRY(kin_conn_close(conn));
    return kin_none();
}

static void receive_and_print(kin_conn *conn)
{
    kin_obj message;
    KIN_CHECK(kin_conn_recv(conn, &message, KIN_FOREVER));
    kin_print(message);
    kin_release(message);
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_conn) ours = NULL;
    kin_auto(kin_conn) theirs = NULL;
    KIN_CHECK(kin_pipe(&ours, &theirs, true));

    kin_auto(kin_process) first = NULL;
    KIN_CHECK(kin_start(&first, answer, kin_args(kin_shared(theirs)), NULL));
    KIN_CHECK(kin_conn_send(ours, kin_str("hello!"), KIN_FOREVER));
    KIN_CHECK(kin_process_join(first, KIN_FOREVER));
    receive_and_print(ours);

    kin_auto(kin_process) second = NULL;
    KIN_CHECK(kin_start(&second, hang_up, kin_args(kin_shared(theirs)), NULL));
    receive_and_print(ours);
    KIN_CHECK(kin_process_join(second, KIN_FOREVER));
    return 0;
}
