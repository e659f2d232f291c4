/* child.h - what a kin_process is; only for the files of this room. */
#ifndef KIN_PROCESS_CHILD_H
#define KIN_PROCESS_CHILD_H

#include "room.h"

enum phase { PHASE_NEW, PHASE_STARTING, PHASE_RUNNING, PHASE_OVER, PHASE_ENDED };
enum method { METHOD_FORK, METHOD_SPAWN, METHOD_FORKSERVER, METHODS };

/* What a child leaves for its parent to read, in a page that both map. It is private memory to
 * everybody else, and goes with the last of the two. */
typedef struct kin__record {
    _Atomic uint32_t left; /* `exitcode` is there: the child went by itself */
    int32_t exitcode;
    kin__crash crash;
} kin__record;

#define RECORD_SIZE 4096u
_Static_assert(sizeof(kin__record) <= RECORD_SIZE, "a record has a page");

struct kin_process {
    /* constant */
    pid_t maker; /* 0 in the one that main runs in, and in our parent */
    kin_fn function;
    bool daemon;
    enum method method;
    const char *name;
    const char *number; /* "2:1": the first child of the second child */
    const void *key;
    size_t key_size;
    const int *fds; /* what it gets beside stdio */
    size_t n_fds;
    uint64_t started; /* our parent alone: with its pid, who it is */

    /* under the lock of children.c */
    enum phase phase;
    unsigned
        uses; /* by its user, by its running, by those who wait for it; the last one frees it */
    pid_t pid;
    int exitcode;
    int sentinel; /* -1 until somebody asks, or it came from the fork server */
    int lifeline; /* -1, or what the child holds open where there are no pidfds: sentinel.c */
    int news;     /* -1, or where the fork server tells how it ended */
    int line;     /* -1, or the other end of news, until it has been sent away */
    kin__record *record; /* NULL before it starts */
    char *crash_text;    /* of the record, once somebody has asked */
    kin_obj args;
    kin_process *next; /* once it was started */

    char text[]; /* descriptors, key, number, name */
};

/* ---- process.c ---- */

/* A process object like `like`, with copies of what that points to; NULL when there is no
 * memory. */
kin_process *kin__process_make(const kin_process *like);

/* In a child: its key is its own. */
void kin__process_forget_key(void);

/* This process's key, made when it is first asked for. */
const void *kin__process_key(size_t *ret_size);

/* ---- children.c ---- */

/* The lock of all that changes in process objects. */
void kin__process_lock(void);
void kin__process_unlock(void);

/* Locks, if that is this process's child and was started. */
int kin__process_lock_child(const kin_process *process, const char *verb);

/* With the lock held: the first of a list of all that were started; gives up a use; finds out
 * whether it has ended, and reaps it; its exit code, for which it may let go of the lock for a
 * while. */
kin_process *kin__process_list(void);
void kin__process_drop(kin_process *process);
void kin__process_settle(kin_process *process);
int kin__process_code(kin_process *process);

/* What a process must do once before it can have children. */
int kin__process_prepare(void);

/* This process, as kin_process.maker has it, and when it started. */
pid_t kin__process_maker(uint64_t *ret_started);

/* For a start: the phase changes to STARTING; then to RUNNING, or back. In the child itself: it is
 * what this process is. */
int kin__process_begin(kin_process *process);
void kin__process_began(kin_process *process, pid_t pid);
void kin__process_not_begun(kin_process *process);

/* For ask.c: p->news and p->line, the two ends of a socket; closes the latter. */
int kin__process_open_line(kin_process *process);
void kin__process_close_line(kin_process *process);

/* Reaps those that were let go and have ended. */
void kin__process_reap_strays(void);

/* What a process does in the end: daemons are killed, the other children joined. */
void kin__process_end_children(void);

/* ---- sentinel.c ---- */

/* The reading end of a pipe that nobody but this process writes to: for its daemons to die with it.
 * A child that is forked has it, too, if it is to be a daemon. */
int kin__process_tether(void);

/* The other side: this process dies when that pipe has no writer any more. 0, or -errno; -ESRCH
 * when it has none now. Closes the end. */
int kin__process_tie(int end);

/* In a forked child, first of all: closes what was its parent's, but for the end that a daemon is
 * to be tied to. */
void kin__process_untie(bool keep_tether);

/* Where there are no pidfds: the pipe by which the process will be watched; and in the child. */
bool kin__process_has_pidfds(void);
int kin__process_open_lifeline(kin_process *process);
void kin__process_hold_lifeline(kin_process *self);

/* With the lock held: a child's sentinel, or our parent's, opened if need be, or -errno. */
int kin__process_sentinel_of(kin_process *process);
int kin__process_sentinel_of_parent(const kin_process *parent);

/* Closes it, if it is one. */
void kin__process_close_fd(int *fd);

/* ---- question.c ---- */

/* Our parent, who is no child of ours: looked at, and never reaped. */
int kin__process_join_parent(const kin_process *parent, int64_t deadline);

/* ---- exit.c ---- */

/* What a process does at its end: finalizers and children. What there is to do is done once. */
void kin__process_finish(void);

/* Has this process do that when main returns or exit() is called. */
int kin__process_prepare_finish(const char *verb);

/* ---- life.c ---- */

/* The process that we are in. */
kin_process *kin__process_current(void);

/* In a child: this is what we are from now on, and who started us. */
void kin__process_become(kin_process *self, kin_process *parent);

/* In a nursery's child: it is a daemon of that name, of whoever made the nursery. KIN_ENOMEM. */
int kin__process_become_worker(const char *name, kin_process *maker);

/* In a child: ties it if it is a daemon, runs its function, and leaves. `tether` may be -1. */
_Noreturn void kin__process_live(kin_process *self, int tether);

/* ---- start.c ---- */

extern const char *const kin__process_methods[METHODS + 1];
extern atomic_bool kin__process_ready; /* kin_init was called */
enum method kin__process_method(void); /* the default one */
void kin__process_set_method(enum method method);

/* The method of that name, or KIN_EINVAL. */
int kin__process_method_of(const char *name, const char *verb);

/* Starts a child by its method: its pid, or a code. */
pid_t kin__process_spawn(kin_process *process);      /* spawn.c */
pid_t kin__process_ask_server(kin_process *process); /* ask.c */

/* ---- spawn.c ---- */

/* A fresh image of this program, told by a descriptor what it is to be, keeping others. */
typedef enum kin__role { ROLE_CHILD = 'c', ROLE_SERVER = 's' } kin__role;
pid_t kin__process_exec_self(kin__role role, int told_by, const int *keep, size_t n_keep);

/* In such an image before kin_init: KIN_ESTATE, with a sentence. */
int kin__process_check_role(const char *verb);

/* ---- ask.c and server.c ---- */

/* In a fresh image: calls the preload, self->function, if there is one, and forks for whoever asks
 * through that socket. */
_Noreturn void kin__process_serve(kin_process *self, int socket);

/* How a child of the fork server ended: its exit code, or KIN_ENOTFOUND when the server is gone.
 * -EAGAIN when that has not said it yet. */
int kin__process_hear_end(int news, int *ret_code);

/* The socket of the fork server, for children to inherit, or -1; and what a child has inherited. */
int kin__process_server(void);
void kin__process_set_server(int socket);

#endif
