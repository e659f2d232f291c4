/* lane.c - a ring in the family's memory beside the socket of a pipe, for relatives that are awake.
 *
 * Idea. A letter through the kernel costs a microsecond on either side, and fifty more when it
 * wakes somebody. A letter in a ring costs a tenth of one; but nobody is woken by it. So it is up
 * to the receiver: while he is awake, looking or busy, his lane is open and letters go there;
 * before he sleeps on the socket he closes it, and letters go through the socket. One word for each
 * direction of a pipe says which, and it counts what is in the socket:
 *
 *                        whoever finds nothing, and has time
 *       CLOSED(0, 0) -----------------------------------------> OPEN(who)
 *          ^   |                                                 ^   |
 *          |   | counted: a letter for the socket,       nothing |   | the same
 *          |   v or a reader of it                       is left |   v
 *       CLOSED(letters, readers) <--- counted, discounted --> CLOSED(letters, readers)
 *
 *       sender    claims a cell -> still open?  yes: fills it, publishes it
 *                                               no:  forgoes it, and goes by the socket
 *       receiver  closes -> are all cells done? yes: reads the socket
 *                                               no:  takes what is there, waits for what is claimed
 *
 * Rules.
 *   R1  Letters go into the lane only while it is open, and a sender asks after he has claimed his
 *       cell. So whoever has closed it, and then finds no cell claimed or filled, knows that there
 *       will be nothing until it is opened again (both sides write first and then read, seq_cst).
 *   R2  Whoever reads the socket, or sleeps on it, has closed the lane and found it empty before,
 *       and is counted as a reader until he is done; with readers it is not opened. So what is in
 *       the lane comes before what is in the socket, and nobody sleeps beside a letter.
 *   R3  Whoever writes to the socket has counted his letter before, which closes the lane; whoever
 *       has read its head discounts it. With letters it is not opened. So what is in the socket
 *       comes before what is put into the lane later.
 *   R4  Anybody may close a lane. Whoever has opened it is named, so that senders know whether he
 *       lives; when he does not, they close it, and the socket tells what has become of that end.
 *       What is in it is taken by whoever receives there next. Who is dying has no descriptors any
 *       more and is still alive: so whom the socket tells of the end closes the lane to it, too.
 *   R5  Once a descriptor was asked for, it has to tell of everything: the lane is LOUD, which is
 *       closed for good.
 *   R6  The ring is made by whoever first wants to open the lane; it is named in the post before it
 *       is the family's, and the lane is opened after. It goes with the post.
 *   R7  A sender waits for a receiver who is behind, a few milliseconds at most: for room in the
 *       lane, or for the socket to be empty. Then he goes by the socket, and waits as that says.
 *
 * Death. Of a sender: ring.c; what he had published is there, what he had claimed is not. One who
 * had counted a letter and not written it leaves it counted: that lane stays closed, which is slow
 * and right, and only matters where others have copies of his end. Of a receiver: what he had not
 * finished is there for the next one; who had opened the lane: R4; one who was counted as a reader
 * leaves it closed for those who have copies of his end. Of the maker of a ring before it was the
 * family's: it is swept, and another is made.
 *
 * Not here. How an end is known to be gone (post.c); letters in the socket (frame.c).
 */
#include "conn.h"

#include <errno.h>
#include <string.h>

#define OPEN 0x80000000u /* and the kin__id of whoever opened it; else */
#define LOUD 0x40000000u /* alone; else */
#define READER 0x10000u
#define READERS 0x3fff0000u
#define LETTER 1u
#define LETTERS 0xffffu

#define CELLS 128u
#define LARGE_MOST 8u    /* letters of KIN__APART and more that are in a lane at once */
#define MANY 32u         /* letters in the socket: see kin__lane_catch_up */
#define BATCH 64u        /* letters that are taken before a sender is told that there is room */
#define FIRST_NAP 50000  /* ns */
#define PATIENCE 5000000 /* ns that a sender waits for a receiver before he goes by the socket */

_Static_assert(KIN__ID_BITS < 30, "an identity fits beside the bits");
_Static_assert(KIN__CELL_ROOM <= KIN__INLINE, "what is in a cell fits into an inbox's head");

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };

/* Takes no message, and tells that there is one: KIN__SHORT. */
static const kin__want nothing = { .kind = 0 };

/* ---- the word ------------------------------------------------------------------------------- */

/* One more of what `most` is the count of; too many are LOUD. */
static uint32_t with_one_more(uint32_t word, uint32_t one, uint32_t most)
{
    if (word & LOUD) {
        return word;
    }
    word = word & OPEN ? 0 : word;
    return (word & most) == most ? LOUD : word + one;
}

static void count(kin__lane *lane, uint32_t one, uint32_t most)
{
    uint32_t word = atomic_load(&lane->word);
    while (!atomic_compare_exchange_weak(&lane->word, &word, with_one_more(word, one, most))) {
    }
}

/* Takes back what was counted: then, if nothing is left, `after`. */
static void discount(kin__lane *lane, uint32_t readers, uint32_t letters, uint32_t after)
{
    uint32_t word = atomic_load(&lane->word);
    uint32_t next;
    do {
        if (word & (OPEN | LOUD)) {
            return;
        }
        next = word - (word & READERS ? readers : 0) - (word & LETTERS ? letters : 0);
        next = next == 0 ? after : next;
    } while (!atomic_compare_exchange_weak(&lane->word, &word, next));
}

static bool is_open(const kin__lane *lane)
{
    return atomic_load(&lane->word) & OPEN;
}

/* ---- the ring: R6 ---------------------------------------------------------------------------- */

/* The lane's ring, once it is the family's: from then on it stays. `at` is NULL before. */
static kin__ring find_ring(const kin__lane *lane)
{
    kin__ref ref = atomic_load(&lane->ring);
    return kin__block_is_shared(ref) ? kin__ring_at(ref) : (kin__ring){ .at = NULL };
}

static bool has_ring(const kin__lane *lane, kin__ring *kept)
{
    if (kept->at == NULL) {
        *kept = find_ring(lane);
    }
    return kept->at != NULL;
}

/* Somebody may just be making one: then that is it. */
static void make_ring(kin__lane *lane)
{
    kin__ring ring;
    kin__ref seen = atomic_load(&lane->ring);
    if (kin__block_share(seen) || kin__ring_new(CELLS, 0, &ring) < 0) {
        return;
    }
    KIN__STEP("lane.made");
    if (!atomic_compare_exchange_strong(&lane->ring, &seen, ring.self)) {
        kin__block_free(ring.at);
        return;
    }
    KIN__STEP("lane.named");
    (void)kin__block_share(ring.self);
}

void kin__lane_begin(kin__lane *lane)
{
    atomic_store(&lane->word, 0);
    atomic_store(&lane->ring, 0);
    kin__gate_renew(&lane->gate);
}

/* Others may be emptying it as well: each has cells in hand for a moment. */
bool kin__lane_empty(kin__ref ref, bool last)
{
    if (!kin__block_is_shared(ref)) {
        return true;
    }
    kin__ring ring = kin__ring_at(ref);
    bool drained = ring.at == NULL;
    for (int tries = 0; !drained && tries < 100; tries++) {
        drained = kin__ring_drain(&ring);
        if (!drained) {
            kin__os_yield();
        }
    }
    if (drained && last) {
        KIN__STEP("lane.drained");
        (void)kin__block_discard(ref);
    }
    return drained;
}

/* ---- sending -------------------------------------------------------------------------------- */

bool kin__lane_is_open(const kin_conn *conn)
{
    return conn->out != NULL && is_open(conn->out);
}

/* The next cell is with the other processor: it comes while we are busy with this one. */
static void prefetch(const kin__claim *claim)
{
    const kin__ring *ring = &claim->ring;
    __builtin_prefetch(&ring->at->cells[(claim->position + 1) & (ring->count - 1)], 1);
}

typedef struct attempt {
    kin__lane *lane;
    const kin__ring *ring;
    uint64_t limit;
    enum kin__found found;
    kin__claim claim;
} attempt;

static bool is_tried(void *ctx)
{
    attempt *a = ctx;
    a->found = kin__ring_claim(a->ring, a->limit, &a->claim);
    return a->found == KIN__GOT || a->found == KIN__OVER || !is_open(a->lane);
}

/* Until it is ready, or we have had enough patience: a receiver who is away is not waited for. */
static bool is_ready_soon(kin__lane *lane, bool (*ready)(void *), void *ctx, int64_t deadline)
{
    if (!kin__may_wait(deadline)) {
        return false;
    }
    if (kin__spin_aside(ready, ctx)) {
        return true;
    }
    int64_t until = kin__os_now() + PATIENCE;
    until = until < deadline ? until : deadline;
    for (int rv = 0; rv == 0;) {
        uint32_t ticket = kin__gate_ticket(&lane->gate);
        if (ready(ctx)) {
            return true;
        }
        rv = kin__gate_doze(&lane->gate, ticket, until, false);
    }
    return false;
}

/* A cell of an open lane, at once or in a moment: R1. */
static bool claim_cell(const kin__call *call, size_t size, kin__claim *ret)
{
    kin_conn *conn = call->conn;
    uint32_t word = atomic_load(&conn->out->word);
    kin__taken_from = NULL;
    if (!(word & OPEN) || !has_ring(conn->out, &conn->out_ring) || !kin__alive(word & ~OPEN)) {
        return false;
    }
    attempt a = { .lane = conn->out,
                  .ring = &conn->out_ring,
                  .limit = size < KIN__APART ? 0 : LARGE_MOST };
    if (!is_tried(&a)) { /* then it is worth waiting for some room, and not for a cell's */
        a.limit = a.limit == 0 ? CELLS - CELLS / 4 : LARGE_MOST / 2;
        (void)is_ready_soon(conn->out, is_tried, &a, call->deadline);
    }
    if (a.found != KIN__GOT) {
        return false;
    }
    KIN__STEP("lane.claimed");
    prefetch(&a.claim);
    if (!is_open(conn->out)) {
        kin__ring_forgo(&a.claim);
        return false;
    }
    *ret = a.claim;
    return true;
}

static bool is_open_now(void *lane)
{
    return is_open(lane);
}

/* A receiver who is awake, but behind with the socket, might never find that empty. So when there
 * are many letters we wait a moment before each, until he has come to their end and opens the lane.
 * If he gets no further meanwhile, he is away, and we go on for a while. */
bool kin__lane_catch_up(const kin__call *call, size_t size)
{
    kin_conn *conn = call->conn;
    if (conn->out == NULL) {
        return false;
    }
    uint32_t many = size < KIN__APART ? MANY : LARGE_MOST;
    uint32_t before = atomic_load(&conn->out->word);
    if (before & (OPEN | LOUD) || (before & LETTERS) == 0) {
        conn->patient = false;
        conn->hurry = 0;
    } else if (conn->hurry > 0) {
        conn->hurry--;
    } else if (conn->patient || (before & LETTERS) >= many) {
        bool opened = is_ready_soon(conn->out, is_open_now, conn->out, call->deadline);
        uint32_t after = atomic_load(&conn->out->word);
        conn->patient = !opened && (after & LETTERS) < (before & LETTERS);
        conn->hurry = opened || conn->patient ? 0 : many;
    }
    return is_open(conn->out);
}

bool kin__lane_put(const kin__call *call, const kin__parcel *parcel)
{
    kin_conn *conn = call->conn;
    kin__claim claim;
    if (conn->out == NULL) {
        return false;
    }
    if (parcel != NULL && parcel->size <= UINT32_MAX && claim_cell(call, parcel->size, &claim)) {
        (void)kin__parcel_fill(parcel, &claim); /* its memory was got before */
        KIN__STEP("lane.filled");
        kin__ring_publish(&claim);
        return true;
    }
    count(conn->out, LETTER, LETTERS); /* R3 */
    KIN__STEP("lane.counted");
    return false;
}

void kin__lane_take_back(kin_conn *conn)
{
    if (conn->out != NULL) {
        discount(conn->out, 0, LETTER, 0);
    }
}

/* ---- receiving ------------------------------------------------------------------------------ */

/* Out of its cell and into the inbox. */
static int accept_letter(const kin__call *call, const kin__claim *claim)
{
    kin__inbox *in = &call->conn->inbox;
    const void *bytes = kin__claim_bytes(claim);
    bool apart = claim->kind & KIN__CELL_APART;
    prefetch(claim);
    if (bytes != NULL && !apart) {
        in->body = in->head + offsetof(kin__letter_head, u);
        memcpy(in->body, bytes, KIN__CELL_ROOM);
    }
    in->block = kin__claim_own(claim);
    kin__ring_finish(claim);
    KIN__STEP("lane.taken");
    if (++call->conn->taken % BATCH == 0 || claim->size >= KIN__APART) {
        kin__gate_open(&call->conn->in->gate);
    }
    in->body = apart ? in->block : in->body;
    if (bytes == NULL || in->body == NULL) {
        kin__inbox_clear(in);
        return kin__fail(KIN_ECORRUPT, "%s: a message's bytes are not where they should be",
                         call->verb);
    }
    in->head_size = sizeof in->head;
    in->kind = claim->kind & KIN__CELL_OBJECT ? KIN__LETTER_OBJECT : KIN__LETTER_BYTES;
    in->size = in->arrived = claim->size;
    return 1;
}

/* KIN__GOT: *ret_rv says how it went. `ask`: after the dead, too. */
static enum kin__found take(const kin__call *call, bool ask, int *ret_rv)
{
    kin_conn *conn = call->conn;
    kin__claim claim;
    if (!has_ring(conn->in, &conn->in_ring)) {
        return KIN__NONE;
    }
    enum kin__found found = kin__ring_take(&conn->in_ring, &anything, ask, &claim);
    if (found == KIN__GOT && claim.holder != KIN__NOBODY && !kin__alive(claim.holder)) {
        kin__ring_return(&claim); /* what the dead had in hand comes before it: ask after him */
        found = kin__ring_take(&conn->in_ring, &anything, true, &claim);
    }
    if (found == KIN__GOT) {
        kin__taken_from = conn->in;
        *ret_rv = accept_letter(call, &claim);
    }
    return found;
}

typedef struct view {
    const kin__lane *lane;
    kin__ring ring;
} view;

static bool is_there(void *ctx)
{
    const view *v = ctx;
    kin__claim unused;
    return kin__ring_take(&v->ring, &nothing, false, &unused) == KIN__SHORT || !is_open(v->lane);
}

/* Opens the lane unless something speaks against it, and looks busily for a moment. */
static void spin(kin__lane *lane, const kin__ring *ring)
{
    uint32_t nobody = 0;
    view v = { .lane = lane, .ring = *ring };
    if (atomic_load(&lane->word) == 0) {
        atomic_compare_exchange_strong(&lane->word, &nobody, OPEN | kin__self());
        KIN__STEP("lane.opened");
    }
    if (is_open(lane)) {
        kin__gate_open(&lane->gate);
        (void)kin__spin_to_take(lane, is_there, &v);
    }
}

/* The lane is closed: what is in it, or comes yet from whoever has a cell in hand. 1, 0, a code. */
static int clear_out(const kin__call *call)
{
    for (int64_t nap = FIRST_NAP;; nap = nap * 2 < KIN__NAP ? nap * 2 : KIN__NAP) {
        int rv = 0;
        if (take(call, true, &rv) != KIN__HELD) {
            return rv;
        }
        if (!kin__may_wait(call->deadline) || kin__os_now() >= call->deadline) {
            return kin__conn_fail(call->verb, -ETIMEDOUT);
        }
        int64_t until = kin__os_now() + nap;
        rv = kin__os_sleep(until < call->deadline ? until : call->deadline);
        if (rv < 0) {
            return kin__conn_fail(call->verb, rv);
        }
    }
}

int kin__lane_enter(const kin__call *call)
{
    kin_conn *conn = call->conn;
    int rv;
    if (conn->in == NULL) {
        return 0;
    }
    if (conn->inbox.head_size > 0) { /* of the socket: its rest is there */
        count(conn->in, READER, READERS);
        return 0;
    }
    if (take(call, false, &rv) == KIN__GOT) {
        return rv;
    }
    if (kin__may_wait(call->deadline) && atomic_load(&conn->in->word) == 0 &&
        !has_ring(conn->in, &conn->in_ring)) {
        make_ring(conn->in);
    }
    if (kin__may_wait(call->deadline) && has_ring(conn->in, &conn->in_ring)) {
        spin(conn->in, &conn->in_ring);
        if (take(call, false, &rv) == KIN__GOT) {
            return rv;
        }
    }
    count(conn->in, READER, READERS); /* R2 */
    KIN__STEP("lane.closed");
    rv = clear_out(call);
    if (rv != 0) {
        kin__lane_leave(conn, false);
    }
    return rv;
}

void kin__lane_leave(kin_conn *conn, bool has_read)
{
    if (conn->in != NULL) {
        bool may_open = kin__block_is_shared(atomic_load(&conn->in->ring));
        KIN__STEP("lane.leaving");
        discount(conn->in, READER, has_read ? LETTER : 0, may_open ? OPEN | kin__self() : 0);
        kin__gate_open(&conn->in->gate);
    }
}

/* ---- without receiving ---------------------------------------------------------------------- */

bool kin__lane_has(const kin_conn *conn)
{
    kin__claim unused;
    kin__ring ring = conn->in != NULL ? find_ring(conn->in) : (kin__ring){ .at = NULL };
    if (ring.at == NULL) {
        return false;
    }
    enum kin__found found = kin__ring_take(&ring, &nothing, true, &unused);
    return found == KIN__SHORT || found == KIN__HELD;
}

void kin__lane_spin(kin_conn *conn)
{
    kin__ring ring = conn->in != NULL ? find_ring(conn->in) : (kin__ring){ .at = NULL };
    if (ring.at != NULL) {
        spin(conn->in, &ring);
    }
}

void kin__lane_watch(kin_conn *conn)
{
    if (conn->in != NULL) {
        count(conn->in, READER, READERS);
    }
}

void kin__lane_be_loud(kin_conn *conn)
{
    if (conn->in != NULL) {
        atomic_store(&conn->in->word, LOUD); /* R5 */
    }
}

void kin__lane_abandon(kin_conn *conn)
{
    uint32_t word = conn->out != NULL ? atomic_load(&conn->out->word) : 0;
    if (word & OPEN) { /* and if not, a moment later, somebody has closed it: R4 */
        atomic_compare_exchange_strong(&conn->out->word, &word, 0);
    }
}

void kin__lane_close(kin_conn *conn)
{
    uint32_t ours = OPEN | kin__self();
    if (conn->in != NULL) {
        atomic_compare_exchange_strong(&conn->in->word, &ours, 0);
    }
}
