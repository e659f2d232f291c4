/* flat.h - an object as bytes that any process of the family can read, and back.
 *
 * Idea. A flat copy is a row of 64-bit words, the objects of a tree in the order in which one
 * meets them. Each begins with a head: a tag (8 bits) and a number (56 bits), which for small ints
 * is all there is. A box's head says how many objects follow; in front of all stands how much
 * memory the reader needs, so that he allocates once. What is shared is written once: it is named,
 * by a bit of its head, and spoken of by its number where it is met again.
 *
 *    (42, 'hello', [])      BUNDLE | 192
 *                           TUPLE  | 3
 *                           INT    | 42
 *                           STR    | 5      'h' 'e' 'l' 'l' 'o' 0 0 0
 *                           LIST   | 0
 *
 *    x = [7]; [x, x]        BUNDLE | 200
 *                           LIST   | 2
 *                           LIST   | 1, NAMED
 *                           INT    | 7
 *                           AGAIN  | 0        the first that was named
 *
 * Rules.
 *   R1  Writing and counting are one function: a writer without room only counts.
 *   R2  The reader believes nothing. Each word is loaded once, each number is held against the
 *       words that are left, memory comes from the one allocation, whose size is held against the
 *       copy's. A lie is KIN_ECORRUPT and leaves nothing behind.
 *   R3  A buffer moves: from its object into the copy when that is written, out of it when it is
 *       read or discarded. Until then the copy owns the block.
 *   R4  While a box is read, u.link leads to the box around it and room counts the slots begun.
 *   R5  The named are numbered in the order in which they are whole. So a copy cannot speak of a
 *       box from inside of it, and nothing that comes out of one contains itself.
 *   R6  Named is what has another reference. (Not the outermost one; and short texts are cheaper
 *       written twice, for nobody can tell them from each other.)
 *
 * Death. A writer killed half-way leaves bytes that nobody was told of: publishing is the caller's
 * job. Blocks of buffers are the family's: they stay until somebody frees them.
 *
 * Written and discarded in flat.c, read in flat_read.c.
 *
 * Not here. Where the bytes lie and who may see them (queue/, pool/).
 */
#ifndef KIN_OBJ_FLAT_H
#define KIN_OBJ_FLAT_H

#include "local.h"

/* Of a head's low eight bits: what the others say, and that it is named. */
#define TAG_BITS 0x7fu
#define NAMED_BIT 0x80u

enum tag {
    TAG_AGAIN = 0x6d,  /* number of something named */
    TAG_LOCAL = 0x6c,  /* how many descriptors; then kind, note, thing, and these */
    TAG_BUNDLE = 0x6b, /* first word: the number is bytes * 2, + 1 when there are buffers */
    TAG_NONE = 1,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INT,   /* the number, signed */
    TAG_INT64, /* the next word */
    TAG_FLOAT,
    TAG_BIGINT,   /* number of digits, then these */
    TAG_NEGATIVE, /* the same */
    TAG_FUNC,     /* module, offset */
    TAG_SHARED,   /* ref */
    TAG_BUFFER,   /* ref, size */
    TAG_STR,      /* length, then the bytes */
    TAG_BYTES,
    TAG_BYTEARRAY,
    TAG_ERROR, /* code, which exception (16 bits); then the slots */
    TAG_LIST,  /* how many entries, then their slots */
    TAG_TUPLE,
    TAG_ARGS, /* a tuple and its dict of named arguments */
    TAG_DICT,
    TAG_SET,
    TAG_FROZENSET,
    TAG_TOKEN, /* tuples */
    TAG_SLICE,
};

#define BUNDLE_MAX ((size_t)UINT32_MAX * 8) /* what node.back reaches */

static inline size_t words_of(size_t bytes)
{
    return (bytes + 7) / 8;
}

/* How many words follow the head of a leaf of fixed size. */
static inline size_t words_after(unsigned tag)
{
    switch (tag) {
    case TAG_INT64:
    case TAG_FLOAT:
    case TAG_SHARED:
        return 1;
    case TAG_FUNC:
    case TAG_BUFFER:
        return 2;
    default:
        return 0;
    }
}

#endif
