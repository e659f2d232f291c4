/* objects.c - what clients can name: things that were registered or made for them, things that came
 * out of others, plain values. An ident is one number for good, and no other manager's: half of it
 * is random. So a proxy that comes back is known by its ident alone, whatever address its client
 * reaches us by. */
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 100000u

static size_t row_of(uint64_t number)
{
    return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 54) % KIN__OBJECT_ROWS;
}

void kin__objects_begin(kin__objects *objects)
{
    uint32_t random = 0;
    *objects = (kin__objects){ 0 };
    (void)kin__os_random(&random, sizeof random);
    objects->next = ((uint64_t)random | 1u) << 32;
}

/* ---- idents ---------------------------------------------------------------------------------- */

void kin__object_ident(const kin__object *o, char ident[KIN__IDENT])
{
    (void)snprintf(ident, KIN__IDENT, "%llx", (unsigned long long)o->number);
}

kin__object *kin__objects_find(kin__objects *objects, const char *ident)
{
    char *end;
    uint64_t number = strtoull(ident, &end, 16);
    kin__object *o = *end == '\0' ? objects->by_number[row_of(number)] : NULL;
    while (o != NULL && o->number != number) {
        o = o->next;
    }
    return o;
}

/* ---- new ones -------------------------------------------------------------------------------- */

static bool is_shared(const kin__object *o)
{
    return kin_type_of(o->held) == KIN_TYPE_SHARED;
}

/* What a shared thing's object is: its ref. */
static uint64_t ref_of(kin_obj shared)
{
    return (uint64_t)shared.as.i;
}

static void unlink_from(kin__object **at, const kin__object *o, bool by_thing)
{
    while (*at != NULL && *at != o) {
        at = by_thing ? &(*at)->next_thing : &(*at)->next;
    }
    *at = *at == o ? (by_thing ? o->next_thing : o->next) : *at;
}

static void forget(kin__objects *objects, kin__object *o)
{
    unlink_from(&objects->by_number[row_of(o->number)], o, false);
    if (is_shared(o)) {
        unlink_from(&objects->by_thing[row_of(ref_of(o->held))], o, true);
    }
    atomic_fetch_sub(&objects->count, 1);
    void *thing = o->thing;
    if (o->owned && is_shared(o)) {
        thing = kin_as_shared(o->held); /* NULL: somebody has freed it */
    }
    if (thing != NULL) {
        o->kind->free(thing);
    }
    kin_release(o->held);
    kin__os_free(o);
}

static bool is_over(const kin__object *o)
{
    if (o->refs > 0 || o->pins > 0) {
        return false;
    }
    return !o->permanent || (is_shared(o) && kin_to_shared(o->held, NULL) < 0);
}

/* Those of things that were freed. */
static void tidy(kin__objects *objects)
{
    for (size_t i = 0; i < KIN__OBJECT_ROWS; i++) {
        for (kin__object *o = objects->by_number[i], *next; o != NULL; o = next) {
            next = o->next;
            if (is_over(o)) {
                forget(objects, o);
            }
        }
    }
}

static kin__object *enter(kin__objects *objects, const kin__object *like)
{
    if (atomic_load(&objects->count) >= MOST) {
        tidy(objects);
    }
    kin__object *o = atomic_load(&objects->count) < MOST ? kin__os_malloc(sizeof *o) : NULL;
    if (o == NULL) {
        (void)kin__fail(KIN_ENOMEM, "no memory for one more object of the manager's");
        return NULL;
    }
    *o = *like;
    o->number = ++objects->next;
    kin__object **row = &objects->by_number[row_of(o->number)];
    o->next = *row;
    *row = o;
    if (is_shared(o)) {
        row = &objects->by_thing[row_of(ref_of(o->held))];
        o->next_thing = *row;
        *row = o;
    }
    atomic_fetch_add(&objects->count, 1);
    return o;
}

kin__object *kin__objects_of(kin__objects *objects, kin_obj shared)
{
    void *thing;
    kin__object *o = objects->by_thing[row_of(ref_of(shared))];
    while (o != NULL && ref_of(o->held) != ref_of(shared)) {
        o = o->next_thing;
    }
    if (o != NULL || kin_to_shared(shared, &thing) < 0) {
        return o;
    }
    const kin__kind *kind = kin__kind_of((int)kin__block_type(thing));
    if (kind == NULL) {
        (void)kin__fail(KIN_EUNSUPPORTED, "a shared thing of a kind that cannot be served");
        return NULL;
    }
    return enter(objects,
                 &(kin__object){ .kind = kind, .held = kin_retain(shared), .permanent = true });
}

kin__object *kin__objects_add(kin__objects *objects, const kin__kind *kind, void *thing)
{
    kin__object like = { .kind = kind, .held = kin_none(), .owned = true };
    if (kind->kind == 0) {
        like.thing = thing;
    } else {
        like.held = kin_shared(thing);
    }
    kin__object *o = kin_type_of(like.held) != KIN_TYPE_INVALID ? enter(objects, &like) : NULL;
    if (o == NULL) {
        kind->free(thing);
    }
    return o;
}

/* ---- plain values ---------------------------------------------------------------------------- */

static int value_of(kin__asked *asked, kin_obj *ret)
{
    *ret = kin_retain(*(kin_obj *)asked->thing);
    return 0;
}

static int repr_of(kin__asked *asked, kin_obj *ret)
{
    char *text = kin_repr(*(kin_obj *)asked->thing);
    *ret = text != NULL ? kin_str(text) : kin__obj_invalid(KIN_ENOMEM);
    kin__os_free(text);
    return text != NULL ? 0 : kin__fail(KIN_ENOMEM, "no memory for a text");
}

static const kin__method methods_of_values[] = {
    { .name = "#GETVALUE", .call = value_of, .hidden = true },
    { .name = "__repr__", .call = repr_of, .hidden = true },
    { .name = "__str__", .call = repr_of, .hidden = true },
    { .name = NULL },
};

static const kin__kind values = { .type_id = "value",
                                  .class_name = "AutoProxy",
                                  .methods = methods_of_values };

kin__object *kin__objects_add_value(kin__objects *objects, kin_obj value)
{
    kin__object *o = enter(objects, &(kin__object){ .kind = &values, .held = value });
    if (o == NULL) {
        kin_release(value);
    }
    return o;
}

/* ---- methods --------------------------------------------------------------------------------- */

/* What each thing says of itself: its value where it has one that can be sent, else what it is. */
static int describe(kin__asked *asked, kin_obj *ret)
{
    const kin__kind *kind = kin__kind_of((int)kin__block_type(asked->thing));
    const kin__method *copy = kind != NULL ? kin__kind_method(kind, "#GETVALUE") : NULL;
    kin_obj value;
    int rv = copy != NULL ? copy->call(asked, &value) : 0;
    if (rv < 0) {
        return rv;
    }
    char *text = copy != NULL ? kin_repr(value) : NULL;
    *ret = text != NULL ? kin_str(text)
                        : kin_strf("<%s object>", kind != NULL ? kind->type_id : "private");
    if (copy != NULL) {
        kin_release(value);
    }
    kin__os_free(text);
    return 0;
}

const kin__method *kin__object_method(const kin__object *o, const char *name)
{
    static const kin__method description = { .name = "__repr__", .call = describe };
    const kin__method *method = kin__kind_method(o->kind, name);
    bool asks_what = strcmp(name, "__repr__") == 0 || strcmp(name, "__str__") == 0;
    return method == NULL && asks_what ? &description : method;
}

/* ---- references ------------------------------------------------------------------------------ */

static void drop_if_over(kin__objects *objects, kin__object *o)
{
    if (is_over(o)) {
        forget(objects, o);
    }
}

void kin__object_ref(kin__objects *objects, kin__object *o)
{
    if (o->refs++ == 0) {
        atomic_fetch_add(&objects->referenced, 1);
    }
}

void kin__object_unref(kin__objects *objects, kin__object *o, uint64_t n)
{
    o->refs -= n;
    if (o->refs == 0) {
        atomic_fetch_sub(&objects->referenced, 1);
        drop_if_over(objects, o);
    }
}

void kin__object_unpin(kin__objects *objects, kin__object *o)
{
    o->pins--;
    drop_if_over(objects, o);
}

void kin__objects_end(kin__objects *objects)
{
    for (size_t i = 0; i < KIN__OBJECT_ROWS; i++) {
        while (objects->by_number[i] != NULL) {
            forget(objects, objects->by_number[i]);
        }
    }
}

/* ---- questions ------------------------------------------------------------------------------- */

void *kin__object_thing(kin__object *o)
{
    if (is_shared(o)) {
        return kin_as_shared(o->held);
    }
    return o->thing != NULL ? o->thing : &o->held;
}

void kin__objects_each(kin__objects *objects, void (*visit)(kin__object *o, void *ctx), void *ctx)
{
    for (size_t i = 0; i < KIN__OBJECT_ROWS; i++) {
        for (kin__object *o = objects->by_number[i], *next; o != NULL; o = next) {
            next = o->next;
            visit(o, ctx);
        }
    }
}
