/* kinds_set.c - sets as they are served: what SetProxy of Python 3.14 sends.
 *
 * The operators take a copy, and compute with plain sets; those that change the set compute first,
 * and then take out and put in member by member. */
#include "room.h"

static kin_obj other_of(const kin__asked *asked)
{
    return kin__asked_must(asked, 0, "other");
}

static bool has(kin_obj set, kin_obj member)
{
    return kin_type_of(kin_lookup(set, member)) != KIN_TYPE_INVALID;
}

/* ---- members --------------------------------------------------------------------------------- */

static int add(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_shared_set_add(asked->thing, other_of(asked)), ret);
}

static int discard(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_shared_set_discard(asked->thing, other_of(asked)), ret);
}

/* What Python does not tell: whether it was in it (collection/remote.c). */
static int put_in(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_shared_set_add(asked->thing, other_of(asked)), ret);
}

static int take_out(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_shared_set_discard(asked->thing, other_of(asked)), ret);
}

static int next(kin__asked *asked, kin_obj *ret)
{
    int64_t at;
    kin_obj member;
    int rv = kin__asked_int(asked, 0, "position", 0, &at);
    uint64_t pos = (uint64_t)at;
    rv = rv < 0 ? rv : kin_shared_set_next(asked->thing, &pos, &member);
    if (rv > 0) {
        *ret = kin_tuple(kin_int((int64_t)pos), member, kin_none());
        return 0;
    }
    return kin__asked_none(rv, ret);
}

static int remove_member(kin__asked *asked, kin_obj *ret)
{
    kin_obj member = other_of(asked);
    int rv = kin_shared_set_discard(asked->thing, member);
    return rv == 0 ? kin__asked_raise(ret, "KeyError", kin_args(member)) : kin__asked_none(rv, ret);
}

static int contains(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_shared_set_contains(asked->thing, other_of(asked)), ret);
}

static int length(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_count(kin_shared_set_len(asked->thing), ret);
}

static int pop(kin__asked *asked, kin_obj *ret)
{
    int rv = kin_shared_set_pop(asked->thing, ret);
    return rv == KIN_ENOTFOUND
               ? kin__asked_raise(ret, "KeyError", kin_args(kin_str("pop from an empty set")))
               : rv;
}

static int clear(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_shared_set_clear(asked->thing), ret);
}

static int copy(kin__asked *asked, kin_obj *ret)
{
    return kin_shared_set_copy(asked->thing, ret);
}

/* Members of a set, or items of a list or tuple, to a list or a set. */
static int append_all(kin_obj *to, kin_obj from)
{
    int rv = 0;
    size_t pos = 0;
    kin_obj member;
    if (kin_type_of(from) != KIN_TYPE_SET) {
        for (size_t i = 0; i < kin_len(from) && rv == 0; i++) {
            rv = kin_append(to, kin_at(from, i));
        }
        return rv;
    }
    while (rv == 0 && kin_next_item(from, &pos, &member, NULL)) {
        rv = kin_append(to, member);
    }
    return rv;
}

static int iterate(kin__asked *asked, kin_obj *ret)
{
    kin_obj set, list;
    int rv = kin_shared_set_copy(asked->thing, &set);
    if (rv < 0) {
        return rv;
    }
    list = kin_list();
    rv = append_all(&list, set);
    kin_release(set);
    if (rv < 0) {
        kin_release(list);
        return rv;
    }
    return kin__asked_iterator(asked, list, ret);
}

/* ---- with another ---------------------------------------------------------------------------- */

/* Which members of two sets are wanted. */
enum wanted { OURS = 1, BOTH = 2, THEIRS = 4 };

/* What a client compares with: a set, or something with items, of which a set is made. */
static int set_of(kin_obj other, kin_obj *ret)
{
    if (kin_type_of(other) == KIN_TYPE_SET) {
        *ret = kin_retain(other);
        return 0;
    }
    if (kin_type_of(other) != KIN_TYPE_LIST && kin_type_of(other) != KIN_TYPE_TUPLE) {
        return kin__fail(KIN_ETYPE, "not a set, a list or a tuple");
    }
    *ret = kin_set();
    int rv = append_all(ret, other);
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

static int add_wanted(kin_obj *set, kin_obj from, kin_obj other, bool want_common, bool want_own)
{
    size_t pos = 0;
    kin_obj member;
    int rv = 0;
    while (rv == 0 && kin_next_item(from, &pos, &member, NULL)) {
        if (has(other, member) ? want_common : want_own) {
            rv = kin_append(set, member);
        }
    }
    return rv;
}

static int choose(kin_obj ours, kin_obj theirs, unsigned wanted, kin_obj *ret)
{
    *ret = kin_set();
    int rv = add_wanted(ret, ours, theirs, wanted & BOTH, wanted & OURS);
    rv = rv == 0 ? add_wanted(ret, theirs, ours, false, wanted & THEIRS) : rv;
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

/* With each of the arguments in turn. */
static int computed(kin__asked *asked, unsigned wanted, kin_obj *ret)
{
    kin_obj now, theirs, next;
    int rv = kin_shared_set_copy(asked->thing, &now);
    if (rv < 0) {
        return rv;
    }
    for (size_t i = 0; i < kin_len(asked->args) && rv == 0; i++) {
        rv = set_of(kin_at(asked->args, i), &theirs);
        if (rv == 0) {
            rv = choose(now, theirs, wanted, &next);
            kin_release(theirs);
        }
        if (rv == 0) {
            kin_release(now);
            now = next;
        }
    }
    if (rv < 0) {
        kin_release(now);
        return rv;
    }
    *ret = now;
    return 0;
}

static int unite(kin__asked *asked, kin_obj *ret)
{
    return computed(asked, OURS | BOTH | THEIRS, ret);
}

static int intersect(kin__asked *asked, kin_obj *ret)
{
    return computed(asked, BOTH, ret);
}

static int subtract(kin__asked *asked, kin_obj *ret)
{
    return computed(asked, OURS, ret);
}

static int subtract_from(kin__asked *asked, kin_obj *ret)
{
    return computed(asked, THEIRS, ret);
}

static int exclude(kin__asked *asked, kin_obj *ret)
{
    return computed(asked, OURS | THEIRS, ret);
}

/* ---- and keep it ----------------------------------------------------------------------------- */

static int take_out_others(void *thing, kin_obj now)
{
    kin_obj before, member;
    size_t pos = 0;
    int rv = kin_shared_set_copy(thing, &before);
    if (rv < 0) {
        return rv;
    }
    while (rv >= 0 && kin_next_item(before, &pos, &member, NULL)) {
        rv = has(now, member) ? 0 : kin_shared_set_discard(thing, member);
    }
    kin_release(before);
    return rv;
}

static int become(kin__asked *asked, unsigned wanted, kin_obj *ret)
{
    kin_obj now;
    int rv = computed(asked, wanted, &now);
    if (rv < 0) {
        return rv;
    }
    rv = take_out_others(asked->thing, now);
    rv = rv < 0 ? rv : kin_shared_set_update(asked->thing, kin_retain(now));
    kin_release(now);
    return kin__asked_none(rv, ret);
}

static int update(kin__asked *asked, kin_obj *ret)
{
    int rv = 0;
    for (size_t i = 0; i < kin_len(asked->args) && rv >= 0; i++) {
        rv = kin_shared_set_update(asked->thing, kin_at(asked->args, i));
    }
    return kin__asked_none(rv, ret);
}

static int keep_common(kin__asked *asked, kin_obj *ret)
{
    return become(asked, BOTH, ret);
}

static int take_away(kin__asked *asked, kin_obj *ret)
{
    return become(asked, OURS, ret);
}

static int keep_either(kin__asked *asked, kin_obj *ret)
{
    return become(asked, OURS | THEIRS, ret);
}

/* ---- comparisons ----------------------------------------------------------------------------- */

/* How many members only one of them has. */
static int differences(kin__asked *asked, size_t *ret_ours, size_t *ret_theirs, size_t *ret_both)
{
    kin_obj ours, theirs;
    int rv = set_of(other_of(asked), &theirs);
    if (rv < 0) {
        return rv;
    }
    rv = kin_shared_set_copy(asked->thing, &ours);
    if (rv == 0) {
        size_t pos = 0;
        kin_obj member;
        *ret_both = 0;
        while (kin_next_item(ours, &pos, &member, NULL)) {
            *ret_both += has(theirs, member);
        }
        *ret_ours = kin_len(ours) - *ret_both;
        *ret_theirs = kin_len(theirs) - *ret_both;
        kin_release(ours);
    }
    kin_release(theirs);
    return rv;
}

static int is_subset(kin__asked *asked, kin_obj *ret)
{
    size_t ours, theirs, both;
    int rv = differences(asked, &ours, &theirs, &both);
    return kin__asked_bool(rv < 0 ? rv : ours == 0, ret);
}

static int is_superset(kin__asked *asked, kin_obj *ret)
{
    size_t ours, theirs, both;
    int rv = differences(asked, &ours, &theirs, &both);
    return kin__asked_bool(rv < 0 ? rv : theirs == 0, ret);
}

static int is_less(kin__asked *asked, kin_obj *ret)
{
    size_t ours, theirs, both;
    int rv = differences(asked, &ours, &theirs, &both);
    return kin__asked_bool(rv < 0 ? rv : ours == 0 && theirs > 0, ret);
}

static int is_greater(kin__asked *asked, kin_obj *ret)
{
    size_t ours, theirs, both;
    int rv = differences(asked, &ours, &theirs, &both);
    return kin__asked_bool(rv < 0 ? rv : theirs == 0 && ours > 0, ret);
}

static int is_disjoint(kin__asked *asked, kin_obj *ret)
{
    size_t ours, theirs, both;
    int rv = differences(asked, &ours, &theirs, &both);
    return kin__asked_bool(rv < 0 ? rv : both == 0, ret);
}

/* ---- the kind -------------------------------------------------------------------------------- */

static const kin__method methods[] = {
    { .name = "__and__", .call = intersect, .takes = { 1, NULL }, .whole = true },
    { .name = "__contains__", .call = contains, .takes = { 1, NULL } },
    { .name = "__ge__", .call = is_superset, .takes = { 1, NULL }, .whole = true },
    { .name = "__gt__", .call = is_greater, .takes = { 1, NULL }, .whole = true },
    { .name = "__iand__", .call = keep_common, .takes = { 1, NULL }, .whole = true },
    { .name = "__ior__", .call = update, .takes = { 1, NULL }, .whole = true },
    { .name = "__isub__", .call = take_away, .takes = { 1, NULL }, .whole = true },
    { .name = "__iter__", .call = iterate, .whole = true },
    { .name = "__ixor__", .call = keep_either, .takes = { 1, NULL }, .whole = true },
    { .name = "__le__", .call = is_subset, .takes = { 1, NULL }, .whole = true },
    { .name = "__len__", .call = length },
    { .name = "__lt__", .call = is_less, .takes = { 1, NULL }, .whole = true },
    { .name = "__or__", .call = unite, .takes = { 1, NULL }, .whole = true },
    { .name = "__rand__", .call = intersect, .takes = { 1, NULL }, .whole = true },
    { .name = "__ror__", .call = unite, .takes = { 1, NULL }, .whole = true },
    { .name = "__rsub__", .call = subtract_from, .takes = { 1, NULL }, .whole = true },
    { .name = "__rxor__", .call = exclude, .takes = { 1, NULL }, .whole = true },
    { .name = "__sub__", .call = subtract, .takes = { 1, NULL }, .whole = true },
    { .name = "__xor__", .call = exclude, .takes = { 1, NULL }, .whole = true },
    { .name = "add", .call = add, .takes = { 1, NULL } },
    { .name = "clear", .call = clear, .whole = true },
    { .name = "copy", .call = copy, .whole = true },
    { .name = "difference", .call = subtract, .takes = { KIN__ANY, NULL }, .whole = true },
    { .name = "difference_update", .call = take_away, .takes = { KIN__ANY, NULL }, .whole = true },
    { .name = "discard", .call = discard, .takes = { 1, NULL } },
    { .name = "intersection", .call = intersect, .takes = { KIN__ANY, NULL }, .whole = true },
    { .name = "intersection_update",
      .call = keep_common,
      .takes = { KIN__ANY, NULL },
      .whole = true },
    { .name = "isdisjoint", .call = is_disjoint, .takes = { 1, NULL }, .whole = true },
    { .name = "issubset", .call = is_subset, .takes = { 1, NULL }, .whole = true },
    { .name = "issuperset", .call = is_superset, .takes = { 1, NULL }, .whole = true },
    { .name = "pop", .call = pop },
    { .name = "remove", .call = remove_member, .takes = { 1, NULL } },
    { .name = "symmetric_difference", .call = exclude, .takes = { 1, NULL }, .whole = true },
    { .name = "symmetric_difference_update",
      .call = keep_either,
      .takes = { 1, NULL },
      .whole = true },
    { .name = "union", .call = unite, .takes = { KIN__ANY, NULL }, .whole = true },
    { .name = "update", .call = update, .takes = { KIN__ANY, NULL }, .whole = true },
    { .name = "#GETVALUE", .call = copy, .whole = true, .hidden = true },
    { .name = "#ADD", .call = put_in, .takes = { 1, NULL }, .hidden = true },
    { .name = "#DISCARD", .call = take_out, .takes = { 1, NULL }, .hidden = true },
    { .name = "#NEXT", .call = next, .takes = { 1, NULL }, .hidden = true },
    { .name = NULL },
};

static int make(kin_obj args, kin_obj names, void **ret_thing)
{
    (void)names;
    kin_shared_set *set;
    kin_shared_set_options options = { .items =
                                           kin_len(args) > 0 ? kin_at(args, 0) : (kin_obj){ 0 } };
    int rv = kin_shared_set_new(&set, &options);
    *ret_thing = rv == 0 ? set : *ret_thing;
    return rv;
}

static int64_t count_items(void *thing)
{
    return kin_shared_set_len(thing);
}

static void free_set(void *thing)
{
    kin_shared_set_free(thing);
}

const kin__kind kin__kind_set = { .type_id = "set",
                                  .class_name = "SetProxy",
                                  .takes = { 1, NULL },
                                  .kind = kin_shared_set_KIND,
                                  .methods = methods,
                                  .count = count_items,
                                  .make = make,
                                  .free = free_set };
