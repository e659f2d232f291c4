/* line.c - those who wait for a condition, in the order in which they came.
 *
 * Idea. Who waits has a cell with his name, his place in the line, and a word of its own to sleep
 * on. Cells come in chunks, which are linked one behind the other and stay until the line is
 * discarded.
 *
 *     line --> chunk --------> chunk --> (none yet)
 *              [ who | order | word ]  [ free ]  [ who | order | word ] ...
 *
 *     a cell:  free --claim--> ours, no order --publish--> in the line
 *     its word:  AWAKE --> ASLEEP --notify--> NOTIFIED
 *                  \----notify---------^
 *
 * Who enters, notifies or leaves holds the condition's lock. So it is deaths that we guard against,
 * and they may come between any two steps.
 *
 * Rules.
 *   R1  A cell is claimed by one CAS that names the claimer, from free or from a dead process; one
 *       store of the order puts it into the line.
 *   R2  To notify is one CAS from AWAKE, or one system call that writes NOTIFIED and wakes: a
 *       sleeper who was not woken was not notified. So sleepers need not tick.
 *   R3  A dead waiter's cell is freed by who would have notified it, and he takes the next.
 *   R4  A new chunk is linked while it is still its maker's. Who follows a link makes the chunk the
 *       family's; if its maker died and it was swept, the link is as good as none.
 *   R5  CLOSING is set before the sleepers are told that it is over: who is in the line by then is
 *       told, who comes later sees it. Whoever finds it set tells them again.
 *   R6  A cell has a cache line of its own, on which its owner looks busily. Where one was, another
 *       cell may be next, or the head of a condition, in which a CAS that is late finds nothing of
 *       what it expects.
 *
 * Death. Killed before he was in the line: his cell is found by R1. In the line: R3. After he was
 * notified: that notification is gone with him, for he may have acted on it. Killed while
 * notifying: some were, the others were not.
 *
 * Not here. The lock, and what it means to wait (condition.c).
 */
#include "line.h"

#include <limits.h>
#include <string.h>

enum { IDLE, AWAKE, ASLEEP, NOTIFIED, CLOSED };

#define CLOSING ((uint64_t)1 << 63) /* in `order` */
#define ORDER_MASK (((uint64_t)1 << (64 - KIN__ID_BITS)) - 1)
#define CLAIM(order, who) (((order)&ORDER_MASK) << KIN__ID_BITS | (uint64_t)(who))
#define ORDER(claim) ((claim) >> KIN__ID_BITS) /* 0: not in the line */
#define WHO(claim) ((kin__id)((claim) & (((uint64_t)1 << KIN__ID_BITS) - 1)))

struct kin__waiter_cell {
    _Alignas(64) _Atomic uint64_t claim; /* 0: free */
    kin__gate gate;                      /* its word is the cell's */
};

typedef struct kin__waiter_cell cell;

enum { CELLS = 15 };

typedef struct chunk {
    uint64_t no_head; /* 0: what lies here is no condition */
    _Atomic kin__ref next;
    cell cells[CELLS];
} chunk;

/* ---- cells ------------------------------------------------------------------------------ */

static chunk *follow(_Atomic kin__ref *link)
{
    kin__ref ref = atomic_load(link);
    return ref != 0 && kin__block_share(ref) ? kin__block_at(ref, KIN__CONDITION, NULL)
                                             : NULL; /* R4 */
}

/* The chunk that another one is linked to, made if need be. */
static chunk *follow_or_make(_Atomic kin__ref *link)
{
    kin__ref seen = atomic_load(link);
    chunk *there = follow(link);
    if (there != NULL) {
        return there;
    }
    chunk *made = kin__block_new(sizeof *made, KIN__CONDITION);
    if (made == NULL) {
        return NULL;
    }
    memset(made, 0, sizeof *made);
    KIN__STEP("condition.chunk");
    if (!atomic_compare_exchange_strong(link, &seen, kin__block_ref(made))) {
        (void)kin__block_free(made); /* somebody else works under a lock that he should not have */
        return follow(link);
    }
    KIN__STEP("condition.linked");
    kin__block_give(made);
    return made;
}

/* Calls visit(cell, ctx) for all cells, until it says that this is the one. */
static cell *find(kin__line *line, bool (*visit)(cell *, void *), void *ctx)
{
    for (chunk *ch = follow(&line->first); ch != NULL; ch = follow(&ch->next)) {
        for (int i = 0; i < CELLS; i++) {
            if (visit(&ch->cells[i], ctx)) {
                return &ch->cells[i];
            }
        }
    }
    return NULL;
}

static bool is_in_line(uint64_t claim, uint32_t word)
{
    return ORDER(claim) != 0 && (word == AWAKE || word == ASLEEP);
}

/* Of a cell in the line: false when it is not any more. */
static bool wake(cell *at, uint32_t news)
{
    uint32_t seen = AWAKE;
    if (atomic_compare_exchange_strong(&at->gate.word, &seen, news)) {
        return true;
    }
    if (seen != ASLEEP) {
        return false;
    }
    kin__os_change_and_wake(&at->gate.word, KIN__SET, (int)news);
    return true;
}

/* ---- the end ---------------------------------------------------------------------------- */

void kin__line_begin(kin__line *line)
{
    atomic_store(&line->first, 0);
    atomic_store(&line->order, 0);
}

static bool close_cell(cell *at, void *ctx)
{
    (void)ctx;
    if (is_in_line(atomic_load(&at->claim), atomic_load(&at->gate.word)) && wake(at, CLOSED)) {
        KIN__STEP("condition.told");
    }
    return false;
}

void kin__line_close(kin__line *line)
{
    atomic_fetch_or(&line->order, CLOSING); /* R5 */
    KIN__STEP("condition.closing");
    (void)find(line, close_cell, NULL);
}

bool kin__line_is_closing(const kin__line *line)
{
    return atomic_load(&line->order) & CLOSING;
}

void kin__line_discard(kin__line *line)
{
    kin__ref ref = atomic_exchange(&line->first, 0);
    while (ref != 0 && kin__block_share(ref)) {
        chunk *ch = kin__block_at(ref, KIN__CONDITION, NULL);
        kin__ref next = ch != NULL ? atomic_load(&ch->next) : 0;
        (void)kin__block_discard(ref);
        ref = next;
    }
}

/* ---- entering and leaving --------------------------------------------------------------- */

static bool claim_free(cell *at, void *self)
{
    uint64_t seen = 0;
    return atomic_load_explicit(&at->claim, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong(&at->claim, &seen, CLAIM(0, *(kin__id *)self));
}

static bool claim_dead(cell *at, void *self)
{
    uint64_t seen = atomic_load(&at->claim);
    return !kin__alive(WHO(seen)) &&
           atomic_compare_exchange_strong(&at->claim, &seen, CLAIM(0, *(kin__id *)self));
}

/* In a chunk that is made for it. */
static cell *claim_new(kin__line *line, kin__id self)
{
    _Atomic kin__ref *link = &line->first;
    for (chunk *ch = follow_or_make(link); ch != NULL; ch = follow_or_make(link)) {
        for (int i = 0; i < CELLS; i++) {
            if (claim_free(&ch->cells[i], &self)) {
                return &ch->cells[i];
            }
        }
        link = &ch->next;
    }
    return NULL;
}

int kin__line_enter(kin__line *line, kin__id self, kin__place_in_line *ret)
{
    cell *at = find(line, claim_free, &self);
    at = at != NULL ? at : find(line, claim_dead, &self);
    at = at != NULL ? at : claim_new(line, self);
    if (at == NULL) {
        return kin__failure();
    }
    KIN__STEP("condition.claimed");
    uint64_t order = 0;
    while ((order & ORDER_MASK) == 0) {
        order = atomic_fetch_add(&line->order, 1) + 1;
    }
    *ret = (kin__place_in_line){ .cell = at, .claim = CLAIM(order, self) };
    /* the second store publishes the first, to whoever notifies or closes */
    atomic_store_explicit(&at->gate.word, AWAKE, memory_order_relaxed);
    atomic_store(&at->claim, ret->claim); /* R1 */
    KIN__STEP("condition.registered");
    return 0;
}

void kin__line_leave(const kin__place_in_line *place)
{
    uint64_t seen = place->claim;
    (void)atomic_compare_exchange_strong(&place->cell->claim, &seen, 0);
}

/* ---- sleeping --------------------------------------------------------------------------- */

bool kin__line_is_told(void *place)
{
    const kin__place_in_line *p = place;
    uint32_t word = atomic_load(&p->cell->gate.word);
    return word != AWAKE && word != ASLEEP;
}

bool kin__line_is_notified(const kin__place_in_line *place)
{
    return atomic_load(&place->cell->gate.word) == NOTIFIED;
}

int kin__line_sleep(const kin__place_in_line *place, int64_t deadline)
{
    kin__gate *gate = &place->cell->gate;
    uint32_t seen = AWAKE;
    if (!kin__may_wait(deadline)) {
        return KIN_ETIMEDOUT;
    }
    if (!atomic_compare_exchange_strong(&gate->word, &seen, ASLEEP) && seen != ASLEEP) {
        return 0;
    }
    KIN__STEP("condition.asleep");
    return kin__gate_sleep(gate, ASLEEP, deadline, false);
}

/* ---- notifying -------------------------------------------------------------------------- */

typedef struct search {
    uint64_t now;     /* the order of the last who came */
    uint64_t younger; /* than so old are those that are looked for */
    uint64_t age;     /* the oldest of them so far */
    cell *oldest;
    unsigned woken;
} search;

/* Tells him; false when he is dead, or was told before. */
static bool notify_cell(cell *at)
{
    uint64_t claim = atomic_load(&at->claim);
    if (!is_in_line(claim, atomic_load(&at->gate.word))) {
        return false;
    }
    if (!kin__alive(WHO(claim))) {
        (void)atomic_compare_exchange_strong(&at->claim, &claim, 0); /* R3 */
        return false;
    }
    bool woken = wake(at, NOTIFIED); /* R2 */
    KIN__STEP("condition.notified");
    return woken;
}

static bool notify_any(cell *at, void *ctx)
{
    search *s = ctx;
    s->woken += notify_cell(at);
    return false;
}

static bool note_oldest(cell *at, void *ctx)
{
    search *s = ctx;
    uint64_t claim = atomic_load(&at->claim);
    uint64_t age = (s->now - ORDER(claim)) & ORDER_MASK; /* orders wrap around */
    bool is_candidate = is_in_line(claim, atomic_load(&at->gate.word)) && age < s->younger;
    if (is_candidate && (s->oldest == NULL || age > s->age)) {
        s->oldest = at;
        s->age = age;
    }
    return false;
}

unsigned kin__line_notify(kin__line *line, unsigned n)
{
    search s = { .now = atomic_load(&line->order), .younger = UINT64_MAX };
    if (n == UINT_MAX) {
        (void)find(line, notify_any, &s);
    }
    while (s.woken < n && n != UINT_MAX) {
        s.oldest = NULL;
        (void)find(line, note_oldest, &s);
        if (s.oldest == NULL) {
            break;
        }
        s.younger = s.age;
        s.woken += notify_cell(s.oldest);
    }
    return s.woken;
}
