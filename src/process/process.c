/* process.c - making and freeing process objects, and the questions that need no lock. What changes
 * during a process's life is in children.c; how it starts, in start.c. */
#include "child.h"

#include <stdio.h>
#include <string.h>

static _Atomic unsigned made_here; /* process objects, by the process below */
static _Atomic pid_t maker;

/* Numbers begin anew in a child: its first one is Process-N:1. */
static unsigned next_number(void)
{
    pid_t self = kin__os_getpid();
    if (atomic_exchange(&maker, self) != self) {
        atomic_store(&made_here, 0);
    }
    return atomic_fetch_add(&made_here, 1) + 1;
}

static kin_process *make(const char *name, unsigned nth)
{
    const char *mine = kin__process_current()->number;
    size_t number_size = strlen(mine) + sizeof ":4294967295";
    size_t name_size = name != NULL ? strlen(name) + 1 : number_size + sizeof "Process-";
    kin_process *p = kin__os_calloc(1, sizeof *p + number_size + name_size);
    if (p == NULL) {
        return NULL;
    }
    char *number = p->text;
    char *own_name = p->text + number_size;
    (void)snprintf(number, number_size, "%s%s%u", mine, *mine != '\0' ? ":" : "", nth);
    (void)snprintf(own_name, name_size, "%s%s", name != NULL ? name : "Process-",
                   name != NULL ? "" : number);
    p->number = number;
    p->name = own_name;
    return p;
}

static int check_new(kin_process **ret_process, kin_fn function, kin_obj args,
                     const kin_process_options *o)
{
    if (ret_process == NULL || function == (kin_fn)0) {
        return kin__fail(KIN_EINVAL, "kin_process_new: %s is NULL",
                         function == (kin_fn)0 ? "the function" : "where to put the process");
    }
    int rv = kin__obj_check(args, "kin_process_new");
    if (rv < 0) {
        return rv;
    }
    if (kin_type_of(args) != KIN_TYPE_TUPLE) {
        return kin__fail(KIN_ETYPE, "kin_process_new: the arguments are no tuple (use kin_args)");
    }
    if (o != NULL && (o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]) != 0) {
        return kin__fail(KIN_EINVAL, "kin_process_new: a reserved option is not zero");
    }
    return 0;
}

int kin_process_new(kin_process **ret_process, kin_fn function, kin_obj args,
                    const kin_process_options *options)
{
    int rv = check_new(ret_process, function, args, options);
    kin_process *p = NULL;
    if (rv == 0) {
        p = make(options != NULL ? options->name : NULL, next_number());
        rv = p != NULL ? 0 : kin__fail(KIN_ENOMEM, "kin_process_new: no memory for a process");
    }
    if (rv == 0) {
        p->maker = kin__os_getpid();
        p->function = function;
        p->daemon = options != NULL && options->daemon;
        p->uses = 1;
        p->sentinel = -1;
        p->lifeline = -1;
        p->args = kin__obj_own(args);
        *ret_process = p;
    } else {
        kin__obj_drop(args);
    }
    return rv;
}

int kin_start(kin_process **ret_process, kin_fn function, kin_obj args,
              const kin_process_options *options)
{
    kin_process *p = NULL;
    int rv = kin_process_new(ret_process == NULL ? NULL : &p, function, args, options);
    if (rv == 0) {
        rv = kin_process_start(p);
    }
    if (rv == 0) {
        *ret_process = p;
    } else {
        kin_process_free(p);
    }
    return rv;
}

/* ---- questions ------------------------------------------------------------------------ */

const char *kin_process_name(const kin_process *process)
{
    if (process == NULL) {
        (void)kin__fail(KIN_EINVAL, "kin_process_name: the process is NULL");
        return "";
    }
    return process->name;
}

bool kin_process_daemon(const kin_process *process)
{
    if (process == NULL) {
        (void)kin__fail(KIN_EINVAL, "kin_process_daemon: the process is NULL");
        return false;
    }
    return process->daemon;
}
