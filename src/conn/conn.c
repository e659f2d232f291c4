/* conn.c - the life of a connection in this process, and what may be asked of it.
 *
 * Idea. What a connection is to other processes is in the kernel: a descriptor. Here it is private
 * memory around that, noted in the list of things that can travel in objects (obj/local.c).
 *
 *      users:   [ whose count it is | closed | threads in a call ]
 *
 * Rules.
 *   R1  A descriptor is closed when the connection is closed and no thread of this process is in a
 *       call on it: its number may be somebody else's the moment after.
 *   R2  The count is the process's that it names. A forked child finds its parent's, and begins
 *       anew.
 *   R3  Another process gets a copy of an end by its descriptor, and by a note of what goes with
 *       it; not while a letter has arrived here in part.
 *
 * Death. Descriptors go with the process, and the other end learns it from the kernel.
 */
#include "conn.h"

#include <errno.h>

#define CLOSED 0x80000000u
#define COUNT(word) ((uint32_t)(word)&0x7fffffffu)

/* ---- making one --------------------------------------------------------------------------- */

kin_conn *kin__conn_make(const kin_conn *like)
{
    kin__conn_prepare();
    kin_conn *conn = kin__os_calloc(1, sizeof *conn);
    if (conn == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for a connection");
        return NULL;
    }
    conn->stream = like->stream;
    conn->readable = like->readable;
    conn->writable = like->writable;
    conn->family = like->family;
    conn->post = like->post;
    conn->end = like->end;
    conn->in = conn->post != 0 ? kin__post_lane(conn->post, conn->end) : NULL;
    conn->out = conn->post != 0 ? kin__post_lane(conn->post, 1 - conn->end) : NULL;
    conn->inbox.limit = conn->family ? UINT64_MAX : (uint64_t)1 << 30;
    if (kin__local_enter(conn, &kin__conn_ops) < 0) {
        kin__os_free(conn);
        return NULL;
    }
    return conn;
}

kin_conn *kin__conn_over(int fd, bool readable, bool writable, bool family)
{
    kin__stream_info info;
    int rv = kin__os_stream_look(fd, &info);
    if (rv < 0) {
        (void)kin__fail_os(rv, "descriptor %d is no stream", fd);
        return NULL;
    }
    const kin_conn like = {
        .stream = { .fd = fd, .is_socket = info.is_socket, .is_local = info.is_local },
        .readable = readable && info.readable,
        .writable = writable && info.writable,
        .family = family && info.is_socket,
    };
    return kin__conn_make(&like);
}

static int check_options(const kin_conn_options *options)
{
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_conn_new: a reserved option is not zero");
        }
    }
    if (options->read_only && options->write_only) {
        return kin__fail(KIN_EINVAL, "kin_conn_new: it must be able to receive or to send");
    }
    return 0;
}

int kin_conn_new(kin_conn **ret_conn, int fd, const kin_conn_options *options)
{
    const kin_conn_options defaults = { 0 };
    options = options != NULL ? options : &defaults;
    if (ret_conn == NULL) {
        return kin__fail(KIN_EINVAL, "kin_conn_new: the place for the connection is NULL");
    }
    kin__stream_info info;
    int rv = check_options(options);
    if (rv < 0) {
        return rv;
    }
    if (kin__os_stream_look(fd, &info) < 0) {
        return kin__fail(
            KIN_EINVAL,
            "kin_conn_new: descriptor %d is neither a stream socket nor an end of a pipe", fd);
    }
    bool readable = info.readable && !options->write_only;
    bool writable = info.writable && !options->read_only;
    if ((!readable && !writable) || (options->read_only && !readable) ||
        (options->write_only && !writable)) {
        return kin__fail(KIN_EINVAL, "kin_conn_new: descriptor %d cannot be %s", fd,
                         info.readable ? "written" : "read");
    }
    kin_conn *conn = kin__conn_over(fd, readable, writable, false);
    if (conn == NULL) {
        return kin__failure();
    }
    *ret_conn = conn;
    return 0;
}

/* ---- who is in a call ----------------------------------------------------------------------- */

/* The count as this process's: R2. */
static uint64_t ours(uint64_t users, kin__id self)
{
    return users >> 32 == self ? users : (uint64_t)self << 32 | (users & CLOSED);
}

static int fail_closed(const char *verb)
{
    return kin__fail(KIN_ECLOSED, "%s: the connection was closed here", verb);
}

int kin__conn_enter(kin_conn *conn, const char *verb)
{
    if (conn == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the connection is NULL", verb);
    }
    kin__id self = kin__self();
    if (self == KIN__NOBODY) {
        return kin__failure();
    }
    uint64_t users = atomic_load(&conn->users);
    while (!(users & CLOSED)) {
        if (atomic_compare_exchange_weak(&conn->users, &users, ours(users, self) + 1)) {
            return 0;
        }
    }
    return fail_closed(verb);
}

static void close_descriptor(kin_conn *conn)
{
    kin__lane_close(conn);
    kin__os_close(conn->stream.fd);
    if (conn->post != 0) {
        kin__post_closed(conn->post, conn->end);
    }
}

void kin__conn_leave(kin_conn *conn)
{
    uint64_t users = atomic_fetch_sub(&conn->users, 1);
    if (users & CLOSED && COUNT(users) == 1) {
        close_descriptor(conn);
    }
}

int kin_conn_close(kin_conn *conn)
{
    if (conn == NULL) {
        return kin__fail(KIN_EINVAL, "kin_conn_close: the connection is NULL");
    }
    kin__id self = kin__self();
    uint64_t users = atomic_load(&conn->users);
    while (!(users & CLOSED)) {
        uint64_t mine = ours(users, self);
        if (atomic_compare_exchange_weak(&conn->users, &users, mine | CLOSED)) {
            if (COUNT(mine) == 0) {
                close_descriptor(conn);
            }
            return 0;
        }
    }
    return 0;
}

void kin_conn_free(kin_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    kin__local_leave(conn);
    (void)kin_conn_close(conn);
    uint64_t users = atomic_load(&conn->users);
    if (COUNT(ours(users, kin__self())) != 0) {
        kin_log(KIN_LOG_ERROR,
                "kin_conn_free: another thread is in a call on it; its memory stays");
        return;
    }
    kin__inbox_clear(&conn->inbox);
    kin__os_free(conn);
}

/* ---- verbs begin and end --------------------------------------------------------------------- */

int kin__conn_fail(const char *verb, ssize_t error)
{
    switch (error) {
    case -ETIMEDOUT:
        return kin__fail(KIN_ETIMEDOUT, "%s: the time is over", verb);
    case -EPIPE:
    case -ECONNRESET:
        return kin__fail(KIN_ECLOSED, "%s: nobody has the other end any more", verb);
    case -ENOBUFS:
        return kin__fail_os(-ENOMEM, "%s", verb);
    default:
        return kin__fail_os((int)error, "%s", verb);
    }
}

int kin__conn_begin(kin__call *call, enum kin__direction direction, double timeout)
{
    kin_conn *conn = call->conn;
    bool reads = direction == KIN__READ;
    int rv = kin__deadline(timeout, &call->deadline);
    rv = rv < 0 ? rv : kin__conn_enter(conn, call->verb);
    if (rv < 0) {
        return rv;
    }
    call->turn = reads ? &conn->receiving : &conn->sending;
    if (!(reads ? conn->readable : conn->writable)) {
        rv =
            kin__fail(KIN_ESTATE, "%s: this end only %s", call->verb, reads ? "sends" : "receives");
    } else {
        rv = kin__turn_take(call->turn, kin__self(), call->deadline);
        rv = rv < 0 ? kin__conn_fail(call->verb, rv) : 0;
    }
    if (rv < 0) {
        kin__conn_leave(conn);
        return rv;
    }
    int broken = reads ? conn->inbox.broken : conn->broken;
    if (broken < 0) {
        kin__conn_end(call);
        return kin__fail(broken, "%s: a message was %s in part before, and nothing can follow",
                         call->verb, reads ? "received" : "sent");
    }
    return 0;
}

void kin__conn_end(const kin__call *call)
{
    kin__turn_give(call->turn);
    kin__conn_leave(call->conn);
}

/* ---- questions ------------------------------------------------------------------------------- */

bool kin__conn_has_pending(const kin_conn *conn)
{
    return atomic_load(&conn->inbox.waiting) || kin__lane_has(conn);
}

/* 1, 0, or a code. */
static int poll_within(kin_conn *conn, int64_t deadline)
{
    bool waits = kin__may_wait(deadline);
    if (waits && !kin__conn_has_pending(conn)) {
        kin__lane_spin(conn);
    }
    if (kin__conn_has_pending(conn)) {
        return 1;
    }
    if (waits) {
        kin__lane_watch(conn);
    }
    int rv = 0;
    if (!waits || !kin__conn_has_pending(conn)) {
        rv = kin__os_stream_wait(conn->stream.fd, KIN__READ, deadline);
    }
    if (waits) {
        kin__lane_leave(conn, false);
    }
    return rv == -ETIMEDOUT ? 0 : rv < 0 ? kin__conn_fail("kin_conn_poll", rv) : 1;
}

int kin_conn_poll(kin_conn *conn, double timeout)
{
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    rv = rv < 0 ? rv : kin__conn_enter(conn, "kin_conn_poll");
    if (rv < 0) {
        return rv;
    }
    if (!conn->readable) {
        rv = kin__fail(KIN_ESTATE, "kin_conn_poll: this end only sends");
    } else {
        rv = poll_within(conn, deadline);
    }
    kin__conn_leave(conn);
    return rv;
}

int kin_conn_fileno(kin_conn *conn)
{
    int rv = kin__conn_enter(conn, "kin_conn_fileno");
    if (rv < 0) {
        return rv;
    }
    int fd = conn->stream.fd;
    kin__lane_be_loud(conn);
    kin__conn_leave(conn);
    return fd;
}

int kin__conn_fd(kin_conn *conn)
{
    int rv = kin__conn_enter(conn, "a connection that is waited for");
    if (rv < 0) {
        return rv;
    }
    int fd = conn->readable ? conn->stream.fd : kin__fail(KIN_ESTATE, "the connection only sends");
    kin__conn_leave(conn);
    return fd;
}

int kin__conn_watch(kin_conn *conn)
{
    int rv = kin__conn_enter(conn, "a connection that is waited for");
    if (rv == 0) {
        kin__lane_watch(conn);
        kin__conn_leave(conn);
    }
    return rv;
}

/* Closed meanwhile: then the end may be gone, and with it the lane. */
void kin__conn_unwatch(kin_conn *conn)
{
    if (!kin_conn_closed(conn) && kin__conn_enter(conn, "a connection that was waited for") == 0) {
        kin__lane_leave(conn, false);
        kin__conn_leave(conn);
    }
}

int kin_conn_set_limit(kin_conn *conn, uint64_t size)
{
    kin__call call = { .verb = "kin_conn_set_limit", .conn = conn };
    int rv = kin__conn_begin(&call, KIN__READ, KIN_FOREVER);
    if (rv == 0) {
        conn->inbox.limit = size;
        kin__conn_end(&call);
    }
    return rv;
}

int kin_conn_set_fd_answers(kin_conn *conn, bool yes)
{
    static const char verb[] = "kin_conn_set_fd_answers";
    int rv = kin__conn_enter(conn, verb);
    if (rv < 0) {
        return rv;
    }
    if (conn->family) {
        rv = kin__fail(KIN_ESTATE, "%s: a relative does not answer", verb);
    } else {
        atomic_store(&conn->fd_answers, yes);
    }
    kin__conn_leave(conn);
    return rv;
}

bool kin_conn_closed(const kin_conn *conn)
{
    return conn == NULL || atomic_load(&conn->users) & CLOSED;
}

bool kin_conn_readable(const kin_conn *conn)
{
    return conn != NULL && conn->readable;
}

bool kin_conn_writable(const kin_conn *conn)
{
    return conn != NULL && conn->writable;
}

/* ---- in objects: R3 -------------------------------------------------------------------------- */

/* A post's ref has zeros in its lowest two bits; without one there are flags. */
#define NOTE_READS 1u
#define NOTE_WRITES 2u
#define NOTE_FAMILY 4u
#define NOTE_END 1u
#define NOTE_FLAGS (NOTE_READS | NOTE_WRITES | NOTE_FAMILY)

static int pack(void *thing, int ret_fds[KIN__LOCAL_FDS], uint64_t *ret_note)
{
    kin_conn *conn = thing;
    int rv = kin__conn_enter(conn, "a connection in an object");
    if (rv < 0) {
        return rv;
    }
    if (conn->inbox.head_size > 0 || conn->inbox.broken < 0 || conn->broken < 0) {
        rv =
            kin__fail(KIN_ESTATE, "a connection that is in the middle of a message cannot be sent");
    } else {
        ret_fds[0] = conn->stream.fd;
        *ret_note = conn->post != 0
                        ? conn->post | conn->end
                        : (conn->readable ? NOTE_READS : 0u) | (conn->writable ? NOTE_WRITES : 0u) |
                              (conn->family ? NOTE_FAMILY : 0u);
    }
    kin__conn_leave(conn);
    return rv < 0 ? rv : 1;
}

static kin_conn *make_of_note(int fd, uint64_t note)
{
    if (note <= NOTE_FLAGS) {
        return kin__conn_over(fd, note & NOTE_READS, note & NOTE_WRITES, note & NOTE_FAMILY);
    }
    kin_conn like = { .stream = { .fd = fd, .is_socket = true, .is_local = true },
                      .family = true,
                      .end = note & NOTE_END,
                      .post = note & ~(uint64_t)3 };
    bool duplex = true;
    if (!kin__post_is_duplex(like.post, &duplex)) {
        (void)kin__fail(KIN_ECORRUPT, "what should go with a connection is not there");
        return NULL;
    }
    like.readable = duplex || like.end == 0;
    like.writable = duplex || like.end == 1;
    return kin__conn_make(&like);
}

static void *unpack(const int *fds, int n, uint64_t note)
{
    kin_conn *conn = NULL;
    if (n != 1) {
        (void)kin__fail(KIN_ECORRUPT, "%d descriptors where one should be", n);
    } else {
        conn = make_of_note(fds[0], note);
    }
    for (int i = 0; i < n && conn == NULL; i++) {
        kin__os_close(fds[i]);
    }
    return conn;
}

static void free_thing(void *thing)
{
    kin_conn_free(thing);
}

const kin__local_ops kin__conn_ops = {
    .kind = kin_conn_KIND,
    .name = "the connection",
    .listed = true,
    .pack = pack,
    .unpack = unpack,
    .free = free_thing,
};
