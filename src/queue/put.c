/* put.c - objects and bytes into a queue. A message is packed before a cell is claimed for it
 * (ring/message.c); of many, as many cells in a row as there are. */
#include "room.h"

#define RUN 32u /* messages that are packed before their cells are claimed */

static int check_size(const kin_queue *queue, size_t size)
{
    if (queue->maxbytes != 0 && kin__meter_cost(size) > queue->maxbytes) {
        return kin__fail(KIN_ERANGE,
                         "kin_queue_put: a message of %zu bytes, and a maxbytes of %llu", size,
                         (unsigned long long)queue->maxbytes);
    }
    return 0;
}

/* Packs it, when there is memory for it. */
static int pack(kin_queue *queue, kin__parcel *p, int64_t deadline)
{
    if (check_size(queue, p->size) < 0) {
        return KIN_ERANGE;
    }
    int rv;
    do {
        rv = kin__parcel_pack(p, "kin_queue_put");
    } while (rv < 0 && (rv = kin__queue_await_memory(queue, deadline, rv)) == 0);
    return rv;
}

/* Claims up to `n` cells in a row, but at least one: how many. */
static ssize_t claim_run(kin_queue *queue, size_t size, uint32_t n, int64_t deadline,
                         kin__claim *ret_first)
{
    int rv = kin__queue_claim(queue, size, deadline, ret_first);
    if (rv < 0 || n == 1 || queue->metered) {
        return rv < 0 ? rv : 1;
    }
    return 1 + (ssize_t)kin__ring_claim_more(ret_first, queue->cells, n - 1);
}

/* How many messages are in their cells; the other cells are given up. */
static uint32_t fill_run(const kin__parcel *p, const kin__claim *first, uint32_t n, int *ret_code)
{
    *ret_code = kin__parcel_fill(p, first);
    uint32_t filled = *ret_code == 0;
    while (*ret_code == 0 && filled < n) {
        kin__claim claim = kin__claim_next(*first, filled);
        *ret_code = kin__parcel_fill(&p[filled], &claim);
        filled += *ret_code == 0;
    }
    for (uint32_t i = filled; i < n; i++) {
        kin__claim claim = kin__claim_next(*first, i);
        kin__ring_forgo(&claim);
    }
    return filled;
}

/* As many of `n` as there is room for at once, but at least the first: how many. */
static ssize_t put_packed(kin_queue *queue, const kin__parcel *p, uint32_t n, int64_t deadline)
{
    for (;;) {
        kin__claim first;
        int rv = 0;
        ssize_t claimed = claim_run(queue, p->size, n, deadline, &first);
        if (claimed < 0) {
            return claimed;
        }
        uint32_t filled = fill_run(p, &first, (uint32_t)claimed, &rv);
        KIN__STEP("queue.filled");
        kin__queue_publish(queue, &first, filled);
        if (filled > 0) {
            return filled;
        }
        rv = kin__queue_await_memory(queue, deadline, rv);
        if (rv < 0) {
            return rv;
        }
    }
}

static int check(kin_queue *queue, double timeout, int64_t *ret_deadline)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_put: the queue");
    return rv < 0 ? rv : kin__deadline(timeout, ret_deadline);
}

/* To a queue of another machine (manager/). */
static int put_far(kin_queue *queue, kin_obj object, double timeout)
{
    kin_obj patience = timeout == KIN_FOREVER ? kin_none() : kin_float(timeout);
    kin_obj args = kin_tuple(object, kin_bool(timeout != 0), patience);
    int rv = atomic_load(&kin__remote_call)(queue, "put", args, timeout, NULL);
    return rv == KIN_EFULL && timeout != 0 ? KIN_ETIMEDOUT : rv;
}

/* One, which may have been packed by reserve. */
static int put(kin_queue *queue, kin__parcel *p, double timeout)
{
    int64_t deadline;
    int rv = check(queue, timeout, &deadline);
    rv = rv < 0 || p->apart != NULL ? rv : pack(queue, p, deadline);
    if (rv < 0) {
        return rv;
    }
    ssize_t n = put_packed(queue, p, 1, deadline);
    if (n < 0) {
        kin__parcel_abandon(p);
    }
    return n < 0 ? (int)n : 0;
}

int kin_queue_put(kin_queue *queue, kin_obj object, double timeout)
{
    _Alignas(16) unsigned char scratch[KIN__BESIDE_MOST];
    kin__parcel p = { .kind = KIN__CELL_OBJECT, .object = object, .scratch = scratch };
    if (kin__is_remote(queue, KIN__QUEUE)) {
        return put_far(queue, object, timeout);
    }
    int rv = kin__flat_size(object, &p.size);
    rv = rv < 0 ? rv : put(queue, &p, timeout);
    kin__obj_drop(object);
    return rv;
}

int kin_queue_put_bytes(kin_queue *queue, const void *bytes, size_t size, double timeout)
{
    if (bytes == NULL && size != 0) {
        return kin__fail(KIN_EINVAL, "kin_queue_put_bytes: %zu bytes at NULL", size);
    }
    if (kin__is_remote(queue, KIN__QUEUE)) {
        return put_far(queue, kin_bytes(bytes, size), timeout);
    }
    kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = size };
    return put(queue, &p, timeout);
}

/* ---- many ------------------------------------------------------------------------------------ */

/* What is to be put: objects, or items of some bytes. */
typedef struct many {
    const kin_obj *objects; /* NULL: items */
    const char *items;
    size_t size, n;
    size_t done; /* so far */
} many;

/* Who is told of some that got in is told of an interruption the next time. */
static ssize_t so_many(size_t done, ssize_t code)
{
    if (done > 0 && code == KIN_EINTR) {
        kin__os_interrupt_again();
    }
    return done > 0 ? (ssize_t)done : code;
}

static int address(const many *m, size_t i, kin__parcel *p)
{
    if (m->objects == NULL) {
        *p = (kin__parcel){ .kind = KIN__CELL_BYTES,
                            .bytes = m->items + i * m->size,
                            .size = m->size };
        return 0;
    }
    *p = (kin__parcel){ .kind = KIN__CELL_OBJECT, .object = m->objects[i] };
    return kin__flat_size(m->objects[i], &p->size);
}

/* Packs up to RUN of those that are not done: how many. *ret_code: why not the next one. */
static uint32_t pack_run(kin_queue *queue, const many *m, int64_t deadline, kin__parcel run[RUN],
                         int *ret_code)
{
    uint32_t n = 0;
    for (*ret_code = 0; n < RUN && m->done + n < m->n; n++) {
        *ret_code = address(m, m->done + n, &run[n]);
        *ret_code = *ret_code < 0 ? *ret_code : pack(queue, &run[n], n == 0 ? deadline : 0);
        if (*ret_code < 0) {
            break;
        }
    }
    return n;
}

/* Puts all of a run: how many got in. */
static uint32_t put_run(kin_queue *queue, const kin__parcel *run, uint32_t n, int64_t deadline,
                        int *ret_code)
{
    uint32_t done = 0;
    while (done < n) {
        ssize_t some = put_packed(queue, run + done, n - done, deadline);
        if (some < 0) {
            *ret_code = (int)some;
            break;
        }
        done += (uint32_t)some;
    }
    for (uint32_t i = done; i < n; i++) {
        kin__parcel_abandon(&run[i]);
    }
    return done;
}

/* Small items go straight into their cells. */
static ssize_t put_small(kin_queue *queue, const many *m, size_t done, int64_t deadline)
{
    kin__claim first;
    uint32_t most = m->n - done < RUN ? (uint32_t)(m->n - done) : RUN;
    ssize_t claimed = claim_run(queue, m->size, most, deadline, &first);
    for (uint32_t i = 0; i < claimed; i++) {
        kin__cell_write(kin__claim_next(first, i).cell, m->items + (done + i) * m->size, m->size);
    }
    KIN__STEP("queue.filled");
    if (claimed > 0) {
        kin__queue_publish(queue, &first, (uint32_t)claimed);
    }
    return claimed;
}

static ssize_t put_all_small(kin_queue *queue, const many *m, int64_t deadline)
{
    size_t done = 0;
    ssize_t some = check_size(queue, m->size);
    while (some >= 0 && done < m->n) {
        some = put_small(queue, m, done, deadline);
        done += some > 0 ? (size_t)some : 0;
    }
    return so_many(done, some);
}

static ssize_t put_many(kin_queue *queue, many *m, double timeout)
{
    int64_t deadline;
    int rv = check(queue, timeout, &deadline);
    if (rv == 0 && m->objects == NULL && m->size <= KIN__CELL_ROOM) {
        return put_all_small(queue, m, deadline);
    }
    while (rv == 0 && m->done < m->n) {
        kin__parcel run[RUN];
        int packed;
        uint32_t n = pack_run(queue, m, deadline, run, &packed);
        m->done += put_run(queue, run, n, deadline, &rv);
        bool waits = packed == KIN_EFULL && n > 0; /* the next run waits for memory */
        rv = rv < 0 || waits ? rv : packed;
    }
    return so_many(m->done, rv);
}

ssize_t kin_queue_put_many(kin_queue *queue, const kin_obj *objects, size_t n, double timeout)
{
    if (objects == NULL && n != 0) {
        return kin__fail(KIN_EINVAL, "kin_queue_put_many: %zu objects at NULL", n);
    }
    many m = { .objects = objects, .n = n };
    ssize_t rv = put_many(queue, &m, timeout);
    for (size_t i = 0; i < n; i++) {
        kin__obj_drop(objects[i]);
    }
    return rv;
}

ssize_t kin_queue_put_array(kin_queue *queue, const void *items, size_t size, size_t n,
                            double timeout)
{
    if (items == NULL && size != 0 && n != 0) {
        return kin__fail(KIN_EINVAL, "kin_queue_put_array: %zu items at NULL", n);
    }
    if (size != 0 && n > SIZE_MAX / size) {
        return kin__fail(KIN_ERANGE, "kin_queue_put_array: %zu items of %zu bytes", n, size);
    }
    many m = { .items = items != NULL ? items : "", .size = size, .n = n };
    return put_many(queue, &m, timeout);
}

/* ---- without a copy -------------------------------------------------------------------------- */

int kin_queue_reserve(kin_queue *queue, size_t size, void **ret_bytes)
{
    int rv = kin__block_check(queue, KIN__QUEUE, "kin_queue_reserve: the queue");
    if (rv < 0) {
        return rv;
    }
    if (ret_bytes == NULL || size > UINT32_MAX) {
        return kin__fail(ret_bytes == NULL ? KIN_EINVAL : KIN_ERANGE,
                         "kin_queue_reserve: %zu bytes, at %p", size, (void *)ret_bytes);
    }
    void *bytes = kin__block_new(size > KIN__CELL_ROOM ? size : KIN__CELL_ROOM + 1, KIN__MESSAGE);
    if (bytes == NULL) {
        return kin__failure();
    }
    *ret_bytes = bytes;
    return 0;
}

static int check_reserved(const void *bytes, size_t size, const char *verb)
{
    int rv = kin__block_check(bytes, KIN__MESSAGE, verb);
    if (rv == 0 && kin__block_is_shared(kin__block_ref(bytes))) {
        return kin__fail(KIN_EINVAL, "%s: %p was committed already", verb, bytes);
    }
    if (rv == 0 && size > kin__block_size(bytes)) {
        return kin__fail(KIN_ERANGE, "%s: %zu bytes, of %zu that were reserved", verb, size,
                         kin__block_size(bytes));
    }
    return rv;
}

int kin_queue_commit(kin_queue *queue, void *bytes, size_t size, double timeout)
{
    int rv = check_reserved(bytes, size, "kin_queue_commit: the memory");
    if (rv < 0) {
        if (rv == KIN_ERANGE) {
            kin__block_free(bytes);
        }
        return rv;
    }
    kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = size, .apart = bytes };
    if (size <= KIN__CELL_ROOM) { /* it goes into the cell */
        p.apart = NULL;
        rv = put(queue, &p, timeout);
        kin__block_free(bytes);
        return rv;
    }
    int64_t deadline;
    rv = check(queue, timeout, &deadline);
    rv = rv < 0 ? rv : check_size(queue, size);
    if (rv < 0) { /* else it is put, or abandoned */
        kin__block_free(bytes);
        return rv;
    }
    return put(queue, &p, timeout);
}

void kin_queue_cancel(void *bytes)
{
    if (bytes == NULL) {
        return;
    }
    if (check_reserved(bytes, 0, "kin_queue_cancel: the memory") < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
        return;
    }
    kin__block_free(bytes);
}
