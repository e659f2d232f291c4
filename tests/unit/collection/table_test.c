/* Entries in a table: what readers see of a change that is under way, and of one that was left. */
#include "collection/table.h"
#include "harness.h"

#include <kin/domain.h>
#include <string.h>

static const kin__on *new_dict(void)
{
    static kin__on on = KIN__ON(NULL, KIN__SHARED_DICT, "test", "the dict");
    on.table = kin__table_new(KIN__SHARED_DICT);
    CHECK_NOT_NULL(on.table);
    kin__block_give(on.table);
    return &on;
}

TEST(an_entry_without_a_value_is_not_there)
{
    const kin__on *on = new_dict();
    kin__spot spot;
    kin__key key;
    kin_obj o = kin_none();
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(2)));
    CHECK_OK(kin__key_make(on->table, kin_int(1), "test", &key));
    CHECK_EQ(kin__table_find(on, &key, &spot), KIN__FOUND);
    uint64_t word = kin__peek(&spot.entry->value);
    kin__fill(&spot.entry->value, 0);
    uint64_t pos = 0;
    CHECK_EQ(kin__table_get(on, &key, &o), KIN__MISSING);
    CHECK_EQ(kin__table_has(on, &key), KIN__MISSING);
    CHECK_EQ(kin__table_next(on, &pos, &o, NULL), KIN__MISSING);
    kin__fill(&spot.entry->value, word);
    CHECK_EQ(kin__table_next(on, &pos, &o, NULL), KIN__FOUND);
    kin__table_free(on);
}

/* Readers that find what they read no good again and again take the lock, and find it scribbled
 * over. */
TEST(a_reader_does_not_look_again_for_ever)
{
    const kin__on *on = new_dict();
    kin__spot spot;
    kin__key key;
    kin_obj o = kin_none();
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_str("a text that takes a block of its own")));
    CHECK_OK(kin__key_make(on->table, kin_int(1), "test", &key));
    CHECK_EQ(kin__table_find(on, &key, &spot), KIN__FOUND);
    kin__ref value = kin__peek(&spot.entry->value);
    CHECK(kin__block_take(value)); /* it is not the family's now */
    CHECK_ERROR(kin__table_get(on, &key, &o), KIN_ECORRUPT);
    CHECK(kin__block_share(value));
    CHECK_EQ(kin__table_get(on, &key, &o), KIN__FOUND);
    kin_release(o);
    CHECK(kin__block_take(spot.ref));
    uint64_t pos = 0;
    CHECK_ERROR(kin__table_next(on, &pos, &o, NULL), KIN_ECORRUPT);
    kin__block_give(spot.entry);
    kin__table_free(on);
}

/* A reader has found an entry that is taken out before he reads it. */
TEST(what_was_found_is_held_as_long_as_it_is_there)
{
    const kin__on *on = new_dict();
    kin__spot spot;
    kin__key key;
    for (int i = 0; i < 5; i++) {
        CHECK_OK(kin__dict_set(on, kin_int(i), kin_int(2)));
    }
    CHECK_OK(kin__key_make(on->table, kin_int(1), "test", &key));
    CHECK_EQ(kin__table_find(on, &key, &spot), KIN__FOUND);
    CHECK(kin__index_holds(on->table, &spot));
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(3)));
    CHECK(kin__index_holds(on->table, &spot));
    CHECK_OK(kin__dict_pop(on, kin_int(1), NULL));
    CHECK(!kin__index_holds(on->table, &spot));
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(3)));
    CHECK(!kin__index_holds(on->table, &spot));
    kin__table_free(on);
}

TEST(a_table_without_a_life_was_freed)
{
    const kin__on *on = new_dict();
    kin_obj o = kin_none();
    uint64_t life = kin__peek(&on->table->life);
    kin__fill(&on->table->life, 0);
    CHECK_ERROR(kin__dict_get(on, kin_int(1), &o), KIN_EFREED);
    CHECK_ERROR(kin__dict_set(on, kin_int(1), kin_int(1)), KIN_EFREED);
    CHECK_ERROR(kin__dict_len(on), KIN_EFREED);
    CHECK_ERROR(kin__dict_copy(on, &o), KIN_EFREED);
    uint64_t pos = 0;
    CHECK_ERROR(kin__dict_next(on, &pos, &o, NULL), KIN_EFREED);
    kin__fill(&on->table->life, life);
    kin__table_free(on);
}

TEST(two_tables_have_two_lives_and_seeds)
{
    kin__table *a = kin__table_new(KIN__SHARED_DICT);
    kin__table *b = kin__table_new(KIN__SHARED_DICT);
    CHECK(a != NULL && b != NULL);
    CHECK_NE(kin__peek(&a->life), kin__peek(&b->life));
    CHECK_NE(kin__peek(&a->seed), kin__peek(&b->seed));
    CHECK_NE(kin__peek(&a->life), 0);
}

TEST(who_counts_under_the_lock_gives_it_back)
{
    enum { DOING = 2 }; /* change.c */
    const kin__on *on = new_dict();
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(1)));
    atomic_store(&on->table->change.phase, DOING);
    CHECK_EQ(kin__dict_len(on), 1);
    CHECK_OK(kin__dict_set(on, kin_int(2), kin_int(1)));
    CHECK_EQ(kin__dict_len(on), 2);
    kin__table_free(on);
}

/* Blocks are not emptied for who takes them next. */
TEST(a_table_does_not_care_what_its_block_was_before)
{
    enum { N = 8 };
    void *blocks[N];
    kin__self();
    for (int i = 0; i < N; i++) {
        blocks[i] = kin__head_new(sizeof(kin__table), KIN__SHARED_DICT);
        CHECK_NOT_NULL(blocks[i]);
        memset(blocks[i], 0xa5, sizeof(kin__table));
    }
    for (int i = 0; i < N; i++) {
        CHECK_OK(kin__block_free(blocks[i]));
    }
    for (int i = 0; i < N; i++) {
        kin__table *t = kin__table_new(KIN__SHARED_DICT);
        CHECK_NOT_NULL(t);
        CHECK_EQ(kin__peek(&t->next), 0);
        CHECK_EQ(kin__peek(&t->count), 0);
        CHECK_EQ(kin__peek(&t->directory), 0);
        CHECK_EQ(kin__peek(&t->order.root), 0);
        kin__block_give(t);
        blocks[i] = t;
    }
    for (int i = 0; i < N; i++) {
        const kin__on on = KIN__ON(blocks[i], KIN__SHARED_DICT, "test", "the dict");
        CHECK_OK(kin__dict_set(&on, kin_int(1), kin_int(2)));
        kin__table_free(&on);
    }
}
