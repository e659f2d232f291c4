/* watch.c - a descriptor that says when to look at several things: for event loops.
 *
 * Idea. kin_wait sleeps by itself; an event loop sleeps in its own way, over descriptors. So it
 * gets one more, an epoll, which polls readable as long as a look might find something:
 *
 *                     the loop: epoll, poll, ...
 *                                |
 *         +-------------- the watch: an epoll ---------+---------------------+
 *         |                      |                     |                     |
 *    descriptors, of       a flag: "look!"       a bell, for the       an alarm, for
 *    the things that                             gates of the          naps
 *    have one                                    others (bell.c)
 *
 * Rules.
 *   R1  The flag is up from the beginning, and after a look that found something or failed. So the
 *       descriptor is readable until a look finds nothing: who takes one message of many is called
 *       again.
 *   R2  A look that finds nothing is made twice: the bell is hushed and tickets are taken between
 *       the two, as before a sleep (sync/room.h). Only after the second the flag is taken down.
 *   R3  Tickets are taken at gates of things that the first of these looks found to be what they
 *       were.
 *   R4  The alarm is set only while somebody is at work on one of the things: if he dies, no bell
 *       rings. (If he does not, it does.) So a watch at rest never ticks.
 *   R5  A thing that was told of is looked at anew at once: an event that was set and cleared is
 *       told of once, and when that happens again, once again.
 *   R6  Things whose descriptors do not always tell of everything (wait.c, R4) do so from the
 *       beginning to the end; the flag is up until they were looked at after that.
 *
 * Death. The watch is of one process. With him goes the bell, and all else is descriptors.
 *
 * Fork. The child has copies of these, which are one with its parent's: it closes them and does
 * nothing else. The bell's block and cell stay the parent's.
 *
 * Not here. Looking itself (wait.c).
 */
#include "../sync/room.h"
#include "room.h"

#include <errno.h>
#include <string.h>

struct kin_watch {
    kin__id owner;
    int epoll;
    int flag;
    bool flag_is_up;
    bool naps;      /* the alarm is set */
    int alarm;      /* -1: there is no gate, and no bell */
    kin__bell bell; /* its descriptor likewise */
    size_t n, n_gates;
    size_t n_told; /* things, from the first, whose descriptors tell of everything (ops->watch) */
    kin_waitable things[];
};

static void set_flag(kin_watch *w, bool up)
{
    if (up != w->flag_is_up) {
        kin__os_flag_set(w->flag, up);
        w->flag_is_up = up;
    }
}

static void set_alarm(kin_watch *w, bool naps)
{
    if (naps || w->naps) {
        kin__os_alarm_set(w->alarm, naps ? kin__os_now() + KIN__NAP : KIN__NEVER);
        w->naps = naps;
    }
}

static kin__gate *gate_of(const kin_waitable *thing)
{
    return thing->ops->gate != NULL ? thing->ops->gate(thing) : NULL;
}

/* ---- the beginning and the end ------------------------------------------------------------- */

static int fail_to_open(int error)
{
    return kin__fail_os(error, "kin_watch_new: no descriptor to tell by");
}

static int open_epoll(kin_watch *w)
{
    int rv = w->epoll = kin__os_watch_new();
    rv = rv < 0 ? rv : (w->flag = kin__os_flag_new());
    rv = rv < 0 ? rv : kin__os_watch_add(w->epoll, w->flag, NULL);
    return rv < 0 ? fail_to_open(rv) : 0;
}

static int add_descriptor(kin_watch *w, size_t i)
{
    const kin_waitable *thing = &w->things[i];
    if (thing->ops->gate != NULL) {
        return 0;
    }
    int fd = thing->ops->fd(thing);
    if (fd < 0) {
        return kin__fail(fd, "kin_watch_new: thing %zu: %s", i, kin_errmsg());
    }
    int rv = kin__os_watch_add(w->epoll, fd, NULL);
    if (rv == -EEXIST || rv == -EPERM) {
        return 0; /* it is there twice; or a file, which a look always finds ready */
    }
    return rv < 0 ? kin__fail_os(rv, "kin_watch_new: thing %zu: descriptor %d", i, fd) : 0;
}

static int hang_for(kin_watch *w, kin__gate *const *gates)
{
    int rv = kin__bell_hang(gates, w->n_gates, &w->bell);
    if (rv < 0) {
        return rv;
    }
    rv = w->alarm = kin__os_alarm_new();
    rv = rv < 0 ? rv : kin__os_watch_add(w->epoll, w->alarm, NULL);
    rv = rv < 0 ? rv : kin__os_watch_add(w->epoll, w->bell.fd, NULL);
    return rv < 0 ? fail_to_open(rv) : 0;
}

static int hang_bell(kin_watch *w)
{
    kin__gate **gates = kin__os_malloc(w->n * sizeof *gates);
    if (gates == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_watch_new: no memory for %zu things", w->n);
    }
    for (size_t i = 0; i < w->n; i++) {
        kin__gate *gate = gate_of(&w->things[i]);
        if (gate != NULL) {
            gates[w->n_gates++] = gate;
        }
    }
    int rv = w->n_gates > 0 ? hang_for(w, gates) : 0;
    kin__os_free(gates);
    return rv;
}

/* R6. */
static int have_told(kin_watch *w)
{
    for (; w->n_told < w->n; w->n_told++) {
        const kin_waitable *thing = &w->things[w->n_told];
        int rv = thing->ops->watch != NULL ? thing->ops->watch(thing) : 0;
        if (rv < 0) {
            return kin__fail(rv, "kin_watch_new: thing %zu: %s", w->n_told, kin_errmsg());
        }
    }
    return 0;
}

static int begin(kin_watch *w)
{
    bool held;
    w->owner = kin__self();
    if (w->owner == KIN__NOBODY) {
        return kin__failure();
    }
    int rv = kin__wait_look("kin_watch_new", w->things, w->n, true, &held);
    rv = rv < 0 ? rv : open_epoll(w);
    for (size_t i = 0; i < w->n && rv >= 0; i++) {
        rv = add_descriptor(w, i);
    }
    rv = rv < 0 ? rv : hang_bell(w);
    rv = rv < 0 ? rv : have_told(w);
    if (rv == 0) {
        set_flag(w, true); /* R1 */
    }
    return rv;
}

int kin_watch_new(kin_watch **ret_watch, const kin_waitable *things, size_t n)
{
    if (ret_watch == NULL || things == NULL || n == 0 || n > KIN__THINGS_MOST) {
        return kin__fail(KIN_EINVAL, "kin_watch_new: %zu things at %p, the watch to %p", n,
                         (const void *)things, (void *)ret_watch);
    }
    kin_watch *w = kin__os_malloc(sizeof *w + n * sizeof *things);
    if (w == NULL) {
        return kin__fail(KIN_ENOMEM, "kin_watch_new: no memory for %zu things", n);
    }
    *w = (kin_watch){ .epoll = -1, .flag = -1, .alarm = -1, .bell = { .fd = -1 }, .n = n };
    memcpy(w->things, things, n * sizeof *things);
    int rv = begin(w);
    if (rv < 0) {
        kin_watch_free(w);
        return rv;
    }
    *ret_watch = w;
    return 0;
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        kin__os_close(fd);
    }
}

void kin_watch_free(kin_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    bool is_ours = watch->owner == kin__self(); /* and not a fork's copy */
    for (size_t i = 0; i < watch->n_told && is_ours; i++) {
        const kin_waitable *thing = &watch->things[i];
        if (thing->ops->unwatch != NULL) {
            thing->ops->unwatch(thing);
        }
    }
    if (watch->bell.fd >= 0 && is_ours) {
        kin__bell_drop(&watch->bell);
    } else {
        close_if_open(watch->bell.fd);
    }
    close_if_open(watch->alarm);
    close_if_open(watch->flag);
    close_if_open(watch->epoll);
    kin__os_free(watch);
}

/* ---- looking --------------------------------------------------------------------------------- */

static int check(const kin_watch *watch, const char *verb)
{
    if (watch == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the watch is NULL", verb);
    }
    return watch->owner == kin__self()
               ? 0
               : kin__fail(KIN_ESTATE,
                           "%s: the watch is that of the process which made it, and this one was "
                           "forked since: make another one here",
                           verb);
}

int kin_watch_fileno(const kin_watch *watch)
{
    int rv = check(watch, "kin_watch_fileno");
    return rv < 0 ? rv : watch->epoll;
}

static int look(kin_watch *w, bool *ret_held)
{
    return kin__wait_look("kin_watch_look", w->things, w->n, false, ret_held);
}

/* R2. */
static int look_twice(kin_watch *w, bool *ret_held)
{
    int rv = look(w, ret_held);
    if (rv != 0 || w->n_gates == 0) {
        return rv;
    }
    kin__bell_hush(&w->bell);
    KIN__STEP("watch.hushed");
    for (size_t i = 0; i < w->n; i++) {
        kin__gate *gate = gate_of(&w->things[i]); /* R3 */
        if (gate != NULL) {
            (void)kin__gate_ticket(gate);
        }
    }
    return look(w, ret_held);
}

/* R5. What became of the thing in between, the next look says. */
static void begin_anew(kin_waitable *thing)
{
    bool held;
    if (thing->ready && thing->ops->gate != NULL) {
        (void)thing->ops->look(thing, true, &held);
    }
}

int kin_watch_look(kin_watch *watch, kin_waitable *things)
{
    bool held = false;
    int rv = check(watch, "kin_watch_look");
    if (rv < 0) {
        return rv;
    }
    rv = look_twice(watch, &held);
    set_flag(watch, rv != 0);
    set_alarm(watch, rv == 0 && held);
    for (size_t i = 0; i < watch->n; i++) {
        begin_anew(&watch->things[i]);
        if (things != NULL) {
            things[i].ready = watch->things[i].ready;
        }
    }
    return rv;
}
