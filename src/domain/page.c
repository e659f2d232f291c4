/* page.c - hands out the domain's pages: single ones for small blocks, runs for large ones.
 *
 * Idea. The truth about a page is the one word in its directory entry, and it is changed by CAS:
 * whoever claims a page writes his identity there. There are no lists of pages; there are hints
 * where to look (head.low, head.rover, head.spacious), and they may be wrong.
 *
 *                  claim                    format                       abandon
 *      FREE ----------------> CLAIMED(me) ----------> SMALL(me) <----------------------> SMALL(0)
 *       ^                          |                      allocates     take / has space    |
 *       |                          | publish                                                |
 *       |  free, tails first       v                             all blocks free: reclaim   |
 *       +---------------------- LARGE + TAILs                                               |
 *       +-----------------------------------------------------------------------------------+
 *
 * Rules.
 *   R1  Only the owner of a SMALL page claims blocks in it; anybody may free them.
 *   R2  A LARGE page's block has an owner before the page says LARGE; its tails are marked after.
 *   R3  A tail is freed only while it names this first page; the first page is freed last.
 *   R4  A small page of a stable type is never made anything else.
 *   R5  PAGE_SPACE is set only on a page that nobody owns; with it the page may be taken.
 *   R6  A page that becomes free says PAGE_USED, for good: one without it is as the kernel gave it,
 *       and nobody has to write zeros there.
 *
 * Death. What is CLAIMED by a dead process is freed by the sweep, and a SMALL page of his loses its
 * owner. A LARGE block half-freed still has an owner, the dead one, and the sweep frees the rest
 * (R3 makes that repeatable). A wrong hint costs time: a search that finds nothing corrects it.
 *
 * Not here. Blocks (block.c), the sweep itself (sweep.c).
 */
#include "map.h"

/* Multiples of 64 from 64 on, the larger ones as a page divides. */
#define SHAPE(size)                                                                                \
    {                                                                                              \
        size, COUNT(size), (HEADER(COUNT(size)) + 63) / 64 * 64,                                   \
            (uint32_t)((((uint64_t)1 << 32) + (size)-1) / (size))                                  \
    }
#define HEADER(count) (uint32_t)(sizeof(small_page) + (count) * sizeof(block))
#define COUNT(size) (uint32_t)((PAGE_SIZE - sizeof(small_page) - 48) / ((size) + sizeof(block)))

const class_shape kin__classes[CLASSES] = {
    SHAPE(16),    SHAPE(32),    SHAPE(48),    SHAPE(64),   SHAPE(128),   SHAPE(192),   SHAPE(256),
    SHAPE(320),   SHAPE(384),   SHAPE(448),   SHAPE(512),  SHAPE(640),   SHAPE(768),   SHAPE(896),
    SHAPE(1024),  SHAPE(1280),  SHAPE(1536),  SHAPE(1792), SHAPE(2048),  SHAPE(2560),  SHAPE(3072),
    SHAPE(4288),  SHAPE(5376),  SHAPE(6464),  SHAPE(8128), SHAPE(10816), SHAPE(12992), SHAPE(16256),
    SHAPE(21632), SHAPE(32512), SHAPE(65152),
};

unsigned kin__page_class_of(size_t size)
{
    if (size <= 64) {
        return size == 0 ? 0 : (unsigned)((size + 15) / 16 - 1);
    }
    unsigned low = 4; /* the answer is in [low, high] */
    unsigned high = CLASSES;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (kin__classes[middle].size >= size) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* ---- runs of pages --------------------------------------------------------------------------- */

static bool claim_page(uint64_t index, kin__id self)
{
    uint64_t free_state = atomic_load(&page_at(index)->state);
    return PAGE_KIND(free_state) == PAGE_FREE &&
           atomic_compare_exchange_strong(&page_at(index)->state, &free_state,
                                          PAGE_STATE(PAGE_CLAIMED, 0, 0, self) |
                                              (free_state & PAGE_USED));
}

void kin__page_free_claimed(uint64_t index)
{
    atomic_store(&page_at(index)->holders, 0);
    atomic_store(&page_at(index)->state, PAGE_STATE(PAGE_FREE, 0, 0, 0) | PAGE_USED);
    uint64_t low = atomic_load(&base()->low);
    while (index < low && !atomic_compare_exchange_weak(&base()->low, &low, index)) {
    }
}

/* Claims [first, first + pages) or nothing; where the first page is that was in the way. */
static bool claim_run_at(uint64_t first, uint64_t pages, kin__id self, uint64_t *ret_in_the_way)
{
    for (uint64_t i = 0; i < pages; i++) {
        if (!claim_page(first + i, self)) {
            *ret_in_the_way = first + i;
            while (i-- > 0) {
                kin__page_free_claimed(first + i);
            }
            return false;
        }
        KIN__STEP("page.claimed");
    }
    return true;
}

static bool find_run(uint64_t from, uint64_t to, uint64_t pages, kin__id self, uint64_t *ret_first)
{
    uint64_t first = from;
    while (first < to && pages <= to - first) {
        /* Look from the end of the run backwards: one page in the way skips all before it. */
        uint64_t last = first + pages;
        while (last > first && PAGE_KIND(atomic_load(&page_at(last - 1)->state)) == PAGE_FREE) {
            last--;
        }
        uint64_t in_the_way = last - 1;
        if (last == first && claim_run_at(first, pages, self, &in_the_way)) {
            *ret_first = first;
            return true;
        }
        first = in_the_way + 1;
    }
    return false;
}

static bool all_free(uint64_t index, unsigned class)
{
    const small_page *s = (const small_page *)(const void *)page_data(index);
    for (uint32_t i = 0; i < kin__classes[class].count; i++) {
        if (BLOCK_OWNER(atomic_load(&s->blocks[i].state)) != KIN__NOBODY) {
            return false;
        }
    }
    return true;
}

/* Makes a free page of a small one whose blocks are all free (R4: a plain one). It is taken first:
 * then nobody else claims blocks in it (R1), and a second look is the last word. */
static bool reclaim_page(uint64_t index, kin__id self)
{
    page *p = page_at(index);
    uint64_t state = atomic_load(&p->state);
    unsigned class = PAGE_CLASS(state);
    if (PAGE_KIND(state) != PAGE_SMALL || !(state & PAGE_SPACE) || PAGE_HEAP(state) != 0 ||
        class >= CLASSES || !all_free(index, class) ||
        !atomic_compare_exchange_strong(&p->state, &state,
                                        PAGE_STATE(PAGE_SMALL, 0, class, self))) {
        return false;
    }
    KIN__STEP("page.reclaimed");
    atomic_fetch_sub(&base()->spacious[0][class], 1);
    if (!all_free(index, class)) {
        kin__page_abandon(index);
        return false;
    }
    kin__page_free_claimed(index);
    return true;
}

static bool reclaim_pages(kin__id self)
{
    uint64_t top = atomic_load(&base()->top);
    bool any = false;
    for (uint64_t i = 0; i < top; i++) {
        any |= reclaim_page(i, self);
    }
    return any;
}

static bool claim_run_below_top(kin__id self, uint64_t pages, uint64_t *ret_first)
{
    domain *d = base();
    uint64_t top = atomic_load(&d->top);
    uint64_t low = atomic_load(&d->low);
    uint64_t from = pages == 1 ? low : atomic_load(&d->rover);
    if (find_run(from, top, pages, self, ret_first)) {
        if (pages > 1) {
            atomic_store(&d->rover, *ret_first + pages);
        } else {
            atomic_compare_exchange_strong(&d->low, &low, *ret_first + 1);
        }
        return true;
    }
    return from != 0 && find_run(0, top, pages, self, ret_first);
}

/* The dead are asked after before the domain grows: nobody may have noticed who has died with how
 * much, and what they held is as good as new pages. */
int kin__page_claim_run(kin__id self, uint64_t pages, uint64_t *ret_first)
{
    for (bool swept = false;; swept = true) {
        if (claim_run_below_top(self, pages, ret_first)) {
            return 0;
        }
        kin__cache_empty(self);
        if (reclaim_pages(self) && claim_run_below_top(self, pages, ret_first)) {
            return 0;
        }
        int rv = swept ? kin__domain_grow(pages) : (int)kin__count_alive();
        if (rv < 0) {
            return rv;
        }
    }
}

void kin__page_free_run(uint64_t first)
{
    uint64_t size = atomic_load(&page_at(first)->large.shape) >> 8;
    uint64_t pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    uint64_t top = atomic_load(&base()->top);
    for (uint64_t i = first + 1; i < first + pages && i < top; i++) {
        uint64_t tail = PAGE_STATE(PAGE_TAIL, 0, 0, (uint32_t)first);
        if (atomic_load(&page_at(i)->state) == tail) { /* R3 */
            kin__page_free_claimed(i);
        }
        KIN__STEP("page.tail_freed");
    }
    kin__page_free_claimed(first);
}

/* ---- pages of small blocks ------------------------------------------------------------------- */

/* Gives a page to whoever looks for one with room: R5. */
void kin__page_has_space(page *p)
{
    uint64_t state = atomic_load(&p->state);
    bool sound = PAGE_HEAP(state) < HEAPS && PAGE_CLASS(state) < CLASSES;
    if (PAGE_KIND(state) == PAGE_SMALL && PAGE_OWNER(state) == 0 && !(state & PAGE_SPACE) &&
        sound && atomic_compare_exchange_strong(&p->state, &state, state | PAGE_SPACE)) {
        atomic_fetch_add(&base()->spacious[PAGE_HEAP(state)][PAGE_CLASS(state)], 1);
    }
}

static bool has_hints(uint64_t index)
{
    small_page *s = (small_page *)(void *)page_data(index);
    for (unsigned w = 0; w < 32; w++) {
        if (atomic_load(&s->free[w]) != 0) {
            return true;
        }
    }
    return false;
}

void kin__page_abandon(uint64_t index)
{
    page *p = page_at(index);
    uint64_t state = atomic_load(&p->state);
    atomic_store(&p->state, PAGE_STATE(PAGE_SMALL, PAGE_HEAP(state), PAGE_CLASS(state), 0));
    KIN__STEP("page.abandoned");
    if (has_hints(index)) { /* after the store: who frees later sees that nobody owns it */
        kin__page_has_space(p);
    }
}

static bool take_spacious(kin__id self, unsigned heap, unsigned class, uint64_t *ret_page)
{
    domain *d = base();
    int64_t known = atomic_load(&d->spacious[heap][class]);
    if (known == 0) {
        return false;
    }
    uint64_t wanted = PAGE_STATE(PAGE_SMALL, heap, class, 0) | PAGE_SPACE;
    uint64_t top = atomic_load(&d->top);
    for (uint64_t i = 0; i < top; i++) {
        uint64_t state = wanted;
        if (atomic_load_explicit(&page_at(i)->state, memory_order_relaxed) == wanted &&
            atomic_compare_exchange_strong(&page_at(i)->state, &state,
                                           PAGE_STATE(PAGE_SMALL, heap, class, self))) {
            KIN__STEP("page.taken");
            atomic_fetch_sub(&d->spacious[heap][class], 1);
            *ret_page = i;
            return true;
        }
    }
    atomic_compare_exchange_strong(&d->spacious[heap][class], &known, 0);
    return false;
}

/* Pages become parts of other blocks than before, and somebody may still look at what was there. So
 * generations begin far apart, and their lower 27 bits do not come twice in 2^27 times. */
uint32_t kin__page_generation(void)
{
    return atomic_fetch_add(&base()->seed, 0x9e3779b9u);
}

static void format_small(uint64_t index, unsigned heap, unsigned class, kin__id self)
{
    const class_shape *shape = &kin__classes[class];
    small_page *s = (small_page *)(void *)page_data(index);
    uint32_t generation = kin__page_generation();
    for (uint32_t i = 0; i < shape->count; i++) {
        atomic_init(&s->blocks[i].state, BLOCK_STATE(generation, KIN__NOBODY));
        atomic_init(&s->blocks[i].shape, 0);
    }
    for (uint32_t w = 0; w < 32; w++) {
        uint32_t left = shape->count > w * 64 ? shape->count - w * 64 : 0;
        atomic_init(&s->free[w], left >= 64 ? UINT64_MAX : ((uint64_t)1 << left) - 1);
    }
    KIN__STEP("page.formatted");
    atomic_store(&page_at(index)->state, PAGE_STATE(PAGE_SMALL, heap, class, self));
}

int kin__page_take_small(kin__id self, unsigned heap, unsigned class, uint64_t *ret_page)
{
    if (!take_spacious(self, heap, class, ret_page)) {
        int rv = kin__page_claim_run(self, 1, ret_page);
        if (rv < 0) {
            return rv;
        }
        format_small(*ret_page, heap, class, self);
    }
    atomic_fetch_or(&page_at(*ret_page)->holders, HOLDER_BIT(self));
    return 0;
}
