/* stream.c - bytes over a descriptor, with a deadline.
 *
 * Try first, look busily for a moment if there was nothing, and then wait: in poll, since there an
 * interruption ends the wait. An end of a pipe may block in a read or write whatever we say: so it
 * is polled before each, and is written to in pieces that it has room for then. A message that has
 * gone in part goes on: with an interruption in its middle nothing could follow it. */
#include "conn.h"

#include <errno.h>
#include <string.h>

#define SPINS 3         /* of ten microseconds: an answer to 64 KiB takes twenty */
#define IN_VAIN_MOST 8u /* then it is worth a look */
#define RARELY 8u       /* every eighth wait */

static int wait_for(const kin__stream *stream, enum kin__direction direction, int64_t deadline)
{
    if (stream->is_socket && !kin__may_wait(deadline)) {
        return -ETIMEDOUT; /* it was tried just now */
    }
    return kin__os_stream_wait(stream->fd, direction, deadline);
}

typedef struct attempt {
    int fd;
    void *at;
    size_t size;
    ssize_t n;
} attempt;

static bool is_tried(void *ctx)
{
    attempt *a = ctx;
    a->n = kin__os_stream_read(a->fd, a->at, a->size, false);
    return a->n != -EAGAIN;
}

/* Who answers is awake while he does, and a look costs less than a sleep. But who is waited for in
 * vain, and again, is looked for rarely. (Not at once: two who answer each other would learn it
 * from each other.) */
static void look(kin__stream *stream, attempt *a)
{
    bool found = false;
    bool looks = stream->in_vain < IN_VAIN_MOST || stream->in_vain % RARELY == 0;
    for (int i = 0; looks && !found && i < SPINS; i++) {
        found = kin__spin_aside(is_tried, a);
    }
    stream->in_vain = found ? 0 : stream->in_vain + 1;
}

/* What there is, or comes in a moment: -EAGAIN. */
static ssize_t read_socket(kin__stream *stream, void *at, size_t size, int64_t deadline)
{
    attempt a = { .fd = stream->fd, .at = at, .size = size };
    if (!is_tried(&a) && kin__may_wait(deadline)) {
        look(stream, &a);
    }
    return a.n;
}

static ssize_t read_pipe(const kin__stream *stream, void *at, size_t size, int64_t deadline)
{
    int rv = wait_for(stream, KIN__READ, deadline);
    return rv < 0 ? rv : kin__os_read(stream->fd, at, size);
}

ssize_t kin__stream_read(kin__stream *stream, void *at, size_t size, int64_t deadline)
{
    for (;;) {
        ssize_t n = stream->is_socket ? read_socket(stream, at, size, deadline)
                                      : read_pipe(stream, at, size, deadline);
        if (n != -EAGAIN) {
            return n;
        }
        int rv = stream->is_socket ? wait_for(stream, KIN__READ, deadline) : 0;
        if (rv < 0) {
            return rv;
        }
    }
}

ssize_t kin__stream_receive(const kin__stream *stream, kin__message *message, int64_t deadline)
{
    for (;;) {
        ssize_t n = kin__os_stream_receive(stream->fd, message, false);
        if (n != -EAGAIN) {
            return n;
        }
        int rv = wait_for(stream, KIN__READ, deadline);
        if (rv < 0) {
            return rv;
        }
    }
}

/* ---- writing ------------------------------------------------------------------------------ */

void kin__stream_skip(kin__bytes parts[2], size_t size)
{
    for (int i = 0; i < 2; i++) {
        size_t n = size < parts[i].size ? size : parts[i].size;
        parts[i].at = n > 0 ? (const char *)parts[i].at + n : parts[i].at;
        parts[i].size -= n;
        size -= n;
    }
}

/* Both parts as far as a pipe takes them at once, so that a small letter is whole there. */
static ssize_t write_to_pipe(int fd, const kin__bytes parts[2])
{
    char piece[KIN__PIPE_PIECE];
    size_t size = 0;
    for (int i = 0; i < 2; i++) {
        size_t n = parts[i].size < sizeof piece - size ? parts[i].size : sizeof piece - size;
        if (n > 0) {
            memcpy(piece + size, parts[i].at, n);
        }
        size += n;
    }
    return kin__os_write(fd, piece, size);
}

static ssize_t write_some(const kin__stream *stream, const kin__bytes parts[2],
                          const kin__cargo *cargo, int64_t deadline)
{
    if (!stream->is_socket) {
        int rv = wait_for(stream, KIN__WRITE, deadline);
        return rv < 0 ? rv : write_to_pipe(stream->fd, parts);
    }
    return kin__os_stream_write(stream->fd, parts, cargo != NULL ? cargo->fds : NULL,
                                cargo != NULL ? cargo->n : 0, false);
}

/* What is left of two parts. Once the first byte is out there is a shield. */
static int write_on(const kin__stream *stream, kin__bytes left[2], const kin__cargo *cargo,
                    int64_t deadline, size_t *ret_sent)
{
    while (left[0].size + left[1].size > 0) {
        ssize_t n = write_some(stream, left, *ret_sent == 0 ? cargo : NULL, deadline);
        if (n == -EAGAIN && stream->is_socket) {
            n = wait_for(stream, KIN__WRITE, deadline);
        }
        if (n < 0 && n != -EAGAIN) {
            return (int)n;
        }
        if (n > 0 && *ret_sent == 0) {
            kin__os_shield();
        }
        if (n > 0) {
            *ret_sent += (size_t)n;
            kin__stream_skip(left, (size_t)n);
        }
    }
    return 0;
}

int kin__stream_write(const kin__stream *stream, const kin__bytes parts[2], const kin__cargo *cargo,
                      int64_t deadline, size_t *ret_sent)
{
    kin__bytes left[2] = { parts[0], parts[1] };
    *ret_sent = 0;
    int rv = write_on(stream, left, cargo, deadline, ret_sent);
    if (*ret_sent > 0) {
        kin__os_unshield();
    }
    return rv;
}
