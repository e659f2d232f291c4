/* dict_bulk.c - kin_shared_dict: its beginning and end, and all of it at once. */
#include "table.h"

#define ON_DICT(verb) KIN__ON(dict, KIN__SHARED_DICT, verb, "the dict")

/* ---- beginning and end ----------------------------------------------------------------------- */

static int make(kin__on *on, kin_obj items, int (*update)(const kin__on *on, kin_obj items))
{
    bool any = kin_type_of(items) != KIN_TYPE_INVALID || items.code < 0;
    int rv = any ? kin__obj_check(items, on->verb) : 0;
    on->table = rv < 0 ? NULL : kin__table_new(on->type);
    if (on->table == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    kin__block_give(on->table);
    rv = any ? update(on, kin__obj_lend(items)) : 0;
    if (rv < 0) {
        kin__table_free(on);
    }
    return rv;
}

int kin__dict_new(kin__on *on, bool is_wanted, kin_obj items, const uint64_t reserved[4],
                  int (*update)(const kin__on *on, kin_obj items))
{
    int rv;
    if (!is_wanted) {
        rv = kin__fail(KIN_EINVAL, "%s: nowhere to put it (NULL)", on->verb);
    } else if (kin__any_set(reserved)) {
        rv = kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", on->verb);
    } else {
        rv = make(on, items, update);
    }
    kin__obj_drop(items);
    return rv;
}

/* ---- many keys ------------------------------------------------------------------------------- */

static bool is_pair(kin_obj o)
{
    kin_type type = kin_type_of(o);
    return (type == KIN_TYPE_LIST || type == KIN_TYPE_TUPLE) && kin_len(o) == 2;
}

/* Before anything is put in. */
static int check_items(const kin__on *on, kin_obj items)
{
    kin_type type = kin_type_of(items);
    bool fine = type == KIN_TYPE_DICT || type == KIN_TYPE_LIST || type == KIN_TYPE_TUPLE;
    for (size_t i = 0; fine && type != KIN_TYPE_DICT && i < kin_len(items); i++) {
        fine = is_pair(kin_at(items, i));
    }
    return fine ? 0 : kin__fail(KIN_ETYPE, "%s: that is no dict, and no list of pairs", on->verb);
}

static int put_all(const kin__on *on, kin_obj items)
{
    kin_obj key, value;
    size_t pos = 0;
    int rv = 0;
    if (kin_type_of(items) == KIN_TYPE_DICT) {
        while (rv == 0 && kin_next_item(items, &pos, &key, &value)) {
            rv = kin__dict_set(on, key, value);
        }
        return rv;
    }
    for (; rv == 0 && pos < kin_len(items); pos++) {
        kin_obj pair = kin_at(items, pos);
        rv = kin__dict_set(on, kin_at(pair, 0), kin_at(pair, 1));
    }
    return rv;
}

static int update(const kin__on *on, kin_obj items)
{
    int rv = kin__head_check(on->table, on->type, on->what);
    rv = rv < 0 ? rv : kin__obj_check(items, on->verb);
    rv = rv < 0 ? rv : check_items(on, items);
    rv = rv < 0 ? rv : put_all(on, items);
    kin__obj_drop(items);
    return rv;
}

static int enter(const kin__on *on)
{
    int rv = kin__head_check(on->table, on->type, on->what);
    return rv < 0 ? rv : kin__table_enter(on);
}

int kin__dict_clear(const kin__on *on)
{
    int rv = enter(on);
    if (rv == 0) {
        rv = kin__table_clear(on);
        kin__table_leave(on);
    }
    return rv;
}

/* ---- what came in last ----------------------------------------------------------------------- */

/* Its entry is found again by its key, as all are that are taken out. */
static int remove_by_key(const kin__on *on, kin_obj object, kin_obj *ret_value)
{
    kin__key key;
    kin__spot spot;
    int rv = kin__key_make(on->table, object, on->verb, &key);
    if (rv < 0) {
        return rv;
    }
    rv = kin__table_find(on, &key, &spot);
    if (rv == KIN__FOUND) {
        rv = ret_value != NULL ? kin__table_value(on, &spot, ret_value) : 0;
        rv = rv < 0 ? rv : kin__table_remove(on, &spot);
    } else if (rv == KIN__MISSING) {
        rv = kin__fail(KIN_ECORRUPT, "%s is scribbled over", on->what);
    }
    kin__key_done(&key);
    return rv;
}

static int take_last(const kin__on *on, kin_obj *ret_key, kin_obj *ret_value)
{
    uint64_t word;
    uint64_t position = kin__peek(&on->table->next);
    kin_obj key = kin_none();
    if (!kin__radix_previous(&on->table->order, &position, &word)) {
        return kin__fail(KIN_ENOTFOUND, "%s is empty", on->what);
    }
    kin__entry *e = kin__block_place(word, sizeof *e);
    int rv = e != NULL ? kin__entry_key(e, word, &key) : 0;
    if (rv != 1) {
        return rv < 0 ? rv : kin__fail(KIN_ECORRUPT, "%s is scribbled over", on->what);
    }
    rv = remove_by_key(on, key, ret_value);
    if (rv == 0 && ret_key != NULL) {
        *ret_key = key;
    } else {
        kin_release(key);
    }
    return rv;
}

int kin__dict_popitem(const kin__on *on, kin_obj *ret_key, kin_obj *ret_value)
{
    int rv = enter(on);
    if (rv == 0) {
        rv = take_last(on, ret_key, ret_value);
        kin__table_leave(on);
    }
    return rv;
}

/* ---- all of it at one moment ----------------------------------------------------------------- */

static int add_item(kin_obj key, kin_obj value, void *ctx)
{
    return kin_setitem(ctx, key, value);
}

static int add_key(kin_obj key, kin_obj value, void *ctx)
{
    (void)value;
    return kin_append(ctx, key);
}

static int add_value(kin_obj key, kin_obj value, void *ctx)
{
    (void)key;
    return kin_append(ctx, value);
}

static int add_pair(kin_obj key, kin_obj value, void *ctx)
{
    return kin_append(ctx, kin_tuple(key, value));
}

int kin__dict_gather(const kin__on *on, kin__tour tour, kin_obj into, kin_obj *ret)
{
    int rv = kin__obj_check(into, on->verb);
    if (rv == 0 && ret == NULL) {
        rv = kin__fail(KIN_EINVAL, "%s: nowhere to put the result (NULL)", on->verb);
    }
    rv = rv < 0 ? rv : enter(on);
    if (rv == 0) {
        tour.ctx = &into;
        rv = kin__table_each(on, &tour);
        kin__table_leave(on);
    }
    if (rv < 0) {
        kin_release(into);
        return rv;
    }
    *ret = into;
    return 0;
}

int kin__dict_copy(const kin__on *on, kin_obj *ret_dict)
{
    kin__tour tour = { .visit = add_item, .keys = true, .values = true };
    return kin__dict_gather(on, tour, kin_dict(), ret_dict);
}

int kin__dict_next(const kin__on *on, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value)
{
    int rv = kin__head_check(on->table, on->type, on->what);
    if (rv < 0) {
        return rv;
    }
    return pos != NULL ? kin__table_next(on, pos, ret_key, ret_value)
                       : kin__fail(KIN_EINVAL, "%s: the position is NULL", on->verb);
}

/* ---- the verbs ------------------------------------------------------------------------------- */

int kin_shared_dict_new(kin_shared_dict **ret_dict, const kin_shared_dict_options *options)
{
    const kin_shared_dict_options given =
        options != NULL ? *options : (kin_shared_dict_options){ 0 };
    kin__on on = KIN__ON(NULL, KIN__SHARED_DICT, "kin_shared_dict_new", "the dict");
    int rv = kin__dict_new(&on, ret_dict != NULL, given.items, given.reserved, update);
    if (rv == 0) {
        *ret_dict = (void *)on.table;
    }
    return rv;
}

void kin_shared_dict_free(kin_shared_dict *dict)
{
    if (kin__remote_free(dict, KIN__SHARED_DICT)) {
        return;
    }
    const kin__on on = ON_DICT("kin_shared_dict_free");
    kin__table_free(&on);
}

int kin_shared_dict_popitem(kin_shared_dict *dict, kin_obj *ret_key, kin_obj *ret_value)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_popitem(dict, ret_key, ret_value);
    }
    const kin__on on = ON_DICT("kin_shared_dict_popitem");
    return kin__dict_popitem(&on, ret_key, ret_value);
}

int kin_shared_dict_update(kin_shared_dict *dict, kin_obj items)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "update", kin_tuple(items), NULL);
    }
    const kin__on on = ON_DICT("kin_shared_dict_update");
    return update(&on, items);
}

int kin_shared_dict_clear(kin_shared_dict *dict)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "clear", kin_tuple(), NULL);
    }
    const kin__on on = ON_DICT("kin_shared_dict_clear");
    return kin__dict_clear(&on);
}

int kin_shared_dict_copy(kin_shared_dict *dict, kin_obj *ret_dict)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "copy", kin_tuple(), ret_dict);
    }
    const kin__on on = ON_DICT("kin_shared_dict_copy");
    return kin__dict_copy(&on, ret_dict);
}

int kin_shared_dict_keys(kin_shared_dict *dict, kin_obj *ret_list)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "keys", kin_tuple(), ret_list);
    }
    const kin__on on = ON_DICT("kin_shared_dict_keys");
    return kin__dict_gather(&on, (kin__tour){ .visit = add_key, .keys = true }, kin_list(),
                            ret_list);
}

int kin_shared_dict_values(kin_shared_dict *dict, kin_obj *ret_list)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "values", kin_tuple(), ret_list);
    }
    const kin__on on = ON_DICT("kin_shared_dict_values");
    return kin__dict_gather(&on, (kin__tour){ .visit = add_value, .values = true }, kin_list(),
                            ret_list);
}

int kin_shared_dict_items(kin_shared_dict *dict, kin_obj *ret_list)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "items", kin_tuple(), ret_list);
    }
    const kin__on on = ON_DICT("kin_shared_dict_items");
    kin__tour tour = { .visit = add_pair, .keys = true, .values = true };
    return kin__dict_gather(&on, tour, kin_list(), ret_list);
}

int kin_shared_dict_next(kin_shared_dict *dict, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_next(dict, pos, ret_key, ret_value);
    }
    const kin__on on = ON_DICT("kin_shared_dict_next");
    return kin__dict_next(&on, pos, ret_key, ret_value);
}
