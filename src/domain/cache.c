/* cache.c - small blocks that this process has freed, at hand for its next allocations.
 *
 * Idea. Freeing a block has two halves (block.c): one CAS makes it FREEING, the freer's alone; then
 * its hint is set, and it is nobody's. Of plain blocks up to 1 KiB a few are left in between. Who
 * allocates next in this process turns back from there: that needs no page in hand and no hint.
 *
 *      held --CAS--> FREEING, mine --CAS--> in a cell --exchange--> FREEING, mine --store--> held
 *                          |                   |
 *                          | no room           | emptied
 *                          +---------> the second half: nobody's
 *
 * Rules.
 *   R1  What a cell names is FREEING, this process's, and has no hint. So it is no use, no leak and
 *       no good ref; its page is in use; and whoever takes it out of the cell goes on alone.
 *   R2  The cells lie on the page that the kernel wipes in a forked child: it never uses what its
 *       parent keeps.
 *   R3  Before page.c makes free pages of others, and so before memory is out or grows, it has the
 *       cells emptied: what a process keeps is not kept from itself. For others it is out of reach
 *       until then: KEPT blocks of KEPT_CLASSES sizes, each of which may keep one page from serving
 *       another size.
 *
 * Death. A block put in, lying in or taken out of a cell is one that was being freed: the sweep
 * ends that. After the store it is a block like any other.
 *
 * Not here. The second half, and where blocks come from otherwise (block.c).
 */
#include "map.h"

/* What the cell names, if that is what it was: a stray write may have been at the header. */
static block *take_out(_Atomic(block *) *cell, kin__id self)
{
    bool full = atomic_load_explicit(cell, memory_order_relaxed) != NULL;
    block *header = full ? atomic_exchange(cell, NULL) : NULL;
    if (header == NULL) {
        return NULL;
    }
    KIN__STEP("cache.taken");
    uint64_t state = atomic_load(&header->state);
    return state & BLOCK_FREEING && BLOCK_OWNER(state) == self ? header : NULL;
}

bool kin__cache_keep(unsigned class, block *header)
{
    _Atomic(block *) *cells = kin__domain_private()->kept[class];
    for (unsigned i = 0; i < KEPT; i++) {
        block *none = NULL;
        if (atomic_load_explicit(&cells[i], memory_order_relaxed) == NULL &&
            atomic_compare_exchange_strong(&cells[i], &none, header)) {
            KIN__STEP("cache.kept");
            return true;
        }
    }
    return false;
}

block *kin__cache_take(unsigned class, kin__id self, uint64_t shape)
{
    _Atomic(block *) *cells = kin__domain_private()->kept[class];
    for (unsigned i = 0; i < KEPT; i++) {
        block *header = take_out(&cells[i], self);
        if (header != NULL) {
            uint64_t state = atomic_load_explicit(&header->state, memory_order_relaxed);
            atomic_store_explicit(&header->shape, shape, memory_order_relaxed);
            atomic_store_explicit(&header->state, BLOCK_STATE(BLOCK_GENERATION(state), self),
                                  memory_order_release); /* pairs with whoever reads state */
            KIN__STEP("cache.reused");
            return header;
        }
    }
    return NULL;
}

void kin__cache_empty(kin__id self)
{
    private_page *mine = kin__domain_private();
    for (unsigned i = 0; i < KEPT_CLASSES * KEPT; i++) {
        block *header = take_out(&mine->kept[i / KEPT][i % KEPT], self);
        if (header != NULL) {
            kin__block_end_free(header);
        }
    }
}
