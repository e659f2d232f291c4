/* children.c - the children of this process: who runs, who has ended, who is waited for.
 *
 * Idea. All that changes in a process object changes under one lock, which is never held while
 * anybody waits. What has to wait (join) takes a use of the object, lets go of the lock, sleeps
 * until the child has ended, without reaping it, and looks again. Whoever looks first reaps.
 *
 *      NEW --> STARTING --> RUNNING --reaped--> ENDED
 *       ^---------+            |                  ^   a child of the fork server: it is over, and
 *        could not be forked   +-----> OVER ------+   the server has not said yet how
 *
 * Rules.
 *   R1  A child that was started is on the list until it is freed. Its running is a use of it: so
 *       one that its user let go stays there until it is reaped.
 *   R2  Only listed children are reaped, by their pids: other children of the program are not ours.
 *   R3  A pid is signalled only under the lock and before it was reaped: it cannot be another's.
 *   R4  A fork happens between two changes (the lock is held around it, for every fork of the
 *       program), and the child begins without children: it forgets the list, and closes what its
 *       parent had opened to watch them.
 *   R5  The fork server is the parent of those that it forked. They end when their pidfd says so;
 *       how, the server says soon after, and only who asks for the exit code waits for that. For
 *       whomever nobody reaps, or somebody else has, there is what the child left in its record.
 *
 * Death. A parent that is killed takes nothing with it but its daemons (sentinel.c).
 *
 * Not here. How they start: start.c. What they do: life.c. Who asks about them: question.c.
 */
#include "child.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#define WORD_LATE INT64_C(10000000000) /* ns of silence after which the server is taken for lost */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static kin_process *children;
static _Thread_local kin_process *starting; /* by this thread, just now */

void kin__process_lock(void)
{
    pthread_mutex_lock(&mutex);
}

void kin__process_unlock(void)
{
    pthread_mutex_unlock(&mutex);
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

void kin__process_drop(kin_process *p)
{
    if (--p->uses == 0) {
        unlist(p);
        kin__process_close_fd(&p->sentinel);
        kin__process_close_fd(&p->news);
        if (p->record != NULL) {
            kin__os_unmap(p->record, RECORD_SIZE);
        }
        kin__os_free(p->crash_text);
        kin__os_free(p);
    }
}

kin_process *kin__process_list(void)
{
    return children;
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
    kin__process_close_fd(&p->sentinel);
    kin__process_close_fd(&p->news);
    kin__process_close_fd(&p->line);
    if (p == starting) { /* what we are now */
        kin__process_hold_lifeline(p);
        p->pid = kin__os_getpid();
    } else {
        kin__process_close_fd(&p->lifeline);
        if (p->phase == PHASE_RUNNING) {
            kin__process_drop(p);
        }
    }
}

static void after_fork_in_child(void)
{
    kin__process_untie(starting != NULL && starting->daemon);
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
    pthread_mutex_lock(&mutex);
    pid_t pid = known_pid;
    *ret_started = known_start;
    pthread_mutex_unlock(&mutex);
    return pid;
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
    kin__process_close_fd(&p->line);
    pthread_mutex_unlock(&mutex);
}

/* ---- start ---------------------------------------------------------------------------- */

int kin__process_begin(kin_process *p)
{
    pthread_mutex_lock(&mutex);
    int rv = p->phase == PHASE_NEW
                 ? kin__process_open_lifeline(p)
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
    kin__process_close_fd(&p->lifeline);
    p->pid = pid;
    p->phase = PHASE_RUNNING;
    p->uses++;
    pthread_mutex_unlock(&mutex);
}

void kin__process_not_begun(kin_process *p)
{
    pthread_mutex_lock(&mutex);
    starting = NULL;
    kin__process_close_fd(&p->lifeline);
    kin__process_close_fd(&p->sentinel);
    kin__process_close_fd(&p->news);
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
    return crashed ? -(record->crash.signal & 0x7f) : KIN_ENOTFOUND;
}

/* Whether a child of the fork server has ended. */
static enum phase look_at_served(const kin_process *p, int *ret_code)
{
    bool ended = false;
    const int *watched = p->sentinel >= 0 ? &p->sentinel : &p->news;
    if (p->phase == PHASE_RUNNING && (kin__os_poll(watched, &ended, 1, 0) < 0 || !ended)) {
        return PHASE_RUNNING;
    }
    *ret_code = p->exitcode;
    bool known = p->exitcode != KIN_RUNNING || kin__process_hear_end(p->news, ret_code) == 0;
    return known ? PHASE_ENDED : PHASE_OVER;
}

static enum phase look_at_own(const kin_process *p, int *ret_code)
{
    int status = 0;
    int rv = kin__os_reap(p->pid, &status, NULL);
    *ret_code = rv == 0 ? kin__os_exit_code(status) : KIN_ENOTFOUND;
    return rv == -EAGAIN || rv == -EINTR ? PHASE_RUNNING : PHASE_ENDED;
}

/* It has ended; `code` is of interest if it is known how. The caller as below. */
static void turn(kin_process *p, enum phase phase, int code)
{
    bool ran = p->phase == PHASE_RUNNING;
    p->phase = phase;
    if (phase == PHASE_ENDED) {
        p->exitcode = code != KIN_ENOTFOUND ? code : code_of_record(p->record);
    }
    if (ran) {
        kin__ended(p->pid);
        kin__process_drop(p);
    }
}

/* Reaps it if it has ended. The caller has a use of it, or does not touch it afterwards. */
void kin__process_settle(kin_process *p)
{
    int code = 0;
    if (p->phase == PHASE_RUNNING || p->phase == PHASE_OVER) {
        enum phase now = p->news >= 0 ? look_at_served(p, &code) : look_at_own(p, &code);
        if (now != p->phase) {
            turn(p, now, code);
        }
    }
}

/* Without the lock, for the server may be slow, or stopped. */
static void await_word(kin_process *p)
{
    int64_t deadline = kin__os_now() + WORD_LATE;
    while (p->phase == PHASE_OVER) {
        int line = p->news;
        bool told;
        pthread_mutex_unlock(&mutex);
        kin__os_shield();
        int rv = kin__os_poll(&line, &told, 1, deadline);
        kin__os_unshield();
        pthread_mutex_lock(&mutex);
        kin__process_settle(p);
        if (p->phase == PHASE_OVER && rv < 0 && rv != -EINTR) {
            turn(p, PHASE_ENDED, KIN_ENOTFOUND);
        }
    }
}

int kin__process_code(kin_process *p)
{
    p->uses++;
    kin__process_settle(p);
    await_word(p);
    int code = p->phase == PHASE_ENDED ? p->exitcode : KIN_RUNNING;
    kin__process_drop(p);
    return code;
}

void kin__process_reap_strays(void)
{
    pthread_mutex_lock(&mutex);
    for (kin_process *p = children, *next; p != NULL; p = next) {
        next = p->next;
        if (p->uses == 1) {
            kin__process_settle(p);
        }
    }
    pthread_mutex_unlock(&mutex);
}

/* Waits for a running child, without the lock, and looks again; then it may be freed. */
static int await(kin_process *p, int64_t deadline, const char *verb)
{
    int fd = -1;
    if (p->news >= 0) { /* no child of ours */
        fd = p->sentinel >= 0 ? p->sentinel : p->news;
    } else if (deadline != KIN__NEVER && kin__process_has_pidfds()) {
        fd = kin__process_sentinel_of(p); /* or an error; then it goes without */
    }
    pid_t pid = p->pid;
    p->uses++;
    pthread_mutex_unlock(&mutex);
    int rv = kin__os_wait_child(pid, fd < 0 ? -1 : fd, deadline);
    pthread_mutex_lock(&mutex);
    kin__process_settle(p);
    if (p->phase != PHASE_RUNNING || rv == -ECHILD) {
        if (rv == -EINTR) {
            kin__os_interrupt_again();
        }
        rv = 0;
    } else if (rv == -ETIMEDOUT) {
        rv = kin__fail(KIN_ETIMEDOUT, "%s: %s (pid %d) still runs", verb, p->name, (int)pid);
    } else if (rv < 0) {
        rv = kin__fail_os(rv, "%s: cannot wait for %s", verb, p->name);
    }
    kin__process_drop(p);
    return rv;
}

/* ---- verbs ---------------------------------------------------------------------------- */

/* Locks, if the process is this one's child and was started. */
int kin__process_lock_child(const kin_process *p, const char *verb)
{
    if (p == NULL) {
        return kin__fail(KIN_EINVAL, "%s: the process is NULL", verb);
    }
    if (p == kin__process_current()) {
        return kin__fail(KIN_ESTATE, "%s: %s is the process that we are in", verb, p->name);
    }
    if (p == kin_parent_process()) {
        return kin__fail(KIN_ESTATE, "%s: %s is our parent, and no child of ours", verb, p->name);
    }
    if (p->maker != kin__os_getpid()) {
        return kin__fail(KIN_ESTATE, "%s: %s is a child of process %d, and none of ours", verb,
                         p->name, (int)p->maker);
    }
    pthread_mutex_lock(&mutex);
    if (p->phase >= PHASE_RUNNING) {
        return 0;
    }
    pthread_mutex_unlock(&mutex);
    return kin__fail(KIN_ESTATE, "%s: %s was not started yet", verb, p->name);
}

int kin_process_join(const kin_process *process, double timeout)
{
    int64_t deadline = 0;
    int rv = kin__deadline(timeout, &deadline);
    if (rv == 0 && process != NULL && process == kin_parent_process()) {
        return kin__process_join_parent(process, deadline);
    }
    rv = rv < 0 ? rv : kin__process_lock_child(process, "kin_process_join");
    if (rv < 0) {
        return rv;
    }
    kin_process *p = (kin_process *)process;
    p->uses++;
    kin__process_settle(p);
    while (rv == 0 && p->phase == PHASE_RUNNING) {
        rv = await(p, deadline, "kin_process_join");
    }
    kin__process_drop(p);
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
    return rv == -EBADF ? kin__os_kill(p->pid, signal)
                        : rv; /* it is a pipe, where there are no pidfds */
}

static void kill_daemons(void)
{
    for (kin_process *p = children; p != NULL; p = p->next) {
        if (p->daemon && p->phase == PHASE_RUNNING) {
            (void)signal_child(p, SIGKILL);
        }
    }
}

/* Other threads may start more meanwhile: no daemon is waited for that was not killed before. */
void kin__process_end_children(void)
{
    int rv = 0;
    kin__os_shield();
    pthread_mutex_lock(&mutex);
    for (kin_process *p; rv == 0 && (p = first_running()) != NULL;) {
        kill_daemons();
        rv = await(p, KIN__NEVER, "the end of this process");
    }
    pthread_mutex_unlock(&mutex);
    kin__os_unshield();
}

static int send_signal(kin_process *p, int signal, const char *verb)
{
    int rv = kin__process_lock_child(p, verb);
    if (rv < 0) {
        return rv;
    }
    kin__process_settle(p);
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
    if (process == NULL || process == kin__process_current() || process == kin_parent_process()) {
        return;
    }
    pthread_mutex_lock(&mutex);
    kin_obj args = process->args; /* if it was never started */
    process->args = (kin_obj){ 0 };
    if (process->maker == kin__os_getpid()) {
        kin__process_settle(process);
    }
    kin__process_drop(process);
    pthread_mutex_unlock(&mutex);
    kin_release(args);
}
