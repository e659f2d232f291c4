/* Verbs on what a manager elsewhere serves: which method is asked for, with what, and what becomes
 * of the answer. The manager is played here; a real one is in tests/unit/manager. */
#include "../../../src/collection/room.h"
#include "../../harness.h"

#include <string.h>

static int thing; /* in nobody's shared memory */
static int freed;
static const char *asked_for;
static kin_obj asked_with;
static kin_obj answer; /* given away with the next call */
static int failure;

static bool is_ours(const void *p, int kind)
{
    (void)kind;
    return p == &thing;
}

static void let_go(void *p)
{
    freed += p == &thing;
}

static int call(const void *p, const char *method, kin_obj args, double seconds, kin_obj *ret)
{
    CHECK(p == &thing);
    CHECK(seconds == 0);
    asked_for = method;
    kin_release(asked_with);
    asked_with = args;
    if (failure != 0) {
        return kin__fail(failure, "KeyError: '%s'", method);
    }
    if (ret != NULL) {
        *ret = answer;
    } else {
        kin_release(answer);
    }
    answer = kin_none();
    return 0;
}

static void play(void)
{
    static const kin__remote_ops ops = { .is = is_ours, .free = let_go };
    atomic_store(&kin__remote, &ops);
    atomic_store(&kin__remote_call, call);
    answer = asked_with = kin_none();
    failure = 0;
}

static void stop_playing(void)
{
    kin_release(asked_with);
    asked_with = kin_none();
    atomic_store(&kin__remote, NULL);
}

#define CHECK_ASKED(method, args_repr)                                                             \
    do {                                                                                           \
        char *text_ = kin_repr(asked_with);                                                        \
        CHECK_STR(asked_for, method);                                                              \
        CHECK_STR(text_, args_repr);                                                               \
        free(text_);                                                                               \
    } while (0)

TEST(verbs_of_dicts_are_methods_of_python)
{
    play();
    kin_shared_dict *dict = (void *)&thing;
    kin_obj o, key;
    CHECK_OK(kin_shared_dict_set(dict, kin_str("k"), kin_int(1)));
    CHECK_ASKED("__setitem__", "('k', 1)");
    answer = kin_int(7);
    CHECK_OK(kin_shared_dict_get(dict, kin_str("k"), &o));
    CHECK_ASKED("__getitem__", "('k',)");
    CHECK_EQ(kin_as_int(o), 7);
    answer = kin_bool(true);
    CHECK_EQ(kin_shared_dict_contains(dict, kin_int(2)), 1);
    answer = kin_int(3);
    CHECK_EQ(kin_shared_dict_len(dict), 3);
    CHECK_OK(kin_shared_dict_pop(dict, kin_str("k"), NULL));
    CHECK_ASKED("__delitem__", "('k',)");
    answer = kin_int(5);
    CHECK_OK(kin_shared_dict_pop(dict, kin_str("k"), &o));
    CHECK_ASKED("pop", "('k',)");
    answer = kin_tuple(kin_int(1), kin_int(2));
    CHECK_OK(kin_shared_dict_popitem(dict, &key, &o));
    CHECK_EQ(kin_as_int(key) * 10 + kin_as_int(o), 12);
    answer = kin_int(1);
    CHECK_ERROR(kin_shared_dict_popitem(dict, &key, &o), KIN_ECORRUPT);
    answer = kin_str("no");
    CHECK_ERROR(kin_shared_dict_popitem(dict, &key, &o), KIN_ECORRUPT);
    answer = kin_str("no");
    CHECK_ERROR(kin_shared_dict_setdefault(dict, kin_int(1), kin_int(2), &o), KIN_ECORRUPT);
    answer = kin_int(-1);
    CHECK_ERROR((int)kin_shared_dict_len(dict), KIN_ECORRUPT);
    stop_playing();
}

TEST(a_walk_goes_on_where_the_manager_says)
{
    play();
    kin_shared_dict *dict = (void *)&thing;
    uint64_t pos = 4;
    kin_obj key, value;
    answer = kin_tuple(kin_int(9), kin_int(1), kin_int(2));
    CHECK_EQ(kin_shared_dict_next(dict, &pos, &key, &value), 1);
    CHECK_ASKED("#NEXT", "(4,)");
    CHECK_EQ(pos, 9);
    CHECK_EQ(kin_as_int(value), 2);
    answer = kin_none();
    CHECK_EQ(kin_shared_dict_next(dict, &pos, &key, &value), 0);
    answer = kin_tuple(kin_int(9));
    CHECK_ERROR(kin_shared_dict_next(dict, &pos, &key, &value), KIN_ECORRUPT);
    CHECK_EQ(pos, 9);
    stop_playing();
}

TEST(what_nobody_wants_is_not_handed_out)
{
    play();
    kin_shared_dict *dict = (void *)&thing;
    uint64_t pos = 0;
    kin_obj o;
    answer = kin_tuple(kin_str("key"), kin_str("value"));
    CHECK_OK(kin_shared_dict_popitem(dict, NULL, NULL));
    answer = kin_tuple(kin_int(9), kin_int(1), kin_int(2));
    CHECK_EQ(kin_shared_dict_next(dict, &pos, NULL, NULL), 1);
    CHECK_EQ(pos, 9);
    CHECK_ERROR(kin_shared_dict_next(dict, NULL, &o, NULL), KIN_EINVAL);
    stop_playing();
}

TEST(verbs_of_lists_sets_and_namespaces_are_too)
{
    play();
    kin_shared_list *list = (void *)&thing;
    kin_obj o;
    CHECK_OK(kin_shared_list_append(list, kin_int(1)));
    CHECK_ASKED("append", "(1,)");
    CHECK_OK(kin_shared_list_clear(list));
    CHECK_ASKED("__delitem__", "(slice(None, None, None),)");
    failure = KIN_EINVAL; /* ValueError */
    CHECK_EQ(kin_shared_list_index(list, kin_int(1)), KIN_ENOTFOUND);
    failure = 0;
    answer = kin_bool(true);
    CHECK_EQ(kin_shared_set_add((kin_shared_set *)(void *)&thing, kin_int(1)), 1);
    CHECK_ASKED("#ADD", "(1,)");
    answer = kin_int(6);
    CHECK_OK(kin_shared_namespace_get((kin_shared_namespace *)(void *)&thing, "x", &o));
    CHECK_ASKED("__getattribute__", "('x',)");
    stop_playing();
}

TEST(what_does_not_travel_or_is_not_there_is_said)
{
    play();
    kin_shared_dict *dict = (void *)&thing;
    CHECK_ERROR(kin_shared_dict_apply(dict, kin_str("k"), NULL, NULL), KIN_EUNSUPPORTED);
    failure = KIN_ENOTFOUND;
    CHECK_ERROR(kin_shared_dict_add(dict, kin_str("k"), kin_int(1), NULL), KIN_EUNSUPPORTED);
    CHECK_CONTAINS(kin_errmsg(), "add: the manager is not one of kin");
    CHECK_ERROR(kin_shared_dict_get(dict, kin_str("k"), &(kin_obj){ 0 }), KIN_ENOTFOUND);
    kin_shared_dict_free(dict);
    CHECK_EQ(freed, 1);
    stop_playing();
}
