/* barrier.c - so many parties wait until all have come.
 *
 * Idea. The barrier counts its rounds, and has a cell for each party. Who comes writes his name and the
 * round into a cell; the cell's number is what he gets. When all cells say "came, this round", the
 * round goes up by one, and whoever sees that it is not his any more goes. So the next round can
 * begin while some are still leaving: their cells are old then, and free for others.
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
 *   R1  A cell is claimed by one CAS to PENDING, which names the claimer: from EMPTY, or from what is of
 *       an older round, or a dead process's. Never from what is of a newer round.
 *   R2  He then looks whether the round is still FILLING, and only then says CAME. So who resets finds
 *       him in the cell, or he finds that it was reset; and nobody PENDING is ever counted.
 *   R3  Who resets goes through the cells between RESETTING and the next round, and whoever finds the
 *       barrier RESETTING helps: what is CAME becomes TOLD, what is PENDING becomes EMPTY. A TOLD cell is
 *       nobody else's until its owner has seen it, or is dead. Thus who sees a later round went
 *       through, unless his cell is TOLD.
 *   R4  Who leaves a BROKEN round empties his cell, lest a reset tell it to nobody.
 *   R5  Who waits does so in naps, and looks whether all who came live; if not he breaks the barrier.
 *   R6  Rounds begin anywhere, so that a CAS that is late for a barrier that was freed finds nothing
 *       of what it expects in the one that is made there next.
 *
 * Death. Killed before CAME: he has not come. After it, before the round went up, also in the action:
 * R5. After the round went up, before the others were woken: their naps end. In a reset: R3.
 */
#include "../os/module.h"
#include "room.h"

#include <kin/condition.h>
#include <string.h>

#define PARTIES_MOST 65535u

enum phase { FILLING, ACTING, BROKEN, RESETTING };
enum state { EMPTY, PENDING, CAME, TOLD };

#define ROUND_BITS 35
#define ROUND_MASK (((uint64_t)1 << ROUND_BITS) - 1)
#define NEXT(round) (((round) + 1) & ROUND_MASK)
#define IS_NEWER(round, other) ((((round) - (other)-1) & ROUND_MASK) < ROUND_MASK / 2)

#define WORD(round, phase) ((uint64_t)(round) << 2 | (uint64_t)(phase))
#define PHASE(word) ((enum phase)((word)&3u))
#define ROUND(word) ((word) >> 2 & ROUND_MASK)

#define CELL(round, state, who)                                                                    \
    ((uint64_t)(round) << (KIN__ID_BITS + 2) | (uint64_t)(state) << KIN__ID_BITS | (uint64_t)(who))
#define CELL_ROUND(cell) ((cell) >> (KIN__ID_BITS + 2))
#define CELL_STATE(cell) ((enum state)((cell) >> KIN__ID_BITS & 3u))
#define CELL_WHO(cell) ((kin__id)((cell) & (((uint64_t)1 << KIN__ID_BITS) - 1)))

/* What lies behind a kin_barrier. */
typedef struct barrier {
    kin__head head;
    _Atomic uint64_t word;
    _Atomic uintptr_t cells;
    uint64_t action[2]; /* its module and the place there; both 0: none */
    void *ctx;
    double timeout;
    kin__gate gate;
    _Atomic uint32_t parties;
} barrier;

_Static_assert(sizeof(barrier) == sizeof(kin_barrier), "condition.h has room for it");
_Static_assert(kin_barrier_KIND == KIN__BARRIER, "condition.h says what the domain says");

static barrier *barrier_at(const kin_barrier *b)
{
    return (barrier *)(void *)b;
}

typedef struct cells {
    _Atomic uint64_t *at;
    uint32_t n; /* 0: what says where they are was scribbled over */
} cells;

static cells cells_of(const barrier *b)
{
    cells c = { (_Atomic uint64_t *)atomic_load(&b->cells), atomic_load(&b->parties) };
    bool whole = c.n <= PARTIES_MOST && kin__in_domain(c.at, c.n * sizeof *c.at);
    c.n = whole ? c.n : 0;
    return c;
}

/* ---- the beginning and the end ---------------------------------------------------------- */

static int check_options(unsigned parties, const kin_barrier_options *o, const char *verb)
{
    if (parties == 0 || parties > PARTIES_MOST) {
        return kin__fail(KIN_ERANGE, "%s: %u parties are not between 1 and %u", verb, parties,
                         PARTIES_MOST);
    }
    if (o == NULL) {
        return 0;
    }
    if (kin__any_set(o->reserved)) {
        return kin__fail(KIN_EINVAL, "%s: the barrier's reserved options must be zero", verb);
    }
    if (!(o->timeout >= 0)) {
        return kin__fail(KIN_EINVAL, "%s: the option timeout is %g seconds", verb, o->timeout);
    }
    if (o->ctx != NULL && !kin__in_domain(o->ctx, 1)) {
        return kin__fail(KIN_EINVAL, "%s: the option ctx is not in the family's memory (kin_alloc)",
                         verb);
    }
    return 0;
}

/* The action as it can be found in another program image. */
static int pack_action(const kin_barrier_options *o, const char *verb, uint64_t ret[2])
{
    ret[0] = ret[1] = 0;
    if (o != NULL && o->action != NULL &&
        kin__os_module_of((uintptr_t)o->action, &ret[0], &ret[1]) < 0) {
        return kin__fail(KIN_ENOTFOUND, "%s: the action is in no module of this program", verb);
    }
    return 0;
}

static void begin(barrier *b, unsigned parties, const kin_barrier_options *o, void *cells_at)
{
    uint64_t round = (uint64_t)kin__os_now() & ROUND_MASK; /* R6 */
    b->ctx = o != NULL ? o->ctx : NULL;
    b->timeout = o != NULL ? o->timeout : 0;
    atomic_store(&b->word, WORD(NEXT(round), FILLING));
    atomic_store(&b->parties, parties);
    atomic_store(&b->cells, (uintptr_t)cells_at);
    cells c = cells_of(b);
    for (uint32_t i = 0; i < c.n; i++) {
        atomic_store(&c.at[i], CELL(round, EMPTY, KIN__NOBODY));
    }
    kin__gate_renew(&b->gate);
    KIN__STEP("barrier.new");
}

int kin_barrier_new(kin_barrier **ret_barrier, unsigned parties, const kin_barrier_options *options)
{
    if (ret_barrier == NULL) {
        return kin__fail(KIN_EINVAL, "kin_barrier_new: nowhere to put the barrier (NULL)");
    }
    uint64_t action[2];
    int rv = check_options(parties, options, "kin_barrier_new");
    rv = rv < 0 ? rv : pack_action(options, "kin_barrier_new", action);
    size_t size = sizeof(kin_barrier) + parties * sizeof(uint64_t);
    kin_barrier *made = rv < 0 ? NULL : kin__head_new(size, KIN__BARRIER);
    if (made == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    begin(barrier_at(made), parties, options, made + 1);
    memcpy(barrier_at(made)->action, action, sizeof action);
    kin__head_begin(made, KIN__BARRIER);
    kin__block_give(made);
    *ret_barrier = made;
    return 0;
}

int kin_barrier_init(kin_barrier *public, unsigned parties, const kin_barrier_options *options)
{
    uint64_t action[2];
    int rv = check_options(parties, options, "kin_barrier_init");
    rv = rv < 0 ? rv : pack_action(options, "kin_barrier_init", action);
    rv = rv < 0 ? rv : kin__head_place(public, sizeof *public, "kin_barrier_init");
    void *cells_at = rv < 0 ? NULL : kin__block_new(parties * sizeof(uint64_t), KIN__BARRIER);
    if (cells_at == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    begin(barrier_at(public), parties, options, cells_at);
    memcpy(barrier_at(public)->action, action, sizeof action);
    kin__block_give(cells_at);
    kin__head_begin(public, KIN__BARRIER);
    return 0;
}

static bool end(kin_barrier *public, bool block, const char *what)
{
    barrier *b = barrier_at(public);
    if (!kin__head_end(b, KIN__BARRIER, block, what)) {
        return false;
    }
    KIN__STEP("barrier.ended");
    kin__gate_open(&b->gate); /* were we killed before it, they would nap */
    if (!block) {
        (void)kin__block_free((void *)atomic_load(&b->cells));
    }
    return true;
}

void kin_barrier_free(kin_barrier *b)
{
    if (b != NULL && end(b, true, "kin_barrier_free: the barrier")) {
        kin__head_discard(b);
    }
}

void kin_barrier_done(kin_barrier *b)
{
    if (b != NULL) {
        (void)end(b, false, "kin_barrier_done: the barrier");
    }
}

/* ---- the barrier's word ----------------------------------------------------------------- */

static void tell(cells c, uint64_t round)
{
    for (uint32_t i = 0; i < c.n; i++) {
        for (;;) {
            uint64_t seen = atomic_load(&c.at[i]);
            bool came = CELL_STATE(seen) == CAME;
            bool pending = CELL_STATE(seen) == PENDING;
            uint64_t next =
                came ? CELL(round, TOLD, CELL_WHO(seen)) : CELL(round, EMPTY, KIN__NOBODY);
            if (CELL_ROUND(seen) != round || (!came && !pending) ||
                atomic_compare_exchange_strong(&c.at[i], &seen, next)) {
                break;
            }
        }
        KIN__STEP("barrier.told");
    }
}

/* Its word, never RESETTING: that is helped along (R3). */
static uint64_t look(barrier *b)
{
    for (;;) {
        uint64_t seen = atomic_load(&b->word);
        if (PHASE(seen) != RESETTING) {
            return seen;
        }
        tell(cells_of(b), ROUND(seen));
        if (atomic_compare_exchange_strong(&b->word, &seen, WORD(NEXT(ROUND(seen)), FILLING))) {
            KIN__STEP("barrier.reset");
            kin__gate_open(&b->gate);
        }
    }
}

/* From what was seen to another; wakes all who wait. */
static bool change(barrier *b, uint64_t seen, uint64_t to)
{
    if (!atomic_compare_exchange_strong(&b->word, &seen, to)) {
        return false;
    }
    KIN__STEP("barrier.changed");
    kin__gate_open(&b->gate);
    return true;
}

static bool break_it(barrier *b, uint64_t seen)
{
    return change(b, seen, WORD(ROUND(seen), BROKEN));
}

/* Breaks the barrier if somebody died who had come: R5. */
static void look_for_dead(barrier *b, uint64_t seen)
{
    cells c = cells_of(b);
    for (uint32_t i = 0; i < c.n && PHASE(seen) != BROKEN; i++) {
        uint64_t cell = atomic_load(&c.at[i]);
        if (CELL_ROUND(cell) == ROUND(seen) && CELL_STATE(cell) == CAME &&
            !kin__alive(CELL_WHO(cell))) {
            (void)break_it(b, seen);
            return;
        }
    }
}

static bool is_full(cells c, uint64_t round)
{
    for (uint32_t i = c.n; i > 0; i--) {
        uint64_t cell = atomic_load(&c.at[i - 1]);
        if (CELL_ROUND(cell) != round || CELL_STATE(cell) != CAME) {
            return false;
        }
    }
    return true;
}

/* ---- coming ----------------------------------------------------------------------------- */

typedef struct party {
    barrier *b;
    uint32_t serial; /* which barrier we came for */
    kin__id self;
    int64_t deadline;
    uint64_t round;
    uint32_t index;
} party;

static bool is_still(const party *p)
{
    return kin__head_is_still(p->b, KIN__BARRIER, p->serial);
}

static int fail_closed(void)
{
    return kin__fail(KIN_ECLOSED, "kin_barrier_wait: the barrier was freed meanwhile");
}

static int fail_broken(void)
{
    return kin__fail(KIN_EBROKEN, "kin_barrier_wait: the barrier is broken");
}

/* Whether a cell can be had for this round: R1. */
static bool is_old(uint64_t cell, uint64_t round, bool looks_for_dead)
{
    bool is_now = CELL_ROUND(cell) == round;
    if (IS_NEWER(CELL_ROUND(cell), round)) {
        return false;
    }
    switch (CELL_STATE(cell)) {
    case EMPTY:
        return true;
    case CAME:
        return !is_now;
    case PENDING:
        return !is_now || (looks_for_dead && !kin__alive(CELL_WHO(cell)));
    case TOLD:
        return looks_for_dead && !kin__alive(CELL_WHO(cell));
    }
    return false;
}

static bool claim(party *p, cells c)
{
    uint64_t ours = CELL(p->round, PENDING, p->self);
    for (uint32_t i = 0; i < 2 * c.n; i++) {
        p->index = i % c.n;
        uint64_t seen = atomic_load(&c.at[p->index]);
        if (is_old(seen, p->round, i >= c.n) &&
            atomic_compare_exchange_strong(&c.at[p->index], &seen, ours)) {
            KIN__STEP("barrier.pending");
            return true;
        }
    }
    return false;
}

/* From our own state to another; false when somebody has changed it. */
static bool go_on(const party *p, enum state from, enum state to)
{
    cells c = cells_of(p->b);
    uint64_t seen = CELL(p->round, from, p->self);
    uint64_t next = CELL(p->round, to, to == EMPTY ? KIN__NOBODY : p->self);
    return p->index < c.n && atomic_compare_exchange_strong(&c.at[p->index], &seen, next);
}

/* Whether we have come; if not, there is no place just now, or things have changed: R2. */
static bool has_come(party *p, uint64_t seen)
{
    p->round = ROUND(seen);
    if (PHASE(seen) != FILLING || !claim(p, cells_of(p->b))) {
        return false;
    }
    if (atomic_load(&p->b->word) != seen) {
        (void)go_on(p, PENDING, EMPTY);
        return false;
    }
    bool came = go_on(p, PENDING, CAME);
    KIN__STEP("barrier.came");
    return came;
}

/* 0 or why not; KIN_EAGAIN, without a sentence: there is no place just now. */
static int try_to_come(party *p, uint64_t *ret_seen)
{
    if (!is_still(p)) {
        return fail_closed();
    }
    *ret_seen = look(p->b);
    if (PHASE(*ret_seen) == BROKEN) {
        return fail_broken();
    }
    return has_come(p, *ret_seen) ? 0 : KIN_EAGAIN;
}

static int nap(const party *p, uint32_t ticket)
{
    if (!kin__may_wait(p->deadline)) {
        return KIN_ETIMEDOUT;
    }
    kin__note_wait(p->b);
    int rv = kin__gate_sleep(&p->b->gate, ticket, p->deadline, true);
    kin__note_woken(p->b);
    return rv;
}

/* Comes, in this round or the next. 0 or why not. */
static int arrive(party *p)
{
    uint64_t seen;
    int rv = try_to_come(p, &seen);
    while (rv == KIN_EAGAIN) {
        uint32_t ticket = kin__gate_ticket(&p->b->gate);
        look_for_dead(p->b, seen);
        rv = try_to_come(p, &seen);
        if (rv != KIN_EAGAIN) {
            break;
        }
        int slept = nap(p, ticket);
        if (slept == KIN_ETIMEDOUT && break_it(p->b, seen)) {
            return kin__fail(slept, "kin_barrier_wait: there was no place in time");
        }
        rv = slept < 0 && slept != KIN_ETIMEDOUT ? slept : rv;
    }
    return rv;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* Whether the wait is over. */
static bool is_over(void *ctx)
{
    const party *p = ctx;
    if (!is_still(p)) {
        return true;
    }
    uint64_t seen = look(p->b);
    return ROUND(seen) != p->round || PHASE(seen) == BROKEN;
}

/* Once it is. */
static int outcome(const party *p)
{
    if (!is_still(p)) {
        return fail_closed();
    }
    uint64_t seen = look(p->b);
    if (go_on(p, TOLD, EMPTY)) { /* R3 */
        kin__gate_open(&p->b->gate);
        return fail_broken();
    }
    if (ROUND(seen) != p->round) {
        return (int)p->index;
    }
    if (!go_on(p, CAME, EMPTY)) { /* R4 */
        (void)go_on(p, TOLD, EMPTY);
    }
    return fail_broken();
}

/* Our time is over. */
static int give_up(const party *p)
{
    uint64_t seen = look(p->b);
    while (ROUND(seen) == p->round && PHASE(seen) != BROKEN) {
        if (break_it(p->b, seen)) {
            (void)outcome(p);
            return kin__fail(KIN_ETIMEDOUT, "kin_barrier_wait: not all have come in time");
        }
        seen = look(p->b);
    }
    return outcome(p);
}

static int wait_for_others(party *p)
{
    if (kin__may_wait(p->deadline)) {
        (void)kin__spin(is_over, p);
    }
    while (!is_over(p)) {
        uint32_t ticket = kin__gate_ticket(&p->b->gate);
        look_for_dead(p->b, look(p->b));
        if (is_over(p)) {
            break;
        }
        KIN__STEP("barrier.waiting");
        int rv = nap(p, ticket);
        if (rv < 0 && is_still(p)) {
            int gone = give_up(p);
            return rv == KIN_ETIMEDOUT || gone >= 0 ? gone : rv;
        }
    }
    return outcome(p);
}

/* ---- all have come ---------------------------------------------------------------------- */

/* Calls the action, and lets the round end. */
static int act(const party *p)
{
    barrier *b = p->b;
    uintptr_t at;
    int rv = kin__os_module_at(b->action[0], b->action[1], &at);
    KIN__STEP("barrier.acting");
    if (rv < 0) {
        (void)break_it(b, WORD(p->round, ACTING));
        (void)outcome(p);
        return kin__fail(KIN_ENOTFOUND, "kin_barrier_wait: this process has not loaded the action");
    }
    ((void (*)(void *))at)(b->ctx);
    KIN__STEP("barrier.acted");
    if (is_still(p)) {
        (void)change(b, WORD(p->round, ACTING), WORD(NEXT(p->round), FILLING));
    }
    return outcome(p);
}

/* Once we have come. */
static int pass(party *p)
{
    barrier *b = p->b;
    if (is_full(cells_of(b), p->round)) {
        bool acts = (b->action[0] | b->action[1]) != 0;
        uint64_t all_came = WORD(p->round, FILLING);
        look_for_dead(b, all_came);
        if (!acts && change(b, all_came, WORD(NEXT(p->round), FILLING))) {
            return (int)p->index;
        }
        if (acts && atomic_compare_exchange_strong(&b->word, &all_came, WORD(p->round, ACTING))) {
            return act(p);
        }
    }
    return wait_for_others(p);
}

/* ---- verbs and questions ---------------------------------------------------------------- */

static int check(const kin_barrier *public, const char *what)
{
    int rv = kin__head_check(public, KIN__BARRIER, what);
    if (rv == 0 && cells_of(barrier_at(public)).n == 0) {
        return kin__fail(KIN_ECORRUPT, "%s does not say where its parties are", what);
    }
    return rv;
}

int kin_barrier_wait(kin_barrier *public, double timeout)
{
    barrier *b = barrier_at(public);
    party p = { .b = b };
    int rv = check(public, "kin_barrier_wait: the barrier");
    rv = rv < 0 ? rv : kin__deadline(timeout, &p.deadline);
    if (rv == 0 && p.deadline == KIN__NEVER && b->timeout > 0) {
        rv = kin__deadline(b->timeout, &p.deadline);
    }
    if (rv < 0) {
        return rv;
    }
    p.serial = kin__head_serial(b);
    p.self = kin__self();
    if (p.self == KIN__NOBODY) {
        return kin__failure();
    }
    rv = arrive(&p);
    return rv < 0 ? rv : pass(&p);
}

int kin_barrier_abort(kin_barrier *public)
{
    int rv = check(public, "kin_barrier_abort: the barrier");
    barrier *b = barrier_at(public);
    while (rv == 0) {
        uint64_t seen = look(b);
        if (PHASE(seen) == BROKEN || break_it(b, seen)) {
            break;
        }
    }
    return rv;
}

int kin_barrier_reset(kin_barrier *public)
{
    int rv = check(public, "kin_barrier_reset: the barrier");
    barrier *b = barrier_at(public);
    while (rv == 0) {
        uint64_t seen = look(b);
        if (atomic_compare_exchange_strong(&b->word, &seen, WORD(ROUND(seen), RESETTING))) {
            KIN__STEP("barrier.resetting");
            (void)look(b);
            break;
        }
    }
    return rv;
}

int kin_barrier_parties(const kin_barrier *b)
{
    int rv = check(b, "kin_barrier_parties: the barrier");
    return rv < 0 ? rv : (int)atomic_load(&barrier_at(b)->parties);
}

/* Its word, after a look for dead parties. */
static uint64_t ask(const kin_barrier *public)
{
    barrier *b = barrier_at(public);
    look_for_dead(b, look(b));
    return look(b);
}

int kin_barrier_n_waiting(const kin_barrier *b)
{
    int count = 0;
    int rv = check(b, "kin_barrier_n_waiting: the barrier");
    if (rv < 0) {
        return rv;
    }
    uint64_t seen = ask(b);
    cells c = cells_of(barrier_at(b));
    for (uint32_t i = 0; i < c.n && PHASE(seen) != BROKEN; i++) {
        uint64_t cell = atomic_load(&c.at[i]);
        count += CELL_ROUND(cell) == ROUND(seen) && CELL_STATE(cell) == CAME;
    }
    return count;
}

bool kin_barrier_broken(const kin_barrier *b)
{
    return check(b, "kin_barrier_broken: the barrier") == 0 && PHASE(ask(b)) == BROKEN;
}
