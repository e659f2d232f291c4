/* container.c - list, tuple, dict, set: making, reading, changing.
 *
 * Idea. A box is a row of slots in the order of insertion; a dict has two to an entry, the key and
 * its value.
 *
 * Rules.
 *   R1  What is given is ours at the entry of each function, and stored or released at its end.
 *   R2  Entries are never removed, so positions stay valid.
 *
 * Death. Private memory.
 *
 * Not here. Finding entries (index.c), equality and hashes (equal.c), the end of a box (object.c).
 */
#include "node.h"
#include <kin/pickle.h>
#include <string.h>

/* ---- making ------------------------------------------------------------------------ */

static void drop_all(const kin_obj *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kin_release(items[i]);
    }
}

static kin_obj refuse(const kin_obj *items, size_t n, int code)
{
    drop_all(items, n);
    return kin__obj_invalid(code);
}

box *kin__box_new(kin_type type, size_t n)
{
    if (n > SLOTS_MAX) {
        (void)kin__fail(KIN_ENOMEM, "%s of %zu items is too large", kin__type_name(type), n);
        return NULL;
    }
    box *b = kin__node_new(type, box_size(n));
    if (b != NULL) {
        b->items = b->inside;
        b->room = n;
        atomic_init(&b->u.index, NULL);
    }
    return b;
}

/* All the reasons why a row of given objects can make no box; 0 when there is none. */
static int check_items(const kin_obj *items, size_t n, kin_type type)
{
    static const char *const verbs[] = { "kin_list", "kin_tuple", "kin_dict", "kin_set" };
    const char *verb = verbs[type - KIN_TYPE_LIST];
    if (items == NULL && n > 0) {
        return kin__fail(KIN_EINVAL, "%s: %zu items at NULL", verb, n);
    }
    for (size_t i = 0; i < n; i++) {
        int rv = kin__obj_pass(items[i], verb);
        if (rv < 0) {
            return rv;
        }
    }
    return 0;
}

static kin_obj row(kin_type type, const kin_obj *items, size_t n)
{
    int rv = check_items(items, n, type);
    box *b = rv < 0 ? NULL : kin__box_new(type, n);
    if (b == NULL) {
        return refuse(items, items == NULL ? 0 : n, rv < 0 ? rv : KIN_ENOMEM);
    }
    for (size_t i = 0; i < n; i++) {
        b->items[i] = kin__obj_own(items[i]);
    }
    b->node.len = n;
    return of_node(b);
}

kin_obj kin_list_n(const kin_obj *items, size_t n)
{
    return row(KIN_TYPE_LIST, items, n);
}

kin_obj kin_tuple_n(const kin_obj *items, size_t n)
{
    return row(KIN_TYPE_TUPLE, items, n);
}

kin_obj kin_range(int64_t from, int64_t to)
{
    uint64_t n = to > from ? (uint64_t)to - (uint64_t)from : 0;
    box *b = kin__box_new(KIN_TYPE_LIST, (size_t)n);
    if (b == NULL) {
        return kin__obj_invalid(KIN_ENOMEM);
    }
    for (size_t i = 0; i < n; i++) {
        b->items[i] = kin_int((int64_t)((uint64_t)from + i));
    }
    b->node.len = (size_t)n;
    return of_node(b);
}

kin_obj kin__obj_list_for(size_t n)
{
    box *b = kin__box_new(KIN_TYPE_LIST, n);
    return b == NULL ? kin__obj_invalid(KIN_ENOMEM) : of_node(b);
}

/* ---- growing ----------------------------------------------------------------------- */

size_t kin__box_room(const box *b, size_t more)
{
    size_t used = slots(b);
    if (used + more <= b->room) {
        return b->room;
    }
    size_t room = used < 4 ? 8 : used * 2;
    return room < used + more ? used + more : room;
}

int kin__box_reserve(box *b, size_t more)
{
    size_t used = slots(b);
    size_t room = kin__box_room(b, more);
    if (room == b->room) {
        return 0;
    }
    bool owned = owns_slots(b);
    kin_obj *items =
        room > SLOTS_MAX ? NULL : kin__os_realloc(owned ? b->items : NULL, room * sizeof(kin_obj));
    if (items == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for an item more than %zu", b->node.len);
    }
    if (!owned && used > 0) {
        memcpy(items, b->items, used * sizeof(kin_obj));
    }
    b->items = items;
    b->room = room;
    b->node.flags &= (uint8_t)~SLOTS_LENT;
    return 0;
}

/* Puts a key (and for a dict its value) in; both are given. */
static int put(box *b, kin_obj key, kin_obj value)
{
    int64_t hash = 0;
    int rv = is_row(b) && is_plain_key(key) ? 0 : kin__hash(key, &hash);
    size_t pos = 0;
    size_t entry = rv < 0 ? NOT_FOUND : kin__box_find(b, key, hash, &pos);
    bool dict = b->node.type == KIN_TYPE_DICT;
    if (entry != NOT_FOUND) {
        kin_release(key);
        kin_obj old = value;
        if (dict) {
            old = b->items[entry * 2 + 1];
            b->items[entry * 2 + 1] = kin__obj_own(value);
        }
        kin_release(old);
        return 0;
    }
    rv = rv < 0 ? rv : kin__box_reserve(b, stride(b));
    if (rv < 0) {
        kin_release(key);
        kin_release(value);
        return rv;
    }
    kin__box_add(b, kin__obj_own(key), dict ? kin__obj_own(value) : value, hash);
    return 0;
}

static kin_obj table(kin_type type, const kin_obj *items, size_t n, size_t step)
{
    int rv = check_items(items, n, type);
    if (rv == 0 && n % step != 0) {
        rv = kin__fail(KIN_EINVAL, "kin_dict: the last of %zu objects is a key without a value", n);
    }
    box *b = rv < 0 ? NULL : kin__box_new(type, n);
    if (b == NULL) {
        return refuse(items, items == NULL ? 0 : n, rv < 0 ? rv : KIN_ENOMEM);
    }
    for (size_t i = 0; i < n; i += step) {
        rv = put(b, items[i], step == 2 ? items[i + 1] : kin_none());
        if (rv < 0) {
            kin_release(of_node(b));
            return refuse(items + i + step, n - i - step, rv);
        }
    }
    return of_node(b);
}

kin_obj kin_dict_n(const kin_obj *items, size_t n)
{
    return table(KIN_TYPE_DICT, items, n, 2);
}

kin_obj kin_set_n(const kin_obj *items, size_t n)
{
    return table(KIN_TYPE_SET, items, n, 1);
}

kin_obj kin_frozenset_n(const kin_obj *items, size_t n)
{
    kin_obj o = table(KIN_TYPE_SET, items, n, 1);
    if (is_heap(o)) {
        ((node *)o.as.p)->flags |= VARIANT;
    }
    return o;
}

/* What a pointer to a box points to: checks the pointer, the object and its type. */
static int target(const kin_obj *o, const char *verb, const char *wanted, kin_type a, kin_type b)
{
    if (o == NULL) {
        return kin__fail(KIN_EINVAL, "%s: NULL is not %s", verb, wanted);
    }
    return o->type == a || o->type == b ? 0 : kin__obj_mismatch(*o, verb, wanted);
}

int kin_append(kin_obj *list, kin_obj value)
{
    int rv = target(list, "kin_append", "a list or set", KIN_TYPE_LIST, KIN_TYPE_SET);
    if (rv == 0) {
        rv = kin__obj_check(value, "kin_append");
    }
    if (rv == 0 && is_frozenset(*list)) {
        rv = kin__fail(KIN_ETYPE, "kin_append: a frozenset takes no more members");
    }
    if (rv == 0 && list->type == KIN_TYPE_SET) {
        return put(list->as.p, value, kin_none());
    }
    if (rv == 0) {
        rv = kin__box_reserve(list->as.p, 1);
    }
    if (rv < 0) {
        kin_release(value);
        return rv;
    }
    box *b = list->as.p;
    b->items[b->node.len++] = kin__obj_own(value);
    return 0;
}

static int replace(box *b, kin_obj key, kin_obj value)
{
    int64_t i;
    int rv = kin_to_int(key, &i);
    kin_release(key);
    if (rv == 0 && i < 0) {
        i += (int64_t)b->node.len;
    }
    if (rv == 0 && (i < 0 || (uint64_t)i >= b->node.len)) {
        rv = kin__fail(KIN_ERANGE, "kin_setitem: no such index in a list of %zu", b->node.len);
    }
    kin_obj old = value;
    if (rv == 0) {
        old = b->items[i];
        b->items[i] = kin__obj_own(value);
    }
    kin_release(old);
    return rv;
}

int kin_setitem(kin_obj *dict, kin_obj key, kin_obj value)
{
    int rv = target(dict, "kin_setitem", "a dict or list", KIN_TYPE_DICT, KIN_TYPE_LIST);
    if (rv == 0) {
        rv = kin__obj_check(key, "kin_setitem");
    }
    if (rv == 0) {
        rv = kin__obj_check(value, "kin_setitem");
    }
    if (rv < 0) {
        kin_release(key);
        kin_release(value);
        return rv;
    }
    return dict->type == KIN_TYPE_LIST ? replace(dict->as.p, key, value)
                                       : put(dict->as.p, key, value);
}

/* ---- reading ----------------------------------------------------------------------- */

kin_obj kin_at(kin_obj o, size_t index)
{
    if (o.type != KIN_TYPE_LIST && o.type != KIN_TYPE_TUPLE) {
        return kin__obj_invalid(kin__obj_mismatch(o, "kin_at", "a list or tuple"));
    }
    box *b = o.as.p;
    if (index >= b->node.len) {
        return kin__obj_invalid(kin__fail(KIN_ERANGE, "kin_at: index %zu in %s of %zu", index,
                                          kin__type_name((kin_type)o.type), b->node.len));
    }
    return borrowed(b->items[index]);
}

kin_obj *kin__obj_slots(kin_obj row)
{
    return ((box *)row.as.p)->items;
}

kin_obj kin__obj_excerpt(kin_obj items, size_t from, size_t n, kin__excerpt *room)
{
    _Static_assert(sizeof(box) == sizeof *room, "an excerpt is a box without slots");
    const box *of = items.as.p;
    box *b = memset(room, 0, sizeof *room);
    atomic_init(&b->node.count, 1);
    b->node.type = KIN_TYPE_LIST;
    b->node.len = n;
    b->items = of->items + from;
    return borrowed(of_node(b));
}

static int look_up(box *b, kin_obj key, kin_obj *ret)
{
    int64_t hash = 0;
    int rv = is_row(b) && is_plain_key(key) ? 0 : kin__hash(key, &hash);
    if (rv < 0) {
        return rv;
    }
    size_t pos = 0;
    size_t entry = kin__box_find(b, key, hash, &pos);
    if (entry == NOT_FOUND) {
        char name[BRIEF];
        kin__repr_brief(key, name);
        return kin__fail(KIN_ENOTFOUND, "kin_lookup: the key %s is not in %s of %zu", name,
                         kin__type_name((kin_type)b->node.type), b->node.len);
    }
    *ret = borrowed(b->items[b->node.type == KIN_TYPE_DICT ? entry * 2 + 1 : entry]);
    return 0;
}

kin_obj kin_lookup(kin_obj dict, kin_obj key)
{
    kin_obj found;
    int rv = target(&dict, "kin_lookup", "a dict or set", KIN_TYPE_DICT, KIN_TYPE_SET);
    if (rv == 0) {
        rv = kin__obj_check(key, "kin_lookup");
    }
    if (rv == 0) {
        rv = look_up(dict.as.p, key, &found);
    }
    kin_release(key);
    return rv < 0 ? kin__obj_invalid(rv) : found;
}

bool kin_next_item(kin_obj dict, size_t *pos, kin_obj *key, kin_obj *value)
{
    if (pos == NULL ||
        target(&dict, "kin_next_item", "a dict or set", KIN_TYPE_DICT, KIN_TYPE_SET)) {
        return false;
    }
    box *b = dict.as.p;
    if (*pos >= b->node.len) {
        return false;
    }
    size_t slot = (*pos)++ * stride(b);
    if (key != NULL) {
        *key = borrowed(b->items[slot]);
    }
    if (value != NULL) {
        *value = dict.type == KIN_TYPE_DICT ? borrowed(b->items[slot + 1]) : kin_none();
    }
    return true;
}
