/* A child reads from a pipe until its end: that is when nobody has the other end any more.
 *
 * Python: parent_conn.send('主进程发送给子进程的数据'), where the child does print(conn.recv());
 *         conn.close(). It ends after one message, for a forked child has the other end, too.
 */
#include <kin.h>
#include <stdio.h>

static kin_obj read_to_the_end(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    kin_obj message;
    int rv;
    while ((rv = kin_conn_recv(conn, &message, KIN_FOREVER)) == 0) {
        kin_print(message);
        kin_release(message);
    }
    printf("%s\n", kin_strerror(rv));
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_conn) ours = NULL;
    kin_auto(kin_conn) theirs = NULL;
    KIN_CHECK(kin_pipe(&ours, &theirs, true));

    /* a spawned child has what it was given, and nothing else */
    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, read_to_the_end, kin_args(kin_shared(theirs)),
                        KIN_OPT(kin_process_options, .start_method = "spawn")));
    KIN_CHECK(kin_conn_close(theirs));
    KIN_CHECK(kin_conn_send(ours, kin_str("主进程发送给子进程的数据"), KIN_FOREVER));
    KIN_CHECK(kin_conn_send(ours, kin_str("and no more"), KIN_FOREVER));
    KIN_CHECK(kin_conn_close(ours));
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    return 0;
}
