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
 * it was sent before. Workers are daemons, and so are the children of tasks; they ignore SIGINT.
 *
 * With .threads the workers are threads of this process: nothing is copied by fork, and nothing
 * protects from a crash or ends a task that runs.
 */
#ifndef KIN_POOL_H
#define KIN_POOL_H

#include <kin/future.h>
#include <kin/obj.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_pool: workers that run tasks.
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

typedef struct kin_pool_options {
    unsigned processes;           /* workers; 0: kin_cpu_count(), in a worker its share of it */
    unsigned threads;             /* instead: so many threads of this process */
    const char *name;             /* of workers: NAME-1, NAME-2 ...; NULL: "kin-worker" */
    const char *start_method;     /* "fork", "forkserver", or "spawn"; NULL: fork, with threads
                                  * forkserver */
    const char *engine;           /* "scheme://...": workers of somebody else's */
    kin_fn initializer;           /* called in each worker before its first task */
    kin_obj initargs;             /* its arguments, a tuple, given away; zero: none */
    kin_fn finalizer;             /* called in a worker that leaves in order */
    kin_obj finalargs;            /* its arguments, given away */
    unsigned max_tasks_per_child; /* then a worker is replaced; a chunk of a map is one; 0: never */
    uint64_t max_memory_per_child; /* bytes resident after a task, the same; 0: any */
    double task_timeout;           /* seconds for a call: a task, an item, an index; 0: any */
    unsigned retries;     /* how often a task is run again whose worker died, or that overran */
    bool pin;             /* a worker stays on one processor */
    bool stats;           /* also the times of kin_pool_stats */
    bool callback_thread; /* on_done is called in a thread of its own */
    uint64_t reserved[4]; /* must be zero */
} kin_pool_options;

typedef struct kin_submit_options {
    kin_done_fn on_done;  /* as kin_future_on_done; also without a future, which lives as long */
    void *ctx;            /* for on_done */
    double timeout;       /* seconds that it may run; 0: the pool's .task_timeout */
    int retries;          /* 0: the pool's; less: none */
    const char *name;     /* in sentences about it; NULL: the function's */
    uint64_t reserved[4]; /* must be zero */
} kin_submit_options;

typedef struct kin_map_options {
    size_t chunksize;    /* items that travel together; 0: four chunks for each worker, in imap 1 */
    size_t buffersize;   /* imap: items taken from the source and not handed out; 0: some for each
                           * worker */
    bool star;           /* an item is the tuple of arguments, and not the one argument */
    bool unordered;      /* imap: results as they come */
    bool progress;       /* a bar on stderr; a line now and then where that is no terminal */
    double timeout;      /* seconds for the whole map; 0: as long as it takes */
    kin_done_fn on_done; /* map_async: as kin_future_on_done */
    void *ctx;           /* for on_done */
    uint64_t reserved[4]; /* must be zero */
} kin_map_options;

/* Makes a pool and starts its workers. KIN_EAGAIN: no processes to be had; KIN_ESTATE: this process
 * has threads already, and has not called kin_init; KIN_EMFILE: no descriptors for its supervisor;
 * KIN_EBROKEN: with threads, the fork server died. KIN_EUNSUPPORTED: .threads with what only
 * processes can do: .task_timeout, .max_memory_per_child, .start_method; an engine that is not
 * there. */
KIN_API int kin_pool_new(kin_pool **ret_pool, const kin_pool_options *options);

/* No more tasks; the workers end when all that was submitted is done. Twice is fine. */
KIN_API int kin_pool_close(kin_pool *pool);

/* The workers are killed now; what was not done fails with KIN_ECANCELLED. Threads finish the task
 * in their hands. Twice is fine. */
KIN_API int kin_pool_terminate(kin_pool *pool);

/* Waits for the end of a pool that was closed or terminated. KIN_ESTATE: it was not;
 * KIN_ETIMEDOUT; KIN_EBROKEN: its supervisor was killed; KIN_EDEADLK: asked in one of its
 * workers. */
KIN_API int kin_pool_join(kin_pool *pool, double timeout);

/* Terminates what still runs, and frees the pool; futures stay good. NULL is fine. */
KIN_API void kin_pool_free(kin_pool *pool);
KIN_AUTO(kin_pool)

/* So many workers from now on, up to as many as at its making or 64, whichever is more. Workers too
 * many leave after the task in their hands. KIN_ERANGE, KIN_ECLOSED; KIN_ESTATE: more threads, and
 * this is not the pool's maker; no more threads to be had: KIN_EAGAIN, and it stays as it was. */
KIN_API int kin_pool_resize(kin_pool *pool, unsigned workers);

/* What the pool has done, as a dict: 'workers' (a list of dicts, one for each place that has or had
 * a worker, for all who were there together: 'pid' of the last, 'tasks', 'restarts'; with
 * .stats also 'busy', 'idle' and 'startup' in seconds), 'queued', 'done', 'failed'; with .stats
 * also 'wait' and 'run' (dicts of seconds: 'p50', 'p90', 'p99', 'max'). */
KIN_API int kin_pool_stats(kin_pool *pool, kin_obj *ret_stats);

/* ---- tasks ---------------------------------------------------------------------------------- */

/* Calls fn(args) in a worker and waits for it. 0 and the result, which is yours (`ret_result` may
 * be NULL); or the task's own code, with its text in kin_errmsg(); or KIN_ECRASHED. In a worker of
 * the same pool: KIN_EDEADLK, and it is not run. */
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

/* The same without waiting: a future of the list. */
KIN_API int kin_pool_map_async(kin_pool *pool, kin_fn fn, kin_obj items,
                               const kin_map_options *options, kin_future **ret_future);

/* kin_source: where an imap's items come from: a list, or a function that is asked for one at a
 * time, when there is room for it.
 *
 *     kin_source numbers = { .items = kin_range(0, 1000) };
 *     kin_source lines = { .next = next_line, .ctx = file };
 *
 * next: 0 and an item, which is given; KIN_EEOF: there are no more; another failure ends the
 * iteration: that code is told once, after the results of the items before it, and then KIN_EEOF.
 * It is called in the thread that iterates.
 *
 * Owner:     plain data, which is copied; ctx must live as long as the iterator. Its .items are
 *            given away, also when the call fails.
 * Threads:   one at a time.
 * Processes: the one that made it.
 * Fork:      the child's copy is of no use.
 * Death:     nothing is left of it.
 */
typedef struct kin_source {
    int (*next)(void *ctx, kin_obj *ret_item);
    void *ctx;
    kin_obj items; /* without next: a list or tuple */
} kin_source;

/* As map, but items are taken while results are handed out (kin_iter_next): at no time more than
 * .buffersize are on their way. */
KIN_API int kin_pool_imap(kin_pool *pool, kin_fn fn, const kin_source *items,
                          const kin_map_options *options, kin_iter **ret_iter);

/* ---- in a worker ---------------------------------------------------------------------------- */

/* A pointer of this worker's own: what its initializer set, for its tasks. NULL elsewhere. */
KIN_API void *kin_worker_state(void);
KIN_API void kin_worker_set_state(void *state);

/* Which worker of its pool runs this task: 0 ..., or -1 outside of tasks. */
KIN_API int kin_worker_index(void);

/* ---- memory instead of messages ------------------------------------------------------------- */

/* One struct to another: 0, or a code below 0 that fails the map. */
typedef int (*kin_struct_fn)(const void *in, void *out, void *ctx);

/* kin_map_array: arrays of plain structs, as map's input and output.
 *
 * Owner:     whoever has the arrays.
 * Threads:   the arrays are nobody else's while the map runs.
 * Processes: arrays of the family's memory are used where they are, others are copied.
 * Fork:      plain data.
 * Death:     of a worker: what he had begun may be half-written.
 */
typedef struct kin_map_array {
    size_t n;
    const void *in; /* n structs of in_size bytes, without pointers into private memory */
    size_t in_size;
    void *out; /* n structs of out_size bytes; may be `in` itself */
    size_t out_size;
    void *ctx; /* memory of the family's, or NULL */
} kin_map_array;

/* Calls fn for each struct of an array; no objects are made. Arrays of the family's memory
 * (kin_alloc) are read and written where they are; others are copied there and back. The code of
 * the first that failed, after all chunks have ended: `out` has the results of the others then.
 * Of the options .chunksize, .progress and .timeout count; .task_timeout as in kin_pool_for. */
KIN_API int kin_pool_map_array(kin_pool *pool, kin_struct_fn fn, const kin_map_array *arrays,
                               const kin_map_options *options);

typedef enum kin_schedule {
    KIN_SCHEDULE_AUTO,    /* guided, by what an index has cost so far */
    KIN_SCHEDULE_STATIC,  /* everybody has the same share from the beginning */
    KIN_SCHEDULE_DYNAMIC, /* .grain indexes at a time, whoever is free; 0: 1 */
    KIN_SCHEDULE_GUIDED,  /* shares that get smaller, down to .grain */
} kin_schedule;

typedef struct kin_for_options {
    kin_schedule schedule;
    size_t grain;
    double timeout;     /* seconds; 0: as long as it takes */
    void *result;       /* a reduction: where the parts are combined into */
    size_t result_size; /* bytes of a part; each begins as zeroes */
    void (*combine)(void *into, const void *part);
    uint64_t reserved[4]; /* must be zero */
} kin_for_options;

/* Calls body(i, ctx) for each begin <= i < end, on all workers and in the caller. `ctx` lies in the
 * family's memory (kin_alloc), or is NULL: no messages are sent. KIN_ECRASHED: a worker died in it,
 * and what it had begun may be half-done; the rest is done. KIN_ETIMEDOUT: some still run.
 *
 * With .task_timeout the caller calls no body, for nobody could end it. KIN_EOVERRUN: one took too
 * long, and its worker was ended; the others do the rest, and what no worker is left for is not
 * begun: the sentence says which indexes. */
KIN_API int kin_pool_for(kin_pool *pool, size_t begin, size_t end, void (*body)(size_t, void *),
                         void *ctx, const kin_for_options *options);

/* In a body: this worker's part of the reduction, .result_size bytes. */
KIN_API void *kin_for_part(void);

#ifdef __cplusplus
}
#endif
#endif
