/* receive.c - the receiving verbs: a letter that has arrived becomes what was asked for.
 *
 * A letter stays in the inbox until it was handed out: whoever has too little room or memory for it
 * may ask again, or in another way. */
#include "conn.h"
#include <kin/pickle.h>

#include <errno.h>
#include <string.h>

/* Descriptors that nobody took go with the letter: kin__inbox_clear closes what is in the cargo. */
static void forget_taken(kin__cargo *cargo)
{
    if (cargo != NULL) {
        cargo->n -= cargo->taken;
        memmove(cargo->fds, cargo->fds + cargo->taken, (size_t)cargo->n * sizeof cargo->fds[0]);
        cargo->taken = 0;
    }
}

static int decode(kin__inbox *in, kin_obj *ret)
{
    if (!(in->kind & KIN__LETTER_OBJECT)) {
        return kin_loads(in->body, (size_t)in->size, ret);
    }
    kin__cargo none = { .n = 0 };
    kin__cargo *cargo = in->cargo != NULL ? in->cargo : &none;
    int rv = kin__flat_read_with(in->body, (size_t)in->size, cargo, ret);
    forget_taken(cargo);
    return rv;
}

int kin_conn_recv(kin_conn *conn, kin_obj *ret_object, double timeout)
{
    kin__call call = { .verb = "kin_conn_recv", .conn = conn };
    if (ret_object == NULL) {
        return kin__fail(KIN_EINVAL, "kin_conn_recv: the place for the object is NULL");
    }
    int rv = kin__conn_begin(&call, KIN__READ, timeout);
    if (rv < 0) {
        return rv;
    }
    kin_obj object = { 0 };
    rv = kin__inbox_fill(&call);
    if (rv == 0) {
        bool again = conn->inbox.cargo == NULL; /* descriptors are taken once */
        rv = decode(&conn->inbox, &object);
        if (rv != KIN_ENOMEM || !again) {
            kin__inbox_clear(&conn->inbox);
        }
    }
    kin__conn_end(&call);
    if (rv == 0) {
        *ret_object = object;
    }
    return rv;
}

/* An object that is asked for as bytes is its pickle from now on. */
static int make_pickle(kin__inbox *in)
{
    if (!(in->kind & KIN__LETTER_OBJECT)) {
        return 0;
    }
    if (in->cargo != NULL) {
        return kin__fail(KIN_EUNSUPPORTED, "an object with descriptors in it has no pickle; "
                                           "kin_conn_recv gets it");
    }
    kin_obj object;
    void *data = NULL;
    size_t size = 0;
    int rv = kin__flat_read(in->body, (size_t)in->size, &object);
    if (rv < 0) {
        if (rv != KIN_ENOMEM) {
            kin__inbox_clear(in);
        }
        return rv;
    }
    rv = kin_dumps(kin__obj_lend(object), &data, &size);
    kin__obj_sent(object); /* a buffer has no pickle: it stays the letter's */
    if (rv < 0) {
        return rv;
    }
    kin__inbox_clear(in);
    in->head_size = sizeof in->head;
    in->announced = true;
    in->kind = KIN__LETTER_BYTES;
    in->body = data;
    in->size = in->room = in->arrived = size;
    atomic_store(&in->waiting, true);
    return 0;
}

/* The letter's bytes, in memory of their own. */
static int hand_out(kin__inbox *in, void **ret_data)
{
    void *data = in->body;
    if (in->room == 0) {
        data = kin__os_malloc((size_t)in->size);
        if (data == NULL) {
            return kin__fail(KIN_ENOMEM, "kin_conn_recv_bytes: no memory for %llu bytes",
                             (unsigned long long)in->size);
        }
        memcpy(data, in->body, (size_t)in->size);
    }
    in->room = 0;
    in->body = NULL;
    *ret_data = data;
    return 0;
}

int kin_conn_recv_bytes(kin_conn *conn, void **ret_data, size_t *ret_size, double timeout)
{
    kin__call call = { .verb = "kin_conn_recv_bytes", .conn = conn };
    if (ret_data == NULL || ret_size == NULL) {
        return kin__fail(KIN_EINVAL, "kin_conn_recv_bytes: the place for the bytes is NULL");
    }
    int rv = kin__conn_begin(&call, KIN__READ, timeout);
    if (rv < 0) {
        return rv;
    }
    kin__inbox *in = &conn->inbox;
    rv = kin__inbox_fill(&call);
    rv = rv < 0 ? rv : make_pickle(in);
    rv = rv < 0 ? rv : hand_out(in, ret_data);
    if (rv == 0) {
        *ret_size = (size_t)in->size;
        kin__inbox_clear(in);
    }
    kin__conn_end(&call);
    return rv;
}

static ssize_t receive_into(const kin__call *call, void *buffer, size_t room)
{
    kin__inbox *in = &call->conn->inbox;
    int rv = kin__inbox_announce(call);
    if (rv == 0 && in->kind & KIN__LETTER_OBJECT) {
        rv = kin__inbox_fill(call);
        rv = rv < 0 ? rv : make_pickle(in);
    }
    if (rv < 0) {
        return rv;
    }
    ssize_t size = (ssize_t)in->size;
    if (in->size > room) {
        return kin__fail(KIN_EBUFTOOSHORT, "%s: a message of %zd bytes does not fit into %zu",
                         call->verb, size, room);
    }
    rv = kin__inbox_fill_into(call, buffer);
    if (rv < 0) {
        return rv;
    }
    kin__inbox_clear(in);
    return size;
}

ssize_t kin_conn_recv_bytes_into(kin_conn *conn, void *buffer, size_t room, double timeout)
{
    kin__call call = { .verb = "kin_conn_recv_bytes_into", .conn = conn };
    if (buffer == NULL && room > 0) {
        return kin__fail(KIN_EINVAL, "kin_conn_recv_bytes_into: the buffer is NULL");
    }
    int rv = kin__conn_begin(&call, KIN__READ, timeout);
    if (rv < 0) {
        return rv;
    }
    ssize_t size = receive_into(&call, buffer, room);
    kin__conn_end(&call);
    return size;
}

/* ---- a descriptor as it is ------------------------------------------------------------------- */

/* The one byte, between two letters of ours. */
static int answer(const kin__call *call)
{
    kin_conn *conn = call->conn;
    const kin__bytes parts[2] = { { KIN__ANSWER, 1 }, { NULL, 0 } };
    size_t sent;
    kin__os_shield(); /* what came is in hand, and would be lost */
    int rv = kin__turn_take(&conn->sending, kin__self(), call->deadline);
    if (rv == 0) {
        rv = conn->broken < 0
                 ? -EPIPE
                 : kin__stream_write(&conn->stream, parts, NULL, call->deadline, &sent);
        kin__turn_give(&conn->sending);
    }
    kin__os_unshield();
    return rv < 0 ? kin__conn_fail(call->verb, rv) : 0;
}

static int receive_fd(const kin__call *call, int *ret_fd)
{
    if (!call->conn->stream.is_socket || !call->conn->stream.is_local) {
        return kin__fail(KIN_EUNSUPPORTED, "%s: only a Unix socket carries descriptors",
                         call->verb);
    }
    int fds[KIN__DESCRIPTORS_MOST];
    int n = kin__inbox_bypass(call, fds);
    if (n == 0) {
        return kin__fail(KIN_ESTATE, "%s: what comes next is a message", call->verb);
    }
    int rv = n > 0 && atomic_load(&call->conn->fd_answers) ? answer(call) : 0;
    for (int i = rv < 0 ? 0 : 1; i < n; i++) { /* unanswered, it was not received */
        kin__os_close(fds[i]);
    }
    if (n > 0 && rv == 0) {
        *ret_fd = fds[0];
    }
    return n < 0 ? n : rv;
}

int kin_conn_recv_fd(kin_conn *conn, int *ret_fd, double timeout)
{
    kin__call call = { .verb = "kin_conn_recv_fd", .conn = conn };
    if (ret_fd == NULL) {
        return kin__fail(KIN_EINVAL, "kin_conn_recv_fd: the place for the descriptor is NULL");
    }
    int rv = kin__conn_begin(&call, KIN__READ, timeout);
    if (rv == 0) {
        rv = receive_fd(&call, ret_fd);
        kin__conn_end(&call);
    }
    return rv;
}
