#include "harness.h"

#include "obj/node.h"

static size_t valid(const char *text)
{
    return kin__utf8_valid(text, strlen(text));
}

TEST(all_of_a_text_is_valid_or_up_to_where_it_is_not)
{
    static const char *const good[] = { "",
                                        "a",
                                        "abcdefgh",
                                        "abcdefghi",
                                        "é",
                                        "abcdefghé",
                                        "€uro",
                                        "😀😀",
                                        "abcdefg\xf0\x9f\x98\x80h",
                                        "\xed\xa0\x80" };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CHECK_EQ(valid(good[i]), strlen(good[i]));
    }
    CHECK_EQ(valid("\xff"), 0);
    CHECK_EQ(valid("abc\x80"), 3);
    CHECK_EQ(valid("abcdefgh\x80"
                   "abcdefghijk"),
             8);
    CHECK_EQ(valid("\x80"
                   "abcdefghijk"),
             0);
    CHECK_EQ(valid("abcdefghijk\xc3"), 11);
    CHECK_EQ(valid("é\xe2\x82"), 2);
    CHECK_EQ(valid("\xc0\x80"), 0);         /* longer than needed */
    CHECK_EQ(valid("\xf4\x90\x80\x80"), 0); /* beyond the last */
    CHECK_EQ(kin__utf8_valid("a\0b", 3), 3);
}

/* Every byte at every place of up to three words. */
TEST(one_wrong_byte_is_found_wherever_it_is)
{
    char text[24];
    for (size_t size = 1; size <= sizeof text; size++) {
        for (size_t at = 0; at < size; at++) {
            memset(text, 'x', sizeof text);
            text[at] = (char)0xff;
            CHECK_EQ(kin__utf8_valid(text, size), at);
        }
    }
}

TEST(characters_are_decoded)
{
    uint32_t c;
    CHECK_EQ(kin__utf8_decode("€", 3, &c), 3);
    CHECK_EQ(c, 0x20ac);
    CHECK_EQ(kin__utf8_decode("€", 2, &c), 0);
    CHECK_EQ(kin__utf8_decode("😀", 4, &c), 4);
    CHECK_EQ(c, 0x1f600);
    CHECK_EQ(kin__utf8_decode("\xed\xb3\xbf", 3, &c), 3);
    CHECK_EQ(c, 0xdcff);
}
