/* pipe.c - a connection between relatives: two ends of a socket, and a post for what is large.
 *
 * Without a post (the family's memory is full, or the kernel has no names to give) all goes through
 * the socket. */
#include "conn.h"

static kin_conn *make_end(int fd, unsigned end, bool duplex, kin__ref post)
{
    const kin_conn like = { .stream = { .fd = fd, .is_socket = true, .is_local = true },
                            .readable = duplex || end == 0,
                            .writable = duplex || end == 1,
                            .family = true,
                            .post = post,
                            .end = end };
    return kin__conn_make(&like);
}

int kin_pipe(kin_conn **ret_one, kin_conn **ret_other, bool duplex)
{
    if (ret_one == NULL || ret_other == NULL || ret_one == ret_other) {
        return kin__fail(KIN_EINVAL, "kin_pipe: two places for two ends are needed");
    }
    if (kin__self() == KIN__NOBODY) {
        return kin__failure();
    }
    int ends[2];
    int rv = kin__os_stream_pair(duplex, ends);
    if (rv < 0) {
        return kin__fail_os(rv, "kin_pipe");
    }
    kin__ref post = kin__post_new(ends, duplex);
    kin_conn *one = make_end(ends[0], 0, duplex, post);
    kin_conn *other = one != NULL ? make_end(ends[1], 1, duplex, post) : NULL;
    if (other != NULL) {
        *ret_one = one;
        *ret_other = other;
        return 0;
    }
    rv = kin__failure();
    kin__os_close(ends[1]);
    if (one != NULL) {
        kin_conn_free(one);
    } else {
        kin__os_close(ends[0]);
        kin__post_closed(post, 0);
    }
    return rv;
}
