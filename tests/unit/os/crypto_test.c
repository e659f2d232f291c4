#include "harness.h"

#include "os/room.h"
#include <errno.h>

TEST(an_hmac_is_the_one_that_is_published)
{
    static const unsigned char right[] = { 0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                           0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                           0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                           0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43 };
    static const char data[] = "what do ya want for nothing?";
    unsigned char made[KIN__HMAC_MOST];
    CHECK_EQ(kin__os_hmac("SHA256", (kin__bytes){ "Jefe", 4 },
                          (kin__bytes){ data, sizeof data - 1 }, made),
             (int)sizeof right);
    CHECK_MEM(made, right, sizeof right);
}

TEST(a_digest_that_nobody_knows_is_told)
{
    unsigned char made[KIN__HMAC_MOST];
    const kin__bytes one = { "x", 1 };
    CHECK_EQ(kin__os_hmac("SHA257", one, one, made), -ENOTSUP);
}
