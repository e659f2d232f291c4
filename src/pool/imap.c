/* imap.c - a function over whatever a source gives, with results as they are asked for.
 *
 * Idea. Items are taken from the source while results are handed out: never more than .buffersize
 * are on their way. They travel in chunks, each at a seat of its own; a chunk's results lie in
 * `open` till all of them were handed out, and only then its seat is free again.
 *
 *      source --> [ chunk | chunk | chunk ] --> open: result, result, ... --> kin_iter_next
 *                   seats, in a ring              (its chunk's first ones were handed out)
 *
 * Rules.
 *   R1  Items on their way: those of the chunks at seats, and what is left of the open one. A chunk
 *       is begun only when there is room for all of it.
 *   R2  In order, the next chunk is that at the oldest seat, and the ring goes round. Else it is
 *       whichever is done: seats are free in any order then, and are in a list.
 *   R3  A chunk's failing items are among its results (KIN__TASK_EACH). A chunk that failed as a
 *       whole, as by its worker's death, counts as that failure for each of its items.
 *   R4  What ended the source is told after the results of the items before it, once; from then
 *       on it is KIN_EEOF.
 *   R5  A chunk that cannot be sent fails alone: its items' turn comes when all before it have been
 *       handed out, and only then the next ones are taken.
 *
 * Death. Of who iterates: what he had submitted is run, and its results go with the pool.
 */
#include "many.h"

#include <stdio.h>

#define CHUNKS_EACH 4 /* for each worker */
#define SEATS_MOST ((size_t)65536)

typedef struct batch {
    kin_future *future; /* NULL: the seat is free */
    size_t items;
    size_t next_free; /* unordered: a seat; or as many as there are, at the end */
} batch;

typedef struct kin__imap {
    kin__mapping mapping;
    kin_map_options options;
    kin__ref pool;
    kin_source source; /* its items are ours */
    size_t listed;     /* of the items */
    int64_t deadline;
    size_t buffersize;
    size_t on_their_way; /* items */
    int source_ended;    /* 0, or why */
    size_t refused;      /* items of a chunk that could not be sent, for `refused_for`: R5 */
    int refused_for;
    char why[256]; /* of either */
    size_t seats;
    size_t begun;  /* seats that are taken */
    size_t oldest; /* of them, in order; unordered: the first that is free */
    batch *at;
    kin__many *unordered; /* NULL: in order */
    struct {
        kin_obj results; /* a list; or none, and all of them failed with `code` */
        size_t next, items;
        int code;
        char why[512];
    } open;
} kin__imap;

/* ---- items go in ----------------------------------------------------------------------------- */

/* R4. What ends it early is told later. */
static void end_source(kin__imap *imap, int code, const char *why)
{
    imap->source_ended = code;
    snprintf(imap->why, sizeof imap->why, "%s", why);
}

static int next_item(kin__imap *imap, kin_obj *ret_item)
{
    if (imap->source.next != NULL) {
        return imap->source.next(imap->source.ctx, ret_item);
    }
    if (imap->listed >= kin_len(imap->source.items)) {
        return KIN_EEOF;
    }
    *ret_item = kin_at(imap->source.items, imap->listed++);
    return 0;
}

/* Up to a chunk of items; fewer when the source ends. */
static kin_obj take_items(kin__imap *imap)
{
    kin_obj items = kin_list();
    while (imap->source_ended == 0 && kin_len(items) < imap->mapping.chunk) {
        kin_obj item = kin_none();
        int rv = next_item(imap, &item);
        if (rv < 0) {
            const char *why = rv == kin__failure() ? kin_errmsg() : kin_strerror(rv);
            end_source(imap, rv, rv == KIN_EEOF ? "kin_iter_next: that was all" : why);
            break;
        }
        rv = kin_append(&items, item);
        if (rv < 0) {
            end_source(imap, rv, kin_errmsg());
        }
    }
    return items;
}

/* R2. */
static size_t free_seat(const kin__imap *imap)
{
    return imap->unordered != NULL ? imap->oldest : (imap->oldest + imap->begun) % imap->seats;
}

static void take_seat(kin__imap *imap, size_t seat)
{
    imap->begun++;
    imap->oldest = imap->unordered != NULL ? imap->at[seat].next_free : imap->oldest;
}

static void leave_seat(kin__imap *imap, size_t seat)
{
    imap->begun--;
    imap->at[seat].future = NULL;
    imap->at[seat].next_free = imap->oldest;
    imap->oldest = imap->unordered != NULL ? seat : (imap->oldest + 1) % imap->seats;
}

static int submit_items(kin__imap *imap, kin_obj items)
{
    size_t seat = free_seat(imap);
    batch *c = &imap->at[seat];
    kin_future *future;
    int rv = kin__mapping_submit(&imap->mapping, items, &future);
    if (rv == 0 && imap->unordered != NULL) {
        rv = kin__many_add(imap->unordered, seat, future, "kin_iter_next");
        if (rv < 0) {
            kin__future_withdraw(future);
            kin_future_free(future);
        }
    }
    if (rv == 0) {
        c->future = future;
        c->items = kin_len(items);
        take_seat(imap, seat);
        imap->on_their_way += c->items;
    }
    return rv;
}

/* R5, unless the pool takes no more. */
static void refuse(kin__imap *imap, size_t items, int code)
{
    if (code == KIN_ECLOSED || code == KIN_EBROKEN) {
        end_source(imap, code, kin_errmsg());
        return;
    }
    if (imap->source_ended == 0) {
        snprintf(imap->why, sizeof imap->why, "%s", kin_errmsg());
    }
    imap->refused = items;
    imap->refused_for = code;
}

static bool has_room(const kin__imap *imap)
{
    return imap->source_ended == 0 && imap->refused == 0 && imap->begun < imap->seats;
}

/* R1. An endless source ends with its pool. */
static void fill(kin__imap *imap)
{
    int rv = has_room(imap) ? kin__pool_hopeless(imap->pool) : 0;
    if (rv < 0) {
        end_source(imap, rv, kin_errmsg());
    }
    while (has_room(imap) && imap->buffersize - imap->on_their_way >= imap->mapping.chunk) {
        kin_obj items = take_items(imap);
        rv = kin_len(items) > 0 ? submit_items(imap, items) : 0;
        if (rv < 0) {
            refuse(imap, kin_len(items), rv);
        }
        kin_release(items);
    }
}

/* ---- results come out ------------------------------------------------------------------------ */

static int await_chunk(kin__imap *imap, int64_t deadline, size_t *ret_seat)
{
    kin_future *future;
    if (imap->unordered != NULL) {
        return kin__many_next(imap->unordered, deadline, "kin_iter_next", &future, ret_seat);
    }
    int rv = kin__future_wait(imap->at[imap->oldest].future, deadline, "kin_iter_next");
    if (rv == KIN_ETIMEDOUT || rv == KIN_EDEADLK || rv == KIN_EINTR) {
        return rv;
    }
    *ret_seat = imap->oldest; /* also when its pool has died: then this chunk says so */
    return 0;
}

/* R3 */
static void open_chunk(kin__imap *imap, size_t seat)
{
    batch *c = &imap->at[seat];
    kin_obj results = kin_none();
    int rv = kin_future_get(c->future, &results, 0);
    if (rv == 0 && kin_len(results) != c->items) {
        kin_release(results);
        results = kin_none();
        rv = kin__fail(KIN_ECORRUPT, "kin_iter_next: a chunk has more results than items, or less");
    }
    imap->open.results = results;
    imap->open.code = rv;
    imap->open.next = 0;
    imap->open.items = c->items;
    snprintf(imap->open.why, sizeof imap->open.why, "%s", rv < 0 ? kin_errmsg() : "");
    kin_future_free(c->future);
    leave_seat(imap, seat);
}

/* R5 */
static void open_refused(kin__imap *imap)
{
    imap->open.results = kin_none();
    imap->open.code = imap->refused_for;
    imap->open.next = 0;
    imap->open.items = imap->refused;
    snprintf(imap->open.why, sizeof imap->open.why, "%s",
             imap->source_ended == 0 ? imap->why : kin_strerror(imap->refused_for));
    imap->on_their_way += imap->refused;
    imap->refused = 0;
}

/* R4 */
static int tell_end(kin__imap *imap)
{
    int code = kin__fail(imap->source_ended, "%s", imap->why);
    end_source(imap, KIN_EEOF, "kin_iter_next: that was all");
    return code;
}

static int hand_out(kin__imap *imap, kin_obj *ret_result)
{
    size_t index = imap->open.next++;
    imap->on_their_way--;
    int code = imap->open.code;
    if (code < 0) {
        return kin__fail(code, "%s", imap->open.why);
    }
    int rv = kin__obj_result(kin_retain(kin_at(imap->open.results, index)), ret_result);
    if (imap->open.next == imap->open.items) {
        kin_release(imap->open.results);
        imap->open.results = kin_none();
    }
    return rv;
}

int kin__imap_next(kin__imap *imap, kin_obj *ret_result, int64_t deadline)
{
    fill(imap);
    if (imap->open.next == imap->open.items && imap->begun == 0 && imap->refused != 0) {
        open_refused(imap);
    }
    if (imap->open.next == imap->open.items) {
        if (imap->begun == 0) {
            return tell_end(imap);
        }
        size_t seat;
        int rv = await_chunk(imap, deadline < imap->deadline ? deadline : imap->deadline, &seat);
        if (rv < 0) {
            return rv == KIN_ETIMEDOUT
                       ? kin__fail(rv, "kin_iter_next: there is no result within the timeout")
                       : rv;
        }
        open_chunk(imap, seat);
    }
    return hand_out(imap, ret_result);
}

/* ---- making and freeing ---------------------------------------------------------------------- */

void kin__imap_free(kin__imap *imap)
{
    if (imap == NULL) {
        return;
    }
    if (imap->unordered != NULL) {
        kin__many_end(imap->unordered);
        kin__os_free(imap->unordered);
    }
    for (size_t i = 0; imap->at != NULL && i < imap->seats; i++) {
        if (imap->at[i].future != NULL) {
            kin__future_withdraw(imap->at[i].future);
            kin_future_free(imap->at[i].future);
        }
    }
    kin_release(imap->open.results);
    kin_release(imap->source.items);
    kin__os_free(imap->at);
    kin__os_free(imap);
}

static int make_seats(kin__imap *imap)
{
    imap->at = kin__os_calloc(imap->seats, sizeof *imap->at);
    if (imap->at != NULL && imap->options.unordered) {
        imap->unordered = kin__os_calloc(1, sizeof *imap->unordered);
    }
    if (imap->at == NULL || (imap->options.unordered && imap->unordered == NULL)) {
        return kin__fail(KIN_ENOMEM, "kin_pool_imap: no memory for %zu chunks", imap->seats);
    }
    for (size_t i = 0; i < imap->seats; i++) {
        imap->at[i].next_free = i + 1;
    }
    return imap->unordered != NULL ? kin__many_new(imap->unordered, imap->seats) : 0;
}

/* .chunksize and .buffersize, of which a chunk is no more. */
static void measure(kin__imap *imap)
{
    size_t chunk = imap->options.chunksize != 0 ? imap->options.chunksize : 1;
    size_t buffer = imap->options.buffersize;
    size_t chunks = CHUNKS_EACH * (size_t)atomic_load(&imap->mapping.pool->wanted);
    if (buffer != 0 && chunk > buffer) {
        chunk = buffer;
    }
    imap->seats = buffer == 0 ? chunks : buffer / chunk < SEATS_MOST ? buffer / chunk : SEATS_MOST;
    imap->buffersize = buffer != 0 ? buffer : chunk > SIZE_MAX / chunks ? SIZE_MAX : chunk * chunks;
    imap->mapping.chunk = chunk;
}

static int prepare(kin__imap *imap)
{
    double timeout = imap->options.timeout != 0 ? imap->options.timeout : KIN_FOREVER;
    int rv = kin__deadline(timeout, &imap->deadline);
    if (rv == 0 && (imap->options.on_done != NULL || imap->options.progress)) {
        rv = kin__fail(KIN_EINVAL, "kin_pool_imap: .on_done is for kin_pool_map_async, .progress "
                                   "for kin_pool_map");
    }
    if (rv == 0 && imap->mapping.pool->self == kin__worker_pool()) {
        rv = kin__fail(KIN_EDEADLK, "kin_pool_imap: a worker would wait for its own pool");
    }
    if (rv < 0) {
        return rv;
    }
    imap->mapping.kind |= KIN__TASK_EACH;
    measure(imap);
    return make_seats(imap);
}

static int check_source(const kin_source *source)
{
    if (source->next != NULL || kin_type_of(source->items) == KIN_TYPE_LIST ||
        kin_type_of(source->items) == KIN_TYPE_TUPLE) {
        return 0;
    }
    return kin__fail(KIN_ETYPE,
                     "kin_pool_imap: the source has no function, and its items are no list "
                     "and no tuple");
}

static int make_iter(const kin__mapping *mapping, kin_source *source, kin_iter **ret_iter)
{
    kin_iter *iter = kin__os_calloc(1, sizeof *iter);
    kin__imap *imap = iter != NULL ? kin__os_calloc(1, sizeof *imap) : NULL;
    if (imap == NULL) {
        kin__os_free(iter);
        return kin__fail(KIN_ENOMEM, "kin_pool_imap: no memory for an iterator");
    }
    iter->imap = imap;
    imap->mapping = *mapping;
    imap->options = *mapping->options;
    imap->mapping.options = &imap->options; /* the caller's may be gone */
    imap->pool = mapping->pool->self;
    imap->source = *source;
    source->items = kin_none(); /* ours, from here on */
    imap->open.results = kin_none();
    int rv = prepare(imap);
    if (rv < 0) {
        kin_iter_free(iter);
    } else {
        *ret_iter = iter;
    }
    return rv;
}

int kin_pool_imap(kin_pool *pool, kin_fn fn, const kin_source *items,
                  const kin_map_options *options, kin_iter **ret_iter)
{
    kin__mapping mapping = { .verb = "kin_pool_imap", .pool = pool, .fn = fn, .options = options };
    kin_source source = items != NULL ? *items : (kin_source){ .next = NULL };
    source.items = source.next == NULL ? kin__obj_own(source.items) : kin_none();
    int rv = kin__mapping_check(&mapping);
    if (rv == 0 && (items == NULL || ret_iter == NULL)) {
        rv = kin__fail(KIN_EINVAL, "kin_pool_imap: the source, or the place for the iterator, is "
                                   "NULL");
    }
    rv = rv < 0 ? rv : check_source(&source);
    rv = rv < 0 ? rv : make_iter(&mapping, &source, ret_iter);
    kin_release(source.items);
    return rv;
}
