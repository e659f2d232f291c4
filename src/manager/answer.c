/* answer.c - what clients are told: a tuple of a word and a payload, as a pickle in a frame. */
#include "server.h"

#include <string.h>

#define HEADER 4u

/* ---- exceptions ------------------------------------------------------------------------------ */

/* What has no namesake in every Python, or another one here than elsewhere. */
static kin_obj exception(int code, const char *text)
{
    const char *type = code == KIN_ERANGE    ? "IndexError"
                       : code == KIN_ECLOSED ? "RuntimeError"
                                             : NULL;
    return type != NULL ? kin_exception(type, kin_args(kin_str(text)))
                        : kin_error(code, "%s", text);
}

kin_obj kin__exception_for(int code)
{
    return exception(code, kin_errmsg());
}

/* An error of ours; one of Python's stays what it is. */
static kin_obj as_exception(kin_obj error)
{
    bool is_own = kin_type_of(error) != KIN_TYPE_ERROR || kin_error_type(error)[0] == '\0';
    if (!is_own) {
        return error;
    }
    kin_obj made = exception(kin_error_code(error), kin_error_text(error));
    kin_release(error);
    return made;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* The reply is given. */
static int dump(kin_obj reply, char **ret_bytes, size_t *ret_size)
{
    void *bytes;
    int rv = kin__dumps(reply, NULL, HEADER, &bytes, ret_size);
    if (rv < 0) {
        return rv;
    }
    if (*ret_size - HEADER > INT32_MAX) {
        kin__os_free(bytes);
        return kin__fail(KIN_ERANGE, "an answer of %zu bytes", *ret_size);
    }
    (void)kin__framing_put((char *)bytes + HEADER, *ret_size - HEADER);
    *ret_bytes = bytes;
    return 0;
}

/* With proxies for the things in it, if there are any. The reply is given. */
static int dump_with_things(kin__client *client, kin_obj reply, char **ret_bytes, size_t *ret_size)
{
    int rv = dump(kin_retain(reply), ret_bytes, ret_size);
    if (rv == KIN_EUNSUPPORTED) {
        kin_obj named;
        rv = kin__nested_name(client, reply, &named);
        rv = rv < 0 ? rv : dump(named, ret_bytes, ret_size);
    }
    kin_release(reply);
    return rv;
}

void kin__answer(kin__client *client, const char *kind, kin_obj payload)
{
    char *bytes;
    size_t size;
    payload = strcmp(kind, "#ERROR") == 0 ? as_exception(payload) : payload;
    int rv = dump_with_things(client, kin_tuple(kin_str(kind), payload), &bytes, &size);
    if (rv < 0) {
        rv = dump(kin_tuple(kin_str("#UNSERIALIZABLE"), kin_str(kin_errmsg())), &bytes, &size);
    }
    if (rv < 0) { /* there is no memory: he is told by the end of the connection */
        kin__client_drop(client);
        return;
    }
    kin__client_send(client, bytes, size);
}

void kin__answer_trouble(kin__client *client, const char *type, const char *text)
{
    kin__answer(client, "#TRACEBACK", kin_strf("%s: %s\n", type, text));
}

void kin__answer_failure(kin__client *client)
{
    kin__answer_trouble(client, kin_errname(kin__failure()), kin_errmsg());
}

/* ---- objects --------------------------------------------------------------------------------- */

/* A first reference, which is his. */
static bool refer(kin__client *client, kin__object *object)
{
    if (kin__holder_ref(client->holder, &client->server->objects, object) == 0) {
        return true;
    }
    kin__object_unpin(&client->server->objects, object);
    kin__answer_failure(client);
    return false;
}

void kin__answer_object(kin__client *client, kin__object *object)
{
    char ident[KIN__IDENT];
    object->pins++;
    if (refer(client, object)) {
        object->pins--;
        kin__object_ident(object, ident);
        kin__answer(client, "#RETURN", kin_tuple(kin_str(ident), kin__kind_names(object->kind)));
    }
}

void kin__answer_proxy(kin__client *client, kin__object *object)
{
    object->pins++;
    if (refer(client, object)) {
        object->pins--;
        kin__answer(client, "#PROXY",
                    kin_tuple(kin__kind_names(object->kind), kin__nested_token(client, object)));
    }
}
