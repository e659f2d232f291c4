/* cells.c - a row of words, of which each is one party's at a time.
 *
 * Idea. Who takes part in something writes his name into a cell, by one CAS; so what a dead process
 * had is found by looking at the cells, and the next one takes it from him, by one CAS too.
 *
 *      63 ......... 29   28..27   26 ........... 0
 *     +---------------+---------+-----------------+      0 is a state in which a cell is nobody's;
 *     |      tag      |  state  | holder's kin__id |      the others are its user's
 *     +---------------+---------+-----------------+
 *
 * Rules.
 *   R1  Free cells are looked for first, and those of the dead only when there are none: to ask who
 *       is dead costs ten times as much.
 *   R2  Tags begin anywhere. So a CAS that is late for a row that was freed finds nothing of what
 *       it expects in what is made there next.
 *
 * Death. Before the CAS nothing happened; after it, the cell says whose it is.
 *
 * Not here. What states there are, and who may have a cell when (semaphore.c, round.c).
 */
#include "room.h"

kin__cells kin__cells_of(const _Atomic uintptr_t *at, const _Atomic uint32_t *count)
{
    kin__cells c = { (_Atomic uint64_t *)atomic_load(at), atomic_load(count) };
    bool whole = c.n <= KIN__CELLS_MOST && kin__in_domain(c.at, c.n * sizeof *c.at);
    c.n = whole ? c.n : 0;
    return c;
}

uint64_t kin__cells_begin(kin__cells c)
{
    uint64_t tag = (uint64_t)kin__os_now() & KIN__TAG_MASK; /* R2 */
    for (uint32_t i = 0; i < c.n; i++) {
        atomic_store_explicit(&c.at[i], KIN__CELL(tag, 0, KIN__NOBODY), memory_order_relaxed);
    }
    return tag;
}

bool kin__cells_claim(kin__cells c, uint64_t (*may)(uint64_t seen, bool dead_too, const void *ctx),
                      const void *ctx, kin__claimed *ret)
{
    uint32_t index = ret->index < c.n ? ret->index : 0;
    for (uint32_t i = 0; i < 2 * c.n; i++, index = index + 1 < c.n ? index + 1 : 0) {
        uint64_t seen = atomic_load(&c.at[index]);
        uint64_t ours = may(seen, i >= c.n, ctx); /* R1 */
        if (ours != 0 && atomic_compare_exchange_strong(&c.at[index], &seen, ours)) {
            *ret = (kin__claimed){ .at = &c.at[index], .index = index, .seen = seen, .ours = ours };
            return true;
        }
    }
    return false;
}
