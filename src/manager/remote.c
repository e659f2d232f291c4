/* remote.c - the verbs of locks, queues, dicts, ... on a proxy: as methods over there.
 *
 * The rooms below know nothing of managers. Where a verb finds that what it was given is no thing
 * of the family's memory, it asks here whether it is a proxy that can be used so (domain/room.h,
 * obj/room.h), before it says KIN_EINVAL. */
#include "proxy.h"

#include <string.h>

static kin_obj seconds_or_none(double timeout)
{
    return timeout == KIN_FOREVER ? kin_none() : kin_float(timeout < 0 ? 0 : timeout);
}

static bool is_far(const void *thing, int kind)
{
    const kin__local_ops *ops = kin__local_ops_of(thing);
    return ops != NULL && ops->can_be != NULL && ops->can_be(thing, kind);
}

/* True and false as 0 and KIN_ETIMEDOUT; a number as it is. */
static int as_outcome(kin_obj result, const char *method)
{
    int64_t number = 0;
    int rv = 0;
    if (kin_type_of(result) == KIN_TYPE_BOOL && !kin_as_bool(result)) {
        rv = kin__fail(KIN_ETIMEDOUT, "%s: not within the timeout, says the manager", method);
    } else if (kin_type_of(result) == KIN_TYPE_INT) {
        rv = kin_to_int(result, &number);
        rv = rv < 0 || number < 0 || number > INT32_MAX ? KIN_ECORRUPT : (int)number;
    }
    kin_release(result);
    return rv;
}

/* RuntimeError: to release what is not held, to notify or to wait without the lock. */
static int as_code(int rv)
{
    return rv == KIN_EUSER && strncmp(kin_errmsg(), "RuntimeError", 12) == 0 ? KIN_ESTATE : rv;
}

/* What a connection holds alone, and others can release: grip.c. */
static bool is_lock(int kind)
{
    return kind == kin_lock_KIND || kind == kin_condition_KIND;
}

static int acquire(void *thing, int kind, double timeout)
{
    kin_obj result;
    int rv = is_lock(kind) ? kin__grip_place(thing) : 0;
    if (rv < 0) {
        return rv;
    }
    kin_obj args = timeout == 0             ? kin_tuple(kin_bool(false))
                   : timeout == KIN_FOREVER ? kin_tuple(kin_bool(true))
                                            : kin_tuple(kin_bool(true), kin_float(timeout));
    rv = kin__proxy_ask(thing, "acquire", args, timeout, &result);
    rv = rv < 0 ? rv : as_outcome(result, "acquire");
    if (rv >= 0 && is_lock(kind)) {
        kin__grip_note(thing, true);
    }
    return rv;
}

static int wait_for(const void *thing, double timeout)
{
    kin_obj result;
    int rv = kin__proxy_ask(thing, "wait", kin_tuple(seconds_or_none(timeout)), timeout, &result);
    return rv < 0 ? as_code(rv) : as_outcome(result, "wait");
}

static int tell(const void *thing, const char *method, int64_t number)
{
    kin_obj result;
    kin_obj args = number < 0 ? kin_tuple() : kin_tuple(kin_int(number));
    int rv = kin__proxy_ask(thing, method, args, 0, &result);
    if (rv == 0) {
        kin_release(result);
    }
    return as_code(rv);
}

static int release(void *thing, int kind)
{
    int rv = is_lock(kind) ? kin__grip_check(thing) : 0;
    rv = rv < 0 ? rv : tell(thing, "release", -1);
    if (rv >= 0 && is_lock(kind)) {
        kin__grip_note(thing, false);
    }
    return rv;
}

static int ask(const void *thing, const char *method, const char *attribute)
{
    kin_obj result;
    int64_t number = 0;
    kin_obj args = attribute != NULL ? kin_tuple(kin_str(attribute)) : kin_tuple();
    int rv = kin__proxy_ask(thing, method, args, 0, &result);
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(result) == KIN_TYPE_BOOL) {
        number = kin_as_bool(result);
    } else {
        rv = kin_to_int(result, &number);
    }
    kin_release(result);
    return rv < 0 ? rv : number > INT32_MAX ? INT32_MAX : (int)number;
}

static int call(const void *thing, const char *method, kin_obj args, double seconds, kin_obj *ret)
{
    kin_obj result;
    int rv = kin__proxy_ask(thing, method, args, seconds, &result);
    if (rv == 0 && ret != NULL) {
        *ret = result;
    } else if (rv == 0) {
        kin_release(result);
    }
    return rv;
}

void kin__remote_begin(void)
{
    static const kin__remote_ops ops = { .is = is_far,
                                         .acquire = acquire,
                                         .release = release,
                                         .wait = wait_for,
                                         .tell = tell,
                                         .ask = ask,
                                         .free = kin__proxy_free };
    atomic_store(&kin__remote, &ops);
    atomic_store(&kin__remote_call, call);
}
