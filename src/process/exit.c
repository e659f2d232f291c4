/* exit.c - what a process does at its end.
 *
 * Idea. Finalizers are a list, the next one to be called first: so of one priority the latest is
 * first. A forked child has a copy of it, under which it begins its own:
 *
 *      first                  inherited
 *        v                        v
 *      [ 5 ] -> [ 0 ] -> [ -1 ] -> [ 7 ] -> [ 0 ] -> NULL
 *      `---- of this process ---'  `- its parent's: never called here
 *
 * Rules.
 *   R1  A finalizer is taken off the list under the lock, and called without it: so each is called
 *       once, by one thread, and may do what it likes: register another, cancel one, fork, exit().
 *   R2  The end is over when the list is empty and no child runs. What a finalizer registers, or
 *       starts, is called, or waited for, too.
 *   R3  exit() within exit() goes on with the next handler and never comes back to this one: while
 *       there is something to call, another handler stands ready.
 *   R4  The lock is held around every fork of the program, so that the child finds list and lock
 *       whole. Nothing is called under it but atexit(), whose own lock a child would find held.
 *
 * Death. Who is killed calls nothing.
 *
 * Not here. How children are ended: children.c. Leaving without all this: kin__os_leave.
 */
#include "child.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct finalizer {
    struct finalizer *next;
    kin_fn function;
    kin_obj args;
    int priority;
    int id;
} finalizer;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static finalizer *first;
static const finalizer *inherited; /* where our own end; still reachable, so it is no leak */
static int last_id;
static bool ready; /* a handler of atexit() stands ready */

/* ---- around every fork (R4) ----------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}

static void after_fork_in_child(void)
{
    inherited = first;
    pthread_mutex_unlock(&mutex);
}

static bool handles_forks;

/* Before there is a second thread, as in children.c. */
__attribute__((constructor)) static void handle_forks(void)
{
    handles_forks = pthread_atfork(before_fork, after_fork, after_fork_in_child) == 0;
}

/* ---- main's end ----------------------------------------------------------------------- */

static void end_main(void);

/* With the lock held. */
static bool get_ready(void)
{
    ready = ready || (handles_forks && atexit(end_main) == 0);
    return ready;
}

static void end_main(void)
{
    pthread_mutex_lock(&mutex);
    ready = false;
    if (first != inherited) {
        (void)get_ready(); /* R3 */
    }
    pthread_mutex_unlock(&mutex);
    kin__process_finish();
}

int kin__process_prepare_finish(const char *verb)
{
    pthread_mutex_lock(&mutex);
    bool done = get_ready();
    pthread_mutex_unlock(&mutex);
    return done ? 0 : kin__fail(KIN_ENOMEM, "%s: no memory for an exit handler", verb);
}

/* ---- registering ---------------------------------------------------------------------- */

static void insert(finalizer *f)
{
    finalizer **at = &first;
    while (*at != inherited && (*at)->priority > f->priority) {
        at = &(*at)->next;
    }
    f->next = *at;
    *at = f;
}

static int check(kin_fn function, kin_obj args)
{
    if (function == (kin_fn)0) {
        return kin__fail(KIN_EINVAL, "kin_at_exit: the function is NULL");
    }
    int rv = kin__obj_check(args, "kin_at_exit");
    if (rv == 0 && kin_type_of(args) != KIN_TYPE_TUPLE) {
        rv = kin__fail(KIN_ETYPE, "kin_at_exit: the arguments are no tuple (use kin_args)");
    }
    return rv < 0 ? rv : kin__process_prepare_finish("kin_at_exit");
}

int kin_at_exit_priority(kin_fn function, kin_obj args, int priority)
{
    int rv = check(function, args);
    finalizer *f = rv < 0 ? NULL : kin__os_malloc(sizeof *f);
    if (f == NULL) {
        kin__obj_drop(args);
        return rv < 0 ? rv : kin__fail(KIN_ENOMEM, "kin_at_exit: no memory for a finalizer");
    }
    *f = (finalizer){ .function = function, .args = kin__obj_own(args), .priority = priority };
    pthread_mutex_lock(&mutex);
    last_id = last_id < INT_MAX ? last_id + 1 : 1;
    int id = f->id = last_id;
    insert(f);
    pthread_mutex_unlock(&mutex);
    return id;
}

int kin_at_exit(kin_fn function, kin_obj args)
{
    return kin_at_exit_priority(function, args, 0);
}

/* ---- taking one off: by its id, or as the next one to be called ------------------------ */

static finalizer *unlink_at(finalizer **at)
{
    finalizer *f = *at;
    *at = f->next;
    return f;
}

static finalizer *take(int id)
{
    pthread_mutex_lock(&mutex);
    finalizer **at = &first;
    while (*at != inherited && (*at)->id != id) {
        at = &(*at)->next;
    }
    finalizer *f = *at != inherited ? unlink_at(at) : NULL;
    pthread_mutex_unlock(&mutex);
    return f;
}

static finalizer *take_next(int least)
{
    pthread_mutex_lock(&mutex);
    bool any = first != inherited && first->priority >= least;
    finalizer *f = any ? unlink_at(&first) : NULL;
    pthread_mutex_unlock(&mutex);
    return f;
}

int kin_at_exit_cancel(int id)
{
    finalizer *f = take(id);
    if (f == NULL) {
        return kin__fail(KIN_ENOTFOUND,
                         "kin_at_exit_cancel: nothing is to be called with the id %d", id);
    }
    kin_release(f->args);
    kin__os_free(f);
    return 0;
}

/* ---- the end -------------------------------------------------------------------------- */

static bool call_next(int least)
{
    finalizer *f = take_next(least);
    if (f == NULL) {
        return false;
    }
    kin_obj result = kin_none();
    int rv = kin__obj_result(f->function(kin__obj_lend(f->args)), &result);
    if (rv < 0) {
        kin_log(KIN_LOG_ERROR, "%s: a function of kin_at_exit failed: %s (%s)",
                kin__process_current()->name, kin_errmsg(), kin_errname(rv));
    }
    kin_release(result);
    kin_release(f->args);
    kin__os_free(f);
    return true;
}

void kin__process_finish(void)
{
    do { /* R2 */
        while (call_next(0)) {
        }
        kin__process_end_children();
    } while (call_next(INT_MIN));
}

_Noreturn void kin__process_leave(int code)
{
    kin__process_finish();
    kin__os_leave(code);
}
