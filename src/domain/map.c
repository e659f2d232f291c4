/* map.c - makes the domain, and commits more of it when it is full.
 *
 * Idea. A large range of addresses is reserved at once, so that everything in it can have one
 * address for the whole family; memory is taken from the kernel only as it is needed, in steps,
 * by fallocate: a full machine is then an error code here, and not a SIGBUS at some later store.
 *
 * Rules.
 *   R1  An entry of the directory, and its page, may be touched only below head.top.
 *   R2  top grows only after the memory below it is committed.
 *   R3  Steps are at most 16 MiB, unless one block alone needs more.
 *
 * Death. Committing twice is committing once: a process killed before it moves top leaves memory
 * that the next one commits again. Whoever is second to move top finds it moved, and goes on.
 *
 * Not here. Who owns a page (page.c), and what to do when the kernel refuses (the callers).
 */
#include "map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x6b696e2d646f6d31u /* "kin-dom1" */
#define RESERVE ((uint64_t)256 << 30)
#define RESERVE_LEAST ((uint64_t)64 << 20)
#define STEP_LEAST 16u                           /* pages: 1 MiB */
#define STEP_MOST 256u                           /* pages: 16 MiB */
#define ADDRESS_FIRST ((uint64_t)0x7e9000000000) /* free under ASLR, ASan and TSan */
#define ADDRESS_CHOICES 0x80u                    /* GiB */

domain *_Atomic kin__domain_base;
private_page *_Atomic kin__domain_mine;
_Atomic uintptr_t kin__domain_first;
_Atomic size_t kin__domain_seen;

static int memory_fd = -1;
static kin_domain_options setup;

private_page *kin__domain_make_private(void)
{
    private_page *mine = NULL;
    void *made;
    if (kin__os_wiped_page(sizeof *mine, &made) < 0) {
        return NULL;
    }
    if (!atomic_compare_exchange_strong(&kin__domain_mine, &mine, made)) {
        kin__os_unmap(made, sizeof *mine);
        return mine;
    }
    return made;
}

static uint64_t memory_limit(void)
{
    if (setup.max_memory != 0) {
        return setup.max_memory;
    }
    const char *text = getenv("KIN_MEMORY");
    if (text == NULL) {
        return UINT64_MAX;
    }
    char *unit;
    uint64_t bytes = strtoull(text, &unit, 10);
    const char *units = "KMGT";
    const char *found = *unit != '\0' ? strchr(units, *unit) : NULL;
    unsigned shift = found != NULL ? (unsigned)(found - units + 1) * 10 : 0;
    bool good = unit != text && text[0] != '-' && bytes != 0 && bytes < UINT64_MAX >> shift &&
                (*unit == '\0' || (found != NULL && unit[1] == '\0'));
    if (!good) {
        kin_log(KIN_LOG_WARNING, "KIN_MEMORY=\"%s\" is no size like 512M or 2G: ignored", text);
        return UINT64_MAX;
    }
    return bytes << shift;
}

static uint64_t random_address(void)
{
    uint64_t any = 0;
    (void)kin__os_random(&any, sizeof any); /* 0 will do: the place need not be secret */
    return ADDRESS_FIRST + (any % ADDRESS_CHOICES << 30);
}

/* Maps as much as can be had at one of several places; the size it got. */
static uint64_t reserve(int fd, void **ret_at)
{
    uint64_t room = kin__os_address_room();
    uint64_t size = RESERVE;
    while (size > room / 2) {
        size /= 2;
    }
    for (; size >= RESERVE_LEAST; size /= 2) {
        for (int tries = 0; tries < 8; tries++) {
            void *at = (void *)(uintptr_t)random_address();
            if (kin__os_map_at(at, size, fd) == 0) {
                *ret_at = at;
                return size;
            }
        }
    }
    return 0;
}

static uint64_t round_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static void lay_out(domain *d, uint64_t size)
{
    d->reserved = size;
    d->pages_max = (size >> PAGE_SHIFT) - (size >> PAGE_SHIFT) / 1024 - 16;
    d->directory = round_up(sizeof *d, 4096);
    d->data = round_up(d->directory + d->pages_max * sizeof(page), PAGE_SIZE);
    d->max_memory = memory_limit();
    d->magic = MAGIC;
    uint32_t any = 0;
    (void)kin__os_random(&any, sizeof any);
    atomic_init(&d->seed, any);
}

static bool awaited;

void kin__domain_await(void)
{
    awaited = true;
}

int kin__domain_make(void)
{
    if (awaited) {
        return kin__fail(KIN_ESTATE,
                         "this process was started to run a function and has not come to kin_init "
                         "yet: what lies in the family's memory is made below that");
    }
    int fd = kin__os_clear_of_stdio(kin__os_memfd("kin")); /* printf would write to it */
    if (fd < 0) {
        return kin__fail_os(fd, "cannot make the family's memory");
    }
    int rv = kin__os_commit(fd, 0, sizeof(domain));
    if (rv < 0) {
        kin__os_close(fd);
        return kin__fail_os(rv, "cannot commit the first %zu bytes of the family's memory",
                            sizeof(domain));
    }
    void *at;
    uint64_t size = reserve(fd, &at);
    if (size == 0) {
        kin__os_close(fd);
        return kin__fail(KIN_ENOMEM,
                         "cannot reserve addresses for the family's memory: even "
                         "%llu MiB were refused",
                         (unsigned long long)(RESERVE_LEAST >> 20));
    }
    lay_out(at, size);
    memory_fd = fd;
    atomic_store_explicit(&kin__domain_base, at, memory_order_release); /* pairs with base() */
    return 0;
}

void kin__domain_place(kin__place *ret_place)
{
    *ret_place = (kin__place){ .at = (uint64_t)(uintptr_t)base(),
                               .size = base()->reserved,
                               .fd = memory_fd };
}

kin__bells *kin__domain_bells(void)
{
    return base() != NULL ? &base()->bells : NULL;
}

void kin__domain_moved(int fd)
{
    memory_fd = fd;
}

int kin__domain_attach(const kin__place *place)
{
    void *at = (void *)(uintptr_t)place->at;
    uint64_t there = 0;
    if (kin__os_file_size(place->fd, &there) < 0 || there < sizeof(domain)) {
        return kin__fail(KIN_ECORRUPT, "descriptor %d is not the family's memory", (int)place->fd);
    }
    if (place->size < sizeof(domain) || place->at % PAGE_SIZE != 0) {
        return kin__fail(KIN_ECORRUPT, "the family's memory cannot be %llu bytes at %p",
                         (unsigned long long)place->size, at);
    }
    int rv = kin__os_map_at(at, place->size, place->fd);
    if (rv < 0) {
        (void)kin__fail_os(rv, "cannot map the family's memory at %p", at);
        return rv == -EEXIST || rv == -ENOMEM ? KIN_EAGAIN : kin__failure();
    }
    const domain *d = at;
    if (d->magic != MAGIC || d->reserved != place->size) {
        kin__os_unmap(at, place->size);
        return kin__fail(KIN_ECORRUPT, "what lies behind descriptor %d is no family's memory",
                         (int)place->fd);
    }
    memory_fd = place->fd;
    awaited = false;
    atomic_store_explicit(&kin__domain_base, at, memory_order_release); /* pairs with base() */
    return 0;
}

/* R2: commits the directory's part and the pages from top on. -errno. */
static int commit_step(domain *d, uint64_t top, uint64_t pages)
{
    uint64_t from = (d->directory + top * sizeof(page)) / 4096 * 4096;
    uint64_t to = round_up(d->directory + (top + pages) * sizeof(page), 4096);
    int rv = kin__os_commit(memory_fd, from, to - from);
    if (rv < 0) {
        return rv;
    }
    return kin__os_commit(memory_fd, d->data + (top << PAGE_SHIFT), pages << PAGE_SHIFT);
}

static uint64_t step_size(uint64_t top, uint64_t wanted)
{
    uint64_t step = top / 2;
    step = step < STEP_LEAST ? STEP_LEAST : step > STEP_MOST ? STEP_MOST : step;
    return step < wanted ? wanted : step;
}

/* In pages. */
static uint64_t limit_of(const domain *d)
{
    uint64_t limit = d->max_memory >> PAGE_SHIFT;
    return limit < d->pages_max ? limit : d->pages_max;
}

bool kin__domain_may_have(uint64_t size)
{
    const domain *d = base();
    return d != NULL && size >> PAGE_SHIFT <= limit_of(d);
}

int kin__domain_grow(uint64_t wanted)
{
    domain *d = base();
    uint64_t top = atomic_load(&d->top);
    uint64_t limit = limit_of(d);
    if (wanted > limit || top > limit - wanted) {
        return kin__fail(KIN_ENOMEM,
                         "the family's memory is full: %llu KiB in use of the %llu KiB that it may "
                         "take, %llu KiB more wanted",
                         (unsigned long long)top * 64, (unsigned long long)limit * 64,
                         (unsigned long long)wanted * 64);
    }
    uint64_t step = step_size(top, wanted);
    step = step < limit - top ? step : limit - top;
    int rv = commit_step(d, top, step);
    if (rv < 0 && step > wanted) {
        step = wanted;
        rv = commit_step(d, top, step);
    }
    if (rv < 0) {
        return kin__fail_os(rv, "the family's memory cannot grow by %llu KiB",
                            (unsigned long long)step * 64);
    }
    KIN__STEP("map.committed");
    atomic_compare_exchange_strong(&d->top, &top, top + step);
    return 0;
}

bool kin__in_domain_now(const void *p, size_t size)
{
    domain *d = base();
    if (d == NULL) {
        return false;
    }
    uintptr_t first = (uintptr_t)d + d->data;
    size_t seen = atomic_load(&d->top) << PAGE_SHIFT;
    size_t at = (uintptr_t)p - first;
    atomic_store_explicit(&kin__domain_first, first, memory_order_relaxed);
    atomic_store_explicit(&kin__domain_seen, seen,
                          memory_order_release); /* pairs with kin__in_domain */
    return at <= seen && size <= seen - at;
}

int kin_domain_setup(const kin_domain_options *options)
{
    if (options == NULL) {
        return kin__fail(KIN_EINVAL, "kin_domain_setup: the options are NULL");
    }
    for (size_t i = 0; i < sizeof options->reserved / sizeof *options->reserved; i++) {
        if (options->reserved[i] != 0) {
            return kin__fail(KIN_EINVAL, "kin_domain_setup: a reserved field is not zero");
        }
    }
    if (base() != NULL) {
        return kin__fail(KIN_ESTATE, "kin_domain_setup: the family's memory is already made");
    }
    setup = *options;
    return 0;
}
