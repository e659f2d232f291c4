/* value.c - an object in one word of shared memory.
 *
 * Idea. Who writes never changes a value: he puts another word there, which is one store. What is
 * small lies in the word; of the rest it is the ref of a block with a flat copy.
 *
 *      63  62..61  60 ................ 0
 *     +---+-------+---------------------+
 *     | 1 |  INT  | the number, signed  |
 *     | 1 | NAMED | NONE, FALSE or TRUE |
 *     | 0 | a ref: generation and place |
 *     +---+-----------------------------+
 *
 * Rules.
 *   R1  A block's bytes never change while its ref is good.
 *   R2  Who reads holds no lock, so it may be freed under him, and be another's, who writes there:
 *       he copies the bytes, whatever they are, asks then whether the ref is still good, and only
 *       then believes the copy. What he reads can be read: the domain's memory stays mapped.
 *   R3  A flat copy that can be read once only (with buffers in it) is no value.
 *
 * Death. A block that was made is its maker's, and goes with him until it is given: change.c says
 * when that is.
 *
 * Not here. Where words lie (radix.c, table.c), and how it is proven that they were still good.
 */
#include "room.h"

#define KIND_SHIFT 61
#define INT KIN__WORD_SMALL
#define NAMED (KIN__WORD_SMALL | UINT64_C(1) << KIND_SHIFT)
#define IS_NAMED (UINT64_C(1) << KIND_SHIFT)
#define INT_MASK ((UINT64_C(1) << KIND_SHIFT) - 1)
#define INT_LEAST (-(INT64_C(1) << (KIND_SHIFT - 1)))
#define STACK_WORDS 64

enum { NONE, FALSE, TRUE };

bool kin__value_make_small(kin_obj o, uint64_t *ret_word)
{
    int64_t i;
    switch (kin_type_of(o)) {
    case KIN_TYPE_NONE:
        *ret_word = NAMED | NONE;
        return true;
    case KIN_TYPE_BOOL:
        *ret_word = NAMED | (kin_as_bool(o) ? TRUE : FALSE);
        return true;
    case KIN_TYPE_INT:
        if (kin_to_int(o, &i) < 0 || i < INT_LEAST || i > -(INT_LEAST + 1)) {
            return false;
        }
        *ret_word = INT | ((uint64_t)i & INT_MASK);
        return true;
    default:
        return false;
    }
}

static kin_obj read_small(uint64_t word)
{
    if (word & IS_NAMED) {
        uint64_t name = word & INT_MASK;
        return name == NONE ? kin_none() : kin_bool(name == TRUE);
    }
    uint64_t sign = UINT64_C(1) << (KIND_SHIFT - 1);
    return kin_int((int64_t)((word & INT_MASK) ^ sign) - (int64_t)sign);
}

int kin__value_make(kin_obj object, uint64_t *ret_word)
{
    size_t size;
    if (kin__value_make_small(object, ret_word)) {
        return 0;
    }
    int rv = kin__flat_size_of_lasting(object, &size); /* R3 */
    void *block = rv < 0 ? NULL : kin__block_new(size, KIN__MESSAGE);
    if (block == NULL) {
        return rv < 0 ? rv : kin__failure();
    }
    rv = kin__flat_write(object, block, size);
    if (rv < 0) {
        (void)kin__block_free(block);
        return rv;
    }
    *ret_word = kin__block_ref(block);
    return 0;
}

void kin__value_give(uint64_t word)
{
    void *block = word & KIN__WORD_SMALL ? NULL : kin__block_place(word, 1);
    if (block != NULL) {
        kin__block_give(block);
    }
}

void kin__value_drop(uint64_t word)
{
    if (word == 0 || word & KIN__WORD_SMALL || kin__block_discard(word)) {
        return;
    }
    if (kin__block_share(word)) { /* it was a process's; if that died, its sweep may be faster */
        (void)kin__block_discard(word);
    }
}

/* Each word at once. That is no part of kin__value_read: what it does otherwise, ThreadSanitizer
 * shall see. */
KIN__UNSEEN __attribute__((noinline)) void kin__peek_words(uint64_t *to, const void *from, size_t n)
{
    const kin__word *words = from;
    for (size_t i = 0; i < n; i++) {
        to[i] = kin__peek(&words[i]);
    }
}

int kin__value_read(uint64_t word, kin_obj *ret)
{
    if (word & KIN__WORD_SMALL) {
        *ret = read_small(word);
        return 1;
    }
    size_t size;
    const void *block = kin__block_shared(word, KIN__MESSAGE, &size);
    if (block == NULL) {
        return 0;
    }
    uint64_t room[STACK_WORDS];
    uint64_t *copy = size <= sizeof room ? room : kin__os_malloc(size);
    if (copy == NULL) {
        return kin__fail(KIN_ENOMEM, "no memory for a copy of %zu bytes", size);
    }
    kin__peek_words(copy, block, size / 8);
    bool was_good = kin__block_is_shared(word); /* R2 */
    int rv = was_good ? kin__flat_read(copy, size, ret) : 0;
    if (copy != room) {
        kin__os_free(copy);
    }
    return rv < 0 ? rv : was_good;
}
