/* kin/future.h - results that are not there yet: of tasks in a pool (kin/pool.h), one or many.
 *
 *     kin_future *future;
 *     KIN_CHECK(kin_pool_submit(pool, square, kin_args(kin_int(7)), NULL, &future));
 *     ...
 *     KIN_CHECK(kin_future_get(future, &result, KIN_FOREVER));            // 49
 *     kin_future_free(future);
 *
 * A future is done when its task has returned, failed, or will never run. Failures are codes: the
 * task's own, or why there is no result:
 *
 *     KIN_ECRASHED   the worker was killed, crashed, or left in the task
 *     KIN_EOVERRUN   the task ran for longer than its limit
 *     KIN_ECANCELLED by kin_future_cancel, or the pool was terminated
 *     KIN_EBROKEN    the pool's supervisor was killed, or its initializer failed
 *
 * kin_errmsg() has the sentence then, and kin_future_failure all that is known.
 */
#ifndef KIN_FUTURE_H
#define KIN_FUTURE_H

#include <kin/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_future: the result of a task that was submitted.
 *
 * Owner:     whoever submitted it frees it, at any time, also before the task is done.
 * Threads:   any thread may wait; free it once.
 * Processes: the one that submitted.
 * Fork:      the child's copy is of no use; do not free it there.
 * Death:     a task whose submitter died is run, and its result dropped with the pool.
 */
typedef struct kin_future kin_future;

/* Called when a future is done, well or badly: in a thread of the submitter's that waits for
 * anything of the same pool (kin_future_get and kin_future_wait, kin_futures_wait, iterators, maps,
 * kin_pool_join), or frees it, or in the pool's helper thread (.callback_thread). It may call what
 * it likes, also free the future or terminate the pool. */
typedef void (*kin_done_fn)(kin_future *future, void *ctx);

/* The result, as often as you like (but once only if a kin_buffer is in it); the code of a task
 * that failed, with its text in kin_errmsg(); KIN_ETIMEDOUT; KIN_EDEADLK: asked in a worker of the
 * same pool, for a task that is not done. */
KIN_API int kin_future_get(kin_future *future, kin_obj *ret_result, double timeout);

/* Waits until the task is done, well or badly: 0, KIN_ETIMEDOUT, KIN_EBROKEN, KIN_EDEADLK. */
KIN_API int kin_future_wait(kin_future *future, double timeout);

/* Whether it is, well or badly; whether a worker is at it just now. Neither waits. */
KIN_API bool kin_future_done(const kin_future *future);
KIN_API bool kin_future_running(const kin_future *future);

typedef struct kin_cancel_options {
    bool kill; /* also a task that runs: its worker is killed and replaced */
    uint64_t reserved[4];
} kin_cancel_options;

/* The task shall not be run: it fails with KIN_ECANCELLED. 0, also when it was cancelled before;
 * KIN_ESTATE: it runs already, and .kill was not given, or it is done. KIN_EUNSUPPORTED: it runs
 * in a thread, which cannot be killed. With .kill it is done a moment later: wait for it. */
KIN_API int kin_future_cancel(kin_future *future, const kin_cancel_options *options);

/* Has `fn` called once the future is done; if it is, soon. Once for a future: KIN_ESTATE. */
KIN_API int kin_future_on_done(kin_future *future, kin_done_fn fn, void *ctx);

/* For kin_wait and kin_watch: ready when it is done. These two call nobody: an .on_done is called
 * in the kin_future_get or kin_future_wait that comes after, also with a timeout of 0. */
KIN_API kin_waitable kin_future_waitable(kin_future *future);

/* How a task failed.
 *
 * Owner:     whoever has it; its strings are the future's, and live as long.
 * Threads:   plain data, as for the other four.
 * Processes: the one that asked.
 * Fork:      the child's copy is as good.
 * Death:     nothing is left of it.
 */
typedef struct kin_failure {
    int code;           /* what kin_future_get says */
    const char *text;   /* its sentence; of a crash the frames, too, in lines of their own */
    const char *task;   /* the task's name: .name, or its function's where it is known, or "" */
    long pid;           /* of the worker; 0: none has begun it */
    int signal;         /* that killed the worker, or 0 */
    int exitcode;       /* that the worker left with, or 0 */
    uint64_t address;   /* of a crash: what could not be read or written, or 0 */
    const char *frames; /* of a crash: a line each, where it was; else "" */
    unsigned attempts;  /* how often it was begun */
    bool out_of_memory; /* killed by the kernel, likely because memory ran out */
} kin_failure;

/* 0; KIN_ESTATE: it is not done, or did not fail. */
KIN_API int kin_future_failure(kin_future *future, kin_failure *ret_failure);

/* Lets go of the future; the task is run all the same. NULL is fine. */
KIN_API void kin_future_free(kin_future *future);
KIN_AUTO(kin_future)

/* ---- many ----------------------------------------------------------------------------------- */

typedef enum kin_return_when {
    KIN_ALL_COMPLETED,
    KIN_FIRST_COMPLETED,
    KIN_FIRST_ERROR, /* or all, where none fails */
} kin_return_when;

/* Waits for `n` futures, of any pools. 0: kin_future_done tells which are done; KIN_ETIMEDOUT. A
 * future is in one such call, or iterator, at a time: KIN_ESTATE. */
KIN_API int kin_futures_wait(kin_future *const futures[], size_t n, kin_return_when when,
                             double timeout);

/* kin_iter: results or futures, one after the other, as they come.
 *
 * Owner:     whoever made it frees it, at any time; what an imap has submitted and nobody has begun
 *            is cancelled then. The futures of kin_futures_as_completed stay as they are.
 * Threads:   one at a time.
 * Processes: the one that made it.
 * Fork:      the child's copy is of no use; do not free it there.
 * Death:     of a worker: that item fails, and the others come.
 */
typedef struct kin_iter kin_iter;

/* The futures in the order in which they are done. They stay yours, and must live as long. */
KIN_API int kin_futures_as_completed(kin_iter **ret_iter, kin_future *const futures[], size_t n);

/* The next one that is done; KIN_EEOF: there was each of them; KIN_ETIMEDOUT. */
KIN_API int kin_iter_next_future(kin_iter *iter, kin_future **ret_future, double timeout);

/* The next result (kin_pool_imap), which is yours; KIN_EEOF: that was all; KIN_ETIMEDOUT; or the
 * code with which this item failed: the next call gives the next one. What ends the iteration early
 * (a pool that was closed or broke, a source that failed) is told once, and then KIN_EEOF. */
KIN_API int kin_iter_next(kin_iter *iter, kin_obj *ret_result, double timeout);

/* At any time; what is queued for it is cancelled. NULL is fine. */
KIN_API void kin_iter_free(kin_iter *iter);
KIN_AUTO(kin_iter)

#ifdef __cplusplus
}
#endif
#endif
