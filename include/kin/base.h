/* kin/base.h - what every room of kin speaks: error codes, timeouts, the log.
 *
 * Calls return `int`: 0 or more is success, less than 0 is one of the codes below. A code says
 * what kind of thing went wrong; kin_errmsg() says it in one sentence: what was tried, on what,
 * and why it did not work. All codes lie below -4095, so that none of them looks like an exit
 * code or like an errno.
 *
 *     int rv = kin_queue_put(queue, kin_int(42), 1.0);
 *     if (rv < 0) {
 *         fprintf(stderr, "%s: %s\n", kin_strerror(rv), kin_errmsg());
 *     }
 *
 * What a call hands out through a pointer is left as it was when the call fails.
 *
 * Timeouts are seconds, as `double`. 0 (and anything below) only tries, KIN_FOREVER never ends. (A
 * .timeout of 0 among options is none.)
 */
#ifndef KIN_BASE_H
#define KIN_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KIN_API __attribute__((visibility("default")))
#define KIN_PRINTF(text, args) __attribute__((__format__(__printf__, text, args)))

/* The one table of errors: name, code, text. */
#define KIN_ERROR_MAP(X)                                                                           \
    X(KIN_EINVAL, -5001, "invalid argument")                                                       \
    X(KIN_ETYPE, -5002, "wrong type")                                                              \
    X(KIN_ERANGE, -5003, "value out of range")                                                     \
    X(KIN_ESTATE, -5004, "not possible in this state")                                             \
    X(KIN_ENOTFOUND, -5005, "not found")                                                           \
    X(KIN_EUNSUPPORTED, -5006, "not supported here")                                               \
    X(KIN_ETIMEDOUT, -5101, "timed out")                                                           \
    X(KIN_EINTR, -5102, "interrupted")                                                             \
    X(KIN_EEMPTY, -5103, "queue is empty")                                                         \
    X(KIN_EFULL, -5104, "queue is full")                                                           \
    X(KIN_EDEADLK, -5105, "would wait for itself")                                                 \
    X(KIN_ECANCELLED, -5106, "cancelled")                                                          \
    X(KIN_EOVERRUN, -5107, "task ran over its time limit")                                         \
    X(KIN_ECLOSED, -5201, "closed")                                                                \
    X(KIN_EFREED, -5202, "already freed")                                                          \
    X(KIN_ECORRUPT, -5203, "corrupt data")                                                         \
    X(KIN_EBROKEN, -5204, "broken")                                                                \
    X(KIN_ECRASHED, -5301, "process died")                                                         \
    X(KIN_EEOF, -5302, "end of file")                                                              \
    X(KIN_EAUTH, -5303, "authentication failed")                                                   \
    X(KIN_EBUFTOOSHORT, -5304, "buffer too short")                                                 \
    X(KIN_EFAILED, -5305, "command failed")                                                        \
    X(KIN_ENOMEM, -5401, "out of memory")                                                          \
    X(KIN_EMFILE, -5402, "out of file descriptors")                                                \
    X(KIN_EAGAIN, -5403, "out of processes")                                                       \
    X(KIN_EOS, -5404, "the operating system refused")                                              \
    X(KIN_ENOENT, -5405, "no such file")                                                           \
    X(KIN_EACCES, -5406, "permission denied")                                                      \
    X(KIN_EEXIST, -5407, "already exists")                                                         \
    X(KIN_EREFUSED, -5408, "connection refused")

enum {
#define KIN_X(name, code, text) name = code,
    KIN_ERROR_MAP(KIN_X)
#undef KIN_X
    /* A task's own errors: KIN_EUSER, KIN_EUSER - 1, ... as many as it likes. */
    KIN_EUSER = -10000,
    /* Not an error: the lock is held, and its last holder died with it. */
    KIN_OWNER_DIED = 1,
};

/* kin_auto(kin_queue) queue = NULL; is freed at the end of its scope. KIN_AUTO(kin_queue) stands in
 * the header of each type that can be so. */
#define kin_auto(type) __attribute__((cleanup(type##_freep))) type *
#define KIN_AUTO(type)                                                                             \
    static inline void type##_freep(type **thing)                                                  \
    {                                                                                              \
        type##_free(*thing);                                                                       \
    }

/* Wait without end. */
#define KIN_FOREVER 1e300

/* The text of a code, in a few words. Never NULL, whatever the number. */
KIN_API const char *kin_strerror(int code);

/* The name of a code ("KIN_ECLOSED"; "KIN_EUSER-3" for a task's own), or the number in digits if
 * it has none. Never NULL. */
KIN_API const char *kin_errname(int code);

/* This thread's last failure as a sentence. Valid until this thread's next failing call; ""
 * when nothing has failed yet. */
KIN_API const char *kin_errmsg(void);

/* Seconds on a clock that never jumps; only differences mean something. */
KIN_API double kin_now(void);

/* Sleeps, also through signals; 0 and less returns at once. KIN_EINVAL for a NaN, KIN_EINTR. */
KIN_API int kin_sleep(double seconds);

/* Ends the waits of this process: each call of the library that waits, in whichever thread, returns
 * KIN_EINTR. A thread that does not wait just now gets that from its next call that would have to.
 * Each thread gets it once, and nothing is lost: call again, and the wait goes on. May be called in
 * a signal handler. Calls with a timeout of 0 are not interrupted, nor are those that must finish:
 * kin_pool_new and all _free (of a pool, it ends what runs), and a send that is half done. A
 * condition's lock is taken again before KIN_EINTR; a barrier is broken, as by a timeout. */
KIN_API int kin_interrupt(void);

/* From now on Ctrl-C (SIGINT) calls kin_interrupt, instead of ending this process. When it comes
 * again, a fifth of a second later or more, and no call has returned KIN_EINTR meanwhile, it does
 * what it does by default: a program that is stuck can be ended. Where SIGINT is ignored (nohup, a
 * pool's workers) it stays so. Forked children have the handler too, each for itself; they start
 * with nothing to be told. */
KIN_API int kin_handle_sigint(void);

/* How many processors this process may use: its affinity, and its cgroup's quota rounded up. */
KIN_API int kin_cpu_count(void);

/* How many processors the machine has, whoever may use them. */
KIN_API int kin_cpu_count_all(void);

/* The log: what the library has to say when no call is there to return it. Warnings and errors
 * go to stderr unless a handler is set; less urgent lines are dropped unless the level is
 * lowered. */
enum {
    KIN_LOG_SUBDEBUG = 5,
    KIN_LOG_DEBUG = 10,
    KIN_LOG_INFO = 20,
    KIN_LOG_SUBWARNING = 25,
    KIN_LOG_WARNING = 30,
    KIN_LOG_ERROR = 40,
    KIN_LOG_OFF = 100,
};

typedef void (*kin_log_handler)(int level, const char *text, void *ctx);

/* Lets through what is at `level` or above; returns the level it was before. What a child or a
 * worker prints when it crashes counts as an error; one that was started before keeps its level. */
KIN_API int kin_log_set_level(int level);

/* Sends what passes to `handler`, from whichever thread logs; NULL: to stderr again. A thread that
 * logs just now may still finish with the handler before. What a handler logs goes to stderr. */
KIN_API void kin_log_set_handler(kin_log_handler handler, void *ctx);

/* Writes a line of your own: to stderr as "[WARNING/4711] text" with this process's pid. The
 * newline is added. */
KIN_API void kin_log(int level, const char *format, ...) KIN_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
