/* In Python what goes wrong in set_forkserver_preload is swallowed, so a preload that never worked
 * went unnoticed for nine years and every child was slow (CPython gh-98552, gh-141860). Here its
 * error is shown; and a preload that kills the server is an error of whoever starts a child, not a
 * hang. */
#include "contract/start.h"
#include "scene.h"

#include <sys/mman.h>

static int loaded; /* by the preload, so it is there in all children of the server */

static kin_obj load(kin_obj args)
{
    (void)args;
    loaded++;
    return kin_none();
}

static kin_obj load_half(kin_obj args)
{
    kin_release(load(args));
    return kin_error(KIN_EUSER, "the table of words is not there");
}

static kin_obj leave(kin_obj args)
{
    (void)args;
    _exit(3);
}

static kin_obj what_is_loaded(kin_obj args)
{
    (void)args;
    return kin_int(loaded);
}

TEST(a_preload_is_there_in_all_children)
{
    CHECK_OK(kin_set_forkserver_preload(load));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(run_by("forkserver", what_is_loaded, kin_args()), 1);
    }
    CHECK_EQ(run_by("spawn", what_is_loaded, kin_args()), 0);
}

/* What children and server have written to stderr meanwhile. */
static int start_and_listen(kin_fn preload, kin_process **ret_child, char *text, size_t size)
{
    int said = memfd_create("said", MFD_CLOEXEC);
    int saved = dup(STDERR_FILENO);
    dup2(said, STDERR_FILENO);
    int rv = kin_set_forkserver_preload(preload);
    rv = rv < 0 ? rv
                : kin_start(ret_child, what_is_loaded, kin_args(),
                            KIN_OPT(kin_process_options, .start_method = "forkserver"));
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = pread(said, text, size - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(said);
    return rv;
}

TEST(the_error_of_a_preload_is_shown_and_children_run)
{
    char text[500];
    kin_process *child = NULL;
    CHECK_OK(start_and_listen(load_half, &child, text, sizeof text));
    CHECK_CONTAINS(text, "the table of words is not there");
    CHECK_EQ(end(child), 1);
}

TEST(a_preload_that_ends_the_server_is_an_error_of_the_start)
{
    char text[500];
    kin_process *child = NULL;
    CHECK_LT(start_and_listen(leave, &child, text, sizeof text), 0);
    CHECK_CONTAINS(kin_errmsg(), "server");
    CHECK_NULL(child);
    CHECK_EQ(run_by("spawn", what_is_loaded, kin_args()), 0);
}
