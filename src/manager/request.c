/* request.c - what a client has sent: a tuple of ident, method, args and kwds, as a pickle. Nothing
 * in it is trusted; what is wrong with it he is told in a #TRACEBACK. */
#include "server.h"

#include <string.h>

#define EACH 100u /* of memory, for a byte received; as kin_loads has it */
#define LEAST 65536u

/* Within what the buffers of all leave; but small ones always. */
static int load(kin__client *client, const void *bytes, size_t size, kin_obj *ret)
{
    size_t left = client->server->max_memory - client->server->memory;
    size_t most = left > LEAST ? left : LEAST;
    size_t usual = size < most / EACH ? size * EACH + LEAST : most;
    return kin_loads_with(
        bytes, size, KIN_OPT(kin_loads_options, .max_memory = usual < most ? usual : most), ret);
}

/* Whether there may be a proxy in it: so it names this. */
static bool names_proxies(const char *bytes, size_t size)
{
    static const char word[] = "RebuildProxy";
    const char *at = bytes;
    const char *end = bytes + size;
    while ((size_t)(end - at) >= sizeof word - 1) {
        at = memchr(at, word[0], (size_t)(end - at) - (sizeof word - 2));
        if (at == NULL) {
            return false;
        }
        if (memcmp(at, word, sizeof word - 1) == 0) {
            return true;
        }
        at++;
    }
    return false;
}

static bool is_row(kin_obj o)
{
    return kin_type_of(o) == KIN_TYPE_TUPLE || kin_type_of(o) == KIN_TYPE_LIST;
}

static bool are_names(kin_obj o)
{
    kin_obj key;
    size_t pos = 0;
    while (kin_next_item(o, &pos, &key, NULL)) {
        if (kin_type_of(key) != KIN_TYPE_STR) {
            return false;
        }
    }
    return kin_type_of(o) == KIN_TYPE_DICT;
}

static bool is_request(kin_obj o)
{
    return is_row(o) && kin_len(o) == 4 && kin_type_of(kin_at(o, 1)) == KIN_TYPE_STR &&
           is_row(kin_at(o, 2)) && are_names(kin_at(o, 3));
}

bool kin__is_ident_known(kin__client *client, kin_obj ident, kin__object **ret)
{
    bool is_str = kin_type_of(ident) == KIN_TYPE_STR;
    kin__object *object =
        is_str ? kin__objects_find(&client->server->objects, kin_as_str(ident)) : NULL;
    if (object == NULL) {
        (void)kin__fail(KIN_ENOTFOUND, "'%.60s'", is_str ? kin_as_str(ident) : "");
        kin__answer_trouble(client, "KeyError", kin_errmsg());
        return false;
    }
    *ret = object;
    return true;
}

/* The request is given. */
static void call_method(kin__client *client, kin_obj request)
{
    kin__object *object;
    if (!kin__is_ident_known(client, kin_at(request, 0), &object)) {
        kin_release(request);
        return;
    }
    const char *name = kin_as_str(kin_at(request, 1));
    const kin__method *method = kin__object_method(object, name);
    if (method != NULL) {
        kin__call_method(client, object, method, request);
        return;
    }
    kin_obj text = kin_strf("method '%.60s' of '%s' object is not in its exposed methods", name,
                            object->kind->type_id);
    kin__answer_trouble(client, "AttributeError", kin_as_str(text));
    kin_release(text);
    kin_release(request);
}

static void refuse(kin__client *client, const char *type)
{
    atomic_fetch_add(&client->server->refused, 1);
    client->ending = client->ending || !client->named;
    kin__answer_trouble(client, type, kin_errmsg());
}

void kin__client_asks(kin__client *client, const void *bytes, size_t size)
{
    kin_obj request;
    atomic_fetch_add(&client->server->requests, 1);
    int rv = load(client, bytes, size, &request);
    if (rv == 0 && names_proxies(bytes, size)) {
        kin_obj sent = request;
        rv = kin__nested_resolve(client, sent, &request);
        kin_release(sent);
    }
    if (rv < 0) {
        refuse(client, "UnpicklingError");
        return;
    }
    if (!is_request(request)) {
        kin_release(request);
        (void)kin__fail(KIN_ETYPE, "a request is a tuple of ident, method, args and kwds");
        refuse(client, "TypeError");
    } else if (client->named && !(client->is_kin && kin_is_none(kin_at(request, 0)))) {
        call_method(client, request);
    } else {
        kin__control(client, request);
    }
}
