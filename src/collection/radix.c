/* radix.c - words by position.
 *
 * Idea. Six bits of a position choose a word of a node: at the bottom that is the word, above it
 * the ref of a node. The root says how high it is, so a tree of few has one node, and grows at the
 * top.
 *
 *     root --> | 2 | .  .  . |                   position 70 = 1 * 64 + 6
 *                    |     \_____________
 *              | 1 | 0  1  .. 63 |   | 1 | 64 .. 70 .. 127 |
 *
 * Rules.
 *   R1  A node's height and its place in the tree never change while its ref is good: what grows
 *       gets a root above the old one, and what is built anew is a tree of its own.
 *   R2  A word that is 0 is not there. A node of such words is taken out with the last of them, but
 *       for those on the way to `keep`, to which somebody comes back soon.
 *   R3  All is written in a change: a node first, its words after it, and the word that was asked
 *       for last. So who reads finds it, or a 0 on the way.
 *   R4  Who reads without the lock looks at no ref twice, and proves nothing here; he may come to
 *       nodes that were freed. Heights bound his way, whatever he finds.
 *
 * Death. As change.c says. A tree that is built aside goes with its builder.
 *
 * Not here. What a reader asks to know that what he found was good (list.c, table.c).
 */
#include "room.h"

#include <string.h>

#define BITS 6
_Static_assert(KIN__RADIX_FAN == 1 << BITS, "a node is chosen in by so many bits");

typedef struct node {
    kin__word height; /* 1: its words are not refs of nodes */
    kin__word words[KIN__RADIX_FAN];
} node;

static node *node_at(uint64_t ref)
{
    return kin__block_place(ref, sizeof(node));
}

/* 0 for nonsense. */
static unsigned height_of(const node *n)
{
    uint64_t height = n != NULL ? kin__peek(&n->height) : 0;
    return height <= KIN__RADIX_TALLEST ? (unsigned)height : 0;
}

static unsigned slot_of(uint64_t position, unsigned height)
{
    return position >> (height - 1) * BITS & (KIN__RADIX_FAN - 1);
}

static uint64_t reach_of(unsigned height)
{
    return height == 0 ? 0 : UINT64_C(1) << height * BITS;
}

static uint64_t node_new(unsigned height)
{
    node *n = kin__block_new_zeroed(sizeof *n, KIN__MESSAGE, 0);
    if (n == NULL) {
        return 0;
    }
    atomic_store_explicit(&n->height, height, memory_order_release); /* with kin__peek */
    return kin__block_ref(n);
}

uint64_t kin__radix_reach(const kin__radix *radix)
{
    return reach_of(height_of(node_at(kin__peek(&radix->root))));
}

/* ---- one word ------------------------------------------------------------------------------- */

kin__word *kin__radix_at(const kin__radix *radix, uint64_t position)
{
    node *n = node_at(kin__peek(&radix->root));
    unsigned height = height_of(n);
    if (position >= reach_of(height)) {
        return NULL;
    }
    for (; height > 1 && n != NULL; height--) {
        n = node_at(kin__peek(&n->words[slot_of(position, height)]));
    }
    return n != NULL ? &n->words[slot_of(position, 1)] : NULL;
}

/* A new node in a change, to which `at` leads. */
static node *add_node(kin__change *c, kin__word *at, unsigned height)
{
    uint64_t ref = node_new(height);
    if (ref != 0) {
        kin__change_new(c, ref);
        kin__change_write(c, at, ref);
    }
    return node_at(ref);
}

/* The root, high enough; NULL: no memory. */
static node *root_for(kin__change *c, kin__radix *radix, uint64_t position)
{
    uint64_t root = kin__change_read(c, &radix->root);
    node *n = node_at(root);
    unsigned height = height_of(n);
    if (n == NULL) {
        for (height = 1; position >= reach_of(height); height++) {
        }
        return add_node(c, &radix->root, height);
    }
    while (n != NULL && position >= reach_of(height)) { /* R1 */
        n = add_node(c, &radix->root, ++height);
        if (n != NULL) {
            atomic_store_explicit(&n->words[0], root, memory_order_release);
            root = kin__change_read(c, &radix->root);
        }
    }
    return n;
}

int kin__radix_put(kin__change *c, kin__radix *radix, uint64_t position, uint64_t word)
{
    if (position >= reach_of(KIN__RADIX_TALLEST)) {
        return kin__fail(KIN_ERANGE, "a shared collection has no place beyond 2^60");
    }
    node *n = root_for(c, radix, position);
    for (unsigned height = height_of(n); height > 1 && n != NULL; height--) {
        kin__word *at = &n->words[slot_of(position, height)];
        node *below = node_at(kin__change_read(c, at));
        n = below != NULL ? below : add_node(c, at, height - 1);
    }
    if (n == NULL) {
        return kin__failure();
    }
    kin__change_write(c, &n->words[slot_of(position, 1)], word);
    return 0;
}

/* ---- clearing ------------------------------------------------------------------------------- */

static bool is_empty_but(kin__change *c, const node *n, unsigned slot)
{
    unsigned before = (slot - 1) % KIN__RADIX_FAN; /* the likeliest one, but for the next */
    if (kin__change_read(c, &n->words[before]) != 0) {
        return false;
    }
    for (unsigned i = 1; i < KIN__RADIX_FAN; i++) {
        if (kin__change_read(c, &n->words[(slot + i) % KIN__RADIX_FAN]) != 0) {
            return false;
        }
    }
    return true;
}

void kin__radix_clear(kin__change *c, kin__radix *radix, uint64_t position, uint64_t keep)
{
    kin__word *way[KIN__RADIX_TALLEST + 1] = { NULL }; /* what leads to the node of that height */
    node *nodes[KIN__RADIX_TALLEST + 1] = { NULL };
    kin__word *at = &radix->root;
    node *n = node_at(kin__change_read(c, at));
    unsigned top = height_of(n);
    if (position >= reach_of(top)) {
        return;
    }
    for (unsigned height = top; height > 0 && n != NULL; height--) {
        way[height] = at;
        nodes[height] = n;
        at = &n->words[slot_of(position, height)];
        n = node_at(height > 1 ? kin__change_read(c, at) : 0);
    }
    if (nodes[1] == NULL) {
        return;
    }
    kin__change_write(c, at, 0);
    for (unsigned height = 1; height <= top; height++) { /* R2 */
        bool is_kept = position >> height * BITS == keep >> height * BITS;
        if (is_kept || !is_empty_but(c, nodes[height], slot_of(position, height))) {
            return;
        }
        kin__change_dead(c, kin__change_read(c, way[height]));
        kin__change_write(c, way[height], 0);
    }
}

/* ---- from one to the next ------------------------------------------------------------------- */

/* The word at a position, or 0 and at which height the way to it ended: 0, the word itself. */
static uint64_t look(const kin__radix *radix, uint64_t position, unsigned *ret_height)
{
    node *n = node_at(kin__peek(&radix->root));
    unsigned height = height_of(n);
    *ret_height = height;
    if (position >= reach_of(height)) {
        return 0;
    }
    uint64_t word = 0;
    for (; height > 0 && n != NULL; height--) {
        word = kin__peek(&n->words[slot_of(position, height)]);
        *ret_height = height - 1;
        n = height > 1 ? node_at(word) : NULL;
    }
    return *ret_height == 0 ? word : 0;
}

bool kin__radix_next(const kin__radix *radix, uint64_t *position, uint64_t *ret_word)
{
    for (uint64_t at = *position; at < kin__radix_reach(radix);) {
        unsigned height;
        uint64_t word = look(radix, at, &height);
        if (word != 0) {
            *position = at;
            *ret_word = word;
            return true;
        }
        at = ((at >> height * BITS) + 1) << height * BITS;
    }
    return false;
}

bool kin__radix_previous(const kin__radix *radix, uint64_t *position, uint64_t *ret_word)
{
    uint64_t reach = kin__radix_reach(radix);
    for (uint64_t at = *position < reach ? *position : reach; at-- > 0;) {
        unsigned height;
        uint64_t word = look(radix, at, &height);
        if (word != 0) {
            *position = at;
            *ret_word = word;
            return true;
        }
        at = at >> height * BITS << height * BITS;
    }
    return false;
}

/* ---- whole trees ---------------------------------------------------------------------------- */

/* Puts a word into a tree that is ours alone. */
static int put_aside(uint64_t root, uint64_t position, uint64_t word, node **ret_leaf)
{
    node *n = node_at(root);
    for (unsigned height = height_of(n); height > 1; height--) {
        kin__word *at = &n->words[slot_of(position, height)];
        if (kin__peek(at) == 0) {
            uint64_t ref = node_new(height - 1);
            if (ref == 0) {
                return kin__failure();
            }
            atomic_store_explicit(at, ref, memory_order_release);
        }
        n = node_at(kin__peek(at));
    }
    atomic_store_explicit(&n->words[slot_of(position, 1)], word, memory_order_release);
    *ret_leaf = n;
    return 0;
}

int kin__radix_build(uint64_t first, uint64_t n, uint64_t (*next)(void *ctx), void *ctx,
                     uint64_t *ret_root)
{
    unsigned height = 1;
    while (first + n > reach_of(height) && height < KIN__RADIX_TALLEST) {
        height++;
    }
    uint64_t root = n == 0 ? 0 : node_new(height);
    int rv = n == 0 || root != 0 ? 0 : kin__failure();
    node *leaf = NULL;
    for (uint64_t at = first; rv == 0 && at < first + n; at++) {
        uint64_t word = next(ctx);
        if (leaf == NULL || slot_of(at, 1) == 0) {
            rv = put_aside(root, at, word, &leaf);
        } else {
            atomic_store_explicit(&leaf->words[slot_of(at, 1)], word, memory_order_release);
        }
    }
    if (rv < 0) {
        kin__radix_drop(root, KIN__NODES);
        return rv;
    }
    *ret_root = root;
    return 0;
}

static void give(uint64_t ref, unsigned height)
{
    node *n = height > 0 ? node_at(ref) : NULL;
    if (n == NULL) {
        return;
    }
    kin__value_give(ref);
    KIN__STEP("radix.gave");
    for (unsigned i = 0; height > 1 && i < KIN__RADIX_FAN; i++) {
        give(kin__peek(&n->words[i]), height - 1);
    }
}

void kin__radix_give(uint64_t root)
{
    give(root, height_of(node_at(root)));
}

static void drop_word(uint64_t word, kin__contents contents)
{
    size_t size = 8 * (KIN__ENTRY_VALUE + 1);
    if (contents == KIN__ENTRIES && kin__block_is_shared(word)) {
        const kin__word *entry = kin__block_place(word, size);
        kin__value_drop(entry != NULL ? kin__peek(&entry[KIN__ENTRY_VALUE]) : 0);
    }
    kin__value_drop(word);
}

/* What the sweep of a dead builder frees meanwhile may be another's at once: so its words are
 * believed only if it was good after they were read. */
static void drop(uint64_t ref, unsigned height, kin__contents contents)
{
    const node *n = height > 0 ? node_at(ref) : NULL;
    uint64_t words[KIN__RADIX_FAN];
    if (n == NULL) {
        return;
    }
    kin__peek_words(words, n->words, KIN__RADIX_FAN);
    if (kin__block_find(ref, KIN__MESSAGE) == NULL) {
        return;
    }
    for (unsigned i = 0; i < KIN__RADIX_FAN; i++) {
        if (height > 1) {
            drop(words[i], height - 1, contents);
        } else if (contents != KIN__NODES) {
            drop_word(words[i], contents);
        }
    }
    kin__value_drop(ref);
    KIN__STEP("radix.freed");
}

void kin__radix_drop(uint64_t root, kin__contents contents)
{
    drop(root, height_of(node_at(root)), contents);
}
