/* control.c - the calls of the manager itself: one on each connection, which ends with the answer.
 * Only accept_connection keeps it: calls of methods follow.
 *
 * A client of ours says so in its name there ("kin:..."), and is told that it talks to one of ours:
 * then these calls may come between its calls of methods, and there is one more, call, which
 * answers with what a function has returned, where create makes a thing of it. So what is asked
 * for costs one round trip, and not three connections. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer_none(kin__client *client)
{
    kin__answer(client, "#RETURN", kin_none());
}

static void dummy(kin__client *client, kin_obj request)
{
    (void)request;
    answer_none(client);
}

static kin_obj first_of(kin_obj request)
{
    return kin_at(kin_at(request, 2), 0);
}

static void accept_connection(kin__client *client, kin_obj request)
{
    const char *name = "";
    kin_obj given = first_of(request);
    if (kin_type_of(given) == KIN_TYPE_STR) {
        name = kin_as_str(given);
    }
    client->named = true;
    client->ending = false;
    client->is_kin = strncmp(name, "kin:", 4) == 0;
    kin__answer(client, "#RETURN", client->is_kin ? kin_str("kin") : kin_none());
}

/* ---- new objects ----------------------------------------------------------------------------- */

static void no_such_name(kin__client *client, const char *name)
{
    kin_obj text = kin_strf("'%.100s'", name);
    kin__answer_trouble(client, "KeyError", kin_as_str(text));
    kin_release(text);
}

static void create_registered(kin__client *client, kin_obj request, kin_obj registered)
{
    kin_fn function = NULL;
    if (kin_type_of(registered) == KIN_TYPE_FUNC) {
        (void)kin_to_func(registered, &function);
        kin__call_maker(client, NULL, function, kin_retain(request));
        return;
    }
    kin__object *object = kin__objects_of(&client->server->objects, registered);
    if (object == NULL) {
        kin__answer_failure(client);
    } else if (kin__is_call(request)) {
        kin__answer_proxy(client, object);
    } else {
        kin__answer_object(client, object);
    }
}

/* A name that was registered goes before a default type. */
static void create(kin__client *client, kin_obj request)
{
    const char *name = "";
    kin_obj registered;
    (void)kin_to_str(first_of(request), &name);
    if (kin__manager_name(client->server->manager, name, &registered)) {
        create_registered(client, request, registered);
        kin_release(registered);
        return;
    }
    const kin__kind *kind = client->server->allow_create ? kin__kind_named(name) : NULL;
    if (kind != NULL && kind->make != NULL) {
        kin__call_maker(client, kind, NULL, kin_retain(request));
    } else {
        no_such_name(client, name);
    }
}

/* ---- references ------------------------------------------------------------------------------ */

static void incref(kin__client *client, kin_obj request)
{
    kin__object *object;
    if (!kin__is_ident_known(client, first_of(request), &object)) {
        return;
    }
    if (kin__holder_ref(client->holder, &client->server->objects, object) < 0) {
        kin__answer_failure(client);
    } else {
        answer_none(client);
    }
}

static void decref(kin__client *client, kin_obj request)
{
    kin__object *object;
    if (!kin__is_ident_known(client, first_of(request), &object)) {
        return;
    }
    if (kin__holder_unref(client->holder, &client->server->objects, object)) {
        answer_none(client);
    } else {
        kin__answer_trouble(client, "AssertionError", "this program has no reference to it");
    }
}

/* ---- questions ------------------------------------------------------------------------------- */

static void get_methods(kin__client *client, kin_obj request)
{
    kin_obj token = first_of(request);
    kin__object *object;
    kin_obj ident = kin_is_token(token) ? kin_at(token, 2) : kin_none();
    if (kin__is_ident_known(client, ident, &object)) {
        kin__answer(client, "#RETURN", kin__kind_names(object->kind));
    }
}

static void number_of_objects(kin__client *client, kin_obj request)
{
    (void)request;
    kin__answer(client, "#RETURN", kin_int((int64_t)kin__server_referenced(client->server)));
}

typedef struct rows {
    const kin__object **at;
    size_t n, room;
} rows;

static void note(kin__object *object, void *ctx)
{
    rows *r = ctx;
    if (object->refs > 0 && r->n < r->room) {
        r->at[r->n++] = object;
    }
}

/* Idents sorted as text, as Python has them: all of ours are of one length. */
static int by_ident(const void *a, const void *b)
{
    uint64_t x = (*(const kin__object *const *)a)->number;
    uint64_t y = (*(const kin__object *const *)b)->number;
    return (x > y) - (x < y);
}

#define LINE 200 /* what an object takes, at most */

static kin_obj tell_of(const rows *r)
{
    char *text = kin__os_malloc(r->n * LINE + 1);
    size_t n = 0;
    for (size_t i = 0; i < r->n && text != NULL; i++) {
        char ident[KIN__IDENT];
        kin__object_ident(r->at[i], ident);
        int size = snprintf(text + n, LINE, "%s  %s:       refcount=%llu\n    <%s object>",
                            i > 0 ? "\n" : "", ident, (unsigned long long)r->at[i]->refs,
                            r->at[i]->kind->type_id);
        n += size < LINE ? (size_t)size : LINE - 1;
    }
    kin_obj told = text != NULL ? kin_strn(text, n) : kin__obj_invalid(KIN_ENOMEM);
    kin__os_free(text);
    return told;
}

static void debug_info(kin__client *client, kin_obj request)
{
    (void)request;
    rows r = { .room = kin__server_referenced(client->server) };
    r.at = kin__os_malloc((r.room + 1) * sizeof *r.at);
    if (r.at == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for a list of objects");
        kin__answer_failure(client);
        return;
    }
    kin__objects_each(&client->server->objects, note, &r);
    qsort(r.at, r.n, sizeof *r.at, by_ident);
    kin__answer(client, "#RETURN", tell_of(&r));
    kin__os_free(r.at);
}

/* Python's servers say it twice, and their clients read it once. */
static void shutdown(kin__client *client, kin_obj request)
{
    (void)request;
    answer_none(client);
    answer_none(client);
    (void)kin_event_set(client->server->manager->ended);
}

/* ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*answer)(kin__client *client, kin_obj request);
} controls[] = {
    { "dummy", dummy },
    { "create", create },
    { "call", create },
    { "incref", incref },
    { "decref", decref },
    { "accept_connection", accept_connection },
    { "get_methods", get_methods },
    { "number_of_objects", number_of_objects },
    { "debug_info", debug_info },
    { "shutdown", shutdown },
};

void kin__control(kin__client *client, kin_obj request)
{
    const char *name = kin_as_str(kin_at(request, 1));
    size_t i = 0;
    while (i < sizeof controls / sizeof *controls && strcmp(controls[i].name, name) != 0) {
        i++;
    }
    client->ending = !client->named; /* with the answer */
    if (i < sizeof controls / sizeof *controls) {
        controls[i].answer(client, request);
    } else {
        atomic_fetch_add(&client->server->refused, 1);
        kin_obj text = kin_strf("'Server' object has no attribute '%.60s'", name);
        kin__answer_trouble(client, "AttributeError", kin_as_str(text));
        kin_release(text);
    }
    kin_release(request);
}
