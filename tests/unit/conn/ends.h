/* ends.h - two ends of a connection, of all kinds. */
#ifndef KIN_TEST_ENDS_H
#define KIN_TEST_ENDS_H

#include "conn/conn.h"
#include "harness.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct ends {
    kin_conn *one, *other;
    int raw; /* the other end, where it is no connection; -1 */
} ends;

static inline ends relatives(void)
{
    ends e = { .raw = -1 };
    CHECK_OK(kin_pipe(&e.one, &e.other, true));
    return e;
}

static inline ends strangers(void)
{
    ends e = { .raw = -1 };
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_OK(kin_conn_new(&e.one, fds[0], NULL));
    CHECK_OK(kin_conn_new(&e.other, fds[1], NULL));
    return e;
}

/* The other one sends, over a pipe of the kernel's. */
static inline ends over_a_pipe(void)
{
    ends e = { .raw = -1 };
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_OK(kin_conn_new(&e.one, fds[0], NULL));
    CHECK_OK(kin_conn_new(&e.other, fds[1], NULL));
    return e;
}

/* A connection whose other end the test writes and reads itself. */
static inline ends with_raw(void)
{
    ends e = { .other = NULL };
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_OK(kin_conn_new(&e.one, fds[0], NULL));
    e.raw = fds[1];
    return e;
}

/* A relative's likewise: it expects heads of 64 bytes. */
static inline ends relative_with_raw(void)
{
    ends e = { .other = NULL };
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    e.one = kin__conn_over(fds[0], true, true, true);
    CHECK_NOT_NULL(e.one);
    e.raw = fds[1];
    return e;
}

static inline void end_both(ends *e)
{
    kin_conn_free(e->one);
    kin_conn_free(e->other);
    if (e->raw >= 0) {
        close(e->raw);
    }
}

static inline void write_raw(const ends *e, const void *bytes, size_t size)
{
    CHECK_EQ(write(e->raw, bytes, size), size);
}

/* Bytes that tell where they are. */
static inline unsigned char *pattern(size_t size)
{
    unsigned char *bytes = malloc(size > 0 ? size : 1);
    CHECK_NOT_NULL(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)(i * 31 + i / 256 * 7);
    }
    return bytes;
}

static inline void check_bytes(kin_conn *conn, const void *expected, size_t size)
{
    void *data = NULL;
    size_t got = 0;
    CHECK_OK(kin_conn_recv_bytes(conn, &data, &got, 10));
    CHECK_EQ(got, size);
    CHECK(size == 0 || memcmp(data, expected, size) == 0);
    free(data);
}

static inline uint64_t blocks_in_use(void)
{
    kin_usage_info info;
    CHECK_OK(kin_usage(&info));
    return info.blocks;
}

#endif
