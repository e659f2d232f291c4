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

/* All or none. */
static int replace(kin__row *row, uint64_t first, kin__source s, const char *verb)
{
    int rv = kin__row_pour(row, first, s, true, verb);
    return rv < 0 ? rv : kin__row_pour(row, first, s, false, verb);
}

/* ---- life --------------------------------------------------------------------------- */

static int make(kin_array **ret_array, kin__row_plan *plan, kin_obj initial)
{
    const kin__row kind = { .code = plan->code,
                            .size = plan->size != 0 ? (uint32_t)plan->size
                                                    : 1 }; /* a bad plan fails below */
    kin__source s = { .from = initial };
    int rv = kin__obj_check(initial, plan->verb);
    rv = rv < 0 || kin_is_none(initial) ? rv : kin__row_source(&kind, initial, plan->verb, &s);
    if (rv < 0) {
        return rv;
    }
    if (plan->length != 0 && s.count > plan->length) {
        return kin__fail(KIN_ERANGE, "%s: %zu items for an array of %llu", plan->verb, s.count,
                         (unsigned long long)plan->length);
    }
    plan->length = plan->length != 0 ? plan->length : s.count;
    kin__row *row;
    rv = kin__row_new(plan, &row);
    if (rv < 0) {
        return rv;
    }
    rv = kin__row_pour(row, 0, s, false, plan->verb);
    if (rv < 0) {
        kin__row_drop(row);
        return rv;
    }
    kin__row_give(row);
    *ret_array = (kin_array *)row;
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
    kin__row_free(row_of(array), KIN__ARRAY, "kin_array_free: the array");
}

static int check(kin_array *array, const char *what)
{
    return kin__row_check(row_of(array), KIN__ARRAY, what);
}

/* Checks, and takes the lock. */
static int enter(kin_array *array, const void *ret, const char *what)
{
    int rv = kin__row_check_items(row_of(array), KIN__ARRAY, what);
    if (rv == 0 && ret == NULL) {
        return kin__fail(KIN_EINVAL, "%s has no place to go (NULL)", what);
    }
    return rv < 0 ? rv : kin__row_enter(row_of(array));
}

/* Gives the lock back; the code of what was done, or of how the lock was had. */
static int leave(kin_array *array, int entered, int rv)
{
    kin__row_leave(row_of(array));
    return rv < 0 ? rv : entered;
}

static int hand_out(kin_array *array, int entered, kin_obj made, kin_obj *ret)
{
    if (kin_is_error(made)) {
        return leave(array, entered, kin_error_code(made));
    }
    *ret = made;
    return leave(array, entered, 0);
}

int kin_array_copy(kin_array *array, kin_array **ret_array)
{
    int entered = enter(array, ret_array, "kin_array_copy: the array");
    if (entered < 0) {
        return entered;
    }
    const kin__row *from = row_of(array);
    const kin__row_plan plan = { .verb = "kin_array_copy",
                                 .type = KIN__ARRAY,
                                 .code = from->code,
                                 .length = from->length,
                                 .size = from->code == 0 ? from->size : 0,
                                 .no_lock = from->lock == NULL };
    kin__row *row;
    int rv = kin__row_new(&plan, &row);
    if (rv == 0) {
        memcpy(row->data, from->data, row->length * row->size);
        kin__row_give(row);
        *ret_array = (kin_array *)row;
    }
    return leave(array, entered, rv);
}

/* ---- one item ----------------------------------------------------------------------- */

static int find(const kin__row *row, int64_t index, const char *verb, uint64_t *ret_place)
{
    uint64_t place = index < 0 ? row->length + (uint64_t)index : (uint64_t)index;
    if (place >= row->length) { /* one that is too far below has wrapped around */
        return kin__fail(KIN_ERANGE, "%s: there is no item %lld in an array of %llu", verb,
                         (long long)index, (unsigned long long)row->length);
    }
    *ret_place = place;
    return 0;
}

int kin_array_get(kin_array *array, int64_t index, kin_obj *ret_object)
{
    uint64_t i = 0;
    int entered = enter(array, ret_object, "kin_array_get: the array");
    if (entered < 0) {
        return entered;
    }
    int rv = find(row_of(array), index, "kin_array_get", &i);
    if (rv < 0) {
        return leave(array, entered, rv);
    }
    return hand_out(array, entered, kin__row_read(row_of(array), i), ret_object);
}

int kin_array_set(kin_array *array, int64_t index, kin_obj object)
{
    uint64_t i = 0;
    int rv = enter(array, array, "kin_array_set: the array");
    if (rv >= 0) {
        int entered = rv;
        rv = find(row_of(array), index, "kin_array_set", &i);
        rv = rv < 0 ? rv : kin__row_write(row_of(array), i, object, "kin_array_set");
        rv = leave(array, entered, rv);
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

static range range_of(const kin__row *row, int64_t from, int64_t to)
{
    uint64_t first = clamp(from, row->length);
    uint64_t end = clamp(to, row->length);
    return (range){ first, end > first ? end - first : 0 };
}

/* The items, or an invalid object. */
static kin_obj as_list(const kin__row *row, range r)
{
    kin_obj list = kin_list();
    int rv = kin__obj_check(list, "kin_array_slice");
    for (uint64_t i = 0; i < r.count && rv == 0; i++) {
        rv = kin_append(&list, kin__row_read(row, r.first + i));
    }
    if (rv < 0) {
        kin_release(list);
        return kin__obj_invalid(rv);
    }
    return list;
}

static kin_obj as_text(const kin__row *row, range r)
{
    char *text = kin__os_malloc(r.count * 4);
    if (text == NULL) {
        return kin__obj_invalid(kin__fail(KIN_ENOMEM, "no memory for a str of %llu characters",
                                          (unsigned long long)r.count));
    }
    size_t size = 0;
    bool good = true;
    for (uint64_t i = 0; i < r.count && good; i++) {
        uint64_t bits = kin__share_load(kin__row_at(row, r.first + i), row->size);
        size_t more = kin__share_put_char((uint32_t)bits, text + size);
        good = more > 0;
        size += more;
    }
    kin_obj made = good ? kin_strn(text, size)
                        : kin__obj_invalid(kin__fail(KIN_ERANGE, "an item is no character"));
    kin__os_free(text);
    return made;
}

static kin_obj read_range(const kin__row *row, range r)
{
    return row->code == 'c'   ? kin_bytes(kin__row_at(row, r.first), r.count)
           : row->code == 'u' ? as_text(row, r)
                              : as_list(row, r);
}

int kin_array_slice(kin_array *array, int64_t from, int64_t to, kin_obj *ret_list)
{
    int entered = enter(array, ret_list, "kin_array_slice: the array");
    if (entered < 0) {
        return entered;
    }
    return hand_out(array, entered, read_range(row_of(array), range_of(row_of(array), from, to)),
                    ret_list);
}

static int set_slice(kin__row *row, range r, kin_obj list)
{
    kin__source s;
    int rv = kin__row_source(row, list, "kin_array_set_slice", &s);
    if (rv == 0 && s.count != r.count) {
        rv = kin__fail(KIN_ERANGE, "kin_array_set_slice: %zu items for a slice of %llu", s.count,
                       (unsigned long long)r.count);
    }
    return rv < 0 ? rv : replace(row, r.first, s, "kin_array_set_slice");
}

int kin_array_set_slice(kin_array *array, int64_t from, int64_t to, kin_obj list)
{
    int rv = enter(array, array, "kin_array_set_slice: the array");
    if (rv >= 0) {
        kin__row *row = row_of(array);
        rv = leave(array, rv, set_slice(row, range_of(row, from, to), list));
    }
    kin__obj_drop(list);
    return rv;
}

/* ---- strings ------------------------------------------------------------------------ */

static bool is_text(const kin__row *row, bool raw)
{
    return row->code == 'c' || (row->code == 'u' && !raw);
}

static int read_text(kin_array *array, bool raw, kin_obj *ret, const char *what)
{
    int entered = enter(array, ret, what);
    if (entered < 0) {
        return entered;
    }
    const kin__row *row = row_of(array);
    if (!is_text(row, raw)) {
        return leave(array, entered, kin__fail(KIN_ETYPE, "%s is of no characters", what));
    }
    uint64_t count = 0;
    while (count < row->length && (raw || kin__share_load(kin__row_at(row, count), row->size))) {
        count++;
    }
    return hand_out(array, entered, read_range(row, (range){ 0, count }), ret);
}

static int write_text(kin__row *row, bool raw, kin_obj text, const char *verb)
{
    kin__source s;
    int rv = kin__row_source(row, text, verb, &s);
    if (rv < 0) {
        return rv;
    }
    if (!is_text(row, raw) || (row->code == 'c') != (kin_type_of(text) == KIN_TYPE_BYTES)) {
        return kin__fail(KIN_ETYPE, "%s: bytes go into an array of 'c', a str into one of 'u'",
                         verb);
    }
    if (s.count > row->length) {
        return kin__fail(KIN_ERANGE, "%s: %zu characters for an array of %llu", verb, s.count,
                         (unsigned long long)row->length);
    }
    rv = replace(row, 0, s, verb);
    if (rv == 0 && !raw && s.count < row->length) {
        kin__share_store(kin__row_at(row, s.count), row->size, 0);
    }
    return rv;
}

static int put_text(kin_array *array, bool raw, kin_obj text, const char *verb)
{
    int rv = enter(array, array, verb);
    if (rv >= 0) {
        rv = leave(array, rv, write_text(row_of(array), raw, text, verb));
    }
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
    int rv = check(array, "kin_array_acquire: the array");
    return rv < 0 ? rv : kin__row_acquire(row_of(array), timeout, "kin_array_acquire");
}

int kin_array_release(kin_array *array)
{
    int rv = check(array, "kin_array_release: the array");
    return rv < 0 ? rv : kin__row_release(row_of(array), "kin_array_release");
}

kin_rlock *kin_array_lock(kin_array *array)
{
    int rv = check(array, "kin_array_lock: the array");
    return rv < 0 ? NULL : kin__row_lock(row_of(array), "kin_array_lock");
}

void *kin_array_data(kin_array *array)
{
    return check(array, "kin_array_data: the array") < 0 ? NULL : row_of(array)->data;
}

size_t kin_array_len(kin_array *array)
{
    return check(array, "kin_array_len: the array") < 0 ? 0 : row_of(array)->length;
}

size_t kin_array_itemsize(kin_array *array)
{
    return check(array, "kin_array_itemsize: the array") < 0 ? 0 : row_of(array)->size;
}

char kin_array_typecode(kin_array *array)
{
    return (char)(check(array, "kin_array_typecode: the array") < 0 ? 0 : row_of(array)->code);
}
