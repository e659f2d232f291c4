/* value.c - kin_value: a row of one item. */
#include "room.h"

static const kin_value_options defaults;

/* Also of what is NULL. */
static kin__row *row_of(kin_value *value)
{
    return (kin__row *)value;
}

static int fill(const kin__view *v, kin_obj initial, const void *bytes)
{
    kin__item item = { .bytes = bytes };
    if (bytes != NULL && (v->code != 0 || !kin_is_none(initial))) {
        return kin__fail(KIN_EINVAL,
                         "kin_value_new: .bytes are for a struct without other initials");
    }
    if (bytes == NULL && kin_is_none(initial)) {
        return 0;
    }
    int rv = bytes != NULL ? 0 : kin__row_pack(v, initial, "kin_value_new", &item);
    if (rv == 0) {
        kin__row_put(v, 0, &item);
    }
    return rv;
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
    kin__view v;
    int rv = kin__obj_check(initial, "kin_value_new");
    rv = rv < 0 ? rv : kin__row_new(&plan, &v);
    if (rv < 0) {
        return rv;
    }
    rv = fill(&v, initial, options->bytes);
    if (rv < 0) {
        kin__row_drop(v.row);
        return rv;
    }
    kin__row_give(v.row);
    *ret_value = (kin_value *)v.row;
    return 0;
}

int kin_value_new(kin_value **ret_value, char typecode, kin_obj initial,
                  const kin_value_options *options)
{
    int rv = make(ret_value, typecode, initial, options != NULL ? options : &defaults);
    kin__obj_drop(initial);
    return rv;
}

void kin_value_free(kin_value *value)
{
    if (kin__remote_free(value, KIN__VALUE)) {
        return;
    }
    kin__row_free(row_of(value), KIN__VALUE, "kin_value_free: the value");
}

int kin_value_get(kin_value *value, kin_obj *ret_object)
{
    kin__view v;
    if (ret_object == NULL) {
        return kin__fail(KIN_EINVAL, "kin_value_get: the place for the object is NULL");
    }
    int rv = kin__row_look(row_of(value), KIN__VALUE, "kin_value_get: the value", &v);
    if (rv < 0 && kin__is_remote(value, KIN__VALUE)) {
        return atomic_load(&kin__remote_call)(value, "get", kin_tuple(), 0, ret_object);
    }
    rv = rv < 0 ? rv : kin__row_enter(&v);
    return rv < 0 ? rv : kin__row_hand_out(&v, rv, kin__row_read(&v, 0), ret_object);
}

int kin_value_set(kin_value *value, kin_obj object)
{
    kin__view v;
    kin__item item;
    int rv = kin__row_look(row_of(value), KIN__VALUE, "kin_value_set: the value", &v);
    if (rv < 0 && kin__is_remote(value, KIN__VALUE)) {
        return atomic_load(&kin__remote_call)(value, "set", kin_tuple(object), 0, NULL);
    }
    rv = rv < 0 ? rv : kin__row_pack(&v, object, "kin_value_set", &item);
    rv = rv < 0 ? rv : kin__row_enter(&v);
    if (rv >= 0) {
        kin__row_put(&v, 0, &item);
        rv = kin__row_leave(&v, rv, 0);
    }
    kin__obj_drop(object);
    return rv;
}

int kin_value_acquire(kin_value *value, double timeout)
{
    kin_rlock *lock = kin__row_lock(row_of(value), KIN__VALUE, "kin_value_acquire: the value");
    return lock != NULL ? kin_rlock_acquire(lock, timeout) : kin__failure();
}

int kin_value_release(kin_value *value)
{
    kin_rlock *lock = kin__row_lock(row_of(value), KIN__VALUE, "kin_value_release: the value");
    return lock != NULL ? kin_rlock_release(lock) : kin__failure();
}

void *kin_value_ptr(kin_value *value)
{
    return kin__row_data(row_of(value), KIN__VALUE, "kin_value_ptr: the value");
}

kin_rlock *kin_value_lock(kin_value *value)
{
    return kin__row_lock(row_of(value), KIN__VALUE, "kin_value_lock: the value");
}
