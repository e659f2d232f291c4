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
 * Messages are objects or bytes; both may go through one queue. What lies in the family's memory
 * already need not be copied: an object may be a kin_buffer, and bytes can be written and read
 * where they lie (reserve and commit, peek and consume).
 *
 * To all who look on, a queue is one line of messages: what was put before another put began comes
 * out before it. A timeout of 0 asks without waiting for others who are in the middle of a call:
 * KIN_EEMPTY is said also while the next message's put has not returned, whatever was put behind
 * it; KIN_EFULL also while a get has not returned, whose message keeps its room until then, and so
 * do all behind it. With .maxbytes, or .ack and .maxsize, it may be said while any call is busy.
 *
 * What becomes of a message when its consumer is killed? In a plain queue it is gone with him, from
 * the moment when get has copied it out. In a queue with .ack it stays, unseen by others, until he
 * acknowledges it, and is there again when he ends before that:
 *
 *     KIN_CHECK(kin_queue_new(&jobs, KIN_OPT(kin_queue_options, .ack = true)));
 *     while (kin_queue_get(jobs, &job, KIN_FOREVER) == 0) {
 *         work_on(job);
 *         KIN_CHECK(kin_queue_ack(jobs));
 *         kin_release(job);
 *     }
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
 * Fork:      the child uses the same queue; what its parent has to acknowledge stays the parent's.
 * Death:     a process killed inside put or get loses at most the message in its hand, with .ack
 *            none; nobody hangs.
 */
typedef struct kin_queue kin_queue;
#define kin_queue_KIND 6 /* for kin_as(kin_queue, object) */

typedef struct kin_queue_options {
    uint64_t maxsize;     /* messages at most, up to 2^24; 0: as many as memory holds */
    uint64_t maxbytes;    /* of its messages, each counted with 64 more; 0: no bound */
    bool ack;             /* a message stays until it is acknowledged */
    bool joinable;        /* whoever gets a message says kin_queue_task_done; implied by .ack */
    bool wait_for_memory; /* where a put would say KIN_ENOMEM, it waits like for a full queue */
    uint64_t reserved[4]; /* must be zero */
} kin_queue_options;

/* Makes an empty queue. KIN_EINVAL, KIN_ENOMEM, or what kept this process from joining its family:
 * KIN_EMFILE, KIN_EAGAIN. */
KIN_API int kin_queue_new(kin_queue **ret_queue, const kin_queue_options *options);

/* Puts an object, which is given away. A bounded queue that is full: KIN_EFULL with a timeout of
 * 0, else waits and says KIN_ETIMEDOUT. KIN_ECLOSED, KIN_ENOMEM: the queue is as it was. A message
 * that alone is larger than .maxbytes: KIN_ERANGE. */
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

/* ---- many at once ---------------------------------------------------------------------------- */

/* Puts `n` objects one after the other, which are all given away, whatever comes of it. Returns how
 * many got in before the timeout or another failure: less than `n` is a failure, too, of which
 * kin_errmsg() speaks. When none did, its code. */
KIN_API ssize_t kin_queue_put_many(kin_queue *queue, const kin_obj *objects, size_t n,
                                   double timeout);

/* Waits for a message, and takes all that are there then, `n` at most: returns how many. */
KIN_API ssize_t kin_queue_get_many(kin_queue *queue, kin_obj *ret_objects, size_t n,
                                   double timeout);

/* The same for an array of `n` items of `size` bytes: each is one message of bytes. To get: what is
 * not of that size is left in the queue, and ends the array; if it is the first one,
 * KIN_EBUFTOOSHORT (it is larger), KIN_ERANGE (smaller) or KIN_ETYPE (an object). */
KIN_API ssize_t kin_queue_put_array(kin_queue *queue, const void *items, size_t size, size_t n,
                                    double timeout);
KIN_API ssize_t kin_queue_get_array(kin_queue *queue, void *ret_items, size_t size, size_t n,
                                    double timeout);

/* ---- without a copy -------------------------------------------------------------------------- */

/* Memory of the family for a message of up to `size` bytes, to be written by you (it is not zeroed)
 * and then committed or cancelled. KIN_ENOMEM, also with .wait_for_memory. */
KIN_API int kin_queue_reserve(kin_queue *queue, size_t size, void **ret_bytes);

/* Puts the first `size` bytes of it as a message of bytes. The memory is given away, also when this
 * fails, as by kin_queue_put. */
KIN_API int kin_queue_commit(kin_queue *queue, void *bytes, size_t size, double timeout);
KIN_API void kin_queue_cancel(void *bytes); /* frees it; NULL is fine */

/* kin_message: a message that is being read where it lies. `bytes` and `size` are yours to read
 * until it is consumed. Do not copy or move it: a small one lies in it.
 *
 * Owner:     whoever peeked; he consumes it, once.
 * Threads:   one at a time.
 * Processes: the one that peeked.
 * Fork:      the child's copy is of no use.
 * Death:     with .ack the message comes back; else it is gone with who peeked. */
typedef struct kin_message {
    const void *bytes;
    size_t size;
    uint64_t private_[16];
} kin_message;

/* Takes the oldest message of bytes, to be read in place; it is aligned to 8 bytes. An object:
 * KIN_ETYPE, and it is still the next one. */
KIN_API int kin_queue_peek(kin_queue *queue, kin_message *ret_message, double timeout);

/* Done with it: frees it, and with .ack acknowledges it. */
KIN_API int kin_queue_consume(kin_queue *queue, kin_message *message);

/* ---- who has done what ----------------------------------------------------------------------- */

/* With .ack: acknowledges the oldest message that this thread got from this queue, and has not
 * acknowledged yet (what it peeked at is consumed instead). KIN_ESTATE: there is none, or the queue
 * is not of that kind. What a thread leaves unacknowledged stays so until its process ends; then it
 * comes back as the next message to get. */
KIN_API int kin_queue_ack(kin_queue *queue);

/* One message that was got is done with: Python's task_done; with .ack the same as kin_queue_ack.
 * KIN_ESTATE: more often than there were messages, or the queue is not .joinable. */
KIN_API int kin_queue_task_done(kin_queue *queue);

/* Waits until every message that was put is done with. A consumer who was killed before he said so
 * is waited for in vain, unless the queue has .ack. KIN_ETIMEDOUT; KIN_ESTATE: not .joinable. */
KIN_API int kin_queue_join(kin_queue *queue, double timeout);

/* ---- the end --------------------------------------------------------------------------------- */

/* Ends putting, for all: puts say KIN_ECLOSED, gets too once the queue is drained. Closing twice is
 * fine. */
KIN_API int kin_queue_close(kin_queue *queue);

/* Frees the queue and what is in it, acknowledged or not; NULL is fine. Whoever sleeps in it wakes
 * with KIN_ECLOSED; later calls say KIN_EFREED. */
KIN_API void kin_queue_free(kin_queue *queue);
KIN_AUTO(kin_queue)

/* ---- questions ------------------------------------------------------------------------------- */

/* How many messages are there to be taken; exact while nobody puts or gets. Or an error. */
KIN_API int64_t kin_queue_qsize(kin_queue *queue);

/* Whether a get, a put of a small message, would have to wait just now: 1, 0, or an error. */
KIN_API int kin_queue_empty(kin_queue *queue);
KIN_API int kin_queue_full(kin_queue *queue);

/* The queue as something to wait for (kin/wait.h): ready when a get would not wait, be it that it
 * is closed. Others may be faster: get with a timeout of 0. */
KIN_API kin_waitable kin_queue_waitable(kin_queue *queue);

#ifdef __cplusplus
}
#endif
#endif
