/* popen.h - what a kin_popen is; only for the files of this room. */
#ifndef KIN_SUBPROCESS_POPEN_H
#define KIN_SUBPROCESS_POPEN_H

#include "../base/room.h"
#include <kin/subprocess.h>

/* What the program writes into one pipe, as far as it has been read. */
struct stream {
    int fd;     /* our end; -1 when there is none, or no more */
    char *data; /* NULL until somebody communicates */
    size_t size;
    size_t room;
};

struct kin_popen {
    /* constant */
    pid_t maker;
    pid_t pid;
    int pidfd;  /* -1 where the kernel gives none */
    bool group; /* it leads one; popen.c, R2 */
    bool has_stdin;

    bool reaped;
    int returncode; /* KIN_RUNNING until we have looked */

    int stdin_fd; /* our end; -1 as above */
    struct stream out;
    struct stream err;

    bool talking;     /* its input has been given */
    const char *left; /* of it */
    size_t n_left;
    void *copy; /* what `left` points into, or NULL */

    kin_popen *next; /* among strays */
    char name[];     /* for sentences: in quotes, and not all of a long one */
};

/* ---- command.c ---- */

/* What is to be executed. */
struct command {
    const char *const *argv;
    const char *const *paths;
    const char *name; /* for sentences */
    const char *alone[2];
    void *argv_memory;
    void *paths_memory;
};

/* KIN_EINVAL when what was asked for makes no sense. The reserved options come first: where they
 * are not zero, the others mean nothing. */
int kin__subprocess_check(const char *const argv[], const kin_run_options *options,
                          const char *verb);

int kin__subprocess_find(struct command *command, const char *const argv[],
                         const kin_run_options *options);
void kin__subprocess_forget(struct command *command);

/* ---- start.c ---- */

/* Of what has been checked. */
int kin__popen_start(kin_popen **ret_popen, const char *const argv[],
                     const kin_run_options *options, const char *verb);

/* ---- popen.c ---- */

/* Looks whether it has ended, and reaps it then. */
void kin__popen_settle(kin_popen *popen);

/* Waits until it has ended: 0, -ETIMEDOUT, or another of -errno. */
int kin__popen_await(kin_popen *popen, int64_t deadline);

/* 0, also when there is nobody left; -errno. */
int kin__popen_signal(kin_popen *popen, int signal);

/* Whether it may be used here and now; a sentence if not. Reaps those that were let go. */
int kin__popen_check(const kin_popen *popen, const char *verb);
void kin__popen_reap_strays(void);

/* ---- communicate.c ---- */

/* Begins to talk: `size` bytes of input, which has to stay. */
int kin__popen_begin(kin_popen *popen, const void *input, size_t size, const char *verb);

/* Writes and reads until all pipes are at their ends: 0, -ETIMEDOUT, -ENOMEM, other -errno. */
int kin__popen_talk(kin_popen *popen, int64_t deadline);

/* Reads what is there, and waits for nobody. */
void kin__popen_drain(kin_popen *popen);

void kin__popen_hand_over(kin_popen *popen, kin_completed_process *ret_completed);
void kin__popen_close(int *fd);

#endif
