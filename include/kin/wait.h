/* kin/wait.h - waiting for several things at once: whichever comes first.
 *
 *     kin_waitable things[] = {
 *         kin_conn_waitable(conn), kin_event_waitable(stop), kin_fd_waitable(STDIN_FILENO),
 *     };
 *     int n = kin_wait(things, 3, 10.0);              // how many are ready; 0: none in ten seconds
 *     if (things[1].ready) ...
 *
 * Besides, in their rooms: kin_future_waitable, kin_listener_waitable, kin_process_waitable,
 * kin_queue_waitable.
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
 * and none is marked. KIN_EMFILE, KIN_ENOMEM; KIN_EAGAIN: 2048 of the family sleep so already over
 * events or queues. */
KIN_API int kin_wait(kin_waitable *things, size_t n, double timeout);

/* What they are made of. A thing that is none is told by kin_wait. */
KIN_API kin_waitable kin_fd_waitable(int fd);
KIN_API kin_waitable kin_conn_waitable(kin_conn *conn);
KIN_API kin_waitable kin_event_waitable(kin_event *event);

/* ---- in an event loop ----------------------------------------------------------------------- */

/* kin_watch: a descriptor that polls readable when one of some things may be ready: for poll, epoll
 * and the event loops of other libraries, which sleep in their own way.
 *
 *     kin_waitable things[] = { kin_queue_waitable(jobs), kin_event_waitable(stop) };
 *     kin_watch_new(&watch, things, 2);
 *     struct epoll_event told = { .events = EPOLLIN, .data.fd = kin_watch_fileno(watch) };
 *     epoll_ctl(loop, EPOLL_CTL_ADD, told.data.fd, &told);         // beside a socket that is there
 *     while (!things[1].ready && epoll_wait(loop, &told, 1, -1) == 1) {
 *         if (told.data.fd == socket) {
 *             answer(socket);
 *         } else if (kin_watch_look(watch, things) > 0 && things[0].ready) {
 *             work(jobs);                             // is there more? the descriptor says it
 *         }
 *     }
 *
 * At rest it costs nothing: nobody ticks. There are 2048 in a family, with those who sleep in
 * kin_wait; one for each event loop is enough.
 *
 * Owner:     who made it frees it, after he has taken its descriptor out of his epoll. It borrows
 *            the things, which must live as long; descriptors among them must stay open.
 * Threads:   any may poll the descriptor; one at a time looks.
 * Processes: the one that made it.
 * Fork:      the child's copy is refused (KIN_ESTATE), and must be freed there too.
 * Death:     what a dead process was at work on is looked at within 100 ms. The watch's own leaves
 *            nothing. */
typedef struct kin_watch kin_watch;

/* Watches `n` things; the array may go then. Fails as kin_wait does, and with KIN_EINVAL when there
 * is none; KIN_EAGAIN when there are 2048 watches. */
KIN_API int kin_watch_new(kin_watch **ret_watch, const kin_waitable *things, size_t n);
KIN_API void kin_watch_free(kin_watch *watch);
KIN_AUTO(kin_watch)

/* Its descriptor, to be polled for reading; nobody may read or close it. It is readable from the
 * beginning until a look says 0 (where it only tells of changes, by EPOLLET: look until then).
 * Whoever takes something without having been told looks after it. */
KIN_API int kin_watch_fileno(const kin_watch *watch);

/* How many are ready now; never waits. 0: none, and from now on the descriptor becomes readable
 * when that may have changed (now and then it has not). Marks them in `things`, an array as long as
 * the one that the watch was made of, or NULL. Fails as kin_wait does when a thing was freed or
 * closed meanwhile, and will then do so until the watch is freed. */
KIN_API int kin_watch_look(kin_watch *watch, kin_waitable *things);

#ifdef __cplusplus
}
#endif
#endif
