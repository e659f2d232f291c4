/* children.c - the children of this process: who runs, who has ended, who is waited for.
 *
 * Idea. All that changes in a process object changes under one lock, which is never held while
 * anybody waits. What has to wait (join) takes a use of the object, lets go of the lock, sleeps
 * until the child has ended, without reaping it, and looks again. Whoever looks first reaps.
 *
 *      NEW --> STARTING --> RUNNING --reaped--> ENDED
 *       ^---------+  could not be forked
 *
 * Rules.
 *   R1  A child that was started is on the list until it is freed. Its running is a use of it: so
 *       one that its user let go stays there until it is reaped.
 *   R2  Only listed children are reaped, by their pids: other children of the program are not ours.
 *   R3  A pid is signalled only under the lock and before it was reaped: it cannot be another's.
 *   R4  A fork happens between two changes (the lock is held around it, for every fork of the
 *       program), and the child begins without children: it forgets the list, and closes what its
 *       parent had opened to watch them.
 *   R5  The fork server is the parent of those that it forked. They end when their pidfd says so; how,
 *       the server says soon after. For whomever nobody reaps, or somebody else has, there is what
 *       the child itself left in its record.
 *   R6  Where the kernel has no pidfds, a sentinel is the read end of a pipe whose write end, the
 *       lifeline, the child keeps. Its own children close it.
 *
 * Death. A parent that is killed takes nothing with it but its daemons: they hold the reading end of
 * a pipe, the tether, that nobody but their parent writes to (os/inherit.c).
 *
 * Not here. How they start: start.c. What they do: life.c.
 */
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static kin_process *children;
static int tether[2] = { -1, -1 };          /* made for the first daemon */
static int own_tie = -1;                    /* what we die by, as a daemon */
static int own_lifeline = -1;               /* R6: ours, for our parent to see */
static _Thread_local kin_process *starting; /* by this thread, just now */

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        kin__os_close(*fd);
    }
    *fd = -1;
}

/* ---- uses: with the lock held --------------------------------------------------------- */

static void unlist(kin_process *p)
{
    for (kin_process **at = &children; *at != NULL; at = &(*at)->next) {
        if (*at == p) {
            *at = p->next;
            return;
        }
    }
}

static void drop(kin_process *p)
{
    if (--p->uses == 0) {
        unlist(p);
        close_fd(&p->sentinel);
        close_fd(&p->news);
        if (p->record != NULL) {
            kin__os_unmap(p->record, RECORD_SIZE);
        }
        kin__os_free(p->crash_text);
        kin__os_free(p);
    }
}

/* ---- around every fork (R4) ----------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}

static void forget(kin_process *p)
{
    close_fd(&p->sentinel);
    close_fd(&p->news);
    close_fd(&p->line);
    if (p == starting) { /* what we are now */
        own_lifeline = p->lifeline;
        p->lifeline = -1;
        p->pid = kin__os_getpid();
    } else {
        close_fd(&p->lifeline);
        if (p->phase == PHASE_RUNNING) {
            drop(p);
        }
    }
}

static void after_fork_in_child(void)
{
    close_fd(&own_lifeline);
    close_fd(&own_tie);
    close_fd(&tether[1]);
    if (starting == NULL || !starting->daemon) { /* a daemon needs it yet: life.c */
        close_fd(&tether[0]);
    }
    tether[0] = -1;
    kin_process *p = children;
    children = NULL;
    while (p != NULL) {
        kin_process *next = p->next;
        p->next = NULL;
        forget(p);
        p = next;
    }
    starting = NULL;
    pthread_mutex_unlock(&mutex);
}

/* Before there is a second thread: a fork by another one, between our taking the lock and the
 * handlers being there, would copy the lock as held. */
static bool handles_forks;

__attribute__((constructor)) static void handle_forks(void)
{
    handles_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
}

static pid_t known_pid; /* when it was looked up; a forked child finds its parent here */
static uint64_t known_start;

pid_t kin__process_maker(uint64_t *ret_started)
{
    *ret_started = known_start;
    return known_pid;
}

static int know_ourselves(void)
{
    pid_t self = kin__os_getpid();
    int rv = known_pid == self ? 0 : kin__os_start_time(self, &known_start);
    known_pid = rv < 0 ? known_pid : self;
    return rv < 0 ? kin__fail_os(rv, "kin_process_start: cannot read when this process started")
                  : 0;
}

int kin__process_prepare(void)
{
    pthread_mutex_lock(&mutex);
    int rv = handles_forks
                 ? know_ourselves()
                 : kin__fail(KIN_ENOMEM, "kin_process_start: no memory for fork handlers");
    pthread_mutex_unlock(&mutex);
    return rv < 0 ? rv : kin__process_prepare_finish("kin_process_start");
}

int kin__process_tether(void)
{
    pthread_mutex_lock(&mutex);
    int rv = tether[0] >= 0 ? 0 : kin__os_pipe(tether);
    int end = tether[0];
    pthread_mutex_unlock(&mutex);
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
    pthread_mutex_lock(&mutex);
    close_fd(&tether[0]);
    close_fd(&tether[1]);
    pthread_mutex_unlock(&mutex);
}

int kin__process_open_line(kin_process *p)
{
    int ends[2];
    pthread_mutex_lock(&mutex);
    int rv = kin__os_socketpair(ends);
    if (rv == 0) {
        p->news = ends[0];
        p->line = ends[1];
    }
    pthread_mutex_unlock(&mutex);
    return rv < 0 ? kin__fail_os(rv, "kin_process_start: no socket for %s", p->name) : 0;
}

void kin__process_close_line(kin_process *p)
{
    pthread_mutex_lock(&mutex);
    close_fd(&p->line);
    pthread_mutex_unlock(&mutex);
}

/* ---- start ---------------------------------------------------------------------------- */

static bool has_pidfds(void)
{
    static _Atomic int known; /* 1: yes, -1: no */
    if (known == 0) {
        int fd = kin__os_pidfd(kin__os_getpid());
        if (fd == -EMFILE || fd == -ENFILE) {
            return true; /* not to be told now; nearly all have */
        }
        known = fd >= 0 ? 1 : -1;
        close_fd(&fd);
    }
    return known > 0;
}

static int open_lifeline(kin_process *p)
{
    int ends[2];
    if (has_pidfds()) {
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

int kin__process_begin(kin_process *p)
{
    pthread_mutex_lock(&mutex);
    int rv = p->phase == PHASE_NEW
                 ? open_lifeline(p)
                 : kin__fail(KIN_ESTATE, "kin_process_start: %s was started before", p->name);
    if (rv == 0) {
        p->phase = PHASE_STARTING;
        p->next = children;
        children = p;
        starting = p;
    }
    pthread_mutex_unlock(&mutex);
    return rv;
}

void kin__process_began(kin_process *p, pid_t pid)
{
    pthread_mutex_lock(&mutex);
    starting = NULL;
    close_fd(&p->lifeline);
    p->pid = pid;
    p->phase = PHASE_RUNNING;
    p->uses++;
    pthread_mutex_unlock(&mutex);
}

void kin__process_not_begun(kin_process *p)
{
    pthread_mutex_lock(&mutex);
    starting = NULL;
    close_fd(&p->lifeline);
    close_fd(&p->sentinel);
    close_fd(&p->news);
    if (p->record != NULL) {
        kin__os_unmap(p->record, RECORD_SIZE);
        p->record = NULL;
    }
    unlist(p);
    p->phase = PHASE_NEW;
    pthread_mutex_unlock(&mutex);
}

/* ---- the end of a child: with the lock held ------------------------------------------- */

/* What the child said of its end itself (R5). */
static int code_of_record(const kin__record *record)
{
    if (atomic_load_explicit(&record->left, memory_order_acquire)) { /* pairs with leave_code() */
        return record->exitcode & 0xff;
    }
    bool crashed = atomic_load_explicit(&record->crash.published, memory_order_acquire) != 0;
    return crashed ? -record->crash.signal : KIN_ENOTFOUND;
}

/* 0 when a child of the fork server has ended, -EAGAIN when it has not. */
static int look_at_served(const kin_process *p, int *ret_code)
{
    bool ended = false;
    const int *watched = p->sentinel >= 0 ? &p->sentinel : &p->news;
    if (kin__os_poll(watched, &ended, 1, 0) < 0 || !ended) {
        return -EAGAIN;
    }
    *ret_code = p->exitcode != KIN_RUNNING ? p->exitcode : kin__process_hear_end(p->news);
    return 0;
}

static int look_at_own(const kin_process *p, int *ret_code)
{
    int status = 0;
    int rv = kin__os_reap(p->pid, &status, NULL);
    *ret_code = rv == 0 ? kin__os_exit_code(status) : KIN_ENOTFOUND;
    return rv == -EAGAIN || rv == -EINTR ? -EAGAIN : 0;
}

/* Reaps it if it has ended. The caller has a use of it, or does not touch it afterwards. */
static void settle(kin_process *p)
{
    int code = 0;
    if (p->phase != PHASE_RUNNING) {
        return;
    }
    int rv = p->news >= 0 ? look_at_served(p, &code) : look_at_own(p, &code);
    if (rv == -EAGAIN) {
        return;
    }
    p->exitcode = code != KIN_ENOTFOUND ? code : code_of_record(p->record);
    p->phase = PHASE_ENDED;
    kin__ended(p->pid);
    drop(p);
}

void kin__process_reap_strays(void)
{
    pthread_mutex_lock(&mutex);
    for (kin_process *p = children, *next; p != NULL; p = next) {
        next = p->next;
        if (p->uses == 1) {
            settle(p);
        }
    }
    pthread_mutex_unlock(&mutex);
}

static int sentinel_of(kin_process *p)
{
    int ends[2];
    if (p->sentinel >= 0) {
        return p->sentinel;
    }
    if (p->phase == PHASE_RUNNING) {
        p->sentinel = kin__os_pidfd(p->pid);
        return p->sentinel;
    }
    int rv = kin__os_pipe(ends); /* too late for a pidfd; a pipe without writer is readable too */
    if (rv == 0) {
        kin__os_close(ends[1]);
        p->sentinel = ends[0];
    }
    return rv < 0 ? rv : ends[0];
}

/* Waits for a running child, without the lock, and looks again; then it may be freed. */
static int await(kin_process *p, int64_t deadline, const char *verb)
{
    int fd = -1;
    if (p->news >= 0) { /* no child of ours */
        fd = p->sentinel >= 0 ? p->sentinel : p->news;
    } else if (deadline != KIN__NEVER && has_pidfds()) {
        fd = sentinel_of(p); /* or an error; then it goes without */
    }
    pid_t pid = p->pid;
    p->uses++;
    pthread_mutex_unlock(&mutex);
    int rv = kin__os_wait_child(pid, fd < 0 ? -1 : fd, deadline);
    pthread_mutex_lock(&mutex);
    settle(p);
    if (p->phase == PHASE_ENDED || rv == -EINTR || rv == -ECHILD) {
        rv = 0;
    } else if (rv == -ETIMEDOUT) {
        rv = kin__fail(KIN_ETIMEDOUT, "%s: %s (pid %d) still runs", verb, p->name, (int)pid);
    } else if (rv < 0) {
        rv = kin__fail_os(rv, "%s: cannot wait for %s", verb, p->name);
    }
    drop(p);
    return rv;
}

/* ---- verbs ---------------------------------------------------------------------------- */

/* Locks, if the process is this one's child and was started. */
static int lock_child(const kin_process *p, const char *verb)
{
    if (p == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the process is NULL", verb);
    }
    if (p == kin__process_current()) {
        return kin__fail(KIN_ESTATE, "%s: %s is the process that we are in", verb, p->name);
    }
    if (p->maker != kin__os_getpid()) {
        return kin__fail(KIN_ESTATE, "%s: %s is a child of process %d, and none of ours", verb,
                         p->name, (int)p->maker);
    }
    pthread_mutex_lock(&mutex);
    if (p->phase == PHASE_RUNNING || p->phase == PHASE_ENDED) {
        return 0;
    }
    pthread_mutex_unlock(&mutex);
    return kin__fail(KIN_ESTATE, "%s: %s was not started yet", verb, p->name);
}

static int await_parent(const kin_process *p, int pidfd, int64_t deadline)
{
    int rv;
    do {
        rv = kin__os_wait_child(p->pid, pidfd, deadline);
    } while (rv == -EINTR);
    return rv;
}

/* Our parent, who is no child of ours: looked at, and never reaped. */
static int join_parent(const kin_process *p, int64_t deadline)
{
    int fd = kin__os_pidfd(p->pid);
    int rv = 0;
    if (kin__os_has_ended(p->pid, p->started)) {
        rv = 0;
    } else if (fd < 0) {
        rv = kin__fail_os(fd, "kin_process_join: cannot watch %s", p->name);
    } else if (await_parent(p, fd, deadline) == -ETIMEDOUT) {
        rv = kin__fail(KIN_ETIMEDOUT, "kin_process_join: %s (pid %d) still runs", p->name,
                       (int)p->pid);
    }
    close_fd(&fd);
    return rv;
}

int kin_process_join(const kin_process *process, double timeout)
{
    int64_t deadline = 0;
    int rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && process != NULL && process == kin_parent_process()) {
        return join_parent(process, deadline);
    }
    rv = rv < 0 ? rv : lock_child(process, "kin_process_join");
    if (rv < 0) {
        return rv;
    }
    settle((kin_process *)process);
    while (rv == 0 && process->phase == PHASE_RUNNING) {
        rv = await((kin_process *)process, deadline, "kin_process_join");
    }
    pthread_mutex_unlock(&mutex);
    return rv;
}

static kin_process *first_running(void)
{
    kin_process *p = children;
    while (p != NULL && p->phase != PHASE_RUNNING) {
        p = p->next;
    }
    return p;
}

int kin_join_children(double timeout)
{
    int64_t deadline = 0;
    int rv = kin__deadline(timeout, &deadline);
    pthread_mutex_lock(&mutex);
    for (kin_process *p; rv == 0 && (p = first_running()) != NULL;) {
        rv = await(p, deadline, "kin_join_children");
    }
    pthread_mutex_unlock(&mutex);
    return rv;
}

/* R3. A child of the fork server may have been reaped there: its pidfd knows. */
static int signal_child(const kin_process *p, int signal)
{
    int rv = p->news >= 0 && p->sentinel >= 0 ? kin__os_signal_by(p->sentinel, signal) : -EBADF;
    return rv == -EBADF ? kin__os_kill(p->pid, signal) : rv; /* R6: it is no pidfd */
}

void kin__process_end_children(void)
{
    pthread_mutex_lock(&mutex);
    for (kin_process *p = children; p != NULL; p = p->next) {
        if (p->daemon && p->phase == PHASE_RUNNING) {
            (void)signal_child(p, SIGKILL);
        }
    }
    pthread_mutex_unlock(&mutex);
    (void)kin_join_children(KIN_FOREVER);
}

static int send_signal(kin_process *p, int signal, const char *verb)
{
    int rv = lock_child(p, verb);
    if (rv < 0) {
        return rv;
    }
    settle(p);
    if (p->phase == PHASE_RUNNING) {
        rv = signal_child(p, signal);
        rv = rv < 0 ? kin__fail_os(rv, "%s: cannot signal %s", verb, p->name) : 0;
    }
    pthread_mutex_unlock(&mutex);
    return rv;
}

int kin_process_terminate(kin_process *process)
{
    return send_signal(process, SIGTERM, "kin_process_terminate");
}

int kin_process_kill(kin_process *process)
{
    return send_signal(process, SIGKILL, "kin_process_kill");
}

int kin_process_interrupt(kin_process *process)
{
    return send_signal(process, SIGINT, "kin_process_interrupt");
}

void kin_process_free(kin_process *process)
{
    if (process == NULL || process == kin__process_current()) {
        return;
    }
    pthread_mutex_lock(&mutex);
    kin_obj args = process->args; /* if it was never started */
    process->args = (kin_obj){ 0 };
    if (process->maker == kin__os_getpid()) {
        settle(process);
    }
    drop(process);
    pthread_mutex_unlock(&mutex);
    kin_release(args);
}

/* ---- questions: what asks may find out that it has ended, so the object changes ---------- */

int kin_process_exitcode(const kin_process *process)
{
    if (process != NULL && (process == kin__process_current() || kin_process_pid(process) == 0)) {
        return KIN_RUNNING;
    }
    int rv = lock_child(process, "kin_process_exitcode");
    if (rv < 0) {
        return rv;
    }
    settle((kin_process *)process);
    int code = process->phase == PHASE_ENDED ? process->exitcode : KIN_RUNNING;
    pthread_mutex_unlock(&mutex);
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
    if (lock_child(process, "kin_process_is_alive") < 0) {
        return false;
    }
    settle((kin_process *)process);
    bool alive = process->phase == PHASE_RUNNING;
    pthread_mutex_unlock(&mutex);
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
    pthread_mutex_lock(&mutex);
    pid_t pid = process->pid;
    pthread_mutex_unlock(&mutex);
    return pid;
}

int kin_process_sentinel(const kin_process *process)
{
    int rv = lock_child(process, "kin_process_sentinel");
    if (rv < 0) {
        return rv;
    }
    rv = sentinel_of((kin_process *)process);
    pthread_mutex_unlock(&mutex);
    return rv < 0 ? kin__fail_os(rv, "kin_process_sentinel: no descriptor for %s", process->name)
                  : rv;
}

int kin_active_children(kin_process **ret_children, size_t room)
{
    if (ret_children == NULL && room != 0) {
        return kin__fail(KIN_EINVAL, "kin_active_children: room for %zu at NULL", room);
    }
    size_t n = 0;
    pthread_mutex_lock(&mutex);
    for (kin_process *p = children, *next; p != NULL; p = next) {
        next = p->next;
        bool runs = p->phase == PHASE_RUNNING;
        p->uses++;
        settle(p);
        bool still = runs && p->phase == PHASE_RUNNING;
        if (still && n < room) {
            ret_children[n] = p; /* with the use */
        } else {
            drop(p);
        }
        n += still;
    }
    pthread_mutex_unlock(&mutex);
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
                 : lock_child(process, "kin_process_crash_info");
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
    pthread_mutex_unlock(&mutex);
    return rv;
}
