/* map.c - a function over a list: cut into chunks, each one a task, and put together again. */
#include "room.h"

#include <stdio.h>

typedef struct mapping {
    kin_pool *pool;
    kin_fn fn;
    kin_obj items;
    uint32_t kind;
    size_t chunk;
    size_t count; /* of chunks */
    int64_t deadline;
    kin_future **futures;
} mapping;

/* Items [from, to) as a list of its own. */
static kin_obj slice(kin_obj items, size_t from, size_t to)
{
    kin_obj part = kin_list();
    for (size_t i = from; i < to; i++) {
        if (kin_append(&part, kin_at(items, i)) < 0) {
            kin_release(part);
            return kin__obj_invalid(KIN_ENOMEM);
        }
    }
    return part;
}

static int submit_chunk(mapping *m, size_t index)
{
    size_t from = index * m->chunk;
    size_t left = kin_len(m->items) - from;
    kin_obj part = slice(m->items, from, from + (left < m->chunk ? left : m->chunk));
    kin__task *task;
    int rv = kin__task_new(m->pool, m->fn, part, m->kind, &task);
    kin_release(part);
    return rv < 0 ? rv : kin__pool_submit(m->pool, task, &m->futures[index], "kin_pool_map");
}

static int collect_chunk(mapping *m, size_t index, kin_obj *results)
{
    kin_obj part;
    int rv = kin_future_get(m->futures[index], &part, 0);
    if (rv < 0) {
        return rv;
    }
    for (size_t i = 0; rv == 0 && i < kin_len(part); i++) {
        rv = kin_append(results, kin_at(part, i));
    }
    kin_release(part);
    return rv;
}

static int wait_for_chunk(mapping *m, size_t index)
{
    int rv = kin__future_wait(m->futures[index], m->deadline, "kin_pool_map");
    return rv == KIN_ETIMEDOUT
               ? kin__fail(rv, "kin_pool_map: not all items are done within the timeout")
               : rv;
}

/* Waits for all chunks, as long as that makes sense. The first failure counts, after all have
 * ended. */
static int collect(mapping *m, kin__progress *progress, kin_obj *results)
{
    int first = 0;
    char why[512] = "";
    for (size_t i = 0; i < m->count; i++) {
        int waited = wait_for_chunk(m, i);
        int rv = waited < 0 ? waited : collect_chunk(m, i, results);
        if (rv < 0 && first == 0) {
            first = rv;
            snprintf(why, sizeof why, "%s", kin_errmsg());
        }
        if (waited < 0) {
            break;
        }
        size_t done = (i + 1) * m->chunk;
        kin__progress_show(progress, done < progress->total ? done : progress->total);
    }
    return first == 0 ? 0 : kin__fail(first, "%s", why);
}

static int run(mapping *m, bool shown, kin_obj *ret_results)
{
    kin__progress progress;
    kin_obj results = kin_list();
    int rv = kin__obj_check(results, "kin_pool_map");
    for (size_t i = 0; rv == 0 && i < m->count; i++) {
        rv = submit_chunk(m, i);
    }
    if (rv == 0) {
        kin__progress_begin(&progress, shown, kin_len(m->items));
        rv = collect(m, &progress, &results);
        kin__progress_end(&progress);
    }
    for (size_t i = 0; i < m->count; i++) {
        kin_future_free(m->futures[i]);
    }
    if (rv < 0) {
        kin_release(results);
    } else {
        *ret_results = results;
    }
    return rv;
}

static int check(const mapping *m, const kin_map_options *options, const kin_obj *ret_results)
{
    int rv = kin__block_check(m->pool, KIN__POOL, "kin_pool_map: the pool");
    rv = rv < 0 ? rv : kin__obj_check(m->items, "kin_pool_map");
    if (rv < 0) {
        return rv;
    }
    for (size_t i = 0; i < 4; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_pool_map: a reserved option is not zero");
        }
    }
    if (m->fn == NULL || ret_results == NULL) {
        return kin__fail(KIN_EINVAL,
                         "kin_pool_map: the function, or the place for the results, is NULL");
    }
    if (kin_type_of(m->items) != KIN_TYPE_LIST && kin_type_of(m->items) != KIN_TYPE_TUPLE) {
        return kin__fail(KIN_ETYPE, "kin_pool_map: the items are no list and no tuple");
    }
    return m->pool->self == kin__worker_pool()
               ? kin__fail(KIN_EDEADLK, "kin_pool_map: a worker would wait for its own pool")
               : 0;
}

static int map(mapping *m, const kin_map_options *options, kin_obj *ret_results)
{
    int rv = check(m, options, ret_results);
    rv = rv < 0
             ? rv
             : kin__deadline(options->timeout != 0 ? options->timeout : KIN_FOREVER, &m->deadline);
    if (rv < 0) {
        return rv;
    }
    size_t count = kin_len(m->items);
    size_t share = (count + 4 * m->pool->places - 1) / (4 * m->pool->places);
    m->chunk = options->chunksize != 0 ? options->chunksize : share;
    m->kind = KIN__TASK_MAP | (options->star ? KIN__TASK_STAR : 0);
    m->count = count == 0 ? 0 : (count - 1) / m->chunk + 1;
    m->futures = kin__os_calloc(m->count + 1, sizeof(kin_future *));
    if (m->futures == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_pool_map: no memory for %zu chunks", m->count);
    }
    rv = run(m, options->progress, ret_results);
    kin__os_free(m->futures);
    return rv;
}

int kin_pool_map(kin_pool *pool, kin_fn fn, kin_obj items, const kin_map_options *options,
                 kin_obj *ret_results)
{
    const kin_map_options defaults = { 0 };
    mapping m = { .pool = pool, .fn = fn, .items = items };
    int rv = map(&m, options != NULL ? options : &defaults, ret_results);
    kin__obj_drop(items);
    return rv;
}
