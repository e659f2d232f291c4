/* In Python up to 3.11 who wants to come in shows HMAC-MD5, which is weak, and not to be had where
 * only approved digests are (CPython gh-61460); and the fork server listened at a name where every
 * user of the machine could have code run (CVE-2022-42919). Here MD5 is refused unless that was
 * asked for, however right the key is, and the fork server listens nowhere. */
#include "scene.h"

#include "os/room.h"
#include <dirent.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#define KEY "our key"

/* A message as Python frames it: how long it is. */
static size_t read_frame(int fd, char frame[128])
{
    unsigned char head[4];
    CHECK_EQ(recv(fd, head, 4, MSG_WAITALL), 4);
    CHECK_LE(head[3], 128);
    CHECK_EQ(recv(fd, frame, head[3], MSG_WAITALL), head[3]);
    return head[3];
}

static void write_frame(int fd, const void *bytes, unsigned char size)
{
    CHECK_EQ(write(fd, (const unsigned char[4]){ 0, 0, 0, size }, 4), 4);
    CHECK_EQ(write(fd, bytes, size), size);
}

enum { REFUSED = 20, WELCOME };

/* What Python 3.11's answer_challenge does. */
static kin_obj come_with_md5(kin_obj args)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char frame[128];
    unsigned char answer[KIN__HMAC_MOST];
    const size_t prefix = strlen("#CHALLENGE#");
    strcpy(address.sun_path, kin_arg_str(args, 0));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    size_t size = read_frame(fd, frame);
    kin__bytes asked = { frame + prefix, size - prefix };
    CHECK_EQ(kin__os_hmac("MD5", (kin__bytes){ KEY, strlen(KEY) }, asked, answer), 16);
    write_frame(fd, answer, 16);
    size = read_frame(fd, frame);
    close(fd);
    bool is_welcome = size == strlen("#WELCOME#") && memcmp(frame, "#WELCOME#", size) == 0;
    return kin_int(is_welcome ? WELCOME : REFUSED);
}

static int come_in(bool allow_md5)
{
    kin_listener *listener = NULL;
    kin_conn *conn = NULL;
    kin_process *child = NULL;
    CHECK_OK(kin_listener_new(&listener, NULL,
                              KIN_OPT(kin_listener_options, .authkey = KEY,
                                      .authkey_size = strlen(KEY), .allow_md5 = allow_md5)));
    CHECK_OK(
        kin_start(&child, come_with_md5, kin_args(kin_str(kin_listener_address(listener))), NULL));
    CHECK_ERROR(kin_listener_accept(listener, &conn, KIN_FOREVER), KIN_EAUTH);
    CHECK_CONTAINS(kin_errmsg(), allow_md5 ? "hung up" : "allow_md5");
    CHECK_OK(kin_process_join(child, KIN_FOREVER));
    int code = kin_process_exitcode(child);
    kin_process_free(child);
    kin_listener_free(listener);
    return code;
}

TEST(who_knows_the_key_and_only_md5_comes_in_where_that_is_allowed_and_nowhere_else)
{
    const kin__bytes any = { KEY, strlen(KEY) };
    if (kin__os_hmac("MD5", any, any, (unsigned char[KIN__HMAC_MOST]){ 0 }) < 0) {
        SKIP("libcrypto does no MD5 here");
    }
    CHECK_EQ(come_in(true), WELCOME);
    CHECK_EQ(come_in(false), REFUSED);
}

/* ---- the fork server ------------------------------------------------------------------------- */

/* /proc/net/unix: Num RefCount Protocol Flags Type St Inode Path */
static bool is_listening(unsigned long socket)
{
    char line[512];
    bool found = false;
    FILE *file = fopen("/proc/net/unix", "re");
    CHECK_NOT_NULL(file);
    while (!found && fgets(line, sizeof line, file) != NULL) {
        unsigned long flags, inode;
        found = sscanf(line, "%*s %*x %*x %lx %*x %*x %lu", &flags, &inode) == 2 &&
                inode == socket && flags & 0x10000;
    }
    fclose(file);
    return found;
}

/* How many of its sockets somebody could connect to. */
static int doors(pid_t pid)
{
    char path[64];
    int n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *fds = opendir(path);
    CHECK_NOT_NULL(fds);
    for (struct dirent *entry; (entry = readdir(fds)) != NULL;) {
        char target[64] = "";
        unsigned long inode;
        (void)readlinkat(dirfd(fds), entry->d_name, target, sizeof target - 1);
        n += sscanf(target, "socket:[%lu]", &inode) == 1 && is_listening(inode);
    }
    closedir(fds);
    return n;
}

static kin_obj tell_parent(kin_obj args)
{
    _Atomic pid_t *server = kin_arg_shared(args, 0);
    *server = getppid();
    return kin_none();
}

TEST(the_fork_server_has_no_door)
{
    kin_listener *listener = NULL;
    _Atomic pid_t *server = kin_alloc(sizeof *server);
    CHECK_OK(kin_start(NULL, tell_parent, kin_args(kin_shared(server)),
                       KIN_OPT(kin_process_options, .start_method = "forkserver")));
    CHECK_OK(kin_join_children(KIN_FOREVER));
    CHECK_GT(*server, 1);
    CHECK_EQ(doors(*server), 0);
    CHECK_OK(kin_listener_new(&listener, NULL, NULL)); /* one would be seen */
    CHECK_EQ(doors(getpid()), 1);
    kin_listener_free(listener);
    kin_free(server);
}
