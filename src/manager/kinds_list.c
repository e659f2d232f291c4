/* kinds_list.c - lists as they are served: all that ListProxy sends, up to Python 3.14. */
#include "../collection/room.h"
#include "room.h"

#include <stdlib.h>

static int out_of_range(int rv, const char *text, kin_obj *ret)
{
    return rv == KIN_ERANGE ? kin__asked_raise(ret, "IndexError", kin_args(kin_str(text))) : rv;
}

static int not_in_list(int rv, kin_obj value, kin_obj *ret)
{
    if (rv != KIN_ENOTFOUND) {
        return rv;
    }
    char *text = kin_repr(value);
    kin_obj o = kin_strf("%s is not in list", text != NULL ? text : "it");
    kin__os_free(text);
    return kin__asked_raise(ret, "ValueError", kin_args(o));
}

static kin_obj value_of(const kin__asked *asked)
{
    return kin__asked_must(asked, 0, "value");
}

/* ---- items that a client gives --------------------------------------------------------------- */

/* Members of a set, keys of a dict. */
static int list_of_keys(kin_obj given, kin_obj *ret)
{
    size_t pos = 0;
    kin_obj key;
    int rv = 0;
    *ret = kin_list();
    while (rv == 0 && kin_next_item(given, &pos, &key, NULL)) {
        rv = kin_append(ret, key);
    }
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

static int items_in(void *thing, kin_obj *ret)
{
    switch ((int)kin__block_type(thing)) {
    case kin_shared_list_KIND:
        return kin_shared_list_copy(thing, ret);
    case kin_shared_dict_KIND:
        return kin_shared_dict_keys(thing, ret);
    default:
        return kin__fail(KIN_ETYPE, "items come of a list or a dict, not of such a thing");
    }
}

/* What Python would go through, as a list; a list, a tuple, and what has no items, as it is. */
static int items_of(kin_obj given, kin_obj *ret)
{
    void *thing;
    int rv = 0;
    switch (kin_type_of(given)) {
    case KIN_TYPE_SET:
    case KIN_TYPE_DICT:
        return list_of_keys(given, ret);
    case KIN_TYPE_SHARED:
        rv = kin_to_shared(given, &thing);
        return rv < 0 ? rv : items_in(thing, ret);
    default:
        *ret = given;
        return 0;
    }
}

/* ---- one item, or a slice -------------------------------------------------------------------- */

static int get_item(kin__asked *asked, kin_obj *ret)
{
    kin_obj index = kin__asked_must(asked, 0, "index");
    int64_t i;
    if (kin_is_slice(index)) {
        return kin_shared_list_get_slice(asked->thing, index, ret);
    }
    int rv = kin_to_int(index, &i);
    return rv < 0 ? rv
                  : out_of_range(kin_shared_list_get(asked->thing, i, ret),
                                 "list index out of range", ret);
}

static int set_slice(kin__asked *asked, kin_obj slice, kin_obj items, kin_obj *ret)
{
    kin_obj list;
    int rv = items_of(items, &list);
    rv = rv < 0 ? rv : kin__asked_none(kin_shared_list_set_slice(asked->thing, slice, list), ret);
    return rv == KIN_ERANGE
               ? kin__asked_raise(ret, "ValueError",
                                  kin_args(kin_str("attempt to assign sequence of another size "
                                                   "to extended slice")))
               : rv;
}

static int set_item(kin__asked *asked, kin_obj *ret)
{
    kin_obj index = kin__asked_must(asked, 0, "index");
    kin_obj value = kin__asked_must(asked, 1, "value");
    int64_t i;
    if (kin_type_of(value) == KIN_TYPE_INVALID) {
        return KIN_ETYPE;
    }
    if (kin_is_slice(index)) {
        return set_slice(asked, index, value, ret);
    }
    int rv = kin_to_int(index, &i);
    if (rv == 0) {
        rv = kin__asked_none(kin_shared_list_set(asked->thing, i, value), ret);
    }
    return out_of_range(rv, "list assignment index out of range", ret);
}

static int delete_item(kin__asked *asked, kin_obj *ret)
{
    kin_obj index = kin__asked_must(asked, 0, "index");
    int64_t i;
    if (kin_is_slice(index)) {
        return kin__asked_none(kin_shared_list_del_slice(asked->thing, index), ret);
    }
    int rv = kin_to_int(index, &i);
    if (rv == 0) {
        rv = kin__asked_none(kin_shared_list_pop(asked->thing, i, NULL), ret);
    }
    return out_of_range(rv, "list assignment index out of range", ret);
}

static int pop(kin__asked *asked, kin_obj *ret)
{
    int64_t i;
    int rv = kin__asked_int(asked, 0, "index", -1, &i);
    return rv < 0 ? rv
                  : out_of_range(kin_shared_list_pop(asked->thing, i, ret),
                                 "pop from empty list, or pop index out of range", ret);
}

static int insert(kin__asked *asked, kin_obj *ret)
{
    int64_t i;
    kin_obj value = kin__asked_must(asked, 1, "object");
    int rv = kin_to_int(kin__asked_must(asked, 0, "index"), &i);
    return rv < 0 || kin_type_of(value) == KIN_TYPE_INVALID
               ? KIN_ETYPE
               : kin__asked_none(kin_shared_list_insert(asked->thing, i, value), ret);
}

/* ---- by value -------------------------------------------------------------------------------- */

static int contains(kin__asked *asked, kin_obj *ret)
{
    int64_t rv = kin_shared_list_index(asked->thing, value_of(asked));
    *ret = kin_bool(rv >= 0);
    return rv < 0 && rv != KIN_ENOTFOUND ? (int)rv : 0;
}

static int count(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_count(kin_shared_list_count(asked->thing, value_of(asked)), ret);
}

static int64_t within(int64_t i, int64_t length)
{
    i = i < 0 ? i + length : i;
    return i < 0 ? 0 : i > length ? length : i;
}

/* index(value, from, to): in a copy, for only Python asks for a part. */
static int index_in_part(kin__asked *asked, kin_obj value, kin_obj *ret)
{
    kin_obj all;
    int64_t from, to;
    int rv = kin__asked_int(asked, 1, "start", 0, &from);
    rv = rv < 0 ? rv : kin__asked_int(asked, 2, "stop", INT64_MAX, &to);
    rv = rv < 0 ? rv : kin_shared_list_copy(asked->thing, &all);
    if (rv < 0) {
        return rv;
    }
    int64_t length = (int64_t)kin_len(all), i = within(from, length), end = within(to, length);
    while (i < end && !kin_equal(kin_at(all, (size_t)i), value)) {
        i++;
    }
    kin_release(all);
    *ret = kin_int(i);
    return i < end ? 0 : KIN_ENOTFOUND;
}

static int index_of(kin__asked *asked, kin_obj *ret)
{
    kin_obj value = value_of(asked);
    int rv = kin_len(asked->args) > 1
                 ? index_in_part(asked, value, ret)
                 : kin__asked_count(kin_shared_list_index(asked->thing, value), ret);
    return not_in_list(rv, value, ret);
}

static int remove_value(kin__asked *asked, kin_obj *ret)
{
    int rv = kin__asked_none(kin_shared_list_remove(asked->thing, value_of(asked)), ret);
    return rv == KIN_ENOTFOUND
               ? kin__asked_raise(ret, "ValueError",
                                  kin_args(kin_str("list.remove(x): x not in list")))
               : rv;
}

/* ---- how many -------------------------------------------------------------------------------- */

#define REPEATED_MOST (1 << 24) /* items that a client may have us make at once */

static int check_times(uint64_t length, int64_t times)
{
    return times > 0 && length > REPEATED_MOST / (uint64_t)times
               ? kin__fail(KIN_ERANGE, "the list would have more than %d items", REPEATED_MOST)
               : 0;
}

/* ---- the whole list -------------------------------------------------------------------------- */

static int length(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_count(kin_shared_list_len(asked->thing), ret);
}

static int append(kin__asked *asked, kin_obj *ret)
{
    kin_obj value = value_of(asked);
    return kin_type_of(value) == KIN_TYPE_INVALID
               ? KIN_ETYPE
               : kin__asked_none(kin_shared_list_append(asked->thing, value), ret);
}

static int extend(kin__asked *asked, kin_obj *ret)
{
    kin_obj items;
    int rv = items_of(value_of(asked), &items);
    return rv < 0 ? rv : kin__asked_none(kin_shared_list_extend(asked->thing, items), ret);
}

static int reverse(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_shared_list_reverse(asked->thing), ret);
}

static int sort(kin__asked *asked, kin_obj *ret)
{
    kin_obj key = kin__asked_arg(asked, SIZE_MAX, "key", kin_none());
    kin_obj backwards = kin__asked_arg(asked, SIZE_MAX, "reverse", kin_bool(false));
    if (!kin_is_none(key)) {
        return kin__fail(KIN_EUNSUPPORTED, "a function to sort by does not travel");
    }
    bool turned = !kin_equal(backwards, kin_int(0)) && !kin_is_none(backwards);
    int rv = turned ? kin__list_sort_backwards(asked->thing)
                    : kin_shared_list_sort(asked->thing, NULL, NULL);
    return kin__asked_none(rv, ret);
}

static int repeat(kin__asked *asked, kin_obj *ret)
{
    int64_t times;
    int rv = kin_to_int(value_of(asked), &times);
    int64_t length = kin_shared_list_len(asked->thing);
    rv = rv < 0 ? rv : length < 0 ? (int)length : check_times((uint64_t)length, times);
    return rv < 0 ? rv : kin__asked_none(kin_shared_list_repeat(asked->thing, times), ret);
}

static int clear(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_shared_list_clear(asked->thing), ret);
}

static int copy(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_list_copy(asked->thing, ret);
}

/* ---- what Python has no method for (collection/remote.c) ------------------------------------- */

static int add_to(kin__asked *asked, kin_obj *ret)
{
    int64_t i;
    kin_obj delta = kin__asked_must(asked, 1, "delta");
    int rv = kin_to_int(kin__asked_must(asked, 0, "index"), &i);
    return rv < 0 ? rv
                  : out_of_range(kin_shared_list_add(asked->thing, i, delta, ret),
                                 "list index out of range", ret);
}

static int compare_and_set(kin__asked *asked, kin_obj *ret)
{
    int64_t i;
    kin_obj expected = kin__asked_must(asked, 1, "expected");
    kin_obj desired = kin__asked_must(asked, 2, "desired");
    int rv = kin_to_int(kin__asked_must(asked, 0, "index"), &i);
    rv = rv < 0 ? rv : kin_shared_list_compare_and_set(asked->thing, i, expected, desired);
    return out_of_range(kin__asked_bool(rv, ret), "list index out of range", ret);
}

/* ---- of which a plain list comes ------------------------------------------------------------- */

static int append_all(kin_obj *list, kin_obj items)
{
    int rv = 0;
    for (size_t i = 0; i < kin_len(items) && rv == 0; i++) {
        rv = kin_append(list, kin_at(items, i));
    }
    return rv;
}

static int add(kin__asked *asked, kin_obj *ret)
{
    kin_obj other = value_of(asked);
    if (kin_type_of(other) != KIN_TYPE_LIST) {
        return kin__fail(KIN_ETYPE, "can only concatenate list to list");
    }
    int rv = kin_shared_list_copy(asked->thing, ret);
    if (rv < 0) {
        return rv;
    }
    rv = append_all(ret, other);
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

static int multiply(kin__asked *asked, kin_obj *ret)
{
    int64_t times;
    kin_obj once;
    int rv = kin_to_int(value_of(asked), &times);
    rv = rv < 0 ? rv : kin_shared_list_copy(asked->thing, &once);
    if (rv < 0) {
        return rv;
    }
    rv = check_times(kin_len(once), times);
    if (rv < 0) {
        kin_release(once);
        return rv;
    }
    *ret = kin_list();
    for (int64_t i = 0; i < times && rv == 0; i++) {
        rv = append_all(ret, once);
    }
    kin_release(once);
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

static int reversed(kin__asked *asked, kin_obj *ret)
{
    kin_obj all;
    int rv = kin_shared_list_copy(asked->thing, &all);
    if (rv < 0) {
        return rv;
    }
    *ret = kin_list();
    for (size_t i = kin_len(all); i-- > 0 && rv == 0;) {
        rv = kin_append(ret, kin_at(all, i));
    }
    kin_release(all);
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const kin__method methods[] = {
    { .name = "__add__", .call = add, .takes = { 1, NULL }, .whole = true },
    { .name = "__contains__", .call = contains, .takes = { 1, NULL }, .whole = true },
    { .name = "__delitem__", .call = delete_item, .takes = { 1, NULL } },
    { .name = "__getitem__", .call = get_item, .takes = { 1, NULL } },
    { .name = "__len__", .call = length },
    { .name = "__mul__", .call = multiply, .takes = { 1, NULL }, .waits = true },
    { .name = "__reversed__", .call = reversed, .whole = true },
    { .name = "__rmul__", .call = multiply, .takes = { 1, NULL }, .waits = true },
    { .name = "__setitem__", .call = set_item, .takes = { 2, NULL } },
    { .name = "__iadd__", .call = extend, .takes = { 1, NULL } },
    { .name = "__imul__", .call = repeat, .takes = { 1, NULL }, .waits = true },
    { .name = "append", .call = append, .takes = { 1, NULL } },
    { .name = "clear", .call = clear, .whole = true },
    { .name = "copy", .call = copy, .whole = true },
    { .name = "count", .call = count, .takes = { 1, NULL }, .whole = true },
    { .name = "extend", .call = extend, .takes = { 1, NULL } },
    { .name = "index", .call = index_of, .takes = { 3, NULL }, .whole = true },
    { .name = "insert", .call = insert, .takes = { 2, NULL } },
    { .name = "pop", .call = pop, .takes = { 1, NULL } },
    { .name = "remove", .call = remove_value, .takes = { 1, NULL }, .whole = true },
    { .name = "reverse", .call = reverse, .whole = true },
    { .name = "sort", .call = sort, .takes = { 0, "key reverse" }, .whole = true },
    { .name = "#GETVALUE", .call = copy, .whole = true, .hidden = true },
    { .name = "#ADD", .call = add_to, .takes = { 2, NULL }, .hidden = true },
    { .name = "#CAS", .call = compare_and_set, .takes = { 3, NULL }, .hidden = true },
    { .name = NULL },
};

static int make(kin_obj args, kin_obj names, void **ret_thing)
{
    (void)names;
    kin_shared_list *list;
    kin_shared_list_options options = { 0 };
    int rv = kin_len(args) > 0 ? items_of(kin_at(args, 0), &options.items) : 0;
    rv = rv < 0 ? rv : kin_shared_list_new(&list, &options);
    *ret_thing = rv == 0 ? list : *ret_thing;
    return rv;
}

static int64_t count_items(void *thing)
{
    return kin_shared_list_len(thing);
}

static void free_list(void *thing)
{
    kin_shared_list_free(thing);
}

const kin__kind kin__kind_list = { .type_id = "list",
                                   .class_name = "ListProxy",
                                   .takes = { 1, NULL },
                                   .kind = kin_shared_list_KIND,
                                   .methods = methods,
                                   .count = count_items,
                                   .make = make,
                                   .free = free_list };
