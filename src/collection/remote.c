/* remote.c - the verbs of dicts, lists, sets and namespaces on what a manager elsewhere serves: as
 * methods over there, by their names in Python. What Python has no method for begins with '#', and
 * is known to managers of ours only. */
#include "room.h"

#include <kin/pickle.h>

#include <string.h>

/* What begins with '#', by the name of its call. */
static const char *call_of(const char *method)
{
    static const char *const calls[][2] = { { "#ADD", "add" },
                                            { "#CAS", "compare_and_set" },
                                            { "#DISCARD", "discard" },
                                            { "#NEXT", "next" } };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i][0], method) == 0) {
            return calls[i][1];
        }
    }
    return "copy";
}

int kin__remote_do(const void *thing, const char *method, kin_obj args, kin_obj *ret)
{
    int rv = atomic_load(&kin__remote_call)(thing, method, args, 0, ret);
    if (rv == KIN_ENOTFOUND && method[0] == '#' && strstr(kin_errmsg(), method) != NULL) {
        return kin__fail(KIN_EUNSUPPORTED,
                         "%s: the manager is not one of kin, and Python has no "
                         "method for it",
                         call_of(method));
    }
    return rv;
}

int kin__remote_refuse(const char *what)
{
    return kin__fail(KIN_EUNSUPPORTED, "%s: not over a network, for functions do not travel", what);
}

int64_t kin__remote_number(const void *thing, const char *method, kin_obj args)
{
    kin_obj answer;
    int64_t number = 0;
    int rv = kin__remote_do(thing, method, args, &answer);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(answer) == KIN_TYPE_BOOL) {
        number = kin_as_bool(answer);
    } else if (!kin_is_none(answer)) {
        rv = kin_to_int(answer, &number);
        rv = rv == 0 && number < 0 ? kin__fail(KIN_ECORRUPT, "the manager sent a number below 0")
                                   : rv;
    }
    kin_release(answer);
    return rv < 0 ? rv : number;
}

/* ---- dicts ----------------------------------------------------------------------------------- */

int kin__remote_pop(const void *thing, kin_obj args, kin_obj *ret)
{
    return kin__remote_do(thing, ret != NULL ? "pop" : "__delitem__", args, ret);
}

/* Of a borrowed one; NULL: nobody wants it. */
static void hand_out(kin_obj o, kin_obj *ret)
{
    if (ret != NULL) {
        *ret = kin_retain(o);
    }
}

/* One of ours tells whether it was put in: (that, what is there). Python's tells what is there. */
int kin__remote_setdefault(const void *thing, kin_obj key, kin_obj value, kin_obj *ret)
{
    kin_obj pair;
    kin_obj both = kin_tuple(key, value);
    int rv = kin__remote_do(thing, "#SETDEFAULT", kin_retain(both), &pair);
    if (rv == KIN_EUNSUPPORTED) {
        return kin__remote_do(thing, "setdefault", both, ret);
    }
    kin_release(both);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(pair) != KIN_TYPE_TUPLE || kin_len(pair) != 2) {
        rv = kin__fail(KIN_ECORRUPT, "what the manager sent is no pair");
    } else {
        rv = kin_as_bool(kin_at(pair, 0));
        hand_out(kin_at(pair, 1), ret);
    }
    kin_release(pair);
    return rv;
}

int kin__remote_popitem(const void *thing, kin_obj *ret_key, kin_obj *ret_value)
{
    kin_obj pair;
    int rv = kin__remote_do(thing, "popitem", kin_tuple(), &pair);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(pair) != KIN_TYPE_TUPLE || kin_len(pair) != 2) {
        rv = kin__fail(KIN_ECORRUPT, "what the manager sent is no pair");
    } else {
        hand_out(kin_at(pair, 0), ret_key);
        hand_out(kin_at(pair, 1), ret_value);
    }
    kin_release(pair);
    return rv;
}

/* (the next position, key, value), or none. */
int kin__remote_next(const void *thing, uint64_t *pos, kin_obj *ret_key, kin_obj *ret_value)
{
    kin_obj found;
    int64_t next = 0;
    if (pos == NULL) {
        return kin__fail(KIN_EINVAL, "kin_shared_..._next: the position is NULL");
    }
    int rv = kin__remote_do(thing, "#NEXT", kin_tuple(kin_int((int64_t)*pos)), &found);
    if (rv < 0) {
        return rv;
    }
    if (kin_is_none(found)) {
        return 0;
    }
    rv = kin_type_of(found) == KIN_TYPE_TUPLE && kin_len(found) == 3
             ? kin_to_int(kin_at(found, 0), &next)
             : kin__fail(KIN_ECORRUPT, "what the manager sent is no position, key and value");
    if (rv == 0) {
        *pos = (uint64_t)next;
        hand_out(kin_at(found, 1), ret_key);
        hand_out(kin_at(found, 2), ret_value);
    }
    kin_release(found);
    return rv < 0 ? rv : 1;
}

/* ---- lists ----------------------------------------------------------------------------------- */

kin_obj kin__remote_whole(void)
{
    return kin_tuple(kin_slice(kin_none(), kin_none(), kin_none()));
}

/* Python says ValueError for what is not in a list. */
int64_t kin__remote_find(const void *thing, const char *method, kin_obj value)
{
    int64_t rv = kin__remote_number(thing, method, kin_tuple(value));
    return rv == KIN_EINVAL ? KIN_ENOTFOUND : rv;
}

/* ---- sets ------------------------------------------------------------------------------------ */

/* Whether it was in it, and the change, are two steps for one of Python's. */
static int change_pythons(const void *thing, bool adds, kin_obj args)
{
    int was = (int)kin__remote_number(thing, "__contains__", kin_retain(args));
    int rv =
        was < 0 ? was : kin__remote_do(thing, adds ? "add" : "discard", kin_retain(args), NULL);
    return rv < 0 ? rv : adds ? !was : was;
}

int kin__remote_change(const void *thing, bool adds, kin_obj member)
{
    kin_obj args = kin_tuple(member);
    int rv = (int)kin__remote_number(thing, adds ? "#ADD" : "#DISCARD", kin_retain(args));
    rv = rv == KIN_EUNSUPPORTED ? change_pythons(thing, adds, args) : rv;
    kin_release(args);
    return rv;
}

/* ---- namespaces ------------------------------------------------------------------------------ */

/* AttributeError. */
int kin__remote_attribute(const void *thing, const char *method, kin_obj args, kin_obj *ret)
{
    int rv = kin__remote_do(thing, method, args, ret);
    return rv == KIN_EUSER && strncmp(kin_errmsg(), "AttributeError", 14) == 0 ? KIN_ENOTFOUND : rv;
}
