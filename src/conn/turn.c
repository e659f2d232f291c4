/* turn.c - two threads at one end of a connection take turns.
 *
 * Idea. One word of private memory: the process whose thread has the turn, and whether another one
 * waits. It names the process, and not the thread, for one reason: a forked child finds its
 * parent's identity in its copy, and knows that no thread of its own has the turn. */
#include "conn.h"

#include <errno.h>

#define WAITED_FOR 0x80000000u

_Static_assert(KIN__ID_BITS < 31, "an identity fits beside the bit");

int kin__turn_take(kin__turn *turn, kin__id self, int64_t deadline)
{
    uint32_t seen = 0;
    uint32_t ours = self;
    while (!atomic_compare_exchange_strong(&turn->word, &seen, ours)) {
        if (seen == 0 || (seen & ~WAITED_FOR) != self) { /* a parent's: nobody of us has it */
            continue;
        }
        if (!kin__may_wait(deadline)) {
            return -ETIMEDOUT;
        }
        ours = self |
               WAITED_FOR; /* there may be others who wait: who takes it after this wakes them */
        uint32_t waited_for = seen | WAITED_FOR;
        if (seen == waited_for || atomic_compare_exchange_strong(&turn->word, &seen, waited_for)) {
            int rv = kin__os_wait(&turn->word, waited_for, deadline);
            if (rv == -ETIMEDOUT || rv == -EINTR) {
                return rv;
            }
        }
        seen = 0;
    }
    return 0;
}

void kin__turn_give(kin__turn *turn)
{
    if (atomic_exchange(&turn->word, 0) & WAITED_FOR) {
        kin__os_wake(&turn->word, 1);
    }
}
