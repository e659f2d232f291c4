#include "harness.h"
#include "ring/room.h"

#include <string.h>

static const kin__want anything = { .kind = KIN__CELL_OBJECT | KIN__CELL_BYTES, .room = SIZE_MAX };

static kin__ring new_ring(void)
{
    kin__ring ring;
    CHECK_OK(kin__ring_new(4, 0, &ring));
    kin__block_give(ring.at);
    return ring;
}

static void put(const kin__ring *ring, kin__parcel *p)
{
    kin__claim claim;
    CHECK_OK(kin__parcel_pack(p, "put"));
    CHECK_EQ(kin__ring_claim(ring, 0, &claim), KIN__GOT);
    CHECK_OK(kin__parcel_fill(p, &claim));
    kin__ring_publish(&claim);
}

static void get(const kin__ring *ring, const void *bytes, size_t size)
{
    kin__claim claim;
    CHECK_EQ(kin__ring_take(ring, &anything, true, &claim), KIN__GOT);
    CHECK_EQ(claim.size, size);
    const void *arrived = kin__claim_bytes(&claim);
    CHECK(arrived != NULL && memcmp(arrived, bytes, size) == 0);
    void *block = kin__claim_own(&claim);
    CHECK_EQ(block != NULL, size > KIN__BESIDE_MOST);
    kin__ring_finish(&claim);
    if (block != NULL) {
        kin__block_free(block);
    }
}

TEST(bytes_come_out_as_they_went_in_small_or_apart)
{
    static const size_t sizes[] = { 0,    1,   KIN__CELL_ROOM,   KIN__CELL_ROOM + 1,
                                    4096, 200, KIN__BESIDE_MOST, KIN__BESIDE_MOST + 1,
                                    5000 };
    unsigned char bytes[5000];
    memset(bytes, 'k', sizeof bytes);
    kin__ring ring = new_ring();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bytes[0] = (unsigned char)i;
        kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = sizes[i] };
        put(&ring, &p);
        get(&ring, bytes, sizes[i]);
    }
    CHECK(kin__ring_drain(&ring));
    kin__block_discard(ring.self);
}

TEST(a_block_stays_beside_its_cell_and_is_used_again)
{
    char bytes[200] = "once";
    kin__ring ring = new_ring();
    kin__ref beside = 0;
    for (int i = 0; i < 12; i++) {
        kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = sizeof bytes };
        put(&ring, &p);
        get(&ring, bytes, sizeof bytes);
        if (i % 4 == 0) {
            kin__ref now = atomic_load(&ring.at->cells[0].apart);
            CHECK(now != 0 && (i == 0 || now == beside));
            beside = now;
        }
    }
    CHECK(kin__ring_drain(&ring));
    CHECK(!kin__block_is_shared(beside));
    kin__block_discard(ring.self);
}

TEST(in_a_ring_of_many_cells_no_blocks_stay)
{
    char bytes[200] = "once";
    kin__ring ring;
    CHECK_OK(kin__ring_new(65536, 0, &ring));
    kin__block_give(ring.at);
    kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = bytes, .size = sizeof bytes };
    kin__claim claim;
    put(&ring, &p);
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &claim), KIN__GOT);
    void *block = kin__claim_own(&claim);
    kin__ring_finish(&claim);
    CHECK(block != NULL && atomic_load(&claim.cell->apart) == 0);
    kin__block_free(block);
    CHECK(kin__ring_drain(&ring));
    kin__block_discard(ring.self);
}

TEST(a_parcel_that_is_abandoned_leaves_nothing)
{
    char text[200] = { 0 };
    memset(text, 'x', sizeof text - 1);
    kin_obj object = kin_str(text);
    kin__parcel p = { .kind = KIN__CELL_OBJECT, .object = object };
    CHECK_OK(kin__flat_size(object, &p.size));
    CHECK_OK(kin__parcel_pack(&p, "put"));
    CHECK(p.apart != NULL);
    kin__parcel_abandon(&p);
    kin_release(object);
}

TEST(a_size_that_a_cell_cannot_have_yields_no_bytes)
{
    kin__ring ring = new_ring();
    kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = "abc", .size = 3 };
    put(&ring, &p);
    kin__claim claim;
    CHECK_EQ(kin__ring_take(&ring, &anything, true, &claim), KIN__GOT);
    claim.size = KIN__CELL_ROOM + 1;
    CHECK(kin__claim_bytes(&claim) == NULL);
    kin__ring_finish(&claim);
    CHECK(kin__ring_drain(&ring));
    kin__block_discard(ring.self);
}

TEST(a_message_of_four_gib_is_refused_by_name)
{
    kin__parcel p = { .kind = KIN__CELL_BYTES, .bytes = "", .size = (size_t)UINT32_MAX + 1 };
    CHECK_EQ(kin__parcel_pack(&p, "kin_queue_put"), KIN_ERANGE);
    CHECK(strncmp(kin_errmsg(), "kin_queue_put: ", 15) == 0);
}
