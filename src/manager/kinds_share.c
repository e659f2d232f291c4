/* kinds_share.c - values, arrays and namespaces as they are served. */
#include "room.h"

/* Python's word for a number that an item has no room for. */
static int does_not_fit(int rv, kin_obj *ret)
{
    return rv == KIN_ERANGE
               ? kin__asked_raise(ret, "OverflowError", kin_args(kin_str(kin_errmsg())))
               : kin__asked_none(rv, ret);
}

/* ---- values ---------------------------------------------------------------------------------- */

static int value_get(kin__asked *asked, kin_obj *ret)
{
    int rv = kin_value_get(asked->thing, ret);
    return rv < 0 ? rv : 0;
}

static int value_set(kin__asked *asked, kin_obj *ret)
{
    kin_obj value = kin__asked_must(asked, 0, "value");
    return kin_type_of(value) == KIN_TYPE_INVALID
               ? KIN_ETYPE
               : does_not_fit(kin_value_set(asked->thing, value), ret);
}

static const kin__method value_methods[] = {
    { .name = "get", .call = value_get },
    { .name = "set", .call = value_set, .takes = { 1, "value" } },
    { .name = NULL },
};

static int typecode_of(const kin__asked *asked, char *ret)
{
    const char *code;
    int rv = kin_to_str(kin__asked_must(asked, 0, "typecode"), &code);
    if (rv < 0) {
        return rv;
    }
    if (code[0] == '\0' || code[1] != '\0') {
        return kin__fail(KIN_EINVAL, "a type code is one character");
    }
    *ret = code[0];
    return 0;
}

static int make_value(kin_obj args, kin_obj names, void **ret_thing)
{
    kin__asked asked = { .args = args, .names = names };
    char code;
    kin_value *value;
    int rv = typecode_of(&asked, &code);
    if (rv == 0) {
        rv = kin_value_new(&value, code, kin__asked_arg(&asked, 1, "value", kin_none()), NULL);
    }
    *ret_thing = rv == 0 ? value : *ret_thing;
    return rv;
}

static void free_value(void *thing)
{
    kin_value_free(thing);
}

const kin__kind kin__kind_value = { .type_id = "Value",
                                    .class_name = "ValueProxy",
                                    .takes = { 3, "typecode value lock" },
                                    .kind = kin_value_KIND,
                                    .methods = value_methods,
                                    .make = make_value,
                                    .free = free_value };

/* ---- arrays ---------------------------------------------------------------------------------- */

static int array_len(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_count((int64_t)kin_array_len(asked->thing), ret);
}

static int out_of_range(kin_obj *ret)
{
    return kin__asked_raise(ret, "IndexError", kin_args(kin_str("array index out of range")));
}

/* Of a slice with a step of 1: from and to. */
static int bounds_of(kin_obj slice, int64_t *ret_from, int64_t *ret_to)
{
    bool plain = kin_is_none(kin_at(slice, 2)) || kin_equal(kin_at(slice, 2), kin_int(1));
    int rv = plain ? 0 : kin__fail(KIN_EUNSUPPORTED, "a slice of an array with a step");
    *ret_from = 0;
    *ret_to = INT64_MAX;
    if (rv == 0 && !kin_is_none(kin_at(slice, 0))) {
        rv = kin_to_int(kin_at(slice, 0), ret_from);
    }
    if (rv == 0 && !kin_is_none(kin_at(slice, 1))) {
        rv = kin_to_int(kin_at(slice, 1), ret_to);
    }
    return rv;
}

static int array_get(kin__asked *asked, kin_obj *ret)
{
    kin_obj index = kin__asked_must(asked, 0, "index");
    int64_t from, to;
    if (kin_is_slice(index)) {
        int rv = bounds_of(index, &from, &to);
        return rv < 0 ? rv : kin_array_slice(asked->thing, from, to, ret);
    }
    int rv = kin_to_int(index, &from);
    rv = rv < 0 ? rv : kin_array_get(asked->thing, from, ret);
    return rv == KIN_ERANGE ? out_of_range(ret) : rv;
}

static int array_set(kin__asked *asked, kin_obj *ret)
{
    kin_obj index = kin__asked_must(asked, 0, "index");
    kin_obj value = kin__asked_must(asked, 1, "value");
    int64_t from, to;
    if (kin_type_of(value) == KIN_TYPE_INVALID) {
        return KIN_ETYPE;
    }
    if (kin_is_slice(index)) {
        int rv = bounds_of(index, &from, &to);
        return rv < 0 ? rv
                      : kin__asked_none(kin_array_set_slice(asked->thing, from, to, value), ret);
    }
    int64_t length = (int64_t)kin_array_len(asked->thing);
    int rv = kin_to_int(index, &from);
    if (rv == KIN_ERANGE || (rv == 0 && (from < -length || from >= length))) {
        return out_of_range(ret);
    }
    return rv < 0 ? rv : does_not_fit(kin_array_set(asked->thing, from, value), ret);
}

static const kin__method array_methods[] = {
    { .name = "__len__", .call = array_len },
    { .name = "__getitem__", .call = array_get, .takes = { 1, NULL } },
    { .name = "__setitem__", .call = array_set, .takes = { 2, NULL } },
    { .name = NULL },
};

static int make_array(kin_obj args, kin_obj names, void **ret_thing)
{
    kin__asked asked = { .args = args, .names = names };
    char code;
    kin_array *array;
    int rv = typecode_of(&asked, &code);
    if (rv == 0) {
        rv =
            kin_array_new(&array, code, 0, kin__asked_arg(&asked, 1, "sequence", kin_none()), NULL);
    }
    *ret_thing = rv == 0 ? array : *ret_thing;
    return rv;
}

static void free_array(void *thing)
{
    kin_array_free(thing);
}

const kin__kind kin__kind_array = { .type_id = "Array",
                                    .class_name = "ArrayProxy",
                                    .takes = { 3, "typecode sequence lock" },
                                    .kind = kin_array_KIND,
                                    .methods = array_methods,
                                    .make = make_array,
                                    .free = free_array };

/* ---- namespaces ------------------------------------------------------------------------------ */

static int no_attribute(int rv, const char *name, kin_obj *ret)
{
    return rv == KIN_ENOTFOUND
               ? kin__asked_raise(
                     ret, "AttributeError",
                     kin_args(kin_strf("'Namespace' object has no attribute '%s'", name)))
               : rv;
}

static int namespace_get(kin__asked *asked, kin_obj *ret)
{
    const char *name;
    int rv = kin_to_str(kin__asked_must(asked, 0, "name"), &name);
    return rv < 0 ? rv : no_attribute(kin_shared_namespace_get(asked->thing, name, ret), name, ret);
}

static int namespace_set(kin__asked *asked, kin_obj *ret)
{
    const char *name;
    kin_obj value = kin__asked_must(asked, 1, "value");
    int rv = kin_to_str(kin__asked_must(asked, 0, "name"), &name);
    if (rv < 0 || kin_type_of(value) == KIN_TYPE_INVALID) {
        return KIN_ETYPE;
    }
    return kin__asked_none(kin_shared_namespace_set(asked->thing, name, value), ret);
}

static int namespace_del(kin__asked *asked, kin_obj *ret)
{
    const char *name;
    int rv = kin_to_str(kin__asked_must(asked, 0, "name"), &name);
    if (rv == 0) {
        rv = kin__asked_none(kin_shared_namespace_del(asked->thing, name), ret);
        rv = no_attribute(rv, name, ret);
    }
    return rv;
}

static int namespace_copy(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_namespace_copy(asked->thing, ret);
}

static const kin__method namespace_methods[] = {
    { .name = "#GETVALUE", .call = namespace_copy, .hidden = true },
    { .name = "__getattribute__", .call = namespace_get, .takes = { 1, NULL } },
    { .name = "__setattr__", .call = namespace_set, .takes = { 2, NULL } },
    { .name = "__delattr__", .call = namespace_del, .takes = { 1, NULL } },
    { .name = NULL },
};

static int make_namespace(kin_obj args, kin_obj names, void **ret_thing)
{
    (void)args;
    kin_shared_namespace *made;
    kin_shared_namespace_options options = { .items = kin_retain(names) }; /* none is fine */
    int rv = kin_shared_namespace_new(&made, &options);
    *ret_thing = rv == 0 ? made : *ret_thing;
    return rv;
}

static void free_namespace(void *thing)
{
    kin_shared_namespace_free(thing);
}

const kin__kind kin__kind_namespace = { .type_id = "Namespace",
                                        .class_name = "NamespaceProxy",
                                        .takes = { 0, "**" },
                                        .kind = kin_shared_namespace_KIND,
                                        .methods = namespace_methods,
                                        .make = make_namespace,
                                        .free = free_namespace };
