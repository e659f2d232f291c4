/* nested.c - things within what is sent: a proxy of ours that a client sends becomes the thing
 * itself, before a method sees it; a thing in what a method says becomes a proxy. */
#include "server.h"

#include <string.h>

kin_obj kin__tuple_from(kin_obj row, size_t from)
{
    size_t n = kin_len(row) > from ? kin_len(row) - from : 0;
    kin_obj *items = kin__os_malloc(n * sizeof *items);
    for (size_t i = 0; i < n && items != NULL; i++) {
        items[i] = kin_at(row, from + i);
    }
    kin_obj tuple = items != NULL ? kin_tuple_n(items, n) : kin__obj_invalid(KIN_ENOMEM);
    kin__os_free(items);
    return tuple;
}

/* ---- what arrives ---------------------------------------------------------------------------- */

/* Whoever keeps it now is not counted, so the thing stays from now on. */
static int resolve(kin_obj o, void *ctx, kin_obj *ret)
{
    kin__client *client = ctx;
    bool is_proxy = kin_is_token(o) && kin_len(o) == 5;
    kin__object *object =
        is_proxy ? kin__objects_find(&client->server->objects, kin_as_str(kin_at(o, 2))) : NULL;
    if (object == NULL || object->thing != NULL) {
        return 0;
    }
    object->permanent = true;
    *ret = kin_retain(object->held);
    return 1;
}

int kin__nested_resolve(kin__client *client, kin_obj o, kin_obj *ret)
{
    return kin__map_things(o, resolve, client, ret);
}

/* ---- what leaves ----------------------------------------------------------------------------- */

kin_obj kin__nested_token(kin__client *client, const kin__object *object)
{
    char ident[KIN__IDENT];
    kin__object_ident(object, ident);
    return kin_token(object->kind->type_id, kin_retain(client->address), ident);
}

static int name(kin_obj o, void *ctx, kin_obj *ret)
{
    kin__client *client = ctx;
    if (kin_type_of(o) != KIN_TYPE_SHARED) {
        return 0;
    }
    kin__object *object = kin__objects_of(&client->server->objects, o);
    if (object == NULL) {
        return kin__failure();
    }
    bool generic = strcmp(object->kind->class_name, "AutoProxy") == 0;
    kin_obj proxy = kin_proxy(kin__nested_token(client, object), object->kind->class_name,
                              generic ? kin__kind_names(object->kind) : kin_none());
    if (kin_type_of(proxy) == KIN_TYPE_INVALID) {
        return kin__failure();
    }
    *ret = proxy;
    return 1;
}

int kin__nested_name(kin__client *client, kin_obj o, kin_obj *ret)
{
    return kin__map_things(o, name, client, ret);
}
