/* dict.c - kin_shared_dict: one key at a time.
 *
 * Values are made words before the lock is taken, and objects are released after it: what others
 * wait for is only what has to be one step. */
#include "table.h"

_Static_assert(kin_shared_dict_KIND == KIN__SHARED_DICT, "collection.h says what the domain says");

#define ON_DICT(verb) KIN__ON(dict, KIN__SHARED_DICT, verb, "the dict")

/* ---- how all of them go ---------------------------------------------------------------------- */

static int make_key(const kin__on *on, kin_obj object, kin__key *ret)
{
    int rv = kin__head_check(on->table, on->type, on->what);
    return rv < 0 ? rv : kin__key_make(on->table, object, on->verb, ret);
}

typedef struct course {
    kin__table_next_word next; /* NULL: it takes the lock in any case */
    kin__table_step step;
    void *ctx;
} course;

static int step_with(const kin__on *on, const kin__key *key, const course *how)
{
    kin__glance glance;
    kin__table_glance(on, key, &glance);
    if (how->next != NULL && kin__table_renew(on, &glance, how->next, how->ctx)) {
        return 0;
    }
    int rv = kin__table_enter(on);
    if (rv < 0) {
        return rv;
    }
    int seen = kin__table_find_again(on, key, &glance);
    if (seen < 0) {
        rv = seen;
    } else {
        rv = how->step(on, key, seen == KIN__FOUND ? &glance.spot : NULL, how->ctx);
    }
    kin__table_leave(on);
    return rv;
}

static int find_and_step(const kin__on *on, kin_obj object, const course *how)
{
    kin__key key;
    int rv = make_key(on, object, &key);
    if (rv == 0) {
        rv = step_with(on, &key, how);
        kin__key_done(&key);
    }
    kin__obj_drop(object);
    return rv;
}

int kin__dict_step(const kin__on *on, kin_obj object, kin__table_step step, void *ctx)
{
    return find_and_step(on, object, &(const course){ .step = step, .ctx = ctx });
}

static int fail_missing(const kin__on *on)
{
    return kin__fail(KIN_ENOTFOUND, "%s: there is no such key", on->verb);
}

static int fail_nowhere(const char *verb)
{
    return kin__fail(KIN_EINVAL, "%s: nowhere to put the result (NULL)", verb);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int look_up(const kin__on *on, kin_obj object, kin_obj *ret)
{
    kin__key key;
    int rv = make_key(on, object, &key);
    if (rv == 0) {
        rv = ret != NULL ? kin__table_get(on, &key, ret) : kin__table_has(on, &key);
        kin__key_done(&key);
    }
    kin__obj_drop(object);
    return rv;
}

int kin__dict_get(const kin__on *on, kin_obj key, kin_obj *ret_value)
{
    if (ret_value == NULL) {
        kin__obj_drop(key);
        return fail_nowhere(on->verb);
    }
    int seen = look_up(on, key, ret_value);
    if (seen == KIN__MISSING) {
        return fail_missing(on);
    }
    return seen < 0 ? seen : 0;
}

int kin__dict_contains(const kin__on *on, kin_obj key)
{
    return look_up(on, key, NULL);
}

int64_t kin__dict_len(const kin__on *on)
{
    int rv = kin__head_check(on->table, on->type, on->what);
    return rv < 0 ? rv : kin__table_len(on);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* A word on its way into the table: 0 once it is the table's. */
static int put_word(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    uint64_t *word = ctx;
    uint64_t given = *word;
    *word = 0;
    return spot == NULL ? kin__table_insert(on, key, given) : kin__table_replace(on, spot, given);
}

static bool put_small(uint64_t old, void *ctx, uint64_t *ret_word)
{
    (void)old;
    *ret_word = *(uint64_t *)ctx;
    return *ret_word & KIN__WORD_SMALL;
}

/* Under the lock, where the object is not known sooner. */
static int put_object(const kin__on *on, const kin__key *key, const kin__spot *spot, kin_obj object)
{
    uint64_t word;
    int rv = kin__value_make(object, &word);
    return rv < 0 ? rv : put_word(on, key, spot, &word);
}

int kin__dict_set(const kin__on *on, kin_obj key, kin_obj value)
{
    uint64_t word = 0;
    int rv = kin__obj_check(value, on->verb);
    rv = rv < 0 ? rv : kin__value_make(value, &word);
    kin__obj_drop(value);
    if (rv < 0) {
        kin__obj_drop(key);
        return rv;
    }
    rv = find_and_step(on, key, &(const course){ put_small, put_word, &word });
    kin__value_drop(word);
    return rv;
}

static int take_out(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    (void)key;
    if (spot == NULL) {
        return fail_missing(on);
    }
    kin_obj *ret_value = ctx;
    int rv = ret_value != NULL ? kin__table_value(on, spot, ret_value) : 0;
    return rv < 0 ? rv : kin__table_remove(on, spot);
}

int kin__dict_pop(const kin__on *on, kin_obj key, kin_obj *ret_value)
{
    return kin__dict_step(on, key, take_out, ret_value);
}

/* The value of a spot, none where there is no such key. */
static int read_old(const kin__on *on, const kin__spot *spot, kin_obj *ret)
{
    if (spot == NULL) {
        *ret = kin_none();
        return 0;
    }
    return kin__table_value(on, spot, ret);
}

/* What was there, and what shall be. */
typedef struct exchange {
    kin_obj given;    /* stays the verb's */
    kin_obj expected; /* the same */
    kin_obj out;      /* to be handed out, or none */
    kin_update_fn update;
    void *ctx;
} exchange;

static int put_default(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    exchange *x = ctx;
    if (spot != NULL) {
        return kin__table_value(on, spot, &x->out);
    }
    int rv = put_object(on, key, NULL, x->given);
    if (rv == 0) {
        x->out = kin_retain(x->given);
    }
    return rv < 0 ? rv : 1;
}

static int put_sum(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    exchange *x = ctx;
    kin_obj old, sum;
    int rv = read_old(on, spot, &old);
    if (rv < 0) {
        return rv;
    }
    rv = spot != NULL ? kin__sum(old, x->given, on->verb, &sum)
                      : kin__sum_of_one(x->given, on->verb, &sum);
    kin_release(old);
    if (rv < 0) {
        return rv;
    }
    rv = put_object(on, key, spot, sum);
    if (rv < 0) {
        kin_release(sum);
        return rv;
    }
    x->out = sum;
    return 0;
}

/* Of ints, as long as they stay small. */
static bool put_small_sum(uint64_t old, void *ctx, uint64_t *ret_word)
{
    exchange *x = ctx;
    kin_obj was = kin_none();
    if (kin_type_of(x->given) != KIN_TYPE_INT || kin__value_read(old, &was) != 1 ||
        kin_type_of(was) != KIN_TYPE_INT ||
        kin__sum(was, x->given, "kin_shared_dict_add", &x->out) < 0) {
        return false;
    }
    if (kin__value_make_small(x->out, ret_word)) {
        return true;
    }
    kin_release(x->out);
    x->out = kin_none();
    return false;
}

static int put_if_equal(const kin__on *on, const kin__key *key, const kin__spot *spot, void *ctx)
{
    const exchange *x = ctx;
    kin_obj old;
    int rv = read_old(on, spot, &old);
    if (rv < 0 || spot == NULL) {
        return rv;
    }
    bool same = kin_equal(old, x->expected);
    kin_release(old);
    if (!same) {
        return 0;
    }
    rv = put_object(on, key, spot, x->given);
    return rv < 0 ? rv : 1;
}

static int put_what_it_says(const kin__on *on, const kin__key *key, const kin__spot *spot,
                            void *ctx)
{
    const exchange *x = ctx;
    kin_obj old, now;
    int rv = read_old(on, spot, &old);
    if (rv < 0) {
        return rv;
    }
    rv = kin__obj_result(x->update(kin__obj_lend(old), x->ctx), &now);
    if (rv == 0) {
        rv = put_object(on, key, spot, now);
        kin_release(now);
    }
    kin_release(old);
    return rv;
}

/* ---- the verbs ------------------------------------------------------------------------------- */

int kin_shared_dict_set(kin_shared_dict *dict, kin_obj key, kin_obj value)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "__setitem__", kin_tuple(key, value), NULL);
    }
    const kin__on on = ON_DICT("kin_shared_dict_set");
    return kin__dict_set(&on, key, value);
}

int kin_shared_dict_get(kin_shared_dict *dict, kin_obj key, kin_obj *ret_value)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "__getitem__", kin_tuple(key), ret_value);
    }
    const kin__on on = ON_DICT("kin_shared_dict_get");
    return kin__dict_get(&on, key, ret_value);
}

int kin_shared_dict_contains(kin_shared_dict *dict, kin_obj key)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return (int)kin__remote_number(dict, "__contains__", kin_tuple(key));
    }
    const kin__on on = ON_DICT("kin_shared_dict_contains");
    return kin__dict_contains(&on, key);
}

int64_t kin_shared_dict_len(kin_shared_dict *dict)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_number(dict, "__len__", kin_tuple());
    }
    const kin__on on = ON_DICT("kin_shared_dict_len");
    return kin__dict_len(&on);
}

int kin_shared_dict_pop(kin_shared_dict *dict, kin_obj key, kin_obj *ret_value)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_pop(dict, kin_tuple(key), ret_value);
    }
    const kin__on on = ON_DICT("kin_shared_dict_pop");
    return kin__dict_pop(&on, key, ret_value);
}

int kin_shared_dict_setdefault(kin_shared_dict *dict, kin_obj key, kin_obj value,
                               kin_obj *ret_value)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_setdefault(dict, key, value, ret_value);
    }
    const kin__on on = ON_DICT("kin_shared_dict_setdefault");
    exchange x = { .given = value, .out = kin_none() };
    int rv = ret_value == NULL ? fail_nowhere(on.verb) : kin__obj_check(value, on.verb);
    if (rv < 0) {
        kin__obj_drop(key);
    } else {
        rv = kin__dict_step(&on, key, put_default, &x);
    }
    if (rv >= 0) {
        *ret_value = x.out;
    }
    kin__obj_drop(value);
    return rv;
}

int kin_shared_dict_add(kin_shared_dict *dict, kin_obj key, kin_obj delta, kin_obj *ret_now)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return kin__remote_do(dict, "#ADD", kin_tuple(key, delta), ret_now);
    }
    const kin__on on = ON_DICT("kin_shared_dict_add");
    exchange x = { .given = delta, .out = kin_none() };
    int rv = kin__obj_check(delta, on.verb);
    if (rv < 0) {
        kin__obj_drop(key);
    } else {
        rv = find_and_step(&on, key, &(const course){ put_small_sum, put_sum, &x });
    }
    if (rv == 0 && ret_now != NULL) {
        *ret_now = x.out;
    } else {
        kin_release(x.out);
    }
    kin__obj_drop(delta);
    return rv;
}

int kin_shared_dict_compare_and_set(kin_shared_dict *dict, kin_obj key, kin_obj expected,
                                    kin_obj desired)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        return (int)kin__remote_number(dict, "#CAS", kin_tuple(key, expected, desired));
    }
    const kin__on on = ON_DICT("kin_shared_dict_compare_and_set");
    exchange x = { .given = desired, .expected = expected };
    int rv = kin__obj_check(desired, on.verb);
    rv = rv < 0 ? rv : kin__obj_check(expected, on.verb);
    if (rv < 0) {
        kin__obj_drop(key);
    } else {
        rv = kin__dict_step(&on, key, put_if_equal, &x);
    }
    kin__obj_drop(expected);
    kin__obj_drop(desired);
    return rv;
}

int kin_shared_dict_apply(kin_shared_dict *dict, kin_obj key, kin_update_fn update, void *ctx)
{
    if (kin__is_remote(dict, KIN__SHARED_DICT)) {
        kin__obj_drop(key);
        return kin__remote_refuse("kin_shared_dict_apply");
    }
    const kin__on on = ON_DICT("kin_shared_dict_apply");
    exchange x = { .update = update, .ctx = ctx };
    if (update == NULL) {
        kin__obj_drop(key);
        return kin__fail(KIN_EINVAL, "%s: the function is NULL", on.verb);
    }
    return kin__dict_step(&on, key, put_what_it_says, &x);
}
