/* Byte streams as the kernel has them. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- what a descriptor is -------------------------------------------------------------------- */

TEST(sockets_and_pipes_are_told_apart)
{
    kin__stream_info info;
    int sockets[2], pipes[2], packets[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, packets), 0);
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(kin__os_stream_look(sockets[0], &info), 0);
    CHECK(info.is_socket && info.is_local && info.readable && info.writable);
    CHECK_EQ(kin__os_stream_look(pipes[0], &info), 0);
    CHECK(!info.is_socket && info.is_local && info.readable && !info.writable);
    CHECK_EQ(kin__os_stream_look(pipes[1], &info), 0);
    CHECK(!info.is_socket && !info.readable && info.writable);
    CHECK_EQ(kin__os_stream_look(packets[0], &info), -EPROTOTYPE);
    int null = open("/dev/null", O_RDONLY);
    CHECK_EQ(kin__os_stream_look(null, &info), -EPROTOTYPE);
    close(null);
    CHECK_EQ(kin__os_stream_look(null, &info), -EBADF);
    for (int i = 0; i < 2; i++) {
        close(sockets[i]);
        close(pipes[i]);
        close(packets[i]);
    }
}

TEST(tcp_does_not_wait_for_more)
{
    kin__stream_info info;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0) {
        fd = socket(AF_INET, SOCK_STREAM, 0);
    }
    CHECK_EQ(kin__os_stream_look(fd, &info), 0);
    CHECK(info.is_socket && !info.is_local);
    int nodelay = 0;
    socklen_t size = sizeof nodelay;
    CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
    CHECK_EQ(nodelay, 1);
    int alive = 0; /* else a machine that is gone without a word is never noticed */
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &alive, &size), 0);
    CHECK_EQ(alive, 1);
    close(fd);
}

/* ---- bytes, and descriptors with them -------------------------------------------------------- */

static ssize_t write_two(int fd, const char *one, const char *other, const int *fds, int n)
{
    const kin__bytes parts[2] = { { one, strlen(one) }, { other, strlen(other) } };
    return kin__os_stream_write(fd, parts, fds, n, false);
}

TEST(two_parts_are_written_at_once_and_read_as_they_come)
{
    int ends[2];
    char bytes[16];
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(kin__os_stream_read(ends[1], bytes, sizeof bytes, false), -EAGAIN);
    CHECK_EQ(write_two(ends[0], "hel", "lo", NULL, 0), 5);
    CHECK_EQ(kin__os_stream_read(ends[1], bytes, sizeof bytes, true), 5);
    CHECK_MEM(bytes, "hello", 5);
    CHECK_EQ(write_two(ends[1], "", "back", NULL, 0), 4);
    CHECK_EQ(kin__os_stream_read(ends[0], bytes, 2, false), 2);
    close(ends[0]);
    CHECK_EQ(write_two(ends[1], "x", "", NULL, 0), -EPIPE);
    CHECK_EQ(kin__os_stream_read(ends[1], bytes, sizeof bytes, false), -ECONNRESET);
    CHECK_EQ(kin__os_stream_read(ends[1], bytes, sizeof bytes, false), 0);
    close(ends[1]);
}

TEST(a_pair_that_is_not_duplex_goes_one_way)
{
    int ends[2];
    char byte;
    CHECK_EQ(kin__os_stream_pair(false, ends), 0);
    CHECK_EQ(write_two(ends[0], "x", "", NULL, 0), -EPIPE);
    CHECK_EQ(kin__os_stream_read(ends[1], &byte, 1, false), 0);
    CHECK_EQ(write_two(ends[1], "x", "", NULL, 0), 1);
    CHECK_EQ(kin__os_stream_read(ends[0], &byte, 1, false), 1);
    close(ends[0]);
    close(ends[1]);
}

TEST(descriptors_come_with_the_first_byte)
{
    int ends[2];
    char bytes[8];
    int fds[KIN__DESCRIPTORS_MOST];
    kin__message message = { .bytes = bytes, .size = 1, .fds = fds };
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(write_two(ends[0], "two", "parts", (const int[]){ 0, 1 }, 2), 8);
    CHECK_EQ(kin__os_stream_receive(ends[1], &message, true), 1);
    CHECK_EQ(message.n_fds, 2);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
        close(fds[i]);
    }
    message.size = sizeof bytes;
    CHECK_EQ(kin__os_stream_receive(ends[1], &message, true), 7);
    CHECK_EQ(message.n_fds, 0);
    CHECK_EQ(kin__os_stream_receive(ends[1], &message, false), -EAGAIN);
    close(ends[0]);
    close(ends[1]);
}

/* ---- waiting --------------------------------------------------------------------------------- */

TEST(a_wait_ends_with_the_event_or_the_time)
{
    int ends[2];
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(kin__os_stream_wait(ends[0], KIN__READ, 0), -ETIMEDOUT);
    CHECK_EQ(kin__os_stream_wait(ends[0], KIN__READ, kin__os_now() + 1000000), -ETIMEDOUT);
    CHECK_EQ(kin__os_stream_wait(ends[0], KIN__WRITE, 0), 0);
    CHECK_EQ(write_two(ends[1], "x", "", NULL, 0), 1);
    CHECK_EQ(kin__os_stream_wait(ends[0], KIN__READ, KIN__NEVER), 0);
    close(ends[1]);
    close(ends[0]);
    CHECK_EQ(kin__os_stream_wait(ends[0], KIN__READ, 0), -EBADF);
}

/* ---- names ----------------------------------------------------------------------------------- */

static int hold(void *ctx)
{
    char byte;
    return (int)read(*(const int *)ctx, &byte, 1);
}

TEST(a_name_is_free_when_nobody_has_the_socket_any_more)
{
    char name[40];
    int ends[2], other[2];
    snprintf(name, sizeof name, "kin-test-%d", (int)getpid());
    CHECK(kin__os_name_is_free(name));
    CHECK_EQ(kin__os_stream_pair(true, ends), 0);
    CHECK_EQ(kin__os_stream_pair(true, other), 0);
    CHECK_EQ(kin__os_stream_name(ends[0], name), 0);
    CHECK_EQ(kin__os_stream_name(other[0], name), -EADDRINUSE);
    CHECK(!kin__os_name_is_free(name));
    CHECK_EQ(write_two(ends[0], "still", "fine", NULL, 0), 9);

    pid_t child = test_child(hold, &other[0]);
    CHECK_EQ(write_two(other[0], "it", "", &ends[0], 1),
             2); /* one copy here, one there, one on its way */
    close(ends[0]);
    CHECK(!kin__os_name_is_free(name));
    CHECK_EQ(write_two(other[1], "x", "", NULL, 0), 1);
    CHECK_EQ(test_join(child), 1);
    CHECK(!kin__os_name_is_free(name));
    close(other[1]);
    CHECK(kin__os_name_is_free(name));
    close(other[0]);
    close(ends[1]);
}

TEST(networks_are_told_apart)
{
    CHECK_NE(kin__os_network(), 0);
    CHECK_EQ(kin__os_network(), kin__os_network());
}
