/* sweep.c - gives back what a dead process held.
 *
 * Idea. Nothing lists what a process holds: its identity stands on each thing itself. The sweep
 * goes through the page directory and looks at pages that he may have held something in.
 *
 * Rules.
 *   R1  Each step may be done twice, by two sweepers one after the other: the first may die here.
 *   R2  Only blocks that he owned are freed: what he had given to the family stays, and so does
 *       all that kin_alloc had returned to its user.
 *   R3  Hints that he may have lost are written anew where he had his hands.
 *
 * Not here. Who is elected to sweep (table.c). What stands in queues and locks under his name:
 * whoever comes across it asks kin__alive(), and resolves it there.
 */
#include "map.h"

static void sweep_block(block *header, kin__id dead)
{
    uint64_t state = atomic_load(&header->state);
    if (BLOCK_OWNER(state) == dead) {
        atomic_compare_exchange_strong(&header->state, &state,
                                       BLOCK_STATE(BLOCK_GENERATION(state) + 1, KIN__NOBODY));
    }
}

static void sweep_small(uint64_t index, uint64_t state, kin__id dead)
{
    if (PAGE_CLASS(state) >= CLASSES) {
        return;
    }
    page *p = page_at(index);
    small_page *s = (small_page *)(void *)page_data(index);
    uint32_t count = kin__classes[PAGE_CLASS(state)].count;
    for (uint32_t i = 0; i < count; i++) {
        sweep_block(&s->blocks[i], dead);
        KIN__STEP("sweep.block");
        if (BLOCK_OWNER(atomic_load(&s->blocks[i].state)) == KIN__NOBODY) {
            kin__block_hint(s, i); /* R3 */
        }
    }
    if (PAGE_OWNER(state) == dead) {
        kin__page_abandon(index);
    } else {
        kin__page_has_space(p);
    }
}

static void sweep_page(uint64_t index, kin__id dead)
{
    page *p = page_at(index);
    uint64_t state = atomic_load(&p->state);
    if (PAGE_KIND(state) == PAGE_CLAIMED && PAGE_OWNER(state) == dead) {
        kin__page_free_claimed(index);
    } else if (PAGE_KIND(state) == PAGE_SMALL &&
               (PAGE_OWNER(state) == dead || atomic_load(&p->holders) & HOLDER_BIT(dead))) {
        sweep_small(index, state, dead);
    } else if (PAGE_KIND(state) == PAGE_LARGE &&
               BLOCK_OWNER(atomic_load(&p->large.state)) == dead) {
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
