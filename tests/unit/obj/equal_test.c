#include "python.h"

#include <kin/pickle.h>

static bool equal(kin_obj a, kin_obj b)
{
    bool same = kin_equal(a, b);
    CHECK_EQ(kin_equal(b, a), same);
    if (same && kin_hash(a) != -1) {
        CHECK_EQ(kin_hash(a), kin_hash(b));
    }
    kin_release(a);
    kin_release(b);
    return same;
}

TEST(numbers_are_equal_by_value)
{
    CHECK(equal(kin_int(1), kin_float(1)));
    CHECK(equal(kin_int(1), kin_bool(true)));
    CHECK(equal(kin_float(0), kin_bool(false)));
    CHECK(equal(kin_float(0.0), kin_float(-0.0)));
    CHECK(!equal(kin_int(1), kin_float(1.5)));
    CHECK(!equal(kin_float(NAN), kin_float(NAN)));
    CHECK(!equal(kin_int(INT64_MAX), kin_float(0x1p63)));
    CHECK(equal(kin_int(INT64_MIN), kin_float(-0x1p63)));
    CHECK(!equal(kin_int((INT64_C(1) << 53) + 1), kin_float(0x1p53)));
    CHECK(equal(kin_bigint("\0\0\0\0\0\0\0\0\1", 9, false), kin_float(0x1p64)));
    CHECK(!equal(kin_bigint("\1\0\0\0\0\0\0\0\1", 9, false), kin_float(0x1p64)));
    CHECK(!equal(kin_bigint("\0\0\0\0\0\0\0\0\1", 9, false), kin_float(INFINITY)));
    CHECK(!equal(kin_bigint("\0\0\0\0\0\0\0\0\1", 9, true), kin_float(0x1p64)));
}

TEST(types_do_not_mix)
{
    CHECK(!equal(kin_str("a"), kin_bytes("a", 1)));
    CHECK(!equal(kin_list(), kin_tuple()));
    CHECK(!equal(kin_none(), kin_bool(false)));
    CHECK(!equal(kin_none(), kin_int(0)));
    CHECK(!equal(kin_str("1"), kin_int(1)));
    CHECK(equal(kin_none(), kin_none()));
}

TEST(texts_are_equal_by_all_their_bytes)
{
    CHECK(equal(kin_strn("a\0b", 3), kin_strn("a\0b", 3)));
    CHECK(!equal(kin_strn("a\0b", 3), kin_strn("a\0c", 3)));
    CHECK(!equal(kin_str("a"), kin_str("ab")));
    CHECK(equal(kin_error(-10000, "x"), kin_error(-10000, "x")));
    CHECK(!equal(kin_error(-10000, "x"), kin_error(-10001, "x")));
}

static kin_obj error_about(kin_obj list, bool later)
{
    kin_obj args = kin_args(kin_retain(list));
    if (!later) {
        CHECK_OK(kin_append(&list, kin_int(1)));
    }
    kin_obj error = kin_exception("KeyError", args);
    if (later) {
        CHECK_OK(kin_append(&list, kin_int(1)));
    }
    kin_release(list);
    return error;
}

TEST(exceptions_are_equal_by_their_args_however_these_came_to_be)
{
    kin_obj early = error_about(kin_list(), false);
    kin_obj late = error_about(kin_list(), true);
    CHECK(kin_hash(early) == kin_hash(late));
    CHECK(equal(early, late));
    CHECK(!equal(kin_exception("KeyError", kin_args(kin_int(1))),
                 kin_exception("KeyError", kin_args(kin_str("1")))));
    CHECK(!equal(kin_exception("KeyError", kin_args()), kin_exception("IndexError", kin_args())));
    CHECK(!equal(kin_exception("KeyError", kin_args()), kin_error(KIN_ENOTFOUND, "KeyError")));
}

TEST(containers_are_equal_by_their_items)
{
    CHECK(equal(kin_list(kin_int(1), kin_list(kin_str("a"))),
                kin_list(kin_float(1), kin_list(kin_str("a")))));
    CHECK(!equal(kin_list(kin_int(1), kin_int(2)), kin_list(kin_int(2), kin_int(1))));
    CHECK(!equal(kin_list(kin_int(1)), kin_list(kin_int(1), kin_int(1))));
    CHECK(equal(kin_dict(kin_str("a"), kin_int(1), kin_str("b"), kin_list()),
                kin_dict(kin_str("b"), kin_list(), kin_str("a"), kin_float(1))));
    CHECK(!equal(kin_dict(kin_str("a"), kin_int(1)), kin_dict(kin_str("a"), kin_int(2))));
    CHECK(!equal(kin_dict(kin_str("a"), kin_int(1)), kin_dict(kin_str("b"), kin_int(1))));
    CHECK(equal(kin_set(kin_int(1), kin_int(2)), kin_set(kin_float(2), kin_bool(true))));
    CHECK(!equal(kin_set(kin_int(1), kin_int(2)), kin_set(kin_int(1), kin_int(3))));
    CHECK(equal(kin_tuple(kin_tuple(kin_int(1)), kin_str("x")),
                kin_tuple(kin_tuple(kin_float(1)), kin_str("x"))));
    CHECK(!equal(kin_args_kw(kin_args(kin_int(1)), kin_dict()), kin_args(kin_int(1))));
}

TEST(the_same_list_is_equal_to_itself_even_with_a_nan)
{
    kin_obj list = kin_list(kin_float(NAN));
    CHECK(kin_equal(list, list));
    CHECK(!equal(kin_list(kin_float(NAN)), kin_retain(list)));
    kin_release(list);
}

TEST(lists_in_themselves_are_refused_not_compared_for_ever)
{
    kin_obj a = kin_list(kin_none());
    kin_obj b = kin_list(kin_none());
    kin_setitem(&a, kin_int(0), kin_retain(a));
    kin_setitem(&b, kin_int(0), kin_retain(b));
    CHECK(!kin_equal(a, b));
    CHECK_CONTAINS(kin_errmsg(), "contains itself");
    kin_setitem(&a, kin_int(0), kin_none());
    kin_setitem(&b, kin_int(0), kin_none());
    kin_release(a);
    kin_release(b);
}

TEST(a_hundred_thousand_levels_compare_and_hash)
{
    kin_obj a = kin_tuple(), b = kin_tuple(), c = kin_tuple(kin_int(1));
    for (int i = 0; i < 100000; i++) {
        a = kin_tuple(a);
        b = kin_tuple(b);
        c = kin_tuple(c);
    }
    CHECK(kin_equal(a, b));
    CHECK(!kin_equal(a, c));
    CHECK_EQ(kin_hash(a), kin_hash(b));
    CHECK_NE(kin_hash(a), kin_hash(c));
    kin_release(a);
    kin_release(b);
    kin_release(c);
}

TEST(what_can_change_has_no_hash)
{
    kin_obj all[] = { kin_list(), kin_dict(), kin_set(), kin_tuple(kin_int(1), kin_list()) };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK_EQ(kin_hash(all[i]), -1);
        CHECK_CONTAINS(kin_errmsg(), "hashable");
        kin_release(all[i]);
    }
    CHECK_EQ(kin_hash((kin_obj){ 0 }), -1);
}

TEST(minus_one_hashes_as_in_python)
{
    CHECK_EQ(kin_hash(kin_int(-1)), -2);
    CHECK_EQ(kin_hash(kin_float(-1)), -2);
    CHECK_EQ(kin_hash(kin_int(-2)), -2);
}

TEST(texts_hash_by_all_their_bytes)
{
    int64_t seen[200];
    for (size_t i = 0; i < 200; i++) {
        char s[200] = { 0 };
        kin_obj o = kin_strn(s, i);
        seen[i] = kin_hash(o);
        kin_release(o);
        for (size_t j = 0; j < i; j++) {
            CHECK_NE(seen[i], seen[j]);
        }
    }
}

/* ---- against Python ---------------------------------------------------------------- */

/* Numbers that are near each other in value and far from each other in type. */
static kin_obj random_number(void)
{
    int shift = (int)(test_random() % 130);
    int64_t delta = (int64_t)(test_random() % 3) - 1;
    switch (test_random() % 5) {
    case 0:
        return kin_float(ldexp(1, shift) * (test_random() % 2 ? 1 : -1));
    case 1:
        return kin_float(ldexp(1, shift % 64) + (double)delta / 2);
    case 2: {
        uint8_t bytes[20] = { (uint8_t)(delta > 0) };
        bytes[shift / 8] |= (uint8_t)(1 << shift % 8);
        return kin_bigint(bytes, sizeof bytes, test_random() % 2);
    }
    case 3:
        return test_random() % 2 ? random_int() : kin_float(random_double());
    default:
        return test_random() % 8 ? kin_int(delta) : kin_bool(delta > 0);
    }
}

TEST(numbers_hash_and_compare_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe =
        python("names = {'nan': float('nan'), 'inf': float('inf')}\n"
               "def wrong(line):\n"
               "    a, b, same, ha = line.split()\n"
               "    a, b = eval(a, names), eval(b, names)\n"
               "    return ((a == b) != int(same) or a == a and hash(a) != int(ha)) and line\n");
    for (int i = 0; i < 20000; i++) {
        kin_obj a = random_number();
        kin_obj b = random_number();
        write_repr(pipe, a, " ");
        write_repr(pipe, b, " ");
        fprintf(pipe, "%d %lld\n", kin_equal(a, b), (long long)kin_hash(a));
        CHECK(!kin_equal(a, b) || kin_hash(a) == kin_hash(b));
        kin_release(a);
        kin_release(b);
    }
    python_agrees(pipe);
}

TEST(tuples_of_numbers_hash_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("names = {'inf': float('inf')}\n"
                        "def wrong(line):\n"
                        "    t, h = line.rsplit(' ', 1)\n"
                        "    return 'nan' not in t and hash(eval(t, names)) != int(h) and line\n");
    for (int i = 0; i < 3000; i++) {
        kin_obj items[6];
        size_t n = (size_t)(test_random() % 7);
        for (size_t j = 0; j < n; j++) {
            items[j] = test_random() % 4 ? random_number() : kin_tuple(random_number());
        }
        kin_obj o = kin_tuple_n(items, n);
        write_repr(pipe, o, " ");
        fprintf(pipe, "%lld\n", (long long)kin_hash(o));
        kin_release(o);
    }
    python_agrees(pipe);
}

TEST(frozensets_of_numbers_hash_as_in_python)
{
    if (!has_python()) {
        SKIP("no " PYTHON);
    }
    FILE *pipe = python("names = {'inf': float('inf')}\n"
                        "def wrong(line):\n"
                        "    t, h = line.rsplit(' ', 1)\n"
                        "    return 'nan' not in t and hash(eval(t, names)) != int(h) and line\n");
    for (int i = 0; i < 2000; i++) {
        kin_obj items[6];
        size_t n = (size_t)(test_random() % 7);
        for (size_t j = 0; j < n; j++) {
            items[j] = test_random() % 4 ? random_number() : kin_frozenset(random_number());
        }
        kin_obj o = kin_frozenset_n(items, n);
        write_repr(pipe, o, " ");
        fprintf(pipe, "%lld\n", (long long)kin_hash(o));
        kin_release(o);
    }
    python_agrees(pipe);
}

/* ---- keys that are a long story ---------------------------------------------------- */

/* Two of the same hash, of which one is not the other: 2^61 - 1 hashes like 0. */
static kin_obj like_zero(void)
{
    return kin_bigint("\xff\xff\xff\xff\xff\xff\xff\x1f", 8, false);
}

TEST(keys_of_one_hash_are_told_apart)
{
    kin_obj one = kin_dict(kin_tuple(kin_int(0)), kin_str("zero"), kin_tuple(like_zero()),
                           kin_str("prime"), kin_frozenset(kin_tuple(kin_int(0))), kin_none());
    kin_obj other =
        kin_dict(kin_frozenset(kin_tuple(kin_int(0))), kin_none(), kin_tuple(like_zero()),
                 kin_str("prime"), kin_tuple(kin_int(0)), kin_str("zero"));
    CHECK_EQ(kin_hash(like_zero()), 0);
    CHECK(kin_equal(one, other) && kin_equal(other, one));
    CHECK_STR(kin_as_str(kin_lookup(one, kin_tuple(like_zero()))), "prime");
    CHECK_OK(kin_setitem(&other, kin_tuple(kin_int(0)), kin_str("other")));
    CHECK(!kin_equal(one, other) && !kin_equal(other, one));
    kin_release(one);
    kin_release(other);

    one = kin_set(kin_frozenset(kin_tuple(kin_int(0)), kin_int(1)),
                  kin_frozenset(kin_tuple(like_zero()), kin_int(1)));
    other = kin_set(kin_frozenset(kin_tuple(like_zero()), kin_int(1)),
                    kin_frozenset(kin_tuple(kin_int(0)), kin_int(1)));
    CHECK(kin_equal(one, other) && kin_equal(other, one));
    kin_release(other);
    other = kin_set(kin_frozenset(kin_tuple(like_zero()), kin_int(1)),
                    kin_frozenset(kin_tuple(like_zero()), kin_int(2)));
    CHECK(!kin_equal(one, other) && !kin_equal(other, one));
    kin_release(one);
    kin_release(other);
}

TEST(a_thousand_frozensets_in_each_other_compare)
{
    kin_obj a = kin_int(1);
    kin_obj b = kin_int(1);
    kin_obj c = kin_int(2);
    for (int i = 0; i < 1000; i++) {
        a = kin_frozenset(a, kin_tuple(kin_int(i)));
        b = kin_frozenset(kin_tuple(kin_int(i)), b);
        c = kin_frozenset(c, kin_tuple(kin_int(i)));
    }
    CHECK(kin_equal(a, b) && kin_equal(b, a));
    CHECK_EQ(kin_hash(a), kin_hash(b));
    CHECK(!kin_equal(a, c));
    kin_release(a);
    kin_release(b);
    kin_release(c);
}
