/* ring.c - a ring of cells that many processes fill and empty, and none breaks by dying.
 *
 * Idea. Every cell has one word of state, and it is the only truth. To put, a process claims the
 * cell that is next by one CAS which writes its identity into it; to take, likewise. The head and
 * the tail of the ring are hints where to begin to look.
 *
 *       done    done    TAKEN   READY   READY   CLAIMED EMPTY   EMPTY
 *                by P    |       |                by Q    |
 *                head----+ (or before)             tail---+ (or before)
 *
 *   at p:   EMPTY --claim--> CLAIMED(Q) --publish--> READY --take--> TAKEN(P) --finish--> EMPTY
 *             |                                        ^               |         p + count
 *             +--seal--> SEALED                        +--- P died ----+--lend--> LENT --> as TAKEN
 *
 * Rules.
 *   R1  Positions only grow; position p lies in cell p mod count. A state names its position, so
 *       one that was left behind is recognised; EMPTY and READY also name the ring's serial, so
 *       that a CAS by somebody who slept through the ring's end fails.
 *   R2  Cells are claimed in order of position without gaps: the first EMPTY one ends the ring.
 *   R3  A message apart is owned by its writer until the cell names it (apart), then given to the
 *       family, then published. A taker makes it his before he finishes the cell.
 *   R4  Takers pass over TAKEN and LENT cells, and never over CLAIMED ones: order by producer
 *       stays.
 *   R5  head passes only what is done; so what a dead taker gives back is always found. Where
 *       messages are lent, takers begin behind these, at `taking`, and look back at head.
 *   R6  A ring may be freed under a process that looks at it, and its memory used for anything. It
 *       trusts no word that does not name the ring's serial, and changes none. CLAIMED, TAKEN and
 *       LENT do not: who settles a death looks first who died, and then whether the ring is still
 *       there. A message's kind and size do not: they count if its state is the same before and
 *       after.
 *   R7  A ring is freed only when nobody who lives has a hand in it (drain), and none can get one.
 *       So a claim's end is a plain store. What is LENT does not keep the ring: its end is a CAS.
 *   R8  A ring of which all cells are held has none to be sealed. It is shut instead, from a
 *       position on: who has claimed a cell from there on gives it up.
 *
 * Death. In CLAIMED: whoever wants to pass asks after Q, takes over the claim by CAS, frees the
 * block if Q had given it already (if not, the sweep does), and the position is done, empty. In
 * TAKEN: the message is still in the cell, unless P had made the block his own (then it died with
 * him); who finds it takes over P's claim and makes it READY again. Resolvers may die too: their
 * own claim then stands there instead. Asking costs, so a taker asks only when he finds nothing
 * else, or when the cell has fallen far behind; a producer asks when the ring is full.
 *
 * Not here. What messages are (message.c); more than one ring, and sleeping (queue/).
 */
#include "cell.h"

/* How far head may be behind what is done. Producers of a bounded queue read it at each put, so to
 * move it is to take a cache line away from them. */
#define LAG_MOST 8u
#define LOOK_BACK 64
#define KNOWN 8 /* rings that a thread remembers */

/* ---- making one, and finding it again -------------------------------------------------------- */

/* Of another ring by now, maybe: who reads what that wrote sees at his next look that this one is
 * gone (pairs with kin__ring_new). */
static kin__ring view(kin__ref self, kin__ring_block *at)
{
    return (kin__ring){ .at = at,
                        .self = self,
                        .after = atomic_load_explicit(&at->after, memory_order_acquire),
                        .count = atomic_load_explicit(&at->count, memory_order_acquire),
                        .serial = (uint32_t)(self >> 34 & WHO_MASK) };
}

int kin__ring_new(uint32_t count, kin__ref after, kin__ring *ret_ring)
{
    kin__ring_block *block = kin__block_new(sizeof *block + count * sizeof(kin__cell), KIN__RING);
    if (block == NULL) {
        return kin__failure();
    }
    atomic_store_explicit(&block->count, count, memory_order_release); /* pairs with view */
    atomic_store_explicit(&block->after, after, memory_order_release);
    kin__ring ring = view(kin__block_ref(block), block);
    atomic_init(&block->next, make_hint(0, ring.serial));
    atomic_init(&block->shut, make_hint(0, ring.serial));
    atomic_init(&block->head, make_hint(0, ring.serial));
    atomic_init(&block->taking, make_hint(0, ring.serial));
    atomic_init(&block->tail, make_hint(0, ring.serial));
    atomic_init(&block->head_seen, make_hint(0, ring.serial));
    for (uint32_t i = 0; i < count; i++) {
        atomic_init(&block->cells[i].apart, 0);
        atomic_init(&block->cells[i].state, make_state(EMPTY, i, ring.serial));
    }
    *ret_ring = ring;
    return 0;
}

/* What stands in the block is read between two looks at the ref: so it is this ring's. */
kin__ring kin__ring_at(kin__ref ref)
{
    kin__ring_block *block = ref != 0 ? kin__block_at(ref, KIN__RING, NULL) : NULL;
    kin__ring ring = { 0 };
    if (block != NULL) {
        ring = view(ref, block);
        uint64_t size = sizeof *block + (uint64_t)ring.count * sizeof(kin__cell);
        if (kin__block_size(block) != size || kin__block_at(ref, KIN__RING, NULL) == NULL) {
            ring.at = NULL;
        }
    }
    return ring;
}

/* A ring's view never changes, and is safe to use after its end (R6): so a thread keeps some. */
const kin__ring *kin__ring_known(kin__ref ref)
{
    static _Thread_local kin__ring known[KNOWN];
    kin__ring *ring = &known[(ref * 0x9e3779b97f4a7c15u) >> 61];
    if (ring->self != ref || ring->at == NULL) {
        *ring = kin__ring_at(ref);
    }
    return ring->at != NULL ? ring : NULL;
}

kin__ref kin__ring_next(const kin__ring *ring)
{
    kin__ref next = atomic_load(&ring->at->next);
    bool none = next == make_hint(0, ring->serial);
    return none || !kin__block_is_shared(ring->self) ? 0 : next; /* R6 */
}

/* As far as it is a ring still: else nothing can be claimed in it. */
bool kin__ring_is_last(const kin__ring *ring)
{
    return atomic_load(&ring->at->next) == make_hint(0, ring->serial);
}

bool kin__ring_link(const kin__ring *ring, kin__ref next)
{
    kin__ref none = make_hint(0, ring->serial);
    return atomic_compare_exchange_strong(&ring->at->next, &none, next) || none == next;
}

/* ---- the dead -------------------------------------------------------------------------------- */

/* Takes over a claim of somebody who has died: the same claim, now ours. */
bool kin__ring_take_over(const kin__ring *ring, uint64_t state, uint64_t position)
{
    uint64_t ours = make_state(status_of(state), position, kin__actor());
    return !kin__alive(who(state)) && kin__block_is_shared(ring->self) && /* R6: in this order */
           atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state, ours);
}

/* From our own claim to what comes next. A store is enough: while we live nobody else changes what
 * we have claimed, and no ring is freed with our hand in it (R7); but what was lent may be gone
 * with its ring. seq_cst: whoever opens a gate after this must see the sleepers who did not see the
 * change. */
static void turn(const kin__claim *c, enum status to, uint64_t position)
{
    uint64_t next = make_state(to, position, c->ring.serial);
    uint64_t ours = make_state(LENT, c->position, kin__actor());
    if (c->lent) {
        atomic_compare_exchange_strong(&c->cell->state, &ours, next);
    } else {
        atomic_store(&c->cell->state, next);
    }
}

/* A producer died in this cell: there will be no message. False when he lives. */
static bool resolve_claimed(const kin__ring *ring, uint64_t state, uint64_t position)
{
    kin__cell *cell = cell_at(ring, position);
    if (!kin__ring_take_over(ring, state, position)) {
        return false;
    }
    KIN__STEP("ring.resolving");
    kin__block_discard(atomic_load(&cell->apart));
    KIN__STEP("ring.resolved");
    kin__claim ours = { .ring = *ring, .cell = cell, .position = position };
    turn(&ours, EMPTY, position + ring->count);
    return true;
}

/* The message is the next one to take again. */
static void give_back(const kin__claim *c)
{
    turn(c, READY, c->position);
    _Atomic uint64_t *word = &c->ring.at->taking;
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    while (seen >> 34 == c->ring.serial && distance(seen, c->position) > 0 &&
           !atomic_compare_exchange_weak(word, &seen, make_hint(c->position, c->ring.serial))) {
    }
}

/* A taker died in this cell, and a producer needs it: the message goes back, if it is still
 * there. */
static bool resolve_taken(const kin__ring *ring, uint64_t state, uint64_t position)
{
    kin__cell *cell = cell_at(ring, position);
    if (!kin__ring_take_over(ring, state, position)) {
        return false;
    }
    KIN__STEP("ring.returning");
    bool lent = status_of(state) == LENT;
    kin__claim ours = { .ring = *ring, .cell = cell, .position = position, .lent = lent };
    bool apart = atomic_load(&cell->kind) & (KIN__CELL_APART | KIN__CELL_BESIDE);
    if (apart && !kin__block_is_shared(atomic_load(&cell->apart))) {
        turn(&ours, EMPTY, position + ring->count);
    } else {
        give_back(&ours);
    }
    return true;
}

/* ---- putting --------------------------------------------------------------------------------- */

/* Moves head over what is done, and returns where it stands. */
uint64_t kin__ring_find_head(const kin__ring *ring)
{
    uint64_t head = hint(&ring->at->head);
    uint64_t state;
    for (uint32_t i = 0; i <= ring->count && look_at(ring, head, &state) == DONE; i++) {
        head++;
    }
    advance(&ring->at->head, head, ring->serial);
    return head;
}

/* The oldest cell is in the way of a put at that position: whose death would change that? KIN__GOT:
 * look again. */
static enum kin__found full(const kin__ring *ring, uint64_t position, uint64_t limit,
                            kin__claim *ret)
{
    uint64_t head = kin__ring_find_head(ring);
    uint64_t state;
    enum place place = look_at(ring, head, &state);
    if (distance(position, head) < (int64_t)(limit != 0 ? limit : ring->count) || place == DONE) {
        return KIN__GOT; /* not any more; and he who made room may have died before he said so */
    }
    if (place != PASSED_ON && place != HELD) {
        return KIN__NONE;
    }
    if (place == HELD ? resolve_claimed(ring, state, head) : resolve_taken(ring, state, head)) {
        return KIN__GOT;
    }
    ret->holder = who(state);
    return KIN__HELD;
}

/* Producers keep what they know of head beside tail: head itself is the takers' cache line. */
static bool beyond(const kin__ring *ring, uint64_t position, uint64_t limit)
{
    if (limit == 0 || distance(position, hint(&ring->at->head_seen)) < (int64_t)limit) {
        return false;
    }
    uint64_t head = hint(&ring->at->head);
    if (distance(position, head) >= (int64_t)limit) {
        head = kin__ring_find_head(ring);
    }
    advance(&ring->at->head_seen, head, ring->serial);
    return distance(position, head) >= (int64_t)limit;
}

/* Whether an eighth of it is free, as far as hints tell: for who waits for room. One look at
 * the takers' line, and room for more than one message then, or else they hinder each other. */
bool kin__ring_is_roomy(const kin__ring *ring, uint64_t limit)
{
    uint64_t most = limit != 0 ? limit : ring->count;
    int64_t used = distance(hint(&ring->at->tail), hint(&ring->at->head));
    return used <= (int64_t)(most - (most < 64 ? (most + 7) / 8 : 8));
}

/* R8. */
static bool is_shut(const kin__ring *ring, uint64_t position)
{
    uint64_t from = atomic_load(&ring->at->shut);
    return from != make_hint(0, ring->serial) && distance(position, from) >= 0;
}

bool kin__ring_shut(const kin__ring *ring, uint64_t position)
{
    uint64_t none = make_hint(0, ring->serial);
    atomic_compare_exchange_strong(&ring->at->shut, &none, make_hint(position, ring->serial));
    return is_shut(ring, position);
}

static enum kin__found give_up(const kin__claim *claim)
{
    kin__ring_forgo(claim);
    return KIN__OVER;
}

/* Claims the next EMPTY cell; at most `limit` positions may be in use (0: all there are). */
enum kin__found kin__ring_claim(const kin__ring *ring, uint64_t limit, kin__claim *ret)
{
    uint64_t position = hint(&ring->at->tail);
    for (uint32_t looked = 0; looked <= 2 * ring->count;) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (place == END || place == GONE) {
            return place == END ? KIN__OVER : KIN__HELD;
        }
        if (place == BEHIND || (place == OPEN && beyond(ring, position, limit))) {
            enum kin__found found = full(ring, position, limit, ret);
            if (found != KIN__GOT) {
                return found;
            }
            looked++;
        } else if (place != OPEN) {
            position++;
            looked++;
        } else if (atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state,
                                                  make_state(CLAIMED, position, kin__actor()))) {
            KIN__STEP("ring.claimed");
            advance(&ring->at->tail, position + 1, ring->serial);
            *ret = (kin__claim){ .ring = *ring,
                                 .cell = cell_at(ring, position),
                                 .position = position };
            return is_shut(ring, position) ? give_up(ret) : KIN__GOT;
        }
    }
    return KIN__HELD; /* everything moved while we looked: worth another look */
}

/* Claims up to `most` cells right behind one that was claimed: how many. */
uint32_t kin__ring_claim_more(const kin__claim *first, uint64_t limit, uint32_t most)
{
    const kin__ring *ring = &first->ring;
    uint32_t n = 0;
    for (; n < most; n++) {
        uint64_t position = first->position + 1 + n;
        uint64_t state;
        if (look_at(ring, position, &state) != OPEN || beyond(ring, position, limit) ||
            !atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state,
                                            make_state(CLAIMED, position, kin__actor()))) {
            break;
        }
        KIN__STEP("ring.claimed_more");
        if (is_shut(ring, position)) {
            kin__claim late = kin__claim_next(*first, n + 1);
            kin__ring_forgo(&late);
            break;
        }
    }
    advance(&ring->at->tail, first->position + 1 + n, ring->serial);
    return n;
}

void kin__ring_publish(const kin__claim *claim)
{
    turn(claim, READY, claim->position);
    KIN__STEP("ring.published");
}

/* The last store is the one that the opening of gates waits for (see turn). */
static void turn_run(const kin__claim *first, uint32_t n, enum status to, uint32_t ahead)
{
    if (n == 1) {
        turn(first, to, first->position + ahead);
        return;
    }
    for (uint32_t i = 0; i + 1 < n; i++) {
        uint64_t position = first->position + i;
        atomic_store_explicit(&cell_at(&first->ring, position)->state,
                              make_state(to, position + ahead, first->ring.serial),
                              memory_order_release); /* pairs with look_at */
        KIN__STEP("ring.turned");
    }
    kin__claim last = kin__claim_next(*first, n - 1);
    turn(&last, to, last.position + ahead);
}

void kin__ring_publish_run(const kin__claim *first, uint32_t n)
{
    turn_run(first, n, READY, 0);
    KIN__STEP("ring.published");
}

void kin__ring_forgo(const kin__claim *claim)
{
    turn(claim, EMPTY, claim->position + claim->ring.count);
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Tries to take the message that was seen in a cell. KIN__HELD: it is not there any more. */
static enum kin__found take_seen(const kin__want *want, uint64_t seen, kin__claim *ret)
{
    KIN__STEP("ring.seen");
    ret->kind = atomic_load_explicit(&ret->cell->kind, memory_order_acquire); /* pairs: fill() */
    ret->size = atomic_load_explicit(&ret->cell->size, memory_order_acquire);
    if (!(ret->kind & want->kind) || ret->size > want->room || ret->size < want->least) {
        return atomic_load(&ret->cell->state) == seen ? KIN__SHORT : KIN__HELD; /* R6 */
    }
    uint64_t ours = make_state(TAKEN, ret->position, kin__actor());
    return atomic_compare_exchange_strong(&ret->cell->state, &seen, ours) ? KIN__GOT : KIN__HELD;
}

/* One look at one position. KIN__GOT: claimed. KIN__OVER: go on with the next position. */
static enum kin__found look(const kin__ring *ring, const kin__want *want, bool ask, kin__claim *ret)
{
    uint64_t position = ret->position;
    ret->cell = cell_at(ring, position);
    for (;;) {
        uint64_t state;
        enum kin__found found;
        switch (look_at(ring, position, &state)) {
        case HERE:
            found = take_seen(want, state, ret);
            if (found != KIN__HELD) {
                return found;
            }
            break;
        case HELD:
            if (!ask || !resolve_claimed(ring, state, position)) {
                ret->holder = who(state);
                return KIN__HELD;
            }
            break;
        case PASSED_ON:
            if (!(ask || status_of(state) == LENT) || !resolve_taken(ring, state, position)) {
                ret->holder = who(state);
                return KIN__OVER; /* R4 */
            }
            break;
        case DONE:
            return KIN__OVER;
        case OPEN:
        case END:
            return KIN__NONE;
        case BEHIND:
            return KIN__FULL;
        default:
            return KIN__HELD;
        }
    }
}

/* Held for so long that many were taken since: worth a question, though there is more to take. */
static bool left_behind(const kin__ring *ring, uint64_t position)
{
    return distance(hint(&ring->at->tail), position) > 32;
}

/* The first position that is not done, from this one on. */
static uint64_t skip_done(const kin__ring *ring, uint64_t position)
{
    uint64_t state;
    for (uint32_t i = 0; i < ring->count && look_at(ring, position, &state) == DONE; i++) {
        position++;
    }
    return position;
}

/* Where to begin to look. What is lent is passed over; but the oldest of it is asked after each
 * time, and all of it now and then, though there is more to take: a dead one's goes first. */
static uint64_t first_look(const kin__ring *ring, bool *ask)
{
    uint64_t head = skip_done(ring, hint(&ring->at->head));
    uint64_t state;
    if (*ask || look_at(ring, head, &state) != PASSED_ON || status_of(state) != LENT) {
        return head;
    }
    uint64_t taking = hint(&ring->at->taking);
    int64_t lent = distance(taking, head);
    *ask = taking % LOOK_BACK == 0 || resolve_taken(ring, state, head);
    return !*ask && lent > 0 && lent <= (int64_t)ring->count ? taking : head;
}

/* KIN__OVER: the ring is sealed there. `holder` may be set with any answer: of a cell passed
 * over. */
enum kin__found kin__ring_take(const kin__ring *ring, const kin__want *want, bool ask,
                               kin__claim *ret)
{
    *ret = (kin__claim){ .ring = *ring, .position = first_look(ring, &ask) };
    for (uint32_t looked = 0; looked <= ring->count; looked++) {
        enum kin__found found = look(ring, want, ask, ret);
        if (looked == 0 && ret->holder != KIN__NOBODY && left_behind(ring, ret->position)) {
            found = look(ring, want, true, ret);
        }
        if (found == KIN__GOT) {
            KIN__STEP("ring.taken");
        }
        if (found == KIN__NONE) {
            uint64_t state;
            return look_at(ring, ret->position, &state) == END ? KIN__OVER : KIN__NONE;
        }
        if (found != KIN__OVER) {
            return found;
        }
        ret->position++;
    }
    return KIN__HELD; /* everything moved while we looked: worth another look */
}

/* Takes up to `most` messages right behind one that was taken: how many. */
uint32_t kin__ring_take_more(const kin__claim *first, const kin__want *want, uint32_t most)
{
    uint32_t n = 0;
    for (; n < most; n++) {
        kin__claim next = kin__claim_next(*first, n + 1);
        uint64_t state;
        if (look_at(&next.ring, next.position, &state) != HERE ||
            take_seen(want, state, &next) != KIN__GOT) {
            break;
        }
        KIN__STEP("ring.taken_more");
    }
    return n;
}

kin__claim kin__ring_taken(const kin__claim *first, uint32_t i)
{
    kin__claim claim = kin__claim_next(*first, i);
    claim.kind = atomic_load_explicit(&claim.cell->kind, memory_order_relaxed);
    claim.size = atomic_load_explicit(&claim.cell->size, memory_order_relaxed);
    return claim;
}

void kin__ring_lend(kin__claim *claim)
{
    uint64_t state = make_state(LENT, claim->position, kin__actor());
    atomic_store(&claim->cell->state, state);
    KIN__STEP("ring.lent");
    claim->lent = true;
    advance(&claim->ring.at->taking, claim->position + 1, claim->ring.serial);
}

/* Moves head on when it is far behind what is done. */
static void follow(const kin__ring *ring, uint64_t done)
{
    uint64_t behind = ring->count / 4 < LAG_MOST ? ring->count / 4 : LAG_MOST;
    if (distance(done, hint(&ring->at->head)) >= (int64_t)behind) {
        (void)kin__ring_find_head(ring);
    }
}

void kin__ring_finish(const kin__claim *claim)
{
    KIN__STEP("ring.finishing");
    turn(claim, EMPTY, claim->position + claim->ring.count);
    KIN__STEP("ring.finished");
    follow(&claim->ring, claim->position + 1);
}

void kin__ring_finish_run(const kin__claim *first, uint32_t n)
{
    KIN__STEP("ring.finishing");
    turn_run(first, n, EMPTY, first->ring.count);
    KIN__STEP("ring.finished");
    follow(&first->ring, first->position + n);
}

void kin__ring_return(const kin__claim *claim)
{
    give_back(claim);
}
