#include "collection/room.h"
#include "harness.h"

struct box {
    kin__change change;
    kin__radix radix;
};

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static struct box *new_box(void)
{
    kin__self();
    struct box *box = kin__head_new(sizeof *box, KIN__SHARED_LIST);
    CHECK_NOT_NULL(box);
    box->radix.root = 0;
    kin__change_init(&box->change, KIN__SHARED_LIST);
    kin__block_give(box);
    CHECK_OK(kin__change_begin(&box->change, KIN__SHARED_LIST, "a test: the list"));
    return box;
}

static void empty(kin__change *c)
{
    struct box *box = (struct box *)(void *)c;
    kin__change_dead_tree(c, box->radix.root, KIN__VALUES);
    kin__change_write(c, &box->radix.root, 0);
    CHECK_OK(kin__change_commit(c));
}

static void free_box(struct box *box)
{
    kin__change_end(&box->change);
    kin__change_free(&box->change, KIN__SHARED_LIST, empty, "a test: the list");
}

static uint64_t small(uint64_t i)
{
    return KIN__WORD_SMALL | (i + 1);
}

static void put(struct box *box, uint64_t position, uint64_t word)
{
    CHECK_OK(kin__radix_put(&box->change, &box->radix, position, word));
    CHECK_OK(kin__change_commit(&box->change));
}

static void clear(struct box *box, uint64_t position, uint64_t keep)
{
    kin__radix_clear(&box->change, &box->radix, position, keep);
    CHECK_OK(kin__change_commit(&box->change));
}

static uint64_t at(const struct box *box, uint64_t position)
{
    const kin__word *word = kin__radix_at(&box->radix, position);
    return word != NULL ? kin__peek(word) : 0;
}

static const uint64_t far_apart[] = {
    0, 1, 63, 64, 4095, 4096, 1000000, UINT64_C(1) << 40, (UINT64_C(1) << 60) - 1
};
enum { FAR = sizeof far_apart / sizeof *far_apart };

TEST(words_are_where_they_were_put)
{
    uint64_t before = blocks_in_use();
    struct box *box = new_box();
    for (int i = 0; i < FAR; i++) {
        CHECK_EQ(at(box, far_apart[i]), 0);
        put(box, far_apart[i], small(far_apart[i]));
        for (int j = 0; j < FAR; j++) {
            CHECK_EQ(at(box, far_apart[j]), j <= i ? small(far_apart[j]) : 0);
        }
    }
    CHECK_ERROR(kin__radix_put(&box->change, &box->radix, UINT64_C(1) << 60, small(1)), KIN_ERANGE);
    free_box(box);
    CHECK_EQ(blocks_in_use(), before);
}

TEST(one_goes_from_word_to_word_both_ways)
{
    struct box *box = new_box();
    uint64_t word;
    uint64_t position = 0;
    CHECK(!kin__radix_next(&box->radix, &position, &word));
    position = UINT64_MAX;
    CHECK(!kin__radix_previous(&box->radix, &position, &word));
    for (int i = 0; i < FAR; i++) {
        put(box, far_apart[i], small(far_apart[i]));
    }
    position = 0;
    for (int i = 0; i < FAR; i++, position++) {
        CHECK(kin__radix_next(&box->radix, &position, &word));
        CHECK_EQ(position, far_apart[i]);
        CHECK_EQ(word, small(far_apart[i]));
    }
    CHECK(!kin__radix_next(&box->radix, &position, &word));
    position = UINT64_MAX; /* beyond all: not the first again */
    CHECK(!kin__radix_next(&box->radix, &position, &word));
    for (int i = FAR; i-- > 0;) {
        CHECK(kin__radix_previous(&box->radix, &position, &word));
        CHECK_EQ(position, far_apart[i]);
        CHECK_EQ(word, small(far_apart[i]));
    }
    CHECK(!kin__radix_previous(&box->radix, &position, &word));
    free_box(box);
}

TEST(nodes_go_with_their_last_word)
{
    struct box *box = new_box();
    uint64_t none = blocks_in_use();
    for (uint64_t i = 0; i < 10000; i++) {
        put(box, i, small(i));
    }
    CHECK_EQ(blocks_in_use(), none + 1 + 3 + 157);
    for (uint64_t i = 0; i < 9990; i++) {
        clear(box, i, 9999);
        CHECK_EQ(at(box, i), 0);
        CHECK_EQ(at(box, i + 1), small(i + 1));
    }
    CHECK_EQ(blocks_in_use(), none + 3);
    for (uint64_t i = 9990; i < 10000; i++) {
        clear(box, i, 9999);
    }
    CHECK_EQ(blocks_in_use(), none + 3); /* kept */
    put(box, 9999, small(1));
    clear(box, 9999, UINT64_MAX);
    CHECK_EQ(blocks_in_use(), none);
    CHECK_EQ(box->radix.root, 0);
    clear(box, 9999, UINT64_MAX);
    free_box(box);
}

TEST(several_may_be_put_and_cleared_in_one_change)
{
    struct box *box = new_box();
    uint64_t none = blocks_in_use();
    for (uint64_t i = 60; i < 70; i++) {
        CHECK_OK(kin__radix_put(&box->change, &box->radix, i, small(i)));
    }
    CHECK_EQ(box->radix.root, 0);
    CHECK_OK(kin__change_commit(&box->change));
    for (uint64_t i = 60; i < 70; i++) {
        CHECK_EQ(at(box, i), small(i));
    }
    CHECK_EQ(blocks_in_use(), none + 3);
    for (uint64_t i = 60; i < 70; i++) {
        kin__radix_clear(&box->change, &box->radix, i, UINT64_MAX);
    }
    CHECK_OK(kin__change_commit(&box->change));
    CHECK_EQ(blocks_in_use(), none);
    free_box(box);
}

static uint64_t count_up(void *ctx)
{
    uint64_t *number = ctx;
    return small((*number)++);
}

TEST(a_whole_tree_is_built_aside)
{
    static const uint64_t sizes[] = { 1, 64, 65, 5000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct box *box = new_box();
        uint64_t none = blocks_in_use();
        uint64_t number = 0;
        uint64_t root = 0;
        CHECK_OK(kin__radix_build(100, sizes[i], count_up, &number, &root));
        kin__change_new_tree(&box->change, root);
        kin__change_write(&box->change, &box->radix.root, root);
        CHECK_OK(kin__change_commit(&box->change));
        CHECK_EQ(at(box, 99), 0);
        for (uint64_t j = 0; j < sizes[i]; j++) {
            CHECK_EQ(at(box, 100 + j), small(j));
        }
        CHECK_EQ(at(box, 100 + sizes[i]), 0);
        kin__change_dead_tree(&box->change, root, KIN__NODES);
        kin__change_write(&box->change, &box->radix.root, 0);
        CHECK_OK(kin__change_commit(&box->change));
        CHECK_EQ(blocks_in_use(), none);
        free_box(box);
    }
}

TEST(a_tree_that_is_not_committed_goes)
{
    struct box *box = new_box();
    uint64_t none = blocks_in_use();
    uint64_t number = 0;
    uint64_t root = 0;
    CHECK_OK(kin__radix_build(0, 1000, count_up, &number, &root));
    kin__change_new_tree(&box->change, root);
    kin__change_undo(&box->change);
    CHECK_EQ(blocks_in_use(), none);
    CHECK_OK(kin__radix_build(0, 0, count_up, &number, &root));
    CHECK_EQ(root, 0);
    free_box(box);
}

/* ---- deaths ------------------------------------------------------------------------------ */

struct scene {
    struct box *box;
    uint64_t blocks;
};

static uint64_t make_text(void *ctx)
{
    uint64_t word = 0;
    kin_obj o = kin_strf("number %d", (*(int *)ctx)++);
    CHECK_OK(kin__value_make(o, &word));
    kin_release(o);
    kin__value_give(word);
    return word;
}

static void fill(void *ctx)
{
    struct scene *s = ctx;
    int number = 0;
    uint64_t root = 0;
    s->blocks = blocks_in_use();
    s->box = new_box();
    CHECK_OK(kin__radix_build(0, 70, make_text, &number, &root));
    kin__change_new_tree(&s->box->change, root);
    kin__change_write(&s->box->change, &s->box->radix.root, root);
    CHECK_OK(kin__change_commit(&s->box->change));
    kin__change_end(&s->box->change);
}

static const struct box *old;

static uint64_t copy_word(void *ctx)
{
    uint64_t *position = ctx;
    return at(old, 69 - (*position)++);
}

/* All of them backwards: the values stay, the nodes are new. */
static void turn_around(void *ctx)
{
    struct scene *s = ctx;
    kin__change *c = &s->box->change;
    uint64_t position = 0;
    uint64_t root = 0;
    old = s->box;
    if (kin__change_begin(c, KIN__SHARED_LIST, "a test: the list") == 0 &&
        kin__radix_build(0, 70, copy_word, &position, &root) == 0) {
        kin__change_new_tree(c, root);
        kin__change_dead_tree(c, s->box->radix.root, KIN__NODES);
        kin__change_write(c, &s->box->radix.root, root);
        (void)kin__change_commit(c);
        kin__change_end(c);
    }
}

static void it_runs_one_way(void *ctx, const char *step)
{
    struct scene *s = ctx;
    kin_obj o;
    CHECK_OK(kin__change_begin(&s->box->change, KIN__SHARED_LIST, "a test: the list"));
    int first = 0;
    for (int i = 0; i < 70; i++) {
        CHECK_EQ(kin__value_read(at(s->box, (uint64_t)i), &o), 1);
        int number = strncmp(kin_as_str(o), "number ", 7) == 0 ? atoi(kin_as_str(o) + 7) : -1;
        kin_release(o);
        first = i == 0 ? number : first;
        CHECK_(number == (first == 0 ? i : 69 - i), "killed at %s", step);
    }
    WAIT_UNTIL(kin__count_alive() == 1);
    CHECK_(blocks_in_use() == s->blocks + 1 + 3 + 70, "killed at %s: a block is lost", step);
    free_box(s->box);
    CHECK_EQ(blocks_in_use(), s->blocks);
}

TEST_WITHIN(60, who_is_killed_swapping_a_tree_leaves_one_of_them)
{
    struct scene *s = test_shared(sizeof *s);
    kin__self();
    CHECK_GT(kill_loop(NULL, s, .setup = fill, .victim = turn_around, .check = it_runs_one_way), 8);
    CHECK_OK(kin__change_begin(&s->box->change, KIN__SHARED_LIST, "a test: the list"));
    free_box(s->box);
}
