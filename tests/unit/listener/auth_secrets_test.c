/* What a handshake must not give away, counted and not timed: how many instructions it takes to
 * refuse an answer, and which bytes of a challenge are ever the same. */
#include "harness.h"
#include "listener/room.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(what) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ ||                                 \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED true
#else
#define WATCHED false
#endif

static const kin__bytes key = { "secret key", 10 };

static void take(kin__auth *a, const void *bytes, size_t size)
{
    void *at;
    size_t room;
    CHECK_EQ(kin__auth_next(a, &at, &room), KIN__AUTH_RECEIVE);
    CHECK_LE(size, room);
    memcpy(at, bytes, size);
    kin__auth_went(a, KIN__AUTH_RECEIVE, (ssize_t)size);
}

/* A listener that has asked, and has heard how long the answer will be. */
static kin__auth asked(unsigned char answer_size)
{
    kin__auth a;
    void *at;
    size_t size;
    CHECK_EQ(kin__auth_begin(&a, true, key, false), 0);
    CHECK_EQ(kin__auth_next(&a, &at, &size), KIN__AUTH_SEND);
    kin__auth_went(&a, KIN__AUTH_SEND, (ssize_t)size);
    memset(a.challenge + 8, 'c', sizeof a.challenge - 8);
    take(&a, (const unsigned char[]){ 0, 0, 0, answer_size }, 4);
    return a;
}

/* ---- an answer that is wrong --------------------------------------------------------------- */

static size_t right_answer(const char *name, kin__digest digest, unsigned char *ret)
{
    kin__auth a = asked(1);
    size_t prefix = strlen(name);
    memcpy(ret, name, prefix);
    CHECK_EQ(kin__hmac(digest, key, (kin__bytes){ a.challenge, sizeof a.challenge }, ret + prefix),
             0);
    return prefix + kin__digest_size(digest);
}

static bool is_refused(const unsigned char *answer, size_t size)
{
    kin__auth a = asked((unsigned char)size);
    take(&a, answer, size);
    return a.reason != NULL;
}

static void judge_under_watch(const unsigned char *answer, size_t size)
{
    kin__auth a = asked((unsigned char)size);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) {
        _exit(1);
    }
    raise(SIGSTOP);
    take(&a, answer, size);
    raise(SIGSTOP);
    _exit(a.reason != NULL ? 0 : 2);
}

/* How many instructions it takes to judge this answer; 0 where nobody may count them. */
static long steps_for(const unsigned char *answer, size_t size)
{
    int status;
    long steps = 0;
    pid_t pid = fork();
    if (pid == 0) {
        judge_under_watch(answer, size);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status)) {
        return 0;
    }
    do {
        CHECK_EQ(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        steps++;
    } while (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 0);
    return steps;
}

/* Of 48 bytes, which no comparison of whole words or vectors has at once. */
TEST_WITHIN(300, how_long_a_refusal_takes_does_not_tell_where_an_answer_is_wrong)
{
    if (WATCHED) {
        SKIP("a sanitizer has instructions of its own");
    }
    unsigned char right[100];
    size_t size = right_answer("{sha384}", KIN__SHA384, right);
    const size_t places[] = { 8, 20, 40, size - 1 };
    long first = 0;
    CHECK(!is_refused(right, size)); /* and so libcrypto has been loaded; from here on the children
                                        are alike */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        unsigned char wrong[100];
        memcpy(wrong, right, sizeof wrong);
        wrong[places[i]] ^= 1;
        long steps = steps_for(wrong, size);
        if (steps == 0) {
            SKIP("one may not trace one's children here");
        }
        first = i == 0 ? steps : first;
        CHECK_EQ(steps, first);
    }
}

/* ---- challenges ----------------------------------------------------------------------------- */

TEST(each_byte_of_a_challenge_is_random)
{
    kin__auth first, a;
    bool differs[KIN__AUTH_CHALLENGE] = { false };
    CHECK_EQ(kin__auth_begin(&first, true, key, false), 0);
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(kin__auth_begin(&a, true, key, false), 0);
        for (size_t at = 0; at < sizeof a.challenge; at++) {
            differs[at] = differs[at] || a.challenge[at] != first.challenge[at];
        }
    }
    for (size_t at = 0; at < sizeof a.challenge; at++) {
        CHECK_EQ(differs[at], at >= 8); /* behind {sha256} */
    }
}

/* ---- nobody listens to us ----------------------------------------------------------------- */

TEST(who_does_not_take_what_he_is_told_has_not_shown_that_he_knows_the_key)
{
    int ends[2];
    kin__auth a;
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    while (write(ends[0], "x", 1) == 1) {
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(kin__auth_begin(&a, true, key, false), 0);
    CHECK_EQ(kin__auth_drive(&a, ends[0]), KIN__AUTH_FAILED);
    CHECK_NOT_NULL(a.reason);
    close(ends[0]);
    close(ends[1]);
}
