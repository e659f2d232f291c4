/* ask.c - how a starter has a child forked by the fork server, and the server made.
 *
 * Idea. The server is made when the first one asks, by one thread; its client end is inherited by
 * all that start or fork later, each start method in its own way. A request is one message; the
 * answer comes on a line of its own, whose other end went along with the request.
 *
 * Rules.
 *   R1  The number of the client end is never another thing's once it was made: threads use it
 *       without a lock, and a new server takes the old one's number.
 *   R2  Our copy of what we send away is closed as soon as it is sent, also in a child that another
 *       thread forks meanwhile (children.c): else the end of a server would not be seen.
 *
 * Death. A server that was killed is found out by the next request, which goes to another one. What
 * it was about to fork when it died is told by the end of the line: that start fails.
 *
 * Not here. What the server does: server.c.
 */
#include "server.h"

#include <errno.h>
#include <signal.h>

#define PATIENCE ((int64_t)60 * 1000000000) /* ns: a main that is slow to come to kin_init */

static _Atomic int client = -1;  /* our end (R1) */
static _Atomic unsigned servers; /* how many there were: to tell one from the next */

/* ---- making a server ------------------------------------------------------------------------- */

static _Atomic pid_t making; /* who makes one just now; a forked child is not it */
static kin_fn preload;

static bool server_is_gone(void)
{
    bool gone = false;
    int socket = atomic_load(&client);
    return kin__os_poll(&socket, &gone, 1, 0) > 0; /* it says nothing there but its end */
}

int kin_set_forkserver_preload(kin_fn function)
{
    if (function == (kin_fn)0) {
        return kin__fail(KIN_EINVAL, "kin_set_forkserver_preload: the function is NULL");
    }
    if (atomic_load(&client) >= 0 && !server_is_gone()) {
        return kin__fail(KIN_ESTATE, "kin_set_forkserver_preload: the fork server runs already");
    }
    preload = function;
    return 0;
}

int kin__process_server(void)
{
    return atomic_load(&client);
}

void kin__process_set_server(int socket)
{
    if (socket >= 0) {
        (void)kin__os_keep_from_exec(socket);
        atomic_store(&servers, 1);
    }
    atomic_store(&client, socket);
}

void kin__process_drop_server(void)
{
    int socket = atomic_exchange(&client, -1);
    if (socket >= 0) {
        kin__os_close(socket);
    }
}

/* The image forks once more, and leaves (R3): its end says that the server is there. */
static int await_server(pid_t image)
{
    int status = 0;
    int64_t deadline = kin__os_now() + PATIENCE;
    int fd = kin__os_pidfd(image);
    kin__os_shield();
    int rv = kin__os_wait_child(image, fd, deadline);
    if (fd >= 0) {
        kin__os_close(fd);
    }
    if (rv < 0 && rv != -ECHILD) {
        (void)kin__os_kill(image, SIGKILL);
        (void)kin__os_wait_child(image, -1, KIN__NEVER);
    }
    kin__os_unshield();
    bool reaped = kin__os_reap(image, &status, NULL) == 0;
    if (rv < 0 && rv != -ECHILD) {
        return kin__fail_os(rv, "the fork server has not come as far as kin_init");
    }
    if (reaped && kin__os_exit_code(status) != 0) {
        return kin__fail(KIN_EBROKEN,
                         "the fork server ended with %d before it came to kin_init: see what main "
                         "does above that, and stderr",
                         kin__os_exit_code(status));
    }
    return 0;
}

static int launch(kin_process *server)
{
    kin__place place;
    const kin__packet_fds fds = { .server = server->line, .tether = -1 };
    int packet = kin__packet_write(server, &fds);
    if (packet < 0) {
        return packet;
    }
    kin__domain_place(&place);
    const int keep[] = { packet, place.fd, server->line };
    pid_t image = kin__process_exec_self(ROLE_SERVER, packet, keep, 3);
    kin__os_close(packet);
    return image < 0 ? (int)image : await_server(image);
}

static int take_client(kin_process *server)
{
    int old = atomic_load(&client);
    int rv = old >= 0 ? kin__os_replace(server->news, old) : 0;
    if (rv < 0) {
        return kin__fail_os(rv, "the fork server cannot be replaced");
    }
    if (old < 0) {
        atomic_store(&client, server->news);
    }
    server->news = -1;
    atomic_fetch_add(&servers, 1);
    return 0;
}

/* As a process that is being started: in a child that another thread forks meanwhile, it is
 * forgotten like any other (R2). */
static int make_server(void)
{
    kin_process server = { .name = "forkserver",
                           .number = "",
                           .function = preload,
                           .args = kin_args(),
                           .uses = 1,
                           .sentinel = -1,
                           .lifeline = -1,
                           .news = -1,
                           .line = -1 };
    int rv = kin__process_begin(&server);
    if (rv < 0) {
        return rv;
    }
    rv = kin__process_open_line(&server);
    KIN__STEP("start.server");
    rv = rv < 0 ? rv : launch(&server);
    KIN__STEP("start.launched");
    kin__process_close_line(&server);
    rv = rv < 0 ? rv : take_client(&server);
    kin__process_not_begun(&server);
    kin_release(server.args);
    return rv;
}

static bool has_server(unsigned lost)
{
    return atomic_load(&client) >= 0 && atomic_load(&servers) != lost;
}

/* Another one than the `lost` one (0: any). One thread makes it, the others wait. */
static int need_server(unsigned lost)
{
    for (;;) {
        pid_t self = kin__os_getpid();
        pid_t maker = atomic_load(&making);
        if (has_server(lost)) {
            return 0;
        }
        if (maker == self) {
            kin__os_sleep_until(kin__os_now() + 200000);
        } else if (atomic_compare_exchange_strong(&making, &maker, self)) {
            int rv = has_server(lost) ? 0 : make_server();
            atomic_store(&making, 0);
            return rv;
        }
    }
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void add(kin__message *m, request *r, int which, int fd)
{
    if (fd >= 0) {
        m->fds[m->n_fds++] = fd;
        r->has |= 1u << which;
    }
}

/* 0, or -errno; whatever is in the message stays the caller's. */
static int send_request(const kin_process *p, int packet, int tether)
{
    request r = { .n_listed = (uint32_t)p->n_fds };
    int fds[KIN__DESCRIPTORS_MOST];
    kin__message m = { .bytes = &r, .size = sizeof r, .fds = fds };
    int directory = kin__os_open_cwd();
    if (directory < 0) {
        return directory;
    }
    int socket = atomic_load(&client);
    add(&m, &r, PACKET, packet);
    add(&m, &r, NEWS, p->line);
    add(&m, &r, DIRECTORY, directory);
    add(&m, &r, CLIENT, socket);
    for (int i = 0; i < 3; i++) {
        add(&m, &r, STDIN + i, kin__os_is_open(i) ? i : -1);
    }
    add(&m, &r, TETHER, tether);
    add(&m, &r, LIFELINE, p->lifeline);
    for (size_t i = 0; i < p->n_fds; i++) {
        m.fds[m.n_fds++] = p->fds[i];
    }
    int rv = kin__os_send(socket, &m);
    kin__os_close(directory);
    return rv;
}

/* Nobody holds the other end of a child's line: the server is gone, or could not take it. */
static int lost_word(void)
{
    if (!server_is_gone()) {
        return kin__fail(KIN_EMFILE, "kin_process_start: the fork server has too many files open");
    }
    return kin__fail(KIN_EBROKEN, "kin_process_start: the fork server died%s",
                     preload != (kin_fn)0 ? ", perhaps of its preload" : "");
}

/* Waits for the child's first word. */
static pid_t hear(kin_process *p)
{
    news n = { 0 };
    int pidfd = -1;
    kin__message m = { .bytes = &n, .size = sizeof n, .fds = &pidfd, .n_fds = 1 };
    int rv = kin__os_receive(p->news, &m, true);
    if (rv == -EMFILE && n.kind == NEWS_STARTED) { /* no room for its pidfd; but it runs */
        rv = sizeof n;
        m.n_fds = 0;
    }
    if (rv < 0) {
        return kin__fail_os(rv, "kin_process_start: no word from the fork server");
    }
    if (rv != sizeof n) {
        return lost_word();
    }
    if (n.kind == NEWS_FAILED) {
        return kin__fail(n.value, "kin_process_start: the fork server cannot fork %s", p->name);
    }
    p->sentinel = m.n_fds == 1 ? kin__os_clear_of_stdio(pidfd) : p->sentinel;
    if (n.kind == NEWS_ENDED) { /* killed before it could say a word */
        p->exitcode = n.value;
    }
    return n.pid;
}

static bool is_end(int error)
{
    return error == -EPIPE || error == -ECONNRESET;
}

static int post(const kin_process *p, int packet, int tether)
{
    unsigned used = atomic_load(&servers);
    int rv = send_request(p, packet, tether);
    if (is_end(rv)) { /* the server was killed: another one */
        rv = need_server(used);
        rv = rv < 0 ? rv : send_request(p, packet, tether);
    }
    if (is_end(rv)) {
        return lost_word();
    }
    return rv < 0 && rv > -4096 ? kin__fail_os(rv, "kin_process_start: cannot ask the fork server")
                                : rv;
}

static pid_t ask(kin_process *p, int packet, int tether)
{
    int rv = kin__process_open_line(p);
    if (rv < 0) {
        return rv;
    }
    KIN__STEP("start.asking");
    rv = post(p, packet, tether);
    kin__process_close_line(p);
    KIN__STEP("start.asked");
    return rv < 0 ? rv : hear(p);
}

pid_t kin__process_ask_server(kin_process *p)
{
    if (p->n_fds > KIN__DESCRIPTORS_MOST - LISTED) {
        return kin__fail(KIN_EINVAL,
                         "kin_process_start: %zu descriptors are more than the %d that a "
                         "fork server's child can have",
                         p->n_fds, KIN__DESCRIPTORS_MOST - LISTED);
    }
    int rv = need_server(0);
    if (rv < 0) {
        return rv;
    }
    int tether = p->daemon ? kin__process_tether() : -1;
    if (p->daemon && tether < 0) {
        return tether;
    }
    const kin__packet_fds fds = { .server = -1, .tether = -1 };
    int packet = kin__packet_write(p, &fds);
    if (packet < 0) {
        return packet;
    }
    kin__os_flush();
    pid_t pid = ask(p, packet, tether);
    if (pid < 0) {
        kin__packet_take_back(p, packet);
        return pid;
    }
    kin__os_close(packet);
    return pid;
}

int kin__process_hear_end(int line, int *ret_code)
{
    news n = { 0 };
    kin__message m = { .bytes = &n, .size = sizeof n };
    int rv = kin__os_receive(line, &m, false);
    if (rv == -EAGAIN) {
        return rv;
    }
    *ret_code = rv == sizeof n && n.kind == NEWS_ENDED ? n.value : KIN_ENOTFOUND;
    return 0;
}
