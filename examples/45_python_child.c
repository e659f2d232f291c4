/* A Python program as a child, and a conversation with it over a socket that it inherits by its
 * number: 45_child.py. A kin_pipe is for relatives, whose messages may lie in the family's memory;
 * to another program, what goes through is what Python's Connection sends and reads.
 *
 * Python: here, there = Pipe(); fd = there.fileno(); Popen(['45_child.py', str(fd)], pass_fds=[fd])
 */
#include <kin.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        return 1;
    }
    char number[12];
    snprintf(number, sizeof number, "%d", ends[1]);
    const char *const argv[] = { "/usr/bin/python3", "45_child.py", number, NULL };
    kin_auto(kin_popen) child = NULL;
    KIN_CHECK(kin_popen_new(&child, argv, KIN_OPT(kin_run_options, .fds = &ends[1], .n_fds = 1)));
    close(ends[1]); /* the child has its own */
    kin_conn *conn = NULL;
    KIN_CHECK(kin_conn_new(&conn, ends[0], NULL));

    kin_obj message;
    KIN_CHECK(kin_conn_recv(conn, &message, 30));
    kin_print(message);
    kin_release(message);
    kin_obj samples = kin_list(kin_list(kin_int(3), kin_int(1), kin_int(2)), kin_range(0, 1000),
                               kin_list(kin_float(0.5), kin_float(2.5)), kin_list());
    for (size_t i = 0; i < kin_len(samples); i++) {
        KIN_CHECK(kin_conn_send(conn, kin_at(samples, i), 30));
        KIN_CHECK(kin_conn_recv(conn, &message, 30));
        kin_print(message);
        kin_release(message);
    }
    kin_release(samples);
    kin_conn_free(conn); /* the child reads the end of it */
    printf("it ended with %d\n", kin_popen_wait(child, 30));
    return 0;
}
