/* map.c - a function over a list: cut into chunks, each one a task, and put together again.
 *
 * Who calls kin_pool_map waits for one chunk after the other. A future of the whole list is that of
 * a task in parts (set.c), which nobody runs: whoever ends the last chunk ends it.
 */
#include "many.h"

#include <stdio.h>

#define LOOK 200000000 /* ns between two looks at how far it is */

/* ---- what is asked for ----------------------------------------------------------------------- */

int kin__mapping_check(kin__mapping *m)
{
    static const kin_map_options defaults = { 0 };
    m->options = m->options != NULL ? m->options : &defaults;
    m->kind = m->options->star ? KIN__TASK_MAP | KIN__TASK_STAR : KIN__TASK_MAP;
    char what[64];
    snprintf(what, sizeof what, "%s: the pool", m->verb);
    int rv = kin__block_check(m->pool, KIN__POOL, what);
    if (rv < 0) {
        return rv;
    }
    if (kin__any_set(m->options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", m->verb);
    }
    return m->fn == NULL ? kin__fail(KIN_EINVAL, "%s: the function is NULL", m->verb) : 0;
}

int kin__mapping_submit(const kin__mapping *m, kin_obj items, kin_future **ret_future)
{
    kin__task *task;
    int rv = kin__task_new(m->pool, m->fn, items, m->kind, &task);
    return rv < 0 ? rv : kin__pool_submit(m->pool, task, ret_future, m->verb);
}

static int check_list(kin__mapping *m, kin_obj items)
{
    int rv = kin__mapping_check(m);
    rv = rv < 0 ? rv : kin__obj_check(items, m->verb);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(items) != KIN_TYPE_LIST && kin_type_of(items) != KIN_TYPE_TUPLE) {
        return kin__fail(KIN_ETYPE, "%s: the items are no list and no tuple", m->verb);
    }
    size_t shares = 4 * (size_t)atomic_load(&m->pool->wanted);
    size_t share = (kin_len(items) + shares - 1) / shares;
    m->chunk = m->options->chunksize != 0 ? m->options->chunksize : share;
    return 0;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

static kin__parts *new_parts(const kin__mapping *m, kin_obj items)
{
    kin__parts *parts = kin__os_calloc(1, sizeof *parts);
    size_t count = kin_len(items);
    size_t n = count == 0 ? 0 : (count - 1) / m->chunk + 1;
    kin_future **futures = parts != NULL ? kin__os_calloc(n + 1, sizeof(kin_future *)) : NULL;
    if (futures == NULL) {
        kin__os_free(parts);
        (void)kin__fail(KIN_ENOMEM, "%s: no memory for %zu chunks", m->verb, n);
        return NULL;
    }
    *parts = (kin__parts){ .n = n, .items = count, .chunk = m->chunk, .futures = futures };
    return parts;
}

static size_t items_before(const kin__parts *parts, size_t index)
{
    return index < parts->n ? index * parts->chunk : parts->items;
}

static size_t items_in(const kin__parts *parts, size_t index)
{
    return items_before(parts, index + 1) - items_before(parts, index);
}

static int submit_chunk(const kin__mapping *m, kin__parts *parts, kin_obj items, size_t index)
{
    kin__excerpt room;
    kin_obj part =
        kin__obj_excerpt(items, items_before(parts, index), items_in(parts, index), &room);
    int rv = kin__mapping_submit(m, part, &parts->futures[index]);
    kin__task *task = rv == 0 && parts->crowd.top != NULL
                          ? kin__block_at(parts->futures[index]->task, KIN__TASK, &rv)
                          : NULL;
    return task == NULL ? rv : kin__crowd_join(&parts->crowd, index, task, KIN__SET_WAITING);
}

static int submit_all(const kin__mapping *m, kin__parts *parts, kin_obj items)
{
    int rv = 0;
    for (size_t i = 0; rv == 0 && i < parts->n; i++) {
        rv = submit_chunk(m, parts, items, i);
    }
    return rv;
}

static void withdraw_all(const kin__parts *parts)
{
    for (size_t i = 0; i < parts->n && parts->futures[i] != NULL; i++) {
        kin__future_withdraw(parts->futures[i]);
    }
}

static bool lose_whole(kin__task *whole)
{
    uint64_t state = atomic_load(&whole->state);
    return KIN__TASK_PHASE(state) == KIN__TASK_IN_PARTS &&
           kin__task_lose(whole, state, KIN__LOST_CANCELLED, NULL);
}

void kin__parts_free(kin__parts *parts, kin__task *whole)
{
    for (size_t i = 0; i < parts->n && parts->futures[i] != NULL; i++) {
        kin__task *task = kin__block_at(parts->futures[i]->task, KIN__TASK, NULL);
        if (task != NULL && parts->crowd.top != NULL) {
            kin__crowd_leave(&parts->crowd, i, task, KIN__SET_WAITING);
        }
        kin_future_free(parts->futures[i]);
    }
    kin__crowd_end(&parts->crowd);
    if (whole != NULL) {
        (void)lose_whole(whole); /* nobody else will end it any more */
    }
    kin__os_free(parts->futures);
    kin__os_free(parts);
}

kin_future *kin__parts_failed(const kin__parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (kin__future_failed(parts->futures[i])) {
            return parts->futures[i];
        }
    }
    return NULL;
}

bool kin__parts_running(const kin__parts *parts)
{
    for (size_t i = 0; i < parts->n; i++) {
        if (kin_future_running(parts->futures[i])) {
            return true;
        }
    }
    return false;
}

/* ---- results --------------------------------------------------------------------------------- */

static int collect_chunk(const kin__parts *parts, size_t index, kin_obj results)
{
    int rv;
    kin__task *task = kin__block_at(parts->futures[index]->task, KIN__TASK, &rv);
    return task == NULL ? rv : kin__task_results(task, results, items_in(parts, index));
}

/* Waits for all chunks, as long as that makes sense. The first failure counts, after all have
 * ended. */
static int collect(const kin__parts *parts, int64_t deadline, kin_obj *ret_results)
{
    int first = 0;
    char why[512] = "";
    kin_obj results = kin__obj_list_for(parts->items);
    first = kin__obj_check(results, "kin_pool_map");
    for (size_t i = 0; i < parts->n; i++) {
        int waited = kin__future_wait(parts->futures[i], deadline, "kin_pool_map");
        int rv = waited < 0 || first < 0 ? waited : collect_chunk(parts, i, results);
        if (rv < 0 && first == 0) {
            first = rv;
            snprintf(why, sizeof why, "%s",
                     waited == KIN_ETIMEDOUT
                         ? "kin_pool_map: not all items are done within the timeout"
                         : kin_errmsg());
        }
        if (waited < 0) {
            break;
        }
    }
    if (first < 0) {
        kin_release(results);
        return why[0] != '\0' ? kin__fail(first, "%s", why) : first;
    }
    *ret_results = results;
    return 0;
}

int kin__parts_result(const kin__parts *parts, kin__task *whole, kin_obj *ret_result)
{
    return KIN__TASK_PHASE(atomic_load(&whole->state)) == KIN__TASK_DONE
               ? collect(parts, KIN__NEVER, ret_result)
               : kin__task_result(whole, ret_result);
}

/* ---- kin_pool_map ---------------------------------------------------------------------------- */

/* Shows how the chunks are done, until all are or the time is over. */
static int watch(const kin__mapping *m, const kin__parts *parts, int64_t deadline)
{
    kin__many many;
    kin__progress progress;
    size_t done = 0;
    size_t failed = 0;
    int rv = kin__many_new(&many, parts->n);
    rv = rv < 0 ? rv : kin__many_add_all(&many, parts->futures, m->verb);
    kin__progress_begin(&progress, parts->items);
    while (rv == 0 && many.taken != 0) {
        kin_future *chunk;
        size_t seat;
        int64_t next = kin__os_now() + LOOK;
        rv = kin__many_next(&many, next < deadline ? next : deadline, m->verb, &chunk, &seat);
        if (rv == 0) {
            failed += kin__future_failed(chunk);
            done += items_in(parts, seat);
        } else if (rv == KIN_ETIMEDOUT && next < deadline) {
            rv = 0;
        }
        kin__progress_show(&progress, done, failed);
    }
    kin__progress_end(&progress, done, failed);
    kin__many_end(&many);
    return rv == KIN_ETIMEDOUT ? 0 : rv; /* who collects will say so */
}

static int run(const kin__mapping *m, kin_obj items, int64_t deadline, kin_obj *ret_results)
{
    kin__parts *parts = new_parts(m, items);
    if (parts == NULL) {
        return kin__failure();
    }
    int rv = submit_all(m, parts, items);
    if (rv == 0 && m->options->progress && parts->n != 0) {
        rv = watch(m, parts, deadline);
    }
    rv = rv < 0 ? rv : collect(parts, deadline, ret_results);
    if (rv < 0) {
        withdraw_all(parts);
    }
    kin__parts_free(parts, NULL);
    return rv;
}

static int map(kin__mapping *m, kin_obj items, kin_obj *ret_results)
{
    int64_t deadline;
    int rv = check_list(m, items);
    double timeout = rv == 0 && m->options->timeout != 0 ? m->options->timeout : KIN_FOREVER;
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    if (ret_results == NULL || m->options->on_done != NULL) {
        return kin__fail(KIN_EINVAL, "kin_pool_map: the place for the results is NULL, or there is "
                                     "an .on_done, which is for kin_pool_map_async");
    }
    if (m->pool->self == kin__worker_pool()) {
        return kin__fail(KIN_EDEADLK, "kin_pool_map: a worker would wait for its own pool");
    }
    return run(m, items, deadline, ret_results);
}

int kin_pool_map(kin_pool *pool, kin_fn fn, kin_obj items, const kin_map_options *options,
                 kin_obj *ret_results)
{
    kin__mapping m = { .verb = "kin_pool_map", .pool = pool, .fn = fn, .options = options };
    int rv = map(&m, items, ret_results);
    kin__obj_drop(items);
    return rv;
}

/* ---- kin_pool_map_async ---------------------------------------------------------------------- */

/* The task in parts. */
static int new_whole(const kin__mapping *m, uint32_t number, kin__task **ret_whole)
{
    kin_obj nothing = kin_tuple();
    int rv = kin__task_new(m->pool, m->fn, nothing, m->kind, ret_whole);
    kin_release(nothing);
    if (rv == 0) {
        atomic_store(&(*ret_whole)->state, KIN__TASK_STATE(KIN__TASK_IN_PARTS, number));
        kin__block_give(*ret_whole);
        KIN__STEP("map.whole");
    }
    return rv;
}

/* The future of a whole without parts. */
static int new_future(const kin__mapping *m, kin_obj items, kin_future **ret_future)
{
    kin_future *future = kin__os_calloc(1, sizeof *future);
    kin__parts *parts = future != NULL ? new_parts(m, items) : NULL;
    if (parts == NULL) {
        kin__os_free(future);
        return kin__fail(KIN_ENOMEM, "kin_pool_map_async: no memory for a future");
    }
    future->pool = m->pool->self;
    future->parts = parts;
    *ret_future = future;
    return 0;
}

static int begin(const kin__mapping *m, kin_obj items, kin_future *future)
{
    static _Atomic uint32_t numbers;
    uint32_t number = atomic_fetch_add(&numbers, 1);
    kin__parts *parts = future->parts;
    kin__task *whole;
    int rv = new_whole(m, number, &whole);
    if (rv < 0) {
        return rv;
    }
    future->task = kin__block_ref(whole);
    rv = kin__crowd_new(&parts->crowd, parts->n, whole, number);
    rv = rv < 0 ? rv : submit_all(m, parts, items);
    if (rv < 0) {
        withdraw_all(parts);
    } else if (parts->n == 0) {
        kin__task_whole(whole, number);
    }
    return rv;
}

static int map_async(kin__mapping *m, kin_obj items, kin_future **ret_future)
{
    struct kin__calling *calling = NULL;
    kin_future *future = NULL;
    int rv = check_list(m, items);
    if (rv == 0 && (m->options->timeout != 0 || m->options->progress)) {
        rv = kin__fail(KIN_EINVAL, "kin_pool_map_async: .timeout and .progress are for who waits");
    }
    const kin_map_options *how = m->options;
    rv = rv < 0 ? rv : kin__callback_reserve(m->pool, how->on_done, how->ctx, &calling);
    rv = rv < 0 ? rv : new_future(m, items, &future);
    if (rv < 0) {
        kin__callback_cancel(calling);
        return rv;
    }
    rv = begin(m, items, future);
    if (rv < 0 || (ret_future == NULL && calling == NULL)) {
        kin__callback_cancel(calling);
        kin_future_free(future);
        return rv;
    }
    if (ret_future != NULL) {
        *ret_future = future;
    }
    kin__callback_begin(calling, future, ret_future != NULL);
    return 0;
}

int kin_pool_map_async(kin_pool *pool, kin_fn fn, kin_obj items, const kin_map_options *options,
                       kin_future **ret_future)
{
    kin__mapping m = { .verb = "kin_pool_map_async", .pool = pool, .fn = fn, .options = options };
    int rv = map_async(&m, items, ret_future);
    kin__obj_drop(items);
    return rv;
}

bool kin__map_cancel(kin_future *future, bool kill)
{
    const kin_cancel_options how = { .kill = kill };
    kin__task *whole = kin__block_at(future->task, KIN__TASK, NULL);
    if (future->parts == NULL || whole == NULL || !lose_whole(whole)) {
        return false;
    }
    for (size_t i = 0; i < future->parts->n; i++) {
        (void)kin_future_cancel(future->parts->futures[i], &how);
    }
    return true;
}
