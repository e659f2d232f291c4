/* process/room.h - processes, for the rooms above. */
#ifndef KIN_PROCESS_ROOM_H
#define KIN_PROCESS_ROOM_H

#include "../obj/room.h"
#include <kin/process.h>

/* Says, once in a program, that it forks while it has threads, and what to do instead. */
void kin__process_warn_of_threads(const char *verb);

/* How a child leaves: what was registered with kin_at_exit is called, its own children are ended,
 * and nothing of its parent's runs. */
_Noreturn void kin__process_leave(int code);

/* What kin_init does in a child that was spawned; returns in every other process. */
void kin__process_enter(int argc, char **argv);

/* Lets go of the fork server, which leaves when nobody else can ask it either. */
void kin__process_drop_server(void);

/* Closes the pipe that this process's daemons are tied to: they die. */
void kin__process_drop_tether(void);

#endif
