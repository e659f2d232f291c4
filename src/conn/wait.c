/* wait.c - waiting for several things at once.
 *
 * Idea. Some things are told of by a descriptor (connections, listeners, processes), others by a
 * gate in the family's memory (events, queues). Descriptors are polled, and among them a bell,
 * which hangs for all the gates (sync/bell.c): so there is one sleep for both kinds.
 *
 *      look at all that can be looked at --> something: poll the rest, without waiting; done
 *                  |  nothing
 *      a few only: spin for a moment; nothing
 *                  |
 *      hang the bell
 *                  |
 *      take tickets --> look --> poll(descriptors, bell) --> look --> nothing: hush the bell,
 *            ^                     for ever; until the                  and again
 *            |                     deadline; for a nap                      |
 *            +--------------------------------------------------------------+
 *
 * Rules.
 *   R1  Everything is looked at after what ended the sleep: so all that is ready is marked, and not
 *       what woke us alone.
 *   R2  Naps are taken only while somebody is at work on one of the things: who dies then cannot
 *       ring. The first nap is short, since he is usually done in a moment.
 *   R3  A ticket is only taken at a gate of a thing that was looked at and is what it was: else the
 *       gate's memory may be anybody's.
 *   R4  While we may sleep, things are watched whose descriptors do not tell of everything else;
 *       and they are looked at after that.
 *   R5  poll refuses more entries than this process may have descriptors. So when it does, those
 *       that are there several times are polled once.
 *
 * Death. A waiter leaves nothing but his bell, which goes with him. Others: sync/room.h.
 *
 * Not here. What a thing is to its room: its kin__waitable_ops. Waiting in an event loop: watch.c.
 */
#include "../sync/room.h"
#include "room.h"

#include <errno.h>
#include <stdlib.h>

#define FEW 16 /* things that need no memory, and are worth a spin */
#define NOW 0  /* a deadline */
#define FIRST_NAP 1000000

/* A descriptor and the thing that it tells of. */
typedef struct seat {
    int fd;
    uint32_t thing;
} seat;

typedef struct set {
    const char *verb; /* for sentences */
    kin_waitable *things;
    size_t n;
    kin__gate **gates;
    seat *seats;
    int *fds; /* of the seats, neighbours that are the same once; then the bell's */
    bool *told;
    size_t n_gates, n_seats, n_fds;
    const kin__bell *bell; /* NULL: none yet */
    int64_t nap;
    bool first; /* look */
    bool held;
} set;

static int fail_thing(const set *s, size_t i, int code)
{
    return kin__fail(code, "%s: thing %zu: %s", s->verb, i, kin_errmsg());
}

/* ---- what there is to wait for ------------------------------------------------------------ */

static int compare_seats(const void *a, const void *b)
{
    int x = ((const seat *)a)->fd;
    int y = ((const seat *)b)->fd;
    return (x > y) - (x < y);
}

static void fill_fds(set *s)
{
    s->n_fds = 0;
    for (size_t i = 0; i < s->n_seats; i++) {
        if (s->n_fds == 0 || s->fds[s->n_fds - 1] != s->seats[i].fd) {
            s->fds[s->n_fds++] = s->seats[i].fd;
        }
    }
}

static int add(set *s, size_t i)
{
    const kin_waitable *thing = &s->things[i];
    if (thing->ops == NULL) {
        return kin__fail(KIN_EINVAL, "%s: thing %zu is none: make it by a kin_..._waitable",
                         s->verb, i);
    }
    if (thing->ops->gate != NULL) {
        s->n_gates++;
        return 0;
    }
    int fd = thing->ops->fd(thing);
    if (fd < 0) {
        return fail_thing(s, i, fd);
    }
    s->seats[s->n_seats++] = (seat){ .fd = fd, .thing = (uint32_t)i };
    return 0;
}

static int gather(set *s)
{
    for (size_t i = 0; i < s->n; i++) {
        int rv = add(s, i);
        if (rv < 0) {
            return rv;
        }
    }
    fill_fds(s);
    return 0;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* How many are ready of those that can be looked at. */
static int look(set *s)
{
    int found = 0;
    s->held = false;
    for (size_t i = 0; i < s->n; i++) {
        kin_waitable *thing = &s->things[i];
        bool held = false;
        int rv = thing->ops->look != NULL ? thing->ops->look(thing, s->first, &held) : 0;
        if (rv < 0) {
            return fail_thing(s, i, rv);
        }
        found += rv;
        s->held = s->held || held;
        thing->ready = thing->ready || rv > 0;
    }
    s->first = false;
    return found;
}

static bool any_found(void *ctx)
{
    return look(ctx) != 0;
}

/* Marks what descriptors have told: how many. */
static int mark(set *s)
{
    int found = 0;
    size_t at = 0;
    for (size_t i = 0; i < s->n_seats; i++) {
        at += s->fds[at] != s->seats[i].fd;
        kin_waitable *thing = &s->things[s->seats[i].thing];
        if (s->told[at] && !thing->ops->fd_hints) {
            thing->ready = true;
            found++;
        }
    }
    return found;
}

static int fail_not_open(const set *s)
{
    for (size_t i = 0; i < s->n_seats; i++) {
        seat it = s->seats[i];
        if (!kin__os_is_open(it.fd)) {
            const kin_waitable *thing = &s->things[it.thing];
            int now = thing->ops->fd(thing); /* a connection knows that it was closed */
            return now < 0 ? fail_thing(s, it.thing, now)
                           : kin__fail(KIN_EINVAL, "%s: thing %u: %s %d is not open", s->verb,
                                       (unsigned)it.thing, thing->ops->name, it.fd);
        }
    }
    return kin__fail(KIN_EINVAL, "%s: a descriptor was closed meanwhile", s->verb);
}

static int poll_all(set *s, int64_t until)
{
    size_t n = s->n_fds;
    if (s->bell != NULL) {
        s->fds[n++] = s->bell->fd;
    }
    return n > 0 || until != NOW ? kin__os_poll(s->fds, s->told, (int)n, until) : 0;
}

/* How many descriptors have told us that a thing is ready. */
static int poll_fds(set *s, int64_t until)
{
    int rv = poll_all(s, until);
    if (rv == -EINVAL) { /* R5 */
        qsort(s->seats, s->n_seats, sizeof *s->seats, compare_seats);
        fill_fds(s);
        rv = poll_all(s, until);
    }
    if (rv == -EBADF) {
        return fail_not_open(s);
    }
    if (rv < 0 && rv != -ETIMEDOUT) {
        return kin__fail_os(rv, "%s: cannot poll %zu descriptors", s->verb, s->n_fds);
    }
    return rv > 0 ? mark(s) : 0;
}

/* ---- waiting ------------------------------------------------------------------------------ */

/* R2. */
static int64_t end_of_sleep(set *s, int64_t deadline)
{
    if (!s->held) {
        s->nap = FIRST_NAP;
        return deadline;
    }
    int64_t nap_ends = kin__os_now() + s->nap;
    s->nap = s->nap * 2 < KIN__NAP ? s->nap * 2 : KIN__NAP;
    return nap_ends < deadline ? nap_ends : deadline;
}

/* A look at everything, and a sleep if there was nothing: how many were found. */
static int pass(set *s, int64_t deadline)
{
    int found = look(s);
    if (found != 0 || deadline == NOW) {
        int more = found >= 0 ? poll_fds(s, NOW) : 0;
        return found < 0 || more < 0 ? kin__failure() : found + more;
    }
    int told = poll_fds(s, end_of_sleep(s, deadline));
    found = told >= 0 ? look(s) : 0; /* R1 */
    return found < 0 || told < 0 ? kin__failure() : found + told;
}

/* 0 when the time is over. */
static int wait_in_passes(set *s, int64_t deadline)
{
    for (;;) {
        for (size_t i = 0; i < s->n_gates; i++) {
            (void)kin__gate_ticket(s->gates[i]); /* R3 */
        }
        KIN__STEP("wait.asleep");
        int rv = pass(s, deadline);
        KIN__STEP("wait.woken");
        if (rv != 0 || kin__os_now() >= deadline) {
            return rv;
        }
        if (s->bell != NULL) {
            kin__bell_hush(s->bell);
        }
    }
}

/* Of all things that have one; the first of these is returned, for kin_dump. */
static const void *find_gates(set *s)
{
    const void *first = NULL;
    for (size_t i = 0, n = 0; i < s->n; i++) {
        const kin_waitable *thing = &s->things[i];
        if (thing->ops->gate != NULL) {
            first = n == 0 ? thing->thing : first;
            s->gates[n++] = thing->ops->gate(thing);
        }
    }
    return first;
}

static int wait_with_bell(set *s, int64_t deadline)
{
    const void *first = find_gates(s); /* R3: they were looked at */
    kin__bell bell;
    int rv = kin__bell_hang(s->gates, s->n_gates, &bell);
    if (rv < 0) {
        return rv;
    }
    s->bell = &bell;
    kin__note_wait(first);
    rv = wait_in_passes(s, deadline);
    kin__note_woken(first);
    kin__bell_drop(&bell);
    return rv;
}

static int wait_for(set *s, int64_t deadline)
{
    if (s->n_gates == 0) {
        return wait_in_passes(s, deadline);
    }
    int rv = pass(s, NOW);
    if (rv == 0 && kin__may_wait(deadline) && s->n <= FEW && kin__spin(any_found, s)) {
        rv = pass(s, NOW);
    }
    return rv == 0 && kin__may_wait(deadline) ? wait_with_bell(s, deadline) : rv;
}

static int count_ready(set *s, int rv)
{
    int n = 0;
    for (size_t i = 0; i < s->n; i++) {
        s->things[i].ready = s->things[i].ready && rv >= 0;
        n += s->things[i].ready;
    }
    return rv < 0 ? rv : n;
}

/* R4: how many are watched then. */
static int watch(set *s, size_t *ret_n)
{
    int rv = 0;
    size_t i;
    for (i = 0; i < s->n && rv == 0; i++) {
        const kin_waitable *thing = &s->things[i];
        rv = thing->ops->watch != NULL ? thing->ops->watch(thing) : 0;
        rv = rv < 0 ? fail_thing(s, i, rv) : 0;
    }
    *ret_n = rv < 0 ? i - 1 : i;
    return rv;
}

static void unwatch(set *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const kin_waitable *thing = &s->things[i];
        if (thing->ops->unwatch != NULL) {
            thing->ops->unwatch(thing);
        }
    }
}

static int wait_with(set *s, int64_t deadline)
{
    size_t watched = 0;
    s->nap = FIRST_NAP;
    int rv = gather(s);
    if (rv == 0 && kin__may_wait(deadline)) {
        rv = watch(s, &watched);
    }
    rv = count_ready(s, rv < 0 ? rv : wait_for(s, deadline));
    unwatch(s, watched);
    return rv;
}

static int wait_for_many(set *s, int64_t deadline)
{
    char *memory = kin__os_malloc(s->n * (sizeof *s->gates + sizeof *s->seats) +
                                  (s->n + 1) * (sizeof *s->fds + sizeof *s->told));
    if (memory == NULL) {
        return kin__fail(KIN_ENOMEM, "%s: no memory for %zu things", s->verb, s->n);
    }
    s->gates = (kin__gate **)(void *)memory;
    s->seats = (seat *)(void *)(s->gates + s->n);
    s->fds = (int *)(void *)(s->seats + s->n);
    s->told = (bool *)(void *)(s->fds + s->n + 1);
    int rv = wait_with(s, deadline);
    kin__os_free(memory);
    return rv;
}

static int wait_for_few(set *s, int64_t deadline)
{
    kin__gate *gates[FEW];
    seat seats[FEW];
    int fds[FEW + 1];
    bool told[FEW + 1];
    s->gates = gates;
    s->seats = seats;
    s->fds = fds;
    s->told = told;
    return wait_with(s, deadline);
}

static void unmark(kin_waitable *things, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        things[i].ready = false;
    }
}

int kin_wait(kin_waitable *things, size_t n, double timeout)
{
    if (n > KIN__THINGS_MOST || (things == NULL && n > 0)) {
        return kin__fail(KIN_EINVAL, "kin_wait: %zu things at %p", n, (void *)things);
    }
    unmark(things, n);
    int64_t deadline;
    int rv = kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    if (n == 0 && deadline == KIN__NEVER) {
        return kin__fail(KIN_EINVAL, "kin_wait: nothing to wait for, and no timeout");
    }
    set s = { .verb = "kin_wait", .things = things, .n = n, .first = true };
    return n <= FEW ? wait_for_few(&s, deadline) : wait_for_many(&s, deadline);
}

int kin__wait_look(const char *verb, kin_waitable *things, size_t n, bool first, bool *ret_held)
{
    set s = { .verb = verb, .things = things, .n = n, .first = first };
    unmark(things, n);
    int rv = n <= FEW ? wait_for_few(&s, NOW) : wait_for_many(&s, NOW);
    *ret_held = s.held;
    return rv;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static int fd_of(const kin_waitable *thing)
{
    return thing->fd >= 0 ? thing->fd : kin__fail(KIN_EINVAL, "%d is no descriptor", thing->fd);
}

kin_waitable kin_fd_waitable(int fd)
{
    static const kin__waitable_ops ops = { .name = "descriptor", .fd = fd_of };
    return (kin_waitable){ .fd = fd, .ops = &ops };
}

/* ---- connections ----------------------------------------------------------------------------- */

static int fd_of_conn(const kin_waitable *thing)
{
    return kin__conn_fd(thing->thing);
}

static int watch_conn(const kin_waitable *thing)
{
    return kin__conn_watch(thing->thing);
}

static void unwatch_conn(const kin_waitable *thing)
{
    kin__conn_unwatch(thing->thing);
}

static int look_at_conn(kin_waitable *thing, bool first, bool *ret_held)
{
    (void)first;
    (void)ret_held;
    return kin__conn_has_pending(thing->thing);
}

kin_waitable kin_conn_waitable(kin_conn *conn)
{
    static const kin__waitable_ops ops = { .name = "the connection's descriptor",
                                           .fd = fd_of_conn,
                                           .watch = watch_conn,
                                           .unwatch = unwatch_conn,
                                           .look = look_at_conn };
    return (kin_waitable){ .fd = -1, .thing = conn, .ops = &ops };
}

/* ---- events ---------------------------------------------------------------------------------- */

static int look_at_event(kin_waitable *thing, bool first, bool *ret_held)
{
    (void)ret_held; /* never: anybody can finish what a setter began */
    return kin__event_look(thing->thing, first, &thing->note);
}

static kin__gate *gate_of_event(const kin_waitable *thing)
{
    return kin__event_gate(thing->thing);
}

kin_waitable kin_event_waitable(kin_event *event)
{
    static const kin__waitable_ops ops = { .name = "the event",
                                           .look = look_at_event,
                                           .gate = gate_of_event };
    return (kin_waitable){ .fd = -1, .thing = event, .note = kin__event_note(event), .ops = &ops };
}
