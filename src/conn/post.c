/* post.c - letters on their way through the family's memory, and what becomes of them when nobody
 * is there any more to receive them.
 *
 * Idea. A large letter lies in a block; its head, which goes through the socket, names it. From the
 * moment when the sender lets go of it until the receiver has it in hand, the block is the
 * family's: so that it is there though its sender has died. But then somebody must know of it, for
 * the head may never be read. That is the post of a pipe: a row of slots for each end, with the
 * blocks that are on their way there. Who has an end is counted by nobody but the kernel: both
 * sockets have a name, which is free again when the last copy of that end is gone, wherever it was.
 *
 *       sender                           post                                receiver
 *       block: his ------- put ------>  [ref|   |   |   ]  ----- take ----->  block: his
 *                                       [   |ref|   |   ]
 *       head --------------------- socket "kin-<key>-1" ------------------->  head
 *
 *   to send:     1  slot: 0 -> ref   (by CAS)         to receive:   1  head is read from the socket
 *                2  block: his -> the family's                      2  block: the family's -> his
 *                3  head is written to the socket                   3  slot: ref -> 0
 *
 * Rules.
 *   R1  A slot whose block is gone is free; whoever needs one looks.
 *   R2  No slot free: the letter goes through the socket. So there is an end to what is on its way.
 *       One with buffers goes by the post if it can, however small: they are found with it (R3).
 *   R3  When the name of an end is free, nobody will take what is on its way there: whoever closed
 *       a copy last, and finds that, frees it; when both are, the post goes as well. Whoever makes
 *       a pipe looks at two other posts: those whose last owner was killed are found by that.
 *   R4  A post may be freed under a process that looks at it, and be another pipe's: what was read
 *       there counts only if the ref is still good afterwards.
 *   R5  Names mean something in one network: from another one nothing is ever freed.
 *   R6  The lanes of a pipe (lane.c) lie in its post: what is in them, and their rings, go by R3.
 *
 * Death. Sender, between 1 and 2: the block is his, and is swept; R1 finds the slot. Between 2 and
 * 3: nobody hears of the letter; block and slot stay until that end is gone (R3). Receiver, between
 * 1 and 2: the same, his letter is lost with him. Between 2 and 3: swept, R1. Whoever frees (R3)
 * may die anywhere: the next one begins again.
 *
 * Not here. What is in a letter (send.c, receive.c); letters that need no head in the socket
 * (lane.c).
 */
#include "conn.h"

#include <stdio.h>
#include <string.h>

#define SLOTS 8u
#define NAME 40

typedef struct row {
    _Alignas(64) _Atomic kin__ref slots[SLOTS]; /* refs, with what is in the block */
    kin__lane lane;
} row;

/* In a slot, where a large block's ref has zeros. */
#define HOLDS_OBJECT ((kin__ref)1)
#define MARKS ((kin__ref)3)

typedef struct post {
    uint64_t key; /* random: the names of both sockets are made of it */
    uint64_t network;
    bool duplex;
    row to[2];
} post;

static void name_of(uint64_t key, unsigned end, char ret_name[NAME])
{
    snprintf(ret_name, NAME, "kin-%016llx-%u", (unsigned long long)key, end);
}

static post *at(kin__ref ref)
{
    return ref != 0 ? kin__block_at(ref, KIN__POST, NULL) : NULL;
}

bool kin__post_is_duplex(kin__ref ref, bool *ret_duplex)
{
    post *p = at(ref);
    if (p != NULL) {
        *ret_duplex = p->duplex;
    }
    return p != NULL && kin__block_is_shared(ref);
}

kin__lane *kin__post_lane(kin__ref ref, unsigned to)
{
    post *p = at(ref);
    return p != NULL ? &p->to[to & 1u].lane : NULL;
}

/* ---- the end: R3 ---------------------------------------------------------------------------- */

static bool is_gone(const post *p, unsigned end)
{
    char name[NAME];
    name_of(p->key, end, name);
    return kin__os_name_is_free(name);
}

static void discard(kin__ref marked)
{
    kin__ref ref = marked & ~MARKS;
    const void *block = kin__block_at(ref, KIN__MESSAGE, NULL);
    if (block == NULL || !kin__block_is_shared(ref)) {
        return; /* it was taken, or its sender died before he let go of it */
    }
    if (marked & HOLDS_OBJECT) {
        kin__flat_discard(block, kin__block_size(block));
    }
    KIN__STEP("post.discarding");
    (void)kin__block_discard(ref);
}

/* What is on its way there. `last`: nobody can send there any more, either. False when it cannot be
 * emptied now. */
static bool empty(kin__ref ref, row *r, bool last)
{
    kin__ref ring = atomic_load(&r->lane.ring);
    bool all = !kin__block_is_shared(ref) || kin__lane_empty(ring, last); /* R4 */
    for (unsigned i = 0; i < SLOTS; i++) {
        kin__ref seen = atomic_load(&r->slots[i]);
        if (seen != 0 && kin__block_is_shared(ref)) { /* R4 */
            discard(seen);
            KIN__STEP("post.discarded");
            atomic_compare_exchange_strong(&r->slots[i], &seen, 0);
        }
    }
    return all;
}

/* Looks at an end, and if that is gone at the other. */
static void settle(kin__ref ref, unsigned first)
{
    post *p = at(ref);
    if (p == NULL || p->network != kin__os_network()) { /* R5 */
        return;
    }
    post seen = { .key = p->key };
    if (!kin__block_is_shared(ref) || !is_gone(&seen, first)) {
        return;
    }
    bool last = is_gone(&seen, 1 - first);
    bool all = empty(ref, &p->to[first], last);
    if (last && empty(ref, &p->to[1 - first], true) && all) {
        KIN__STEP("post.emptied");
        (void)kin__block_discard(ref);
    }
}

void kin__post_closed(kin__ref ref, unsigned end)
{
    settle(ref, end & 1u);
}

/* ---- a new one ------------------------------------------------------------------------------- */

typedef struct round {
    unsigned number, from;
} round;

static void look_after(void *block, void *ctx)
{
    round *r = ctx;
    unsigned number = r->number++;
    if (number - r->from < 2) {
        kin__ref ref = kin__block_ref(block);
        settle(ref, 0);
        settle(ref, 1);
    }
}

static void look_after_others(void)
{
    static _Atomic unsigned next;
    round r = { .from = atomic_fetch_add(&next, 2) };
    kin__block_each(KIN__POST, look_after, &r);
    if (r.number <= r.from + 2) {
        atomic_store(&next, 0);
    }
}

static bool give_names(const int ends[2], uint64_t key)
{
    for (unsigned i = 0; i < 2; i++) {
        char name[NAME];
        name_of(key, i, name);
        if (kin__os_stream_name(ends[i], name) < 0) {
            return false;
        }
    }
    return true;
}

kin__ref kin__post_new(const int ends[2], bool duplex)
{
    uint64_t key;
    look_after_others();
    if (kin__os_random(&key, sizeof key) < 0) {
        return 0;
    }
    post *p = kin__block_new(sizeof *p, KIN__POST);
    if (p == NULL) {
        return 0;
    }
    p->key = key;
    p->network = kin__os_network();
    p->duplex = duplex;
    for (unsigned i = 0; i < 2 * SLOTS; i++) {
        atomic_store(&p->to[i / SLOTS].slots[i % SLOTS], 0);
    }
    kin__lane_begin(&p->to[0].lane);
    kin__lane_begin(&p->to[1].lane);
    KIN__STEP("post.made");
    if (!give_names(ends, key)) {
        kin__block_free(p);
        return 0;
    }
    kin__ref ref = kin__block_ref(p);
    KIN__STEP("post.named");
    kin__block_give(p);
    return ref;
}

/* ---- on the way ------------------------------------------------------------------------------ */

/* A slot that is free, or becomes free by R1. */
static bool claim_slot(row *r, kin__ref block, uint32_t *ret_slot)
{
    for (uint32_t i = 0; i < SLOTS; i++) {
        kin__ref seen = atomic_load(&r->slots[i]);
        bool is_free = seen == 0 || kin__block_find(seen & ~MARKS, KIN__MESSAGE) == NULL;
        if (is_free && atomic_compare_exchange_strong(&r->slots[i], &seen, block)) {
            *ret_slot = i;
            return true;
        }
    }
    return false;
}

bool kin__post_put(kin__ref ref, unsigned to, void *block, kin__letter_head *head)
{
    post *p = at(ref);
    kin__ref named = kin__block_ref(block);
    uint32_t slot;
    kin__ref mark = head->kind & KIN__LETTER_OBJECT ? HOLDS_OBJECT : 0;
    if (p == NULL || !claim_slot(&p->to[to & 1u], named | mark, &slot)) {
        return false;
    }
    KIN__STEP("post.claimed");
    kin__block_give(block);
    head->kind |= KIN__LETTER_APART;
    head->u.apart.block = named;
    head->u.apart.slot = slot;
    return true;
}

/* The block of a head, out of its slot: NULL when it is gone, or never was on its way there. The
 * numbers may be anything: nobody else's block is taken for it. */
static void *collect(kin__ref ref, unsigned end, const kin__letter_head *head)
{
    post *p = at(ref);
    kin__ref named = head->u.apart.block;
    uint32_t slot = head->u.apart.slot;
    kin__ref seen = p != NULL && slot < SLOTS ? atomic_load(&p->to[end & 1u].slots[slot]) : 0;
    if ((seen & ~MARKS) != named || kin__block_find(named, KIN__MESSAGE) == NULL ||
        !kin__block_take(named)) {
        return NULL;
    }
    KIN__STEP("post.taken");
    atomic_compare_exchange_strong(&p->to[end & 1u].slots[slot], &seen, 0);
    return kin__block_at(named, KIN__MESSAGE, NULL);
}

bool kin__post_take_back(kin__ref ref, unsigned to, const kin__letter_head *head)
{
    return collect(ref, to, head) != NULL;
}

void *kin__post_take(kin__ref ref, unsigned end, const kin__letter_head *head)
{
    void *block = collect(ref, end, head);
    if (block != NULL && kin__block_size(block) < head->size) {
        kin__block_free(block);
        return NULL;
    }
    return block;
}
