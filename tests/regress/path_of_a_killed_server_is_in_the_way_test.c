/* In Python the socket's file of a server that was killed is in the way of the next one (OSError:
 * [Errno 98] Address already in use), and who unlinks it first may unlink that of a living one.
 * Paths are short, too: 107 bytes, or "AF_UNIX path too long" (CPython gh-132124, gh-149527). */
#include "scene.h"
#include <sys/stat.h>

static char folder[600];

static const char *path_in_a_deep_folder(void)
{
    static char path[700];
    snprintf(folder, sizeof folder, "/tmp/kin-test-XXXXXX");
    CHECK_NOT_NULL(mkdtemp(folder));
    memset(folder + strlen(folder), '/', 1);
    memset(folder + 21, 'd', 200);
    CHECK_EQ(mkdir(folder, 0700), 0);
    snprintf(path, sizeof path, "%s/socket", folder);
    return path;
}

static void remove_folders(void)
{
    CHECK_EQ(rmdir(folder), 0);
    folder[20] = '\0';
    CHECK_EQ(rmdir(folder), 0);
}

static kin_obj listen_and_die(kin_obj args)
{
    kin_listener *listener = NULL;
    KIN_TRY(kin_listener_new(&listener, kin_arg_str(args, 0), NULL));
    raise(SIGKILL);
    return kin_none();
}

static void check_echo(kin_listener *listener)
{
    kin_conn *client = NULL, *server = NULL;
    kin_obj message;
    CHECK_OK(kin_connect(&client, kin_listener_address(listener), NULL));
    CHECK_OK(kin_listener_accept(listener, &server, KIN_FOREVER));
    CHECK_OK(kin_conn_send(client, kin_int(7), KIN_FOREVER));
    CHECK_OK(kin_conn_recv(server, &message, KIN_FOREVER));
    CHECK_EQ(kin_as_int(message), 7);
    kin_conn_free(client);
    kin_conn_free(server);
}

TEST(the_next_server_takes_the_path_over_and_a_living_one_keeps_it)
{
    const char *path = path_in_a_deep_folder();
    kin_process *child = NULL;
    kin_listener *listener = NULL, *another = NULL;
    CHECK_OK(kin_start(&child, listen_and_die, kin_args(kin_str(path)), NULL));
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    CHECK_EQ(kin_process_exitcode(child), -SIGKILL);
    kin_process_free(child);
    CHECK_EQ(access(path, F_OK), 0);
    CHECK_OK(kin_listener_new(&listener, path, NULL));
    CHECK_ERROR(kin_listener_new(&another, path, NULL), KIN_EEXIST);
    check_echo(listener);
    kin_listener_free(listener);
    CHECK(access(path, F_OK) < 0);
    remove_folders();
}

TEST(a_listener_starts_wherever_temporary_files_would_be)
{
    char deep[300] = "/nowhere/";
    kin_listener *listener = NULL;
    memset(deep + 9, 'x', 250);
    CHECK_EQ(setenv("TMPDIR", deep, 1), 0);
    CHECK_OK(kin_listener_new(&listener, NULL, NULL));
    check_echo(listener);
    kin_listener_free(listener);
}
