/* start.c - how a process starts: kin_init, fork, and what the child does then.
 *
 * Idea. The family must exist before the fork, or parent and child would be two families. The child
 * comes out of the fork in the middle of its parent's program; it runs its function and leaves by
 * _exit, so that nothing of its parent's is done twice: not the frames above, not atexit, not what
 * stands in a stdio buffer.
 *
 * Death. A daemon must not outlive its parent. The kernel can see to that (PR_SET_PDEATHSIG), but
 * what it looks at is the parent's thread: so only where there is one.
 *
 * Not here. Who waits for whom: children.c.
 */
#include "child.h"

#include <errno.h>
#include <stdio.h>

static kin_process main_process = { .name = "MainProcess", .number = "" };
static kin_process *current = &main_process;

kin_process *kin__process_current(void)
{
    return current;
}

const kin_process *kin_current_process(void)
{
    return current;
}

int kin_init(int argc, char **argv)
{
    if (argc < 0 || argv == NULL) {
        return kin__fail(KIN_EINVAL, "kin_init: %d arguments at %p", argc, (void *)argv);
    }
    return kin__join();
}

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
                "one holds now is never released there: start processes before threads",
                verb, threads);
    }
}

int kin_fork(void)
{
    int rv = kin__join();
    if (rv < 0) {
        return rv;
    }
    kin__process_warn_of_threads("kin_fork");
    pid_t pid = kin__os_fork();
    return pid < 0 ? kin__fail_os(pid, "kin_fork: cannot fork") : pid;
}

/* ---- in the child --------------------------------------------------------------------- */

static int exit_code(kin_obj returned)
{
    kin_obj result;
    int64_t code = 0;
    int rv = kin__obj_result(returned, &result);
    if (rv < 0) {
        (void)fprintf(stderr, "%s: %s (%s)\n", current->name, kin_errmsg(), kin_errname(rv));
        return 1;
    }
    if (kin_type_of(result) == KIN_TYPE_INT && kin_to_int(result, &code) < 0) {
        code = -1; /* too large for any code */
    }
    kin_release(result);
    return (int)(code & 0xff);
}

static _Noreturn void run(kin_process *p)
{
    current = p;
    int code = exit_code(p->function(kin__obj_lend(p->args)));
    kin_release(p->args);
    kin__process_end_children();
    kin__os_leave(code);
}

/* ---- in the parent -------------------------------------------------------------------- */

/* The child has the arguments; what was handed over in buffers is its own now. */
static void release_sent(kin_obj args)
{
    for (size_t i = 0; i < kin_len(args); i++) {
        if (kin_type_of(kin_at(args, i)) == KIN_TYPE_BUFFER) {
            (void)kin_take_buffer(kin_at(args, i), NULL);
        }
    }
    kin_release(args);
}

int kin_process_start(kin_process *process)
{
    if (process == NULL || process->maker != kin__os_getpid()) {
        return process == NULL
                   ? kin__fail(KIN_EINVAL, "kin_process_start: the process is NULL")
                   : kin__fail(KIN_ESTATE, "kin_process_start: %s was made by process %d",
                               process->name, (int)process->maker);
    }
    int rv = kin__join();
    rv = rv < 0 ? rv : kin__process_prepare();
    rv = rv < 0 ? rv : kin__process_begin(process);
    if (rv < 0) {
        return rv;
    }
    kin__process_reap_strays();
    kin__process_warn_of_threads("kin_process_start");
    pid_t parent = kin__os_getpid();
    bool tied = process->daemon && kin__os_thread_count() == 1;
    pid_t pid = kin__os_fork();
    if (pid < 0) {
        kin__process_not_begun(process);
        return kin__fail_os(pid, "kin_process_start: cannot fork %s", process->name);
    }
    if (pid == 0) {
        if (tied && kin__os_die_with_parent(parent) == -ESRCH) {
            kin__os_leave(1);
        }
        run(process);
    }
    kin_obj args = process->args;
    process->args = (kin_obj){ 0 };
    kin__process_began(process, pid);
    release_sent(args);
    return 0;
}
