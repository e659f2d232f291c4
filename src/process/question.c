/* question.c - what may be asked about a child, and about our parent.
 *
 * Whoever asks finds out that a child has ended, so these change the object, too: under the lock of
 * children.c, after kin__process_settle.
 */
#include "../conn/waitable.h"
#include "child.h"

#include <errno.h>
#include <string.h>

int kin_process_exitcode(const kin_process *process)
{
    if (process != NULL && (process == kin__process_current() || kin_process_pid(process) == 0)) {
        return KIN_RUNNING;
    }
    int rv = kin__process_lock_child(process, "kin_process_exitcode");
    if (rv < 0) {
        return rv;
    }
    int code = kin__process_code((kin_process *)process);
    kin__process_unlock();
    return code == KIN_ENOTFOUND
               ? kin__fail(code, "kin_process_exitcode: somebody else has reaped %s", process->name)
               : code;
}

bool kin_process_is_alive(const kin_process *process)
{
    if (process != NULL && process == kin__process_current()) {
        return true;
    }
    if (process != NULL && process == kin_parent_process()) {
        return !kin__os_has_ended(process->pid, process->started);
    }
    if (kin__process_lock_child(process, "kin_process_is_alive") < 0) {
        return false;
    }
    kin__process_settle((kin_process *)process);
    bool alive = process->phase == PHASE_RUNNING;
    kin__process_unlock();
    return alive;
}

int kin_process_pid(const kin_process *process)
{
    if (process == NULL) {
        return kin__fail(KIN_EINVAL, "kin_process_pid: the process is NULL");
    }
    if (process == kin__process_current()) {
        return kin__os_getpid(); /* after a fork() of the user's it is not the one of before */
    }
    kin__process_lock();
    pid_t pid = process->pid;
    kin__process_unlock();
    return pid;
}

static int sentinel_of_child(kin_process *p)
{
    kin__process_settle(p);
    int rv = kin__process_sentinel_of(p);
    if (rv == -ESRCH) { /* nobody's zombie: it ended a moment ago where SIGCHLD is ignored */
        kin__process_settle(p);
        rv = kin__process_sentinel_of(p);
    }
    return rv;
}

int kin_process_sentinel(const kin_process *process)
{
    int rv = 0;
    if (process != NULL && process == kin_parent_process()) {
        kin__process_lock();
        rv = kin__process_sentinel_of_parent(process);
    } else {
        rv = kin__process_lock_child(process, "kin_process_sentinel");
        if (rv < 0) {
            return rv;
        }
        rv = sentinel_of_child((kin_process *)process);
    }
    kin__process_unlock();
    return rv < 0 ? kin__fail_os(rv, "kin_process_sentinel: no descriptor for %s", process->name)
                  : rv;
}

static int fd_of_process(const kin_waitable *thing)
{
    return kin_process_sentinel(thing->thing);
}

kin_waitable kin_process_waitable(const kin_process *process)
{
    static const kin__waitable_ops ops = { .name = "the sentinel", .fd = fd_of_process };
    return (kin_waitable){ .fd = -1, .thing = (void *)process, .ops = &ops };
}

int kin_active_children(kin_process **ret_children, size_t room)
{
    if (ret_children == NULL && room != 0) {
        return kin__fail(KIN_EINVAL, "kin_active_children: room for %zu at NULL", room);
    }
    size_t n = 0;
    kin__process_lock();
    for (kin_process *p = kin__process_list(), *next; p != NULL; p = next) {
        next = p->next;
        bool runs = p->phase == PHASE_RUNNING;
        p->uses++;
        kin__process_settle(p);
        bool still = runs && p->phase == PHASE_RUNNING;
        if (still && n < room) {
            ret_children[n] = p; /* with the use */
        } else {
            kin__process_drop(p);
        }
        n += still;
    }
    kin__process_unlock();
    return (int)n;
}

/* The record is shared memory: what its text said stays said. With the lock held. */
static const char *keep_text(kin_process *p, const kin__crash *crash)
{
    if (p->crash_text == NULL) {
        p->crash_text = kin__os_calloc(1, sizeof crash->text + 1);
    }
    if (p->crash_text == NULL) {
        return "";
    }
    memcpy(p->crash_text, crash->text, sizeof crash->text); /* frames come behind the first line */
    return p->crash_text;
}

int kin_process_crash_info(const kin_process *process, kin_crash_info *ret_info)
{
    int rv = ret_info == NULL
                 ? kin__fail(KIN_EINVAL, "kin_process_crash_info: no place for the information")
                 : kin__process_lock_child(process, "kin_process_crash_info");
    if (rv < 0) {
        return rv;
    }
    const kin__crash *crash = &process->record->crash;
    if (atomic_load_explicit(&crash->published, memory_order_acquire) == 0) {
        rv = kin__fail(KIN_ENOTFOUND, "kin_process_crash_info: %s has not crashed", process->name);
    } else {
        *ret_info = (kin_crash_info){ .signal = crash->signal,
                                      .code = crash->code,
                                      .address = crash->address,
                                      .text = keep_text((kin_process *)process, crash) };
    }
    kin__process_unlock();
    return rv;
}

/* ---- our parent ------------------------------------------------------------------------------ */

/* Our parent, who is no child of ours: looked at, and never reaped. */
int kin__process_join_parent(const kin_process *p, int64_t deadline)
{
    int fd = kin__os_pidfd(p->pid);
    int rv = 0;
    if (kin__os_has_ended(p->pid, p->started)) {
        rv = 0;
    } else if (fd < 0) {
        rv = kin__fail_os(fd, "kin_process_join: cannot watch %s", p->name);
    } else {
        rv = kin__os_wait_child(p->pid, fd, deadline);
        rv = rv == -ETIMEDOUT ? kin__fail(KIN_ETIMEDOUT, "kin_process_join: %s (pid %d) still runs",
                                          p->name, (int)p->pid)
             : rv == -EINTR   ? kin__fail(KIN_EINTR, "kin_process_join: interrupted")
                              : 0;
    }
    if (fd >= 0) {
        kin__os_close(fd);
    }
    return rv;
}
