/* server.c - the fork server: a process that is forked from on request, and has nothing to copy.
 *
 * Idea. The server is a nursery (nursery.c) in a fresh image of this program. Whoever may ask holds
 * the client end of its socket. A request carries the packet (packet.c) and every descriptor that
 * the child shall have; one of them, `news`, is the child's own line back to its starter:
 *
 *      starter ---- request: packet, news, cwd, 0 1 2, ... ----> server --fork--> child
 *         ^                                                        |                |
 *         +------------------ news: ENDED or FAILED ---------------+                |
 *         +------------------ news: STARTED, and a pidfd ---------------------------+
 *
 * Rules.
 *   R1  The child itself says that it has started, for it is there when the server has died in
 *       between; how it ended, its parent says, which the server is.
 *   R2  Nobody holds the client end but processes of the family. The server never does: when the
 *       last one of them is gone, its socket ends, and it leaves.
 *   R3  The server is nobody's child: a process that waits for all its children does not wait for
 *       it.
 *   R4  A child has the numbers that it was promised: what else it holds moves out of their way.
 *
 * Death. The server killed: its children live on, their starters see them end by the pidfd, and
 * read how in the record if they left by themselves; the next start makes another server. The
 * starter killed: a request that is on its way is carried out.
 *
 * Not here. Who asks, and makes it: ask.c. What is told: packet.c. What the child does then:
 * life.c.
 */
#include "server.h"
#include "../os/module.h"
#include "nursery.h"

#include <errno.h>
#include <stdio.h>

#define PLACES 2048u /* as many as a family has room for */

/* ---- the server ------------------------------------------------------------------------------ */

typedef struct server {
    int socket;
    int lines[PLACES]; /* news of the child at this place; 0: none (that one is stdin) */
    pid_t pids[PLACES];
    request now; /* what is being carried out, and its descriptors */
    int fds[KIN__DESCRIPTORS_MOST];
    int n_fds;
} server;

/* The descriptor of that kind in a request, or -1. */
static int fd_of(const server *s, int which)
{
    int at = 0;
    for (int i = 0; i < which; i++) {
        at += (s->now.has >> i & 1u) != 0;
    }
    return (s->now.has >> which & 1u) != 0 ? s->fds[at] : -1;
}

static int *listed(server *s)
{
    return s->fds + s->n_fds - s->now.n_listed;
}

static void tell(int line, news_kind kind, int pid, int value)
{
    news n = { .kind = (int32_t)kind, .pid = pid, .value = value };
    const kin__message m = { .bytes = &n, .size = sizeof n };
    (void)kin__os_send(line, &m); /* if nobody listens any more, nobody need know */
}

static bool is_sound(const server *s, int size)
{
    int fixed = 0;
    for (int i = 0; i < LISTED; i++) {
        fixed += (s->now.has >> i & 1u) != 0;
    }
    return size == sizeof s->now && s->now.has >> LISTED == 0 &&
           s->now.n_listed == (uint32_t)(s->n_fds - fixed) && fd_of(s, PACKET) >= 0 &&
           fd_of(s, NEWS) >= 0 && fd_of(s, DIRECTORY) >= 0 && fd_of(s, CLIENT) >= 0;
}

static void close_request(server *s, int but)
{
    for (int i = 0; i < s->n_fds; i++) {
        if (s->fds[i] != but) {
            kin__os_close(s->fds[i]);
        }
    }
}

static unsigned free_place(const server *s)
{
    unsigned i = 0;
    while (i < PLACES && s->lines[i] != 0) {
        i++;
    }
    return i;
}

static void carry_out(server *s, kin__nursery *nursery)
{
    unsigned index = free_place(s);
    int line = fd_of(s, NEWS);
    KIN__STEP("start.request");
    int rv = index < PLACES ? kin__nursery_start(nursery, index) : KIN_EAGAIN;
    KIN__STEP("start.request_carried_out");
    if (rv < 0) {
        tell(line, NEWS_FAILED, 0, rv);
    } else {
        s->lines[index] = line;
        s->pids[index] = rv;
    }
    close_request(s, rv < 0 ? -1 : line);
}

/* Takes one request. False: there is none now. *ret_over: there never will be. */
static bool take_request(server *s, bool *ret_over)
{
    kin__message m = {
        .bytes = &s->now, .size = sizeof s->now, .fds = s->fds, .n_fds = KIN__DESCRIPTORS_MOST
    };
    int size = kin__os_receive(s->socket, &m, false);
    s->n_fds = size > 0 ? m.n_fds : 0;
    *ret_over = size == 0; /* R2 */
    return size != 0 && size != -EAGAIN;
}

static bool tend(void *ctx, kin__nursery *nursery)
{
    server *s = ctx;
    bool over;
    while (take_request(s, &over)) {
        if (s->n_fds > 0 && is_sound(s, sizeof s->now)) {
            carry_out(s, nursery);
        } else {
            close_request(s, -1);
        }
    }
    return !over;
}

static void child_ended(void *ctx, unsigned index, int code, const kin__crash *crash)
{
    server *s = ctx;
    (void)crash; /* the starter reads it in the record */
    KIN__STEP("start.child_ended");
    tell(s->lines[index], NEWS_ENDED, (int)s->pids[index], code);
    kin__os_close(s->lines[index]);
    s->lines[index] = 0;
}

/* ---- the server's child: what it was forked with becomes what it was promised (R4) ----------- */

static bool is_promised(const kin_process *self, int fd)
{
    bool promised = fd <= 2;
    for (size_t i = 0; i < self->n_fds; i++) {
        promised = promised || self->fds[i] == fd;
    }
    return promised;
}

/* The descriptor, elsewhere if it stands in the way. */
static int clear_of_promises(const kin_process *self, int fd)
{
    while (fd >= 0 && is_promised(self, fd)) {
        fd = kin__os_move_above(fd, fd + 1);
    }
    return fd;
}

static int move_away(server *s, const kin_process *self)
{
    int rv = 0;
    for (int i = 0; i < s->n_fds && rv >= 0; i++) {
        rv = clear_of_promises(self, s->fds[i]);
        s->fds[i] = rv;
    }
    kin__place place;
    kin__domain_place(&place);
    int moved = rv < 0 ? rv : clear_of_promises(self, place.fd);
    if (moved >= 0) {
        kin__domain_moved(moved);
    }
    return moved;
}

static int move_in(server *s, const kin_process *self)
{
    int rv = 0;
    for (int i = 0; i < 3 && rv >= 0; i++) {
        int fd = fd_of(s, STDIN + i);
        if (fd >= 0) {
            rv = kin__os_move_to(fd, i);
        } else {
            kin__os_close(i);
        }
    }
    for (size_t i = 0; i < self->n_fds && rv >= 0; i++) {
        rv = kin__os_move_to(listed(s)[i], self->fds[i]);
    }
    return rv;
}

static void close_lines(server *s)
{
    for (unsigned i = 0; i < PLACES; i++) {
        if (s->lines[i] != 0) {
            kin__os_close(s->lines[i]);
        }
    }
}

static void say_started(int line)
{
    int pidfd = kin__os_pidfd(kin__os_getpid());
    news n = { .kind = NEWS_STARTED, .pid = kin__os_getpid() };
    const kin__message m = { .bytes = &n, .size = sizeof n, .fds = &pidfd, .n_fds = pidfd >= 0 };
    (void)kin__os_send(line, &m);
    if (pidfd >= 0) {
        kin__os_close(pidfd);
    }
    kin__os_close(line);
}

static int live(void *ctx, unsigned index)
{
    server *s = ctx;
    kin_process *self = NULL;
    kin__packet_fds unused;
    kin__signals signals;
    (void)index;
    close_lines(s);
    KIN__STEP("start.served");
    int rv = kin__packet_read(fd_of(s, PACKET), &self, &unused, &signals);
    int sorted = self != NULL ? move_away(s, self) : 0;
    sorted = sorted < 0 || self == NULL ? sorted : move_in(s, self);
    if (sorted < 0) {
        rv = kin__fail_os(sorted, "its descriptors cannot be had here");
    }
    KIN__STEP("start.served_all");
    if (rv < 0) {
        (void)fprintf(stderr, "%s: could not begin: %s\n", self != NULL ? self->name : "kin",
                      kin_errmsg());
        return 1; /* after the word that it had started there is the one that it ended */
    }
    (void)kin__os_chdir_to(fd_of(s, DIRECTORY));
    kin__os_close(fd_of(s, DIRECTORY));
    kin__os_close(fd_of(s, PACKET));
    kin__process_set_server(fd_of(s, CLIENT));
    self->lifeline = fd_of(s, LIFELINE);
    kin__process_hold_lifeline(self);
    kin__os_set_name(self->name);
    say_started(fd_of(s, NEWS));
    kin__os_set_signals(&signals);
    kin__process_live(self, fd_of(s, TETHER));
}

/* ---- the server's beginning ------------------------------------------------------------------ */

static void call_preload(kin_process *self)
{
    kin_obj result;
    if (self->function == (kin_fn)0) {
        return;
    }
    int rv = kin__obj_result(self->function(kin__obj_lend(self->args)), &result);
    if (rv < 0) {
        (void)fprintf(stderr, "forkserver: the preload failed: %s (%s)\n", kin_errmsg(),
                      kin_errname(rv));
    } else {
        kin_release(result);
    }
}

/* Whoever reads what the family prints should not have to wait for us. */
static void give_up_stdio(void)
{
    for (int i = 0; i < 3; i++) {
        int null = kin__os_open_null();
        if (null >= 0) {
            (void)kin__os_move_to(null, i);
        }
    }
}

_Noreturn void kin__process_serve(kin_process *self, int socket)
{
    static server state;
    static const kin__nursery_ops ops = { .run = live, .ended = child_ended, .tend = tend };
    kin__os_keep_from_exec(socket);
    state.socket = socket;
    KIN__STEP("start.image_of_server");
    pid_t pid = kin__os_fork();
    if (pid != 0) {
        kin__os_leave(pid < 0); /* R3 */
    }
    kin__os_set_name("kin-forkserver");
    call_preload(self);
    kin__os_flush();
    give_up_stdio();
    kin__os_modules_note();
    kin__nursery_live(&ops, &state, PLACES, socket);
}
