/* pipe.c - messages of one size through a pipe.
 *
 * Up to PIPE_BUF bytes the kernel writes a message whole, and a reader of as much takes it whole. A
 * larger one wants a lock at each end that more than one use, as CPython's queues have it.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/bench.h"
#include "peer.h"

typedef struct end {
    int fd;
    bool locked;
    pthread_mutex_t mutex;
} end;

typedef struct pipe_queue {
    end in, out;
} pipe_queue;

static void end_init(end *e, int fd, bool locked)
{
    pthread_mutexattr_t attr;
    BENCH_MUST(pthread_mutexattr_init(&attr) == 0);
    BENCH_MUST(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
    BENCH_MUST(pthread_mutex_init(&e->mutex, &attr) == 0);
    e->fd = fd;
    e->locked = locked;
}

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    (void)ret_note;
    int ends[2];
    BENCH_MUST(pipe(ends) == 0);
    (void)fcntl(ends[1], F_SETPIPE_SZ, 1 << 20); /* what everybody may have */
    pipe_queue *q = bench_shared(sizeof *q);
    end_init(&q->out, ends[0], shape->size > PIPE_BUF && shape->consumers > 1);
    end_init(&q->in, ends[1], shape->size > PIPE_BUF && shape->producers > 1);
    return q;
}

static void put(void *queue, const void *message, size_t size)
{
    end *e = &((pipe_queue *)queue)->in;
    BENCH_MUST(!e->locked || pthread_mutex_lock(&e->mutex) == 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = write(e->fd, (const char *)message + done, size - done);
        BENCH_MUST(n > 0);
        done += (size_t)n;
    }
    BENCH_MUST(!e->locked || pthread_mutex_unlock(&e->mutex) == 0);
}

static void get(void *queue, void *message, size_t size)
{
    end *e = &((pipe_queue *)queue)->out;
    BENCH_MUST(!e->locked || pthread_mutex_lock(&e->mutex) == 0);
    for (size_t done = 0; done < size;) {
        ssize_t n = read(e->fd, (char *)message + done, size - done);
        BENCH_MUST(n > 0);
        done += (size_t)n;
    }
    BENCH_MUST(!e->locked || pthread_mutex_unlock(&e->mutex) == 0);
}

static void close_it(void *queue)
{
    pipe_queue *q = queue;
    close(q->in.fd);
    close(q->out.fd);
    BENCH_MUST(munmap(q, sizeof *q) == 0);
}

const peer peer_pipe = {
    .name = "pipe", .open = open_it, .put = put, .get = get, .close = close_it
};
