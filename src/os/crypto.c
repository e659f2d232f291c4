/* crypto.c - keyed digests, of OpenSSL's libcrypto.
 *
 * Idea. It is loaded when the first key is used, and not when the program starts: loading takes a
 * millisecond, which is as long as all else that a spawned process does before it works.
 *
 * A program that is linked statically has no dlopen; one that has libcrypto in it anyway needs
 * none. */
#include "room.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* As <openssl/hmac.h> and <openssl/evp.h> have them, in every version since 1.1. */
typedef unsigned char *hmac_fn(const void *digest, const void *key, int key_size,
                               const unsigned char *data, size_t size, unsigned char *ret,
                               unsigned *ret_size);
typedef const void *digest_fn(const char *name);

__attribute__((weak)) extern void *dlopen(const char *, int);
__attribute__((weak)) extern hmac_fn HMAC;
__attribute__((weak)) extern digest_fn EVP_get_digestbyname;

static hmac_fn *_Atomic hmac;
static digest_fn *_Atomic digest_by_name;

static void *load(void)
{
    static const char *const files[] = { "libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so" };
    void *library = NULL;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && library == NULL; i++) {
        library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    }
    return library;
}

/* Two threads that come at once find the same. */
static int find(void)
{
    hmac_fn *first = HMAC;
    digest_fn *second = EVP_get_digestbyname;
    if (atomic_load(&hmac) != NULL) {
        return 0;
    }
    if (first == NULL || second == NULL) {
        void *library = dlopen != NULL ? load() : NULL;
        if (library == NULL) {
            return -ENOSYS;
        }
        first = (hmac_fn *)(uintptr_t)dlsym(library, "HMAC");
        second = (digest_fn *)(uintptr_t)dlsym(library, "EVP_get_digestbyname");
    }
    if (first == NULL || second == NULL) {
        return -ENOSYS;
    }
    atomic_store(&digest_by_name, second);
    atomic_store(&hmac, first); /* last: who sees it has both */
    return 0;
}

int kin__os_hmac(const char *digest, kin__bytes key, kin__bytes data, unsigned char *ret)
{
    unsigned size = 0;
    if (KIN__FAULT(KIN__FAULT_CALL) || find() < 0) {
        return -ENOSYS;
    }
    const void *by = atomic_load(&digest_by_name)(digest);
    if (by == NULL ||
        atomic_load(&hmac)(by, key.at, (int)key.size, data.at, data.size, ret, &size) == NULL) {
        return -ENOTSUP; /* MD5, where that is forbidden */
    }
    return (int)size;
}
