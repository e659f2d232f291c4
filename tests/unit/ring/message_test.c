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
    kin__parcel_fill(p, claim.cell);
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
    CHECK_EQ(block != NULL, size > KIN__CELL_ROOM);
    kin__ring_finish(&claim);
    if (block != NULL) {
        kin__block_free(block);
    }
}

TEST(bytes_come_out_as_they_went_in_small_or_apart)
{
    static const size_t sizes[] = { 0, 1, KIN__CELL_ROOM, KIN__CELL_ROOM + 1, 5000 };
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
