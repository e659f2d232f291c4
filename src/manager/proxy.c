/* proxy.c - things of a manager elsewhere, as things to use here.
 *
 * Idea. A proxy is a name of a thing over there, and a link. It lies in this process's memory and
 * is in the list of such things (obj/local.c); so the verbs of queues, locks, dicts tell it from
 * one of the family, and ask over the link (remote.c). Of what type it is, the names say
 * of its methods: a thing with put, get and qsize is a queue, whatever the manager calls it.
 *
 *      kin_manager_call("scores") -- create --> ident, names        proxy { ident, names, link }
 *
 * Rules.
 *   R1  A proxy has one reference over there, and gives it back when it is freed: with the object
 *       that owns it, by the thing's own kin_X_free, or with its manager.
 *   R2  On the way there a proxy is a token; a token that comes back is a proxy again, of the same
 *       link, with a reference of its own.
 *
 * Fork. The child has copies, whose references are its parent's: it gives none back.
 *
 * Not here. Requests (link.c).
 */
#include "proxy.h"

#include <stdio.h>
#include <string.h>

/* ---- what it can be used as ------------------------------------------------------------------ */

typedef struct shape {
    int kind;
    const char *type_id;    /* as a manager calls it, if it does so */
    const char *class_name; /* what Python uses for it */
    const char *needs[4];   /* the names without which it is none */
} shape;

static const shape shapes[] = {
    { kin_shared_dict_KIND, "dict", "DictProxy", { "__getitem__", "keys", "setdefault" } },
    { kin_shared_list_KIND, "list", "ListProxy", { "__getitem__", "append", "insert" } },
    { kin_shared_set_KIND, "set", "SetProxy", { "__contains__", "add", "discard" } },
    { kin_shared_namespace_KIND, "Namespace", "NamespaceProxy", { "__setattr__", "__delattr__" } },
    { kin_queue_KIND, "Queue", "AutoProxy", { "put", "get", "qsize" } },
    { kin_condition_KIND, "Condition", "ConditionProxy", { "acquire", "wait", "notify" } },
    { kin_lock_KIND, "Lock", "AcquirerProxy", { "acquire", "release" } },
    { kin_rlock_KIND, "RLock", "AcquirerProxy", { "acquire", "release" } },
    { kin_semaphore_KIND, "Semaphore", "AcquirerProxy", { "acquire", "release" } },
    { kin_event_KIND, "Event", "EventProxy", { "is_set", "set", "clear" } },
    { kin_barrier_KIND, "Barrier", "BarrierProxy", { "wait", "abort", "reset" } },
    { kin_value_KIND, "Value", "ValueProxy", { "get", "set" } },
    { kin_array_KIND, "Array", "ArrayProxy", { "__getitem__", "__setitem__", "__len__" } },
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static bool has_name(kin_obj names, const char *name)
{
    for (size_t i = 0; i < kin_len(names); i++) {
        kin_obj at = kin_at(names, i);
        if (kin_type_of(at) == KIN_TYPE_STR && strcmp(kin_as_str(at), name) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_shape(kin_obj names, const shape *s)
{
    for (int i = 0; i < 4 && s->needs[i] != NULL; i++) {
        if (!has_name(names, s->needs[i])) {
            return false;
        }
    }
    return true;
}

static bool can_be(const void *thing, int kind)
{
    const kin__proxy *proxy = thing;
    for (int i = 0; i < SHAPES; i++) {
        if (shapes[i].kind == kind) {
            return has_shape(proxy->names, &shapes[i]);
        }
    }
    return false;
}

static const char *used_as(const void *thing)
{
    const kin__proxy *proxy = thing;
    for (int i = 0; i < SHAPES; i++) {
        if (has_shape(proxy->names, &shapes[i])) {
            return shapes[i].type_id;
        }
    }
    return proxy->type_id;
}

static const char *class_of(const kin__proxy *proxy)
{
    for (int i = 0; i < SHAPES; i++) {
        if (strcmp(shapes[i].type_id, proxy->type_id) == 0 ||
            (has_shape(proxy->names, &shapes[i]) && shapes[i].kind != kin_lock_KIND)) {
            return shapes[i].class_name;
        }
    }
    return "AutoProxy";
}

/* ---- its life -------------------------------------------------------------------------------- */

static void *refuse_to_unpack(const int *fds, int n, uint64_t note)
{
    (void)fds;
    (void)n;
    (void)note;
    (void)kin__fail(KIN_ECORRUPT, "these bytes are no object: a proxy in them");
    return NULL;
}

static const kin__local_ops ops = { .kind = KIN__PROXY_KIND,
                                    .name = "the proxy",
                                    .listed = true,
                                    .stays = "a proxy travels to its own manager only: another "
                                             "process connects for itself",
                                    .unpack = refuse_to_unpack,
                                    .free = kin__proxy_free,
                                    .can_be = can_be,
                                    .used_as = used_as };

static char *copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = kin__os_malloc(n);
    if (copy != NULL) {
        memcpy(copy, text, n);
    }
    return copy;
}

static void drop_parts(kin__proxy *proxy)
{
    kin__link_drop(proxy->link);
    kin_release(proxy->names);
    kin__grip_free(proxy);
    kin__os_free(proxy->ident);
    kin__os_free(proxy->type_id);
    kin__os_free(proxy);
}

static int add_reference(kin__link *link, const char *ident)
{
    kin_obj unused;
    kin__request request = { .method = "incref", .args = kin_tuple(kin_str(ident)) };
    int rv = kin__link_ask(link, &request, &unused);
    if (rv == 0) {
        kin_release(unused);
    }
    return rv;
}

int kin__proxy_new(kin__proxy **ret, kin__link *link, const char *type_id, const char *ident,
                   kin_obj names)
{
    kin__proxy *proxy = kin__os_calloc(1, sizeof *proxy);
    if (proxy == NULL) {
        kin_release(names);
        return kin__fail(KIN_ENOMEM, "no memory for a proxy");
    }
    *proxy = (kin__proxy){ .link = kin__link_keep(link),
                           .names = names,
                           .ident = copy_text(ident),
                           .type_id = copy_text(type_id),
                           .pid = kin__os_getpid() };
    int rv = proxy->ident != NULL && proxy->type_id != NULL
                 ? kin__local_enter(proxy, &ops)
                 : kin__fail(KIN_ENOMEM, "no memory for a proxy");
    if (rv < 0) {
        drop_parts(proxy);
        return rv;
    }
    *ret = proxy;
    return 0;
}

void kin__proxy_keep(kin__proxy *proxy)
{
    kin__proxy **first = kin__link_proxies(proxy->link);
    kin__link_lock();
    proxy->next = *first;
    proxy->previous = first;
    if (*first != NULL) {
        (*first)->previous = &proxy->next;
    }
    *first = proxy;
    kin__link_unlock();
}

static void unlist(kin__proxy *proxy)
{
    kin__link_lock();
    if (proxy->previous != NULL) {
        *proxy->previous = proxy->next;
        if (proxy->next != NULL) {
            proxy->next->previous = proxy->previous;
        }
    }
    kin__link_unlock();
}

void kin__proxies_free(kin__link *link)
{
    kin__proxy **first = kin__link_proxies(link);
    while (*first != NULL) { /* nobody else uses a manager that is freed */
        kin__proxy_free(*first);
    }
}

void kin__proxy_free(void *thing)
{
    kin__proxy *proxy = thing;
    unlist(proxy);
    kin__local_leave(proxy);
    if (proxy->pid == kin__os_getpid()) { /* if that fails, all are gone */
        kin__link_tell(proxy->link, &(kin__request){ .method = "decref",
                                                     .args = kin_tuple(kin_str(proxy->ident)) });
    }
    drop_parts(proxy);
}

bool kin__is_proxy(const void *thing)
{
    return thing != NULL && kin__local_ops_of(thing) == &ops;
}

/* ---- there, and back ------------------------------------------------------------------------- */

/* R2: what a shared thing in an argument is over there. */
static int to_token(kin_obj o, void *ctx, kin_obj *ret)
{
    kin__link *link = ctx;
    void *thing = kin_type_of(o) == KIN_TYPE_SHARED ? kin_as_shared(o) : NULL;
    if (!kin__is_proxy(thing)) {
        return 0;
    }
    const kin__proxy *proxy = thing;
    if (proxy->link != link) {
        return kin__fail(KIN_EUNSUPPORTED, "a proxy of one manager cannot be sent to another");
    }
    kin_obj address = kin__link_address(link);
    const char *class_name = class_of(proxy);
    bool is_auto = strcmp(class_name, "AutoProxy") == 0;
    *ret = kin_proxy(kin_token(proxy->type_id, address, proxy->ident), class_name,
                     is_auto ? kin_retain(proxy->names) : kin_none());
    return 1;
}

static int names_of_class(const char *class_name, kin_obj *ret)
{
    for (int i = 0; i < SHAPES; i++) {
        if (strcmp(shapes[i].class_name, class_name) == 0) {
            const kin__kind *kind = kin__kind_of(shapes[i].kind);
            *ret = kin__kind_names(kind);
            return kin_type_of(*ret) == KIN_TYPE_INVALID ? KIN_ENOMEM : 0;
        }
    }
    *ret = kin_tuple();
    return 0;
}

/* The object that owns it from now on. */
static int as_object(kin__proxy *proxy, kin_obj *ret)
{
    kin_obj o = kin__local_object(proxy, &ops, true);
    if (kin_type_of(o) == KIN_TYPE_INVALID) {
        kin__proxy_free(proxy);
        return kin__fail(KIN_ENOMEM, "no memory for a proxy");
    }
    *ret = o;
    return 0;
}

static int from_token(kin_obj o, void *ctx, kin_obj *ret)
{
    kin__link *link = ctx;
    if (!kin_is_token(o)) {
        return 0;
    }
    bool is_proxy = kin_len(o) == 5;
    kin_obj names = is_proxy ? kin_at(o, 4) : kin_none();
    int rv = 0;
    if (kin_is_none(names)) {
        rv = names_of_class(is_proxy ? kin_as_str(kin_at(o, 3)) : "", &names);
    } else {
        names = kin_retain(names);
    }
    kin__proxy *proxy;
    const char *ident = kin_as_str(kin_at(o, 2));
    rv = rv < 0 ? rv : add_reference(link, ident);
    if (rv < 0) {
        kin_release(names);
        return rv;
    }
    rv = kin__proxy_new(&proxy, link, kin_as_str(kin_at(o, 0)), ident, names);
    rv = rv < 0 ? rv : as_object(proxy, ret);
    return rv < 0 ? rv : 1;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* A new thing that a method has made: ((names...), token), with a reference for who takes it. */
static int adopt(kin__link *link, kin_obj payload, kin_obj *ret)
{
    kin_obj token = kin_at(payload, 1), names = kin_at(payload, 0);
    if (kin_len(payload) != 2 || !kin_is_token(token)) {
        return kin__fail(KIN_ECORRUPT, "what the manager sent is no proxy");
    }
    kin__proxy *proxy;
    int rv = kin__proxy_new(&proxy, link, kin_as_str(kin_at(token, 0)),
                            kin_as_str(kin_at(token, 2)), kin_retain(names));
    return rv < 0 ? rv : as_object(proxy, ret);
}

static int outbound(kin__link *link, kin_obj args, kin_obj *ret)
{
    int rv = kin__obj_check(args, "kin_proxy_call");
    rv = rv < 0 ? rv : kin__map_things(args, to_token, link, ret);
    kin__obj_drop(args);
    return rv;
}

/* What there is said of an ident that it has not, by a Python manager, too. */
static int explain(const kin__proxy *proxy, int rv)
{
    char text[200];
    (void)snprintf(text, sizeof text, "the manager says: KeyError: '%s'", proxy->ident);
    return rv == KIN_ENOTFOUND && strcmp(kin_errmsg(), text) == 0
               ? kin__fail(KIN_ENOTFOUND, "the manager does not know this object (any more): was "
                                          "it started anew?")
               : rv;
}

int kin__proxy_ask(const kin__proxy *proxy, const char *method, kin_obj args, double seconds,
                   kin_obj *ret)
{
    bool is_new = false;
    kin_obj payload;
    kin__request request = {
        .ident = proxy->ident, .method = method, .seconds = seconds, .ret_proxy = &is_new
    };
    int rv = outbound(proxy->link, args, &request.args);
    rv = rv < 0 ? rv : kin__link_ask(proxy->link, &request, &payload);
    if (rv < 0) {
        return explain(proxy, rv);
    }
    rv = is_new ? adopt(proxy->link, payload, ret)
                : kin__map_things(payload, from_token, proxy->link, ret);
    kin_release(payload);
    return rv;
}

static int ask_in_batch(const kin__proxy *proxy, kin__wire *batch, const char *method, kin_obj args,
                        kin_obj *ret)
{
    kin__request request = { .ident = proxy->ident, .method = method };
    int rv = outbound(proxy->link, args, &request.args);
    return rv < 0 ? rv : kin__batch_add(proxy->link, batch, &request, ret);
}

int kin_proxy_call(const void *proxy, const char *method, kin_obj args, kin_obj *ret_result)
{
    kin_obj result;
    if (!kin__is_proxy(proxy) || method == NULL) {
        kin__obj_drop(args);
        return kin__fail(KIN_EINVAL, "kin_proxy_call: %p is no proxy, or the method is NULL",
                         proxy);
    }
    const kin__proxy *p = proxy;
    kin__wire *batch = kin__batch_of(p->link);
    if (batch != NULL) {
        return ask_in_batch(p, batch, method, args, ret_result);
    }
    int rv = kin__proxy_ask(p, method, args, 0, &result);
    if (rv == 0 && ret_result != NULL) {
        *ret_result = result;
    } else if (rv == 0) {
        kin_release(result);
    }
    return rv;
}

/* ---- from a manager -------------------------------------------------------------------------- */

/* (name, args...) */
static int with_name(kin__link *link, const char *name, kin_obj args, kin_obj *ret)
{
    kin_obj sent;
    int rv = outbound(link, args, &sent);
    if (rv < 0) {
        return rv;
    }
    kin_obj all = kin_list(kin_str(name));
    for (size_t i = 0; i < kin_len(sent) && rv == 0; i++) {
        rv = kin_append(&all, kin_at(sent, i));
    }
    kin_release(sent);
    *ret = all;
    return rv;
}

int kin__proxy_create(kin__link *link, const char *type_id, kin_obj args, kin_obj names,
                      kin__proxy **ret)
{
    kin_obj made;
    kin__request request = { .method = "create", .names = names };
    int rv = with_name(link, type_id, args, &request.args);
    if (rv < 0) {
        kin_release(names);
        return rv;
    }
    rv = kin__link_ask(link, &request, &made);
    if (rv < 0) {
        return rv;
    }
    const char *ident = kin_as_str(kin_at(made, 0)); /* a reference is in it */
    if (ident[0] == '\0' || kin_len(made) != 2) {
        rv = kin__fail(KIN_ECORRUPT, "what the manager sent is no name of a thing");
    } else {
        rv = kin__proxy_new(ret, link, type_id, ident, kin_retain(kin_at(made, 1)));
    }
    kin_release(made);
    return rv;
}

/* One of ours answers with the thing, or with what the function has returned. */
static int call_kin(kin__link *link, const char *name, kin_obj args, kin_obj *ret)
{
    bool is_new = false;
    kin_obj payload;
    kin__request request = { .method = "call", .ret_proxy = &is_new };
    int rv = with_name(link, name, args, &request.args);
    rv = rv < 0 ? rv : kin__link_ask(link, &request, &payload);
    if (rv < 0) {
        return rv;
    }
    rv = is_new ? adopt(link, payload, ret) : kin__map_things(payload, from_token, link, ret);
    kin_release(payload);
    return rv;
}

int kin__proxy_call_name(kin__link *link, const char *name, kin_obj args, kin_obj *ret)
{
    if (kin__link_is_kin(link)) {
        return call_kin(link, name, args, ret);
    }
    kin__proxy *proxy;
    int rv = kin__proxy_create(link, name, args, (kin_obj){ 0 }, &proxy);
    return rv < 0 ? rv : as_object(proxy, ret);
}
