/* list_find.c - items of a shared list by what they are, and changed by what they are. */
#include "list.h"

/* ---- seeking --------------------------------------------------------------------------------- */

/* Whether item i equals a value: 1, 0 or a code. */
static int is_equal(const kin__list *l, uint64_t i, kin_obj value)
{
    kin_obj o;
    int rv = kin__list_read(l, i, &o);
    if (rv < 0) {
        return rv;
    }
    bool same = kin_equal(o, value);
    kin_release(o);
    return same;
}

/* Its index, or a code. */
static int64_t find(const kin__list *l, kin_obj value, const char *verb)
{
    uint64_t n = kin__list_count(l);
    for (uint64_t i = 0; i < n; i++) {
        int rv = is_equal(l, i, value);
        if (rv != 0) {
            return rv < 0 ? rv : (int64_t)i;
        }
    }
    return kin__fail(KIN_ENOTFOUND, "%s: nothing in the list is equal to that", verb);
}

static int64_t count(const kin__list *l, kin_obj value)
{
    uint64_t n = kin__list_count(l);
    int64_t found = 0;
    for (uint64_t i = 0; i < n; i++) {
        int rv = is_equal(l, i, value);
        if (rv < 0) {
            return rv;
        }
        found += rv;
    }
    return found;
}

/* For a call with a value: all but to drop that. */
static int enter_with(kin__list *l, kin_obj value, const char *verb, const char *what)
{
    int rv = kin__obj_check(value, verb);
    return rv < 0 ? rv : kin__list_enter(l, what);
}

int64_t kin_shared_list_index(kin_shared_list *list, kin_obj value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_find(list, "index", value);
    }
    static const char verb[] = "kin_shared_list_index";
    kin__list *l = kin__list_of(list);
    int64_t rv = enter_with(l, value, verb, "kin_shared_list_index: the list");
    if (rv == 0) {
        rv = find(l, value, verb);
        kin__list_leave(l);
    }
    kin__obj_drop(value);
    return rv;
}

int kin_shared_list_remove(kin_shared_list *list, kin_obj value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return (int)kin__remote_find(list, "remove", value);
    }
    static const char verb[] = "kin_shared_list_remove";
    kin__list *l = kin__list_of(list);
    int rv = enter_with(l, value, verb, "kin_shared_list_remove: the list");
    if (rv == 0) {
        int64_t i = find(l, value, verb);
        rv = i < 0 ? (int)i : kin__list_remove(l, (uint64_t)i);
        kin__list_leave(l);
    }
    kin__obj_drop(value);
    return rv;
}

int64_t kin_shared_list_count(kin_shared_list *list, kin_obj value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_number(list, "count", kin_tuple(value));
    }
    kin__list *l = kin__list_of(list);
    int64_t rv = enter_with(l, value, "kin_shared_list_count", "kin_shared_list_count: the list");
    if (rv == 0) {
        rv = count(l, value);
        kin__list_leave(l);
    }
    kin__obj_drop(value);
    return rv;
}

/* ---- changing -------------------------------------------------------------------------------- */

/* Enters, and reads the item of an index. On failure nothing is held. */
static int enter_at(kin__list *l, int64_t index, const char *what, uint64_t *ret_index,
                    kin_obj *ret_now)
{
    int rv = kin__list_enter(l, what);
    if (rv < 0) {
        return rv;
    }
    rv = kin__list_index(index, kin__list_count(l), what, ret_index);
    rv = rv < 0 ? rv : kin__list_read(l, *ret_index, ret_now);
    if (rv < 0) {
        kin__list_leave(l);
    }
    return rv;
}

static int put(kin__list *l, uint64_t index, kin_obj value, const char *verb)
{
    uint64_t word;
    int rv = kin__list_make(value, verb, &word);
    return rv < 0 ? rv : kin__list_set(l, index, word);
}

static int add(kin__list *l, int64_t index, kin_obj delta, kin_obj *ret_now)
{
    static const char verb[] = "kin_shared_list_add";
    uint64_t i;
    kin_obj now, sum;
    int rv = enter_at(l, index, "kin_shared_list_add: the list", &i, &now);
    if (rv < 0) {
        return rv;
    }
    rv = kin__sum(now, delta, verb, &sum);
    kin_release(now);
    if (rv == 0) {
        rv = put(l, i, sum, verb);
        if (rv == 0 && ret_now != NULL) {
            *ret_now = sum;
        } else {
            kin_release(sum);
        }
    }
    kin__list_leave(l);
    return rv;
}

int kin_shared_list_add(kin_shared_list *list, int64_t index, kin_obj delta, kin_obj *ret_now)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "#ADD", kin_tuple(kin_int(index), delta), ret_now);
    }
    int rv = kin__obj_check(delta, "kin_shared_list_add");
    rv = rv < 0 ? rv : add(kin__list_of(list), index, delta, ret_now);
    kin__obj_drop(delta);
    return rv;
}

static int compare_and_set(kin__list *l, int64_t index, kin_obj expected, kin_obj desired)
{
    static const char verb[] = "kin_shared_list_compare_and_set";
    uint64_t i;
    kin_obj now;
    int rv = kin__obj_check(expected, verb);
    rv = rv < 0 ? rv : kin__obj_check(desired, verb);
    rv = rv < 0 ? rv : enter_at(l, index, "kin_shared_list_compare_and_set: the list", &i, &now);
    if (rv < 0) {
        return rv;
    }
    if (kin_equal(now, expected)) {
        rv = put(l, i, desired, verb);
        rv = rv < 0 ? rv : 1;
    }
    kin_release(now);
    kin__list_leave(l);
    return rv;
}

int kin_shared_list_compare_and_set(kin_shared_list *list, int64_t index, kin_obj expected,
                                    kin_obj desired)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return (int)kin__remote_number(list, "#CAS", kin_tuple(kin_int(index), expected, desired));
    }
    int rv = compare_and_set(kin__list_of(list), index, expected, desired);
    kin__obj_drop(expected);
    kin__obj_drop(desired);
    return rv;
}

int kin_shared_list_apply(kin_shared_list *list, int64_t index, kin_update_fn update, void *ctx)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_refuse("kin_shared_list_apply");
    }
    static const char verb[] = "kin_shared_list_apply";
    kin__list *l = kin__list_of(list);
    uint64_t i;
    kin_obj now, then;
    int rv = update == NULL ? kin__fail(KIN_EINVAL, "%s: the function is NULL", verb)
                            : enter_at(l, index, "kin_shared_list_apply: the list", &i, &now);
    if (rv < 0) {
        return rv;
    }
    rv = kin__obj_result(update(kin__obj_lend(now), ctx), &then);
    if (rv == 0) {
        rv = put(l, i, then, verb);
        kin_release(then);
    }
    kin_release(now);
    kin__list_leave(l);
    return rv;
}
