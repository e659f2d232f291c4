/* A message between relatives may hold whatever they share: here a child is sent an end of a pipe
 * of its own, and 64 MiB that nobody copies.
 *
 * Python: conn.send(other_conn), and an shm that both open by its name
 */
#include <kin.h>
#include <stdio.h>

#define SIZE ((size_t)64 << 20)

static kin_obj work(kin_obj args)
{
    kin_conn *conn = kin_as(kin_conn, kin_arg(args, 0));
    kin_obj job;
    KIN_TRY(kin_conn_recv(conn, &job, KIN_FOREVER));
    kin_auto(kin_conn) reply_to = kin_take(kin_conn, kin_lookup(job, kin_str("reply to")));
    size_t size = 0;
    char *data = kin_take_buffer(kin_lookup(job, kin_str("data")), &size);
    KIN_TRY(kin_conn_send(reply_to, kin_strf("%zu bytes, the last is %d", size, data[size - 1]),
                          KIN_FOREVER));
    kin_free(data);
    kin_release(job);
    return kin_none();
}

int main(int argc, char **argv)
{
    KIN_CHECK(kin_init(argc, argv));
    kin_auto(kin_conn) jobs = NULL;
    kin_auto(kin_conn) theirs = NULL;
    KIN_CHECK(kin_pipe(&jobs, &theirs, true));
    kin_auto(kin_process) child = NULL;
    KIN_CHECK(kin_start(&child, work, kin_args(kin_shared(theirs)), NULL));

    kin_auto(kin_conn) replies = NULL;
    kin_auto(kin_conn) reply_to = NULL;
    KIN_CHECK(kin_pipe(&replies, &reply_to, false));
    char *data = kin_alloc(SIZE);
    data[SIZE - 1] = 42;
    kin_obj job = kin_dict(kin_str("reply to"), kin_shared(reply_to), kin_str("data"),
                           kin_buffer(data, SIZE));
    KIN_CHECK(kin_conn_send(jobs, job, KIN_FOREVER));

    kin_obj reply;
    KIN_CHECK(kin_conn_recv(replies, &reply, KIN_FOREVER));
    kin_print(reply);
    kin_release(reply);
    KIN_CHECK(kin_process_join(child, KIN_FOREVER));
    return 0;
}
