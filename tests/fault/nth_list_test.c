/* Shared lists when memory is out: each call fails with a code, the list is as it was, and nothing
 * is lost. */
#include "domain/room.h"
#include "harness.h"
#include <kin.h>

struct scene {
    kin_shared_list *list;
    int (*change)(kin_shared_list *list);
    uint64_t blocks;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static kin_obj strs(int n)
{
    kin_obj all = kin_list();
    for (int i = 0; i < n; i++) {
        (void)kin_append(&all, kin_strf("%d", i));
    }
    return all;
}

static int attempt(void *ctx)
{
    struct scene *s = ctx;
    return s->change(s->list);
}

static void it_is_as_it_was(void *ctx, int error)
{
    struct scene *s = ctx;
    kin_obj all;
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_EQ(blocks_in_use(), s->blocks);
    CHECK_OK(kin_shared_list_copy(s->list, &all));
    CHECK_EQ(kin_len(all), 70);
    for (size_t i = 0; i < 70; i++) {
        CHECK_EQ(atoi(kin_as_str(kin_at(all, i))), 69 - (int)i);
    }
    kin_release(all);
}

/* What is given to each attempt is made beforehand: to fail there is not the list's matter. */
static kin_obj given;

static void try_all(int (*change)(kin_shared_list *list), kin_obj with)
{
    struct scene s = { .change = change };
    uint64_t before;
    kin__self();
    before = blocks_in_use();
    given = with;
    CHECK_OK(kin_shared_list_new(&s.list, KIN_OPT(kin_shared_list_options, .items = strs(70))));
    CHECK_OK(kin_shared_list_reverse(s.list));
    s.blocks = blocks_in_use();
    CHECK_GT(fault_loop(KIN__FAULT_MEMORY, &s, .attempt = attempt, .check = it_is_as_it_was), 0);
    kin_shared_list_free(s.list);
    CHECK_EQ(blocks_in_use(), before);
    kin_release(given);
}

static int append(kin_shared_list *list)
{
    return kin_shared_list_append(list, kin_retain(given));
}

static int set(kin_shared_list *list)
{
    return kin_shared_list_set(list, 3, kin_retain(given));
}

static int insert_first(kin_shared_list *list)
{
    return kin_shared_list_insert(list, 0, kin_retain(given));
}

static int insert_second(kin_shared_list *list)
{
    return kin_shared_list_insert(list, 1, kin_retain(given));
}

static int add(kin_shared_list *list)
{
    return kin_shared_list_add(list, 1, kin_retain(given), NULL);
}

TEST(one_item_goes_in_or_does_not)
{
    try_all(append, kin_str("text"));
    try_all(set, kin_str("text"));
    try_all(insert_first, kin_str("text"));
    try_all(insert_second, kin_str("text"));
    try_all(add, kin_str("text"));
}

static int pop(kin_shared_list *list)
{
    kin_obj o = kin_none();
    int rv = kin_shared_list_pop(list, 5, &o);
    kin_release(o);
    return rv;
}

static int pop_last(kin_shared_list *list)
{
    kin_obj o = kin_none();
    int rv = kin_shared_list_pop(list, -1, &o);
    kin_release(o);
    return rv;
}

static int get(kin_shared_list *list)
{
    kin_obj o = kin_none();
    int rv = kin_shared_list_get(list, -1, &o);
    kin_release(o);
    return rv;
}

TEST(one_item_comes_out_or_does_not)
{
    try_all(pop, kin_none());
    try_all(pop_last, kin_none());
    try_all(get, kin_none());
}

static int extend(kin_shared_list *list)
{
    return kin_shared_list_extend(list, kin_retain(given));
}

static int set_slice(kin_shared_list *list)
{
    return kin_shared_list_set_slice(list, kin_slice(kin_int(3), kin_int(30), kin_none()),
                                     kin_retain(given));
}

static int del_slice(kin_shared_list *list)
{
    return kin_shared_list_del_slice(list, kin_slice(kin_none(), kin_none(), kin_int(3)));
}

static int sort(kin_shared_list *list)
{
    return kin_shared_list_sort(list, NULL, NULL);
}

static int reverse(kin_shared_list *list)
{
    return kin_shared_list_reverse(list);
}

static int repeat(kin_shared_list *list)
{
    return kin_shared_list_repeat(list, 2);
}

TEST(many_items_change_or_none_does)
{
    try_all(extend, strs(5));
    try_all(extend, strs(100));
    try_all(set_slice, strs(50));
    try_all(del_slice, kin_none());
    try_all(sort, kin_none());
    try_all(reverse, kin_none());
    try_all(repeat, kin_none());
}

static int make(void *ctx)
{
    (void)ctx;
    kin_shared_list *list = NULL;
    int rv =
        kin_shared_list_new(&list, KIN_OPT(kin_shared_list_options, .items = kin_retain(given)));
    kin_shared_list_free(list);
    return rv;
}

static void nothing_is_left(void *ctx, int error)
{
    CHECK_EQ(error, KIN_ENOMEM);
    CHECK_EQ(blocks_in_use(), *(uint64_t *)ctx);
}

TEST(a_list_is_made_or_nothing_is)
{
    kin__self();
    uint64_t before = blocks_in_use();
    given = strs(100);
    CHECK_GT(fault_loop(KIN__FAULT_MEMORY, &before, .attempt = make, .check = nothing_is_left),
             100);
    kin_release(given);
}
