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
 *   R2  What stands here may be scribbled over: so it is read once, into a view of ours, and length
 *       and size are believed only if all items lie in the block, which says its own size
 *       elsewhere.
 *   R3  A number is written in one piece, whether or not there is a lock.
 *   R4  Who waited for the lock looks whether it is still the same row: where the lock is not the
 *       row's own, the row may have been freed meanwhile, and its memory be another's.
 *   R5  Whoever was told of a death, and then gets nothing done (an item that is no character, no
 *       memory for a list), leaves the lock to a dead process: so the next one is told.
 *
 * Death. Killed before kin__row_give: the block goes with us. Killed in kin__row_free: the lock
 * has ended, and who wants to may free the row again; or the row has ended too, and its block stays
 * until the family ends. Killed with the lock: the next one gets KIN_OWNER_DIED.
 *
 * Not here. What an item is as an object (cell.c).
 */
#include "room.h"

#include <stdio.h>
#include <string.h>

/* Its slot is the one that no process ever has. */
#define SOMEBODY_DEAD ((kin__id)1 << 11)

_Static_assert(sizeof(kin__row) == 64, "items begin with the second cache line");
_Static_assert(kin_value_KIND == KIN__VALUE && kin_array_KIND == KIN__ARRAY,
               "share.h says what the domain says");

/* ---- life --------------------------------------------------------------------------- */

int kin__row_item_size(const kin__row_plan *plan, uint32_t *ret_size)
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
    *ret_size = (uint32_t)size;
    return 0;
}

static int check_plan(const kin__row_plan *plan, uint32_t *ret_size)
{
    int rv = kin__row_item_size(plan, ret_size);
    if (rv < 0) {
        return rv;
    }
    if (plan->lock != NULL && plan->no_lock) {
        return kin__fail(KIN_EINVAL, "%s: a .lock, and .no_lock", plan->verb);
    }
    if (plan->length > (SIZE_MAX / 2 - sizeof(kin__row)) / *ret_size) {
        return kin__fail(KIN_ENOMEM, "%s: %llu items of %llu bytes are too many", plan->verb,
                         (unsigned long long)plan->length, (unsigned long long)*ret_size);
    }
    rv = plan->lock != NULL ? kin__head_check(plan->lock, KIN__RLOCK, "the .lock") : 0;
    return rv < 0 ? kin__fail(rv, "%s: %s", plan->verb, kin_errmsg()) : 0;
}

int kin__row_new(const kin__row_plan *plan, kin__view *ret)
{
    uint32_t size = 0;
    int rv = check_plan(plan, &size);
    if (rv < 0) {
        return rv;
    }
    kin__row *row =
        kin__block_new_zeroed(sizeof *row + plan->length * size, plan->type, sizeof *row);
    if (row == NULL) {
        return kin__failure();
    }
    row->lock = plan->no_lock ? NULL : plan->lock != NULL ? plan->lock : &row->own;
    row->length = plan->length;
    row->size = size;
    row->code = plan->code;
    rv = row->lock == &row->own ? kin_rlock_init(&row->own, NULL) : 0;
    if (rv < 0) {
        kin__block_free(row);
        return rv;
    }
    kin__head_begin(row, plan->type);
    KIN__STEP("share.row");
    return kin__row_look(row, plan->type, plan->verb, ret);
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

/* It has, unless who wanted to free the row was killed in between. */
static bool has_own_lock(const kin__row *row)
{
    return row->lock == &row->own &&
           kin__head_is_still(&row->own, KIN__RLOCK, kin__head_serial(&row->own));
}

void kin__row_free(kin__row *row, kin__type type, const char *what)
{
    if (row == NULL || !kin__head_may_end(row, type, true, what)) {
        return;
    }
    if (has_own_lock(row)) {
        kin_rlock_done(&row->own); /* who sleeps for it wakes */
    }
    KIN__STEP("share.ending");
    if (kin__head_end(row, type, true, what)) {
        KIN__STEP("share.ended");
        kin__head_discard(row);
    }
}

/* ---- what it is --------------------------------------------------------------------- */

int kin__row_look(kin__row *row, kin__type type, const char *what, kin__view *ret)
{
    int rv = kin__row_is(row, type) ? 0 : kin__head_check(row, type, what);
    if (rv < 0) {
        return rv;
    }
    kin__view v = { .row = row,
                    .lock = row->lock,
                    .length = row->length,
                    .size = row->size,
                    .code = row->code,
                    .type = type,
                    .serial = kin__head_serial(row),
                    .what = what };
    uint64_t room = kin__block_size(row); /* R2 */
    if (room < sizeof *row || v.size == 0 || v.length > (room - sizeof *row) / v.size ||
        (v.code != 0 && v.size != kin__share_size(v.code))) {
        return kin__fail(KIN_ECORRUPT, "%s at %p is scribbled over", what, (const void *)row);
    }
    *ret = v;
    return 0;
}

void *kin__row_data(kin__row *row, kin__type type, const char *what)
{
    return kin__row_is(row, type) || kin__head_check(row, type, what) == 0 ? row->data : NULL;
}

/* ---- the lock ----------------------------------------------------------------------- */

int kin__row_enter(const kin__view *v)
{
    int rv = v->lock != NULL ? kin_rlock_acquire(v->lock, KIN_FOREVER) : 0;
    if (rv >= 0 && !kin__head_is_still(v->row, v->type, v->serial)) { /* R4 */
        (void)kin__row_leave(v, rv, KIN_ECLOSED);
        return kin__fail(KIN_ECLOSED, "%s was freed meanwhile", v->what);
    }
    return rv;
}

/* R5: from us to one who is dead. */
static void leave_to_the_dead(kin_rlock *lock, const char *what)
{
    kin__mutex *mutex = (kin__mutex *)(void *)lock;
    uint64_t seen = atomic_load(&mutex->word);
    uint64_t ours = kin__mutex_word(kin__mutex_holder(seen), kin__mutex_thread(seen));
    if (ours != 0) { /* it has not ended meanwhile */
        (void)kin__mutex_hand_over(mutex, ours, kin__mutex_word(SOMEBODY_DEAD, 0), what);
    }
}

int kin__row_leave(const kin__view *v, int entered, int done)
{
    if (done < 0 && entered == KIN_OWNER_DIED) {
        leave_to_the_dead(v->lock, v->what);
    } else if (v->lock != NULL) {
        (void)kin_rlock_release(v->lock);
    }
    return done < 0 ? done : entered;
}

kin_rlock *kin__row_lock_slowly(const kin__row *row, kin__type type, const char *what)
{
    int rv = kin__head_check(row, type, what);
    kin_rlock *lock = rv == 0 ? row->lock : NULL;
    if (rv == 0 && lock == NULL) {
        (void)kin__fail(KIN_ESTATE, "%s was made with .no_lock", what);
    }
    return lock;
}

/* ---- for kin_dump ----------------------------------------------------------------------- */

static void tell_lock(const kin_rlock *lock, FILE *stream)
{
    kin__who who;
    char what[48];
    (void)snprintf(what, sizeof what, "its rlock %p", (const void *)lock);
    int rv = kin__head_check(lock, KIN__RLOCK, what);
    rv = rv < 0 ? rv : kin__mutex_owner((kin__mutex *)(uintptr_t)lock, what, &who);
    if (rv < 0) {
        (void)fprintf(stream, ": %s", kin_errmsg());
    } else if (!kin__alive(who.id)) {
        (void)fprintf(stream, ": %s is held by process %d (%s), which died", what, (int)who.pid,
                      who.name);
    } else {
        (void)fprintf(stream, ": %s is held by process %d (%s), %u deep", what, (int)who.pid,
                      who.name, kin__rlock_depth_of(lock));
    }
}

static void tell(const void *p, FILE *stream)
{
    const kin__row *row = p;
    kin__type type = kin__row_is(row, KIN__VALUE) ? KIN__VALUE : KIN__ARRAY;
    kin__view v;
    int rv = kin__row_look((kin__row *)(uintptr_t)p, type, "kin_dump: the row", &v);
    if (rv == 0 && v.lock != NULL) {
        tell_lock(v.lock, stream);
    } else {
        (void)fputs(rv == 0 ? ": no lock" : ": freed, or scribbled over", stream);
    }
}

__attribute__((constructor)) static void be_told_of(void)
{
    kin__dump_add(KIN__VALUE, "value", tell);
    kin__dump_add(KIN__ARRAY, "array", tell);
}

/* ---- items -------------------------------------------------------------------------- */

kin_obj kin__row_read(const kin__view *v, uint64_t i)
{
    const void *at = kin__row_at(v, i);
    return v->code == 0 ? kin_bytes(at, v->size)
                        : kin__share_unpack(v->code, kin__share_load(at, v->size));
}

int kin__row_hand_out(const kin__view *v, int entered, kin_obj made, kin_obj *ret)
{
    int done = kin_is_error(made) ? kin_error_code(made) : 0;
    int rv =
        kin__row_leave(v, entered, done < 0 ? kin__fail(done, "%s: %s", v->what, kin_errmsg()) : 0);
    if (rv >= 0) {
        *ret = made;
    }
    return rv;
}

static int pack_struct(const kin__view *v, kin_obj o, const char *verb, const void **ret_bytes)
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
    if (size != v->size) {
        return kin__fail(KIN_ERANGE, "%s: %zu bytes for a struct of %zu", verb, size,
                         (size_t)v->size);
    }
    *ret_bytes = data;
    return 0;
}

int kin__row_pack(const kin__view *v, kin_obj o, const char *verb, kin__item *ret)
{
    *ret = (kin__item){ 0 };
    return v->code == 0 ? pack_struct(v, o, verb, &ret->bytes)
                        : kin__share_pack(v->code, o, verb, &ret->bits);
}

void kin__row_put(const kin__view *v, uint64_t i, const kin__item *item)
{
    if (v->code == 0) {
        memcpy(kin__row_at(v, i), item->bytes, v->size);
    } else {
        kin__share_store(kin__row_at(v, i), v->size, item->bits); /* R3 */
    }
    KIN__STEP("share.put");
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

int kin__row_source(char code, uint32_t size, kin_obj from, const char *verb, kin__source *ret)
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
        if (ret->count % (code == 0 ? size : 1) != 0) {
            return kin__fail(KIN_ERANGE, "%s: %zu bytes are no number of structs of %zu", verb,
                             ret->count, (size_t)size);
        }
        ret->count /= code == 0 ? size : 1;
        return 0;
    case KIN_TYPE_STR:
        ret->count = 0;
        if (kin__share_is_character(code)) {
            return count_characters(ret, verb);
        }
        break;
    default:
        break;
    }
    return kin__fail(KIN_ETYPE,
                     "%s: items come as a list, a tuple, bytes, or for 'u' and 'w' as a str", verb);
}

static int pack_next(const kin__view *v, kin__source *s, size_t i, const char *verb, kin__item *ret)
{
    switch (kin_type_of(s->from)) {
    case KIN_TYPE_STR:
        ret->bits = (uint32_t)kin__share_next_char(kin_as_str(s->from), kin_len(s->from), &s->pos);
        return 0;
    case KIN_TYPE_BYTES:
        return kin__row_pack(v, kin_int(((const uint8_t *)kin_as_bytes(s->from))[i]), verb, ret);
    default:
        return kin__row_pack(v, kin_at(s->from, i), verb, ret);
    }
}

/* Whether it is bytes that go in as they are. */
static bool is_memory(const kin__view *v, const kin__source *s)
{
    return kin_type_of(s->from) == KIN_TYPE_BYTES &&
           (v->code == 0 || v->code == 'c' || v->code == 'B');
}

int kin__row_pour(const kin__view *v, uint64_t first, kin__source s, bool dry, const char *verb)
{
    if (is_memory(v, &s)) {
        if (!dry) {
            memcpy(kin__row_at(v, first), kin_as_bytes(s.from), s.count * v->size);
            KIN__STEP("share.put");
        }
        return 0;
    }
    for (size_t i = 0; i < s.count; i++) {
        kin__item item;
        int rv = pack_next(v, &s, i, verb, &item);
        if (rv < 0) {
            return rv;
        }
        if (!dry) {
            kin__row_put(v, first + i, &item);
        }
    }
    return 0;
}
