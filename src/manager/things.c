/* things.c - shared things and tokens inside of other objects, replaced by one another.
 *
 * What goes over a socket may hold things: in lists of dicts of lists. An object without any is
 * handed on as it is; only the boxes that lead to one are made anew. */
#include "room.h"

#define DEPTH 200     /* boxes in boxes; what is deeper is not looked for */
#define LOOKS 2000000 /* nor what is larger: a stranger may send what holds itself, many times */

static bool is_row(kin_obj o)
{
    return kin_type_of(o) == KIN_TYPE_LIST ||
           (kin_type_of(o) == KIN_TYPE_TUPLE && !kin_is_token(o) && !kin_is_slice(o));
}

static bool has_thing(kin_obj o, int depth, unsigned *left)
{
    if (*left == 0) {
        return false;
    }
    --*left;
    if (kin_type_of(o) == KIN_TYPE_SHARED || kin_is_token(o)) {
        return true;
    }
    for (size_t i = 0; depth < DEPTH && is_row(o) && i < kin_len(o); i++) {
        if (has_thing(kin_at(o, i), depth + 1, left)) {
            return true;
        }
    }
    size_t pos = 0;
    kin_obj key, value;
    while (depth < DEPTH && kin_type_of(o) == KIN_TYPE_DICT &&
           kin_next_item(o, &pos, &key, &value)) {
        if (has_thing(value, depth + 1, left)) {
            return true;
        }
    }
    return false;
}

typedef struct mapping {
    int (*map)(kin_obj o, void *ctx, kin_obj *ret);
    void *ctx;
    unsigned left; /* of LOOKS */
} mapping;

static int map_one(mapping *m, kin_obj o, int depth, kin_obj *ret);

static int map_row(mapping *m, kin_obj row, int depth, kin_obj *ret)
{
    kin_obj list = kin__obj_list_for(kin_len(row));
    int rv = 0;
    for (size_t i = 0; i < kin_len(row) && rv == 0; i++) {
        kin_obj item;
        rv = map_one(m, kin_at(row, i), depth + 1, &item);
        rv = rv < 0 ? rv : kin_append(&list, item);
    }
    if (rv == 0 && kin_type_of(row) == KIN_TYPE_TUPLE) {
        *ret = kin_tuple_n(kin__obj_slots(list), kin_len(list));
        for (size_t i = 0; i < kin_len(list); i++) { /* they are the tuple's now */
            kin__obj_slots(list)[i] = kin_none();
        }
        kin_release(list);
        return kin_type_of(*ret) == KIN_TYPE_INVALID ? KIN_ENOMEM : 0;
    }
    if (rv < 0) {
        kin_release(list);
        return rv;
    }
    *ret = list;
    return 0;
}

static int map_dict(mapping *m, kin_obj dict, int depth, kin_obj *ret)
{
    size_t pos = 0;
    kin_obj key, value;
    int rv = 0;
    *ret = kin_dict();
    while (rv == 0 && kin_next_item(dict, &pos, &key, &value)) {
        kin_obj mapped;
        rv = map_one(m, value, depth + 1, &mapped);
        rv = rv < 0 ? rv : kin_setitem(ret, key, mapped);
    }
    if (rv < 0) {
        kin_release(*ret);
    }
    return rv;
}

static int map_one(mapping *m, kin_obj o, int depth, kin_obj *ret)
{
    if (!has_thing(o, depth, &m->left)) {
        *ret = kin_retain(o);
        return 0;
    }
    if (is_row(o)) {
        return map_row(m, o, depth, ret);
    }
    if (kin_type_of(o) == KIN_TYPE_DICT) {
        return map_dict(m, o, depth, ret);
    }
    int rv = m->map(o, m->ctx, ret);
    if (rv == 0) {
        *ret = kin_retain(o);
    }
    return rv < 0 ? rv : 0;
}

int kin__map_things(kin_obj o, int (*map)(kin_obj o, void *ctx, kin_obj *ret), void *ctx,
                    kin_obj *ret)
{
    mapping m = { .map = map, .ctx = ctx, .left = LOOKS };
    return map_one(&m, o, 0, ret);
}
