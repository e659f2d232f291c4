#include "harness.h"
#include "pool/seen.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static kin__journal *new_journal(void)
{
    snprintf(path, sizeof path, "/tmp/kin-journal-test-%d", (int)getpid());
    unlink(path);
    return test_shared(sizeof(kin__journal));
}

static void add_line(kin__journal *journal, unsigned track, unsigned number)
{
    char *at = kin__journal_line(journal);
    int n = snprintf(at, KIN__JOURNAL_LINE, ",\n{\"tid\":%u,\"args\":{\"n\":%u}}", track, number);
    kin__journal_add(journal, (size_t)n);
}

/* The file, as a string. */
static const char *text_of_file(void)
{
    static char text[1 << 18];
    FILE *file = fopen(path, "r");
    size_t n = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

/* It is whole JSON, with the lines 0 ... n - 1 of a track, each once and in their order. */
static void check_file(unsigned track, unsigned n)
{
    const char *at = text_of_file();
    char line[64];
    size_t length = strlen(at);
    CHECK_EQ(strncmp(at, "[\n{\"ph\":\"M\",", 12), 0);
    CHECK_GE(length, 5);
    CHECK_STR(at + length - 5, "}}\n]\n");
    for (unsigned i = 0; i < n; i++) {
        snprintf(line, sizeof line, "}},\n{\"tid\":%u,\"args\":{\"n\":%u}}", track, i);
        at = strstr(at, line);
        CHECK_NOT_NULL(at);
        snprintf(line, sizeof line, "\"tid\":%u,\"args\":{\"n\":%u}}", track, i);
        CHECK_NULL(strstr(at + 20, line));
    }
    snprintf(line, sizeof line, "\"tid\":%u,\"args\":{\"n\":%u}}", track, n);
    CHECK_NULL(strstr(at, line));
}

TEST(lines_of_several_journals_make_one_whole_file)
{
    kin__journal *one = new_journal();
    kin__journal *two = test_shared(sizeof *two);
    CHECK_EQ(kin__journal_write(one, path, 0), 0); /* nothing: no file is made */
    CHECK_NE(access(path, F_OK), 0);
    for (unsigned i = 0; i < 5; i++) {
        add_line(one, 1, 2 * i);
        add_line(one, 1, 2 * i + 1);
        add_line(two, 2, i);
        CHECK_EQ(kin__journal_write(one, path, 0), 0);
        check_file(1, 2 * i + 2);
        CHECK_EQ(kin__journal_write(two, path, 0), 0);
        check_file(2, i + 1);
    }
    unlink(path);
}

TEST(a_file_that_is_none_of_these_is_left_alone)
{
    kin__journal *journal = new_journal();
    FILE *file = fopen(path, "w");
    fputs("Dear diary, do not touch me }}\n]\n", file);
    fclose(file);
    add_line(journal, 1, 0);
    CHECK_EQ(kin__journal_write(journal, path, 0), -EINVAL);
    CHECK_STR(text_of_file(), "Dear diary, do not touch me }}\n]\n");
    unlink(path);
    CHECK_EQ(kin__journal_write(journal, path, 0), 0); /* nor is the line lost */
    check_file(1, 1);
    unlink(path);
}

/* The file is cut at every length, as by a writer who was killed; who comes next mends it, and
 * finishes what the dead one had begun. */
TEST(wherever_a_write_was_cut_off_each_line_gets_there_once)
{
    kin__journal *journal = new_journal();
    kin__journal *before = test_shared(sizeof *before);
    add_line(journal, 1, 0);
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    size_t old = strlen(text_of_file()) - 3;
    add_line(journal, 1, 1);
    add_line(journal, 1, 2);
    *before = *journal;
    before->at = old;
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    char *whole = strdup(text_of_file());
    for (size_t length = old; length <= strlen(whole); length++) {
        FILE *file = fopen(path, "w");
        fwrite(whole, 1, length, file);
        fclose(file);
        *journal = *before;
        CHECK_EQ(kin__journal_write(journal, path, 0), 0);
        check_file(1, 3);
    }
    free(whole);
    unlink(path);
}

/* The same with another's lines between. */
TEST(what_others_wrote_after_a_death_stays)
{
    kin__journal *journal = new_journal();
    kin__journal *before = test_shared(sizeof *before);
    kin__journal *other = test_shared(sizeof *other);
    add_line(journal, 1, 0);
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    size_t old = strlen(text_of_file()) - 3;
    add_line(journal, 1, 1);
    add_line(journal, 1, 2);
    *before = *journal;
    before->at = old;
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    char *whole = strdup(text_of_file());
    for (size_t length = old; length <= strlen(whole); length++) {
        FILE *file = fopen(path, "w");
        fwrite(whole, 1, length, file);
        fclose(file);
        *journal = *before;
        add_line(other, 2, 0);
        CHECK_EQ(kin__journal_write(other, path, 0), 0);
        CHECK_EQ(kin__journal_write(journal, path, 0), 0);
        check_file(2, 1);
        char last[64];
        snprintf(last, sizeof last, "{\"tid\":1,\"args\":{\"n\":2}}");
        CHECK_CONTAINS(text_of_file(), last);
        CHECK_NULL(strstr(strstr(text_of_file(), last) + 1, last));
        check_file(1, 3);
    }
    free(whole);
    unlink(path);
}

static void empty(void *ctx)
{
    memset(ctx, 0, sizeof(kin__journal));
    unlink(path);
}

static void write_twice(void *ctx)
{
    for (unsigned i = 0; i < 6; i++) {
        add_line(ctx, 1, i);
        if (i % 3 == 2) {
            (void)kin__journal_write(ctx, path, 0);
        }
    }
}

/* How many the dead one had added is in the journal's own words: the next one goes on there. */
static void go_on(void *ctx, const char *step)
{
    (void)step;
    CHECK_EQ(kin__journal_write(ctx, path, 0), 0);
    unsigned n = 0;
    char line[64];
    do {
        snprintf(line, sizeof line, "{\"tid\":1,\"args\":{\"n\":%u}}", n++);
    } while (strstr(text_of_file(), line) != NULL);
    n--;
    if (n > 0) { /* else it was killed before the first line */
        check_file(1, n);
    }
    add_line(ctx, 1, n);
    CHECK_EQ(kin__journal_write(ctx, path, 0), 0);
    check_file(1, n + 1);
}

TEST(a_writer_may_be_killed_anywhere)
{
    kin__journal *journal = new_journal();
    int kills =
        kill_loop("journal.", journal, .setup = empty, .victim = write_twice, .check = go_on);
    CHECK_EQ(kills, 12);
    unlink(path);
}

TEST(a_write_that_fails_leaves_the_file_whole_and_the_lines_here)
{
    kin__journal *journal = new_journal();
    add_line(journal, 1, 0);
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    add_line(journal, 1, 1);
    struct rlimit limit = { .rlim_cur = strlen(text_of_file()) + 10, .rlim_max = RLIM_INFINITY };
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int rv = kin__journal_write(journal, path, 0);
    limit.rlim_cur = RLIM_INFINITY; /* the framework writes files, too */
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_EQ(rv, -EFBIG);
    check_file(1, 1);
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    check_file(1, 2);
    unlink(path);
}

TEST(a_file_that_nobody_can_write_costs_lines_and_says_how_many)
{
    kin__journal *journal = new_journal();
    unsigned added = 0;
    while (journal->dropped == 0) {
        add_line(journal, 1, added++);
        if (kin__journal_is_due(journal)) {
            kin__journal_relieve(journal, "/nowhere/at/all");
        }
    }
    CHECK_EQ(journal->dropped, added);
    add_line(journal, 1, 0);
    CHECK_EQ(kin__journal_write(journal, path, 0), 0);
    check_file(1, 1);
    unlink(path);
}
