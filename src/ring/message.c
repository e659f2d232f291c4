/* message.c - a message in a cell: objects and bytes in and out.
 *
 * Idea. A small message lies in its cell. One of middle size lies beside it, in a block that stays
 * with the cell, for the next message that comes there: so nothing is allocated or freed for it. A
 * large one lies apart, in a block of its own that is handed over.
 *
 *      cell                cell                  cell
 *      +--------+          +--------+            +--------+
 *      | bytes  |          | beside |--> block   | apart  |--> block: the producer's, then the
 *      +--------+          +--------+    (stays) +--------+    family's, then the taker's
 *
 * Rules.
 *   R1  What is to be copied is flattened before the cell is claimed, and is KIN__BESIDE_MOST at
 *       most; what lies apart is written before: so a claim is held for a moment only.
 *   R2  A block belongs to its producer until the cell names it, then to the family; a taker makes
 *       it his before he finishes the cell, and the cell forgets it.
 *   R3  `apart` may name what is no block any more, or not of this cell. It counts only while the
 *       block is the family's; and a cell is the only one that names it.
 *   R4  All blocks beside a ring's cells are BESIDE_IN_ALL at most; in a ring of many cells there
 *       are none.
 *
 * Death. Producer: a block that the cell does not name yet is swept; one that it names is freed by
 * who settles his claim (ring.c). Taker: the message is still there, unless he had made it his. */
#include "cell.h"

#include <string.h>

#define BESIDE_LEAST 128u
#define BESIDE_IN_ALL ((size_t)4 << 20)

static int write_into(const kin__parcel *p, void *at)
{
    if (p->kind == KIN__CELL_OBJECT) {
        return kin__flat_write(p->object, at, p->size);
    }
    if (p->size != 0) {
        memcpy(at, p->bytes, p->size);
    }
    return 0;
}

static int pack_apart(kin__parcel *p)
{
    void *apart = kin__block_new(p->size, KIN__MESSAGE);
    if (apart == NULL) {
        return kin__failure();
    }
    int rv = write_into(p, apart);
    if (rv < 0) {
        kin__block_free(apart);
        return rv;
    }
    p->apart = apart;
    return 0;
}

int kin__parcel_pack(kin__parcel *p, const char *verb)
{
    if (p->size > UINT32_MAX) {
        return kin__fail(KIN_ERANGE, "%s: a message of %zu bytes is too large", verb, p->size);
    }
    bool is_object = p->kind == KIN__CELL_OBJECT;
    void *flat = p->size <= KIN__CELL_ROOM ? p->small : p->scratch;
    if (p->size > KIN__BESIDE_MOST || (is_object && flat == NULL)) {
        return pack_apart(p);
    }
    if (!is_object) {
        return 0; /* they are copied from where they are */
    }
    p->bytes = flat;
    return kin__flat_write(p->object, flat, p->size);
}

void kin__parcel_abandon(const kin__parcel *p)
{
    if (p->kind == KIN__CELL_OBJECT) {
        kin__flat_discard(p->apart != NULL ? p->apart : p->bytes, p->size);
    }
    if (p->apart != NULL) {
        kin__block_free(p->apart);
    }
}

/* ---- into a cell ----------------------------------------------------------------------------- */

/* Whoever reads these for those of the message before (take_seen) sees that it is gone. */
static void describe(kin__cell *cell, size_t size, uint32_t kind)
{
    atomic_store_explicit(&cell->size, (uint32_t)size, memory_order_release);
    atomic_store_explicit(&cell->kind, kind, memory_order_release);
}

static inline void write_small(kin__cell *cell, uint32_t kind, const void *bytes, size_t size)
{
    describe(cell, size, kind);
    if (size == sizeof(uint64_t)) { /* as in pipes of numbers: saves the call */
        memcpy(cell->bytes, bytes, sizeof(uint64_t));
    } else if (size != 0) {
        memcpy(cell->bytes, bytes, size);
    }
}

void kin__cell_write(kin__cell *cell, const void *bytes, size_t size)
{
    write_small(cell, KIN__CELL_BYTES, bytes, size);
}

/* R2. */
static void name_block(kin__cell *cell, void *block)
{
    (void)kin__block_discard(atomic_load(&cell->apart));
    atomic_store(&cell->apart, kin__block_ref(block));
    KIN__STEP("message.named");
    kin__block_give(block);
}

/* The block beside the cell, or a new one that may be larger than needed: for the next message.
 * NULL: there can be none. */
static void *block_beside(kin__cell *cell, size_t size, uint32_t cells)
{
    size_t room;
    void *block = kin__block_shared(atomic_load(&cell->apart), KIN__MESSAGE, &room);
    if (block != NULL && room >= size && room <= KIN__BESIDE_MOST) {
        return block;
    }
    for (room = BESIDE_LEAST; room < size;) {
        room *= 2;
    }
    block = room * cells <= BESIDE_IN_ALL ? kin__block_new(room, KIN__MESSAGE) : NULL; /* R4 */
    if (block != NULL) {
        name_block(cell, block);
    }
    return block;
}

int kin__parcel_fill(const kin__parcel *p, const kin__claim *claim)
{
    kin__cell *cell = claim->cell;
    if (p->apart != NULL) {
        describe(cell, p->size, p->kind | KIN__CELL_APART);
        name_block(cell, p->apart);
        return 0;
    }
    if (p->size <= KIN__CELL_ROOM) {
        write_small(cell, p->kind, p->bytes, p->size);
        return 0;
    }
    uint32_t kind = KIN__CELL_BESIDE;
    void *block = block_beside(cell, p->size, claim->ring.count);
    if (block == NULL) {
        kind = KIN__CELL_APART;
        block = kin__block_new(p->size, KIN__MESSAGE);
        if (block == NULL) {
            return kin__failure();
        }
        name_block(cell, block);
    }
    describe(cell, p->size, p->kind | kind);
    memcpy(block, p->bytes, p->size);
    return 0;
}

/* ---- out of it ------------------------------------------------------------------------------- */

static bool is_in_block(const kin__claim *claim)
{
    return claim->kind & (KIN__CELL_APART | KIN__CELL_BESIDE);
}

const void *kin__claim_bytes(const kin__claim *claim)
{
    const void *bytes = claim->cell->bytes;
    size_t room = KIN__CELL_ROOM;
    if (is_in_block(claim)) {
        room = 0;
        bytes = kin__block_shared(atomic_load(&claim->cell->apart), KIN__MESSAGE, &room);
    }
    return claim->size <= room ? bytes : NULL;
}

static void *own(const kin__claim *claim)
{
    kin__ref apart = atomic_load(&claim->cell->apart);
    bool ours = kin__block_take(apart);
    KIN__STEP("message.taken");
    if (!ours) {
        return NULL;
    }
    atomic_store(&claim->cell->apart, 0);
    return kin__block_find(apart, KIN__MESSAGE);
}

void *kin__claim_own(const kin__claim *claim)
{
    return claim->kind & KIN__CELL_APART ? own(claim) : NULL;
}

void *kin__claim_own_beside(const kin__claim *claim)
{
    return is_in_block(claim) ? own(claim) : NULL;
}

void kin__ring_strip(const kin__ring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        kin__ref beside = atomic_load(&ring->at->cells[i].apart);
        if (beside != 0 && kin__block_is_shared(ring->self)) { /* so that was a cell of it still */
            (void)kin__block_discard(beside);
        }
    }
}
