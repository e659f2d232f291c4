/* Entries by their hash: what readers come to while somebody is at it. */
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

static int find(const kin__table *t, int64_t i, kin__spot *ret)
{
    kin__key key;
    CHECK_OK(kin__key_make(t, kin_int(i), "test", &key));
    int rv = kin__index_find(t, &key, ret);
    kin__key_done(&key);
    return rv;
}

static void set(const kin__on *on, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++) {
        CHECK_OK(kin__dict_set(on, kin_int(i), kin_int(i)));
    }
}

TEST(an_empty_table_has_no_segment)
{
    const kin__on *on = new_dict();
    kin__spot spot;
    CHECK_EQ(find(on->table, 1, &spot), KIN__MISSING);
    CHECK_EQ(kin__peek(&on->table->directory), 0);
    kin__table_free(on);
}

TEST(all_are_found_in_a_small_and_in_a_large_table)
{
    const kin__on *on = new_dict();
    kin__spot spot;
    for (int64_t n = 1; n <= 20000; n = n * 3 + 1) {
        set(on, 0, n);
        for (int64_t i = 0; i < n; i++) {
            CHECK_EQ(find(on->table, i, &spot), KIN__FOUND);
            CHECK(kin__block_is_shared(spot.ref));
        }
        for (int64_t i = n; i < n + 100; i++) {
            CHECK_EQ(find(on->table, i, &spot), KIN__MISSING);
        }
    }
    kin__table_free(on);
}

static uint64_t used_in(const kin__segment *s)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < UINT64_C(1) << kin__peek(&s->log); i++) {
        uint64_t tags = kin__peek(&s->buckets[i].tags);
        for (unsigned slot = 0; slot < KIN__BUCKET_SLOTS; slot++) {
            n += (tags >> slot * 8 & 0xff) != 0;
        }
    }
    return n;
}

static uint64_t check_segments(const kin__table *t)
{
    uint64_t all = 0;
    kin__ref last = 0;
    for (uint64_t hash = 0;; hash += UINT64_C(1) << 56) {
        kin__way way;
        CHECK(kin__index_way(t, hash, &way));
        kin__segment *s = way.ref != last ? kin__segment_at(way.ref) : NULL;
        if (s != NULL) {
            CHECK_EQ(kin__peek(&s->used), used_in(s));
            all += used_in(s);
        }
        last = way.ref;
        if (hash >> 56 == 255) {
            return all;
        }
    }
}

/* By that it is known when a segment may become smaller. */
TEST(a_segment_knows_how_many_are_in_it)
{
    const kin__on *on = new_dict();
    static const int64_t to[] = { 1, 5, 40, 300, 3000 };
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        set(on, i > 0 ? to[i - 1] : 0, to[i]);
        CHECK_EQ(check_segments(on->table), to[i]);
    }
    for (int64_t i = 0; i < 3000; i++) {
        CHECK_OK(kin__dict_pop(on, kin_int(i), NULL));
        if (i % 100 == 0) {
            CHECK_EQ(check_segments(on->table), 2999 - i);
        }
    }
    kin__table_free(on);
}

/* A reader who came by a segment that was made anew since. */
TEST(who_finds_nothing_on_a_way_that_changed_looks_again)
{
    const kin__on *on = new_dict();
    kin__way way;
    set(on, 0, 1);
    CHECK(kin__index_way(on->table, 0, &way));
    uint64_t root = kin__peek(&on->table->directory);
    kin__segment *s = kin__segment_at(way.ref);
    CHECK_NOT_NULL(s);
    kin__spot spot;
    uint64_t next = kin__peek(&s->next);
    kin__fill(&s->next, 16 | UINT64_C(1) << 62); /* leads nowhere */
    CHECK_EQ(find(on->table, 1000, &spot), KIN__AGAIN);
    kin__fill(&s->next, next);
    CHECK_EQ(find(on->table, 1000, &spot), KIN__MISSING);
    CHECK_EQ(kin__peek(&on->table->directory), root);
    kin__table_free(on);
}

TEST(a_scribbled_index_is_noticed)
{
    const kin__on *on = new_dict();
    kin_obj o = kin_none();
    set(on, 0, 3);
    uint64_t root = kin__peek(&on->table->directory);
    kin__fill(&on->table->directory, UINT64_MAX);
    CHECK_ERROR(kin__dict_get(on, kin_int(1), &o), KIN_ECORRUPT);
    CHECK_ERROR(kin__dict_set(on, kin_int(1), kin_int(1)), KIN_ECORRUPT);
    kin__fill(&on->table->directory, UINT64_C(1) << 62 | 5);
    CHECK_ERROR(kin__dict_set(on, kin_int(1), kin_int(1)), KIN_ECORRUPT);
    kin__fill(&on->table->directory, root);
    CHECK_EQ(kin__dict_contains(on, kin_int(1)), 1);
    kin__table_free(on);
}

/* Of one segment, or of two. */
TEST(a_ring_of_segments_does_not_hold_who_frees_it)
{
    uint64_t blocks = count_blocks();
    for (int two = 0; two < 2; two++) {
        const kin__on *on = new_dict();
        set(on, 0, 3);
        kin__ref ref = kin__peek(&on->table->directory);
        kin__segment *second = kin__segment_new(0, KIN__SEGMENT_LEAST);
        CHECK_NOT_NULL(second);
        kin__block_give(second);
        kin__fill(&second->next, ref);
        kin__fill(&kin__segment_at(ref)->next, two ? kin__block_ref(second) : ref);
        CHECK_OK(kin__dict_clear(on));
        CHECK_EQ(kin__block_discard(kin__block_ref(second)), !two);
        kin__table_free(on);
    }
    CHECK_EQ(count_blocks(), blocks);
}
