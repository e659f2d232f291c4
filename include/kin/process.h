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
 * There are three ways to start a child:
 *
 *   fork        It sees all that its parent had in memory, as a copy. The quickest, and the
 *               default; not for programs that have threads by then, for a lock that another thread
 *               holds is never released in the child.
 *   spawn       A fresh image of the same program, from the top of main to kin_init, which never
 *               returns there. Nothing comes along but what is listed below; the cost does not grow
 *               with the parent's memory.
 *   forkserver  Forked by a fresh image that has done nothing but wait: as clean as spawn, nearly
 *               as quick as fork. The server starts when the first such child does, and ends with
 *               the last process that could ask it.
 *
 * However it was started, a child has: its function and arguments, with every kin_shared in them;
 * the family's memory, at the same addresses; name, daemon flag, authentication key, start method,
 * log level; its starter's working directory, stdin, stdout and stderr, signal mask and ignored
 * signals; and the descriptors that its options list. A forked child has everything else as well. A
 * child of the fork server has the environment and the limits of the time when the server started.
 *
 * It runs its function and ends; no code of its parent's runs after that, and what both have
 * buffered for stdout and stderr is printed once.
 *
 * The result of the function is the child's exit code: none is 0, an int is that code (of which the
 * kernel keeps the lowest 8 bits; 255 for one of more than 64 bits), true is 1, an error is 1, and
 * its text goes to stderr; what is none of these is 0.
 */
#ifndef KIN_PROCESS_H
#define KIN_PROCESS_H

#include <kin/wait.h>

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
 *            is killed, its daemons are gone in a moment, and the others go on. */
typedef struct kin_process kin_process;

typedef struct kin_process_options {
    const char *name; /* NULL: Process-1, Process-2, ...; Process-2:1 for a child's child */
    int daemon;       /* true: does not outlive its parent, who kills it at exit; KIN_NO: does;
                                 0: as this process itself */
    const char *start_method; /* "fork", "spawn", "forkserver"; NULL: kin_get_start_method() */
    const void *authkey;      /* with this authentication key; NULL: as this process */
    size_t authkey_size;
    const int *fds; /* descriptors that a child has, under their numbers, which is not forked */
    size_t n_fds;
    uint64_t reserved[4]; /* must be zero */
} kin_process_options;

#define KIN_NO (-1)

/* The exit code of a process that has not ended: neither an exit code nor an error. */
#define KIN_RUNNING 65536

/* ---- at the top of main --------------------------------------------------------------- */

/* Makes this process the first of a family. In a child that was spawned it runs what the child was
 * started for, and does not return: so it belongs at the top of main. A program without it can
 * fork, and cannot spawn. */
KIN_API int kin_init(int argc, char **argv);

/* How children are started whose options do not say: "fork" unless it was set. KIN_EINVAL for what
 * is no method, KIN_ESTATE when one was set before and `force` is false. Children inherit it. */
KIN_API int kin_set_start_method(const char *method, bool force);
KIN_API const char *kin_get_start_method(void);

/* The methods that there are, the default one first, and a NULL. */
KIN_API const char *const *kin_start_methods(void);

/* Has the fork server call `preload` once, with no arguments, before it forks anybody: what that
 * makes, all its children have. When it returns an error, that is shown on stderr, and the server
 * goes on. KIN_ESTATE when the server is there already. */
KIN_API int kin_set_forkserver_preload(kin_fn preload);

/* ---- making and ending ---------------------------------------------------------------- */

/* A process that will run `function` with `args`, a tuple, which is given away. `options` may be
 * NULL. */
KIN_API int kin_process_new(kin_process **ret_process, kin_fn function, kin_obj args,
                            const kin_process_options *options);

/* kin_process_new and kin_process_start. Where to put the process may be NULL: it is let go, as by
 * kin_process_free. */
KIN_API int kin_start(kin_process **ret_process, kin_fn function, kin_obj args,
                      const kin_process_options *options);

/* Forgets a process; NULL is fine. A running child goes on: this process reaps it when it has
 * ended, and its exit waits for it (a daemon is killed then). */
KIN_API void kin_process_free(kin_process *process);
KIN_AUTO(kin_process)

/* ---- verbs ---------------------------------------------------------------------------- */

/* Starts the child. KIN_ESTATE the second time, and when a program without kin_init is to spawn;
 * KIN_EAGAIN when there are too many processes, KIN_ENOMEM, KIN_EMFILE; KIN_EBROKEN when the fork
 * server died meanwhile (its preload perhaps): the next start makes another one. Then it may be
 * tried again.
 * Warns, once, when a process forks that has other threads. */
KIN_API int kin_process_start(kin_process *process);

/* Waits until the child has ended: 0, however it ended. KIN_ETIMEDOUT; KIN_ESTATE before start. */
KIN_API int kin_process_join(const kin_process *process, double timeout);

/* Sends SIGTERM, SIGKILL, SIGINT. 0 also when the child has ended before; KIN_ESTATE before
 * start. */
KIN_API int kin_process_terminate(kin_process *process);
KIN_API int kin_process_kill(kin_process *process);
KIN_API int kin_process_interrupt(kin_process *process);

/* Waits for all children of this process, those let go included. KIN_ETIMEDOUT. */
KIN_API int kin_join_children(double timeout);

/* fork() for those who want nothing else: 0 in the child, its pid in the parent, who has to reap
 * it; KIN_EAGAIN. stdout and stderr are flushed before, and threads warned of. */
KIN_API int kin_fork(void);

/* Calls `function` with `args`, a tuple, when this process ends: when main returns, when it calls
 * exit(), when a child's function has returned; not when it is killed, and never in a child that
 * inherited it. The highest priority first, of one priority the latest first; those below 0 when
 * the children have ended. An error that it returns goes to the log. An id for kin_at_exit_cancel,
 * greater than 0. */
KIN_API int kin_at_exit(kin_fn function, kin_obj args);
KIN_API int kin_at_exit_priority(kin_fn function, kin_obj args, int priority);

/* Takes it back. KIN_ENOTFOUND when it was called or cancelled before. */
KIN_API int kin_at_exit_cancel(int id);

/* ---- questions ------------------------------------------------------------------------ */

/* How the child ended: its exit code, -9 when SIGKILL ended it (-N: signal N), KIN_RUNNING when it
 * has not. KIN_ENOTFOUND when its function did not return (a signal, an exit() of its own) and
 * somebody else has reaped it (a wait() of yours, SIGCHLD ignored, or the fork server killed). */
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
 * is opened when it is asked for. Our parent has one, too, which stays open. KIN_ESTATE before
 * start, KIN_EMFILE. */
KIN_API int kin_process_sentinel(const kin_process *process);

/* The end of a child, or of our parent, as something to wait for (kin/wait.h). */
KIN_API kin_waitable kin_process_waitable(const kin_process *process);

/* Why the child crashed, if SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT did not find a handler in
 * it, nor was blocked or ignored (what then ends it, or an overflow of the stack of another thread
 * than the first, is not told): there as soon as it happens, also while the kernel still writes a
 * core. KIN_ENOTFOUND when it has not crashed. What it says is valid until kin_process_free. */
typedef struct kin_crash_info {
    int signal;
    int code;         /* the si_code of the signal */
    uint64_t address; /* what a SIGSEGV or SIGBUS wanted to touch, where the others happened */
    const char *text; /* signal and address in a line, then a line for each frame of the stack */
} kin_crash_info;
KIN_API int kin_process_crash_info(const kin_process *process, kin_crash_info *ret_info);

/* The authentication key that it has, or will have: 32 random bytes in a family's first process,
 * unless kin_set_authkey set another one, for this process and the children it makes from then on.
 * NULL with a sentence; valid as long as the process object, or until the next kin_set_authkey. */
KIN_API const void *kin_process_authkey(const kin_process *process, size_t *ret_size);
KIN_API int kin_set_authkey(const void *key, size_t size);

/* The process in a line, as Python shows it: <Process name='x' pid=12 parent=11 started>. free()
 * it; NULL with a sentence. */
KIN_API char *kin_process_repr(const kin_process *process);

/* This process, as its parent made it, or "MainProcess". Nothing to free. Never NULL. */
KIN_API const kin_process *kin_current_process(void);

/* The process that started this one; NULL in the first of a family. It has a name and a pid, may be
 * asked whether it is alive, joined, and waited for with other things. Nothing to free. */
KIN_API const kin_process *kin_parent_process(void);

/* This process's children that run, the one started last first: up to `room` of them into
 * `ret_children`, each to be freed with kin_process_free, and how many there are in all. Reaps
 * those that have ended. */
KIN_API int kin_active_children(kin_process **ret_children, size_t room);

#ifdef __cplusplus
}
#endif
#endif
