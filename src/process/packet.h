/* packet.h - what a process that is not forked is told by the one that starts it. */
#ifndef KIN_PROCESS_PACKET_H
#define KIN_PROCESS_PACKET_H

#include "child.h"

/* The descriptors that a packet speaks of: their numbers in the child (spawn), or nothing but
 * whether they come (fork server). -1: there is none. */
typedef struct kin__packet_fds {
    int server;
    int tether;
} kin__packet_fds;

/* Writes a packet for `process` into a memory file of its own: its descriptor, or a code. The
 * arguments move into it; process->record is the packet's from now on. */
int kin__packet_write(kin_process *process, const kin__packet_fds *fds);

/* Nobody will read it: the arguments move back. Closes it. */
void kin__packet_take_back(kin_process *process, int packet);

/* In the child. Where the family's memory is; to be attached before the rest is read. */
int kin__packet_place(int packet, kin__place *ret_place);

/* Makes this process what the packet says: an object with function and arguments, our parent, log
 * level, start method. */
int kin__packet_read(int packet, kin_process **ret_self, kin__packet_fds *ret_fds,
                     kin__signals *ret_signals);

#endif
