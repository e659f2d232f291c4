#include "harness.h"

#include "base/room.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* What a handler was given, one after the other. */
struct book {
    int lines;
    int level;
    char text[2048];
};

static void write_down(int level, const char *text, void *ctx)
{
    struct book *book = ctx;
    book->lines++;
    book->level = level;
    snprintf(book->text, sizeof book->text, "%s", text);
}

/* What body() writes to stderr. */
static const char *complaints_of(void (*body)(void))
{
    static char text[4096];
    int ends[2];
    int saved = dup(STDERR_FILENO);
    CHECK_EQ(kin__os_pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    body();
    dup2(saved, STDERR_FILENO);
    kin__os_close(saved);
    kin__os_close(ends[1]);
    ssize_t length = read(ends[0], text, sizeof text - 1);
    kin__os_close(ends[0]);
    text[length > 0 ? length : 0] = '\0';
    return text;
}

/* ---- levels --------------------------------------------------------------------------- */

TEST(what_is_below_the_level_is_dropped)
{
    struct book book = { 0 };
    kin_log_set_handler(write_down, &book);
    kin_log(KIN_LOG_INFO, "no");
    kin_log(KIN_LOG_SUBWARNING, "no");
    CHECK_EQ(book.lines, 0);
    kin_log(KIN_LOG_WARNING, "yes");
    kin_log(KIN_LOG_ERROR, "yes");
    CHECK_EQ(book.lines, 2);
    kin_log_set_handler(NULL, NULL);
}

TEST(the_level_can_be_changed_and_says_what_it_was)
{
    struct book book = { 0 };
    kin_log_set_handler(write_down, &book);
    CHECK_EQ(kin_log_set_level(KIN_LOG_SUBDEBUG), KIN_LOG_WARNING);
    kin_log(KIN_LOG_SUBDEBUG, "yes");
    CHECK_EQ(book.lines, 1);
    CHECK_EQ(kin_log_set_level(KIN_LOG_WARNING), KIN_LOG_SUBDEBUG);
    kin_log_set_handler(NULL, NULL);
}

TEST(off_lets_nothing_through)
{
    struct book book = { 0 };
    kin_log_set_handler(write_down, &book);
    kin_log_set_level(KIN_LOG_OFF);
    kin_log(KIN_LOG_ERROR, "no");
    kin_log(1000, "no");
    CHECK_EQ(book.lines, 0);
    kin_log_set_level(KIN_LOG_WARNING);
    kin_log_set_handler(NULL, NULL);
}

/* ---- stderr --------------------------------------------------------------------------- */

static void log_some(void)
{
    kin_log(KIN_LOG_WARNING, "%d of %s", 3, "four");
    kin_log(KIN_LOG_ERROR, "bad");
    kin_log(33, "between");
    kin_log(KIN_LOG_INFO, "no");
}

TEST(lines_go_to_stderr_with_level_and_pid)
{
    char wanted[256];
    int pid = (int)getpid();
    snprintf(wanted, sizeof wanted, "[WARNING/%d] 3 of four\n[ERROR/%d] bad\n[33/%d] between\n",
             pid, pid, pid);
    CHECK_STR(complaints_of(log_some), wanted);
}

static void log_every_level(void)
{
    kin_log(KIN_LOG_SUBDEBUG, "a");
    kin_log(KIN_LOG_DEBUG, "b");
    kin_log(KIN_LOG_INFO, "c");
    kin_log(KIN_LOG_SUBWARNING, "d");
}

TEST(every_level_has_a_name)
{
    kin_log_set_level(0);
    const char *text = complaints_of(log_every_level);
    kin_log_set_level(KIN_LOG_WARNING);
    CHECK_CONTAINS(text, "[SUBDEBUG/");
    CHECK_CONTAINS(text, "[DEBUG/");
    CHECK_CONTAINS(text, "[INFO/");
    CHECK_CONTAINS(text, "[SUBWARNING/");
}

static void log_long_line(void)
{
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    kin_log(KIN_LOG_ERROR, "%s", text);
}

TEST(a_long_line_is_cut_and_ends_with_a_newline)
{
    const char *text = complaints_of(log_long_line);
    size_t length = strlen(text);
    CHECK_LT(length, 1100);
    CHECK_GT(length, 1000);
    CHECK_STR(text + length - 2, "x\n");
}

static void log_nothing(void)
{
    void (*log)(int level, const char *format, ...) = kin_log; /* compilers refuse it directly */
    log(KIN_LOG_ERROR, NULL);
}

TEST(no_format_is_no_line)
{
    CHECK_STR(complaints_of(log_nothing), "");
}

/* ---- handlers ------------------------------------------------------------------------- */

TEST(a_handler_gets_level_text_and_its_ctx)
{
    struct book book = { 0 };
    kin_log_set_handler(write_down, &book);
    errno = EXDEV;
    kin_log(KIN_LOG_ERROR, "%d of %s", 3, "four");
    CHECK_EQ(errno, EXDEV);
    CHECK_EQ(book.lines, 1);
    CHECK_EQ(book.level, KIN_LOG_ERROR);
    CHECK_STR(book.text, "3 of four");
    kin_log_set_handler(NULL, NULL);
    CHECK_CONTAINS(complaints_of(log_some), "bad");
    CHECK_EQ(book.lines, 1);
}

static void log_again(int level, const char *text, void *ctx)
{
    ++*(int *)ctx;
    kin_log(level, "again: %s", text);
}

static void log_once(void)
{
    kin_log(KIN_LOG_ERROR, "once");
}

TEST(a_handler_that_logs_does_not_call_itself)
{
    int calls = 0;
    kin_log_set_handler(log_again, &calls);
    CHECK_CONTAINS(complaints_of(log_once), "] again: once\n");
    CHECK_EQ(calls, 1);
    kin_log_set_handler(NULL, NULL);
}

static void set_another_handler(void)
{
    static struct book another;
    kin__fault_arm(KIN__FAULT_MEMORY, 1);
    kin_log_set_handler(write_down, &another);
}

TEST(without_memory_the_handler_before_stays)
{
    struct book book = { 0 };
    CHECK_CONTAINS(complaints_of(set_another_handler), "no memory");
    kin_log_set_handler(write_down, &book);
    set_another_handler();
    CHECK(kin__fault_fired());
    CHECK_EQ(book.lines, 1);
    CHECK_CONTAINS(book.text, "no memory");
    kin_log_set_handler(NULL, NULL);
}

/* ---- threads -------------------------------------------------------------------------- */

static _Atomic int mismatches;
static _Atomic int calls;
static int odd;
static int even;

static void expect_odd(int level, const char *text, void *ctx)
{
    (void)level;
    (void)text;
    calls++;
    mismatches += ctx != &odd;
}

static void expect_even(int level, const char *text, void *ctx)
{
    (void)level;
    (void)text;
    calls++;
    mismatches += ctx != &even;
}

static void *switch_handlers(void *stop)
{
    while (!*(atomic_bool *)stop) {
        kin_log_set_handler(expect_odd, &odd);
        kin_log_set_handler(expect_even, &even);
    }
    return NULL;
}

TEST(a_handler_never_gets_the_ctx_of_another)
{
    pthread_t thread;
    atomic_bool stop = false;
    kin_log_set_handler(expect_even, &even);
    pthread_create(&thread, NULL, switch_handlers, &stop);
    for (int i = 0; i < 20000; i++) {
        kin_log(KIN_LOG_ERROR, "x");
    }
    stop = true;
    pthread_join(thread, NULL);
    kin_log_set_handler(NULL, NULL);
    CHECK_EQ(calls, 20000);
    CHECK_EQ(mismatches, 0);
}
