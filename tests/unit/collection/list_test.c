#include "collection/list.h"
#include "list.h"

#include <string.h>

TEST(items_are_set_got_and_appended)
{
    uint64_t before = blocks_in_use();
    kin_shared_list *list = new_list(kin_list(kin_int(1), kin_str("two"), kin_float(3.5)));
    CHECK_LIST(list, "[1, 'two', 3.5]");
    CHECK_OK(kin_shared_list_append(list, kin_tuple(kin_int(4))));
    CHECK_OK(kin_shared_list_set(list, 0, kin_str("one")));
    CHECK_OK(kin_shared_list_set(list, -2, kin_none()));
    CHECK_LIST(list, "['one', 'two', None, (4,)]");
    CHECK_EQ(kin_shared_list_len(list), 4);
    kin_obj o;
    CHECK_OK(kin_shared_list_get(list, -4, &o));
    CHECK_STR(kin_as_str(o), "one");
    kin_release(o);
    kin_shared_list_free(list);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(what_is_beyond_the_ends_is_refused)
{
    kin_obj o = kin_int(7);
    kin_shared_list *list = new_list(kin_list(kin_int(1)));
    CHECK_ERROR(kin_shared_list_get(list, 1, &o), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_get(list, -2, &o), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_get(list, INT64_MIN, &o), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_get(list, INT64_MAX, &o), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_set(list, 1, kin_str("x")), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_pop(list, 1, &o), KIN_ERANGE);
    CHECK_OK(kin_shared_list_pop(list, 0, NULL));
    CHECK_ERROR(kin_shared_list_pop(list, -1, &o), KIN_ERANGE);
    CHECK_ERROR(kin_shared_list_get(list, 0, &o), KIN_ERANGE);
    CHECK_EQ(kin_as_int(o), 7);
    kin_shared_list_free(list);
}

TEST(what_makes_no_sense_is_refused)
{
    kin_obj o = kin_int(7);
    int number = 0;
    kin_shared_list *list = NULL;
    kin_shared_list_options reserved = { .reserved = { 1 } };
    CHECK_ERROR(kin_shared_list_new(&list, &reserved), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_new(NULL, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_new(&list, KIN_OPT(kin_shared_list_options, .items = kin_int(1))),
                KIN_ETYPE);
    CHECK_NULL(list);
    CHECK_ERROR(kin_shared_list_get(NULL, 0, &o), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_get((kin_shared_list *)(void *)&number, 0, &o), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_append(NULL, kin_str("x")), KIN_EINVAL);
    CHECK_ERROR((int)kin_shared_list_len(NULL), KIN_EINVAL);
    list = new_list(kin_list());
    CHECK_ERROR(kin_shared_list_get(list, 0, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_copy(list, NULL), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_append(list, (kin_obj){ 0 }), KIN_EINVAL);
    CHECK_ERROR(kin_shared_list_append(list, kin_buffer(kin_alloc(10), 10)), KIN_EUNSUPPORTED);
    CHECK_ERROR(kin_shared_list_extend(list, kin_int(1)), KIN_ETYPE);
    CHECK_LIST(list, "[]");
    kin_shared_list_free(list);
    CHECK_ERROR(kin_shared_list_get(list, 0, &o), KIN_EFREED);
    CHECK_ERROR(kin_shared_list_append(list, kin_int(0)), KIN_EFREED);
    kin_shared_list_free(NULL);
}

TEST(items_come_in_and_out_at_both_ends)
{
    kin_obj o;
    kin_shared_list *list = new_list(kin_list());
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_shared_list_insert(list, 0, kin_int(-i)));
        CHECK_OK(kin_shared_list_append(list, kin_strf("%d", i)));
    }
    CHECK_EQ(kin_shared_list_len(list), 2000);
    for (int i = 999; i >= 0; i--) {
        CHECK_OK(kin_shared_list_pop(list, 0, &o));
        CHECK_EQ(kin_as_int(o), -i);
        CHECK_OK(kin_shared_list_pop(list, -1, &o));
        CHECK_EQ(atoi(kin_as_str(o)), i);
        kin_release(o);
    }
    CHECK_LIST(list, "[]");
    kin_shared_list_free(list);
}

TEST(a_list_may_be_used_as_a_queue_for_ever)
{
    kin_obj o;
    kin_shared_list *list = new_list(kin_range(0, 40));
    uint64_t before = blocks_in_use();
    for (int i = 40; i < 100000; i++) {
        CHECK_OK(kin_shared_list_append(list, kin_int(i)));
        CHECK_OK(kin_shared_list_pop(list, 0, &o));
        CHECK_EQ(kin_as_int(o), i - 40);
    }
    CHECK_LE(blocks_in_use(), before + 3);
    kin_shared_list_free(list);
}

TEST(items_are_inserted_and_taken_out_in_the_middle)
{
    kin_obj o;
    kin_shared_list *list = new_list(kin_list(kin_int(0), kin_int(1), kin_int(2)));
    CHECK_OK(kin_shared_list_insert(list, 1, kin_str("a")));
    CHECK_OK(kin_shared_list_insert(list, -1, kin_str("b")));
    CHECK_OK(kin_shared_list_insert(list, 99, kin_str("c")));
    CHECK_OK(kin_shared_list_insert(list, -99, kin_str("d")));
    CHECK_LIST(list, "['d', 0, 'a', 1, 'b', 2, 'c']");
    CHECK_OK(kin_shared_list_insert(list, -8, kin_str("e"))); /* just beyond the first... */
    CHECK_OK(kin_shared_list_insert(list, -8, kin_str("f"))); /* ...and before it */
    CHECK_LIST(list, "['f', 'e', 'd', 0, 'a', 1, 'b', 2, 'c']");
    CHECK_OK(kin_shared_list_pop(list, 0, NULL));
    CHECK_OK(kin_shared_list_pop(list, 0, NULL));
    CHECK_OK(kin_shared_list_pop(list, 2, &o));
    CHECK_STR(kin_as_str(o), "a");
    kin_release(o);
    CHECK_OK(kin_shared_list_pop(list, -3, NULL));
    CHECK_LIST(list, "['d', 0, 1, 2, 'c']");
    kin_shared_list_free(list);
}

/* Somebody seems to be at it for ever. */
TEST(who_looks_under_the_lock_gives_it_back)
{
    kin_shared_list *list = new_list(kin_list(kin_int(5)));
    kin__word *version = &kin__list_of(list)->version;
    uint64_t good = kin__peek(version);
    for (int i = 0; i < 2; i++) {
        atomic_store(version, good + 1);
        CHECK_EQ(kin_shared_list_len(list), i + 1);
        CHECK_EQ(int_at(list, 0), 5);
        CHECK_OK(kin_shared_list_append(list, kin_int(6)));
        atomic_store(version, good);
    }
    CHECK_LIST(list, "[5, 6, 6]");
    kin_shared_list_free(list);
}

/* Blocks are not emptied for who takes them next. */
TEST(a_list_does_not_care_what_its_block_was_before)
{
    enum { N = 8 };
    void *blocks[N];
    kin_shared_list *lists[N];
    kin__self();
    for (int i = 0; i < N; i++) {
        blocks[i] = kin__head_new(sizeof(kin__list), KIN__SHARED_LIST);
        CHECK_NOT_NULL(blocks[i]);
        memset(blocks[i], 0xa5, sizeof(kin__list));
    }
    for (int i = 0; i < N; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    for (int i = 0; i < N; i++) {
        lists[i] = new_list(kin_list());
        CHECK_OK(kin_shared_list_append(lists[i], kin_int(i)));
        CHECK_EQ(kin_shared_list_len(lists[i]), 1);
        CHECK_EQ(int_at(lists[i], 0), i);
    }
    for (int i = 0; i < N; i++) {
        kin_shared_list_free(lists[i]);
    }
}

static int append_100(void *ctx)
{
    for (int i = 0; i < 100; i++) {
        CHECK_OK(kin_shared_list_append(ctx, kin_int(1)));
    }
    return 0;
}

TEST(relatives_use_the_same_list)
{
    enum { CHILDREN = 4 };
    pid_t pids[CHILDREN];
    kin_shared_list *list = new_list(kin_list());
    for (int i = 0; i < CHILDREN; i++) {
        pids[i] = test_child(append_100, list);
    }
    for (int i = 0; i < CHILDREN; i++) {
        CHECK_EQ(test_join(pids[i]), 0);
    }
    CHECK_EQ(kin_shared_list_len(list), 100 * CHILDREN);
    CHECK_EQ(kin_shared_list_count(list, kin_int(1)), 100 * CHILDREN);
    kin_shared_list_free(list);
}

TEST(a_list_lies_in_another)
{
    kin_obj o;
    kin_shared_list *inner = new_list(kin_list());
    kin_shared_list *outer = new_list(kin_list(kin_shared(inner)));
    CHECK_OK(kin_shared_list_get(outer, 0, &o));
    CHECK_OK(kin_shared_list_append(kin_as(kin_shared_list, o), kin_int(7)));
    kin_release(o);
    CHECK_LIST(inner, "[7]");
    kin_shared_list_free(outer);
    CHECK_LIST(inner, "[7]");
    kin_shared_list_free(inner);
}
