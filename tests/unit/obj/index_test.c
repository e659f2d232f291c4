#include "harness.h"

#include "obj/node.h"

TEST(lookup_finds_and_misses_in_small_and_large_dicts)
{
    kin_obj o = kin_dict();
    for (int i = 0; i < 3000; i++) {
        CHECK_OK(kin_setitem(&o, i % 2 ? kin_int(i) : kin_strf("key %d", i), kin_int(i)));
        int j = (int)(test_random() % (unsigned)(i + 1));
        kin_obj found = kin_lookup(o, j % 2 ? kin_float(j) : kin_strf("key %d", j));
        CHECK_EQ(kin_as_int(found), j);
        CHECK_EQ(kin_error_code(kin_lookup(o, kin_int(i + 1))), KIN_ENOTFOUND);
    }
    CHECK_EQ(kin_len(o), 3000);
    for (int i = 0; i < 3000; i++) {
        CHECK_OK(kin_setitem(&o, i % 2 ? kin_int(i) : kin_strf("key %d", i), kin_int(-i)));
    }
    CHECK_EQ(kin_len(o), 3000);
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_int(2999))), -2999);
    kin_release(o);
}

TEST(tuples_and_all_sorts_are_keys)
{
    kin_obj o = kin_dict(kin_tuple(kin_int(1), kin_str("a")), kin_int(1), kin_none(), kin_int(2),
                         kin_bytes("a", 1), kin_int(3), kin_str("a"), kin_int(4));
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_tuple(kin_float(1), kin_str("a")))), 1);
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_none())), 2);
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_bytes("a", 1))), 3);
    CHECK_EQ(kin_as_int(kin_lookup(o, kin_str("a"))), 4);
    kin_release(o);
}

/* ---- candidates ---------------------------------------------------------------------- */

static kin_obj ints(int n)
{
    kin_obj o = kin_set();
    for (int i = 0; i < n; i++) {
        CHECK_OK(kin_append(&o, kin_int(i)));
    }
    return o;
}

TEST(in_a_row_all_are_candidates_and_in_an_index_few)
{
    kin_obj o = ints(ROW);
    size_t pos = 0;
    for (size_t i = 0; i < ROW; i++) {
        CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(5)), &pos), i);
    }
    CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(5)), &pos), NOT_FOUND);
    CHECK_OK(kin_append(&o, kin_int(ROW)));
    pos = 0;
    CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(5)), &pos), 5);
    CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(5)), &pos), NOT_FOUND);
    pos = 0;
    CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(500)), &pos), NOT_FOUND);
    kin_release(o);
}

TEST(a_search_that_began_in_the_row_ends_there)
{
    kin_obj o = ints(ROW);
    size_t pos = 0;
    for (size_t i = 0; i <= ROW; i++) {
        CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(5)), &pos), i);
        if (i == 2) { /* an index turns up */
            CHECK_OK(kin_append(&o, kin_int(ROW)));
            CHECK_EQ(kin_as_int(kin_lookup(o, kin_int(7))), 7);
        }
    }
    CHECK_EQ(kin__box_candidate(o.as.p, kin_hash(kin_int(5)), &pos), NOT_FOUND);
    kin_release(o);
}
