/* call.c - one call of a client: at once where it need not wait, else by a thread of the crew.
 *
 * Rules.
 *   R1  Whoever runs a call acts as the client's guest, and has in hand what that one has yet to
 *       acknowledge. The client has one call at a time, so nobody else does.
 *   R2  When its client is gone, or serving ends, the thread at a call is interrupted, and no other
 *       (kin__os_interrupt_by): so its wait ends. A function of the user's gets KIN_EINTR from its
 *       next wait, once, and goes on as it likes. What comes of it is dropped. Until it is back the
 *       client counts, so that there are never more threads than max_clients.
 *   R3  An interruption is this process's, and none of its clients': their waits go on. (A function
 *       of the user's is the process's own, and is told of that, too.)
 */
#include "server.h"

#include <string.h>

#define MANY 4096 /* items: up to these a call of a whole thing is done at once */

static void act(kin__call *call)
{
    kin__client *client = call->client;
    kin_obj result = kin_none();
    int rv = 0;
    kin__act_as(client->guest);
    kin__hand_swap(&client->hand);
    kin__os_interrupt_by(&call->unwanted, call->function == NULL); /* R2, R3 */
    if (call->function != NULL) {
        result = call->function(call->args);
        rv = kin__obj_check(result, "what the function returned");
        rv = rv == 0 && kin_is_error(result) ? KIN__RAISED : rv;
    } else if (call->method != NULL) {
        call->asked.waits = false;
        rv = call->method(&call->asked, &result);
    } else {
        const kin__kind *kind = call->kind;
        rv = kin__takes_check(&kind->takes, kind->type_id, call->args, call->names);
        rv = rv < 0 ? rv : kind->make(call->args, call->names, &call->asked.new_thing);
        call->asked.new_kind = rv < 0 ? NULL : call->kind;
    }
    result = rv < 0 ? kin__exception_for(rv) : kin__obj_own(result);
    kin__os_interrupt_by(NULL, false);
    kin__hand_swap(&client->hand);
    kin__act_as(KIN__NOBODY);
    call->result = result;
    call->raised = rv < 0 || rv == KIN__RAISED;
}

static void run(kin__job *job)
{
    kin__call *call = (kin__call *)(void *)job; /* it begins with one */
    call->asked.may_wait = true;
    act(call);
    kin__server_hand_in(call->client->server, job);
}

void kin__call_cut(kin__call *call)
{
    kin__os_interrupt_at(&call->unwanted);
}

static void hand_out(kin__call *call)
{
    kin__server *server = call->client->server;
    call->job.run = run;
    atomic_fetch_add(&server->waiting, 1);
    if (kin__crew_do(&server->crew, &call->job) < 0) {
        call->asked.waits = false;
        call->result = kin__exception_for(KIN_EAGAIN);
        call->raised = true;
        atomic_fetch_sub(&server->waiting, 1);
        kin__call_done(call);
    }
}

/* ---- the beginning --------------------------------------------------------------------------- */

static kin__call *begin(kin__client *client, kin_obj request)
{
    kin__call *call = kin__client_is_guest(client) ? kin__os_calloc(1, sizeof *call) : NULL;
    if (call == NULL) {
        kin_release(request);
        kin__answer_failure(client);
        return NULL;
    }
    call->client = client;
    call->request = request;
    call->names = kin_at(request, 3);
    client->call = call;
    return call;
}

/* Others are not to wait while all items of a large thing are looked at. */
static bool takes_long(const kin__object *object, const kin__method *method, void *thing,
                       kin_obj args)
{
    bool whole = method->whole || (kin_len(args) > 0 && kin_is_slice(kin_at(args, 0)));
    return method->waits ||
           (whole && object->kind->count != NULL && object->kind->count(thing) > MANY);
}

void kin__call_method(kin__client *client, kin__object *object, const kin__method *method,
                      kin_obj request)
{
    void *thing = kin__object_thing(object);
    int rv = thing == NULL ? KIN_EFREED
                           : kin__takes_check(&method->takes, method->name, kin_at(request, 2),
                                              kin_at(request, 3));
    if (rv < 0) {
        kin__answer(client, "#ERROR", kin__exception_for(rv));
        kin_release(request);
        return;
    }
    kin__call *call = begin(client, request);
    if (call == NULL) {
        return;
    }
    call->method = method->call;
    call->undo = method->undo;
    call->object = object;
    object->pins++;
    call->asked = (kin__asked){ .thing = thing,
                                .args = kin_at(request, 2),
                                .names = call->names,
                                .began = kin__os_now(),
                                .manager = client->server->manager };
    call->asked.waits = takes_long(object, method, thing, call->asked.args);
    if (!call->asked.waits) {
        act(call);
    }
    if (call->asked.waits) {
        kin_release(call->result);
        hand_out(call);
    } else {
        kin__call_done(call);
    }
}

void kin__call_maker(kin__client *client, const kin__kind *kind, kin_fn function, kin_obj request)
{
    kin__call *call = begin(client, request);
    if (call == NULL) {
        return;
    }
    call->kind = kind;
    call->function = function;
    call->args = kin__tuple_from(kin_at(request, 2), 1); /* after the name */
    if (function != NULL) {
        call->args = kin_args_kw(call->args, kin_retain(call->names));
    }
    if (kin_type_of(call->args) == KIN_TYPE_INVALID) {
        call->result = kin__exception_for(KIN_ENOMEM);
        call->raised = true;
        call->kind = NULL;
        kin__call_done(call);
        return;
    }
    hand_out(call);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void answer_new(kin__call *call)
{
    kin__client *client = call->client;
    kin__objects *objects = &client->server->objects;
    kin__object *object = NULL;
    if (call->asked.new_kind != NULL) {
        object = kin__objects_add(objects, call->asked.new_kind, call->asked.new_thing);
    } else if (kin_type_of(call->result) == KIN_TYPE_SHARED) {
        object = kin__objects_of(objects, call->result);
    } else {
        object = kin__objects_add_value(objects, kin_retain(call->result));
    }
    call->asked.new_kind = NULL;
    if (object == NULL) {
        kin__answer(client, "#ERROR", kin__exception_for(kin__failure()));
    } else if (call->method != NULL || kin__is_call(call->request)) {
        kin__answer_proxy(client, object);
    } else {
        kin__answer_object(client, object);
    }
}

bool kin__is_call(kin_obj request)
{
    return strcmp(kin_as_str(kin_at(request, 1)), "call") == 0;
}

static void answer(kin__call *call)
{
    bool by_value = call->method == NULL && kin__is_call(call->request);
    if (call->raised) {
        kin__answer(call->client, "#ERROR", kin_retain(call->result));
    } else if (by_value && call->asked.new_kind == NULL &&
               kin_type_of(call->result) != KIN_TYPE_SHARED) {
        kin__answer(call->client, "#RETURN", kin_retain(call->result));
    } else if (call->method == NULL || call->asked.new_kind != NULL) {
        answer_new(call);
    } else {
        kin__answer(call->client, "#RETURN", kin_retain(call->result));
    }
}

void kin__call_done(kin__call *call)
{
    kin__client *client = call->client;
    if (!client->dead) {
        answer(call);
    } else if (call->undo != NULL && !call->raised && !call->asked.waits) {
        call->undo(&call->asked, call->result);
    }
    client->call = NULL;
    kin__call_free(call);
}

void kin__call_free(kin__call *call)
{
    if (call->asked.new_kind != NULL) { /* for whom nobody is there any more */
        call->asked.new_kind->free(call->asked.new_thing);
    }
    if (call->object != NULL) {
        kin__object_unpin(&call->client->server->objects, call->object);
    }
    if (call->method == NULL) {
        kin_release(call->args);
    }
    kin_release(call->result);
    kin_release(call->request);
    kin__os_free(call);
}
