/* kin/queue.h - messages from any number of processes to any number of processes.
 *
 * A message is there once put returns: it lies in memory that the family shares, no thread and no
 * pipe has to carry it, and it stays when its producer ends right after.
 *
 *     kin_queue *queue;
 *     KIN_CHECK(kin_queue_new(&queue, NULL));
 *     KIN_CHECK(kin_queue_put(queue, kin_list(kin_int(42), kin_none(), kin_str("hello")), 0));
 *     kin_obj message;
 *     KIN_CHECK(kin_queue_get(queue, &message, KIN_FOREVER));
 *     kin_print(message);                                       // [42, None, 'hello']
 *     kin_release(message);
 *     kin_queue_free(queue);
 *
 * Messages are objects or bytes; both may go through one queue.
 */
#ifndef KIN_QUEUE_H
#define KIN_QUEUE_H

#include <kin/wait.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_queue: a queue of messages, bounded or not, first in first out for each producer.
 *
 * Owner:     whoever made it frees it, once for all; the others borrow it.
 * Threads:   any thread may put and get.
 * Processes: every process of the family, however it got the pointer: it lies in shared memory.
 * Fork:      the child uses the same queue.
 * Death:     a process killed inside put or get loses at most the message in its hand; nobody
 *            hangs.
 */
typedef struct kin_queue kin_queue;
#define kin_queue_KIND 6 /* for kin_as(kin_queue, object) */

typedef struct kin_queue_options {
    uint64_t maxsize;     /* messages at most, up to 2^24; 0: as many as memory holds */
    uint64_t reserved[4]; /* must be zero */
} kin_queue_options;

/* Makes an empty queue. KIN_EINVAL, KIN_ENOMEM, or what kept this process from joining its family:
 * KIN_EMFILE, KIN_EAGAIN. */
KIN_API int kin_queue_new(kin_queue **ret_queue, const kin_queue_options *options);

/* Puts an object, which is given away. A bounded queue that is full: KIN_EFULL with a timeout of
 * 0, else waits and says KIN_ETIMEDOUT. KIN_ECLOSED, KIN_ENOMEM: the queue is as it was. */
KIN_API int kin_queue_put(kin_queue *queue, kin_obj object, double timeout);

/* Takes the oldest message; it is yours to release. An empty queue: KIN_EEMPTY with a timeout of
 * 0, else waits and says KIN_ETIMEDOUT; KIN_ECLOSED once it is closed and drained. What was put as
 * bytes arrives as a bytes object. */
KIN_API int kin_queue_get(kin_queue *queue, kin_obj *ret_object, double timeout);

/* The same for plain bytes, of any size from 0. */
KIN_API int kin_queue_put_bytes(kin_queue *queue, const void *bytes, size_t size, double timeout);

/* Copies the oldest message into `room` bytes and returns its size. KIN_EBUFTOOSHORT: it is larger,
 * and still the next one. KIN_ETYPE: it is an object, and still the next one. */
KIN_API ssize_t kin_queue_get_bytes(kin_queue *queue, void *buffer, size_t room, double timeout);

/* Ends putting, for all: puts say KIN_ECLOSED, gets too once the queue is drained. Closing twice is
 * fine. */
KIN_API int kin_queue_close(kin_queue *queue);

/* Frees the queue and what is in it; NULL is fine. Whoever sleeps in it wakes with KIN_ECLOSED;
 * later calls say KIN_EFREED. */
KIN_API void kin_queue_free(kin_queue *queue);
KIN_AUTO(kin_queue)

/* How many messages are there to be taken; exact while nobody puts or gets. Or an error. */
KIN_API int64_t kin_queue_qsize(kin_queue *queue);

/* The queue as something to wait for (kin/wait.h): ready when a get would not wait, be it that it
 * is closed. Others may be faster: get with a timeout of 0. */
KIN_API kin_waitable kin_queue_waitable(kin_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
