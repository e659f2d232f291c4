/* A server in C, and a client in Python: 46_client.py, which is started here. Both know the key,
 * and show it to each other before anything is read; what they say then are plain objects.
 *
 * Python: with Listener(None, authkey=b'our secret') as listener: with listener.accept() as conn:
 */
#include <kin.h>
#include <stdio.h>

/* How often each word is there: {'a': 2, 'rose': 1} */
static kin_obj count(kin_obj words)
{
    kin_obj counts = kin_dict();
    for (size_t i = 0; i < kin_len(words); i++) {
        kin_obj word = kin_at(words, i);
        int64_t n = kin_as_int(kin_lookup(counts, word));
        KIN_CHECK(kin_setitem(&counts, word, kin_int(n + 1)));
    }
    return counts;
}

int main(void)
{
    kin_auto(kin_listener) listener = NULL;
    KIN_CHECK(
        kin_listener_new(&listener, NULL, /* NULL: a path that nobody has */
                         KIN_OPT(kin_listener_options, .authkey = "our secret", .authkey_size = 10,
                                 .allow_md5 = true))); /* Python up to 3.11 knows no better */

    kin_auto(kin_popen) client = NULL;
    const char *const argv[] = { "/usr/bin/python3", "46_client.py", kin_listener_address(listener),
                                 NULL };
    KIN_CHECK(kin_popen_new(&client, argv, KIN_OPT(kin_run_options, .out = KIN_PIPE)));

    kin_auto(kin_conn) conn = NULL;
    KIN_CHECK(kin_listener_accept(listener, &conn, 30));
    kin_obj words;
    int rv;
    while ((rv = kin_conn_recv(conn, &words, 30)) == 0) {
        kin_print(words);
        KIN_CHECK(kin_conn_send(conn, count(words), 30));
        kin_release(words);
    }
    printf("%s: the client has hung up\n", kin_errname(rv));

    kin_completed_process done = { 0 };
    KIN_CHECK(kin_popen_communicate(client, NULL, 0, 30, &done));
    printf("it printed:\n%s", done.out);
    kin_completed_process_done(&done);
    return 0;
}
