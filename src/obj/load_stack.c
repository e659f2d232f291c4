/* load_stack.c - reading pickles: the stack with its marks, and the memo. See load.h. */
#include "load.h"

/* ---- the stack --------------------------------------------------------------------- */

int kin__load_drop(load *l)
{
    kin_obj o = pop(l);
    return is_heap(o) ? pile_push(l, &l->bin, o) : 0;
}

int kin__load_mark(load *l)
{
    l->fence = l->stack.n;
    return pile_push(l, &l->marks, kin_int((int64_t)l->stack.n));
}

int kin__load_unmark(load *l, size_t *ret_from)
{
    pile *marks = &l->marks;
    if (marks->n == 0) {
        return kin__load_fail(l, KIN_ECORRUPT, "there is no mark");
    }
    *ret_from = (size_t)marks->items[--marks->n].as.i;
    l->fence = marks->n > 0 ? (size_t)marks->items[marks->n - 1].as.i : 0;
    return 0;
}

int kin__load_pop(load *l)
{
    size_t from = 0;
    if (l->marks.n > 0 && l->stack.n == l->fence) {
        return kin__load_unmark(l, &from);
    }
    int rv = need(l, 1);
    return rv < 0 ? rv : kin__load_drop(l);
}

int kin__load_pop_to_mark(load *l)
{
    size_t from = 0;
    int rv = kin__load_unmark(l, &from);
    while (rv == 0 && l->stack.n > from) {
        rv = kin__load_drop(l);
    }
    return rv;
}

/* ---- the memo ---------------------------------------------------------------------- */

static int put(load *l, uint64_t index)
{
    pile *memo = &l->memo;
    int rv = need(l, 1);
    if (rv == 0 && index >= l->max_memo) {
        rv = kin__load_fail(l, KIN_ERANGE, "its memo has more than %zu places", l->max_memo);
    }
    if (rv == 0 && index >= memo->room) {
        rv = kin__load_grow(l, memo, (size_t)index + 1);
    }
    if (rv < 0) {
        return rv;
    }
    for (; memo->n <= index; memo->n++) {
        memo->items[memo->n] = (kin_obj){ 0 };
    }
    kin_obj *at = &memo->items[index];
    l->memo_n += at->type == KIN_TYPE_INVALID && at->code == 0;
    *at = l->stack.items[l->stack.n - 1];
    return 0;
}

int kin__load_memoize(load *l)
{
    return put(l, l->memo_n);
}

/* A number of one byte, or of four. */
static int take_index(load *l, bool wide, uint64_t *ret)
{
    if (wide || l->at == l->end) {
        return kin__load_number(l, wide ? 4 : 1, ret);
    }
    *ret = *l->at++;
    return 0;
}

static int put_at(load *l, bool wide)
{
    uint64_t index = 0;
    int rv = take_index(l, wide, &index);
    return rv < 0 ? rv : put(l, index);
}

int kin__load_put1(load *l)
{
    return put_at(l, false);
}

int kin__load_put4(load *l)
{
    return put_at(l, true);
}

static int get_at(load *l, bool wide)
{
    uint64_t index = 0;
    int rv = take_index(l, wide, &index);
    if (rv < 0) {
        return rv;
    }
    kin_obj o = index < l->memo.n ? l->memo.items[index] : (kin_obj){ 0 };
    if (is_class(o) && o.code == 0) {
        return kin__load_fail(l, KIN_ECORRUPT, "nothing was put at %llu of the memo",
                              (unsigned long long)index);
    }
    rv = kin__load_fetch(l, o);
    if (rv < 0) {
        return rv;
    }
    return is_box(o) || is_class(o) ? push_any(l, o) : push(l, o);
}

int kin__load_get1(load *l)
{
    return get_at(l, false);
}

int kin__load_get4(load *l)
{
    return get_at(l, true);
}
