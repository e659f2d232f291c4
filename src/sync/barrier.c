/* barrier.c - so many parties wait until all have come.
 *
 * Idea. Who has come and which round it is, is in round.c. Here is how one waits for that: whoever
 * completes a round acts, if there is something to do, and lets it go up; the others look at the
 * round, at first busily, then between naps.
 *
 *     arrive ---- no place yet: nap ----+      the round is full: act, next round --> a number
 *        ^                              |     /
 *        +------------------------------+  pass
 *                                             \
 *                                              not all have come: nap, ask after those who have
 *                                                  --> a number, KIN_EBROKEN, KIN_ETIMEDOUT
 * Rules.
 *   R1  Who waits does so in naps, and looks whether all who came live; if not he breaks the
 *       barrier.
 *   R2  Whose time is over before he had a place breaks nothing: nobody waits for him, for those of
 *       this round have all come.
 *   R3  Which barrier one came for is told by its serial: the memory may be another one's after a
 *       sleep.
 *
 * Death. Killed before he had come, nothing happened. Killed while he waits, or in the action: R1.
 * Killed after the round went up, before the others were woken: their naps end. Killed in
 * kin_barrier_free: the same.
 *
 * Not here. Cells, rounds, resets (round.c).
 */
#include "../os/module.h"
#include "round.h"

#include <kin/condition.h>
#include <string.h>

#define PARTIES_MOST KIN__CELLS_MOST

/* What lies behind a kin_barrier. */
typedef struct barrier {
    kin__head head;
    kin__rounds rounds;
    uint64_t action[2]; /* its module and the place there; both 0: none */
    void *ctx;
    double timeout;
} barrier;

_Static_assert(sizeof(barrier) == sizeof(kin_barrier), "condition.h has room for it");
_Static_assert(kin_barrier_KIND == KIN__BARRIER, "condition.h says what the domain says");

static barrier *barrier_at(const kin_barrier *b)
{
    return (barrier *)(void *)b;
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
    b->ctx = o != NULL ? o->ctx : NULL;
    b->timeout = o != NULL ? o->timeout : 0;
    kin__round_begin(&b->rounds, parties, cells_at);
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
    kin__gate_open(&b->rounds.gate); /* were we killed before it, they would nap */
    if (!block) {
        (void)kin__block_free((void *)atomic_load(&b->rounds.cells));
    }
    return true;
}

void kin_barrier_free(kin_barrier *b)
{
    if (b != NULL && !kin__remote_free(b, KIN__BARRIER) &&
        end(b, true, "kin_barrier_free: the barrier")) {
        kin__head_discard(b);
    }
}

void kin_barrier_done(kin_barrier *b)
{
    if (b != NULL) {
        (void)end(b, false, "kin_barrier_done: the barrier");
    }
}

/* ---- coming ----------------------------------------------------------------------------- */

typedef struct visit {
    barrier *b;
    kin__rounds *rounds; /* its */
    uint32_t serial;     /* R3 */
    int64_t deadline;
    kin__party party;
} visit;

static bool is_still(const visit *v)
{
    return kin__head_is_still(v->b, KIN__BARRIER, v->serial);
}

static int fail_closed(void)
{
    return kin__fail(KIN_ECLOSED, "kin_barrier_wait: the barrier was freed meanwhile");
}

static int fail_broken(void)
{
    return kin__fail(KIN_EBROKEN, "kin_barrier_wait: the barrier is broken");
}

/* 0 or why not; KIN_EAGAIN, without a sentence: there is no place just now. */
static int try_to_come(visit *v, uint64_t *ret_seen)
{
    if (!is_still(v)) {
        return fail_closed();
    }
    *ret_seen = kin__round_look(v->rounds);
    if (PHASE(*ret_seen) == BROKEN) {
        return fail_broken();
    }
    return kin__round_come(v->rounds, *ret_seen, &v->party) ? 0 : KIN_EAGAIN;
}

static int nap(const visit *v, uint32_t ticket)
{
    if (!kin__may_wait(v->deadline)) {
        return KIN_ETIMEDOUT;
    }
    kin__note_wait(v->b);
    int rv = kin__gate_sleep(&v->rounds->gate, ticket, v->deadline, true);
    kin__note_woken(v->b);
    return rv;
}

/* Comes, in this round or the next. 0 or why not. */
static int arrive(visit *v)
{
    uint64_t seen;
    int slept = 0;
    int rv = try_to_come(v, &seen);
    while (rv == KIN_EAGAIN && slept == 0) {
        uint32_t ticket = kin__gate_ticket(&v->rounds->gate);
        kin__round_ask_after(v->rounds, seen);
        rv = try_to_come(v, &seen);
        slept = rv == KIN_EAGAIN ? nap(v, ticket) : 0;
    }
    if (slept == KIN_ETIMEDOUT) { /* R2 */
        return kin__fail(slept, "kin_barrier_wait: there was no place in time");
    }
    return slept < 0 ? slept : rv;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* Whether the wait is over. */
static bool is_over(void *ctx)
{
    const visit *v = ctx;
    if (!is_still(v)) {
        return true;
    }
    uint64_t seen = kin__round_look(v->rounds);
    return ROUND(seen) != v->party.round || PHASE(seen) == BROKEN;
}

/* Once it is. */
static int outcome(const visit *v)
{
    if (!is_still(v)) {
        return fail_closed();
    }
    return kin__round_leave(v->rounds, &v->party) ? (int)v->party.cell.index : fail_broken();
}

/* Our time is over, or we were interrupted. */
static int give_up(const visit *v, int why)
{
    uint64_t seen = kin__round_look(v->rounds);
    while (ROUND(seen) == v->party.round && PHASE(seen) != BROKEN) {
        if (kin__round_break(v->rounds, seen)) {
            (void)outcome(v);
            return kin__fail(why, "kin_barrier_wait: not all have come %s",
                             why == KIN_EINTR ? "before an interruption" : "in time");
        }
        seen = kin__round_look(v->rounds);
    }
    if (why == KIN_EINTR) {
        kin__os_interrupt_again();
    }
    return outcome(v);
}

static int wait_for_others(visit *v)
{
    if (kin__may_wait(v->deadline)) {
        (void)kin__spin(is_over, v);
    }
    while (!is_over(v)) {
        uint32_t ticket = kin__gate_ticket(&v->rounds->gate);
        kin__round_ask_after(v->rounds, kin__round_look(v->rounds)); /* R1 */
        if (is_over(v)) {
            break;
        }
        KIN__STEP("barrier.waiting");
        int rv = nap(v, ticket);
        if (rv < 0 && is_still(v)) {
            return give_up(v, rv);
        }
    }
    return outcome(v);
}

/* ---- all have come ---------------------------------------------------------------------- */

/* Calls the action, and lets the round end. */
static int act(const visit *v)
{
    barrier *b = v->b;
    uint64_t round = v->party.round;
    uintptr_t at;
    int rv = kin__os_module_at(b->action[0], b->action[1], &at);
    KIN__STEP("barrier.acting");
    if (rv < 0) {
        (void)kin__round_break(v->rounds, WORD(round, ACTING));
        (void)outcome(v);
        return kin__fail(KIN_ENOTFOUND, "kin_barrier_wait: this process has not loaded the action");
    }
    ((void (*)(void *))at)(b->ctx);
    KIN__STEP("barrier.acted");
    if (is_still(v)) {
        (void)kin__round_change(v->rounds, WORD(round, ACTING), WORD(NEXT(round), FILLING));
    }
    return outcome(v);
}

/* Once we have come. */
static int pass(visit *v)
{
    uint64_t round = v->party.round;
    if (kin__round_is_full(v->rounds, round)) {
        bool acts = (v->b->action[0] | v->b->action[1]) != 0;
        uint64_t all_came = WORD(round, FILLING);
        kin__round_ask_after(v->rounds, all_came);
        if (!acts && kin__round_change(v->rounds, all_came, WORD(NEXT(round), FILLING))) {
            return (int)v->party.cell.index;
        }
        if (acts && kin__word_change(&v->rounds->word, all_came, WORD(round, ACTING))) {
            return act(v);
        }
    }
    return wait_for_others(v);
}

/* ---- verbs and questions ---------------------------------------------------------------- */

static int check(const kin_barrier *public, const char *what)
{
    int rv = kin__head_check(public, KIN__BARRIER, what);
    if (rv == 0 && kin__round_cells(&barrier_at(public)->rounds).n == 0) {
        return kin__fail(KIN_ECORRUPT, "%s does not say where its parties are", what);
    }
    return rv;
}

int kin_barrier_wait(kin_barrier *public, double timeout)
{
    barrier *b = barrier_at(public);
    visit v = { .b = b };
    int rv = check(public, "kin_barrier_wait: the barrier");
    if (rv < 0) {
        return kin__remote_wait(public, KIN__BARRIER, timeout, rv);
    }
    rv = kin__deadline(timeout, &v.deadline);
    if (rv == 0 && v.deadline == KIN__NEVER && b->timeout > 0) {
        rv = kin__deadline(b->timeout, &v.deadline);
    }
    if (rv < 0) {
        return rv;
    }
    v.rounds = &b->rounds;
    v.serial = kin__head_serial(b);
    v.party.self = kin__actor();
    if (v.party.self == KIN__NOBODY) {
        return kin__failure();
    }
    rv = arrive(&v);
    return rv < 0 ? rv : pass(&v);
}

int kin_barrier_abort(kin_barrier *public)
{
    int rv = check(public, "kin_barrier_abort: the barrier");
    if (rv < 0) {
        return kin__remote_tell(public, KIN__BARRIER, "abort", rv);
    }
    kin__rounds *r = &barrier_at(public)->rounds;
    uint64_t seen;
    do {
        seen = kin__round_look(r);
    } while (PHASE(seen) != BROKEN && !kin__round_break(r, seen));
    return 0;
}

int kin_barrier_reset(kin_barrier *public)
{
    int rv = check(public, "kin_barrier_reset: the barrier");
    if (rv < 0) {
        return kin__remote_tell(public, KIN__BARRIER, "reset", rv);
    }
    kin__rounds *r = &barrier_at(public)->rounds;
    uint64_t seen;
    do {
        seen = kin__round_look(r);
    } while (!kin__word_change(&r->word, seen, WORD(ROUND(seen), RESETTING)));
    KIN__STEP("barrier.resetting");
    (void)kin__round_look(r);
    return 0;
}

int kin_barrier_parties(const kin_barrier *b)
{
    int rv = check(b, "kin_barrier_parties: the barrier");
    return rv < 0 ? kin__remote_read(b, KIN__BARRIER, "parties", rv)
                  : (int)atomic_load(&barrier_at(b)->rounds.parties);
}

/* Its word, after a look for dead parties. */
static uint64_t ask(const kin_barrier *public)
{
    kin__rounds *r = &barrier_at(public)->rounds;
    kin__round_ask_after(r, kin__round_look(r));
    return kin__round_look(r);
}

int kin_barrier_n_waiting(const kin_barrier *b)
{
    int rv = check(b, "kin_barrier_n_waiting: the barrier");
    if (rv < 0) {
        return kin__remote_read(b, KIN__BARRIER, "n_waiting", rv);
    }
    uint64_t seen = ask(b);
    bool whole = PHASE(seen) != BROKEN;
    return whole ? (int)kin__round_count(&barrier_at(b)->rounds, ROUND(seen)) : rv;
}

bool kin_barrier_broken(const kin_barrier *b)
{
    int rv = check(b, "kin_barrier_broken: the barrier");
    return rv < 0 ? kin__remote_read(b, KIN__BARRIER, "broken", 0) > 0 : PHASE(ask(b)) == BROKEN;
}
