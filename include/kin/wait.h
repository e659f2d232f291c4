/* kin/wait.h - waiting for several things at once: whichever comes first.
 *
 *     kin_waitable things[] = {
 *         kin_conn_waitable(conn), kin_event_waitable(stop), kin_fd_waitable(STDIN_FILENO),
 *     };
 *     int n = kin_wait(things, 3, 10.0);              // how many are ready; 0: none in ten seconds
 *     if (things[1].ready) ...
 *
 * Besides, in their rooms: kin_listener_waitable, kin_process_waitable, kin_queue_waitable.
 */
#ifndef KIN_WAIT_H
#define KIN_WAIT_H

#include <kin/conn.h>
#include <kin/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kin__waitable_ops;

/* kin_waitable: something to wait for; a plain value, made anew or used again and again.
 * Owner:     whoever has it. It borrows the thing, which must live as long.
 * Threads:   one at a time.
 * Processes: the one that made it.
 * Fork:      the child's copy is as good as the thing is there.
 * Death:     that of a process that is waited for, or that holds the other end, makes it ready. */
typedef struct kin_waitable {
    bool ready; /* set by kin_wait */
    int fd;     /* private from here */
    void *thing;
    const struct kin__waitable_ops *ops;
    uint64_t note;
} kin_waitable;

/* Waits until one of `n` is ready, and marks all that are: how many; 0 when the time is over. Ready
 * is what would not wait: a receive, an accept, a get (also when it would say KIN_EEOF or
 * KIN_ECLOSED), an event that is set, or was while we waited, a process that has ended, a
 * descriptor that can be read. The same thing may be there twice. KIN_ECLOSED: it ended while we
 * waited; KIN_EFREED, KIN_EINVAL for what cannot be waited for, KIN_ESTATE for a connection that
 * only sends or a process that was not started: the sentence says which one it is, counted from 0,
 * and none is marked. KIN_EMFILE, KIN_ENOMEM. */
KIN_API int kin_wait(kin_waitable *things, size_t n, double timeout);

/* What they are made of. A thing that is none is told by kin_wait. */
KIN_API kin_waitable kin_fd_waitable(int fd);
KIN_API kin_waitable kin_conn_waitable(kin_conn *conn);
KIN_API kin_waitable kin_event_waitable(kin_event *event);

#ifdef __cplusplus
}
#endif
#endif
