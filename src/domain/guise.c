/* guise.c - a thread of this process acts as one of its guests.
 *
 * Idea. What a client of another machine locks or takes is claimed by a member of the family that
 * stands for him. So the family's rules for the dead give it back when he is gone, whatever it was.
 *
 * Rules.
 *   R1  Only claims are the guest's. Blocks are the process's, which frees them itself: a page of
 *       blocks has one owner, and a thread's work goes on when its guest has left.
 *   R2  A forked child of a thread that acts as somebody is nobody's: it has another self.
 *
 * Death. Of the guest: table.c. Of the process: its guests' slots have its pid.
 */
#include "room.h"

_Atomic bool kin__any_guise;
static _Thread_local kin__id acted, host;

void kin__act_as(kin__id guest)
{
    acted = guest;
    host = kin__self();
    atomic_store_explicit(&kin__any_guise, true,
                          memory_order_relaxed); /* read by this very thread */
}

kin__id kin__acting(void)
{
    kin__id self = kin__self();
    return acted != KIN__NOBODY && host == self ? acted : self; /* R2 */
}
