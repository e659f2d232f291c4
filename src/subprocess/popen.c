/* popen.c - a program that runs: whether it has ended, waiting for it, signals, letting it go.
 *
 * Idea.  Nobody watches a program: whoever asks looks, and reaps it when it has ended. One that is
 * let go while it runs becomes a stray; each later call reaps the strays that have ended.
 *
 *      runs --ended, asked--> returncode known --> freed
 *        \--freed--> stray --ended, some call--> reaped, gone
 *
 * Rules.
 *   R1  A pid is signalled only as long as we have not reaped it: it cannot be another's.
 *   R2  A program that leads a group is reaped when it is freed, and not before. Until then its
 *       number is the group's, and what it has left behind can be signalled when it has ended. When
 *       somebody else has reaped it, only its pidfd still leads there.
 *   R3  Strays are a stack that is taken as a whole, by one exchange, and put back one by one: so
 *       there is no lock, which a fork could copy as held.
 *   R4  A forked child has copies of all that, and waits for, signals and reaps nobody.
 *
 * Death.  Nothing is shared. A program goes on when we are killed.
 *
 * Not here.  How it starts (start.c), its pipes (communicate.c).
 */
#include "popen.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* ---- its end -------------------------------------------------------------------------- */

void kin__popen_settle(kin_popen *p)
{
    int code = 0;
    if (p->returncode != KIN_RUNNING) {
        return;
    }
    int rv = kin__os_ended(p->pid, p->pidfd, p->group, &code);
    if (rv != -EAGAIN) {
        p->returncode = rv >= 0 ? code : KIN_ENOTFOUND;
        p->reaped = rv != 0 || !p->group;
    }
}

int kin__popen_await(kin_popen *p, int64_t deadline)
{
    int fd = p->pidfd;
    for (;;) {
        kin__popen_settle(p);
        if (p->returncode != KIN_RUNNING) {
            return 0;
        }
        int rv = kin__os_wait_child(p->pid, fd, deadline);
        if (rv < 0 && rv != -ECHILD) {
            return rv;
        }
        kin__popen_settle(p);
        fd = rv == 0 ? -1 : fd; /* a debugger may keep the dead for itself for a while */
    }
}

int kin__popen_signal(kin_popen *p, int signal)
{
    kin__popen_settle(p);
    if (p->reaped) {
        if (p->group) { /* the number may be another's; where the kernel is too old, so be it */
            (void)kin__os_signal_group_by(p->pidfd, signal);
        }
        return 0;
    }
    int rv = kin__os_kill(p->group ? -p->pid : p->pid, signal);
    if (rv == -ESRCH && p->group) { /* it has gone to another one */
        rv = kin__os_kill(p->pid, signal);
    }
    return rv == -ESRCH ? 0 : rv;
}

/* ---- strays --------------------------------------------------------------------------- */

static _Atomic(kin_popen *) strays;

static void let_go(kin_popen *p)
{
    p->next = atomic_load(&strays);
    while (!atomic_compare_exchange_weak(&strays, &p->next, p)) {
    }
}

static void bury(kin_popen *p)
{
    if (p->maker == kin__os_getpid() && !p->reaped) { /* R2 */
        (void)kin__os_reap(p->pid, NULL, NULL);
    }
    kin__os_free(p);
}

void kin__popen_reap_strays(void)
{
    kin_popen *p = atomic_load(&strays) == NULL ? NULL : atomic_exchange(&strays, NULL);
    while (p != NULL) {
        kin_popen *next = p->next;
        if (p->maker == kin__os_getpid()) {
            kin__popen_settle(p);
        } else {
            p->returncode = KIN_ENOTFOUND; /* R4 */
        }
        if (p->returncode == KIN_RUNNING) {
            let_go(p);
        } else {
            bury(p);
        }
        p = next;
    }
}

/* ---- verbs ---------------------------------------------------------------------------- */

int kin__popen_check(const kin_popen *p, const char *verb)
{
    if (p == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the popen is NULL", verb);
    }
    if (p->maker != kin__os_getpid()) {
        return kin__fail(KIN_ESTATE, "%s: %s was started by process %d, and is no child of ours",
                         verb, p->name, (int)p->maker);
    }
    kin__popen_reap_strays();
    return 0;
}

void kin_popen_free(kin_popen *popen)
{
    if (popen == NULL) {
        return;
    }
    kin__popen_close(&popen->stdin_fd);
    kin__popen_close(&popen->out.fd);
    kin__popen_close(&popen->err.fd);
    kin__os_free(popen->out.data);
    kin__os_free(popen->err.data);
    kin__os_free(popen->copy);
    bool ours = popen->maker == kin__os_getpid();
    if (ours) {
        kin__popen_reap_strays();
        kin__popen_settle(popen);
    }
    kin__popen_close(&popen->pidfd);
    if (ours && popen->returncode == KIN_RUNNING) {
        let_go(popen);
    } else {
        bury(popen);
    }
}

static int report(const kin_popen *p, const char *verb)
{
    return p->returncode != KIN_ENOTFOUND
               ? p->returncode
               : kin__fail(KIN_ENOTFOUND,
                           "%s: somebody else has reaped %s (pid %d): a wait() of this program's, "
                           "or SIGCHLD is ignored",
                           verb, p->name, (int)p->pid);
}

int kin_popen_wait(kin_popen *popen, double timeout)
{
    int64_t deadline = 0;
    int rv = kin__popen_check(popen, "kin_popen_wait");
    rv = rv < 0 ? rv : kin__deadline(timeout, &deadline);
    if (rv < 0) {
        return rv;
    }
    rv = kin__popen_await(popen, deadline);
    if (rv == -ETIMEDOUT) {
        return kin__fail(KIN_ETIMEDOUT, "kin_popen_wait: %s (pid %d) still runs", popen->name,
                         (int)popen->pid);
    }
    return rv < 0 ? kin__fail_os(rv, "kin_popen_wait: cannot wait for %s", popen->name)
                  : report(popen, "kin_popen_wait");
}

int kin_popen_poll(kin_popen *popen)
{
    int rv = kin__popen_check(popen, "kin_popen_poll");
    if (rv < 0) {
        return rv;
    }
    kin__popen_settle(popen);
    return report(popen, "kin_popen_poll");
}

static int send_signal(kin_popen *p, int signal, const char *verb)
{
    int rv = kin__popen_check(p, verb);
    if (rv < 0) {
        return rv;
    }
    if (signal < 0 || signal > SIGRTMAX) {
        return kin__fail(KIN_EINVAL, "%s: there is no signal %d", verb, signal);
    }
    rv = kin__popen_signal(p, signal);
    return rv < 0 ? kin__fail_os(rv, "%s: cannot signal %s (pid %d)", verb, p->name, (int)p->pid)
                  : 0;
}

int kin_popen_send_signal(kin_popen *popen, int signal)
{
    return send_signal(popen, signal, "kin_popen_send_signal");
}

int kin_popen_terminate(kin_popen *popen)
{
    return send_signal(popen, SIGTERM, "kin_popen_terminate");
}

int kin_popen_kill(kin_popen *popen)
{
    return send_signal(popen, SIGKILL, "kin_popen_kill");
}

int kin_popen_close_stdin(kin_popen *popen)
{
    int rv = kin__popen_check(popen, "kin_popen_close_stdin");
    if (rv < 0) {
        return rv;
    }
    if (!popen->has_stdin) {
        return kin__fail(KIN_ESTATE, "kin_popen_close_stdin: the stdin of %s is no pipe of ours",
                         popen->name);
    }
    kin__popen_close(&popen->stdin_fd);
    return 0;
}

/* ---- questions ------------------------------------------------------------------------ */

int kin_popen_pid(const kin_popen *popen)
{
    int rv = kin__popen_check(popen, "kin_popen_pid");
    return rv < 0 ? rv : popen->pid;
}

int kin_popen_stdin(const kin_popen *popen)
{
    int rv = kin__popen_check(popen, "kin_popen_stdin");
    return rv < 0 ? rv : popen->stdin_fd;
}

int kin_popen_stdout(const kin_popen *popen)
{
    int rv = kin__popen_check(popen, "kin_popen_stdout");
    return rv < 0 ? rv : popen->out.fd;
}

int kin_popen_stderr(const kin_popen *popen)
{
    int rv = kin__popen_check(popen, "kin_popen_stderr");
    return rv < 0 ? rv : popen->err.fd;
}
