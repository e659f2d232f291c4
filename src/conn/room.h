/* conn/room.h - connections from inside: what the files here ask of each other. */
#ifndef KIN_CONN_ROOM_H
#define KIN_CONN_ROOM_H

#include "../obj/room.h"
#include "waitable.h"

/* ---- for the others in this room and above (conn.c) ---------------------------------------- */

/* A connection over a stream socket or a pipe's end that is the connection's from now on; `family`:
 * whoever has the other end is a relative. NULL: memory is out, and the descriptor stays open. */
kin_conn *kin__conn_over(int fd, bool readable, bool writable, bool family);

/* Whether something is here already of which a poll of the descriptor would not tell: it was read
 * and not yet received, or it came by the lane. */
bool kin__conn_has_pending(const kin_conn *conn);

/* Its descriptor, for a poll: KIN_ECLOSED, and KIN_ESTATE for one that only sends. */
int kin__conn_fd(kin_conn *conn);

/* From now on the poll tells of whatever comes, until unwatch: look again after it. */
int kin__conn_watch(kin_conn *conn);
void kin__conn_unwatch(kin_conn *conn);

/* What is left of two parts after `size` bytes of them were written (stream.c). */
void kin__stream_skip(kin__bytes parts[2], size_t size);

/* How a connection travels in an object. */
extern const kin__local_ops kin__conn_ops;

/* ---- looking at several things (wait.c) ----------------------------------------------------- */

#define KIN__THINGS_MOST ((size_t)1 << 24)

/* What kin_wait does that is not to wait; `verb` is for sentences. `first`: as in waitable.h.
 * *ret_held: somebody is at work on one of them. */
int kin__wait_look(const char *verb, kin_waitable *things, size_t n, bool first, bool *ret_held);

/* ---- descriptors as objects (descriptor.c) --------------------------------------------------- */

/* Before objects are read that came with a process's start, or over a connection: there may be
 * connections and descriptors in them. */
void kin__conn_prepare(void);

#endif
