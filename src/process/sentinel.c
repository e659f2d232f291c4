/* sentinel.c - the descriptors by which processes learn of one another's ends.
 *
 * Idea. The kernel closes what a process holds when it ends, however it does. So a pipe tells its
 * readers when the one process that writes to it is gone; a pidfd does that without a pipe.
 *
 *      sentinel   parent reads    of a child: a pidfd; and a child of its parent
 *      lifeline   child writes    what the sentinel reads, where the kernel has no pidfds
 *      tether     daemon reads    parent writes; os/inherit.c has the daemon killed by it
 *
 * Rule. Nobody else may hold a writing end: whoever is forked closes what it inherits of them
 * before anything else of its program runs (children.c). So each is opened under the lock that a
 * fork takes.
 *
 * Death. It is the kernel who tells, so it is told however a process ends.
 */
#include "child.h"

#include <errno.h>

static int tether[2] = { -1, -1 }; /* made for the first daemon */
static int own_tie = -1;           /* what we die by, as a daemon */
static int own_lifeline = -1;      /* ours, for our parent to see */
static int of_parent = -1;         /* its sentinel, once somebody has asked */

void kin__process_close_fd(int *fd)
{
    if (*fd >= 0) {
        kin__os_close(*fd);
    }
    *fd = -1;
}

/* ---- tethers ------------------------------------------------------------------------------ */

int kin__process_tether(void)
{
    kin__process_lock();
    int rv = tether[0] >= 0 ? 0 : kin__os_pipe(tether);
    int end = tether[0];
    kin__process_unlock();
    return rv < 0 ? kin__fail_os(rv, "kin_process_start: no pipe to tie a daemon to") : end;
}

int kin__process_tie(int end)
{
    int rv = kin__os_die_with_writer(end);
    kin__os_close(end);
    own_tie = rv < 0 ? -1 : rv;
    return rv < 0 ? rv : 0;
}

void kin__process_drop_tether(void)
{
    kin__process_lock();
    kin__process_close_fd(&tether[0]);
    kin__process_close_fd(&tether[1]);
    kin__process_unlock();
}

void kin__process_untie(bool keep_tether)
{
    kin__process_close_fd(&own_lifeline);
    kin__process_close_fd(&own_tie);
    kin__process_close_fd(&of_parent); /* who forked us has another one */
    kin__process_close_fd(&tether[1]);
    if (!keep_tether) {
        kin__process_close_fd(&tether[0]);
    }
    tether[0] = -1; /* a daemon has its number: life.c */
}

/* ---- lifelines and sentinels --------------------------------------------------------------- */

bool kin__process_has_pidfds(void)
{
    static _Atomic int known; /* 1: yes, -1: no */
    if (known == 0) {
        int fd = kin__os_pidfd(kin__os_getpid());
        if (fd == -EMFILE || fd == -ENFILE) {
            return true; /* not to be told now; nearly all have */
        }
        known = fd >= 0 ? 1 : -1;
        kin__process_close_fd(&fd);
    }
    return known > 0;
}

int kin__process_open_lifeline(kin_process *p)
{
    int ends[2];
    if (kin__process_has_pidfds()) {
        return 0;
    }
    int rv = kin__os_pipe(ends);
    if (rv < 0) {
        return kin__fail_os(rv, "kin_process_start: no pipe to watch %s with", p->name);
    }
    p->sentinel = ends[0];
    p->lifeline = ends[1];
    return 0;
}

void kin__process_hold_lifeline(kin_process *self)
{
    own_lifeline = self->lifeline;
    self->lifeline = -1;
    if (own_lifeline >= 0) {
        (void)kin__os_keep_from_exec(own_lifeline);
    }
}

/* Too late for a pidfd: a pipe without a writer is readable too. */
static int readable_pipe(void)
{
    int ends[2];
    int rv = kin__os_pipe(ends);
    if (rv == 0) {
        kin__os_close(ends[1]);
    }
    return rv < 0 ? rv : ends[0];
}

int kin__process_sentinel_of(kin_process *p)
{
    if (p->sentinel < 0) {
        p->sentinel = p->phase == PHASE_RUNNING ? kin__os_clear_of_stdio(kin__os_pidfd(p->pid))
                                                : readable_pipe();
    }
    return p->sentinel;
}

/* Its pid may be another's by now: that is looked at when a pidfd holds it fast. */
int kin__process_sentinel_of_parent(const kin_process *p)
{
    if (of_parent < 0) {
        of_parent = kin__os_clear_of_stdio(kin__os_pidfd(p->pid));
        if (kin__os_has_ended(p->pid, p->started)) {
            kin__process_close_fd(&of_parent);
            of_parent = readable_pipe();
        }
    }
    return of_parent;
}
