/* In Python the fork server and every Listener have a socket with a path below TMPDIR, which must
 * not be longer than 107 bytes: in a deep directory nothing starts (CPython gh-132124, gh-149527).
 * Here the server's socket has no name, so neither the directory nor who may write there
 * matters. */
#include "contract/start.h"
#include "scene.h"

EACH_METHOD(children_start_wherever_temporary_files_would_be)
{
    char deep[300] = "/nowhere/";
    memset(deep + 9, 'x', 250);
    CHECK_EQ(setenv("TMPDIR", deep, 1), 0);
    CHECK_EQ(setenv("XDG_RUNTIME_DIR", deep, 1), 0);
    CHECK_EQ(run_by(method, square, kin_args(kin_int(5))), 25);
}
