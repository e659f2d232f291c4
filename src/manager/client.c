/* client.c - one connection: bytes that arrive become frames, and answers bytes that leave.
 *
 * Rules.
 *   R1  A client is read from while he has no call at work and not too much that he has not read.
 *       So he fills no more than one buffer of requests, and one answer beyond UNREAD.
 *   R2  A buffer grows with what has arrived, never with what is announced.
 *   R3  Nothing is freed in the midst of a turn: server.h, R8.
 *   R4  He has a turn, and then it is the others': so many requests, bytes, or time, whatever comes
 *       first, and one request at least. With a rate (kin_serve_options) each is booked with his
 *       program, too. What has come and may not be asked yet stays in his buffer (`resumes`).
 */
#include "server.h"

#include <errno.h>
#include <string.h>

#define LEAST 4096u /* bytes of a buffer */
#define EARLY 8     /* answers of many: so that he has something to do meanwhile */
#define UNREAD 262144u
#define TOGETHER 65536u /* small answers go in one piece */
#define TURN 100u       /* requests: R4; more than a batch of ours has under way */
#define TURN_BYTES 65536u
#define TURN_TIME 1000000 /* ns */
#define NEXT_TURN 1       /* as `resumes`: it is always over */

/* ---- who he is ------------------------------------------------------------------------------- */

/* host:port, as Python has it. */
static kin_obj pair_of(const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t size = colon != NULL ? (size_t)(colon - text) : 0;
    bool bracket = size > 1 && text[0] == '[';
    const char *host = bracket ? text + 1 : text;
    size -= bracket ? 2 : 0;
    static const char mapped[] = "::ffff:"; /* IPv4, on a socket for both */
    if (size > sizeof mapped && memcmp(host, mapped, sizeof mapped - 1) == 0) {
        host += sizeof mapped - 1;
        size -= sizeof mapped - 1;
    }
    int64_t port = 0;
    for (const char *at = colon; at != NULL && *++at >= '0' && *at <= '9';) {
        port = port * 10 + (*at - '0');
    }
    return kin_tuple(kin_strn(host, size), kin_int(port));
}

/* The address by which he reaches us. */
static kin_obj own_address(const kin__server *server, int fd)
{
    const char *bound = kin__server_address(server);
    kin__net_address at;
    char text[200];
    if (bound[0] == '/') {
        return kin_str(bound);
    }
    if (bound[0] == '@') {
        size_t size = strlen(bound);
        char name[sizeof text] = "";
        size = size < sizeof name ? size : sizeof name;
        memcpy(name + 1, bound + 1, size - 1);
        return kin_bytes(name, size);
    }
    if (kin__os_net_own_address(fd, &at) < 0) {
        return pair_of(bound);
    }
    kin__os_net_text(&at, text, sizeof text);
    return pair_of(text);
}

static kin__holder *holder_of(kin__server *server, int fd, const kin__net_address *from)
{
    char text[200];
    kin__os_net_text(from, text, sizeof text);
    char *colon = strrchr(text, ':');
    if (colon != NULL) { /* each of his connections has a port of its own */
        *colon = '\0';
    }
    bool is_local = colon == NULL;
    return kin__holder_enter(&server->holders, is_local ? kin__os_net_peer(fd) : 0, text);
}

bool kin__client_is_guest(kin__client *c)
{
    c->guest = c->guest != KIN__NOBODY ? c->guest : kin__guest_join("a manager's client");
    return c->guest != KIN__NOBODY;
}

/* ---- the beginning and the end --------------------------------------------------------------- */

static void enter(kin__server *server, kin__client *c)
{
    c->next = server->clients;
    if (c->next != NULL) {
        c->next->previous = c;
    }
    server->clients = c;
    atomic_fetch_add(&server->n_clients, 1);
}

void kin__client_new(kin__server *server, int fd, const kin__net_address *from)
{
    kin__stream_info info;
    kin__client *c = kin__os_calloc(1, sizeof *c);
    kin__holder *holder = c != NULL ? holder_of(server, fd, from) : NULL;
    int rv = holder == NULL ? -ENOMEM : kin__os_stream_look(fd, &info);
    rv = rv < 0 ? rv : kin__os_watch_for(server->watch, fd, c, KIN__CAN_READ, true);
    if (rv < 0) {
        if (holder != NULL) {
            kin__holder_leave(holder);
        }
        kin__os_free(c);
        kin__os_close(fd);
        return;
    }
    *c = (kin__client){ .server = server,
                        .fd = fd,
                        .holder = holder,
                        .address = own_address(server, fd),
                        .watched = KIN__CAN_READ,
                        .since = kin__os_now() };
    c->last_out = &c->out;
    enter(server, c);
}

void kin__client_drop(kin__client *c)
{
    if (c->dead) {
        return;
    }
    c->dead = true;
    c->next_dead = c->server->dead;
    c->server->dead = c;
    kin__os_watch_remove(c->server->watch, c->fd);
    kin__os_net_hang_up(c->fd);
    kin__server_lock_descriptors();
    kin__os_close(c->fd);
    c->fd = -1;
    kin__server_unlock_descriptors();
    kin__server_discharge(c->server, c->room + c->out_size);
    if (c->call != NULL) {
        kin__call_cut(c->call);
    }
}

static void free_buffers(kin__client *c)
{
    for (kin__reply *r = c->out, *next; r != NULL; r = next) {
        next = r->next;
        kin__os_free(r->bytes);
        kin__os_free(r);
    }
    kin__os_free(c->in);
    c->in = NULL;
    c->out = NULL;
}

void kin__client_bury(kin__client *c)
{
    kin__server *server = c->server;
    kin__server_lock_descriptors();
    *(c->previous != NULL ? &c->previous->next : &server->clients) = c->next;
    if (c->next != NULL) {
        c->next->previous = c->previous;
    }
    kin__server_unlock_descriptors();
    atomic_fetch_sub(&server->n_clients, 1);
    kin__hand_forget(&c->hand);
    kin__guest_end(c->guest);
    kin__holder_leave(c->holder);
    kin_release(c->address);
    free_buffers(c);
    kin__os_free(c);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Small ones are put together, for who has sent many requests at once. */
static bool add_to_last(kin__client *c, const char *bytes, size_t size)
{
    kin__reply *last = c->out;
    while (last != NULL && last->next != NULL) {
        last = last->next;
    }
    if (last == NULL || last->size + size > TOGETHER) {
        return false;
    }
    char *more = kin__os_realloc(last->bytes, last->size + size);
    if (more == NULL) {
        return false;
    }
    memcpy(more + last->size, bytes, size);
    last->bytes = more;
    last->size += size;
    return true;
}

void kin__client_send(kin__client *c, char *bytes, size_t size)
{
    kin__reply *r = NULL;
    bool ok = !c->dead && kin__server_charge(c->server, c, size);
    bool added = ok && add_to_last(c, bytes, size);
    if (ok && !added && (r = kin__os_malloc(sizeof *r)) != NULL) {
        *r = (kin__reply){ .bytes = bytes, .size = size };
        *c->last_out = r;
        c->last_out = &r->next;
    }
    if (r == NULL) {
        kin__os_free(bytes);
    }
    c->out_size += added || r != NULL ? size : 0;
    if (ok && !added && r == NULL) {
        kin__server_discharge(c->server, size);
        kin__client_drop(c);
    }
}

static void take_out_first(kin__client *c)
{
    kin__reply *r = c->out;
    c->out = r->next;
    c->last_out = c->out == NULL ? &c->out : c->last_out;
    c->out_size -= r->size;
    kin__server_discharge(c->server, r->size);
    kin__os_free(r->bytes);
    kin__os_free(r);
}

/* As much as goes. */
static void flush(kin__client *c)
{
    while (c->out != NULL && !c->dead) {
        kin__reply *r = c->out;
        kin__bytes parts[2] = { { r->bytes + r->sent, r->size - r->sent }, { NULL, 0 } };
        ssize_t n = kin__os_stream_write(c->fd, parts, NULL, 0, false);
        if (n == -EAGAIN) {
            return;
        }
        if (n < 0) {
            kin__client_drop(c);
            return;
        }
        r->sent += (size_t)n;
        c->since = kin__os_now();
        atomic_fetch_add(&c->server->bytes_out, (uint64_t)n);
        if (r->sent == r->size) {
            take_out_first(c);
        }
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool may_be_read(const kin__client *c) /* R1, R4 */
{
    return !c->dead && !c->ending && c->call == NULL && c->out_size <= UNREAD && c->resumes == 0;
}

typedef struct turn {
    int64_t ends;
    size_t from;
    unsigned requests;
} turn;

/* Whether he may ask once more now, which is booked then; else when he resumes is noted. R4 */
static bool may_ask(kin__client *c, turn *t)
{
    int64_t now = kin__os_now();
    if (t->requests > 0 &&
        (t->requests == TURN || c->from - t->from >= TURN_BYTES || now >= t->ends)) {
        c->resumes = NEXT_TURN;
    } else if (c->server->pace > 0 && !c->booked) {
        c->resumes = kin__holder_book(c->holder, now, c->server->pace);
        c->booked = true;
    }
    c->booked = c->booked && c->resumes != 0;
    t->requests++;
    return c->resumes == 0;
}

/* What was asked is no longer there. */
static void close_gap(kin__client *c)
{
    memmove(c->in, c->in + c->from, c->have - c->from);
    c->have -= c->from;
    c->from = 0;
}

static void take_frames(kin__client *c)
{
    turn t = { .ends = kin__os_now() + TURN_TIME, .from = c->from };
    kin__frame f;
    int rv = 1;
    while (rv > 0 && c->have > c->from && may_be_read(c)) {
        rv = kin__framing_look(c->in + c->from, c->have - c->from, c->server->max_message, &f);
        if (rv > 0 && may_ask(c, &t)) {
            kin__client_asks(c, f.body, f.size);
            c->from += f.whole;
            if (t.requests == EARLY) {
                flush(c);
            }
        }
    }
    if (rv < 0) {
        atomic_fetch_add(&c->server->refused, 1);
        kin__client_drop(c);
    } else if (c->from > 0 && c->from >= c->have - c->from) { /* costs no more than was asked */
        close_gap(c);
    }
}

/* A place for what arrives: R2. */
static bool make_room(kin__client *c)
{
    if (c->from > 0 && c->have == c->room) { /* the first request is here in part: once for each */
        close_gap(c);
    }
    size_t most = c->server->max_message + 12;
    size_t room = c->room == 0 ? LEAST : 2 * c->room < most ? 2 * c->room : most;
    if (c->have < c->room) {
        return true;
    }
    if (!kin__server_charge(c->server, c, room - c->room)) {
        return false;
    }
    char *in = kin__os_realloc(c->in, room);
    if (in == NULL) {
        kin__server_discharge(c->server, room - c->room);
        return false;
    }
    c->in = in;
    c->room = room;
    return true;
}

static void let_go_of_room(kin__client *c)
{
    if (!c->dead && c->have == 0 && c->room > LEAST) {
        kin__server_discharge(c->server, c->room);
        kin__os_free(c->in);
        c->in = NULL;
        c->room = 0;
    }
}

static void receive(kin__client *c)
{
    if (!make_room(c)) {
        kin__client_drop(c);
        return;
    }
    ssize_t n = kin__os_stream_read(c->fd, c->in + c->have, c->room - c->have, false);
    if (n == -EAGAIN) {
        return;
    }
    if (n <= 0) {
        kin__client_drop(c);
        return;
    }
    c->have += (size_t)n;
    atomic_fetch_add(&c->server->bytes_in, (uint64_t)n);
}

/* ---- events ---------------------------------------------------------------------------------- */

void kin__client_go_on(kin__client *c)
{
    kin__frame f;
    c->turn = c->resumes == 0 ? c->server->turn : c->turn;
    take_frames(c);
    flush(c);
    size_t have = c->have - c->from;
    if (have > 0 && may_be_read(c) &&
        kin__framing_look(c->in + c->from, have, c->server->max_message, &f) != 0) {
        c->resumes = NEXT_TURN; /* it was held back by R1 */
    }
    let_go_of_room(c);
    if (c->ending && c->call == NULL && c->out == NULL) {
        kin__client_drop(c);
    }
    bool reads = may_be_read(c) || c->resumes == NEXT_TURN; /* so soon that it stays as it is */
    unsigned want = (reads ? KIN__CAN_READ : 0u) | (c->out != NULL ? KIN__CAN_WRITE : 0u);
    if (!c->dead && want != c->watched) {
        c->watched = want;
        if (kin__os_watch_for(c->server->watch, c->fd, c, want, false) < 0) {
            kin__client_drop(c);
        }
    }
}

int64_t kin__client_turn(kin__client *c, int64_t now)
{
    if (!c->dead && c->resumes != 0 && c->resumes <= now && c->turn != c->server->turn) {
        c->resumes = 0;
        kin__client_go_on(c);
    }
    return c->dead || c->resumes == 0 ? KIN__NEVER : c->resumes;
}

void kin__client_event(kin__client *c, unsigned what)
{
    if (c->dead) {
        return;
    }
    if (what & KIN__HUNG_UP && !(c->watched & KIN__CAN_READ)) { /* what he sent is not wanted */
        kin__client_drop(c);
        return;
    }
    if (what & (KIN__CAN_READ | KIN__HUNG_UP) && may_be_read(c)) {
        receive(c);
    }
    if (!c->dead) {
        kin__client_go_on(c);
    }
}
