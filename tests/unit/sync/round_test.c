/* The rounds of a barrier, without anybody who waits. */
#include "harness.h"
#include "sync/round.h"

enum { PARTIES = 3 };

struct world {
    kin__rounds r;
    _Atomic uint64_t cells[PARTIES];
    kin__party party;
};

static struct world *new_world(void)
{
    struct world *w = kin_alloc(sizeof *w);
    CHECK_NOT_NULL(w);
    kin__round_begin(&w->r, PARTIES, w->cells);
    return w;
}

static kin__party come(struct world *w)
{
    kin__party p = { .self = kin__self() };
    CHECK(kin__round_come(&w->r, kin__round_look(&w->r), &p));
    return p;
}

static uint64_t next_of(uint64_t word)
{
    return WORD(NEXT(ROUND(word)), FILLING);
}

TEST(a_round_is_full_when_all_have_come)
{
    struct world *w = new_world();
    uint64_t seen = kin__round_look(&w->r);
    for (uint32_t i = 0; i < PARTIES; i++) {
        CHECK(!kin__round_is_full(&w->r, ROUND(seen)));
        CHECK_EQ(come(w).cell.index, i);
        CHECK_EQ(kin__round_count(&w->r, ROUND(seen)), i + 1);
    }
    CHECK(kin__round_is_full(&w->r, ROUND(seen)));
    kin__party late = { .self = kin__self() };
    CHECK(!kin__round_come(&w->r, seen, &late));
    kin_free(w);
}

TEST(the_next_round_takes_the_places_of_those_who_have_not_left)
{
    struct world *w = new_world();
    kin__party p = come(w);
    uint64_t seen = kin__round_look(&w->r);
    CHECK(kin__round_change(&w->r, seen, next_of(seen)));
    CHECK(!kin__round_change(&w->r, seen, next_of(seen)));
    CHECK_EQ(come(w).cell.index, 0);
    CHECK(kin__round_leave(&w->r, &p)); /* his was completed */
    CHECK_EQ(kin__round_count(&w->r, ROUND(next_of(seen))), 1);
    kin_free(w);
}

TEST(who_looks_at_a_reset_finishes_it)
{
    struct world *w = new_world();
    kin__party p = come(w);
    uint64_t seen = kin__round_look(&w->r);
    CHECK(kin__round_change(&w->r, seen, WORD(ROUND(seen), RESETTING))); /* and he is killed */
    CHECK_EQ(kin__round_look(&w->r), next_of(seen));
    CHECK_EQ(come(w).cell.index, 1); /* the first one's place is his until he knows */
    CHECK(!kin__round_leave(&w->r, &p));
    CHECK_EQ(come(w).cell.index, 0);
    kin_free(w);
}

static int come_and_die(void *ctx)
{
    struct world *w = ctx;
    (void)come(w);
    return 0;
}

TEST(a_death_breaks_the_round_that_he_had_come_to)
{
    struct world *w = new_world();
    uint64_t seen = kin__round_look(&w->r);
    kin__party p = come(w);
    kin__round_ask_after(&w->r, seen);
    CHECK_EQ(kin__round_look(&w->r), seen);
    CHECK_EQ(test_join(test_child(come_and_die, w)), 0);
    kin__round_ask_after(&w->r, seen);
    CHECK_EQ(PHASE(kin__round_look(&w->r)), BROKEN);
    CHECK(!kin__round_leave(&w->r, &p));
    CHECK_EQ(kin__round_count(&w->r, ROUND(seen)), 1); /* the dead one's cell */
    kin_free(w);
}

/* Rounds are counted in 35 bits. */
TEST(the_count_may_wrap_around)
{
    struct world *w = new_world();
    atomic_store(&w->r.word, WORD(KIN__TAG_MASK, FILLING));
    for (int i = 0; i < PARTIES; i++) {
        w->cells[i] = KIN__CELL(KIN__TAG_MASK - 1, 2, kin__self());
    }
    kin__party p = come(w);
    uint64_t seen = kin__round_look(&w->r);
    CHECK(kin__round_change(&w->r, seen, next_of(seen)));
    CHECK_EQ(ROUND(kin__round_look(&w->r)), 0);
    CHECK_EQ(come(w).cell.index, 0);
    CHECK(kin__round_leave(&w->r, &p));
    kin__party stale = { .self = kin__self() };
    CHECK(kin__round_come(&w->r, kin__round_look(&w->r), &stale));
    CHECK_EQ(stale.cell.index, 1); /* never back into what is of a newer round */
    kin_free(w);
}
