/* auth.c - each of two shows the other that he knows the key, and neither says it.
 *
 * Idea. One sends random bytes, and the other answers with their HMAC by the key. First the
 * listener asks and the other one answers, then the other way round. The bytes are those of
 * Python's multiprocessing.connection; every message is a frame, 4 bytes of length and at most 256
 * others:
 *
 *      listener                                                        who connects
 *         | -- #CHALLENGE#{sha256} and 40 random bytes ------------------> |
 *         | <------------------------------ {sha256} and the 32 of HMAC -- |
 *         | -- #WELCOME# ------------------------------------------------> |
 *         | <-------------------------------------------- #CHALLENGE#... -- |
 *         | -- {sha256}... ----------------------------------------------> |
 *         | <------------------------------------------------ #WELCOME# -- |
 *
 * Here it is a machine without a descriptor: it says what it would send or receive next
 * (auth_next), and is told what came of it (auth_went). So it goes on whenever there is something
 * to go on with, and many can be at work at once.
 *
 * Rules.
 *   R1  A frame is read to its end and not one byte beyond: what follows the last one is the
 *       connection's.
 *   R2  Whoever finds something wrong says #FAILURE# and nothing more. What had come is not looked
 *       at again.
 *   R3  The digest of an answer is the one that its challenge names; Python takes, and so do we,
 *       any of those it knows. HMAC-MD5 is given and taken only where the caller allowed it: raw,
 *       as Python up to 3.11 has it for every challenge and later ones for one of 20 bytes; or by
 *       its name.
 *   R4  A challenge of ours that comes back is not answered: the answer would be what its sender
 *       lacks.
 *   R5  Answers are compared in a time that does not tell how much of them was right.
 *
 * Death. Nothing is shared. A side that is gone is the end of its stream.
 *
 * Not here. How long one may take (listener.c, connect.c); HMAC itself (digest.c).
 */
#include "../sync/room.h"
#include "room.h"

#include <errno.h>
#include <string.h>

#define LOOKS 4 /* of some 10 us */

#define CHALLENGE "#CHALLENGE#"
#define WELCOME "#WELCOME#"
#define FAILURE "#FAILURE#"
#define LENGTH(literal) (sizeof(literal) - 1)
#define OURS "{sha256}" /* what our challenges ask for */
#define OLD_CHALLENGE 20
#define OLD_ANSWER 16

#define NEEDS_MD5                                                                                  \
    "knows HMAC-MD5 only, as Python up to 3.11 does: the option allow_md5 would allow that"

#define NO_HMAC "cannot be answered: libcrypto is not installed, or refuses that digest"

static const struct name {
    const char *text;
    kin__digest digest;
} names[] = {
    { "{sha256}", KIN__SHA256 },     { "{sha384}", KIN__SHA384 }, { "{sha3_256}", KIN__SHA3_256 },
    { "{sha3_384}", KIN__SHA3_384 }, { "{md5}", KIN__MD5 },
};

/* The digest that a challenge or an answer begins with, or NULL. */
static const struct name *name_of(kin__bytes text)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i].text);
        if (text.size > size && memcmp(text.at, names[i].text, size) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static bool is(kin__bytes frame, const char *token)
{
    return frame.size == strlen(token) && memcmp(frame.at, token, frame.size) == 0;
}

/* ---- what is sent --------------------------------------------------------------------- */

/* Sends a frame of two parts: what is at hand fits. */
static void send_frame(kin__auth *a, kin__bytes first, kin__bytes second)
{
    size_t size = first.size + second.size;
    const unsigned char length[4] = { 0, 0, 0, (unsigned char)size };
    memcpy(a->out, length, sizeof length);
    memcpy(a->out + sizeof length, first.at, first.size);
    memcpy(a->out + sizeof length + first.size, second.at, second.size);
    a->to_send = sizeof length + size;
    a->sent = 0;
}

static void send_token(kin__auth *a, const char *token)
{
    send_frame(a, (kin__bytes){ token, strlen(token) }, (kin__bytes){ "", 0 });
}

static void send_challenge(kin__auth *a)
{
    send_frame(a, (kin__bytes){ CHALLENGE, LENGTH(CHALLENGE) },
               (kin__bytes){ a->challenge, sizeof a->challenge });
}

/* R2. */
static void fail(kin__auth *a, const char *reason)
{
    a->reason = reason;
    send_token(a, FAILURE);
}

/* ---- what is received ------------------------------------------------------------------- */

static bool same(const unsigned char *one, const unsigned char *other, size_t size)
{
    unsigned char different = 0;
    for (size_t i = 0; i < size; i++) { /* R5 */
        different |= one[i] ^ other[i];
    }
    return different == 0;
}

/* An answer to our challenge. */
static void judge(kin__auth *a, kin__bytes answer)
{
    const struct name *name = name_of(answer);
    bool old = name == NULL && answer.size == OLD_ANSWER;
    kin__digest digest = name != NULL ? name->digest : KIN__MD5;
    if (name == NULL && !old) {
        fail(a, "sent what is no answer to a challenge: does it have a key?");
        return;
    }
    if (digest == KIN__MD5 && !a->allow_md5) {
        fail(a, NEEDS_MD5);
        return;
    }
    unsigned char right[KIN__DIGEST_MOST];
    size_t prefix = old ? 0 : strlen(name->text);
    size_t size = kin__digest_size(digest);
    if (kin__hmac(digest, a->key, (kin__bytes){ a->challenge, sizeof a->challenge }, right) < 0) {
        fail(a, NO_HMAC);
        return;
    }
    bool knows = answer.size == prefix + size &&
                 same((const unsigned char *)answer.at + prefix, right, size);
    kin__wipe(right, sizeof right);
    if (knows) {
        send_token(a, WELCOME);
    } else {
        fail(a, "has another key");
    }
}

static void send_answer(kin__auth *a, const char *prefix, kin__digest digest, kin__bytes challenge)
{
    unsigned char answer[KIN__DIGEST_MOST];
    if (kin__hmac(digest, a->key, challenge, answer) < 0) {
        fail(a, NO_HMAC);
        return;
    }
    send_frame(a, (kin__bytes){ prefix, strlen(prefix) },
               (kin__bytes){ answer, kin__digest_size(digest) });
}

static void answer(kin__auth *a, kin__bytes frame)
{
    if (frame.size < LENGTH(CHALLENGE) || memcmp(frame.at, CHALLENGE, LENGTH(CHALLENGE)) != 0) {
        fail(a, "sent no challenge: does it have a key?");
        return;
    }
    const unsigned char *at = (const unsigned char *)frame.at + LENGTH(CHALLENGE);
    kin__bytes challenge = { at, frame.size - LENGTH(CHALLENGE) };
    const struct name *name = challenge.size > OLD_CHALLENGE ? name_of(challenge) : NULL;
    bool old = challenge.size == OLD_CHALLENGE; /* also when it begins with a name */
    if (!old && name == NULL) {
        fail(a, "asks for a digest that is not known here");
    } else if ((old || name->digest == KIN__MD5) && !a->allow_md5) {
        fail(a, NEEDS_MD5);
    } else if (challenge.size == sizeof a->challenge &&
               memcmp(at, a->challenge, sizeof a->challenge) == 0) { /* R4 */
        fail(a, "sent our own challenge back");
    } else {
        send_answer(a, old ? "" : name->text, old ? KIN__MD5 : name->digest, challenge);
    }
}

/* What it says of our answer. */
static void hear(kin__auth *a, kin__bytes frame)
{
    if (is(frame, FAILURE)) {
        a->reason = "says that our key is another one";
    } else if (!is(frame, WELCOME)) {
        fail(a, "did not say what it thinks of our answer");
    } else if (!a->listens) {
        send_challenge(a);
    }
}

static void take_frame(kin__auth *a, kin__bytes frame)
{
    static void (*const listening[])(kin__auth *, kin__bytes) = { judge, answer, hear };
    static void (*const connecting[])(kin__auth *, kin__bytes) = { answer, hear, judge };
    (a->listens ? listening : connecting)[a->got++](a, frame);
    a->have = 0;
}

/* ---- the machine ---------------------------------------------------------------------- */

enum { FRAMES = 3 }; /* that come; then it is over */

int kin__auth_begin(kin__auth *a, bool listens, kin__bytes key, bool allow_md5)
{
    *a = (kin__auth){ .key = key, .listens = listens, .allow_md5 = allow_md5, .challenge = OURS };
    int rv = kin__os_random(a->challenge + LENGTH(OURS), sizeof a->challenge - LENGTH(OURS));
    if (rv == 0 && listens) {
        send_challenge(a);
    }
    return rv;
}

/* How long the frame is that is coming; what cannot be is more than KIN__AUTH_FRAME. */
static size_t frame_size(const kin__auth *a)
{
    return (size_t)a->in[0] << 24 | (size_t)a->in[1] << 16 | (size_t)a->in[2] << 8 | a->in[3];
}

kin__auth_wish kin__auth_next(kin__auth *a, void **ret_bytes, size_t *ret_size)
{
    if (a->sent < a->to_send) {
        *ret_bytes = a->out + a->sent;
        *ret_size = a->to_send - a->sent;
        return KIN__AUTH_SEND;
    }
    if (a->reason != NULL) {
        return KIN__AUTH_FAILED;
    }
    if (a->got == FRAMES) {
        return KIN__AUTH_DONE;
    }
    *ret_bytes = a->in + a->have;
    *ret_size = (a->have < 4 ? 4 : 4 + frame_size(a)) - a->have; /* R1 */
    return KIN__AUTH_RECEIVE;
}

static void received(kin__auth *a, size_t n)
{
    a->have += n;
    if (a->have < 4) {
        return;
    }
    size_t size = frame_size(a);
    if (size > KIN__AUTH_FRAME) {
        fail(a, "sent what is too long for a handshake: does it have a key?");
    } else if (a->have == 4 + size) {
        take_frame(a, (kin__bytes){ a->in + 4, size });
    }
}

void kin__auth_went(kin__auth *a, kin__auth_wish wish, ssize_t n)
{
    if (n <= 0) {
        a->to_send = 0; /* nobody hears it any more */
        a->reason = a->reason != NULL ? a->reason
                    : n == -ENOMEM || n == -ENOBUFS
                        ? "could not be heard: the kernel has no memory"
                        : "hung up in the handshake: does it have another key, or none?";
    } else if (wish == KIN__AUTH_SEND) {
        a->sent += (size_t)n;
    } else {
        received(a, (size_t)n);
    }
}

kin__auth_wish kin__auth_drive(kin__auth *a, int fd)
{
    bool spoke = false;
    for (;;) {
        void *at = NULL;
        size_t size = 0;
        ssize_t n = 0;
        kin__auth_wish wish = kin__auth_next(a, &at, &size);
        if (wish == KIN__AUTH_SEND) { /* who takes not even this has filled his buffers himself */
            const kin__bytes parts[2] = { { at, size }, { at, 0 } };
            n = kin__os_stream_write(fd, parts, NULL, 0, false);
            spoke = true;
        } else if (wish == KIN__AUTH_RECEIVE && !spoke) { /* else nobody can have answered yet */
            n = kin__os_stream_read(fd, at, size, false);
        } else {
            return wish;
        }
        if (wish == KIN__AUTH_RECEIVE && n == -EAGAIN) {
            return wish;
        }
        kin__auth_went(a, wish, n);
    }
}

static bool is_readable(void *fd)
{
    return kin__os_stream_wait(*(const int *)fd, KIN__READ, 0) == 0;
}

/* Mostly the other side is at work on it: a digest takes less than a sleep. */
int kin__auth_await(int fd, int64_t deadline)
{
    bool found = false;
    for (int i = 0; i < LOOKS && !found; i++) {
        found = kin__spin_aside(is_readable, &fd);
    }
    return kin__os_stream_wait(fd, KIN__READ, deadline);
}

int kin__auth_check(const void *key, size_t size, double timeout, const char *verb)
{
    if ((key == NULL) != (size == 0)) {
        return kin__fail(KIN_EINVAL,
                         key == NULL ? "%s: the key is NULL, and its size is not 0"
                                     : "%s: a key of 0 bytes",
                         verb);
    }
    return timeout >= 0 ? 0
                        : kin__fail(KIN_EINVAL, "%s: %g is no number of seconds", verb, timeout);
}
