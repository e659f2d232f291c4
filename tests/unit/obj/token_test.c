#include "unit/obj/pickles.h"

#include "obj/room.h"

static kin_obj flat(kin_obj o)
{
    size_t size;
    kin_obj again;
    CHECK_OK(kin__flat_size(o, &size));
    void *at = malloc(size);
    CHECK_OK(kin__flat_write(o, at, size));
    CHECK_OK(kin__flat_read(at, size, &again));
    free(at);
    return again;
}

/* In all protocols, and as a flat copy. */
static void travels(kin_obj o, const char *wanted)
{
    for (unsigned protocol = 2; protocol <= 5; protocol++) {
        survives(o, protocol, wanted, wanted);
    }
    kin_obj again = flat(o);
    CHECK(kin_equal(o, again));
    check_named_repr(again, wanted, wanted);
    kin_release(again);
    kin_release(o);
}

TEST(tokens_and_slices_travel)
{
    travels(kin_list(kin_token("dict", kin_str("/tmp/s"), "7f00")),
            "[Token(typeid='dict', address='/tmp/s', id='7f00')]");
    travels(kin_list(kin_token("l", kin_bytes("\0a", 2), "1")),
            "[Token(typeid='l', address=b'\\x00a', id='1')]");
    travels(kin_list(kin_token("l", kin_tuple(kin_str("host"), kin_int(80)), "1")),
            "[Token(typeid='l', address=('host', 80), id='1')]");
    travels(kin_list(kin_slice(kin_int(0), kin_int(2), kin_none())), "[slice(0, 2, None)]");
    kin_obj token = kin_token("dict", kin_str("a"), "i");
    travels(kin_list(kin_proxy(kin_retain(token), "DictProxy", kin_none()), token),
            "[DictProxy(typeid='dict', address='a', id='i'), Token(typeid='dict', address='a', "
            "id='i')]");
    travels(kin_list(kin_proxy(kin_token("q", kin_str("a"), "i"), "AutoProxy",
                               kin_tuple(kin_str("get"), kin_str("put")))),
            "[AutoProxy(typeid='q', address='a', id='i')]");
}

TEST(they_are_tuples_and_no_tuples)
{
    kin_obj token = kin_token("dict", kin_str("a"), "i");
    kin_obj tuple = kin_tuple(kin_str("dict"), kin_str("a"), kin_str("i"));
    kin_obj slice = kin_slice(kin_int(1), kin_none(), kin_none());
    CHECK_EQ(kin_type_of(token), KIN_TYPE_TUPLE);
    CHECK_STR(kin_as_str(kin_at(token, 2)), "i");
    CHECK_EQ(kin_len(slice), 3);
    CHECK(kin_is_token(token) && !kin_is_token(tuple) && !kin_is_token(slice));
    CHECK(kin_is_slice(slice) && !kin_is_slice(tuple) && !kin_is_slice(kin_none()));
    CHECK(!kin_equal(token, tuple));
    kin_release(token);
    kin_release(tuple);
    kin_release(slice);
}

TEST(what_they_cannot_be_made_of_is_told)
{
    CHECK_EQ(kin_error_code(kin_token("t", kin_list(), "i")), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_token("t", kin_tuple(kin_int(1), kin_int(2)), "i")), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_token("t", kin_bytearray("a", 1), "i")), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_token(NULL, kin_str("a"), "i")), KIN_EINVAL);
    CHECK_EQ(kin_error_code(kin_proxy(kin_tuple(), "DictProxy", kin_none())), KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_proxy(kin_token("t", kin_str("a"), "i"), "DictProxy", kin_list())),
             KIN_ETYPE);
    CHECK_EQ(kin_error_code(
                 kin_proxy(kin_token("t", kin_str("a"), "i"), "DictProxy", kin_tuple(kin_int(1)))),
             KIN_ETYPE);
    CHECK_EQ(kin_error_code(kin_slice(kin_none(), (kin_obj){ 0 }, kin_str("x"))), KIN_EINVAL);
}

/* ---- bytearray and frozenset ------------------------------------------------------- */

TEST(bytearrays_and_frozensets_travel)
{
    travels(kin_list(kin_bytearray("a'b", 3), kin_bytearray("", 0)),
            "[bytearray(b\"a\\'b\"), bytearray(b'')]");
    travels(kin_list(kin_frozenset(), kin_frozenset(kin_int(1), kin_str("x"))),
            "[frozenset(), frozenset({1, 'x'})]");
    travels(kin_set(kin_frozenset(kin_frozenset(kin_tuple(kin_int(1))))),
            "{frozenset({frozenset({(1,)})})}");
}

TEST(a_bytearray_is_equal_to_bytes_but_no_key)
{
    kin_obj array = kin_bytearray("ab", 2);
    kin_obj bytes = kin_bytes("ab", 2);
    CHECK_EQ(kin_type_of(array), KIN_TYPE_BYTES);
    CHECK(kin_equal(array, bytes) && kin_equal(bytes, array));
    CHECK_EQ(kin_hash(array), -1);
    CHECK_CONTAINS(kin_errmsg(), "a bytearray is not hashable");
    CHECK(!kin_is_frozen(array) && kin_is_frozen(bytes));
    CHECK_MEM(kin_as_bytes(array), "ab", 2);
    kin_obj dict = kin_dict();
    CHECK_ERROR(kin_setitem(&dict, array, kin_none()), KIN_ETYPE);
    kin_release(dict);
    kin_release(bytes);
}

TEST(a_frozenset_is_equal_to_a_set_and_a_key)
{
    kin_obj frozen = kin_frozenset(kin_int(1), kin_int(2), kin_int(2));
    kin_obj set = kin_set(kin_int(2), kin_int(1));
    CHECK_EQ(kin_len(frozen), 2);
    CHECK(kin_equal(frozen, set) && kin_equal(set, frozen));
    CHECK_EQ(kin_hash(set), -1);
    CHECK_NE(kin_hash(frozen), -1);
    CHECK(kin_is_frozen(frozen) && !kin_is_frozen(set));
    CHECK_ERROR(kin_append(&frozen, kin_int(3)), KIN_ETYPE);
    CHECK_CONTAINS(kin_errmsg(), "frozenset");
    CHECK_EQ(kin_as_int(kin_lookup(frozen, kin_int(2))), 2);
    kin_obj dict = kin_dict(kin_retain(frozen), kin_int(7));
    CHECK_EQ(kin_as_int(kin_lookup(dict, kin_frozenset(kin_int(2), kin_int(1)))), 7);
    kin_release(dict);
    kin_release(frozen);
    kin_release(set);
    CHECK_EQ(kin_error_code(kin_frozenset(kin_list())), KIN_ETYPE);
}

TEST(what_stays_as_it_is_is_frozen)
{
    kin_obj frozen[] = { kin_none(),   kin_bool(true),        kin_int(1),        kin_float(1),
                         kin_str("s"), kin_tuple(kin_list()), kin_error(-1, "e") };
    kin_obj other[] = { kin_list(), kin_dict(), kin_set(), { 0 } };
    for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++) {
        CHECK(kin_is_frozen(frozen[i]));
        kin_release(frozen[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        CHECK(!kin_is_frozen(other[i]));
        kin_release(other[i]);
    }
}
