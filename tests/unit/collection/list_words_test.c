#include "collection/list.h"
#include "list.h"

TEST(a_large_list_is_made_at_once_and_gives_its_memory_back)
{
    uint64_t before = blocks_in_use();
    kin_shared_list *list = new_list(kin_range(0, 200000));
    CHECK_EQ(kin_shared_list_len(list), 200000);
    for (int64_t i = 0; i < 200000; i += 777) {
        CHECK_EQ(int_at(list, i), i);
        CHECK_EQ(int_at(list, i - 200000), i);
    }
    CHECK_OK(kin_shared_list_clear(list));
    CHECK_EQ(blocks_in_use(), before + 1);
    CHECK_LIST(list, "[]");
    kin_shared_list_free(list);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(lists_of_every_length_are_extended)
{
    for (int n = 0; n < 70; n += 3) {
        uint64_t before = blocks_in_use();
        kin_shared_list *list = new_list(kin_range(0, n));
        for (int m = 0; m < 40; m += 7) {
            int64_t from = kin_shared_list_len(list);
            CHECK_OK(kin_shared_list_extend(list, kin_range(from, from + m)));
            CHECK_EQ(kin_shared_list_len(list), from + m);
        }
        int64_t all = kin_shared_list_len(list);
        for (int64_t i = 0; i < all; i++) {
            CHECK_EQ(int_at(list, i), i);
        }
        kin_shared_list_free(list);
        CHECK_EQ(blocks_in_use(), before);
    }
}

/* As somebody leaves it who is killed in the midst of an extension. */
TEST(a_rest_is_freed_by_the_next_one)
{
    kin_shared_list *list = new_list(kin_list(kin_str("a"), kin_str("b")));
    kin__list *l = kin__list_of(list);
    uint64_t before = blocks_in_use();
    kin_obj items = kin_list();
    for (int i = 0; i < 1000; i++) {
        CHECK_OK(kin_append(&items, kin_strf("%d", i)));
    }
    CHECK_OK(kin__list_enter(l, "a test: the list"));
    CHECK_OK(kin__list_stash(l, items, "a test"));
    kin__list_leave(l);
    CHECK_EQ(kin_shared_list_len(list), 2);
    CHECK_GT(blocks_in_use(), before + 1000);
    CHECK_OK(kin_shared_list_append(list, kin_str("c")));
    CHECK_EQ(blocks_in_use(), before + 2); /* it is higher by a node now */
    CHECK_LIST(list, "['a', 'b', 'c']");
    kin_release(items);
    kin_shared_list_free(list);
}

TEST(items_move_to_another_position)
{
    kin_shared_list *list = new_list(kin_range(0, 100));
    kin__list *l = kin__list_of(list);
    CHECK_OK(kin__list_enter(l, "a test: the list"));
    CHECK_OK(kin__list_move(l, 1000));
    CHECK_EQ(l->begin, 1000);
    CHECK_EQ(l->version % 2, 0);
    kin__list_leave(l);
    CHECK_EQ(int_at(list, 0), 0);
    CHECK_EQ(int_at(list, 99), 99);
    CHECK_EQ(kin_shared_list_len(list), 100);
    kin_shared_list_free(list);
}

/* ---- against a plain list ------------------------------------------------------------------ */

enum { MOST = 300 };

static struct model {
    int64_t items[MOST];
    int64_t n;
} model;

static void model_insert(int64_t at, int64_t value)
{
    memmove(model.items + at + 1, model.items + at, (size_t)(model.n - at) * sizeof model.items[0]);
    model.items[at] = value;
    model.n++;
}

static void model_remove(int64_t at)
{
    model.n--;
    memmove(model.items + at, model.items + at + 1, (size_t)(model.n - at) * sizeof model.items[0]);
}

/* Small and large ints, so that some lie in blocks. */
static int64_t some_int(void)
{
    int64_t i = (int64_t)(test_random() % 100);
    return test_random() % 2 ? i : INT64_MAX - i;
}

static void change_both(kin_shared_list *list)
{
    int64_t value = some_int();
    int64_t at = model.n > 0 ? (int64_t)(test_random() % (uint64_t)model.n) : 0;
    int64_t end = test_random() % 2 ? 0 : model.n - 1;
    switch (test_random() % 6) {
    case 0:
        CHECK_OK(kin_shared_list_insert(list, at, kin_int(value)));
        model_insert(at, value);
        break;
    case 1:
        CHECK_OK(kin_shared_list_insert(list, 0, kin_int(value)));
        model_insert(0, value);
        break;
    case 2:
        CHECK_OK(kin_shared_list_append(list, kin_int(value)));
        model_insert(model.n, value);
        break;
    case 3:
        CHECK_EQ(kin_shared_list_pop(list, at, NULL), model.n > 0 ? 0 : KIN_ERANGE);
        if (model.n > 0) {
            model_remove(at);
        }
        break;
    case 4:
        CHECK_EQ(kin_shared_list_pop(list, end, NULL), model.n > 0 ? 0 : KIN_ERANGE);
        if (model.n > 0) {
            model_remove(end);
        }
        break;
    default:
        CHECK_EQ(kin_shared_list_set(list, at, kin_int(value)), model.n > 0 ? 0 : KIN_ERANGE);
        model.items[at] = value;
    }
}

/* The calls fail, or do what can be done with what is left; none counts what cannot be there. */
static void use_all(kin_shared_list *list)
{
    kin_obj o;
    (void)kin_shared_list_append(list, kin_int(1));
    (void)kin_shared_list_insert(list, 1, kin_int(1));
    (void)kin_shared_list_pop(list, 1, NULL);
    (void)kin_shared_list_sort(list, NULL, NULL);
    if (kin_shared_list_copy(list, &o) == 0) {
        kin_release(o);
    }
}

TEST(bounds_that_are_scribbled_over_are_noticed)
{
    static const uint64_t nonsense[] = { 1 << 20, UINT64_C(1) << 61, UINT64_MAX / 8, UINT64_MAX };
    kin_shared_list *list = new_list(kin_list(kin_int(1), kin_int(2), kin_int(3)));
    kin__list *l = kin__list_of(list);
    kin__word *const words[] = { &l->begin, &l->end, &l->rest };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        uint64_t good = kin__peek(words[i]);
        for (size_t j = 0; j < sizeof nonsense / sizeof nonsense[0]; j++) {
            atomic_store(words[i], nonsense[j]);
            CHECK_ERROR(kin_shared_list_append(list, kin_int(4)), KIN_ECORRUPT);
            use_all(list);
            atomic_store(words[i], good);
        }
    }
    CHECK_LIST(list, "[1, 2, 3]");
    kin_shared_list_free(list);
}

TEST(a_list_does_what_a_list_does)
{
    uint64_t before = blocks_in_use();
    kin_shared_list *list = new_list(kin_list());
    for (int step = 0; step < 20000; step++) {
        change_both(list);
        if (model.n == MOST - 1) {
            CHECK_OK(kin_shared_list_clear(list));
            model.n = 0;
        }
        CHECK_EQ(kin_shared_list_len(list), model.n);
        for (int64_t i = step % 16; i < model.n; i += 16) {
            CHECK_EQ(int_at(list, i), model.items[i]);
        }
    }
    kin_shared_list_free(list);
    CHECK_EQ(blocks_in_use(), before);
}

/* The root's word that leads to the first leaf. */
static kin__word *way_to_first_leaf(const kin__list *l)
{
    const char *leaf_word = (const char *)kin__radix_at(&l->words, 0);
    kin__word *words = kin__block_place(kin__peek(&l->words.root), 8 * (KIN__RADIX_FAN + 1));
    for (int i = 0; i <= KIN__RADIX_FAN; i++) {
        const char *leaf = kin__block_place(kin__peek(&words[i]), 8 * (KIN__RADIX_FAN + 1));
        if (leaf != NULL && leaf < leaf_word && leaf_word - leaf <= 8 * KIN__RADIX_FAN) {
            return &words[i];
        }
    }
    return NULL;
}

TEST(an_item_whose_node_is_scribbled_over_is_not_set)
{
    kin_shared_list *list = new_list(kin_range(0, 100));
    kin__word *way = way_to_first_leaf(kin__list_of(list));
    CHECK_NOT_NULL(way);
    uint64_t leaf = kin__peek(way);
    uint64_t before = blocks_in_use();
    atomic_store(way, 0);
    CHECK_ERROR(kin_shared_list_set(list, 7, kin_str("a text in a block")), KIN_ECORRUPT);
    CHECK_EQ(blocks_in_use(), before);
    atomic_store(way, leaf);
    CHECK_EQ(int_at(list, 7), 7);
    CHECK_OK(kin_shared_list_set(list, 7, kin_int(8)));
    CHECK_EQ(int_at(list, 7), 8);
    kin_shared_list_free(list);
}
