/* kinds.h - methods of served things, called as the server calls them, without one. */
#ifndef KIN_TEST_MANAGER_KINDS_H
#define KIN_TEST_MANAGER_KINDS_H

#include "harness.h"
#include "manager/room.h"

#define UNUSED __attribute__((unused))

typedef struct served {
    const kin__kind *kind;
    void *thing;
    bool may_wait;
} served;

/* `args` and `names` are given. */
UNUSED static served make_with(const char *type_id, kin_obj args, kin_obj names)
{
    served s = { .kind = kin__kind_named(type_id) };
    CHECK_NOT_NULL(s.kind);
    CHECK_OK(kin__takes_check(&s.kind->takes, type_id, args, names));
    CHECK_OK(s.kind->make(args, names, &s.thing));
    kin_release(args);
    kin_release(names);
    return s;
}

UNUSED static served make(const char *type_id, kin_obj args)
{
    return make_with(type_id, args, kin_dict());
}

UNUSED static int cannot_make(const char *type_id, kin_obj args)
{
    void *thing = NULL;
    int rv = kin__kind_named(type_id)->make(args, kin_none(), &thing);
    CHECK_NULL(thing);
    kin_release(args);
    return rv;
}

UNUSED static void end(served s)
{
    s.kind->free(s.thing);
}

UNUSED static void write_object(char *text, size_t room, kin_obj o)
{
    char *repr = kin_repr(o);
    (void)snprintf(text, room, "%s", repr);
    free(repr);
}

UNUSED static int call(const served *s, const char *method, kin__asked *asked, kin_obj *ret)
{
    const kin__method *m = kin__kind_method(s->kind, method);
    CHECK_(m != NULL, "there is no %s", method);
    asked->thing = s->thing;
    asked->may_wait = s->may_wait;
    asked->began = kin__os_now();
    int rv = kin__takes_check(&m->takes, method, asked->args, asked->names);
    return rv < 0 ? rv : m->call(asked, ret);
}

/* All that an iterator brings, which is freed: "a, b;" */
UNUSED static void write_all(char *text, size_t room, kin__asked *made)
{
    const served it = { .kind = made->new_kind, .thing = made->new_thing };
    size_t n = 0;
    for (;;) {
        kin__asked asked = { 0 };
        kin_obj o;
        CHECK_OK(call(&it, "__next__", &asked, &o));
        if (kin_is_error(o)) {
            CHECK_STR(kin_error_type(o), "StopIteration");
            kin_release(o);
            break;
        }
        write_object(text + n, room - n, o);
        n = strlen(text);
        n += (size_t)snprintf(text + n, room - n, ", ");
        kin_release(o);
    }
    (void)snprintf(text + n, room - n, ";");
    end(it);
}

/* What a method answers, until it is asked again: as Python writes it; an exception as
 * "KeyError: a"; a code by its name; "waits"; what an iterator brings. */
UNUSED static const char *said_with(served s, const char *method, kin_obj args, kin_obj names)
{
    static char text[1000];
    kin__asked asked = { .args = args, .names = names };
    kin_obj o = kin_none();
    int rv = call(&s, method, &asked, &o);
    if (rv < 0) {
        CHECK(kin_errmsg()[0] != '\0');
        (void)snprintf(text, sizeof text, "%s", kin_errname(rv));
    } else if (asked.waits) {
        (void)snprintf(text, sizeof text, "waits");
    } else if (asked.new_thing != NULL) {
        write_all(text, sizeof text, &asked);
    } else if (kin_is_error(o)) {
        (void)snprintf(text, sizeof text, "%s: %s", kin_error_type(o), kin_error_text(o));
    } else {
        write_object(text, sizeof text, o);
    }
    if (rv >= 0) {
        kin_release(o);
    }
    kin_release(args);
    kin_release(names);
    return text;
}

UNUSED static const char *said(served s, const char *method, kin_obj args)
{
    return said_with(s, method, args, kin_dict());
}

#endif
