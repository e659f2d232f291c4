/* programs.h - what the tests of subprocess/ share. */
#ifndef KIN_TESTS_PROGRAMS_H
#define KIN_TESTS_PROGRAMS_H

#include "harness.h"
#include <errno.h>
#include <kin/subprocess.h>
#include <signal.h>
#include <unistd.h>

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define OPTIONS(...) (&(const kin_run_options){ __VA_ARGS__ })

/* Under valgrind a program that cannot start is one that exits with 127. */
static inline bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload != NULL && strstr(preload, "vgpreload") != NULL;
}

/* What a line for the shell prints; its exit code has to be 0. */
static inline const char *output_with(const char *line, kin_run_options options)
{
    static char text[8192];
    kin_completed_process done = { 0 };
    options.shell = true;
    options.out = KIN_PIPE;
    CHECK_OK(kin_run(ARGV(line), &options, &done));
    CHECK_EQ(done.returncode, 0);
    CHECK_NOT_NULL(done.out);
    snprintf(text, sizeof text, "%s", done.out);
    kin_completed_process_done(&done);
    return text;
}

#define OUTPUT(line, ...) output_with(line, (kin_run_options){ .in = KIN_DEVNULL, __VA_ARGS__ })

/* The exit code of a line. */
static inline int run_line(const char *line)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_run(ARGV(line), OPTIONS(.shell = true), &done));
    return done.returncode;
}

static inline size_t read_all(int fd, char *text, size_t size)
{
    size_t length = 0;
    for (ssize_t n; (n = read(fd, text + length, size - 1 - length)) > 0;) {
        length += (size_t)n;
    }
    text[length] = '\0';
    return length;
}

/* Starts a shell with that line, and has read from its stdout what it says first. */
static inline kin_popen *start_line(const char *line, const char *says, kin_run_options options)
{
    kin_popen *popen = NULL;
    char text[64] = "";
    options.shell = true;
    options.out = KIN_PIPE;
    CHECK_OK(kin_popen_new(&popen, ARGV(line), &options));
    CHECK_EQ(read(kin_popen_stdout(popen), text, sizeof text - 1), strlen(says));
    CHECK_STR(text, says);
    return popen;
}

#endif
