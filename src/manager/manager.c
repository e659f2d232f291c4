/* manager.c - a manager here: what it owns, and the names under which clients ask for things.
 *
 * Death. The things are the family's, and stay when this process dies without freeing them. */
#include "server.h"

#include <string.h>

static const char verb_new[] = "kin_manager_new";
static const char verb_register[] = "kin_manager_register";

typedef struct kin__made {
    struct kin__made *next;
    void *thing;
    kin__ref ref;
    void (*free)(void *thing);
} made;

typedef struct kin__name {
    struct kin__name *next;
    kin_obj object;
    char text[];
} name;

/* ---- making and freeing --------------------------------------------------------------------- */

int kin__manager_check(const kin_manager *m, const void *place, const char *verb)
{
    if (m == NULL || place == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the %s is NULL", verb,
                         m == NULL ? "manager" : "place for the answer");
    }
    return 0;
}

int kin__manager_new(kin_manager **ret, kin__link *link)
{
    kin_manager *m = kin__os_calloc(1, sizeof *m);
    if (m == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a manager", verb_new);
    }
    int rv = link == NULL ? kin_event_new(&m->ended, NULL) : 0;
    rv = rv < 0 ? rv : m->ended != NULL ? kin_event_set(m->ended) : 0;
    if (rv < 0) {
        kin__os_free(m);
        return rv;
    }
    pthread_mutex_init(&m->mutex, NULL);
    m->link = link;
    m->maker = kin__os_getpid();
    *ret = m;
    return 0;
}

int kin_manager_new(kin_manager **ret_manager, const kin_manager_options *options)
{
    if (ret_manager == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the place for the manager is NULL", verb_new);
    }
    if (options != NULL && kin__any_set(options->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", verb_new);
    }
    return kin__manager_new(ret_manager, NULL);
}

/* What was made last may stand on what was made before. The user may have freed some already, and
 * other things lie there now. */
static void free_things(kin_manager *m, bool ours)
{
    for (made *at = m->made, *next; at != NULL; at = next) {
        next = at->next;
        if (ours && kin__block_find(at->ref, (kin__type)0) != NULL) {
            at->free(at->thing);
        }
        kin__os_free(at);
    }
}

static void free_names(kin_manager *m)
{
    for (name *at = m->names, *next; at != NULL; at = next) {
        next = at->next;
        kin_release(at->object);
        kin__os_free(at);
    }
}

/* Who is not the one that serves has only a copy, and its end is no end for who joins. */
static int end_serving(kin_manager *m, kin__server *server)
{
    return server != NULL && kin__server_free(server) ? kin_event_set(m->ended) : 0;
}

void kin_manager_free(kin_manager *m)
{
    if (m == NULL) {
        return;
    }
    bool ours = m->maker == kin__os_getpid(); /* and not a forked child's copy */
    if (m->link != NULL) {
        kin__far_end(m->link);
    }
    (void)end_serving(m, m->server);
    free_things(m, ours);
    free_names(m);
    if (ours) {
        kin_event_free(m->ended);
        pthread_mutex_destroy(&m->mutex);
    }
    kin__os_free(m);
}

int kin__manager_keep(kin_manager *m, void *thing, void (*end)(void *thing))
{
    made *at = kin__os_malloc(sizeof *at);
    if (at == NULL) {
        end(thing);
        return kin__fail(KIN_ENOMEM, "no memory to note what the manager owns");
    }
    pthread_mutex_lock(&m->mutex);
    *at = (made){ .next = m->made, .thing = thing, .ref = kin__block_ref(thing), .free = end };
    m->made = at;
    pthread_mutex_unlock(&m->mutex);
    return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* With the lock held. */
static name *find(const kin_manager *m, const char *text)
{
    name *at = m->names;
    while (at != NULL && strcmp(at->text, text) != 0) {
        at = at->next;
    }
    return at;
}

bool kin__manager_name(kin_manager *m, const char *text, kin_obj *ret)
{
    pthread_mutex_lock(&m->mutex);
    const name *at = find(m, text);
    if (at != NULL) {
        *ret = kin_retain(at->object);
    }
    pthread_mutex_unlock(&m->mutex);
    return at != NULL;
}

static int check_name(const kin_manager *m, const char *text, kin_obj object)
{
    int rv = kin__manager_check(m, text, verb_register);
    rv = rv < 0 ? rv : kin__obj_check(object, verb_register);
    if (rv < 0) {
        return rv;
    }
    if (m->link != NULL) {
        return kin__fail(KIN_EUNSUPPORTED, "%s: the manager is elsewhere", verb_register);
    }
    void *thing = NULL;
    if (kin_type_of(object) == KIN_TYPE_SHARED) {
        rv = kin_to_shared(object, &thing);
        return rv < 0 || kin__kind_of((int)kin__block_type(thing)) != NULL
                   ? rv
                   : kin__fail(KIN_EUNSUPPORTED, "%s: \"%s\" is nothing that can be served",
                               verb_register, text);
    }
    return kin_type_of(object) == KIN_TYPE_FUNC
               ? 0
               : kin__fail(KIN_ETYPE, "%s: \"%s\" is no shared thing and no function",
                           verb_register, text);
}

static int enter(kin_manager *m, const char *text, kin_obj object)
{
    size_t size = strlen(text) + 1;
    name *fresh = kin__os_malloc(sizeof *fresh + size);
    if (fresh == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for a name", verb_register);
    }
    memcpy(fresh->text, text, size);
    pthread_mutex_lock(&m->mutex);
    bool is_new = find(m, text) == NULL;
    if (is_new) {
        fresh->object = kin_retain(object);
        fresh->next = m->names;
        m->names = fresh;
    }
    pthread_mutex_unlock(&m->mutex);
    if (!is_new) {
        kin__os_free(fresh);
        return kin__fail(KIN_EEXIST, "%s: there is a \"%s\" already", verb_register, text);
    }
    return 0;
}

int kin_manager_register(kin_manager *m, const char *text, kin_obj object)
{
    int rv = check_name(m, text, object);
    rv = rv < 0 ? rv : enter(m, text, object);
    kin__obj_drop(object);
    return rv;
}

/* ---- serving: its beginning and its end ----------------------------------------------------- */

static int check_serve(const kin_manager *m, const char *address, const kin_serve_options *o)
{
    static const char verb[] = "kin_manager_serve";
    int rv = kin__manager_check(m, address, verb);
    if (rv < 0) {
        return rv;
    }
    if (m->link != NULL) {
        return kin__fail(KIN_EUNSUPPORTED, "%s: the manager is elsewhere", verb);
    }
    if (o == NULL || o->authkey == NULL || o->authkey_size == 0) {
        return kin__fail(KIN_EINVAL, "%s: a manager needs a key", verb);
    }
    return kin__any_set(o->reserved)
               ? kin__fail(KIN_EINVAL, "%s: a reserved option is not zero", verb)
               : 0;
}

int kin_manager_serve(kin_manager *m, const char *address, const kin_serve_options *options)
{
    int rv = check_serve(m, address, options);
    if (rv < 0) {
        return rv;
    }
    pthread_mutex_lock(&m->mutex);
    bool serves = m->server != NULL;
    kin__server *fresh = NULL;
    rv = serves ? kin__fail(KIN_ESTATE, "kin_manager_serve: it serves already")
                : kin__server_new(&fresh, m, address, options);
    if (rv == 0) {
        m->server = fresh;
        (void)kin_event_clear(m->ended);
    }
    pthread_mutex_unlock(&m->mutex);
    return rv;
}

const char *kin_manager_address(const kin_manager *m)
{
    int rv = kin__manager_check(m, "", "kin_manager_address");
    return rv < 0 || m->server == NULL ? "" : kin__server_address(m->server);
}

int kin_manager_join(kin_manager *m, double timeout)
{
    int rv = kin__manager_check(m, "", "kin_manager_join");
    rv = rv == 0 && m->link != NULL
             ? kin__fail(KIN_EUNSUPPORTED, "kin_manager_join: the manager is elsewhere")
             : rv;
    rv = rv < 0 ? rv : kin_event_wait(m->ended, timeout);
    return rv < 0 ? rv : 0;
}

int kin_manager_stop(kin_manager *m)
{
    int rv = kin__manager_check(m, "", "kin_manager_stop");
    if (rv < 0 || m->link != NULL) {
        return rv < 0 ? rv
                      : kin__fail(KIN_EUNSUPPORTED, "kin_manager_stop: the manager is elsewhere");
    }
    pthread_mutex_lock(&m->mutex);
    kin__server *server = m->server;
    m->server = NULL;
    pthread_mutex_unlock(&m->mutex);
    return end_serving(m, server); /* without the lock: its threads may want a name */
}

/* ---- questions ------------------------------------------------------------------------------- */

int kin_manager_stats(kin_manager *m, kin_manager_info *ret_info)
{
    int rv = kin__manager_check(m, ret_info, "kin_manager_stats");
    if (rv < 0) {
        return rv;
    }
    *ret_info = (kin_manager_info){ 0 };
    pthread_mutex_lock(&m->mutex);
    if (m->server != NULL) {
        kin__server_stats(m->server, ret_info);
    }
    pthread_mutex_unlock(&m->mutex);
    return 0;
}

int64_t kin_manager_number_of_objects(kin_manager *m)
{
    int rv = kin__manager_check(m, "", "kin_manager_number_of_objects");
    if (rv < 0 || m->link != NULL) {
        return rv < 0 ? rv : kin__far_count(m->link);
    }
    pthread_mutex_lock(&m->mutex);
    int64_t n = m->server != NULL ? (int64_t)kin__server_referenced(m->server) : 0;
    pthread_mutex_unlock(&m->mutex);
    return n;
}
