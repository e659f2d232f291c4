/* make.c - things that a manager owns: made here, as for a client that asks for them; or by the
 * manager elsewhere, which answers with a proxy. */
#include "server.h"

typedef struct plan {
    const kin__kind *kind;
    kin_obj args, names; /* given */
    const char *verb;
} plan;

static int make_here(kin_manager *m, const plan *p, void **ret)
{
    void *thing;
    int rv = p->kind->make(p->args, p->names, &thing);
    rv = rv < 0 ? rv : kin__manager_keep(m, thing, p->kind->free);
    if (rv == 0) {
        *ret = thing;
    }
    kin_release(p->args);
    kin_release(p->names);
    return rv;
}

/* `place` is only looked at. */
static int make(kin_manager *m, const void *place, const plan *p, void **ret)
{
    int rv = kin__manager_check(m, place, p->verb);
    rv = rv < 0 ? rv : kin__obj_check(p->args, p->verb);
    rv = rv < 0 ? rv : kin__obj_check(p->names, p->verb);
    if (rv < 0) {
        kin_release(p->args);
        kin_release(p->names);
        return rv;
    }
    return m->link != NULL ? kin__far_make(m->link, p->kind, p->args, p->names, ret)
                           : make_here(m, p, ret);
}

/* What is in it at first: none and the invalid object of all zeros are nothing. */
static kin_obj args_of(kin_obj items)
{
    bool is_empty = kin_is_none(items) || (items.type == KIN_TYPE_INVALID && items.code == 0);
    return is_empty ? kin_args() : kin_args(items);
}

/* ---- collections ----------------------------------------------------------------------------- */

int kin_manager_dict(kin_manager *m, kin_shared_dict **ret, kin_obj items)
{
    const plan p = { &kin__kind_dict, args_of(items), kin_dict(), "kin_manager_dict" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_list(kin_manager *m, kin_shared_list **ret, kin_obj items)
{
    const plan p = { &kin__kind_list, args_of(items), kin_dict(), "kin_manager_list" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_set(kin_manager *m, kin_shared_set **ret, kin_obj items)
{
    const plan p = { &kin__kind_set, args_of(items), kin_dict(), "kin_manager_set" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

/* Its attributes are what Python passes by name. */
int kin_manager_namespace(kin_manager *m, kin_shared_namespace **ret, kin_obj items)
{
    bool is_empty = kin_is_none(items) || (items.type == KIN_TYPE_INVALID && items.code == 0);
    const plan p = { &kin__kind_namespace, kin_args(), is_empty ? kin_dict() : kin__obj_own(items),
                     "kin_manager_namespace" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

/* ---- to wait for and to hold ----------------------------------------------------------------- */

int kin_manager_lock(kin_manager *m, kin_lock **ret)
{
    const plan p = { &kin__kind_lock, kin_args(), kin_dict(), "kin_manager_lock" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_rlock(kin_manager *m, kin_rlock **ret)
{
    const plan p = { &kin__kind_rlock, kin_args(), kin_dict(), "kin_manager_rlock" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_condition(kin_manager *m, kin_condition **ret)
{
    const plan p = { &kin__kind_condition, kin_args(), kin_dict(), "kin_manager_condition" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_event(kin_manager *m, kin_event **ret)
{
    const plan p = { &kin__kind_event, kin_args(), kin_dict(), "kin_manager_event" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_barrier(kin_manager *m, kin_barrier **ret, unsigned parties)
{
    const plan p = { &kin__kind_barrier, kin_args(kin_int(parties)), kin_dict(),
                     "kin_manager_barrier" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

/* ---- numbers --------------------------------------------------------------------------------- */

int kin_manager_value(kin_manager *m, kin_value **ret, char typecode, kin_obj initial)
{
    const plan p = { &kin__kind_value, kin_args(kin_strn(&typecode, 1), initial), kin_dict(),
                     "kin_manager_value" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_array(kin_manager *m, kin_array **ret, char typecode, kin_obj initial)
{
    const plan p = { &kin__kind_array, kin_args(kin_strn(&typecode, 1), initial), kin_dict(),
                     "kin_manager_array" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

/* ---- with options of ours -------------------------------------------------------------------- */

static int queue_elsewhere(kin_manager *m, kin_queue **ret, const kin_queue_options *o)
{
    if (o != NULL && (o->maxbytes > 0 || o->ack || o->wait_for_memory)) {
        return kin__fail(KIN_EUNSUPPORTED, "kin_manager_queue: a manager elsewhere knows .maxsize "
                                           "and .joinable only");
    }
    const plan p = { o != NULL && o->joinable ? &kin__kind_joinable_queue : &kin__kind_queue,
                     kin_args(kin_int(o != NULL ? (int64_t)o->maxsize : 0)), kin_dict(),
                     "kin_manager_queue" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_queue(kin_manager *m, kin_queue **ret, const kin_queue_options *options)
{
    kin_queue *made = NULL;
    int rv = kin__manager_check(m, ret, "kin_manager_queue");
    if (rv < 0 || m->link != NULL) {
        return rv < 0 ? rv : queue_elsewhere(m, ret, options);
    }
    rv = kin_queue_new(&made, options);
    rv = rv < 0 ? rv : kin__manager_keep(m, made, kin__kind_queue.free);
    if (rv == 0) {
        *ret = made;
    }
    return rv;
}

static int semaphore_elsewhere(kin_manager *m, kin_semaphore **ret, unsigned value,
                               const kin_semaphore_options *o)
{
    if (o != NULL && o->owned) {
        return kin__fail(KIN_EUNSUPPORTED, "kin_manager_semaphore: a manager elsewhere does not "
                                           "know who has what (.owned)");
    }
    const plan p = { o != NULL && o->bounded ? &kin__kind_bounded_semaphore : &kin__kind_semaphore,
                     kin_args(kin_int(value)), kin_dict(), "kin_manager_semaphore" };
    void *thing;
    int rv = make(m, ret, &p, &thing);
    if (rv == 0) {
        *ret = thing;
    }
    return rv;
}

int kin_manager_semaphore(kin_manager *m, kin_semaphore **ret, unsigned value,
                          const kin_semaphore_options *options)
{
    kin_semaphore *made = NULL;
    int rv = kin__manager_check(m, ret, "kin_manager_semaphore");
    if (rv < 0 || m->link != NULL) {
        return rv < 0 ? rv : semaphore_elsewhere(m, ret, value, options);
    }
    rv = kin_semaphore_new(&made, value, options);
    rv = rv < 0 ? rv : kin__manager_keep(m, made, kin__kind_semaphore.free);
    if (rv == 0) {
        *ret = made;
    }
    return rv;
}

static void free_pool(void *thing)
{
    kin_pool_free(thing);
}

int kin_manager_pool(kin_manager *m, kin_pool **ret, const kin_pool_options *options)
{
    kin_pool *made = NULL;
    int rv = kin__manager_check(m, ret, "kin_manager_pool");
    if (rv == 0 && m->link != NULL) {
        rv = kin__fail(KIN_EUNSUPPORTED, "kin_manager_pool: not of a manager elsewhere");
    }
    rv = rv < 0 ? rv : kin_pool_new(&made, options);
    rv = rv < 0 ? rv : kin__manager_keep(m, made, free_pool);
    if (rv == 0) {
        *ret = made;
    }
    return rv;
}
