#include "list.h"

#include <math.h>

TEST(numbers_are_sorted)
{
    static const char big[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
    kin_shared_list *list =
        new_list(kin_list(kin_int(3), kin_float(2.5), kin_bool(true), kin_bigint(big, 16, false),
                          kin_bigint(big, 16, true), kin_int(INT64_MIN), kin_int(INT64_MAX)));
    CHECK_OK(kin_shared_list_sort(list, NULL, NULL));
    CHECK_LIST(list, "[-4722366482869645213696, -9223372036854775808, True, 2.5, 3, "
                     "9223372036854775807, 4722366482869645213696]");
    kin_shared_list_free(list);
}

/* 2^53 + 1 is no double, and 2^1200 is larger than any. */
TEST(ints_and_floats_are_compared_exactly)
{
    static const char huge[151] = { [150] = 1 };
    const int64_t n = INT64_C(1) << 53;
    kin_shared_list *list = new_list(
        kin_list(kin_bigint(huge, 151, false), kin_int(n + 1), kin_float((double)n), kin_float(2.5),
                 kin_float(HUGE_VAL), kin_int(3), kin_int(2), kin_float(-2.5), kin_int(-3),
                 kin_int(-2), kin_bigint(huge, 151, true), kin_float(-HUGE_VAL)));
    CHECK_OK(kin_shared_list_sort(list, NULL, NULL));
    kin_obj o;
    const double floats[] = {
        [0] = -HUGE_VAL, [3] = -2.5, [6] = 2.5, [8] = 0x1p53, [11] = HUGE_VAL
    };
    const int64_t ints[] = { [2] = -3, [4] = -2, [5] = 2, [7] = 3, [9] = n + 1 };
    for (int i = 0; i < 12; i++) {
        CHECK_OK(kin_shared_list_get(list, i, &o));
        if (kin_type_of(o) == KIN_TYPE_FLOAT) {
            CHECK(kin_as_float(o) == floats[i]);
        } else if (i != 1 && i != 10) {
            CHECK_EQ(kin_as_int(o), ints[i]);
        }
        kin_release(o);
    }
    kin_shared_list_free(list);
}

TEST(texts_and_rows_are_sorted)
{
    kin_shared_list *list =
        new_list(kin_list(kin_str("b"), kin_str(""), kin_str("ab"), kin_str("a")));
    CHECK_OK(kin_shared_list_sort(list, NULL, NULL));
    CHECK_LIST(list, "['', 'a', 'ab', 'b']");
    kin_shared_list_free(list);
    list = new_list(kin_list(kin_tuple(kin_int(2), kin_str("a")), kin_tuple(kin_int(1)),
                             kin_tuple(kin_int(1), kin_none()), kin_tuple(kin_int(1), kin_none())));
    CHECK_OK(kin_shared_list_sort(list, NULL, NULL));
    CHECK_LIST(list, "[(1,), (1, None), (1, None), (2, 'a')]");
    kin_shared_list_free(list);
}

TEST(what_cannot_be_compared_stays_as_it_is)
{
    kin_shared_list *list = new_list(kin_list(kin_int(3), kin_str("a"), kin_int(1)));
    CHECK_ERROR(kin_shared_list_sort(list, NULL, NULL), KIN_ETYPE);
    CHECK_LIST(list, "[3, 'a', 1]");
    kin_shared_list_free(list);
    list = new_list(kin_list(kin_none(), kin_none()));
    CHECK_ERROR(kin_shared_list_sort(list, NULL, NULL), KIN_ETYPE);
    kin_shared_list_free(list);
}

static bool by_first(kin_obj a, kin_obj b, void *ctx)
{
    ++*(int *)ctx;
    return kin_as_int(kin_at(a, 0)) < kin_as_int(kin_at(b, 0));
}

/* Those of one tens digit are equal: the others tell where they were. */
TEST(equal_items_keep_their_order)
{
    enum { N = 1000 };
    int asked = 0;
    kin_obj items = kin_list();
    for (int i = 0; i < N; i++) {
        kin_append(&items, kin_tuple(kin_int((int64_t)(test_random() % 10)), kin_int(i)));
    }
    kin_shared_list *list = new_list(items);
    CHECK_OK(kin_shared_list_sort(list, by_first, &asked));
    CHECK_LT(asked, N * 11);
    int64_t key = 0;
    int64_t place = -1;
    for (int i = 0; i < N; i++) {
        kin_obj o;
        CHECK_OK(kin_shared_list_get(list, i, &o));
        int64_t k = kin_as_int(kin_at(o, 0));
        int64_t p = kin_as_int(kin_at(o, 1));
        CHECK(k > key || (k == key && p > place));
        key = k;
        place = p;
        kin_release(o);
    }
    kin_shared_list_free(list);
}

TEST(short_lists_are_sorted_too)
{
    for (int n = 0; n < 20; n++) {
        kin_shared_list *list = new_list(kin_range(0, n));
        CHECK_OK(kin_shared_list_reverse(list));
        CHECK_OK(kin_shared_list_sort(list, NULL, NULL));
        for (int i = 0; i < n; i++) {
            CHECK_EQ(int_at(list, i), i);
        }
        kin_shared_list_free(list);
    }
}
