/* python.h - lines for Debian's Python to judge. */
#ifndef KIN_TEST_PYTHON_H
#define KIN_TEST_PYTHON_H

#include "harness.h"
#include <kin/obj.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"

/* Starts a Python that calls `wrong(line)`, which the script defines, for each line that is written
 * to it; what that returns, unless None, is printed and fails the test. */
static inline FILE *python(const char *script)
{
    static const char frame[] =
        "%s\n"
        "import sys\n"
        "sys.set_int_max_str_digits(0)\n"
        "bad = [x for x in map(wrong, sys.stdin.read().splitlines()) if x]\n"
        "print(*bad[:10], sep=chr(10), end=chr(10) if bad else '')\n"
        "sys.exit(bool(bad))\n";
    char *text;
    CHECK(asprintf(&text, frame, script) > 0);
    setenv("KIN_TEST_SCRIPT", text, 1);
    free(text);
    setenv("PYTHONIOENCODING", "utf-8:surrogatepass", 1);
    /* -c would be quoted by the shell; so it runs what the environment holds. */
    FILE *pipe = popen(PYTHON " -c 'import os; exec(os.environ[\"KIN_TEST_SCRIPT\"])'", "w");
    CHECK_NOT_NULL(pipe);
    return pipe;
}

static inline bool has_python(void)
{
    return access(PYTHON, X_OK) == 0;
}

static inline void python_agrees(FILE *pipe)
{
    CHECK_EQ(pclose(pipe), 0);
}

/* A line's repr of an object; kin_release is the caller's. */
static inline void write_repr(FILE *pipe, kin_obj o, const char *end)
{
    char *text = kin_repr(o);
    CHECK_NOT_NULL(text);
    fprintf(pipe, "%s%s", text, end);
    free(text);
}

static inline double random_double(void)
{
    uint64_t bits = test_random();
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* An int of 0 to 40 bytes, short ones more often. */
static inline kin_obj random_int(void)
{
    uint8_t bytes[40];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)test_random();
    }
    size_t size = (size_t)(test_random() % (test_random() % 4 ? 10 : sizeof bytes));
    return kin_bigint(bytes, size, test_random() % 2);
}

#endif
