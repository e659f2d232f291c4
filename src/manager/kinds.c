/* kinds.c - which things can be served, and what their methods have in common.
 *
 * A kind is a table of methods by the names that they have in Python; kinds_*.c have one for each
 * type. A method gets what a stranger sent: it looks at each argument before it uses it. */
#include "room.h"

#include <string.h>

static const kin__kind *const kinds[] = {
    &kin__kind_dict,      &kin__kind_list,
    &kin__kind_set,       &kin__kind_namespace,
    &kin__kind_queue,     &kin__kind_joinable_queue,
    &kin__kind_lock,      &kin__kind_rlock,
    &kin__kind_semaphore, &kin__kind_bounded_semaphore,
    &kin__kind_condition, &kin__kind_event,
    &kin__kind_barrier,   &kin__kind_value,
    &kin__kind_array,
};

const kin__kind *kin__kind_of(int kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i]->kind == kind) {
            return kinds[i];
        }
    }
    return NULL;
}

const kin__kind *kin__kind_named(const char *type_id)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i]->type_id, type_id) == 0) {
            return kinds[i];
        }
    }
    return NULL;
}

const kin__method *kin__kind_method(const kin__kind *kind, const char *name)
{
    for (const kin__method *m = kind->methods; m->name != NULL; m++) {
        if (strcmp(m->name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

kin_obj kin__kind_names(const kin__kind *kind)
{
    kin_obj names[64];
    size_t n = 0;
    for (const kin__method *m = kind->methods; m->name != NULL && n < 64; m++) {
        if (!m->hidden) {
            names[n++] = kin_str(m->name);
        }
    }
    return kin_tuple_n(names, n);
}

/* ---- arguments ------------------------------------------------------------------------------- */

/* Its place among the names: `n` of them before it; -1: it is none. */
static int place_of(const char *names, const char *name)
{
    size_t size = strlen(name);
    int n = 0;
    while (names != NULL && *names != '\0') {
        size_t its = strcspn(names, " ");
        if (its == size && memcmp(names, name, size) == 0) {
            return n;
        }
        names += its + (names[its] == ' ');
        n++;
    }
    return -1;
}

int kin__takes_check(const kin__takes *takes, const char *what, kin_obj args, kin_obj names)
{
    size_t given = kin_len(args), pos = 0;
    bool any = takes->names != NULL && strcmp(takes->names, "**") == 0;
    kin_obj key;
    if (given > takes->most) {
        return kin__fail(KIN_ETYPE, "%s() takes at most %zu positional arguments (%zu given)", what,
                         takes->most, given);
    }
    while (!any && kin_type_of(names) == KIN_TYPE_DICT && kin_next_item(names, &pos, &key, NULL)) {
        const char *name = kin_as_str(key);
        int place = place_of(takes->names, name);
        if (place < 0) {
            return kin__fail(KIN_ETYPE, "%s() got an unexpected keyword argument '%.60s'", what,
                             name);
        }
        if ((size_t)place < given) {
            return kin__fail(KIN_ETYPE, "%s() got multiple values for argument '%s'", what, name);
        }
    }
    return 0;
}

kin_obj kin__asked_arg(const kin__asked *asked, size_t i, const char *name, kin_obj otherwise)
{
    if (i < kin_len(asked->args)) {
        return kin_at(asked->args, i);
    }
    size_t pos = 0;
    kin_obj key, value;
    while (name != NULL && kin_type_of(asked->names) == KIN_TYPE_DICT &&
           kin_next_item(asked->names, &pos, &key, &value)) {
        if (kin_type_of(key) == KIN_TYPE_STR && strcmp(kin_as_str(key), name) == 0) {
            return value;
        }
    }
    return otherwise;
}

kin_obj kin__asked_must(const kin__asked *asked, size_t i, const char *name)
{
    kin_obj found = kin__asked_arg(asked, i, name, kin__obj_invalid(KIN_ETYPE));
    if (kin_type_of(found) == KIN_TYPE_INVALID) {
        (void)kin__fail(KIN_ETYPE, "missing argument %zu: '%s'", i + 1, name);
    }
    return found;
}

int kin__asked_int(const kin__asked *asked, size_t i, const char *name, int64_t otherwise,
                   int64_t *ret)
{
    kin_obj found = kin__asked_arg(asked, i, name, kin_none());
    if (kin_is_none(found)) {
        *ret = otherwise;
        return 0;
    }
    return kin_to_int(found, ret);
}

static int seconds_of(kin_obj timeout, double *ret)
{
    int64_t whole;
    if (kin_is_none(timeout)) {
        *ret = KIN_FOREVER;
        return 0;
    }
    int rv = kin_type_of(timeout) == KIN_TYPE_FLOAT ? kin_to_float(timeout, ret)
                                                    : kin_to_int(timeout, &whole);
    if (rv == 0 && kin_type_of(timeout) != KIN_TYPE_FLOAT) {
        *ret = (double)whole;
    }
    return rv;
}

int kin__asked_timeout(const kin__asked *asked, size_t i, const char *pair, double *ret)
{
    size_t at = pair != NULL ? i + 1 : i;
    int rv = seconds_of(kin__asked_arg(asked, at, "timeout", kin_none()), ret);
    if (rv < 0) {
        return rv;
    }
    if (pair == NULL) {
        *ret = *ret < 0 && *ret != KIN_FOREVER ? 0 : *ret;
        return 0;
    }
    bool is_queue = strcmp(pair, "block") == 0;
    bool is_negative = *ret < 0;
    *ret = is_negative ? KIN_FOREVER : *ret;
    kin_obj blocks = kin__asked_arg(asked, i, pair, kin_bool(true));
    bool no = kin_is_none(blocks) ||
              (kin_type_of(blocks) == KIN_TYPE_BOOL && !kin_as_bool(blocks)) ||
              (kin_type_of(blocks) == KIN_TYPE_INT && kin_equal(blocks, kin_int(0)));
    *ret = no ? 0 : *ret;
    return !no && is_negative && is_queue
               ? kin__fail(KIN_EINVAL, "'timeout' must be a non-negative number")
               : 0;
}

double kin__asked_left(const kin__asked *asked, double timeout)
{
    double left = timeout - (double)(kin__os_now() - asked->began) / 1e9;
    return left > 0 && asked->may_wait ? left : 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

bool kin__asked_waits(kin__asked *asked, double timeout, int rv)
{
    bool in_vain = rv == KIN_ETIMEDOUT || rv == KIN_EEMPTY || rv == KIN_EFULL;
    asked->waits = in_vain && timeout != 0 && !asked->may_wait;
    return asked->waits;
}

int kin__asked_raise(kin_obj *ret, const char *type, kin_obj args)
{
    *ret = kin_exception(type, args);
    return kin_type_of(*ret) == KIN_TYPE_INVALID ? KIN_ENOMEM : KIN__RAISED;
}

int kin__asked_none(int rv, kin_obj *ret)
{
    if (rv < 0) {
        return rv;
    }
    *ret = kin_none();
    return 0;
}

/* The object first: clang 14 would make one comparison of the two, and lose it in between. */
int kin__asked_bool(int rv, kin_obj *ret)
{
    kin_obj answer = kin_bool(rv > 0);
    if (rv < 0) {
        return rv;
    }
    *ret = answer;
    return 0;
}

int kin__asked_count(int64_t rv, kin_obj *ret)
{
    if (rv < 0) {
        return (int)rv;
    }
    *ret = kin_int(rv);
    return 0;
}

/* ---- iterators: over what was there when they were made -------------------------------------- */

typedef struct iterator {
    kin_obj list;
    size_t next;
} iterator;

static int next_of_iterator(kin__asked *asked, kin_obj *ret)
{
    iterator *it = asked->thing;
    if (it->next >= kin_len(it->list)) {
        return kin__asked_raise(ret, "StopIteration", kin_args());
    }
    *ret = kin_retain(kin_at(it->list, it->next++));
    return 0;
}

static void free_iterator(void *thing)
{
    iterator *it = thing;
    kin_release(it->list);
    kin__os_free(it);
}

static const kin__method iterator_methods[] = {
    { .name = "__next__", .call = next_of_iterator },
    { .name = NULL },
};

const kin__kind kin__kind_iterator = { .type_id = "Iterator",
                                       .class_name = "IteratorProxy",
                                       .methods = iterator_methods,
                                       .free = free_iterator };

int kin__asked_iterator(kin__asked *asked, kin_obj list, kin_obj *ret)
{
    iterator *it = kin__os_malloc(sizeof *it);
    if (it == NULL) {
        kin_release(list);
        return kin__fail(KIN_ENOMEM, "no memory for an iterator");
    }
    *it = (iterator){ .list = list };
    asked->new_kind = &kin__kind_iterator;
    asked->new_thing = it;
    *ret = kin_none();
    return 0;
}
