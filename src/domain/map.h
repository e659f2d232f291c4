/* domain/map.h - what lies where in the domain; only for the files of this room.
 *
 *      base
 *       v
 *       +------+------------------+-----------------------+---------------------------------+
 *       | head | process table    | page directory        | pages of 64 KiB                 |
 *       |      | 2048 slots       | one entry a page      | committed up to head.top        |
 *       +------+------------------+-----------------------+---------------------------------+
 *
 * The directory and the pages are committed side by side, a step at a time: an entry below
 * head.top may be touched, and so may its page. A zero entry is a free page of zeros.
 */
#ifndef KIN_DOMAIN_MAP_H
#define KIN_DOMAIN_MAP_H

#include "room.h"
#include <pthread.h>

#define SLOTS 2048u /* of them, slot 0 is nobody's */
#define PAGE_SHIFT 16
#define PAGE_SIZE (1u << PAGE_SHIFT)
#define CLASSES 31u                       /* sizes of small blocks (page.c) */
#define HEAPS ((unsigned)KIN__TYPE_COUNT) /* one for plain blocks, one for each stable type */
#define KEPT_CLASSES 15u                  /* up to 1 KiB: a process keeps some of them (cache.c) */
#define KEPT 2u                           /* of each */

/* ---- the header of a block --------------------------------------------------------------
 * It lies apart from the block, so that a user's overrun does not hit it first. */
typedef struct block {
    _Atomic uint64_t state; /* freeing << 63 | generation (29 bits) << 32 | owner (0: free) */
    _Atomic uint64_t shape; /* bytes asked for << 8 | type */
} block;

#define BLOCK_STATE(generation, owner) ((uint64_t)((generation)&GENERATION_MASK) << 32 | (owner))
#define BLOCK_SHAPE(size, type) ((uint64_t)(size) << 8 | (uint64_t)(type))
#define BLOCK_OWNER(state) ((uint32_t)(state))
#define BLOCK_GENERATION(state) ((uint32_t)((state) >> 32) & GENERATION_MASK)
#define GENERATION_MASK 0x1fffffffu
#define BLOCK_FREEING ((uint64_t)1 << 63) /* free, but its owner has still to tidy up: block.c */
#define BLOCK_IS_HELD(state) (BLOCK_OWNER(state) != KIN__NOBODY && !((state)&BLOCK_FREEING))

/* ---- an entry of the page directory ----------------------------------------------------- */
enum page_kind {
    PAGE_FREE = 0,
    PAGE_CLAIMED, /* by `owner`, not yet anything: his death frees it */
    PAGE_SMALL,   /* blocks of one class; `owner` alone allocates from it, anybody frees */
    PAGE_LARGE,   /* the first page of a large block */
    PAGE_TAIL,    /* a further one; `owner` is the index of the first */
};

typedef struct page {
    _Atomic uint64_t state;   /* kind, flags, heap, class, owner: PAGE_STATE */
    _Atomic uint64_t holders; /* bit (slot % 64): that slot may own blocks here */
    block large;              /* of a large block; .shape's size tells how many pages */
} page;

#define PAGE_STATE(kind, heap, class, owner)                                                       \
    ((uint64_t)(kind) << 56 | (uint64_t)(heap) << 40 | (uint64_t)(class) << 32 | (owner))
#define PAGE_SPACE ((uint64_t)1 << 48) /* small, nobody's, and has free blocks: a hint */
#define PAGE_USED ((uint64_t)1 << 49) /* free or claimed, and was something before: not all zeros */
#define PAGE_KIND(state) ((enum page_kind)((state) >> 56))
#define PAGE_HEAP(state) ((unsigned)((state) >> 40) & 0xffu)
#define PAGE_CLASS(state) ((unsigned)((state) >> 32) & 0xffu)
#define PAGE_OWNER(state) ((uint32_t)(state))

/* The beginning of a small page. */
typedef struct small_page {
    _Atomic uint64_t free[32]; /* a bit a block: "look here", a hint; the block's state decides */
    block blocks[];            /* then, aligned to 64, the blocks themselves */
} small_page;

typedef struct class_shape {
    uint32_t size;    /* of a block */
    uint32_t count;   /* of blocks in a page */
    uint32_t data;    /* where the first one begins */
    uint32_t inverse; /* 2^32 / size, rounded up: for what is less than a page it divides exactly */
} class_shape;

/* ---- a slot of the process table --------------------------------------------------------- */
enum slot_phase { SLOT_FREE = 0, SLOT_JOINING, SLOT_LIVE, SLOT_DEAD };

typedef struct slot {
    _Alignas(128) _Atomic uint64_t state; /* pid << 32 | generation << 8 | phase */
    _Atomic uint64_t start;               /* when the process started, in ticks */
    _Atomic uint32_t life_is_made;
    _Atomic uint32_t is_guest;   /* 0 or 1 */
    pthread_mutex_t life;        /* robust; held by a thread of the process: see table.c */
    _Atomic uint64_t name[4];    /* what it is called: who.c */
    _Atomic uint64_t waits_for;  /* the address that a thread of it sleeps for; 0: none */
    _Atomic int64_t waits_since; /* of kin__os_now() */
} slot;

#define SLOT_STATE(pid, generation, phase)                                                         \
    ((uint64_t)(uint32_t)(pid) << 32 | (uint64_t)((generation)&0xffffu) << 8 | (phase))
#define SLOT_PID(state) ((pid_t)((state) >> 32))
#define SLOT_GENERATION(state) ((uint32_t)((state) >> 8) & 0xffffu)
#define SLOT_PHASE(state) ((enum slot_phase)((state)&0xffu))

#define ID_SLOT(id) ((id) & (SLOTS - 1))
#define ID_OF(slot_index, generation) ((kin__id)((generation) << 11 | (slot_index)))
#define ID_GENERATION(id) ((id) >> 11)
#define HOLDER_BIT(id) ((uint64_t)1 << (ID_SLOT(id) % 64))

/* ---- the head ------------------------------------------------------------------------------ */
typedef struct domain {
    uint64_t magic;
    uint64_t reserved;  /* bytes of addresses */
    uint64_t pages_max; /* entries that the directory may have */
    uint64_t max_memory;
    uint64_t directory; /* offsets from the base */
    uint64_t data;
    _Atomic uint64_t top;                     /* pages committed so far; few write here, all read */
    _Alignas(64) _Atomic uint32_t seed;       /* of generations: kin__page_generation */
    _Atomic uint64_t low;                     /* hint: no free page below */
    _Atomic uint64_t rover;                   /* hint: where to look for a run of pages next */
    _Atomic uint32_t look;                    /* whom the next one who joins asks after */
    _Atomic uint32_t top_slot;                /* no slot above it was ever used */
    _Atomic int64_t spacious[HEAPS][CLASSES]; /* hint: pages with the PAGE_SPACE flag */
    slot slots[SLOTS];
    kin__bells bells;
} domain;

_Static_assert(sizeof(page) == 32, "the directory's entries are laid out for good");
_Static_assert(sizeof(slot) == 128, "a slot has cache lines of its own");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "atomics without locks");

/* What this process alone knows; zeroed by the kernel in a forked child. */
typedef struct private_page {
    _Atomic kin__id self;
    _Atomic uint32_t joining;                 /* a thread is at it */
    _Atomic uint32_t current[HEAPS][CLASSES]; /* page index + 1 that blocks are taken from; 0:
                                                    none, or a thread has it in hand */
    _Alignas(64) _Atomic(block *) kept[KEPT_CLASSES][KEPT]; /* half freed: cache.c */
} private_page;

/* map.c */
extern domain *_Atomic kin__domain_base;       /* NULL before the first call of the family */
extern private_page *_Atomic kin__domain_mine; /* NULL before the first call of the process */
int kin__domain_make(void);
int kin__domain_grow(uint64_t pages);         /* commits at least so many more; KIN_ENOMEM */
private_page *kin__domain_make_private(void); /* NULL when there is no memory */

static inline domain *base(void)
{
    return atomic_load_explicit(&kin__domain_base, memory_order_acquire);
}

static inline private_page *kin__domain_private(void)
{
    private_page *mine = atomic_load_explicit(&kin__domain_mine, memory_order_acquire);
    return mine != NULL ? mine : kin__domain_make_private();
}

static inline page *page_at(uint64_t index)
{
    domain *d = base();
    return (page *)(void *)((char *)d + d->directory) + index;
}

static inline char *page_data(uint64_t index)
{
    domain *d = base();
    return (char *)d + d->data + (index << PAGE_SHIFT);
}

/* page.c */
extern const class_shape kin__classes[CLASSES];
unsigned kin__page_class_of(size_t size); /* CLASSES when it is no small size */
int kin__page_claim_run(kin__id self, uint64_t pages, uint64_t *ret_first);
int kin__page_take_small(kin__id self, unsigned heap, unsigned class, uint64_t *ret_page);
void kin__page_abandon(uint64_t index);
void kin__page_has_space(page *p);
void kin__page_free_run(uint64_t first);
void kin__page_free_claimed(uint64_t index);
uint32_t kin__page_generation(void); /* for a new page of small blocks, or a new large block */

/* block.c */
void kin__block_hint(small_page *s, unsigned i);
void kin__block_free_small(small_page *s, unsigned i, uint64_t freeing);
void kin__block_end_free(block *header); /* of a small block that is FREEING, by us */

/* cache.c */
bool kin__cache_keep(unsigned class, block *header);                  /* false: it has no room */
block *kin__cache_take(unsigned class, kin__id self, uint64_t shape); /* NULL: it has none */
void kin__cache_empty(kin__id self);

/* table.c */
static inline kin__id kin__self_if_joined(void)
{
    private_page *mine = kin__domain_private();
    return mine == NULL ? KIN__NOBODY : atomic_load_explicit(&mine->self, memory_order_relaxed);
}

/* who.c */
void kin__who_joins(slot *s, const char *name); /* NULL: our own; and he sleeps for nothing */

/* sweep.c */
void kin__sweep(kin__id dead);

#endif
