/* guest.c - those who have connected, and have yet to show that they know the key. Idea and rules:
 * listener.h. Not here: what a guest has to say (auth.c). */
#include "guest.h"

#include <errno.h>

#define GUESTS 256
#define TURNS 1024 /* things done before a look at the time */

static void set_alarm(kin_listener *l, int64_t when)
{
    l->alarm_at = when;
    kin__os_alarm_set(l->alarm, when);
}

/* ---- guests --------------------------------------------------------------------------- */

static void append(kin_listener *l, kin__guest *g)
{
    g->deadline = l->patience == KIN__NEVER ? KIN__NEVER : kin__os_now() + l->patience;
    g->next = NULL;
    g->previous = l->last;
    *(l->last != NULL ? &l->last->next : &l->first) = g;
    l->last = g;
    l->guests++;
}

static void detach(kin_listener *l, kin__guest *g)
{
    *(g->previous != NULL ? &g->previous->next : &l->first) = g->next;
    *(g->next != NULL ? &g->next->previous : &l->last) = g->previous;
    l->guests--;
}

static void note_known(kin_listener *l, kin__guest *g, const char *reason)
{
    kin__guest **at = &l->known;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    g->right = reason == NULL;
    g->reason = reason;
    g->next = NULL;
    *at = g;
}

/* One at work is known now. */
static void settle(kin_listener *l, kin__guest *g, const char *reason)
{
    detach(l, g);
    kin__os_watch_remove(l->watch, g->fd);
    note_known(l, g, reason);
}

static void drop(kin__guest *g)
{
    if (g->fd >= 0) {
        kin__os_close(g->fd);
    }
    kin__wipe(&g->auth, sizeof g->auth);
    kin__os_free(g);
}

void kin__guests_drop_known(kin_listener *l)
{
    kin__guest *g = l->known;
    l->known = g->next;
    drop(g);
}

void kin__guests_drop_all(kin_listener *l)
{
    for (kin__guest *g = l->first, *next; g != NULL; g = next) {
        next = g->next;
        drop(g);
    }
    for (kin__guest *g = l->known, *next; g != NULL; g = next) {
        next = g->next;
        drop(g);
    }
    l->first = l->last = l->known = NULL;
    l->guests = 0;
}

/* ---- what there is to do ---------------------------------------------------------------- */

/* A guest said something. */
static void hear(kin_listener *l, kin__guest *g)
{
    unsigned before = g->auth.got;
    kin__auth_wish wish = kin__auth_drive(&g->auth, g->fd);
    if (wish != KIN__AUTH_RECEIVE) {
        settle(l, g, wish == KIN__AUTH_DONE ? NULL : g->auth.reason);
    } else {
        kin__os_net_hurry(g->fd);    /* R7 */
        if (g->auth.got != before) { /* R3 */
            detach(l, g);
            append(l, g);
        }
    }
}

/* The alarm rang: for those whose time is over, or for nobody. */
static void expire(kin_listener *l)
{
    set_alarm(l, KIN__NEVER);
    int64_t now = kin__os_now();
    while (l->first != NULL && l->first->deadline <= now) {
        kin__guest *g = l->first;
        hear(l, g);
        if (g == l->first && g->deadline <= now) {
            settle(l, g, "was silent for too long: does it have a key?");
        }
    }
}

static int begin(kin_listener *l, kin__guest *g)
{
    kin__bytes key = { l->key, l->key_size };
    int rv = kin__auth_begin(&g->auth, true, key, l->allow_md5);
    rv = rv < 0 ? rv : kin__os_watch_add(l->watch, g->fd, g);
    if (rv < 0) {
        return rv;
    }
    append(l, g);
    if (l->guests > GUESTS) { /* R4 */
        settle(l, l->first, "had to make room: too many were silent");
    }
    hear(l, g);
    return 0;
}

/* One who connects. 0: he is a guest, or there is none; -errno. */
static int welcome(kin_listener *l)
{
    kin__guest *g = kin__os_calloc(1, sizeof *g);
    if (g == NULL) {
        return -ENOMEM; /* he has to wait */
    }
    g->fd = kin__os_net_accept(l->bound.socket, &g->from);
    int rv = g->fd < 0 ? g->fd : l->key != NULL ? begin(l, g) : 0;
    if (rv < 0) {
        drop(g);
        return rv == -EAGAIN ? 0 : rv;
    }
    if (l->key == NULL) {
        note_known(l, g, NULL);
    }
    return 0;
}

/* The same when descriptors are out: the one whose time is over soonest makes room. */
static int welcome_or_else(kin_listener *l)
{
    int rv = welcome(l);
    if ((rv == -EMFILE || rv == -ENFILE) && l->first != NULL) {
        kin__guest *g = l->first;
        settle(l, g, "had to make room: descriptors are out");
        kin__os_close(g->fd);
        g->fd = -1;
        return 0;
    }
    return rv;
}

/* Does what is to be done, until somebody is known: 0, or -errno. */
int kin__guests_work(kin_listener *l)
{
    int rv = 1;
    for (int i = 0; i < TURNS && rv > 0 && l->known == NULL; i++) {
        void *word = NULL;
        rv = kin__os_watch_next(l->watch, &word);
        if (rv <= 0) {
            break;
        }
        if (word == &l->bound) {
            int error = welcome_or_else(l);
            rv = error < 0 ? error : rv;
        } else if (word == &l->alarm) {
            expire(l);
        } else {
            hear(l, word);
        }
    }
    return rv < 0 ? rv : 0;
}

/* R2. One that rings early finds nothing to do, and is set anew. */
void kin__guests_mind_alarm(kin_listener *l)
{
    int64_t wanted = l->known != NULL ? 0 : l->first != NULL ? l->first->deadline : KIN__NEVER;
    if (wanted < l->alarm_at) {
        set_alarm(l, wanted);
    }
}

/* ---- watch and alarm -------------------------------------------------------------------- */

void kin__guests_close(kin_listener *l)
{
    if (l->watch >= 0) {
        kin__os_close(l->watch);
    }
    if (l->alarm >= 0) {
        kin__os_close(l->alarm);
    }
    l->watch = l->alarm = -1;
}

int kin__guests_open(kin_listener *l)
{
    l->alarm_at = KIN__NEVER;
    int rv = l->watch = kin__os_watch_new();
    rv = rv < 0 ? rv : (l->alarm = kin__os_alarm_new());
    rv = rv < 0 ? rv : kin__os_watch_add(l->watch, l->alarm, &l->alarm);
    rv = rv < 0 ? rv : kin__os_watch_add(l->watch, l->bound.socket, &l->bound);
    if (rv < 0) {
        kin__guests_close(l);
    }
    return rv < 0 ? rv : 0;
}

void kin__guests_ring(kin_listener *l)
{
    set_alarm(l, 0);
}
