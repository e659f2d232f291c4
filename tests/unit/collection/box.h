/* box.h - something with a lock and two words to be changed together, for the tests of change.c. */
#ifndef TEST_COLLECTION_BOX_H
#define TEST_COLLECTION_BOX_H

#include "collection/room.h"
#include "harness.h"

static const char what[] = "a test: the list";

struct box {
    kin__change change;
    kin__word a, b;
};

static inline uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

static inline struct box *new_box(void)
{
    struct box *box = kin__head_new(sizeof *box, KIN__SHARED_LIST);
    CHECK_NOT_NULL(box);
    box->a = 0;
    box->b = 0;
    kin__change_init(&box->change, KIN__SHARED_LIST);
    kin__block_give(box);
    return box;
}

static inline void empty(kin__change *c)
{
    struct box *box = (struct box *)(void *)c;
    uint64_t a = box->a;
    kin__change_write(c, &box->a, 0);
    kin__change_write(c, &box->b, 0);
    kin__change_dead(c, a);
    CHECK_OK(kin__change_commit(c));
}

static inline void free_box(struct box *box)
{
    kin__change_free(&box->change, KIN__SHARED_LIST, empty, what);
}

static inline uint64_t text(int number)
{
    uint64_t word = 0;
    kin_obj o = kin_strf("a text with the number %d in it", number);
    CHECK_OK(kin__value_make(o, &word));
    kin_release(o);
    return word;
}

/* a becomes another text, and b its number. */
static inline int turn(struct box *box, int number)
{
    kin__change *c = (kin__change *)(void *)box; /* which may be NULL */
    int rv = kin__change_begin(c, KIN__SHARED_LIST, what);
    if (rv == 0) {
        uint64_t word = text(number);
        kin__change_new(c, word);
        kin__change_write(c, &box->a, word);
        kin__change_write(c, &box->b, (uint64_t)number);
        kin__change_dead(c, box->a);
        rv = kin__change_commit(c);
        kin__change_end(c);
    }
    return rv;
}

static inline void check_box(struct box *box, int number)
{
    kin_obj o;
    CHECK_EQ(box->b, number);
    CHECK_EQ(kin__value_read(box->a, &o), 1);
    kin_obj expected = kin_strf("a text with the number %d in it", number);
    CHECK(kin_equal(o, expected));
    kin_release(o);
    kin_release(expected);
}

static inline void *turn_from_a_thread(void *box)
{
    CHECK_OK(turn(box, 7));
    return NULL;
}

#endif
