/* child.h - what a kin_process is; only for the files of this room. */
#ifndef KIN_PROCESS_CHILD_H
#define KIN_PROCESS_CHILD_H

#include "room.h"

enum phase { PHASE_NEW, PHASE_STARTING, PHASE_RUNNING, PHASE_ENDED };

struct kin_process {
    /* constant */
    pid_t maker; /* 0 in the one that main runs in */
    kin_fn function;
    bool daemon;
    const char *name;
    const char *number; /* "2:1": the first child of the second child */

    /* under the lock of children.c */
    enum phase phase;
    unsigned
        uses; /* by its user, by its running, by those who wait for it; the last one frees it */
    pid_t pid;
    int exitcode;
    int sentinel; /* -1 until somebody asks */
    int lifeline; /* -1, or what the child holds open where there are no pidfds: children.c */
    kin_obj args;
    kin_process *next; /* once it was started */

    char text[]; /* the number, the name */
};

/* ---- children.c ---- */

/* What a process must do once before it can have children. */
int kin__process_prepare(void);

/* For a start: the phase changes to STARTING; then to RUNNING, or back. In the child itself: it is
 * what this process is. */
int kin__process_begin(kin_process *process);
void kin__process_began(kin_process *process, pid_t pid);
void kin__process_not_begun(kin_process *process);

/* Reaps those that were let go and have ended. */
void kin__process_reap_strays(void);

/* What a process does in the end: daemons are killed, the other children joined. */
void kin__process_end_children(void);

/* ---- start.c ---- */

/* The process that we are in. */
kin_process *kin__process_current(void);

#endif
