/* list.c - kin_shared_list: its life, and its items one by one. See list.h. */
#include "list.h"

_Static_assert(kin_shared_list_KIND == KIN__SHARED_LIST, "collection.h says what the domain says");

/* ---- life ------------------------------------------------------------------------------------ */

static void empty(kin__change *c)
{
    (void)kin__list_clear((kin__list *)(void *)c);
}

static kin__list *new_list(void)
{
    kin__list *l = kin__head_new(sizeof *l, KIN__SHARED_LIST);
    if (l != NULL) {
        atomic_store(&l->version, 0);
        atomic_store(&l->begin, 0);
        atomic_store(&l->end, 0);
        atomic_store(&l->rest, 0);
        atomic_store(&l->words.root, 0);
        kin__change_init(&l->change, KIN__SHARED_LIST);
        kin__block_give(l);
    }
    return l;
}

static int make(kin_shared_list **ret_list, const kin_shared_list_options *options)
{
    static const char verb[] = "kin_shared_list_new";
    bool has_items = options != NULL && kin_type_of(options->items) != KIN_TYPE_INVALID;
    if (ret_list == NULL) {
        return kin__fail(KIN_EINVAL, "%s: nowhere to put the list (NULL)", verb);
    }
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", verb);
    }
    int rv = has_items ? kin__list_check_items(options->items, verb) : 0;
    kin__list *l = rv < 0 ? NULL : new_list();
    if (l == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    if (has_items) {
        rv = kin__list_enter(l, verb);
        if (rv == 0) {
            rv = kin__list_extend(l, options->items, verb);
            kin__list_leave(l);
        }
    }
    if (rv < 0) {
        kin_shared_list_free((kin_shared_list *)l);
        return rv;
    }
    *ret_list = (kin_shared_list *)l;
    return 0;
}

int kin_shared_list_new(kin_shared_list **ret_list, const kin_shared_list_options *options)
{
    int rv = make(ret_list, options);
    if (options != NULL) {
        kin__obj_drop(options->items);
    }
    return rv;
}

void kin_shared_list_free(kin_shared_list *list)
{
    if (kin__remote_free(list, KIN__SHARED_LIST)) {
        return;
    }
    if (list != NULL) {
        kin__change_free(&kin__list_of(list)->change, KIN__SHARED_LIST, empty,
                         "kin_shared_list_free: the list");
    }
}

/* ---- looking, without the lock --------------------------------------------------------------- */

/* What a reader has seen: R3. */
typedef struct look {
    uint64_t n, index, word;
    bool is_inside;
} look;

static bool look_at(const kin__list *l, int64_t index, look *ret)
{
    uint64_t version = kin__peek(&l->version);
    uint64_t begin = kin__peek(&l->begin);
    uint64_t end = kin__peek(&l->end);
    ret->n = end - begin;
    ret->index = index < 0 ? (uint64_t)index + ret->n : (uint64_t)index;
    ret->is_inside = ret->index < ret->n;
    const kin__word *at = ret->is_inside ? kin__radix_at(&l->words, begin + ret->index) : NULL;
    ret->word = at != NULL ? kin__peek(at) : 0;
    if (index < 0 && kin__peek(&l->end) != end) {
        return false; /* it was the last one, but not any more when it was loaded */
    }
    return version % 2 == 0 && kin__peek(&l->version) == version &&
           (ret->word != 0 || !ret->is_inside);
}

static int get_under_the_lock(kin__list *l, int64_t index, kin_obj *ret)
{
    static const char verb[] = "kin_shared_list_get";
    uint64_t at;
    int rv = kin__list_enter(l, "kin_shared_list_get: the list");
    if (rv < 0) {
        return rv;
    }
    rv = kin__list_index(index, kin__list_count(l), verb, &at);
    rv = rv < 0 ? rv : kin__list_read(l, at, ret);
    kin__list_leave(l);
    return rv;
}

int kin_shared_list_get(kin_shared_list *list, int64_t index, kin_obj *ret_value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__getitem__", kin_tuple(kin_int(index)), ret_value);
    }
    static const char what[] = "kin_shared_list_get: the list";
    kin__list *l = kin__list_of(list);
    int rv = kin__head_check(l, KIN__SHARED_LIST, what);
    if (rv < 0 || ret_value == NULL) {
        return rv < 0 ? rv : kin__fail(KIN_EINVAL, "kin_shared_list_get: the result is NULL");
    }
    for (int i = 0; i < KIN__LIST_LOOKS; i++) {
        look seen;
        if (!look_at(l, index, &seen)) {
            continue;
        }
        if (!seen.is_inside) {
            return kin__list_index(index, seen.n, "kin_shared_list_get", &seen.index);
        }
        rv = kin__value_read(seen.word, ret_value);
        if (rv != 0) {
            return rv < 0 ? rv : 0;
        }
    }
    return get_under_the_lock(l, index, ret_value); /* R4 */
}

int64_t kin_shared_list_len(kin_shared_list *list)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_number(list, "__len__", kin_tuple());
    }
    static const char what[] = "kin_shared_list_len: the list";
    kin__list *l = kin__list_of(list);
    int rv = kin__head_check(l, KIN__SHARED_LIST, what);
    for (int i = 0; rv == 0 && i < KIN__LIST_LOOKS; i++) {
        uint64_t version = kin__peek(&l->version);
        uint64_t begin = kin__peek(&l->begin);
        uint64_t end = kin__peek(&l->end);
        if (version % 2 == 0 && kin__peek(&l->version) == version) {
            return (int64_t)(end - begin);
        }
    }
    rv = rv < 0 ? rv : kin__list_enter(l, what);
    if (rv < 0) {
        return rv;
    }
    int64_t n = (int64_t)kin__list_count(l);
    kin__list_leave(l);
    return n;
}

/* ---- one by one ------------------------------------------------------------------------------ */

static int set_word(kin__list *l, int64_t index, uint64_t word)
{
    uint64_t i;
    int rv = kin__list_index(index, kin__list_count(l), "kin_shared_list_set", &i);
    if (rv < 0) {
        kin__value_drop(word);
        return rv;
    }
    return kin__list_set(l, i, word);
}

int kin_shared_list_set(kin_shared_list *list, int64_t index, kin_obj value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "__setitem__", kin_tuple(kin_int(index), value), NULL);
    }
    kin__list *l = kin__list_of(list);
    uint64_t word = 0;
    int rv = kin__list_make(value, "kin_shared_list_set", &word);
    rv = rv < 0 ? rv : kin__list_enter(l, "kin_shared_list_set: the list");
    if (rv == 0) {
        rv = set_word(l, index, word);
        kin__list_leave(l);
    } else {
        kin__value_drop(word);
    }
    kin__obj_drop(value);
    return rv;
}

static uint64_t place_of(int64_t index, uint64_t n)
{
    if (index < 0) {
        return (uint64_t) - (index + 1) < n ? n + (uint64_t)index : 0;
    }
    return (uint64_t)index < n ? (uint64_t)index : n;
}

static int insert(kin_shared_list *list, int64_t index, kin_obj value, const char *verb,
                  const char *what)
{
    kin__list *l = kin__list_of(list);
    uint64_t word = 0;
    int rv = kin__list_make(value, verb, &word);
    rv = rv < 0 ? rv : kin__list_enter(l, what);
    if (rv == 0) {
        rv = kin__list_insert(l, place_of(index, kin__list_count(l)), word);
        kin__list_leave(l);
    } else {
        kin__value_drop(word);
    }
    kin__obj_drop(value);
    return rv;
}

int kin_shared_list_append(kin_shared_list *list, kin_obj value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "append", kin_tuple(value), NULL);
    }
    return insert(list, INT64_MAX, value, "kin_shared_list_append",
                  "kin_shared_list_append: the list");
}

int kin_shared_list_insert(kin_shared_list *list, int64_t index, kin_obj value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "insert", kin_tuple(kin_int(index), value), NULL);
    }
    return insert(list, index, value, "kin_shared_list_insert", "kin_shared_list_insert: the list");
}

int kin_shared_list_pop(kin_shared_list *list, int64_t index, kin_obj *ret_value)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "pop", kin_tuple(kin_int(index)), ret_value);
    }
    kin__list *l = kin__list_of(list);
    kin_obj value = kin_none();
    uint64_t i;
    int rv = kin__list_enter(l, "kin_shared_list_pop: the list");
    if (rv < 0) {
        return rv;
    }
    rv = kin__list_index(index, kin__list_count(l), "kin_shared_list_pop", &i);
    rv = rv < 0 || ret_value == NULL ? rv : kin__list_read(l, i, &value);
    if (rv == 0) {
        rv = kin__list_remove(l, i);
    }
    kin__list_leave(l);
    if (rv == 0 && ret_value != NULL) {
        *ret_value = value;
    } else {
        kin_release(value);
    }
    return rv;
}

static int extend(kin_shared_list *list, kin_obj items)
{
    static const char verb[] = "kin_shared_list_extend";
    kin__list *l = kin__list_of(list);
    int rv = kin__list_check_items(items, verb);
    rv = rv < 0 ? rv : kin__list_enter(l, "kin_shared_list_extend: the list");
    if (rv == 0) {
        rv = kin__list_extend(l, items, verb);
        kin__list_leave(l);
    }
    return rv;
}

int kin_shared_list_extend(kin_shared_list *list, kin_obj items)
{
    if (kin__is_remote(list, KIN__SHARED_LIST)) {
        return kin__remote_do(list, "extend", kin_tuple(items), NULL);
    }
    int rv = extend(list, items);
    kin__obj_drop(items);
    return rv;
}
