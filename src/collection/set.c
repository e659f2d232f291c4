/* set.c - kin_shared_set: a table whose values say nothing. */
#include "table.h"

_Static_assert(kin_shared_set_KIND == KIN__SHARED_SET, "collection.h says what the domain says");

#define ON_SET(verb) KIN__ON(set, KIN__SHARED_SET, verb, "the set")

static int put_in(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    uint64_t word;
    (void)ctx;
    if (spot != NULL) {
        return 0;
    }
    int rv = kin__value_make(kin_none(), &word);
    rv = rv < 0 ? rv : kin__table_insert(on, key, word);
    return rv < 0 ? rv : 1;
}

static int take_out(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    (void)key;
    (void)ctx;
    int rv = spot != NULL ? kin__table_remove(on, spot) : 0;
    return rv < 0 ? rv : spot != NULL;
}

static int put_all(const kin__on *on, kin_obj members)
{
    kin_type type = kin_type_of(members);
    kin_obj member;
    size_t pos = 0;
    int rv = 0;
    while (type == KIN_TYPE_SET && rv >= 0 && kin_next_item(members, &pos, &member, NULL)) {
        rv = kin__dict_step(on, member, put_in, NULL);
    }
    for (; type != KIN_TYPE_SET && rv >= 0 && pos < kin_len(members); pos++) {
        rv = kin__dict_step(on, kin_at(members, pos), put_in, NULL);
    }
    return rv < 0 ? rv : 0;
}

static int update(const kin__on *on, kin_obj members)
{
    kin_type type = kin_type_of(members);
    int rv = kin__head_check(on->table, on->type, on->what);
    rv = rv < 0 ? rv : kin__obj_check(members, on->verb);
    if (rv == 0 && type != KIN_TYPE_SET && type != KIN_TYPE_LIST && type != KIN_TYPE_TUPLE) {
        rv = kin__fail(KIN_ETYPE, "%s: that is no set, list or tuple", on->verb);
    }
    rv = rv < 0 ? rv : put_all(on, members);
    kin__obj_drop(members);
    return rv;
}

int kin_shared_set_new(kin_shared_set **ret_set, const kin_shared_set_options *options)
{
    const kin_shared_set_options given = options != NULL ? *options : (kin_shared_set_options){ 0 };
    kin__on on = KIN__ON(NULL, KIN__SHARED_SET, "kin_shared_set_new", "the set");
    int rv = kin__dict_new(&on, ret_set != NULL, given.items, given.reserved, update);
    if (rv == 0) {
        *ret_set = (void *)on.table;
    }
    return rv;
}

void kin_shared_set_free(kin_shared_set *set)
{
    if (kin__remote_free(set, KIN__SHARED_SET)) {
        return;
    }
    const kin__on on = ON_SET("kin_shared_set_free");
    kin__table_free(&on);
}

int kin_shared_set_add(kin_shared_set *set, kin_obj member)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_change(set, true, member);
    }
    const kin__on on = ON_SET("kin_shared_set_add");
    return kin__dict_step(&on, member, put_in, NULL);
}

int kin_shared_set_discard(kin_shared_set *set, kin_obj member)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_change(set, false, member);
    }
    const kin__on on = ON_SET("kin_shared_set_discard");
    return kin__dict_step(&on, member, take_out, NULL);
}

int kin_shared_set_contains(kin_shared_set *set, kin_obj member)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return (int)kin__remote_number(set, "__contains__", kin_tuple(member));
    }
    const kin__on on = ON_SET("kin_shared_set_contains");
    return kin__dict_contains(&on, member);
}

int64_t kin_shared_set_len(kin_shared_set *set)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_number(set, "__len__", kin_tuple());
    }
    const kin__on on = ON_SET("kin_shared_set_len");
    return kin__dict_len(&on);
}

int kin_shared_set_pop(kin_shared_set *set, kin_obj *ret_member)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_do(set, "pop", kin_tuple(), ret_member);
    }
    const kin__on on = ON_SET("kin_shared_set_pop");
    return kin__dict_popitem(&on, ret_member, NULL);
}

int kin_shared_set_update(kin_shared_set *set, kin_obj members)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_do(set, "update", kin_tuple(members), NULL);
    }
    const kin__on on = ON_SET("kin_shared_set_update");
    return update(&on, members);
}

int kin_shared_set_clear(kin_shared_set *set)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_do(set, "clear", kin_tuple(), NULL);
    }
    const kin__on on = ON_SET("kin_shared_set_clear");
    return kin__dict_clear(&on);
}

static int add_member(kin_obj key, kin_obj value, void *ctx)
{
    (void)value;
    return kin_append(ctx, key);
}

int kin_shared_set_copy(kin_shared_set *set, kin_obj *ret_set)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_do(set, "copy", kin_tuple(), ret_set);
    }
    const kin__on on = ON_SET("kin_shared_set_copy");
    return kin__dict_gather(&on, (kin__tour){ .visit = add_member, .keys = true }, kin_set(),
                            ret_set);
}

int kin_shared_set_next(kin_shared_set *set, uint64_t *pos, kin_obj *ret_member)
{
    if (kin__is_remote(set, KIN__SHARED_SET)) {
        return kin__remote_next(set, pos, ret_member, NULL);
    }
    const kin__on on = ON_SET("kin_shared_set_next");
    return kin__dict_next(&on, pos, ret_member, NULL);
}
