/* send.c - the sending verbs: what is given becomes a letter, and the letter leaves.
 *
 * A letter is made before it is this thread's turn, for that may take time; and when it cannot be
 * sent, all that had moved into it comes back or goes. */
#include "conn.h"
#include <kin/pickle.h>

#include <errno.h>
#include <string.h>

/* A letter on its way out. Its bytes are in the head, or in a block, or somewhere else. */
typedef struct letter {
    kin_conn *conn;
    kin__letter_head head; /* between relatives */
    const void *bytes;
    size_t size;
    void *block;      /* the family's memory; NULL: it goes through the socket */
    void *made;       /* to be freed */
    kin__cargo cargo; /* its descriptors, which stay ours */
} letter;

/* ---- making letters -------------------------------------------------------------------------- */

static void begin(letter *l, kin_conn *conn)
{
    l->conn = conn;
    l->head = (kin__letter_head){ .mark = KIN__MARK };
    l->bytes = NULL;
    l->size = 0;
    l->block = l->made = NULL;
    l->cargo.n = 0;
}

/* Of the family's memory, for what is large, or does not fit into a cell of the lane. NULL: it had
 * better go through the socket. */
static void *make_block(const kin_conn *conn, size_t size)
{
    bool apart = size >= KIN__APART || (size > KIN__CELL_ROOM && kin__lane_is_open(conn));
    return apart && conn->post != 0 && size <= SIZE_MAX / 2 ? kin__block_new(size, KIN__MESSAGE)
                                                            : NULL;
}

/* Where its bytes are to be written. */
static void *make_room(letter *l, uint32_t kind, size_t size)
{
    l->head.kind = (uint16_t)kind;
    l->head.size = size;
    l->size = size;
    l->block = make_block(l->conn, size);
    if (l->block == NULL && size > KIN__INLINE) {
        l->made = kin__os_malloc(size);
    }
    void *at = l->block != NULL ? l->block : size > KIN__INLINE ? l->made : l->head.u.bytes;
    l->bytes = at;
    return at;
}

static void unmake(letter *l)
{
    if (l->block != NULL) {
        kin__block_free(l->block);
    }
    kin__os_free(l->made);
}

/* A letter with buffers goes by the post, however small it is: nobody else would find them when it
 * is never received. The post's slots are for large blocks. Without memory it goes as it is. */
static void make_findable(letter *l)
{
    if (l->conn->post == 0 || l->size >= KIN__APART) {
        return;
    }
    void *block = kin__block_new_zeroed(KIN__APART, KIN__MESSAGE, l->size);
    if (block == NULL) {
        return;
    }
    l->bytes = memcpy(block, l->bytes, l->size);
    if (l->block != NULL) {
        kin__block_free(l->block);
    }
    l->block = block;
}

static int make_of_object(letter *l, kin_obj object, const char *verb)
{
    int rv = kin__obj_check(object, verb);
    if (rv < 0) {
        return rv;
    }
    if (!l->conn->family) {
        rv = kin_dumps(kin__obj_lend(object), &l->made, &l->size);
        l->bytes = l->made;
        return rv;
    }
    size_t size = 0;
    rv = kin__flat_size_with(object, &l->cargo, &size);
    l->cargo.n = 0;
    if (rv < 0) {
        return rv;
    }
    void *at = make_room(l, KIN__LETTER_OBJECT, size);
    if (at == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a message of %zu bytes", verb, size);
    }
    rv = kin__flat_write_with(object, at, size, &l->cargo);
    l->head.n_fds = (uint16_t)l->cargo.n;
    if (rv < 0) {
        unmake(l);
    } else if (kin__flat_has_buffers(at, size)) {
        make_findable(l);
    }
    return rv;
}

/* Large bytes that go through the socket are sent from where they are. */
static void make_of_bytes(letter *l, const void *data, size_t size)
{
    l->bytes = data;
    l->size = size;
    if (!l->conn->family) {
        return;
    }
    l->head.kind = KIN__LETTER_BYTES;
    l->head.size = size;
    l->block = make_block(l->conn, size);
    if (l->block != NULL) {
        l->bytes = memcpy(l->block, data, size);
    } else if (size > 0) {
        memcpy(l->head.u.bytes, data, size < KIN__INLINE ? size : KIN__INLINE);
    }
}

/* ---- sending them ---------------------------------------------------------------------------- */

static int write_parts(const kin__call *call, const letter *l, const kin__bytes parts[2])
{
    size_t sent;
    kin_conn *conn = call->conn;
    int rv = kin__stream_write(&conn->stream, parts, l->cargo.n > 0 ? &l->cargo : NULL,
                               call->deadline, &sent);
    if (rv < 0 && sent > 0) {
        conn->broken = KIN_EBROKEN;
    } else if (rv < 0) {
        kin__lane_take_back(conn);
    }
    return rv < 0 ? kin__conn_fail(call->verb, rv) : 0;
}

static int send_to_stranger(const kin__call *call, const letter *l)
{
    unsigned char head[12];
    size_t size = kin__frame_head(l->size, head);
    const kin__bytes parts[2] = { { head, size }, { l->bytes, l->size } };
    return write_parts(call, l, parts);
}

/* Its bytes into a block, if that is missing for the lane. */
static void move_apart(letter *l)
{
    l->block = make_block(l->conn, l->size);
    if (l->block != NULL) {
        memcpy(l->block, l->bytes, l->size);
    }
}

/* Whether it went by the lane. */
static bool put_beside(const kin__call *call, letter *l)
{
    bool may = l->cargo.n == 0 && kin__lane_catch_up(call, l->size);
    if (may && l->block == NULL) {
        move_apart(l);
    }
    kin__parcel p = { .size = l->size,
                      .kind =
                          l->head.kind & KIN__LETTER_OBJECT ? KIN__CELL_OBJECT : KIN__CELL_BYTES,
                      .bytes = l->bytes,
                      .apart = l->block };
    bool fits = may && (l->block != NULL || l->size <= KIN__CELL_ROOM);
    if (!kin__lane_put(call, fits ? &p : NULL)) {
        return false;
    }
    l->block = NULL; /* the receiver's */
    l->size = 0;
    return true;
}

/* Whatever does not lie in the head follows it. */
static int send_to_relative(const kin__call *call, letter *l)
{
    bool posted = false;
    if (put_beside(call, l)) {
        KIN__STEP("conn.sent");
        return 0;
    }
    if (l->block != NULL && kin__block_size(l->block) >= KIN__APART) {
        posted = kin__post_put(call->conn->post, 1 - call->conn->end, l->block, &l->head);
    }
    bool inside = posted || l->size <= KIN__INLINE;
    if (!posted && (l->block != NULL || l->made != NULL)) {
        memcpy(l->head.u.bytes, l->bytes, inside ? l->size : KIN__INLINE);
    }
    KIN__STEP("conn.written");
    kin__bytes parts[2] = { { &l->head, sizeof l->head } };
    if (!inside) {
        parts[1] = (kin__bytes){ (const char *)l->bytes + KIN__INLINE, l->size - KIN__INLINE };
    }
    int rv = write_parts(call, l, parts);
    if (posted &&
        (rv == 0 || !kin__post_take_back(call->conn->post, 1 - call->conn->end, &l->head))) {
        l->block = NULL; /* the receiver's, or gone */
        l->size = 0;
    }
    KIN__STEP("conn.sent");
    return rv;
}

static int deliver(const char *verb, letter *l, double timeout)
{
    kin__call call = { .verb = verb, .conn = l->conn };
    int rv = kin__conn_begin(&call, KIN__WRITE, timeout);
    if (rv < 0) {
        return rv;
    }
    rv = l->conn->family ? send_to_relative(&call, l) : send_to_stranger(&call, l);
    kin__conn_end(&call);
    return rv;
}

int kin_conn_send(kin_conn *conn, kin_obj object, double timeout)
{
    static const char verb[] = "kin_conn_send";
    letter l;
    begin(&l, conn);
    int rv = conn != NULL ? kin__conn_enter(conn, verb)
                          : kin__fail(KIN_EINVAL, "%s: the connection is NULL", verb);
    if (rv == 0) {
        rv = make_of_object(&l, object, verb);
        if (rv == 0) {
            rv = deliver(verb, &l, timeout);
            if (rv < 0 && conn->family) {
                kin__flat_discard(l.bytes, l.size);
            }
            unmake(&l);
        }
        kin__conn_leave(conn);
    }
    kin__obj_drop(object);
    return rv;
}

int kin_conn_send_bytes(kin_conn *conn, const void *data, size_t size, double timeout)
{
    static const char verb[] = "kin_conn_send_bytes";
    if (conn == NULL || (data == NULL && size > 0)) {
        return kin__fail(KIN_EINVAL, "%s: the %s NULL", verb,
                         conn == NULL ? "connection is" : "bytes are");
    }
    letter l;
    begin(&l, conn);
    make_of_bytes(&l, data, size);
    int rv = deliver(verb, &l, timeout);
    unmake(&l);
    return rv;
}

/* ---- a descriptor as it is: one byte says how many ------------------------------------------- */

int kin_conn_send_fd(kin_conn *conn, int fd, double timeout)
{
    letter l;
    begin(&l, conn);
    l.cargo.n = 1;
    l.cargo.fds[0] = fd;
    const unsigned char count = 1;
    const kin__bytes parts[2] = { { &count, 1 }, { NULL, 0 } };
    kin__call call = { .verb = "kin_conn_send_fd", .conn = conn };
    if (!kin__os_is_open(fd)) {
        return kin__fail(KIN_EINVAL, "kin_conn_send_fd: descriptor %d is not open", fd);
    }
    int rv = kin__conn_begin(&call, KIN__WRITE, timeout);
    if (rv < 0) {
        return rv;
    }
    if (!conn->stream.is_socket || !conn->stream.is_local) {
        rv =
            kin__fail(KIN_EUNSUPPORTED, "kin_conn_send_fd: only a Unix socket carries descriptors");
    } else {
        uint32_t due = atomic_load(&conn->fd_answers);
        atomic_fetch_add(&conn->answers_due, due); /* before it can come */
        (void)kin__lane_put(&call, NULL);
        rv = write_parts(&call, &l, parts);
        atomic_fetch_sub(&conn->answers_due, rv < 0 ? due : 0);
    }
    kin__conn_end(&call);
    return rv;
}
