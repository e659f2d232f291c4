/* message.c - a message in a cell: objects and bytes in and out.
 *
 * A small message lies in its cell. A larger one lies apart, in a block that is the producer's
 * until its cell names it; then it is given to the family; then the cell is published. The taker
 * copies it out, makes the block his own, finishes the cell, and frees the block (ring.c, R3).
 *
 * What lies apart is written before a cell is claimed, and what is small is flattened before, too:
 * a claim is held for some instructions only. */
#include "room.h"

#include <string.h>

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

int kin__parcel_pack(kin__parcel *p, const char *verb)
{
    if (p->size <= KIN__CELL_ROOM) {
        return write_into(p, p->small);
    }
    if (p->size > UINT32_MAX) {
        return kin__fail(KIN_ERANGE, "%s: a message of %zu bytes is too large", verb, p->size);
    }
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

void kin__parcel_fill(const kin__parcel *p, kin__cell *cell)
{
    uint32_t apart = p->apart != NULL ? KIN__CELL_APART : 0;
    /* who reads these for those of the message before (take_seen) sees that it is gone */
    atomic_store_explicit(&cell->size, (uint32_t)p->size, memory_order_release);
    atomic_store_explicit(&cell->kind, p->kind | apart, memory_order_release);
    if (!apart) {
        memcpy(cell->bytes, p->small, KIN__CELL_ROOM);
        return;
    }
    atomic_store(&cell->apart, kin__block_ref(p->apart)); /* R3 of ring.c: before it is given */
    KIN__STEP("message.named");
    kin__block_give(p->apart);
}

void kin__parcel_abandon(const kin__parcel *p)
{
    if (p->kind == KIN__CELL_OBJECT) {
        kin__flat_discard(p->apart != NULL ? p->apart : p->small, p->size);
    }
    if (p->apart != NULL) {
        kin__block_free(p->apart);
    }
}

const void *kin__claim_bytes(const kin__claim *claim)
{
    const kin__cell *cell = claim->cell;
    const void *bytes = cell->bytes;
    size_t room = KIN__CELL_ROOM;
    if (claim->kind & KIN__CELL_APART) {
        bytes = kin__block_at(atomic_load(&cell->apart), KIN__MESSAGE, NULL);
        room = bytes != NULL ? kin__block_size(bytes) : 0;
    }
    return claim->size <= room ? bytes : NULL;
}

void *kin__claim_own(const kin__claim *claim)
{
    if (!(claim->kind & KIN__CELL_APART)) {
        return NULL;
    }
    kin__ref apart = atomic_load(&claim->cell->apart);
    bool ours = kin__block_take(apart);
    KIN__STEP("message.taken");
    return ours ? kin__block_at(apart, KIN__MESSAGE, NULL) : NULL;
}
