/* start.c - the three ways to start a process, and the first of them: fork.
 *
 * Idea. A start is a change of the process object (children.c) around a call that makes the child;
 * that call is all in which the methods differ. The family must exist before, or parent and child
 * would be two families.
 *
 *      kin_process_start --> fork        here: fork, and live
 *                        --> spawn       spawn.c: this program anew, as far as kin_init
 *                        --> forkserver  server.c: by a message; the server forks
 *
 * Death. A starter that is killed leaves a child that lives, or none. What a child that is killed
 * in its start had been given is gone with it, but for buffers (packet.c).
 *
 * Not here. Who waits for whom: children.c. What the child does: life.c.
 */
#include "child.h"

#include <string.h>

const char *const kin__process_methods[METHODS + 1] = { "fork", "spawn", "forkserver", NULL };
atomic_bool kin__process_ready;

static _Atomic int default_method = -1; /* not set */

/* ---- which method ------------------------------------------------------------------------ */

enum method kin__process_method(void)
{
    int method = atomic_load(&default_method);
    return method < 0 ? METHOD_FORK : (enum method)method;
}

void kin__process_set_method(enum method method)
{
    atomic_store(&default_method, (int)method);
}

int kin__process_method_of(const char *name, const char *verb)
{
    for (int i = 0; name != NULL && i < METHODS; i++) {
        if (strcmp(name, kin__process_methods[i]) == 0) {
            return i;
        }
    }
    return kin__fail(KIN_EINVAL, "%s: \"%s\" is no start method: there are fork, spawn, forkserver",
                     verb, name != NULL ? name : "NULL");
}

int kin_set_start_method(const char *method, bool force)
{
    int wanted = kin__process_method_of(method, "kin_set_start_method");
    if (wanted < 0) {
        return wanted;
    }
    int unset = -1;
    if (force) {
        atomic_store(&default_method, wanted);
    } else if (!atomic_compare_exchange_strong(&default_method, &unset, wanted)) {
        return kin__fail(KIN_ESTATE, "kin_set_start_method: it was set to %s before",
                         kin__process_methods[unset]);
    }
    return 0;
}

const char *kin_get_start_method(void)
{
    return kin__process_methods[kin__process_method()];
}

const char *const *kin_start_methods(void)
{
    return kin__process_methods;
}

/* ---- fork -------------------------------------------------------------------------------- */

void kin__process_warn_of_threads(const char *verb)
{
    static atomic_bool warned;
    if (atomic_load(&warned)) {
        return;
    }
    int threads = kin__os_thread_count();
    if (threads > 1 && !atomic_exchange(&warned, true)) {
        kin_log(KIN_LOG_WARNING,
                "%s: this process has %d threads; the child has only one, and a lock that another "
                "one holds now is never released there: start processes before threads, or by the "
                "method \"forkserver\" or \"spawn\"",
                verb, threads);
    }
}

int kin_fork(void)
{
    int rv = kin__process_check_role("kin_fork");
    rv = rv < 0 ? rv : kin__join();
    if (rv < 0) {
        return rv;
    }
    kin__process_warn_of_threads("kin_fork");
    pid_t pid = kin__os_fork();
    return pid < 0 ? kin__fail_os(pid, "kin_fork: cannot fork") : pid;
}

static _Noreturn void live_forked(kin_process *p, int tether)
{
    kin_process *starter = kin__process_current();
    starter->pid = kin__process_maker(&starter->started);
    kin__process_become(p, starter);
    kin__process_live(p, tether);
}

static pid_t fork_child(kin_process *p)
{
    void *record;
    int rv = kin__os_shared_memory(RECORD_SIZE, &record);
    if (rv < 0) {
        return kin__fail_os(rv, "kin_process_start: no memory for a page with %s", p->name);
    }
    p->record = record;
    int tether = p->daemon ? kin__process_tether() : -1;
    if (p->daemon && tether < 0) {
        return tether;
    }
    kin__process_warn_of_threads("kin_process_start");
    kin__os_prime_crashes();
    KIN__STEP("start.fork");
    pid_t pid = kin__os_fork();
    if (pid == 0) {
        live_forked(p, tether);
    }
    if (pid < 0) {
        return kin__fail_os(pid, "kin_process_start: cannot fork %s", p->name);
    }
    KIN__STEP("start.forked");
    return pid;
}

/* ---- start ------------------------------------------------------------------------------- */

static int check_start(const kin_process *process)
{
    if (process == NULL) {
        return kin__fail(KIN_EINVAL, "kin_process_start: the process is NULL");
    }
    if (process->maker != kin__os_getpid()) {
        return kin__fail(KIN_ESTATE, "kin_process_start: %s was made by process %d", process->name,
                         (int)process->maker);
    }
    if (process->method != METHOD_FORK && !atomic_load(&kin__process_ready)) {
        return kin__fail(KIN_ESTATE,
                         "kin_process_start: %s cannot be started by %s, for this program has not "
                         "called kin_init(argc, argv) yet: it belongs at the top of main",
                         process->name, kin__process_methods[process->method]);
    }
    return kin__process_check_role("kin_process_start");
}

/* Before we open something that has its number. */
static int check_descriptors(const kin_process *process)
{
    for (size_t i = 0; i < process->n_fds && process->method != METHOD_FORK; i++) {
        if (!kin__os_is_open(process->fds[i])) {
            return kin__fail(KIN_EINVAL, "kin_process_start: descriptor %d of %s is not open",
                             process->fds[i], process->name);
        }
    }
    return 0;
}

int kin_process_start(kin_process *process)
{
    static pid_t (*const start[METHODS])(kin_process *) = { fork_child, kin__process_spawn,
                                                            kin__process_ask_server };
    int rv = check_start(process);
    rv = rv < 0 ? rv : check_descriptors(process);
    rv = rv < 0 ? rv : kin__join();
    rv = rv < 0 ? rv : kin__process_prepare();
    rv = rv < 0 ? rv : kin__process_begin(process);
    if (rv < 0) {
        return rv;
    }
    kin__process_reap_strays();
    pid_t pid = start[process->method](process);
    if (pid < 0) {
        kin__process_not_begun(process);
        return (int)pid;
    }
    kin_obj args = process->args;
    process->args = (kin_obj){ 0 };
    kin__process_began(process, pid);
    kin__obj_sent(args);
    return 0;
}
