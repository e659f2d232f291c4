#include "unit/listener/place.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/time.h>

static kin__net_address path_address(const char *path)
{
    kin__net_address at;
    int folder;
    CHECK_EQ(kin__os_net_path(path, &at, &folder), 0);
    CHECK_EQ(folder, -1);
    return at;
}

static const char *text_of(const kin__net_address *at)
{
    static char text[200];
    kin__os_net_text(at, text, sizeof text);
    return text;
}

/* ---- addresses ---------------------------------------------------------------------------- */

TEST(addresses_are_read_back_as_they_were_given)
{
    kin__net_address at = path_address("/some/path");
    CHECK_STR(text_of(&at), "/some/path");
    CHECK_EQ(kin__os_net_abstract("a name", &at), 0);
    CHECK_STR(text_of(&at), "@a name");
    const char *why = "";
    CHECK_EQ(kin__os_net_resolve("127.0.0.1", "80", &at, 1, &why), 1);
    CHECK(kin__os_net_is_ipv4(&at));
    CHECK_STR(text_of(&at), "127.0.0.1:80");
    CHECK_EQ(kin__os_net_resolve("::1", "81", &at, 1, &why), 1);
    CHECK(!kin__os_net_is_ipv4(&at));
    CHECK_STR(text_of(&at), "[::1]:81");
    at.size = 0;
    CHECK_STR(text_of(&at), "");
}

TEST(a_path_of_107_bytes_fits_and_a_longer_one_goes_through_its_folder)
{
    char path[200];
    memset(path, 'x', sizeof path);
    memcpy(path, "/tmp/", 5);
    path[107] = '\0';
    kin__net_address at = path_address(path);
    CHECK_STR(text_of(&at), path);
    memcpy(path, "/tmp/./././././././././././././././././././././././././././././././.", 69);
    memset(path + 68, '/', 50);
    memcpy(path + 118, "name", 5);
    int folder = -1;
    CHECK_EQ(kin__os_net_path(path, &at, &folder), 0);
    CHECK_GE(folder, 0);
    CHECK_CONTAINS(text_of(&at), "/name");
    CHECK_CONTAINS(text_of(&at), "/proc/self/fd/");
    close(folder);
    memset(path + 118, 'n', 81);
    path[199] = '\0';
    folder = 77;
    CHECK_EQ(kin__os_net_path(path, &at, &folder), 0);
    close(folder);
}

TEST(a_last_part_that_is_too_long_is_refused)
{
    char path[300] = "/tmp/";
    memset(path + 5, 'x', 200);
    kin__net_address at;
    int folder = 77;
    CHECK_EQ(kin__os_net_path(path, &at, &folder), -ENAMETOOLONG);
    CHECK_EQ(kin__os_net_abstract(path, &at), -ENAMETOOLONG);
    CHECK_EQ(folder, 77);
    memcpy(path, "/nowhere/", 9);
    CHECK_EQ(kin__os_net_path(path, &at, &folder), -ENOENT);
}

TEST(a_host_that_is_none_is_said_to_be_none)
{
    kin__net_address at;
    const char *why = NULL;
    CHECK_EQ(kin__os_net_resolve("1.2.3.4.5.6", "80", &at, 1, &why), 0);
    CHECK_NOT_NULL(why);
    CHECK(why[0] != '\0');
}

/* ---- sockets ------------------------------------------------------------------------------ */

/* One that listens on a port of 127.0.0.1. */
static int tcp_listener(int backlog, kin__net_address *ret)
{
    const char *why;
    CHECK_EQ(kin__os_net_resolve("127.0.0.1", "0", ret, 1, &why), 1);
    int fd = kin__os_net_socket(ret);
    CHECK_GE(fd, 0);
    CHECK_EQ(kin__os_net_bind(fd, ret), 0);
    CHECK_EQ(kin__os_net_listen(fd, backlog), 0);
    CHECK_EQ(kin__os_net_own_address(fd, ret), 0);
    return fd;
}

static int connected_to(const kin__net_address *at)
{
    int fd = kin__os_net_socket(at);
    CHECK_GE(fd, 0);
    CHECK_EQ(kin__os_net_connect(fd, at, KIN__NEVER), 0);
    return fd;
}

static int yes_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    CHECK_EQ(getsockopt(fd, level, option, &value, &size), 0);
    return value;
}

TEST(an_accepted_socket_is_close_on_exec_blocks_and_says_from_where)
{
    kin__net_address at, from, own;
    int listener = tcp_listener(8, &at);
    CHECK_EQ(kin__os_net_accept(listener, &from), -EAGAIN);
    int client = connected_to(&at);
    bool ready;
    CHECK_EQ(kin__os_poll(&listener, &ready, 1, KIN__NEVER), 1);
    int server = kin__os_net_accept(listener, &from);
    CHECK_GE(server, 0);
    CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(client, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(server, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(kin__os_net_own_address(client, &own), 0);
    char text[100];
    kin__os_net_text(&own, text, sizeof text);
    CHECK_STR(text_of(&from), text);
    CHECK_EQ(yes_of(listener, SOL_SOCKET, SO_REUSEADDR), 1);
    struct timeval limit = { .tv_sec = 1 };
    socklen_t size = sizeof limit;
    CHECK_EQ(getsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, &size), 0);
    CHECK_EQ(limit.tv_sec, 0); /* that of the connect was taken back */
    CHECK_EQ(limit.tv_usec, 0);
    close(server);
    close(client);
    close(listener);
}

TEST(nobody_at_a_port_is_told_from_no_answer)
{
    kin__net_address at;
    int listener = tcp_listener(8, &at);
    close(listener);
    int fd = kin__os_net_socket(&at);
    CHECK_EQ(kin__os_net_connect(fd, &at, KIN__NEVER), -ECONNREFUSED);
    close(fd);
}

TEST(a_full_backlog_is_waited_for_as_long_as_the_deadline_says)
{
    enter_place();
    const char *path = in_place("s");
    int listener = raw_listener(path, 0);
    kin__net_address at = path_address(path);
    int first = connected_to(&at); /* the kernel's backlog of 0 has room for one */
    int second = kin__os_net_socket(&at);
    int64_t begin = kin__os_now();
    CHECK_EQ(kin__os_net_connect(second, &at, begin + 20000000), -ETIMEDOUT);
    CHECK_GE(kin__os_now(), begin + 15000000);
    CHECK_EQ(kin__os_net_connect(second, &at, 0), -ETIMEDOUT);
    close(accept(listener, NULL, NULL));
    CHECK_EQ(kin__os_net_connect(second, &at, KIN__NEVER), 0);
    close(first);
    close(second);
    close(listener);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

static void on_alarm(int signal)
{
    (void)signal;
}

TEST(signals_do_not_end_a_connect)
{
    enter_place();
    const char *path = in_place("s");
    int listener = raw_listener(path, 0);
    kin__net_address at = path_address(path);
    int first = connected_to(&at);
    int second = kin__os_net_socket(&at);
    struct sigaction action = { .sa_handler = on_alarm };
    sigaction(SIGALRM, &action, NULL);
    const struct itimerval every = { .it_interval = { 0, 2000 }, .it_value = { 0, 2000 } };
    setitimer(ITIMER_REAL, &every, NULL);
    CHECK_EQ(kin__os_net_connect(second, &at, kin__os_now() + 30000000), -ETIMEDOUT);
    const struct itimerval off = { 0 };
    setitimer(ITIMER_REAL, &off, NULL);
    close(first);
    close(second);
    close(listener);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

/* ---- files -------------------------------------------------------------------------------- */

TEST(a_socket_that_is_open_is_bound_and_nobody_notices_the_question)
{
    enter_place();
    const char *path = in_place("s");
    kin__net_address at = path_address(path);
    int fd = raw_listener(path, -1);
    CHECK(kin__os_net_is_bound(&at)); /* also before it listens */
    CHECK_EQ(listen(fd, 4), 0);
    CHECK(kin__os_net_is_bound(&at));
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(accept(fd, NULL, NULL), -1);
    CHECK_EQ(errno, EAGAIN);
    close(fd);
    CHECK(!kin__os_net_is_bound(&at));
    CHECK_EQ(unlink(path), 0);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un datagrams = unix_address(path);
    CHECK_EQ(bind(fd, (struct sockaddr *)&datagrams, sizeof datagrams), 0);
    CHECK(kin__os_net_is_bound(&at));
    close(fd);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

TEST(only_the_socket_that_was_meant_is_unlinked)
{
    enter_place();
    const char *path = in_place("s");
    kin__net_file file, other;
    leave_socket(path);
    CHECK_EQ(kin__os_net_file(path, &file), 0);
    CHECK(file.is_socket);
    CHECK_EQ(rename(path, in_place("away")), 0);
    leave_socket(path);
    CHECK_EQ(kin__os_net_unlink(path, &file), -ENOENT);
    CHECK_EQ(kin__os_net_file(path, &other), 0);
    CHECK_EQ(kin__os_net_unlink(path, &other), 0);
    CHECK_EQ(kin__os_net_unlink(path, &other), -ENOENT);
    CHECK_EQ(unlink(in_place("away")), 0);
    CHECK_EQ(symlink("/dev/null", path), 0);
    CHECK_EQ(kin__os_net_file(path, &other), 0);
    CHECK(!other.is_socket);
    CHECK_EQ(kin__os_net_unlink(path, &other), -ENOENT);
    CHECK_EQ(unlink(path), 0);
    leave_place();
}

TEST(paths_become_absolute)
{
    char got[300], expected[300];
    enter_place();
    CHECK_EQ(chdir(place), 0);
    CHECK_EQ(kin__os_net_absolute("./s", got, sizeof got), 0);
    CHECK_STR(got, in_place("s"));
    CHECK_EQ(kin__os_net_absolute("../s", got, sizeof got), 0);
    snprintf(expected, sizeof expected, "%s/../s", place);
    CHECK_STR(got, expected);
    CHECK_EQ(kin__os_net_absolute("/a/s", got, sizeof got), 0);
    CHECK_STR(got, "/a/s");
    CHECK_EQ(kin__os_net_absolute("./s", got, strlen(place) + 2), -ERANGE);
    CHECK_EQ(kin__os_net_absolute("/abc", got, 4), -ERANGE);
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(kin__os_net_absolute("./s", got, sizeof got), 0);
    CHECK_STR(got, "/s");
    leave_place();
}

static int hold_lock(void *ctx)
{
    _Atomic int *phase = ctx;
    int lock = kin__os_net_lock_folder(in_place("s"), KIN__NEVER);
    *phase = 1;
    WAIT_UNTIL(*phase == 2);
    kin__os_net_unlock_folder(lock);
    return lock < 0;
}

TEST(a_locked_folder_is_waited_for)
{
    enter_place();
    _Atomic int *phase = test_shared(sizeof *phase);
    pid_t pid = test_child(hold_lock, phase);
    WAIT_UNTIL(*phase == 1);
    CHECK_EQ(kin__os_net_lock_folder(in_place("s"), kin__os_now() + 3000000), -ETIMEDOUT);
    *phase = 2;
    int lock = kin__os_net_lock_folder(in_place("s"), KIN__NEVER);
    CHECK_GE(lock, 0);
    kin__os_net_unlock_folder(lock);
    CHECK_EQ(test_join(pid), 0);
    leave_place();
}

static int hold_lock_and_die(void *ctx)
{
    _Atomic int *phase = ctx;
    (void)kin__os_net_lock_folder(in_place("s"), KIN__NEVER);
    *phase = 1;
    raise(SIGKILL);
    return 0;
}

static int stay(void *ctx)
{
    WAIT_UNTIL(*(_Atomic int *)ctx == 1);
    return 0;
}

TEST(a_lock_is_free_when_its_holder_is_killed_or_has_given_it_back)
{
    enter_place();
    _Atomic int *phase = test_shared(2 * sizeof *phase);
    CHECK_EQ(test_join(test_child(hold_lock_and_die, phase)), -SIGKILL);
    int lock = kin__os_net_lock_folder(in_place("s"), 0);
    CHECK_GE(lock, 0);
    pid_t pid = test_child(stay, phase + 1); /* which has a copy of the descriptor */
    kin__os_net_unlock_folder(lock);
    lock = kin__os_net_lock_folder(in_place("s"), 0);
    CHECK_GE(lock, 0);
    kin__os_net_unlock_folder(lock);
    phase[1] = 1;
    CHECK_EQ(test_join(pid), 0);
    CHECK_EQ(kin__os_net_lock_folder("/nowhere/s", 0), -ENOENT);
    leave_place();
}

TEST(a_new_folder_is_only_for_this_user_and_below_tmpdir)
{
    char path[4096];
    struct stat info;
    enter_place();
    CHECK_EQ(setenv("TMPDIR", place, 1), 0);
    CHECK_EQ(kin__os_net_make_folder(path, sizeof path), 0);
    CHECK_EQ(strncmp(path, place, strlen(place)), 0);
    CHECK_EQ(stat(path, &info), 0);
    CHECK_EQ(info.st_mode & 0777, 0700);
    kin__os_net_remove_folder(path);
    static const char *const others[] = { "/nowhere/at/all", "", "relative" };
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(setenv("TMPDIR", others[i], 1), 0);
        CHECK_EQ(kin__os_net_make_folder(path, sizeof path), 0);
        CHECK_EQ(strncmp(path, "/tmp/kin-", 9), 0);
        kin__os_net_remove_folder(path);
    }
    leave_place();
}

/* ---- waiting for many ------------------------------------------------------------------------ */

TEST(a_watch_tells_what_is_readable_one_after_the_other)
{
    int pipes[3][2];
    int watch = kin__os_watch_new();
    void *word = NULL;
    unsigned seen[3] = { 0 };
    CHECK_GE(watch, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kin__os_pipe(pipes[i]), 0);
        CHECK_EQ(kin__os_watch_add(watch, pipes[i][0], &seen[i]), 0);
    }
    CHECK_EQ(kin__os_watch_next(watch, &word), 0);
    CHECK_EQ(write(pipes[0][1], "x", 1), 1);
    CHECK_EQ(write(pipes[2][1], "x", 1), 1);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(kin__os_watch_next(watch, &word), 1);
        ++*(unsigned *)word;
    }
    CHECK_EQ(seen[0], 2);
    CHECK_EQ(seen[1], 0);
    CHECK_EQ(seen[2], 2);
    kin__os_watch_remove(watch, pipes[0][0]);
    kin__os_watch_remove(watch, pipes[2][0]);
    CHECK_EQ(kin__os_watch_next(watch, &word), 0);
    for (int i = 0; i < 3; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    close(watch);
}

TEST(an_alarm_rings_until_it_is_set_anew)
{
    int alarm_fd = kin__os_alarm_new();
    bool ready;
    CHECK_GE(alarm_fd, 0);
    CHECK_EQ(kin__os_poll(&alarm_fd, &ready, 1, 0), -ETIMEDOUT);
    int64_t when = kin__os_now() + 3000000;
    kin__os_alarm_set(alarm_fd, when);
    CHECK_EQ(kin__os_poll(&alarm_fd, &ready, 1, KIN__NEVER), 1);
    CHECK_GE(kin__os_now(), when);
    CHECK_EQ(kin__os_poll(&alarm_fd, &ready, 1, 0), 1);
    kin__os_alarm_set(alarm_fd, KIN__NEVER);
    CHECK_EQ(kin__os_poll(&alarm_fd, &ready, 1, 0), -ETIMEDOUT);
    kin__os_alarm_set(alarm_fd, 0);
    CHECK_EQ(kin__os_poll(&alarm_fd, &ready, 1, KIN__NEVER), 1);
    close(alarm_fd);
}

TEST(a_flag_is_readable_while_it_is_up)
{
    int flag = kin__os_flag_new();
    bool ready;
    CHECK_GE(flag, 0);
    for (int i = 0; i < 6; i++) {
        kin__os_flag_set(flag, i / 2 % 2 != 0); /* each of them twice */
        CHECK_EQ(kin__os_poll(&flag, &ready, 1, 0), i / 2 % 2 != 0 ? 1 : -ETIMEDOUT);
    }
    close(flag);
}
