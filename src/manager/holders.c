/* holders.c - which program refers to which objects, and how often.
 *
 * Idea. Python sends each incref and decref on a connection of its own, so a connection's end says
 * nothing. What can be known is the program at the other end: a process, where the kernel tells
 * which one; else a host.
 *
 *      client --\
 *      client ---+--> holder { pid | host } --> object, how often
 *
 * Rules.
 *   R1  A process gives back what it refers to when it has ended; a host, when none of its
 *       connections has been open for SILENCE.
 *   R2  A holder without connections and references is nobody, once what it has booked is over: so
 *       nobody gets a new rate by connecting anew.
 *   R3  With a rate, each request is booked: `due` is a pace later then, and the request's time is
 *       a second before that. So what was not used for a second may come at once, and whoever books
 *       first, among the connections of a program, is first.
 */
#include "server.h"

#include <string.h>

#define SECOND INT64_C(1000000000)
#define SILENCE (60 * SECOND)
#define LOOK SECOND
#define HOST 64

typedef struct hold {
    kin__object *object;
    uint64_t n;
} hold;

struct kin__holder {
    kin__holder *next;
    pid_t pid; /* 0: a host */
    uint64_t start;
    char host[HOST];
    unsigned clients;
    int64_t left_at;
    int64_t due; /* R3 */
    hold *holds;
    size_t n, room;
};

static bool is_this(const kin__holder *h, pid_t pid, uint64_t start, const char *host)
{
    return pid != 0 ? h->pid == pid && h->start == start
                    : h->pid == 0 && strncmp(h->host, host, HOST - 1) == 0;
}

kin__holder *kin__holder_enter(kin__holder **all, pid_t pid, const char *host)
{
    uint64_t start = 0;
    pid = pid != 0 && kin__os_start_time(pid, &start) == 0 ? pid : 0;
    kin__holder *h = *all;
    while (h != NULL && !is_this(h, pid, start, host)) {
        h = h->next;
    }
    if (h == NULL && (h = kin__os_calloc(1, sizeof *h)) != NULL) {
        *h = (kin__holder){ .next = *all, .pid = pid, .start = start };
        strncpy(h->host, host, HOST - 1);
        *all = h;
    }
    if (h != NULL) {
        h->clients++;
    }
    return h;
}

void kin__holder_leave(kin__holder *h)
{
    h->clients--;
    h->left_at = kin__os_now();
}

int64_t kin__holder_book(kin__holder *h, int64_t now, int64_t pace)
{
    h->due = (h->due > now ? h->due : now) + pace;
    return h->due - SECOND > now ? h->due - SECOND : 0;
}

/* ---- references ------------------------------------------------------------------------------ */

static hold *find(kin__holder *h, const kin__object *o)
{
    for (size_t i = 0; i < h->n; i++) {
        if (h->holds[i].object == o) {
            return &h->holds[i];
        }
    }
    return NULL;
}

int kin__holder_ref(kin__holder *h, kin__objects *objects, kin__object *o)
{
    hold *at = find(h, o);
    if (at == NULL && h->n == h->room) {
        size_t room = h->room > 0 ? 2 * h->room : 8;
        hold *more = kin__os_realloc(h->holds, room * sizeof *more);
        if (more == NULL) {
            return kin__fail(KIN_ENOMEM, "no memory for one more reference");
        }
        h->holds = more;
        h->room = room;
    }
    if (at == NULL) {
        at = &h->holds[h->n++];
        *at = (hold){ .object = o };
    }
    at->n++;
    kin__object_ref(objects, o);
    return 0;
}

bool kin__holder_unref(kin__holder *h, kin__objects *objects, kin__object *o)
{
    hold *at = find(h, o);
    if (at == NULL) {
        return false;
    }
    if (--at->n == 0) {
        *at = h->holds[--h->n];
    }
    kin__object_unref(objects, o, 1);
    return true;
}

/* ---- those who are gone ---------------------------------------------------------------------- */

static bool has_left(const kin__holder *h, int64_t now)
{
    if (h->clients > 0 || h->due > now) {
        return false;
    }
    return h->n == 0 ||
           (h->pid != 0 ? kin__os_has_ended(h->pid, h->start) : now - h->left_at >= SILENCE);
}

static void release(kin__holder *h)
{
    kin__os_free(h->holds);
    kin__os_free(h);
}

int64_t kin__holders_look(kin__holder **all, kin__objects *objects, int64_t now)
{
    int64_t again = KIN__NEVER;
    for (kin__holder **at = all; *at != NULL;) {
        kin__holder *h = *at;
        if (!has_left(h, now)) {
            again = h->clients == 0 ? now + LOOK : again;
            at = &h->next;
            continue;
        }
        *at = h->next;
        for (size_t i = 0; i < h->n; i++) {
            kin__object_unref(objects, h->holds[i].object, h->holds[i].n);
        }
        release(h);
    }
    return again;
}

void kin__holders_end(kin__holder **all)
{
    for (kin__holder *h = *all, *next; h != NULL; h = next) {
        next = h->next;
        release(h);
    }
    *all = NULL;
}
