/* kin/pool.h - a function over many inputs, on all cores, in processes of their own.
 *
 *     kin_obj square(kin_obj args) { int64_t n = kin_arg_int(args, 0); return kin_int(n * n); }
 *
 *     kin_pool *pool;
 *     KIN_CHECK(kin_pool_new(&pool, NULL));                       // a worker for each core
 *     kin_obj squares;
 *     KIN_CHECK(kin_pool_map(pool, square, kin_range(0, 1000), NULL, &squares));
 *     kin_release(squares);
 *     kin_pool_free(pool);
 *
 * A worker that is killed, crashes or exits in a task fails that task with KIN_ECRASHED, and is
 * replaced; nothing else is lost, and nobody hangs. A task that returns kin_error(code, text) fails
 * with that code and that text.
 *
 * In a process with one thread the workers are forks of it, and see its memory as it was when the
 * pool was made. With threads they come from the fork server: their globals are as at kin_init and
 * after the preload, and a library of dlopen is there if the preload loads it, or if a function of
 * it was sent before. Workers are daemons, and so are the children of tasks.
 */
#ifndef KIN_POOL_H
#define KIN_POOL_H

#include <kin/obj.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_pool: worker processes that run tasks.
 *
 * Owner:     whoever made it frees it; when its maker ends, however, the workers end with him.
 * Threads:   any thread may submit and wait.
 * Processes: any process of the family may submit; joining and freeing is the maker's.
 * Fork:      the child may submit to the same pool.
 * Death:     a dead worker costs its task; a dead maker ends the pool; were the pool's supervisor
 *            killed, every future says KIN_EBROKEN. Nobody hangs.
 */
typedef struct kin_pool kin_pool;
#define kin_pool_KIND 7 /* for kin_as(kin_pool, object) */

/* kin_future: the result of a task that was submitted.
 *
 * Owner:     whoever submitted it frees it, at any time, also before the task is done.
 * Threads:   any thread may wait; free it once.
 * Processes: the one that submitted.
 * Fork:      the child's copy is of no use; do not free it there.
 * Death:     a task whose submitter died is run, and its result dropped with the pool.
 */
typedef struct kin_future kin_future;

typedef struct kin_pool_options {
    unsigned processes;   /* workers; 0: kin_cpu_count() */
    uint64_t reserved[4]; /* must be zero */
} kin_pool_options;

typedef struct kin_submit_options {
    uint64_t reserved[4]; /* must be zero */
} kin_submit_options;

typedef struct kin_map_options {
    size_t chunksize;     /* items that travel together; 0: four chunks for each worker */
    bool star;            /* an item is the tuple of arguments, and not the one argument */
    bool progress;        /* on a terminal: a bar on stderr */
    double timeout;       /* seconds for the whole map; 0: as long as it takes */
    uint64_t reserved[4]; /* must be zero */
} kin_map_options;

/* Makes a pool and starts its workers. KIN_EAGAIN: no processes to be had; KIN_ESTATE: this process
 * has threads already, and has not called kin_init; KIN_EMFILE: no descriptors for its supervisor;
 * KIN_EBROKEN: with threads, the fork server died. */
KIN_API int kin_pool_new(kin_pool **ret_pool, const kin_pool_options *options);

/* No more tasks; the workers end when all that was submitted is done. Twice is fine. */
KIN_API int kin_pool_close(kin_pool *pool);

/* The workers are killed now; what was not done fails with KIN_ECANCELLED. Twice is fine. */
KIN_API int kin_pool_terminate(kin_pool *pool);

/* Waits for the end of a pool that was closed or terminated. KIN_ESTATE: it was not;
 * KIN_ETIMEDOUT; KIN_EBROKEN: its supervisor was killed; KIN_EDEADLK: asked in one of its
 * workers. */
KIN_API int kin_pool_join(kin_pool *pool, double timeout);

/* Terminates what still runs, and frees the pool; futures stay good. NULL is fine. */
KIN_API void kin_pool_free(kin_pool *pool);
KIN_AUTO(kin_pool)

/* Calls fn(args) in a worker and waits for it. 0 and the result, which is yours (`ret_result` may
 * be NULL); or the task's own code, with its text in kin_errmsg(); or KIN_ECRASHED. */
KIN_API int kin_pool_apply(kin_pool *pool, kin_fn fn, kin_obj args, kin_obj *ret_result);

/* The same without waiting. With a NULL `ret_future` nobody waits, and a failure is logged. */
KIN_API int kin_pool_submit(kin_pool *pool, kin_fn fn, kin_obj args,
                            const kin_submit_options *options, kin_future **ret_future);

/* Calls fn((item,)) for each item of a list or tuple, and waits for all. 0 and the list of results
 * in the items' order; or the code of the first item that failed, after all chunks have ended (a
 * chunk ends at its first failure), and no results: to keep those of the others, submit each item.
 * KIN_ETIMEDOUT: not all were done in time; those that run go on, and their results are dropped. */
KIN_API int kin_pool_map(kin_pool *pool, kin_fn fn, kin_obj items, const kin_map_options *options,
                         kin_obj *ret_results);

/* The result, as often as you like (but once only if a kin_buffer is in it); the code of a task
 * that failed, with its text in kin_errmsg(); KIN_ETIMEDOUT; KIN_EDEADLK: asked in a worker of the
 * same pool, for a task that is not done. */
KIN_API int kin_future_get(kin_future *future, kin_obj *ret_result, double timeout);

/* Waits until the task is done, well or badly: 0, KIN_ETIMEDOUT, KIN_EBROKEN, KIN_EDEADLK. */
KIN_API int kin_future_wait(kin_future *future, double timeout);

/* Whether it is, well or badly. */
KIN_API bool kin_future_done(const kin_future *future);

/* Lets go of the future; the task is run all the same. NULL is fine. */
KIN_API void kin_future_free(kin_future *future);
KIN_AUTO(kin_future)

#ifdef __cplusplus
}
#endif
#endif
