/* Frames: their headers, short and long. */
#include "harness.h"
#include "manager/room.h"

TEST(a_frame_is_there_when_all_of_it_is)
{
    char bytes[KIN__FRAME_HEADER + 5] = "............abcde";
    const char *at = kin__framing_put(bytes + KIN__FRAME_HEADER, 5);
    kin__frame f;
    CHECK_PTR(at, bytes + KIN__FRAME_HEADER - 4);
    for (size_t have = 0; have < 9; have++) {
        CHECK_EQ(kin__framing_look(at, have, 5, &f), 0);
        CHECK_EQ(f.whole, have < 4 ? 0 : 9);
    }
    CHECK_EQ(kin__framing_look(at, 9, 5, &f), 1);
    CHECK_PTR(f.body, bytes + KIN__FRAME_HEADER);
    CHECK_EQ(f.size, 5);
    CHECK_EQ(kin__framing_look(at, 4, 4, &f), KIN_ERANGE);
}

TEST(a_frame_beyond_two_gigabytes_has_a_long_header)
{
    char bytes[KIN__FRAME_HEADER];
    const size_t size = (size_t)INT32_MAX + 1;
    const char *at = kin__framing_put(bytes + sizeof bytes, size);
    kin__frame f;
    CHECK_PTR(at, bytes);
    for (size_t have = 0; have < sizeof bytes; have++) {
        CHECK_EQ(kin__framing_look(at, have, SIZE_MAX, &f), 0);
        CHECK_EQ(f.whole, 0);
    }
    CHECK_EQ(kin__framing_look(at, sizeof bytes, SIZE_MAX - 12, &f), 0);
    CHECK_EQ(f.whole, size + sizeof bytes);
    CHECK_EQ(kin__framing_look(at, sizeof bytes, size - 1, &f), KIN_ERANGE);
}
