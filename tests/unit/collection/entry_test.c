/* Keys as bytes, and the entries that hold them. */
#include "collection/table.h"
#include "harness.h"
#include <kin/domain.h>

static kin__table *new_table(void)
{
    kin__table *t = kin__table_new(KIN__SHARED_DICT);
    CHECK_NOT_NULL(t);
    return t;
}

static kin__ref entry_of(const kin__table *t, kin_obj object, kin__entry **ret)
{
    kin__key key;
    CHECK_OK(kin__key_make(t, object, "test", &key));
    *ret = kin__entry_new(t, &key, 0);
    CHECK_NOT_NULL(*ret);
    kin__block_give(*ret);
    kin__key_done(&key);
    return kin__block_ref(*ret);
}

static int is_entry_of(const kin__table *t, kin_obj object, kin__ref ref)
{
    kin__key key;
    kin__entry *e;
    CHECK_OK(kin__key_make(t, object, "test", &key));
    int rv = kin__entry_is(&key, kin__peek(&t->life), ref, &e);
    kin__key_done(&key);
    kin_release(object);
    return rv;
}

TEST(an_entry_is_that_of_equal_keys)
{
    kin__table *t = new_table();
    kin__entry *e;
    kin_obj key = kin_tuple(kin_int(1), kin_str("a key"));
    kin__ref ref = entry_of(t, key, &e);
    CHECK_EQ(is_entry_of(t, kin_tuple(kin_int(1), kin_str("a key")), ref), 1);
    CHECK_EQ(is_entry_of(t, kin_tuple(kin_float(1), kin_str("a key")), ref), 1);
    CHECK_EQ(is_entry_of(t, kin_tuple(kin_int(2), kin_str("a key")), ref), 0);
    CHECK_EQ(is_entry_of(t, kin_str("a key"), ref), 0);
    kin_release(key);
}

/* A chain of keys with one hash would be as slow as making each of them. */
TEST(texts_and_ints_with_one_hash_are_told_apart_without_making_them_objects)
{
    kin__table *t = new_table();
    const kin_obj objects[] = { kin_str("a text with some length"),
                                kin_str("a text of that length!!"),
                                kin_bytes("a text with some length", 23), kin_int(1),
                                kin_int(INT64_MAX) };
    enum { MANY = sizeof objects / sizeof *objects };
    for (int i = 0; i < MANY; i++) {
        kin__entry *e;
        kin__ref ref = entry_of(t, objects[i], &e);
        for (int k = 0; k < MANY; k++) {
            kin__key key;
            CHECK_OK(kin__key_make(t, objects[k], "test", &key));
            key.hash = kin__peek(&e->hash);
            kin__fault_arm(KIN__FAULT_MEMORY, 1);
            CHECK_EQ(kin__entry_is(&key, kin__peek(&t->life), ref, &e), i == k);
            kin__fault_arm(KIN__FAULT_MEMORY, 0);
            kin__key_done(&key);
        }
    }
    for (int i = 0; i < MANY; i++) {
        kin_release(objects[i]);
    }
}

TEST(equal_numbers_of_other_types_are_one_key)
{
    kin__table *t = new_table();
    kin__entry *e;
    kin__ref ref = entry_of(t, kin_int(1), &e);
    CHECK_EQ(is_entry_of(t, kin_float(1), ref), 1);
    CHECK_EQ(is_entry_of(t, kin_bool(true), ref), 1);
    CHECK_EQ(is_entry_of(t, kin_int(1), entry_of(t, kin_float(1), &e)), 1);
}

TEST(a_nan_is_found_by_its_bits)
{
    kin__table *t = new_table();
    kin__entry *e;
    kin__ref ref = entry_of(t, kin_float(NAN), &e);
    CHECK_EQ(is_entry_of(t, kin_float(NAN), ref), 1);
    CHECK_EQ(is_entry_of(t, kin_float(-NAN), ref), 0);
}

TEST(an_entry_of_another_life_is_none)
{
    kin__table *t = new_table();
    kin__entry *e;
    kin__ref ref = entry_of(t, kin_int(1), &e);
    kin__fill(&t->life, kin__peek(&t->life) + 1);
    CHECK_EQ(is_entry_of(t, kin_int(1), ref), 0);
}

TEST(a_key_comes_back_as_long_as_its_entry_is_good)
{
    kin__table *t = new_table();
    kin__entry *e;
    char text[5000];
    memset(text, 'x', sizeof text);
    kin_obj key = kin_strn(text, sizeof text);
    kin_obj found = kin_none();
    kin__ref ref = entry_of(t, key, &e);
    CHECK_EQ(kin__entry_key(e, ref, &found), 1);
    CHECK(kin_equal(found, key));
    kin_release(found);
    CHECK(kin__block_discard(ref));
    CHECK_EQ(kin__entry_key(e, ref, &found), 0);
    kin_release(key);
}

TEST(what_can_be_no_key_is_refused_with_a_sentence)
{
    kin__table *t = new_table();
    kin__key key;
    kin_obj list = kin_list();
    kin_obj buffer = kin_buffer(kin_alloc(10), 10);
    CHECK_ERROR(kin__key_make(t, list, "test", &key), KIN_ETYPE);
    CHECK_ERROR(kin__key_make(t, buffer, "test", &key), KIN_ETYPE);
    CHECK_ERROR(kin__key_make(t, (kin_obj){ 0 }, "test", &key), KIN_EINVAL);
    kin_release(buffer);
    kin_release(list);
}
