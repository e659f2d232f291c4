/* block.c - memory whose owner is known.
 *
 * Idea. Each block has a header apart from it: who owns it (a process, the family, or nobody), and
 * a generation that grows when it is freed. A block is claimed by one CAS on that header, which
 * writes the claimer's identity: so there is no moment at which a block is neither free nor
 * somebody's, and what a dead process held is found by looking at the headers.
 *
 *      free --CAS--> mine --give--> the family's --take--> mine (another's)
 *        ^            ^ |                |
 *        |     cache.c| +------free------+      every free: generation + 1
 *        |            |        v
 *        +------ FREEING, the freer's
 *
 * Rules.
 *   R1  owner and generation change together, by CAS, from a state that was seen. (What is FREEING
 *       and has no hint is the freer's alone: he needs no CAS.)
 *   R2  Before a process may own a block of a page, its bit in the page's `holders` is set: the
 *       sweep looks at no other pages.
 *   R3  The bits in `free` are hints. Set while a block is FREEING, cleared before it is claimed.
 *       FREEING is for the freer alone: a page with such a block is in use. Once it is over he must
 *       not touch the page, which may be the middle of a large block by then. Whoever has cleared
 *       the hint may claim the block a moment before it is over.
 *   R4  A ref is good while the generation in the header is the ref's, and it is not FREEING. No
 *       two large blocks have the same one: so it also tells apart those that lay across each
 *       other.
 *   R5  A thread takes its process's current page in hand to claim blocks in it. So nobody claims
 *       in a page that another thread has abandoned.
 *
 * Death. Killed before the CAS: the block is free, only its hint is lost, until the sweep writes it
 * anew. After it, or in FREEING: the sweep frees the block. After `give`: the block is the
 * family's, and stays: whoever gives must have put it where others can find it (see queue/ring.c
 * for how).
 *
 * Not here. Which page to allocate from (page.c); blocks that are FREEING for longer (cache.c);
 * what users see (alloc.c).
 */
#include "map.h"

#include <string.h>

const kin__remote_ops *_Atomic kin__remote;

#define REF_OFFSET_BITS 34 /* in units of 16 bytes: 256 GiB */
_Static_assert(((uint64_t)GENERATION_MASK << REF_OFFSET_BITS) >> 63 == 0, "no ref has bit 63");

static small_page *small_at(uint64_t index)
{
    return (small_page *)(void *)page_data(index);
}

static uint64_t page_of(const block *header)
{
    return (uint64_t)((const char *)header - page_data(0)) >> PAGE_SHIFT;
}

void kin__block_hint(small_page *s, unsigned i)
{
    atomic_fetch_or(&s->free[i / 64], (uint64_t)1 << i % 64);
}

/* ---- from an address to its header ----------------------------------------------------------- */

typedef struct place {
    block *header;
    uint64_t page;
    unsigned plain; /* its class, if it is a plain small block; else CLASSES */
    bool small;
} place;

static bool locate(const void *p, place *ret)
{
    domain *d = base();
    uintptr_t at = (uintptr_t)p;
    if (d == NULL || at < (uintptr_t)d + d->data) {
        return false;
    }
    uintptr_t offset = at - (uintptr_t)d - d->data;
    ret->page = offset >> PAGE_SHIFT;
    if (ret->page >= atomic_load_explicit(&d->top, memory_order_relaxed)) {
        return false;
    }
    page *entry = page_at(ret->page);
    uint64_t state = atomic_load(&entry->state);
    uint32_t within = (uint32_t)(offset % PAGE_SIZE);
    ret->small = PAGE_KIND(state) == PAGE_SMALL;
    ret->plain = ret->small && PAGE_HEAP(state) == 0 ? PAGE_CLASS(state) : CLASSES;
    if (!ret->small) {
        ret->header = &entry->large;
        return PAGE_KIND(state) == PAGE_LARGE && within == 0;
    }
    if (PAGE_CLASS(state) >= CLASSES) {
        return false;
    }
    const class_shape *shape = &kin__classes[PAGE_CLASS(state)];
    uint32_t rest = within - shape->data;
    uint32_t i = (uint32_t)((uint64_t)rest * shape->inverse >> 32);
    if (within < shape->data || i * shape->size != rest || i >= shape->count) {
        return false;
    }
    ret->header = &small_at(ret->page)->blocks[i];
    return true;
}

static void will_hold(uint64_t index, kin__id self)
{
    page *p = page_at(index); /* R2 */
    if (!(atomic_load_explicit(&p->holders, memory_order_relaxed) & HOLDER_BIT(self))) {
        atomic_fetch_or(&p->holders, HOLDER_BIT(self));
    }
}

/* ---- new ------------------------------------------------------------------------------------- */

/* Claims a block that the hints name, or returns NULL when they name none. */
static block *claim_block(uint64_t index, const class_shape *shape, kin__id self, uint64_t tag)
{
    small_page *s = small_at(index);
    for (unsigned w = 0; w * 64 < shape->count; w++) {
        uint64_t bits = atomic_load_explicit(&s->free[w], memory_order_relaxed);
        while (bits != 0) {
            unsigned i = w * 64 + (unsigned)__builtin_ctzll(bits);
            bits = atomic_fetch_and(&s->free[w], ~((uint64_t)1 << i % 64));
            bool mine = bits & (uint64_t)1 << i % 64;
            bits &= ~((uint64_t)1 << i % 64);
            KIN__STEP("block.unhinted");
            uint64_t state = atomic_load(&s->blocks[i].state);
            uint64_t ours = BLOCK_STATE(BLOCK_GENERATION(state), self);
            if (mine && i < shape->count && !BLOCK_IS_HELD(state) &&
                atomic_compare_exchange_strong(&s->blocks[i].state, &state, ours)) {
                atomic_store_explicit(&s->blocks[i].shape, tag, memory_order_relaxed);
                KIN__STEP("block.claimed");
                return &s->blocks[i];
            }
        }
    }
    return NULL;
}

static void put_back(_Atomic uint32_t *current, uint32_t in_hand)
{
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong(current, &none, in_hand)) {
        kin__page_abandon(in_hand - 1); /* another thread had to get one meanwhile */
    }
}

static block *new_small(kin__id self, unsigned heap, unsigned class, uint64_t tag)
{
    block *kept = heap == 0 && class < KEPT_CLASSES ? kin__cache_take(class, self, tag) : NULL;
    if (kept != NULL) {
        return kept;
    }
    _Atomic uint32_t *current = &kin__domain_private()->current[heap][class];
    uint32_t in_hand = atomic_exchange(current, 0); /* R5 */
    for (;;) {
        block *made =
            in_hand != 0 ? claim_block(in_hand - 1, &kin__classes[class], self, tag) : NULL;
        if (made != NULL) {
            put_back(current, in_hand);
            return made;
        }
        uint64_t index;
        int rv = kin__page_take_small(self, heap, class, &index);
        if (in_hand != 0) {
            kin__page_abandon(in_hand - 1);
        }
        if (rv < 0) {
            return NULL;
        }
        in_hand = (uint32_t)index + 1;
    }
}

typedef struct made {
    char *at;
    block *header;
    bool used; /* its bytes may be other than zero: some page of it was something before */
} made;

static bool make_large(kin__id self, uint64_t size, kin__type type, made *ret)
{
    uint64_t pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (size > UINT64_MAX >> 9 || pages > base()->pages_max) { /* it shares a word */
        (void)kin__fail(KIN_ENOMEM, "%llu bytes are more than the family's memory can ever hold",
                        (unsigned long long)size);
        return false;
    }
    uint64_t first;
    if (kin__page_claim_run(self, pages, &first) < 0) {
        return false;
    }
    page *p = page_at(first);
    uint64_t used = atomic_load(&p->state);
    atomic_store(&p->large.shape, BLOCK_SHAPE(size, type));
    atomic_store(&p->large.state, BLOCK_STATE(kin__page_generation(), self));
    atomic_fetch_or(&p->holders, HOLDER_BIT(self));
    atomic_store(&p->state, PAGE_STATE(PAGE_LARGE, 0, 0, self));
    KIN__STEP("block.large");
    for (uint64_t i = first + 1; i < first + pages; i++) {
        used |= atomic_load(&page_at(i)->state);
        atomic_store(&page_at(i)->state, PAGE_STATE(PAGE_TAIL, 0, 0, (uint32_t)first));
        KIN__STEP("block.tail");
    }
    *ret = (made){ .at = page_data(first), .header = &p->large, .used = used & PAGE_USED };
    return true;
}

static bool make_small(kin__id self, size_t size, kin__type type, made *ret)
{
    unsigned class = kin__page_class_of(size);
    unsigned heap = type >= KIN__STABLE ? (unsigned)type : 0;
    block *header = new_small(self, heap, class, BLOCK_SHAPE(size, type));
    if (header == NULL) {
        return false;
    }
    uint64_t index = page_of(header);
    uint64_t i = (uint64_t)(header - small_at(index)->blocks);
    const class_shape *shape = &kin__classes[class];
    *ret = (made){ .at = page_data(index) + shape->data + i * shape->size,
                   .header = header,
                   .used = true };
    return true;
}

static bool make(size_t size, kin__type type, made *ret)
{
    if (KIN__FAULT(KIN__FAULT_MEMORY)) {
        (void)kin__fail(KIN_ENOMEM, "no memory for a block of %zu bytes: a test wants it so", size);
        return false;
    }
    kin__id self = kin__self();
    bool small = size <= kin__classes[CLASSES - 1].size;
    return self != KIN__NOBODY &&
           (small ? make_small(self, size, type, ret) : make_large(self, size, type, ret));
}

void *kin__block_new(size_t size, kin__type type)
{
    made it;
    return make(size, type, &it) ? it.at : NULL;
}

static kin__ref ref_to(const char *p, const block *header)
{
    kin__ref generation = BLOCK_GENERATION(atomic_load(&header->state));
    return generation << REF_OFFSET_BITS | (uint64_t)(p - (char *)base()) / 16;
}

void *kin__block_new_ref(size_t size, kin__type type, kin__ref *ret_ref)
{
    made it;
    bool is_made = make(size, type, &it);
    *ret_ref = is_made ? ref_to(it.at, it.header) : 0;
    return is_made ? it.at : NULL;
}

static bool make_zeroed(size_t size, kin__type type, size_t from, made *ret)
{
    if (!make(size, type, ret)) {
        return false;
    }
    if (ret->used) {
        memset(ret->at + from, 0, size - from);
    }
    return true;
}

void *kin__block_new_zeroed(size_t size, kin__type type, size_t from)
{
    made it;
    return make_zeroed(size, type, from, &it) ? it.at : NULL;
}

/* ---- owners change --------------------------------------------------------------------------- */

static void give(block *header)
{
    uint64_t state = atomic_load(&header->state);
    atomic_compare_exchange_strong(&header->state, &state,
                                   BLOCK_STATE(BLOCK_GENERATION(state), KIN__FAMILY));
    KIN__STEP("block.given");
}

kin__ref kin__block_give(void *p)
{
    place at;
    if (!locate(p, &at)) {
        return 0;
    }
    kin__ref ref = ref_to(p, at.header); /* now: it may be freed as soon as it is given */
    give(at.header);
    return ref;
}

void *kin__block_new_given(size_t size, kin__type type)
{
    made it;
    if (!make_zeroed(size, type, 0, &it)) {
        return NULL;
    }
    give(it.header);
    return it.at;
}

static char *address_of(kin__ref ref)
{
    return (char *)base() + (ref & (((kin__ref)1 << REF_OFFSET_BITS) - 1)) * 16;
}

void *kin__block_place(kin__ref ref, size_t size)
{
    char *p = address_of(ref);
    return ref != 0 && kin__in_domain(p, size) ? p : NULL;
}

/* The header of a ref, if it is that block still and the family's. */
static bool find_shared(kin__ref ref, place *ret, uint64_t *ret_state)
{
    *ret_state = BLOCK_STATE(ref >> REF_OFFSET_BITS, KIN__FAMILY);
    return ref != 0 && locate(address_of(ref), ret) &&
           atomic_load(&ret->header->state) == *ret_state;
}

bool kin__block_is_shared(kin__ref ref)
{
    place at;
    uint64_t state;
    return find_shared(ref, &at, &state);
}

bool kin__block_share(kin__ref ref)
{
    place at;
    uint64_t shared;
    if (find_shared(ref, &at, &shared)) {
        return true;
    }
    uint64_t state = ref != 0 && locate(address_of(ref), &at) ? atomic_load(&at.header->state) : 0;
    return state != 0 && BLOCK_GENERATION(state) == BLOCK_GENERATION(shared) &&
           BLOCK_IS_HELD(state) &&
           (atomic_compare_exchange_strong(&at.header->state, &state, shared) || state == shared);
}

bool kin__block_take(kin__ref ref)
{
    place at;
    uint64_t state;
    kin__id self = kin__self();
    if (self == KIN__NOBODY || !find_shared(ref, &at, &state)) {
        return false;
    }
    will_hold(at.page, self);
    return atomic_compare_exchange_strong(&at.header->state, &state,
                                          BLOCK_STATE(BLOCK_GENERATION(state), self));
}

/* ---- free ------------------------------------------------------------------------------------ */

/* The second half of freeing a small block: R3. */
void kin__block_free_small(small_page *s, unsigned i, uint64_t freeing)
{
    kin__block_hint(s, i);
    KIN__STEP("block.hinted");
    atomic_compare_exchange_strong(&s->blocks[i].state, &freeing,
                                   BLOCK_STATE(BLOCK_GENERATION(freeing), KIN__NOBODY));
}

void kin__block_end_free(block *header)
{
    uint64_t index = page_of(header);
    small_page *s = small_at(index);
    kin__block_free_small(s, (unsigned)(header - s->blocks), atomic_load(&header->state));
    KIN__STEP("block.freed");
    kin__page_has_space(page_at(index));
}

/* From `state`, which was seen, to free. False when somebody was faster. */
static bool free_at(const place *at, uint64_t state, kin__id self)
{
    will_hold(at->page, self);
    uint64_t freeing = BLOCK_FREEING | BLOCK_STATE(BLOCK_GENERATION(state) + 1, self);
    if (!atomic_compare_exchange_strong(&at->header->state, &state, freeing)) {
        return false;
    }
    KIN__STEP("block.freeing");
    if (!at->small) {
        kin__page_free_run(at->page);
    } else if (at->plain >= KEPT_CLASSES || !kin__cache_keep(at->plain, at->header)) {
        kin__block_end_free(at->header);
    }
    return true;
}

int kin__block_free_type(void *p, kin__type type)
{
    place at;
    kin__id self = kin__self();
    if (self == KIN__NOBODY || !locate(p, &at)) {
        return kin__fail(KIN_EINVAL, "kin_free: %p is no block of the family's memory", p);
    }
    if (type != 0 && (atomic_load(&at.header->shape) & 0xff) != (uint64_t)type) {
        return kin__fail(KIN_EINVAL, "kin_free: %p is not from kin_alloc", p);
    }
    uint64_t state = atomic_load(&at.header->state);
    if (!BLOCK_IS_HELD(state) || !free_at(&at, state, self)) {
        return kin__fail(KIN_EFREED, "kin_free: the block at %p was freed before", p);
    }
    return 0;
}

int kin__block_free(void *p)
{
    return kin__block_free_type(p, 0);
}

bool kin__block_discard(kin__ref ref)
{
    place at;
    uint64_t state;
    kin__id self = kin__self();
    return self != KIN__NOBODY && find_shared(ref, &at, &state) && free_at(&at, state, self);
}

/* ---- refs, and questions --------------------------------------------------------------------- */

kin__ref kin__block_ref(const void *p)
{
    place at;
    return locate(p, &at) ? ref_to(p, at.header) : 0;
}

/* 0: it is that block still; or a code, and why. */
static int look_up(kin__ref ref, kin__type type, const char **ret_why)
{
    place at;
    if (ref == 0 || !locate(address_of(ref), &at)) {
        *ret_why = "is no block";
        return KIN_ECORRUPT;
    }
    uint64_t state = atomic_load(&at.header->state);
    if (BLOCK_GENERATION(state) != ref >> REF_OFFSET_BITS || !BLOCK_IS_HELD(state)) {
        *ret_why = "was freed";
        return KIN_EFREED;
    }
    *ret_why = "is of another kind";
    uint64_t found = atomic_load(&at.header->shape) & 0xff;
    return type == 0 || found == (uint64_t)type ? 0 : KIN_ECORRUPT;
}

void *kin__block_at(kin__ref ref, kin__type type, int *ret_code)
{
    const char *why;
    int rv = look_up(ref, type, &why);
    if (rv == 0) {
        return address_of(ref);
    }
    if (ret_code != NULL) {
        *ret_code = rv;
    }
    (void)kin__fail(rv, "the shared block at %p %s", (void *)address_of(ref), why);
    return NULL;
}

void *kin__block_find(kin__ref ref, kin__type type)
{
    return look_up(ref, type, &(const char *){ NULL }) == 0 ? address_of(ref) : NULL;
}

void *kin__block_shared(kin__ref ref, kin__type type, size_t *ret_size)
{
    place at;
    uint64_t state;
    if (!find_shared(ref, &at, &state)) {
        return NULL;
    }
    uint64_t shape = atomic_load(&at.header->shape);
    char *p = address_of(ref);
    *ret_size = (size_t)(shape >> 8);
    return (shape & 0xff) == (uint64_t)type && kin__in_domain(p, *ret_size) ? p : NULL;
}

int kin__block_check(const void *p, kin__type type, const char *what)
{
    place at;
    if (p == NULL) {
        return kin__fail(KIN_EINVAL, "%s is NULL", what);
    }
    if (!locate(p, &at) ||
        (atomic_load_explicit(&at.header->shape, memory_order_relaxed) & 0xff) != (uint64_t)type) {
        return kin__is_remote(p, (int)type)
                   ? kin__fail_remote(what)
                   : kin__fail(KIN_EINVAL, "%s: %p is no such thing", what, p);
    }
    if (!BLOCK_IS_HELD(atomic_load(&at.header->state))) {
        return kin__fail(KIN_EFREED, "%s was freed", what);
    }
    return 0;
}

size_t kin__block_size(const void *p)
{
    place at;
    size_t size = locate(p, &at) ? (size_t)(atomic_load(&at.header->shape) >> 8) : 0;
    return kin__in_domain(p, size) ? size : 0; /* a stray write may have been there */
}

kin__type kin__block_type(const void *p)
{
    place at;
    return locate(p, &at) ? (kin__type)(atomic_load(&at.header->shape) & 0xff) : (kin__type)0;
}
