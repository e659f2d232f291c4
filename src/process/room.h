/* process/room.h - processes, for the rooms above. */
#ifndef KIN_PROCESS_ROOM_H
#define KIN_PROCESS_ROOM_H

#include "../obj/room.h"
#include <kin/process.h>

/* Says, once in a program, that it forks while it has threads, and what to do instead. */
void kin__process_warn_of_threads(const char *verb);

#endif
