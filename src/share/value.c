/* value.c - kin_value: a row of one item. */
#include "room.h"

#include <string.h>

static const kin_value_options defaults;

/* Also of what is NULL. */
static kin__row *row_of(kin_value *value)
{
    return (kin__row *)value;
}

static int fill(kin__row *row, kin_obj initial, const void *bytes)
{
    if (bytes == NULL) {
        return kin_is_none(initial) ? 0 : kin__row_write(row, 0, initial, "kin_value_new");
    }
    if (row->code != 0 || !kin_is_none(initial)) {
        return kin__fail(KIN_EINVAL,
                         "kin_value_new: .bytes are for a struct without other initials");
    }
    memcpy(row->data, bytes, row->size);
    return 0;
}

static int make(kin_value **ret_value, char typecode, kin_obj initial,
                const kin_value_options *options)
{
    const kin__row_plan plan = { .verb = "kin_value_new",
                                 .type = KIN__VALUE,
                                 .code = typecode,
                                 .length = 1,
                                 .size = options->size,
                                 .lock = options->lock,
                                 .no_lock = options->no_lock };
    if (ret_value == NULL) {
        return kin__fail(KIN_EINVAL, "kin_value_new: the place for the value is NULL");
    }
    if (kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "kin_value_new: a reserved option is not zero");
    }
    kin__row *row;
    int rv = kin__obj_check(initial, "kin_value_new");
    rv = rv < 0 ? rv : kin__row_new(&plan, &row);
    if (rv < 0) {
        return rv;
    }
    rv = fill(row, initial, options->bytes);
    if (rv < 0) {
        kin__row_drop(row);
        return rv;
    }
    kin__row_give(row);
    *ret_value = (kin_value *)row;
    return 0;
}

int kin_value_new(kin_value **ret_value, char typecode, kin_obj initial,
                  const kin_value_options *options)
{
    int rv = make(ret_value, typecode, initial, options != NULL ? options : &defaults);
    kin__obj_drop(initial);
    return rv;
}

static int check(kin_value *value, const char *what)
{
    return kin__row_check(row_of(value), KIN__VALUE, what);
}

static int check_item(kin_value *value, const char *what)
{
    return kin__row_check_items(row_of(value), KIN__VALUE, what);
}

void kin_value_free(kin_value *value)
{
    kin__row_free(row_of(value), KIN__VALUE, "kin_value_free: the value");
}

int kin_value_get(kin_value *value, kin_obj *ret_object)
{
    if (ret_object == NULL) {
        return kin__fail(KIN_EINVAL, "kin_value_get: the place for the object is NULL");
    }
    int rv = check_item(value, "kin_value_get: the value");
    rv = rv < 0 ? rv : kin__row_enter(row_of(value));
    if (rv < 0) {
        return rv;
    }
    kin_obj read = kin__row_read(row_of(value), 0);
    kin__row_leave(row_of(value));
    if (kin_is_error(read)) {
        return kin_error_code(read);
    }
    *ret_object = read;
    return rv;
}

int kin_value_set(kin_value *value, kin_obj object)
{
    int rv = check_item(value, "kin_value_set: the value");
    rv = rv < 0 ? rv : kin__row_enter(row_of(value));
    if (rv >= 0) {
        int written = kin__row_write(row_of(value), 0, object, "kin_value_set");
        rv = written < 0 ? written : rv;
        kin__row_leave(row_of(value));
    }
    kin__obj_drop(object);
    return rv;
}

int kin_value_acquire(kin_value *value, double timeout)
{
    int rv = check(value, "kin_value_acquire: the value");
    return rv < 0 ? rv : kin__row_acquire(row_of(value), timeout, "kin_value_acquire");
}

int kin_value_release(kin_value *value)
{
    int rv = check(value, "kin_value_release: the value");
    return rv < 0 ? rv : kin__row_release(row_of(value), "kin_value_release");
}

void *kin_value_ptr(kin_value *value)
{
    return check(value, "kin_value_ptr: the value") < 0 ? NULL : row_of(value)->data;
}

kin_rlock *kin_value_lock(kin_value *value)
{
    int rv = check(value, "kin_value_lock: the value");
    return rv < 0 ? NULL : kin__row_lock(row_of(value), "kin_value_lock");
}
