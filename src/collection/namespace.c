/* namespace.c - kin_shared_namespace: a table whose keys are strs. */
#include "table.h"

_Static_assert(kin_shared_namespace_KIND == KIN__SHARED_NAMESPACE,
               "collection.h says what the domain says");

#define ON_NAMESPACE(verb) KIN__ON(namespace_, KIN__SHARED_NAMESPACE, verb, "the namespace")

static kin_obj name_of(const char *verb, const char *name)
{
    return name != NULL ? kin_str(name)
                        : kin__obj_invalid(kin__fail(KIN_EINVAL, "%s: the name is NULL", verb));
}

static int update(const kin__on *on, kin_obj items)
{
    kin_obj key, value;
    size_t pos = 0;
    int rv = kin_type_of(items) == KIN_TYPE_DICT ? 0 : KIN_ETYPE;
    while (rv == 0 && kin_next_item(items, &pos, &key, NULL)) {
        rv = kin_type_of(key) == KIN_TYPE_STR ? 0 : KIN_ETYPE;
    }
    if (rv < 0) {
        return kin__fail(rv, "%s: that is no dict of strs", on->verb);
    }
    pos = 0;
    while (rv == 0 && kin_next_item(items, &pos, &key, &value)) {
        rv = kin__dict_set(on, key, value);
    }
    return rv;
}

int kin_shared_namespace_new(kin_shared_namespace **ret_namespace,
                             const kin_shared_namespace_options *options)
{
    const kin_shared_namespace_options given =
        options != NULL ? *options : (kin_shared_namespace_options){ 0 };
    kin__on on = KIN__ON(NULL, KIN__SHARED_NAMESPACE, "kin_shared_namespace_new", "the namespace");
    int rv = kin__dict_new(&on, ret_namespace != NULL, given.items, given.reserved, update);
    if (rv == 0) {
        *ret_namespace = (void *)on.table;
    }
    return rv;
}

void kin_shared_namespace_free(kin_shared_namespace *namespace_)
{
    if (kin__remote_free(namespace_, KIN__SHARED_NAMESPACE)) {
        return;
    }
    const kin__on on = ON_NAMESPACE("kin_shared_namespace_free");
    kin__table_free(&on);
}

int kin_shared_namespace_set(kin_shared_namespace *namespace_, const char *name, kin_obj value)
{
    if (kin__is_remote(namespace_, KIN__SHARED_NAMESPACE)) {
        return kin__remote_do(namespace_, "__setattr__", kin_tuple(kin_str(name), value), NULL);
    }
    const kin__on on = ON_NAMESPACE("kin_shared_namespace_set");
    return kin__dict_set(&on, name_of(on.verb, name), value);
}

int kin_shared_namespace_get(kin_shared_namespace *namespace_, const char *name, kin_obj *ret_value)
{
    if (kin__is_remote(namespace_, KIN__SHARED_NAMESPACE)) {
        return kin__remote_attribute(namespace_, "__getattribute__", kin_tuple(kin_str(name)),
                                     ret_value);
    }
    const kin__on on = ON_NAMESPACE("kin_shared_namespace_get");
    return kin__dict_get(&on, name_of(on.verb, name), ret_value);
}

int kin_shared_namespace_del(kin_shared_namespace *namespace_, const char *name)
{
    if (kin__is_remote(namespace_, KIN__SHARED_NAMESPACE)) {
        return kin__remote_attribute(namespace_, "__delattr__", kin_tuple(kin_str(name)), NULL);
    }
    const kin__on on = ON_NAMESPACE("kin_shared_namespace_del");
    return kin__dict_pop(&on, name_of(on.verb, name), NULL);
}

int kin_shared_namespace_copy(kin_shared_namespace *namespace_, kin_obj *ret_dict)
{
    if (kin__is_remote(namespace_, KIN__SHARED_NAMESPACE)) {
        return kin__remote_do(namespace_, "#GETVALUE", kin_tuple(), ret_dict);
    }
    const kin__on on = ON_NAMESPACE("kin_shared_namespace_copy");
    return kin__dict_copy(&on, ret_dict);
}
