/* kin/collection.h - dicts, lists, sets and namespaces that a family of processes shares.
 *
 * There is no server: they lie in memory that the family shares, and a call costs a fraction of a
 * microsecond. Keys and values are any objects; what is in it is copied out by get, so to change a
 * list that lies in a dict, make it a kin_shared_list and put that in:
 *
 *     kin_shared_dict *scores;
 *     kin_shared_list *of_ann;
 *     KIN_CHECK(kin_shared_dict_new(&scores, NULL));
 *     KIN_CHECK(kin_shared_list_new(&of_ann, NULL));
 *     KIN_CHECK(kin_shared_dict_set(scores, kin_str("ann"), kin_shared(of_ann)));
 *
 *     // in any process of the family, which has scores from its arguments
 *     kin_obj o;
 *     KIN_CHECK(kin_shared_dict_get(scores, kin_str("ann"), &o));
 *     KIN_CHECK(kin_shared_list_append(kin_as(kin_shared_list, o), kin_int(7)));
 *     KIN_CHECK(kin_shared_dict_add(scores, kin_str("games"), kin_int(1), NULL));  // none is lost
 *     kin_release(o);
 *
 * Each call is one step to all who look on: it has happened or not. Whoever writes waits for other
 * writers of the same thing, for the time of their step; whoever reads waits for nobody. A process
 * that is killed in the midst of a call leaves what was there before, or what would be there after.
 *
 * Objects that are passed are given away, also when the call fails; what a call hands out is yours
 * to release. All verbs return 0 or more, or KIN_EINVAL (NULL, or no such thing), KIN_EFREED,
 * KIN_EINTR (kin_interrupt, while another was writing), KIN_ENOMEM (it is as it was), KIN_ETYPE (a
 * key that cannot be one: lists, dicts, sets), KIN_EUNSUPPORTED (a value that can be taken out once
 * only: with a kin_buffer, a connection or a descriptor in it), or what is said at each. The same
 * calls work on what a manager elsewhere serves (manager.h), where they may also say what a
 * connection can; if it is Python's, not those that Python has no method for: add, compare_and_set,
 * next.
 */
#ifndef KIN_COLLECTION_H
#define KIN_COLLECTION_H

#include <kin/obj.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_shared_dict: keys and values, in the order in which the keys came in.
 *
 * Owner:     whoever made it frees it, or its manager, once for all; the others borrow it.
 * Threads:   any.
 * Processes: every process of the family, however it got the pointer.
 * Fork:      the child uses the same dict.
 * Death:     a process killed inside a call leaves the old value or the new, and nothing locked.
 */
typedef struct kin_shared_dict kin_shared_dict;
#define kin_shared_dict_KIND 20 /* for kin_as(kin_shared_dict, object) */

/* kin_shared_list: values by position, from 0.
 *
 * Owner:     whoever made it, or its manager.
 * Threads:   any.
 * Processes: all of the family.
 * Fork:      the same list.
 * Death:     as of a dict: also of a sort, or of a slice that is replaced.
 */
typedef struct kin_shared_list kin_shared_list;
#define kin_shared_list_KIND 21

/* kin_shared_set: what could be keys, each once, in the order in which they came in.
 *
 * Owner:     whoever made it, or its manager.
 * Threads:   any.
 * Processes: all of the family.
 * Fork:      the same set.
 * Death:     as of a dict.
 */
typedef struct kin_shared_set kin_shared_set;
#define kin_shared_set_KIND 22

/* kin_shared_namespace: attributes by name.
 *
 * Owner:     whoever made it, or its manager.
 * Threads:   any.
 * Processes: all of the family.
 * Fork:      the same namespace.
 * Death:     as of a dict.
 */
typedef struct kin_shared_namespace kin_shared_namespace;
#define kin_shared_namespace_KIND 23

typedef struct kin_shared_dict_options {
    kin_obj items;        /* what is in it at first: a dict, or a list of pairs; given away */
    uint64_t reserved[4]; /* must be zero */
} kin_shared_dict_options;

typedef struct kin_shared_list_options {
    kin_obj items;        /* a list or tuple; given away */
    uint64_t reserved[4]; /* must be zero */
} kin_shared_list_options;

typedef struct kin_shared_set_options {
    kin_obj items;        /* a set, list or tuple; given away */
    uint64_t reserved[4]; /* must be zero */
} kin_shared_set_options;

typedef struct kin_shared_namespace_options {
    kin_obj items;        /* a dict of strs; given away */
    uint64_t reserved[4]; /* must be zero */
} kin_shared_namespace_options;

/* Gets what is there and returns what shall be there: given(value, ctx) -> an object that is given
 * away. `value` is borrowed, and none where there was nothing. An error (kin_error) leaves all as
 * it is. While it runs nobody else writes: a call of its own to the same thing says KIN_EDEADLK. */
typedef kin_obj (*kin_update_fn)(kin_obj value, void *ctx);

/* ---- dicts ---------------------------------------------------------------------------------- */

/* Makes one, with the items of the options, if there are any. KIN_ETYPE: no dict, and no list of
 * pairs. */
KIN_API int kin_shared_dict_new(kin_shared_dict **ret_dict, const kin_shared_dict_options *options);

/* Ends it for all, and gives its memory back; the shared things that were in it stay. NULL is
 * fine. */
KIN_API void kin_shared_dict_free(kin_shared_dict *dict);
KIN_AUTO(kin_shared_dict)

/* Puts it in, or in the place of what was there: the key stays where it is in the order. */
KIN_API int kin_shared_dict_set(kin_shared_dict *dict, kin_obj key, kin_obj value);

/* A copy of the value; KIN_ENOTFOUND when there is no such key. */
KIN_API int kin_shared_dict_get(kin_shared_dict *dict, kin_obj key, kin_obj *ret_value);

/* 1 or 0. */
KIN_API int kin_shared_dict_contains(kin_shared_dict *dict, kin_obj key);
KIN_API int64_t kin_shared_dict_len(kin_shared_dict *dict);

/* Takes it out; KIN_ENOTFOUND when it is not there. The value is handed out unless ret is NULL. */
KIN_API int kin_shared_dict_pop(kin_shared_dict *dict, kin_obj key, kin_obj *ret_value);

/* The same for whatever came in last; KIN_ENOTFOUND: it is empty. */
KIN_API int kin_shared_dict_popitem(kin_shared_dict *dict, kin_obj *ret_key, kin_obj *ret_value);

/* Hands out what is there, or puts `value` in and hands that out: 1 when it was put in, 0
 * (of a Python manager's dict always 0). */
KIN_API int kin_shared_dict_setdefault(kin_shared_dict *dict, kin_obj key, kin_obj value,
                                       kin_obj *ret_value);

/* value += delta in one step, for numbers, strs, bytes, lists and tuples; a missing key counts as 0
 * (as an empty one of delta's type). What is there now is handed out unless ret is NULL. KIN_ETYPE
 * for what cannot be added. */
KIN_API int kin_shared_dict_add(kin_shared_dict *dict, kin_obj key, kin_obj delta,
                                kin_obj *ret_now);

/* Puts `desired` there if what is there equals `expected`: 1, or 0 when it was something else or
 * there is no such key (which kin_shared_dict_setdefault puts in). */
KIN_API int kin_shared_dict_compare_and_set(kin_shared_dict *dict, kin_obj key, kin_obj expected,
                                            kin_obj desired);

/* Changes an entry by a function, in one step: its code, if it returned an error. Not over a
 * network (KIN_EUNSUPPORTED). */
KIN_API int kin_shared_dict_apply(kin_shared_dict *dict, kin_obj key, kin_update_fn update,
                                  void *ctx);

/* Puts in all of a dict, or of a list of pairs. Each of its items is a step of its own. */
KIN_API int kin_shared_dict_update(kin_shared_dict *dict, kin_obj items);
KIN_API int kin_shared_dict_clear(kin_shared_dict *dict);

/* All of it at one moment, as plain objects; who writes waits meanwhile. Shared things in it are
 * not copied: they go on changing. */
KIN_API int kin_shared_dict_copy(kin_shared_dict *dict, kin_obj *ret_dict);
KIN_API int kin_shared_dict_keys(kin_shared_dict *dict, kin_obj *ret_list);
KIN_API int kin_shared_dict_values(kin_shared_dict *dict, kin_obj *ret_list);
KIN_API int kin_shared_dict_items(kin_shared_dict *dict, kin_obj *ret_list); /* of pairs */

/* One after the other, from *pos = 0 on: 1, or 0 at the end. Each key that is there throughout
 * comes exactly once, whatever the others do meanwhile. ret_value may be NULL. Over a network each
 * is a round trip: a copy is one. */
KIN_API int kin_shared_dict_next(kin_shared_dict *dict, uint64_t *pos, kin_obj *ret_key,
                                 kin_obj *ret_value);

/* ---- lists ---------------------------------------------------------------------------------- */

/* Makes one, with the items of the options, if there are any. free: as of a dict. */
KIN_API int kin_shared_list_new(kin_shared_list **ret_list, const kin_shared_list_options *options);
KIN_API void kin_shared_list_free(kin_shared_list *list);
KIN_AUTO(kin_shared_list)

/* An index may be negative: -1 is the last. KIN_ERANGE beyond the ends. */
KIN_API int kin_shared_list_get(kin_shared_list *list, int64_t index, kin_obj *ret_value);
KIN_API int kin_shared_list_set(kin_shared_list *list, int64_t index, kin_obj value);
KIN_API int64_t kin_shared_list_len(kin_shared_list *list);
KIN_API int kin_shared_list_append(kin_shared_list *list, kin_obj value);

/* All of a list or tuple, in one step. */
KIN_API int kin_shared_list_extend(kin_shared_list *list, kin_obj items);

/* Before that index; beyond the ends means at the end, as in Python. */
KIN_API int kin_shared_list_insert(kin_shared_list *list, int64_t index, kin_obj value);

/* Takes it out; it is handed out unless ret is NULL. At either end that takes as long whatever the
 * length, elsewhere all of the list is written anew, as by insert. */
KIN_API int kin_shared_list_pop(kin_shared_list *list, int64_t index, kin_obj *ret_value);

/* The first that is equal: its index, KIN_ENOTFOUND. remove takes it out. How many there are. */
KIN_API int64_t kin_shared_list_index(kin_shared_list *list, kin_obj value);
KIN_API int kin_shared_list_remove(kin_shared_list *list, kin_obj value);
KIN_API int64_t kin_shared_list_count(kin_shared_list *list, kin_obj value);

/* As of a dict. */
KIN_API int kin_shared_list_add(kin_shared_list *list, int64_t index, kin_obj delta,
                                kin_obj *ret_now);
KIN_API int kin_shared_list_compare_and_set(kin_shared_list *list, int64_t index, kin_obj expected,
                                            kin_obj desired);
KIN_API int kin_shared_list_apply(kin_shared_list *list, int64_t index, kin_update_fn update,
                                  void *ctx);

/* What a slice names (kin_slice), as a plain list; replaced by the items of a list or tuple (with a
 * step other than 1 as many as there are: KIN_ERANGE); taken out. */
KIN_API int kin_shared_list_get_slice(kin_shared_list *list, kin_obj slice, kin_obj *ret_items);
KIN_API int kin_shared_list_set_slice(kin_shared_list *list, kin_obj slice, kin_obj items);
KIN_API int kin_shared_list_del_slice(kin_shared_list *list, kin_obj slice);

/* The last one first, in one step. */
KIN_API int kin_shared_list_reverse(kin_shared_list *list);

/* Sorts, stably, numbers or strs or bytes or tuples and lists of these; by less(a, b, ctx) if it is
 * not NULL, which says whether a comes before b, and may not change or copy the list (KIN_EDEADLK).
 * KIN_ETYPE: they cannot be compared. KIN_EUNSUPPORTED: by less, over a network. */
KIN_API int kin_shared_list_sort(kin_shared_list *list, bool (*less)(kin_obj, kin_obj, void *),
                                 void *ctx);
KIN_API int kin_shared_list_repeat(kin_shared_list *list, int64_t times); /* list *= times */
KIN_API int kin_shared_list_clear(kin_shared_list *list);
KIN_API int kin_shared_list_copy(kin_shared_list *list, kin_obj *ret_list); /* as of a dict */

/* ---- sets ----------------------------------------------------------------------------------- */

/* As of a dict. */
KIN_API int kin_shared_set_new(kin_shared_set **ret_set, const kin_shared_set_options *options);
KIN_API void kin_shared_set_free(kin_shared_set *set);
KIN_AUTO(kin_shared_set)

/* 1 when it was not in it before, 0. (Of a Python manager's set that is asked a step before.) */
KIN_API int kin_shared_set_add(kin_shared_set *set, kin_obj member);

/* 1 when it was in it, 0. */
KIN_API int kin_shared_set_discard(kin_shared_set *set, kin_obj member);
KIN_API int kin_shared_set_contains(kin_shared_set *set, kin_obj member);
KIN_API int64_t kin_shared_set_len(kin_shared_set *set);

/* Takes out the one that came in last; KIN_ENOTFOUND: it is empty. */
KIN_API int kin_shared_set_pop(kin_shared_set *set, kin_obj *ret_member);
KIN_API int kin_shared_set_update(kin_shared_set *set, kin_obj members); /* a set, list or tuple */
KIN_API int kin_shared_set_clear(kin_shared_set *set);
KIN_API int kin_shared_set_copy(kin_shared_set *set, kin_obj *ret_set);
KIN_API int kin_shared_set_next(kin_shared_set *set, uint64_t *pos, kin_obj *ret_member);

/* ---- namespaces ----------------------------------------------------------------------------- */

/* As of a dict. */
KIN_API int kin_shared_namespace_new(kin_shared_namespace **ret_namespace,
                                     const kin_shared_namespace_options *options);
KIN_API void kin_shared_namespace_free(kin_shared_namespace *namespace_);
KIN_AUTO(kin_shared_namespace)

/* KIN_ENOTFOUND when there is no such attribute. */
KIN_API int kin_shared_namespace_set(kin_shared_namespace *namespace_, const char *name,
                                     kin_obj value);
KIN_API int kin_shared_namespace_get(kin_shared_namespace *namespace_, const char *name,
                                     kin_obj *ret_value);
KIN_API int kin_shared_namespace_del(kin_shared_namespace *namespace_, const char *name);
KIN_API int kin_shared_namespace_copy(kin_shared_namespace *namespace_, kin_obj *ret_dict);

#ifdef __cplusplus
}
#endif
#endif
