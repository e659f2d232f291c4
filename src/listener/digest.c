/* digest.c - HMAC by the digests that a handshake may name. libcrypto does it: os/crypto.c. */
#include "room.h"

#include <errno.h>
#include <string.h>

_Static_assert(KIN__DIGEST_MOST <= KIN__HMAC_MOST, "an answer fits where one is made");

static const struct algorithm {
    const char *name;
    size_t size;
} algorithms[] = {
    [KIN__MD5] = { "MD5", 16 },           [KIN__SHA256] = { "SHA256", 32 },
    [KIN__SHA384] = { "SHA384", 48 },     [KIN__SHA3_256] = { "SHA3-256", 32 },
    [KIN__SHA3_384] = { "SHA3-384", 48 },
};

size_t kin__digest_size(kin__digest digest)
{
    return algorithms[digest].size;
}

int kin__hmac(kin__digest digest, kin__bytes key, kin__bytes data, unsigned char *ret)
{
    unsigned char made[KIN__HMAC_MOST];
    int rv = kin__os_hmac(algorithms[digest].name, key, data, made);
    if (rv == (int)algorithms[digest].size) {
        memcpy(ret, made, algorithms[digest].size);
    }
    kin__wipe(made, sizeof made);
    return rv < 0 ? rv : rv == (int)algorithms[digest].size ? 0 : -ENOTSUP;
}

void kin__wipe(void *secret, size_t size)
{
    volatile unsigned char *p = secret;
    for (size_t i = 0; i < size; i++) {
        p[i] = 0;
    }
}
