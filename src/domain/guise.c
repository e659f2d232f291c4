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

static _Atomic bool any; /* most processes never have a guest, and look at nothing else */
static _Thread_local kin__id acted, host;

void kin__act_as(kin__id guest)
{
    acted = guest;
    host = kin__self();
    atomic_store_explicit(&any, true, memory_order_relaxed); /* read by this very thread */
}

kin__id kin__actor(void)
{
    kin__id self = kin__self();
    bool as_guest = atomic_load_explicit(&any, memory_order_relaxed) && acted != KIN__NOBODY &&
                    host == self; /* R2 */
    return as_guest ? acted : self;
}
