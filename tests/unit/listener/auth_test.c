#include "harness.h"
#include "listener/room.h"
#include "unit/listener/handshakes.h"

#include <errno.h>

static const kin__bytes key = { "secret key", 10 };

/* ---- driving it --------------------------------------------------------------------------- */

static size_t unhex(const char *text, unsigned char *ret)
{
    size_t size = strlen(text) / 2;
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        CHECK_EQ(sscanf(text + 2 * i, "%2x", &byte), 1);
        ret[i] = (unsigned char)byte;
    }
    return size;
}

static kin__auth_wish wish(kin__auth *a)
{
    void *at;
    size_t size;
    return kin__auth_next(a, &at, &size);
}

/* All that it wants to send now, in pieces of any size. */
static size_t sent(kin__auth *a, unsigned char *ret)
{
    void *at;
    size_t size, total = 0;
    while (kin__auth_next(a, &at, &size) == KIN__AUTH_SEND) {
        size_t n = 1 + test_random() % size;
        memcpy(ret + total, at, n);
        total += n;
        kin__auth_went(a, KIN__AUTH_SEND, (ssize_t)n);
    }
    return total;
}

/* How much it took of what was given to it in pieces of any size, until it wants something else. */
static size_t feed(kin__auth *a, const void *bytes, size_t size)
{
    void *at;
    size_t room, total = 0;
    while (total < size && kin__auth_next(a, &at, &room) == KIN__AUTH_RECEIVE) {
        size_t n = 1 + test_random() % room;
        n = n < size - total ? n : size - total;
        memcpy(at, (const char *)bytes + total, n);
        total += n;
        kin__auth_went(a, KIN__AUTH_RECEIVE, (ssize_t)n);
    }
    return total;
}

static void feed_frame(kin__auth *a, const void *bytes, size_t size)
{
    const unsigned char head[4] = { 0, 0, (unsigned char)(size >> 8), (unsigned char)size };
    CHECK_EQ(feed(a, head, 4), 4);
    CHECK_EQ(feed(a, bytes, size), size);
}

/* Its challenge is this one, and not random. */
static void set_challenge(kin__auth *a, const void *challenge)
{
    memcpy(a->challenge, challenge, sizeof a->challenge);
    if (a->listens) {
        memcpy(a->out + 4 + 11, challenge, sizeof a->challenge);
    }
}

static kin__auth began(bool listens, bool allow_md5)
{
    kin__auth a;
    CHECK_EQ(kin__auth_begin(&a, listens, key, allow_md5), 0);
    return a;
}

/* One that has sent its challenge, and waits for the answer. */
static kin__auth challenging(bool allow_md5)
{
    unsigned char bytes[128];
    kin__auth a = began(true, allow_md5);
    CHECK_EQ(sent(&a, bytes), 63);
    return a;
}

/* It says so, and hears nothing any more. */
static void check_failed(kin__auth *a, const char *part)
{
    unsigned char bytes[128];
    CHECK_EQ(sent(a, bytes), 13);
    CHECK_MEM(bytes, "\0\0\0\t#FAILURE#", 13);
    CHECK_EQ(wish(a), KIN__AUTH_FAILED);
    CHECK_CONTAINS(a->reason, part);
}

/* ---- what CPython said --------------------------------------------------------------------- */

static bool is_challenge(const unsigned char *frame)
{
    return memcmp(frame + 4, "#CHALLENGE#", 11) == 0;
}

/* Whether that side's challenge is of the kind that ours are. */
static bool find_challenge(const struct handshake *h, char side, unsigned char *ret_challenge)
{
    for (int i = 0; h->frames[i] != NULL; i++) {
        unsigned char frame[300];
        size_t size = unhex(h->frames[i] + 1, frame);
        if (h->frames[i][0] == side && is_challenge(frame) && size == 63) {
            memcpy(ret_challenge, frame + 15, 48);
            return true;
        }
    }
    return false;
}

/* Plays one side: what it sends is what was captured. */
static void replay(const struct handshake *h, char side, const unsigned char *challenge)
{
    kin__auth a;
    const char *mine = side == 'S' ? h->listener_key : h->client_key;
    CHECK_EQ(kin__auth_begin(&a, side == 'S', (kin__bytes){ mine, strlen(mine) }, true), 0);
    set_challenge(&a, challenge);
    for (int i = 0; h->frames[i] != NULL && i < 6; i++) {
        unsigned char expected[300], got[300] = { 0 };
        size_t size = unhex(h->frames[i] + 1, expected);
        if (h->frames[i][0] == side) {
            CHECK_EQ(sent(&a, got), size);
            CHECK_MEM(got, expected, size);
        } else {
            CHECK_EQ(feed(&a, expected, size), size);
        }
    }
    bool right = strcmp(h->listener_key, h->client_key) == 0;
    CHECK_EQ(wish(&a), right ? KIN__AUTH_DONE : KIN__AUTH_FAILED);
}

TEST(all_captured_handshakes_are_repeated_byte_for_byte)
{
    int replayed = 0;
    for (size_t i = 0; i < sizeof handshakes / sizeof *handshakes; i++) {
        unsigned char challenge[48];
        for (int side = 0; side < 2; side++) {
            if (find_challenge(&handshakes[i], "SC"[side], challenge)) {
                replay(&handshakes[i], "SC"[side], challenge);
                replayed++;
            }
        }
    }
    CHECK_EQ(replayed, 14);
}

/* Or NULL, and it failed. */
static const unsigned char *answer_to(const struct answer *answer, bool allow_md5, size_t *ret_size)
{
    static unsigned char got[300];
    unsigned char frame[300] = "#CHALLENGE#";
    size_t size = 11 + strlen(answer->prefix);
    memcpy(frame + 11, answer->prefix, strlen(answer->prefix));
    for (unsigned i = 0; i < answer->bytes; i++) {
        frame[size++] = (unsigned char)i;
    }
    kin__auth a = began(false, allow_md5);
    feed_frame(&a, frame, size);
    if (a.reason != NULL) {
        check_failed(&a, "");
        return NULL;
    }
    *ret_size = sent(&a, got);
    return got;
}

TEST(challenges_are_answered_as_python_answers_them)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *answer = &answers[i];
        unsigned char expected[100];
        size_t size = 0;
        const unsigned char *got = answer_to(answer, true, &size);
        CHECK_EQ(got != NULL, answer->of_312 != NULL);
        if (got != NULL) {
            CHECK_EQ(size, 4 + unhex(answer->of_312, expected));
            CHECK_MEM(got + 4, expected, size - 4);
        }
        bool is_md5 = answer->of_312 != NULL &&
                      (strlen(answer->of_312) == 32 || strcmp(answer->prefix, "{md5}") == 0);
        got = answer_to(answer, false, &size);
        CHECK_EQ(got != NULL, answer->of_312 != NULL && !is_md5);
    }
}

/* ---- answers to ours ----------------------------------------------------------------------- */

/* An answer by that key, with a prefix, cut to `size` bytes of the digest. */
static size_t make_answer(const kin__auth *a, const char *prefix, kin__digest digest,
                          unsigned char *ret)
{
    kin__bytes challenge = { a->challenge, sizeof a->challenge };
    memcpy(ret, prefix, strlen(prefix));
    CHECK_EQ(kin__hmac(digest, key, challenge, ret + strlen(prefix)), 0);
    return strlen(prefix) + kin__digest_size(digest);
}

static const struct {
    const char *prefix;
    kin__digest digest;
    bool taken, with_md5;
} offers[] = {
    { "{sha256}", KIN__SHA256, true, true },     { "{sha384}", KIN__SHA384, true, true },
    { "{sha3_256}", KIN__SHA3_256, true, true }, { "{sha3_384}", KIN__SHA3_384, true, true },
    { "{md5}", KIN__MD5, false, true },          { "", KIN__MD5, false, true },
    { "", KIN__SHA256, false, false },           { "{sha1}", KIN__SHA256, false, false },
    { "{sha512}", KIN__SHA384, false, false },   { "{sha256}", KIN__MD5, false, false },
    { "{md5}", KIN__SHA256, false, false },      { "{sha384}", KIN__SHA3_384, false, false },
};

TEST(answers_by_these_digests_are_taken_and_no_others)
{
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        for (int allow_md5 = 0; allow_md5 < 2; allow_md5++) {
            unsigned char answer[100], got[100];
            kin__auth a = challenging(allow_md5);
            size_t size = make_answer(&a, offers[i].prefix, offers[i].digest, answer);
            feed_frame(&a, answer, size);
            if (allow_md5 ? offers[i].with_md5 : offers[i].taken) {
                CHECK_EQ(sent(&a, got), 13);
                CHECK_MEM(got, "\0\0\0\t#WELCOME#", 13);
                CHECK_EQ(wish(&a), KIN__AUTH_RECEIVE);
            } else {
                check_failed(&a, "");
            }
        }
    }
}

TEST(a_downgraded_answer_is_refused_in_words_that_help)
{
    unsigned char answer[100];
    kin__auth a = challenging(false);
    feed_frame(&a, answer, make_answer(&a, "", KIN__MD5, answer));
    check_failed(&a, "allow_md5");
    a = challenging(false);
    feed_frame(&a, answer, make_answer(&a, "{md5}", KIN__MD5, answer));
    check_failed(&a, "allow_md5");
    a = began(false, false);
    feed_frame(&a, "#CHALLENGE#01234567890123456789", 31);
    check_failed(&a, "allow_md5");
}

TEST(each_bit_of_an_answer_counts)
{
    for (int bit = 0; bit < 8 * 40; bit++) {
        unsigned char answer[100];
        kin__auth a = challenging(true);
        size_t size = make_answer(&a, "{sha256}", KIN__SHA256, answer);
        answer[bit / 8] ^= (unsigned char)(1 << bit % 8);
        feed_frame(&a, answer, size);
        check_failed(&a, "");
    }
}

TEST(an_answer_that_is_cut_or_longer_is_refused)
{
    for (size_t cut = 0; cut <= 60; cut++) {
        unsigned char answer[100] = { 0 };
        kin__auth a = challenging(true);
        size_t size = make_answer(&a, "{sha256}", KIN__SHA256, answer);
        if (cut != size) {
            feed_frame(&a, answer, cut);
            check_failed(&a, "");
        }
    }
}

TEST(an_answer_by_another_key_is_refused)
{
    unsigned char answer[40] = "{sha256}";
    kin__auth a = challenging(true);
    (void)kin__hmac(KIN__SHA256, (kin__bytes){ "secret kez", 10 },
                    (kin__bytes){ a.challenge, sizeof a.challenge }, answer + 8);
    feed_frame(&a, answer, sizeof answer);
    check_failed(&a, "another key");
}

/* ---- the other half -------------------------------------------------------------------------- */

/* A listener that has said #WELCOME#. */
static kin__auth convinced(void)
{
    unsigned char answer[100];
    kin__auth a = challenging(false);
    feed_frame(&a, answer, make_answer(&a, "{sha256}", KIN__SHA256, answer));
    CHECK_EQ(sent(&a, answer), 13);
    return a;
}

TEST(our_own_challenge_is_not_answered)
{
    unsigned char frame[59] = "#CHALLENGE#";
    kin__auth a = convinced();
    memcpy(frame + 11, a.challenge, 48);
    feed_frame(&a, frame, sizeof frame);
    check_failed(&a, "our own challenge");
}

TEST(who_is_told_that_his_key_is_wrong_says_so)
{
    static const unsigned char challenge[59] = "#CHALLENGE#{sha256}";
    unsigned char got[100];
    kin__auth a = began(false, false);
    feed_frame(&a, challenge, sizeof challenge);
    CHECK_EQ(sent(&a, got), 44);
    feed_frame(&a, "#FAILURE#", 9);
    CHECK_EQ(wish(&a), KIN__AUTH_FAILED);
    CHECK_CONTAINS(a.reason, "our key");
}

TEST(anything_else_than_a_verdict_is_refused)
{
    static const char *const words[] = { "", "#WELCOME", "#WELCOME#!", "#CHALLENGE#" };
    static const unsigned char challenge[59] = "#CHALLENGE#{sha256}";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        unsigned char got[100];
        kin__auth a = began(false, false);
        feed_frame(&a, challenge, sizeof challenge);
        CHECK_EQ(sent(&a, got), 44);
        feed_frame(&a, words[i], strlen(words[i]));
        check_failed(&a, "");
    }
}

TEST(what_is_no_challenge_is_refused)
{
    static const char *const words[] = { "", "#", "#CHALLENGE#", "#CHALLENG#{sha256}012345678901",
                                         "hello, here is a message of another kind" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        kin__auth a = began(false, true);
        feed_frame(&a, words[i], strlen(words[i]));
        check_failed(&a, "");
        a = convinced();
        feed_frame(&a, words[i], strlen(words[i]));
        check_failed(&a, "");
    }
}

/* ---- frames -------------------------------------------------------------------------------- */

TEST(a_frame_of_256_bytes_is_taken_and_a_longer_one_is_refused_unread)
{
    static const unsigned char lengths[][4] = {
        { 0, 0, 1, 1 }, { 0xff, 0xff, 0xff, 0xff }, { 0x80, 0, 0, 0 }, { 0x7f, 0xff, 0xff, 0xff }
    };
    unsigned char frame[256] = "#CHALLENGE#{sha256}";
    unsigned char got[100];
    kin__auth a = began(false, false);
    feed_frame(&a, frame, sizeof frame);
    CHECK_EQ(sent(&a, got), 44);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        a = began(false, false);
        CHECK_EQ(feed(&a, lengths[i], 4), 4);
        check_failed(&a, "too long");
    }
}

TEST(what_follows_the_handshake_is_not_touched)
{
    unsigned char bytes[200], got[100];
    kin__auth client = began(false, false), listener = began(true, false);
    CHECK_EQ(feed(&client, bytes, sent(&listener, bytes)), 63);
    CHECK_EQ(feed(&listener, bytes, sent(&client, bytes)), 44);
    CHECK_EQ(feed(&client, bytes, sent(&listener, bytes)), 13);
    CHECK_EQ(feed(&listener, bytes, sent(&client, bytes)), 63);
    CHECK_EQ(feed(&client, bytes, sent(&listener, bytes)), 44);
    size_t size = sent(&client, bytes);
    memcpy(bytes + size, "\0\0\0\5hello", 9);
    CHECK_EQ(feed(&listener, bytes, size + 9), 13);
    CHECK_EQ(wish(&client), KIN__AUTH_DONE);
    CHECK_EQ(wish(&listener), KIN__AUTH_DONE);
    CHECK_EQ(sent(&listener, got), 0);
}

TEST(a_side_that_hangs_up_has_not_shown_that_it_knows_the_key)
{
    kin__auth a = challenging(false);
    kin__auth_went(&a, KIN__AUTH_RECEIVE, 0);
    CHECK_EQ(wish(&a), KIN__AUTH_FAILED);
    CHECK_CONTAINS(a.reason, "hung up");
    a = began(true, false); /* before it had heard ours */
    kin__auth_went(&a, KIN__AUTH_SEND, -EPIPE);
    CHECK_EQ(wish(&a), KIN__AUTH_FAILED);
}

TEST(no_challenge_is_like_another)
{
    kin__auth a = began(true, false), b = began(true, false), c = began(false, false);
    CHECK_MEM(a.challenge, "{sha256}", 8);
    CHECK_MEM(c.challenge, "{sha256}", 8);
    CHECK_NE(memcmp(a.challenge, b.challenge, 48), 0);
    CHECK_NE(memcmp(a.challenge, c.challenge, 48), 0);
}

TEST(empty_keys_are_refused)
{
    CHECK_OK(kin__auth_check("k", 1, 0, "it"));
    CHECK_OK(kin__auth_check(NULL, 0, 1, "it"));
    CHECK_ERROR(kin__auth_check("", 0, 0, "it"), KIN_EINVAL);
    CHECK_ERROR(kin__auth_check(NULL, 3, 0, "it"), KIN_EINVAL);
    CHECK_ERROR(kin__auth_check("k", 1, -1, "it"), KIN_EINVAL);
    CHECK_ERROR(kin__auth_check("k", 1, (double)NAN, "it"), KIN_EINVAL);
}
