/* What is published, and what CPython's hmac says of random keys and messages. */
#include "listener/room.h"
#include "unit/obj/python.h"

static const char *const names[] = { "md5", "sha256", "sha384", "sha3_256", "sha3_384" };

static const char *hex(const unsigned char *bytes, size_t size)
{
    static char text[3 * 1024];
    text[0] = '\0';
    for (size_t i = 0; i < size; i++) {
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    }
    return text;
}

static const char *hmac(kin__digest digest, const char *key, const char *data)
{
    unsigned char mac[KIN__DIGEST_MOST];
    CHECK_EQ(kin__hmac(digest, (kin__bytes){ key, strlen(key) }, (kin__bytes){ data, strlen(data) },
                       mac),
             0);
    return hex(mac, kin__digest_size(digest));
}

TEST(published_vectors_hold)
{
    static const char data[] = "what do ya want for nothing?"; /* RFC 2202, RFC 4231 */
    CHECK_STR(hmac(KIN__MD5, "Jefe", data), "750c783e6ab0b503eaa86e310a5db738");
    CHECK_STR(hmac(KIN__SHA256, "Jefe", data),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK_STR(hmac(KIN__SHA384, "Jefe", data),
              "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
              "8e2240ca5e69e2c78b3239ecfab21649");
    CHECK_STR(hmac(KIN__SHA3_256, "Jefe", data),
              "c7d4072e788877ae3596bbb0da73b887c9171f93095b294ae857fbe2645e1ba5");
    CHECK_STR(hmac(KIN__SHA3_384, "Jefe", data),
              "f1101f8cbf9766fd6764d2ed61903f21ca9b18f57cf3e1a23ca13508a93243ce"
              "48c045dc007f26a21b3f5e0e9df4c20a");
}

TEST(long_keys_are_digested_first)
{
    char key[132];
    memset(key, 0xaa, 131);
    key[131] = '\0';
    CHECK_STR(hmac(KIN__SHA256, key, "Test Using Larger Than Block-Size Key - Hash Key First"),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

enum { MACS = 4000 };

/* Lengths around those of the blocks more often than others. */
static size_t some_size(void)
{
    static const size_t edges[] = { 64, 128, 136, 104, 56, 112 };
    return test_random() % 2 ? edges[test_random() % 6] - 2 + test_random() % 5
                             : test_random() % 400;
}

TEST(macs_are_those_of_cpython)
{
    if (!has_python()) {
        SKIP("there is no " PYTHON);
    }
    FILE *pipe = python("import hmac\n"
                        "def wrong(line):\n"
                        "    name, key, data, mac = line.split(' ')\n"
                        "    key, data = bytes.fromhex(key), bytes.fromhex(data)\n"
                        "    return None if hmac.digest(key, data, name).hex() == mac else line\n");
    for (int i = 0; i < MACS; i++) {
        unsigned char key[400], data[400], mac[KIN__DIGEST_MOST];
        size_t key_size = 1 + some_size() % 399, size = some_size();
        for (size_t k = 0; k < sizeof key; k++) {
            key[k] = (unsigned char)test_random();
            data[k] = (unsigned char)test_random();
        }
        kin__digest digest = (kin__digest)(i % 5);
        CHECK_EQ(kin__hmac(digest, (kin__bytes){ key, key_size }, (kin__bytes){ data, size }, mac),
                 0);
        fprintf(pipe, "%s %s ", names[digest], hex(key, key_size));
        fprintf(pipe, "%s ", hex(data, size));
        fprintf(pipe, "%s\n", hex(mac, kin__digest_size(digest)));
    }
    python_agrees(pipe);
}

TEST(what_is_wiped_is_gone)
{
    char secret[] = "secret";
    kin__wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++) {
        CHECK_EQ(secret[i], 0);
    }
}
