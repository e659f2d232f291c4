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
 *             +--seal--> SEALED                        +--- P died ----+
 *
 * Rules.
 *   R1  Positions only grow; position p lies in cell p mod count. A state names its position, so
 *       one that was left behind is recognised; EMPTY and READY also name the ring's serial, so
 *       that a CAS by somebody who slept through the ring's end fails.
 *   R2  Cells are claimed in order of position without gaps: the first EMPTY one ends the ring.
 *   R3  A message apart is owned by its writer until the cell names it (apart), then given to the
 *       family, then published. A taker makes it his before he finishes the cell.
 *   R4  Takers pass over TAKEN cells, and never over CLAIMED ones: order by producer stays.
 *   R5  head passes only what is done; so what a dead taker gives back is always found.
 *   R6  A ring may be freed under a process that looks at it, and its memory used for anything. It
 *       trusts no word that does not name the ring's serial, and changes none. CLAIMED and TAKEN do
 *       not: who settles a death looks first who died, and then whether the ring is still there.
 *       A message's kind and size do not: they count if its state is the same before and after.
 *   R7  A ring is freed only when nobody who lives has a hand in it (drain), and none can get one.
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
#include "room.h"

#define STATUS_SHIFT 61
#define POSITION_SHIFT 27
#define POSITION_MASK (((uint64_t)1 << (STATUS_SHIFT - POSITION_SHIFT)) - 1)
#define WHO_MASK (((uint64_t)1 << POSITION_SHIFT) - 1)

/* How far head may be behind what is done. Producers of a bounded queue read it at each put, so to
 * move it is to take a cache line away from them. */
#define LAG_MOST 8u

enum status { EMPTY = 1, CLAIMED, READY, TAKEN, SEALED };

static uint64_t make_state(enum status status, uint64_t position, uint32_t who)
{
    return (uint64_t)status << STATUS_SHIFT | (position & POSITION_MASK) << POSITION_SHIFT |
           (who & WHO_MASK);
}

static enum status status_of(uint64_t state)
{
    return (enum status)(state >> STATUS_SHIFT);
}

static kin__id who(uint64_t state)
{
    return (kin__id)(state & WHO_MASK);
}

/* How far the state is ahead of a position: 0 the same round, more: that position is done. */
static int64_t ahead(uint64_t state, uint64_t position)
{
    uint64_t distance = ((state >> POSITION_SHIFT) - position) & POSITION_MASK;
    return (int64_t)(distance << (64 - 34)) >> (64 - 34);
}

_Static_assert(KIN__ID_BITS <= POSITION_SHIFT, "an identity fits beside the position");
_Static_assert(sizeof(kin__cell) == 64, "a cell is a cache line");

/* What stands at a position. Of another ring's cell we know nothing, so that is GONE. */
enum place { GONE, DONE, OPEN, HELD, HERE, PASSED_ON, END, BEHIND };

static kin__cell *cell_at(const kin__ring *ring, uint64_t position)
{
    return &ring->at->cells[position & (ring->count - 1)];
}

static enum place look_at(const kin__ring *ring, uint64_t position, uint64_t *ret_state)
{
    uint64_t state = atomic_load(&cell_at(ring, position)->state);
    *ret_state = state;
    enum status status = status_of(state);
    bool named = status == EMPTY || status == READY || status == SEALED;
    int64_t distance = ahead(state, position);
    bool lies_here = ((uint64_t)distance & (ring->count - 1)) == 0;
    if (!lies_here || (named && who(state) != ring->serial)) {
        return GONE;
    }
    if (distance != 0) {
        return distance > 0 ? DONE : BEHIND;
    }
    static const enum place places[8] = { GONE, OPEN, HELD, HERE, PASSED_ON, END, GONE, GONE };
    return places[status];
}

/* ---- hints: a position with the ring's serial ------------------------------------------------ */

static uint64_t make_hint(uint64_t position, uint32_t serial)
{
    return (uint64_t)serial << 34 | (position & POSITION_MASK);
}

static uint64_t hint(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed) & POSITION_MASK;
}

static int64_t distance(uint64_t to, uint64_t from)
{
    return (int64_t)((to - from) << (64 - 34)) >> (64 - 34);
}

/* A hint moves forward only; and not at all when its word is no longer the ring's. */
static void advance(_Atomic uint64_t *word, uint64_t to, uint32_t serial)
{
    uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);
    while (seen >> 34 == serial && distance(to, seen) > 0 &&
           !atomic_compare_exchange_weak_explicit(word, &seen, make_hint(to, serial),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

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
    atomic_init(&block->head, make_hint(0, ring.serial));
    atomic_init(&block->tail, make_hint(0, ring.serial));
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

kin__ref kin__ring_next(const kin__ring *ring)
{
    kin__ref next = atomic_load(&ring->at->next);
    bool none = next == make_hint(0, ring->serial);
    return none || !kin__block_is_shared(ring->self) ? 0 : next; /* R6 */
}

bool kin__ring_link(const kin__ring *ring, kin__ref next)
{
    kin__ref none = make_hint(0, ring->serial);
    return atomic_compare_exchange_strong(&ring->at->next, &none, next) || none == next;
}

/* ---- the dead -------------------------------------------------------------------------------- */

/* Takes over a claim of somebody who has died: the same claim, now ours. */
static bool take_over(const kin__ring *ring, uint64_t state, uint64_t position)
{
    uint64_t ours = make_state(status_of(state), position, kin__self());
    return !kin__alive(who(state)) && kin__block_is_shared(ring->self) && /* R6: in this order */
           atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state, ours);
}

/* From our own claim to what comes next. By CAS: should the whole ring have been freed meanwhile,
 * its memory is somebody else's, and stays as it is. seq_cst: whoever opens a gate after this must
 * see the sleepers who did not see the change. */
static void turn(const kin__claim *c, enum status from, enum status to, uint64_t position)
{
    uint64_t ours = make_state(from, c->position, kin__self());
    atomic_compare_exchange_strong(&c->cell->state, &ours,
                                   make_state(to, position, c->ring.serial));
}

/* A producer died in this cell: there will be no message. False when he lives. */
static bool resolve_claimed(const kin__ring *ring, uint64_t state, uint64_t position)
{
    kin__cell *cell = cell_at(ring, position);
    if (!take_over(ring, state, position)) {
        return false;
    }
    KIN__STEP("ring.resolving");
    kin__block_discard(atomic_load(&cell->apart));
    KIN__STEP("ring.resolved");
    kin__claim ours = { .ring = *ring, .cell = cell, .position = position };
    turn(&ours, CLAIMED, EMPTY, position + ring->count);
    return true;
}

/* A taker died in this cell, and a producer needs it: the message goes back, if it is still
 * there. */
static bool resolve_taken(const kin__ring *ring, uint64_t state, uint64_t position)
{
    kin__cell *cell = cell_at(ring, position);
    if (!take_over(ring, state, position)) {
        return false;
    }
    KIN__STEP("ring.returning");
    kin__claim ours = { .ring = *ring, .cell = cell, .position = position };
    bool apart = atomic_load(&cell->kind) & KIN__CELL_APART;
    if (apart && !kin__block_is_shared(atomic_load(&cell->apart))) {
        turn(&ours, TAKEN, EMPTY, position + ring->count);
    } else {
        turn(&ours, TAKEN, READY, position);
    }
    return true;
}

/* ---- putting --------------------------------------------------------------------------------- */

/* Moves head over what is done, and returns where it stands. */
static uint64_t find_head(const kin__ring *ring)
{
    uint64_t head = hint(&ring->at->head);
    uint64_t state;
    for (uint32_t i = 0; i <= ring->count && look_at(ring, head, &state) == DONE; i++) {
        head++;
    }
    advance(&ring->at->head, head, ring->serial);
    return head;
}

/* The oldest cell is in the way of a put: whose death would change that? KIN__GOT: look again. */
static enum kin__found full(const kin__ring *ring, kin__claim *ret)
{
    uint64_t head = find_head(ring);
    uint64_t state;
    enum place place = look_at(ring, head, &state);
    if (place != PASSED_ON && place != HELD) {
        return KIN__NONE;
    }
    if (place == HELD ? resolve_claimed(ring, state, head) : resolve_taken(ring, state, head)) {
        return KIN__GOT;
    }
    ret->holder = who(state);
    return KIN__HELD;
}

static bool beyond(const kin__ring *ring, uint64_t position, uint64_t limit)
{
    return limit != 0 && distance(position, hint(&ring->at->head)) >= (int64_t)limit &&
           distance(position, find_head(ring)) >= (int64_t)limit;
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
            enum kin__found found = full(ring, ret);
            if (found != KIN__GOT) {
                return found;
            }
        } else if (place != OPEN) {
            position++;
            looked++;
        } else if (atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state,
                                                  make_state(CLAIMED, position, kin__self()))) {
            KIN__STEP("ring.claimed");
            advance(&ring->at->tail, position + 1, ring->serial);
            *ret = (kin__claim){ .ring = *ring,
                                 .cell = cell_at(ring, position),
                                 .position = position };
            return KIN__GOT;
        }
    }
    return KIN__HELD; /* everything moved while we looked: worth another look */
}

void kin__ring_publish(const kin__claim *claim)
{
    turn(claim, CLAIMED, READY, claim->position);
    KIN__STEP("ring.published");
}

void kin__ring_forgo(const kin__claim *claim)
{
    turn(claim, CLAIMED, EMPTY, claim->position + claim->ring.count);
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* Tries to take the message that was seen in a cell. KIN__HELD: it is not there any more. */
static enum kin__found take_seen(const kin__want *want, uint64_t seen, kin__claim *ret)
{
    KIN__STEP("ring.seen");
    ret->kind = atomic_load_explicit(&ret->cell->kind, memory_order_acquire); /* pairs: fill() */
    ret->size = atomic_load_explicit(&ret->cell->size, memory_order_acquire);
    if (!(ret->kind & want->kind) || ret->size > want->room) {
        return atomic_load(&ret->cell->state) == seen ? KIN__SHORT : KIN__HELD; /* R6 */
    }
    uint64_t ours = make_state(TAKEN, ret->position, kin__self());
    return atomic_compare_exchange_strong(&ret->cell->state, &seen, ours) ? KIN__GOT : KIN__HELD;
}

/* Held for so long that many were taken since: worth a question, though there is more to take. */
static bool left_behind(const kin__ring *ring, uint64_t position)
{
    return distance(hint(&ring->at->tail), position) > 32;
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
            if (!(ask || left_behind(ring, position)) || !resolve_taken(ring, state, position)) {
                ret->holder = who(state);
                return KIN__OVER; /* R4 */
            }
            break;
        case DONE:
            return KIN__OVER;
        case OPEN:
        case END:
            return KIN__NONE;
        default:
            return KIN__HELD;
        }
    }
}

/* KIN__OVER: the ring is sealed there. `holder` may be set with any answer: of a cell passed
 * over. */
enum kin__found kin__ring_take(const kin__ring *ring, const kin__want *want, bool ask,
                               kin__claim *ret)
{
    *ret = (kin__claim){ .ring = *ring, .position = hint(&ring->at->head) };
    for (uint32_t looked = 0; looked <= ring->count; looked++) {
        enum kin__found found = look(ring, want, ask, ret);
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

void kin__ring_finish(const kin__claim *claim)
{
    KIN__STEP("ring.finishing");
    turn(claim, TAKEN, EMPTY, claim->position + claim->ring.count);
    KIN__STEP("ring.finished");
    uint64_t behind = claim->ring.count / 4 < LAG_MOST ? claim->ring.count / 4 : LAG_MOST;
    if (distance(claim->position + 1, hint(&claim->ring.at->head)) >= (int64_t)behind) {
        (void)find_head(&claim->ring);
    }
}

/* The message stays: it is the next one to take again. */
void kin__ring_return(const kin__claim *claim)
{
    turn(claim, TAKEN, READY, claim->position);
}

/* ---- the end of a ring ----------------------------------------------------------------------- */

/* Seals the first EMPTY cell. False when a producer was faster, or there is none. */
bool kin__ring_seal(const kin__ring *ring)
{
    uint64_t position = hint(&ring->at->tail);
    for (uint32_t looked = 0; looked <= ring->count; looked++, position++) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (place == END) {
            return true;
        }
        if (place == BEHIND || place == GONE) {
            return false;
        }
        if (place == OPEN) {
            return atomic_compare_exchange_strong(&cell_at(ring, position)->state, &state,
                                                  make_state(SEALED, position, ring->serial));
        }
    }
    return false;
}

bool kin__ring_is_done(const kin__ring *ring)
{
    uint64_t state;
    return look_at(ring, find_head(ring), &state) == END;
}

uint64_t kin__ring_length(const kin__ring *ring)
{
    uint64_t position = find_head(ring);
    uint64_t length = 0;
    for (uint32_t i = 0; i < ring->count; i++, position++) {
        uint64_t state;
        enum place place = look_at(ring, position, &state);
        if (place == OPEN || place == END || place == BEHIND || place == GONE) {
            break;
        }
        length += place == HERE;
    }
    return length;
}

/* A message that nobody will take: what it holds apart goes, and what its flat copy holds. */
static void drain(kin__cell *cell)
{
    uint32_t kind = atomic_load(&cell->kind);
    kin__ref apart = atomic_load(&cell->apart);
    uint32_t size = atomic_load(&cell->size);
    const void *bytes =
        kind & KIN__CELL_APART ? kin__block_at(apart, KIN__MESSAGE, NULL) : cell->bytes;
    size_t room = kind & KIN__CELL_APART ? kin__block_size(bytes) : KIN__CELL_ROOM;
    if (kind & KIN__CELL_OBJECT && bytes != NULL && size <= room) {
        kin__flat_discard(bytes, size);
    }
    kin__block_discard(apart);
}

/* Empties the cell for good. False: somebody who lives has his hand in it, or had just now. */
static bool shut(const kin__ring *ring, kin__cell *cell)
{
    uint64_t state = atomic_load(&cell->state);
    enum status status = status_of(state);
    uint64_t position = state >> POSITION_SHIFT & POSITION_MASK;
    kin__claim ours = { .ring = *ring, .cell = cell, .position = position };
    if (status == CLAIMED || status == TAKEN) {
        if (!take_over(ring, state, position)) {
            return false;
        }
        kin__block_discard(atomic_load(&cell->apart));
        turn(&ours, status, SEALED, position);
    } else if (who(state) == ring->serial && (status == EMPTY || status == READY)) {
        uint64_t next = status == EMPTY ? make_state(SEALED, position, ring->serial)
                                        : make_state(TAKEN, position, kin__self());
        if (!atomic_compare_exchange_strong(&cell->state, &state, next)) {
            return false;
        }
        if (status == READY) {
            drain(cell);
            turn(&ours, TAKEN, SEALED, position);
        }
    }
    return true;
}

/* Whether all cells are shut: then nobody will touch the ring again (R7). */
bool kin__ring_drain(const kin__ring *ring)
{
    bool all = true;
    for (uint32_t i = 0; i < ring->count && kin__block_is_shared(ring->self); i++) {
        all &= shut(ring, &ring->at->cells[i]);
    }
    return all;
}
