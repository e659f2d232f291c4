/* kin_shared_dict: all of it at once. */
#include "domain/room.h"
#include "harness.h"
#include <kin/collection.h>
#include <kin/domain.h>

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static kin_shared_dict *dict_of(kin_obj items)
{
    kin_shared_dict *d = NULL;
    CHECK_OK(kin_shared_dict_new(&d, KIN_OPT(kin_shared_dict_options, .items = items)));
    return d;
}

static void check_repr(kin_obj o, const char *expected)
{
    char *text = kin_repr(o);
    CHECK_STR(text, expected);
    free(text);
    kin_release(o);
}

TEST(a_dict_begins_with_items)
{
    kin_shared_dict *d = dict_of(kin_dict(kin_str("b"), kin_int(1), kin_str("a"), kin_int(2)));
    kin_obj o;
    CHECK_OK(kin_shared_dict_copy(d, &o));
    check_repr(o, "{'b': 1, 'a': 2}");
    kin_shared_dict_free(d);
    d = dict_of(kin_list(kin_tuple(kin_int(1), kin_int(2)), kin_list(kin_int(3), kin_int(4))));
    CHECK_OK(kin_shared_dict_copy(d, &o));
    check_repr(o, "{1: 2, 3: 4}");
    kin_shared_dict_free(d);
}

TEST(items_that_are_none_are_refused)
{
    kin_shared_dict *d = NULL;
    kin__self();
    uint64_t blocks = count_blocks();
    CHECK_ERROR(kin_shared_dict_new(&d, KIN_OPT(kin_shared_dict_options, .items = kin_int(3))),
                KIN_ETYPE);
    CHECK_ERROR(
        kin_shared_dict_new(&d, KIN_OPT(kin_shared_dict_options, .items = kin_list(kin_int(3)))),
        KIN_ETYPE);
    CHECK_ERROR(
        kin_shared_dict_new(&d, KIN_OPT(kin_shared_dict_options, .items = kin_list_n(NULL, 3))),
        KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_dict_new(&d, KIN_OPT(kin_shared_dict_options, .reserved = { 1 })),
                KIN_EINVAL);
    CHECK(d == NULL);
    CHECK_EQ(count_blocks(), blocks);
}

TEST(keys_stay_in_the_order_in_which_they_came)
{
    kin_shared_dict *d = dict_of(kin_dict(kin_int(3), kin_int(0), kin_int(1), kin_int(0)));
    kin_obj o;
    CHECK_OK(kin_shared_dict_set(d, kin_int(2), kin_str("two")));
    CHECK_OK(kin_shared_dict_set(d, kin_int(3), kin_str("three"))); /* keeps its place */
    CHECK_OK(kin_shared_dict_pop(d, kin_int(1), NULL));
    CHECK_OK(kin_shared_dict_set(d, kin_int(1), kin_str("one"))); /* comes last */
    CHECK_OK(kin_shared_dict_keys(d, &o));
    check_repr(o, "[3, 2, 1]");
    CHECK_OK(kin_shared_dict_values(d, &o));
    check_repr(o, "['three', 'two', 'one']");
    CHECK_OK(kin_shared_dict_items(d, &o));
    check_repr(o, "[(3, 'three'), (2, 'two'), (1, 'one')]");
    kin_shared_dict_free(d);
}

TEST(popitem_takes_the_last_one)
{
    kin_shared_dict *d = dict_of(kin_dict(kin_int(1), kin_str("one"), kin_int(2), kin_str("two")));
    kin_obj key, value;
    CHECK_OK(kin_shared_dict_popitem(d, &key, &value));
    CHECK_EQ(kin_as_int(key), 2);
    CHECK_STR(kin_as_str(value), "two");
    kin_release(value);
    CHECK_OK(kin_shared_dict_popitem(d, NULL, NULL));
    CHECK_ERROR(kin_shared_dict_popitem(d, &key, &value), KIN_ENOTFOUND);
    kin_shared_dict_free(d);
}

TEST(update_puts_in_all_or_refuses_all)
{
    kin_shared_dict *d = dict_of(kin_dict(kin_int(1), kin_int(1)));
    kin_obj o;
    CHECK_OK(kin_shared_dict_update(d, kin_dict(kin_int(1), kin_int(2), kin_int(3), kin_int(4))));
    CHECK_ERROR(kin_shared_dict_update(d, kin_list(kin_tuple(kin_int(7), kin_int(8)), kin_int(1))),
                KIN_ETYPE);
    CHECK_ERROR(kin_shared_dict_update(d, kin_str("ab")), KIN_ETYPE);
    CHECK_OK(kin_shared_dict_copy(d, &o));
    check_repr(o, "{1: 2, 3: 4}");
    kin_shared_dict_free(d);
}

TEST(clear_gives_all_of_it_back)
{
    kin_shared_dict *d = dict_of((kin_obj){ 0 });
    uint64_t blocks = count_blocks();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) {
            CHECK_OK(kin_shared_dict_set(d, kin_int(i), kin_str("a text that takes a block")));
        }
        CHECK_EQ(kin_shared_dict_len(d), 3000);
        CHECK_OK(kin_shared_dict_clear(d));
        CHECK_EQ(kin_shared_dict_len(d), 0);
        CHECK_EQ(count_blocks(), blocks);
        CHECK_EQ(kin_shared_dict_contains(d, kin_int(7)), 0);
    }
    kin_shared_dict_free(d);
    CHECK_EQ(count_blocks(), blocks - 1);
}

TEST(a_dict_that_is_freed_gives_all_of_it_back)
{
    kin__self();
    uint64_t blocks = count_blocks();
    kin_shared_dict *d = dict_of(kin_dict(kin_int(1), kin_str("a text that takes a block")));
    kin_shared_dict_free(d);
    kin_shared_dict_free(NULL);
    CHECK_EQ(count_blocks(), blocks);
}

TEST(one_goes_through_it_in_order)
{
    kin_shared_dict *d = dict_of((kin_obj){ 0 });
    kin_obj key, value;
    uint64_t pos = 0;
    CHECK_EQ(kin_shared_dict_next(d, &pos, &key, &value), 0);
    for (int i = 0; i < 500; i++) {
        CHECK_OK(kin_shared_dict_set(d, kin_int(i), kin_int(i * 2)));
    }
    pos = 0;
    int seen = 0;
    while (kin_shared_dict_next(d, &pos, &key, &value) == 1) {
        CHECK_EQ(kin_as_int(key), seen * 10);
        CHECK_EQ(kin_as_int(value), seen * 20);
        for (int i = 1; i < 10; i++) { /* what is ahead goes, and what comes is met at the end */
            CHECK_OK(kin_shared_dict_pop(d, kin_int(seen * 10 + i), NULL));
        }
        seen++;
    }
    CHECK_EQ(seen, 50);
    pos = 0;
    CHECK_EQ(kin_shared_dict_next(d, &pos, &key, NULL), 1);
    CHECK_ERROR(kin_shared_dict_next(d, NULL, &key, NULL), KIN_EINVAL);
    kin_shared_dict_free(d);
}
