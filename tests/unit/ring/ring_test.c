#include "domain/map.h"
#include "harness.h"
#include "ring/room.h"

#include <signal.h>
#include <unistd.h>

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };
static const uint64_t wraps_at = (uint64_t)1 << 34;

static kin__ring new_ring(uint32_t count)
{
    kin__ring ring;
    CHECK_OK(kin__ring_new(count, 0, &ring));
    kin__block_give(ring.at);
    return ring;
}

/* Puts a number into the ring, in the cell itself. */
static void put(const kin__ring *ring, int number)
{
    kin__claim claim;
    CHECK_EQ(kin__ring_claim(ring, 0, &claim), KIN__GOT);
    atomic_store(&claim.cell->size, sizeof number);
    atomic_store(&claim.cell->kind, KIN__CELL_BYTES);
    memcpy(claim.cell->bytes, &number, sizeof number);
    kin__ring_publish(&claim);
}

static int take_one(const kin__ring *ring, kin__claim *ret)
{
    int number = -1;
    if (kin__ring_take(ring, &anything, true, ret) == KIN__GOT) {
        memcpy(&number, ret->cell->bytes, sizeof number);
    }
    return number;
}

static void get(const kin__ring *ring, int number)
{
    kin__claim claim;
    CHECK_EQ(take_one(ring, &claim), number);
    kin__ring_finish(&claim);
}

static kin__cell *cell_of(const kin__ring *ring, uint64_t position)
{
    return &ring->at->cells[position & (ring->count - 1)];
}

/* As if so many messages had gone through it. */
static void wind_on(const kin__ring *ring, uint64_t position)
{
    uint64_t serial = (uint64_t)ring->serial;
    for (uint32_t i = 0; i < ring->count; i++) {
        uint64_t at = (position + i) % wraps_at;
        atomic_store(&cell_of(ring, at)->state, (uint64_t)1 << 61 | at << 27 | serial);
    }
    atomic_store(&ring->at->head, serial << 34 | position);
    atomic_store(&ring->at->taking, serial << 34 | position);
    atomic_store(&ring->at->tail, serial << 34 | position);
    atomic_store(&ring->at->head_seen, serial << 34 | position);
}

/* ---- order, bounds, wrapping --------------------------------------------------------------- */

TEST(cells_are_claimed_in_order_and_taken_in_order)
{
    kin__ring ring = new_ring(8);
    kin__claim first;
    kin__claim second;
    kin__claim taken;
    CHECK_EQ(kin__ring_claim(&ring, 0, &first), KIN__GOT);
    CHECK_EQ(kin__ring_claim(&ring, 0, &second), KIN__GOT);
    CHECK_EQ(second.position, first.position + 1);
    atomic_store(&second.cell->kind, KIN__CELL_BYTES);
    kin__ring_publish(&second);
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &taken), KIN__HELD); /* never overtaken */
    CHECK_EQ(taken.holder, kin__self());
    atomic_store(&first.cell->kind, KIN__CELL_BYTES);
    kin__ring_publish(&first);
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &taken), KIN__GOT);
    CHECK_EQ(taken.position, first.position);
    kin__block_discard(ring.self);
}

TEST(what_is_taken_is_passed_over_and_may_come_back)
{
    kin__ring ring = new_ring(8);
    put(&ring, 1);
    put(&ring, 2);
    kin__claim slow;
    CHECK_EQ(take_one(&ring, &slow), 1);
    get(&ring, 2);
    kin__ring_return(&slow);
    get(&ring, 1);
    CHECK_EQ(kin__ring_length(&ring), 0);
    kin__block_discard(ring.self);
}

TEST(what_a_producer_forgoes_is_no_message)
{
    kin__ring ring = new_ring(4);
    for (int i = 0; i < 20; i++) {
        kin__claim claim;
        CHECK_EQ(kin__ring_claim(&ring, 0, &claim), KIN__GOT);
        kin__ring_forgo(&claim);
        put(&ring, i);
        get(&ring, i);
    }
    kin__block_discard(ring.self);
}

TEST(a_ring_is_full_when_all_its_cells_are_or_at_its_limit)
{
    kin__ring ring = new_ring(8);
    kin__claim claim;
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(kin__ring_claim(&ring, 5, &claim), KIN__GOT);
            atomic_store(&claim.cell->kind, KIN__CELL_BYTES);
            kin__ring_publish(&claim);
        }
        CHECK_EQ(kin__ring_claim(&ring, 5, &claim), KIN__NONE);
        CHECK_EQ(kin__ring_length(&ring), 5);
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(kin__ring_take(&ring, &anything, true, &claim), KIN__GOT);
            CHECK_EQ(kin__ring_claim(&ring, 5 - (unsigned)i, &claim), KIN__HELD);
            kin__ring_take(&ring, &anything, true, &claim);
            kin__ring_return(&claim);
            kin__ring_drain(&ring);
            break;
        }
        kin__block_discard(ring.self);
        ring = new_ring(8);
    }
    for (int i = 0; i < 8; i++) {
        put(&ring, i);
    }
    CHECK_EQ(kin__ring_claim(&ring, 0, &claim), KIN__NONE);
    kin__block_discard(ring.self);
}

TEST(positions_wrap_around)
{
    kin__ring ring = new_ring(8);
    wind_on(&ring, wraps_at - 20);
    for (int i = 0; i < 40; i++) {
        put(&ring, i);
        put(&ring, i + 1000);
        CHECK_EQ(kin__ring_length(&ring), 2);
        get(&ring, i);
        get(&ring, i + 1000);
        kin__claim none;
        CHECK_EQ(kin__ring_take(&ring, &anything, true, &none), KIN__NONE);
    }
    kin__block_discard(ring.self);
}

TEST(a_bound_holds_across_the_wrap)
{
    for (uint64_t before = 0; before < 12; before++) {
        kin__ring ring = new_ring(8);
        wind_on(&ring, wraps_at - before);
        kin__claim claim;
        for (int i = 0; i < 5; i++) {
            CHECK_EQ(kin__ring_claim(&ring, 5, &claim), KIN__GOT);
            memcpy(claim.cell->bytes, &i, sizeof i);
            atomic_store(&claim.cell->kind, KIN__CELL_BYTES);
            kin__ring_publish(&claim);
        }
        CHECK_EQ(kin__ring_claim(&ring, 5, &claim), KIN__NONE);
        get(&ring, 0);
        CHECK_EQ(kin__ring_claim(&ring, 5, &claim), KIN__GOT);
        kin__ring_forgo(&claim);
        get(&ring, 1);
        get(&ring, 2);
        kin__block_discard(ring.self);
    }
}

TEST(hints_that_lag_behind_are_caught_up_with)
{
    kin__ring ring = new_ring(8);
    for (int i = 0; i < 5; i++) {
        put(&ring, i);
        get(&ring, i);
    }
    uint64_t start = (uint64_t)ring.serial << 34;
    atomic_store(&ring.at->head, start);
    atomic_store(&ring.at->tail, start);
    put(&ring, 5);
    get(&ring, 5);
    CHECK_EQ(atomic_load(&ring.at->head) - start, 6);
    kin__block_discard(ring.self);
}

/* ---- the end of a ring ----------------------------------------------------------------------- */

TEST(a_sealed_ring_takes_no_more_and_is_done_when_it_is_empty)
{
    kin__ring ring = new_ring(8);
    put(&ring, 1);
    CHECK(kin__ring_seal(&ring));
    CHECK(kin__ring_seal(&ring));
    kin__claim claim;
    CHECK_EQ(kin__ring_claim(&ring, 0, &claim), KIN__OVER);
    CHECK(!kin__ring_is_done(&ring));
    get(&ring, 1);
    CHECK(kin__ring_is_done(&ring));
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &claim), KIN__OVER);
    kin__block_discard(ring.self);
}

TEST(a_drained_ring_gives_nothing_and_takes_nothing)
{
    kin__ring ring = new_ring(8);
    put(&ring, 1);
    put(&ring, 2);
    get(&ring, 1);
    CHECK(kin__ring_drain(&ring));
    CHECK(kin__ring_drain(&ring));
    kin__claim claim;
    CHECK_EQ(kin__ring_claim(&ring, 0, &claim), KIN__OVER);
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &claim), KIN__OVER);
    kin__block_discard(ring.self);
}

TEST(a_ring_that_somebody_has_a_hand_in_is_not_drained)
{
    kin__ring ring = new_ring(8);
    kin__claim put_claim;
    kin__claim take_claim;
    put(&ring, 1);
    CHECK_EQ(take_one(&ring, &take_claim), 1);
    CHECK_EQ(kin__ring_claim(&ring, 0, &put_claim), KIN__GOT);
    CHECK(!kin__ring_drain(&ring));
    kin__ring_finish(&take_claim);
    CHECK(!kin__ring_drain(&ring));
    atomic_store(&put_claim.cell->kind, KIN__CELL_BYTES);
    kin__ring_publish(&put_claim);
    CHECK(kin__ring_drain(&ring));
    kin__block_discard(ring.self);
}

/* ---- the dead -------------------------------------------------------------------------------- */

struct box {
    kin__ring ring;
    kin__claim claim;
};

static int claim_and_die(void *ctx)
{
    struct box *box = ctx;
    kin__ring_claim(&box->ring, 0, &box->claim);
    kill(getpid(), SIGKILL);
    return 0;
}

static int take_and_die(void *ctx)
{
    struct box *box = ctx;
    kin__ring_take(&box->ring, &anything, true, &box->claim);
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(a_dead_producer_leaves_no_message_and_a_dead_taker_leaves_his)
{
    struct box *box = test_shared(sizeof *box);
    box->ring = new_ring(8);
    put(&box->ring, 1);
    CHECK_EQ(test_join(test_child(take_and_die, box)), -SIGKILL);
    CHECK_EQ(test_join(test_child(claim_and_die, box)), -SIGKILL);
    put(&box->ring, 2);
    kin__claim claim;
    CHECK_EQ(kin__ring_take(&box->ring, &anything, false, &claim), KIN__HELD); /* nobody asked */
    get(&box->ring, 1);
    get(&box->ring, 2);
    CHECK_EQ(kin__ring_take(&box->ring, &anything, true, &claim), KIN__NONE);
    kin__block_discard(box->ring.self);
}

TEST(a_dead_taker_in_the_way_of_a_full_ring_is_noticed_by_producers)
{
    struct box *box = test_shared(sizeof *box);
    box->ring = new_ring(2);
    put(&box->ring, 1);
    put(&box->ring, 2);
    CHECK_EQ(test_join(test_child(take_and_die, box)), -SIGKILL);
    kin__claim claim;
    CHECK_EQ(kin__ring_claim(&box->ring, 0, &claim), KIN__NONE); /* full, as it was before */
    get(&box->ring, 1);
    put(&box->ring, 3);
    get(&box->ring, 2);
    get(&box->ring, 3);
    kin__block_discard(box->ring.self);
}

/* ---- a stale reader of a freed ring ---------------------------------------------------------- */

/* A ring that was freed, and another one at its place, where a dead process has left a claim. The
 * late reader of the old one must not settle that in the old one's name. */
TEST(who_is_late_for_a_freed_ring_leaves_the_next_one_alone)
{
    struct box *box = test_shared(sizeof *box);
    for (int taker = 0; taker < 2; taker++) {
        kin__ring old = new_ring(8);
        kin__block_discard(old.self);
        box->ring = new_ring(8);
        CHECK_PTR(box->ring.at, old.at);
        put(&box->ring, 1);
        CHECK_EQ(test_join(test_child(taker ? take_and_die : claim_and_die, box)), -SIGKILL);
        uint64_t before[8];
        for (int i = 0; i < 8; i++) {
            before[i] = atomic_load(&box->ring.at->cells[i].state);
        }
        kin__claim claim;
        for (int i = 0; i < 2; i++) { /* with the hints of then, and those of now */
            CHECK_NE(kin__ring_take(&old, &anything, true, &claim), KIN__GOT);
            CHECK_NE(kin__ring_claim(&old, 0, &claim), KIN__GOT);
            CHECK_NE(kin__ring_claim(&old, 1, &claim), KIN__GOT);
            CHECK(!kin__ring_is_done(&old));
            CHECK_EQ(kin__ring_next(&old), 0);
            kin__ring_seal(&old);
            kin__ring_length(&old);
            kin__ring_drain(&old);
        }
        for (int i = 0; i < 8; i++) {
            CHECK_EQ(atomic_load(&box->ring.at->cells[i].state), before[i]);
        }
        get(&box->ring, 1);
        put(&box->ring, 2);
        get(&box->ring, 2);
        CHECK_PTR(kin__ring_at(old.self).at, NULL);
        kin__block_discard(box->ring.self);
    }
}

/* Its memory has become text, which looks like claims of the dead. */
TEST(who_is_late_for_a_freed_ring_leaves_what_lies_there_alone)
{
    for (int c = 0; c < 256; c++) {
        kin__ring old = new_ring(8);
        size_t size = kin__block_size(old.at);
        kin__block_discard(old.self);
        unsigned char *text = kin__block_new(size, KIN__RAW);
        CHECK_PTR(text, old.at);
        memset(text, c, size);
        kin__claim claim;
        CHECK_NE(kin__ring_take(&old, &anything, true, &claim), KIN__GOT);
        CHECK_NE(kin__ring_claim(&old, 0, &claim), KIN__GOT);
        CHECK(!kin__ring_is_done(&old));
        kin__ring_seal(&old);
        kin__ring_drain(&old);
        for (size_t i = 0; i < size; i++) {
            CHECK_EQ(text[i], c);
        }
        CHECK_OK(kin__block_free(text));
    }
}

static const kin__ring *seen_ring;
static unsigned char *text_of_ring;
static int letter;

/* Somebody has seen a message. Before he takes it another one does, and then the ring is freed and
 * its memory is text. */
static void recycle_under_the_taker(const char *name)
{
    if (strcmp(name, "ring.seen") != 0) {
        return;
    }
    kin__step_hook(NULL);
    get(seen_ring, 1);
    size_t size = kin__block_size(seen_ring->at);
    kin__block_discard(seen_ring->self);
    text_of_ring = kin__block_new(size, KIN__RAW);
    CHECK_PTR(text_of_ring, seen_ring->at);
    memset(text_of_ring, letter, size);
}

TEST(who_sees_a_message_in_a_freed_ring_neither_takes_nor_refuses_it)
{
    static const kin__want small = { .kind = KIN__CELL_BYTES, .room = sizeof(int) };
    for (letter = 0; letter < 256; letter++) {
        kin__ring old = new_ring(8);
        seen_ring = &old;
        put(&old, 1);
        kin__step_hook(recycle_under_the_taker);
        kin__claim claim;
        enum kin__found found = kin__ring_take(&old, &small, true, &claim);
        CHECK_NE(found, KIN__GOT);
        CHECK_NE(found, KIN__SHORT);
        for (size_t i = 0; i < kin__block_size(text_of_ring); i++) {
            CHECK_EQ(text_of_ring[i], letter);
        }
        CHECK_OK(kin__block_free(text_of_ring));
    }
}

static kin__ring next_ring;
static uint64_t first_page;

/* As above, but a larger ring lies there now, and begins before the old one did: in the middle of
 * it there is a message of the same position, in the same place. */
static void enlarge_under_the_taker(const char *name)
{
    if (strcmp(name, "ring.seen") != 0) {
        return;
    }
    kin__step_hook(NULL);
    get(seen_ring, 2048);
    kin__block_discard(seen_ring->self);
    base()->rover = first_page;
    next_ring = new_ring(8192);
    CHECK_PTR(cell_of(&next_ring, 2048), cell_of(seen_ring, 2048));
    for (int i = 0; i < 3000; i++) {
        put(&next_ring, i);
    }
}

TEST(who_is_late_for_a_freed_ring_leaves_a_larger_one_around_it_alone)
{
    char *room = kin__block_new(20 << PAGE_SHIFT, KIN__RAW);
    CHECK_OK(kin__block_free(room));
    first_page = ((uint64_t)(room - page_data(0)) >> PAGE_SHIFT) + 1;
    base()->rover = first_page + 2; /* pages: 2048 cells */
    kin__ring old = new_ring(2048);
    for (int i = 0; i < 2048; i++) {
        put(&old, i);
        get(&old, i);
    }
    put(&old, 2048);
    seen_ring = &old;
    kin__step_hook(enlarge_under_the_taker);
    kin__claim claim;
    CHECK_EQ(kin__ring_take(&old, &anything, true, &claim), KIN__HELD);
    for (int i = 0; i < 3000; i++) {
        get(&next_ring, i);
    }
    kin__block_discard(next_ring.self);
}

/* Only its beginning was overwritten: the cells behind are still free, but nobody's. */
TEST(a_freed_ring_that_is_half_overwritten_takes_no_message)
{
    for (int c = 0; c < 256; c++) {
        kin__ring old = new_ring(8);
        kin__block_discard(old.self);
        unsigned char *text = kin__block_new(kin__block_size(old.at), KIN__RAW);
        CHECK_PTR(text, old.at);
        memset(old.at->cells, c, 4 * sizeof(kin__cell)); /* the hints are still as they were */
        kin__claim claim;
        CHECK_NE(kin__ring_claim(&old, 0, &claim), KIN__GOT);
        CHECK_OK(kin__block_free(text));
    }
}
