/* kin_shared_dict, one key at a time. */
#include "domain/room.h"
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

static kin_shared_dict *new_dict(void)
{
    kin_shared_dict *d = NULL;
    CHECK_OK(kin_shared_dict_new(&d, NULL));
    return d;
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static void check_value(kin_shared_dict *d, kin_obj key, kin_obj expected)
{
    kin_obj found = kin_none();
    CHECK_OK(kin_shared_dict_get(d, key, &found));
    CHECK(kin_equal(found, expected));
    kin_release(found);
    kin_release(expected);
}

TEST(what_was_set_is_got)
{
    kin_shared_dict *d = new_dict();
    CHECK_OK(kin_shared_dict_set(d, kin_str("ann"), kin_int(7)));
    CHECK_OK(
        kin_shared_dict_set(d, kin_int(-3), kin_str("a rather long text of forty characters")));
    CHECK_OK(kin_shared_dict_set(d, kin_tuple(kin_int(1), kin_str("x")), kin_list(kin_none())));
    check_value(d, kin_str("ann"), kin_int(7));
    check_value(d, kin_int(-3), kin_str("a rather long text of forty characters"));
    check_value(d, kin_tuple(kin_int(1), kin_str("x")), kin_list(kin_none()));
    CHECK_EQ(kin_shared_dict_len(d), 3);
    kin_shared_dict_free(d);
}

TEST(a_key_that_is_not_there_is_not_found)
{
    kin_shared_dict *d = new_dict();
    kin_obj o = kin_int(5);
    CHECK_ERROR(kin_shared_dict_get(d, kin_str("ann"), &o), KIN_ENOTFOUND);
    CHECK_ERROR(kin_shared_dict_pop(d, kin_str("ann"), &o), KIN_ENOTFOUND);
    CHECK_EQ(kin_shared_dict_contains(d, kin_str("ann")), 0);
    CHECK_OK(kin_shared_dict_set(d, kin_str("bob"), kin_none()));
    CHECK_ERROR(kin_shared_dict_get(d, kin_str("ann"), &o), KIN_ENOTFOUND);
    CHECK_EQ(kin_shared_dict_contains(d, kin_str("bob")), 1);
    CHECK_EQ(kin_as_int(o), 5);
    kin_shared_dict_free(d);
}

TEST(a_value_is_replaced_and_the_old_one_is_freed)
{
    kin_shared_dict *d = new_dict();
    CHECK_OK(kin_shared_dict_set(d, kin_int(1), kin_str("a text that takes a block of its own")));
    uint64_t blocks = count_blocks();
    for (int i = 0; i < 10; i++) {
        CHECK_OK(kin_shared_dict_set(d, kin_int(1), kin_strf("another text in a block: %d", i)));
    }
    CHECK_EQ(count_blocks(), blocks);
    CHECK_OK(kin_shared_dict_set(d, kin_int(1), kin_int(3)));
    CHECK_EQ(count_blocks(), blocks - 1);
    check_value(d, kin_int(1), kin_int(3));
    CHECK_EQ(kin_shared_dict_len(d), 1);
    kin_shared_dict_free(d);
}

TEST(equal_keys_of_other_types_are_one_key)
{
    kin_shared_dict *d = new_dict();
    CHECK_OK(kin_shared_dict_set(d, kin_int(1), kin_str("one")));
    check_value(d, kin_float(1.0), kin_str("one"));
    check_value(d, kin_bool(true), kin_str("one"));
    CHECK_OK(kin_shared_dict_set(d, kin_bool(true), kin_str("true")));
    CHECK_EQ(kin_shared_dict_len(d), 1);
    check_value(d, kin_int(1), kin_str("true"));
    CHECK_OK(kin_shared_dict_set(d, kin_tuple(kin_int(2), kin_int(3)), kin_int(6)));
    check_value(d, kin_tuple(kin_float(2), kin_int(3)), kin_int(6));
    kin_obj keys;
    CHECK_OK(kin_shared_dict_keys(d, &keys));
    CHECK_EQ(kin_type_of(kin_at(keys, 0)), KIN_TYPE_INT); /* as it came in */
    kin_release(keys);
    kin_shared_dict_free(d);
}

/* They have one hash in Python, too. */
TEST(different_keys_of_one_hash_are_told_apart)
{
    kin_shared_dict *d = new_dict();
    enum { N = 300 };
    kin_obj keys[N];
    for (int i = 0; i < N; i++) { /* i * (2^61 - 1) */
        uint8_t bytes[16] = { 0 };
        uint64_t low = ((uint64_t)i << 61) - (uint64_t)i;
        uint64_t high = ((uint64_t)i >> 3) - (((uint64_t)i << 61) < (uint64_t)i);
        memcpy(bytes, &low, 8);
        memcpy(bytes + 8, &high, 8);
        keys[i] = kin_bigint(bytes, sizeof bytes, false);
        CHECK_EQ(kin_hash(keys[i]), 0);
        CHECK_OK(kin_shared_dict_set(d, kin_retain(keys[i]), kin_int(i)));
    }
    for (int i = 0; i < N; i++) {
        check_value(d, kin_retain(keys[i]), kin_int(i));
    }
    for (int i = 0; i < N; i += 2) {
        CHECK_OK(kin_shared_dict_pop(d, kin_retain(keys[i]), NULL));
    }
    for (int i = 0; i < N; i++) {
        CHECK_EQ(kin_shared_dict_contains(d, keys[i]), i % 2);
    }
    kin_shared_dict_free(d);
}

TEST(what_cannot_be_a_key_is_refused)
{
    kin_shared_dict *d = new_dict();
    kin_obj o = kin_none();
    CHECK_ERROR(kin_shared_dict_set(d, kin_list(kin_int(1)), kin_int(1)), KIN_ETYPE);
    CHECK_ERROR(kin_shared_dict_get(d, kin_dict(), &o), KIN_ETYPE);
    CHECK_ERROR(kin_shared_dict_set(d, (kin_obj){ 0 }, kin_str("x")), KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_set(d, kin_str("x"), (kin_obj){ 0 }), KIN_EINVAL);
    CHECK_EQ(kin_shared_dict_len(d), 0);
    kin_shared_dict_free(d);
}

TEST(what_is_no_dict_is_refused)
{
    kin_shared_dict *d = new_dict();
    kin_shared_set *s = NULL;
    kin_obj o = kin_none();
    CHECK_OK(kin_shared_set_new(&s, NULL));
    CHECK_ERROR(kin_shared_dict_get(NULL, kin_str("k"), &o), KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_get((kin_shared_dict *)s, kin_str("k"), &o), KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_set(NULL, kin_str("k"), kin_str("v")), KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_get(d, kin_str("k"), NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_apply(d, kin_str("k"), NULL, NULL), KIN_EINVAL);
    kin_shared_set_free(s);
    kin_shared_dict_free(d);
    CHECK_ERROR(kin_shared_dict_get(d, kin_str("k"), &o), KIN_EFREED);
    CHECK_ERROR(kin_shared_dict_set(d, kin_str("k"), kin_str("v")), KIN_EFREED);
    CHECK_ERROR(kin_shared_dict_len(d), KIN_EFREED);
}

TEST(pop_takes_it_out)
{
    kin_shared_dict *d = new_dict();
    uint64_t blocks = count_blocks();
    kin_obj o = kin_none();
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_shared_dict_set(d, kin_int(i), kin_strf("the value of the key %d", i)));
    }
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_shared_dict_pop(d, kin_int(i * 7 % 1000), &o));
        CHECK(kin_equal(o, kin_none()) == false);
        kin_release(o);
        CHECK_EQ(kin_shared_dict_contains(d, kin_int(i * 7 % 1000)), 0);
        CHECK_EQ(kin_shared_dict_len(d), 999 - i);
    }
    CHECK_EQ(count_blocks(), blocks);
    kin_shared_dict_free(d);
}

TEST(setdefault_puts_it_in_once)
{
    kin_shared_dict *d = new_dict();
    kin_obj o = kin_none();
    CHECK_EQ(kin_shared_dict_setdefault(d, kin_str("k"), kin_str("first"), &o), 1);
    CHECK_STR(kin_as_str(o), "first");
    kin_release(o);
    CHECK_EQ(kin_shared_dict_setdefault(d, kin_str("k"), kin_str("second"), &o), 0);
    CHECK_STR(kin_as_str(o), "first");
    kin_release(o);
    CHECK_ERROR(kin_shared_dict_setdefault(d, kin_str("k"), kin_str("x"), NULL), KIN_EINVAL);
    kin_shared_dict_free(d);
}

TEST(add_adds)
{
    kin_shared_dict *d = new_dict();
    kin_obj o = kin_none();
    CHECK_OK(kin_shared_dict_add(d, kin_str("n"), kin_int(2), NULL));
    CHECK_OK(kin_shared_dict_add(d, kin_str("n"), kin_int(40), &o));
    CHECK_EQ(kin_as_int(o), 42);
    CHECK_OK(kin_shared_dict_add(d, kin_str("s"), kin_str("ab"), NULL));
    CHECK_OK(kin_shared_dict_add(d, kin_str("s"), kin_str("cd"), NULL));
    check_value(d, kin_str("s"), kin_str("abcd"));
    CHECK_ERROR(kin_shared_dict_add(d, kin_str("s"), kin_int(1), &o), KIN_ETYPE);
    CHECK_ERROR(kin_shared_dict_add(d, kin_str("new"), kin_none(), NULL), KIN_ETYPE);
    CHECK_EQ(kin_shared_dict_len(d), 2);
    CHECK_EQ(kin_as_int(o), 42);
    kin_shared_dict_free(d);
}

TEST(compare_and_set_looks_first)
{
    kin_shared_dict *d = new_dict();
    CHECK_EQ(kin_shared_dict_compare_and_set(d, kin_str("k"), kin_none(), kin_int(1)), 0);
    CHECK_OK(kin_shared_dict_set(d, kin_str("k"), kin_str("old")));
    CHECK_EQ(kin_shared_dict_compare_and_set(d, kin_str("k"), kin_str("other"), kin_str("n")), 0);
    CHECK_EQ(kin_shared_dict_compare_and_set(d, kin_str("k"), kin_str("old"), kin_str("new")), 1);
    check_value(d, kin_str("k"), kin_str("new"));
    kin_shared_dict_free(d);
}

static kin_obj double_it(kin_obj value, void *ctx)
{
    kin_shared_dict *d = ctx;
    kin_obj o = kin_none();
    CHECK_ERROR(kin_shared_dict_set(d, kin_str("k"), kin_int(0)), KIN_EDEADLK);
    CHECK_OK(kin_shared_dict_get(d, kin_str("k"), &o)); /* readers need no lock */
    CHECK(kin_equal(o, value));
    return kin_int(kin_as_int(value) * 2);
}

static kin_obj refuse(kin_obj value, void *ctx)
{
    CHECK(kin_is_none(value) == (ctx != NULL));
    return kin_error(KIN_EUSER - 3, "not this one");
}

static kin_obj leave_it(kin_obj value, void *ctx)
{
    (void)ctx;
    return value;
}

TEST(apply_changes_a_value_by_a_function)
{
    kin_shared_dict *d = new_dict();
    CHECK_OK(kin_shared_dict_set(d, kin_str("k"), kin_int(21)));
    CHECK_OK(kin_shared_dict_apply(d, kin_str("k"), double_it, d));
    check_value(d, kin_str("k"), kin_int(42));
    CHECK_ERROR(kin_shared_dict_apply(d, kin_str("k"), refuse, NULL), KIN_EUSER - 3);
    CHECK_STR(kin_errmsg(), "not this one");
    CHECK_ERROR(kin_shared_dict_apply(d, kin_str("new"), refuse, d), KIN_EUSER - 3);
    CHECK_EQ(kin_shared_dict_len(d), 1);
    CHECK_OK(kin_shared_dict_set(d, kin_str("k"), kin_str("a text that takes a block of its own")));
    CHECK_OK(kin_shared_dict_apply(d, kin_str("k"), leave_it, NULL));
    check_value(d, kin_str("k"), kin_str("a text that takes a block of its own"));
    CHECK_OK(kin_shared_dict_set(d, kin_str("k"), kin_int(1))); /* the lock is free */
    kin_shared_dict_free(d);
}

static int set_in_child(void *ctx)
{
    kin_shared_dict *inner = NULL;
    kin_obj o = kin_none();
    bool fine = kin_shared_dict_new(&inner, NULL) == 0 &&
                kin_shared_dict_set(inner, kin_str("x"), kin_int(3)) == 0 &&
                kin_shared_dict_set(ctx, kin_str("inner"), kin_shared(inner)) == 0 &&
                kin_shared_dict_get(ctx, kin_str("here"), &o) == 0 && kin_as_int(o) == 1;
    return fine ? 0 : 1;
}

TEST(relatives_share_it_and_a_dict_can_lie_in_a_dict)
{
    kin_shared_dict *d = new_dict();
    kin_obj o = kin_none();
    CHECK_OK(kin_shared_dict_set(d, kin_str("here"), kin_int(1)));
    CHECK_EQ(test_join(test_child(set_in_child, d)), 0);
    CHECK_OK(kin_shared_dict_get(d, kin_str("inner"), &o));
    kin_shared_dict *inner = kin_as(kin_shared_dict, o);
    CHECK(inner != NULL);
    check_value(inner, kin_str("x"), kin_int(3));
    kin_release(o);
    kin_shared_dict_free(inner);
    kin_shared_dict_free(d);
}
