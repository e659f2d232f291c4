/* kin/process.h - running functions in processes of their own.
 *
 *     kin_obj greet(kin_obj args)
 *     {
 *         printf("hello %s\n", kin_arg_str(args, 0));
 *         return kin_none();
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         kin_init(argc, argv);
 *         kin_auto(kin_process) child = NULL;
 *         KIN_CHECK(kin_start(&child, greet, kin_args(kin_str("world")), NULL));
 *         KIN_CHECK(kin_process_join(child, KIN_FOREVER));
 *         return kin_process_exitcode(child);
 *     }
 *
 * A child is forked: it sees all that its parent had in memory, as a copy, and what lies in the
 * family's memory as itself. It runs its function and ends; no code of its parent's runs after
 * that, and what both have buffered for stdout and stderr is printed once.
 *
 * The result of the function is the child's exit code: none is 0, an int is that code (of which the
 * kernel keeps the lowest 8 bits), an error is 1, and its text goes to stderr; what is none of
 * these is 0.
 */
#ifndef KIN_PROCESS_H
#define KIN_PROCESS_H

#include <kin/obj.h>

#ifdef __cplusplus
extern "C" {
#endif

/* kin_process: a child, from before it starts until its exit code has been read; or the process
 * that we are in.
 *
 * Owner:     the process that made it: it alone may start, join, signal and ask. Whoever frees it
 *            lets a running child go; it is not killed.
 * Threads:   any of that process, several at once. To free it is the last thing to do with it.
 * Processes: none but that one; send its pid, if anything.
 * Fork:      the child's copy knows name and pid, and can be freed; other calls say KIN_ESTATE.
 * Death:     what the library held for a dead child is given back when it is joined. When the maker
 *            is killed its daemons are too (those it started while it had one thread), and the
 *            others go on. */
typedef struct kin_process kin_process;

typedef struct kin_process_options {
    const char *name;     /* NULL: Process-1, Process-2, ...; Process-2:1 for a child's child */
    bool daemon;          /* does not outlive its parent, who kills it at exit */
    uint64_t reserved[4]; /* must be zero */
} kin_process_options;

/* The exit code of a process that has not ended: neither an exit code nor an error. */
#define KIN_RUNNING 65536

/* ---- at the top of main --------------------------------------------------------------- */

/* Makes this process the first of a family. Without it the first call that needs the family does so;
 * start methods to come will need it. */
KIN_API int kin_init(int argc, char **argv);

/* ---- making and ending ---------------------------------------------------------------- */

/* A process that will run `function` with `args`, a tuple, which is given away. `options` may be
 * NULL. */
KIN_API int kin_process_new(kin_process **ret_process, kin_fn function, kin_obj args,
                            const kin_process_options *options);

/* kin_process_new and kin_process_start. */
KIN_API int kin_start(kin_process **ret_process, kin_fn function, kin_obj args,
                      const kin_process_options *options);

/* Forgets a process; NULL is fine. A running child goes on: this process reaps it when it has
 * ended, and its exit waits for it (a daemon is killed then). */
KIN_API void kin_process_free(kin_process *process);
KIN_AUTO(kin_process)

/* ---- verbs ---------------------------------------------------------------------------- */

/* Forks the child. KIN_ESTATE the second time; KIN_EAGAIN when there are too many processes,
 * KIN_ENOMEM, KIN_EMFILE (old kernels alone need a descriptor); then it may be tried again. Warns,
 * once, when this process has other threads: the child has only this one, and what the others had
 * locked stays locked in it. */
KIN_API int kin_process_start(kin_process *process);

/* Waits until the child has ended: 0, however it ended. KIN_ETIMEDOUT; KIN_ESTATE before start. */
KIN_API int kin_process_join(kin_process *process, double timeout);

/* Sends SIGTERM, SIGKILL, SIGINT. 0 also when the child has ended before; KIN_ESTATE before start. */
KIN_API int kin_process_terminate(kin_process *process);
KIN_API int kin_process_kill(kin_process *process);
KIN_API int kin_process_interrupt(kin_process *process);

/* Waits for all children of this process, those let go included. KIN_ETIMEDOUT. */
KIN_API int kin_join_children(double timeout);

/* fork() for those who want nothing else: 0 in the child, its pid in the parent, who has to reap
 * it; KIN_EAGAIN. stdout and stderr are flushed before, and threads warned of. */
KIN_API int kin_fork(void);

/* ---- questions ------------------------------------------------------------------------ */

/* How the child ended: its exit code, -9 when SIGKILL ended it (-N: signal N), KIN_RUNNING when it
 * has not. KIN_ENOTFOUND when somebody else has reaped it (a wait() of yours, or SIGCHLD ignored). */
KIN_API int kin_process_exitcode(const kin_process *process);

/* Whether the child was started and has not ended. */
KIN_API bool kin_process_is_alive(const kin_process *process);

/* 0 before start. */
KIN_API int kin_process_pid(const kin_process *process);

/* Lives as long as the process object. */
KIN_API const char *kin_process_name(const kin_process *process);

/* Whether it was made a daemon. */
KIN_API bool kin_process_daemon(const kin_process *process);

/* A descriptor that polls readable once the child has ended, until kin_process_free closes it; it
 * is opened when it is asked for. KIN_ESTATE before start, KIN_EMFILE. */
KIN_API int kin_process_sentinel(const kin_process *process);

/* This process, as its parent made it, or "MainProcess". Nothing to free. Never NULL. */
KIN_API const kin_process *kin_current_process(void);

#ifdef __cplusplus
}
#endif
#endif
