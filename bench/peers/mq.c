/* mq.c - a message queue of the kernel, by mq_open. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../common/bench.h"
#include "peer.h"

/* Out of the box 10 messages may wait. Root can have room for more in a namespace of his own. */
static void allow_many(const struct mq_attr *attr)
{
    static bool own;
    own = own || unshare(CLONE_NEWIPC) == 0;
    FILE *number = own ? fopen("/proc/sys/fs/mqueue/msg_max", "w") : NULL;
    FILE *size = own ? fopen("/proc/sys/fs/mqueue/msgsize_max", "w") : NULL;
    if (number != NULL && size != NULL) {
        fprintf(number, "%ld", attr->mq_maxmsg);
        fprintf(size, "%ld", attr->mq_msgsize);
    }
    (void)(number == NULL || fclose(number));
    (void)(size == NULL || fclose(size));
    (void)setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
}

static mqd_t open_up_to(const char *name, struct mq_attr *attr)
{
    mqd_t mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, attr);
    while (mq < 0 && attr->mq_maxmsg > 1) {
        attr->mq_maxmsg /= 2;
        mq = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, attr);
    }
    return mq;
}

static void *open_it(const peer_shape *shape, const char **ret_note)
{
    static char note[80];
    char name[40];
    snprintf(name, sizeof name, "/kin_bench_%d", (int)getpid());
    struct mq_attr attr = { .mq_maxmsg = shape->bound, .mq_msgsize = (long)shape->size };
    mqd_t *mq = malloc(sizeof *mq);
    BENCH_MUST(mq != NULL);
    allow_many(&attr);
    *mq = open_up_to(name, &attr);
    if (*mq < 0) {
        snprintf(note, sizeof note, "mq_open: %s",
                 errno == EMFILE ? "over RLIMIT_MSGQUEUE" : strerror(errno));
        *ret_note = note;
        free(mq);
        return NULL;
    }
    BENCH_MUST(mq_unlink(name) == 0);
    if (attr.mq_maxmsg != (long)shape->bound) {
        snprintf(note, sizeof note, "%ld messages at most", attr.mq_maxmsg);
        *ret_note = note;
    }
    return mq;
}

static void put(void *queue, const void *message, size_t size)
{
    BENCH_MUST(mq_send(*(mqd_t *)queue, message, size, 0) == 0);
}

static void get(void *queue, void *message, size_t size)
{
    BENCH_MUST(mq_receive(*(mqd_t *)queue, message, size, NULL) == (ssize_t)size);
}

static void close_it(void *queue)
{
    BENCH_MUST(mq_close(*(mqd_t *)queue) == 0);
    free(queue);
}

const peer peer_mq = {
    .name = "POSIX mq", .open = open_it, .put = put, .get = get, .close = close_it
};
