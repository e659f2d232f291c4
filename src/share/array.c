/* array.c - kin_array: rows of many items; slices, strings, copies.
 *
 * What is written into a row may come as a list or tuple, as bytes, or as a str: an object that
 * gives one item after the other. A slice is read through to its end before its first item is
 * written, so that one that does not fit changes nothing. */
#include "room.h"

#include <string.h>

static const kin_array_options defaults;

/* Also of what is NULL. */
static kin__row *row_of(kin_array *array)
{
    return (kin__row *)array;
}

static int look(kin_array *array, const char *what, kin__view *ret)
{
    return kin__row_look(row_of(array), KIN__ARRAY, what, ret);
}

/* ---- life --------------------------------------------------------------------------- */

static int make(kin_array **ret_array, kin__row_plan *plan, kin_obj initial)
{
    uint32_t size = 0;
    kin__source s = { .from = initial };
    int rv = kin__obj_check(initial, plan->verb);
    rv = rv < 0 ? rv : kin__row_item_size(plan, &size);
    rv = rv < 0 || kin_is_none(initial)
             ? rv
             : kin__row_source(plan->code, size, initial, plan->verb, &s);
    if (rv < 0) {
        return rv;
    }
    if (plan->length != 0 && s.count > plan->length) {
        return kin__fail(KIN_ERANGE, "%s: %zu items for an array of %llu", plan->verb, s.count,
                         (unsigned long long)plan->length);
    }
    plan->length = plan->length != 0 ? plan->length : s.count;
    kin__view v;
    rv = kin__row_new(plan, &v);
    if (rv < 0) {
        return rv;
    }
    rv = kin__row_pour(&v, 0, s, false, plan->verb);
    if (rv < 0) {
        kin__row_drop(v.row);
        return rv;
    }
    kin__row_give(v.row);
    *ret_array = (kin_array *)v.row;
    return 0;
}

int kin_array_new(kin_array **ret_array, char typecode, size_t length, kin_obj initial,
                  const kin_array_options *options)
{
    options = options != NULL ? options : &defaults;
    kin__row_plan plan = { .verb = "kin_array_new",
                           .type = KIN__ARRAY,
                           .code = typecode,
                           .length = length,
                           .size = options->size,
                           .lock = options->lock,
                           .no_lock = options->no_lock };
    int rv = 0;
    if (ret_array == NULL) {
        rv = kin__fail(KIN_EINVAL, "kin_array_new: the place for the array is NULL");
    } else if (kin__any_set(options->reserved)) {
        rv = kin__fail(KIN_EINVAL, "kin_array_new: a reserved option is not zero");
    }
    rv = rv < 0 ? rv : make(ret_array, &plan, initial);
    kin__obj_drop(initial);
    return rv;
}

void kin_array_free(kin_array *array)
{
    if (kin__remote_free(array, KIN__ARRAY)) {
        return;
    }
    kin__row_free(row_of(array), KIN__ARRAY, "kin_array_free: the array");
}

/* Takes the lock of what is to be read. */
static int enter(kin_array *array, const void *ret, const char *what, kin__view *ret_view)
{
    int rv = look(array, what, ret_view);
    if (rv == 0 && ret == NULL) {
        return kin__fail(KIN_EINVAL, "%s is read to a place that is NULL", what);
    }
    return rv < 0 ? rv : kin__row_enter(ret_view);
}

int kin_array_copy(kin_array *array, kin_array **ret_array)
{
    kin__view from;
    kin__view made;
    int rv = look(array, "kin_array_copy: the array", &from);
    if (rv == 0 && ret_array == NULL) {
        rv = kin__fail(KIN_EINVAL, "kin_array_copy: the place for the copy is NULL");
    }
    if (rv < 0) {
        return rv;
    }
    const kin__row_plan plan = { .verb = "kin_array_copy",
                                 .type = KIN__ARRAY,
                                 .code = from.code,
                                 .length = from.length,
                                 .size = from.code == 0 ? from.size : 0,
                                 .no_lock = from.lock == NULL };
    rv = kin__row_new(&plan, &made);
    if (rv < 0) {
        return rv;
    }
    rv = kin__row_enter(&from);
    if (rv < 0) {
        kin__row_drop(made.row);
        return rv;
    }
    memcpy(made.row->data, from.row->data, from.length * from.size);
    rv = kin__row_leave(&from, rv, 0);
    kin__row_give(made.row);
    *ret_array = (kin_array *)made.row;
    return rv;
}

/* ---- one item ----------------------------------------------------------------------- */

static int find(const kin__view *v, int64_t index, const char *verb, uint64_t *ret_place)
{
    uint64_t place = index < 0 ? v->length + (uint64_t)index : (uint64_t)index;
    if (place >= v->length) { /* one that is too far below has wrapped around */
        return kin__fail(KIN_ERANGE, "%s: there is no item %lld in an array of %llu", verb,
                         (long long)index, (unsigned long long)v->length);
    }
    *ret_place = place;
    return 0;
}

int kin_array_get(kin_array *array, int64_t index, kin_obj *ret_object)
{
    kin__view v;
    uint64_t i = 0;
    if (ret_object == NULL) {
        return kin__fail(KIN_EINVAL, "kin_array_get: the place for the object is NULL");
    }
    int rv = look(array, "kin_array_get: the array", &v);
    if (rv < 0 && kin__is_remote(array, KIN__ARRAY)) {
        kin_obj args = kin_tuple(kin_int(index));
        return atomic_load(&kin__remote_call)(array, "__getitem__", args, 0, ret_object);
    }
    rv = rv < 0 ? rv : find(&v, index, "kin_array_get", &i);
    rv = rv < 0 ? rv : kin__row_enter(&v);
    return rv < 0 ? rv : kin__row_hand_out(&v, rv, kin__row_read(&v, i), ret_object);
}

int kin_array_set(kin_array *array, int64_t index, kin_obj object)
{
    static const char verb[] = "kin_array_set";
    kin__view v;
    kin__item item;
    uint64_t i = 0;
    int rv = look(array, "kin_array_set: the array", &v);
    if (rv < 0 && kin__is_remote(array, KIN__ARRAY)) {
        kin_obj args = kin_tuple(kin_int(index), object);
        return atomic_load(&kin__remote_call)(array, "__setitem__", args, 0, NULL);
    }
    rv = rv < 0 ? rv : find(&v, index, verb, &i);
    rv = rv < 0 ? rv : kin__row_pack(&v, object, verb, &item);
    rv = rv < 0 ? rv : kin__row_enter(&v);
    if (rv >= 0) {
        kin__row_put(&v, i, &item);
        rv = kin__row_leave(&v, rv, 0);
    }
    kin__obj_drop(object);
    return rv;
}

/* ---- slices ------------------------------------------------------------------------- */

typedef struct range {
    uint64_t first, count;
} range;

static uint64_t clamp(int64_t i, uint64_t length)
{
    if (i < 0) {
        uint64_t back = 0 - (uint64_t)i;
        return back < length ? length - back : 0;
    }
    return (uint64_t)i < length ? (uint64_t)i : length;
}

static range range_of(const kin__view *v, int64_t from, int64_t to)
{
    uint64_t first = clamp(from, v->length);
    uint64_t end = clamp(to, v->length);
    return (range){ first, end > first ? end - first : 0 };
}

/* The items, or an invalid object. */
static kin_obj as_list(const kin__view *v, range r)
{
    kin_obj list = kin_list();
    int rv = kin__obj_check(list, "kin_array_slice");
    for (uint64_t i = 0; i < r.count && rv == 0; i++) {
        rv = kin_append(&list, kin__row_read(v, r.first + i));
    }
    if (rv < 0) {
        kin_release(list);
        return kin__obj_invalid(rv);
    }
    return list;
}

static kin_obj as_text(const kin__view *v, range r)
{
    char *text = kin__os_malloc(r.count * 4);
    if (text == NULL) {
        return kin__obj_invalid(kin__fail(KIN_ENOMEM, "no memory for a str of %llu characters",
                                          (unsigned long long)r.count));
    }
    size_t size = 0;
    bool good = true;
    for (uint64_t i = 0; i < r.count && good; i++) {
        uint64_t bits = kin__share_load(kin__row_at(v, r.first + i), v->size);
        size_t more = kin__share_put_char((uint32_t)bits, text + size);
        good = more > 0;
        size += more;
    }
    kin_obj made = good ? kin_strn(text, size)
                        : kin__obj_invalid(kin__fail(KIN_ERANGE, "an item is no character"));
    kin__os_free(text);
    return made;
}

static kin_obj read_range(const kin__view *v, range r)
{
    if (v->code == 'c') {
        return kin_bytes(kin__row_at(v, r.first), r.count);
    }
    return kin__share_is_character(v->code) ? as_text(v, r) : as_list(v, r);
}

int kin_array_slice(kin_array *array, int64_t from, int64_t to, kin_obj *ret_list)
{
    kin__view v;
    int rv = enter(array, ret_list, "kin_array_slice: the array", &v);
    return rv < 0 ? rv
                  : kin__row_hand_out(&v, rv, read_range(&v, range_of(&v, from, to)), ret_list);
}

/* All or none; `cut` writes a zero behind the last one, where there is room. */
static int replace(const kin__view *v, uint64_t first, kin__source s, bool cut, const char *verb)
{
    int rv = kin__row_pour(v, first, s, true, verb);
    rv = rv < 0 ? rv : kin__row_enter(v);
    if (rv < 0) {
        return rv;
    }
    int written = kin__row_pour(v, first, s, false, verb);
    if (cut && first + s.count < v->length) {
        kin__row_put(v, first + s.count, &(kin__item){ 0 });
    }
    return kin__row_leave(v, rv, written);
}

static int set_slice(const kin__view *v, range r, kin_obj list)
{
    static const char verb[] = "kin_array_set_slice";
    kin__source s;
    int rv = kin__row_source(v->code, v->size, list, verb, &s);
    if (rv == 0 && s.count != r.count) {
        rv = kin__fail(KIN_ERANGE, "%s: %zu items for a slice of %llu", verb, s.count,
                       (unsigned long long)r.count);
    }
    return rv < 0 ? rv : replace(v, r.first, s, false, verb);
}

int kin_array_set_slice(kin_array *array, int64_t from, int64_t to, kin_obj list)
{
    kin__view v;
    int rv = look(array, "kin_array_set_slice: the array", &v);
    rv = rv < 0 ? rv : set_slice(&v, range_of(&v, from, to), list);
    kin__obj_drop(list);
    return rv;
}

/* ---- strings ------------------------------------------------------------------------ */

static bool is_text(const kin__view *v, bool raw)
{
    return v->code == 'c' || (!raw && kin__share_is_character(v->code));
}

static int read_text(kin_array *array, bool raw, kin_obj *ret, const char *what)
{
    kin__view v;
    int rv = look(array, what, &v);
    if (rv == 0 && !is_text(&v, raw)) {
        rv = kin__fail(KIN_ETYPE, "%s is of no characters", what);
    }
    rv = rv < 0 ? rv : enter(array, ret, what, &v);
    if (rv < 0) {
        return rv;
    }
    uint64_t count = raw ? v.length : 0;
    while (count < v.length && kin__share_load(kin__row_at(&v, count), v.size) != 0) {
        count++;
    }
    return kin__row_hand_out(&v, rv, read_range(&v, (range){ 0, count }), ret);
}

static int write_text(const kin__view *v, bool raw, kin_obj text, const char *verb)
{
    kin__source s;
    int rv = kin__row_source(v->code, v->size, text, verb, &s);
    if (rv < 0) {
        return rv;
    }
    if (!is_text(v, raw) || (v->code == 'c') != (kin_type_of(text) == KIN_TYPE_BYTES)) {
        return kin__fail(KIN_ETYPE,
                         "%s: bytes go into an array of 'c', a str into one of 'u' or 'w'", verb);
    }
    if (s.count > v->length) {
        return kin__fail(KIN_ERANGE, "%s: %zu characters for an array of %llu", verb, s.count,
                         (unsigned long long)v->length);
    }
    return replace(v, 0, s, !raw, verb);
}

static int put_text(kin_array *array, bool raw, kin_obj text, const char *verb)
{
    kin__view v;
    int rv = look(array, verb, &v);
    rv = rv < 0 ? rv : write_text(&v, raw, text, verb);
    kin__obj_drop(text);
    return rv;
}

int kin_array_value(kin_array *array, kin_obj *ret_string)
{
    return read_text(array, false, ret_string, "kin_array_value: the array");
}

int kin_array_raw(kin_array *array, kin_obj *ret_bytes)
{
    return read_text(array, true, ret_bytes, "kin_array_raw: the array");
}

int kin_array_set_value(kin_array *array, kin_obj string)
{
    return put_text(array, false, string, "kin_array_set_value");
}

int kin_array_set_raw(kin_array *array, kin_obj bytes)
{
    return put_text(array, true, bytes, "kin_array_set_raw");
}

/* ---- the lock, and questions -------------------------------------------------------- */

int kin_array_acquire(kin_array *array, double timeout)
{
    kin_rlock *lock = kin__row_lock(row_of(array), KIN__ARRAY, "kin_array_acquire: the array");
    return lock != NULL ? kin_rlock_acquire(lock, timeout) : kin__failure();
}

int kin_array_release(kin_array *array)
{
    kin_rlock *lock = kin__row_lock(row_of(array), KIN__ARRAY, "kin_array_release: the array");
    return lock != NULL ? kin_rlock_release(lock) : kin__failure();
}

kin_rlock *kin_array_lock(kin_array *array)
{
    return kin__row_lock(row_of(array), KIN__ARRAY, "kin_array_lock: the array");
}

void *kin_array_data(kin_array *array)
{
    return kin__row_data(row_of(array), KIN__ARRAY, "kin_array_data: the array");
}

size_t kin_array_len(kin_array *array)
{
    kin__view v;
    if (kin__is_remote(array, KIN__ARRAY)) {
        int rv = kin__remote_ask(array, KIN__ARRAY, "__len__", 0);
        return rv < 0 ? 0 : (size_t)rv;
    }
    return look(array, "kin_array_len: the array", &v) < 0 ? 0 : v.length;
}

size_t kin_array_itemsize(kin_array *array)
{
    kin__view v;
    return look(array, "kin_array_itemsize: the array", &v) < 0 ? 0 : v.size;
}

char kin_array_typecode(kin_array *array)
{
    kin__view v;
    return (char)(look(array, "kin_array_typecode: the array", &v) < 0 ? 0 : v.code);
}
