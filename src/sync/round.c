/* round.c - the rounds of a barrier: who has come to this one, and how it ends.
 *
 * Idea. The barrier counts its rounds, and has a cell for each party (cells.c). Who comes writes
 * his name and the round into a cell. When all cells say "came, this round", the round goes up by
 * one, and whoever sees that it is not his any more goes. So the next round can begin while some
 * are still leaving: their cells are old then, and free for others.
 *
 *     the barrier:  round | phase      FILLING --all came--> FILLING, round + 1
 *                                         |  \--> ACTING ------^      (with an action)
 *                                         |         |
 *                                       BROKEN <----+---- abort, a timeout, a death
 *                                         |
 *                                      RESETTING --all who wait are told--> FILLING, round + 1
 *
 *     a cell:       round | state | who    EMPTY --> PENDING --> CAME --(reset)--> TOLD --> EMPTY
 *
 * Rules.
 *   R1  A cell is claimed by one CAS to PENDING, which names the claimer: from EMPTY, or from what
 *       is of an older round, or a dead process's. Never from what is of a newer round.
 *   R2  He then looks whether the round is still FILLING, and only then says CAME. So who resets
 *       finds him in the cell, or he finds that it was reset; and nobody PENDING is ever counted.
 *   R3  Who resets goes through the cells between RESETTING and the next round, and whoever finds
 *       the barrier RESETTING helps: what is CAME becomes TOLD, what is PENDING becomes EMPTY. A
 *       TOLD cell is nobody else's until its owner has seen it, or is dead. Thus who sees a later
 *       round went through, unless his cell is TOLD.
 *   R4  Who leaves a BROKEN round empties his cell, lest a reset tell it to nobody.
 *   R5  Rounds begin where the cells' tags do: anywhere (R2 of cells.c).
 *
 * Death. Killed before CAME: he has not come. After it, before the round went up: whoever asks
 * after him breaks the barrier. In a reset: R3.
 *
 * Not here. Waiting, and asking after the dead while one does (barrier.c).
 */
#include "round.h"

enum state { EMPTY, PENDING, CAME, TOLD };

#define IS_NEWER(round, other) ((((round) - (other)-1) & KIN__TAG_MASK) < KIN__TAG_MASK / 2)

void kin__round_begin(kin__rounds *r, unsigned parties, void *cells_at)
{
    atomic_store(&r->parties, parties);
    atomic_store(&r->cells, (uintptr_t)cells_at);
    uint64_t round = kin__cells_begin(kin__round_cells(r));
    atomic_store(&r->word, WORD(NEXT(round), FILLING));
    kin__gate_renew(&r->gate);
}

/* ---- the word --------------------------------------------------------------------------- */

/* One cell, for a reset: R3. */
static void tell(_Atomic uint64_t *cell, uint64_t round)
{
    for (;;) {
        uint64_t seen = atomic_load(cell);
        bool came = KIN__CELL_STATE(seen) == CAME;
        bool waits = came || KIN__CELL_STATE(seen) == PENDING;
        uint64_t next = came ? KIN__CELL(round, TOLD, KIN__CELL_WHO(seen))
                             : KIN__CELL(round, EMPTY, KIN__NOBODY);
        if (KIN__CELL_TAG(seen) != round || !waits || kin__word_change(cell, seen, next)) {
            return;
        }
    }
}

uint64_t kin__round_look(kin__rounds *r)
{
    for (;;) {
        uint64_t seen = atomic_load(&r->word);
        if (PHASE(seen) != RESETTING) {
            return seen;
        }
        kin__cells c = kin__round_cells(r);
        for (uint32_t i = 0; i < c.n; i++) {
            tell(&c.at[i], ROUND(seen));
            KIN__STEP("barrier.told");
        }
        if (kin__word_change(&r->word, seen, WORD(NEXT(ROUND(seen)), FILLING))) {
            KIN__STEP("barrier.reset");
            kin__gate_open(&r->gate);
        }
    }
}

bool kin__round_change(kin__rounds *r, uint64_t seen, uint64_t to)
{
    if (!kin__word_change(&r->word, seen, to)) {
        return false;
    }
    KIN__STEP("barrier.changed");
    kin__gate_open(&r->gate);
    return true;
}

bool kin__round_break(kin__rounds *r, uint64_t seen)
{
    return kin__round_change(r, seen, WORD(ROUND(seen), BROKEN));
}

/* ---- who has come ----------------------------------------------------------------------- */

static bool has_come(uint64_t cell, uint64_t round)
{
    return KIN__CELL_TAG(cell) == round && KIN__CELL_STATE(cell) == CAME;
}

uint32_t kin__round_count(const kin__rounds *r, uint64_t round)
{
    uint32_t count = 0;
    kin__cells c = kin__round_cells(r);
    for (uint32_t i = 0; i < c.n; i++) {
        count += has_come(atomic_load(&c.at[i]), round);
    }
    return count;
}

/* From the end, where those who come last are. */
bool kin__round_is_full(const kin__rounds *r, uint64_t round)
{
    kin__cells c = kin__round_cells(r);
    uint32_t i = c.n;
    while (i > 0 && has_come(atomic_load(&c.at[i - 1]), round)) {
        i--;
    }
    return i == 0;
}

void kin__round_ask_after(kin__rounds *r, uint64_t seen)
{
    kin__cells c = kin__round_cells(r);
    for (uint32_t i = 0; i < c.n && PHASE(seen) != BROKEN; i++) {
        uint64_t cell = atomic_load(&c.at[i]);
        if (has_come(cell, ROUND(seen)) && !kin__alive(KIN__CELL_WHO(cell))) {
            (void)kin__round_break(r, seen);
            return;
        }
    }
}

/* ---- coming and leaving ----------------------------------------------------------------- */

/* R1. */
static bool is_old(uint64_t cell, uint64_t round, bool dead_too)
{
    bool is_dead = dead_too && !kin__alive(KIN__CELL_WHO(cell));
    bool is_now = KIN__CELL_TAG(cell) == round;
    switch (KIN__CELL_STATE(cell)) {
    case EMPTY:
        return true;
    case PENDING:
        return !is_now || is_dead;
    case CAME:
        return !is_now;
    default:
        return is_dead; /* TOLD */
    }
}

static uint64_t may_come(uint64_t seen, bool dead_too, const void *ctx)
{
    const kin__party *p = ctx;
    bool may = !IS_NEWER(KIN__CELL_TAG(seen), p->round) && is_old(seen, p->round, dead_too);
    return may ? KIN__CELL(p->round, PENDING, p->self) : 0;
}

/* From our own state to another; false when somebody has changed it. */
static bool go_on(const kin__party *p, enum state from, enum state to)
{
    return kin__word_change(p->cell.at, KIN__CELL(p->round, from, p->self),
                            KIN__CELL(p->round, to, to == EMPTY ? KIN__NOBODY : p->self));
}

bool kin__round_come(kin__rounds *r, uint64_t seen, kin__party *p)
{
    p->round = ROUND(seen);
    p->cell.index = 0;
    if (PHASE(seen) != FILLING || !kin__cells_claim(kin__round_cells(r), may_come, p, &p->cell)) {
        return false;
    }
    KIN__STEP("barrier.pending");
    bool came = atomic_load(&r->word) == seen; /* R2 */
    came = go_on(p, PENDING, came ? CAME : EMPTY) && came;
    if (came) {
        KIN__STEP("barrier.came");
    }
    return came;
}

bool kin__round_leave(kin__rounds *r, const kin__party *p)
{
    uint64_t seen = kin__round_look(r);
    if (go_on(p, TOLD, EMPTY)) { /* R3 */
        kin__gate_open(&r->gate);
        return false;
    }
    if (ROUND(seen) != p->round) {
        return true;
    }
    if (!go_on(p, CAME, EMPTY)) { /* R4 */
        (void)go_on(p, TOLD, EMPTY);
    }
    return false;
}
