/* head.c - what a primitive is, and since when; see room.h.
 *
 * Death. Killed before kin__head_begin: a block of our own goes with us, and memory of the user's
 * holds no primitive yet. Killed between kin__head_end and the waking of sleepers: each primitive
 * says how its sleepers find out. The block then stays until the family ends: one, once, for a
 * process that was killed just there.
 */
#include "room.h"

_Atomic uintptr_t kin__head_least = UINTPTR_MAX, kin__head_most = 0;

/* Of two threads that do so at once, one may do it in vain. */
static void remember(uintptr_t at)
{
    if (at < atomic_load_explicit(&kin__head_least, memory_order_relaxed)) {
        atomic_store_explicit(&kin__head_least, at, memory_order_relaxed);
    }
    if (at > atomic_load_explicit(&kin__head_most, memory_order_relaxed)) {
        atomic_store_explicit(&kin__head_most, at, memory_order_relaxed);
    }
}

int kin__head_look(const void *primitive, kin__type type, const char *what)
{
    const kin__head *head = primitive;
    if (primitive == NULL) {
        return kin__fail(KIN_EINVAL, "%s is NULL", what);
    }
    if (kin__is_remote(primitive, (int)type)) {
        return kin__fail_remote(what);
    }
    if (!kin__in_domain(head, sizeof *head)) {
        return kin__fail(KIN_EINVAL, "%s at %p is not in the family's memory", what, primitive);
    }
    if ((uintptr_t)primitive % _Alignof(kin__head) != 0) {
        return kin__fail(KIN_EINVAL, "%s at %p is no such thing: it is not aligned", what,
                         primitive);
    }
    uint32_t kind = atomic_load_explicit(&head->kind, memory_order_acquire); /* pairs with begin */
    if (kind == KIN__HEAD_OF(type)) {
        remember((uintptr_t)primitive);
        return 0;
    }
    if (kind == (KIN__HEAD_OF(type) | KIN__HEAD_ENDED)) {
        return kin__fail(KIN_EFREED, "%s was freed", what);
    }
    return kin__fail(KIN_EINVAL, "%s at %p is no such thing: was it made, by _new or _init?", what,
                     primitive);
}

void *kin__head_new(size_t size, kin__type type)
{
    size_t line = 64; /* of a cache: two neighbours would slow each other */
    return kin__block_new(size < line ? line : size, type);
}

int kin__head_place(const void *memory, size_t size, const char *what)
{
    if (memory == NULL || !kin__in_domain(memory, size)) {
        return kin__fail(KIN_EINVAL, "%s: %p is no place in the family's memory (kin_alloc)", what,
                         memory);
    }
    if ((uintptr_t)memory % 8 != 0) {
        return kin__fail(KIN_EINVAL, "%s: %p is not aligned to 8 bytes", what, memory);
    }
    return 0;
}

void kin__head_begin(void *primitive, kin__type type)
{
    kin__head *head = primitive;
    atomic_fetch_add(&head->serial, 1);
    atomic_store_explicit(&head->kind, KIN__HEAD_OF(type), memory_order_release);
}

static bool is_fine(int rv)
{
    if (rv < 0) {
        kin_log(KIN_LOG_ERROR, "%s", kin_errmsg());
    }
    return rv == 0;
}

bool kin__head_may_end(const void *primitive, kin__type type, bool block, const char *what)
{
    int rv = kin__head_check(primitive, type, what);
    bool is_block = rv == 0 && kin__block_type(primitive) == type;
    if (rv == 0 && is_block != block) {
        rv = kin__fail(KIN_EINVAL, "%s was made by %s: end it by %s", what,
                       is_block ? "_new" : "_init", is_block ? "_free" : "_done");
    }
    return is_fine(rv);
}

bool kin__head_end(void *primitive, kin__type type, bool block, const char *what)
{
    kin__head *head = primitive;
    uint32_t kind = KIN__HEAD_OF(type);
    return kin__head_may_end(primitive, type, block, what) &&
           (atomic_compare_exchange_strong(&head->kind, &kind, kind | KIN__HEAD_ENDED) ||
            is_fine(kin__fail(KIN_EFREED, "%s was freed", what)));
}

void kin__head_discard(void *primitive)
{
    (void)kin__block_discard(kin__block_ref(primitive));
}
