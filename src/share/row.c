/* row.c - items of one C type in a row, with a lock beside them.
 *
 * Idea. A row is one block: what it is in the first cache line, its items from the second on. So
 * it is made, given and freed as a whole, and the items lie as a C array does.
 *
 *     +------+----------+--------+--------------------+
 *     | head | own lock | lock * | length, size, code |    64 bytes
 *     +------+------+---+--+------+-------------------+
 *     | item | item | item | item | ...
 *     +------+------+------+------+---
 *
 * Rules.
 *   R1  `lock` is the row's own, one that the user named, or NULL.
 *   R2  What stands here may be scribbled over: length and size are believed only while all
 *       items lie in the block, which says its own size elsewhere.
 *   R3  A number is written in one piece, whether or not there is a lock.
 *
 * Death. Killed before kin__row_give: the block goes with us. Killed in kin__row_free: the lock
 * has ended, and who wants to may free the row again; or the row has ended too, and its block stays
 * until the family ends. Killed with the lock: the next one gets KIN_OWNER_DIED.
 *
 * Not here. What an item is as an object (cell.c).
 */
#include "room.h"

#include <string.h>

_Static_assert(sizeof(kin__row) == 64, "items begin with the second cache line");
_Static_assert(kin_value_KIND == KIN__VALUE && kin_array_KIND == KIN__ARRAY,
               "share.h says what the domain says");

/* ---- life --------------------------------------------------------------------------- */

static int check_plan(const kin__row_plan *plan, uint64_t *ret_size)
{
    uint64_t size = plan->code != 0 ? kin__share_size(plan->code) : plan->size;
    if (size == 0) {
        return plan->code == 0
                   ? kin__fail(KIN_EINVAL, "%s: a type code of 0, a struct, and no .size",
                               plan->verb)
                   : kin__fail(KIN_EINVAL, "%s: no type has the code '%c'", plan->verb, plan->code);
    }
    if (plan->size > (plan->code != 0 ? 0 : UINT32_MAX)) {
        return kin__fail(KIN_EINVAL, "%s: .size is for structs, a type code of 0, of up to 4 GiB",
                         plan->verb);
    }
    if (plan->lock != NULL && plan->no_lock) {
        return kin__fail(KIN_EINVAL, "%s: a .lock, and .no_lock", plan->verb);
    }
    if (plan->length > (SIZE_MAX / 2 - sizeof(kin__row)) / size) {
        return kin__fail(KIN_ENOMEM, "%s: %llu items of %llu bytes are too many", plan->verb,
                         (unsigned long long)plan->length, (unsigned long long)size);
    }
    *ret_size = size;
    int rv = plan->lock != NULL ? kin__head_check(plan->lock, KIN__RLOCK, "the .lock") : 0;
    return rv < 0 ? kin__fail(rv, "%s: %s", plan->verb, kin_errmsg()) : 0;
}

int kin__row_new(const kin__row_plan *plan, kin__row **ret_row)
{
    uint64_t size = 0;
    int rv = check_plan(plan, &size);
    if (rv < 0) {
        return rv;
    }
    kin__row *row = kin__head_new(sizeof *row + plan->length * size, plan->type);
    if (row == NULL) {
        return kin__failure();
    }
    row->lock = plan->no_lock ? NULL : plan->lock != NULL ? plan->lock : &row->own;
    row->length = plan->length;
    row->size = (uint32_t)size;
    row->code = plan->code;
    memset(row->data, 0, plan->length * size);
    rv = row->lock == &row->own ? kin_rlock_init(&row->own, NULL) : 0;
    if (rv < 0) {
        kin__block_free(row);
        return rv;
    }
    kin__head_begin(row, plan->type);
    KIN__STEP("share.row");
    *ret_row = row;
    return 0;
}

void kin__row_give(kin__row *row)
{
    kin__block_give(row);
}

void kin__row_drop(kin__row *row)
{
    atomic_fetch_or(&row->head.kind, KIN__HEAD_ENDED);
    if (row->lock == &row->own) {
        kin_rlock_done(&row->own);
    }
    kin__block_free(row);
}

void kin__row_free(kin__row *row, kin__type type, const char *what)
{
    if (row == NULL || !kin__head_may_end(row, type, true, what)) {
        return;
    }
    if (row->lock == &row->own) {
        kin_rlock_done(&row->own); /* who sleeps for it wakes */
    }
    KIN__STEP("share.ending");
    if (kin__head_end(row, type, true, what)) {
        KIN__STEP("share.ended");
        kin__head_discard(row);
    }
}

int kin__row_check(const kin__row *row, kin__type type, const char *what)
{
    return kin__head_check(row, type, what);
}

int kin__row_check_items(const kin__row *row, kin__type type, const char *what)
{
    int rv = kin__head_check(row, type, what);
    if (rv < 0) {
        return rv;
    }
    uint64_t room = kin__block_size(row); /* R2 */
    uint64_t size = row->size;
    if (room < sizeof *row || size == 0 || row->length > (room - sizeof *row) / size ||
        (row->code != 0 && size != kin__share_size(row->code))) {
        return kin__fail(KIN_ECORRUPT, "%s at %p is scribbled over", what, (const void *)row);
    }
    return 0;
}

/* ---- the lock ----------------------------------------------------------------------- */

int kin__row_enter(kin__row *row)
{
    return row->lock != NULL ? kin_rlock_acquire(row->lock, KIN_FOREVER) : 0;
}

void kin__row_leave(kin__row *row)
{
    if (row->lock != NULL) {
        (void)kin_rlock_release(row->lock);
    }
}

kin_rlock *kin__row_lock(kin__row *row, const char *verb)
{
    kin_rlock *lock = row->lock;
    if (lock == NULL) {
        (void)kin__fail(KIN_ESTATE, "%s: it was made with .no_lock", verb);
    }
    return lock;
}

int kin__row_acquire(kin__row *row, double timeout, const char *verb)
{
    kin_rlock *lock = kin__row_lock(row, verb);
    return lock != NULL ? kin_rlock_acquire(lock, timeout) : KIN_ESTATE;
}

int kin__row_release(kin__row *row, const char *verb)
{
    kin_rlock *lock = kin__row_lock(row, verb);
    return lock != NULL ? kin_rlock_release(lock) : KIN_ESTATE;
}

/* ---- items -------------------------------------------------------------------------- */

kin_obj kin__row_read(const kin__row *row, uint64_t i)
{
    const void *at = kin__row_at(row, i);
    return row->code == 0 ? kin_bytes(at, row->size)
                          : kin__share_unpack(row->code, kin__share_load(at, row->size));
}

static int write_struct(kin__row *row, uint64_t i, kin_obj o, const char *verb)
{
    const void *data;
    size_t size;
    int rv = kin__obj_check(o, verb);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(o) != KIN_TYPE_BYTES || kin_to_bytes(o, &data, &size) < 0) {
        return kin__fail(KIN_ETYPE, "%s: a struct is written from its bytes", verb);
    }
    if (size != row->size) {
        return kin__fail(KIN_ERANGE, "%s: %zu bytes for a struct of %zu", verb, size,
                         (size_t)row->size);
    }
    memcpy(kin__row_at(row, i), data, size);
    return 0;
}

int kin__row_write(kin__row *row, uint64_t i, kin_obj o, const char *verb)
{
    if (row->code == 0) {
        return write_struct(row, i, o, verb);
    }
    uint64_t bits;
    int rv = kin__share_pack(row->code, o, verb, &bits);
    if (rv == 0) {
        kin__share_store(kin__row_at(row, i), row->size, bits); /* R3 */
    }
    return rv;
}

/* ---- many items --------------------------------------------------------------------- */

static int count_characters(kin__source *s, const char *verb)
{
    const char *text = kin_as_str(s->from);
    size_t size = kin_len(s->from);
    for (size_t pos = 0; pos < size; s->count++) {
        if (kin__share_next_char(text, size, &pos) < 0) {
            return kin__fail(KIN_EINVAL, "%s: the str is not UTF-8", verb);
        }
    }
    return 0;
}

int kin__row_source(const kin__row *kind, kin_obj from, const char *verb, kin__source *ret)
{
    int rv = kin__obj_check(from, verb);
    *ret = (kin__source){ .from = from, .count = kin_len(from) };
    if (rv < 0) {
        return rv;
    }
    switch (kin_type_of(from)) {
    case KIN_TYPE_LIST:
    case KIN_TYPE_TUPLE:
        return 0;
    case KIN_TYPE_BYTES:
        if (ret->count % (kind->code == 0 ? kind->size : 1) != 0) {
            return kin__fail(KIN_ERANGE, "%s: %zu bytes are no number of structs of %zu", verb,
                             ret->count, (size_t)kind->size);
        }
        ret->count /= kind->code == 0 ? kind->size : 1;
        return 0;
    case KIN_TYPE_STR:
        ret->count = 0;
        if (kind->code == 'u') {
            return count_characters(ret, verb);
        }
        break;
    default:
        break;
    }
    return kin__fail(KIN_ETYPE, "%s: items come as a list, a tuple, bytes, or for 'u' as a str",
                     verb);
}

/* The bits of the next item; not of a struct. */
static int next_bits(kin__source *s, size_t i, char code, const char *verb, uint64_t *ret_bits)
{
    switch (kin_type_of(s->from)) {
    case KIN_TYPE_STR:
        *ret_bits = (uint32_t)kin__share_next_char(kin_as_str(s->from), kin_len(s->from), &s->pos);
        return 0;
    case KIN_TYPE_BYTES:
        *ret_bits = ((const uint8_t *)kin_as_bytes(s->from))[i];
        return code == 'c' ? 0 : kin__share_pack(code, kin_int((int64_t)*ret_bits), verb, ret_bits);
    default:
        return kin__share_pack(code, kin_at(s->from, i), verb, ret_bits);
    }
}

static int pour(kin__row *row, uint64_t first, kin__source s, bool dry, const char *verb)
{
    for (size_t i = 0; i < s.count; i++) {
        uint64_t bits;
        int rv = next_bits(&s, i, row->code, verb, &bits);
        if (rv < 0) {
            return rv;
        }
        if (!dry) {
            kin__share_store(kin__row_at(row, first + i), row->size, bits);
        }
    }
    return 0;
}

static int pour_structs(kin__row *row, uint64_t first, kin__source s, bool dry, const char *verb)
{
    if (kin_type_of(s.from) == KIN_TYPE_BYTES) {
        if (!dry && s.count > 0) {
            memcpy(kin__row_at(row, first), kin_as_bytes(s.from), kin_len(s.from));
        }
        return 0;
    }
    for (size_t i = 0; i < s.count; i++) {
        kin_obj item = kin_at(s.from, i);
        bool fits = kin_type_of(item) == KIN_TYPE_BYTES && kin_len(item) == row->size;
        int rv = dry && fits ? 0 : kin__row_write(row, first + i, item, verb);
        if (rv < 0) {
            return rv;
        }
    }
    return 0;
}

int kin__row_pour(kin__row *row, uint64_t first, kin__source s, bool dry, const char *verb)
{
    return row->code != 0 ? pour(row, first, s, dry, verb) : pour_structs(row, first, s, dry, verb);
}
