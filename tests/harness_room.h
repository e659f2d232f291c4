/* harness_room.h - what the files of the harness share. */
#ifndef KIN_HARNESS_ROOM_H
#define KIN_HARNESS_ROOM_H

#include "harness.h"

#define LINE_SIZE 256

/* Who is to die at which step: see harness_loops.c. */
struct kill_plan {
    char only[64]; /* steps whose name begins so; "": any */
    unsigned nth;
    pid_t victim;
    bool anybody;
};

/* A page shared with the process of a test, and with what that starts; it outlives them, however
 * they die. */
struct blackbox {
    _Atomic(const char *) file; /* the last check that was passed; a literal, so at one place */
    _Atomic int line;
    char skipped[LINE_SIZE];
    char loop[LINE_SIZE]; /* which turn of which loop is on */
    struct kill_plan plan;
    char step[LINE_SIZE];   /* where the last victim was killed */
    _Atomic unsigned steps; /* passed by the victim, or its family */
    _Atomic bool struck;
};
extern struct blackbox *blackbox;
extern char blackbox_path[64]; /* for images that a test starts */

/* In such an image: it may be the one to die. */
void join_kill_loop(void);

/* What is open, a line of text for each. */
struct list {
    char (*lines)[LINE_SIZE];
    size_t count, room;
};
void have_own_names(void); /* once, before all tests */
void list_all(struct list *list);

/* These fail the test when there is more than before, or a child. */
void check_left(const struct list *before, const char *when);
void check_children(void);
void check_descendants(void);
extern int64_t grace; /* ns for descendants that were told to end */

#endif
