#include "harness.h"

#include "base/room.h"
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

static const struct {
    int code;
    const char *name, *text;
} table[] = {
#define ROW(name, code, text) { name, #name, text },
    KIN_ERROR_MAP(ROW)
#undef ROW
};

enum { CODES = sizeof table / sizeof *table };

/* ---- the table ------------------------------------------------------------------------ */

TEST(every_code_has_its_name_and_text)
{
    for (int i = 0; i < CODES; i++) {
        CHECK_STR(kin_errname(table[i].code), table[i].name);
        CHECK_STR(kin_strerror(table[i].code), table[i].text);
    }
}

/* A pickle that is none, as well as a block of the family's memory. */
TEST(what_is_corrupt_may_lie_anywhere)
{
    CHECK_CONTAINS(kin_strerror(KIN_ECORRUPT), "corrupt");
    CHECK_NULL(strstr(kin_strerror(KIN_ECORRUPT), "memory"));
}

TEST(codes_differ_from_each_other_and_from_errnos)
{
    for (int i = 0; i < CODES; i++) {
        CHECK_LT(table[i].code, -4095);
        CHECK_GT(table[i].code, KIN_EUSER);
        for (int j = 0; j < i; j++) {
            CHECK_NE(table[i].code, table[j].code);
            CHECK_NE(strcmp(table[i].text, table[j].text), 0);
        }
    }
}

TEST(a_tasks_own_errors_have_names)
{
    CHECK_STR(kin_errname(KIN_EUSER), "KIN_EUSER");
    CHECK_STR(kin_errname(KIN_EUSER - 3), "KIN_EUSER-3");
    CHECK_STR(kin_errname(INT_MIN), "KIN_EUSER-2147473648");
    CHECK_STR(kin_strerror(KIN_EUSER), "a task's own error");
    CHECK_STR(kin_strerror(INT_MIN), "a task's own error");
}

TEST(any_number_has_a_text_and_a_name)
{
    CHECK_STR(kin_strerror(-1234), "unknown error -1234");
    CHECK_STR(kin_errname(-1234), "-1234");
    CHECK_STR(kin_strerror(0), "success");
    CHECK_STR(kin_strerror(INT_MAX), "success");
    CHECK_STR(kin_errname(0), "0");
    CHECK_STR(kin_errname(KIN_OWNER_DIED), "KIN_OWNER_DIED");
    CHECK_CONTAINS(kin_strerror(KIN_OWNER_DIED), "died");
}

/* ---- sentences ------------------------------------------------------------------------ */

TEST(fail_keeps_the_sentence_and_returns_the_code)
{
    CHECK_EQ(kin__fail(KIN_ECLOSED, "put: the queue \"%s\" is closed", "q"), KIN_ECLOSED);
    CHECK_STR(kin_errmsg(), "put: the queue \"q\" is closed");
    CHECK_EQ(kin__fail(KIN_EINVAL, "another"), KIN_EINVAL);
    CHECK_STR(kin_errmsg(), "another");
}

TEST(a_sentence_may_quote_the_one_before)
{
    kin__fail(KIN_EINVAL, "cause");
    kin__fail(KIN_EINVAL, "effect (%s)", kin_errmsg());
    CHECK_STR(kin_errmsg(), "effect (cause)");
}

TEST(errno_is_left_alone)
{
    errno = EXDEV;
    kin__fail(KIN_EINVAL, "no");
    kin__fail_os(-ENOENT, "no");
    CHECK_EQ(errno, EXDEV);
}

static void *fail_in_thread(void *ret_before)
{
    *(bool *)ret_before = kin_errmsg()[0] == '\0';
    kin__fail(KIN_EINVAL, "the thread's");
    return NULL;
}

TEST(each_thread_has_a_sentence_of_its_own)
{
    pthread_t thread;
    bool was_empty = false;
    kin__fail(KIN_EINVAL, "mine");
    pthread_create(&thread, NULL, fail_in_thread, &was_empty);
    pthread_join(thread, NULL);
    CHECK(was_empty);
    CHECK_STR(kin_errmsg(), "mine");
}

TEST(a_long_sentence_is_cut_between_characters)
{
    char text[1000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        text[shift] = '\0';
        while (strlen(text) < 900) {
            strcat(text, "\xf0\x9f\x91\xaa"); /* a family, of four bytes */
        }
        kin__fail(KIN_EINVAL, "%s", text);
        size_t length = strlen(kin_errmsg());
        CHECK_LE(length, 511);
        CHECK_GE(length, 508);
        CHECK_EQ((length - shift) % 4, 0);
        CHECK_EQ(strncmp(kin_errmsg(), text, length), 0);
    }
}

TEST(cut_takes_half_characters_off_and_nothing_else)
{
    static const struct {
        const char *whole;
        size_t length, wanted;
    } cases[] = {
        { "abc", 3, 3 },
        { "abc", 0, 0 },
        { "a\xc3\xa9", 3, 3 },
        { "a\xc3\xa9", 2, 1 },
        { "\xe2\x82\xac", 3, 3 },
        { "\xe2\x82\xac", 2, 0 },
        { "\xe2\x82\xac", 1, 0 },
        { "\xf0\x9f\x91\xaa", 4, 4 },
        { "\xf0\x9f\x91\xaa", 3, 0 },
        { "\xf0\x9f\x91\xaa", 1, 0 },
        { "\x80\x80\x80\x80\x80", 5, 5 }, /* not UTF-8 at all */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[8];
        strcpy(text, cases[i].whole);
        CHECK_EQ(kin__cut(text, cases[i].length), cases[i].wanted);
        CHECK_EQ(strlen(text), cases[i].wanted);
    }
}

TEST(system_errors_become_ours_with_the_kernels_text)
{
    static const int errors[][2] = {
        { ENOMEM, KIN_ENOMEM }, { ENOSPC, KIN_ENOMEM },       { EMFILE, KIN_EMFILE },
        { ENFILE, KIN_EMFILE }, { EAGAIN, KIN_EAGAIN },       { EINTR, KIN_EINTR },
        { EPERM, KIN_EACCES },  { ETIMEDOUT, KIN_ETIMEDOUT }, { EACCES, KIN_EACCES },
        { ENOENT, KIN_ENOENT }, { EEXIST, KIN_EEXIST },       { EINVAL, KIN_EOS },
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        char wanted[128];
        snprintf(wanted, sizeof wanted, "start: no child: %s", strerror(errors[i][0]));
        CHECK_ERROR(kin__fail_os(-errors[i][0], "start: no %s", "child"), errors[i][1]);
        CHECK_STR(kin_errmsg(), wanted);
    }
    CHECK_ERROR(kin__fail_os(-4000, "wait"), KIN_EOS);
    CHECK_STR(kin_errmsg(), "wait: unknown error 4000");
    CHECK_ERROR(kin__fail_os(ENOMEM, "also without the sign"), KIN_ENOMEM);
}

TEST(a_long_sentence_leaves_the_kernels_text_out)
{
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    CHECK_ERROR(kin__fail_os(-EPERM, "%s", text), KIN_EACCES);
    CHECK_EQ(strlen(kin_errmsg()), 511);
    CHECK_ERROR(kin__fail_os(-EPERM, "%.505s", text), KIN_EACCES);
    CHECK_EQ(strlen(kin_errmsg()), 511);
}
