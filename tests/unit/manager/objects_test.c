/* What clients can name. */
#include "harness.h"
#include "manager/server.h"

static kin__objects objects;

TEST(a_thing_has_one_object_and_an_ident_for_good)
{
    kin_lock *lock = NULL;
    char ident[KIN__IDENT];
    CHECK_OK(kin_lock_new(&lock, NULL));
    kin__objects_begin(&objects);
    kin__object *o = kin__objects_of(&objects, kin_shared(lock));
    CHECK_NOT_NULL(o);
    CHECK_PTR(kin__objects_of(&objects, kin_shared(lock)), o);
    kin__object_ident(o, ident);
    CHECK_PTR(kin__objects_find(&objects, ident), o);
    CHECK_NULL(kin__objects_find(&objects, "1"));
    CHECK_NULL(kin__objects_find(&objects, ""));
    CHECK_NULL(kin__objects_find(&objects, "nonsense"));
    CHECK_PTR(kin__object_thing(o), lock);
    kin__object_ref(&objects, o);
    kin__object_unref(&objects, o, 1);
    CHECK_EQ(objects.count, 1); /* somebody else's: it stays */
    kin__objects_end(&objects);
    CHECK_OK(kin_lock_acquire(lock, 0));
    kin_lock_free(lock);
}

TEST(what_was_made_for_a_client_goes_with_its_last_reference)
{
    kin_lock *lock = NULL;
    CHECK_OK(kin_lock_new(&lock, NULL));
    kin__objects_begin(&objects);
    kin__object *o = kin__objects_add(&objects, &kin__kind_lock, lock);
    kin__object_ref(&objects, o);
    kin__object_ref(&objects, o);
    o->pins++;
    kin__object_unref(&objects, o, 2);
    CHECK_EQ(objects.referenced, 0);
    CHECK_OK(kin_lock_acquire(lock, 0)); /* a call is at it */
    kin__object_unpin(&objects, o);
    CHECK_EQ(objects.count, 0);
    CHECK_ERROR(kin_lock_acquire(lock, 0), KIN_EFREED);
    kin__objects_end(&objects);
}

TEST(plain_values_are_objects_too)
{
    kin__objects_begin(&objects);
    kin__object *o = kin__objects_add_value(&objects, kin_list(kin_int(1), kin_str("a")));
    kin__asked asked = { .thing = kin__object_thing(o) };
    kin_obj value;
    CHECK_EQ(kin__object_method(o, "#GETVALUE")->call(&asked, &value), 0);
    CHECK_EQ(kin_len(value), 2);
    kin_release(value);
    CHECK_EQ(kin__object_method(o, "__str__")->call(&asked, &value), 0);
    CHECK_STR(kin_as_str(value), "[1, 'a']");
    kin_release(value);
    CHECK_NULL(kin__object_method(o, "append"));
    kin__objects_end(&objects);
}

TEST(what_cannot_be_served_is_no_object)
{
    void *memory = kin_alloc(1);
    kin__objects_begin(&objects);
    CHECK_NULL(kin__objects_of(&objects, kin_shared(memory)));
    CHECK_EQ(objects.count, 0);
    kin_free(memory);
    kin__objects_end(&objects);
}
