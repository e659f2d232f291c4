/* manager_peers.h - Debian's python3 as the other side of a manager: as client, and as server. */
#ifndef KIN_TEST_MANAGER_PEERS_H
#define KIN_TEST_MANAGER_PEERS_H

#include "unit/manager/raw.h"

#include <kin/subprocess.h>

#define PYTHON "/usr/bin/python3"

UNUSED static bool has_python(void)
{
    return access(PYTHON, X_OK) == 0;
}

#define NEEDS_PYTHON                                                                               \
    do {                                                                                           \
        if (!has_python()) {                                                                       \
            SKIP("there is no " PYTHON);                                                           \
        }                                                                                          \
    } while (0)

/* A path, an abstract name, a port. */
enum { ADDRESSES = 3 };
UNUSED static const char *address_of_kind(size_t i)
{
    static const char *const kinds[ADDRESSES] = { "/tmp/kin-manager-peer-%d",
                                                  "@kin-manager-peer-%d", "127.0.0.1:0" };
    static char address[64];
    snprintf(address, sizeof address, kinds[i], (int)getpid());
    return address;
}

/* Python's spelling of an address. */
UNUSED static const char *python_address(const char *address)
{
    static char text[300];
    const char *colon = strrchr(address, ':');
    if (address[0] == '@') {
        snprintf(text, sizeof text, "'\\0%s'", address + 1);
    } else if (address[0] == '/') {
        snprintf(text, sizeof text, "'%s'", address);
    } else {
        snprintf(text, sizeof text, "('%.*s', %s)", (int)(colon - address), address, colon + 1);
    }
    return text;
}

/* A program of this folder, with the key in C's spelling. */
UNUSED static kin_popen *start_python(const char *program, const char *role, const char *address,
                                      const char *key)
{
    kin_popen *popen = NULL;
    char path[300], literal[100];
    snprintf(path, sizeof path, "%s/interop/%s", KIN_TESTS_AT, program);
    snprintf(literal, sizeof literal, "b'%s'", key);
    const char *const argv[] = { PYTHON, "-B", path, role, python_address(address), literal, NULL };
    CHECK_OK(kin_popen_new(
        &popen, argv,
        KIN_OPT(kin_run_options, .in = KIN_PIPE, .out = KIN_PIPE, .err = KIN_STDOUT)));
    return popen;
}

/* A line that it has printed. */
UNUSED static const char *line_of(kin_popen *popen)
{
    static char line[400];
    size_t n = 0;
    while (n + 1 < sizeof line && read(kin_popen_stdout(popen), line + n, 1) == 1 &&
           line[n] != '\n') {
        n++;
    }
    line[n] = '\0';
    return line;
}

/* All else that it prints until it ends. */
UNUSED static void ends_with(kin_popen *popen, const char *expected)
{
    kin_completed_process done = { 0 };
    CHECK_OK(kin_popen_communicate(popen, NULL, 0, KIN_FOREVER, &done));
    CHECK_STR(done.out, expected);
    kin_completed_process_done(&done);
    kin_popen_free(popen);
}

UNUSED static void kill_python(kin_popen *popen)
{
    CHECK_OK(kin_popen_kill(popen));
    ends_with(popen, "");
}

#endif
