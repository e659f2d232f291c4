/* kinds_dict.c - dicts as they are served: all that DictProxy sends, up to Python 3.14. */
#include "room.h"

static int no_key(int rv, kin_obj key, kin_obj *ret)
{
    return rv == KIN_ENOTFOUND ? kin__asked_raise(ret, "KeyError", kin_args(key)) : rv;
}

static kin_obj key_of(const kin__asked *asked)
{
    return kin__asked_must(asked, 0, "key");
}

static int contains(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_shared_dict_contains(asked->thing, key_of(asked)), ret);
}

static int delete_item(kin__asked *asked, kin_obj *ret)
{
    kin_obj key = key_of(asked);
    return no_key(kin__asked_none(kin_shared_dict_pop(asked->thing, key, NULL), ret), key, ret);
}

static int get_item(kin__asked *asked, kin_obj *ret)
{
    kin_obj key = key_of(asked);
    return no_key(kin_shared_dict_get(asked->thing, key, ret), key, ret);
}

static int set_item(kin__asked *asked, kin_obj *ret)
{
    kin_obj value = kin__asked_must(asked, 1, "value");
    return kin_type_of(value) == KIN_TYPE_INVALID
               ? KIN_ETYPE
               : kin__asked_none(kin_shared_dict_set(asked->thing, key_of(asked), value), ret);
}

static int iterate(kin__asked *asked, kin_obj *ret)
{
    kin_obj keys;
    int rv = kin_shared_dict_keys(asked->thing, &keys);
    return rv < 0 ? rv : kin__asked_iterator(asked, keys, ret);
}

static int iterate_back(kin__asked *asked, kin_obj *ret)
{
    kin_obj keys;
    int rv = kin_shared_dict_keys(asked->thing, &keys);
    if (rv < 0) {
        return rv;
    }
    kin_obj back = kin__obj_list_for(kin_len(keys));
    for (size_t i = kin_len(keys); i-- > 0 && rv == 0;) {
        rv = kin_append(&back, kin_at(keys, i));
    }
    kin_release(keys);
    if (rv < 0) {
        kin_release(back);
        return rv;
    }
    return kin__asked_iterator(asked, back, ret);
}

static int length(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_count(kin_shared_dict_len(asked->thing), ret);
}

static int clear(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_shared_dict_clear(asked->thing), ret);
}

static int copy(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_dict_copy(asked->thing, ret);
}

/* What is given back instead of a missing value. */
static int otherwise(int rv, kin_obj value, kin_obj *ret)
{
    if (rv != KIN_ENOTFOUND) {
        return rv;
    }
    *ret = kin_retain(value);
    return 0;
}

static int get(kin__asked *asked, kin_obj *ret)
{
    int rv = kin_shared_dict_get(asked->thing, key_of(asked), ret);
    return otherwise(rv, kin__asked_arg(asked, 1, "default", kin_none()), ret);
}

static int pop(kin__asked *asked, kin_obj *ret)
{
    kin_obj key = key_of(asked);
    kin_obj value = kin__asked_arg(asked, 1, "default", kin__obj_invalid(KIN_ETYPE));
    int rv = kin_shared_dict_pop(asked->thing, key, ret);
    return kin_type_of(value) == KIN_TYPE_INVALID ? no_key(rv, key, ret)
                                                  : otherwise(rv, value, ret);
}

static int popitem(kin__asked *asked, kin_obj *ret)
{
    kin_obj key, value;
    int rv = kin_shared_dict_popitem(asked->thing, &key, &value);
    if (rv < 0) {
        return no_key(rv, kin_str("popitem(): dictionary is empty"), ret);
    }
    *ret = kin_tuple(key, value);
    return 0;
}

static int setdefault(kin__asked *asked, kin_obj *ret)
{
    kin_obj value = kin__asked_arg(asked, 1, "default", kin_none());
    int rv = kin_shared_dict_setdefault(asked->thing, key_of(asked), value, ret);
    return rv < 0 ? rv : 0;
}

static int items(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_dict_items(asked->thing, ret);
}

static int keys(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_dict_keys(asked->thing, ret);
}

static int values(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_dict_values(asked->thing, ret);
}

/* What a client gives: of another dict of ours a copy; all else as it is. */
static int items_of(kin_obj given, kin_obj *ret)
{
    void *thing = NULL;
    int rv = kin_type_of(given) == KIN_TYPE_SHARED ? kin_to_shared(given, &thing) : 0;
    if (rv == 0 && thing != NULL && (int)kin__block_type(thing) == kin_shared_dict_KIND) {
        return kin_shared_dict_copy(thing, ret);
    }
    *ret = given;
    return rv;
}

static int update(kin__asked *asked, kin_obj *ret)
{
    int rv = 0;
    kin_obj items;
    if (kin_len(asked->args) > 0) {
        rv = items_of(kin_at(asked->args, 0), &items);
        rv = rv < 0 ? rv : kin_shared_dict_update(asked->thing, items);
    }
    if (rv >= 0 && kin_type_of(asked->names) == KIN_TYPE_DICT && kin_len(asked->names) > 0) {
        rv = kin_shared_dict_update(asked->thing, kin_retain(asked->names));
    }
    return kin__asked_none(rv, ret);
}

/* ---- what Python has no method for (collection/remote.c) ------------------------------------- */

static int add(kin__asked *asked, kin_obj *ret)
{
    kin_obj delta = kin__asked_must(asked, 1, "delta");
    return kin_shared_dict_add(asked->thing, key_of(asked), delta, ret);
}

static int compare_and_set(kin__asked *asked, kin_obj *ret)
{
    kin_obj expected = kin__asked_must(asked, 1, "expected");
    kin_obj desired = kin__asked_must(asked, 2, "desired");
    int rv = kin_shared_dict_compare_and_set(asked->thing, key_of(asked), expected, desired);
    return kin__asked_bool(rv, ret);
}

/* (whether it was put in, what is there) */
static int put_default(kin__asked *asked, kin_obj *ret)
{
    kin_obj there;
    kin_obj value = kin__asked_must(asked, 1, "default");
    int rv = kin_shared_dict_setdefault(asked->thing, key_of(asked), value, &there);
    if (rv < 0) {
        return rv;
    }
    *ret = kin_tuple(kin_bool(rv > 0), there);
    return 0;
}

static int next(kin__asked *asked, kin_obj *ret)
{
    int64_t at;
    kin_obj key, value;
    int rv = kin__asked_int(asked, 0, "position", 0, &at);
    uint64_t pos = (uint64_t)at;
    rv = rv < 0 ? rv : kin_shared_dict_next(asked->thing, &pos, &key, &value);
    if (rv > 0) {
        *ret = kin_tuple(kin_int((int64_t)pos), key, value);
        return 0;
    }
    return kin__asked_none(rv, ret);
}

/* ---- dict | dict, of which a plain dict comes ------------------------------------------------ */

static int merge(kin_obj *dict, kin_obj other)
{
    size_t pos = 0;
    kin_obj key, value;
    int rv = 0;
    while (rv == 0 && kin_next_item(other, &pos, &key, &value)) {
        rv = kin_setitem(dict, key, value);
    }
    return rv;
}

static int merged(kin__asked *asked, bool ours_first, kin_obj *ret)
{
    kin_obj other = kin__asked_must(asked, 0, "other"), ours;
    if (kin_type_of(other) != KIN_TYPE_DICT) {
        return kin__fail(KIN_ETYPE, "a dict can be joined with a dict only");
    }
    int rv = kin_shared_dict_copy(asked->thing, &ours);
    if (rv < 0) {
        return rv;
    }
    *ret = kin_dict();
    rv = merge(ret, ours_first ? ours : other);
    rv = rv == 0 ? merge(ret, ours_first ? other : ours) : rv;
    kin_release(ours);
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

static int or_other(kin__asked *asked, kin_obj *ret)
{
    return merged(asked, true, ret);
}

static int or_ours(kin__asked *asked, kin_obj *ret)
{
    return merged(asked, false, ret);
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const kin__method methods[] = {
    { .name = "__contains__", .call = contains, .takes = { 1, NULL } },
    { .name = "__delitem__", .call = delete_item, .takes = { 1, NULL } },
    { .name = "__getitem__", .call = get_item, .takes = { 1, NULL } },
    { .name = "__iter__", .call = iterate, .whole = true },
    { .name = "__len__", .call = length },
    { .name = "__setitem__", .call = set_item, .takes = { 2, NULL } },
    { .name = "__or__", .call = or_other, .takes = { 1, NULL }, .whole = true },
    { .name = "__ror__", .call = or_ours, .takes = { 1, NULL }, .whole = true },
    { .name = "__ior__", .call = update, .takes = { 1, NULL }, .whole = true },
    { .name = "__reversed__", .call = iterate_back, .whole = true },
    { .name = "clear", .call = clear, .whole = true },
    { .name = "copy", .call = copy, .whole = true },
    { .name = "get", .call = get, .takes = { 2, NULL } },
    { .name = "items", .call = items, .whole = true },
    { .name = "keys", .call = keys, .whole = true },
    { .name = "pop", .call = pop, .takes = { 2, NULL } },
    { .name = "popitem", .call = popitem },
    { .name = "setdefault", .call = setdefault, .takes = { 2, NULL } },
    { .name = "update", .call = update, .takes = { 1, "**" }, .whole = true },
    { .name = "values", .call = values, .whole = true },
    { .name = "#GETVALUE", .call = copy, .whole = true, .hidden = true },
    { .name = "#ADD", .call = add, .takes = { 2, NULL }, .hidden = true },
    { .name = "#CAS", .call = compare_and_set, .takes = { 3, NULL }, .hidden = true },
    { .name = "#NEXT", .call = next, .takes = { 1, NULL }, .hidden = true },
    { .name = "#SETDEFAULT", .call = put_default, .takes = { 2, NULL }, .hidden = true },
    { .name = NULL },
};

static int make(kin_obj args, kin_obj names, void **ret_thing)
{
    kin_shared_dict *dict;
    kin_shared_dict_options options = { 0 };
    int rv = kin_len(args) > 0 ? items_of(kin_at(args, 0), &options.items) : 0;
    rv = rv < 0 ? rv : kin_shared_dict_new(&dict, &options);
    if (rv < 0) {
        return rv;
    }
    bool named = kin_type_of(names) == KIN_TYPE_DICT && kin_len(names) > 0;
    rv = named ? kin_shared_dict_update(dict, kin_retain(names)) : 0;
    if (rv < 0) {
        kin_shared_dict_free(dict);
        return rv;
    }
    *ret_thing = dict;
    return 0;
}

static int64_t count_items(void *thing)
{
    return kin_shared_dict_len(thing);
}

static void free_dict(void *thing)
{
    kin_shared_dict_free(thing);
}

const kin__kind kin__kind_dict = { .type_id = "dict",
                                   .class_name = "DictProxy",
                                   .takes = { 1, "**" },
                                   .kind = kin_shared_dict_KIND,
                                   .methods = methods,
                                   .count = count_items,
                                   .make = make,
                                   .free = free_dict };
