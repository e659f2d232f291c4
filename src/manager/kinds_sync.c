/* kinds_sync.c - locks, semaphores, conditions, events and barriers as they are served.
 *
 * What a client holds is held by his connection, which is a member of the family: so it goes back
 * when he goes. Who holds a lock of Python's threading is a thread there; here it is a connection,
 * of which a Python program has one for each of its threads. */
#include "room.h"

#include <string.h>

/* True or false for got or not; or it waits. */
static int acquired(kin__asked *asked, double timeout, int rv, kin_obj *ret)
{
    if (kin__asked_waits(asked, timeout, rv)) {
        return 0;
    }
    *ret = kin_bool(rv >= 0);
    return rv == KIN_ETIMEDOUT || rv >= 0 ? 0 : rv;
}

static int acquire(kin__asked *asked, int (*take)(void *thing, double timeout), kin_obj *ret)
{
    double timeout;
    int rv = kin__asked_timeout(asked, 0, "blocking", &timeout);
    if (rv < 0) {
        return rv;
    }
    rv = take(asked->thing, kin__asked_left(asked, timeout));
    return acquired(asked, timeout, rv, ret);
}

static int released(int rv, kin_obj *ret, const char *type, const char *text)
{
    if (rv == KIN_ESTATE) {
        return kin__asked_raise(ret, type, kin_args(kin_str(text)));
    }
    return kin__asked_none(rv, ret);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static int take_lock(void *lock, double timeout)
{
    return kin_lock_acquire(lock, timeout);
}

static int lock_acquire(kin__asked *asked, kin_obj *ret)
{
    return acquire(asked, take_lock, ret);
}

static int lock_release(kin__asked *asked, kin_obj *ret)
{
    return released(kin_lock_release(asked->thing), ret, "RuntimeError", "release unlocked lock");
}

static int lock_locked(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_lock_locked(asked->thing), ret);
}

static const kin__method lock_methods[] = {
    { .name = "acquire", .call = lock_acquire, .takes = { 2, "blocking timeout" } },
    { .name = "release", .call = lock_release },
    { .name = "locked", .call = lock_locked },
    { .name = NULL },
};

static int make_lock(kin_obj args, kin_obj names, void **ret_thing)
{
    (void)args;
    (void)names;
    kin_lock *lock;
    int rv = kin_lock_new(&lock, NULL);
    *ret_thing = rv == 0 ? lock : *ret_thing;
    return rv;
}

static void free_lock(void *thing)
{
    kin_lock_free(thing);
}

const kin__kind kin__kind_lock = { .type_id = "Lock",
                                   .class_name = "AcquirerProxy",
                                   .kind = kin_lock_KIND,
                                   .methods = lock_methods,
                                   .make = make_lock,
                                   .free = free_lock };

static int take_rlock(void *rlock, double timeout)
{
    return kin_rlock_acquire(rlock, timeout);
}

static int rlock_acquire(kin__asked *asked, kin_obj *ret)
{
    return acquire(asked, take_rlock, ret);
}

static int rlock_release(kin__asked *asked, kin_obj *ret)
{
    return released(kin_rlock_release(asked->thing), ret, "RuntimeError",
                    "cannot release un-acquired lock");
}

static int rlock_locked(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_rlock_locked(asked->thing), ret);
}

static const kin__method rlock_methods[] = {
    { .name = "acquire", .call = rlock_acquire, .takes = { 2, "blocking timeout" } },
    { .name = "release", .call = rlock_release },
    { .name = "locked", .call = rlock_locked },
    { .name = NULL },
};

static int make_rlock(kin_obj args, kin_obj names, void **ret_thing)
{
    (void)args;
    (void)names;
    kin_rlock *lock;
    int rv = kin_rlock_new(&lock, NULL);
    *ret_thing = rv == 0 ? lock : *ret_thing;
    return rv;
}

static void free_rlock(void *thing)
{
    kin_rlock_free(thing);
}

const kin__kind kin__kind_rlock = { .type_id = "RLock",
                                    .class_name = "AcquirerProxy",
                                    .kind = kin_rlock_KIND,
                                    .methods = rlock_methods,
                                    .make = make_rlock,
                                    .free = free_rlock };

/* ---- semaphores ------------------------------------------------------------------------------ */

static int take_semaphore(void *semaphore, double timeout)
{
    return kin_semaphore_acquire(semaphore, timeout);
}

static int semaphore_acquire(kin__asked *asked, kin_obj *ret)
{
    return acquire(asked, take_semaphore, ret);
}

static int semaphore_release(kin__asked *asked, kin_obj *ret)
{
    int64_t n;
    int rv = kin__asked_int(asked, 0, "n", 1, &n);
    if (rv < 0 || n != 1) {
        return rv < 0 ? rv : kin__fail(KIN_EUNSUPPORTED, "permits are released one by one");
    }
    return released(kin_semaphore_release(asked->thing), ret, "ValueError",
                    "Semaphore released too many times");
}

static int semaphore_locked(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_semaphore_locked(asked->thing), ret);
}

static const kin__method semaphore_methods[] = {
    { .name = "acquire", .call = semaphore_acquire, .takes = { 2, "blocking timeout" } },
    { .name = "release", .call = semaphore_release, .takes = { 1, "n" } },
    { .name = "locked", .call = semaphore_locked },
    { .name = NULL },
};

static int make_semaphore_of(kin_obj args, kin_obj names, const kin_semaphore_options *options,
                             void **ret_thing)
{
    kin__asked asked = { .args = args, .names = names };
    int64_t value;
    kin_semaphore *semaphore;
    int rv = kin__asked_int(&asked, 0, "value", 1, &value);
    if (rv < 0) {
        return rv;
    }
    if (value < 0 || value > UINT32_MAX) {
        return kin__fail(KIN_EINVAL, "semaphore initial value must be >= 0");
    }
    rv = kin_semaphore_new(&semaphore, (unsigned)value, options);
    *ret_thing = rv == 0 ? semaphore : *ret_thing;
    return rv;
}

static int make_semaphore(kin_obj args, kin_obj names, void **ret_thing)
{
    return make_semaphore_of(args, names, NULL, ret_thing);
}

static int make_bounded(kin_obj args, kin_obj names, void **ret_thing)
{
    return make_semaphore_of(args, names, &(const kin_semaphore_options){ .bounded = true },
                             ret_thing);
}

static void free_semaphore(void *thing)
{
    kin_semaphore_free(thing);
}

const kin__kind kin__kind_semaphore = { .type_id = "Semaphore",
                                        .class_name = "AcquirerProxy",
                                        .takes = { 1, "value" },
                                        .kind = kin_semaphore_KIND,
                                        .methods = semaphore_methods,
                                        .make = make_semaphore,
                                        .free = free_semaphore };

const kin__kind kin__kind_bounded_semaphore = { .type_id = "BoundedSemaphore",
                                                .class_name = "AcquirerProxy",
                                                .takes = { 1, "value" },
                                                .kind = kin_semaphore_KIND,
                                                .methods = semaphore_methods,
                                                .make = make_bounded,
                                                .free = free_semaphore };

/* ---- conditions ------------------------------------------------------------------------------ */

static int take_condition(void *condition, double timeout)
{
    return kin_condition_acquire(condition, timeout);
}

static int condition_acquire(kin__asked *asked, kin_obj *ret)
{
    return acquire(asked, take_condition, ret);
}

static int condition_release(kin__asked *asked, kin_obj *ret)
{
    return released(kin_condition_release(asked->thing), ret, "RuntimeError",
                    "cannot release un-acquired lock");
}

static int condition_wait(kin__asked *asked, kin_obj *ret)
{
    double timeout;
    int rv = kin__asked_timeout(asked, 0, NULL, &timeout);
    if (rv < 0) {
        return rv;
    }
    if (!asked->may_wait && timeout != 0) {
        asked->waits = true;
        return 0;
    }
    rv = kin_condition_wait(asked->thing, kin__asked_left(asked, timeout));
    if (rv == KIN_ESTATE) {
        return kin__asked_raise(ret, "RuntimeError",
                                kin_args(kin_str("cannot wait on un-acquired lock")));
    }
    return acquired(asked, timeout, rv, ret);
}

static int condition_notify(kin__asked *asked, kin_obj *ret)
{
    int64_t n;
    int rv = kin__asked_int(asked, 0, "n", 1, &n);
    if (rv < 0) {
        return rv;
    }
    n = n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : n;
    return released(kin_condition_notify(asked->thing, (unsigned)n), ret, "RuntimeError",
                    "cannot notify on un-acquired lock");
}

static int condition_notify_all(kin__asked *asked, kin_obj *ret)
{
    return released(kin_condition_notify_all(asked->thing), ret, "RuntimeError",
                    "cannot notify on un-acquired lock");
}

static const kin__method condition_methods[] = {
    { .name = "acquire", .call = condition_acquire, .takes = { 2, "blocking timeout" } },
    { .name = "release", .call = condition_release },
    { .name = "wait", .call = condition_wait, .takes = { 1, "timeout" } },
    { .name = "notify", .call = condition_notify, .takes = { 1, "n" } },
    { .name = "notify_all", .call = condition_notify_all },
    { .name = NULL },
};

/* None, or a lock that is served too: that of a client's proxy, which stays from then on. */
static int lock_of(kin_obj given, kin_condition_options *ret)
{
    void *thing = NULL;
    if (kin_is_none(given)) {
        return 0;
    }
    if (kin_type_of(given) == KIN_TYPE_SHARED) {
        int rv = kin_to_shared(given, &thing);
        if (rv < 0) {
            return rv;
        }
    }
    int kind = thing != NULL ? (int)kin__block_type(thing) : 0;
    ret->lock = kind == kin_lock_KIND ? thing : NULL;
    ret->rlock = kind == kin_rlock_KIND ? thing : NULL;
    return ret->lock != NULL || ret->rlock != NULL
               ? 0
               : kin__fail(KIN_ETYPE, "a condition has a Lock or an RLock of its manager");
}

static int make_condition(kin_obj args, kin_obj names, void **ret_thing)
{
    kin__asked asked = { .args = args, .names = names };
    kin_condition_options options = { 0 };
    kin_condition *condition;
    int rv = lock_of(kin__asked_arg(&asked, 0, "lock", kin_none()), &options);
    rv = rv < 0 ? rv : kin_condition_new(&condition, &options);
    *ret_thing = rv == 0 ? condition : *ret_thing;
    return rv;
}

static void free_condition(void *thing)
{
    kin_condition_free(thing);
}

const kin__kind kin__kind_condition = { .type_id = "Condition",
                                        .class_name = "ConditionProxy",
                                        .takes = { 1, "lock" },
                                        .kind = kin_condition_KIND,
                                        .methods = condition_methods,
                                        .make = make_condition,
                                        .free = free_condition };

/* ---- events ---------------------------------------------------------------------------------- */

static int event_is_set(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_bool(kin_event_is_set(asked->thing), ret);
}

static int event_set(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_event_set(asked->thing), ret);
}

static int event_clear(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_event_clear(asked->thing), ret);
}

static int event_wait(kin__asked *asked, kin_obj *ret)
{
    double timeout;
    int rv = kin__asked_timeout(asked, 0, NULL, &timeout);
    if (rv < 0) {
        return rv;
    }
    rv = kin_event_wait(asked->thing, kin__asked_left(asked, timeout));
    return acquired(asked, timeout, rv, ret);
}

static const kin__method event_methods[] = {
    { .name = "is_set", .call = event_is_set },
    { .name = "set", .call = event_set },
    { .name = "clear", .call = event_clear },
    { .name = "wait", .call = event_wait, .takes = { 1, "timeout" } },
    { .name = NULL },
};

static int make_event(kin_obj args, kin_obj names, void **ret_thing)
{
    (void)args;
    (void)names;
    kin_event *event;
    int rv = kin_event_new(&event, NULL);
    *ret_thing = rv == 0 ? event : *ret_thing;
    return rv;
}

static void free_event(void *thing)
{
    kin_event_free(thing);
}

const kin__kind kin__kind_event = { .type_id = "Event",
                                    .class_name = "EventProxy",
                                    .kind = kin_event_KIND,
                                    .methods = event_methods,
                                    .make = make_event,
                                    .free = free_event };

/* ---- barriers -------------------------------------------------------------------------------- */

static int broken(kin_obj *ret)
{
    return kin__asked_raise(ret, "threading.BrokenBarrierError", kin_args());
}

static int barrier_wait(kin__asked *asked, kin_obj *ret)
{
    double timeout;
    int rv = kin__asked_timeout(asked, 0, NULL, &timeout);
    if (rv < 0) {
        return rv;
    }
    rv = kin_barrier_wait(asked->thing, timeout);
    return rv == KIN_EBROKEN || rv == KIN_ETIMEDOUT ? broken(ret) : kin__asked_count(rv, ret);
}

static int barrier_abort(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_barrier_abort(asked->thing), ret);
}

static int barrier_reset(kin__asked *asked, kin_obj *ret)
{
    return kin__asked_none(kin_barrier_reset(asked->thing), ret);
}

static int barrier_attribute(kin__asked *asked, kin_obj *ret)
{
    const char *name = kin_as_str(kin__asked_arg(asked, 0, "name", kin_none()));
    if (strcmp(name, "parties") == 0) {
        return kin__asked_count(kin_barrier_parties(asked->thing), ret);
    }
    if (strcmp(name, "n_waiting") == 0) {
        return kin__asked_count(kin_barrier_n_waiting(asked->thing), ret);
    }
    if (strcmp(name, "broken") == 0) {
        return kin__asked_bool(kin_barrier_broken(asked->thing), ret);
    }
    return kin__asked_raise(ret, "AttributeError",
                            kin_args(kin_strf("'Barrier' object has no attribute '%s'", name)));
}

/* A proxy class that Python makes of the names that it is told would call that one for ever. */
static const kin__method barrier_methods[] = {
    { .name = "__getattribute__", .call = barrier_attribute, .takes = { 1, NULL }, .hidden = true },
    { .name = "wait", .call = barrier_wait, .takes = { 1, "timeout" }, .waits = true },
    { .name = "abort", .call = barrier_abort },
    { .name = "reset", .call = barrier_reset },
    { .name = NULL },
};

static int make_barrier(kin_obj args, kin_obj names, void **ret_thing)
{
    kin__asked asked = { .args = args, .names = names };
    int64_t parties;
    double timeout;
    kin_barrier *barrier;
    int rv = kin__asked_int(&asked, 0, "parties", 0, &parties);
    rv = rv < 0 ? rv : kin__asked_timeout(&asked, 2, NULL, &timeout);
    if (rv < 0) {
        return rv;
    }
    if (parties < 1 || parties > UINT32_MAX) {
        return kin__fail(KIN_EINVAL, "parties must be > 0");
    }
    if (!kin_is_none(kin__asked_arg(&asked, 1, "action", kin_none()))) {
        return kin__fail(KIN_EUNSUPPORTED, "a barrier's action does not travel");
    }
    rv = kin_barrier_new(
        &barrier, (unsigned)parties,
        &(const kin_barrier_options){ .timeout = timeout == KIN_FOREVER ? 0 : timeout });
    *ret_thing = rv == 0 ? barrier : *ret_thing;
    return rv;
}

static void free_barrier(void *thing)
{
    kin_barrier_free(thing);
}

const kin__kind kin__kind_barrier = { .type_id = "Barrier",
                                      .class_name = "BarrierProxy",
                                      .takes = { 3, "parties action timeout" },
                                      .kind = kin_barrier_KIND,
                                      .methods = barrier_methods,
                                      .make = make_barrier,
                                      .free = free_barrier };
