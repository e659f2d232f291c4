/* Two children, each with one end of a pipe.
 *
 * Python: receive_pipe, send_pipe = Pipe(); Process(target=Producer, args=(send_pipe,)) does
 *         pipe.send("a"), Process(target=Consumer, args=(receive_pipe,)) does print(pipe.recv())
 */
#include <kin.h>
#include <stdio.h>

static kin_obj produce(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    KIN_TRY(kin_conn_send(conn, kin_str("a"), KIN_FOREVER));
    return kin_none();
}

static kin_obj consume(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    kin_obj message;
    KIN_TRY(kin_conn_recv(conn, &message, KIN_FOREVER));
    kin_print(message);
    kin_release(message);
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_conn) receiving = NULL;
    kin_auto(kin_conn) sending = NULL;
    KIN_CHECK(kin_pipe(&receiving, &sending, false));
    kin_auto(kin_process) producer = NULL;
    kin_auto(kin_process) consumer = NULL;
    KIN_CHECK(kin_start(&producer, produce, kin_args(kin_shared(sending)), NULL));
    KIN_CHECK(kin_start(&consumer, consume, kin_args(kin_shared(receiving)), NULL));
    KIN_CHECK(kin_process_join(producer, KIN_FOREVER));
    KIN_CHECK(kin_process_join(consumer, KIN_FOREVER));
    return kin_process_exitcode(producer) + kin_process_exitcode(consumer);
}
