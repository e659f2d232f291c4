/* kin/subprocess.h - running other programs.
 *
 *     kin_completed_process done = { 0 };
 *     const char *const argv[] = { "sort", "-n", NULL };
 *     KIN_CHECK(kin_run(argv, KIN_OPT(kin_run_options, .input = "3\n1\n2\n", .capture = true),
 *                       &done));
 *     fwrite(done.out, 1, done.out_size, stdout);
 *     kin_completed_process_done(&done);
 *
 * None of this needs kin_init. The thread that starts a program needs a stack of 32 KiB or more.
 *
 * A program is started at the cost of posix_spawn, however large this process is. It gets stdin,
 * stdout and stderr as the options say, the descriptors that they list, and no others; signals
 * that are ignored here are ignored there, all others are at their defaults, and none is blocked.
 *
 * What this process has printed comes before what the program prints: stdout and stderr are
 * flushed. Input that a program does not read raises no SIGPIPE here: it need not read all of it.
 * (Writing to kin_popen_stdin yourself may.)
 *
 * A program that cannot be started is an error of the call that tried: KIN_ENOENT (no such program,
 * or no such directory to start it in), KIN_EACCES, KIN_EAGAIN, KIN_ENOMEM, KIN_EMFILE; KIN_EOS for
 * what else the kernel may say: that it is no program, or that the arguments are too long.
 */
#ifndef KIN_SUBPROCESS_H
#define KIN_SUBPROCESS_H

#include <kin/process.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What .in, .out and .err may be, beside a descriptor of this process that is greater than 0. */
enum {
    KIN_INHERIT = 0,  /* this process's own */
    KIN_PIPE = -1,    /* a pipe to this process */
    KIN_STDOUT = -2,  /* .err alone: where .out goes */
    KIN_DEVNULL = -3, /* /dev/null */
};

typedef struct kin_run_options {
    int in, out, err;  /* KIN_INHERIT, KIN_PIPE, ..., or a descriptor; .input makes .in a pipe */
    bool capture;      /* .out and .err are pipes, unless they say something else */
    const void *input; /* what the program reads from its stdin */
    size_t input_size; /* 0: input is a string */
    bool shell;        /* argv[0] is a line for /bin/sh, what follows its $0, $1, ... */
    bool check;        /* an exit code other than 0 is KIN_EFAILED */
    bool group;        /* a process group of its own; what kills the program kills all of it */
    bool session;      /* a session of its own, and thereby a group */
    const char *cwd;   /* where it starts; NULL: here */
    const char *const *env; /* its environment, "NAME=value", ..., NULL; NULL: this process's */
    double timeout;         /* seconds for kin_run; 0: no limit */
    const int *fds;         /* further descriptors that it gets, under their numbers */
    size_t n_fds;
    uint64_t reserved[4]; /* must be zero */
} kin_run_options;

/* What became of a program. `out` and `err` hold what it wrote into pipes, NULL for what was none;
 * a zero byte follows them, which the sizes do not count.
 *
 * Owner:     who has it; kin_completed_process_done frees what is in it.
 * Threads:   one at a time.
 * Processes: one.
 * Fork:      the child has a copy of its own.
 * Death:     it is plain memory. */
typedef struct kin_completed_process {
    int returncode; /* its exit code, or -N when signal N ended it; KIN_RUNNING: it still runs;
                       KIN_ENOTFOUND: somebody else has reaped it, and the kernel has forgotten */
    char *out;
    size_t out_size;
    char *err;
    size_t err_size;
} kin_completed_process;

/* Frees what is in it, and zeroes it; NULL and zeroed ones are fine. */
KIN_API void kin_completed_process_done(kin_completed_process *completed);

/* Runs a program to its end: argv[0] is searched for in the program's PATH unless it has a slash; a
 * relative path begins at .cwd; a NULL ends argv. `options` may be NULL; so may `ret_completed`.
 * KIN_ETIMEDOUT: it was killed (with its group, if it has one; its code is KIN_RUNNING if it is not
 * ours to kill) and what it had written until then is in *ret_completed; so it is with KIN_EFAILED,
 * and with KIN_ENOTFOUND, which .check makes of a code that nobody knows. Otherwise *ret_completed
 * is left as it was when the call fails, and the program was killed if it was started. */
KIN_API int kin_run(const char *const argv[], const kin_run_options *options,
                    kin_completed_process *ret_completed);

/* kin_popen: a program that runs beside this process.
 *
 * Owner:     the process that made it.
 * Threads:   any of that process, one at a time; two threads may use two of its pipes.
 * Processes: none but that one.
 * Fork:      the child's copy can be freed; other calls say KIN_ESTATE.
 * Death:     a program whose starter is killed goes on, and sees its pipes closed. */
typedef struct kin_popen kin_popen;

/* Starts a program. .timeout, .check and .input do not matter here; `options` may be NULL. */
KIN_API int kin_popen_new(kin_popen **ret_popen, const char *const argv[],
                          const kin_run_options *options);

/* Forgets a program and closes the pipes to it; NULL is fine. If it still runs it goes on, and is
 * reaped by a later call of this header. */
KIN_API void kin_popen_free(kin_popen *popen);
KIN_AUTO(kin_popen)

/* Writes `size` bytes of `input` (which may be NULL) to its stdin and closes that, reads stdout and
 * stderr to their ends, however much comes from where, and waits until it has ended. The pipes end
 * when the last process that holds them does, which may be a child of the program's. KIN_ETIMEDOUT:
 * nothing is lost, and nothing is in *ret_completed: call it again, without input. What has been
 * read is handed over once; when it is called again after that, `out` and `err` are NULL.
 * `ret_completed` may be NULL. */
KIN_API int kin_popen_communicate(kin_popen *popen, const void *input, size_t size, double timeout,
                                  kin_completed_process *ret_completed);

/* Waits until it has ended: how it did, as kin_popen_poll. KIN_ETIMEDOUT. A program that fills a
 * pipe nobody reads does not end. */
KIN_API int kin_popen_wait(kin_popen *popen, double timeout);

/* 0 also when it has ended before. With .group or .session all of the group gets the signal; what
 * the program has left behind there gets it also when it has ended itself (and when somebody else
 * has reaped it: from Linux 6.9). */
KIN_API int kin_popen_send_signal(kin_popen *popen, int signal);
KIN_API int kin_popen_terminate(kin_popen *popen);
KIN_API int kin_popen_kill(kin_popen *popen);

/* Closes the pipe to its stdin, so that it reads an end. KIN_ESTATE when there was none. */
KIN_API int kin_popen_close_stdin(kin_popen *popen);

/* How it ended, as in kin_completed_process, or KIN_RUNNING. Never waits. One that leads a group
 * stays a zombie until it is freed, so that no other group can get its number. */
KIN_API int kin_popen_poll(kin_popen *popen);

/* Its number, which may be another's once it has been waited for. */
KIN_API int kin_popen_pid(const kin_popen *popen);

/* This process's ends of the pipes, valid until the popen is freed or has communicated; -1 where
 * there is none. stdin is for writing. To read and write there waits, until somebody
 * communicates. */
KIN_API int kin_popen_stdin(const kin_popen *popen);
KIN_API int kin_popen_stdout(const kin_popen *popen);
KIN_API int kin_popen_stderr(const kin_popen *popen);

#ifdef __cplusplus
}
#endif
#endif
