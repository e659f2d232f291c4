/* load_box.c - reading pickles: boxes of what lies on the stack. See load.h. */
#include "load.h"
#include <string.h>

int kin__load_too_deep(const load *l)
{
    return kin__load_fail(l, KIN_ERANGE, "it is more than %zu levels deep", l->max_depth);
}

/* Looks at what is to go into a box: how deep that gets, whether it may be a ring now (R5), whether
 * classes are where none can be (R4). */
static int look_at(load *l, box *b, size_t from)
{
    size_t depth = 0;
    bool boxes = false;
    for (size_t i = l->simple > from ? from : l->stack.n; i < l->stack.n; i++) {
        kin_obj o = l->stack.items[i];
        if (is_class(o)) {
            if (b->node.type != KIN_TYPE_TUPLE) {
                return kin__load_fail(l, KIN_EUNSUPPORTED, "a class among the data");
            }
            l->classes++;
        } else if (is_box(o)) {
            size_t one = kin__load_depth(o.as.p);
            depth = one > depth ? one : depth;
            boxes = true;
        }
    }
    if (boxes && depth >= l->max_depth) {
        return kin__load_too_deep(l);
    }
    if (depth >= (size_t)b->node.code) {
        b->node.code = (int32_t)depth + 1;
    }
    l->ring |= boxes && (b->node.flags & FETCHED);
    return 0;
}

static int put_all(load *l, box *b, size_t from)
{
    int rv = 0;
    size_t step = b->node.type == KIN_TYPE_DICT ? 2 : 1;
    const kin_obj *items = l->stack.items;
    for (size_t i = from; i < l->stack.n && rv == 0; i += step) {
        rv = kin__load_put(l, b, items[i], step == 2 ? items[i + 1] : kin_none());
    }
    return rv;
}

static int move_all(load *l, box *b, size_t from)
{
    size_t n = l->stack.n - from;
    if (n > 0) {
        memcpy(b->items + b->node.len, l->stack.items + from, n * sizeof(kin_obj));
    }
    b->node.len += n;
    return 0;
}

int kin__load_make(load *l, kin_type type, uint8_t flags, size_t from, kin_obj *ret)
{
    size_t n = l->stack.n - from;
    box *b = kin__load_box(l, type, n);
    int rv = b == NULL ? kin__failure() : look_at(l, b, from);
    if (rv == 0) {
        rv = type == KIN_TYPE_SET ? put_all(l, b, from) : move_all(l, b, from);
    }
    if (rv < 0) {
        return rv;
    }
    b->node.flags |= flags;
    if (type == KIN_TYPE_TUPLE || (flags & VARIANT)) {
        kin__load_weigh(b);
    }
    truncate_to(l, from);
    *ret = of_node(b);
    return 0;
}

int kin__load_fill(load *l, kin_type type, size_t from)
{
    kin_obj to = l->stack.items[from - 1];
    size_t n = l->stack.n - from;
    if (to.type != type || is_frozenset(to)) {
        return kin__load_fail(l, KIN_ECORRUPT, "%s is not %s",
                              is_frozenset(to) ? "a frozenset" : kin__type_name((kin_type)to.type),
                              kin__type_name(type));
    }
    if (type == KIN_TYPE_DICT && n % 2 != 0) {
        return kin__load_fail(l, KIN_ECORRUPT, "the last of %zu objects is a key without a value",
                              n);
    }
    box *b = to.as.p;
    int rv = look_at(l, b, from);
    rv = rv < 0 ? rv : kin__load_reserve(l, b, n);
    if (rv == 0) {
        rv = type == KIN_TYPE_LIST ? move_all(l, b, from) : put_all(l, b, from);
    }
    if (rv == 0) {
        truncate_to(l, from);
    }
    return rv;
}

int kin__load_spread(load *l, const box *b)
{
    int rv = 0;
    size_t n = slots(b);
    for (size_t i = 0; i < n && rv == 0; i++) {
        kin_obj o = b->items[i];
        rv = is_class(o) ? kin__load_fail(l, KIN_EUNSUPPORTED, "a class among the data")
                         : kin__load_fetch(l, o);
        rv = rv < 0 ? rv : is_box(o) ? push_any(l, o) : push(l, o);
    }
    return rv;
}
