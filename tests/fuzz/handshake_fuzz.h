/* handshake_fuzz.h - one side of a handshake is given anything: by the fuzzer, and by the test
 * that replays its corpus. The first byte says which side, and what it allows; the second how
 * large the pieces are. Its challenge is always the same, so that an input can be the right
 * answer. */
#ifndef KIN_HANDSHAKE_FUZZ_H
#define KIN_HANDSHAKE_FUZZ_H

#include "listener/room.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_KEY "secret key"

/* Ends the program, so that the fuzzer keeps the input. */
static inline void handshake_must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static inline kin__auth handshake_begin(uint8_t how)
{
    kin__auth a;
    kin__bytes key = { FUZZ_KEY, strlen(FUZZ_KEY) };
    handshake_must(kin__auth_begin(&a, how & 1, key, how & 2) == 0, "it did not begin");
    for (unsigned i = 8; i < sizeof a.challenge; i++) {
        a.challenge[i] = (unsigned char)i;
    }
    return a;
}

/* What came as the nth frame: its bytes, or NULL. */
static inline const uint8_t *handshake_frame(const uint8_t *data, size_t size, unsigned n,
                                             size_t *ret_size)
{
    while (size >= 4) {
        *ret_size = (size_t)data[2] << 8 | data[3];
        if (size - 4 < *ret_size) {
            return NULL;
        }
        if (n-- == 0) {
            return data + 4;
        }
        data += 4 + *ret_size;
        size -= 4 + *ret_size;
    }
    return NULL;
}

/* Whoever got through has sent a right answer, by a digest that was allowed: looked at once more,
 * in another way. */
static inline void handshake_verify(const kin__auth *a, const uint8_t *data, size_t size)
{
    static const char *const names[] = { "",         "{md5}",      "{sha256}",
                                         "{sha384}", "{sha3_256}", "{sha3_384}" };
    static const kin__digest digests[] = { KIN__MD5,    KIN__MD5,      KIN__SHA256,
                                           KIN__SHA384, KIN__SHA3_256, KIN__SHA3_384 };
    size_t got = 0;
    const uint8_t *answer = handshake_frame(data, size, a->listens ? 0 : 2, &got);
    handshake_must(answer != NULL, "it is done without an answer");
    for (unsigned i = a->allow_md5 ? 0 : 2; i < 6; i++) {
        unsigned char right[KIN__DIGEST_MOST];
        size_t prefix = strlen(names[i]), length = kin__digest_size(digests[i]);
        kin__hmac(digests[i], a->key, (kin__bytes){ a->challenge, sizeof a->challenge }, right);
        if (got == prefix + length && memcmp(answer, names[i], prefix) == 0 &&
            memcmp(answer + prefix, right, length) == 0) {
            return;
        }
    }
    handshake_must(false, "it is done with a wrong answer");
}

/* Takes what it says, or gives it a piece of the input. False: it can go no further. */
static inline bool handshake_move(kin__auth *a, const uint8_t **data, size_t *size, size_t piece)
{
    void *at = NULL;
    size_t room = 0;
    kin__auth_wish wish = kin__auth_next(a, &at, &room);
    if (wish != KIN__AUTH_SEND && wish != KIN__AUTH_RECEIVE) {
        return false;
    }
    const unsigned char *begin = wish == KIN__AUTH_SEND ? a->out : a->in;
    size_t most = wish == KIN__AUTH_SEND ? sizeof a->out : sizeof a->in;
    size_t offset = (size_t)((unsigned char *)at - begin);
    handshake_must(room > 0 && offset < most && room <= most - offset, "it is out of its bounds");
    size_t n = piece < room ? piece : room;
    if (wish == KIN__AUTH_RECEIVE) {
        n = n < *size ? n : *size;
        memcpy(at, *data, n);
        *data += n;
        *size -= n;
    }
    kin__auth_went(a, wish, (ssize_t)n);
    return true;
}

static inline kin__auth_wish handshake_run(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return KIN__AUTH_FAILED;
    }
    kin__auth a = handshake_begin(data[0]);
    size_t piece = 1u + data[1] % 64;
    data += 2;
    size -= 2;
    const uint8_t *at = data;
    size_t left = size;
    while (handshake_move(&a, &at, &left, piece)) {
    }
    void *unused;
    kin__auth_wish wish = kin__auth_next(&a, &unused, &(size_t){ 0 });
    handshake_must((wish == KIN__AUTH_FAILED) == (a.reason != NULL), "neither done nor refused");
    if (wish == KIN__AUTH_DONE) {
        handshake_verify(&a, data, size - left);
    }
    return wish;
}

#endif
