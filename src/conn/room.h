/* conn/room.h - connections from inside: what the files here ask of each other. */
#ifndef KIN_CONN_ROOM_H
#define KIN_CONN_ROOM_H

#include "../obj/room.h"
#include "waitable.h"

/* ---- for the others in this room and above (conn.c) ---------------------------------------- */

/* A connection over a stream socket or a pipe's end that is the connection's from now on; `family`:
 * whoever has the other end is a relative. NULL: memory is out, and the descriptor stays open. */
kin_conn *kin__conn_over(int fd, bool readable, bool writable, bool family);

/* Whether something lies here already that was read from the descriptor and not yet received: then
 * a poll of the descriptor would not tell. */
bool kin__conn_has_pending(kin_conn *conn);

/* How a connection travels in an object. */
extern const kin__local_ops kin__conn_ops;

/* ---- descriptors as objects (descriptor.c) --------------------------------------------------- */

/* Before objects are read that came with a process's start: there may be connections and
 * descriptors in them. */
void kin__conn_prepare(void);

#endif
