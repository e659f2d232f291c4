/* index.c - finding the entries of dicts and sets.
 *
 * Idea. Looking up goes through the row while it is short. A longer one gets an index: a table of
 * cells that is searched from where the key's hash points to.
 *
 *    cell:   hash (32 bits) | entry + 1 (32 bits)       0 is a free cell
 *
 * Rules.
 *   R1  The index is only there to be fast. It is made by the first lookup that wants it (so many
 *       readers may make one at once: the first to publish wins), and is thrown away when it gets
 *       too full or no memory is left for it. Without it lookups are slow and right.
 *
 * Death. Private memory.
 *
 * Not here. What is in a box otherwise (container.c), equality and hashes (equal.c).
 */
#include "node.h"
#include <string.h>

#define ENTRIES_MAX ((size_t)UINT32_MAX - 1)

struct box_index {
    uint64_t mask; /* cells - 1 */
    uint64_t cells[];
};

/* ---- the index --------------------------------------------------------------------- */

/* Spreads Python's hashes, for which neighbours are neighbours. */
static uint32_t tag_of(int64_t hash)
{
    return (uint32_t)((uint64_t)hash * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static void index_put(box_index *index, size_t entry, uint32_t tag)
{
    uint64_t i = tag & index->mask;
    while (index->cells[i] != 0) {
        i = (i + 1) & index->mask;
    }
    index->cells[i] = (uint64_t)tag << 32 | (entry + 1);
}

static box_index *index_make(const box *b)
{
    size_t cells = 32;
    while (cells < b->node.len * 4) {
        cells *= 2;
    }
    box_index *index = kin__os_calloc(1, sizeof *index + cells * sizeof index->cells[0]);
    if (index == NULL) {
        return NULL; /* R1 */
    }
    index->mask = cells - 1;
    for (size_t i = 0; i < b->node.len; i++) {
        index_put(index, i, tag_of(kin_hash(b->items[i * stride(b)])));
    }
    return index;
}

static box_index *index_of(box *b)
{
    /* Acquire and release make the cells visible with the pointer. */
    box_index *index = atomic_load_explicit(&b->u.index, memory_order_acquire);
    if (index != NULL || b->node.len <= ROW || b->node.len > ENTRIES_MAX) {
        return index;
    }
    box_index *made = index_make(b);
    if (made == NULL ||
        atomic_compare_exchange_strong_explicit(&b->u.index, &index, made, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return made;
    }
    kin__os_free(made);
    return index;
}

/* Twice as large; its place needs no more than what is in the cells. */
static box_index *index_grow(box_index *old)
{
    size_t cells = (size_t)(old->mask + 1) * 2;
    box_index *index = kin__os_calloc(1, sizeof *index + cells * sizeof index->cells[0]);
    if (index == NULL) {
        return NULL; /* R1 */
    }
    index->mask = cells - 1;
    for (size_t i = 0; i <= old->mask; i++) {
        if (old->cells[i] != 0) {
            index_put(index, (uint32_t)old->cells[i] - 1, (uint32_t)(old->cells[i] >> 32));
        }
    }
    return index;
}

static void index_added(box *b, size_t entry, uint32_t tag)
{
    /* Relaxed: who changes a box is alone with it. */
    box_index *index = atomic_load_explicit(&b->u.index, memory_order_relaxed);
    if (index == NULL) {
        return;
    }
    if (entry * 2 > index->mask || entry >= ENTRIES_MAX) {
        box_index *larger = entry >= ENTRIES_MAX ? NULL : index_grow(index);
        kin__os_free(index);
        index = larger;
        atomic_store_explicit(&b->u.index, larger, memory_order_relaxed);
    }
    if (index != NULL) {
        index_put(index, entry, tag);
    }
}

/* ---- finding ----------------------------------------------------------------------- */

static bool same_key(kin_obj a, kin_obj b)
{
    if (a.type == KIN_TYPE_STR && b.type == KIN_TYPE_STR) {
        const chars *s = a.as.p;
        const chars *t = b.as.p;
        return s == t || (s->node.len == t->node.len && s->data[0] == t->data[0] &&
                          memcmp(s->data, t->data, s->node.len) == 0);
    }
    return kin_equal(a, b);
}

/* `pos` counts cells from the hash's own; or, with its top bit set, entries of the row, though an
 * index may turn up meanwhile. */
size_t kin__box_candidate(box *b, int64_t hash, size_t *pos)
{
    const size_t in_row = (size_t)1 << 63;
    box_index *index = *pos & in_row ? NULL : index_of(b);
    if (index == NULL) {
        *pos |= in_row;
        return (*pos ^ in_row) < b->node.len ? (*pos)++ ^ in_row : NOT_FOUND;
    }
    uint32_t tag = tag_of(hash);
    for (;;) {
        uint64_t cell = index->cells[(tag + *pos) & index->mask];
        if (cell == 0) {
            return NOT_FOUND;
        }
        (*pos)++;
        if (cell >> 32 == tag) {
            return (uint32_t)cell - 1;
        }
    }
}

size_t kin__box_find(box *b, kin_obj key, int64_t hash, size_t *pos)
{
    if (is_row(b)) {
        for (size_t i = 0; i < b->node.len; i++) {
            if (same_key(b->items[i * stride(b)], key)) {
                return i;
            }
        }
        return NOT_FOUND;
    }
    for (;;) {
        size_t entry = kin__box_candidate(b, hash, pos);
        if (entry == NOT_FOUND || same_key(b->items[entry * stride(b)], key)) {
            return entry;
        }
    }
}

/* ---- adding ------------------------------------------------------------------------ */

void kin__box_add(box *b, kin_obj key, kin_obj value, int64_t hash)
{
    size_t entry = b->node.len++;
    b->items[entry * stride(b)] = key;
    if (b->node.type == KIN_TYPE_DICT) {
        b->items[entry * 2 + 1] = value;
    }
    index_added(b, entry, tag_of(hash));
}
