/* container.c - list, tuple, dict, set: making, reading, changing.
 *
 * Idea. A box is a row of slots in the order of insertion; a dict has two to an entry. Looking up
 * goes through the row while it is short. A longer one gets an index: a table of cells that is
 * searched from where the key's hash points to.
 *
 *    cell:   hash (32 bits) | entry + 1 (32 bits)       0 is a free cell
 *
 * Rules.
 *   R1  The index is only there to be fast. It is made by the first lookup that wants it (so many
 *       readers may make one at once: the first to publish wins), and is thrown away when it gets
 *       too full or no memory is left for it. Without it lookups are slow and right.
 *   R2  What is given is ours at the entry of each function, and stored or released at its end.
 *   R3  Entries are never removed, so positions stay valid.
 *
 * Death. Private memory.
 *
 * Not here. Equality and hashes (equal.c), the end of a box (object.c).
 */
#include "node.h"
#include <kin/pickle.h>
#include <string.h>

#define ENTRIES_MAX ((size_t)UINT32_MAX - 1)

struct box_index {
    uint64_t mask; /* cells - 1 */
    uint64_t cells[];
};

static size_t stride(const box *b)
{
    return b->node.type == KIN_TYPE_DICT ? 2 : 1;
}

/* ---- the index --------------------------------------------------------------------- */

/* Spreads Python's hashes, for which neighbours are neighbours. */
static uint32_t tag_of(int64_t hash)
{
    return (uint32_t)((uint64_t)hash * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void index_put(box_index *index, size_t entry, uint32_t tag)
{
    uint64_t i = tag & index->mask;
    while (index->cells[i] != 0) {
        i = (i + 1) & index->mask;
    }
    index->cells[i] = (uint64_t)tag << 32 | (entry + 1);
}

static box_index *index_make(const box *b)
{
    size_t cells = 32;
    while (cells < b->node.len * 4) {
        cells *= 2;
    }
    box_index *index = kin__os_calloc(1, sizeof *index + cells * sizeof index->cells[0]);
    if (index == NULL) {
        return NULL; /* R1 */
    }
    index->mask = cells - 1;
    for (size_t i = 0; i < b->node.len; i++) {
        index_put(index, i, tag_of(kin_hash(b->items[i * stride(b)])));
    }
    return index;
}

static box_index *index_of(box *b)
{
    /* Acquire and release make the cells visible with the pointer. */
    box_index *index = atomic_load_explicit(&b->u.index, memory_order_acquire);
    if (index != NULL || b->node.len <= ROW || b->node.len > ENTRIES_MAX) {
        return index;
    }
    box_index *made = index_make(b);
    if (made == NULL ||
        atomic_compare_exchange_strong_explicit(&b->u.index, &index, made, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return made;
    }
    kin__os_free(made);
    return index;
}

/* Twice as large; its place needs no more than what is in the cells. */
static box_index *index_grow(box_index *old)
{
    size_t cells = (size_t)(old->mask + 1) * 2;
    box_index *index = kin__os_calloc(1, sizeof *index + cells * sizeof index->cells[0]);
    if (index == NULL) {
        return NULL; /* R1 */
    }
    index->mask = cells - 1;
    for (size_t i = 0; i <= old->mask; i++) {
        if (old->cells[i] != 0) {
            index_put(index, (uint32_t)old->cells[i] - 1, (uint32_t)(old->cells[i] >> 32));
        }
    }
    return index;
}

static void index_added(box *b, size_t entry, uint32_t tag)
{
    /* Relaxed: who changes a box is alone with it. */
    box_index *index = atomic_load_explicit(&b->u.index, memory_order_relaxed);
    if (index == NULL) {
        return;
    }
    if (entry * 2 > index->mask || entry >= ENTRIES_MAX) {
        box_index *larger = entry >= ENTRIES_MAX ? NULL : index_grow(index);
        kin__os_free(index);
        index = larger;
        atomic_store_explicit(&b->u.index, larger, memory_order_relaxed);
    }
    if (index != NULL) {
        index_put(index, entry, tag);
    }
}

/* ---- finding ----------------------------------------------------------------------- */

static bool same_key(kin_obj a, kin_obj b)
{
    if (a.type == KIN_TYPE_STR && b.type == KIN_TYPE_STR) {
        const chars *s = a.as.p;
        const chars *t = b.as.p;
        return s == t || (s->node.len == t->node.len && s->data[0] == t->data[0] &&
                          memcmp(s->data, t->data, s->node.len) == 0);
    }
    return kin_equal(a, b);
}

/* `pos` counts cells from the hash's own; or, with its top bit set, entries of the row, though an
 * index may turn up meanwhile. */
size_t kin__box_candidate(box *b, int64_t hash, size_t *pos)
{
    const size_t in_row = (size_t)1 << 63;
    box_index *index = *pos & in_row ? NULL : index_of(b);
    if (index == NULL) {
        *pos |= in_row;
        return (*pos ^ in_row) < b->node.len ? (*pos)++ ^ in_row : NOT_FOUND;
    }
    uint32_t tag = tag_of(hash);
    for (;;) {
        uint64_t cell = index->cells[(tag + *pos) & index->mask];
        if (cell == 0) {
            return NOT_FOUND;
        }
        (*pos)++;
        if (cell >> 32 == tag) {
            return (uint32_t)cell - 1;
        }
    }
}

size_t kin__box_find(box *b, kin_obj key, int64_t hash, size_t *pos)
{
    if (is_row(b)) {
        for (size_t i = 0; i < b->node.len; i++) {
            if (same_key(b->items[i * stride(b)], key)) {
                return i;
            }
        }
        return NOT_FOUND;
    }
    for (;;) {
        size_t entry = kin__box_candidate(b, hash, pos);
        if (entry == NOT_FOUND || same_key(b->items[entry * stride(b)], key)) {
            return entry;
        }
    }
}

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

void kin__box_add(box *b, kin_obj key, kin_obj value, int64_t hash)
{
    size_t entry = b->node.len++;
    b->items[entry * stride(b)] = key;
    if (b->node.type == KIN_TYPE_DICT) {
        b->items[entry * 2 + 1] = value;
    }
    index_added(b, entry, tag_of(hash));
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
