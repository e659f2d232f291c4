/* sweep.c - gives back what a dead process held.
 *
 * Idea. Nothing lists what a process holds: its identity stands on each thing itself. The sweep
 * goes through the page directory and looks at pages that he may have held something in.
 *
 * Rules.
 *   R1  Each step may be done twice, by two sweepers one after the other: the first may die here.
 *   R2  Only blocks that he owned are freed: what he had given to the family stays, and so does
 *       all that kin_alloc had returned to its user.
 *   R3  A page may be abandoned, emptied by others and used for something else while we look at it;
 *       but not while it has a block of the dead, which only we free. So such a block is looked
 *       for first, and then whether the page is what it was.
 *   R4  Hints that he lost between clearing them and claiming are in a page of his own, which is
 *       ours now: there they are written anew.
 *
 * Not here. Who is elected to sweep (table.c). What stands in queues and locks under his name:
 * whoever comes across it asks kin__alive(), and resolves it there.
 */
#include "map.h"

/* From his to FREEING; true also when it was that already. */
static bool begin_to_free(block *header, kin__id dead, uint64_t *ret_freeing)
{
    uint64_t state = atomic_load(&header->state);
    *ret_freeing = BLOCK_FREEING | BLOCK_STATE(BLOCK_GENERATION(state) + 1, dead);
    if (state & BLOCK_FREEING) {
        *ret_freeing = state;
    }
    return BLOCK_OWNER(state) == dead &&
           (state & BLOCK_FREEING ||
            atomic_compare_exchange_strong(&header->state, &state, *ret_freeing));
}

static bool is_still(uint64_t index, uint64_t state)
{
    uint64_t now = atomic_load(&page_at(index)->state);
    return PAGE_KIND(now) == PAGE_SMALL && PAGE_HEAP(now) == PAGE_HEAP(state) &&
           PAGE_CLASS(now) == PAGE_CLASS(state);
}

static void sweep_small(uint64_t index, uint64_t state, kin__id dead)
{
    if (PAGE_CLASS(state) >= CLASSES) {
        return;
    }
    small_page *s = (small_page *)(void *)page_data(index);
    uint32_t count = kin__classes[PAGE_CLASS(state)].count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t owner = BLOCK_OWNER(atomic_load(&s->blocks[i].state));
        uint64_t freeing;
        if (owner == dead && is_still(index, state) && /* R3 */
            begin_to_free(&s->blocks[i], dead, &freeing)) {
            kin__block_free_small(s, i, freeing);
        } else if (owner == KIN__NOBODY && PAGE_OWNER(state) == dead) {
            kin__block_hint(s, i); /* R4 */
        }
        KIN__STEP("sweep.block");
    }
    if (PAGE_OWNER(state) == dead) {
        kin__page_abandon(index);
    } else {
        kin__page_has_space(page_at(index)); /* a sweeper before us may have died just there */
    }
}

static void sweep_page(uint64_t index, kin__id dead)
{
    page *p = page_at(index);
    uint64_t state = atomic_load(&p->state);
    uint64_t freeing;
    if (PAGE_KIND(state) == PAGE_CLAIMED && PAGE_OWNER(state) == dead) {
        kin__page_free_claimed(index);
    } else if (PAGE_KIND(state) == PAGE_SMALL &&
               (PAGE_OWNER(state) == dead || atomic_load(&p->holders) & HOLDER_BIT(dead))) {
        sweep_small(index, state, dead);
    } else if (PAGE_KIND(state) == PAGE_LARGE && begin_to_free(&p->large, dead, &freeing)) {
        kin__page_free_run(index);
    }
}

void kin__sweep(kin__id dead)
{
    uint64_t top = atomic_load(&base()->top);
    for (uint64_t i = 0; i < top; i++) {
        sweep_page(i, dead);
        KIN__STEP("sweep.page");
    }
}
