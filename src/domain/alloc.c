/* alloc.c - the domain's memory as its users see it: kin_alloc and its like, kin_usage. */
#include "map.h"

#include <string.h>

void *kin_alloc(size_t size)
{
    if (size == 0) {
        (void)kin__fail(KIN_EINVAL, "kin_alloc: a size of 0");
        return NULL;
    }
    return kin__block_new_given(size, KIN__RAW);
}

/* Killed in the midst: the old block is there, or the family has both, or the new one alone, which
 * nobody has heard of. */
void *kin_realloc(void *memory, size_t size)
{
    if (memory == NULL) {
        return kin_alloc(size);
    }
    if (size == 0) {
        (void)kin__fail(KIN_EINVAL, "kin_realloc: a size of 0");
        return NULL;
    }
    if (kin__block_check(memory, KIN__RAW, "kin_realloc: the memory") < 0) {
        return NULL;
    }
    size_t old = kin__block_size(memory);
    size_t kept = old < size ? old : size;
    char *made = kin__block_new_zeroed(size, KIN__RAW, kept);
    if (made == NULL) {
        return NULL;
    }
    memcpy(made, memory, kept);
    kin__block_give(made);
    KIN__STEP("alloc.moved");
    kin_free(memory);
    return made;
}

void kin_free(void *memory)
{
    if (memory == NULL) {
        return;
    }
    if (kin__block_free_type(memory, KIN__RAW) < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
    }
}

static void count_small(uint64_t index, uint64_t state, kin_usage_info *ret)
{
    const class_shape *shape = &kin__classes[PAGE_CLASS(state) % CLASSES];
    const small_page *s = (const small_page *)(const void *)page_data(index);
    for (uint32_t i = 0; i < shape->count; i++) {
        if (BLOCK_IS_HELD(atomic_load(&s->blocks[i].state))) {
            ret->used += shape->size;
            ret->blocks++;
        }
    }
}

static void count_page(uint64_t index, kin_usage_info *ret)
{
    uint64_t state = atomic_load(&page_at(index)->state);
    if (PAGE_KIND(state) == PAGE_SMALL) {
        count_small(index, state, ret);
    } else if (PAGE_KIND(state) == PAGE_LARGE || PAGE_KIND(state) == PAGE_TAIL) {
        ret->used += PAGE_SIZE;
        ret->blocks += PAGE_KIND(state) == PAGE_LARGE;
    }
}

int kin_usage(kin_usage_info *ret_usage)
{
    if (ret_usage == NULL) {
        return kin__fail(KIN_EINVAL, "kin_usage: the place for the answer is NULL");
    }
    if (kin__self() == KIN__NOBODY) {
        return kin__failure();
    }
    domain *d = base();
    unsigned alive = kin__count_alive();
    uint64_t top = atomic_load(&d->top);
    *ret_usage = (kin_usage_info){ .reserved = d->reserved,
                                   .processes = alive,
                                   .committed = d->data + (top << PAGE_SHIFT) - d->directory -
                                                (d->pages_max - top) * sizeof(page) };
    for (uint64_t i = 0; i < top; i++) {
        count_page(i, ret_usage);
    }
    return 0;
}

static void visit_small(uint64_t index, uint64_t state, void (*visit)(void *, void *), void *ctx)
{
    const class_shape *shape = &kin__classes[PAGE_CLASS(state) % CLASSES];
    const small_page *s = (const small_page *)(const void *)page_data(index);
    for (uint32_t i = 0; i < shape->count; i++) {
        if (BLOCK_IS_HELD(atomic_load(&s->blocks[i].state))) {
            visit(page_data(index) + shape->data + (size_t)i * shape->size, ctx);
        }
    }
}

void kin__block_each(kin__type type, void (*visit)(void *block, void *ctx), void *ctx)
{
    uint64_t top = base() != NULL ? atomic_load(&base()->top) : 0;
    for (uint64_t i = 0; i < top; i++) {
        uint64_t state = atomic_load(&page_at(i)->state);
        if (PAGE_KIND(state) == PAGE_SMALL && PAGE_HEAP(state) == (unsigned)type) {
            visit_small(i, state, visit, ctx);
        } else if (PAGE_KIND(state) == PAGE_LARGE &&
                   (atomic_load(&page_at(i)->large.shape) & 0xff) == (uint64_t)type) {
            visit(page_data(i), ctx);
        }
    }
}
