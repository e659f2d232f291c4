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

/* ---- a glance before the lock ---------------------------------------------------------------- */

/* What it showed, as it is asked again under the lock. */
static int seen_again(const kin__on *on, const kin__key *key, kin__glance *glance)
{
    CHECK_OK(kin__table_enter(on));
    int rv = kin__table_find_again(on, key, glance);
    kin__table_leave(on);
    return rv;
}

TEST(what_a_glance_showed_is_asked_again_under_the_lock)
{
    const kin__on *on = new_dict();
    kin__glance missing, found;
    kin__key key;
    CHECK_OK(kin__key_make(on->table, kin_int(1), "test", &key));
    kin__table_glance(on, &key, &missing);
    CHECK_EQ(seen_again(on, &key, &missing), KIN__MISSING);
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(2)));
    CHECK_EQ(seen_again(on, &key, &missing), KIN__FOUND);
    kin__table_glance(on, &key, &found);
    kin__ref first = found.spot.ref;
    CHECK_EQ(first, missing.spot.ref);
    CHECK_EQ(seen_again(on, &key, &found), KIN__FOUND);
    CHECK_OK(kin__dict_set(on, kin_int(2), kin_int(2)));
    CHECK_OK(kin__dict_pop(on, kin_int(1), NULL));
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(3)));
    CHECK_EQ(seen_again(on, &key, &found), KIN__FOUND);
    CHECK_NE(found.spot.ref, first);
    CHECK_OK(kin__dict_pop(on, kin_int(1), NULL));
    CHECK_EQ(seen_again(on, &key, &found), KIN__MISSING);
    kin__table_glance(on, &key, &missing);
    CHECK_OK(kin__dict_clear(on));
    CHECK_EQ(seen_again(on, &key, &missing), KIN__MISSING);
    kin__table_free(on);
}

static bool to_seven(uint64_t old, void *ctx, uint64_t *ret_word)
{
    (void)old;
    ++*(int *)ctx;
    return kin__value_make_small(kin_int(7), ret_word);
}

static int64_t number_at(const kin__on *on, int64_t key)
{
    kin_obj o = kin_none();
    CHECK_OK(kin__dict_get(on, kin_int(key), &o));
    return kin_as_int(o);
}

TEST(a_word_is_renewed_while_it_is_small_and_there)
{
    const kin__on *on = new_dict();
    kin__glance glance;
    kin__key key;
    int times = 0;
    CHECK_OK(kin__key_make(on->table, kin_int(1), "test", &key));
    kin__table_glance(on, &key, &glance);
    CHECK(!kin__table_renew(on, &glance, to_seven, &times)); /* not there */
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_str("a text that takes a block of its own")));
    kin__table_glance(on, &key, &glance);
    CHECK(!kin__table_renew(on, &glance, to_seven, &times)); /* not small */
    CHECK_EQ(times, 0);
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(2)));
    CHECK(kin__table_renew(on, &glance, to_seven, &times));
    CHECK_EQ(number_at(on, 1), 7);
    CHECK_OK(kin__table_enter(on));
    CHECK(!kin__table_renew(on, &glance, to_seven, &times)); /* somebody has the lock */
    kin__table_leave(on);
    CHECK_OK(kin__dict_set(on, kin_int(2), kin_int(2)));
    CHECK_OK(kin__dict_pop(on, kin_int(1), NULL));
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(3)));
    CHECK(!kin__table_renew(on, &glance, to_seven, &times)); /* another one */
    CHECK_EQ(number_at(on, 1), 3);
    CHECK_EQ(times, 1);
    kin__table_free(on);
}

/* What is to be written over, by somebody in another lane, before we have written. */
struct rivals {
    const kin__on *on;
    const kin__glance *glance;
    int calls;
};

static bool one_more(uint64_t old, void *ctx, uint64_t *ret_word)
{
    struct rivals *r = ctx;
    kin_obj o = kin_none();
    if (++r->calls == 1) {
        CHECK(kin__table_renew(r->on, r->glance, one_more, r));
    }
    return kin__value_read(old, &o) == 1 &&
           kin__value_make_small(kin_int(kin_as_int(o) + 1), ret_word);
}

TEST(of_two_who_renew_a_word_neither_is_lost)
{
    const kin__on *on = new_dict();
    kin__glance glance;
    kin__key key;
    CHECK_OK(kin__dict_set(on, kin_int(1), kin_int(5)));
    CHECK_OK(kin__key_make(on->table, kin_int(1), "test", &key));
    kin__table_glance(on, &key, &glance);
    struct rivals rivals = { .on = on, .glance = &glance };
    CHECK(kin__table_renew(on, &glance, one_more, &rivals));
    CHECK_EQ(number_at(on, 1), 7);
    CHECK_EQ(rivals.calls, 3);
    kin__table_free(on);
}
