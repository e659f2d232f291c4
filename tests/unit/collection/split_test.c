/* The index grows and shrinks. */
#include "collection/table.h"
#include "harness.h"
#include <kin/domain.h>

static const kin__on *new_dict(void)
{
    static kin__on on = KIN__ON(NULL, KIN__SHARED_DICT, "test", "the dict");
    on.table = kin__table_new(KIN__SHARED_DICT);
    CHECK_NOT_NULL(on.table);
    kin__block_give(on.table);
    return &on;
}

static uint64_t count_blocks(void)
{
    kin_usage_info usage;
    CHECK_OK(kin_usage(&usage));
    return usage.blocks;
}

static void check_all(const kin__on *on, int64_t n, int64_t every)
{
    for (int64_t i = 0; i < n; i++) {
        CHECK_EQ(kin__dict_contains(on, kin_int(i)), i % every == 0);
    }
}

static unsigned log_of(const kin__on *on)
{
    kin__way way;
    CHECK(kin__index_way(on->table, 0, &way));
    return (unsigned)kin__peek(&kin__segment_at(way.ref)->log);
}

TEST(a_small_table_has_one_small_segment)
{
    const kin__on *on = new_dict();
    uint64_t blocks = count_blocks();
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(1)));
    CHECK_EQ(log_of(on), KIN__SEGMENT_LEAST);
    CHECK_EQ(count_blocks(), blocks + 3); /* that, a node of the order, and the entry */
    kin__table_free(on);
}

TEST(it_grows_until_it_is_split_and_shrinks_again)
{
    const kin__on *on = new_dict();
    int64_t n = 0;
    while (!(kin__peek(&on->table->directory) & KIN__DIRECTORY_BIT)) {
        CHECK_OK(kin__dict_set(on, kin_int(n), kin_int(n)));
        n++;
    }
    CHECK_EQ(log_of(on), KIN__SEGMENT_MOST);
    CHECK_GT(n, 200); /* of 448 slots, most are in use before that */
    check_all(on, n, 1);
    for (int64_t i = n; i-- > 1;) {
        CHECK_OK(kin__dict_pop(on, kin_int(i), NULL));
    }
    CHECK_EQ(kin__peek(&on->table->directory) & KIN__DIRECTORY_BIT, 0);
    CHECK_EQ(log_of(on), KIN__SEGMENT_LEAST);
    CHECK_EQ(kin__dict_contains(on, kin_int(0)), 1);
    kin__table_free(on);
}

TEST_WITHIN(120, it_grows_and_gives_back_what_it_took)
{
    enum { N = 200000 };
    const kin__on *on = new_dict();
    uint64_t blocks = count_blocks();
    for (int64_t i = 0; i < N; i++) {
        CHECK_OK(kin__dict_set(on, kin_int(i), kin_int(i)));
    }
    uint64_t full = count_blocks() - blocks;
    CHECK_LT(full, N + N / 20); /* an entry each, and few more */
    for (int64_t i = 0; i < N; i++) {
        if (i % 100 != 0) {
            CHECK_OK(kin__dict_pop(on, kin_int(i), NULL));
        }
    }
    check_all(on, N, 100);
    CHECK_LT(count_blocks() - blocks, full / 20);
    for (int64_t i = 0; i < N; i += 100) {
        CHECK_OK(kin__dict_pop(on, kin_int(i), NULL));
    }
    CHECK_EQ(count_blocks(), blocks);
    kin__table_free(on);
}

/* Otherwise a directory of that depth would be made, from one that is none. */
TEST(a_segment_that_is_deeper_than_the_directory_is_scribbled_over)
{
    const kin__on *on = new_dict();
    int rv = 0;
    for (int64_t i = 0; i < 1000 && rv == 0; i++) {
        rv = kin__dict_set(on, kin_int(i), kin_int(i));
        kin__fill(&kin__segment_at(kin__peek(&on->table->directory))->depth, 20);
    }
    CHECK_ERROR(rv, KIN_ECORRUPT);
    CHECK_EQ(kin__peek(&on->table->directory) & KIN__DIRECTORY_BIT, 0);
    kin__table_free(on);
}

/* All have one hash: no splitting helps, and the directory must not grow. */
TEST(keys_of_one_hash_make_a_chain)
{
    enum { N = 1000 };
    const kin__on *on = new_dict();
    uint64_t blocks = count_blocks();
    kin__key key;
    for (int64_t i = 0; i < N; i++) {
        CHECK_OK(kin__key_make(on->table, kin_int(i), "test", &key));
        key.hash = 12345;
        CHECK_OK(kin__table_enter(on));
        CHECK_OK(kin__table_insert(on, &key, KIN__WORD_SMALL));
        kin__table_leave(on);
    }
    kin__spot spot;
    for (int64_t i = 0; i < N; i++) {
        CHECK_OK(kin__key_make(on->table, kin_int(i), "test", &key));
        key.hash = 12345;
        CHECK_EQ(kin__index_find(on->table, &key, &spot), KIN__FOUND);
        CHECK_OK(kin__table_enter(on));
        CHECK_OK(kin__table_remove(on, &spot));
        kin__table_leave(on);
        CHECK_EQ(kin__index_find(on->table, &key, &spot), KIN__MISSING);
    }
    CHECK_EQ(count_blocks(), blocks);
    kin__table_free(on);
}
