/* kin/conn.h - connections: messages to and fro, between relatives and with strangers.
 *
 *     kin_conn *ours = NULL, *theirs = NULL;
 *     KIN_CHECK(kin_pipe(&ours, &theirs, true));
 *     KIN_CHECK(kin_start(&child, greet, kin_args(kin_shared(theirs)), NULL));
 *     kin_conn_free(theirs);                      // this process's copy: the child has its own
 *     KIN_CHECK(kin_conn_send(ours, kin_str("hello"), 1.0));
 *     KIN_CHECK(kin_conn_recv(ours, &answer, 1.0));
 *
 * Between relatives any object goes, with the queues, locks, connections and descriptors in it, and
 * large ones are handed over in the family's memory, without a copy through the kernel; small ones
 * too, while the receiver is awake: that is fifty times as fast as to wake him. A stranger
 * is met at an address (kin/listener.h): what goes over the wire then is what Python's
 * multiprocessing.connection sends and reads, objects as pickles (kin/pickle.h), so he may be a
 * Python program.
 */
#ifndef KIN_CONN_H
#define KIN_CONN_H

#include <kin/obj.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_conn: one end of a connection.
 * It keeps the bounds of messages: what is sent by one call is received by one.
 * Owner:     whoever made it, accepted it or took it out of an object frees it: that closes this
 *            process's copy of the end, and no other's.
 * Threads:   any, one at a time sends and one at a time receives; the others wait for them.
 * Processes: the one that has it. Another gets a copy by being forked, as an argument
 *            (kin_shared(conn)) when it starts, or in a message over a connection between
 *            relatives. Of several that have copies of one end, one at a time should use it.
 * Fork:      the child has a copy, under the same pointer.
 * Death:     when the last process that has an end is gone, however, the other end reads what was
 *            sent wholly, and then KIN_EEOF. Who dies while he sends leaves a message cut off:
 *            KIN_EBROKEN. */
typedef struct kin_conn kin_conn;
#define kin_conn_KIND 64 /* for kin_as(kin_conn, object), kin_take(kin_conn, object) */

typedef struct kin_conn_options {
    bool read_only;       /* it only receives; */
    bool write_only;      /* it only sends */
    uint64_t reserved[4]; /* must be zero */
} kin_conn_options;

/* ---- making and ending ------------------------------------------------------------------ */

/* Two ends of a new connection between relatives. Not `duplex`: the first one only receives and the
 * second one only sends. */
KIN_API int kin_pipe(kin_conn **ret_one, kin_conn **ret_other, bool duplex);

/* A connection over a descriptor that is there already, to somebody who is taken for a stranger: a
 * stream socket, or an end of a pipe. It is the connection's from then on, unless that fails. */
KIN_API int kin_conn_new(kin_conn **ret_conn, int fd, const kin_conn_options *options);

/* Ends this process's copy; NULL is fine. */
KIN_API void kin_conn_free(kin_conn *conn);
KIN_AUTO(kin_conn)

/* The same for one that is borrowed, as from a child's arguments: it is closed, and every later
 * call on it says KIN_ECLOSED. Twice is once. A thread that is in a call on it finishes that
 * first: it is not woken. */
KIN_API int kin_conn_close(kin_conn *conn);

/* ---- messages ------------------------------------------------------------------------------
 *
 * A timeout of 0 tries, and says KIN_ETIMEDOUT like any other (only queues say KIN_EEMPTY and
 * KIN_EFULL). So it is what to receive with after kin_wait: somebody else may have been faster, or
 * only a part of the message may be here. */

/* Sends an object. KIN_ETIMEDOUT: nothing of it was sent, or, when some of it was, the connection
 * is KIN_EBROKEN for sending from then on. KIN_ECLOSED: nobody is there to read it any more. That
 * is sure where a receive of this process has said KIN_EEOF before, unless it was a stranger's: he
 * may have ended his sending alone, and over TCP a first message to one who has gone is lost with
 * 0, before the next is told so. */
KIN_API int kin_conn_send(kin_conn *conn, kin_obj object, double timeout);

/* Receives an object, or decodes what was sent as bytes. KIN_ETIMEDOUT: what has arrived of it by
 * then is kept for the next call. KIN_EEOF: the other end is closed, and all was received.
 * KIN_EBROKEN: it was closed within a message. What cannot be decoded is gone, with the code
 * of kin_loads (KIN_ECORRUPT, KIN_EUNSUPPORTED and others); the next message can be received.
 * KIN_ERANGE is one of two: the pickle is deeper, or would take more memory, than a stranger may
 * have us take: gone, and the next one can be received; or the message is larger than
 * kin_conn_set_limit allows, and then the next receive says KIN_EBROKEN. */
KIN_API int kin_conn_recv(kin_conn *conn, kin_obj *ret_object, double timeout);

/* The same for bytes. What was sent as an object is received as its pickle. Free *ret_data with
 * free(). */
KIN_API int kin_conn_send_bytes(kin_conn *conn, const void *data, size_t size, double timeout);
KIN_API int kin_conn_recv_bytes(kin_conn *conn, void **ret_data, size_t *ret_size, double timeout);

/* Receives bytes into the caller's room: how many. KIN_EBUFTOOSHORT when it is too small: the
 * message stays, and kin_conn_recv_bytes gets it. */
KIN_API ssize_t kin_conn_recv_bytes_into(kin_conn *conn, void *buffer, size_t room, double timeout);

/* The largest message that is received, in bytes; a larger one is KIN_ERANGE, and the connection
 * KIN_EBROKEN for receiving from then on. At first: none is too large from a relative; 1 GiB from a
 * stranger. */
KIN_API int kin_conn_set_limit(kin_conn *conn, uint64_t size);

/* Sends a descriptor as it is, and receives one, which is yours to close: over a Unix socket,
 * between messages. What Python calls send_handle and recv_handle. */
KIN_API int kin_conn_send_fd(kin_conn *conn, int fd, double timeout);
KIN_API int kin_conn_recv_fd(kin_conn *conn, int *ret_fd, double timeout);

/* Whether who receives a descriptor so answers with one byte: Python's recv_handle does from 3.14
 * on, and its send_handle waits for that; nobody did before. At first: no. `yes`: kin_conn_recv_fd
 * answers, and the answer to kin_conn_send_fd is dropped by the next call that receives (a poll may
 * tell of it). KIN_ESTATE between relatives. */
KIN_API int kin_conn_set_fd_answers(kin_conn *conn, bool yes);

/* A descriptor as an object, for messages between relatives. The object does not own it; one that
 * was received does, until it is taken. -1 for what is none. */
KIN_API kin_obj kin_descriptor(int fd);
KIN_API int kin_as_descriptor(kin_obj o);
KIN_API int kin_take_descriptor(kin_obj o);

/* ---- questions ------------------------------------------------------------------------------ */

/* Waits until a receive would not wait: 1 when there is something (a message, its beginning, or the
 * end), 0 when the time is over. */
KIN_API int kin_conn_poll(kin_conn *conn, double timeout);

/* A descriptor that polls readable when there is something; the connection's. Only what a receive
 * has left (KIN_EBUFTOOSHORT, KIN_ENOMEM) may lie here already, or what a relative has sent before
 * the first call of this: kin_conn_poll and kin_wait know. So call it before the first receive, or
 * then receive until kin_conn_poll(conn, 0) says 0. From the first call on, each message to this
 * end takes the kernel's way, which is slower. KIN_ECLOSED. */
KIN_API int kin_conn_fileno(kin_conn *conn);

/* Whether it was closed here; whether it receives, and sends. */
KIN_API bool kin_conn_closed(const kin_conn *conn);
KIN_API bool kin_conn_readable(const kin_conn *conn);
KIN_API bool kin_conn_writable(const kin_conn *conn);

#ifdef __cplusplus
}
#endif
#endif
