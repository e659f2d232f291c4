/* communicate.c - talking to a program: all of the input in, all of the output out.
 *
 * Idea.  A pipe holds 64 KiB. Whoever writes all and then reads waits for a program that waits for
 * him, as soon as both pipes are full. So nothing is read or written before poll says that it will
 * not wait:
 *
 *     input  ->  stdin  ===[ program ]===  stdout  ->  out.data, which grows
 *                                     ===  stderr  ->  err.data
 *
 * Rules.
 *   R1  What has been read is kept here until all is read: who times out loses nothing.
 *   R2  Room is made before it is read: when there is no memory, the pipe still has the bytes.
 *   R3  A pipe ends when nobody holds its other end; the program may have left that to a child of
 *       its own. Only a deadline ends waiting for that one. What is there at the deadline is read,
 *       but not what comes and comes.
 *   R4  A program that does not read its input to the end is within its rights: the rest is
 *       dropped.
 *
 * Death.  A killed program closes its pipes. When we are killed, it reads an end and writes to
 * nobody.
 *
 * Not here.  The program's end (popen.c).
 */
#include "popen.h"

#include <errno.h>
#include <string.h>

#define FIRST_ROOM 4096
#define LATE_MOST 64           /* reads, more than a full pipe takes */
#define DRAINED_MOST (1 << 20) /* what a pipe may hold; a stranger could fill it for ever */

/* ---- one pipe ------------------------------------------------------------------------- */

/* Leaves a byte for the zero at the end. */
static int make_room(struct stream *s)
{
    if (s->room - s->size > 1) {
        return 0;
    }
    size_t room = s->room == 0 ? FIRST_ROOM : 2 * s->room;
    char *data = kin__os_realloc(s->data, room);
    if (data == NULL) {
        return -ENOMEM;
    }
    s->data = data;
    s->room = room;
    return 0;
}

/* How many bytes came; 0: the pipe has ended, and is closed; -EAGAIN, other -errno. */
static ssize_t take(struct stream *s)
{
    int rv = make_room(s); /* R2 */
    if (rv < 0) {
        return rv;
    }
    ssize_t n = kin__os_read(s->fd, s->data + s->size, s->room - s->size - 1);
    s->size += n > 0 ? (size_t)n : 0;
    if (n == 0) {
        kin__popen_close(&s->fd);
    }
    return n;
}

static void close_stdin(kin_popen *p)
{
    kin__popen_close(&p->stdin_fd);
    kin__os_free(p->copy);
    p->copy = NULL;
    p->n_left = 0;
}

static ssize_t give(kin_popen *p)
{
    ssize_t n = kin__os_write(p->stdin_fd, p->left, p->n_left);
    if (n > 0) {
        p->left += n;
        p->n_left -= (size_t)n;
    }
    if (p->n_left == 0 || n == -EPIPE) { /* R4 */
        close_stdin(p);
        return 0;
    }
    return n;
}

/* ---- all of them ---------------------------------------------------------------------- */

static int prepare(struct stream *s)
{
    if (s->fd < 0) {
        return 0;
    }
    int rv = make_room(s);
    return rv < 0 ? rv : kin__os_never_block(s->fd);
}

int kin__popen_begin(kin_popen *p, const void *input, size_t size, const char *verb)
{
    if (input != NULL && p->stdin_fd < 0) {
        return kin__fail(p->has_stdin ? KIN_ESTATE : KIN_EINVAL,
                         "%s: there is input, and the stdin of %s is %s", verb, p->name,
                         p->has_stdin ? "closed by now" : "no pipe of ours");
    }
    if (input != NULL && p->talking) {
        return kin__fail(KIN_ESTATE, "%s: %s has its input already", verb, p->name);
    }
    int rv = p->stdin_fd < 0 ? 0 : kin__os_never_block(p->stdin_fd);
    rv = rv < 0 ? rv : prepare(&p->out);
    rv = rv < 0 ? rv : prepare(&p->err);
    if (rv < 0) {
        return kin__fail_os(rv, "%s: cannot talk to %s", verb, p->name);
    }
    if (!p->talking) {
        p->left = input;
        p->n_left = size;
        p->talking = true;
    }
    if (p->n_left == 0) {
        close_stdin(p);
    }
    return 0;
}

static ssize_t move_what_is_ready(kin_popen *p, const bool ready[3])
{
    ssize_t rv = ready[0] ? give(p) : 0;
    rv = ready[1] && (rv >= 0 || rv == -EAGAIN) ? take(&p->out) : rv;
    rv = ready[2] && (rv >= 0 || rv == -EAGAIN) ? take(&p->err) : rv;
    return rv == -EAGAIN ? 0 : rv;
}

static bool has_pipes(const kin_popen *p)
{
    return p->stdin_fd >= 0 || p->out.fd >= 0 || p->err.fd >= 0;
}

int kin__popen_talk(kin_popen *p, int64_t deadline)
{
    int late = 0; /* turns: a pipe that always has more to read would make us forget the time */
    while (has_pipes(p)) {
        const int fds[3] = { p->stdin_fd, p->out.fd, p->err.fd };
        bool ready[3] = { false };
        ssize_t rv = kin__os_poll_stdio(fds, ready, deadline);
        rv = rv > 0 ? move_what_is_ready(p, ready) : rv;
        if (rv < 0) {
            return (int)rv;
        }
        if (deadline != KIN__NEVER && kin__os_now() >= deadline && ++late > LATE_MOST) {
            return -ETIMEDOUT;
        }
    }
    return 0;
}

static void drain(struct stream *s)
{
    size_t before = s->size;
    while (s->fd >= 0 && s->size - before < DRAINED_MOST && take(s) >= 0) {
    }
}

void kin__popen_drain(kin_popen *p)
{
    drain(&p->out);
    drain(&p->err);
}

static char *end_with_zero(struct stream *s)
{
    char *data = s->data;
    if (data != NULL) {
        data[s->size] = '\0';
    }
    s->data = NULL;
    s->room = 0;
    return data;
}

void kin__popen_hand_over(kin_popen *p, kin_completed_process *ret_completed)
{
    kin_completed_process completed = {
        .returncode = p->returncode,
        .out_size = p->out.size,
        .err_size = p->err.size,
    };
    completed.out = end_with_zero(&p->out);
    completed.err = end_with_zero(&p->err);
    p->out.size = 0;
    p->err.size = 0;
    if (ret_completed != NULL) {
        *ret_completed = completed;
    } else {
        kin_completed_process_done(&completed);
    }
}

/* ---- communicate ---------------------------------------------------------------------- */

/* Who times out may come back without the input, so then it has to be ours. */
static int begin(kin_popen *p, const void *input, size_t size, bool copy)
{
    const char *verb = "kin_popen_communicate";
    void *own = NULL;
    if (copy && size > 0) {
        own = kin__os_malloc(size);
        if (own == NULL) {
            return kin__fail(KIN_ENOMEM, "%s: no memory to keep %zu bytes of input", verb, size);
        }
        memcpy(own, input, size);
    }
    int rv = kin__popen_begin(p, own != NULL ? own : input, size, verb);
    if (rv < 0 || p->stdin_fd < 0) {
        kin__os_free(own);
        return rv;
    }
    p->copy = own != NULL ? own : p->copy;
    return 0;
}

/* For who was interrupted and comes back without the input. */
static bool keep_rest(kin_popen *p)
{
    if (p->copy != NULL || p->stdin_fd < 0) {
        return true;
    }
    p->copy = kin__os_malloc(p->n_left);
    if (p->copy != NULL) {
        p->left = memcpy(p->copy, p->left, p->n_left);
    }
    return p->copy != NULL;
}

static int talk(kin_popen *p, int64_t deadline)
{
    int rv = kin__popen_talk(p, deadline);
    return rv < 0 ? rv : kin__popen_await(p, deadline);
}

int kin_popen_communicate(kin_popen *popen, const void *input, size_t size, double timeout,
                          kin_completed_process *ret_completed)
{
    int64_t deadline = 0;
    int rv = kin__popen_check(popen, "kin_popen_communicate");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    if (rv == 0 && input == NULL && size > 0) {
        rv = kin__fail(KIN_EINVAL, "kin_popen_communicate: %zu bytes of input at NULL", size);
    }
    rv = rv < 0 ? rv : begin(popen, input, size, deadline != KIN__NEVER);
    if (rv < 0) {
        return rv;
    }
    rv = talk(popen, deadline);
    if (rv == -EINTR && !keep_rest(popen)) { /* then it cannot be now */
        kin__os_interrupt_again();
        kin__os_shield();
        rv = talk(popen, deadline);
        kin__os_unshield();
    }
    if (rv == -ETIMEDOUT) {
        return kin__fail(KIN_ETIMEDOUT, "kin_popen_communicate: %s (pid %d) is not done",
                         popen->name, (int)popen->pid);
    }
    if (rv < 0) {
        if (popen->copy == NULL) { /* the input is its owner's again */
            close_stdin(popen);
        }
        return kin__fail_os(rv, "kin_popen_communicate: cannot talk to %s", popen->name);
    }
    kin__popen_hand_over(popen, ret_completed);
    return 0;
}
