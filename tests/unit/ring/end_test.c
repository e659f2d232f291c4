#include "harness.h"
#include "ring/room.h"

#include <signal.h>
#include <unistd.h>

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };

static kin__ring new_ring(uint32_t count)
{
    kin__ring ring;
    CHECK_OK(kin__ring_new(count, 0, &ring));
    kin__block_give(ring.at);
    return ring;
}

static kin__claim claim(const kin__ring *ring)
{
    kin__claim claim;
    CHECK_EQ(kin__ring_claim(ring, 0, &claim), KIN__GOT);
    return claim;
}

static void put(const kin__ring *ring, const void *bytes, size_t size)
{
    kin__claim mine = claim(ring);
    kin__cell_write(mine.cell, bytes, size);
    kin__ring_publish(&mine);
}

static kin__claim take(const kin__ring *ring)
{
    kin__claim claim;
    CHECK_EQ(kin__ring_take(ring, &anything, true, &claim), KIN__GOT);
    return claim;
}

static uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

/* ---- what is in it --------------------------------------------------------------------------- */

static void check_weight(const kin__ring *ring, uint64_t messages, uint64_t bytes)
{
    uint64_t m = 0;
    uint64_t b = 0;
    kin__ring_weigh(ring, &m, &b);
    CHECK_EQ(m, messages);
    CHECK_EQ(b, bytes);
}

TEST(what_is_there_or_in_somebodys_hand_has_weight)
{
    kin__ring ring = new_ring(8);
    check_weight(&ring, 0, 0);
    put(&ring, "abc", 3);
    put(&ring, "", 0);
    put(&ring, "defghi", 6);
    check_weight(&ring, 3, 9);
    kin__claim taken = take(&ring);
    check_weight(&ring, 3, 9);
    kin__ring_lend(&taken);
    check_weight(&ring, 3, 9);
    kin__claim next = take(&ring);
    kin__ring_finish(&next);
    check_weight(&ring, 2, 9);
    kin__ring_finish(&taken);
    check_weight(&ring, 1, 6);
    uint64_t messages = 10;
    uint64_t bytes = 100;
    kin__ring_weigh(&ring, &messages, &bytes); /* is added */
    CHECK_EQ(messages, 11);
    CHECK_EQ(bytes, 106);
    kin__block_discard(ring.self);
}

/* What stands in its cell is of a message that was there before. */
TEST(what_is_only_claimed_has_no_weight)
{
    kin__ring ring = new_ring(2);
    for (int i = 0; i < 2; i++) {
        put(&ring, "abc", 3);
        kin__claim taken = take(&ring);
        kin__ring_finish(&taken);
    }
    kin__claim mine = claim(&ring);
    check_weight(&ring, 0, 0);
    kin__ring_forgo(&mine);
    check_weight(&ring, 0, 0);
    kin__block_discard(ring.self);
}

TEST(length_counts_what_can_be_taken)
{
    kin__ring ring = new_ring(8);
    CHECK(!kin__ring_has_more(&ring));
    for (uint64_t i = 0; i < 5; i++) {
        CHECK_EQ(kin__ring_length(&ring), i);
        CHECK(!kin__ring_is_full(&ring, i + 1));
        put(&ring, "x", 1);
        CHECK(kin__ring_has_more(&ring));
        CHECK(kin__ring_is_full(&ring, i + 1));
    }
    kin__claim taken[5];
    for (uint64_t i = 0; i < 5; i++) {
        taken[i] = take(&ring);
        CHECK_EQ(kin__ring_length(&ring), 4 - i);
        CHECK_EQ(kin__ring_has_more(&ring), i < 4);
    }
    kin__ring_return(&taken[2]);
    CHECK_EQ(kin__ring_length(&ring), 1);
    CHECK(kin__ring_has_more(&ring));
    kin__block_discard(ring.self);
}

/* ---- idle ------------------------------------------------------------------------------------ */

static void check_idle(const kin__ring *ring, bool idle, bool held)
{
    bool is_held = !held;
    CHECK_EQ(kin__ring_is_idle(ring, &is_held), idle);
    CHECK_EQ(is_held, held);
}

TEST(a_ring_is_idle_when_nothing_is_there_and_nobody_holds_anything)
{
    kin__ring ring = new_ring(4);
    for (int i = 0; i < 10; i++) {
        check_idle(&ring, true, false);
        kin__claim mine = claim(&ring);
        check_idle(&ring, false, true);
        kin__cell_write(mine.cell, "x", 1);
        kin__ring_publish(&mine);
        check_idle(&ring, false, false);
        kin__claim taken = take(&ring);
        check_idle(&ring, false, true);
        if (i % 2) {
            kin__ring_lend(&taken);
            check_idle(&ring, false, true);
        }
        kin__ring_finish(&taken);
    }
    CHECK(kin__ring_seal(&ring));
    check_idle(&ring, true, false);
    kin__block_discard(ring.self);
}

/* ---- sealing --------------------------------------------------------------------------------- */

TEST(a_ring_is_sealed_behind_what_was_claimed)
{
    kin__ring ring = new_ring(4);
    put(&ring, "a", 1);
    kin__claim mine = claim(&ring);
    CHECK(kin__ring_seal(&ring));
    kin__claim other;
    CHECK_EQ(kin__ring_claim(&ring, 0, &other), KIN__OVER);
    kin__cell_write(mine.cell, "b", 1);
    kin__ring_publish(&mine);
    for (int i = 0; i < 2; i++) {
        CHECK(!kin__ring_is_done(&ring));
        kin__claim taken = take(&ring);
        CHECK_EQ(*taken.cell->bytes, 'a' + i);
        CHECK(!kin__ring_is_done(&ring));
        kin__ring_finish(&taken);
    }
    CHECK(kin__ring_is_done(&ring));
    CHECK(kin__ring_seal(&ring)); /* it is, already */
    kin__block_discard(ring.self);
}

TEST(a_full_ring_is_not_sealed)
{
    kin__ring ring = new_ring(2);
    put(&ring, "a", 1);
    put(&ring, "b", 1);
    CHECK(!kin__ring_seal(&ring));
    kin__claim taken = take(&ring);
    CHECK(!kin__ring_seal(&ring));
    kin__ring_finish(&taken);
    CHECK(kin__ring_seal(&ring));
    CHECK(!kin__ring_is_done(&ring));
    kin__block_discard(ring.self);
}

/* ---- draining -------------------------------------------------------------------------------- */

static void put_parcel(const kin__ring *ring, kin__parcel *p)
{
    CHECK_OK(kin__parcel_pack(p, "put"));
    kin__claim mine = claim(ring);
    CHECK_OK(kin__parcel_fill(p, &mine));
    kin__ring_publish(&mine);
}

TEST(a_drained_ring_gives_back_what_its_messages_held)
{
    uint64_t before = blocks_in_use();
    kin__ring ring = new_ring(8);
    static const char bytes[10000];
    kin__parcel large = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = sizeof bytes };
    kin__parcel middle = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = 300 };
    kin_obj small_object = kin_buffer(kin_alloc(100), 100);
    kin_obj large_object = kin_list(kin_buffer(kin_alloc(9), 9), kin_bytes(bytes, sizeof bytes));
    put_parcel(&ring, &large);
    put_parcel(&ring, &middle);
    kin_obj objects[2] = { small_object, large_object };
    for (int i = 0; i < 2; i++) {
        kin__parcel p = { .kind = KIN__CELL_OBJECT, .object = objects[i] };
        CHECK_OK(kin__flat_size(objects[i], &p.size));
        put_parcel(&ring, &p);
        kin_release(objects[i]);
    }
    CHECK_GE(blocks_in_use(), before + 5);
    kin__claim lent = take(&ring);
    kin__ring_lend(&lent); /* does not keep the ring */
    CHECK(kin__ring_drain(&ring));
    CHECK_EQ(blocks_in_use(), before + 1);
    kin__ring_finish(&lent); /* too late, and harmless */
    kin__claim none;
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &none), KIN__OVER);
    CHECK_EQ(kin__ring_claim(&ring, 0, &none), KIN__OVER);
    kin__block_discard(ring.self);
    CHECK_EQ(blocks_in_use(), before);
}

struct box {
    kin__ring ring;
    kin__claim claim;
    int how;
};

static int have_a_hand_in_it_and_die(void *ctx)
{
    struct box *box = ctx;
    if (box->how == 0) {
        kin__ring_claim(&box->ring, 0, &box->claim);
    } else {
        kin__ring_take(&box->ring, &anything, true, &box->claim);
    }
    if (box->how == 2) {
        kin__ring_lend(&box->claim);
    }
    kill(getpid(), SIGKILL);
    return 0;
}

TEST(the_dead_do_not_keep_a_ring_from_being_drained)
{
    for (int how = 0; how < 3; how++) {
        struct box *box = test_shared(sizeof *box);
        box->how = how;
        box->ring = new_ring(4);
        put(&box->ring, "abc", 3);
        CHECK_EQ(test_join(test_child(have_a_hand_in_it_and_die, box)), -SIGKILL);
        CHECK(kin__ring_drain(&box->ring));
        kin__block_discard(box->ring.self);
    }
}
