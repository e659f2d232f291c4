/* bell.c - sleeping at many gates at once, and over descriptors.
 *
 * Idea. A futex wakes who sleeps on one word, and poll() who sleeps over descriptors. Who wants
 * both hangs a bell: a descriptor that any relative can ring, with a list of the gates it hangs
 * for. Who opens a gate where somebody sleeps rings the bells that hang for it, and then opens it.
 *
 *      the family's cells       a block of the sleeper's             the kernel
 *     +---+---+---+--         +------------------------+
 *     | 0 | * | 0 |    --->   | name, round            |  ring -->  a socket of that name,
 *     +---+---+---+--         | gates: a table by hash |            which the sleeper polls
 *               top           +------------------------+
 *
 * kin_wait makes a bell for one sleep and drops it after, which costs some microseconds: so nothing
 * stays that a forked child would have to forget. A watch keeps its bell (conn/watch.c). As long as
 * nobody sleeps so, opening costs one load more, and that only where somebody sleeps at all.
 *
 * Rules.
 *   R1  A cell is claimed by one CAS that writes the block's ref, and is free again when it is 0 or
 *       its block is gone. All else is written before it.
 *   R2  The sleeper hangs his bell, takes a ticket of each gate, looks, and polls. So who changes
 *       something after that look finds the ticket, and then the bell.
 *   R3  Who opens a gate rings first. He who dies before he opens leaves the ticket there, and the
 *       next one rings again. Against that, somebody may ring before we hang and open after we took
 *       our ticket. What he changed, he changed before both: so we see it at our look, or that
 *       another was faster. But our ticket is gone then, and the next one would not ring: so he
 *       rings again after he has opened.
 *   R4  A bell is rung once a round: the sleeper begins a new one when he has heard it, before he
 *       takes his tickets again. Rounds of two bells are never the same. The cell's `rung` is
 *       written after the ringing, with the round that was read before it; so one who is late, or
 *       died in between, costs a second ring and no sleep.
 *   R5  A ringer may look at a block that was freed, or is something else by now: he bounds what he
 *       reads by the block's size, writes nothing there, and rings for nothing at worst.
 *
 * Death. A sleeper's block goes with him, and his cell with the block; the kernel closes the
 * socket. A ringer's death is the death of one who opens a gate (room.h): who sleeps there has been
 * rung before anything was published, sees that it is held, and naps. One case is open: he dies
 * between the opening and his second ring (R3), of which only who hung his bell in that very moment
 * would have heard; that one sleeps until somebody opens who finds a ticket of another.
 *
 * Not here. The socket (os/bell.c); looking, and what there is to look at (conn/wait.c).
 */
#include "room.h"

#include <errno.h>

#define PLACES_LEAST 8u
#define GATES_MOST ((size_t)1 << 28)

typedef struct kin__bell_block {
    _Atomic uint64_t name;
    _Atomic uint64_t round;
    _Atomic uint32_t owner;
    _Atomic uint32_t mask; /* places - 1 */
    _Atomic uint64_t gates[];
} block;

static uint32_t place_of(uint64_t gate, uint32_t mask)
{
    return (uint32_t)(gate * 0x9e3779b97f4a7c15u >> 32) & mask;
}

/* ---- ringing ------------------------------------------------------------------------------ */

static bool hangs_for(const block *b, uint64_t gate)
{
    uint32_t mask = atomic_load_explicit(&b->mask, memory_order_relaxed);
    if (((uint64_t)mask + 1) * sizeof gate + sizeof *b > kin__block_size(b)) { /* R5 */
        return false;
    }
    for (uint32_t i = place_of(gate, mask), n = 0; n <= mask; i++, n++) {
        uint64_t seen = atomic_load_explicit(&b->gates[i & mask], memory_order_relaxed);
        if (seen == gate || seen == 0) {
            return seen == gate;
        }
    }
    return false;
}

/* He lives, and sleeps on: that must not be a secret. */
static void complain(kin__id sleeper, int error)
{
    static _Atomic uint32_t complained;
    if (!kin__alive(sleeper) || atomic_exchange(&complained, 1) != 0) {
        return;
    }
    (void)kin__fail_os(error, "process %d waits for several things and cannot be woken from here%s",
                       (int)kin__pid_of(sleeper),
                       error == -ECONNREFUSED ? " (from another network namespace?)" : "");
    kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
}

static void ring(struct kin__bell_cell *cell, kin__ref self, const block *b)
{
    uint64_t round = atomic_load(&b->round);
    if (atomic_load(&cell->rung) == round) {
        return; /* R4 */
    }
    kin__id sleeper = atomic_load_explicit(&b->owner, memory_order_relaxed);
    KIN__STEP("bell.ringing");
    int rv = kin__os_ring(atomic_load_explicit(&b->name, memory_order_relaxed));
    KIN__STEP("bell.rung");
    if (rv == 0) {
        atomic_store(&cell->rung, round);
    } else if (atomic_load(&cell->bell) == self) {
        complain(sleeper, rv);
    }
}

void kin__bell_ring(const kin__gate *gate)
{
    kin__bells *bells = kin__domain_bells();
    uint32_t top = bells != NULL ? atomic_load_explicit(&bells->top, memory_order_relaxed) : 0;
    for (uint32_t i = 0; i < top && i < KIN__BELLS; i++) {
        struct kin__bell_cell *cell = &bells->cells[i];
        kin__ref self = atomic_load(&cell->bell);
        const block *b = self != 0 ? kin__block_find(self, KIN__BELL) : NULL;
        if (b != NULL && hangs_for(b, (uint64_t)(uintptr_t)gate)) {
            ring(cell, self, b);
        }
    }
}

/* ---- hanging one ---------------------------------------------------------------------------- */

static uint32_t places_for(size_t n)
{
    uint32_t places = PLACES_LEAST;
    while (places < 2 * n) {
        places *= 2;
    }
    return places;
}

static void add_gate(block *b, uint64_t gate, uint32_t mask)
{
    uint32_t i = place_of(gate, mask);
    for (uint64_t seen;
         (seen = atomic_load_explicit(&b->gates[i & mask], memory_order_relaxed)) != gate; i++) {
        if (seen == 0) {
            atomic_store_explicit(&b->gates[i & mask], gate, memory_order_relaxed);
            return;
        }
    }
}

/* With all but a name. Others see it through its cell, which is seq_cst. */
static block *new_block(kin__gate *const *gates, size_t n)
{
    uint32_t places = n <= GATES_MOST ? places_for(n) : 0;
    block *b = kin__block_new(sizeof *b + places * sizeof *b->gates, KIN__BELL);
    if (b == NULL || places == 0) {
        return b;
    }
    for (uint32_t i = 0; i < places; i++) {
        atomic_store_explicit(&b->gates[i], 0, memory_order_relaxed);
    }
    for (size_t i = 0; i < n; i++) {
        add_gate(b, (uint64_t)(uintptr_t)gates[i], places - 1);
    }
    atomic_store_explicit(&b->owner, kin__self(), memory_order_relaxed);
    atomic_store_explicit(&b->mask, places - 1, memory_order_relaxed);
    return b;
}

static int make_socket(block *b)
{
    uint64_t name;
    int rv = kin__os_random(&name, sizeof name);
    if (rv == 0) {
        atomic_store_explicit(&b->name, name, memory_order_relaxed);
        atomic_store_explicit(&b->round, name, memory_order_relaxed); /* R4 */
        rv = kin__os_bell(name);
    }
    return rv < 0 ? kin__fail_os(rv, "no descriptor to be woken by") : rv;
}

/* R1. */
static int claim_cell(kin__ref self, uint32_t *ret_cell)
{
    kin__bells *bells = kin__domain_bells();
    for (uint32_t i = 0; i < KIN__BELLS; i++) {
        kin__ref seen = atomic_load(&bells->cells[i].bell);
        bool free = seen == 0 || kin__block_find(seen, KIN__BELL) == NULL;
        if (!free || !atomic_compare_exchange_strong(&bells->cells[i].bell, &seen, self)) {
            continue;
        }
        KIN__STEP("bell.claimed");
        uint32_t top = atomic_load(&bells->top);
        while (i >= top && !atomic_compare_exchange_weak(&bells->top, &top, i + 1)) {
        }
        *ret_cell = i;
        return 0;
    }
    return kin__fail(KIN_EAGAIN, "%d of the family wait for several things already", KIN__BELLS);
}

int kin__bell_hang(kin__gate *const *gates, size_t n, kin__bell *ret)
{
    block *b = new_block(gates, n);
    if (b == NULL) {
        return kin__failure();
    }
    kin__bell bell = { .self = kin__block_ref(b), .block = b };
    bell.fd = make_socket(b);
    KIN__STEP("bell.made");
    int rv = bell.fd < 0 ? bell.fd : claim_cell(bell.self, &bell.cell);
    if (rv < 0 && bell.fd >= 0) {
        kin__os_close(bell.fd);
    }
    if (rv < 0) {
        kin__block_free(b);
        return rv;
    }
    KIN__STEP("bell.hung");
    *ret = bell;
    return 0;
}

void kin__bell_hush(const kin__bell *bell)
{
    kin__os_hush(bell->fd);
    atomic_fetch_add(&bell->block->round, 1); /* R4 */
}

void kin__bell_drop(const kin__bell *bell)
{
    kin__ref self = bell->self;
    (void)atomic_compare_exchange_strong(&kin__domain_bells()->cells[bell->cell].bell, &self, 0);
    KIN__STEP("bell.dropped");
    kin__os_close(bell->fd);
    kin__block_free(bell->block);
}
