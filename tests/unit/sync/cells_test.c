/* A row of words with names in them. */
#include "harness.h"
#include "sync/room.h"

enum { FREE, HELD, N = 4 };

struct row {
    _Atomic uint64_t words[N];
    _Atomic uintptr_t at;
    _Atomic uint32_t n;
    kin__id dead; /* whom may_have takes for dead */
    bool is_made_anew;
};

static struct row *new_row(void)
{
    struct row *r = kin_alloc(sizeof *r);
    CHECK_NOT_NULL(r);
    r->at = (uintptr_t)r->words;
    r->n = N;
    (void)kin__cells_begin(kin__cells_of(&r->at, &r->n));
    return r;
}

static uint64_t may_have(uint64_t seen, bool dead_too, const void *ctx)
{
    const struct row *r = ctx;
    bool is_free = KIN__CELL_STATE(seen) == FREE;
    bool is_dead = dead_too && KIN__CELL_WHO(seen) == r->dead;
    return is_free || is_dead ? KIN__CELL(KIN__CELL_TAG(seen), HELD, 77) : 0;
}

static kin__claimed claim(struct row *r, uint32_t from)
{
    kin__claimed c = { .index = from };
    CHECK(kin__cells_claim(kin__cells_of(&r->at, &r->n), may_have, r, &c));
    CHECK_PTR(c.at, &r->words[c.index]);
    CHECK_EQ(*c.at, c.ours);
    return c;
}

TEST(a_cell_keeps_what_it_is_made_of)
{
    uint64_t cell = KIN__CELL(KIN__TAG_MASK - 1, 2, 12345);
    CHECK_EQ(KIN__CELL_TAG(cell), KIN__TAG_MASK - 1);
    CHECK_EQ(KIN__CELL_STATE(cell), 2);
    CHECK_EQ(KIN__CELL_WHO(cell), 12345);
    CHECK_EQ(KIN__CELL_WHO(KIN__CELL(0, 3, (1u << KIN__ID_BITS) - 1)), (1u << KIN__ID_BITS) - 1);
}

TEST(cells_are_claimed_from_a_place_on_and_round_the_end)
{
    struct row *r = new_row();
    CHECK_EQ(claim(r, 2).index, 2);
    CHECK_EQ(claim(r, 2).index, 3);
    CHECK_EQ(claim(r, 2).index, 0);
    CHECK_EQ(claim(r, 99).index, 1); /* a hint may be anything */
    kin__claimed c = { .index = 0 };
    CHECK(!kin__cells_claim(kin__cells_of(&r->at, &r->n), may_have, r, &c));
    kin_free(r);
}

TEST(the_cells_of_the_dead_come_last)
{
    struct row *r = new_row();
    r->dead = 5;
    r->words[0] = KIN__CELL(KIN__CELL_TAG(r->words[0]), HELD, 5);
    for (uint32_t i = 1; i < N; i++) {
        kin__claimed c = claim(r, 0);
        CHECK_EQ(c.index, i);
        CHECK_EQ(KIN__CELL_STATE(c.seen), FREE);
    }
    kin__claimed c = claim(r, 0);
    CHECK_EQ(c.index, 0);
    CHECK_EQ(KIN__CELL_WHO(c.seen), 5);
    kin_free(r);
}

/* As if somebody were stopped between looking and claiming, while the row is freed and made
 * anew. */
static uint64_t late(uint64_t seen, bool dead_too, const void *ctx)
{
    struct row *r = (struct row *)(uintptr_t)ctx;
    if (!r->is_made_anew) {
        r->is_made_anew = true;
        (void)kin__cells_begin(kin__cells_of(&r->at, &r->n));
        return may_have(seen, dead_too, ctx);
    }
    return 0;
}

TEST(a_claim_that_is_late_finds_nothing_in_a_row_made_anew)
{
    struct row *r = new_row();
    kin__claimed c = { .index = 0 };
    CHECK(!kin__cells_claim(kin__cells_of(&r->at, &r->n), late, r, &c));
    for (uint32_t i = 0; i < N; i++) {
        CHECK_EQ(KIN__CELL_STATE(r->words[i]), FREE);
    }
    kin_free(r);
}

TEST(what_was_scribbled_over_has_no_cells)
{
    struct row *r = new_row();
    r->n = KIN__CELLS_MOST + 1;
    CHECK_EQ(kin__cells_of(&r->at, &r->n).n, 0);
    r->n = N;
    r->at = (uintptr_t)&r;
    CHECK_EQ(kin__cells_of(&r->at, &r->n).n, 0);
    kin__claimed c = { .index = 0 };
    CHECK(!kin__cells_claim(kin__cells_of(&r->at, &r->n), may_have, r, &c));
    kin_free(r);
}
